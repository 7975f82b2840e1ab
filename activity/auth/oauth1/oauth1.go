// Package oauth1 is for users who connected with OAuth 1.0a, which Garmin
// retires on 2026-12-31. Delete this package then.
//
//	scheme, err := oauth1.New(clientID, consumerSecret, nil)
//	if err != nil {
//		return nil, err
//	}
//	opts.Scheme = scheme
//	return auth.NewUsers(app, store, opts)
//
// Clients of such users then sign their requests. To connect further users with
// OAuth 1.0a, set auth.ConnectorOptions.Scheme. Migrate moves users to OAuth 2
// without asking them again; existing clients then use the new token.
//
// In the store, a user's AccessToken is the OAuth 1.0a token and TokenSecret is
// its secret.
package oauth1

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"net/http"
	"net/url"
	"strings"

	"github.com/garminkit/activityapi/activity"
	"github.com/garminkit/activityapi/activity/auth"
	internal "github.com/garminkit/activityapi/internal/scheme"
	"github.com/garminkit/activityapi/internal/secureurl"
	"github.com/garminkit/activityapi/types"
)

// Options are the optional settings of [New]. nil means the zero value.
type Options struct {
	// BaseURL replaces the address of Garmin's OAuth servers, for instance by
	// that of a fake. It is https, or http to a loopback address or
	// PlainHTTPHost.
	BaseURL       string
	PlainHTTPHost string
	// Form returns the form fields of a token exchange. Nil means none, as Garmin
	// documents it. Garmin told some applications to send oauth_token; it is then
	// signed once, although it is also in the header. No field may have two
	// values.
	Form func(t *auth.Token) url.Values
}

// scheme is OAuth 1.0a for one application. It is immutable.
type scheme struct {
	key       string
	secret    types.Secret
	form      func(*auth.Token) url.Values
	endpoints endpoints
}

// endpoints are the addresses of the two token servers, of the consent page
// between them, and of the exchange.
type endpoints struct{ request, consent, access, exchange string }

// New returns the scheme of an application, for auth.Options. consumerKey is its
// client id.
func New(consumerKey string, consumerSecret types.Secret, opts *Options) (auth.Scheme, error) {
	if opts == nil {
		opts = &Options{}
	}
	if consumerKey == "" || consumerSecret == "" {
		return nil, errors.New("oauth1: no consumer key or no consumer secret")
	}
	api, connect, partner := "https://connectapi.garmin.com", "https://connect.garmin.com", "https://apis.garmin.com"
	if opts.BaseURL != "" {
		u, err := secureurl.Check(opts.BaseURL, opts.PlainHTTPHost)
		if err == nil && u.RawQuery != "" {
			err = errors.New("has a query")
		}
		if err != nil {
			return nil, fmt.Errorf("oauth1: Options.BaseURL %w", err)
		}
		api = strings.TrimRight(opts.BaseURL, "/")
		connect, partner = api, api
	}
	s := &scheme{
		key: consumerKey, secret: consumerSecret, form: opts.Form,
		endpoints: endpoints{
			request:  api + "/oauth-service/oauth/request_token",
			consent:  connect + "/oauthConfirm",
			access:   api + "/oauth-service/oauth/access_token",
			exchange: partner + "/partner-gateway/rest/user/token-exchange",
		},
	}
	return func() internal.Scheme[auth.Token] { return s }, nil
}

// Sign implements [auth.Scheme].
func (s *scheme) Sign(t *auth.Token, req *http.Request, base http.RoundTripper) (*http.Response, error) {
	signer, err := s.credential(t)(base)
	if err != nil {
		if req.Body != nil {
			req.Body.Close()
		}
		return nil, err
	}
	return signer.RoundTrip(req)
}

func (s *scheme) credential(t *auth.Token) activity.Credential {
	return Credential(s.key, s.secret, t)
}

// Migrate moves all users in the store from OAuth 1.0a to OAuth 2, without asking
// for consent again, and yields each user with an error or nil. Garmin must have
// migrated the application first, and users must have been made with this store
// and with the scheme from New.
//
// A user who could not be moved keeps OAuth 1.0a: call Migrate again. If the
// error wraps [auth.ErrReconnect], the user has to connect again instead. An
// error with an empty user id is the store's, and comes last.
func Migrate(ctx context.Context, users *auth.Users, store auth.TokenStore) iter.Seq2[types.UserID, error] {
	return func(yield func(types.UserID, error) bool) {
		for t, err := range store.Tokens(ctx) {
			if err != nil {
				yield("", err)
				return
			}
			if t.OAuth2() || t.Revoked {
				continue
			}
			if _, err = users.Refresh(ctx, t.UserID); !yield(t.UserID, err) {
				return
			}
		}
	}
}

// Format implements [fmt.Formatter]: every verb prints the consumer key.
func (s *scheme) Format(f fmt.State, _ rune) { io.WriteString(f, "oauth1.Scheme("+s.key+")") }
