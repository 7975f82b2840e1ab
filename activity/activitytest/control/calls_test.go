package control_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/garminkit/activityapi/activity/activitytest"
	"github.com/garminkit/activityapi/activity/activitytest/control"
	"github.com/garminkit/activityapi/types"
)

// caller calls the control API of a fake in memory, with text for JSON.
type caller struct {
	t       *testing.T
	fake    *activitytest.Server
	handler http.Handler
}

func newCaller(t *testing.T, opts *control.Options) *caller {
	fake := activitytest.NewServer()
	return &caller{t, fake, checked(t, control.Handler(fake, opts))}
}

// do calls and returns what was answered.
func (c *caller) do(method, path, body string) (int, string) {
	c.t.Helper()
	w := httptest.NewRecorder()
	c.handler.ServeHTTP(w, httptest.NewRequest(method, "http://localhost"+path, strings.NewReader(body)))
	return w.Code, w.Body.String()
}

// ok calls, wants success and reads the answer into out, if that is not nil.
func (c *caller) ok(method, path, body string, out any) string {
	c.t.Helper()
	status, answer := c.do(method, path, body)
	require.Equal(c.t, 200, status, "%s %s: %s", method, path, answer)
	if out != nil {
		require.NoError(c.t, json.Unmarshal([]byte(answer), out))
	}
	return answer
}

// fails calls and wants an error with a text.
func (c *caller) fails(status int, method, path, body, text string) {
	c.t.Helper()
	got, answer := c.do(method, path, body)
	require.Equal(c.t, status, got, "%s %s: %s", method, path, answer)
	var v struct{ Error string }
	require.NoError(c.t, json.Unmarshal([]byte(answer), &v))
	require.Contains(c.t, v.Error, text)
}

func TestUsers(t *testing.T) {
	c := newCaller(t, &control.Options{OAuth1: func(u *activitytest.User) (string, string) {
		u.Connect()
		u.Change(func(s *activitytest.UserState) { s.ItemToken = "t1" })
		return "t1", "s1"
	}})
	type user struct {
		ID, AccessToken, RefreshToken, OAuth1Token, OAuth1TokenSecret string
		Connected                                                     bool
		HistoryFrom, AccessExpires                                    time.Time
		Permissions                                                   []string
		Records                                                       map[string]int
	}
	var u user
	c.ok("POST", "/users", `{"id":"a","historyFrom":"2026-01-02T03:04:05Z","permissions":["ACTIVITY_EXPORT"]}`, &u)
	require.Equal(t, time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC), u.HistoryFrom)
	require.True(t, u.Connected)
	require.NotEmpty(t, u.AccessToken)

	// One field leaves the others alone.
	c.ok("PUT", "/users/a", `{"historyFrom":"2025-01-02T03:04:05Z"}`, &u)
	require.Equal(t, 2025, u.HistoryFrom.Year())
	require.Equal(t, []string{"ACTIVITY_EXPORT"}, u.Permissions)
	c.ok("PUT", "/users/a", `{"permissions":[]}`, &u)
	require.Equal(t, 2025, u.HistoryFrom.Year())
	require.Empty(t, u.Permissions)
	require.True(t, u.Connected)
	c.ok("PUT", "/users/a", `{"connected":false}`, &u)
	require.False(t, u.Connected)
	c.ok("PUT", "/users/a", `{"connected":true}`, &u)
	require.True(t, u.Connected)
	c.fails(400, "PUT", "/users/a", `{"color":"red"}`, "color")
	c.fails(400, "PUT", "/users/a", `{"historyFrom":"soon"}`, "soon")
	c.fails(404, "PUT", "/users/b", `{}`, "no such user")

	// Never connected, and of OAuth 1.0a.
	u = user{}
	c.ok("POST", "/users", `{"id":"never","connected":false}`, &u)
	require.False(t, u.Connected)
	require.Empty(t, u.AccessToken)
	c.ok("POST", "/users", `{"id":"old","oauth1":true}`, &u)
	require.True(t, u.Connected)
	require.Equal(t, "t1", u.OAuth1Token)
	require.Equal(t, "s1", u.OAuth1TokenSecret)
	require.Empty(t, u.AccessToken)
	c.fails(400, "POST", "/users", `{"oauth1":true,"accessToken":"x"}`, "accessToken")
	c.fails(400, "POST", "/users", `{"oauth1":true,"connected":false}`, "OAuth 1.0a")
	none := newCaller(t, nil)
	none.fails(400, "POST", "/users", `{"oauth1":true}`, "OAuth1")

	// Tokens expire now.
	c.ok("POST", "/users/a/expire", ``, &u)
	require.False(t, c.fake.State().Now.Before(u.AccessExpires))
	require.NotEmpty(t, u.RefreshToken)
	c.ok("POST", "/users/a/expire", `{"refresh":true,"access":false}`, &u)

	c.ok("POST", "/users/a/sync", `{"sport":"triathlon","seed":1}`, &u)
	require.Equal(t, 6, u.Records["activities"])
	c.fails(400, "POST", "/users/a/sync", `{"sport":"chess"}`, "sport")
	c.fails(400, "POST", "/users/a/sync", `{"start":"0001-01-01T00:00:00Z"}`, "1970")
	c.ok("POST", "/users/a/history", `{"seed":2}`, &u)
	c.fails(400, "POST", "/users/a/history", `{"start":"1990-01-01T00:00:00Z"}`, "twenty")
	c.ok("POST", "/users/a/resend", `{"kinds":["activities"]}`, nil)
	c.fails(400, "POST", "/users/a/backfill", `{"kind":"activities","start":"2026-01-01T00:00:00Z","end":"2026-01-02T00:00:00Z"}`, "412")
	c.ok("PUT", "/users/a/permissions", `["ACTIVITY_EXPORT","HISTORICAL_DATA_EXPORT"]`, nil)
	c.ok("POST", "/users/a/backfill", `{"kind":"activities","start":"2026-01-01T00:00:00Z","end":"2026-01-02T00:00:00Z"}`, nil)
	c.fails(400, "POST", "/users/a/backfill", `{"kind":"activities"}`, "min start")
	c.ok("GET", "/users/a/data?kind=activities&start=2026-01-01T00:00:00Z", ``, nil)
	c.fails(400, "GET", "/users/a/data?start=x", ``, "x")
	c.ok("GET", "/users/a", ``, &u)
	c.ok("DELETE", "/users/a", ``, &u)
	require.False(t, u.Connected)
}

