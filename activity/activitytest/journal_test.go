package activitytest_test

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/garminkit/activityapi/activity/activitytest"
	"github.com/garminkit/activityapi/types"
)

// TestDeliveryLog: each delivery can be had with what both sides have sent.
func TestDeliveryLog(t *testing.T) {
	fake := newServer(t)
	u := fake.AddUser(nil)
	status := 503
	fake.SetEndpoints(activitytest.Endpoint{Enabled: true, Push: true, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Node", "7")
		w.WriteHeader(status)
		io.WriteString(w, strings.Repeat("no", 50_000))
	})})
	u.Add(run("1", fake.State().Now))
	sent := fake.Deliver(t.Context())
	require.EqualValues(t, 1, sent[0].ID)
	d := fake.Deliveries(0)[0]
	require.Contains(t, string(d.Body), `"summaryId":"1"`)
	require.Equal(t, "Garmin Health API", d.Header.Get("User-Agent"))
	require.Equal(t, "7", d.Answer.Header.Get("X-Node"))
	require.Len(t, d.Answer.Body, 64<<10)
	require.EqualValues(t, 100_000, d.Answer.Size)

	// Retry sends what waits, resend what is done.
	_, err := fake.Retry(t.Context(), 99)
	require.ErrorContains(t, err, "no such delivery")
	status = 200
	retried, err := fake.Retry(t.Context(), 1)
	require.NoError(t, err)
	require.Len(t, retried, 1)
	again := retried[0]
	require.Equal(t, 2, again.Attempt)
	require.EqualValues(t, 1, again.Notification)
	require.True(t, again.Acknowledged)
	require.Zero(t, fake.State().Pending)
	_, err = fake.Retry(t.Context(), 1)
	require.ErrorContains(t, err, "does not wait")
	status = 500
	resent, err := fake.Resend(t.Context(), 1)
	require.NoError(t, err)
	require.Equal(t, 1, resent.Attempt)
	require.EqualValues(t, 2, resent.Notification)
	require.Equal(t, d.Body, resent.Body)
	require.Equal(t, 1, fake.State().Pending)
	status = 200
	retried, err = fake.Retry(t.Context())
	require.NoError(t, err)
	require.Len(t, retried, 1)
	require.Zero(t, fake.State().Pending)
	fake.SetEndpoints(activitytest.Endpoint{Enabled: true, OnHold: true}, types.KindActivities)
	_, err = fake.Resend(t.Context(), 1)
	require.ErrorContains(t, err, "on hold")
	require.Zero(t, fake.State().Pending)

	list := fake.Deliveries(1)
	require.Len(t, list, 3)
	require.EqualValues(t, 2, list[0].ID)
	require.EqualValues(t, 4, fake.State().Deliveries)
	require.Empty(t, fake.Deliveries(4))
	require.Empty(t, fake.Deliveries(99))
}

// TestRetention: what is kept has a bound, in entries and in bytes.
func TestRetention(t *testing.T) {
	fake := newServer(t)
	fake.KeepDeliveries, fake.KeepRequests, fake.KeepBytes = 100, 100, 40_000
	u := fake.AddUser(nil)
	fake.SetEndpoints(activitytest.Endpoint{Enabled: true, Push: true, Handler: http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})})
	for i := range 1000 {
		u.Add(run(types.ID(fmt.Sprint(i)), fake.State().Now))
		fake.Deliver(t.Context())
		get(t, fake, rest+"user/id", u.State().AccessToken)
	}
	kept, bodies := fake.Deliveries(0), 0
	require.GreaterOrEqual(t, len(kept), 100)
	require.LessOrEqual(t, len(kept), 110)
	require.EqualValues(t, 1000, kept[len(kept)-1].ID)
	for _, d := range kept {
		bodies += len(d.Body)
		require.Equal(t, len(d.Body) == 0, d.Answer.Dropped)
	}
	require.Greater(t, bodies, 5000)
	require.Less(t, bodies, 40_000)
	_, err := fake.Resend(t.Context(), kept[0].ID)
	require.ErrorContains(t, err, "no longer kept")
	_, err = fake.Resend(t.Context(), 1000)
	require.NoError(t, err)
	require.LessOrEqual(t, len(fake.Requests(0)), 110)
	require.Len(t, fake.Requests(995), 5)
	seen := fake.State().Requests
	require.EqualValues(t, 1000, seen)
	require.Empty(t, fake.Requests(seen))
	get(t, fake, rest+"user/id", u.State().AccessToken)
	require.EqualValues(t, 1001, fake.Requests(seen)[0].ID)

	fake.Backstage().Change(func() { fake.KeepBytes = -1 })
	u.Add(run("x", fake.State().Now))
	d := fake.Deliver(t.Context())[0]
	require.NotEmpty(t, d.Body)
	require.Empty(t, fake.Deliveries(d.ID - 1)[0].Body)
}

// TestRetentionMemory sends big bodies for long: what is kept of them is bounded.
func TestRetentionMemory(t *testing.T) {
	fake := newServer(t)
	fake.KeepBytes = 1 << 20
	u := fake.AddUser(nil)
	fake.SetEndpoints(activitytest.Endpoint{Enabled: true, Push: true, Handler: http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})})
	heap := func() int64 {
		var m runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&m)
		return int64(m.HeapAlloc)
	}
	before := heap()
	big := `{"summaryId":"1","startTimeInSeconds":1,"x":"` + strings.Repeat("x", 100<<10) + `"}`
	for range 100 {
		_, err := u.Upload(activitytest.Upload{Kind: types.KindActivities, JSON: []byte(big)})
		require.NoError(t, err)
		fake.Deliver(t.Context())
	}
	require.Less(t, heap()-before, int64(4<<20)) // of 10 MB that were sent
	runtime.KeepAlive(fake)
}

