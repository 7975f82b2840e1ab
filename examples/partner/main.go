package main

import (
	"context"
	"errors"
	"flag"
	"log"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/garminkit/activityapi/activity/auth"
	"github.com/garminkit/activityapi/notify"
	"github.com/garminkit/activityapi/types"
)

func main() {
	dir := flag.String("dir", "partner-data", "where everything is kept")
	listen := flag.String("listen", ":8080", "address to listen on")
	url := flag.String("url", "http://localhost:8080", "public https address of this program")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	app := auth.App{ClientID: os.Getenv("GARMIN_KEY"), ClientSecret: types.Secret(os.Getenv("GARMIN_SECRET"))}
	p, err := newPartner(*dir, *url, app, nil)
	if err != nil {
		log.Fatal(err)
	}
	if err := p.serve(ctx, *listen); err != nil {
		log.Fatal(err)
	}
}

// serve listens and works until ctx ends. Requests that are being received are
// answered first, then the work ends.
func (p *partner) serve(ctx context.Context, listen string) error {
	server := notify.NewServer(listen, p.mux)
	working, end := context.WithCancel(context.Background())
	defer end()
	done := make(chan error, 1)
	go func() { done <- p.run(working) }()
	failed := make(chan error, 1)
	go func() { failed <- server.ListenAndServe() }()

	var err error
	select {
	case err = <-failed:
	case <-ctx.Done():
		last, cancel := context.WithTimeout(context.Background(), 30*time.Second)
		defer cancel()
		err = server.Shutdown(last)
	}
	end()
	if errors.Is(err, http.ErrServerClosed) {
		err = nil
	}
	return errors.Join(err, <-done)
}
