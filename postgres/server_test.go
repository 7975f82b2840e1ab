//go:build unix

package postgres

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"

	"github.com/garminkit/activityapi/activity/auth"
	"github.com/garminkit/activityapi/activity/join"
	"github.com/garminkit/activityapi/backfill"
	"github.com/garminkit/activityapi/notify"
	"github.com/garminkit/activityapi/postgres/internal/pgtest"
	"github.com/garminkit/activityapi/types"
)

// use is something that a program does with the database.
type use struct {
	name string
	do   func(ctx context.Context) error
}

// uses are all that there are. n makes what they store new.
func uses(h *handle, n *atomic.Int64) []use {
	db := h.db
	body := func(size int) io.Reader {
		return strings.NewReader(fmt.Sprintf(`{"activities":[{"userId":"u","summaryId":"%d","pad":%q}]}`, n.Add(1), strings.Repeat("x", size)))
	}
	day := func() *backfill.Chunk {
		at := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
		return &backfill.Chunk{UserID: "u", Kind: types.KindActivities, State: backfill.StatePlanned, Window: types.Window{Start: at, End: at.AddDate(0, 0, 1)}}
	}
	return []use{
		{"put", func(ctx context.Context) error { return h.Put(ctx, body(1)) }},
		{"put large", func(ctx context.Context) error { return h.Put(ctx, body(2*small)) }},
		{"stats", func(ctx context.Context) error { _, err := h.Stats(ctx); return err }},
		{"letters", func(ctx context.Context) error {
			for _, err := range h.Letters(ctx, nil) {
				if err != nil {
					return err
				}
			}
			return nil
		}},
		{"letter", func(ctx context.Context) error {
			return known(func() error { _, err := h.Letter(ctx, "1"); return err })
		}},
		{"open letter", func(ctx context.Context) error {
			return known(func() error { _, err := h.OpenLetter(ctx, "1"); return err })
		}},
		{"redrive", func(ctx context.Context) error { return known(func() error { return h.Redrive(ctx, "1") }) }},
		{"discard", func(ctx context.Context) error { return known(func() error { return h.Discard(ctx, "1") }) }},
		{"shares", func(ctx context.Context) error {
			for s, err := range h.Shares(ctx) {
				if err != nil {
					if errors.Is(err, notify.ErrInUse) {
						err = nil // another goroutine works
					}
					return err
				}
				items, err := s.Scan(ctx, notify.ClassPush, 0, 10)
				if err == nil && len(items) > 0 {
					_, err = s.Load(ctx, []notify.ItemID{items[0].ID})
				}
				if err == nil && len(items) > 0 {
					err = s.Settle(ctx, []notify.Verdict{{ID: items[0].ID, Fate: notify.Done}})
				}
				s.Release()
				if errors.Is(err, notify.ErrLost) {
					err = nil
				}
				return err
			}
			return ctx.Err()
		}},
		{"claims", func(ctx context.Context) error {
			id := fmt.Sprint(n.Add(1))
			if _, _, err := db.Claims().Begin(ctx, id, time.Minute); err != nil {
				return err
			}
			if err := db.Claims().Renew(ctx, id, time.Minute); err != nil {
				return err
			}
			return db.Claims().Settle(ctx, id, notify.Claim{State: notify.ClaimDone})
		}},
		{"tokens", func(ctx context.Context) error {
			_, err := db.Tokens().Swap(ctx, nil, &auth.Token{UserID: types.UserID(fmt.Sprint(n.Add(1))), AccessToken: "a", RefreshToken: "b"})
			return err
		}},
		{"token", func(ctx context.Context) error {
			_, err := db.Tokens().Token(ctx, "nobody")
			if errors.Is(err, auth.ErrNotConnected) {
				err = nil
			}
			return err
		}},
		{"once", func(ctx context.Context) error {
			_, err := db.Once(ctx, fmt.Sprint(n.Add(1)), time.Now().Add(time.Hour))
			return err
		}},
		{"ledger", func(ctx context.Context) error {
			c, err := db.Ledger().Claim(ctx, types.UserID(fmt.Sprint(n.Add(1))))
			if err == nil {
				c.Release()
			}
			return err
		}},
		{"arrived", func(ctx context.Context) error {
			return db.Ledger().Arrived(ctx, "u", types.KindActivities, day().Window.Start)
		}},
		{"forget", func(ctx context.Context) error { return db.Ledger().Forget(ctx, "u") }},
		{"chunks", func(ctx context.Context) error {
			for _, err := range db.Ledger().Chunks(ctx, "u") {
				return err
			}
			return ctx.Err() // nothing was there
		}},
		{"limiter", func(ctx context.Context) error {
			l, err := db.Limiter(ctx, fmt.Sprint(n.Add(1)), 10)
			if err != nil {
				return err
			}
			g, err := l.Acquire(ctx, "u", 1)
			if err != nil {
				return err
			}
			return g.End(ctx, backfill.Outcome{NotSent: true})
		}},
		{"joined", func(ctx context.Context) error {
			return db.Joined().Update(ctx, join.Key{User: "u", ID: types.ID(fmt.Sprint(n.Add(1)))}, func(*join.Record) bool { return true })
		}},
	}
}

