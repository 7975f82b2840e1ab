//go:build unix

package postgres

import (
	"context"
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"github.com/garminkit/activityapi/activity/auth"
	"github.com/garminkit/activityapi/notify"
	"github.com/garminkit/activityapi/postgres/internal/pgtest"
)

// newPool is a pool that a test closes.
func newPool(t testing.TB, url string) *pgxpool.Pool {
	t.Helper()
	pool, err := pgxpool.New(t.Context(), url)
	require.NoError(t, err)
	t.Cleanup(pool.Close)
	return pool
}

func TestMigrate(t *testing.T) {
	t.Parallel()
	ctx, url, schema := t.Context(), pgtest.URL(t), pgtest.Schema(t)
	pool := newPool(t, url)
	_, err := Open(ctx, pool, &Options{Schema: schema})
	require.ErrorContains(t, err, "Migrate", "there are no tables")
	var all errgroup.Group
	for range 4 {
		all.Go(func() error { return Migrate(ctx, pool, schema) })
	}
	require.NoError(t, all.Wait(), "several at once")
	require.NoError(t, Migrate(ctx, pool, schema), "once more")
	db, err := Open(ctx, pool, &Options{Schema: schema})
	require.NoError(t, err)
	require.NoError(t, db.Close())
	_, err = pool.Exec(ctx, named(schema, `UPDATE {s}.meta SET version = 0`))
	require.NoError(t, err)
	_, err = Open(ctx, pool, &Options{Schema: schema})
	require.ErrorContains(t, err, "version 0")
}

func TestSchemaName(t *testing.T) {
	t.Parallel()
	for name, good := range map[string]bool{
		"": true, "a_1": true, "select": true, "A": true, `a"b`: true, "a.b": true, "a'": true, "{s}": true, "ü ": true,
		"a$$b": false, "a\x00": false, "\xff": false, strings.Repeat("a", 63): true, strings.Repeat("a", 64): false,
	} {
		_, err := schemaName(name)
		require.Equal(t, good, err == nil, name)
		_, err = Migrations(name)
		require.Equal(t, good, err == nil, name)
	}
}

// TestOddSchema runs the suites of claims and a queue in schemas with names that
// have to be quoted.
func TestOddSchema(t *testing.T) {
	t.Parallel()
	ctx, url := t.Context(), pgtest.URL(t)
	for i, odd := range []string{`it's "odd".{s} \ `, strings.Repeat("ü", 15) + "; DROP", "UPPER"} {
		schema := odd + strconv.Itoa(os.Getpid()%1e6) + strconv.Itoa(i)
		t.Run(strconv.Itoa(i), func(t *testing.T) {
			pool := newPool(t, url)
			t.Cleanup(func() {
				_, err := pool.Exec(context.WithoutCancel(ctx), named(schema, `DROP SCHEMA {s} CASCADE`))
				require.NoError(t, err)
			})
			a, b := open(t, schema), open(t, schema)
			defer func() { require.NoError(t, a.Close()); require.NoError(t, b.Close()) }()
			require.NoError(t, a.Put(ctx, strings.NewReader(`{"deregistrations":[{"userId":"u"}]}`)))
			for s, err := range b.Shares(ctx) {
				require.NoError(t, err)
				s.Release()
				break
			}
			st, err := b.Stats(ctx)
			require.NoError(t, err)
			require.EqualValues(t, 1, st.Items[notify.ClassAccount])
			tok, err := a.db.Tokens().Swap(ctx, nil, &auth.Token{UserID: "u", AccessToken: "a"})
			require.NoError(t, err)
			got, err := b.db.Tokens().Token(ctx, "u")
			require.NoError(t, err)
			require.Equal(t, tok, got)
			_, taken, err := a.db.Claims().Begin(ctx, "id", time.Minute)
			require.NoError(t, err)
			require.True(t, taken)
		})
	}
}

// TestMigrationsByHand holds that the files alone make the tables, each from the
// version before it and in one transaction, and that Migrate takes over anywhere.
func TestMigrationsByHand(t *testing.T) {
	t.Parallel()
	ctx, url, schema := t.Context(), pgtest.URL(t), pgtest.Schema(t)
	pool := newPool(t, url)
	steps, err := Migrations(schema)
	require.NoError(t, err)
	byHand := func(m Migration) error {
		return pgx.BeginFunc(ctx, pool, func(tx pgx.Tx) error {
			_, err := tx.Conn().PgConn().Exec(ctx, m.SQL).ReadAll()
			return err
		})
	}
	require.NoError(t, byHand(steps[0]))
	require.ErrorContains(t, byHand(steps[0]), "not of version 0")
	require.ErrorContains(t, byHand(steps[2]), "not of version 2")
	require.NoError(t, migrateTo(ctx, pool, schema, 2))
	for _, m := range steps[2:] {
		require.NoError(t, byHand(m))
	}
	require.NoError(t, Migrate(ctx, pool, schema))
	db, err := Open(ctx, pool, &Options{Schema: schema})
	require.NoError(t, err)
	require.NoError(t, db.Close())
	for i, m := range steps {
		require.Equal(t, i+1, m.Version)
		require.True(t, strings.HasPrefix(m.Name, fmt.Sprintf("%04d_", i+1)), m.Name)
		require.NotContains(t, m.SQL, "{s}")
	}
}

// TestOpenRefuses holds that nothing is acknowledged that a power cut undoes.
func TestOpenRefuses(t *testing.T) {
	t.Parallel()
	url, schema := pgtest.URL(t), pgtest.Schema(t)
	cfg, err := pgxpool.ParseConfig(url)
	require.NoError(t, err)
	cfg.ConnConfig.RuntimeParams["synchronous_commit"] = "off"
	pool, err := pgxpool.NewWithConfig(t.Context(), cfg)
	require.NoError(t, err)
	defer pool.Close()
	require.NoError(t, Migrate(t.Context(), pool, schema))
	_, err = Open(t.Context(), pool, &Options{Schema: schema})
	require.ErrorContains(t, err, "synchronous_commit")
	_, err = Open(t.Context(), newPool(t, url), &Options{Schema: schema, Lease: 1})
	require.ErrorContains(t, err, "too short")
	cfg.ConnConfig.RuntimeParams = map[string]string{"default_transaction_isolation": "repeatable read"}
	pool, err = pgxpool.NewWithConfig(t.Context(), cfg)
	require.NoError(t, err)
	defer pool.Close()
	_, err = Open(t.Context(), pool, &Options{Schema: schema})
	require.ErrorContains(t, err, "isolation")
}
