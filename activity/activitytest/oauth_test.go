package activitytest_test

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"maps"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/garminkit/activityapi/activity/activitytest"
	"github.com/garminkit/activityapi/types"
)

const (
	verifier = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
	tokenURL = "https://diauth.garmin.com/di-oauth2-service/oauth/token"
)

func authorizeURL(fake *activitytest.Server, more url.Values) string {
	sum := sha256.Sum256([]byte(verifier))
	q := url.Values{
		"response_type": {"code"}, "client_id": {fake.ClientID}, "state": {"s&1"},
		"code_challenge": {base64.RawURLEncoding.EncodeToString(sum[:])}, "code_challenge_method": {"S256"},
	}
	maps.Copy(q, more)
	return "https://connect.garmin.com/oauth2Confirm?" + q.Encode()
}

type answer struct {
	status  int
	Access  string `json:"access_token"`
	Refresh string `json:"refresh_token"`
	Expires int    `json:"expires_in"`
	Error   string `json:"error"`
}

func token(t *testing.T, fake *activitytest.Server, form url.Values) (a answer) {
	t.Helper()
	for k, v := range map[string]string{"client_id": fake.ClientID, "client_secret": fake.ClientSecret} {
		if !form.Has(k) {
			form.Set(k, v)
		}
	}
	r, err := http.NewRequest("POST", tokenURL, strings.NewReader(form.Encode()))
	require.NoError(t, err)
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	res, err := fake.RoundTrip(r)
	require.NoError(t, err)
	defer res.Body.Close()
	a.status = res.StatusCode
	require.NoError(t, json.NewDecoder(res.Body).Decode(&a))
	return a
}

func consentCode(t *testing.T, fake *activitytest.Server, u *activitytest.User) string {
	t.Helper()
	back, err := fake.Consent(authorizeURL(fake, nil), u)
	require.NoError(t, err)
	q := must(t, back).Query()
	require.Equal(t, "s&1", q.Get("state"))
	require.Equal(t, "1", q.Get("tenant"))
	return q.Get("code")
}

func must(t *testing.T, raw string) *url.URL {
	t.Helper()
	u, err := url.Parse(raw)
	require.NoError(t, err)
	return u
}

func TestOAuth2(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fake := newServer(t)
		fake.RedirectURL = "https://partner.example/back?tenant=1"
		u := fake.AddUser(&activitytest.UserOptions{NotConnected: true})
		require.Empty(t, u.State().AccessToken)
		code := func(c, v string) url.Values {
			return url.Values{"grant_type": {"authorization_code"}, "code": {c}, "code_verifier": {v}}
		}
		refresh := func(r string) url.Values {
			return url.Values{"grant_type": {"refresh_token"}, "refresh_token": {r}}
		}

		require.Equal(t, "invalid_grant", token(t, fake, code(consentCode(t, fake, u), verifier+"x")).Error)
		c := consentCode(t, fake, u)
		first := token(t, fake, code(c, verifier))
		require.Equal(t, 200, first.status)
		require.Equal(t, 86400, first.Expires)
		require.True(t, u.State().Connected)
		require.Equal(t, "invalid_grant", token(t, fake, code(c, verifier)).Error, "a code works once")

		status, _ := get(t, fake, rest+"user/id", first.Access)
		require.Equal(t, 200, status)
		second := token(t, fake, refresh(first.Refresh))
		require.Equal(t, 200, second.status)
		require.NotEqual(t, first.Refresh, second.Refresh)
		status, _ = get(t, fake, rest+"user/id", first.Access)
		require.Equal(t, 200, status, "an access token lives on")

		time.Sleep(24 * time.Hour)
		status, _ = get(t, fake, rest+"user/id", second.Access)
		require.Equal(t, 401, status)
		third := token(t, fake, refresh(second.Refresh))
		require.Equal(t, 200, third.status)

		reused := token(t, fake, refresh(second.Refresh))
		require.Equal(t, 400, reused.status)
		require.Equal(t, "invalid_grant", reused.Error)
		require.Equal(t, 1, fake.State().RefreshReuses)
		require.Equal(t, "invalid_grant", token(t, fake, refresh(third.Refresh)).Error, "the chain has ended")

		wrong := refresh("x")
		wrong.Set("client_secret", "wrong")
		got := token(t, fake, wrong)
		require.Equal(t, 401, got.status)
		require.Equal(t, "invalid_client", got.Error)
		require.Equal(t, "unsupported_grant_type", token(t, fake, url.Values{"grant_type": {"password"}}).Error)

		late := consentCode(t, fake, u)
		time.Sleep(10 * time.Minute)
		require.Equal(t, "invalid_grant", token(t, fake, code(late, verifier)).Error)
	})
}

