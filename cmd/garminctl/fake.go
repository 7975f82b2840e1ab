package main

import (
	"cmp"
	"context"
	"fmt"
	"io"

	"github.com/garminkit/activityapi/internal/fake"
)

// fakeCommand is examples/fakegarmin.
type fakeCommand struct {
	Listen   string `default:"127.0.0.1:9000" placeholder:"ADDRESS" help:"Address to listen on. Who reaches it sees all tokens."`
	URL      string `name:"url" help:"Base URL under which the address is known."`
	TLS      bool   `name:"tls" help:"Serve https, with a certificate that is made for it."`
	CA       string `name:"ca" type:"path" placeholder:"FILE" help:"Write the certificate of its authority to this file."`
	Users    int    `default:"2" help:"Start with this many users, each with a month of history."`
	Seed     uint64 `default:"1" help:"The same seed gives the same history."`
	Scenario string `type:"path" placeholder:"FILE" help:"Carry out the calls of the control API in this file."`
	Endpoint string `placeholder:"URL" help:"Send every notification to this URL."`
	Record   string `type:"path" placeholder:"FILE" help:"Record the requests to this file, without ids, names, tokens and places."`
	Replay   string `type:"path" placeholder:"FILE" help:"Send the notifications of this recording."`
	AtOnce   bool   `help:"Leave out the times between them."`
	ClientID string `env:"GARMIN_CLIENT_ID" help:"The partner's client id; made up by default, as is the secret in GARMIN_CLIENT_SECRET."`
	Redirect string `placeholder:"URL" help:"The partner's redirect URL, as preset in the portal."`
}

// announcement is the result of fake -json.
type announcement struct {
	URL      string `json:"url"`
	ClientID string `json:"client_id"`
	// ClientSecret is generated. It is empty if the caller has set it.
	ClientSecret string `json:"client_secret,omitempty"`
	// CA is the certificate of the authority to trust. It is set with -tls.
	CA string `json:"ca,omitempty"`
}

// Run serves until it is interrupted, which is success.
func (c *fakeCommand) Run(ctx context.Context, out *output) error {
	given, err := secret(clientSecret)
	if err != nil {
		return err
	}
	g := fake.New(c.Users, c.Seed)
	a := announcement{ClientID: cmp.Or(c.ClientID, g.ClientID), ClientSecret: g.ClientSecret}
	if given != "" {
		a.ClientSecret = ""
	}
	g.ClientID, g.ClientSecret = a.ClientID, cmp.Or(string(given), g.ClientSecret)
	g.RedirectURL = c.Redirect
	o := &fake.Options{HideSecret: given != "", Listen: c.Listen, URL: c.URL, Scenario: c.Scenario, TLS: c.TLS, CAFile: c.CA,
		Endpoint: c.Endpoint, Record: c.Record, Replay: c.Replay, AtOnce: c.AtOnce}
	o.Ready = func() {
		a.URL, a.CA = g.BaseURL, string(o.CA)
		_ = out.value(a, func(w io.Writer) {
			fmt.Fprintf(w, "fake Garmin on %s\nclient id     %s\nclient secret %s\n%s", a.URL, a.ClientID, cmp.Or(a.ClientSecret, "as given"), a.CA)
		})
	}
	steps := out.stdout
	if out.json {
		steps = out.stderr
	}
	return fake.Run(ctx, g, o, steps)
}
