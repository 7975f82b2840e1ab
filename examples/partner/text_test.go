package main

import (
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"github.com/garminkit/activityapi/activity/join"
	"github.com/garminkit/activityapi/activitytype"
	"github.com/garminkit/activityapi/notify"
	"github.com/garminkit/activityapi/types"
)

// oddTexts are those that databases and pages take wrongly.
var oddTexts = []string{
	"\x00", "run\x00with Eva", "\x1a", "\x1a00", "\x1a\x00\x1a", "a\x1a", "\xff", "\xed\xa0\x80", "é\xc3", "\u202e", "\U0010ffff", "'; DROP TABLE account; --", "$1", `\x00`,
}

func FuzzKept(f *testing.F) {
	for _, s := range oddTexts {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		k := kept(s)
		require.True(t, utf8.ValidString(k))
		require.NotContains(t, k, "\x00")
		require.Equal(t, s, restored(k))
		if utf8.ValidString(s) && !strings.ContainsAny(s, "\x00\x1a") {
			require.Equal(t, s, k)
		}
		restored(s) // whatever is in the database
	})
}

// Whatever text comes survives in every column, in SQLite and in PostgreSQL.
func TestOddTextsSurvive(t *testing.T) {
	databases(t, func(t *testing.T, open func(*testing.T, string) *database) {
		db, ctx := open(t, t.TempDir()), t.Context()
		for i, odd := range oddTexts {
			garmin := types.UserID("g" + odd)
			require.NoError(t, db.connect(ctx, "u1", garmin, []types.Permission{types.Permission("P" + odd)}))
			owner, err := db.owner(ctx, garmin)
			require.NoError(t, err)
			require.Equal(t, "u1", owner)
			require.NoError(t, db.addFile(ctx, "u1", odd))
			a := &types.Activity{
				SummaryID: types.ID("1" + odd), ActivityName: odd, DeviceName: odd, ActivityType: activitytype.Type(odd),
				StartTimeInSeconds: types.NewTimestamp(time.Date(2026, 3, 5, 6, i, 0, 0, time.UTC)),
			}
			require.NoError(t, db.add(ctx, "u1", join.Item{User: garmin, Order: 1, Revision: odd, Summary: a}))
			all, err := db.workouts(ctx, `WHERE account = 'u1' AND garmin_id = $1`, garmin)
			require.NoError(t, err)
			require.Equal(t, []*workout{{GarminID: garmin, ID: a.SummaryID, Day: "2026-03-05", Start: types.Start(a), Type: a.ActivityType, Name: odd, Device: odd}}, all)
			j, err := db.joined(ctx, "u1", join.Key{User: garmin, ID: a.SummaryID})
			require.NoError(t, err)
			require.NotNil(t, j)
			d := &notify.Delivery{Record: "r" + odd, User: notify.User{ID: "u1"}, Order: 1, Revision: odd}
			require.NoError(t, db.detect(ctx, d, &types.MoveIQ{CalendarDate: "2026-03-05", ActivityType: activitytype.Type(odd)}))
			require.NoError(t, db.permit(ctx, garmin, []types.Permission{types.Permission("Q" + odd)}, types.NewTimestamp(time.Now().Add(time.Hour))))
			account, _, err := db.account(ctx, "name", odd)
			require.NoError(t, err)
			require.Nil(t, account)
		}
		files, err := db.files(ctx, "u1")
		require.NoError(t, err)
		require.ElementsMatch(t, oddTexts, files)
		detected, err := db.detections(ctx, "u1", "", "9999")
		require.NoError(t, err)
		var kinds []string
		for _, d := range detected {
			kinds = append(kinds, string(d.Type))
		}
		require.ElementsMatch(t, oddTexts, kinds)
		connections, err := db.connections(ctx, "u1")
		require.NoError(t, err)
		require.Len(t, connections, len(oddTexts))
	})
}

// An index takes no id of any length: whoever makes one up is told so once.
func TestLongIDs(t *testing.T) {
	databases(t, func(t *testing.T, open func(*testing.T, string) *database) {
		db := open(t, t.TempDir())
		noise := strings.Map(func(r rune) rune { return 0x4e00 + r*97%20000 }, strings.Repeat("0123456789abcdefghijklmnopqrstuvwxyz", 9000))
		for _, s := range []types.Summary{
			&types.Activity{SummaryID: types.ID(noise)},
			&types.ActivityDetails{SummaryID: types.ID(noise)},
			&types.Activity{SummaryID: "1", ParentSummaryID: types.ID(noise)},
		} {
			err := db.add(t.Context(), "u1", join.Item{User: "g1", Order: 1, Summary: s})
			require.ErrorIs(t, err, errLongID)
			require.Less(t, len(err.Error()), 200)
			var f notify.Failure
			require.ErrorAs(t, err, &f)
			require.Equal(t, types.FaultItem, f.Fault())
		}
		require.ErrorIs(t, db.detect(t.Context(), &notify.Delivery{Record: noise, User: notify.User{ID: "u1"}}, &types.MoveIQ{}), errLongID)
	})
}

// Nobody who asks with such a text finds anything, or sees an error of ours.
func TestOddTextsInRequests(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := start(t, nil)
		for path, want := range map[string]int{
			"/activity/%00/1": http.StatusNotFound, "/activity/g1/%ff": http.StatusNotFound, "/activity/g1/%00/gpx": http.StatusNotFound,
			"/list?day=%00": http.StatusBadRequest, "/?to=%00": http.StatusBadRequest, "/list?page=%00": http.StatusBadRequest,
		} {
			require.Equal(t, want, p.ask("ann", "GET", public+path, nil).Code, path)
		}
		require.Equal(t, http.StatusUnauthorized, p.post("", "/login", map[string][]string{"name": {"a\x00"}, "password": {"\x00"}}).Code)
		require.NotContains(t, p.log.String(), "level=ERROR")
	})
}
