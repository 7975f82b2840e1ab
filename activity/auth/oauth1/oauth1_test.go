package oauth1_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
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
	"github.com/garminkit/activityapi/activity/auth/oauth1"
	"github.com/garminkit/activityapi/activity/auth/oauth1/oauth1test"
	"github.com/garminkit/activityapi/types"
)

const callbackURL = "https://partner.example/garmin/callback?tenant=7"

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func answer(r *http.Request, status int, body string) *http.Response {
	return &http.Response{StatusCode: status, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(body)), ContentLength: int64(len(body)), Request: r}
}

// partner is an application that has both secrets, on a fake Garmin.
type partner struct {
	fake   *activitytest.Server
	garmin *oauth1test.Garmin
	store  auth.TokenStore
	users  *auth.Users
	*auth.Connector
	// what done was given last
	conn *auth.Connection
	err  error
}

// newPartner returns an application that reaches the fake in memory. opts may be
// nil.
func newPartner(t testing.TB, opts *oauth1.Options) *partner {
	t.Helper()
	fake := activitytest.NewServer()
	p := &partner{fake: fake, garmin: oauth1test.Add(fake), store: auth.NewMemory()}
	pool, err := activity.NewPool(&activity.Options{Transport: fake})
	require.NoError(t, err)
	p.users, err = auth.NewUsers(auth.App{ClientID: fake.ClientID, ClientSecret: types.Secret(fake.ClientSecret)}, p.store,
		&auth.Options{Transport: fake, Pool: pool, Scheme: newScheme(t, fake, opts)})
	require.NoError(t, err)
	t.Cleanup(func() { p.users.Close() })
	p.Connector, err = auth.NewConnector(p.users, callbackURL, func(_ http.ResponseWriter, _ *http.Request, c *auth.Connection, err error) {
		p.conn, p.err = c, err
	}, &auth.ConnectorOptions{Scheme: true})
	require.NoError(t, err)
	return p
}

func newScheme(t testing.TB, fake *activitytest.Server, opts *oauth1.Options) auth.Scheme {
	t.Helper()
	scheme, err := oauth1.New(fake.ClientID, types.Secret(fake.ClientSecret), opts)
	require.NoError(t, err)
	return scheme
}

// connected stores the token of a new user.
func (p *partner) connected(t testing.TB) *activitytest.User {
	t.Helper()
	user := p.fake.AddUser(nil)
	token, secret := p.garmin.Connect(user)
	_, err := p.store.Swap(t.Context(), nil, &auth.Token{UserID: user.ID(), AccessToken: types.Secret(token), TokenSecret: types.Secret(secret)})
	require.NoError(t, err)
	return user
}

// start lets a browser without cookies press the button.
func (p *partner) start(t testing.TB) (consent string, cookies []*http.Cookie) {
	t.Helper()
	w := httptest.NewRecorder()
	p.Start(w, httptest.NewRequest("GET", "https://partner.example/garmin/connect", nil))
	require.Equal(t, http.StatusSeeOther, w.Code)
	return w.Header().Get("Location"), w.Result().Cookies()
}

// callback lets a browser with these cookies come back.
func (p *partner) callback(redirect string, cookies []*http.Cookie) {
	r := httptest.NewRequest("GET", redirect, nil)
	for _, c := range cookies {
		r.AddCookie(c)
	}
	p.Callback(httptest.NewRecorder(), r)
}

func TestConnect(t *testing.T) {
	t.Parallel()
	p := newPartner(t, nil)
	user := p.fake.AddUser(&activitytest.UserOptions{NotConnected: true})
	consent, cookies := p.start(t)
	redirect, err := p.garmin.Consent(consent, user)
	require.NoError(t, err)
	require.Contains(t, redirect, "tenant=7")
	p.callback(redirect, cookies)
	require.NoError(t, p.err)
	require.Equal(t, &auth.Connection{UserID: user.ID(), Permissions: user.State().Permissions}, p.conn)

	tok, err := p.store.Token(t.Context(), user.ID())
	require.NoError(t, err)
	require.False(t, tok.OAuth2())
	client, err := p.users.Client(t.Context(), user.ID())
	require.NoError(t, err)
	seen := p.fake.State().Requests
	id, err := client.UserID(t.Context())
	require.NoError(t, err)
	require.Equal(t, user.ID(), id)
	require.Equal(t, "OAuth", p.fake.Requests(seen)[0].Auth)

	// The same callback again.
	before := len(p.fake.Requests(0))
	p.callback(redirect, cookies)
	require.ErrorIs(t, p.err, auth.ErrState)
	require.Len(t, p.fake.Requests(0), before, "Garmin was asked")
}

func TestDenied(t *testing.T) {
	t.Parallel()
	p := newPartner(t, nil)
	consent, cookies := p.start(t)
	redirect, err := p.garmin.Consent(consent, nil)
	require.NoError(t, err)
	before := len(p.fake.Requests(0))
	p.callback(redirect, cookies)
	require.ErrorIs(t, p.err, auth.ErrDenied)
	require.Len(t, p.fake.Requests(0), before, "Garmin was asked after a refusal")
}

