package control_test

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/garminkit/activityapi/activity/activitytest"
	"github.com/garminkit/activityapi/activity/activitytest/control"
)

func TestControl(t *testing.T) {
	fake := activitytest.NewServer()
	api := httptest.NewServer(control.Handler(fake, nil))
	defer api.Close()
	received := 0
	partner := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { received++ }))
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
	require.Equal(t, 3, received)
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
	require.Equal(t, map[activitytest.Quirk]float64{"duplicate": 1}, fake.State().Quirks)
	require.Equal(t, 400, call("PUT", "/quirks", m{"names": []string{"none"}}, nil))
	require.Equal(t, 200, call("POST", "/faults", m{"status": 500}, nil))
	r, _ := http.NewRequest("GET", "https://apis.garmin.com/wellness-api/rest/user/id", nil)
	res, err := fake.RoundTrip(r)
	require.NoError(t, err)
	require.Equal(t, 500, res.StatusCode)
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
