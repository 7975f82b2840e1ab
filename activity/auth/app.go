package auth

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"time"

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

// App is a partner application as Garmin knows it. It prints without its
// secrets.
type App struct {
	// ClientID is the client id; in OAuth 1.0a it is the consumer key.
	ClientID string
	// ClientSecret is that of OAuth 2. An application that Garmin has not
	// moved to OAuth 2 has none.
	ClientSecret types.Secret
	// ConsumerSecret is the secret of OAuth 1.0a. Only users who have not
	// moved to OAuth 2 need it.
	ConsumerSecret types.Secret
}

func (a App) check() error {
	switch {
	case a.ClientID == "":
		return errors.New("auth: App without ClientID")
	case a.ClientSecret == "" && a.ConsumerSecret == "":
		return errors.New("auth: App without ClientSecret")
	}
	return nil
}

// String returns the client id.
func (a App) String() string { return "App(" + a.ClientID + ")" }

// Format implements [fmt.Formatter]: every verb prints String.
func (a App) Format(f fmt.State, _ rune) { io.WriteString(f, a.String()) }

// LogValue implements [slog.LogValuer].
func (a App) LogValue() slog.Value { return slog.StringValue(a.String()) }

// MarshalJSON returns the client id alone.
func (a App) MarshalJSON() ([]byte, error) {
	return json.Marshal(map[string]string{"ClientID": a.ClientID})
}

// server makes single calls to Garmin's OAuth servers, one request each and
// none repeated.
type server struct {
	app       App
	endpoints Endpoints
	base      http.RoundTripper
	timeout   time.Duration
	form      func(*Token) url.Values // of token exchanges
}
