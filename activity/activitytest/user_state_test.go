package activitytest_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/garminkit/activityapi/activity/activitytest"
	"github.com/garminkit/activityapi/types"
)

func TestUserState(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		fake := activitytest.NewServer()
		u := fake.AddUser(nil)
		before := u.State()
		require.True(t, before.Connected)
		require.Equal(t, time.Now().Add(24*time.Hour), before.AccessExpires)
		require.True(t, before.RefreshExpires.After(before.AccessExpires))
		u.AddHistory(&types.MoveIQ{})
		require.Equal(t, 1, u.State().Records[types.KindMoveIQ])

		from := time.Now().AddDate(-1, 0, 0)
		u.Change(func(s *activitytest.UserState) {
			s.HistoryFrom, s.ItemToken = from, "old"
			s.AccessExpires, s.RefreshExpires = time.Now(), time.Now()
		})
		after := u.State()
		require.Equal(t, from, after.HistoryFrom)
		require.Equal(t, "old", after.ItemToken)
		require.Equal(t, time.Now(), after.RefreshExpires)
		require.Equal(t, before.AccessToken, after.AccessToken)
		status, _ := get(t, fake, rest+"user/id", after.AccessToken)
		require.Equal(t, 401, status)

		u.Change(func(s *activitytest.UserState) { s.AccessToken, s.RefreshToken = "", "" })
		status, _ = get(t, fake, rest+"user/id", after.AccessToken)
		require.Equal(t, 403, status)
		require.True(t, u.State().Connected)
		u.Connect()
		require.NotEqual(t, before.AccessToken, u.State().AccessToken)
		require.NotEmpty(t, u.State().RefreshToken)

		for _, change := range []func(*activitytest.UserState){
			func(s *activitytest.UserState) { s.Connected = false },
			func(s *activitytest.UserState) { s.Permissions[0] = "" },
			func(s *activitytest.UserState) { s.AccessToken = "mine" },
			func(s *activitytest.UserState) { s.RefreshToken = "mine" },
		} {
			require.Panics(t, func() { u.Change(change) })
		}
	})
}

// TestChangeOfOther: what Change does not set stays, even if it was not there a moment
// ago.
func TestChangeOfOther(t *testing.T) {
	u := activitytest.NewServer().AddUser(&activitytest.UserOptions{NotConnected: true})
	u.Change(func(s *activitytest.UserState) {
		u.Connect() // as another goroutine may
		s.ItemToken = "old"
	})
	require.NotEmpty(t, u.State().AccessToken)
	require.NotEmpty(t, u.State().RefreshToken)
	require.True(t, u.State().RefreshExpires.After(time.Now()))
}

// TestHistoryOfTheFirstConnection: the limit counts from when a user connects, not from
// when the test has made him.
func TestHistoryOfTheFirstConnection(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fake := activitytest.NewServer()
		set := time.Now().AddDate(-1, 0, 0)
		u := fake.AddUser(&activitytest.UserOptions{NotConnected: true})
		first := fake.AddUser(&activitytest.UserOptions{NotConnected: true, FirstConnected: set})
		from := fake.AddUser(&activitytest.UserOptions{NotConnected: true, HistoryFrom: set})
		changed := fake.AddUser(&activitytest.UserOptions{NotConnected: true})
		changed.Change(func(s *activitytest.UserState) { s.HistoryFrom = set })
		require.Equal(t, time.Now().AddDate(0, -1, 0), u.State().HistoryFrom)
		time.Sleep(100 * 24 * time.Hour)
		connected := time.Now()
		for _, u := range fake.Users() {
			u.Connect()
			u.Deregister()
		}
		time.Sleep(100 * 24 * time.Hour)
		for _, u := range fake.Users() {
			u.Connect()
		}
		require.Equal(t, connected.AddDate(0, -1, 0), u.State().HistoryFrom)
		require.Equal(t, set.AddDate(0, -1, 0), first.State().HistoryFrom)
		require.Equal(t, set, from.State().HistoryFrom)
		require.Equal(t, set, changed.State().HistoryFrom)
	})
}
