//go:build unix

// Package pgtest gives a test a PostgreSQL server: the one that DATABASE_URL
// names, or a private one.
package pgtest

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/garminkit/activityapi/postgres/internal/cluster"
)

// server is started by the first test that asks.
var server struct {
	once sync.Once
	url  string
	why  string // it could not be started
	stop func()
}

// Main runs the tests of a package, and ends the private server after them.
func Main(m *testing.M, check func() int) {
	code := m.Run()
	if server.stop != nil {
		server.stop()
	}
	if code == 0 && check != nil {
		code = check()
	}
	os.Exit(code)
}

// URL is where the server is. Without one the test is skipped, or fails if
// CI=true.
func URL(t testing.TB) string {
	t.Helper()
	server.once.Do(start)
	if server.why != "" {
		if os.Getenv("CI") == "true" {
			t.Fatalf("there is no PostgreSQL: %s", server.why)
		}
		t.Skipf("left out: there is no PostgreSQL: %s", server.why)
	}
	return server.url
}

// schemas are how many there were.
var schemas atomic.Int64

// Schema names a schema that no other test has, and drops it in the end if the
// server stays.
func Schema(t testing.TB) string {
	t.Helper()
	url := URL(t)
	name := fmt.Sprintf("t%d_%d_%d", os.Getpid(), time.Now().Unix(), schemas.Add(1))
	if server.stop != nil {
		return name
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
		defer cancel()
		conn, err := pgx.Connect(ctx, url)
		if err != nil {
			t.Logf("dropping the schema: %v", err)
			return
		}
		defer func() { _ = conn.Close(ctx) }()
		if _, err := conn.Exec(ctx, `DROP SCHEMA IF EXISTS "`+name+`" CASCADE`); err != nil {
			t.Logf("dropping the schema: %v", err)
		}
	})
	return name
}

func start() {
	if server.url = os.Getenv("DATABASE_URL"); server.url != "" {
		return
	}
	if err := private(); err != nil {
		server.why = err.Error()
	}
}

// private starts a server of our own.
func private() error {
	dir, err := os.MkdirTemp("", "pgtest")
	if err != nil {
		return err
	}
	options := []string{"max_connections=500", "shared_buffers=256MB", "max_wal_size=4GB"}
	// Tests kill no machine; a benchmark has to wait for the disk.
	if f := flag.Lookup("test.bench"); f == nil || f.Value.String() == "" {
		options = append(options, "fsync=off")
	}
	s, err := cluster.New(dir, options...)
	if err == nil {
		err = s.Start()
	}
	if err != nil {
		_ = os.RemoveAll(dir)
		return err
	}
	server.url = s.URL()
	server.stop = func() {
		_ = s.Stop()
		_ = os.RemoveAll(dir)
	}
	return nil
}

// Tool runs a program of PostgreSQL, such as pg_dump. Without it the test is
// skipped, or fails if CI=true.
func Tool(t testing.TB, name string, args ...string) {
	t.Helper()
	found, _ := filepath.Glob("/usr/lib/postgresql/*/bin/" + name)
	if path, err := exec.LookPath(name); err == nil && len(found) == 0 {
		found = append(found, path)
	}
	if len(found) == 0 {
		if os.Getenv("CI") == "true" {
			t.Fatalf("there is no %s", name)
		}
		t.Skipf("left out: there is no %s", name)
	}
	if out, err := exec.CommandContext(t.Context(), found[len(found)-1], args...).CombinedOutput(); err != nil {
		t.Fatalf("%s: %v: %s", name, err, out)
	}
}
