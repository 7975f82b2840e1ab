package auth

import (
	"context"
	"errors"
	"net/http"

	"github.com/garminkit/activityapi/activity"
	"github.com/garminkit/activityapi/types"
)

// Client returns the client of a connected user. It is cheap: make one
// whenever there is something to do for the user. All clients share the
// connections, limits and retry budget of the Pool in Options.
//
// The client takes the user's token from the store for each request, like
// [Users.Token]. It therefore uses the new token after another process has
// refreshed it, or after the user has reconnected or moved to OAuth 2. A request
// whose context ends does not wait for a refresh. errors.Is and errors.As find
// the errors of Token in those of the client.
//
// If Garmin answers 401 to an OAuth 2 token that looks valid, the client gets a
// new one, with at most one refresh, and repeats the request, unless it must not
// be repeated. This happens at most once an hour for each user. If Garmin refuses
// the new token too, [activity.Error.Fault] does not name the user until Garmin
// has accepted no token of the user for a day: the cause may be an outage.
//
// The error wraps ErrNotConnected if the store does not have the user; there is
// no default user. A user who must connect again still has a client, whose calls
// fail with ErrReconnect. Garmin may still push that user's data and the
// deregistration, and neither needs a token. For the same reason, if the
// application knows a user who is not in the store, treat the user as one
// without a client.
func (u *Users) Client(ctx context.Context, userID types.UserID) (*activity.Client, error) {
	s, err := u.of("client", userID)
	if err != nil {
		return nil, err
	}
	if _, err := u.store.Token(ctx, userID); err != nil {
		return nil, wrap("client", userID, err)
	}
	return u.pool.Client((&credential{users: u, server: s, userID: userID}).transport)
}

// credential proves to be one of the users.
type credential struct {
	opaque
	users  *Users
	server *server
	userID types.UserID
}

// transport is the [activity.Credential].
func (c *credential) transport(base http.RoundTripper) (http.RoundTripper, error) {
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
	resp, err := a.server.authorize(t, req, a.base)
	switch {
	case err != nil || !t.OAuth2():
		return resp, err
	case !refuses(resp):
		if resp.StatusCode < 300 {
			a.users.accepted(a.userID)
		}
		return resp, nil
	}
	next, err := a.users.renew(req.Context(), t)
	switch {
	case errors.Is(err, ErrReconnect), errors.Is(err, ErrNotConnected):
		if req.Body != nil {
			return resp, nil // sent, and refused for a reason
		}
		resp.Body.Close()
		return nil, err
	case err != nil || req.Body != nil:
		// Garmin's answer tells more than an error would. A request with a
		// body must not be sent again; the next one has the new token.
		a.users.judge(a.userID, resp)
		return resp, nil //nolint:nilerr // see above
	}
	resp.Body.Close()
	resp, err = a.server.authorize(next, req, a.base)
	switch {
	case err != nil:
	case refuses(resp):
		a.users.judge(a.userID, resp)
	case resp.StatusCode < 300:
		a.users.accepted(a.userID)
	}
	return resp, err
}

// authorize sends a copy of req with the proof of t.
func (s *server) authorize(t *Token, req *http.Request, base http.RoundTripper) (*http.Response, error) {
	if !t.OAuth2() {
		if s.scheme == nil {
			return nil, &Error{Op: "sign", UserID: t.UserID, Err: errNoScheme}
		}
		return s.scheme.Sign(t, req, base)
	}
	req = req.Clone(req.Context())
	req.Header.Set("Authorization", "Bearer "+string(t.AccessToken))
	return base.RoundTrip(req)
}

// newcomer is the credential of a token whose user is not known yet.
func (s *server) newcomer(t *Token) activity.Credential {
	return func(base http.RoundTripper) (http.RoundTripper, error) {
		return roundTripper(func(req *http.Request) (*http.Response, error) { return s.authorize(t, req, base) }), nil
	}
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(req *http.Request) (*http.Response, error) { return f(req) }
