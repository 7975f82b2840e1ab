//go:build unix

package garminriver

import (
	"context"
	"log/slog"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"
	"github.com/riverqueue/river/rivermigrate"
	"github.com/riverqueue/river/rivertype"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/garminkit/activityapi/postgres/internal/pgtest"
)

func TestMain(m *testing.M) {
	pgtest.Main(m, func() int {
		if err := goleak.Find(); err != nil {
			_, _ = os.Stderr.WriteString(err.Error())
			return 1
		}
		return 0
	})
}

// rig is a schema with River's tables.
type rig struct {
	schema string
	pool   *pgxpool.Pool
}

func newRig(t testing.TB) *rig {
	t.Helper()
	cfg, err := pgxpool.ParseConfig(pgtest.URL(t))
	require.NoError(t, err)
	cfg.MaxConns = 64
	pool, err := pgxpool.NewWithConfig(t.Context(), cfg)
	require.NoError(t, err)
	t.Cleanup(pool.Close)
	r := &rig{pgtest.Schema(t), pool}
	_, err = pool.Exec(t.Context(), `CREATE SCHEMA `+r.schema)
	require.NoError(t, err)
	m, err := rivermigrate.New(riverpgxv5.New(pool), &rivermigrate.Config{Schema: r.schema, Logger: slog.New(slog.DiscardHandler)})
	require.NoError(t, err)
	_, err = m.Migrate(t.Context(), rivermigrate.DirectionUp, nil)
	require.NoError(t, err)
	return r
}

// client is that of a process.
func (r *rig) client(t testing.TB, workers *river.Workers, periodic ...*river.PeriodicJob) *river.Client[pgx.Tx] {
	t.Helper()
	c, err := river.NewClient(riverpgxv5.New(r.pool), &river.Config{
		Schema: r.schema, Workers: workers, PeriodicJobs: periodic, TestOnly: true,
		Queues:          map[string]river.QueueConfig{river.QueueDefault: {MaxWorkers: 4}, QueueHistory: {MaxWorkers: 4}},
		SoftStopTimeout: time.Second,
		Logger:          slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelWarn})),
	})
	require.NoError(t, err)
	return c
}

// start lets a process work until the test ends, or stop is called.
func start(t testing.TB, c *river.Client[pgx.Tx]) (stop func()) {
	t.Helper()
	require.NoError(t, c.Start(context.WithoutCancel(t.Context())))
	stop = sync.OnceFunc(func() { _ = c.Stop(context.WithoutCancel(t.Context())) })
	t.Cleanup(stop)
	return stop
}

// jobs are those in the table, by state.
func (r *rig) jobs(t testing.TB, kind string) map[rivertype.JobState]int {
	t.Helper()
	rows, err := r.pool.Query(t.Context(), `SELECT state, count(*) FROM `+r.schema+`.river_job WHERE kind = $1 GROUP BY state`, kind)
	require.NoError(t, err)
	defer rows.Close()
	all := map[rivertype.JobState]int{}
	for rows.Next() {
		var state rivertype.JobState
		var n int
		require.NoError(t, rows.Scan(&state, &n))
		all[state] = n
	}
	require.NoError(t, rows.Err())
	return all
}

// until waits for the jobs of a kind to be in some states and no others.
func (r *rig) until(t testing.TB, kind string, want map[rivertype.JobState]int) {
	t.Helper()
	require.Eventually(t, func() bool {
		have := r.jobs(t, kind)
		if len(have) != len(want) {
			return false
		}
		for state, n := range want {
			if have[state] != n {
				return false
			}
		}
		return true
	}, 60*time.Second, 20*time.Millisecond, "%s: %v", kind, want)
}

// text is all that River has stored.
func (r *rig) text(t testing.TB) string {
	t.Helper()
	rows, err := r.pool.Query(t.Context(), `SELECT j::text FROM `+r.schema+`.river_job j`)
	require.NoError(t, err)
	all, err := pgx.CollectRows(rows, pgx.RowTo[string])
	require.NoError(t, err)
	return strings.Join(all, "\n")
}
