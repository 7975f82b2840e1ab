package activitytest_test

import (
	"net/http"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/garminkit/activityapi/activity/activitytest"
	"github.com/garminkit/activityapi/types"
)

// TestAdvance moves the clock over all that has a time.
func TestAdvance(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fake := newServer(t)
		u := fake.AddUser(nil)
		var at []time.Duration
		began := fake.State().Now
		fails := 3
		fake.SetEndpoints(activitytest.Endpoint{Enabled: true, Push: true, Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			at = append(at, fake.State().Now.Sub(began))
			if fails--; fails >= 0 {
				w.WriteHeader(http.StatusServiceUnavailable)
			}
		})})
		u.Add(run("1", time.Now()))
		file := func() string {
			u.Upload(activitytest.Upload{File: &types.ActivityFile{SummaryID: "f"}, Content: []byte("FIT"), History: true})
			return u.FileURL("f")
		}()
		access, pull := u.State().AccessToken, u.State().PullToken

		// Repeated notifications come at their time.
		sent, err := fake.Advance(t.Context(), time.Hour)
		require.NoError(t, err)
		require.Len(t, sent, 4)
		require.Equal(t, []time.Duration{0, 30 * time.Second, 90 * time.Second, 210 * time.Second}, at)
		require.True(t, sent[3].Acknowledged)
		require.Equal(t, began.Add(time.Hour), fake.State().Now)
		require.Equal(t, time.Hour, fake.State().Ahead)

		// Tokens, pull tokens and files expire.
		window := rest + "activities?uploadStartTimeInSeconds=1&uploadEndTimeInSeconds=2&token="
		status, _ := get(t, fake, rest+"user/id", access)
		require.Equal(t, 200, status)
		_, err = fake.Advance(t.Context(), 24*time.Hour)
		require.NoError(t, err)
		status, _ = get(t, fake, rest+"user/id", access)
		require.Equal(t, 401, status)
		u.Connect()
		status, _ = get(t, fake, file, u.State().AccessToken)
		require.Equal(t, 400, status)
		_, err = fake.Advance(t.Context(), 7*24*time.Hour)
		require.NoError(t, err)
		u.Connect()
		status, _ = get(t, fake, window+pull, u.State().AccessToken)
		require.Equal(t, 400, status)

		// The budget of backfills comes back.
		ask := func() error {
			now := fake.State().Now
			return u.Backfill(types.KindActivities, types.Window{Start: now.Add(-24 * time.Hour), End: now})
		}
		fake.Backstage().Change(func() { fake.BackfillDaysPerMinute = 1 })
		require.NoError(t, ask())
		require.ErrorContains(t, u.Backfill(types.KindMoveIQ, types.Window{Start: fake.State().Now.Add(-time.Hour), End: fake.State().Now}), "429")
		_, err = fake.Advance(t.Context(), 25*time.Hour)
		require.NoError(t, err)
		require.NoError(t, ask())

		// What waits on hold is forgotten.
		fake.SetEndpoints(activitytest.Endpoint{Enabled: true, Push: true, OnHold: true, Handler: http.NotFoundHandler()})
		u.Add(run("2", fake.State().Now))
		_, err = fake.Advance(t.Context(), 6*24*time.Hour)
		require.NoError(t, err)
		require.Equal(t, 1, fake.State().Pending)
		_, err = fake.Advance(t.Context(), 2*24*time.Hour)
		require.NoError(t, err)
		require.Zero(t, fake.State().Pending)
		require.Equal(t, 1, fake.State().Expired)

		// It does not go back, nor beyond what a date can be.
		for _, d := range []time.Duration{-1, 1 << 62} {
			_, err = fake.Advance(t.Context(), d)
			require.Error(t, err)
		}
		_, err = fake.Advance(t.Context(), 99*365*24*time.Hour)
		require.NoError(t, err)
		_, err = fake.Advance(t.Context(), 2*365*24*time.Hour)
		require.Error(t, err)
	})
}

// TestAdvanceWhileItRuns: the engine that goes by itself and a clock that is moved
// send each attempt once.
func TestAdvanceWhileItRuns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fake := newServer(t)
		var n atomic.Int64
		fake.SetEndpoints(activitytest.Endpoint{Enabled: true, Push: true, Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			n.Add(1)
			w.WriteHeader(http.StatusInternalServerError)
		})})
		go fake.Run(t.Context())
		fake.AddUser(nil).Add(run("1", time.Now()))
		synctest.Wait()
		require.EqualValues(t, 1, n.Load())
		sent, err := fake.Advance(t.Context(), 100*time.Second)
		require.NoError(t, err)
		require.Len(t, sent, 2) // after 30 and 90 seconds
		synctest.Wait()
		require.EqualValues(t, 3, n.Load())
		time.Sleep(2 * time.Minute) // 210 seconds after the first, of which 100 are over
		synctest.Wait()
		require.EqualValues(t, 4, n.Load())
		for i, d := range fake.Deliveries(0) {
			require.EqualValues(t, i+1, d.ID)
			require.EqualValues(t, 1, d.Notification)
			require.Equal(t, i+1, d.Attempt)
		}
	})
}

// TestYear advances 100 users by a year. The receiver loses a share of what it is
// sent, so that there is something to do.
func TestYear(t *testing.T) {
	fake := newServer(t)
	n := 0
	fake.SetEndpoints(activitytest.Endpoint{Enabled: true, Push: true, Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if n++; n%3 != 0 {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
	})})
	fake.DeliveryItems = 1
	for range 100 {
		u := fake.AddUser(nil)
		for _, id := range []types.ID{"1", "2", "3"} {
			u.Add(run(id, time.Now()))
		}
	}
	start := time.Now()
	sent, err := fake.Advance(t.Context(), 365*24*time.Hour)
	require.NoError(t, err)
	t.Logf("a year of 100 users: %d deliveries in %s", len(sent), time.Since(start))
	require.Zero(t, fake.State().Pending)
	require.Len(t, sent, 900)

	// A receiver that is down all year.
	down := 0
	fake.SetEndpoints(activitytest.Endpoint{Enabled: true, Push: true, Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		down++
		w.WriteHeader(http.StatusServiceUnavailable)
	})})
	fake.DeliveryItems = 50
	for _, u := range fake.Users() {
		u.Add(run("x", fake.State().Now))
	}
	start = time.Now()
	sent, err = fake.Advance(t.Context(), 365*24*time.Hour)
	require.NoError(t, err)
	require.Len(t, sent, down)
	t.Logf("a year of a receiver that is down: %d attempts in %s", len(sent), time.Since(start))
}
