package auth

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"time"

	"golang.org/x/oauth2"

	"github.com/garminkit/activityapi/types"
)

// Endpoints are the addresses of Garmin's OAuth servers. An empty field means
// Garmin's own. All are https, or http to a loopback address.
type Endpoints struct {
	// OAuth 2: the consent page and the token server.
	Authorize string
	Token     string

	// OAuth 1.0a: the two token servers and the consent page between them.
	RequestToken   string
	AuthorizeToken string
	AccessToken    string

	// Exchange gives an OAuth 2 token for an OAuth 1.0a token.
	Exchange string
}

func (e Endpoints) withDefaults() (Endpoints, error) {
	for _, f := range []struct {
		name string
		p    *string
		url  string
	}{
		{"Authorize", &e.Authorize, "https://connect.garmin.com/oauth2Confirm"},
		{"Token", &e.Token, "https://diauth.garmin.com/di-oauth2-service/oauth/token"},
		{"RequestToken", &e.RequestToken, "https://connectapi.garmin.com/oauth-service/oauth/request_token"},
		{"AuthorizeToken", &e.AuthorizeToken, "https://connect.garmin.com/oauthConfirm"},
		{"AccessToken", &e.AccessToken, "https://connectapi.garmin.com/oauth-service/oauth/access_token"},
		{"Exchange", &e.Exchange, "https://apis.garmin.com/partner-gateway/rest/user/token-exchange"},
	} {
		if *f.p == "" {
			*f.p = f.url
		}
		if u, err := checkURL(*f.p); err != nil || u.RawQuery != "" {
			return e, fmt.Errorf("auth: Endpoints.%s is not a plain https URL", f.name)
		}
	}
	return e, nil
}

// checkURL parses a URL to which secrets go.
func checkURL(raw string) (*url.URL, error) {
	u, err := url.Parse(raw)
	if err != nil || u.Host == "" || u.User != nil || u.Fragment != "" ||
		u.Scheme != "https" && !(u.Scheme == "http" && loopback(u.Hostname())) {
		return nil, errors.New("auth: not an https URL")
	}
	return u, nil
}

func loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// AppOptions configures an App. A nil *AppOptions means the defaults.
type AppOptions struct {
	// ConsumerSecret is the secret of OAuth 1.0a; the consumer key is the
	// client id. It is needed for users who have not moved to OAuth 2.
	ConsumerSecret types.Secret
	// Endpoints are Garmin's if empty.
	Endpoints Endpoints
	// Transport carries the calls to the OAuth servers. Nil means a private
	// transport with time-outs and TLS 1.2 or later.
	Transport http.RoundTripper
	// Timeout bounds each call. Zero means 15 s.
	Timeout time.Duration
}

// App is a partner application as Garmin knows it. Its methods are the single
// steps of OAuth, one request each and none repeated; [Connector] and [Users]
// put them together. It is immutable and safe for concurrent use.
type App struct {
	opaque
	clientID       string
	clientSecret   types.Secret
	consumerSecret types.Secret
	endpoints      Endpoints
	base           http.RoundTripper
	ownBase        *http.Transport
	timeout        time.Duration
}

// NewApp returns the App with this client id and secret. The secret may be
// empty if there is a ConsumerSecret in opts: such an App has no OAuth 2.
func NewApp(clientID string, clientSecret types.Secret, opts *AppOptions) (*App, error) {
	if opts == nil {
		opts = &AppOptions{}
	}
	switch {
	case clientID == "":
		return nil, errors.New("auth: no client id")
	case clientSecret == "" && opts.ConsumerSecret == "":
		return nil, errors.New("auth: no client secret")
	case opts.Timeout < 0:
		return nil, errors.New("auth: negative timeout")
	}
	endpoints, err := opts.Endpoints.withDefaults()
	if err != nil {
		return nil, err
	}
	a := &App{
		clientID:       clientID,
		clientSecret:   clientSecret,
		consumerSecret: opts.ConsumerSecret,
		endpoints:      endpoints,
		base:           opts.Transport,
		timeout:        opts.Timeout,
	}
	if a.base == nil {
		a.ownBase = newTransport()
		a.base = a.ownBase
	}
	if a.timeout == 0 {
		a.timeout = 15 * time.Second
	}
	return a, nil
}

// Close closes idle connections of the default transport. It does not close a
// transport from AppOptions.
func (a *App) Close() {
	if a.ownBase != nil {
		a.ownBase.CloseIdleConnections()
	}
}

// oauth2 returns the configuration of a single call.
func (a *App) oauth2(redirectURL string) *oauth2.Config {
	return &oauth2.Config{
		ClientID:     a.clientID,
		ClientSecret: string(a.clientSecret),
		RedirectURL:  redirectURL,
		Endpoint: oauth2.Endpoint{
			AuthURL:  a.endpoints.Authorize,
			TokenURL: a.endpoints.Token,
			// Unset, the library tries the header first: a failed call each time.
			AuthStyle: oauth2.AuthStyleInParams,
		},
	}
}

var errNoOAuth2 = errors.New("auth: the application has no OAuth 2 client secret")

// call runs one OAuth 2 call under the guards.
func (a *App) call(ctx context.Context, op string, do func(ctx context.Context) (*oauth2.Token, error)) (*Token, error) {
	if a.clientSecret == "" {
		return nil, &Error{Op: op, Err: fmt.Errorf("%w: no client secret", ErrInvalidClient)}
	}
	ctx, cancel := context.WithTimeout(ctx, a.timeout)
	defer cancel()
	g := &guard{base: a.base}
	start := time.Now()
	t, err := do(context.WithValue(ctx, oauth2.HTTPClient, g.client()))
	if err != nil {
		return nil, g.error(op, err)
	}
	if t.RefreshToken == "" {
		return nil, &Error{Op: op, StatusCode: g.status, Err: errAnswer}
	}
	return newToken(t, start), nil
}
