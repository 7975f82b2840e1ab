package silence_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/garminkit/activityapi/notify"
	"github.com/garminkit/activityapi/notify/notifytest"
	"github.com/garminkit/activityapi/notify/silence"
	"github.com/garminkit/activityapi/types"
)

// A detector is told of all that comes by a processor, and asked every minute.
func ExampleDetector_Wrap() {
	dir, err := os.MkdirTemp("", "silence")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "silence")
	alarm := func(text string) { fmt.Println(text) }

	d, err := silence.Load(path, nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	inbox := notifytest.NewMemory()
	users := func(_ context.Context, id types.UserID) ([]notify.User, error) {
		return []notify.User{{ID: string(id)}}, nil
	}
	callbacks := notify.Callbacks{
		Save:             func(context.Context, *notify.Delivery, types.Summary) error { return nil },
		Deregistration:   func(context.Context, *notify.Delivery, *notify.Deregistration) error { return nil },
		PermissionChange: func(context.Context, *notify.Delivery, *notify.PermissionChange) error { return nil },
	}

	opts := &notify.ProcessorOptions{Observe: d.Observe}
	processor, err := notify.NewProcessor(inbox, users, d.Wrap(callbacks), opts)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer processor.Close()
	for _, s := range d.Check(time.Now()) {
		alarm(s.String())
	}
	fmt.Println(d.Save(path))
	// Output: <nil>
}

// Users who come every day, and one of them whose token is refused.
func ExampleDetector_Check() {
	d, err := silence.New(&silence.Options{Key: "production"})
	if err != nil {
		fmt.Println(err)
		return
	}
	start := time.Date(2026, 5, 1, 0, 0, 0, 0, time.UTC)
	for minute := 0; minute < 40*24*60; minute += 10 {
		now := start.Add(time.Duration(minute) * time.Minute)
		for user := range 24 {
			broken := user == 7 && minute > 35*24*60
			if broken {
				d.Told("7", "token")
			} else if minute%(24*60) == user*60 {
				d.Arrived(types.KindActivities, types.UserID(fmt.Sprint(user)), now)
			}
		}
		for _, s := range d.Check(now) {
			fmt.Println(now.Format(time.DateOnly), s)
		}
	}
	// Output:
	// 2026-06-05 user 7: nothing since 2026-06-04T07:00:00Z, own interval 8.0 days; Garmin refuses the token: ask the user to connect again
}
