package activitytest_test

import (
	"io"
	"net/http"
	"testing"
	"time"

	"github.com/garminkit/activityapi/activity/activitytest"
	"github.com/garminkit/activityapi/activitytype"
	"github.com/garminkit/activityapi/types"
)

// BenchmarkRoundTrip is the fake's own share in another package's benchmark.
func BenchmarkRoundTrip(b *testing.B) {
	for name, n := range map[string]int{"none": 0, "1000 activities": 1000} {
		b.Run(name, func(b *testing.B) {
			fake := activitytest.NewServer()
			u := fake.AddUser(nil)
			g := activitytest.NewGenerator(1)
			now := time.Now()
			for range n {
				u.Add(g.Activities(activitytype.Running, now)[0])
			}
			r, _ := http.NewRequest("GET", u.CallbackURL(types.KindActivities, types.Window{Start: now.Add(-time.Minute), End: now.Add(time.Hour)}), nil)
			r.Header.Set("Authorization", "Bearer "+u.State().AccessToken)
			b.ReportAllocs()
			for b.Loop() {
				res, err := fake.RoundTrip(r)
				if err != nil || res.StatusCode != 200 {
					b.Fatal(res, err)
				}
				size, _ := io.Copy(io.Discard, res.Body)
				b.SetBytes(size)
			}
		})
	}
}
