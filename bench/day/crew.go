//go:build linux

package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// crew is the receiving processes.
type crew struct {
	dir      string
	members  []*member
	shared   bool  // by a database
	database int64 // processor time of PostgreSQL at the start, in ticks
}

type member struct {
	cmd     *exec.Cmd
	address string
	out     *bufio.Reader
}

// startCrew starts the receivers, which are this program again.
func startCrew(ctx context.Context, o options, garmin string) (c *crew, err error) {
	c = &crew{shared: o.database != ""}
	defer func() {
		if err != nil {
			c.kill()
		}
	}()
	if c.dir, err = os.MkdirTemp("", "day"); err != nil {
		return c, err
	}
	self, err := os.Executable()
	if err != nil {
		return c, err
	}
	c.database = databaseTicks()
	for i := range o.processes {
		rc := receiverConfig{Database: o.database, Garmin: garmin, Dir: filepath.Join(c.dir, strconv.Itoa(i)), Downloads: o.downloads}
		if i == 0 {
			rc.Profile = o.profile
		}
		config, err := json.Marshal(rc)
		if err != nil {
			return c, err
		}
		m := &member{cmd: exec.CommandContext(ctx, self)}
		m.cmd.Env = append(os.Environ(), receiverEnv+"="+string(config))
		m.cmd.Stderr = os.Stderr
		m.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
		out, err := m.cmd.StdoutPipe()
		if err != nil {
			return c, err
		}
		if err := os.MkdirAll(filepath.Join(c.dir, strconv.Itoa(i)), 0o700); err != nil {
			return c, err
		}
		if err := m.cmd.Start(); err != nil {
			return c, err
		}
		c.members = append(c.members, m)
		m.out = bufio.NewReader(out)
		line, err := m.out.ReadString('\n')
		if err != nil {
			return c, fmt.Errorf("receiver %d did not start: %w", i, err)
		}
		m.address = strings.TrimSpace(line)
	}
	return c, nil
}

// host is where the nth request goes.
func (c *crew) host(n int) string {
	return strings.TrimPrefix(c.members[n%len(c.members)].address, "http://")
}

// got is what the receivers have seen, and what it took.
type got struct {
	tallies  []*tally
	cpu      time.Duration // of the receivers
	database time.Duration // of PostgreSQL, if it is on this machine
	memory   []int64       // the most that each process had, in bytes
	took     time.Duration // from the last body to the last callback
}

// finish waits until nothing is left to do, and ends the receivers.
func (c *crew) finish(ctx context.Context) (*got, error) {
	begun := time.Now()
	for {
		left, err := c.left(ctx)
		if err != nil {
			return nil, err
		}
		if left == 0 {
			break
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(100 * time.Millisecond):
		}
	}
	g := &got{took: time.Since(begun)}
	for _, m := range c.members {
		if err := m.cmd.Process.Signal(syscall.SIGTERM); err != nil {
			return nil, err
		}
		t := new(tally)
		err := json.NewDecoder(m.out).Decode(t)
		if err := errors.Join(err, m.cmd.Wait()); err != nil {
			return nil, err
		}
		g.tallies = append(g.tallies, t)
		st := m.cmd.ProcessState
		g.cpu += st.UserTime() + st.SystemTime()
		if u, ok := st.SysUsage().(*syscall.Rusage); ok {
			g.memory = append(g.memory, u.Maxrss<<10)
		}
	}
	const tick = 10 * time.Millisecond
	if c.shared {
		g.database = time.Duration(databaseTicks()-c.database) * tick
	}
	return g, nil
}

// left is how much the receivers have to do. They share what is in a database.
func (c *crew) left(ctx context.Context) (n int64, err error) {
	for _, m := range c.members {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, m.address+"/left", nil)
		if err != nil {
			return 0, err
		}
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			return 0, err
		}
		text, err := io.ReadAll(res.Body)
		res.Body.Close()
		if err != nil {
			return 0, err
		}
		one, err := strconv.ParseInt(strings.TrimSpace(string(text)), 10, 64)
		if err != nil {
			return 0, err
		}
		n += one
	}
	return n, nil
}

// watch asks how much is left every second, so that the receivers note how large
// their queue is.
func (c *crew) watch(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-time.After(time.Second):
			_, _ = c.left(ctx)
		}
	}
}

// kill ends what still runs, and removes what there is on disk.
func (c *crew) kill() {
	for _, m := range c.members {
		if m.cmd.ProcessState == nil {
			_ = m.cmd.Process.Kill()
			_ = m.cmd.Wait()
		}
	}
	if c.dir != "" {
		_ = os.RemoveAll(c.dir)
	}
}

// databaseTicks is the processor time of all processes named postgres, and of
// those that ended as their children.
func databaseTicks() (sum int64) {
	stats, _ := filepath.Glob("/proc/[0-9]*/stat")
	for _, name := range stats {
		data, err := os.ReadFile(name)
		if err != nil || !bytes.Contains(data, []byte("(postgres)")) {
			continue
		}
		fields := strings.Fields(string(data[bytes.LastIndexByte(data, ')')+1:]))
		for _, i := range []int{11, 12, 13, 14} { // utime, stime, cutime, cstime
			if i < len(fields) {
				n, _ := strconv.ParseInt(fields[i], 10, 64)
				sum += n
			}
		}
	}
	return sum
}
