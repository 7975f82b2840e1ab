package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"strings"
	"time"

	"github.com/garminkit/activityapi/activity"
	"github.com/garminkit/activityapi/activity/auth"
	"github.com/garminkit/activityapi/types"
)

// garmin selects Garmin or a fake, and the application.
type garmin struct {
	Garmin   string `env:"GARMIN_URL" placeholder:"URL" help:"A fake Garmin's base URL, in place of Garmin's hosts."`
	ClientID string `env:"GARMIN_CLIENT_ID" placeholder:"ID" help:"Client id of the key in use; its secret is GARMIN_CLIENT_SECRET."`
}

// base is the fake's base URL, or "".
func (g *garmin) base() string { return strings.TrimRight(g.Garmin, "/") }

// pool makes clients. They repeat little, because somebody is waiting.
func (g *garmin) pool() (*activity.Pool, error) {
	o := &activity.Options{MaxRetries: 1, UserAgent: "garminctl"}
	if g.Garmin != "" {
		o.BaseURL = g.base() + "/wellness-api/rest"
	}
	p, err := activity.NewPool(o)
	if err != nil {
		return nil, usageError(err.Error())
	}
	return p, nil
}

// users returns the users whose tokens are in store. done waits for running refreshes.
func (g *garmin) users(store auth.TokenStore, scheme auth.Scheme) (users *auth.Users, done func() error, err error) {
	if g.ClientID == "" {
		return nil, nil, usagef("set GARMIN_CLIENT_ID, or give -client-id")
	}
	s, err := needed(clientSecret)
	if err != nil {
		return nil, nil, err
	}
	pool, err := g.pool()
	if err != nil {
		return nil, nil, err
	}
	users, err = auth.NewUsers(auth.App{ClientID: g.ClientID, ClientSecret: s}, store, &auth.Options{Pool: pool, BaseURL: g.base(), Scheme: scheme})
	if err != nil {
		return nil, nil, errors.Join(usageError(err.Error()), pool.Close())
	}
	return users, func() error { return errors.Join(users.Close(), pool.Close()) }, nil
}

// tokenServer is the address of the token server.
func (g *garmin) tokenServer() string {
	return cmp.Or(g.base(), "https://diauth.garmin.com") + "/di-oauth2-service/oauth/token"
}

// doctorCommand checks a whole set-up.
type doctorCommand struct {
	garmin
	EvaluationClientID string        `env:"GARMIN_EVALUATION_CLIENT_ID" placeholder:"ID" help:"Client id of your other key, to see whether the two were swapped."`
	Endpoint           string        `env:"GARMIN_ENDPOINT" placeholder:"URL" help:"The endpoint as it is registered, with {secret} for GARMIN_PATH_SECRET or without its end. It is posted an empty object."`
	Roots              string        `type:"path" placeholder:"FILE" help:"Certificates to trust besides the system's, for a test network."`
	Spool              string        `env:"GARMIN_SPOOL" placeholder:"DIR" help:"Directory of the spool."`
	Tokens             string        `env:"GARMIN_TOKENS" placeholder:"FILE" help:"The token file."`
	Ledger             string        `env:"GARMIN_LEDGER" placeholder:"DIR" help:"Directory of the backfill ledger."`
	Files              string        `env:"GARMIN_FILES" placeholder:"DIR" help:"Directory of downloaded files."`
	DB                 database      `embed:""`
	Admin              string        `env:"GARMIN_ADMIN" placeholder:"URL" help:"Admin API of the running service."`
	User               types.UserID  `placeholder:"ID" help:"Ask Garmin with this user's token too, also whether the endpoint is enabled: for each kind that costs a day of the backfill limit."`
	Kind               []types.Kind  `default:"activities,activityDetails,moveIQActivities" help:"Kinds that have to be enabled."`
	LeastFree          int64         `default:"1024" placeholder:"MIB" help:"How much of a disk must be free."`
	Timeout            time.Duration `default:"30s" help:"How long to wait for an answer: Garmin waits 30 s for yours."`
}

// The verdicts of a finding.
const (
	fine    = "ok"
	warning = "warn"
	fault   = "FAIL"
	skipped = "skip"
)

// finding is what was found about one part, and what to do about it.
type finding struct {
	Check   string `json:"check"`
	Verdict string `json:"verdict"`
	Seen    string `json:"seen"`
	Do      string `json:"do,omitempty"`
}

func (f *finding) write(w io.Writer) {
	fmt.Fprintf(w, "%-4s  %-9s  %s\n", f.Verdict, f.Check, f.Seen)
	if f.Do != "" {
		fmt.Fprintf(w, "                 do: %s\n", f.Do)
	}
}

// diagnosis is the result of doctor.
type diagnosis struct {
	Findings []finding `json:"findings"`
	Failed   int       `json:"failed"`
	Warnings int       `json:"warnings"`
}

func (d *diagnosis) add(check, verdict, seen, do string) {
	d.Findings = append(d.Findings, finding{check, verdict, seen, do})
	switch verdict {
	case fault:
		d.Failed++
	case warning:
		d.Warnings++
	}
}

func (d *diagnosis) ok(check, format string, args ...any) {
	d.add(check, fine, fmt.Sprintf(format, args...), "")
}

func (d *diagnosis) skip(check, format string, args ...any) {
	d.add(check, skipped, fmt.Sprintf(format, args...), "")
}

func (d *diagnosis) write(w io.Writer) {
	for _, f := range d.Findings {
		f.write(w)
	}
	fmt.Fprintf(w, "\n%d failed, %d warnings, %d looked at\n", d.Failed, d.Warnings, len(d.Findings))
}

// Run checks everything that the flags name.
func (c *doctorCommand) Run(ctx context.Context, out *output) error {
	secrets, err := c.secrets()
	if err != nil {
		return err
	}
	d := &diagnosis{}
	var answers error // of the service
	steps := []struct {
		name string
		look func(context.Context, *diagnosis)
	}{
		{"clock", c.clock},
		{"client", func(ctx context.Context, d *diagnosis) { c.client(ctx, d, secrets) }},
		{"endpoint", func(ctx context.Context, d *diagnosis) { c.endpoint(ctx, d, secrets.path) }},
		{"disk", c.disk},
		{"service", func(ctx context.Context, d *diagnosis) { answers = c.service(ctx, d) }},
		{"lock", func(_ context.Context, d *diagnosis) { c.locks(d, answers) }},
		{"database", c.database},
		{"tokens", c.tokens},
		{"user", c.user},
	}
	for _, s := range steps {
		out.progress("looking at %s …", s.name)
		s.look(ctx, d)
		if ctx.Err() != nil {
			return ctx.Err()
		}
	}
	if err := out.value(d, d.write); err != nil {
		return err
	}
	if d.Failed > 0 {
		return errFound
	}
	return nil
}

// doctorSecrets are the secrets that doctor tries.
type doctorSecrets struct{ client, evaluation, path types.Secret }

func (c *doctorCommand) secrets() (s doctorSecrets, err error) {
	for name, to := range map[string]*types.Secret{clientSecret: &s.client, evaluationSecret: &s.evaluation, pathSecret: &s.path} {
		if *to, err = secret(name); err != nil {
			return s, err
		}
	}
	for _, name := range []string{tokensKey, spoolKey} {
		if _, err := seal(name); err != nil {
			return s, err
		}
	}
	if c.Garmin != "" {
		if _, err := url.Parse(c.Garmin); err != nil {
			return s, usagef("-garmin is no URL")
		}
	}
	return s, nil
}