// known takes it for good that there is no such letter.
func known(f func() error) error {
	err := f()
	if err != nil && strings.Contains(err.Error(), "not exist") {
		return nil
	}
	return err
}

// TestOneConnection holds that nothing needs a second connection while it has
// one: a pool of one is slow, and enough.
func TestOneConnection(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	h := steady(t, pgtest.Schema(t), func(cfg *pgxpool.Config) { cfg.MaxConns = 1 })
	defer func() { require.NoError(t, h.Close()) }()
	var n atomic.Int64
	for _, c := range uses(h, &n) {
		require.NoError(t, c.do(ctx), c.name)
	}
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			for _, c := range uses(h, &n) {
				if err := c.do(ctx); err != nil {
					t.Errorf("%s beside others: %v", c.name, err)
				}
			}
		})
	}
	all.Wait()
	require.NoError(t, h.sweep(ctx))
	require.NoError(t, Migrate(ctx, h.pool, h.db.schema))
}

// TestTimeoutsOfTheDBA has a role whose statements, locks and transactions may
// take little time. All works; what has to wait too long fails and holds up
// nothing.
func TestTimeoutsOfTheDBA(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	h := steady(t, pgtest.Schema(t), func(cfg *pgxpool.Config) {
		cfg.ConnConfig.RuntimeParams["statement_timeout"] = "20s"
		cfg.ConnConfig.RuntimeParams["lock_timeout"] = "300"
		cfg.ConnConfig.RuntimeParams["idle_in_transaction_session_timeout"] = "20s"
	})
	defer func() { require.NoError(t, h.Close()) }()
	var n atomic.Int64
	for _, c := range uses(h, &n) {
		require.NoError(t, c.do(ctx), c.name)
	}
	admin := newPool(t, pgtest.URL(t))
	tx, err := admin.Begin(ctx)
	require.NoError(t, err)
	defer func() { _ = tx.Rollback(context.WithoutCancel(ctx)) }()
	for _, what := range []string{"append", "migrate"} {
		_, err = tx.Exec(ctx, `SELECT pg_advisory_xact_lock($1)`, lockKey(h.db.schema, what))
		require.NoError(t, err)
	}
	err = h.Put(ctx, strings.NewReader(`{"activities":[{"userId":"u","summaryId":"late"}]}`))
	var pg *pgconn.PgError
	require.ErrorAs(t, err, &pg)
	require.Equal(t, "55P03", pg.Code)
	// Migrate waits for who has the work, whatever the role may.
	migrated := make(chan error, 1)
	go func() { migrated <- Migrate(ctx, h.pool, h.db.schema) }()
	require.Eventually(t, func() bool {
		var waits int
		err := admin.QueryRow(ctx, `SELECT count(*) FROM pg_locks l JOIN pg_stat_activity a USING (pid)
WHERE l.locktype = 'advisory' AND NOT l.granted AND a.application_name = $1 AND clock_timestamp() - a.query_start > interval '400 milliseconds'`, h.db.schema).Scan(&waits)
		return err == nil && waits > 0 || len(migrated) > 0
	}, time.Minute, 20*time.Millisecond)
	require.Empty(t, migrated, "it does not wait")
	require.NoError(t, tx.Rollback(ctx))
	require.NoError(t, <-migrated)
	require.NoError(t, h.Put(ctx, strings.NewReader(`{"activities":[{"userId":"u","summaryId":"late"}]}`)))
}

