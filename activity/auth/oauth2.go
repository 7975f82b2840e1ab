package auth

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"time"

	"golang.org/x/oauth2"

	"github.com/garminkit/activityapi/types"
)

const (
	// defaultLifetime is assumed of an access token that comes without. It is
	// far below Garmin's 24 hours.
	defaultLifetime = time.Hour
	// refreshLifetime is that of Garmin's refresh tokens.
	refreshLifetime = 90 * 24 * time.Hour
)

// AuthorizeURL returns the address of Garmin's consent page. state comes back
// with the callback; verifier is a secret of 43 to 128 characters that only
// Exchange sees again, as from [oauth2.GenerateVerifier]. Garmin has no scopes.
func (a *App) AuthorizeURL(redirectURL, state string, verifier types.Secret) string {
	return a.oauth2(redirectURL).AuthCodeURL(state, oauth2.S256ChallengeOption(string(verifier)))
}

// Exchange turns the code of a callback into a token. redirectURL and verifier
// are those of AuthorizeURL. The token has no UserID yet.
func (a *App) Exchange(ctx context.Context, redirectURL string, code, verifier types.Secret) (*Token, error) {
	t, err := a.call(ctx, "exchange code", func(ctx context.Context) (*oauth2.Token, error) {
		return a.oauth2(redirectURL).Exchange(ctx, string(code), oauth2.VerifierOption(string(verifier)))
	})
	var e *Error
	if errors.As(err, &e) && e.Code == "invalid_grant" {
		// The code is at fault, not a user: it is used up or too old.
		e.Err = ErrState
	}
	return t, err
}

// Refresh spends the refresh token of t and returns the next token of the same
// user. From the moment Garmin has answered, t is worthless: store what
// Refresh returned before using it. [Users] does all this.
func (a *App) Refresh(ctx context.Context, t *Token) (*Token, error) {
	const op = "refresh token"
	if t.OAuth1() || t.RefreshToken == "" {
		return nil, &Error{Op: op, UserID: t.UserID, Err: errors.New("not an OAuth 2 token")}
	}
	next, err := a.call(ctx, op, func(ctx context.Context) (*oauth2.Token, error) {
		return a.oauth2("").TokenSource(ctx, &oauth2.Token{RefreshToken: string(t.RefreshToken)}).Token()
	})
	if err != nil {
		var e *Error
		if errors.As(err, &e) {
			e.UserID = t.UserID
		}
		return nil, err
	}
	next.UserID = t.UserID
	return next, nil
}

// newToken takes over what the server said. start is when the request was
// made, so that the answer's way counts against the token's life.
func newToken(t *oauth2.Token, start time.Time) *Token {
	start = start.UTC().Truncate(time.Second)
	next := &Token{
		AccessToken:   types.Secret(t.AccessToken),
		RefreshToken:  types.Secret(t.RefreshToken),
		Expiry:        start.Add(defaultLifetime),
		RefreshExpiry: start.Add(refreshLifetime),
	}
	if t.ExpiresIn > 0 {
		next.Expiry = start.Add(time.Duration(t.ExpiresIn) * time.Second)
	}
	if n, ok := t.Extra("refresh_token_expires_in").(float64); ok && n >= 1 && n < 1e9 {
		next.RefreshExpiry = start.Add(time.Duration(n) * time.Second)
	}
	return next
}

// error turns what a library returned into an Error. It takes over the error
// code if it is a known one, and none of the text: the description may quote
// the token.
func (g *guard) error(op string, err error) *Error {
	e := &Error{Op: op, StatusCode: g.status, RetryAfter: g.retryAfter}
	var retrieve *oauth2.RetrieveError
	var u *url.Error
	switch {
	case errors.As(err, &retrieve):
		var known bool
		if e.Err, known = oauthCodes[retrieve.ErrorCode]; known {
			e.Code = retrieve.ErrorCode
		} else if g.status == http.StatusUnauthorized {
			e.Err = ErrInvalidClient
		}
		if g.status >= 500 || g.status == http.StatusTooManyRequests {
			// A server in trouble is no judge of the token.
			e.Err = nil
		}
	case errors.As(err, &u):
		e.Err = u.Err
		if errors.Is(u.Err, errStatus) {
			e.Err = nil
		}
	default:
		e.Err = errAnswer
	}
	return e
}
