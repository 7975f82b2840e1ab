// Package fake is a fake Garmin as a program: the API, its control API and its
// page on one address. examples/fakegarmin and garminctl are its programs.
package fake

import (
	"cmp"
	"context"
	_ "embed"
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"time"

	"github.com/garminkit/activityapi/activity/activitytest"
	"github.com/garminkit/activityapi/activity/activitytest/control"
	"github.com/garminkit/activityapi/types"
)

// Options are the choices of Run.
type Options struct {
	// Listen is the address to listen on, URL the base URL under which it is
	// known. "" means http:// and the address.
	Listen, URL string
	// Scenario is a file of calls that are carried out, or "".
	Scenario string
	// OAuth1 gives a user a token of OAuth 1.0a. Without it, there are no such users.
	OAuth1 func(u *activitytest.User) (token, secret string)
	// Ready is called once the fake can be reached; BaseURL is then set.
	Ready func()
}

// New returns a fake with users who each have a month of history, which is the
// same for the same seed.
func New(users int, seed uint64) *activitytest.Server {
	g := activitytest.NewServer()
	g.StrictRedirect = true
	now := time.Now()
	for i := range users {
		u := g.AddUser(nil)
		u.FillHistory(activitytest.NewGenerator(seed+uint64(i)), types.Window{Start: now.AddDate(0, -1, 0), End: now})
	}
	return g
}

// Run serves g until ctx ends. What becomes of the scenario's steps goes to out.
func Run(ctx context.Context, g *activitytest.Server, o *Options, out io.Writer) error {
	var steps []Step
	if o.Scenario != "" {
		var err error
		if steps, err = ReadScenario(o.Scenario); err != nil {
			return err
		}
	}
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", o.Listen)
	if err != nil {
		return err
	}
	g.BaseURL = cmp.Or(o.URL, "http://"+l.Addr().String())
	srv := &http.Server{Handler: handler(g, &control.Options{Hosts: []string{hostOf(g.BaseURL)}, OAuth1: o.OAuth1}), ReadHeaderTimeout: 10 * time.Second}
	o.Ready()

	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	failed := make(chan error, 3)
	go func() { failed <- srv.Serve(l) }()
	go func() { failed <- g.Run(ctx) }()
	if steps != nil {
		go func() {
			if err := Play(ctx, "http://"+l.Addr().String()+"/control", steps, out); err != nil {
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

// handler serves the page and the control API beside the fake, to programs and
// to its own page: other web pages are kept away.
func handler(g *activitytest.Server, opts *control.Options) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("/", g)
	mux.Handle("/control/", http.StripPrefix("/control", control.Handler(g, opts)))
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		w.Header().Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; connect-src 'self'; form-action 'self'")
		w.Write(page)
	})
	return http.NewCrossOriginProtection().Handler(mux)
}

// hostOf returns the host of a base URL, without port.
func hostOf(baseURL string) string {
	u, err := url.Parse(baseURL)
	if err != nil {
		return ""
	}
	return u.Hostname()
}
