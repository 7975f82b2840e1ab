//go:build unix

package postgres

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/garminkit/activityapi/backfill"
	"github.com/garminkit/activityapi/backfill/backfilltest"
	"github.com/garminkit/activityapi/postgres/internal/pgtest"
)

// limiterHandle is a process of the suite.
type limiterHandle struct {
	backfill.Limiter
	db    *DB
	state *state
}

func TestLimiter(t *testing.T) {
	t.Parallel()
	pgtest.URL(t)
	w := &world{}
	backfilltest.RunLimiter(t, backfilltest.Harness[backfill.Limiter]{
		Open: func(t *testing.T, dir string) backfill.Limiter {
			s := w.of(t, dir)
			db := s.open(t)
			l, err := db.Limiter(t.Context(), "key", backfill.Evaluation)
			require.NoError(t, err)
			return limiterHandle{l, db, s}
		},
		Kill: func(_ *testing.T, l backfill.Limiter) { l.(limiterHandle).state.kill(l.(limiterHandle).db) },
		Advance: func(t *testing.T, d time.Duration) {
			for _, s := range w.all(t) {
				s.advance(t, d)
			}
		},
		Shared: true,
	})
}

// TestLimiterFree: what any process holds counts, and nothing is free after a 429.
func TestLimiterFree(t *testing.T) {
	t.Parallel()
	pgtest.URL(t)
	s := (&world{}).of(t, "free")
	var all []backfill.Limiter
	for range 2 {
		l, err := s.open(t).Limiter(t.Context(), "key", 100)
		require.NoError(t, err)
		all = append(all, l)
	}
	free := func(i int) int {
		n, err := all[i].(interface {
			Free(ctx context.Context) (int, error)
		}).Free(t.Context())
		require.NoError(t, err)
		return n
	}
	require.Equal(t, 100, free(0))
	g, err := all[0].Acquire(t.Context(), "u", 30)
	require.NoError(t, err)
	require.Equal(t, 70, free(0))
	require.Equal(t, 70, free(1))
	require.NoError(t, g.End(t.Context(), backfill.Outcome{Answered: true}))
	require.Equal(t, 70, free(1))
	s.advance(t, 61*time.Second)
	require.Equal(t, 100, free(1))
	g, err = all[1].Acquire(t.Context(), "u", 30)
	require.NoError(t, err)
	require.NoError(t, g.End(t.Context(), backfill.Outcome{Limited: true}))
	require.Zero(t, free(0))
}