// What an attacker or a broken client may send to the callback.
func TestForeignCallbacks(t *testing.T) {
	t.Parallel()
	p := newPartner(t, nil)
	user := p.fake.AddUser(nil)
	consent, cookies := p.start(t)
	redirect, err := p.garmin.Consent(consent, user)
	require.NoError(t, err)
	_, others := p.start(t)
	renamed := *others[0]
	renamed.Name = cookies[0].Name
	before := len(p.fake.Requests(0))
	for name, try := range map[string]struct {
		redirect string
		cookies  []*http.Cookie
	}{
		"a browser that began nothing":              {redirect, nil},
		"a browser that began another one":          {redirect, others},
		"another one's cookie under the right name": {redirect, []*http.Cookie{&renamed}},
		"two tokens": {redirect + "&oauth_token=x", cookies},
	} {
		p.callback(try.redirect, try.cookies)
		require.ErrorIs(t, p.err, auth.ErrState, name)
	}
	require.Len(t, p.fake.Requests(0), before, "Garmin was asked")
	p.callback(redirect+"&oauth_verifier=x", cookies)
	require.ErrorIs(t, p.err, auth.ErrState, "two verifiers")
	require.Len(t, p.fake.Requests(0), before, "Garmin was asked")
}

func TestMigrate(t *testing.T) {
	t.Parallel()
	p := newPartner(t, nil)
	one, two, gone := p.connected(t), p.connected(t), p.connected(t)
	gone.Deregister()
	client, err := p.users.Client(t.Context(), one.ID())
	require.NoError(t, err)

	got := map[types.UserID]error{}
	for userID, err := range oauth1.Migrate(t.Context(), p.users, p.store) {
		got[userID] = err
	}
	require.Len(t, got, 3)
	for _, u := range []*activitytest.User{one, two} {
		require.NoError(t, got[u.ID()])
		tok, err := p.store.Token(t.Context(), u.ID())
		require.NoError(t, err)
		require.True(t, tok.OAuth2())
		require.Equal(t, u.State().RefreshToken, string(tok.RefreshToken))
		require.WithinDuration(t, time.Now().Add(24*time.Hour), tok.Expiry, time.Minute)
	}
	require.ErrorIs(t, got[gone.ID()], auth.ErrReconnect)

	seen := p.fake.State().Requests
	for userID := range oauth1.Migrate(t.Context(), p.users, p.store) {
		t.Error(userID, "was moved twice")
	}
	require.Empty(t, p.fake.Requests(seen))
	_, err = client.UserID(t.Context())
	require.NoError(t, err)
	require.Equal(t, "Bearer", p.fake.Requests(seen)[0].Auth, "the client from before did not follow")
}

func TestForm(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		form func(*auth.Token) url.Values
		want string
		bad  bool // refused before it is sent
	}{
		"none":     {nil, "", false},
		"a field":  {func(*auth.Token) url.Values { return url.Values{"oauth_token_secret": {"x"}} }, "oauth_token_secret=x", false},
		"two":      {func(*auth.Token) url.Values { return url.Values{"a": {"1 2"}, "b": {"ü"}} }, "a=1+2&b=%C3%BC", false},
		"repeated": {func(*auth.Token) url.Values { return url.Values{"a": {"1", "2"}} }, "", true},
		"protocol": {func(*auth.Token) url.Values { return url.Values{"oauth_nonce": {"1"}} }, "", true},
	} {
		p := newPartner(t, &oauth1.Options{Form: test.form})
		user := p.connected(t)
		var got string
		p.fake.Intercept = func(_ http.ResponseWriter, r *http.Request) bool {
			b, _ := io.ReadAll(r.Body)
			got, r.Body = string(b), io.NopCloser(bytes.NewReader(b))
			return false
		}
		_, err := p.users.Refresh(t.Context(), user.ID())
		require.Equal(t, test.bad, err != nil, "%s: %v", name, err)
		require.Equal(t, test.want, got, name)
	}
}

