package auth_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/garminkit/activityapi/activity"
	"github.com/garminkit/activityapi/activity/activitytest"
	"github.com/garminkit/activityapi/activity/auth"
	"github.com/garminkit/activityapi/types"
)

// sessionHeader is where the browsers of these tests say who is logged in.
const sessionHeader = "X-Session"

func withSessions(opts auth.ConnectorOptions) *auth.ConnectorOptions {
	opts.Session = func(r *http.Request) (string, error) { return r.Header.Get(sessionHeader), nil }
	return &opts
}

// begin lets somebody who is logged in press the button.
func begin(t testing.TB, c *auth.Connector, session string) (consent string, cookies []*http.Cookie) {
	t.Helper()
	r := httptest.NewRequest("GET", "https://partner.example/garmin/connect", nil)
	r.Header.Set(sessionHeader, session)
	w := httptest.NewRecorder()
	c.Start(w, r)
	require.Equal(t, http.StatusSeeOther, w.Code)
	return w.Header().Get("Location"), w.Result().Cookies()
}

// finish lets the browser of somebody who is logged in open the callback.
func finish(c *auth.Connector, session, callback string, cookies []*http.Cookie) {
	r := httptest.NewRequest("GET", callback, nil)
	r.Header.Set(sessionHeader, session)
	for _, k := range cookies {
		r.AddCookie(k)
	}
	c.Callback(httptest.NewRecorder(), r)
}

// changed returns a URL with another value of a parameter.
func changed(t testing.TB, raw, key, value string) string {
	t.Helper()
	u, err := url.Parse(raw)
	require.NoError(t, err)
	q := u.Query()
	q.Set(key, value)
	u.RawQuery = q.Encode()
	return u.String()
}

func param(t testing.TB, raw, key string) string {
	t.Helper()
	u, err := url.Parse(raw)
	require.NoError(t, err)
	return u.Query().Get(key)
}

// TestSomebodyElsesConnection: Mallory wants Alice's account at the partner to
// get Mallory's Garmin user, or the other way round.
func TestSomebodyElsesConnection(t *testing.T) {
	t.Parallel()
	for name, attack := range map[string]func(t *testing.T, p *partner, alice, mallory string, aliceCookies, malloryCookies []*http.Cookie){
		"fixation: his callback in her browser": func(_ *testing.T, p *partner, _, mallory string, aliceCookies, _ []*http.Cookie) {
			finish(p.Connector, "alice", mallory, aliceCookies)
		},
		"fixation with his cookie, tossed from another subdomain": func(_ *testing.T, p *partner, _, mallory string, aliceCookies, malloryCookies []*http.Cookie) {
			finish(p.Connector, "alice", mallory, append(malloryCookies, aliceCookies...))
		},
		"his code with her state and cookie": func(t *testing.T, p *partner, alice, mallory string, aliceCookies, _ []*http.Cookie) {
			finish(p.Connector, "alice", changed(t, alice, "code", param(t, mallory, "code")), aliceCookies)
		},
		"her code with his state and cookie": func(t *testing.T, p *partner, alice, mallory string, _, malloryCookies []*http.Cookie) {
			finish(p.Connector, "mallory", changed(t, mallory, "code", param(t, alice, "code")), malloryCookies)
		},
		"her callback, read from a log, in his browser": func(_ *testing.T, p *partner, alice, _ string, _, malloryCookies []*http.Cookie) {
			finish(p.Connector, "mallory", alice, malloryCookies)
		},
		"her callback and her cookie in his session": func(_ *testing.T, p *partner, alice, _ string, aliceCookies, _ []*http.Cookie) {
			finish(p.Connector, "mallory", alice, aliceCookies)
		},
		"her cookie's text under the name of his": func(_ *testing.T, p *partner, _, mallory string, aliceCookies, malloryCookies []*http.Cookie) {
			k := *aliceCookies[0]
			k.Name = malloryCookies[0].Name
			finish(p.Connector, "alice", mallory, []*http.Cookie{&k})
		},
		"his state in her callback": func(t *testing.T, p *partner, alice, mallory string, aliceCookies, malloryCookies []*http.Cookie) {
			finish(p.Connector, "alice", changed(t, alice, "state", param(t, mallory, "state")), append(aliceCookies, malloryCookies...))
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newPartner(t, withSessions(auth.ConnectorOptions{}))
			a := p.fake.AddUser(&activitytest.UserOptions{ID: "garmin-alice", NotConnected: true})
			m := p.fake.AddUser(&activitytest.UserOptions{ID: "garmin-mallory", NotConnected: true})
			consent, aliceCookies := begin(t, p.Connector, "alice")
			alice, err := p.fake.Consent(consent, a)
			require.NoError(t, err)
			consent, malloryCookies := begin(t, p.Connector, "mallory")
			mallory, err := p.fake.Consent(consent, m)
			require.NoError(t, err)

			attack(t, p, alice, mallory, aliceCookies, malloryCookies)
			require.ErrorIs(t, p.err, auth.ErrState)
			require.Nil(t, p.conn)
			for tok := range p.store.Tokens(t.Context()) {
				t.Error("stored:", tok)
			}
		})
	}
}

