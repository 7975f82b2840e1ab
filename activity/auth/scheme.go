package auth

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/garminkit/activityapi/internal/scheme"
)

// Scheme is a way to connect other than OAuth 2. Its tokens have a TokenSecret, do
// not expire, and can be exchanged for OAuth 2 tokens. The only one is OAuth 1.0a,
// which New of package oauth1 returns. Package fmt prints it as an address, so that
// no secret is shown.
type Scheme func() scheme.Scheme[Token]

// called runs one call of a scheme to Garmin's OAuth servers under the guards.
func called[T any](ctx context.Context, s *server, op string, call func(ctx context.Context, base http.RoundTripper) (T, error)) (T, error) {
	ctx, cancel := context.WithTimeout(ctx, s.timeout)
	defer cancel()
	g := &guard{base: s.base}
	v, err := call(ctx, g)
	if err != nil {
		return v, g.judged(op, err)
	}
	return v, nil
}

// judged turns what a scheme returned into an Error. What it made of an answer
// counts only if an OAuth server has written that, and is not in trouble.
func (g *guard) judged(op string, err error) *Error {
	e := &Error{Op: op, StatusCode: g.status, Wait: g.wait, Err: cause(err), remote: g.called, page: g.page}
	if g.called && (g.page || !judges(g.status)) &&
		(errors.Is(err, ErrInvalidClient) || errors.Is(err, ErrReconnect) || errors.Is(err, ErrState)) {
		e.Err = nil
	}
	return e
}

// next returns the token that comes after t: that of a refresh, or of an
// exchange.
func (s *server) next(ctx context.Context, t *Token) (*Token, error) {
	if t.OAuth2() {
		return s.refresh(ctx, t)
	}
	return s.exchange(ctx, t)
}

// exchange gets an OAuth 2 token for a token of the scheme.
func (s *server) exchange(ctx context.Context, t *Token) (*Token, error) {
	const op = "exchange token"
	if s.scheme == nil {
		return nil, &Error{Op: op, UserID: t.UserID, Err: errNoScheme}
	}
	start := time.Now()
	next, err := called(ctx, s, op, func(ctx context.Context, base http.RoundTripper) (*Token, error) {
		resp, err := s.scheme.Exchange(ctx, t.clone(), base)
		if err != nil {
			return nil, err
		}
		defer resp.Body.Close()
		return readToken(resp.Body, start)
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

// errNoScheme tells of a token that only a scheme can use.
var errNoScheme = errors.New("the token is of no OAuth 2 connection, and Options has no Scheme")
