package auth_test

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/garminkit/activityapi/activity"
	"github.com/garminkit/activityapi/activity/activitytest"
	"github.com/garminkit/activityapi/activity/auth"
	"github.com/garminkit/activityapi/internal/memqueue"
	"github.com/garminkit/activityapi/notify"
	"github.com/garminkit/activityapi/types"
)

func TestDisconnected(t *testing.T) {
	t.Parallel()
	skewed := http.Header{"Date": {time.Now().Add(-time.Hour).UTC().Format(http.TimeFormat)}}
	for name, test := range map[string]struct {
		before   func(t *testing.T, fake *activitytest.Server, users *auth.Users)
		user     types.UserID
		want     bool
		wantErr  bool
		requests int
	}{
		"connected": {requests: 2},
		"left": {
			before: func(_ *testing.T, fake *activitytest.Server, _ *auth.Users) { fake.User(userID(0)).Deregister() },
			want:   true, requests: 1,
		},
		"refused before": {
			before: func(t *testing.T, fake *activitytest.Server, users *auth.Users) {
				fake.User(userID(0)).Deregister()
				_, err := users.Refresh(t.Context(), userID(0))
				require.ErrorIs(t, err, auth.ErrReconnect)
			},
			want: true,
		},
		"never connected": {user: "nobody", want: true},
		"Garmin is down": {
			before: func(_ *testing.T, fake *activitytest.Server, _ *auth.Users) {
				fake.SetFaults(activitytest.Fault{Times: 100, Status: http.StatusServiceUnavailable})
			},
			wantErr: true, requests: 1,
		},
		"refused": {
			before: failing(1, activitytest.Fault{Path: "/user/id", Status: http.StatusForbidden, Body: `{"errorMessage":"Unknown UserAccessToken"}`}),
			want:   true, requests: 2,
		},
		"403 without body": {before: failing(9, activitytest.Fault{Path: "/user/id", Status: http.StatusForbidden}), wantErr: true, requests: 2},
		"403 of a wall":    {before: failing(9, activitytest.Fault{Path: "/user/id", Status: http.StatusForbidden, Body: wall}), wantErr: true, requests: 2},
		"403 of a wall that is no page": {
			before:  failing(9, activitytest.Fault{Path: "/user/id", Status: http.StatusForbidden, Body: `{"message":"Forbidden"}`}),
			wantErr: true, requests: 2,
		},
		"401 of a wall":  {before: failing(9, activitytest.Fault{Path: "/user/id", Status: http.StatusUnauthorized, Body: wall}), wantErr: true, requests: 2},
		"412":            {before: failing(9, activitytest.Fault{Path: "/user/id", Status: http.StatusPreconditionFailed, Body: `{"errorMessage":"Access denied"}`}), wantErr: true, requests: 2},
		"302":            {before: failing(9, activitytest.Fault{Path: "/user/id", Status: http.StatusFound}), wantErr: true, requests: 2},
		"page for a 200": {before: failing(9, activitytest.Fault{Path: "/user/id", Status: http.StatusOK, Body: wall}), wantErr: true, requests: 2},
		"401 to a token that is fresh": {
			before:  failing(9, activitytest.Fault{Path: "/user/id", Status: http.StatusUnauthorized, Body: `{"errorMessage":"Unknown UserAccessToken"}`}),
			wantErr: true, requests: 4,
		},
		"wall before the token server": {before: failing(9, activitytest.Fault{Path: "/oauth/token", Status: http.StatusForbidden, Body: wall}), wantErr: true, requests: 1},
		"wrong client secret": {
			before:  failing(9, activitytest.Fault{Path: "/oauth/token", Status: http.StatusUnauthorized, Body: `{"error":"invalid_client"}`}),
			wantErr: true, requests: 1,
		},
		"invalid_grant in a page": {
			before:  failing(9, activitytest.Fault{Path: "/oauth/token", Status: http.StatusBadRequest, Body: `<p>{"error":"invalid_grant"}`}),
			wantErr: true, requests: 1,
		},
		"our clock is wrong": {
			before: func(_ *testing.T, fake *activitytest.Server, _ *auth.Users) {
				fake.SetFaults(activitytest.Fault{Times: 2, Path: "/user/id", Status: http.StatusUnauthorized, Header: skewed})
			},
			wantErr: true, requests: 4,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			fake, users := connected(t, 1, auth.NewMemory())
			if test.before != nil {
				test.before(t, fake, users)
			}
			before := fake.State().Requests
			user := test.user
			if user == "" {
				user = userID(0)
			}
			got, err := users.Disconnected(t.Context(), user)
			require.Equal(t, test.want, got)
			require.Equal(t, test.wantErr, err != nil, err)
			require.Len(t, fake.Requests(before), test.requests)
		})
	}
}

const wall = "<!DOCTYPE html><html><head><title>Access denied | garmin</title></head><body>Error 1020</body></html>"

func failing(n int, f activitytest.Fault) func(*testing.T, *activitytest.Server, *auth.Users) {
	f.Times = n
	return func(_ *testing.T, fake *activitytest.Server, _ *auth.Users) { fake.SetFaults(f) }
}

