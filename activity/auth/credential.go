package auth

import (
	"context"
	"errors"
	"io"
	"net/http"

	"github.com/garminkit/activityapi/activity"
)

// Client returns the client of a connected user. It is cheap: make one
// whenever there is something to do for the user. All clients share the
// connections, limits and retry budget of the Pool in Options.
//
// The client takes the user's token from the store for each request, as
// [Users.Token] does. So it follows when another process refreshes it, when
// the user connects anew, and when the user moves to OAuth 2; a request whose
// context ends does not wait for a refresh. What Token returns as an error can
// be found in the client's errors, for errors.Is and errors.As.
//
// If Garmin answers 401 to an OAuth 2 token that looks good, the client gets
// the user another one, by one refresh at most, and makes the request once
// more, unless it is one that must not be repeated. This happens once in an
// hour for each user.
//
// The error wraps ErrNotConnected if the store does not have the user. There is
// no user to fall back on. A user who must connect again has a client all the
// same, whose calls fail with ErrReconnect: Garmin may still push that user's
// data, and the deregistration, and neither needs a token.
func (u *Users) Client(ctx context.Context, userID string) (*activity.Client, error) {
	if _, err := u.store.Token(ctx, userID); err != nil {
		return nil, wrap("client", userID, err)
	}
	return u.pool.Client(&credential{users: u, userID: userID})
}

// credential proves to be one of the users.
type credential struct {
	opaque
	users  *Users
	userID string
}

// Transport implements [activity.Credential].
func (c *credential) Transport(base http.RoundTripper) (http.RoundTripper, error) {
	return &authorizer{credential: c, base: base}, nil
}

type authorizer struct {
	*credential
	base http.RoundTripper
}

// RoundTrip implements http.RoundTripper. Unlike an oauth2.Transport it waits
// for a refresh no longer than the request does.
func (a *authorizer) RoundTrip(req *http.Request) (*http.Response, error) {
	t, err := a.users.Token(req.Context(), a.userID)
	if err == nil && t.UserID != a.userID {
		err = wrap("token", a.userID, errForeign)
	}
	if err != nil {
		if req.Body != nil {
			req.Body.Close()
		}
		return nil, err
	}
	resp, err := a.users.server.authorize(t, req, a.base)
	if err != nil || resp.StatusCode != http.StatusUnauthorized || t.OAuth1() {
		return resp, err
	}
	next, err := a.users.renew(req.Context(), t)
	switch {
	case req.Body != nil:
		// It must not be sent again; the next request has the new token.
		return resp, nil
	case errors.Is(err, ErrReconnect), errors.Is(err, ErrNotConnected):
		resp.Body.Close()
		return nil, err
	case err != nil:
		return resp, nil //nolint:nilerr // Garmin's answer tells more
	}
	// So that the connection can be used again.
	_, _ = io.CopyN(io.Discard, resp.Body, 4<<10)
	resp.Body.Close()
	return a.users.server.authorize(next, req, a.base)
}

// authorize sends a copy of req with the proof of t.
func (s *server) authorize(t *Token, req *http.Request, base http.RoundTripper) (*http.Response, error) {
	if t.OAuth1() {
		rt, err := activity.OAuth1{
			ConsumerKey:    s.app.ClientID,
			ConsumerSecret: s.app.ConsumerSecret,
			Token:          t.AccessToken,
			TokenSecret:    t.TokenSecret,
		}.Transport(base)
		if err != nil {
			return nil, &Error{Op: "sign", UserID: t.UserID, Err: ErrInvalidClient}
		}
		return rt.RoundTrip(req)
	}
	req = req.Clone(req.Context())
	req.Header.Set("Authorization", "Bearer "+string(t.AccessToken))
	return base.RoundTrip(req)
}

// newcomer is the credential of a token whose user is not known yet.
type newcomer struct {
	opaque
	server *server
	token  *Token
}

// Transport implements [activity.Credential].
func (n *newcomer) Transport(base http.RoundTripper) (http.RoundTripper, error) {
	return roundTripper(func(req *http.Request) (*http.Response, error) {
		return n.server.authorize(n.token, req, base)
	}), nil
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(req *http.Request) (*http.Response, error) { return f(req) }
