package activitytest_test

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/garminkit/activityapi/activity/activitytest"
	"github.com/garminkit/activityapi/types"
)

func TestDataViewer(t *testing.T) {
	fake := activitytest.NewServer()
	u := fake.AddUser(nil)
	start := time.Date(2026, 5, 1, 0, 0, 0, 0, time.UTC)
	u.AddHistory(run("1", start), run("2", start.Add(time.Hour)))
	got := u.View(types.KindActivities, types.Window{Start: start, End: start.Add(time.Hour)})
	require.Len(t, got, 1)
	require.Equal(t, types.ID("1"), got[0].ID)
	require.True(t, got[0].Uploaded.IsZero())
	require.Empty(t, u.View(types.KindMoveIQ, types.Window{Start: start, End: start.Add(time.Hour)}))
}

func TestResend(t *testing.T) {
	fake := activitytest.NewServer()
	receiver := &sink{}
	fake.SetEndpoints(activitytest.Endpoint{Enabled: true, Push: true, Handler: receiver})
	u := fake.AddUser(nil)
	u.Add(run("1", time.Now()), &types.MoveIQ{SummaryID: "2"})
	fake.Deliver(t.Context())
	require.Equal(t, 1, u.Resend(types.KindMoveIQ))
	require.Equal(t, 2, u.Resend())
	fake.Deliver(t.Context())
	require.Len(t, receiver.bodies, 4)
}

func TestPartnerVerification(t *testing.T) {
	fake := activitytest.NewServer()
	require.False(t, fake.PartnerVerification().OK())
	fake.SetEndpoints(activitytest.Endpoint{Enabled: true, Push: true, Handler: &sink{}})
	fake.AddUser(nil).Add(run("1", time.Now()))
	fake.AddUser(nil)
	fake.Deliver(t.Context())
	require.True(t, fake.PartnerVerification().OK(), "%s", fake.PartnerVerification())
}

// TestQueueRules holds what section 3 says of the check boxes.
func TestQueueRules(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fake := activitytest.NewServer()
		receiver := &sink{}
		on := activitytest.Endpoint{Enabled: true, Push: true, Handler: receiver}
		hold, off := on, on
		hold.OnHold, off.Enabled = true, false
		u := fake.AddUser(nil)

		// On hold: queued, not sent; sent after.
		fake.SetEndpoints(hold)
		u.Add(run("1", time.Now()))
		require.Empty(t, fake.Deliver(t.Context()))
		time.Sleep(7 * 24 * time.Hour)
		fake.SetEndpoints(on)
		require.Len(t, fake.Deliver(t.Context()), 1)

		// Seven days on hold and no more.
		fake.SetEndpoints(hold)
		u.Add(run("2", time.Now()))
		time.Sleep(7*24*time.Hour + time.Second)
		fake.Deliver(t.Context())
		fake.SetEndpoints(on)
		require.Empty(t, fake.Deliver(t.Context()))
		require.Zero(t, fake.Pending())

		// Not enabled: nothing is made, and what waits is dropped.
		fake.SetEndpoints(hold)
		u.Add(run("3", time.Now()))
		fake.SetEndpoints(off)
		u.Add(run("4", time.Now()))
		fake.SetEndpoints(on)
		require.Empty(t, fake.Deliver(t.Context()))

		// Failed ones are dropped as well.
		broken := on
		broken.Handler = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(500) })
		fake.SetEndpoints(broken)
		u.Add(run("5", time.Now()))
		require.Len(t, fake.Deliver(t.Context()), 1)
		require.Equal(t, 1, fake.Pending())
		fake.SetEndpoints(off)
		require.Zero(t, fake.Pending())

		// Released, the queue goes on at once, whatever the back-off.
		fake.SetEndpoints(broken)
		u.Add(run("6", time.Now()))
		for range 8 {
			fake.Deliver(t.Context())
			time.Sleep(2 * time.Hour)
		}
		fake.SetEndpoints(hold)
		fake.SetEndpoints(on)
		require.Len(t, fake.Deliver(t.Context()), 1)
		require.Len(t, receiver.bodies, 2)
	})
}