// TestReadOnlyServerIsRefused has a program that was pointed at a standby, or
// whose role may not write: it says so when it starts, and not with each body.
func TestReadOnlyServerIsRefused(t *testing.T) {
	t.Parallel()
	ctx, schema := t.Context(), pgtest.Schema(t)
	pool := newPool(t, pgtest.URL(t))
	require.NoError(t, Migrate(ctx, pool, schema))
	cfg, err := pgxpool.ParseConfig(pgtest.URL(t))
	require.NoError(t, err)
	cfg.ConnConfig.RuntimeParams["default_transaction_read_only"] = "on"
	readOnly, err := pgxpool.NewWithConfig(ctx, cfg)
	require.NoError(t, err)
	defer readOnly.Close()
	_, err = Open(ctx, readOnly, &Options{Schema: schema})
	require.ErrorContains(t, err, "standby")
	require.ErrorContains(t, Migrate(ctx, readOnly, schema+"_other"), "read-only")
}

// TestCancelledCalls holds that a call whose context has ended does nothing, says
// so, and leaves nothing behind.
func TestCancelledCalls(t *testing.T) {
	t.Parallel()
	h := steady(t, pgtest.Schema(t))
	defer func() { require.NoError(t, h.Close()) }()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	var n atomic.Int64
	for _, c := range uses(h, &n) {
		require.ErrorIs(t, c.do(ctx), context.Canceled, c.name)
	}
	var rows int
	require.NoError(t, h.pool.QueryRow(t.Context(), h.db.sql(`SELECT (SELECT count(*) FROM {s}.item) + (SELECT count(*) FROM {s}.token) + (SELECT count(*) FROM {s}.large)
+ (SELECT count(*) FROM {s}.user_claim) + (SELECT count(*) FROM {s}.joined)`)).Scan(&rows))
	require.Zero(t, rows)
}

// TestCloseInUse closes while all is in use: each call ends, none panics, and
// what is called later fails.
func TestCloseInUse(t *testing.T) {
	t.Parallel()
	h := open(t, pgtest.Schema(t))
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	var n, good atomic.Int64
	var all sync.WaitGroup
	stop := make(chan struct{})
	for _, c := range uses(h, &n) {
		for range 2 {
			all.Go(func() {
				for {
					if c.do(ctx) == nil {
						good.Add(1)
					}
					select {
					case <-stop:
						return
					default:
					}
				}
			})
		}
	}
	require.Eventually(t, func() bool { return good.Load() > 100 }, time.Minute, time.Millisecond)
	require.NoError(t, h.db.Close())
	close(stop)
	all.Wait()
	require.NoError(t, ctx.Err(), "it took too long")
	for _, c := range uses(h, &n) {
		if c.name == "letters" || c.name == "chunks" {
			continue
		}
		require.Error(t, c.do(ctx), c.name)
	}
	require.NoError(t, h.db.Close(), "again")
	h.pool.Close()
}

