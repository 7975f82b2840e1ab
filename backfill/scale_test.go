package backfill_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/garminkit/activityapi/backfill"
	"github.com/garminkit/activityapi/types"
)

// heap is the memory in use, in megabytes.
func heap() float64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return float64(m.HeapAlloc) / 1e6
}

// fill saves n chunks, a user's in one save.
func fill(t testing.TB, l backfill.Ledger, n, perUser int) {
	for u := range n / perUser {
		chunks := make([]*backfill.Chunk, perUser)
		for i := range chunks {
			chunks[i] = &backfill.Chunk{
				UserID: types.UserID(fmt.Sprintf("%032x", u)), Kind: types.KindActivities, Window: window(i*25, i*25+25),
				State: backfill.StateAccepted, Attempts: 1, Requested: day0, Answered: day0.Add(time.Second),
			}
		}
		require.NoError(t, save(l, chunks...))
	}
}

func writeSynced(t *testing.T, path string, data []byte) {
	f, err := os.Create(path)
	require.NoError(t, err)
	_, err = f.Write(data)
	require.NoError(t, err)
	require.NoError(t, f.Sync())
	require.NoError(t, f.Close())
}

// A ledger of a million chunks, of a million users or fewer, opens within two
// seconds and keeps within 500 MB.
func TestMillionChunks(t *testing.T) {
	n := 20_000
	if *long {
		n = 1_000_000
	}
	for _, perUser := range []int{1, 10} {
		t.Run(fmt.Sprint(perUser, " a user"), func(t *testing.T) {
			dir := t.TempDir()
			log := backfill.LogOf(func(l backfill.Ledger) { fill(t, l, n, perUser) })
			writeSynced(t, filepath.Join(dir, "ledger.log"), log)
			size := float64(len(log)) / 1e6
			before := heap()
			start := time.Now()
			l, err := backfill.OpenLedger(dir, nil)
			took := time.Since(start)
			require.NoError(t, err)
			used := heap() - before
			t.Logf("%d chunks, log of %.1f MB: open in %s, %.0f MB of memory", n, size, took.Round(time.Millisecond), used)
			require.Less(t, used, 500.0)
			count := 0
			for _, err := range l.Users(t.Context()) {
				require.NoError(t, err)
				count++
			}
			require.Equal(t, n/perUser, count)
			require.NoError(t, l.Close())
		})
	}
}

// RunAll keeps nothing of a user who is done: a million users need no more
// memory than a thousand. The ledger here forgets, so that only RunAll counts.
func TestMillionUsersStream(t *testing.T) {
	n := 20_000
	if *long {
		n = 1_000_000
	}
	accept := requester(func(context.Context, types.Kind, types.Window) error { return nil })
	most, seen := 0.0, 0
	before := heap()
	seq := func(yield func(*backfill.User, error) bool) {
		for i := range n {
			if i%(n/10) == n/20 {
				most = max(most, heap()-before)
			}
			u := &backfill.User{ID: types.UserID(fmt.Sprint(i)), Requester: accept, Window: window(0, 30)}
			if !yield(u, nil) {
				return
			}
		}
	}
	for p, err := range backfill.NewRunner(unlimited{}, forgetful{backfill.NewLedger()}, nil).RunAll(t.Context(), seq) {
		require.NoError(t, err)
		require.Equal(t, backfill.StateAccepted, p.Chunk.State)
		seen++
	}
	require.Equal(t, 3*n, seen)
	t.Logf("%d users, %d requests: at most %.1f MB", n, seen, most)
	require.Less(t, most, 20.0)
}

// unlimited lets everything through.
type unlimited struct{}

func (unlimited) Acquire(context.Context, types.UserID, int) (backfill.Grant, error) {
	return free{}, nil
}
func (unlimited) DaysPerMinute() int { return backfill.Production }

type free struct{}

func (free) SendBy() time.Time                           { return time.Time{} }
func (free) EndBy() time.Time                            { return time.Time{} }
func (free) End(context.Context, backfill.Outcome) error { return nil }

// forgetful stores nothing.
type forgetful struct{ backfill.Ledger }

func (f forgetful) Claim(ctx context.Context, user types.UserID) (backfill.Claim, error) {
	c, err := f.Ledger.Claim(ctx, user)
	return saving(c, func(func(context.Context, ...*backfill.Chunk) error, context.Context, []*backfill.Chunk) error {
		return nil
	}), err
}

func BenchmarkOpenLedger(b *testing.B) {
	dir := b.TempDir()
	const n = 100_000
	log := backfill.LogOf(func(l backfill.Ledger) { fill(b, l, n, 1) })
	require.NoError(b, os.WriteFile(filepath.Join(dir, "ledger.log"), log, 0o600))
	b.SetBytes(int64(len(log)))
	b.ReportAllocs()
	for b.Loop() {
		l, err := backfill.OpenLedger(dir, nil)
		require.NoError(b, err)
		require.NoError(b, l.Close())
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/n, "ns/chunk")
}

// BenchmarkSave measures saves that are synced to disk, by one goroutine and
// by many, who share syncs.
func BenchmarkSave(b *testing.B) {
	for _, procs := range []int{1, 64} {
		b.Run(fmt.Sprint(procs), func(b *testing.B) {
			c, err := openLedger(b, b.TempDir()).Claim(b.Context(), "u")
			require.NoError(b, err)
			b.SetParallelism((procs + runtime.GOMAXPROCS(0) - 1) / runtime.GOMAXPROCS(0))
			if procs == 1 {
				for b.Loop() {
					require.NoError(b, c.Save(b.Context(), planned("u", 0, 25)))
				}
				return
			}
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					require.NoError(b, c.Save(b.Context(), planned("u", 0, 25)))
				}
			})
		})
	}
}

// BenchmarkAcquire shows that a grant costs O(log n) for n held.
func BenchmarkAcquire(b *testing.B) {
	for _, held := range []int{100, 10_000, 1_000_000} {
		b.Run(fmt.Sprint(held), func(b *testing.B) {
			l := backfill.NewLimiter(held+1, nil)
			for range held {
				g, err := l.Acquire(b.Context(), "u", 1)
				require.NoError(b, err)
				require.NoError(b, g.End(b.Context(), backfill.Outcome{Answered: true}))
			}
			for b.Loop() {
				g, err := l.Acquire(b.Context(), "u", 1)
				if err != nil {
					b.Fatal(err)
				}
				if err := g.End(b.Context(), backfill.Outcome{NotSent: true}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
