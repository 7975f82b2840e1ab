package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	neturl "net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/garminkit/activityapi/activity"
	"github.com/garminkit/activityapi/activity/auth"
	"github.com/garminkit/activityapi/notify"
	"github.com/garminkit/activityapi/types"
)

// live receives from the real Garmin, or the fake at garmin, for users who connect
// with a browser. opts is nil but in tests.
func live(ctx context.Context, out io.Writer, app auth.App, garmin string, opts *auth.Options, listen, url, dir string) error {
	if url == "" {
		return errors.New("-url is missing: the public https address of this program")
	}
	if garmin != "" {
		var err error
		if opts, err = fakeGarmin(garmin); err != nil {
			return err
		}
		defer opts.Pool.Close() //nolint:errcheck // at the end of the program
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	store, err := auth.OpenFile(filepath.Join(dir, "tokens"), nil)
	if err != nil {
		return err
	}
	users, err := auth.NewUsers(app, store, opts)
	if err != nil {
		return err
	}
	mux := http.NewServeMux()
	connector, err := auth.NewConnector(users, url+"/connected", connected, nil)
	if err != nil {
		return errors.Join(err, users.Close())
	}
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		io.WriteString(w, `<p><a href="/connect">Connect with Garmin</a>`)
	})
	mux.HandleFunc("GET /connect", connector.Start)
	mux.HandleFunc("GET /connected", connector.Callback)
	secret, err := pathSecret(filepath.Join(dir, "path-secret"))
	if err != nil {
		return errors.Join(err, users.Close())
	}
	p := newPartner()
	p.disconnected, p.forget = users.Disconnected, users.Forget
	r, err := newReceiver(dir, resolver(users), p, 0, users)
	if err != nil {
		return errors.Join(err, users.Close())
	}
	mux.Handle("/garmin/"+secret, r.Intake())

	fmt.Fprintf(out, "Set every endpoint in Garmin's configuration tool to %s/garmin/%s, then open %s to connect a user.\n", url, secret, url)
	ended := make(chan error, 1)
	go func() { ended <- r.ListenAndServe(ctx, listen, mux) }()
	for {
		select {
		case err := <-ended:
			return err
		case <-p.changed:
			for _, l := range p.news() {
				fmt.Fprintf(out, "%s %s %s\n", time.Now().Format(time.TimeOnly), l.who, l.what)
			}
		}
	}
}

// fakeGarmin leads everything that goes to Garmin's hosts to one address.
func fakeGarmin(address string) (*auth.Options, error) {
	address = strings.TrimSuffix(address, "/")
	u, err := neturl.Parse(address)
	if err != nil || u.Hostname() == "" || u.Path != "" {
		return nil, errors.New("-garmin must be like http://127.0.0.1:9000")
	}
	pool, err := activity.NewPool(&activity.Options{BaseURL: address + "/wellness-api/rest", PlainHTTPHost: u.Hostname()})
	if err != nil {
		return nil, err
	}
	return &auth.Options{
		Pool:          pool,
		BaseURL:       address,
		PlainHTTPHost: u.Hostname(),
	}, nil
}

// pathSecret returns the part of the endpoint's address that keeps strangers out:
// Garmin signs nothing. It stays the same, since Garmin has the address.
func pathSecret(file string) (string, error) {
	b, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		b = []byte(rand.Text())
		err = os.WriteFile(file, b, 0o600)
	}
	if err == nil && len(b) < 16 {
		err = fmt.Errorf("%s is no secret; remove it", file)
	}
	return string(b), err
}

// resolver finds users by their tokens. There is no other table of users here.
func resolver(users *auth.Users) notify.Resolver {
	return func(ctx context.Context, garminID types.UserID) ([]notify.User, error) {
		client, err := users.Client(ctx, garminID)
		if errors.Is(err, auth.ErrNotConnected) {
			return nil, nil
		}
		if err != nil {
			return nil, err
		}
		return []notify.User{{ID: string(garminID), Client: client}}, nil
	}
}

// connected answers a browser that comes back from Garmin's consent page.
func connected(w http.ResponseWriter, _ *http.Request, c *auth.Connection, err error) {
	switch {
	case errors.Is(err, auth.ErrDenied):
		http.Error(w, "You have refused. Nothing was stored.", http.StatusOK)
	case err != nil:
		http.Error(w, err.Error(), http.StatusBadGateway)
	default:
		fmt.Fprintf(w, "Connected as %s, with %v. Sync a device, or enter an activity in Garmin Connect.\n", c.UserID, permissions(c.Permissions))
	}
}

func permissions(list []types.Permission) any {
	if len(list) == 0 {
		return "no permission yet"
	}
	return list
}
