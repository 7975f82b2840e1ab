//go:build unix

package postgres

import (
	"crypto/rand"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/garminkit/activityapi/activity/auth"
	"github.com/garminkit/activityapi/backfill"
	"github.com/garminkit/activityapi/postgres/internal/pgtest"
	"github.com/garminkit/activityapi/types"
)

// BenchmarkStores is what the stores do in a second, with 32 callers.
func BenchmarkStores(b *testing.B) {
	h := open(b, pgtest.Schema(b))
	defer func() { require.NoError(b, h.Close()) }()
	ctx := b.Context()
	var n atomic.Int64
	tokens, ledger := h.db.Tokens(), h.db.Ledger()
	limiter, err := h.db.Limiter(ctx, "key", 1<<30)
	require.NoError(b, err)
	chunk := func(user types.UserID, i int64) *backfill.Chunk {
		at := time.Unix(i*86400+86400, 0).UTC()
		return &backfill.Chunk{UserID: user, Kind: types.KindActivities, State: backfill.StateRequested, Requested: time.Now(), Attempts: 1,
			Window: types.Window{Start: at, End: at.AddDate(0, 0, 1)}}
	}
	for i := range 100 { // of whom summaries arrive
		user := types.UserID(fmt.Sprint("arrived", i))
		c, err := ledger.Claim(ctx, user)
		require.NoError(b, err)
		long := chunk(user, 0)
		long.Window.End = long.Window.Start.AddDate(20, 0, 0)
		require.NoError(b, c.Save(ctx, long))
		c.Release()
	}
	for name, call := range map[string]func(i int64) error{
		"Swap": func(i int64) error {
			_, err := tokens.Swap(ctx, nil, &auth.Token{UserID: types.UserID(fmt.Sprint(i)), AccessToken: "a", RefreshToken: "r", RefreshExpiry: time.Now()})
			return err
		},
		"ClaimSaveRelease": func(i int64) error {
			user := types.UserID(fmt.Sprint(i))
			c, err := ledger.Claim(ctx, user)
			if err != nil {
				return err
			}
			defer c.Release()
			return c.Save(ctx, chunk(user, i%1000))
		},
		"Arrived": func(i int64) error {
			return ledger.Arrived(ctx, types.UserID(fmt.Sprint("arrived", i%100)), types.KindActivities, time.Unix(86400*2+i, 0))
		},
		"AcquireEnd": func(i int64) error {
			g, err := limiter.Acquire(ctx, types.UserID(fmt.Sprint(i)), 1)
			if err != nil {
				return err
			}
			return g.End(ctx, backfill.Outcome{Answered: true})
		},
	} {
		b.Run(name, func(b *testing.B) {
			b.SetParallelism(16) // of GOMAXPROCS
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					if err := call(n.Add(1)); err != nil {
						b.Error(err)
					}
				}
			})
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "calls/s")
		})
	}
}

// random is a text that cannot be compressed much, as a token cannot.
func random(n int) string {
	var b strings.Builder
	for b.Len() < n {
		b.WriteString(rand.Text())
	}
	return b.String()[:n]
}

// BenchmarkSizes is what a row takes on disk, with its indexes.
func BenchmarkSizes(b *testing.B) {
	h := open(b, pgtest.Schema(b))
	defer func() { require.NoError(b, h.Close()) }()
	ctx := b.Context()
	const rows = 100_000
	row, err := (&tokens{h.db}).row(&auth.Token{UserID: "4aacafe8-2427-c251-df9c-9592d0c06768", AccessToken: types.Secret(random(1000)), RefreshToken: types.Secret(random(500))})
	require.NoError(b, err)
	for _, sql := range []string{
		`INSERT INTO {s}.token SELECT convert_to(gen_random_uuid()::text, 'UTF8'), i, now() + make_interval(secs => i), 0, $1 FROM generate_series(1, 100000) i`,
		`INSERT INTO {s}.history SELECT convert_to(md5((i / 60)::text) || '0000', 'UTF8'), 1, i, i + 1, 3, '', '', NULL, NULL, 1, i, i, NULL FROM generate_series(1, 100000) i WHERE $1::bytea IS NOT NULL`,
		`INSERT INTO {s}.arrival SELECT convert_to(md5((i / 1000)::text) || '0000', 'UTF8'), 1, i FROM generate_series(1, 100000) i WHERE $1::bytea IS NOT NULL`,
	} {
		_, err := h.pool.Exec(ctx, h.db.sql(sql), row.data)
		require.NoError(b, err)
	}
	for b.Loop() {
		for _, table := range []string{"token", "history", "arrival"} {
			var size int64
			require.NoError(b, h.pool.QueryRow(ctx, `SELECT pg_total_relation_size($1)`, named(h.db.schema, "{s}."+table)).Scan(&size))
			b.ReportMetric(float64(size)/rows, table+"-bytes")
		}
	}
}
