package auth

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/garminkit/activityapi/internal/appname"
	"github.com/garminkit/activityapi/internal/scheme"
	"github.com/garminkit/activityapi/internal/secureurl"
	"github.com/garminkit/activityapi/types"
)

// Endpoints are the addresses of Garmin's OAuth servers. An empty field means
// Garmin's own. All are https, or http to a loopback address.
type Endpoints struct {
	Authorize string // the consent page
	Token     string // the token server
}

func (e Endpoints) withDefaults(plain string) (Endpoints, error) {
	for _, f := range []struct {
		name string
		p    *string
		url  string
	}{
		{"Authorize", &e.Authorize, "https://connect.garmin.com/oauth2Confirm"},
		{"Token", &e.Token, "https://diauth.garmin.com/di-oauth2-service/oauth/token"},
	} {
		if *f.p == "" {
			*f.p = f.url
		}
		u, err := secureurl.Check(*f.p, plain)
		if err == nil && u.RawQuery != "" {
			err = errors.New("has a query")
		}
		if err != nil {
			return e, fmt.Errorf("auth: Endpoints.%s %w", f.name, err)
		}
	}
	return e, nil
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
	endpoints Endpoints
	base      http.RoundTripper
	plain     string // Options.PlainHTTPHost
	timeout   time.Duration
	scheme    scheme.Scheme[Token] // or nil
}
