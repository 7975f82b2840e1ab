package activitytest_test

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/garminkit/activityapi/activity/activitytest"
	"github.com/garminkit/activityapi/types"
)

func backfillURL(resource string, start, end time.Time) string {
	return fmt.Sprintf("%sbackfill/%s?summaryStartTimeInSeconds=%d&summaryEndTimeInSeconds=%d",
		rest, resource, start.Unix(), end.Unix())
}

func TestBackfillErrors(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const day = 24 * time.Hour
		now := time.Now()
		from := now.AddDate(-2, 0, 0)
		fake := newServer(t)
		u := fake.AddUser(&activitytest.UserOptions{HistoryFrom: from})
		bare := fake.AddUser(&activitytest.UserOptions{Permissions: []types.Permission{types.PermissionActivityExport}})
		e := fake.State().Endpoints[types.KindMoveIQ]
		e.Enabled = false
		fake.SetEndpoints(e, types.KindMoveIQ)

		for _, step := range []struct {
			name       string
			user       *activitytest.User
			resource   string
			start, end time.Time
			status     int
			body       string
		}{
			{"accepted", u, "activities", from, from.Add(30 * day), 202, ""},
			{"too long", u, "activities", from.Add(100 * day), from.Add(130*day + time.Second), 400, "exceeds the maximum"},
			{"same again", u, "activities", from, from.Add(30 * day), 409, "]duplicate backfill processed at 2000-01-01T00:00:00Z [1998-01-01T00:00:00Z to 1998-01-31T00:00:00Z]"},
			{"one shared second", u, "activities", from.Add(30 * day), from.Add(31 * day), 409, "duplicate"},
			{"next second", u, "activities", from.Add(30*day + time.Second), from.Add(60 * day), 202, ""},
			{"other type", u, "activityDetails", from, from.Add(30 * day), 202, ""},
			{"budget spent", u, "activityDetails", from.Add(40 * day), from.Add(60 * day), 429, "Too many request"},
			{"budget just", u, "activityDetails", from.Add(40 * day), from.Add(50 * day), 202, ""},
			{"too early", u, "activities", from.Add(-time.Second), from, 400, "before min start time of 1998-01-01T00:00:00Z"},
			{"no consent", bare, "activities", now.Add(-day), now, 412, "required HISTORICAL_DATA_EXPORT"},
			{"not enabled", u, "moveiq", from, from.Add(day), 400, "Endpoint not enabled for summary type: MOVE_IQ"},
			{"files have none", u, "activityFiles", from, from.Add(day), 404, ""},
		} {
			status, body := get(t, fake, backfillURL(step.resource, step.start, step.end), step.user.State().AccessToken)
			require.Equal(t, step.status, status, "%s: %s", step.name, body)
			require.Contains(t, body, step.body, step.name)
		}
		require.Equal(t, 1, fake.State().BackfillViolations)
		require.Len(t, u.State().Backfilled[types.KindActivities], 2)
	})
}

func TestBackfillDelivers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fake := newServer(t)
		fake.BackfillDelay = time.Minute
		receiver := &sink{}
		fake.SetEndpoints(activitytest.Endpoint{Enabled: true, Push: true, Handler: receiver})
		u := fake.AddUser(nil)
		now := time.Now()
		u.AddHistory(run("1", now.Add(-10*24*time.Hour)), run("2", now.Add(-5*24*time.Hour)))
		u.Upload(activitytest.Upload{File: &types.ActivityFile{StartTimeInSeconds: types.NewTimestamp(now.Add(-9 * 24 * time.Hour))}, Content: []byte("x"), History: true})
		require.Zero(t, fake.State().Pending)

		status, _ := get(t, fake, backfillURL("activities", now.Add(-10*24*time.Hour), now.Add(-6*24*time.Hour)), u.State().AccessToken)
		require.Equal(t, 202, status)
		require.Empty(t, fake.Deliver(t.Context()))
		time.Sleep(time.Minute)
		require.Len(t, fake.Deliver(t.Context()), 2)
		require.Contains(t, receiver.all(), `"summaryId":"1"`)
		require.NotContains(t, receiver.all(), `"summaryId":"2"`)
		require.Contains(t, receiver.all(), `activityFile?id=`)
	})
}

func TestBackfillBudget(t *testing.T) {
	for name, fixed := range map[string]bool{"sliding": false, "fixed": true} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				fake := newServer(t)
				fake.BackfillDaysPerMinute = 2
				fake.BackfillFixedMinutes = fixed
				now := time.Now()
				u := fake.AddUser(&activitytest.UserOptions{HistoryFrom: now.AddDate(-1, 0, 0)})
				n := 0
				ask := func() int {
					n++
					at := now.Add(-time.Duration(n) * 25 * time.Hour)
					status, _ := get(t, fake, backfillURL("moveiq", at, at.Add(24*time.Hour)), u.State().AccessToken)
					return status
				}
				time.Sleep(59 * time.Second)
				require.Equal(t, []int{202, 202, 429}, []int{ask(), ask(), ask()})
				time.Sleep(time.Second)
				want := 429
				if fixed {
					want = 202
				}
				require.Equal(t, want, ask())
				time.Sleep(59 * time.Second)
				require.Equal(t, 202, ask())
			})
		})
	}
}
