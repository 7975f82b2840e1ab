// Package fake is a fake Garmin as a program: the API, its control API and its
// page on one address. examples/fakegarmin and garminctl are its programs.
package fake

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"time"

	"github.com/garminkit/activityapi/activity/activitytest"
	"github.com/garminkit/activityapi/activity/activitytest/control"
	"github.com/garminkit/activityapi/types"
)

// Options are the choices of Run.
type Options struct {
	// Listen is the address to listen on, URL the base URL under which it is
	// known. "" means http:// and the address; of an address that is every one of
	// this machine, its name.
	Listen, URL string
	// TLS serves https, with a certificate that is made for it. CAFile is where the
	// certificate of its authority is written, or "".
	TLS    bool
	CAFile string
	// CA is that certificate in PEM, and Addr where the fake listens. Run sets both
	// before Ready.
	CA   []byte
	Addr string
	// Endpoint is a URL that gets every notification, or "".
	Endpoint string
	// Scenario is a file of calls that are carried out, or "".
	Scenario string
	// Record is a file to which the requests are written without what they say of
	// anybody, Replay one whose notifications are sent when the scenario has ended,
	// with the times between them or AtOnce: see package notify/recording.
	Record, Replay string
	AtOnce         bool
	// OAuth1 gives a user a token of OAuth 1.0a. Without it, there are no such users.
	OAuth1 func(u *activitytest.User) (token, secret string)
	// HideSecret keeps the client secret, which may be a real one, from the page and
	// the control API.
	HideSecret bool
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
func Run(ctx context.Context, g *activitytest.Server, o *Options, out io.Writer) (err error) {
	var steps []Step
	if o.Scenario != "" {
		if steps, err = ReadScenario(o.Scenario); err != nil {
			return err
		}
	}
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", o.Listen)
	if err != nil {
		return err
	}
	defer l.Close() //nolint:errcheck // Serve has closed it, or nobody has begun
	o.Addr = l.Addr().String()
	if g.BaseURL, err = baseURL(ctx, o.URL, o.TLS, l.Addr()); err != nil {
		return err
	}
	srv := &http.Server{Handler: Handler(g, &control.Options{Hosts: []string{hostOf(g.BaseURL)}, OAuth1: o.OAuth1, HideSecret: o.HideSecret}), ReadHeaderTimeout: 10 * time.Second}
	local, serve := &http.Client{}, func() error { return srv.Serve(l) }
	if o.TLS {
		if srv.TLSConfig, o.CA, err = issue(hosts(g.BaseURL, l.Addr())); err != nil {
			return err
		}
		if o.CAFile != "" {
			if err := os.WriteFile(o.CAFile, o.CA, 0o644); err != nil { //nolint:gosec // others must read it, and it is no secret
				return err
			}
		}
		if local, err = trusting(o.CA); err != nil {
			return err
		}
		serve = func() error { return srv.ServeTLS(l, "", "") }
	}
	if o.Endpoint != "" {
		g.SetEndpoints(activitytest.Endpoint{URL: o.Endpoint, Enabled: true})
	}
	if o.Record != "" {
		end, err2 := record(g, o.Record)
		if err2 != nil {
			return err2
		}
		defer func() { err = errors.Join(err, end()) }()
	}
	o.Ready()

	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	failed := make(chan error, 3)
	go func() { failed <- serve() }()
	go func() { failed <- g.Run(ctx) }()
	go func() {
		err := play(ctx, local, loopback(o.TLS, l.Addr())+"/control", steps, out)
		if err == nil && o.Replay != "" {
			err = resend(ctx, g, o, out)
		}
		if err != nil {
			failed <- err
		}
	}()
	err = <-failed
	srv.Close()
	if errors.Is(err, context.Canceled) {
		return nil
	}
	return err
}

// Handler serves the page and the control API beside the fake, to programs and
// to its own page: other web pages are kept away.
func Handler(g *activitytest.Server, opts *control.Options) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("/", g)
	mux.Handle("/control/", http.StripPrefix("/control", control.Handler(g, opts)))
	mux.HandleFunc("GET /health", health)
	servePage(mux)
	return http.NewCrossOriginProtection().Handler(mux)
}
