package activitytest_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/garminkit/activityapi/activity/activitytest"
	"github.com/garminkit/activityapi/activitytype"
	"github.com/garminkit/activityapi/types"
)

// A user syncs a device; the partner's endpoint fails once and is notified
// again.
func Example() {
	fake := activitytest.NewServer()
	fake.Delivery.FirstRetry = time.Millisecond
	tries := 0
	receiver := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if tries++; tries == 1 {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
	})
	fake.SetEndpoints(activitytest.Endpoint{Handler: receiver, Enabled: true, Push: true})

	user := fake.AddUser(nil)
	user.Add(&types.Activity{SummaryID: "5001", ActivityType: activitytype.Running})

	deliveries, _ := fake.DeliverAll(context.Background())
	for _, d := range deliveries {
		fmt.Println(d.Key, d.Items, d.Attempt, d.Status, d.Acknowledged())
	}
	// Output:
	// activities 1 1 503 false
	// activities 1 2 200 true
}

// The fake is a transport that answers for Garmin's hosts.
func ExampleServer_RoundTrip() {
	fake := activitytest.NewServer()
	user := fake.AddUser(&activitytest.UserOptions{ID: "d3315b1072421d0dd7c8f6b8e1de4df8"})

	client := &http.Client{Transport: fake}
	r, _ := http.NewRequest("GET", "https://apis.garmin.com/wellness-api/rest/user/id", nil)
	r.Header.Set("Authorization", "Bearer "+user.AccessToken())
	res, err := client.Do(r)
	if err != nil {
		panic(err)
	}
	defer res.Body.Close()
	body, _ := io.ReadAll(res.Body)
	fmt.Println(res.StatusCode, string(body))
	// Output: 200 {"userId":"d3315b1072421d0dd7c8f6b8e1de4df8"}
}

func ExampleServer_Fail() {
	fake := activitytest.NewServer()
	fake.FailNext(http.StatusTooManyRequests, `{"errorMessage":"Too many requests"}`, nil)
	fake.Fail(1, activitytest.Fault{Refuse: true})

	client := &http.Client{Transport: fake}
	for range 3 {
		res, err := client.Get("https://apis.garmin.com/wellness-api/rest/user/id")
		if err != nil {
			fmt.Println("broken")
			continue
		}
		res.Body.Close()
		fmt.Println(res.StatusCode)
	}
	// Output:
	// 429
	// broken
	// 401
}
