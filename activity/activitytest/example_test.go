package activitytest_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/garminkit/activityapi/activity/activitytest"
	"github.com/garminkit/activityapi/activitytype"
	"github.com/garminkit/activityapi/types"
)

// A user syncs a device; the partner's endpoint fails once and is notified
// again.
func Example() {
	fake := activitytest.NewServer()
	fake.DeliveryFirstRetry = time.Millisecond
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
		fmt.Println(d.Key, d.Items, d.Attempt, d.Status, d.Acknowledged)
	}
	// Output:
	// activities 1 1 503 false
	// activities 1 2 200 true
}

func ExampleServer_Deliver() {
	ctx := context.Background()
	receiver := http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})

	fake := activitytest.NewServer()
	user := fake.AddUser(nil)
	fake.SetEndpoints(activitytest.Endpoint{Handler: receiver, Enabled: true, Push: true})

	user.Add(&types.Activity{ActivityType: activitytype.Running})
	for _, d := range fake.Deliver(ctx) {
		fmt.Println(d.Key, d.Items, d.Status)
	}
	// Output: activities 1 200
}

// The fake is a transport that answers for Garmin's hosts.
func ExampleServer_RoundTrip() {
	fake := activitytest.NewServer()
	user := fake.AddUser(&activitytest.UserOptions{ID: "d3315b1072421d0dd7c8f6b8e1de4df8"})

	client := &http.Client{Transport: fake}
	r, _ := http.NewRequest("GET", "https://apis.garmin.com/wellness-api/rest/user/id", nil)
	r.Header.Set("Authorization", "Bearer "+user.State().AccessToken)
	res, err := client.Do(r)
	if err != nil {
		panic(err)
	}
	defer res.Body.Close()
	body, _ := io.ReadAll(res.Body)
	fmt.Println(res.StatusCode, string(body))
	// Output: 200 {"userId":"d3315b1072421d0dd7c8f6b8e1de4df8"}
}

