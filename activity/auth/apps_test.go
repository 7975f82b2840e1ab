package auth_test

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/garminkit/activityapi/activity"
	"github.com/garminkit/activityapi/activity/activitytest"
	"github.com/garminkit/activityapi/activity/auth"
	"github.com/garminkit/activityapi/types"
)

// evaluationApp is a second application, which stands beside app.
var evaluationApp = auth.App{Name: "evaluation", ClientID: "client-0002", ClientSecret: "canary-other-secret"}

// TestAppsRefresh: the same person under two applications. Each token is refreshed
// with its own application's secret, and one whose secret is refused keeps no
// other from its refreshes.
func TestAppsRefresh(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		store := auth.NewMemory()
		var asked []string
		refused := false
		server := &tokenServer{}
		server.answer = func(w http.ResponseWriter, r *http.Request) bool {
			if r.ParseForm() != nil {
				return false
			}
			asked = append(asked, r.PostForm.Get("client_id")+" "+string(server.current[r.PostForm.Get("refresh_token")]))
			if r.PostForm.Get("client_id") != evaluationApp.ClientID {
				return false
			}
			if refused {
				r.PostForm.Set("client_secret", "wrong")
				return false
			}
			if r.PostForm.Get("client_secret") == string(evaluationApp.ClientSecret) {
				r.PostForm.Set("client_id", clientID)
				r.PostForm.Set("client_secret", clientSecret)
			}
			return false
		}
		users, err := auth.NewUsers(app, store, &auth.Options{Transport: server, Apps: []auth.App{evaluationApp}})
		require.NoError(t, err)
		ids := []types.UserID{"u", "u@evaluation", "v@evaluation", "u@other"}
		for _, id := range ids {
			server.connect(t, store, id, time.Now().Add(time.Hour))
		}

		for _, id := range ids[:3] {
			_, err := users.Refresh(t.Context(), id)
			require.NoError(t, err)
		}
		require.Equal(t, []string{clientID + " u", "client-0002 u@evaluation", "client-0002 v@evaluation"}, asked)
		require.Zero(t, server.reused)

		// An application that nobody told of: no call is made with another's secret.
		asked = nil
		time.Sleep(2 * time.Hour)
		_, err = users.Token(t.Context(), "u@other")
		require.ErrorContains(t, err, "application")
		_, err = users.Refresh(t.Context(), "u@other")
		require.ErrorContains(t, err, "application")
		_, err = users.Client(t.Context(), "u@other")
		require.ErrorContains(t, err, "application")
		gone, err := users.Disconnected(t.Context(), "u@other")
		require.Error(t, err)
		require.False(t, gone, "that judges no user")
		require.Empty(t, asked)

		refused = true
		time.Sleep(80 * day)
		err = users.RefreshDue(t.Context(), nil)
		require.ErrorIs(t, err, auth.ErrInvalidClient)
		require.Len(t, asked, 2, "%v", asked)
		tok, err := store.Token(t.Context(), "u")
		require.NoError(t, err)
		require.Greater(t, time.Until(tok.RefreshExpiry), 80*day)
		refused, asked = false, nil
		time.Sleep(time.Hour)
		require.NoError(t, users.RefreshDue(t.Context(), nil))
		require.Len(t, asked, 2)

		require.NoError(t, users.Forget(t.Context(), "u"))
		_, err = store.Token(t.Context(), "u@evaluation")
		require.NoError(t, err, "another's token went too")
		require.NoError(t, users.Close())
	})
}

func TestAppsOfUsers(t *testing.T) {
	t.Parallel()
	for _, apps := range [][]auth.App{
		{app}, {evaluationApp, evaluationApp}, {{Name: "x"}}, {{Name: "a@b", ClientID: "x", ClientSecret: "y"}},
	} {
		_, err := auth.NewUsers(app, auth.NewMemory(), &auth.Options{Apps: apps})
		require.Error(t, err)
		require.NotContains(t, err.Error(), "canary")
	}
	users, err := auth.NewUsers(app, auth.NewMemory(), &auth.Options{Apps: []auth.App{evaluationApp}})
	require.NoError(t, err)
	_, err = auth.NewConnector(users, callbackURL, nil, &auth.ConnectorOptions{App: "production"})
	require.ErrorContains(t, err, "production")
}

// twoGarmins are the servers of two applications: each knows its own client and
// tokens.
type twoGarmins [2]*activitytest.Server

func (g twoGarmins) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Body != nil {
		b, err := io.ReadAll(r.Body)
		if err != nil {
			return nil, err
		}
		r.Body = io.NopCloser(bytes.NewReader(b))
		form, _ := url.ParseQuery(string(b))
		if form.Get("client_id") == g[1].ClientID {
			return g[1].RoundTrip(r)
		}
		return g[0].RoundTrip(r)
	}
	resp, err := g[0].RoundTrip(r.Clone(r.Context()))
	if err == nil && resp.StatusCode == http.StatusUnauthorized {
		return g[1].RoundTrip(r)
	}
	return resp, err
}

// TestAppsConnect: one person connects to two applications of one process, and is
// two users. What was begun for one cannot be finished for the other.
func TestAppsConnect(t *testing.T) {
	t.Parallel()
	garmins := twoGarmins{activitytest.NewServer(), activitytest.NewServer()}
	garmins[1].ClientID, garmins[1].ClientSecret = evaluationApp.ClientID, string(evaluationApp.ClientSecret)
	pool, err := activity.NewPool(&activity.Options{Transport: garmins})
	require.NoError(t, err)
	store := auth.NewMemory()
	users, err := auth.NewUsers(fakeApp(garmins[0]), store, &auth.Options{Transport: garmins, Pool: pool, Apps: []auth.App{evaluationApp}})
	require.NoError(t, err)
	key := make([]byte, 32)
	var connected []types.UserID
	var refused []error
	done := func(_ http.ResponseWriter, _ *http.Request, c *auth.Connection, err error) {
		if err != nil {
			refused = append(refused, err)
			return
		}
		connected = append(connected, c.UserID)
	}
	var connectors [2]*auth.Connector
	for i, name := range []string{"", "evaluation"} {
		connectors[i], err = auth.NewConnector(users, callbackURL, done, &auth.ConnectorOptions{Key: key, App: name})
		require.NoError(t, err)
	}
	connect := func(begin, end int) {
		id := types.UserID("4aacafe8")
		if begin != end {
			id = "5bbdb0f9"
		}
		w := httptest.NewRecorder()
		connectors[begin].Start(w, httptest.NewRequest("GET", "https://partner.example/garmin/connect", nil))
		user := garmins[begin].AddUser(&activitytest.UserOptions{ID: id, NotConnected: true})
		redirect, err := garmins[begin].Consent(w.Header().Get("Location"), user)
		require.NoError(t, err)
		r := httptest.NewRequest("GET", redirect, nil)
		for _, c := range w.Result().Cookies() {
			r.AddCookie(c)
		}
		connectors[end].Callback(httptest.NewRecorder(), r)
	}
	connect(0, 0)
	connect(1, 1)
	require.Equal(t, []types.UserID{"4aacafe8", "4aacafe8@evaluation"}, connected, "refused: %v", refused)
	for _, id := range connected {
		client, err := users.Client(t.Context(), id)
		require.NoError(t, err)
		_, err = client.Permissions(t.Context())
		require.NoError(t, err)
	}
	before := garmins[1].State().Requests
	connect(0, 1)
	require.Len(t, connected, 2)
	require.Len(t, refused, 1)
	require.ErrorIs(t, refused[0], auth.ErrState)
	require.Empty(t, garmins[1].Requests(before), "one application's code went to another's token server")
}