// A Garmin that refuses the tokens it has just given judges nobody, unless that
// lasts for a day in which it takes none.
func TestRefusalsThatLast(t *testing.T) {
	t.Parallel()
	for name, recovers := range map[string]bool{"never taken": false, "taken once": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				bad := true
				server, garmin := &tokenServer{}, &refuser{refuses: func(string) bool { return bad }}
				pool, err := activity.NewPool(&activity.Options{Transport: garmin, MaxRetries: -1})
				require.NoError(t, err)
				store := auth.NewMemory()
				server.connect(t, store, "u", time.Now().Add(24*time.Hour))
				users, err := auth.NewUsers(app, store, &auth.Options{Transport: server, Pool: pool})
				require.NoError(t, err)
				defer users.Close()
				for i := range 24 * 4 {
					gone, err := users.Disconnected(t.Context(), "u")
					require.False(t, gone)
					require.ErrorIs(t, err, activity.ErrUnauthorized)
					require.NotEqual(t, types.FaultUser, asActivity(t, err).Fault())
					if i == 40 && recovers {
						bad = false
						_, err := users.Disconnected(t.Context(), "u")
						require.NoError(t, err)
						bad = true
					}
					time.Sleep(15 * time.Minute)
				}
				gone, err := users.Disconnected(t.Context(), "u")
				require.Equal(t, !recovers, gone, err)
			})
		})
	}
}

// A user who has connected again is in no doubt any more: Garmin took the new token.
func TestRefusalsEndWithAConnection(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		bad := true
		server, garmin := &tokenServer{}, &refuser{refuses: func(string) bool { return bad }}
		server.answer = func(w http.ResponseWriter, r *http.Request) bool {
			if r.FormValue("grant_type") != "authorization_code" {
				return false
			}
			w.Header().Set("Content-Type", "application/json")
			return json.NewEncoder(w).Encode(server.issue("u")) == nil
		}
		pool, err := activity.NewPool(&activity.Options{MaxRetries: -1, Transport: recorder(func(r *http.Request) (*http.Response, error) {
			if strings.HasSuffix(r.URL.Path, "/permissions") {
				return &http.Response{StatusCode: 200, Header: http.Header{}, ContentLength: 2, Body: io.NopCloser(strings.NewReader("[]")), Request: r}, nil
			}
			return garmin.RoundTrip(r)
		})})
		require.NoError(t, err)
		store := auth.NewMemory()
		server.connect(t, store, "u", time.Now().Add(24*time.Hour))
		users, err := auth.NewUsers(app, store, &auth.Options{Transport: server, Pool: pool})
		require.NoError(t, err)
		defer users.Close()
		for range 24 * 4 {
			gone, err := users.Disconnected(t.Context(), "u")
			require.False(t, gone)
			require.ErrorIs(t, err, activity.ErrUnauthorized)
			time.Sleep(15 * time.Minute)
		}

		bad = false
		connector, err := auth.NewConnector(users, callbackURL, nil, nil)
		require.NoError(t, err)
		consent, sealed, err := connector.Begin(t.Context(), "")
		require.NoError(t, err)
		at, err := url.Parse(consent)
		require.NoError(t, err)
		_, err = connector.Finish(t.Context(), sealed, "", url.Values{"code": {"c"}, "state": {at.Query().Get("state")}})
		require.NoError(t, err)
		bad = true
		gone, err := users.Disconnected(t.Context(), "u")
		require.False(t, gone, "Garmin took a token of the user a moment ago")
		require.ErrorIs(t, err, activity.ErrUnauthorized)
	})
}

func asActivity(t *testing.T, err error) *activity.Error {
	t.Helper()
	var e *activity.Error
	require.ErrorAs(t, err, &e)
	return e
}

