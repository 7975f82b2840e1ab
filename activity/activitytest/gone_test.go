package activitytest_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/garminkit/activityapi/activity/activitytest"
	"github.com/garminkit/activityapi/types"
)

// TestNobodyHearsOfTheGone: the partner gets no data of a user who is not connected,
// and what such a user uploads is history.
func TestNobodyHearsOfTheGone(t *testing.T) {
	month := func(w *world) types.Window {
		return types.Window{Start: w.fake.State().Now.AddDate(0, 0, -20), End: w.fake.State().Now}
	}
	for name, do := range map[string]func(w *world, u *activitytest.User){
		"upload":            func(w *world, u *activitytest.User) { u.Add(run("2", w.start)) },
		"file":              func(_ *world, u *activitytest.User) { u.AddFile(types.ActivityFile{}, []byte("x")) },
		"permission change": func(_ *world, u *activitytest.User) { u.SetPermissions() },
		"resend":            func(w *world, u *activitytest.User) { require.Zero(w, u.Resend()) },
		"backfill": func(w *world, u *activitytest.User) {
			require.ErrorContains(w, u.Backfill(types.KindActivities, month(w)), "403")
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.u.Add(run("1", w.start))
			w.u.Deregister()
			do(w, w.u)
			do(w, w.fake.AddUser(&activitytest.UserOptions{NotConnected: true}))
			w.deliver()
			require.Equal(t, []string{`{"deregistrations":[{"userId":"` + string(w.u.ID()) + `"}]}`}, w.got)
		})
	}
	t.Run("until a backfill", func(t *testing.T) {
		w := newWorld(t)
		w.u.Deregister()
		w.u.Add(run("1", w.start.Add(-time.Hour)))
		w.u.Connect()
		w.deliver()
		w.want(200, "[]")(w.pull("activities", 0, time.Minute))
		require.NoError(t, w.u.Backfill(types.KindActivities, month(w)))
		require.Len(t, w.deliver(), 1)
		require.Equal(t, "1", w.item()["summaryId"])
	})
	t.Run("on its way", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t)
			w.slow, w.status = time.Second, 500
			w.u.Add(run("1", w.start))
			time.AfterFunc(time.Millisecond, w.u.Deregister)
			require.False(t, w.deliver()[0].Acknowledged)
			require.Zero(t, w.fake.State().Failed[types.KindActivities])
		})
	})
}
