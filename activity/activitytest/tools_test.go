package activitytest_test

import (
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/garminkit/activityapi/activity/activitytest"
	"github.com/garminkit/activityapi/types"
)

func TestDataViewer(t *testing.T) {
	fake := newServer(t)
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
	fake := newServer(t)
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

// TestQueueRules holds what section 3 says of the check boxes.
func TestQueueRules(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fake := newServer(t)
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
		require.Zero(t, fake.State().Pending)

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
		require.Equal(t, 1, fake.State().Pending)
		fake.SetEndpoints(off)
		require.Zero(t, fake.State().Pending)

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
