package backfill_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/garminkit/activityapi/activity"
	"github.com/garminkit/activityapi/backfill"
	"github.com/garminkit/activityapi/types"
)

// TestAppsOfRunner: the same persons under two applications. Each application has
// its own minute, ledger lines and arrivals, and the one that Garmin refuses stops
// no other.
func TestAppsOfRunner(t *testing.T) {
	t.Parallel()
	for _, bad := range []string{"", "evaluation", "none"} {
		t.Run("refused: "+bad, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				ledger := backfill.NewLedger()
				limiters := backfill.PerApp(map[string]backfill.Limiter{"": backfill.NewLimiter(backfill.Production, ledger), "evaluation": backfill.NewLimiter(backfill.Evaluation, ledger)})
				require.Equal(t, backfill.Evaluation, limiters.DaysPerMinute())
				runner := backfill.NewRunner(limiters, ledger, &backfill.RunnerOptions{Users: 4})
				var mu sync.Mutex
				asked := map[string][]time.Time{}
				users := func(yield func(*backfill.User, error) bool) {
					for i := range 40 {
						for _, app := range []string{"evaluation", "", "other"} {
							id := types.UserID(fmt.Sprint("u", i)).In(app)
							u := one(requester(func(context.Context, types.Kind, types.Window) error {
								mu.Lock()
								defer mu.Unlock()
								if app == bad {
									return status(400, activity.ErrEndpointNotEnabled)
								}
								asked[app] = append(asked[app], time.Now())
								return nil
							}), window(0, 25))
							u.ID = id
							if !yield(u, nil) {
								return
							}
						}
					}
				}
				start := time.Now()
				var last error
				strangers := 0
				for p, err := range runner.RunAll(t.Context(), users) {
					switch {
					case err != nil:
						last = err
					case p.Err != nil:
						require.Equal(t, "other", p.UserID.App())
						require.ErrorContains(t, p.Err, "other")
						strangers++
					}
				}
				require.Equal(t, 40, strangers)
				for _, app := range []string{"evaluation", ""} {
					want := 40
					if app == bad {
						want = 0
					}
					require.Len(t, asked[app], want, "%q", app)
				}
				if bad == "none" {
					require.NoError(t, last)
					// 100 days a minute are four requests.
					require.InDelta(t, 9*time.Minute, time.Since(start), float64(time.Minute))
					id := types.UserID("u1")
					require.NoError(t, ledger.Arrived(t.Context(), id, types.KindActivities, window(0, 25).Start.Add(time.Hour)))
					for c, err := range ledger.Chunks(t.Context(), id.In("evaluation")) {
						require.NoError(t, err)
						require.Zero(t, c.Arrived)
					}
				} else {
					require.ErrorIs(t, last, activity.ErrEndpointNotEnabled)
				}
				if bad == "evaluation" {
					require.ErrorContains(t, last, "evaluation")
					require.Less(t, time.Since(start), 2*time.Minute, "it waits for nobody")
				}
			})
		})
	}
}

// TestAppsRefusedAll: the run ends when no application is left.
func TestAppsRefusedAll(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		limiters := backfill.PerApp(map[string]backfill.Limiter{"a": backfill.NewLimiter(100, nil), "b": backfill.NewLimiter(100, nil)})
		forever := func(yield func(*backfill.User, error) bool) {
			for i := 0; ; i++ {
				u := one(&script{answers: []error{status(400, activity.ErrEndpointNotEnabled)}}, window(0, 25))
				u.ID = types.UserID(fmt.Sprint("u", i)).In([]string{"a", "b"}[i%2])
				if !yield(u, nil) {
					return
				}
			}
		}
		var last error
		for _, err := range backfill.NewRunner(limiters, backfill.NewLedger(), nil).RunAll(t.Context(), forever) {
			last = err
		}
		require.ErrorContains(t, last, "application a")
		require.ErrorContains(t, last, "application b")
	})
}

// TestAppsLimiterRestores: what an earlier process asked for counts for its own
// application.
func TestAppsLimiterRestores(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ledger := backfill.NewLedger()
		u := one(&script{}, window(0, 25))
		u.ID = types.UserID("u").In("evaluation")
		before := backfill.PerApp(map[string]backfill.Limiter{"evaluation": backfill.NewLimiter(25, ledger)})
		for _, err := range backfill.NewRunner(before, ledger, nil).Run(t.Context(), u) {
			require.NoError(t, err)
		}
		own := backfill.NewLimiter(25, ledger)
		limiters := backfill.PerApp(map[string]backfill.Limiter{"evaluation": backfill.NewLimiter(25, ledger), "": own})
		took := func(id types.UserID) time.Duration {
			start := time.Now()
			_, err := limiters.Acquire(t.Context(), id, 25)
			require.NoError(t, err)
			return time.Since(start)
		}
		require.Zero(t, took("u"))
		require.Greater(t, took("u@evaluation"), 59*time.Second)
		_, err := limiters.Acquire(t.Context(), "u@other", 1)
		require.ErrorContains(t, err, "other")
		_, err = own.Acquire(t.Context(), "u@evaluation", 1)
		require.ErrorContains(t, err, "PerApp")
	})
}

func TestLimitersRefused(t *testing.T) {
	t.Parallel()
	for _, l := range []map[string]backfill.Limiter{nil, {}, {"a": nil}} {
		require.Panics(t, func() { backfill.NewRunner(backfill.PerApp(l), backfill.NewLedger(), nil) })
	}
}

func ExamplePerApp() {
	ledger := backfill.NewLedger()
	limiters := backfill.PerApp(map[string]backfill.Limiter{
		"":           backfill.NewLimiter(backfill.Production, ledger),
		"evaluation": backfill.NewLimiter(backfill.Evaluation, ledger),
	})
	backfill.NewRunner(limiters, ledger, nil)
	_, err := limiters.Acquire(context.Background(), types.UserID("4aacafe8").In("tenant"), 25)
	fmt.Println(err)
	// Output: backfill: there is no limiter for the application "tenant"
}