func ExampleServer_SetFaults() {
	fake := activitytest.NewServer()
	fake.SetFaults(
		activitytest.Fault{Status: http.StatusTooManyRequests, Body: `{"errorMessage":"Too many requests"}`},
		activitytest.Fault{Refuse: true})

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

// What stands in front of the API may answer in its place.
func ExampleServer_Use() {
	fake := activitytest.NewServer()
	fake.Use(func(api http.Handler) http.Handler {
		mux := http.NewServeMux()
		mux.HandleFunc("GET /wellness-api/rest/user/id", func(w http.ResponseWriter, r *http.Request) {
			io.WriteString(w, `{"userId":"d3315b10"}`)
		})
		mux.Handle("/", api)
		return mux
	})
	r, _ := http.NewRequest("GET", "https://apis.garmin.com/wellness-api/rest/user/id", nil)
	res, err := fake.RoundTrip(r)
	if err != nil {
		panic(err)
	}
	io.Copy(os.Stdout, res.Body)
	// Output: {"userId":"d3315b10"}
}

// A user agrees on Garmin's consent page and is sent back with a code.
func ExampleServer_Consent() {
	fake := activitytest.NewServer()
	fake.ClientID = "my-client-id"
	fake.RedirectURL = "https://partner.example/back"
	user := fake.AddUser(&activitytest.UserOptions{NotConnected: true})

	authorize := "https://connect.garmin.com/oauth2Confirm?response_type=code&client_id=my-client-id" +
		"&code_challenge=E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM&code_challenge_method=S256&state=s1"
	redirect, err := fake.Consent(authorize, user)
	if err != nil {
		panic(err)
	}
	u, _ := url.Parse(redirect)
	fmt.Println(u.Host, u.Path, u.Query().Get("state"), u.Query().Has("code"))

	redirect, _ = fake.Consent(authorize, nil)
	fmt.Println(redirect)
	// Output:
	// partner.example /back s1 true
	// https://partner.example/back?error=access_denied&state=s1
}

// History comes by backfill only, and only once.
func ExampleUser_AddHistory() {
	fake := activitytest.NewServer()
	fake.SetEndpoints(activitytest.Endpoint{Handler: http.NotFoundHandler(), Enabled: true, Push: true})
	user := fake.AddUser(nil)
	now := time.Now()
	user.AddHistory(&types.Activity{StartTimeInSeconds: types.NewTimestamp(now.AddDate(0, 0, -10))})
	fmt.Println(fake.State().Pending)

	week := types.Window{Start: now.AddDate(0, 0, -14), End: now.AddDate(0, 0, -7)}
	fmt.Println(user.Backfill(types.KindActivities, week))
	fmt.Println(fake.State().Pending)
	err := user.Backfill(types.KindActivities, week)
	fmt.Println(strings.Contains(err.Error(), "409"))
	// Output:
	// 0
	// <nil>
	// 1
	// true
}

// Data made up by a generator is the same for the same seed.
func ExampleGenerator() {
	g := activitytest.NewGenerator(1)
	start := time.Date(2026, 5, 1, 7, 30, 0, 0, time.UTC)
	run := g.Activities(activitytype.Running, start)[0]
	details := g.Details(run)
	file, content := g.File("FIT", details)
	fmt.Println(run.ActivityType.Group(), types.Start(run))
	fmt.Println(details.SummaryID == run.SummaryID+"-detail", len(details.Samples) > 100)
	fmt.Println(file.FileType, string(content[8:12]))
	fmt.Println(len(g.Activities(activitytype.MultiSport, start)))
	// Output:
	// Running 2026-05-01 07:30:00 +0000 UTC
	// true true
	// FIT .FIT
	// 6
}

// With quirks on, the server sends what real traffic has been seen to hold.
func ExampleServer_SetQuirks() {
	fake := activitytest.NewServer()
	fake.SetQuirks(1, "empty-item", "integers-as-floats")
	fake.SetEndpoints(activitytest.Endpoint{Enabled: true, Push: true,
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			io.Copy(os.Stdout, r.Body)
			fmt.Println()
		})})
	user := fake.AddUser(&activitytest.UserOptions{ID: "u1"})
	user.Add(&types.MoveIQ{SummaryID: "x1", StartTimeInSeconds: 1452384000, DurationInSeconds: 738})
	fake.Deliver(context.Background())
	// Output:
	// {"moveIQActivities":[{},{"durationInSeconds":738.0,"offsetInSeconds":0.0,"startTimeInSeconds":1452384000.0,"summaryId":"x1","userId":"u1"}]}
}

// A body of one's own making, for an endpoint that the server does not know.
func ExampleItem() {
	fake := activitytest.NewServer()
	run := &types.Activity{SummaryID: "5001", ActivityType: activitytype.Running}
	body := fmt.Sprintf(`{"activities":[%s]}`, activitytest.Item(run))
	receiver := http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { io.Copy(os.Stdout, r.Body) })
	_, err := fake.Post(context.Background(), activitytest.Endpoint{Handler: receiver}, strings.NewReader(body), int64(len(body)))
	if err != nil {
		panic(err)
	}
	// Output: {"activities":[{"summaryId":"5001","activityType":"RUNNING","startTimeInSeconds":0,"startTimeOffsetInSeconds":0,"durationInSeconds":0}]}
}

func ExampleUser_CallbackURL() {
	fake := activitytest.NewServer()
	fake.NoPullTokens = true
	user := fake.AddUser(nil)
	w := types.Window{Start: time.Unix(1444937651, 0), End: time.Unix(1444937902, 0)}
	fmt.Println(user.CallbackURL(types.KindActivities, w))
	// Output: https://apis.garmin.com/wellness-api/rest/activities?uploadStartTimeInSeconds=1444937651&uploadEndTimeInSeconds=1444937902
}
