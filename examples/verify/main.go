// Verify tries a running endpoint as Garmin's technical review does.
//
//	go run ./examples/verify https://partner.example.com/garmin
//
// sends pings and pushes of every kind, 10 MB and 100 MB bodies,
// deregistrations, permission changes and what odd traffic holds, prints a line
// for each requirement, and exits with status 1 if one fails. It sees no more
// than the answers: an endpoint that answers 200 and throws everything away
// passes, and is told what was not verified. Two options show the rest.
//
//	go run ./examples/verify -user ID1 -user ID2 -deliveries http://127.0.0.1:8081/stored https://partner.example.com/garmin
//
// also checks that what was pushed for the two users, whom the system under
// test must know, is stored. -deliveries is a file or an address that lists what
// is stored, a summary a line: the Garmin user's id and the summary's id,
// separated by white space, a comma or a semicolon; or JSON with userId and
// summaryId. A query of your database serves.
//
//	go run ./examples/verify -api 127.0.0.1:9000 -user ID1:TOKEN1 -user ID2:TOKEN2 http://127.0.0.1:8080/garmin
//
// also checks the callbacks: it is a fake Garmin on the address of -api. The
// system under test must use http://127.0.0.1:9000 in place of
// https://apis.garmin.com, and know the two users by these access tokens.
//
//	go run ./examples/verify -dossier review.html -dossier review.json ... https://partner.example.com/garmin
//
// also writes a dossier: each line of Garmin's production review with what was seen
// of it and what is left to be shown, such as screenshots. What was not seen is open,
// and does not pass.
//
// Use it on a test system: the data is made up. Without -api, callback URLs are
// those of Garmin's own host, where no request with them succeeds.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"time"

	"github.com/garminkit/activityapi/activity/activitytest"
	"github.com/garminkit/activityapi/internal/verify"
	"github.com/garminkit/activityapi/types"
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
	o := &verify.Options{}
	flags.StringVar(&o.API, "api", "", "be a fake Garmin on this `address`, and check the callbacks")
	flags.BoolVar(&o.JSON, "json", false, "print the report as JSON")
	flags.StringVar(&o.JUnit, "junit", "", "write the report as JUnit XML to this `file`")
	flags.Func("dossier", "write what Garmin's review asks, in its order, to this `file`: .txt, .json, .xml (JUnit) or .html; may be given several times", func(name string) error {
		o.Dossier = append(o.Dossier, name)
		return nil
	})
	flags.DurationVar(&o.Wait, "wait", 10*time.Second, "how long to wait for a callback")
	flags.BoolVar(&o.Small, "small", false, "leave the 10 MB and 100 MB bodies out")
	flags.StringVar(&o.Deliveries, "deliveries", "", "a `file or URL` that lists what is stored, and check that all is")
	flags.Func("user", "a user that the endpoint knows, as `id[:token]`, with -api the token too; give two", func(s string) error {
		id, token, ok := strings.Cut(s, ":")
		if id == "" || (ok && token == "") {
			return errors.New("want id or id:token")
		}
		o.Users = append(o.Users, &activitytest.UserOptions{ID: types.UserID(id), AccessToken: token})
		return nil
	})
	if err := flags.Parse(args); err != nil {
		return broken
	}
	if flags.NArg() != 1 {
		flags.Usage()
		return broken
	}
	ok, err := verify.Run(ctx, flags.Arg(0), o, stdout, stderr)
	switch {
	case errors.Is(err, verify.ErrUsage):
		fmt.Fprintln(stderr, "verify:", err)
		flags.Usage()
		return broken
	case err != nil:
		fmt.Fprintln(stderr, "verify:", err)
		return broken
	case !ok:
		return failed
	}
	return passed
}
