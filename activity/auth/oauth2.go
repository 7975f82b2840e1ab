package auth

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
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

// oauth2 returns the configuration of a single call.
func (s *server) oauth2(redirectURL string) *oauth2.Config {
	return &oauth2.Config{
		ClientID:     s.app.ClientID,
		ClientSecret: string(s.app.ClientSecret),
		RedirectURL:  redirectURL,
		Endpoint: oauth2.Endpoint{
			AuthURL:  s.endpoints.authorize,
			TokenURL: s.endpoints.token,
			// Unset, the library tries the header first: a failed call each time.
			AuthStyle: oauth2.AuthStyleInParams,
		},
	}
}

// call runs one OAuth 2 call under the guards.
func (s *server) call(ctx context.Context, op string, do func(ctx context.Context) (*oauth2.Token, error)) (*Token, error) {
	if s.app.ClientSecret == "" {
		return nil, &Error{Op: op, Err: fmt.Errorf("%w: no client secret", ErrInvalidClient)}
	}
	ctx, cancel := context.WithTimeout(ctx, s.timeout)
	defer cancel()
	g := &guard{base: s.base}
	start := time.Now()
	t, err := do(context.WithValue(ctx, oauth2.HTTPClient, g.client()))
	if err != nil {
		return nil, g.error(op, err)
	}
	if t.RefreshToken == "" {
		return nil, &Error{Op: op, StatusCode: g.status, Err: errAnswer, remote: true, page: g.page}
	}
	refreshExpiresIn, _ := t.Extra("refresh_token_expires_in").(float64)
	return newToken(t.AccessToken, t.RefreshToken, start, float64(t.ExpiresIn), refreshExpiresIn), nil
}

// authorizeURL returns the address of Garmin's consent page. state comes back
// with the callback; verifier is a secret of 43 to 128 characters that only
// exchangeCode sees again, as from [oauth2.GenerateVerifier]. Garmin has no scopes.
func (s *server) authorizeURL(redirectURL, state string, verifier types.Secret) string {
	return s.oauth2(redirectURL).AuthCodeURL(state, oauth2.S256ChallengeOption(string(verifier)))
}

// exchangeCode turns the code of a callback into a token. redirectURL and verifier
// are those of authorizeURL. The token has no UserID yet.
func (s *server) exchangeCode(ctx context.Context, redirectURL string, code, verifier types.Secret) (*Token, error) {
	t, err := s.call(ctx, "exchange code", func(ctx context.Context) (*oauth2.Token, error) {
		return s.oauth2(redirectURL).Exchange(ctx, string(code), oauth2.VerifierOption(string(verifier)))
	})
	var e *Error
	if errors.As(err, &e) && e.Code == "invalid_grant" {
		// The code is at fault, not a user: it is used up or too old.
		e.Err = ErrState
	}
	return t, err
}

// refresh spends the refresh token of t and returns the next token of the same
// user. From the moment Garmin has answered, t is worthless: store what
// refresh returned before using it.
func (s *server) refresh(ctx context.Context, t *Token) (*Token, error) {
	const op = "refresh token"
	if !t.OAuth2() || t.RefreshToken == "" {
		return nil, &Error{Op: op, UserID: t.UserID, Err: errors.New("not an OAuth 2 token")}
	}
	next, err := s.call(ctx, op, func(ctx context.Context) (*oauth2.Token, error) {
		return s.oauth2("").TokenSource(ctx, &oauth2.Token{RefreshToken: string(t.RefreshToken)}).Token()
	})
	if err != nil {
		if e, ok := errors.AsType[*Error](err); ok {
			e.UserID = t.UserID
		}
		return nil, err
	}
	next.UserID = t.UserID
	return next, nil
}

// readToken reads the answer to a token exchange.
func readToken(r io.Reader, start time.Time) (*Token, error) {
	var answer struct {
		AccessToken  string  `json:"access_token"`
		RefreshToken string  `json:"refresh_token"`
		ExpiresIn    float64 `json:"expires_in"`
		RefreshIn    float64 `json:"refresh_token_expires_in"`
	}
	if json.NewDecoder(r).Decode(&answer) != nil || answer.AccessToken == "" || answer.RefreshToken == "" {
		return nil, errAnswer
	}
	return newToken(answer.AccessToken, answer.RefreshToken, start, answer.ExpiresIn, answer.RefreshIn), nil
}

// newToken takes over what the server said. start is when the request was
// made, so that the answer's way counts against the token's life.
func newToken(access, refresh string, start time.Time, expiresIn, refreshExpiresIn float64) *Token {
	start = start.UTC().Truncate(time.Second)
	end := func(seconds float64, otherwise time.Duration) time.Time {
		if seconds >= 1 && seconds < 1e9 {
			return start.Add(time.Duration(seconds) * time.Second)
		}
		return start.Add(otherwise)
	}
	return &Token{
		AccessToken:   types.Secret(access),
		RefreshToken:  types.Secret(refresh),
		Expiry:        end(expiresIn, defaultLifetime),
		RefreshExpiry: end(refreshExpiresIn, refreshLifetime),
	}
}
