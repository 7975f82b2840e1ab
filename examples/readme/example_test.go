package readme_test

import (
	"context"
	"fmt"
	"log"
	"time"

	"golang.org/x/oauth2"

	"github.com/garminkit/activityapi/activity"
	"github.com/garminkit/activityapi/activity/activitytest"
	"github.com/garminkit/activityapi/activitytype"
	"github.com/garminkit/activityapi/types"
)

// run is what the user's watch has recorded.
func run() *types.Activity {
	start := time.Date(2026, 1, 2, 8, 0, 0, 0, time.UTC)
	return &types.Activity{
		SummaryID: "5001", ActivityType: activitytype.TrailRunning, DistanceInMeters: new(8046.0),
		StartTimeInSeconds: types.NewTimestamp(start), StartTimeOffsetInSeconds: 3600, DurationInSeconds: 2712,
	}
}

func Example_pull() {
	fake := activitytest.NewServer()
	user := fake.AddUser(nil)
	user.Add(run())
	opts := &activity.Options{Transport: fake}
	tokens := oauth2.StaticTokenSource(&oauth2.Token{AccessToken: user.State().AccessToken})
	pullToken := types.Secret(user.State().PullToken)
	ctx, today := context.Background(), time.Now().UTC().Truncate(24*time.Hour)

	pool, err := activity.NewPool(opts)
	if err != nil {
		log.Fatal(err)
	}
	defer pool.Close()
	client, err := pool.Client(activity.OAuth2(tokens))
	if err != nil {
		log.Fatal(err)
	}
	uploaded := types.Window{Start: today, End: today.Add(24 * time.Hour)}
	for a, err := range client.Activities(ctx, uploaded, &activity.PullOptions{Token: pullToken}) {
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(a.ActivityType.Name(), "at", types.LocalStart(a), "for", types.Duration(a))
		if a.DistanceInMeters != nil {
			fmt.Println(*a.DistanceInMeters, "m")
		}
	}
	// Output:
	// Trail Running at 2026-01-02 09:00:00 +0100 +0100 for 45m12s
	// 8046 m
}