func TestItems(t *testing.T) {
	c := newCaller(t, nil)
	c.ok("POST", "/users", `{"id":"a"}`, nil)
	type record struct {
		Kind, ID string
		JSON     json.RawMessage
	}
	var list []record
	c.ok("POST", "/users/a/items", `{"kind":"activities","item":{"summaryId":"7","activityName":"x","startTimeInSeconds":100,"odd":{"b":[1.0]}}}`, &list)
	require.Len(t, list, 1)
	require.Equal(t, `{"summaryId":"7","activityName":"x","startTimeInSeconds":100,"odd":{"b":[1.0]}}`, string(list[0].JSON))
	c.ok("POST", "/users/a/items", `{"kind":"activities","item":{"summaryId":"8","startTimeInSeconds":100},"history":true}`, &list)
	c.fails(400, "POST", "/users/a/items", `{"kind":"activities","item":[1]}`, "object")
	c.fails(400, "POST", "/users/a/items", `{"kind":"activities","item":{},"sport":"run"}`, "either")
	c.fails(400, "POST", "/users/a/items", `{"kind":"sleeps","item":{}}`, "kind")
	c.fails(400, "POST", "/users/a/items", `{"kind":"activities","sport":"chess"}`, "sport")
	c.fails(400, "POST", "/users/a/items", `{"kind":"activities","item":{"userId":"b"}}`, "userId")

	// Each kind can be made up, and is the same for the same seed.
	for kind, want := range map[types.Kind]int{
		types.KindActivities: 6, types.KindActivityDetails: 6, types.KindManualActivities: 6, types.KindMoveIQ: 1, types.KindActivityFiles: 6,
	} {
		body := `{"kind":"` + string(kind) + `","sport":"triathlon","seed":3,"start":"2026-05-01T08:00:00Z"}`
		c.ok("POST", "/users/a/items", body, &list)
		require.Len(t, list, want, kind)
		n := c.fake.User("a").State().Records[kind]
		first := list
		c.ok("POST", "/users/a/items", body, &list)
		require.Equal(t, first, list)
		require.Equal(t, n, c.fake.User("a").State().Records[kind])
	}
	var rec record
	c.ok("GET", "/users/a/items/activities/7", ``, &rec)
	require.Equal(t, "7", rec.ID)
	c.fails(404, "GET", "/users/a/items/activities/none", ``, "item")
	c.fails(404, "GET", "/users/a/items/sleeps/7", ``, "kind")
	c.ok("PUT", "/users/a/items/activities/7", `{"activityName":"y","startTimeInSeconds":100}`, &rec)
	require.Equal(t, `{"summaryId":"7","activityName":"y","startTimeInSeconds":100}`, string(rec.JSON))
	c.fails(404, "PUT", "/users/a/items/activities/none", `{}`, "item")
	c.fails(404, "PUT", "/users/a/items/sleeps/7", `{}`, "kind")
	c.fails(400, "PUT", "/users/a/items/activities/7", `{"summaryId":"9"}`, "summaryId")
	c.ok("POST", "/users/a/items/activities/7/edit", `{"activityName":"z"}`, &rec)
	require.Equal(t, `{"summaryId":"7","activityName":"z","startTimeInSeconds":100,"manual":true}`, string(rec.JSON))
	require.Equal(t, "manuallyUpdatedActivities", rec.Kind)
	c.ok("POST", "/users/a/items/activities/7/edit", ``, &rec)
	require.Contains(t, string(rec.JSON), `"y (edited)"`)
	c.fails(404, "POST", "/users/a/items/activities/none/edit", ``, "activity")
	c.fails(400, "POST", "/users/a/items/activities/7/edit", `[]`, "object")

	// A file has its bytes.
	c.ok("POST", "/users/a/items", `{"kind":"activityFiles","item":{"summaryId":"f","startTimeInSeconds":100},"content":"Ynl0ZXM="}`, &list)
	file := c.fake.User("a").FileURL("f")
	r, _ := http.NewRequest("GET", file, nil)
	r.Header.Set("Authorization", "Bearer "+c.fake.User("a").State().AccessToken)
	res, err := c.fake.RoundTrip(r)
	require.NoError(t, err)
	b, _ := io.ReadAll(res.Body)
	res.Body.Close()
	require.Equal(t, "bytes", string(b))
}