// TestReplayAtOnce: the same callback many times at the same moment, as a browser
// that is impatient or an attacker sends it, in several processes. One of them
// connects, and its token is good.
func TestReplayAtOnce(t *testing.T) {
	t.Parallel()
	for name, shared := range map[string]bool{"each process remembers": false, "all remember": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			key := []byte(strings.Repeat("k", 32))
			opts := auth.ConnectorOptions{Key: key}
			var seen sync.Map
			if shared {
				opts.Once = func(_ context.Context, id string, _ time.Time) (bool, error) {
					_, again := seen.LoadOrStore(id, true)
					return !again, nil
				}
			}
			p := newPartner(t, &opts)
			user := p.fake.AddUser(&activitytest.UserOptions{NotConnected: true})
			redirect, cookies := p.consents(t, user)
			var connected, refused atomic.Int64
			processes := make([]*auth.Connector, 4)
			for i := range processes {
				var err error
				processes[i], err = auth.NewConnector(p.users, callbackURL, func(_ http.ResponseWriter, _ *http.Request, c *auth.Connection, err error) {
					switch {
					case c != nil:
						connected.Add(1)
					case errors.Is(err, auth.ErrState):
						refused.Add(1)
					default:
						t.Error(err)
					}
				}, &opts)
				require.NoError(t, err)
			}
			var wg sync.WaitGroup
			for i := range 40 {
				wg.Go(func() { finish(processes[i%4], "", redirect, cookies) })
			}
			wg.Wait()
			require.EqualValues(t, 1, connected.Load())
			require.EqualValues(t, 39, refused.Load())
			asked := 0
			for _, r := range p.fake.Requests(0) {
				if strings.HasSuffix(r.Path, "/oauth/token") {
					asked++
				}
			}
			if shared {
				require.Equal(t, 1, asked)
			}
			require.LessOrEqual(t, asked, len(processes))
			client, err := p.users.Client(t.Context(), user.ID())
			require.NoError(t, err)
			_, err = client.UserID(t.Context())
			require.NoError(t, err)
		})
	}
}

// TestOddSessions: whatever bytes a session has, one is never taken for another.
func TestOddSessions(t *testing.T) {
	t.Parallel()
	sessions := []string{"a\xff", "a\xfe", "a\ufffd", "a", "a\x00", "A", "\u212aelvin", "Kelvin", "<a>", `\u003ca\u003e`, " a", `a"b`, "a\n"}
	p := newPartner(t, withSessions(auth.ConnectorOptions{}))
	for _, began := range sessions {
		consent, sealed, err := p.Begin(t.Context(), began)
		require.NoError(t, err)
		redirect, err := p.fake.Consent(consent, p.fake.AddUser(&activitytest.UserOptions{NotConnected: true}))
		require.NoError(t, err)
		u, err := url.Parse(redirect)
		require.NoError(t, err)
		for _, ends := range sessions {
			if ends != began {
				_, err = p.Finish(t.Context(), sealed, ends, u.Query())
				require.ErrorIs(t, err, auth.ErrState, "%q began, %q ended", began, ends)
			}
		}
		c, err := p.Finish(t.Context(), sealed, began, u.Query())
		require.NoError(t, err, "%q", began)
		require.Equal(t, began, c.Session)
	}
}

