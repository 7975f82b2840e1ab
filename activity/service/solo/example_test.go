package solo_test

import (
	"context"
	"fmt"
	"net/http"
	"os"

	"github.com/garminkit/activityapi/activity/auth"
	"github.com/garminkit/activityapi/activity/service/solo"
	"github.com/garminkit/activityapi/types"
)

// serve is a whole program; the package comment shows it.
func serve(ctx context.Context, accounts solo.Accounts, app auth.App, secret types.Secret, session func(*http.Request) (string, error)) error {
	p, err := solo.Open("data", accounts, &solo.Options{
		URL: "https://me.example.com", App: app, PathSecret: secret, Session: session,
	})
	if err != nil {
		return err
	}
	return p.Service.ListenAndServe(ctx, ":8080", p.Handler)
}

var _ = serve

// A program that receives, until it is told to stop.
func ExampleOpen() {
	dir, err := os.MkdirTemp("", "solo")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	opts := &solo.Options{
		URL:        "https://me.example.com",
		App:        auth.App{ClientID: "0b5f1c2e", ClientSecret: "from the environment"},
		PathSecret: "SwzjQnXW8mW1rCG4",
		Session:    func(r *http.Request) (string, error) { return r.Header.Get("X-Account"), nil },
	}
	opts.Service.ReadyDelay = -1
	p, err := solo.Open(dir, newAccounts(), opts)
	if err != nil {
		fmt.Println(err)
		return
	}
	ctx, stop := context.WithCancel(context.Background()) // signal.NotifyContext in a program
	stop()
	fmt.Println(p.Service.ListenAndServe(ctx, "127.0.0.1:0", p.Handler))
	// Output: <nil>
}
