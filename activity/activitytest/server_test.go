package activitytest_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/garminkit/activityapi/activity/activitytest"
	"github.com/garminkit/activityapi/types"
)

const rest = "https://apis.garmin.com/wellness-api/rest/"

// get asks the fake in memory and returns status and body.
func get(t testing.TB, rt http.RoundTripper, url, bearer string) (int, string) {
	t.Helper()
	return do(t, rt, http.MethodGet, url, bearer)
}

func do(t testing.TB, rt http.RoundTripper, method, url, bearer string) (int, string) {
	t.Helper()
	r, err := http.NewRequest(method, url, nil)
	require.NoError(t, err)
	if bearer != "" {
		r.Header.Set("Authorization", "Bearer "+bearer)
	}
	res, err := rt.RoundTrip(r)
	require.NoError(t, err)
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	require.NoError(t, err)
	return res.StatusCode, string(b)
}

func run(id types.ID, start time.Time) *types.Activity {
	return &types.Activity{
		SummaryID: id, ActivityID: id, ActivityType: "RUNNING",
		StartTimeInSeconds: types.NewTimestamp(start), DurationInSeconds: 1800,
	}
}

func TestPull(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fake := newServer(t)
		u, other := fake.AddUser(nil), fake.AddUser(nil)
		now := time.Now()
		u.Add(run("1", now.Add(-time.Hour)))
		other.Add(run("2", now))
		time.Sleep(10 * time.Second)
		u.Add(run("3", now))

		w := types.Window{Start: now, End: now.Add(10 * time.Second)}
		status, body := get(t, fake, u.CallbackURL(types.KindActivities, w), u.State().AccessToken)
		require.Equal(t, 200, status)
		require.Contains(t, body, `{"summaryId":"1","activityId":1,"activityType":"RUNNING"`)
		require.Contains(t, body, `"summaryId":"3"`)
		require.NotContains(t, body, `"summaryId":"2"`)

		fake.EndExclusive = true
		_, body = get(t, fake, u.CallbackURL(types.KindActivities, w), u.State().AccessToken)
		require.NotContains(t, body, `"summaryId":"3"`)

		status, body = get(t, fake, u.CallbackURL(types.KindMoveIQ, w), u.State().AccessToken)
		require.Equal(t, 200, status)
		require.Equal(t, "[]", body)
	})
}

func TestFile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fake := newServer(t)
		u, other := fake.AddUser(nil), fake.AddUser(nil)
		u.AddFile(types.ActivityFile{SummaryID: "7-file"}, []byte("FIT data"))
		url := u.FileURL("7-file")

		status, body := get(t, fake, url, "")
		require.Equal(t, 400, status)
		require.Equal(t, `{"errorMessage":"Unable to read oAuth header"}`, body)
		status, _ = get(t, fake, url, other.State().AccessToken)
		require.Equal(t, 400, status)
		status, body = get(t, fake, url, u.State().AccessToken)
		require.Equal(t, 200, status)
		require.Equal(t, "FIT data", body)
		status, _ = get(t, fake, url, u.State().AccessToken)
		require.Equal(t, 410, status)

		late := u.FileURL("7-file")
		time.Sleep(24 * time.Hour)
		u.Connect()
		status, _ = get(t, fake, late, u.State().AccessToken)
		require.Equal(t, 400, status)
	})
}

func TestFaults(t *testing.T) {
	fake := newServer(t)
	u := fake.AddUser(nil)
	ask := func() (int, string, error) {
		r, _ := http.NewRequest("GET", rest+"user/id", nil)
		r.Header.Set("Authorization", "Bearer "+u.State().AccessToken)
		res, err := fake.RoundTrip(r)
		if err != nil {
			return 0, "", err
		}
		b, err := io.ReadAll(res.Body)
		return res.StatusCode, string(b), err
	}
	fake.SetFaults(
		activitytest.Fault{Status: 503, Body: "busy", Header: http.Header{"Retry-After": {"1"}}},
		activitytest.Fault{Path: "/user/id", CutAfter: 5},
		activitytest.Fault{Refuse: true},
		activitytest.Fault{Path: "/elsewhere", Refuse: true})

	status, body, err := ask()
	require.NoError(t, err)
	require.Equal(t, "503 busy", fmt.Sprint(status, " ", body))
	status, body, err = ask()
	require.ErrorIs(t, err, io.ErrUnexpectedEOF)
	require.Equal(t, `{"use`, body)
	require.Equal(t, 200, status)
	_, _, err = ask()
	require.ErrorContains(t, err, "connection cut")
	_, _, err = ask()
	require.NoError(t, err)

	// The same over a socket.
	ts := httptest.NewServer(fake)
	defer ts.Close()
	fake.SetFaults()
	fake.SetFaults(activitytest.Fault{CutAfter: 5})
	r, _ := http.NewRequest("GET", ts.URL+"/wellness-api/rest/user/id", nil)
	r.Header.Set("Authorization", "Bearer "+u.State().AccessToken)
	res, err := ts.Client().Do(r)
	require.NoError(t, err)
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	require.ErrorIs(t, err, io.ErrUnexpectedEOF)
	require.Equal(t, `{"use`, string(b))
}

