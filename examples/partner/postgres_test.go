//go:build linux

package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"sync"
	"syscall"
	"testing"
	"time"
)

// server is a PostgreSQL of the tests' own, which begins when a test asks for it.
// DATABASE_URL names another.
type server struct {
	once    sync.Once
	address string // "" if this machine has none
	err     error
	end     func()
}

var postgres server

// postgresAddress returns the address of a PostgreSQL, or skips the test.
func postgresAddress(t *testing.T) string {
	t.Helper()
	if address := os.Getenv("DATABASE_URL"); address != "" {
		return address
	}
	postgres.once.Do(func() { postgres.err = postgres.start() })
	if postgres.err != nil {
		t.Fatal(postgres.err)
	}
	if postgres.address == "" {
		t.Skip("DATABASE_URL names no PostgreSQL, and this machine has none")
	}
	return postgres.address
}

func (s *server) start() error {
	found, _ := filepath.Glob("/usr/lib/postgresql/*/bin/initdb")
	if path, err := exec.LookPath("initdb"); err == nil {
		found = append(found, path)
	}
	if len(found) == 0 {
		return nil
	}
	bin := filepath.Dir(found[len(found)-1])
	dir, err := os.MkdirTemp("", "partner-postgres")
	if err != nil {
		return err
	}
	s.end = func() { os.RemoveAll(dir) }
	// It ends with this process, in whatever way.
	how := syscall.SysProcAttr{Pdeathsig: syscall.SIGQUIT}
	if os.Getuid() == 0 { // a server does not run as root
		if how.Credential, err = as("postgres", dir); err != nil {
			return err
		}
	}
	data := filepath.Join(dir, "data")
	initdb := exec.Command(filepath.Join(bin, "initdb"), "-D", data, "-U", "postgres", "-A", "trust", "--no-sync", "-E", "UTF8", "--locale=C")
	initdb.Dir, initdb.SysProcAttr = dir, &how
	if out, err := initdb.CombinedOutput(); err != nil {
		return fmt.Errorf("initdb: %w: %s", err, out)
	}
	run := exec.Command(filepath.Join(bin, "postgres"), "-D", data, "-k", dir, "-c", "listen_addresses=", "-c", "fsync=off")
	run.Dir, run.SysProcAttr = dir, &how
	if err := run.Start(); err != nil {
		return err
	}
	s.end = func() {
		_ = run.Process.Signal(syscall.SIGQUIT)
		_ = run.Wait()
		os.RemoveAll(dir)
	}
	// A server that has a socket may still be starting up, and refuse.
	address := "postgres://postgres@/postgres?host=" + dir
	for range 600 {
		var db *database
		if db, err = openDatabase(context.Background(), "", address); err == nil {
			s.address = address
			return db.Close()
		}
		time.Sleep(100 * time.Millisecond)
	}
	return fmt.Errorf("the server in %s does not answer: %w", dir, err)
}

// as gives a user a directory.
func as(name, dir string) (*syscall.Credential, error) {
	u, err := user.Lookup(name)
	if err != nil {
		return nil, err
	}
	uid, err := strconv.ParseUint(u.Uid, 10, 32)
	if err != nil {
		return nil, err
	}
	gid, err := strconv.ParseUint(u.Gid, 10, 32)
	if err != nil {
		return nil, err
	}
	return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}, os.Chown(dir, int(uid), int(gid))
}
