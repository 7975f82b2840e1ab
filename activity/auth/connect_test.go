package auth_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/garminkit/activityapi/activity"
	"github.com/garminkit/activityapi/activity/activitytest"
	"github.com/garminkit/activityapi/activity/auth"
	"github.com/garminkit/activityapi/types"
)

const callbackURL = "https://partner.example/garmin/callback?tenant=7"

// partner is an application on the fake Garmin.
type partner struct {
	fake  *activitytest.Server
	store auth.TokenStore
	users *auth.Users
	*auth.Connector
	// what done was given last
	conn *auth.Connection
	err  error
	done int
}

func fakeApp(fake *activitytest.Server) auth.App {
	return auth.App{
		ClientID:     fake.ClientID,
		ClientSecret: types.Secret(fake.ClientSecret),
	}
}

// newPartner returns an application that reaches the fake in memory.
func newPartner(t testing.TB, opts *auth.ConnectorOptions) *partner {
	t.Helper()
	fake := activitytest.NewServer()
	p := &partner{fake: fake, store: auth.NewMemory()}
	pool, err := activity.NewPool(&activity.Options{Transport: fake})
	require.NoError(t, err)
	p.users, err = auth.NewUsers(fakeApp(fake), p.store, &auth.Options{Transport: fake, Pool: pool})
	require.NoError(t, err)
	p.Connector, err = auth.NewConnector(p.users, callbackURL, p.finished, opts)
	require.NoError(t, err)
	return p
}

func (p *partner) finished(w http.ResponseWriter, r *http.Request, c *auth.Connection, err error) {
	p.conn, p.err = c, err
	p.done++
	if err != nil {
		w.WriteHeader(http.StatusForbidden)
	}
}

// start lets a browser without cookies press the button. It returns where it is
// sent and the cookies it was given.
func (p *partner) start(t testing.TB) (consent string, cookies []*http.Cookie) {
	t.Helper()
	w := httptest.NewRecorder()
	p.Start(w, httptest.NewRequest("GET", "https://partner.example/garmin/connect", nil))
	require.Equal(t, http.StatusSeeOther, w.Code)
	require.Equal(t, "no-store", w.Header().Get("Cache-Control"))
	return w.Header().Get("Location"), w.Result().Cookies()
}

// consents lets user press the button and allow everything. It returns the
// address that the browser comes back to, and the cookies it was given.
func (p *partner) consents(t testing.TB, user *activitytest.User) (redirect string, cookies []*http.Cookie) {
	t.Helper()
	consent, cookies := p.start(t)
	redirect, err := p.fake.Consent(consent, user)
	require.NoError(t, err)
	return redirect, cookies
}

// callback lets a browser with these cookies come back.
func (p *partner) callback(redirect string, cookies []*http.Cookie) *http.Response {
	r := httptest.NewRequest("GET", redirect, nil)
	for _, c := range cookies {
		r.AddCookie(c)
	}
	w := httptest.NewRecorder()
	p.Callback(w, r)
	return w.Result()
}

func TestConnect(t *testing.T) {
	t.Parallel()
	p := newPartner(t, nil)
	user := p.fake.AddUser(&activitytest.UserOptions{NotConnected: true})
	consent, cookies := p.start(t)
	require.NotContains(t, consent, "scope")
	redirect, err := p.fake.Consent(consent, user)
	require.NoError(t, err)
	require.True(t, strings.HasPrefix(redirect, "https://partner.example/garmin/callback?"), redirect)
	require.Contains(t, redirect, "tenant=7")

	resp := p.callback(redirect, cookies)
	require.NoError(t, p.err)
	require.Equal(t, &auth.Connection{UserID: user.ID(), Permissions: user.State().Permissions}, p.conn)
	require.Equal(t, -1, resp.Cookies()[0].MaxAge, "the cookie stays")

	tok, err := p.store.Token(t.Context(), user.ID())
	require.NoError(t, err)
	require.True(t, tok.OAuth2())
	client, err := p.users.Client(t.Context(), user.ID())
	require.NoError(t, err)
	id, err := client.UserID(t.Context())
	require.NoError(t, err)
	require.Equal(t, user.ID(), id)

	// The same callback again.
	before := len(p.fake.Requests(0))
	p.callback(redirect, cookies)
	require.Len(t, p.fake.Requests(0), before, "Garmin was asked")
	require.ErrorIs(t, p.err, auth.ErrState)
	require.Nil(t, p.conn)

	// Connecting anew takes the old token's place.
	redirect, cookies = p.consents(t, user)
	p.callback(redirect, cookies)
	require.NoError(t, p.err)
	next, err := p.store.Token(t.Context(), user.ID())
	require.NoError(t, err)
	require.NotEqual(t, tok.AccessToken, next.AccessToken)
}

