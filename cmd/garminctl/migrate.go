package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"path/filepath"
	"time"

	"github.com/garminkit/activityapi/activity/auth"
	"github.com/garminkit/activityapi/activity/auth/oauth1"
	"github.com/garminkit/activityapi/internal/backoff"
	"github.com/garminkit/activityapi/types"
)

// migrateCommand moves users from OAuth 1.0a to OAuth 2.
type migrateCommand struct {
	garmin
	Tokens  string        `env:"GARMIN_TOKENS" placeholder:"FILE" help:"The token file; the service may be running."`
	DB      database      `embed:""`
	Yes     bool          `help:"Move the users. Without it, only see whether all is ready."`
	Limit   int           `placeholder:"N" help:"Move so many users: a few first, to see that it works."`
	Pace    time.Duration `default:"100ms" help:"Time between two users."`
	Form    bool          `help:"Send oauth_token in the form too, as some applications were told to."`
	Timeout time.Duration `default:"30s" help:"How long to wait for an answer."`
}

// userError is the failure of one user.
type userError struct {
	User  types.UserID `json:"user"`
	Error string       `json:"error"`
}

// migration is the report of migrate.
type migration struct {
	Preflight *diagnosis `json:"preflight"`
	DaysLeft  int        `json:"days_left"`
	// OAuth1 counts the users with OAuth 1.0a at the start, and OAuth2 those who
	// already had OAuth 2.
	OAuth1 int `json:"oauth1"`
	OAuth2 int `json:"oauth2"`
	Moved  int `json:"moved"`
	// Reconnect are users who have left or must connect again. Failed ones still have
	// OAuth 1.0a, and the same command tries them again.
	Reconnect []userError `json:"reconnect"`
	Failed    []userError `json:"failed"`
	// Left counts those who still have OAuth 1.0a.
	Left int `json:"left"`
	// Stopped says why some were not tried.
	Stopped string `json:"stopped,omitempty"`
}

const (
	// failuresInRow is how many users in a row may fail before the cause is assumed to
	// concern all.
	failuresInRow = 10
	// sampled is how many users are checked before any is moved.
	sampled = 3
)

// Run checks that everything is ready, and moves the users.
func (c *migrateCommand) Run(ctx context.Context, out *output) (err error) {
	consumer, err := needed(consumerSecret)
	if err != nil {
		return err
	}
	store, letGo, err := openTokens(ctx, c.Tokens, &c.DB)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, letGo()) }()
	o := &oauth1.Options{BaseURL: c.base()}
	if c.Form {
		o.Form = func(t *auth.Token) url.Values { return url.Values{"oauth_token": {string(t.AccessToken)}} }
	}
	if c.ClientID == "" {
		return usagef("set GARMIN_CLIENT_ID, or give -client-id: it is the old consumer key")
	}
	scheme, err := oauth1.New(c.ClientID, consumer, o)
	if err != nil {
		return usageError(err.Error())
	}
	users, done, err := c.users(store, scheme)
	if err != nil {
		return err
	}
	m := &migration{Preflight: &diagnosis{}, DaysLeft: max(int(time.Until(oauth1End).Hours()/24), 0), Reconnect: []userError{}, Failed: []userError{}}
	err = c.preflight(ctx, out, m, users, store)
	if err == nil && c.Yes && m.Preflight.Failed == 0 {
		c.move(ctx, out, m, users, store)
	}
	if closing := done(); closing != nil {
		m.Failed = append(m.Failed, userError{Error: "a token could not be stored: " + closing.Error()})
	}
	if err != nil {
		return err
	}
	if m.Left, err = left(context.WithoutCancel(ctx), store); err != nil {
		return err
	}
	if err := out.value(m, func(w io.Writer) { m.write(w, c.Yes) }); err != nil {
		return err
	}
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case m.Preflight.Failed > 0 || len(m.Failed) > 0 || len(m.Reconnect) > 0 || m.Stopped != "":
		return errFound
	}
	return nil
}

// left counts the users who still have OAuth 1.0a.
func left(ctx context.Context, store auth.TokenStore) (n int, err error) {
	for t, err := range store.Tokens(ctx) {
		if err != nil {
			return n, err
		}
		if !t.OAuth2() && !t.Revoked {
			n++
		}
	}
	return n, nil
}

