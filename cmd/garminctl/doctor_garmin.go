package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"golang.org/x/oauth2"

	"github.com/garminkit/activityapi/activity"
	"github.com/garminkit/activityapi/activity/auth"
	"github.com/garminkit/activityapi/types"
)

const (
	// clockWarning and clockFault are the differences that cause a warning or a
	// failure. A Date header has whole seconds. Garmin refuses OAuth 1.0a signatures
	// that are ten minutes off, and tokens are refreshed ten minutes before they
	// expire.
	clockWarning = 5 * time.Second
	clockFault   = time.Minute
)

// clock compares this machine's clock with that of Garmin's token server, which also
// shows whether the server can be reached.
func (c *doctorCommand) clock(ctx context.Context, d *diagnosis) {
	const check = "clock"
	ctx, cancel := context.WithTimeout(ctx, c.Timeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodHead, c.tokenServer(), nil)
	if err != nil {
		d.add(check, fault, "-garmin is no URL", "give the base URL of the fake, such as http://127.0.0.1:9000")
		return
	}
	client, stop := c.http(nil)
	defer stop()
	before := time.Now()
	resp, err := client.Do(req)
	after := time.Now()
	if err != nil {
		seen, do := unreachable(err, false)
		d.add(check, fault, "Garmin's token server "+req.URL.Host+" "+seen, do)
		return
	}
	resp.Body.Close()
	theirs, err := http.ParseTime(resp.Header.Get("Date"))
	if err != nil {
		d.skip(check, "%s answers without a Date", req.URL.Host)
		return
	}
	// Date is cut to whole seconds, so it is up to a second early.
	off := before.Add(after.Sub(before) / 2).Sub(theirs.Add(time.Second / 2))
	size := off.Abs().Round(time.Second)
	way := "ahead of"
	if off < 0 {
		way = "behind"
	}
	seen := fmt.Sprintf("this machine's clock is %s %s that of %s", size, way, req.URL.Host)
	do := "let NTP set the clock: chronyc tracking, or timedatectl set-ntp true"
	switch {
	case size >= clockFault:
		d.add(check, fault, seen, do)
	case size >= clockWarning:
		d.add(check, warning, seen, do)
	default:
		d.ok(check, "in step with %s", req.URL.Host)
	}
}

// accepted asks the token server whether it accepts an application, with a refresh token
// that does not exist.
func (c *doctorCommand) accepted(ctx context.Context, id string, secret types.Secret) error {
	store := auth.NewMemory()
	probe := &auth.Token{UserID: "doctor", AccessToken: "none", RefreshToken: "none", Expiry: time.Now(), RefreshExpiry: time.Now().Add(time.Hour)}
	if _, err := store.Swap(ctx, nil, probe); err != nil {
		return err
	}
	users, err := auth.NewUsers(auth.App{ClientID: id, ClientSecret: secret}, store, &auth.Options{BaseURL: c.base(), Timeout: c.Timeout})
	if err != nil {
		return err
	}
	defer users.Close()
	_, err = users.Refresh(ctx, probe.UserID)
	if errors.Is(err, auth.ErrReconnect) {
		return nil // the application is known, and the token is not
	}
	return err
}

// client tries the client id and secret, and those of the other key.
func (c *doctorCommand) client(ctx context.Context, d *diagnosis, s doctorSecrets) {
	const check = "client"
	const portal = "take id and secret of the same key from Garmin's developer portal; a new secret there ends the old one"
	switch {
	case c.ClientID == "" && s.client == "":
		d.skip(check, "no -client-id and no %s", clientSecret)
		return
	case c.ClientID == "":
		d.add(check, fault, "there is a client secret and no client id", "set GARMIN_CLIENT_ID")
		return
	case s.client == "":
		d.add(check, fault, "there is a client id and no client secret", "set "+clientSecret+", or "+clientSecret+"_FILE")
		return
	case strings.TrimSpace(c.ClientID) != c.ClientID || strings.TrimSpace(string(s.client)) != string(s.client):
		d.add(check, fault, "client id or secret begins or ends with white space", "take it out: it is part of what is sent")
		return
	}
	err := c.accepted(ctx, c.ClientID, s.client)
	switch {
	case err == nil:
		d.ok(check, "Garmin takes the client id and secret")
		return
	case !errors.Is(err, auth.ErrInvalidClient):
		seen, do := unreachable(err, false)
		d.add(check, fault, "the token server "+seen, do)
		return
	}
	if c.EvaluationClientID != "" && s.evaluation != "" {
		crossed := c.accepted(ctx, c.ClientID, s.evaluation) == nil || c.accepted(ctx, c.EvaluationClientID, s.client) == nil
		if crossed {
			d.add(check, fault, "the keys are swapped: the client id in use belongs to the secret of the other key, evaluation or production",
				"exchange "+clientSecret+" and "+evaluationSecret+", or the two client ids")
			return
		}
	}
	do := portal
	if c.EvaluationClientID == "" || s.evaluation == "" {
		do += "; give GARMIN_EVALUATION_CLIENT_ID and its secret too, to see whether evaluation and production are swapped"
	}
	d.add(check, fault, "Garmin refuses the client id or secret", do)
}