func TestDeliveries(t *testing.T) {
	c := newCaller(t, nil)
	var status atomic.Int64
	status.Store(503)
	partner := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body)
		w.WriteHeader(int(status.Load()))
		io.WriteString(w, "thanks")
	}))
	defer partner.Close()
	c.ok("POST", "/users", `{"id":"a"}`, nil)
	c.ok("PUT", "/endpoints/all", `{"url":"`+partner.URL+`/hook","enabled":true,"push":true}`, nil)

	// One field leaves the others alone.
	var rows []struct {
		Key, URL              string
		Enabled, OnHold, Push bool
	}
	c.ok("PUT", "/endpoints/activities", `{"onHold":true}`, &rows)
	require.Equal(t, partner.URL+"/hook", rows[0].URL)
	require.True(t, rows[0].Enabled && rows[0].OnHold && rows[0].Push)
	require.False(t, rows[1].OnHold)
	c.ok("PUT", "/endpoints/all", `{"onHold":false}`, &rows)
	require.Equal(t, partner.URL+"/hook", rows[1].URL)
	require.True(t, rows[0].Enabled && rows[0].Push && rows[1].Push)
	c.fails(400, "PUT", "/endpoints/all", `{"url":"ftp://x"}`, "http")
	c.fails(400, "PUT", "/endpoints/sleeps", `{}`, "list key")

	c.ok("POST", "/users/a/items", `{"kind":"activities","item":{"summaryId":"7","startTimeInSeconds":100}}`, nil)
	type delivery struct {
		ID, Notification int
		Status, Attempt  int
		Acknowledged     bool
		Next             time.Time
		URL              string
		Request, Answer  *struct {
			Header http.Header
			Text   string
			Size   int
		}
	}
	var list []delivery
	c.ok("POST", "/deliver", ``, &list)
	require.Len(t, list, 1)
	require.False(t, list[0].Next.IsZero())
	var d delivery
	c.ok("GET", "/deliveries/1", ``, &d)
	require.Equal(t, `{"activities":[{"userId":"a","summaryId":"7","startTimeInSeconds":100}]}`, d.Request.Text)
	require.Equal(t, []string{"Garmin Health API"}, d.Request.Header["User-Agent"])
	require.Equal(t, "thanks", d.Answer.Text)
	require.Equal(t, partner.URL+"/hook", d.URL)
	status.Store(200)
	c.ok("POST", "/deliveries/1/retry", ``, &d)
	require.Equal(t, 2, d.Attempt)
	require.True(t, d.Acknowledged)
	c.fails(409, "POST", "/deliveries/1/retry", ``, "does not wait")
	c.ok("POST", "/deliveries/1/resend", ``, &d)
	require.Equal(t, 2, d.Notification)
	c.fails(404, "POST", "/deliveries/9/resend", ``, "no such delivery")
	c.fails(404, "GET", "/deliveries/x", ``, "no such")
	c.fails(404, "GET", "/deliveries/9", ``, "no such")
	c.ok("PUT", "/limits", `{"retention":{"bytes":-1}}`, nil)
	c.ok("POST", "/deliveries/2/resend", ``, nil)
	c.fails(410, "POST", "/deliveries/4/resend", ``, "no longer kept")
	c.ok("GET", "/deliveries?after=1&limit=2", ``, &list)
	require.Len(t, list, 2)
	require.Equal(t, 4, list[1].ID)
	c.fails(400, "GET", "/deliveries?after=x", ``, "after")
	c.fails(400, "GET", "/deliveries?limit=-1", ``, "limit")
	status.Store(500)
	c.ok("POST", "/users/a/resend", ``, nil)
	c.ok("POST", "/deliver", ``, &list)
	status.Store(200)
	c.ok("POST", "/retry", ``, &list)
	require.Len(t, list, 1)
	require.True(t, list[0].Acknowledged)
	c.ok("GET", "/verification", ``, nil)
	c.ok("POST", "/verify", `{"endpoint":"`+partner.URL+`"}`, nil)
}

