package backfill_test

import (
	"context"
	"flag"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/garminkit/activityapi/backfill"
	"github.com/garminkit/activityapi/types"
	"github.com/stretchr/testify/require"
)

var long = flag.Bool("long", false, "run the long forms")

var latencies = []struct {
	name string
	latency
}{
	{"none", between(0, 0)},
	{"50ms-2s", between(50*time.Millisecond, 2*time.Second)},
	{"50ms-10s with stalls", stalls(50*time.Millisecond, 10*time.Second, 20*time.Second)},
}

func date(s string) time.Time {
	t, err := time.Parse(time.DateOnly, s)
	if err != nil {
		panic(err)
	}
	return t
}

// One user, five years, three kinds, under an evaluation key.
func TestRunFiveYears(t *testing.T) {
	for _, l := range latencies {
		for _, lose := range []float64{0, 0.05} {
			t.Run(fmt.Sprint(l.name, ", lost ", lose), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					srv := newServer(1, l.latency)
					srv.budget, srv.overlaps, srv.lose = backfill.Evaluation, true, lose
					w := types.Window{Start: date("2020-11-23"), End: date("2025-11-23")}
					user := &backfill.User{ID: "u", Requester: srv.client("u"), Window: w}
					ledger := backfill.NewLedger()
					start := time.Now()
					var last *backfill.Progress
					for p, err := range backfill.NewRunner(backfill.NewLimiter(backfill.Evaluation, nil), ledger, nil).Run(t.Context(), user) {
						require.NoError(t, err)
						require.Equal(t, backfill.StateAccepted, p.Chunk.State)
						last = p
					}
					require.Equal(t, 3*1826, last.DaysDone)
					require.Equal(t, 3*1826, last.DaysTotal)
					require.Zero(t, last.Remaining)
					require.Zero(t, srv.limited)
					require.LessOrEqual(t, srv.worst(), backfill.Evaluation)
					require.Len(t, srv.taken, 3*74)
					t.Logf("%d days in %s, worst minute %d", last.DaysDone, time.Since(start).Round(time.Second), srv.worst())
				})
			})
		}
	}
}

// A key in use for 24 hours without pause reaches 99 % of what can be proven
// safe, and never goes beyond the limit.
func TestSaturated(t *testing.T) {
	for _, l := range latencies {
		for _, lose := range []float64{0, 0.05} {
			t.Run(fmt.Sprint(l.name, ", lost ", lose), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					srv := newServer(2, l.latency)
					srv.budget, srv.lose = backfill.Evaluation, lose
					saturate(t, srv, backfill.Evaluation, 24*time.Hour, func(i int) types.Window {
						return types.Window{Start: date("2020-11-23"), End: date("2025-11-23")}
					})
				})
			})
		}
	}
}

// saturate lets users without end ask for history, for so long.
func saturate(t *testing.T, srv *server, limit int, long time.Duration, window func(i int) types.Window) {
	ctx, cancel := context.WithTimeout(t.Context(), long)
	defer cancel()
	users := func(yield func(*backfill.User, error) bool) {
		for i := 0; ; i++ {
			id := types.UserID(fmt.Sprint(i))
			if !yield(&backfill.User{ID: id, Requester: srv.client(id), Window: window(i)}, nil) {
				return
			}
		}
	}
	for p, err := range backfill.NewRunner(backfill.NewLimiter(limit, nil), backfill.NewLedger(), nil).RunAll(ctx, users) {
		if err != nil {
			require.ErrorIs(t, err, context.DeadlineExceeded)
		} else {
			require.NoError(t, p.Err)
		}
	}
	days := srv.days()
	share := float64(days) / long.Minutes() / float64(limit) / srv.best()
	t.Logf("worst minute %d of %d, 429s %d, %.1f days a minute, %.2f %% of the best provable", srv.worst(), limit, srv.limited, float64(days)/long.Minutes(), 100*share)
	require.Zero(t, srv.limited)
	require.LessOrEqual(t, srv.worst(), limit)
	if srv.lose == 0 {
		require.Greater(t, share, 0.99)
	}
}

// A production key, and a hundred thousand users with a month each.
func TestManyUsers(t *testing.T) {
	users := 3000
	if *long {
		users = 100_000
	}
	for _, l := range latencies {
		t.Run(l.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				srv := newServer(3, l.latency)
				srv.budget = backfill.Production
				seq := func(yield func(*backfill.User, error) bool) {
					for i := range users {
						id := types.UserID(fmt.Sprint(i))
						end := day0.Add(time.Duration(i) * 7919 * time.Second)
						if !yield(&backfill.User{ID: id, Requester: srv.client(id), Window: types.Window{Start: end.AddDate(0, -1, 0), End: end}, Kinds: []types.Kind{types.KindActivityDetails}}, nil) {
							return
						}
					}
				}
				start := time.Now()
				days := 0
				for p, err := range backfill.NewRunner(backfill.NewLimiter(backfill.Production, nil), backfill.NewLedger(), nil).RunAll(t.Context(), seq) {
					require.NoError(t, err)
					require.Equal(t, backfill.StateAccepted, p.Chunk.State)
					days += backfill.Cost(p.Chunk.Window)
				}
				took := time.Since(start)
				// The first minute's worth goes out at once.
				share := float64(days-backfill.Production) / took.Minutes() / backfill.Production / srv.best()
				t.Logf("%d users, %d days in %s, worst minute %d, 429s %d, %.2f %% of the best provable", users, days, took.Round(time.Second), srv.worst(), srv.limited, 100*share)
				require.Zero(t, srv.limited)
				require.LessOrEqual(t, srv.worst(), backfill.Production)
				if *long {
					require.Greater(t, share, 0.99)
				}
			})
		})
	}
}
