package readme_test

import (
	"context"
	"fmt"
	"log"
	"net/http"
	"os"
	"time"

	"golang.org/x/oauth2"

	"github.com/garminkit/activityapi/activity"
	"github.com/garminkit/activityapi/activity/activitytest"
	"github.com/garminkit/activityapi/activitytype"
	"github.com/garminkit/activityapi/notify"
	"github.com/garminkit/activityapi/notify/spool"
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
	tokens := oauth2.StaticTokenSource(&oauth2.Token{AccessToken: user.AccessToken()})
	pullToken := types.Secret(user.PullToken())
	ctx, today := context.Background(), time.Now().UTC().Truncate(24*time.Hour)

	client, err := activity.NewClient(activity.OAuth2{Source: tokens}, opts)
	if err != nil {
		log.Fatal(err)
	}
	defer client.Close()
	uploaded := types.Window{Start: today, End: today.Add(24 * time.Hour)}
	for a, err := range client.Activities(ctx, uploaded, &activity.PullOptions{Token: pullToken}) {
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(a.ActivityType.Name(), "at", a.LocalStart(), "for", a.Duration())
		if a.DistanceInMeters != nil {
			fmt.Println(*a.DistanceInMeters, "m")
		}
	}
	// Output:
	// Trail Running at 2026-01-02 09:00:00 +0100 +0100 for 45m12s
	// 8046 m
}

// database is the partner's.
type database struct{ done chan string }

func (db *database) upsert(_ context.Context, user string, kind types.Kind, id types.ID, _ types.Summary, key string) error {
	db.done <- fmt.Sprintf("%s: %s %s", user, kind, id)
	return nil
}

func (db *database) disconnect(_ context.Context, user string) error {
	db.done <- user + " has left"
	return nil
}

func (db *database) permit(_ context.Context, user string, p []types.Permission) error {
	db.done <- fmt.Sprint(user, " grants ", p)
	return nil
}

func Example_receiver() {
	dir, err := os.MkdirTemp("", "inbox")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	db := &database{make(chan string, 10)}
	mux := http.NewServeMux()
	ctx, stop := context.WithCancel(context.Background())
	fake := activitytest.NewServer()
	ann := fake.AddUser(nil)
	users := notify.ResolverFunc(func(_ context.Context, garminID string) ([]notify.User, error) {
		if garminID != ann.ID() {
			return nil, nil
		}
		return []notify.User{{ID: "ann"}}, nil
	})

	inbox, err := spool.Open(dir, nil)
	if err != nil {
		log.Fatal(err)
	}
	processor, err := notify.NewProcessor(inbox, users, notify.Callbacks{
		// Pushed or pulled, new or edited: every summary comes here. An edit has
		// the same id and another key; a repeat has the same key.
		Save: func(ctx context.Context, d *notify.Delivery, s types.Summary) error {
			return db.upsert(ctx, d.User.ID, s.Kind(), s.ID(), s, d.Key)
		},
		Deregistration: func(ctx context.Context, d *notify.Delivery, _ *notify.Deregistration) error {
			return db.disconnect(ctx, d.User.ID)
		},
		PermissionChange: func(ctx context.Context, d *notify.Delivery, e *notify.PermissionChange) error {
			return db.permit(ctx, d.User.ID, e.Permissions)
		},
	}, nil)
	if err != nil {
		log.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- processor.Run(ctx) }()
	mux.Handle("/garmin", notify.NewHandler(inbox, nil)) // 200 once the body is on disk

	fake.SetEndpoints(activitytest.Endpoint{Handler: mux, URL: "https://partner.example/garmin", Enabled: true, Push: true})
	ann.Add(run())
	fake.Deliver(ctx)
	fmt.Println(<-db.done)
	ann.SetPermissions(types.PermissionActivityExport)
	fake.Deliver(ctx)
	fmt.Println(<-db.done)
	ann.Deregister()
	fake.Deliver(ctx)
	fmt.Println(<-db.done)
	stop()
	if err := <-done; err != nil {
		log.Fatal(err)
	}
	inbox.Close()
	// Output:
	// ann: activities 5001
	// ann grants [ACTIVITY_EXPORT]
	// ann has left
}