// The whole flow as it is in production, on sockets.
func TestConnectOverTLS(t *testing.T) {
	t.Parallel()
	for _, http2 := range []bool{false, true} {
		fake := activitytest.NewServer()
		oauth1test.Add(fake)
		garmin := httptest.NewUnstartedServer(fake)
		garmin.EnableHTTP2 = http2
		garmin.StartTLS()
		defer garmin.Close()
		fake.BaseURL = garmin.URL
		user := fake.AddUser(&activitytest.UserOptions{ID: "tls-user", NotConnected: true})
		transport := garmin.Client().Transport

		pool, err := activity.NewPool(&activity.Options{BaseURL: garmin.URL + "/wellness-api/rest", Transport: transport})
		require.NoError(t, err)
		users, err := auth.NewUsers(auth.App{ClientID: fake.ClientID}, auth.NewMemory(), &auth.Options{
			Pool: pool, Transport: transport, Scheme: newScheme(t, fake, &oauth1.Options{BaseURL: garmin.URL + "/"}),
		})
		require.NoError(t, err)
		mux := http.NewServeMux()
		app := httptest.NewTLSServer(mux)
		defer app.Close()
		connector, err := auth.NewConnector(users, app.URL+"/callback", func(w http.ResponseWriter, _ *http.Request, c *auth.Connection, err error) {
			fmt.Fprint(w, c != nil && c.UserID == user.ID(), err)
		}, &auth.ConnectorOptions{Scheme: true})
		require.NoError(t, err)
		mux.HandleFunc("GET /connect", connector.Start)
		mux.HandleFunc("GET /callback", connector.Callback)

		jar, err := cookiejar.New(nil)
		require.NoError(t, err)
		browser := &http.Client{Transport: transport, Jar: jar} // the two share a certificate
		resp, err := browser.Get(app.URL + "/connect")
		require.NoError(t, err)
		page, _ := io.ReadAll(resp.Body)
		resp.Body.Close()
		require.Contains(t, string(page), "<option>tls-user</option>")
		resp, err = browser.PostForm(resp.Request.URL.String(), url.Values{"answer": {"agree"}, "user": {"tls-user"}})
		require.NoError(t, err)
		page, _ = io.ReadAll(resp.Body)
		resp.Body.Close()
		require.Equal(t, "true <nil>", string(page))

		// The application has no OAuth 2 secret: the exchange works, a refresh
		// cannot.
		tok, err := users.Refresh(t.Context(), "tls-user")
		require.NoError(t, err)
		require.True(t, tok.OAuth2())
		_, err = users.Refresh(t.Context(), "tls-user")
		require.ErrorIs(t, err, auth.ErrInvalidClient)
		require.NoError(t, users.Close())
		browser.CloseIdleConnections()
	}
}

// A token that only a scheme can use needs one.
func TestWithoutScheme(t *testing.T) {
	t.Parallel()
	p := newPartner(t, nil)
	user := p.connected(t)
	users, err := auth.NewUsers(auth.App{ClientID: "id", ClientSecret: "s"}, p.store, nil)
	require.NoError(t, err)
	defer users.Close()
	client, err := users.Client(t.Context(), user.ID())
	require.NoError(t, err)
	_, err = client.UserID(t.Context())
	var e *activity.Error
	require.ErrorAs(t, err, &e)
	require.Equal(t, types.FaultApplication, e.Fault())
	require.ErrorContains(t, err, "Options has no Scheme")
	_, err = users.Refresh(t.Context(), user.ID())
	require.ErrorContains(t, err, "Options has no Scheme")
}

func TestConstructorRefuses(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		key, secret string
		opts        oauth1.Options
	}{
		{"", "s", oauth1.Options{}},
		{"k", "", oauth1.Options{}},
		{"k", "s", oauth1.Options{BaseURL: "http://garmin.com"}},
		{"k", "s", oauth1.Options{BaseURL: "https://garmin.com/?a=b"}},
		{"k", "s", oauth1.Options{BaseURL: "garmin.com"}},
	} {
		_, err := oauth1.New(test.key, types.Secret(test.secret), &test.opts)
		require.Error(t, err)
	}
	_, err := oauth1.New("k", "s", &oauth1.Options{BaseURL: "http://fake:1", PlainHTTPHost: "fake"})
	require.NoError(t, err)
	whole := &auth.Token{AccessToken: "t", TokenSecret: "ts"}
	for _, c := range []activity.Credential{
		oauth1.Credential("", "s", whole), oauth1.Credential("k", "", whole),
		oauth1.Credential("k", "s", &auth.Token{TokenSecret: "ts"}), oauth1.Credential("k", "s", &auth.Token{AccessToken: "t"}),
	} {
		_, err := c(http.DefaultTransport)
		require.Error(t, err)
	}
}

// T18: what holds a secret does not print it.
func TestNoSecretInTypes(t *testing.T) {
	t.Parallel()
	scheme, err := oauth1.New("key", "canary", nil)
	require.NoError(t, err)
	cred := oauth1.Credential("key", "canary", &auth.Token{AccessToken: "canary", TokenSecret: "canary"})
	for _, v := range []any{scheme, cred, &cred} {
		var out bytes.Buffer
		slog.New(slog.NewTextHandler(&out, nil)).Info("x", "v", v)
		j, _ := json.Marshal(v)
		all := fmt.Sprintf("%v %+v %#v %s %x %d", v, v, v, v, v, v) + string(j) + out.String()
		require.NotContains(t, all, "canary")
		require.NotContains(t, all, fmt.Sprintf("%x", "canary"))
	}
}

// TestSignedAfresh: five attempts with one nonce would be four replays, which the
// fake refuses.
func TestSignedAfresh(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := newPartner(t, nil)
		user := p.connected(t)
		client, err := p.users.Client(t.Context(), user.ID())
		require.NoError(t, err)
		p.fake.SetFaults(activitytest.Fault{Times: 3, Lose: true})
		id, err := client.UserID(t.Context())
		require.NoError(t, err)
		require.Equal(t, user.ID(), id)
	})
}
