package notify_test

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"time"

	"github.com/garminkit/activityapi/notify"
	"github.com/garminkit/activityapi/notify/spool"
	"github.com/garminkit/activityapi/types"
)

func save(_ context.Context, d *notify.Delivery, s types.Summary) error {
	fmt.Println(d.User.ID, "has", s.Kind(), s.ID())
	return nil
}

func forget(_ context.Context, d *notify.Delivery, _ *notify.Deregistration) error {
	fmt.Println(d.User.ID, "has left")
	return nil
}

func permit(_ context.Context, d *notify.Delivery, e *notify.PermissionChange) error {
	fmt.Println(d.User.ID, "allows", e.Permissions)
	return nil
}

// receive is what a receiver does from its start to its end.
func receive(ctx context.Context, dir string, mux *http.ServeMux, users notify.Resolver) error {
	inbox, err := spool.Open(dir, nil)
	if err != nil {
		return err
	}
	defer inbox.Close()
	mux.Handle("/garmin", notify.NewHandler(inbox.Put, nil))

	processor, err := notify.NewProcessor(inbox, users, notify.Callbacks{
		Save:             save,
		Deregistration:   forget,
		PermissionChange: permit,
	}, nil)
	if err != nil {
		return err
	}
	return processor.Run(ctx)
}

// The whole of a receiver, with a store on disk.
func Example_receiver() {
	dir, err := os.MkdirTemp("", "inbox")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	ctx, cancel := context.WithTimeout(context.Background(), time.Millisecond)
	defer cancel()
	fmt.Println(receive(ctx, dir, http.NewServeMux(), exampleUsers))
	// Output: <nil>
}