func TestUnknownHost(t *testing.T) {
	r, _ := http.NewRequest("GET", "https://attacker.example/wellness-api/rest/user/id", nil)
	_, err := activitytest.NewServer().RoundTrip(r)
	require.ErrorContains(t, err, "no such host")
}

func TestPushAndRetry(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fake := newServer(t)
		u, legacy := fake.AddUser(nil), fake.AddUser(nil)
		legacy.Change(func(s *activitytest.UserState) { s.ItemToken = "old" })
		answers := []int{500, 201, 200}
		var got, ids []string
		fake.SetEndpoints(activitytest.Endpoint{Enabled: true, Push: true,
			Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				b, _ := io.ReadAll(r.Body)
				got = append(got, string(b))
				ids = append(ids, r.Header.Get("garmin-client-id"))
				w.WriteHeader(answers[0])
				answers = answers[1:]
			})})
		u.Add(run("1", time.Now()))
		legacy.Add(run("2", time.Now()))

		d := fake.Deliver(t.Context())
		require.Len(t, d, 1)
		require.Equal(t, 2, d[0].Users)
		require.False(t, d[0].Acknowledged)
		require.Empty(t, fake.Deliver(t.Context()), "not due yet")
		all, err := fake.DeliverAll(t.Context())
		require.NoError(t, err)
		require.Len(t, all, 2)
		require.Equal(t, 60*time.Second, all[1].Sent.Sub(all[0].Sent))
		require.Zero(t, fake.State().Pending)
		require.Equal(t, got[0], got[2])
		require.Equal(t, []string{fake.ClientID, fake.ClientID, fake.ClientID}, ids)

		var body map[string][]map[string]any
		require.NoError(t, json.Unmarshal([]byte(got[0]), &body))
		require.Equal(t, string(u.ID()), body["activities"][0]["userId"])
		require.NotContains(t, body["activities"][0], "userAccessToken")
		require.Contains(t, body["activities"][1], "userAccessToken")
	})
}

func TestTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fake := newServer(t)
		fake.SetEndpoints(activitytest.Endpoint{Enabled: true, Push: true,
			Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				time.Sleep(31 * time.Second)
			})})
		fake.AddUser(nil).Add(run("1", time.Now()))
		d := fake.Deliver(t.Context())
		require.ErrorIs(t, d[0].Err, context.DeadlineExceeded)
		require.Equal(t, 30*time.Second, d[0].Took)
		time.Sleep(time.Second) // the handler outlives the time-out
	})
}

func TestPingFollowed(t *testing.T) {
	fake := newServer(t)
	u := fake.AddUser(nil)
	var urls []string
	fake.SetEndpoints(activitytest.Endpoint{Enabled: true,
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			var body map[string][]struct{ UserID, CallbackURL string }
			if err := json.NewDecoder(r.Body).Decode(&body); err != nil {
				t.Error(err)
			}
			for _, list := range body {
				for _, item := range list {
					urls = append(urls, item.CallbackURL)
				}
			}
		})})
	u.Add(run("1", time.Now()), run("2", time.Now()), &types.MoveIQ{SummaryID: "3"})
	u.AddFile(types.ActivityFile{}, []byte("abc"))
	u.SetPermissions()
	for _, d := range fake.Deliver(t.Context()) {
		require.True(t, d.Acknowledged)
	}
	require.Len(t, urls, 4) // the last is the permission change's, empty
	u.SetPermissions(types.PermissionActivityExport)
	_, body := get(t, fake, urls[0], u.State().AccessToken)
	require.Equal(t, 2, strings.Count(body, "summaryId"))
	_, body = get(t, fake, urls[1], u.State().AccessToken)
	require.Equal(t, "abc", body)
	parsed, err := url.Parse(urls[1])
	require.NoError(t, err)
	require.Equal(t, "9007199254740993", parsed.Query().Get("id"))
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }
