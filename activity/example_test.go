package activity_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"golang.org/x/oauth2"

	"github.com/garminkit/activityapi/activity"
	"github.com/garminkit/activityapi/activity/activitytest"
	"github.com/garminkit/activityapi/activitytype"
	"github.com/garminkit/activityapi/types"
)

// exampleUser returns a fake Garmin with a user who has run today.
func exampleUser() (*activitytest.Server, *activitytest.User) {
	fake := activitytest.NewServer()
	user := fake.AddUser(&activitytest.UserOptions{ID: "user-1"})
	start := types.NewTimestamp(time.Now().Add(-time.Hour).Truncate(time.Second))
	user.Add(
		&types.Activity{SummaryID: "1", ActivityType: activitytype.Running, StartTimeInSeconds: start, DurationInSeconds: 1800, DistanceInMeters: new(5000.0)},
		&types.ManualActivity{SummaryID: "2", ActivityType: activitytype.Yoga, StartTimeInSeconds: start, DurationInSeconds: 600},
		&types.ActivityDetails{SummaryID: "1-detail", Samples: []types.Sample{{StartTimeInSeconds: start, HeartRate: new(141)}}},
		&types.MoveIQ{SummaryID: "3", ActivityType: "Running", StartTimeInSeconds: start},
	)
	user.AddFile(types.ActivityFile{SummaryID: "1-file"}, []byte("a FIT file"))
	return fake, user
}

func exampleClient() (*activity.Client, *activitytest.User) {
	fake, user := exampleUser()
	tokens := oauth2.StaticTokenSource(&oauth2.Token{AccessToken: user.State().AccessToken})
	pool, err := activity.NewPool(&activity.Options{Transport: fake})
	if err != nil {
		panic(err)
	}
	client, err := pool.Client(activity.OAuth2(tokens))
	if err != nil {
		panic(err)
	}
	return client, user
}

// pull pulls what a ping announces.
func pull(ctx context.Context, tokens oauth2.TokenSource, callbackURL types.Secret, opts *activity.Options) error {
	pool, err := activity.NewPool(opts) // one for the application
	if err != nil {
		return err
	}
	defer pool.Close()
	client, err := pool.Client(activity.OAuth2(tokens)) // one for each user
	if err != nil {
		return err
	}
	for summary, err := range client.Follow(ctx, types.KindActivities, callbackURL) {
		if err != nil {
			return err
		}
		fmt.Println(summary.Kind(), summary.ID())
	}
	return nil
}

func Example() {
	fake, user := exampleUser()
	tokens := oauth2.StaticTokenSource(&oauth2.Token{AccessToken: user.State().AccessToken})
	callbackURL := types.Secret(user.CallbackURL(types.KindActivities, lastHour()))
	err := pull(context.Background(), tokens, callbackURL, &activity.Options{Transport: fake})
	fmt.Println(err)
	// Output:
	// activities 1
	// <nil>
}

