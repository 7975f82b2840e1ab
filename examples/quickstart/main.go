// Quickstart shows a whole Garmin integration at work.
//
//	go run ./examples/quickstart
//
// starts a fake Garmin and a receiver on this machine, sends what Garmin sends
// (pushes, pings, a file, an edit, a repeat, a broken item, a changed
// permission, a user who leaves) and prints what became of each item.
//
//	go run ./examples/quickstart -push body.json
//
// also delivers a notification body from disk, such as a recorded one.
//
//	go run ./examples/quickstart -key KEY -secret SECRET -url https://me.example.com
//
// receives from the real Garmin: open the address in a browser to connect a
// user. It listens on this machine alone, for a proxy with a certificate, unless
// -listen says else.
//
//	go run ./examples/fakegarmin -client-id KEY -client-secret SECRET
//	go run ./examples/quickstart -key KEY -secret SECRET -url http://127.0.0.1:8080 -garmin http://127.0.0.1:9000
//
// does the same with a fake Garmin that runs somewhere: -garmin is its address. By
// https, trust its authority with SSL_CERT_FILE.
//
// GARMIN_KEY, GARMIN_SECRET, GARMIN_LISTEN and GARMIN_URL do the same as
// the flags.
package main

import (
	"cmp"
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"

	"github.com/garminkit/activityapi/activity/auth"
	"github.com/garminkit/activityapi/types"
)

func main() {
	push := flag.String("push", "", "deliver the notification body in this `file` too")
	key := flag.String("key", os.Getenv("GARMIN_KEY"), "client id (consumer key) of your Garmin app")
	secret := flag.String("secret", os.Getenv("GARMIN_SECRET"), "its secret")
	listen := flag.String("listen", cmp.Or(os.Getenv("GARMIN_LISTEN"), "127.0.0.1:8080"), "address to receive on, with -key")
	url := flag.String("url", os.Getenv("GARMIN_URL"), "public https address that leads to -listen, with -key")
	garmin := flag.String("garmin", "", "base URL of a fake Garmin to use in place of the real one, with -key")
	dir := flag.String("dir", "", "where notifications, files and tokens are kept (default a directory that is removed at the end; garmin-data with -key)")
	flag.Parse()

	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	var err error
	if *key != "" {
		app := auth.App{ClientID: *key, ClientSecret: types.Secret(*secret)}
		err = live(ctx, os.Stdout, app, *garmin, nil, *listen, *url, cmp.Or(*dir, "garmin-data"))
	} else {
		err = demo(ctx, os.Stdout, *dir, *push)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "quickstart:", err)
		os.Exit(1)
	}
}
