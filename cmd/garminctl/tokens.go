package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/garminkit/activityapi/activity/auth"
	"github.com/garminkit/activityapi/types"
)

// health summarizes the tokens of a store.
type health struct {
	Total  int `json:"total"`
	Good   int `json:"good"`
	Ending int `json:"ending"`
	Ended  int `json:"ended"`
	// Revoked and ended tokens are dead: these users must connect again.
	Revoked int `json:"revoked"`
	OAuth1  int `json:"oauth1"`
	// Claimed counts tokens that a process has claimed for longer than a refresh may
	// take: it died, or a clock jumped.
	Claimed int `json:"claimed"`
}

// The states of a token.
const (
	tokenGood    = "good"
	tokenEnding  = "ending"
	tokenEnded   = "ended"
	tokenRevoked = "revoked"
	tokenOAuth1  = "oauth1"
)

// longestClaim is more than any refresh takes.
const longestClaim = 10 * time.Minute

// stateOf returns the state of a token. soon is when one counts as ending soon.
func stateOf(t *auth.Token, now, soon time.Time) string {
	switch {
	case t.Revoked:
		return tokenRevoked
	case !t.OAuth2():
		return tokenOAuth1
	case !t.RefreshExpiry.IsZero() && !t.RefreshExpiry.After(now):
		return tokenEnded
	case t.RefreshExpiry.Before(soon):
		return tokenEnding
	}
	return tokenGood
}

func (h *health) add(t *auth.Token, state string, now time.Time) {
	h.Total++
	if t.ClaimedUntil.After(now.Add(longestClaim)) {
		h.Claimed++
	}
	switch state {
	case tokenGood:
		h.Good++
	case tokenEnding:
		h.Ending++
	case tokenEnded:
		h.Ended++
	case tokenRevoked:
		h.Revoked++
	case tokenOAuth1:
		h.OAuth1++
	}
}

// oauth1End is when Garmin stops accepting OAuth 1.0a.
var oauth1End = time.Date(2027, 1, 1, 0, 0, 0, 0, time.UTC)

// tokens checks the tokens for doctor.
func (c *doctorCommand) tokens(ctx context.Context, d *diagnosis) {
	const check = "tokens"
	if c.Tokens == "" && !c.DB.Database {
		d.skip(check, "no -tokens and no -database")
		return
	}
	store, done, err := openTokens(ctx, c.Tokens, &c.DB)
	var usage usageError
	switch {
	case errors.As(err, &usage):
		d.skip(check, "%v", err)
		return
	case err != nil:
		d.add(check, fault, "the tokens cannot be opened: "+reason(err), "if it is sealed set "+tokensKey+"; if it was damaged, restore a backup while the service is stopped")
		return
	}
	defer func() { _ = done() }()
	now := time.Now()
	var h health
	var dead []types.UserID
	for t, err := range store.Tokens(ctx) {
		if err != nil {
			d.add(check, fault, "the tokens cannot be read: "+reason(err), "look at the disk; restore a backup while the service is stopped")
			return
		}
		state := stateOf(t, now, now.AddDate(0, 0, 14))
		h.add(t, state, now)
		if state == tokenRevoked || state == tokenEnded {
			dead = append(dead, t.UserID)
		}
	}
	if len(dead) > 0 {
		d.add(check, fault, fmt.Sprintf("%d of %d tokens are dead: %s", len(dead), h.Total, some(dead)), "ask these users to connect again; garminctl tokens lists them")
	}
	if h.Ending > 0 {
		d.add(check, warning, fmt.Sprintf("%d refresh tokens end within 14 days", h.Ending), "see that auth.Users.KeepAlive runs: service.Options.Tokens does it")
	}
	if h.Claimed > 0 {
		d.add(check, warning, fmt.Sprintf("%d tokens are claimed for a refresh beyond the next minutes", h.Claimed), "look at the clock of this machine: it was ahead when they were claimed")
	}
	if h.OAuth1 > 0 {
		days := int(time.Until(oauth1End).Hours() / 24)
		verdict := warning
		if days < 14 {
			verdict = fault
		}
		d.add(check, verdict, fmt.Sprintf("%d users have a token of OAuth 1.0a, which Garmin ends in %d days", h.OAuth1, max(days, 0)), "garminctl migrate moves them without asking them")
	}
	if h.Good == h.Total {
		d.ok(check, "all %d tokens are good", h.Total)
	}
}

// some lists the first few names.
func some(ids []types.UserID) string {
	text := ""
	for i, id := range ids {
		switch {
		case i == 5:
			return fmt.Sprintf("%s and %d more", text, len(ids)-i)
		case i > 0:
			text += ", "
		}
		text += string(id)
	}
	return text
}