// The cookie is what ties a callback to the browser that began.
func TestConnectCookie(t *testing.T) {
	t.Parallel()
	p := newPartner(t, nil)
	_, cookies := p.start(t)
	require.Len(t, cookies, 1)
	c := cookies[0]
	require.True(t, strings.HasPrefix(c.Name, "__Host-garmin-"), c.Name)
	require.True(t, c.Secure)
	require.True(t, c.HttpOnly)
	require.Equal(t, http.SameSiteLaxMode, c.SameSite)
	require.Equal(t, "/", c.Path)
	require.Equal(t, 600, c.MaxAge)
	_, others := p.start(t)
	require.NotEqual(t, c.Name, others[0].Name, "a second tab overwrites the first one's cookie")
}

func TestDenied(t *testing.T) {
	t.Parallel()
	p := newPartner(t, nil)
	consent, cookies := p.start(t)
	redirect, err := p.fake.Consent(consent, nil)
	require.NoError(t, err)
	before := len(p.fake.Requests(0))
	p.callback(redirect, cookies)
	require.ErrorIs(t, p.err, auth.ErrDenied)
	require.NotErrorIs(t, p.err, auth.ErrState)
	require.Len(t, p.fake.Requests(0), before, "Garmin was asked after a refusal")
}

func TestDeniedInOtherWords(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		change func(q url.Values)
		want   error
	}{
		"no code and no error": {func(q url.Values) { q.Del("code") }, auth.ErrDenied},
		"unknown error":        {func(q url.Values) { q.Set("error", "canary") }, auth.ErrDenied},
		"no state": {func(q url.Values) {
			q.Del("code")
			q.Del("state")
			q.Set("error", "access_denied")
		}, auth.ErrDenied},
		"our mistake": {func(q url.Values) { q.Set("error", "unauthorized_client") }, auth.ErrInvalidClient},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newPartner(t, nil)
			redirect, cookies := p.consents(t, p.fake.AddUser(nil))
			u, err := url.Parse(redirect)
			require.NoError(t, err)
			q := u.Query()
			test.change(q)
			u.RawQuery = q.Encode()
			p.callback(u.String(), cookies)
			require.ErrorIs(t, p.err, test.want)
			require.NotContains(t, p.err.Error(), "canary")
		})
	}
}

