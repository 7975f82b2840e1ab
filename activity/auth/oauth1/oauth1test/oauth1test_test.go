package oauth1test_test

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"testing"
	"testing/synctest"
	"time"

	"github.com/dghubble/oauth1"
	"github.com/stretchr/testify/require"

	"github.com/garminkit/activityapi/activity/activitytest"
	"github.com/garminkit/activityapi/activity/auth/oauth1/oauth1test"
	"github.com/garminkit/activityapi/types"
)

const rest = "https://apis.garmin.com/wellness-api/rest/"

func must(t *testing.T, raw string) *url.URL {
	t.Helper()
	u, err := url.Parse(raw)
	require.NoError(t, err)
	return u
}

func TestSigned(t *testing.T) {
	fake := activitytest.NewServer()
	garmin := oauth1test.Add(fake)
	u := fake.AddUser(nil)
	token, secret := garmin.Connect(u)
	call := func(base http.RoundTripper, clientSecret, url string) int {
		ctx := context.WithValue(t.Context(), oauth1.HTTPClient, &http.Client{Transport: base})
		c := oauth1.NewConfig(fake.ClientID, clientSecret).Client(ctx, oauth1.NewToken(token, secret))
		res, err := c.Get(url)
		require.NoError(t, err)
		res.Body.Close()
		return res.StatusCode
	}
	callback := u.CallbackURL(types.KindActivities, types.Window{Start: time.Unix(1, 0), End: time.Unix(2, 0)})
	require.Equal(t, 200, call(fake, fake.ClientSecret, callback))
	require.Equal(t, 401, call(fake, "wrong", callback))

	ts := httptest.NewTLSServer(fake)
	defer ts.Close()
	require.Equal(t, 200, call(ts.Client().Transport, fake.ClientSecret, ts.URL+"/wellness-api/rest/user/id"))
	require.Equal(t, "OAuth", fake.Requests(0)[2].Auth)
}

// TestReplay sends one signed request twice.
func TestReplay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fake := activitytest.NewServer()
		garmin := oauth1test.Add(fake)
		u := fake.AddUser(nil)
		token, secret := garmin.Connect(u)
		var signed *http.Request
		keep := roundTripper(func(r *http.Request) (*http.Response, error) {
			signed = r
			return fake.RoundTrip(r)
		})
		ctx := context.WithValue(t.Context(), oauth1.HTTPClient, &http.Client{Transport: keep})
		c := oauth1.NewConfig(fake.ClientID, fake.ClientSecret).Client(ctx, oauth1.NewToken(token, secret))
		_, err := c.Get(rest + "user/id")
		require.NoError(t, err)
		res, err := fake.RoundTrip(signed)
		require.NoError(t, err)
		require.Equal(t, 401, res.StatusCode)

		keep = func(r *http.Request) (*http.Response, error) {
			time.Sleep(10*time.Minute + 2*time.Second)
			return fake.RoundTrip(r)
		}
		ctx = context.WithValue(t.Context(), oauth1.HTTPClient, &http.Client{Transport: keep})
		c = oauth1.NewConfig(fake.ClientID, fake.ClientSecret).Client(ctx, oauth1.NewToken(token, secret))
		res, err = c.Get(rest + "user/id")
		require.NoError(t, err)
		require.Equal(t, 401, res.StatusCode)
	})
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func TestFlow(t *testing.T) {
	fake := activitytest.NewServer()
	garmin := oauth1test.Add(fake)
	garmin.CallbackConfirmed = true // the library insists
	u := fake.AddUser(nil)
	oldToken, _ := garmin.Connect(u)
	ts := httptest.NewServer(fake)
	defer ts.Close()
	config := &oauth1.Config{
		ConsumerKey: fake.ClientID, ConsumerSecret: fake.ClientSecret,
		CallbackURL: "https://partner.example/back?tenant=1",
		Endpoint: oauth1.Endpoint{
			RequestTokenURL: ts.URL + "/oauth-service/oauth/request_token",
			AuthorizeURL:    "https://connect.garmin.com/oauthConfirm",
			AccessTokenURL:  ts.URL + "/oauth-service/oauth/access_token",
		},
	}
	requestToken, requestSecret, err := config.RequestToken()
	require.NoError(t, err)
	authorize, err := config.AuthorizationURL(requestToken)
	require.NoError(t, err)

	denied, err := garmin.Consent(authorize.String(), nil)
	require.NoError(t, err)
	require.Equal(t, "NULL", must(t, denied).Query().Get("oauth_verifier"))
	_, _, err = config.AccessToken(requestToken, requestSecret, "NULL")
	require.Error(t, err)

	back, err := garmin.Consent(authorize.String(), u)
	require.NoError(t, err)
	q := must(t, back).Query()
	require.Equal(t, "1", q.Get("tenant"))
	require.Equal(t, requestToken, q.Get("oauth_token"))
	accessToken, accessSecret, err := config.AccessToken(requestToken, requestSecret, q.Get("oauth_verifier"))
	require.NoError(t, err)
	require.NotEqual(t, oldToken, accessToken)

	// Exchange for OAuth 2: the old token still works.
	c := config.Client(t.Context(), oauth1.NewToken(accessToken, accessSecret))
	res, err := c.Post(ts.URL+"/partner-gateway/rest/user/token-exchange", "", nil)
	require.NoError(t, err)
	b, _ := io.ReadAll(res.Body)
	res.Body.Close()
	require.Contains(t, string(b), u.State().AccessToken)
	res, err = c.Get(ts.URL + "/wellness-api/rest/user/id")
	require.NoError(t, err)
	res.Body.Close()
	require.Equal(t, 200, res.StatusCode)

	garmin.Ends = time.Now()
	res, err = c.Get(ts.URL + "/wellness-api/rest/user/id")
	require.NoError(t, err)
	res.Body.Close()
	require.Equal(t, 401, res.StatusCode)
}

// TestTokenEndsWithTheConnection: a user who has left and comes back by OAuth 2 has no
// token of OAuth 1.0a any more.
func TestTokenEndsWithTheConnection(t *testing.T) {
	for name, leave := range map[string]func(u *activitytest.User, c *http.Client){
		"at Garmin": func(u *activitytest.User, _ *http.Client) { u.Deregister() },
		"by a call": func(_ *activitytest.User, c *http.Client) {
			r, err := http.NewRequest(http.MethodDelete, rest+"user/registration", nil)
			require.NoError(t, err)
			res, err := c.Do(r)
			require.NoError(t, err)
			res.Body.Close()
			require.Equal(t, 204, res.StatusCode)
		},
	} {
		t.Run(name, func(t *testing.T) {
			fake := activitytest.NewServer()
			garmin := oauth1test.Add(fake)
			u := fake.AddUser(nil)
			ctx := context.WithValue(t.Context(), oauth1.HTTPClient, &http.Client{Transport: fake})
			c := oauth1.NewConfig(fake.ClientID, fake.ClientSecret).Client(ctx, oauth1.NewToken(garmin.Connect(u)))
			status := func() int {
				res, err := c.Get(rest + "user/id")
				require.NoError(t, err)
				res.Body.Close()
				return res.StatusCode
			}
			require.Equal(t, 200, status())
			leave(u, c)
			u.Connect()
			require.Equal(t, 403, status())
		})
	}
}