func TestControl(t *testing.T) {
	fake := activitytest.NewServer()
	api := httptest.NewServer(fake.Control())
	defer api.Close()
	receiver := &sink{}
	partner := httptest.NewServer(receiver)
	defer partner.Close()

	call := func(method, path string, body any, out any) int {
		t.Helper()
		var b bytes.Buffer
		if body != nil {
			require.NoError(t, json.NewEncoder(&b).Encode(body))
		}
		r, _ := http.NewRequest(method, api.URL+path, &b)
		res, err := api.Client().Do(r)
		require.NoError(t, err)
		defer res.Body.Close()
		var any any
		if out == nil {
			out = &any
		}
		require.NoError(t, json.NewDecoder(res.Body).Decode(out), path)
		return res.StatusCode
	}
	type m = map[string]any
	var user struct {
		ID, AccessToken string
		Records         map[string]int
	}
	require.Equal(t, 200, call("POST", "/users", m{"id": "u1", "accessToken": "secret1"}, &user))
	require.Equal(t, "secret1", user.AccessToken)
	require.Equal(t, 400, call("POST", "/users", m{"id": "u1"}, nil))
	require.Equal(t, 404, call("GET", "/users/nobody", nil, nil))
	require.Equal(t, 200, call("PUT", "/endpoints/all", m{"url": partner.URL, "enabled": true, "push": true}, nil))
	require.Equal(t, 400, call("PUT", "/endpoints/all", m{"url": "ftp://x"}, nil))
	require.Equal(t, 400, call("PUT", "/endpoints/sleeps", m{}, nil))
	require.Equal(t, 200, call("POST", "/users/u1/sync", m{"sport": "triathlon", "seed": 1}, &user))
	require.Equal(t, 6, user.Records["activities"])
	require.Equal(t, 400, call("POST", "/users/u1/sync", m{"sport": "chess"}, nil))
	var deliveries []struct {
		Acknowledged bool
		Items        int
	}
	require.Equal(t, 200, call("POST", "/deliver", nil, &deliveries))
	require.Len(t, deliveries, 3)
	require.True(t, deliveries[0].Acknowledged)
	require.Len(t, receiver.bodies, 3)
	require.Equal(t, 200, call("GET", "/deliveries", nil, &deliveries))
	require.Len(t, deliveries, 3)

	require.Equal(t, 200, call("POST", "/users/u1/history", m{"seed": 2}, &user))
	require.Equal(t, 200, call("POST", "/users/u1/resend", m{"kinds": []string{"activities"}}, nil))
	now := time.Now()
	require.Equal(t, 200, call("POST", "/users/u1/backfill", m{"kind": "activities", "start": now.AddDate(0, 0, -20), "end": now}, nil))
	var problem struct{ Error string }
	require.Equal(t, 400, call("POST", "/users/u1/backfill", m{"kind": "activities", "start": now.AddDate(0, 0, -20), "end": now}, &problem))
	require.Contains(t, problem.Error, "409")
	var records []activitytest.Record
	require.Equal(t, 200, call("GET", "/users/u1/data?kind=activities", nil, &records))
	require.Greater(t, len(records), 10)
	require.Equal(t, 200, call("PUT", "/users/u1/permissions", []string{}, nil))
	require.Equal(t, 200, call("PUT", "/quirks", m{"names": []string{"duplicate"}}, nil))
	require.Equal(t, []activitytest.Quirk{activitytest.QuirkDuplicate}, fake.QuirksOn())
	require.Equal(t, 400, call("PUT", "/quirks", m{"names": []string{"none"}}, nil))
	require.Equal(t, 200, call("POST", "/faults", m{"status": 500}, nil))
	status, _ := get(t, fake, rest+"user/id", "secret1")
	require.Equal(t, 500, status)
	require.Equal(t, 200, call("DELETE", "/users/u1", nil, nil))
	var state struct {
		Users     []struct{ Connected bool }
		Endpoints []struct{ Waiting int }
	}
	require.Equal(t, 200, call("GET", "/state", nil, &state))
	require.False(t, state.Users[0].Connected)
	require.Equal(t, 1, state.Endpoints[5].Waiting)
	require.Equal(t, 200, call("GET", "/verification", nil, nil))
	require.Equal(t, 200, call("GET", "/requests", nil, nil))
	require.Equal(t, 200, call("GET", "/quirks", nil, nil))
}
