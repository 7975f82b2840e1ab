//go:build unix

package postgres

import (
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
			l, err := db.Limiter(t.Context(), "key", backfilltest.Budget)
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
