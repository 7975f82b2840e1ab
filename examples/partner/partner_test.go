package main

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/garminkit/activityapi/activity"
	"github.com/garminkit/activityapi/activity/activitytest"
	"github.com/garminkit/activityapi/activity/auth"
	"github.com/garminkit/activityapi/backfill"
	"github.com/garminkit/activityapi/types"
)

const url = "https://partner.example"

// start returns an application whose Garmin is a fake, with a user who has
// connected, both in memory.
func start(t *testing.T) (*partner, *activitytest.Server, *activitytest.User) {
	t.Helper()
	fake := activitytest.NewServer()
	pool, err := activity.NewPool(&activity.Options{Transport: fake})
	require.NoError(t, err)
	app := auth.App{ClientID: fake.ClientID, ClientSecret: types.Secret(fake.ClientSecret)}
	p, err := newPartner(t.TempDir(), url, app, &auth.Options{Pool: pool, Transport: fake})
	require.NoError(t, err)
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- p.run(ctx) }()
	t.Cleanup(func() { stop(); require.NoError(t, <-done) })

	user := fake.AddUser(&activitytest.UserOptions{NotConnected: true, HistoryFrom: time.Now().AddDate(-1, 0, -1)})
	connect(t, p, fake, user)
	return p, fake, user
}

// connect sends a browser to Garmin and back.
func connect(t *testing.T, p *partner, fake *activitytest.Server, user *activitytest.User) {
	t.Helper()
	w := get(p, "/connect", nil)
	require.Equal(t, http.StatusSeeOther, w.Code)
	back, err := fake.Consent(w.Header().Get("Location"), user)
	require.NoError(t, err)
	w = get(p, back, w.Result().Cookies())
	require.Equal(t, http.StatusOK, w.Code, w.Body)
}

func get(p *partner, address string, cookies []*http.Cookie) *httptest.ResponseRecorder {
	w, r := httptest.NewRecorder(), httptest.NewRequest("GET", address, nil)
	r.SetBasicAuth("ann", "")
	for _, c := range cookies {
		r.AddCookie(c)
	}
	p.mux.ServeHTTP(w, r)
	return w
}

// settle lets the processor work off what it has.
func settle() {
	time.Sleep(time.Minute)
	synctest.Wait()
}

func TestPushAndPing(t *testing.T) {
	for name, push := range map[string]bool{"push": true, "ping": false} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p, fake, ann := start(t)
				fake.SetEndpoints(activitytest.Endpoint{Handler: p.mux, URL: url + "/garmin", Enabled: true, Push: push})
				ann.Sync(activitytest.NewGenerator(1), activitytest.Run, time.Now().Add(-time.Hour))
				fake.Deliver(t.Context())
				settle()
				require.Equal(t, 1, p.db.count("ann", types.KindActivities))
				require.Equal(t, 1, p.db.count("ann", types.KindActivityDetails))
				require.Len(t, p.db.files, 1)
			})
		})
	}
}

func TestHistory(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, fake, ann := start(t)
		connected := time.Now()
		fake.SetEndpoints(activitytest.Endpoint{Handler: p.mux, URL: url + "/garmin", Enabled: true, Push: true})
		ann.FillHistory(activitytest.NewGenerator(1), types.Window{Start: connected.AddDate(-1, 0, 0), End: connected})
		require.NoError(t, p.history(t.Context(), ann.ID(), connected))
		require.Zero(t, fake.BackfillViolations())
		_, err := fake.DeliverAll(t.Context())
		require.NoError(t, err)
		settle()
		require.Equal(t, ann.Count(types.KindActivities), p.db.count("ann", types.KindActivities))

		time.Sleep(24 * time.Hour)
		report, err := backfill.NewReport(t.Context(), p.ledger, ann.ID(), nil)
		require.NoError(t, err)
		for _, c := range report.Kinds {
			days := c.Count()
			require.Equal(t, len(c.Days), days[backfill.StatusDelivered]+days[backfill.StatusQuiet], c.Kind)
		}
	})
}

func TestPermissionsAndLeaving(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, fake, ann := start(t)
		fake.SetEndpoints(activitytest.Endpoint{Handler: p.mux, URL: url + "/garmin", Enabled: true, Push: true})
		time.Sleep(time.Second)
		ann.SetPermissions(types.PermissionActivityExport)
		fake.Deliver(t.Context())
		settle()
		require.Equal(t, []types.Permission{types.PermissionActivityExport}, p.db.permissions["ann"].list)

		forged := httptest.NewRequest("POST", "/garmin", strings.NewReader(`{"deregistrations":[{"userId":"`+ann.ID()+`"}]}`))
		p.mux.ServeHTTP(httptest.NewRecorder(), forged)
		settle()
		require.Contains(t, p.db.names, ann.ID())

		ann.Deregister()
		fake.Deliver(t.Context())
		settle()
		require.NotContains(t, p.db.names, ann.ID())
		_, err := p.users.Client(t.Context(), ann.ID())
		require.ErrorIs(t, err, auth.ErrNotConnected)
	})
}
