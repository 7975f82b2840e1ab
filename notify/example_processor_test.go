package notify_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"
	"strings"

	"github.com/garminkit/activityapi/notify"
	"github.com/garminkit/activityapi/notify/notifytest"
	"github.com/garminkit/activityapi/types"
)

// A partner's users by their Garmin id. A *activity.Client goes where fake is.
func exampleUsers(_ context.Context, userID types.UserID) ([]notify.User, error) {
	if userID != "4aacafe8" {
		return nil, notify.ErrUnknownUser
	}
	return []notify.User{{ID: "alice", Client: fake{}}}, nil
}

type fake struct{}

func (fake) Follow(context.Context, types.Kind, types.Secret) iter.Seq2[types.Summary, error] {
	return func(yield func(types.Summary, error) bool) {
		yield(&types.Activity{UserID: "4aacafe8", SummaryID: "5002"}, nil)
	}
}

func (fake) Download(context.Context, types.Secret) (io.ReadCloser, error) {
	return io.NopCloser(strings.NewReader("<gpx></gpx>")), nil
}

func Example() {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	queue := notifytest.NewMemory() // spool.Open in production
	p, err := notify.NewProcessor(queue, exampleUsers, notify.Callbacks{
		Save: func(ctx context.Context, d *notify.Delivery, s types.Summary) error {
			fmt.Println("save for", d.User.ID, s.Kind(), s.ID(), "pulled:", d.Pulled)
			if d.Pulled {
				cancel() // the end of the example
			}
			return nil
		},
		Deregistration: func(ctx context.Context, d *notify.Delivery, e *notify.Deregistration) error {
			fmt.Println("disconnect", d.User.ID)
			return nil
		},
		PermissionChange: func(ctx context.Context, d *notify.Delivery, e *notify.PermissionChange) error {
			fmt.Println(d.User.ID, "allows", e.Permissions)
			return nil
		},
	}, nil)
	if err != nil {
		fmt.Println(err)
		return
	}

	// What notify.NewHandler stores when Garmin calls.
	for _, body := range []string{
		`{"activities":[{"userId":"4aacafe8","summaryId":"5001"}]}`,
		`{"activities":[{"userId":"4aacafe8","callbackURL":"https://apis.garmin.com/wellness-api/rest/activities?token=1"}]}`,
		`{"userPermissionsChange":[{"userId":"4aacafe8","permissions":["ACTIVITY_EXPORT"]}]}`,
		`{"deregistrations":[{"userId":"4aacafe8"}]}`,
	} {
		if err := queue.Put(ctx, strings.NewReader(body)); err != nil {
			fmt.Println(err)
		}
	}
	if err := p.Run(ctx); err != nil {
		fmt.Println(err)
	}
	// What concerns the account does not wait for data.

	// Output:
	// alice allows [ACTIVITY_EXPORT]
	// disconnect alice
	// save for alice activities 5001 pulled: false
	// save for alice activities 5002 pulled: true
}

func ExampleFiles() {
	dir, err := os.MkdirTemp("", "files")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	ctx, cancel := context.WithCancel(context.Background())
	queue := notifytest.NewMemory()
	ignore := func(context.Context, *notify.Delivery, types.Summary) error { return nil }
	p, err := notify.NewProcessor(queue, exampleUsers, notify.Callbacks{
		Save: ignore,
		File: func(ctx context.Context, d *notify.Delivery, f *notify.File) error {
			data, err := os.ReadFile(f.Path)
			fmt.Printf("%s has %s: %s\n", d.User.ID, f.Name, data)
			cancel()
			return err
		},
		Deregistration:   func(context.Context, *notify.Delivery, *notify.Deregistration) error { return nil },
		PermissionChange: func(context.Context, *notify.Delivery, *notify.PermissionChange) error { return nil },
	}, &notify.ProcessorOptions{
		Files: &notify.Files{
			Dir: dir,
			Name: func(f *types.ActivityFile) string {
				return string(f.UserID) + "/" + string(f.SummaryID.Stem()) + ".gpx"
			},
		},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	queue.Put(ctx, strings.NewReader(`{"activityFiles":[{"userId":"4aacafe8","summaryId":"5001-file","fileType":"GPX",
		"callbackURL":"https://apis.garmin.com/wellness-api/rest/activityFile?id=1&token=1"}]}`))
	fmt.Println(p.Run(ctx))
	// Output:
	// alice has 4aacafe8/5001.gpx: <gpx></gpx>
	// <nil>
}

// A letter is looked at, the cause mended, and the item driven again.
func ExampleQueue() {
	queue := notifytest.NewMemory()
	fixed := false
	process := func(until notify.Result) {
		ctx, cancel := context.WithCancel(context.Background())
		defer cancel()
		p, err := notify.NewProcessor(queue, exampleUsers, notify.Callbacks{
			Save: func(_ context.Context, _ *notify.Delivery, s types.Summary) error {
				if !fixed {
					return notify.Permanent(errors.New("no column for this"))
				}
				fmt.Println("saved", s.ID())
				return nil
			},
			Deregistration:   func(context.Context, *notify.Delivery, *notify.Deregistration) error { return nil },
			PermissionChange: func(context.Context, *notify.Delivery, *notify.PermissionChange) error { return nil },
		}, &notify.ProcessorOptions{
			Observe: func(o notify.Outcome) {
				if o.Result == until {
					cancel()
				}
			},
		})
		if err != nil {
			fmt.Println(err)
			return
		}
		p.Run(ctx)
	}

	ctx := context.Background()
	queue.Put(ctx, strings.NewReader(`{"activities":[{"userId":"4aacafe8","summaryId":"5001"}]}`))
	process(notify.ResultBuried)
	fixed = true
	for letter, err := range queue.Letters(ctx, nil) {
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Println(letter.Key, letter.Reason)
		fmt.Println(queue.Redrive(ctx, letter.ID))
	}
	process(notify.ResultDone)
	// Output:
	// activities no column for this
	// <nil>
	// saved 5001
}

// A callback that knows that another attempt is pointless says so.
func ExamplePermanent() {
	save := func(_ context.Context, _ *notify.Delivery, s types.Summary) error {
		if types.Start(s).IsZero() {
			return notify.Permanent(errors.New("an activity without a start"))
		}
		return nil
	}
	fmt.Println(save(context.Background(), nil, &types.Activity{}))
	// Output: an activity without a start
}