func TestRequests(t *testing.T) {
	c := newCaller(t, nil)
	u := c.fake.AddUser(nil)
	r, _ := http.NewRequest("GET", "https://apis.garmin.com/wellness-api/rest/user/id?token=secret", nil)
	r.Header.Set("Authorization", "Bearer "+u.State().AccessToken)
	res, err := c.fake.RoundTrip(r)
	require.NoError(t, err)
	res.Body.Close()
	answer := c.ok("GET", "/requests", ``, nil)
	require.Contains(t, answer, `"path":"/wellness-api/rest/user/id"`)
	require.NotContains(t, answer, `"Path"`)
	answer = c.ok("GET", "/requests/1", ``, nil)
	require.Contains(t, answer, string(u.ID()))
	require.NotContains(t, answer, u.State().AccessToken)
	require.NotContains(t, answer, "secret")
	c.fails(404, "GET", "/requests/2", ``, "no such")
	c.fails(404, "GET", "/requests/x", ``, "no such")
	c.fails(400, "GET", "/requests?after=-1", ``, "after")
	require.Equal(t, `[]`, c.ok("DELETE", "/requests", ``, nil))
	require.Equal(t, `[]`, c.ok("GET", "/requests", ``, nil))
}

func TestClock(t *testing.T) {
	c := newCaller(t, nil)
	c.ok("POST", "/users", `{"id":"a"}`, nil)
	c.ok("PUT", "/endpoints/all", `{"url":"http://127.0.0.1:1/nobody","enabled":true,"push":true}`, nil)
	c.ok("POST", "/users/a/items", `{"kind":"activities","item":{"summaryId":"7","startTimeInSeconds":100}}`, nil)
	var v struct {
		Now               time.Time
		Ahead             string
		Delivered, Failed int
	}
	c.ok("POST", "/clock", `{"advance":"24h"}`, &v)
	require.Equal(t, "24h0m0s", v.Ahead)
	require.Equal(t, v.Delivered, v.Failed)
	require.Equal(t, 13, v.Delivered) // 30 s, doubled up to six hours
	require.WithinDuration(t, time.Now().Add(24*time.Hour), v.Now, time.Minute)
	c.ok("GET", "/clock", ``, &v)
	require.Equal(t, "24h0m0s", v.Ahead)
	require.Zero(t, v.Delivered)
	c.fails(400, "POST", "/clock", ``, "how much")
	c.fails(400, "POST", "/clock", `{"advance":"soon"}`, "soon")
	c.fails(400, "POST", "/clock", `{"advance":"-1h"}`, "go back")
	status, _ := apiGet(t, c.fake, "user/id", c.fake.User("a").State().AccessToken)
	require.Equal(t, 401, status)
}

