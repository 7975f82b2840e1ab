//go:build unix

package postgres

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"

	"github.com/garminkit/activityapi/activity/auth"
	"github.com/garminkit/activityapi/activity/auth/authtest"
	"github.com/garminkit/activityapi/backfill"
	"github.com/garminkit/activityapi/notify"
	"github.com/garminkit/activityapi/notify/notifytest"
	"github.com/garminkit/activityapi/postgres/internal/pgtest"
	"github.com/garminkit/activityapi/types"
)

// TestBouncer holds that all works behind PgBouncer in transaction mode, in the
// modes of pgx that prepare nothing under a name. What is told by NOTIFY is not
// heard, and found by polls.
func TestBouncer(t *testing.T) {
	t.Parallel()
	behind, err := pgxpool.ParseConfig(pgtest.Bouncer(t))
	require.NoError(t, err)
	for name, mode := range map[string]pgx.QueryExecMode{"exec": pgx.QueryExecModeExec, "cache_describe": pgx.QueryExecModeCacheDescribe} {
		with := func(cfg *pgxpool.Config) {
			cfg.ConnConfig = behind.ConnConfig.Copy()
			cfg.ConnConfig.DefaultQueryExecMode = mode
		}
		if name != "exec" && testing.Short() {
			continue
		}
		t.Run(name, func(t *testing.T) {
			t.Run("tokens", func(t *testing.T) {
				at := &schemas{}
				authtest.Run(t, authtest.Harness{
					Open: func(t *testing.T, state string) auth.TokenStore {
						h := open(t, at.of(t, state), with)
						t.Cleanup(func() { _ = h.Close() })
						return tokenHandle{h.db.Tokens(), h}
					},
					Kill: func(*testing.T, auth.TokenStore) {}, Shared: true,
				})
			})
			t.Run("all", func(t *testing.T) { behindBouncer(t, with) })
			if !testing.Short() {
				t.Run("queue", func(t *testing.T) {
					at := &schemas{}
					notifytest.Run(t, notifytest.Harness{
						Open:   func(t *testing.T, dir string) notify.Queue { return open(t, at.of(t, dir), with) },
						Shared: true, Lease: testLease, Parallel: true,
						InMemory: true, // TestLargeBodyMemory measures it alone
					})
				})
			}
		})
	}
}

// behindBouncer uses each part once, from two processes.
func behindBouncer(t *testing.T, with func(*pgxpool.Config)) {
	ctx, schema := t.Context(), pgtest.Schema(t)
	a, b := open(t, schema, with), open(t, schema, with)
	defer func() { require.NoError(t, a.Close()); require.NoError(t, b.Close()) }()

	first, err := a.db.Once(ctx, "id", time.Now().Add(time.Hour))
	require.NoError(t, err)
	require.True(t, first)
	first, err = b.db.Once(ctx, "id", time.Now().Add(time.Hour))
	require.NoError(t, err)
	require.False(t, first)
	require.NoError(t, a.db.sweepConsents(ctx))

	c, err := a.db.Ledger().Claim(ctx, "u")
	require.NoError(t, err)
	_, err = b.db.Ledger().Claim(ctx, "u")
	require.ErrorIs(t, err, backfill.ErrBusy)
	day := func(n int) *backfill.Chunk {
		at := time.Date(2026, 1, n, 0, 0, 0, 0, time.UTC)
		return &backfill.Chunk{UserID: "u", Kind: types.KindActivities, State: backfill.StateAccepted, Requested: at, Attempts: 1, Detail: "\x00\xff",
			Window: types.Window{Start: at, End: at.AddDate(0, 0, 1)}}
	}
	require.NoError(t, c.Save(ctx, day(1), day(2)))
	require.NoError(t, b.db.Ledger().Arrived(ctx, "u", types.KindActivities, day(2).Window.Start))
	n := 0
	for got, err := range b.db.Ledger().Chunks(ctx, "u") {
		require.NoError(t, err)
		require.Equal(t, "\x00\xff", got.Detail)
		require.Equal(t, n, got.Arrived)
		n++
	}
	require.Equal(t, 2, n)
	require.NoError(t, a.db.holder.beat(ctx))
	c.Release()
	require.NoError(t, b.db.Ledger().Forget(ctx, "u"))

	l, err := a.db.Limiter(ctx, "key", 10)
	require.NoError(t, err)
	m, err := b.db.Limiter(ctx, "key", 10)
	require.NoError(t, err)
	g, err := l.Acquire(ctx, "u", 10)
	require.NoError(t, err)
	got := make(chan error, 1)
	go func() {
		g, err := m.Acquire(ctx, "v", 10)
		if err == nil {
			err = g.End(ctx, backfill.Outcome{Answered: true})
		}
		got <- err
	}()
	time.Sleep(50 * time.Millisecond) // it waits, most likely
	require.NoError(t, g.End(ctx, backfill.Outcome{NotSent: true}))
	require.NoError(t, <-got)

	for i, size := range []int{1, 2 * small} {
		require.NoError(t, a.Put(ctx, strings.NewReader(fmt.Sprintf(`{"activities":[{"userId":"u","summaryId":"%d","pad":%q}]}`, i, strings.Repeat("x", size)))))
	}
	_, taken, err := a.db.Claims().Begin(ctx, "file", time.Minute)
	require.NoError(t, err)
	require.True(t, taken)
	require.NoError(t, a.db.Claims().Settle(ctx, "file", notify.Claim{State: notify.ClaimDone}))
	require.NoError(t, a.sweep(ctx))
	require.Equal(t, 2, drained(t, b.Queue, 2))
}

// drained works on a queue until so many items are done. A share that is lost, on a
// machine that is busy, comes again.
func drained(t *testing.T, q notify.Queue, want int) int {
	ctx, cancel := context.WithTimeout(t.Context(), 60*time.Second)
	defer cancel()
	done := 0
	for s, err := range q.Shares(ctx) {
		require.NoError(t, err)
		for class := range notify.Classes {
			items, err := s.Scan(ctx, notify.Class(class), 0, 100)
			for _, item := range items[:min(len(items), want-done)] {
				if err = s.Settle(ctx, []notify.Verdict{{ID: item.ID, Fate: notify.Done}}); err != nil {
					break
				}
				done++
			}
			if errors.Is(err, notify.ErrLost) {
				break
			}
			require.NoError(t, err)
		}
		s.Release()
		if done >= want {
			break
		}
	}
	return done
}