// user calls Garmin with one user's token, without refreshing it.
func (c *doctorCommand) user(ctx context.Context, d *diagnosis) {
	const check = "user"
	if c.User == "" || c.Tokens == "" && !c.DB.Database {
		d.skip(check, "no -user, or no -tokens and no -database: no call was made for a user, and not seen whether the endpoint is enabled")
		return
	}
	store, done, err := openTokens(ctx, c.Tokens, &c.DB)
	if err != nil {
		d.skip(check, "the token file cannot be read")
		return
	}
	defer func() { _ = done() }()
	t, err := store.Token(ctx, c.User)
	switch {
	case errors.Is(err, auth.ErrNotConnected):
		d.add(check, fault, "the token file has no such user", "look at garminctl tokens; an id is spelled as Garmin does")
		return
	case err != nil:
		d.skip(check, "the token file cannot be read")
		return
	case !t.OAuth2():
		d.skip(check, "the user has a token of OAuth 1.0a: see garminctl migrate")
		return
	case !t.Expiry.After(time.Now()):
		d.skip(check, "the access token has ended, which the service mends; doctor refreshes none")
		return
	}
	pool, err := c.pool()
	if err != nil {
		d.add(check, fault, err.Error(), "give the base URL of the fake, such as http://127.0.0.1:9000")
		return
	}
	defer pool.Close()
	client, err := pool.Client(activity.OAuth2(oauth2.StaticTokenSource(&oauth2.Token{AccessToken: string(t.AccessToken)})))
	if err != nil {
		d.add(check, fault, err.Error(), "look at the user's token")
		return
	}
	id, err := client.UserID(ctx)
	switch {
	case refusesUser(err):
		d.add(check, fault, "the user's token is dead: Garmin refuses it, though it should hold until "+t.Expiry.UTC().Format(time.DateTime),
			"ask the user to connect again; if it is so for all users, the key was changed")
		return
	case err != nil:
		seen, do := unreachable(err, false)
		d.add(check, fault, "Garmin "+seen, do)
		return
	case id != c.User:
		d.add(check, fault, "the token stored for this user is that of another one", "the user must connect again; look for what has mixed them up")
		return
	}
	d.ok(check, "Garmin takes the user's token")
	for _, kind := range c.Kind {
		c.enabled(ctx, d, client, kind)
	}
}

// enabled requests history of a time that Garmin gives to nobody. The refusal shows
// whether the endpoint is enabled, and no range is used up.
func (c *doctorCommand) enabled(ctx context.Context, d *diagnosis, client *activity.Client, kind types.Kind) {
	const check = "enabled"
	begin := time.Date(2001, 1, 1, 0, 0, 0, 0, time.UTC)
	err := client.Backfill(ctx, kind, types.Window{Start: begin, End: begin.Add(time.Second)})
	var e *activity.Error
	switch {
	case err == nil, errors.Is(err, activity.ErrMinStart), errors.Is(err, activity.ErrDuplicate):
		d.ok(check, "the endpoint for %s is enabled", kind)
	case errors.Is(err, activity.ErrEndpointNotEnabled):
		d.add(check, fault, "the endpoint for "+string(kind)+" is not enabled",
			"tick it in Garmin's endpoint configuration tool, with your address, not on hold; leave it out with -kind if you do not use it")
	case errors.Is(err, activity.ErrNotPermitted):
		d.add(check, warning, string(kind)+": the user does not grant historical data or activities", "ask another user; this one has no history to give")
	case errors.As(err, &e):
		d.skip(check, "%s: Garmin answered %d, which does not tell", kind, e.StatusCode)
	default:
		d.skip(check, "%s: Garmin was not reached", kind)
	}
}

// refusesUser tells that Garmin itself refuses the user's token.
func refusesUser(err error) bool {
	e, ok := errors.AsType[*activity.Error](err)
	return ok && e.Fault() == types.FaultUser
}