func apiGet(t *testing.T, fake *activitytest.Server, path, token string) (int, string) {
	t.Helper()
	r, _ := http.NewRequest("GET", "https://apis.garmin.com/wellness-api/rest/"+path, nil)
	r.Header.Set("Authorization", "Bearer "+token)
	res, err := fake.RoundTrip(r)
	require.NoError(t, err)
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	require.NoError(t, err)
	return res.StatusCode, string(b)
}

func TestLimits(t *testing.T) {
	c := newCaller(t, nil)
	before := c.ok("GET", "/limits", ``, nil)
	require.Equal(t, before, c.ok("PUT", "/limits", `{}`, nil))
	// One field leaves the others alone.
	for _, change := range [][2]string{
		{`{"redirectURL":"http://127.0.0.1:1/back"}`, `"redirectURL":"http://127.0.0.1:1/back"`},
		{`{"pullTokens":"none"}`, `"pullTokens":"none"`},
		{`{"endExclusive":true}`, `"endExclusive":true`},
		{`{"pullsCarryUserId":true}`, `"pullsCarryUserId":true`},
		{`{"noLongDetails":true}`, `"noLongDetails":true`},
		{`{"backfill":{"daysPerMinute":7}}`, `"daysPerMinute":7`},
		{`{"backfill":{"fixedMinutes":true}}`, `"fixedMinutes":true`},
		{`{"backfill":{"exactDuplicates":true}}`, `"exactDuplicates":true`},
		{`{"backfill":{"delay":"3s"}}`, `"delay":"3s"`},
		{`{"delivery":{"batchItems":3}}`, `"batchItems":3`},
		{`{"delivery":{"timeout":"2s"}}`, `"timeout":"2s"`},
		{`{"delivery":{"firstRetry":"1m0s"}}`, `"firstRetry":"1m0s"`},
		{`{"retention":{"deliveries":8}}`, `"deliveries":8`},
		{`{"retention":{"requests":9}}`, `"requests":9`},
		{`{"retention":{"bytes":10}}`, `"bytes":10`},
	} {
		require.NotContains(t, c.ok("GET", "/limits", ``, nil), change[1])
		c.ok("PUT", "/limits", change[0], nil)
	}
	require.Equal(t, `{"redirectURL":"http://127.0.0.1:1/back","pullTokens":"none","endExclusive":true,"pullsCarryUserId":true,"noLongDetails":true,`+
		`"backfill":{"daysPerMinute":7,"fixedMinutes":true,"exactDuplicates":true,"delay":"3s"},`+
		`"delivery":{"batchItems":3,"timeout":"2s","firstRetry":"1m0s"},"retention":{"deliveries":8,"requests":9,"bytes":10}}`, c.ok("GET", "/limits", ``, nil))
	for _, bad := range []string{
		`{"pullTokens":"some"}`, `{"redirectURL":"/x"}`, `{"redirectURL":"http://[::"}`, `{"backfill":{"daysPerMinute":-1}}`, `{"delivery":{"timeout":"-1s"}}`,
		`{"delivery":{"firstRetry":"x"}}`, `{"other":1}`, `{"delivery":{"firstRetry":"9999h"}}`, `{} {}`,
	} {
		c.fails(400, "PUT", "/limits", bad, "")
	}
}

