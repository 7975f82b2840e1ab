//go:build unix

package postgres

import (
	"context"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"

	"github.com/garminkit/activityapi/postgres/internal/pgtest"
)

// TestListensAsThePoolConnects holds that notices come over a connection that is made
// as those of the pool are: a password may be made anew for each.
func TestListensAsThePoolConnects(t *testing.T) {
	t.Parallel()
	ctx, schema := t.Context(), pgtest.Schema(t)
	h := steady(t, schema, func(cfg *pgxpool.Config) {
		user := cfg.ConnConfig.User
		cfg.ConnConfig.User = "nobody who is known"
		cfg.BeforeConnect = func(_ context.Context, c *pgx.ConnConfig) error {
			c.User = user
			return nil
		}
	})
	defer func() { require.NoError(t, h.Close()) }()
	taken(t, h)
	require.Eventually(t, func() bool {
		var n int
		require.NoError(t, h.pool.QueryRow(ctx, `SELECT count(*) FROM pg_stat_activity WHERE application_name = $1 AND query LIKE 'LISTEN%'`, schema).Scan(&n))
		return n == 1
	}, time.Minute, 10*time.Millisecond)
}
