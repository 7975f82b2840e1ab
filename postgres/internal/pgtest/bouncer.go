//go:build unix

package pgtest

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/garminkit/activityapi/postgres/internal/cluster"
)

// Bouncer starts a PgBouncer in transaction mode before the server, and returns
// where it is. Without one the test is skipped, or fails if CI=true.
func Bouncer(t testing.TB) string {
	t.Helper()
	url := URL(t)
	program, err := exec.LookPath("pgbouncer")
	if err != nil {
		program = "/usr/sbin/pgbouncer"
	}
	if _, err := os.Stat(program); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal("there is no pgbouncer")
		}
		t.Skip("left out: there is no pgbouncer")
	}
	server, err := pgconn.ParseConfig(url)
	if err != nil {
		t.Fatal(err)
	}
	dir, err := os.MkdirTemp("", "bouncer") //nolint:usetesting // t.TempDir is too long for a socket
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	var cred *syscall.SysProcAttr
	if os.Getuid() == 0 { // it does not run as root
		if cred, err = cluster.As("postgres", dir); err != nil {
			t.Skipf("left out: %v", err)
		}
	}
	password := ""
	if server.Password != "" {
		password = " password='" + strings.ReplaceAll(server.Password, "'", "''") + "'"
	}
	config := fmt.Sprintf(`[databases]
* = host=%s port=%d user=%s%s
[pgbouncer]
unix_socket_dir = %s
listen_port = 6432
auth_type = any
pool_mode = transaction
default_pool_size = 10
max_client_conn = 500
logfile = %[5]s/log
`, server.Host, server.Port, server.User, password, dir)
	file := filepath.Join(dir, "bouncer.ini")
	if err := os.WriteFile(file, []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	if cred != nil {
		if err := os.Chown(file, int(cred.Credential.Uid), int(cred.Credential.Gid)); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.CommandContext(context.Background(), program, file)
	cmd.Dir, cmd.SysProcAttr = dir, cred
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		log, err := os.ReadFile(filepath.Join(dir, "log"))
		if err != nil {
			t.Error(err)
		}
		// "Not linked" is a notice for a session that nobody has.
		for line := range strings.Lines(string(log)) {
			if strings.Contains(line, "FATAL") || strings.Contains(line, "not linked") {
				t.Errorf("pgbouncer: %s", line)
				break
			}
		}
	})
	// It has gone by then, unless this process was killed before the cleanup.
	if err := cluster.Guard(cred, `grep -qs pgbouncer "/proc/$1/cmdline" && kill -9 "$1"; rm -rf "$2"`, strconv.Itoa(cmd.Process.Pid), dir); err != nil {
		t.Fatal(err)
	}
	behind := fmt.Sprintf("host=%s port=6432 user=%s dbname=%s", dir, server.User, server.Database)
	for end := time.Now().Add(30 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		conn, err := pgx.Connect(t.Context(), behind)
		if err == nil {
			_ = conn.Close(t.Context())
			return behind
		}
		if time.Now().After(end) {
			log, _ := os.ReadFile(filepath.Join(dir, "log"))
			t.Fatalf("pgbouncer: %v\n%s", err, log)
		}
	}
}
