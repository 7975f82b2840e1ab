// Package oauth1test adds OAuth 1.0a to a fake Garmin.
//
//	fake := activitytest.NewServer()
//	old := oauth1test.Add(fake)
//	user := fake.AddUser(nil)
//	token, secret := old.Connect(user)
//
// The fake then accepts requests signed with them, and serves the OAuth 1.0a flow
// and the token exchange.
package oauth1test

import (
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/garminkit/activityapi/activity/activitytest"
	"github.com/garminkit/activityapi/types"
)

// Garmin is the OAuth 1.0a part of a fake Garmin. The consumer key and its secret
// are Server.ClientID and ClientSecret. It is safe for concurrent use once its
// exported fields are set.
type Garmin struct {
	// Ends is when OAuth 1.0a stops working. Zero means never; Garmin has set the
	// end of 2026.
	Ends time.Time
	// CallbackConfirmed adds oauth_callback_confirmed to a request token, as RFC
	// 5849 requires. Garmin's document does not have it.
	CallbackConfirmed bool

	fake *activitytest.Server

	mu       sync.Mutex
	users    map[string]*connected // by token
	requests map[string]*request   // by request token
	nonces   map[string]time.Time
}

// connected is a user with a token.
type connected struct {
	user          types.UserID
	token, secret string
}

// Add adds OAuth 1.0a to fake. Call it before the first request.
func Add(fake *activitytest.Server) *Garmin {
	g := &Garmin{fake: fake, users: make(map[string]*connected), requests: make(map[string]*request), nonces: make(map[string]time.Time)}
	fake.Use(g.wrap)
	fake.Backstage().Keep("oauth1", g.save, g.load)
	fake.Backstage().Leaving(func(user types.UserID) {
		g.mu.Lock()
		defer g.mu.Unlock()
		g.revoke(user)
	})
	return g
}

// Connect gives a user a new OAuth 1.0a token and invalidates an older one. The
// user's notifications carry it until the user moves to OAuth 2.
func (g *Garmin) Connect(u *activitytest.User) (token, secret string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.revoke(u.ID())
	h := random(16)
	c := &connected{user: u.ID(), token: h[:8] + "-" + h[8:12] + "-" + h[12:16] + "-" + h[16:20] + "-" + h[20:], secret: random(16)}
	g.users[c.token] = c
	if !u.State().Connected {
		u.Connect()
	}
	u.Change(func(s *activitytest.UserState) { s.ItemToken = c.token })
	return c.token, c.secret
}

// revoke ends a user's token for good: no later connection brings it back.
func (g *Garmin) revoke(user types.UserID) {
	for token, c := range g.users {
		if c.user == user {
			delete(g.users, token)
		}
	}
}

// random returns n random bytes in hex digits.
func random(n int) string {
	b := make([]byte, n)
	rand.Read(b)
	return hex.EncodeToString(b)
}

// wrap answers for the servers of OAuth 1.0a and finds out for the API whom a
// signed request is from.
func (g *Garmin) wrap(api http.Handler) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /oauth-service/oauth/request_token", g.serveRequestToken)
	mux.HandleFunc("GET /oauthConfirm", g.servePage)
	mux.HandleFunc("POST /oauthConfirm", g.servePage)
	mux.HandleFunc("POST /oauth-service/oauth/access_token", g.serveAccessToken)
	mux.HandleFunc("POST /partner-gateway/rest/user/token-exchange", g.serveExchange)
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		if !signed(r) {
			api.ServeHTTP(w, r)
		} else if u := g.user(w, r); u != nil {
			api.ServeHTTP(w, g.fake.Backstage().Signed(r, u.ID()))
		}
	})
	return mux
}

// signed reports whether a request has a header of OAuth 1.0a.
func signed(r *http.Request) bool {
	scheme, _, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	return strings.EqualFold(scheme, "OAuth")
}

// user returns who has signed a request, or answers it and returns nil.
func (g *Garmin) user(w http.ResponseWriter, r *http.Request) *activitytest.User {
	p, err := readHeader(r)
	if err != nil {
		writeError(w, http.StatusUnauthorized, errNoAuth)
		return nil
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if !g.Ends.IsZero() && !g.fake.State().Now.Before(g.Ends) {
		writeError(w, http.StatusUnauthorized, "OAuth 1.0 is no longer supported")
		return nil
	}
	c := g.users[p["oauth_token"]]
	var u *activitytest.User
	if c != nil {
		u = g.fake.User(c.user)
	}
	if u == nil || !u.State().Connected {
		writeError(w, http.StatusForbidden, "Unknown UserAccessToken")
		return nil
	}
	if err := g.verify(r, p, c.secret); err != nil {
		writeError(w, http.StatusUnauthorized, err.Error())
		return nil
	}
	return u
}

// errNoAuth is the text for a missing or unreadable Authorization header.
const errNoAuth = "Unable to read oAuth header"

// writeError answers in the form of Garmin's errors.
func writeError(w http.ResponseWriter, status int, text string) {
	b, _ := json.Marshal(map[string]string{"errorMessage": text}) // cannot fail
	writeJSON(w, status, b)
}

func writeJSON(w http.ResponseWriter, status int, b []byte) {
	w.Header().Set("Content-Type", "application/json;charset=utf-8")
	w.WriteHeader(status)
	_, _ = w.Write(b)
}
