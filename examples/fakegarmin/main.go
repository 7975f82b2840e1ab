// Fakegarmin is a Garmin for development: the Activity API, its notifications,
// its OAuth servers and its web tools, in one program.
//
//	go run ./examples/fakegarmin -listen 127.0.0.1:9000
//
// Open http://127.0.0.1:9000/ to add users, point endpoints at your receiver
// and press the tools' buttons. In your client, use http://127.0.0.1:9000 in
// place of https://apis.garmin.com, https://connect.garmin.com and
// https://diauth.garmin.com. The page uses the control API below /control/,
// which programs in any language can use as well.
//
// It starts with -users N users, each with a month of history, which is the same
// for the same -seed.
//
// -scenario FILE carries out a list of calls of the control API:
//
//	[
//	  {"method": "POST", "path": "/users", "body": {"id": "alice"}},
//	  {"method": "PUT", "path": "/endpoints/all", "body": {"url": "http://127.0.0.1:8080/", "enabled": true}},
//	  {"after": "2s", "method": "POST", "path": "/users/alice/sync", "body": {"sport": "triathlon"}}
//	]
//
// triathlon.json beside this file is a longer one.
//
// Everyone who can reach the address sees all tokens: keep it on this machine.
package main

import (
	"cmp"
	"context"
	_ "embed"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/signal"
	"time"

	"github.com/garminkit/activityapi/activity/activitytest"
	"github.com/garminkit/activityapi/types"
)

func main() {
	listen := flag.String("listen", "127.0.0.1:9000", "`address` to listen on")
	url := flag.String("url", "", "base URL under which the address is known (default http:// and the address)")
	users := flag.Int("users", 2, "start with this many users, each with a month of history")
	seed := flag.Uint64("seed", 1, "the same seed gives the same history")
	scenario := flag.String("scenario", "", "carry out the calls in this `file`")
	id := flag.String("client-id", "", "the partner's client id (default made up)")
	secret := flag.String("client-secret", "", "its secret")
	redirect := flag.String("redirect", "", "the partner's redirect URL, as preset in the portal")
	flag.Parse()

	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	g := newGarmin(*users, *seed)
	g.ClientID, g.ClientSecret = cmp.Or(*id, g.ClientID), cmp.Or(*secret, g.ClientSecret)
	g.RedirectURL = *redirect
	if err := run(ctx, g, *listen, *url, *scenario, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "fakegarmin:", err)
		os.Exit(1)
	}
}

// newGarmin returns a fake with users who have a history.
func newGarmin(users int, seed uint64) *activitytest.Server {
	g := activitytest.NewServer()
	g.CallbackConfirmed = true
	now := time.Now()
	for i := range users {
		u := g.AddUser(nil)
		u.FillHistory(activitytest.NewGenerator(seed+uint64(i)), types.Window{Start: now.AddDate(0, -1, 0), End: now})
	}
	return g
}

// run serves until ctx ends.
func run(ctx context.Context, g *activitytest.Server, listen, url, scenario string, out io.Writer) error {
	var calls []call
	if scenario != "" {
		var err error
		if calls, err = readScenario(scenario); err != nil {
			return err
		}
	}
	l, err := net.Listen("tcp", listen)
	if err != nil {
		return err
	}
	g.BaseURL = cmp.Or(url, "http://"+l.Addr().String())
	srv := &http.Server{Handler: handler(g), ReadHeaderTimeout: 10 * time.Second}
	fmt.Fprintf(out, "fake Garmin on %s\nclient id     %s\nclient secret %s\n", g.BaseURL, g.ClientID, g.ClientSecret)

	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	failed := make(chan error, 3)
	go func() { failed <- srv.Serve(l) }()
	go func() { failed <- g.Run(ctx) }()
	if calls != nil {
		go func() {
			if err := play(ctx, "http://"+l.Addr().String()+"/control", calls, out); err != nil {
				failed <- err
			}
		}()
	}
	err = <-failed
	srv.Close()
	if errors.Is(err, context.Canceled) {
		return nil
	}
	return err
}

//go:embed page.html
var page []byte

// handler serves the page and the control API beside the fake.
func handler(g *activitytest.Server) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("/", g)
	mux.Handle("/control/", http.StripPrefix("/control", sameOrigin(g.Control())))
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		w.Header().Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; connect-src 'self'; form-action 'self'")
		w.Write(page)
	})
	return mux
}

// sameOrigin keeps other web pages of the developer's browser away from the
// control API.
func sameOrigin(h http.Handler) http.Handler {
	return http.NewCrossOriginProtection().Handler(h)
}
