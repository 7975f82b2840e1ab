//go:build linux

package postgres

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"

	"github.com/garminkit/activityapi/postgres/internal/cluster"
)

// TestFailover has a standby take over. What was acknowledged while it was
// synchronous is there. What was acknowledged while it was not, and was behind, is
// lost: it is the proof that the first holds for a reason.
func TestFailover(t *testing.T) {
	t.Parallel()
	if os.Getenv("DATABASE_URL") != "" {
		t.Skip("left out: it needs servers of its own")
	}
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	dir, err := os.MkdirTemp("", "failover") //nolint:usetesting // sockets need a short path
	require.NoError(t, err)
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	require.NoError(t, os.Chmod(dir, 0o755))
	place := func(name string) string {
		require.NoError(t, os.Mkdir(filepath.Join(dir, name), 0o755))
		return filepath.Join(dir, name)
	}
	primary, err := cluster.New(place("a"), "fsync=off", "max_connections=50", "shared_buffers=16MB")
	if errors.Is(err, cluster.ErrNone) && os.Getenv("CI") != "true" {
		t.Skipf("left out: %v", err)
	}
	require.NoError(t, err)
	require.NoError(t, primary.Start())
	defer func() { _ = primary.Stop() }()
	standby, err := primary.Standby(place("b"))
	require.NoError(t, err)
	require.NoError(t, standby.Start())
	defer func() { _ = standby.Stop() }()

	pool, err := pgxpool.New(ctx, primary.URL())
	require.NoError(t, err)
	defer pool.Close()
	require.NoError(t, Migrate(ctx, pool, ""))
	// becomes sets a parameter, and waits until the server says what comes of it.
	becomes := func(setting, value, want string) {
		t.Helper()
		_, err := pool.Exec(ctx, fmt.Sprintf("ALTER SYSTEM SET %s = '%s'", setting, value))
		require.NoError(t, err)
		_, err = pool.Exec(ctx, `SELECT pg_reload_conf()`)
		require.NoError(t, err)
		require.Eventually(t, func() bool {
			var state string
			err := pool.QueryRow(ctx, `SELECT coalesce(min(sync_state), '') || ' ' || current_setting('synchronous_commit') FROM pg_stat_replication WHERE state = 'streaming'`).Scan(&state)
			return err == nil && state == want
		}, time.Minute, 10*time.Millisecond)
	}
	becomes("synchronous_commit", "remote_apply", "async remote_apply")
	becomes("synchronous_standby_names", "*", "sync remote_apply")
	db, err := Open(ctx, pool, nil)
	require.NoError(t, err)
	defer func() { _ = db.Close() }()
	put := func(name string) error {
		return db.Queue().Put(ctx, strings.NewReader(fmt.Sprintf(`{"activities":[{"userId":"u","summaryId":%q}]}`, name)))
	}
	deaf := func() int {
		t.Helper()
		pid, err := standby.Receiver()
		require.NoError(t, err)
		require.NoError(t, syscall.Kill(pid, syscall.SIGSTOP))
		return pid
	}
	require.NoError(t, put("kept 1"))

	// While the standby hears nothing, nothing is acknowledged.
	pid := deaf()
	acked := make(chan error, 1)
	go func() { acked <- put("kept 2") }()
	require.Eventually(t, func() bool {
		var n int
		err := pool.QueryRow(ctx, `SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'SyncRep'`).Scan(&n)
		return err == nil && n > 0
	}, time.Minute, 10*time.Millisecond)
	select {
	case err := <-acked:
		t.Errorf("it was answered while the standby did not have it: %v", err)
	default:
	}
	require.NoError(t, syscall.Kill(pid, syscall.SIGCONT))
	require.NoError(t, <-acked)

	// An asynchronous one is not waited for.
	becomes("synchronous_standby_names", "", "async remote_apply")
	pid = deaf()
	require.NoError(t, put("lost"))
	require.NoError(t, primary.Kill())
	require.NoError(t, syscall.Kill(pid, syscall.SIGTERM)) // it does not read what stands in its socket
	require.NoError(t, syscall.Kill(pid, syscall.SIGCONT))
	require.NoError(t, standby.Promote())

	next, err := pgxpool.New(ctx, standby.URL())
	require.NoError(t, err)
	defer next.Close()
	var have string
	require.NoError(t, next.QueryRow(ctx, named(DefaultSchema, `SELECT string_agg(substring(convert_from(data, 'UTF8') FROM '(kept .|lost)'), ', ' ORDER BY id) FROM {s}.item`)).Scan(&have))
	require.Equal(t, "kept 1, kept 2", have)
	other, err := Open(ctx, next, nil)
	require.NoError(t, err)
	require.NoError(t, other.Queue().Put(ctx, strings.NewReader(`{"activities":[{"userId":"u","summaryId":"later"}]}`)))
	require.NoError(t, other.Close())
}