// TestRefreshOfAnEarlierConnection: a refresh token that was never used, and is none of
// the connection, is refused, and ends nothing.
func TestRefreshOfAnEarlierConnection(t *testing.T) {
	for name, again := range map[string]func(fake *activitytest.Server, u *activitytest.User){
		"consent": func(fake *activitytest.Server, u *activitytest.User) {
			require.Equal(t, 200, token(t, fake, url.Values{"grant_type": {"authorization_code"}, "code": {consentCode(t, fake, u)}, "code_verifier": {verifier}}).status)
		},
		"connect":        func(_ *activitytest.Server, u *activitytest.User) { u.Connect() },
		"deregistration": func(_ *activitytest.Server, u *activitytest.User) { u.Deregister(); u.Connect() },
		"change": func(_ *activitytest.Server, u *activitytest.User) {
			u.Change(func(s *activitytest.UserState) { s.RefreshToken = "" })
			u.Connect()
		},
	} {
		t.Run(name, func(t *testing.T) {
			fake := newServer(t)
			fake.RedirectURL = "https://partner.example/back?tenant=1"
			u := fake.AddUser(nil)
			old := u.State().RefreshToken
			again(fake, u)
			refresh := func(r string) answer {
				return token(t, fake, url.Values{"grant_type": {"refresh_token"}, "refresh_token": {r}})
			}
			require.Equal(t, "invalid_grant", refresh(old).Error)
			require.Zero(t, fake.State().RefreshReuses)
			require.Equal(t, 200, refresh(u.State().RefreshToken).status)
		})
	}
}

func TestOAuth2Denied(t *testing.T) {
	fake := newServer(t)
	fake.RedirectURL = "https://partner.example/back"
	back, err := fake.Consent(authorizeURL(fake, nil), nil)
	require.NoError(t, err)
	require.Equal(t, "access_denied", must(t, back).Query().Get("error"))

	for key, value := range map[string]string{
		"response_type": "token", "client_id": "other", "code_challenge": "short",
		"code_challenge_method": "plain", "redirect_uri": "/relative",
	} {
		_, err := fake.Consent(authorizeURL(fake, url.Values{key: {value}}), fake.AddUser(nil))
		require.Error(t, err, key)
	}
}

func TestRedirectMustMatch(t *testing.T) {
	fake := newServer(t)
	back, err := fake.Consent(authorizeURL(fake, url.Values{"redirect_uri": {"https://a.example/1"}}), fake.AddUser(nil))
	require.NoError(t, err)
	require.Equal(t, "a.example", must(t, back).Host)
	got := token(t, fake, url.Values{"grant_type": {"authorization_code"}, "code": {must(t, back).Query().Get("code")},
		"code_verifier": {verifier}, "redirect_uri": {"https://a.example/2"}})
	require.Equal(t, "invalid_grant", got.Error)
}

// TestConsentPage goes through the page as a browser does.
func TestConsentPage(t *testing.T) {
	fake := newServer(t)
	fake.RedirectURL = "https://partner.example/back"
	u := fake.AddUser(nil)
	status, page := get(t, fake, authorizeURL(fake, nil), "")
	require.Equal(t, 200, status)
	require.Contains(t, page, string(u.ID()))

	form := url.Values{"user": {string(u.ID())}, "permission": {"ACTIVITY_EXPORT"}, "answer": {"agree"}}
	r, _ := http.NewRequest("POST", authorizeURL(fake, nil), strings.NewReader(form.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	res, err := fake.RoundTrip(r)
	require.NoError(t, err)
	require.Equal(t, 302, res.StatusCode)
	require.NotEmpty(t, must(t, res.Header.Get("Location")).Query().Get("code"))
	require.Equal(t, []types.Permission{types.PermissionActivityExport}, u.State().Permissions)

	r, _ = http.NewRequest("OPTIONS", authorizeURL(fake, nil), nil)
	res, err = fake.RoundTrip(r)
	require.NoError(t, err)
	require.Equal(t, 405, res.StatusCode)
}

func TestDeregister(t *testing.T) {
	fake := newServer(t)
	receiver := &sink{}
	fake.SetEndpoints(activitytest.Endpoint{Enabled: true, Push: true, Handler: receiver})
	u := fake.AddUser(nil)
	u.Add(run("1", time.Now()))
	bearer := u.State().AccessToken
	status, _ := do(t, fake, "DELETE", rest+"user/registration", bearer)
	require.Equal(t, 204, status)
	status, body := get(t, fake, rest+"user/id", bearer)
	require.Equal(t, 403, status)
	require.Contains(t, body, "Unknown UserAccessToken")
	require.Len(t, fake.Deliver(t.Context()), 1, "notifications stop at once")
	require.Equal(t, `{"deregistrations":[{"userId":"`+string(u.ID())+`"}]}`, receiver.all())
}