// What an attacker or a broken client may send to the callback.
func TestForeignCallbacks(t *testing.T) {
	t.Parallel()
	p := newPartner(t, nil)
	user := p.fake.AddUser(&activitytest.UserOptions{NotConnected: true})
	redirect, cookies := p.consents(t, user)
	otherConsent, otherCookies := p.start(t)
	otherRedirect, err := p.fake.Consent(otherConsent, user)
	require.NoError(t, err)
	before := len(p.fake.Requests(0))

	renamed := *otherCookies[0]
	renamed.Name = cookies[0].Name
	tampered := *cookies[0]
	first := "A"
	if tampered.Value[0] == 'A' {
		first = "B"
	}
	tampered.Value = first + tampered.Value[1:]
	for name, try := range map[string]struct {
		redirect string
		cookies  []*http.Cookie
	}{
		"login CSRF: a browser that began nothing":  {redirect, nil},
		"a browser that began another one":          {redirect, otherCookies},
		"another one's cookie under the right name": {redirect, []*http.Cookie{&renamed}},
		"tampered cookie":                           {redirect, []*http.Cookie{&tampered}},
		"empty cookie":                              {redirect, []*http.Cookie{{Name: cookies[0].Name}}},
		"no query":                                  {"https://partner.example/garmin/callback", cookies},
		"two states":                                {redirect + "&state=x", cookies},
		"malformed query":                           {redirect + "&%zz", cookies},
		"long query":                                {redirect + "&x=" + strings.Repeat("x", 9000), cookies},
	} {
		p.callback(try.redirect, try.cookies)
		require.ErrorIs(t, p.err, auth.ErrState, name)
		require.Nil(t, p.conn, name)
	}
	require.Len(t, p.fake.Requests(0), before, "Garmin was asked")

	done := p.done
	r := httptest.NewRequest("POST", redirect, nil)
	r.AddCookie(cookies[0])
	w := httptest.NewRecorder()
	p.Callback(w, r)
	require.Equal(t, http.StatusMethodNotAllowed, w.Code)
	require.Equal(t, done, p.done)

	// None of them has spoiled the real one.
	p.callback(redirect, cookies)
	require.NoError(t, p.err)
	p.callback(otherRedirect, otherCookies)
	require.NoError(t, p.err)
}

func TestSessionMustBeTheSame(t *testing.T) {
	t.Parallel()
	session := "alice"
	p := newPartner(t, &auth.ConnectorOptions{
		Session: func(*http.Request) (string, error) {
			if session == "" {
				return "", errors.New("not logged in")
			}
			return session, nil
		},
	})
	redirect, cookies := p.consents(t, p.fake.AddUser(&activitytest.UserOptions{NotConnected: true}))
	session = "bob"
	p.callback(redirect, cookies)
	require.ErrorIs(t, p.err, auth.ErrState)
	session = ""
	p.callback(redirect, cookies)
	require.ErrorContains(t, p.err, "not logged in")
	session = "alice"
	p.callback(redirect, cookies)
	require.NoError(t, p.err)
	require.Equal(t, "alice", p.conn.Session)
}

func TestConsentTakesTooLong(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := newPartner(t, nil)
		user := p.fake.AddUser(&activitytest.UserOptions{NotConnected: true})
		redirect, cookies := p.consents(t, user)
		time.Sleep(10 * time.Minute)
		before := len(p.fake.Requests(0))
		p.callback(redirect, cookies)
		require.ErrorIs(t, p.err, auth.ErrState)
		require.Len(t, p.fake.Requests(0), before)
	})
}

// A clock that was set back does not make a connection last longer, and one that
// was set forward does not make a used one good again.
func TestConsentWhenTheClockIsSet(t *testing.T) {
	t.Parallel()
	key := []byte(strings.Repeat("k", 32))
	for name, lifetime := range map[string]time.Duration{"a clock an hour ahead": time.Hour + 10*time.Minute, "a few seconds": 10*time.Minute + 5*time.Second} {
		p := newPartner(t, &auth.ConnectorOptions{Key: key})
		// What another clock has sealed.
		ahead, err := auth.NewConnector(p.users, callbackURL, nil, &auth.ConnectorOptions{Key: key, Lifetime: lifetime})
		require.NoError(t, err)
		consent, sealed, err := ahead.Begin(t.Context(), "alice")
		require.NoError(t, err)
		redirect, err := p.fake.Consent(consent, p.fake.AddUser(&activitytest.UserOptions{NotConnected: true}))
		require.NoError(t, err)
		u, err := url.Parse(redirect)
		require.NoError(t, err)
		_, err = p.Finish(t.Context(), sealed, "alice", u.Query())
		if name == "a few seconds" {
			require.NoError(t, err)
		} else {
			require.ErrorIs(t, err, auth.ErrState)
		}
	}
}

