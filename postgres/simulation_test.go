//go:build unix

package postgres

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"

	"github.com/garminkit/activityapi/postgres/internal/limitsim"
	"github.com/garminkit/activityapi/postgres/internal/pgtest"
	"github.com/garminkit/activityapi/types"
)

// both runs the model and the tables side by side: each statement must have the
// same answer in both.
type both struct {
	t      testing.TB
	pool   *pgxpool.Pool
	schema string
	model  limitsim.Engine
	lives  int
	turns  int
}

// setSQL sets the clock, in microseconds.
const setSQL = `UPDATE {s}.virtual SET at = '2026-01-01'::timestamptz + $1::bigint * interval '1 microsecond'`

func newBoth(t testing.TB) *both {
	ctx := t.Context()
	b := &both{t: t, pool: newPool(t, pgtest.URL(t)), schema: pgtest.Schema(t), model: limitsim.NewModel()}
	require.NoError(t, Migrate(ctx, b.pool, b.schema))
	for _, sql := range []string{
		`CREATE TABLE {s}.virtual AS SELECT '2026-01-01'::timestamptz AS at, '0' AS life`,
		`CREATE OR REPLACE FUNCTION {s}.clock() RETURNS timestamptz LANGUAGE sql VOLATILE AS 'SELECT at FROM {s}.virtual'`,
		`CREATE OR REPLACE FUNCTION {s}.server_life() RETURNS text LANGUAGE sql STABLE AS 'SELECT life FROM {s}.virtual'`,
		`INSERT INTO {s}.budget (name, days, life) VALUES ('key', 100, '0')`,
	} {
		_, err := b.pool.Exec(ctx, named(b.schema, sql))
		require.NoError(t, err)
	}
	return b
}

func (b *both) Reborn() {
	b.model.Reborn()
	b.lives++
	_, err := b.pool.Exec(b.t.Context(), named(b.schema, `UPDATE {s}.virtual SET life = $1`), fmt.Sprint(b.lives))
	require.NoError(b.t, err)
}

func (b *both) Alive(clock, me int64) {
	b.model.Alive(clock, me)
	_, err := b.pool.Exec(b.t.Context(), named(b.schema, setSQL), clock)
	require.NoError(b.t, err)
	_, err = b.pool.Exec(b.t.Context(), named(b.schema, aliveSQL), me, DefaultLease)
	require.NoError(b.t, err)
}

func (b *both) Turn(clock int64, s limitsim.Say) limitsim.Heard {
	b.turns++
	want := b.model.Turn(clock, s)
	t := turn{gone: s.Gone, waiting: s.Waiting}
	for _, e := range s.Ended {
		end := &end{nr: e.Nr, days: int(e.Days)}
		if e.Held >= 0 {
			span := float64(e.Held) / 1e6
			end.held = &span
		}
		t.ends = append(t.ends, end)
	}
	for _, c := range s.Came {
		t.came = append(t.came, &call{nr: c.Nr, userID: types.UserID(c.User), days: int(c.Days)})
	}
	ctx := context.WithoutCancel(b.t.Context())
	_, err := b.pool.Exec(ctx, named(b.schema, setSQL), clock)
	require.NoError(b.t, err)
	var granted, missing []int64
	var ages []float64
	var wait *float64
	args := append([]any{[]byte("key"), s.Me, DefaultLease, "simulation"}, t.args()...)
	require.NoError(b.t, b.pool.QueryRow(ctx, named(b.schema, turnSQL), args...).Scan(&granted, &ages, &missing, &wait))
	got := limitsim.Heard{Granted: granted, Missing: missing, Wait: -1, Whose: want.Whose}
	for _, a := range ages {
		got.Ages = append(got.Ages, int64(a*1e6+0.5))
	}
	if wait != nil {
		got.Wait = int64(*wait*1e6 + 0.5)
	}
	require.ElementsMatch(b.t, want.Granted, got.Granted, "turn %d", b.turns)
	require.ElementsMatch(b.t, want.Ages, got.Ages, "turn %d", b.turns)
	require.ElementsMatch(b.t, want.Missing, got.Missing, "turn %d", b.turns)
	require.Equal(b.t, want.Wait, got.Wait, "turn %d", b.turns)
	return want
}

// TestModelIsTheTables runs the simulation on both at once: the model, whose rules
// are shown to be enough and needed in a million minutes, decides as the tables do.
func TestModelIsTheTables(t *testing.T) {
	t.Parallel()
	minutes := 20
	if testing.Short() {
		minutes = 6
	}
	for _, hard := range []bool{false, true} {
		b := newBoth(t)
		begun := time.Now()
		r := limitsim.Run(limitsim.Config{Seed: 3, Minutes: minutes, Faults: true, Every: 20, Hard: hard, Engine: b})
		t.Logf("%d turns in %v: %v", b.turns, time.Since(begun).Round(time.Millisecond), r)
		require.Zero(t, r.Violations)
		require.NotZero(t, r.Failovers)
	}
}
