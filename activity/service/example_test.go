package service_test

import (
	"context"
	"fmt"
	"net/http"
	"os"

	"github.com/garminkit/activityapi/activity/auth"
	"github.com/garminkit/activityapi/activity/service"
	"github.com/garminkit/activityapi/notify"
	"github.com/garminkit/activityapi/notify/spool"
)

// serve is the whole life of a program.
func serve(ctx context.Context, dir string, users *auth.Users, resolver notify.Resolver, callbacks notify.Callbacks) error {
	mux := http.NewServeMux()
	inbox, err := spool.Open(dir, nil)
	if err != nil {
		return err
	}

	svc, err := service.New(inbox, resolver, callbacks, &service.Options{Tokens: users})
	if err != nil {
		return err
	}
	mux.Handle("/garmin", svc.Intake())
	mux.Handle("GET /ready", svc.Ready())
	mux.Handle("GET /live", svc.Live())
	return svc.ListenAndServe(ctx, ":8080", mux)
}

// A program that receives, until it is told to stop.
func ExampleNew() {
	dir, err := os.MkdirTemp("", "inbox")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	inbox, err := spool.Open(dir, nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	svc, err := service.New(inbox, everybody, callbacks(), &service.Options{ReadyDelay: -1})
	if err != nil {
		fmt.Println(err)
		return
	}
	ctx, stop := context.WithCancel(context.Background()) // signal.NotifyContext in a program
	stop()
	fmt.Println(svc.ListenAndServe(ctx, "127.0.0.1:0", http.NotFoundHandler()))
	// Output: <nil>
}

var _ = serve // it is shown in the package comment
