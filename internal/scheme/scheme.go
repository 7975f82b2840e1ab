// Package scheme has the interface by which package oauth1 serves package auth. It
// goes when Garmin has retired OAuth 1.0a, at the end of 2026.
package scheme

import (
	"context"
	"net/http"
	"net/url"
)

// Scheme is a way to connect other than OAuth 2, with tokens of type T, which do not
// expire and can be exchanged for OAuth 2 tokens.
//
// A Scheme is safe for concurrent use. It sends requests to Garmin's OAuth
// servers through the RoundTripper passed for that call, which bounds time and
// size and follows no redirect. Its errors hold no secret, and wrap
// ErrInvalidClient, ErrReconnect, ErrDenied or ErrState of package auth if the response
// means that.
type Scheme[T any] interface {
	// Sign sends a copy of req, signed with t, through base.
	Sign(t *T, req *http.Request, base http.RoundTripper) (*http.Response, error)

	// Exchange requests an OAuth 2 token in place of t, and returns the response
	// if there is one.
	Exchange(ctx context.Context, t *T, base http.RoundTripper) (*http.Response, error)

	// Begin starts the connection of a user, who returns to redirectURL. It
	// returns the address of the consent page, and a token that represents the
	// connection until Finish.
	Begin(ctx context.Context, redirectURL string, base http.RoundTripper) (consentURL string, pending *T, err error)

	// State returns the name of the parameter that holds the AccessToken of
	// pending, in the address of the consent page and in the callback.
	State() string

	// Finish turns the callback into the token of the user.
	Finish(ctx context.Context, pending *T, callback url.Values, base http.RoundTripper) (*T, error)
}