// TestSessionTooLongForACookie: a browser drops a cookie of more than 4 KiB, and
// the user would come back to no connection under way.
func TestSessionTooLongForACookie(t *testing.T) {
	t.Parallel()
	p := newPartner(t, withSessions(auth.ConnectorOptions{}))
	for n := 1000; n < 8000; n += 250 {
		r := httptest.NewRequest("GET", "https://partner.example/garmin/connect", nil)
		r.Header.Set(sessionHeader, strings.Repeat("s", n))
		w := httptest.NewRecorder()
		p.err = nil
		p.Start(w, r)
		if p.err == nil {
			k := w.Result().Cookies()[0]
			require.LessOrEqual(t, len(k.Name)+len(k.Value), 4096, "a session of %d bytes", n)
			continue
		}
		require.ErrorContains(t, p.err, "too long for a cookie")
		require.Empty(t, w.Header().Get("Location"))
		require.GreaterOrEqual(t, n, 1500)
	}
	require.Error(t, p.err)
}

// TestComesInBetween: something happens to the user's token while a refresh is on
// its way. What came in between wins: the refresh must not bring back a user who
// was forgotten, nor put its token over a new connection's.
func TestComesInBetween(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		between func(t *testing.T, store auth.TokenStore, now *auth.Token)
		want    string // access token afterwards, "" if there is none
	}{
		"forgotten": {func(t *testing.T, s auth.TokenStore, now *auth.Token) {
			_, err := s.Swap(t.Context(), now, nil)
			require.NoError(t, err)
		}, ""},
		"connected anew": {func(t *testing.T, s auth.TokenStore, now *auth.Token) {
			_, err := s.Swap(t.Context(), now, &auth.Token{UserID: now.UserID, AccessToken: "new", RefreshToken: "new", Expiry: time.Now().Add(day)})
			require.NoError(t, err)
		}, "new"},
		"forgotten and connected anew": {func(t *testing.T, s auth.TokenStore, now *auth.Token) {
			_, err := s.Swap(t.Context(), now, nil)
			require.NoError(t, err)
			_, err = s.Swap(t.Context(), nil, &auth.Token{UserID: now.UserID, AccessToken: "new", RefreshToken: "new", Expiry: time.Now().Add(day)})
			require.NoError(t, err)
		}, "new"},
		"marked": {func(t *testing.T, s auth.TokenStore, now *auth.Token) {
			now2 := *now
			now2.ClaimedUntil = time.Time{}
			_, err := s.Swap(t.Context(), now, &now2)
			require.NoError(t, err)
		}, "rotated"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			fake := activitytest.NewServer()
			user := fake.AddUser(nil)
			store := auth.NewMemory()
			_, err := store.Swap(t.Context(), nil, &auth.Token{UserID: user.ID(), AccessToken: "old", RefreshToken: types.Secret(user.State().RefreshToken), Expiry: time.Now().Add(-time.Hour)})
			require.NoError(t, err)
			fake.Intercept = func(_ http.ResponseWriter, r *http.Request) bool {
				if strings.HasSuffix(r.URL.Path, "/oauth/token") {
					now, err := store.Token(t.Context(), user.ID())
					if err != nil {
						t.Error(err)
						return false
					}
					test.between(t, store, now)
				}
				return false
			}
			pool, err := activity.NewPool(&activity.Options{Transport: fake})
			require.NoError(t, err)
			users, err := auth.NewUsers(fakeApp(fake), store, &auth.Options{Transport: fake, Pool: pool})
			require.NoError(t, err)
			tok, err := users.Token(t.Context(), user.ID())
			now, storeErr := store.Token(t.Context(), user.ID())
			switch test.want {
			case "":
				require.ErrorIs(t, err, auth.ErrNotConnected)
				require.ErrorIs(t, storeErr, auth.ErrNotConnected)
			case "rotated":
				require.NoError(t, err)
				require.Equal(t, user.State().AccessToken, string(now.AccessToken))
			default:
				require.NoError(t, err)
				require.Equal(t, test.want, string(tok.AccessToken))
				require.Equal(t, test.want, string(now.AccessToken))
			}
			require.NoError(t, users.Close())
		})
	}
}
