// Verify tries a running endpoint as Garmin's technical review does.
//
//	go run ./examples/verify https://partner.example.com/garmin
//
// sends pings and pushes of every kind, 10 MB and 100 MB bodies,
// deregistrations, permission changes and what odd traffic holds, prints a line
// for each requirement, and exits with status 1 if one fails.
//
//	go run ./examples/verify -api 127.0.0.1:9000 -user ID1:TOKEN1 -user ID2:TOKEN2 http://127.0.0.1:8080/garmin
//
// also checks the callbacks: it is a fake Garmin on the address of -api. The
// system under test must use http://127.0.0.1:9000 in place of
// https://apis.garmin.com, and know the two users by these access tokens.
//
// Use it on a test system: the data is made up.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/signal"
	"strings"
	"time"

	"github.com/garminkit/activityapi/activity/activitytest"
)

// The exit statuses.
const (
	passed = iota
	failed
	broken // Verify could not do its work
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	os.Exit(run(ctx, os.Args[1:], os.Stdout, os.Stderr))
}

func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	flags := flag.NewFlagSet("verify", flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.Usage = func() {
		fmt.Fprintln(stderr, "usage: verify [flags] URL")
		flags.PrintDefaults()
	}
	api := flags.String("api", "", "be a fake Garmin on this `address`, and check the callbacks")
	asJSON := flags.Bool("json", false, "print the report as JSON")
	junit := flags.String("junit", "", "write the report as JUnit XML to this `file`")
	wait := flags.Duration("wait", 10*time.Second, "how long to wait for a callback")
	small := flags.Bool("small", false, "leave the 10 MB and 100 MB bodies out")
	var users []*activitytest.UserOptions
	flags.Func("user", "a user that the endpoint knows, as `id:token`; give two", func(s string) error {
		id, token, ok := strings.Cut(s, ":")
		if !ok || id == "" || token == "" {
			return errors.New("want id:token")
		}
		users = append(users, &activitytest.UserOptions{ID: id, AccessToken: token})
		return nil
	})
	if err := flags.Parse(args); err != nil {
		return broken
	}
	if flags.NArg() != 1 || (*api == "") != (users == nil) {
		flags.Usage()
		return broken
	}
	o := &activitytest.VerifyOptions{CallbackWait: *wait}
	if *small {
		o.LargeBody, o.LargeDetails = -1, -1
	}
	if *api != "" {
		o.Server = activitytest.NewServer()
		for _, u := range users {
			if o.Server.User(u.ID) == nil {
				o.Server.AddUser(u)
			}
		}
		stop, err := serve(o.Server, *api)
		if err != nil {
			fmt.Fprintln(stderr, "verify:", err)
			return broken
		}
		defer stop()
	}
	report, err := activitytest.Verify(ctx, flags.Arg(0), o)
	if err == nil {
		err = write(report, *asJSON, *junit, stdout)
	}
	switch {
	case err != nil:
		fmt.Fprintln(stderr, "verify:", err)
		return broken
	case !report.OK():
		return failed
	}
	return passed
}

// serve makes s answer on the address, which is then its base URL.
func serve(s *activitytest.Server, address string) (stop func(), err error) {
	l, err := net.Listen("tcp", address)
	if err != nil {
		return nil, err
	}
	s.BaseURL = "http://" + l.Addr().String()
	srv := &http.Server{Handler: s, ReadHeaderTimeout: 10 * time.Second}
	go srv.Serve(l)
	return func() { srv.Close() }, nil
}

func write(report *activitytest.Report, asJSON bool, junit string, stdout io.Writer) error {
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
