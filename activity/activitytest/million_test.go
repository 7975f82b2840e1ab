package activitytest_test

import (
	"net/http"
	"os"
	"runtime"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/garminkit/activityapi/activity/activitytest"
	"github.com/garminkit/activityapi/notify"
	"github.com/garminkit/activityapi/types"
)

// TestMillion generates activities for many users and delivers them to a
// handler that reads every item. Set ACTIVITYTEST_MILLION=1 for a million
// activities of 10,000 users; the short form has a hundredth of both.
func TestMillion(t *testing.T) {
	users, each := 100, 100
	if os.Getenv("ACTIVITYTEST_MILLION") != "" {
		users = 10_000
	}
	fake := activitytest.NewServer()
	var items, bytes int
	byUser := make(map[types.UserID]int)
	fake.SetEndpoints(activitytest.Endpoint{Enabled: true, Push: true, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		bytes += int(r.ContentLength)
		for e, err := range new(notify.Decoder).Decode(r.Body) {
			if err != nil {
				break
			}
			if _, ok := e.Data.(*notify.Push); ok {
				items++
				byUser[e.UserID]++
			}
		}
	})})
	g := activitytest.NewGenerator(1)
	start := time.Now()
	for range users {
		u := fake.AddUser(nil)
		for n := 0; n < each; {
			for _, a := range g.Activities("", start.Add(time.Duration(-n)*time.Hour)) {
				if n++; n <= each {
					u.Add(a)
				}
			}
		}
	}
	generated := time.Since(start)
	start = time.Now()
	_, err := fake.DeliverAll(t.Context())
	require.NoError(t, err)
	delivered := time.Since(start)
	require.Equal(t, users*each, items)
	require.Len(t, byUser, users)
	for id, n := range byUser {
		require.Equal(t, each, n, id)
	}
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	rate := func(d time.Duration) float64 { return float64(items) / d.Seconds() }
	t.Logf("%d activities of %d users: generated in %.1f s (%.0f/s), delivered and read in %.1f s (%.0f/s, %.0f MB of bodies), heap %d MB",
		items, users, generated.Seconds(), rate(generated), delivered.Seconds(), rate(delivered), float64(bytes)/1e6, m.HeapInuse>>20)
}
