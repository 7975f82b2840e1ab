//go:build unix

package postgres

import (
	"context"
	"crypto/cipher"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"

	"github.com/garminkit/activityapi/activity/auth"
	"github.com/garminkit/activityapi/backfill"
	"github.com/garminkit/activityapi/notify"
	"github.com/garminkit/activityapi/postgres/internal/pgtest"
	"github.com/garminkit/activityapi/types"
)

// TestDumpRestored dumps the tables while everything is under way, and goes on
// with what was restored, as after the loss of a server.
func TestDumpRestored(t *testing.T) {
	t.Parallel()
	for name, aead := range map[string]cipher.AEAD{"plain": nil, "sealed": testSeal(t, "0123456789abcdef")} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			testDumpRestored(t, aead)
		})
	}
}

func testDumpRestored(t *testing.T, aead cipher.AEAD) {
	ctx, url, schema := t.Context(), pgtest.URL(t), pgtest.Schema(t)
	open := func(t *testing.T, schema string, with ...func(*pgxpool.Config)) *handle {
		h := openAs(t, url, &Options{Schema: schema, Lease: testLease, AEAD: aead}, with...)
		require.Equal(t, aead != nil, h.db.sealing.sealer() != nil)
		return h
	}
	a := open(t, schema)
	defer func() { require.NoError(t, a.Close()) }()
	put := func(i, size int) error {
		return a.Put(ctx, strings.NewReader(fmt.Sprintf(`{"activities":[{"userId":"u%d","summaryId":"%d","pad":%q}]}`, i%7, i, strings.Repeat("x", size))))
	}
	const before = 40
	for i := range before {
		require.NoError(t, put(i, 1+i%4/3*2*small))
	}
	for i := range 5 { // some are on their way, and some done
		require.NoError(t, put(1000+i, 1))
	}
	require.Equal(t, 3, drained(t, a.Queue, 3))
	tok, err := a.db.Tokens().Swap(ctx, nil, &auth.Token{UserID: "u", AccessToken: "a", RefreshToken: "r"})
	require.NoError(t, err)
	first, err := a.db.Once(ctx, "id", time.Now().Add(time.Hour))
	require.NoError(t, err)
	require.True(t, first)
	c, err := a.db.Ledger().Claim(ctx, "u")
	require.NoError(t, err)
	w := types.Window{Start: time.Unix(1000, 0).UTC(), End: time.Unix(2000, 0).UTC()}
	require.NoError(t, c.Save(ctx, &backfill.Chunk{UserID: "u", Kind: types.KindActivities, Window: w, State: backfill.StateRequested, Requested: time.Now(), Attempts: 1}))
	require.NoError(t, a.db.Ledger().Arrived(ctx, "u", types.KindActivities, w.Start))
	l, err := a.db.Limiter(ctx, "key", 100)
	require.NoError(t, err)
	_, err = l.Acquire(ctx, "u", 60)
	require.NoError(t, err)
	_, taken, err := a.db.Claims().Begin(ctx, "file", time.Hour)
	require.NoError(t, err)
	require.True(t, taken)

	// More comes while the dump is made.
	stop, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		for i := before; ; i++ {
			select {
			case <-stop:
				return
			default:
			}
			if err := put(i, 1); err != nil {
				t.Error(err)
				return
			}
		}
	}()
	file := filepath.Join(t.TempDir(), "dump")
	pgtest.Tool(t, "pg_dump", "-d", url, "-n", schema, "-Fc", "-f", file)
	close(stop)
	<-stopped

	name := fmt.Sprintf("restored_%d_%d", os.Getpid(), time.Now().UnixNano())
	server := newPool(t, url)
	_, err = server.Exec(ctx, `CREATE DATABASE `+name)
	require.NoError(t, err)
	t.Cleanup(func() {
		_, err := newPool(t, url).Exec(context.WithoutCancel(ctx), `DROP DATABASE `+name+` WITH (FORCE)`)
		require.NoError(t, err)
	})
	there := func(cfg *pgxpool.Config) { cfg.ConnConfig.Database = name }
	cfg, err := pgxpool.ParseConfig(url)
	require.NoError(t, err)
	pgtest.Tool(t, "pg_restore", "-d", fmt.Sprintf("host=%s port=%d user=%s password='%s' dbname=%s",
		cfg.ConnConfig.Host, cfg.ConnConfig.Port, cfg.ConnConfig.User, cfg.ConnConfig.Password, name), file)
	b := open(t, schema, there)
	defer func() { require.NoError(t, b.Close()) }()

	got, err := b.db.Tokens().Token(ctx, "u")
	require.NoError(t, err)
	require.Equal(t, tok, got)
	next, err := b.db.Tokens().Swap(ctx, got, got)
	require.NoError(t, err)
	require.Greater(t, next.Version, tok.Version)
	first, err = b.db.Once(ctx, "id", time.Now().Add(time.Hour))
	require.NoError(t, err)
	require.False(t, first)
	_, taken, err = b.db.Claims().Begin(ctx, "file", time.Hour)
	require.NoError(t, err)
	require.False(t, taken, "a download that was under way is not made twice while its claim stands")

	// The process that had the claim may be alive: its lease ends by itself.
	require.Eventually(t, func() bool {
		c, err := b.db.Ledger().Claim(ctx, "u")
		if err != nil {
			require.ErrorIs(t, err, backfill.ErrBusy)
			return false
		}
		c.Release()
		return true
	}, time.Minute, 50*time.Millisecond)
	for c, err := range b.db.Ledger().Chunks(ctx, "u") {
		require.NoError(t, err)
		require.Equal(t, backfill.StateRequested, c.State)
		require.Equal(t, 1, c.Arrived)
	}

	// What was granted after the dump is not in it, so nothing is granted for long.
	l, err = b.db.Limiter(ctx, "key", 100)
	require.NoError(t, err)
	brief, cancel := context.WithTimeout(ctx, 500*time.Millisecond)
	defer cancel()
	_, err = l.Acquire(brief, "u", 1)
	require.ErrorIs(t, err, context.DeadlineExceeded)
	_, err = b.pool.Exec(ctx, named(schema, `CREATE OR REPLACE FUNCTION {s}.clock() RETURNS timestamptz LANGUAGE sql VOLATILE AS $$SELECT clock_timestamp() + interval '151 seconds'$$`))
	require.NoError(t, err)
	g, err := l.Acquire(ctx, "u", 100)
	require.NoError(t, err)
	require.NoError(t, g.End(ctx, backfill.Outcome{NotSent: true}))

	st, err := b.Stats(ctx)
	require.NoError(t, err)
	n := st.Items[notify.ClassPush]
	require.GreaterOrEqual(t, n, int64(before+5-3), "all that was acknowledged before the dump and is not done")
	require.EqualValues(t, n, drained(t, b.Queue, int(n)))
	require.NoError(t, b.Put(ctx, strings.NewReader(`{"activities":[{"userId":"u","summaryId":"new"}]}`)))
	require.Equal(t, 1, drained(t, b.Queue, 1))
}
