package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/garminkit/activityapi/activity/auth"
	"github.com/garminkit/activityapi/internal/adminapi"
	"github.com/garminkit/activityapi/types"
)

// tokensCommand shows when tokens expire.
type tokensCommand struct {
	Admin  string         `env:"GARMIN_ADMIN" placeholder:"URL" help:"Admin API of the running service."`
	Tokens string         `env:"GARMIN_TOKENS" placeholder:"FILE" help:"The token file; the service may be running."`
	DB     database       `embed:""`
	Days   int            `default:"14" help:"Tell of refresh tokens that end within so many days."`
	All    bool           `help:"List good tokens too."`
	Users  []types.UserID `arg:"" optional:"" name:"user" help:"Only these users."`
}

// tokenLine describes a token without its secrets.
type tokenLine struct {
	adminapi.Token
	State string `json:"state"`
}

// tokenReport is the result of tokens.
type tokenReport struct {
	// Health is set for a token file; the admin API does not report good tokens.
	Health *health     `json:"health,omitempty"`
	Tokens []tokenLine `json:"tokens"`
	// Refused are users of the running service whose token Garmin refuses.
	Refused []adminapi.ParkedUser `json:"refused,omitempty"`
	// More is true if others expire soon.
	More bool `json:"more,omitempty"`
}

// Run shows the tokens. The status is 1 if some are dead.
func (c *tokensCommand) Run(ctx context.Context, out *output) error {
	if c.Days < 0 || c.Days > 1000 {
		return usagef("-days is not a number from 0 to 1000")
	}
	var r *tokenReport
	var err error
	switch {
	case c.Admin != "" && (c.Tokens != "" || c.DB.Database):
		return usagef("-admin is given, and -tokens or -database too")
	case c.Tokens != "" || c.DB.Database:
		r, err = c.ofFile(ctx, out)
	case c.Admin != "":
		r, err = c.ofService(ctx)
	default:
		return usagef("give -tokens, -database, or -admin of a running service")
	}
	if err != nil {
		return err
	}
	if err := out.value(r, r.write); err != nil {
		return err
	}
	dead := len(r.Refused) > 0
	for _, t := range r.Tokens {
		dead = dead || t.State == tokenRevoked || t.State == tokenEnded
	}
	if dead {
		return errFound
	}
	return nil
}

func (c *tokensCommand) ofFile(ctx context.Context, out *output) (*tokenReport, error) {
	store, done, err := openTokens(ctx, c.Tokens, &c.DB)
	if err != nil {
		return nil, err
	}
	defer func() { _ = done() }()
	now := time.Now()
	r := &tokenReport{Tokens: []tokenLine{}}
	add := func(t *auth.Token) {
		line := tokenLine{Token: adminapi.Token{User: t.UserID, OAuth: 2, Expiry: t.Expiry, RefreshExpiry: t.RefreshExpiry, Revoked: t.Revoked, Refreshing: t.ClaimedUntil.After(now)}}
		if !t.OAuth2() {
			line.OAuth = 1
		}
		line.State = stateOf(t, now, now.AddDate(0, 0, c.Days))
		if r.Health != nil {
			r.Health.add(t, line.State, now)
		}
		if c.All || len(c.Users) > 0 || line.State != tokenGood && line.State != tokenOAuth1 {
			r.Tokens = append(r.Tokens, line)
		}
	}
	for _, id := range c.Users {
		t, err := store.Token(ctx, id)
		if errors.Is(err, auth.ErrNotConnected) {
			return nil, usagef("there is no token of user %q", id)
		}
		if err != nil {
			return nil, err
		}
		add(t)
	}
	if len(c.Users) > 0 {
		return r, nil
	}
	r.Health = &health{}
	for t, err := range store.Tokens(ctx) {
		if err != nil {
			return nil, err
		}
		add(t)
		if r.Health.Total%1000 == 0 {
			out.progress("%d tokens", r.Health.Total)
		}
	}
	return r, nil
}

func (c *tokensCommand) ofService(ctx context.Context) (*tokenReport, error) {
	p, err := openPanel(c.Admin)
	if err != nil {
		return nil, err
	}
	now := time.Now()
	r := &tokenReport{Tokens: []tokenLine{}}
	add := func(t *adminapi.Token) {
		// The fields that stateOf uses.
		shown := auth.Token{RefreshToken: "-", Revoked: t.Revoked, RefreshExpiry: t.RefreshExpiry}
		if t.OAuth == 1 {
			shown = auth.Token{TokenSecret: "-", Revoked: t.Revoked}
		}
		r.Tokens = append(r.Tokens, tokenLine{*t, stateOf(&shown, now, now.AddDate(0, 0, c.Days))})
	}
	for _, id := range c.Users {
		var u adminapi.User
		if err := p.get(ctx, "user", url.Values{"id": {string(id)}}, &u); err != nil {
			return nil, err
		}
		if u.Token == nil {
			return nil, usagef("there is no token of user %q", id)
		}
		add(u.Token)
		if u.Parked != nil {
			r.Refused = append(r.Refused, *u.Parked)
		}
	}
	if len(c.Users) > 0 {
		return r, nil
	}
	var due adminapi.Tokens
	if err := p.get(ctx, "tokens", url.Values{"days": {strconv.Itoa(c.Days)}}, &due); err != nil {
		return nil, err
	}
	for _, t := range due.Tokens {
		add(t)
	}
	r.More = due.More
	var parked adminapi.Parked
	err = p.get(ctx, "parked", nil, &parked)
	if e, ok := errors.AsType[*refusal](err); ok && e.status == http.StatusNotImplemented {
		return r, nil // there is no processor beside it
	}
	r.Refused = parked.Users
	return r, err
}

func (r *tokenReport) write(w io.Writer) {
	rows := []string{"USER\tSTATE\tOAUTH\tACCESS UNTIL\tREFRESH UNTIL"}
	for _, t := range r.Tokens {
		rows = append(rows, fmt.Sprintf("%s\t%s\t%d\t%s\t%s", t.User, t.State, t.OAuth, stamp(t.Expiry), stamp(t.RefreshExpiry)))
	}
	if len(r.Tokens) > 0 {
		table(w, rows...)
	}
	if r.More {
		fmt.Fprintln(w, "… and more")
	}
	for _, p := range r.Refused {
		fmt.Fprintf(w, "%s is refused for %s: %s\n", p.User, (time.Duration(p.SinceSeconds) * time.Second).String(), p.Reason)
	}
	if h := r.Health; h != nil {
		fmt.Fprintf(w, "%d tokens: %d good, %d end soon, %d ended, %d revoked, %d of OAuth 1.0a\n", h.Total, h.Good, h.Ending, h.Ended, h.Revoked, h.OAuth1)
	}
}
