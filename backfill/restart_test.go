package backfill_test

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/garminkit/activityapi/backfill"
	"github.com/garminkit/activityapi/types"
)

// A process that is killed every ten minutes, for hours, keeps to the limit:
// the ledger tells each next one what counts. That costs little.
func TestRestarts(t *testing.T) {
	day := 4 * time.Hour
	if *long {
		day = 24 * time.Hour
	}
	for _, l := range latencies {
		t.Run(l.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				srv := newServer(4, l.latency)
				srv.budget, srv.overlaps = backfill.Evaluation, true
				ledger := backfill.NewLedger()
				known := map[string]bool{}
				var again []string
				start := time.Now()
				for time.Since(start) < day {
					p := &process{Ledger: ledger, srv: srv, steps: 1 << 30, dead: make(chan struct{}), known: known, again: &again}
					time.AfterFunc(10*time.Minute, func() { close(p.dead) })
					seq := func(yield func(*backfill.User, error) bool) {
						for i := 0; ; i++ {
							id := types.UserID(fmt.Sprint(i))
							w := types.Window{Start: date("2020-11-23"), End: date("2025-11-23")}
							if !yield(&backfill.User{ID: id, Requester: p.client(id), Window: w}, nil) {
								return
							}
						}
					}
					limiter := backfill.NewLimiter(backfill.Evaluation, p)
					var failed error
					for _, err := range backfill.NewRunner(limiter, p, &backfill.RunnerOptions{Users: 4}).RunAll(t.Context(), seq) {
						failed = err
					}
					require.ErrorIs(t, failed, errCrash)
				}
				days := srv.days() // requests of the last process may still come
				time.Sleep(time.Hour)
				synctest.Wait()
				rate := float64(days) / day.Minutes()
				t.Logf("worst minute %d, 429s %d, asked again %d, %.1f days a minute, %.2f %% of the best provable", srv.worst(), srv.limited, len(again), rate, 100*rate/backfill.Evaluation/srv.best())
				require.Greater(t, rate/backfill.Evaluation/srv.best(), 0.97)
				require.Zero(t, srv.limited)
				require.LessOrEqual(t, srv.worst(), backfill.Evaluation)
				require.Empty(t, again)
			})
		})
	}
}