// Two processes that share the key finish what the other began, and one that
// does not cannot.
func TestKey(t *testing.T) {
	t.Parallel()
	key := []byte(strings.Repeat("k", 32))
	p := newPartner(t, &auth.ConnectorOptions{Key: key})
	other, err := auth.NewConnector(p.users, callbackURL, nil, &auth.ConnectorOptions{Key: key})
	require.NoError(t, err)
	stranger, err := auth.NewConnector(p.users, callbackURL, nil, nil)
	require.NoError(t, err)

	consent, sealed, err := p.Begin(t.Context(), "alice")
	require.NoError(t, err)
	redirect, err := p.fake.Consent(consent, p.fake.AddUser(&activitytest.UserOptions{NotConnected: true}))
	require.NoError(t, err)
	u, err := url.Parse(redirect)
	require.NoError(t, err)
	_, err = stranger.Finish(t.Context(), sealed, "alice", u.Query())
	require.ErrorIs(t, err, auth.ErrState)
	consent, foreign, err := stranger.Begin(t.Context(), "alice")
	require.NoError(t, err)
	v, err := url.Parse(consent)
	require.NoError(t, err)
	another, err := auth.NewConnector(p.users, callbackURL, nil, nil)
	require.NoError(t, err)
	_, err = another.Finish(t.Context(), foreign, "alice", url.Values{"code": {"x"}, "state": v.Query()["state"]})
	require.ErrorIs(t, err, auth.ErrState, "two that were given no key have the same")
	require.NotContains(t, err.Error(), "exchange")
	conn, err := other.Finish(t.Context(), sealed, "alice", u.Query())
	require.NoError(t, err)
	require.Equal(t, "alice", conn.Session)
}

// A code is bound to its verifier and redirect URL, and can be spent once.
func TestSpentCode(t *testing.T) {
	t.Parallel()
	p := newPartner(t, &auth.ConnectorOptions{
		Once: func(context.Context, string, time.Time) (bool, error) { return true, nil },
	})
	redirect, cookies := p.consents(t, p.fake.AddUser(&activitytest.UserOptions{NotConnected: true}))
	p.callback(redirect, cookies)
	require.NoError(t, p.err)
	p.callback(redirect, cookies)
	require.ErrorIs(t, p.err, auth.ErrState)
	require.NotErrorIs(t, p.err, auth.ErrReconnect, "the code is at fault and no user")
	var e *auth.Error
	require.ErrorAs(t, p.err, &e)
	require.Equal(t, "invalid_grant", e.Code)
}

// Right after consent Garmin may not know the user yet.
func TestConnectIsPatient(t *testing.T) {
	t.Parallel()
	for _, path := range []string{"/user/id", "/user/permissions"} {
		t.Run(path, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				p := newPartner(t, nil)
				user := p.fake.AddUser(&activitytest.UserOptions{NotConnected: true})
				redirect, cookies := p.consents(t, user)
				p.fake.SetFaults(activitytest.Fault{Times: 5, Path: path, Status: http.StatusForbidden})
				p.callback(redirect, cookies)
				require.NoError(t, p.err)
				require.Equal(t, user.State().Permissions, p.conn.Permissions)
			})
		})
	}
}

// A connect that cannot learn who the user is, or what is allowed, has failed.
func TestConnectFailsAsAWhole(t *testing.T) {
	t.Parallel()
	for _, path := range []string{"/user/id", "/user/permissions"} {
		t.Run(path, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				p := newPartner(t, nil)
				user := p.fake.AddUser(&activitytest.UserOptions{NotConnected: true})
				redirect, cookies := p.consents(t, user)
				p.fake.SetFaults(activitytest.Fault{Times: 1000, Path: path, Status: http.StatusForbidden})
				start := time.Now()
				p.callback(redirect, cookies)
				require.Error(t, p.err)
				require.Nil(t, p.conn)
				require.LessOrEqual(t, time.Since(start), 15*time.Second)
				require.Greater(t, time.Since(start), 5*time.Second)
				_, err := p.store.Token(t.Context(), user.ID())
				require.ErrorIs(t, err, auth.ErrNotConnected)
			})
		})
	}
}

// The whole flow as it is in production: a browser, the partner and Garmin on
// TLS sockets.
func TestConnectOverTLS(t *testing.T) {
	t.Parallel()
	for _, http2 := range []bool{false, true} {
		t.Run(fmt.Sprintf("http2=%t", http2), func(t *testing.T) {
			t.Parallel()
			connectOverTLS(t, http2)
		})
	}
}

