package backfill_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/garminkit/activityapi/backfill"
	"github.com/garminkit/activityapi/types"
	"github.com/stretchr/testify/require"
)

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

func TestRunFiveYears(t *testing.T) {
	for _, l := range latencies {
		t.Run(l.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				srv := newServer(1, l.latency)
				srv.budget = backfill.Evaluation
				w := types.Window{Start: date("2020-11-23"), End: date("2025-11-23")}
				user := &backfill.User{ID: "u", Requester: srv.client("u"), Window: w}
				ledger := backfill.NewLedger()
				start := time.Now()
				for p, err := range backfill.Run(t.Context(), user, backfill.NewLimiter(backfill.Evaluation), ledger, nil) {
					require.NoError(t, err)
					require.Equal(t, backfill.Accepted, p.Chunk.State)
				}
				require.Zero(t, srv.limited)
				require.LessOrEqual(t, srv.worst(), backfill.Evaluation)
				t.Logf("%s: %d days, worst minute %d, rate %.2f, best %.2f", time.Since(start), w.Duration()/24/time.Hour*3, srv.worst(), srv.rate(start), 100*srv.best())
			})
		})
	}
}