func ExamplePool_Client() {
	pool, err := activity.NewPool(nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer pool.Close()
	tokens := oauth2.StaticTokenSource(&oauth2.Token{AccessToken: "token"})
	client, err := pool.Client(activity.OAuth2(tokens))
	fmt.Println(client != nil, err)
	// Output:
	// true <nil>
}

func ExampleNewPool() {
	pool, err := activity.NewPool(&activity.Options{MaxRetries: 5, UserAgent: "example.com/1.0"})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer pool.Close()
	for _, token := range []string{"anna's", "ben's"} {
		tokens := oauth2.StaticTokenSource(&oauth2.Token{AccessToken: token})
		client, err := pool.Client(activity.OAuth2(tokens))
		fmt.Println(client != nil, err)
	}
	// Output:
	// true <nil>
	// true <nil>
}

func ExampleClient_Activities() {
	client, user := exampleClient()
	for a, err := range client.Activities(context.Background(), lastHour(), &activity.PullOptions{Token: types.Secret(user.State().PullToken)}) {
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Println(a.ActivityType, types.Duration(a), *a.DistanceInMeters)
	}
	// Output:
	// RUNNING 30m0s 5000
}

func ExampleClient_ManualActivities() {
	client, user := exampleClient()
	for a, err := range client.ManualActivities(context.Background(), lastHour(), &activity.PullOptions{Token: types.Secret(user.State().PullToken)}) {
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Println(a.ActivityType, types.Duration(a))
	}
	// Output:
	// YOGA 10m0s
}

// A long activity need not be held as a whole.
func ExampleClient_Details() {
	client, user := exampleClient()
	opts := &activity.PullOptions{
		Token: types.Secret(user.State().PullToken),
		Sample: func(index int, s *types.Sample) error {
			fmt.Println("sample", index, "heart rate", *s.HeartRate)
			return nil
		},
	}
	for d, err := range client.Details(context.Background(), lastHour(), opts) {
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Println(d.SummaryID, "belongs to", d.SummaryID.Stem())
	}
	// Output:
	// sample 0 heart rate 141
	// 1-detail belongs to 1
}

func ExampleClient_MoveIQ() {
	client, user := exampleClient()
	for m, err := range client.MoveIQ(context.Background(), lastHour(), &activity.PullOptions{Token: types.Secret(user.State().PullToken)}) {
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Println(m.ActivityType)
	}
	// Output:
	// Running
}

// Anybody may have sent a ping: what it names is checked, and never dialled.
func ExampleClient_Follow() {
	client, _ := exampleClient()
	for _, err := range client.Follow(context.Background(), types.KindActivities, "https://evil.example/wellness-api/rest/activities?token=x") {
		fmt.Println(err)
		fmt.Println(errors.Is(err, activity.ErrCallback))
	}
	// Output:
	// activity: Follow: callback URL refused: its host is "evil.example", not "apis.garmin.com"; see Options.BaseURL and CallbackHosts
	// true
}

func ExampleClient_Download() {
	ctx := context.Background()
	client, user := exampleClient()
	callback := types.Secret(user.FileURL("1-file"))

	file, err := client.Download(ctx, callback)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer file.Close()
	n, err := io.Copy(os.Stdout, file)
	fmt.Println()
	fmt.Println(n, err)

	// Garmin gives a file out once.
	_, err = client.Download(ctx, callback)
	fmt.Println(errors.Is(err, activity.ErrGone))
	// Output:
	// a FIT file
	// 10 <nil>
	// true
}

func ExampleClient_Backfill() {
	ctx := context.Background()
	client, user := exampleClient()
	today := time.Now().UTC().Truncate(24 * time.Hour)
	week := types.Window{Start: today.AddDate(0, 0, -7), End: today}

	fmt.Println("accepted:", client.Backfill(ctx, types.KindActivities, week) == nil)
	err := client.Backfill(ctx, types.KindActivities, week)
	fmt.Println("again:", errors.Is(err, activity.ErrDuplicate))

	user.SetPermissions(types.PermissionActivityExport)
	err = client.Backfill(ctx, types.KindMoveIQ, week)
	if e, ok := errors.AsType[*activity.Error](err); ok {
		fmt.Println("missing:", e.Permission)
	}
	// Output:
	// accepted: true
	// again: true
	// missing: HISTORICAL_DATA_EXPORT
}

func ExampleClient_UserID() {
	client, _ := exampleClient()
	fmt.Println(client.UserID(context.Background()))
	// Output:
	// user-1 <nil>
}

func ExampleClient_Permissions() {
	client, user := exampleClient()
	user.SetPermissions(types.PermissionActivityExport)
	fmt.Println(client.Permissions(context.Background()))
	// Output:
	// [ACTIVITY_EXPORT] <nil>
}

func ExampleClient_Deregister() {
	client, user := exampleClient()
	fmt.Println(client.Deregister(context.Background()), user.State().Connected)
	// Output:
	// <nil> false
}

func ExampleError() {
	fake, user := exampleUser()
	tokens := oauth2.StaticTokenSource(&oauth2.Token{AccessToken: user.State().AccessToken})
	pool, err := activity.NewPool(&activity.Options{Transport: fake, MaxRetries: -1})
	if err != nil {
		fmt.Println(err)
		return
	}
	client, err := pool.Client(activity.OAuth2(tokens))
	if err != nil {
		fmt.Println(err)
		return
	}
	fake.SetFaults(activitytest.Fault{Status: 429, Body: `{"errorMessage":"Too many requests"}`, Header: map[string][]string{"Retry-After": {"30"}}})
	_, err = client.UserID(context.Background())

	fmt.Println(err)
	if e, ok := errors.AsType[*activity.Error](err); ok {
		fmt.Println(e.StatusCode, errors.Is(err, activity.ErrRateLimited), e.Fault(), e.RetryAfter())
	}
	// Output:
	// activity: UserID: 429 Too Many Requests: rate limited: Too many requests
	// 429 true garmin 30s
}
