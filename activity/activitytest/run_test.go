package activitytest_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/garminkit/activityapi/activity/activitytest"
	"github.com/garminkit/activityapi/types"
)

func TestRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fake := newServer(t)
		var at []time.Duration
		start := time.Now()
		fake.SetEndpoints(activitytest.Endpoint{Enabled: true, Push: true, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if at = append(at, time.Since(start)); len(at) < 4 {
				w.WriteHeader(http.StatusServiceUnavailable)
			}
		})})
		u := fake.AddUser(nil)
		ctx, stop := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- fake.Run(ctx) }()
		synctest.Wait()
		time.Sleep(time.Minute)
		u.Add(run("1", start))
		time.Sleep(time.Hour)
		synctest.Wait()
		require.Equal(t, []time.Duration{time.Minute, 90 * time.Second, 150 * time.Second, 270 * time.Second}, at)
		require.Zero(t, fake.State().Pending)
		u.Add(run("2", start))
		synctest.Wait()
		require.Len(t, at, 5)
		stop()
		require.ErrorIs(t, <-done, context.Canceled)
	})
}

// TestTogether uses the server from many goroutines at once, as the race
// detector likes it.
func TestTogether(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fake := newServer(t)
		receiver := &sink{}
		on := activitytest.Endpoint{Enabled: true, Push: true, Handler: receiver}
		fake.SetEndpoints(on)
		ctx, stop := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		wg.Go(func() { fake.Run(ctx) })
		var users sync.WaitGroup
		for i := range 8 {
			users.Go(func() {
				u := fake.AddUser(nil)
				g := activitytest.NewGenerator(uint64(i))
				for n := range 20 {
					u.Add(run(types.ID(fmt.Sprint(n)), time.Now()), g.MoveIQ(time.Now()))
					get(t, fake, u.CallbackURL(types.KindActivities, types.Window{Start: time.Now(), End: time.Now().Add(time.Second)}), u.State().AccessToken)
					u.Connect()
					u.SetPermissions(u.State().Permissions...)
					fake.Deliver(ctx)
					fake.Deliveries(0)
					fake.Requests(0)
					time.Sleep(time.Second)
				}
				if i%2 == 0 {
					u.Deregister()
				}
			})
		}
		hold := on
		hold.OnHold = true
		for range 10 {
			fake.SetEndpoints(hold)
			time.Sleep(time.Second)
			fake.SetEndpoints(on)
			time.Sleep(time.Second)
		}
		users.Wait()
		_, err := fake.DeliverAll(ctx)
		require.NoError(t, err)
		require.Zero(t, fake.State().Pending)
		stop()
		wg.Wait()
	})
}

// TestLostAnswer: a backfill was accepted, its 202 lost, so that the client's
// second try is a duplicate.
func TestLostAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.fake.SetFaults(activitytest.Fault{Path: "/backfill/activities", Lose: true})
		r, _ := http.NewRequest("GET", backfillURL("activities", w.start.AddDate(0, 0, -9), w.start), nil)
		r.Header.Set("Authorization", "Bearer "+w.u.State().AccessToken)
		_, err := w.fake.RoundTrip(r)
		require.ErrorContains(t, err, "connection cut")
		require.Len(t, w.u.State().Backfilled[types.KindActivities], 1)
		w.want(409, "duplicate")(w.backfill("activities", 9, 0))
	})
}

func TestDelayAndIntercept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.fake.SetFaults(activitytest.Fault{Times: 2, Delay: time.Minute})
		w.want(200, string(w.u.ID()))(w.get("user/id"))
		require.Equal(t, time.Minute, time.Since(w.start))

		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		r, _ := http.NewRequestWithContext(ctx, "GET", rest+"user/id", nil)
		_, err := w.fake.RoundTrip(r)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.Equal(t, time.Minute+time.Second, time.Since(w.start))

		w.fake.Intercept = func(rw http.ResponseWriter, r *http.Request) bool {
			if r.URL.Path == "/wellness-api/rest/moveiq" {
				panic(http.ErrAbortHandler)
			}
			rw.WriteHeader(http.StatusTeapot)
			return r.URL.Path == "/wellness-api/rest/user/id"
		}
		w.want(418, "")(w.get("user/id"))
		_, err = w.fake.RoundTrip(&http.Request{Method: "GET", URL: must(t, rest+"moveiq")})
		require.True(t, err != nil && !errors.Is(err, context.DeadlineExceeded), err)

		log := w.fake.Requests(0)
		require.Len(t, log, 4)
		log[0].Took, log[0].Sent, log[0].Answer = 0, activitytest.Message{}, activitytest.Message{}
		require.Equal(t, activitytest.Request{ID: 1, Time: w.start, Method: "GET", Host: "apis.garmin.com",
			Path: "/wellness-api/rest/user/id", Auth: "Bearer", UserID: w.u.ID(), Status: 200, By: "fault"}, log[0])
		require.Equal(t, 0, log[3].Status)
	})
}

// TestHeaders holds the headers of a notification.
func TestHeaders(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.u.Add(run("1", w.start))
		w.deliver()
		for key, want := range map[string]string{
			"User-Agent": "Garmin Health API", "Content-Type": "application/json;charset=UTF-8",
			"Accept":           "text/plain, application/json, application/*+json, */*",
			"Accept-Encoding":  "gzip, x-gzip, deflate",
			"Garmin-Client-Id": w.fake.ClientID, "X-Forwarded-For": "204.77.163.244", "X-Forwarded-Proto": "https",
		} {
			require.Equal(t, want, w.heads[0].Get(key), key)
		}
		require.Len(t, w.heads[0], 7)
	})
}

// TestPendingUnderWay: what is being sent waits to be acknowledged, and so does
// what was taken from the queue with it.
func TestPendingUnderWay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fake := newServer(t)
		fake.DeliveryItems = 2
		var seen []int
		fake.SetEndpoints(activitytest.Endpoint{Enabled: true, Push: true, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if seen = append(seen, fake.State().Pending); len(seen) == 2 {
				w.WriteHeader(http.StatusServiceUnavailable)
			}
		})})
		u := fake.AddUser(nil)
		for _, id := range []types.ID{"1", "2", "3", "4", "5"} {
			u.Add(run(id, time.Now()))
		}
		fake.Deliver(t.Context())
		require.Equal(t, []int{5, 3, 3}, seen)
		require.Equal(t, 2, fake.State().Pending)
		time.Sleep(time.Minute)
		fake.Deliver(t.Context())
		require.Equal(t, []int{5, 3, 3, 2}, seen)
		require.Zero(t, fake.State().Pending)
	})
}
