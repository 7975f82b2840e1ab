package auth

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/dghubble/oauth1"

	"github.com/garminkit/activityapi/types"
)

// oauth1 returns the configuration of a single call. It must not be shared:
// the library writes to it.
func (s *server) oauth1(g *guard, redirectURL string) *oauth1.Config {
	return &oauth1.Config{
		ConsumerKey:    s.app.ClientID,
		ConsumerSecret: string(s.app.ConsumerSecret),
		CallbackURL:    redirectURL,
		Endpoint: oauth1.Endpoint{
			RequestTokenURL: s.endpoints.RequestToken,
			AuthorizeURL:    s.endpoints.AuthorizeToken,
			AccessTokenURL:  s.endpoints.AccessToken,
		},
		Noncer:     oauth1.HexNoncer{},
		HTTPClient: g.client(),
	}
}

// call1 runs one call of the OAuth 1.0a flow under the guards. refused is what
// 401 means.
func (s *server) call1(ctx context.Context, op, redirectURL string, refused error, do func(*oauth1.Config) (token, secret string, err error)) (*Token, error) {
	if s.app.ConsumerSecret == "" {
		return nil, &Error{Op: op, Err: fmt.Errorf("%w: no consumer secret", ErrInvalidClient)}
	}
	ctx, cancel := context.WithTimeout(ctx, s.timeout)
	defer cancel()
	g := &guard{base: s.base, ctx: ctx, plain: true, confirm: true}
	token, secret, err := do(s.oauth1(g, redirectURL))
	if err != nil {
		e := g.error(op, err)
		if g.status == http.StatusUnauthorized {
			e.Err = refused
		}
		return nil, e
	}
	return &Token{AccessToken: types.Secret(token), TokenSecret: types.Secret(secret)}, nil
}

// requestToken begins the OAuth 1.0a flow. The Token is a temporary one.
func (s *server) requestToken(ctx context.Context, redirectURL string) (*Token, error) {
	return s.call1(ctx, "request token", redirectURL, ErrInvalidClient, (*oauth1.Config).RequestToken)
}

// authorizeTokenURL returns the address of the consent page for a request
// token. Garmin reads the callback from here.
func (s *server) authorizeTokenURL(redirectURL string, request *Token) string {
	return s.endpoints.AuthorizeToken + "?" + url.Values{
		"oauth_token":    {string(request.AccessToken)},
		"oauth_callback": {redirectURL},
	}.Encode()
}

// accessToken ends the OAuth 1.0a flow.
func (s *server) accessToken(ctx context.Context, request *Token, verifier types.Secret) (*Token, error) {
	return s.call1(ctx, "access token", "", ErrState, func(c *oauth1.Config) (token, secret string, err error) {
		return c.AccessToken(string(request.AccessToken), string(request.TokenSecret), string(verifier))
	})
}

// next returns the token that comes after t: that of a refresh, or of a move
// to OAuth 2.
func (s *server) next(ctx context.Context, t *Token) (*Token, error) {
	if t.OAuth1() {
		return s.exchangeToken(ctx, t)
	}
	return s.refresh(ctx, t)
}

// exchangeToken gets an OAuth 2 token for an OAuth 1.0a token.
func (s *server) exchangeToken(ctx context.Context, t *Token) (*Token, error) {
	const op = "exchange token"
	fail := func(e *Error) (*Token, error) {
		e.Op, e.UserID = op, t.UserID
		return nil, e
	}
	if s.app.ConsumerSecret == "" {
		return fail(&Error{Err: fmt.Errorf("%w: no consumer secret", ErrInvalidClient)})
	}
	ctx, cancel := context.WithTimeout(ctx, s.timeout)
	defer cancel()
	var form url.Values
	if s.form != nil {
		form = s.form(t.clone())
	}
	var body io.Reader
	if len(form) > 0 {
		for k, v := range form {
			if len(v) != 1 || strings.HasPrefix(k, "oauth_") && k != "oauth_token" && k != "oauth_token_secret" {
				// The library would sign another text than it sends.
				return fail(&Error{Err: errors.New("form field that cannot be signed")})
			}
		}
		body = strings.NewReader(form.Encode())
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, s.endpoints.Exchange, body)
	if err != nil {
		return fail(&Error{Err: cause(err)})
	}
	if body != nil {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	g := &guard{base: s.base, plain: true}
	signer := oauth1.NewClient(
		context.WithValue(ctx, oauth1.HTTPClient, g.client()),
		s.oauth1(g, ""),
		oauth1.NewToken(string(t.AccessToken), string(t.TokenSecret)))
	start := time.Now()
	resp, err := signer.Transport.RoundTrip(req)
	if err != nil {
		return fail(g.error(op, &url.Error{Err: err}))
	}
	defer resp.Body.Close()
	var answer struct {
		AccessToken  string  `json:"access_token"`
		RefreshToken string  `json:"refresh_token"`
		ExpiresIn    float64 `json:"expires_in"`
		RefreshIn    float64 `json:"refresh_token_expires_in"`
	}
	if json.NewDecoder(resp.Body).Decode(&answer) != nil || answer.AccessToken == "" || answer.RefreshToken == "" {
		return fail(&Error{StatusCode: g.status, Err: errAnswer})
	}
	next := newToken(answer.AccessToken, answer.RefreshToken, start, answer.ExpiresIn, answer.RefreshIn)
	next.UserID = t.UserID
	return next, nil
}
