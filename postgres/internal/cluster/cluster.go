//go:build unix

// Package cluster starts private PostgreSQL servers from the machine's own
// binaries, and ends them in good order or not. Nobody reaches them but through
// a socket in their directory, and they end with the process that made them.
package cluster

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// ErrNone says that the machine has no PostgreSQL.
var ErrNone = errors.New("no initdb is in /usr/lib/postgresql or PATH")

// Server is a server of our own.
type Server struct {
	bin, dir, data string
	cred           *syscall.SysProcAttr
	options        []string
}

// New makes a server in dir, which must be empty and belongs to the server's
// user from then on. Options are as "fsync=off".
func New(dir string, options ...string) (*Server, error) {
	s, err := prepare(dir, options)
	if err != nil {
		return nil, err
	}
	return s, s.run("initdb", "-D", s.data, "-U", "postgres", "-A", "trust", "--no-sync", "-E", "UTF8", "--locale=C")
}

func prepare(dir string, options []string) (*Server, error) {
	found, _ := filepath.Glob("/usr/lib/postgresql/*/bin/initdb")
	if path, err := exec.LookPath("initdb"); err == nil {
		if path, err = filepath.EvalSymlinks(path); err == nil { // the others are beside it
			found = append(found, path)
		}
	}
	if len(found) == 0 {
		return nil, ErrNone
	}
	s := &Server{bin: filepath.Dir(found[len(found)-1]), dir: dir, data: filepath.Join(dir, "data"), options: options}
	if os.Getuid() == 0 { // a server does not run as root
		var err error
		if s.cred, err = As("postgres", dir); err != nil {
			return nil, err
		}
	}
	return s, Guard(s.cred, removal, dir, s.data, filepath.Join(s.bin, "pg_ctl"))
}

// As gives a user the directory, and what runs a program as that user.
func As(name, dir string) (*syscall.SysProcAttr, error) {
	u, err := user.Lookup(name)
	if err != nil {
		return nil, err
	}
	uid, err := strconv.Atoi(u.Uid)
	if err != nil {
		return nil, err
	}
	gid, err := strconv.Atoi(u.Gid)
	if err != nil {
		return nil, err
	}
	if err := os.Chown(dir, uid, gid); err != nil {
		return nil, err
	}
	return &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}}, nil
}

func (s *Server) run(name string, args ...string) error {
	cmd := exec.Command(filepath.Join(s.bin, name), args...)
	cmd.Dir, cmd.SysProcAttr = s.dir, s.cred
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w: %s", name, err, out)
	}
	return nil
}

// URL is how to connect to the server.
func (s *Server) URL() string { return "host=" + s.dir + " user=postgres dbname=postgres" }

// Socket is where it listens.
func (s *Server) Socket() string { return filepath.Join(s.dir, ".s.PGSQL.5432") }

// Start starts the server, also after it was killed.
func (s *Server) Start() error {
	all := []string{"-k " + s.dir, "-c listen_addresses=", "-c port=5432"}
	for _, o := range s.options {
		all = append(all, "-c "+o)
	}
	var err error
	for range 100 { // what a killed server has left ends by itself
		s.unlock()
		err = s.run("pg_ctl", "-D", s.data, "-w", "-l", filepath.Join(s.dir, "log"), "-o", strings.Join(all, " "), "start")
		if ready := s.run("pg_isready", "-q", "-h", s.dir); ready == nil {
			return nil // also if it ran already
		}
		time.Sleep(100 * time.Millisecond)
	}
	return fmt.Errorf("starting a server: %w", err)
}

// unlock removes the lock of a server that is dead, and of which nothing runs.
// PostgreSQL takes one for alive whose parent has not noticed.
func (s *Server) unlock() {
	pid, err := s.pid()
	if err != nil {
		return
	}
	stat, _ := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if _, rest, ok := bytes.Cut(stat, []byte(") ")); !ok || !bytes.HasPrefix(rest, []byte("Z")) {
		return
	}
	all, _ := filepath.Glob("/proc/[0-9]*/cwd")
	for _, link := range all {
		if dir, err := os.Readlink(link); err == nil && dir == s.data {
			return
		}
	}
	_ = os.Remove(filepath.Join(s.data, "postmaster.pid"))
}

// Kill ends the server as a crash does.
func (s *Server) Kill() error {
	pid, err := s.pid()
	if err != nil {
		return err
	}
	return syscall.Kill(pid, syscall.SIGKILL)
}

func (s *Server) pid() (int, error) {
	text, err := os.ReadFile(filepath.Join(s.data, "postmaster.pid"))
	if err != nil {
		return 0, err
	}
	line, _, _ := bytes.Cut(text, []byte("\n"))
	return strconv.Atoi(string(line))
}

// Stop ends the server.
func (s *Server) Stop() error { return s.run("pg_ctl", "-D", s.data, "-m", "immediate", "stop") }

// Standby makes a server in dir that follows s, which runs.
func (s *Server) Standby(dir string) (*Server, error) {
	b, err := prepare(dir, s.options)
	if err != nil {
		return nil, err
	}
	return b, b.run("pg_basebackup", "-h", s.dir, "-U", "postgres", "-D", b.data, "-R", "-X", "stream", "-c", "fast", "--no-sync")
}

// Promote makes a standby the primary.
func (s *Server) Promote() error { return s.run("pg_ctl", "-D", s.data, "-w", "promote") }

// Receiver is the process of a standby that takes what the primary sends.
func (s *Server) Receiver() (int, error) {
	parent, err := s.pid()
	if err != nil {
		return 0, err
	}
	all, _ := filepath.Glob("/proc/[0-9]*/cmdline")
	for _, file := range all {
		text, _ := os.ReadFile(file)
		if !bytes.Contains(text, []byte("walreceiver")) {
			continue
		}
		stat, _ := os.ReadFile(filepath.Join(filepath.Dir(file), "stat"))
		_, rest, _ := bytes.Cut(stat, []byte(") "))
		if f := bytes.Fields(rest); len(f) > 1 && string(f[1]) == strconv.Itoa(parent) {
			return strconv.Atoi(filepath.Base(filepath.Dir(file)))
		}
	}
	return 0, errors.New("the standby has no receiver")
}