// F6, F7, F14, F8: what is not the user's fault says so, to whoever asks for
// pings and files, and a download that never left says that too.
func TestWhoseFault(t *testing.T) {
	t.Parallel()
	const callback = "https://apis.garmin.com/wellness-api/rest/activities?uploadStartTimeInSeconds=1&uploadEndTimeInSeconds=2&token=t"
	const file = "https://apis.garmin.com/wellness-api/rest/activityFile?id=7&token=t"
	for name, test := range map[string]struct {
		fault activitytest.Fault
		want  types.Fault
		sent  bool
	}{
		"F6 wall before the token server":   {activitytest.Fault{Path: "/oauth/token", Status: 403, Body: wall}, types.FaultNetwork, false},
		"F6 the same, 400":                  {activitytest.Fault{Path: "/oauth/token", Status: 400, Body: wall}, types.FaultNetwork, false},
		"F6 the same, 404":                  {activitytest.Fault{Path: "/oauth/token", Status: 404, Body: wall}, types.FaultNetwork, false},
		"F6 the same, 405":                  {activitytest.Fault{Path: "/oauth/token", Status: 405, Body: wall}, types.FaultNetwork, false},
		"F6 the same, 200":                  {activitytest.Fault{Path: "/oauth/token", Status: 200, Body: wall}, types.FaultNetwork, false},
		"F6 a redirect":                     {activitytest.Fault{Path: "/oauth/token", Status: 302}, types.FaultNetwork, false},
		"F6 the token server cannot be had": {activitytest.Fault{Path: "/oauth/token", Refuse: true}, types.FaultNetwork, false},
		"F7 wrong client secret":            {activitytest.Fault{Path: "/oauth/token", Status: 401, Body: `{"error":"invalid_client","error_description":"Bad client credentials"}`}, types.FaultApplication, false},
		"F7 unauthorized client":            {activitytest.Fault{Path: "/oauth/token", Status: 400, Body: `{"error":"unauthorized_client"}`}, types.FaultApplication, false},
		"token server down":                 {activitytest.Fault{Path: "/oauth/token", Status: 503}, types.FaultGarmin, false},
		"consent withdrawn":                 {activitytest.Fault{Path: "/oauth/token", Status: 400, Body: `{"error":"invalid_grant"}`}, types.FaultUser, false},
		"F14 404 page":                      {activitytest.Fault{Path: "/rest/activities", Status: 404, Body: wall}, types.FaultNetwork, true},
		"F14 421 page":                      {activitytest.Fault{Path: "/rest/activities", Status: 421, Body: wall}, types.FaultNetwork, true},
		"F14 401 page":                      {activitytest.Fault{Path: "/rest/activities", Status: 401, Body: wall}, types.FaultNetwork, true},
		"unknown token":                     {activitytest.Fault{Path: "/rest/activities", Status: 403, Body: `{"errorMessage":"Unknown UserAccessToken"}`}, types.FaultUser, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				fake, users := connected(t, 1, auth.NewMemory())
				time.Sleep(25 * time.Hour)
				client, err := users.Client(t.Context(), userID(0))
				require.NoError(t, err)
				test.fault.Times = 100
				fake.SetFaults(test.fault)
				for _, err = range client.Follow(t.Context(), types.KindActivities, callback) {
				}
				require.Equal(t, test.want, asActivity(t, err).Fault(), "%v", err)
				if !test.sent {
					_, err = client.Download(t.Context(), file)
					require.Equal(t, test.want, asActivity(t, err).Fault(), "%v", err)
					require.ErrorIs(t, err, types.ErrNotSent)
				}
			})
		})
	}
}

// Once Garmin has refused a user's token, pushes still bring that user's data,
// and the deregistration that explains the refusal is still to come. Neither
// may be lost for want of a client.
func TestDeadTokenLosesNothing(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		fake, users := connected(t, 1, auth.NewMemory())
		user := fake.User(userID(0))
		resolver := func(ctx context.Context, garminID types.UserID) ([]notify.User, error) {
			client, err := users.Client(ctx, garminID)
			return []notify.User{{ID: string(garminID), Client: client}}, err
		}
		var saved []types.ID
		left := false
		outcomes := map[notify.Result]int{}
		queue := memqueue.NewMemory()
		processor, err := notify.NewProcessor(queue, resolver, notify.Callbacks{
			Save: func(_ context.Context, _ *notify.Delivery, s types.Summary) error {
				saved = append(saved, s.ID())
				return nil
			},
			Deregistration: func(ctx context.Context, d *notify.Delivery, _ *notify.Deregistration) (err error) {
				left, err = users.Disconnected(ctx, d.UserID)
				return err
			},
			PermissionChange: func(context.Context, *notify.Delivery, *notify.PermissionChange) error { return nil },
		}, &notify.ProcessorOptions{Workers: 1, Observe: func(o notify.Outcome) { outcomes[o.Result]++ }})
		require.NoError(t, err)
		receiver := notify.NewHandler(queue.Put, nil)

		// The push and the ping were sent before the user left.
		fake.SetEndpoints(activitytest.Endpoint{Handler: receiver, Enabled: true, Push: true})
		fake.SetEndpoints(activitytest.Endpoint{Handler: receiver, Enabled: true}, types.KindMoveIQ)
		user.Add(&types.Activity{SummaryID: "5001"}, &types.MoveIQ{SummaryID: "5002"})
		_, err = fake.DeliverAll(t.Context())
		require.NoError(t, err)
		user.Deregister()
		_, err = users.Refresh(t.Context(), user.ID())
		require.ErrorIs(t, err, auth.ErrReconnect)
		_, err = fake.DeliverAll(t.Context())
		require.NoError(t, err)

		ctx, stop := context.WithTimeout(t.Context(), time.Minute)
		defer stop()
		require.NoError(t, processor.Run(ctx))
		require.Equal(t, []types.ID{"5001"}, saved)
		require.True(t, left)
		require.Equal(t, 2, outcomes[notify.ResultDone])
		require.Positive(t, outcomes[notify.ResultParked], "the ping")
		require.Zero(t, outcomes[notify.ResultBuried])
	})
}

var _ notify.Client = (*activity.Client)(nil)
