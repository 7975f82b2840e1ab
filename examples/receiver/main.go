// Command receiver is the least that production needs to receive what Garmin
// pushes: main.go is all of it, and partner.go stands for your code.
//
//	GARMIN_PATH_SECRET=... go run ./examples/receiver   # endpoint: https://your.host/garmin/<the secret>
package main

import (
	"context"
	"log"
	"log/slog"
	"net/http"
	"os"
	"os/signal"
	"syscall"

	"github.com/garminkit/activityapi/activity/service"
	"github.com/garminkit/activityapi/notify"
	"github.com/garminkit/activityapi/notify/drift"
	"github.com/garminkit/activityapi/notify/spool"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, "inbox", ":8080", os.Getenv("GARMIN_PATH_SECRET")); err != nil {
		log.Fatal(err)
	}
}

func run(ctx context.Context, dir, listen, secret string) error {
	origin, err := notify.PathSecret(secret, "")
	if err != nil {
		return err
	}
	inbox, err := spool.Open(dir, nil)
	if err != nil {
		return err
	}
	svc, err := service.New(inbox, resolve, callbacks(), &service.Options{Handler: &notify.HandlerOptions{Origin: []notify.OriginCheck{origin}}, Drift: drift.New(), Logger: slog.Default()})
	if err != nil {
		return err
	}
	mux := http.NewServeMux()
	mux.Handle("/garmin/", svc.Intake())
	mux.Handle("GET /ready", svc.Ready())
	mux.Handle("GET /live", svc.Live())
	return svc.ListenAndServe(ctx, listen, mux)
}