func TestQuirksAndFaults(t *testing.T) {
	c := newCaller(t, nil)
	on := func() string {
		var all []struct {
			Name  string
			On    bool
			Share float64
		}
		c.ok("GET", "/quirks", ``, &all)
		var list []string
		for _, q := range all {
			if require.Equal(t, q.On, q.Share > 0); q.On {
				list = append(list, fmt.Sprintf("%s=%v", q.Name, q.Share))
			}
		}
		return strings.Join(list, " ")
	}
	for _, step := range [][2]string{
		{`{"names":["nulls","duplicate"]}`, "nulls=1 duplicate=1"},
		{`{"share":0.5}`, "nulls=0.5 duplicate=0.5"},
		{`{"shares":{"nulls":0.25}}`, "nulls=0.25 duplicate=0.5"},
		{`{"shares":{"reverse":1}}`, "nulls=0.25 reverse=1 duplicate=0.5"},
		{`{"shares":{"nulls":0}}`, "reverse=1 duplicate=0.5"},
		{``, "reverse=1 duplicate=0.5"},
		{`{"share":0.1,"names":["late"]}`, "late=0.1"},
		{`{"names":[]}`, ""},
	} {
		c.ok("PUT", "/quirks", step[0], nil)
		require.Equal(t, step[1], on(), step[0])
	}
	for _, bad := range []string{`{"names":["none"]}`, `{"shares":{"none":1}}`, `{"share":2}`, `{"shares":{"nulls":-1}}`} {
		c.fails(400, "PUT", "/quirks", bad, "")
	}

	c.ok("POST", "/faults", `{"n":2,"status":503,"header":{"Retry-After":["7"]},"body":"busy","delay":"0s","path":"/user/id"}`, nil)
	require.Contains(t, c.ok("GET", "/faults", ``, nil), `"faults":2`)
	u := c.fake.AddUser(nil)
	status, body := apiGet(t, c.fake, "user/id", u.State().AccessToken)
	require.Equal(t, 503, status)
	require.Equal(t, "busy", body)
	require.Contains(t, c.ok("GET", "/faults", ``, nil), `"faults":1`)
	require.Equal(t, `{"faults":0,"list":[]}`, c.ok("DELETE", "/faults", ``, nil))
	status, _ = apiGet(t, c.fake, "user/id", u.State().AccessToken)
	require.Equal(t, 200, status)
	for _, bad := range []string{`{"status":99}`, `{"delay":"x"}`, `{"delay":"-1s"}`, `{"n":-1}`} {
		c.fails(400, "POST", "/faults", bad, "")
	}
}

func TestState(t *testing.T) {
	c := newCaller(t, nil)
	c.ok("POST", "/users", `{"id":"a"}`, nil)
	c.ok("POST", "/users/a/sync", `{"sport":"run","seed":1}`, nil)
	c.ok("POST", "/clock", `{"advance":"1h"}`, nil)
	snapshot := c.ok("GET", "/snapshot", ``, nil)
	state := c.ok("GET", "/state", ``, nil)
	c.ok("DELETE", "/users/a", ``, nil)
	c.ok("POST", "/reset", ``, nil)
	var v struct {
		Users []any
		Ahead string
	}
	c.ok("GET", "/state", ``, &v)
	require.Empty(t, v.Users)
	require.Equal(t, "0s", v.Ahead)
	require.Equal(t, state, c.ok("PUT", "/snapshot", snapshot, nil))
	require.Equal(t, snapshot, c.ok("GET", "/snapshot", ``, nil))
	c.fails(400, "PUT", "/snapshot", `{}`, "version")
	require.Equal(t, snapshot, c.ok("GET", "/snapshot", ``, nil))
}

// TestEvents follows the stream as a browser does.
func TestEvents(t *testing.T) {
	fake := activitytest.NewServer()
	api := httptest.NewServer(checked(t, control.Handler(fake, nil)))
	defer api.Close()
	fake.SetEndpoints(activitytest.Endpoint{Enabled: true, Push: true, Handler: http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})})
	u := fake.AddUser(nil)
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	next := follow(t, ctx, api.URL, "")
	_, name, data := next()
	require.Equal(t, "state", name)
	require.Contains(t, data, string(u.ID()))

	_, err := u.Upload(activitytest.Upload{Kind: "activities", JSON: []byte(`{"summaryId":"7","startTimeInSeconds":1}`)})
	require.NoError(t, err)
	fake.Deliver(t.Context())
	var id string
	for name != "deliveries" {
		id, name, data = next()
	}
	require.JSONEq(t, `0`, string(pick(t, data, "skipped")))
	require.Contains(t, data, `"key":"activities"`)
	require.Equal(t, "1.0", id)

	// More than anybody can look at is sampled, and the stream says so.
	for i := range 1000 {
		_, err := u.Upload(activitytest.Upload{Kind: "activities", JSON: fmt.Appendf(nil, `{"summaryId":"%d"}`, i)})
		require.NoError(t, err)
	}
	fake.Backstage().Change(func() { fake.DeliveryItems = 1 })
	fake.Deliver(t.Context())
	apiGet(t, fake, "user/id", u.State().AccessToken)
	listed, skipped, requests := 0, 0, false
	for listed+skipped < 1000 || !requests {
		_, name, data = next()
		switch name {
		case "deliveries":
			var b struct {
				List    []struct{ ID int }
				Skipped int
			}
			require.NoError(t, json.Unmarshal([]byte(data), &b))
			require.LessOrEqual(t, len(b.List), 50)
			listed += len(b.List)
			skipped += b.Skipped
		case "requests":
			requests = true
		}
	}
	require.Equal(t, 1000, listed+skipped)
	require.Positive(t, skipped)

	// Who comes back gets what is new.
	again := follow(t, ctx, api.URL, "1000.1")
	_, name, data = again()
	require.Equal(t, "deliveries", name)
	require.Contains(t, data, `"id":1001`)
	require.NotContains(t, data, `"id":1000,`)
}

