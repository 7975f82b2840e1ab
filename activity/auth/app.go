package auth

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/garminkit/activityapi/internal/appname"
	"github.com/garminkit/activityapi/internal/scheme"
	"github.com/garminkit/activityapi/internal/secureurl"
	"github.com/garminkit/activityapi/types"
)

// endpoints are the addresses of the OAuth servers.
type endpoints struct {
	authorize string // the consent page
	token     string // the token server
}

// endpointsAt returns those at base, which is https, or http to a loopback address
// or the host called plain. For "" they are Garmin's own.
func endpointsAt(base, plain string) (endpoints, error) {
	connect, diauth := "https://connect.garmin.com", "https://diauth.garmin.com"
	if base != "" {
		u, err := secureurl.Check(base, plain)
		if err == nil && u.RawQuery != "" {
			err = errors.New("has a query")
		}
		if err != nil {
			return endpoints{}, fmt.Errorf("auth: Options.BaseURL %w", err)
		}
		connect = strings.TrimRight(base, "/")
		diauth = connect
	}
	return endpoints{connect + "/oauth2Confirm", diauth + "/di-oauth2-service/oauth/token"}, nil
}

// App is a partner application as registered with Garmin. It prints without its
// secret, and its JSON has none.
type App struct {
	// Name is part of the ids of the application's users if Users serves several
	// applications; see [types.UserID.In]. Leave it empty for a single
	// application, and for one that was single when its users connected.
	Name     string
	ClientID string
	// ClientSecret may be empty if Options.Scheme is set. Users can then not
	// connect with OAuth 2.
	ClientSecret types.Secret `json:"-"`
}

func (a App) check(signs bool) error {
	if err := appname.Check(a.Name); err != nil {
		return fmt.Errorf("auth: App.Name %.100q: %w", a.Name, err)
	}
	switch {
	case a.ClientID == "":
		return errors.New("auth: App without ClientID")
	case a.ClientSecret == "" && !signs:
		return errors.New("auth: App without ClientSecret")
	}
	return nil
}

// Format implements [fmt.Formatter]: every verb prints the client id alone.
func (a App) Format(f fmt.State, _ rune) { io.WriteString(f, "App("+a.ClientID+")") }

// server makes single calls to Garmin's OAuth servers, one request each and
// none repeated.
type server struct {
	app       App
	endpoints endpoints
	base      http.RoundTripper
	plain     string // Options.PlainHTTPHost
	timeout   time.Duration
	scheme    scheme.Scheme[Token] // or nil
}
