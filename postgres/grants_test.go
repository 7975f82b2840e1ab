//go:build unix

package postgres

import (
	"context"
	"fmt"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"

	"github.com/garminkit/activityapi/activity/auth"
	"github.com/garminkit/activityapi/activity/auth/authtest"
	"github.com/garminkit/activityapi/backfill"
	"github.com/garminkit/activityapi/backfill/backfilltest"
	"github.com/garminkit/activityapi/notify"
	"github.com/garminkit/activityapi/notify/notifytest"
	"github.com/garminkit/activityapi/postgres/internal/pgtest"
	"github.com/garminkit/activityapi/types"
)

// newRole makes a role for a test. It has nothing, and nobody may log in as it.
func newRole(t *testing.T) (string, func(*pgxpool.Config)) {
	role := fmt.Sprintf(`Role "%d" %d`, os.Getpid(), time.Now().UnixNano())
	pool := newPool(t, pgtest.URL(t))
	_, err := pool.Exec(t.Context(), `CREATE ROLE `+pgx.Identifier{role}.Sanitize())
	require.NoError(t, err)
	t.Cleanup(func() {
		ctx := context.WithoutCancel(t.Context())
		pool := newPool(t, pgtest.URL(t))
		_, err := pool.Exec(ctx, `DROP OWNED BY `+pgx.Identifier{role}.Sanitize()+`; DROP ROLE `+pgx.Identifier{role}.Sanitize(), pgx.QueryExecModeSimpleProtocol)
		require.NoError(t, err)
	})
	return role, func(cfg *pgxpool.Config) {
		cfg.AfterConnect = func(ctx context.Context, c *pgx.Conn) error {
			_, err := c.Exec(ctx, `SET ROLE `+pgx.Identifier{role}.Sanitize())
			return err
		}
	}
}

// granted makes the tables, and gives a role a part of them.
func granted(t *testing.T, schema, role string, parts ...Part) {
	pool := newPool(t, pgtest.URL(t))
	require.NoError(t, Migrate(t.Context(), pool, schema))
	sql, err := Grants(schema, role, parts...)
	require.NoError(t, err)
	_, err = pool.Exec(t.Context(), sql, pgx.QueryExecModeSimpleProtocol)
	require.NoError(t, err)
}