// TestEventsOfAnotherState: a reader who was further than the state is told of all that
// the state has, after a reset and after a restart of the program.
func TestEventsOfAnotherState(t *testing.T) {
	fake := activitytest.NewServer()
	api := httptest.NewServer(checked(t, control.Handler(fake, nil)))
	defer api.Close()
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	deliver := func() {
		fake.SetEndpoints(activitytest.Endpoint{Enabled: true, Push: true, Handler: http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})})
		fake.AddUser(nil).Add(activitytest.NewGenerator(1).MoveIQ(fake.State().Now))
		fake.Deliver(t.Context())
	}
	deliver()
	next := follow(t, ctx, api.URL, "1000.1")
	id, name, _ := next()
	for name != "deliveries" {
		id, name, _ = next()
	}
	require.Equal(t, "1.0", id)
	deliver()
	for id != "2.0" {
		id, _, _ = next()
	}
	require.NoError(t, fake.Restore(nil))
	deliver()
	for id, name, _ = next(); name != "deliveries"; id, name, _ = next() {
	}
	require.Equal(t, "1.0", id)
}

func pick(t *testing.T, data, key string) json.RawMessage {
	t.Helper()
	var o map[string]json.RawMessage
	require.NoError(t, json.Unmarshal([]byte(data), &o))
	return o[key]
}

// follow returns a function that waits for the next event.
func follow(t *testing.T, ctx context.Context, base, lastID string) func() (id, name, data string) {
	t.Helper()
	r, _ := http.NewRequestWithContext(ctx, "GET", base+"/events", nil)
	if lastID != "" {
		r.Header.Set("Last-Event-ID", lastID)
	}
	res, err := http.DefaultClient.Do(r)
	require.NoError(t, err)
	t.Cleanup(func() { res.Body.Close() })
	require.Equal(t, "text/event-stream;charset=utf-8", res.Header.Get("Content-Type"))
	lines := bufio.NewReader(res.Body)
	return func() (id, name, data string) {
		t.Helper()
		for {
			line, err := lines.ReadString('\n')
			require.NoError(t, err)
			switch key, value, _ := strings.Cut(strings.TrimSuffix(line, "\n"), ": "); key {
			case "id":
				id = value
			case "event":
				name = value
			case "data":
				data = value
			case "":
				if name != "" {
					schema := strings.ToUpper(name[:1]) + name[1:]
					if name != "state" {
						schema += "Event"
					}
					require.NoError(t, described(t, "control").Schema(schema, []byte(data)), name)
					return id, name, data
				}
			}
		}
	}
}

func TestApp(t *testing.T) {
	c := newCaller(t, nil)
	require.Contains(t, c.ok("GET", "/app", ``, nil), `"clientSecret":"fake-client-secret"`)
	c = newCaller(t, &control.Options{HideSecret: true}) // it may be a real one
	require.NotContains(t, c.ok("GET", "/app", ``, nil), `ecret`)
}

// TestTimes: a time whose year in UTC has five digits could not be told again, by this
// or any later answer.
func TestTimes(t *testing.T) {
	c := newCaller(t, nil)
	const end = "9999-12-31T23:59:59-01:00"
	c.fails(400, "POST", "/users", `{"id":"a","historyFrom":"`+end+`"}`, "9999")
	c.fails(400, "POST", "/users", `{"id":"a","firstConnected":"`+end+`"}`, "9999")
	c.ok("POST", "/users", `{"id":"a","historyFrom":"9999-12-31T23:59:59Z"}`, nil)
	c.fails(400, "PUT", "/users/a", `{"historyFrom":"`+end+`"}`, "9999")
	c.ok("GET", "/state", ``, nil)
}