// TestRequestLog: the log shows both sides of a request and no secret.
func TestRequestLog(t *testing.T) {
	fake := newServer(t)
	fake.RedirectURL = "https://partner.example/back"
	u := fake.AddUser(nil)
	u.Add(run("1", fake.State().Now))
	status, _ := get(t, fake, u.CallbackURL(types.KindActivities, types.Window{Start: fake.State().Now, End: fake.State().Now}), u.State().AccessToken)
	require.Equal(t, 200, status)
	e := fake.Requests(0)[0]
	require.Regexp(t, `^uploadStartTimeInSeconds=\d+&uploadEndTimeInSeconds=\d+&token=…$`, e.Query)
	require.Contains(t, string(e.Answer.Body), `"summaryId":"1"`)
	require.Equal(t, "Bearer …", e.Sent.Header.Get("Authorization"))

	back, err := fake.Consent(authorizeURL(fake, nil), u)
	require.NoError(t, err)
	at, err := url.Parse(back)
	require.NoError(t, err)
	form := url.Values{
		"grant_type": {"authorization_code"}, "client_id": {fake.ClientID}, "client_secret": {fake.ClientSecret},
		"code": {at.Query().Get("code")}, "code_verifier": {verifier},
	}
	r, err := http.NewRequest("POST", "https://diauth.garmin.com/di-oauth2-service/oauth/token", strings.NewReader(form.Encode()))
	require.NoError(t, err)
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	res, err := fake.RoundTrip(r)
	require.NoError(t, err)
	res.Body.Close()
	require.Equal(t, 200, res.StatusCode)
	e = fake.Requests(1)[0]
	require.Contains(t, string(e.Sent.Body), "client_secret=…")
	require.Contains(t, string(e.Answer.Body), `"access_token":"…"`)
	all, err := fake.Snapshot()
	require.NoError(t, err)
	log := all[bytes.Index(all, []byte(`"requests":{`)):]
	for _, secret := range []string{fake.ClientSecret, verifier, form.Get("code"), u.State().AccessToken, u.State().RefreshToken} {
		require.NotContains(t, string(log), secret)
	}

	fake.SetFaults(activitytest.Fault{Status: 500, Body: "oops"})
	get(t, fake, rest+"user/id", u.State().AccessToken)
	e = fake.Requests(2)[0]
	require.Equal(t, "fault", e.By)
	require.Equal(t, "oops", string(e.Answer.Body))
	require.Empty(t, fake.Requests(3))
}

// TestChanges: who watches is told, and is never waited for.
func TestChanges(t *testing.T) {
	fake := newServer(t)
	changed, stop := fake.Backstage().Changes()
	for i, change := range []func(){
		func() { _, _ = fake.Advance(t.Context(), 1) },
		func() { fake.AddUser(nil) },
		func() { fake.Users()[0].Add(run("1", fake.State().Now)) },
		func() { fake.SetEndpoints(activitytest.Endpoint{Enabled: true, Handler: http.NotFoundHandler()}) },
		func() { fake.Deliver(t.Context()) },
		func() { get(t, fake, rest+"user/id", "") },
		func() { fake.SetQuirks(1, "nulls") },
		func() { fake.SetFaults(activitytest.Fault{}) },
		func() { fake.SetFaults() },
		func() { fake.Users()[0].SetPermissions() },
		func() { fake.Users()[0].Deregister() },
		func() { fake.Users()[0].Connect() },
		func() { _, _ = fake.Advance(t.Context(), 1) },
		func() { require.NoError(t, fake.Restore(nil)) },
	} {
		change()
		select {
		case <-changed:
		default:
			t.Fatalf("change %d: nobody was told", i)
		}
	}
	stop()
	fake.AddUser(nil)
	require.Empty(t, changed)
}

// TestRedirectIsRegistered: as at Garmin, a browser is sent nowhere else.
func TestRedirectIsRegistered(t *testing.T) {
	for _, test := range []struct {
		preset string
		strict bool
		named  string
		taken  bool
	}{
		{"https://partner.example/back", false, "https://partner.example/back", true},
		{"https://partner.example/back", false, "", true},
		{"https://partner.example/back", false, "https://attacker.example/", false},
		{"https://partner.example/back", false, "https://partner.example/back/", false},
		{"https://partner.example/back", false, "https://partner.example/back?x=1", false},
		{"https://partner.example/back", true, "http://127.0.0.1/", false},
		{"", false, "https://anybody.example/", true}, // nothing is registered
		{"", true, "https://anybody.example/", false},
		{"", true, "http://127.0.0.1:3000/back", true},
		{"", true, "http://localhost:3000/back", true},
		{"", true, "http://localhost.attacker.example/", false},
	} {
		fake := newServer(t)
		fake.RedirectURL, fake.StrictRedirect = test.preset, test.strict
		q := url.Values{}
		if test.named != "" {
			q.Set("redirect_uri", test.named)
		}
		target := authorizeURL(fake, q)
		back, err := fake.Consent(target, fake.AddUser(nil))
		require.Equal(t, test.taken, err == nil, "%+v: %v", test, err)
		require.NotContains(t, back, "attacker")
		status, _ := get(t, fake, target, "")
		require.Equal(t, test.taken, status == 200, "%+v", test)
		status, _ = do(t, fake, http.MethodPost, target, "")
		require.Equal(t, test.taken, status == 302, "%+v", test)
	}
}