// preflight checks everything that would fail for all users. It changes nothing.
func (c *migrateCommand) preflight(ctx context.Context, out *output, m *migration, users *auth.Users, store auth.TokenStore) error {
	out.progress("looking at the tokens …")
	var first []types.UserID
	for t, err := range store.Tokens(ctx) {
		switch {
		case err != nil:
			return err
		case t.Revoked:
		case t.OAuth2():
			m.OAuth2++
		default:
			m.OAuth1++
			if len(first) < sampled {
				first = append(first, t.UserID)
			}
		}
	}
	d := m.Preflight
	if m.OAuth1 == 0 {
		d.ok("tokens", "no user has a token of OAuth 1.0a: nothing is left to move; take Options.Scheme out of the service")
		return nil
	}
	d.ok("tokens", "%d users have a token of OAuth 1.0a, %d of OAuth 2; Garmin ends OAuth 1.0a in %d days", m.OAuth1, m.OAuth2, m.DaysLeft)
	doctor := &doctorCommand{garmin: c.garmin, Timeout: c.Timeout, LeastFree: 64}
	if !c.DB.Database {
		f, err := os.OpenFile(c.Tokens, os.O_RDWR, 0)
		if err != nil {
			d.add("tokens", fault, "the token file cannot be written: "+reason(err), "run this as the user that the service runs as")
		} else {
			f.Close()
		}
		doctor.room(d, filepath.Dir(c.Tokens))
	}
	out.progress("asking Garmin …")
	doctor.clock(ctx, d)
	secret, err := needed(clientSecret)
	if err != nil {
		return err
	}
	doctor.client(ctx, d, doctorSecrets{client: secret})
	return c.sample(ctx, d, users, first)
}

// sample asks Garmin for the ids of a few users with OAuth 1.0a. That shows whether the
// consumer secret is right, and whether the stored ids are Garmin's.
func (c *migrateCommand) sample(ctx context.Context, d *diagnosis, users *auth.Users, ids []types.UserID) error {
	const check = "sample"
	good := 0
	var last error
	for _, id := range ids {
		client, err := users.Client(ctx, id)
		if err != nil {
			return err
		}
		got, err := client.UserID(ctx)
		switch {
		case err != nil:
			last = err
		case got != id:
			d.add(check, fault, fmt.Sprintf("the token stored for user %s is that of user %s", id, got),
				"mend the ids first: after the move nothing else tells users apart")
			return nil
		default:
			good++
		}
	}
	switch {
	case good == len(ids):
		d.ok(check, "Garmin takes the tokens of %d users by OAuth 1.0a, and gives the ids that are stored", good)
	case good > 0:
		d.add(check, warning, fmt.Sprintf("Garmin refuses %d of the %d users that were tried: %v", len(ids)-good, len(ids), last), "these have left, or must connect again; the others can be moved")
	default:
		d.add(check, fault, fmt.Sprintf("Garmin refuses all %d users that were tried: %v", len(ids), last),
			"compare "+consumerSecret+" with the portal; if it is right, these users have left: see garminctl tokens")
	}
	return nil
}

// move moves the users, one at a time.
func (c *migrateCommand) move(ctx context.Context, out *output, m *migration, users *auth.Users, store auth.TokenStore) {
	row, tried := 0, 0
	for id, err := range oauth1.Migrate(ctx, users, store) {
		tried++
		switch {
		case ctx.Err() != nil && err != nil:
			m.Stopped = "interrupted"
			return
		case id == "":
			m.Stopped = err.Error()
			return
		case err == nil:
			row = 0
			m.Moved++
		case errors.Is(err, auth.ErrReconnect):
			row = 0
			m.Reconnect = append(m.Reconnect, userError{id, err.Error()})
		default:
			row++
			m.Failed = append(m.Failed, userError{id, err.Error()})
		}
		out.progress("%s %d of %d users, %d failed", bar(tried, m.OAuth1), tried, m.OAuth1, len(m.Failed))
		switch {
		case tried == c.Limit:
			return
		case row == failuresInRow:
			m.Stopped = fmt.Sprintf("%d users failed one after the other: has Garmin's support moved the application?", row)
			return
		case tried < m.OAuth1 && backoff.Sleep(ctx, c.Pace) != nil:
			m.Stopped = "interrupted"
			return
		}
	}
}

func (m *migration) write(w io.Writer, moving bool) {
	for _, f := range m.Preflight.Findings {
		f.write(w)
	}
	for _, u := range m.Reconnect {
		fmt.Fprintf(w, "%s must connect again: %s\n", u.User, u.Error)
	}
	for _, u := range m.Failed {
		fmt.Fprintf(w, "%s failed: %s\n", dash(string(u.User)), u.Error)
	}
	if m.Stopped != "" {
		fmt.Fprintln(w, "stopped:", m.Stopped)
	}
	switch {
	case m.Preflight.Failed > 0:
		fmt.Fprintln(w, "\nnot ready: nothing was moved")
	case m.OAuth1 == 0:
	case !moving:
		fmt.Fprintf(w, "\nready: %d users can be moved; add -yes, with -limit 5 to begin with\n", m.OAuth1)
	default:
		fmt.Fprintf(w, "\n%d moved, %d must connect again, %d failed, %d are left; the same command goes on\n", m.Moved, len(m.Reconnect), len(m.Failed), m.Left)
	}
}
