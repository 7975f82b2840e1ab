//go:build unix

package postgres

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"

	"github.com/garminkit/activityapi/postgres/internal/pgtest"
)

// world is states of a suite whose clock a test moves: it replaces the clock of
// each schema.
type world struct {
	with []func(*pgxpool.Config)           // what the processes' pools are like
	made func(t *testing.T, schema string) // is called with each new schema

	mu     sync.Mutex
	states map[string]*state
}

type state struct {
	test   string
	schema string
	pool   *pgxpool.Pool
	with   []func(*pgxpool.Config)

	mu   sync.Mutex
	live []*DB
}

// of is the state of a directory, or of the test.
func (w *world) of(t *testing.T, dir string) *state {
	w.mu.Lock()
	defer w.mu.Unlock()
	if s := w.states[dir]; s != nil {
		return s
	}
	s := &state{test: t.Name(), schema: pgtest.Schema(t), pool: newPool(t, pgtest.URL(t)), with: w.with}
	require.NoError(t, Migrate(t.Context(), s.pool, s.schema))
	_, err := s.pool.Exec(t.Context(), named(s.schema, `CREATE TABLE {s}.ahead AS SELECT interval '0' AS by`))
	require.NoError(t, err)
	_, err = s.pool.Exec(t.Context(), named(s.schema, `CREATE OR REPLACE FUNCTION {s}.clock() RETURNS timestamptz LANGUAGE sql VOLATILE AS 'SELECT clock_timestamp() + by FROM {s}.ahead'`))
	require.NoError(t, err)
	if w.made != nil {
		w.made(t, s.schema)
	}
	if w.states == nil {
		w.states = map[string]*state{}
	}
	w.states[dir] = s
	return s
}

// all are the states that a test has.
func (w *world) all(t *testing.T) (all []*state) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, s := range w.states {
		if s.test == t.Name() {
			all = append(all, s)
		}
	}
	return all
}

// open is another process on the state.
func (s *state) open(t *testing.T) *DB {
	cfg, err := pgxpool.ParseConfig(pgtest.URL(t))
	require.NoError(t, err)
	for _, change := range s.with {
		change(cfg)
	}
	pool, err := pgxpool.NewWithConfig(t.Context(), cfg)
	require.NoError(t, err)
	t.Cleanup(pool.Close)
	db, err := Open(t.Context(), pool, &Options{Schema: s.schema, Logger: testLog(t)})
	require.NoError(t, err)
	s.mu.Lock()
	s.live = append(s.live, db)
	s.mu.Unlock()
	t.Cleanup(func() { _ = db.Close() })
	return db
}

// kill ends what a process does by itself. Its calls still work, as those of a
// process that was paused.
func (s *state) kill(db *DB) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i, d := range s.live {
		if d == db {
			s.live = append(s.live[:i:i], s.live[i+1:]...)
			break
		}
	}
	db.holder.stop()
}

// advance moves the clock, in steps that are short beside a lease, so that who is
// alive renews it.
func (s *state) advance(t *testing.T, d time.Duration) {
	ctx := context.WithoutCancel(t.Context())
	for d > 0 {
		step := min(d, DefaultLease/3)
		_, err := s.pool.Exec(ctx, named(s.schema, `UPDATE {s}.ahead SET by = by + $1::interval`), step)
		require.NoError(t, err)
		d -= step
		s.mu.Lock()
		live := append([]*DB(nil), s.live...)
		s.mu.Unlock()
		for _, db := range live {
			if db.holder.joined() {
				require.NoError(t, db.holder.beat(ctx))
			}
			db.limiters.signal("")
		}
	}
}

// joined reports whether the process is one that claims.
func (h *holder) joined() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.beating
}