// TestClockJumps has the server's clock set forward, so that all leases are over
// at once, and back, so that one that has ended seems to go on for an hour.
func TestClockJumps(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	schema, all := pgtest.Schema(t), []*crew{}
	for range 2 {
		h := openFor(t, schema, time.Hour)
		defer func() { require.NoError(t, h.Close()) }()
		all = append(all, works(ctx, h, nil))
		even(t, all...)
	}
	defer func() {
		cancel()
		for _, c := range all {
			<-c.ends
		}
	}()
	var before [2]int
	for i, c := range all {
		_, before[i] = c.count()
	}
	pool := newPool(t, pgtest.URL(t))
	exec := func(text string) {
		t.Helper()
		_, err := pool.Exec(ctx, named(schema, text))
		require.NoError(t, err)
	}
	// Not in the middle of a beat, which has one clock.
	exec(fmt.Sprintf(`WITH l AS MATERIALIZED (SELECT pg_advisory_xact_lock(%d) AS l)
UPDATE {s}.member SET expires = expires - interval '2 hours', since = since - interval '2 hours' FROM l`, lockKey(schema, "member")))
	for _, c := range all {
		require.NoError(t, c.h.member.beat())
	}
	for i, c := range all {
		has, got := c.count()
		require.Equal(t, shares/2, has)
		require.Equal(t, before[i], got, "nothing moved")
	}
	exec(`INSERT INTO {s}.member (id, expires, works) VALUES (999, clock_timestamp() + interval '1 day', false)`)
	exec(`INSERT INTO {s}.holder (id, expires) VALUES (999, clock_timestamp() + interval '1 day')`)
	require.NoError(t, all[0].h.member.beat())
	require.NoError(t, all[0].h.db.sweepHolders(ctx))
	var member, holder time.Duration
	require.NoError(t, pool.QueryRow(ctx, named(schema, `SELECT m.expires - clock_timestamp(), h.expires - clock_timestamp() FROM {s}.member m, {s}.holder h WHERE m.id = 999 AND h.id = 999`)).Scan(&member, &holder))
	require.LessOrEqual(t, member, 3*time.Hour)
	require.LessOrEqual(t, holder, 3*time.Hour)
}

// TestTLSErrorsSayWhy connects to what speaks no TLS, and to what has a
// certificate that nobody knows. Neither says the password.
func TestTLSErrorsSayWhy(t *testing.T) {
	t.Parallel()
	known := httptest.NewTLSServer(nil)
	defer known.Close()
	var l net.ListenConfig
	for name, c := range map[string]struct {
		mode, want string
		serve      func(net.Conn)
	}{
		"refused": {"require", "refused TLS", func(c net.Conn) { _, _ = c.Write([]byte("N")) }},
		"unknown": {"verify-full", "certificate", func(c net.Conn) {
			_, _ = c.Write([]byte("S"))
			_ = tls.Server(c, known.TLS).HandshakeContext(context.WithoutCancel(t.Context()))
		}},
	} {
		listener, err := l.Listen(t.Context(), "tcp", "127.0.0.1:0")
		require.NoError(t, err)
		var serving sync.WaitGroup
		serving.Go(func() {
			for {
				conn, err := listener.Accept()
				if err != nil {
					return
				}
				_, _ = io.ReadFull(conn, make([]byte, 8)) // the request for TLS
				c.serve(conn)
				_ = conn.Close()
			}
		})
		pool, err := pgxpool.New(t.Context(), fmt.Sprintf("postgres://u:%s@%s/db?sslmode=%s", planted, listener.Addr(), c.mode))
		require.NoError(t, err)
		_, err = Open(t.Context(), pool, nil)
		require.ErrorContains(t, err, c.want, name)
		require.NotContains(t, shows(err), planted, name)
		if name == "unknown" {
			var authority x509.UnknownAuthorityError
			require.ErrorAs(t, err, &authority)
		}
		pool.Close()
		_ = listener.Close()
		serving.Wait()
	}
}
