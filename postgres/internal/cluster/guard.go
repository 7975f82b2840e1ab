//go:build unix

package cluster

import (
	"os"
	"os/exec"
	"sync"
	"syscall"
)

// guards keeps the ends of pipes open that the guards read: an end which the
// garbage collector closes would look like our death.
var guards struct {
	mu   sync.Mutex
	ends []*os.File
}

// Guard has a shell run script once this process has ended, in whatever way: a
// test that is killed or runs out of time must not leave its servers behind. The
// shell waits for the end of a pipe that nobody else has. $1 and so on are args.
func Guard(cred *syscall.SysProcAttr, script string, args ...string) error {
	r, w, err := os.Pipe()
	if err != nil {
		return err
	}
	defer func() { _ = r.Close() }()
	cmd := exec.Command("/bin/sh", append([]string{"-c", "read -r _\n" + script, "guard"}, args...)...)
	cmd.Dir, cmd.Stdin = "/", r
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true} // signals to our group are not for it
	if cred != nil {
		cmd.SysProcAttr.Credential = cred.Credential
	}
	if err := cmd.Start(); err != nil {
		_ = w.Close()
		return err
	}
	guards.mu.Lock()
	defer guards.mu.Unlock()
	guards.ends = append(guards.ends, w)
	return nil
}

// removal ends the server in $2 and removes its directory, $1. A server that is
// just being started is met by a later try, or ends when it misses its files. $3
// is pg_ctl.
const removal = `
for try in 1 2 3 4 5; do
	if [ ! -d "$2" ]; then break; fi
	"$3" -D "$2" -m immediate stop
	rm -rf "$1"
	sleep 1
done >/dev/null 2>&1
rm -rf "$1"`
