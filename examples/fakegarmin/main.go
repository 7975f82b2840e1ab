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
// The page shows deliveries and requests as they come, with both sides of each.
// /control/openapi.json describes the control API, /control/garmin.json the API and
// /control/notifications.json the notifications: examples/javascript has a client
// that is made from them.
//
// Consent leads to the URL of -redirect and to no other. Without it, any address of
// this machine will do.
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
// -endpoint URL sets every endpoint to a receiver.
//
// # Recordings
//
//	go run ./examples/fakegarmin -endpoint http://127.0.0.1:8080/garmin -replay friday.jsonl
//
// sends what package notify/recording has recorded at a receiver, with the times
// between the notifications or, with -at-once, one after the other. -record FILE
// records the requests to the fake in the same way.
//
// # Between machines and containers
//
//	go run ./examples/fakegarmin -listen :9000 -url https://garmin.test:9000 -tls -ca ca.pem
//
// -url is the address under which others know it: callback URLs begin with it.
// -tls serves https, with a certificate for the host of -url, the name of this
// machine and localhost. It prints the certificate of the authority that made it,
// and writes it to -ca: clients must trust it, as with SSL_CERT_FILE=ca.pem or
// NODE_EXTRA_CA_CERTS=ca.pem. It is new at each start, and can certify these hosts
// alone.
//
// GET /health answers 200. -health URL asks a fake that runs, with -ca FILE by
// https, and exits with status 1 if it does not. Dockerfile beside this file makes
// an image of the program alone.
//
// Everyone who can reach the address sees all tokens: keep it on this machine, or
// on a network of your own. The control API answers to localhost, loopback
// addresses and the host of -url.
package main

import (
	"cmp"
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/garminkit/activityapi/activity/auth/oauth1/oauth1test"
	"github.com/garminkit/activityapi/internal/fake"
)

func main() {
	o := &fake.Options{}
	flag.StringVar(&o.Listen, "listen", "127.0.0.1:9000", "`address` to listen on")
	flag.StringVar(&o.URL, "url", "", "base URL under which the address is known (default http:// and the address)")
	flag.BoolVar(&o.TLS, "tls", false, "serve https, with a certificate that is made for it")
	flag.StringVar(&o.CAFile, "ca", "", "write the certificate of its authority to this `file`")
	health := flag.String("health", "", "ask the fake at this base `URL` whether it runs, and exit")
	users := flag.Int("users", 2, "start with this many users, each with a month of history")
	seed := flag.Uint64("seed", 1, "the same seed gives the same history")
	flag.StringVar(&o.Scenario, "scenario", "", "carry out the calls in this `file`")
	flag.StringVar(&o.Endpoint, "endpoint", "", "send every notification to this `URL`")
	flag.StringVar(&o.Record, "record", "", "record the requests to this `file`, without ids, names, tokens and places")
	flag.StringVar(&o.Replay, "replay", "", "send the notifications of this recording")
	flag.BoolVar(&o.AtOnce, "at-once", false, "leave out the times between them")
	id := flag.String("client-id", "", "the partner's client id (default made up)")
	secret := flag.String("client-secret", "", "its secret")
	redirect := flag.String("redirect", "", "the partner's redirect URL, as preset in the portal")
	flag.Parse()

	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if *health != "" {
		exit(fake.Healthy(ctx, *health, o.CAFile))
		return
	}
	g := fake.New(*users, *seed)
	g.ClientID, g.ClientSecret = cmp.Or(*id, g.ClientID), cmp.Or(*secret, g.ClientSecret)
	g.RedirectURL = *redirect
	o.OAuth1 = oauth1test.Add(g).Connect
	o.HideSecret = *secret != ""
	o.Ready = func() {
		fmt.Printf("fake Garmin on %s\nclient id     %s\nclient secret %s\n%s", g.BaseURL, g.ClientID, g.ClientSecret, o.CA)
	}
	exit(fake.Run(ctx, g, o, os.Stdout))
}

func exit(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "fakegarmin:", err)
		os.Exit(1)
	}
}