func connectOverTLS(t *testing.T, http2 bool) {
	fake := activitytest.NewServer()
	garmin := httptest.NewUnstartedServer(fake)
	garmin.EnableHTTP2 = http2
	garmin.StartTLS()
	defer garmin.Close()
	fake.BaseURL = garmin.URL
	user := fake.AddUser(&activitytest.UserOptions{ID: "tls-user", NotConnected: true})

	pool, err := activity.NewPool(&activity.Options{BaseURL: garmin.URL + "/wellness-api/rest", Transport: garmin.Client().Transport})
	require.NoError(t, err)
	defer pool.Close()
	users, err := auth.NewUsers(fakeApp(fake), auth.NewMemory(), &auth.Options{
		Pool:      pool,
		Transport: garmin.Client().Transport,
		BaseURL:   garmin.URL,
	})
	require.NoError(t, err)

	mux := http.NewServeMux()
	app := httptest.NewTLSServer(mux)
	defer app.Close()
	connector, err := auth.NewConnector(users, app.URL+"/callback", func(w http.ResponseWriter, r *http.Request, c *auth.Connection, err error) {
		if err != nil {
			http.Error(w, err.Error(), http.StatusForbidden)
			return
		}
		fmt.Fprint(w, "connected ", c.UserID)
	}, nil)
	require.NoError(t, err)
	mux.HandleFunc("GET /connect", connector.Start)
	mux.HandleFunc("GET /callback", connector.Callback)

	jar, err := cookiejar.New(nil)
	require.NoError(t, err)
	browser := &http.Client{Transport: garmin.Client().Transport, Jar: jar} // the two share a certificate
	resp, err := browser.Get(app.URL + "/connect")
	require.NoError(t, err)
	require.Equal(t, http.StatusOK, resp.StatusCode, bodyOf(t, resp))
	resp, err = browser.PostForm(resp.Request.URL.String(), url.Values{
		"answer": {"agree"}, "user": {string(user.ID())}, "permission": {"ACTIVITY_EXPORT"},
	})
	require.NoError(t, err)
	require.Equal(t, "connected tls-user", bodyOf(t, resp))

	client, err := users.Client(t.Context(), "tls-user")
	require.NoError(t, err)
	got, err := client.Permissions(t.Context())
	require.NoError(t, err)
	require.Equal(t, []types.Permission{types.PermissionActivityExport}, got)
	_, err = users.Refresh(t.Context(), "tls-user")
	require.NoError(t, err)
	_, err = client.UserID(t.Context())
	require.NoError(t, err)
	require.NoError(t, users.Close())
	browser.CloseIdleConnections()
}

// FuzzCallback sends anything to the callback of a flow that is under way. Only
// the right state with the right cookie may reach Garmin, and never connects.
func FuzzCallback(f *testing.F) {
	f.Add("code=x&state=STATE", "")
	f.Add("code=x&state=STATE", "COOKIE")
	f.Add("error=access_denied", "COOKIE")
	f.Add("state=STATE;code=x&code=%zz", "COOKIEx")
	f.Fuzz(func(t *testing.T, query, cookie string) {
		p := newPartner(t, nil)
		consent, cookies := p.start(t)
		u, err := url.Parse(consent)
		require.NoError(t, err)
		state := u.Query().Get("state")
		before := len(p.fake.Requests(0))
		r := httptest.NewRequest("GET", "https://partner.example/garmin/callback", nil)
		r.URL.RawQuery = strings.ReplaceAll(query, "STATE", state)
		r.AddCookie(&http.Cookie{Name: cookies[0].Name, Value: strings.ReplaceAll(cookie, "COOKIE", cookies[0].Value)})
		p.Callback(httptest.NewRecorder(), r)
		require.Error(t, p.err)
		require.Nil(t, p.conn)
		if !strings.Contains(r.URL.RawQuery, state) || !strings.Contains(cookie, "COOKIE") {
			require.Len(t, p.fake.Requests(0), before)
		}
		for range p.store.Tokens(t.Context()) {
			t.Error("a token was stored")
		}
	})
}