// TestGrantsAreEnough runs the suites as roles that have their part alone.
func TestGrantsAreEnough(t *testing.T) {
	t.Parallel()
	pgtest.URL(t)
	t.Run("tokens", func(t *testing.T) {
		role, as := newRole(t)
		at := &schemas{}
		authtest.Run(t, authtest.Harness{
			Open: func(t *testing.T, state string) auth.TokenStore {
				schema := at.of(t, state)
				granted(t, schema, role, PartTokens)
				h := open(t, schema, as)
				t.Cleanup(func() { _ = h.Close() })
				first, err := h.db.Once(t.Context(), fmt.Sprint(time.Now().UnixNano()), time.Now())
				require.NoError(t, err)
				require.True(t, first)
				require.NoError(t, h.db.sweepConsents(t.Context()))
				return tokenHandle{h.db.Tokens(), h}
			},
			Kill:   func(*testing.T, auth.TokenStore) {},
			Shared: true,
		})
	})
	t.Run("history", func(t *testing.T) {
		role, as := newRole(t)
		w := &world{with: []func(*pgxpool.Config){as}, made: func(t *testing.T, schema string) {
			granted(t, schema, role, PartHistory)
			_, err := newPool(t, pgtest.URL(t)).Exec(t.Context(), named(schema, `GRANT SELECT ON {s}.ahead TO PUBLIC`)) // the test's clock
			require.NoError(t, err)
		}}
		if testing.Short() {
			s := w.of(t, t.TempDir())
			db := s.open(t)
			l := db.Ledger()
			c, err := l.Claim(t.Context(), "u")
			require.NoError(t, err)
			require.NoError(t, c.Save(t.Context(), &backfill.Chunk{UserID: "u", Kind: types.KindActivities, State: backfill.StateAccepted, Requested: time.Now(),
				Window: types.Window{Start: time.Unix(1, 0), End: time.Unix(9, 0)}}))
			require.NoError(t, l.Arrived(t.Context(), "u", types.KindActivities, time.Unix(2, 0)))
			for _, err := range l.Chunks(t.Context(), "u") {
				require.NoError(t, err)
			}
			require.NoError(t, l.Forget(t.Context(), "u"))
			require.NoError(t, db.holder.beat(t.Context()))
			require.NoError(t, db.sweepHolders(t.Context()))
			b, err := db.Limiter(t.Context(), "key", 10)
			require.NoError(t, err)
			for _, outcome := range []backfill.Outcome{{NotSent: true}, {Answered: true}, {Limited: true}} {
				g, err := b.Acquire(t.Context(), "u", 5)
				require.NoError(t, err)
				require.NoError(t, g.End(t.Context(), outcome))
			}
			return
		}
		advance := func(t *testing.T, d time.Duration) {
			for _, s := range w.all(t) {
				s.advance(t, d)
			}
		}
		t.Run("ledger", func(t *testing.T) {
			backfilltest.RunLedger(t, backfilltest.Harness[backfill.Ledger]{
				Open: func(t *testing.T, dir string) backfill.Ledger {
					s := w.of(t, dir)
					db := s.open(t)
					require.NoError(t, db.sweepHolders(t.Context()))
					return ledgerHandle{db.Ledger(), db, s}
				},
				Kill:    func(_ *testing.T, l backfill.Ledger) { l.(ledgerHandle).state.kill(l.(ledgerHandle).db) },
				Advance: advance, Shared: true,
			})
		})
		t.Run("limiter", func(t *testing.T) {
			backfilltest.RunLimiter(t, backfilltest.Harness[backfill.Limiter]{
				Open: func(t *testing.T, dir string) backfill.Limiter {
					s := w.of(t, dir)
					db := s.open(t)
					l, err := db.Limiter(t.Context(), "key", backfill.Evaluation)
					require.NoError(t, err)
					return limiterHandle{l, db, s}
				},
				Kill:    func(_ *testing.T, l backfill.Limiter) { l.(limiterHandle).state.kill(l.(limiterHandle).db) },
				Advance: advance, Shared: true,
			})
		})
	})
	t.Run("queue", func(t *testing.T) {
		role, as := newRole(t)
		at := &schemas{}
		of := func(t *testing.T, dir string) *handle {
			schema := at.of(t, dir)
			granted(t, schema, role, PartQueue)
			return open(t, schema, as)
		}
		var ahead atomic.Int64
		notifytest.RunClaims(t, notifytest.ClaimsHarness{
			Open: func(t *testing.T, dir string) notify.Claims {
				h := of(t, dir)
				h.db.claims.ahead = func() time.Duration { return time.Duration(ahead.Load()) }
				return claimsHandle{h.db.claims, h}
			},
			Advance: func(_ *testing.T, d time.Duration) { ahead.Add(int64(d)) },
		})
		h := notifytest.Harness{
			Open:   func(t *testing.T, dir string) notify.Queue { return &noOwner{of(t, dir)} },
			Shared: true, Lease: testLease, Parallel: true,
			InMemory: true, // TestLargeBodyMemory measures it alone
		}
		if testing.Short() {
			q := of(t, t.TempDir())
			for _, size := range []int{1, 2 * small} {
				require.NoError(t, q.Put(t.Context(), strings.NewReader(fmt.Sprintf(`{"activities":[{"userId":"u","summaryId":"1","pad":%q}]}`, strings.Repeat("x", size)))))
			}
			_, err := q.Stats(t.Context())
			require.NoError(t, err)
			require.NoError(t, q.sweep(t.Context()))
			q.db.older = time.Hour
			out, err := q.Erase(t.Context(), "u")
			require.NoError(t, err)
			require.Equal(t, map[string]int{"items": 2}, out.Removed)
			require.Equal(t, []notify.Leftover{{What: "tables", Count: len(queueTables), Why: "the role of this process does not own them: their files keep what was deleted until VACUUM FULL"}}, out.Left)
			require.NoError(t, q.Close())
			return
		}
		notifytest.Run(t, h)
	})
}

// noOwner is a process that may delete rows and not write tables anew, which an
// Erase tells.
type noOwner struct{ *handle }

func (n *noOwner) Erase(ctx context.Context, user types.UserID) (*notify.Erasure, error) {
	n.db.older = time.Hour
	out, err := n.handle.Erase(ctx, user)
	if err == nil && (len(out.Left) != 1 || out.Left[0].What != "tables") {
		err = fmt.Errorf("it tells %+v", out.Left)
	}
	out.Left = nil
	return out, err
}

// TestGrantsAreNoMore holds that a role has its part alone, and cannot change the
// tables.
func TestGrantsAreNoMore(t *testing.T) {
	t.Parallel()
	ctx, schema := t.Context(), pgtest.Schema(t)
	role, as := newRole(t)
	granted(t, schema, role, PartQueue)
	h := open(t, schema, as)
	defer func() { require.NoError(t, h.Close()) }()
	denied := func(err error) {
		t.Helper()
		var pg *pgconn.PgError
		require.ErrorAs(t, err, &pg)
		require.Equal(t, "42501", pg.Code)
	}
	_, err := h.db.Tokens().Token(ctx, "u")
	denied(err)
	_, err = h.db.Tokens().Swap(ctx, nil, &auth.Token{UserID: "u", AccessToken: "a"})
	denied(err)
	_, err = h.db.Ledger().Claim(ctx, "u")
	denied(err)
	_, err = h.db.Limiter(ctx, "key", 1)
	denied(err)
	for _, sql := range []string{`DROP TABLE {s}.item`, `TRUNCATE {s}.item`, `ALTER TABLE {s}.item ADD x integer`, `CREATE TABLE {s}.x ()`, `UPDATE {s}.meta SET version = 0`} {
		_, err := h.pool.Exec(ctx, h.db.sql(sql))
		denied(err)
	}
	_, err = Grants(schema, role, "everything")
	require.ErrorContains(t, err, "no part")
	_, err = Grants("a$$", role)
	require.ErrorIs(t, err, errSchema)
}
