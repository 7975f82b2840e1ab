//go:build linux

package chaos

import (
	"errors"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/garminkit/activityapi/postgres/internal/cluster"
)

func TestMain(m *testing.M) {
	if IsWorker() {
		return
	}
	os.Exit(m.Run())
}

// TestChaos is the short form of cmd/chaos.
func TestChaos(t *testing.T) {
	only := []string{"roll", "kill", "stop", "server", "cut", "breaks", "waits"}
	if testing.Short() {
		only = []string{"kill", "server"}
	}
	short(t, only...)
}

// TestFailover has a standby take over. A synchronous one loses nothing. One that
// is behind has to lose something, or the checker proves nothing.
func TestFailover(t *testing.T) {
	if testing.Short() {
		t.Skip("left out: servers and standbys take a while; postgres.TestFailover is shorter")
	}
	short(t, "sync", "async")
}

// short runs some kinds of trouble for a moment.
func short(t *testing.T, only ...string) {
	dir, err := os.MkdirTemp("", "chaos") //nolint:usetesting // sockets need a short path, and another user reads it
	require.NoError(t, err)
	defer os.RemoveAll(dir)
	require.NoError(t, os.Chmod(dir, 0o755))
	self, err := os.Executable()
	require.NoError(t, err)
	results, err := Run(t.Context(), Options{
		Dir: dir, For: 3 * time.Second, Rate: 150, Users: 96, Workers: 3, Lease: 2 * time.Second, Seed: 1, Log: t.Output(), Self: self,
	}, only...)
	if errors.Is(err, cluster.ErrNone) && os.Getenv("CI") != "true" {
		t.Skipf("left out: %v", err)
	}
	t.Logf("\n%s", Table(results))
	require.NoError(t, err)
	for _, r := range results {
		require.True(t, r.Good(), r.Trouble)
	}
}

// TestCheckerCatches holds that each count of the table counts.
func TestCheckerCatches(t *testing.T) {
	at := func(ms int) time.Time { return time.UnixMilli(int64(ms)) }
	spans := []*span{
		{item{"u", 1}, "a", at(0), at(10), true},
		{item{"u", 3}, "b", at(5), at(20), true}, // beside the first
		{item{"v", 1}, "a", at(0), at(30), true},
		{item{"v", 3}, "c", at(10), at(20), true}, // beside one that was stopped
		{item{"w", 1}, "a", at(0), at(10), true},
		{item{"w", 3}, "b", at(10), at(20), true},
	}
	p := &phase{paused: []window{{"a", at(12), at(28)}}}
	bad, stopped := p.together(spans)
	require.Equal(t, 1, bad)
	require.Equal(t, 1, stopped)
	p.killed = map[string]time.Time{"a": at(20)}
	require.False(t, p.twice([]ask{{"a", at(0)}}))
	require.True(t, p.twice([]ask{{"a", at(0)}, {"b", at(10)}}), "it was alive")
	require.False(t, p.twice([]ask{{"a", at(0)}, {"b", at(30)}}), "it was killed in between")
	require.True(t, p.twice([]ask{{"a", at(0)}, {"b", at(30)}, {"c", at(40)}}))
	good := Result{Acked: 1, Faults: 1}
	require.True(t, good.Good())
	for _, r := range []Result{{Faults: 1}, {Acked: 1}, {Faults: 1, Acked: 1, Lost: 1}, {Faults: 1, Acked: 1, Disorder: 1}, {Faults: 1, Acked: 1, Together: 1}, {Faults: 1, Acked: 1, Twice: 1}, {Faults: 1, Acked: 1, MustLose: true}} {
		require.False(t, r.Good(), r)
	}
}
