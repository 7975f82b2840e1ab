// Package verify tries a running endpoint as a program does: it runs package
// verification, writes its report and says what was left open. examples/verify
// and garminctl are its programs.
package verify

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"slices"
	"time"

	"github.com/garminkit/activityapi/activity/activitytest"
	"github.com/garminkit/activityapi/activity/activitytest/verification"
)

// Options are the choices of Run.
type Options struct {
	// API is the address of a fake Garmin that checks the callbacks, or "".
	API string
	// JSON writes the report as JSON, and JUnit as XML to that file too.
	JSON  bool
	JUnit string
	// Dossier are files for what Garmin's review asks, in its order: text, JSON,
	// JUnit or HTML by the ending of the name.
	Dossier []string
	// Wait is how long to wait for a callback.
	Wait time.Duration
	// Small leaves the large bodies out.
	Small bool
	// Users are known to the endpoint, with API by their access tokens.
	Users []*activitytest.UserOptions
	// Deliveries is a file or URL that lists what is stored, or "".
	Deliveries string
}

// ErrUsage says that the options do not fit together.
var ErrUsage = errors.New("the options do not fit together")

func (o *Options) check() error {
	noToken := func(u *activitytest.UserOptions) bool { return u.AccessToken == "" }
	seen := o.API != "" || o.Deliveries != "" // users are of no use without
	if seen != (o.Users != nil) || (o.API != "" && slices.ContainsFunc(o.Users, noToken)) {
		return fmt.Errorf("%w: users go with -api or -deliveries, and -api with two users and their access tokens", ErrUsage)
	}
	return checkDossier(o.Dossier)
}

// Run tries the endpoint and reports whether it passed. The report goes to
// stdout, and what a pass does not mean to stderr. The error is about Run's own
// work.
func Run(ctx context.Context, endpoint string, o *Options, stdout, stderr io.Writer) (passed bool, err error) {
	if err := o.check(); err != nil {
		return false, err
	}
	v := &verification.Options{CallbackWait: o.Wait}
	if o.Deliveries != "" {
		v.Delivered = deliveries(o.Deliveries)
	}
	if o.Small {
		v.LargeBody, v.LargeDetails = -1, -1
	}
	if o.API != "" {
		v.Server = activitytest.NewServer()
		for _, u := range o.Users {
			if v.Server.User(u.ID) == nil {
				v.Server.AddUser(u)
			}
		}
		stop, err := serve(ctx, v.Server, o.API)
		if err != nil {
			return false, err
		}
		defer stop()
	} else {
		for _, u := range o.Users {
			v.Users = append(v.Users, u.ID)
		}
	}
	report, err := verification.Run(ctx, endpoint, v)
	if err != nil {
		return false, err
	}
	if err := write(report, o.JSON, o.JUnit, stdout); err != nil {
		return false, err
	}
	if err := writeDossier(report, o.Dossier); err != nil {
		return false, err
	}
	if !report.OK() {
		return false, nil
	}
	// This is no part of the report: it is seen whatever the report's form.
	if o.Deliveries == "" {
		fmt.Fprintln(stderr, "verify: passed, but -deliveries is unverified: nothing shows that what was answered 200 is stored")
	}
	if o.API == "" {
		fmt.Fprintln(stderr, "verify: passed, but -api is unverified: nothing shows that pings are pulled and files downloaded")
	}
	return true, nil
}

// serve makes s answer on the address, which is then its base URL.
func serve(ctx context.Context, s *activitytest.Server, address string) (stop func(), err error) {
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", address)
	if err != nil {
		return nil, err
	}
	s.BaseURL = "http://" + l.Addr().String()
	srv := &http.Server{Handler: s, ReadHeaderTimeout: 10 * time.Second}
	go srv.Serve(l)
	return func() { srv.Close() }, nil
}

func write(report *verification.Report, asJSON bool, junit string, stdout io.Writer) error {
	if junit != "" {
		f, err := os.Create(junit)
		if err != nil {
			return err
		}
		if err := errors.Join(report.WriteJUnit(f), f.Close()); err != nil {
			return err
		}
	}
	if asJSON {
		e := json.NewEncoder(stdout)
		e.SetIndent("", "  ")
		return e.Encode(report)
	}
	_, err := fmt.Fprint(stdout, report)
	return err
}
