package backfill_test

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/garminkit/activityapi/activity"
	"github.com/garminkit/activityapi/backfill"
	"github.com/garminkit/activityapi/types"
)

// floor refuses what does not begin after a time, which it names in its own way.
type floor struct {
	earliest time.Time                 // refused itself
	name     func(time.Time) time.Time // nil names it as it is
	asked    []types.Window
}

func (f *floor) Backfill(_ context.Context, _ types.Kind, w types.Window) error {
	f.asked = append(f.asked, w)
	if w.Start.After(f.earliest) {
		return nil
	}
	named := f.earliest
	if f.name != nil {
		named = f.name(w.Start)
	}
	return &activity.Error{Op: "Backfill", StatusCode: 400, Err: activity.ErrMinStart, MinStart: named, Message: "too early"}
}

// Whatever Garmin calls the earliest time, what lies behind it is asked for, or
// left to the next run, and the requests are few.
func TestMinimum(t *testing.T) {
	w := window(0, 75)
	hour := 12*time.Hour + 34*time.Minute + 56*time.Second
	at := day0.AddDate(0, 0, 60).Add(hour)
	for _, tt := range []struct {
		name     string
		floor    floor
		accepted time.Time // from here on
		requests int
		again    bool // a later run asks for what was left
	}{
		{name: "the start of the chunk itself", floor: floor{earliest: window(50, 75).Start}, accepted: window(50, 75).Start.Add(time.Second), requests: 2},
		{name: "the start of the user's window", floor: floor{earliest: w.Start}, accepted: w.Start.Add(time.Second), requests: 4},
		{name: "a time that it refuses", floor: floor{earliest: at}, accepted: at.Add(time.Second), requests: 3},
		{name: "nanoseconds", floor: floor{earliest: at.Add(333571500)}, accepted: at.Add(time.Second), requests: 2},
		{name: "nanoseconds, cut off", floor: floor{earliest: at.Add(333571500), name: func(time.Time) time.Time { return at }}, accepted: at.Add(time.Second), requests: 3},
		{name: "two seconds before it", floor: floor{earliest: at, name: func(time.Time) time.Time { return at.Add(-2 * time.Second) }}, accepted: at.Add(time.Second), requests: 5},
		{name: "its date", floor: floor{earliest: at, name: func(time.Time) time.Time { return at.Truncate(24 * time.Hour) }}, accepted: day0.AddDate(0, 0, 61), requests: 6, again: true},
		{name: "what was asked for, always", floor: floor{earliest: at, name: func(s time.Time) time.Time { return s }}, accepted: w.End, requests: 5 + 5 + 5, again: true},
		{name: "nothing", floor: floor{earliest: at, name: func(time.Time) time.Time { return time.Time{} }}, accepted: w.End, requests: 3, again: true},
		{name: "a time long before", floor: floor{earliest: at, name: func(s time.Time) time.Time { return s.AddDate(0, 0, -3) }}, accepted: w.End, requests: 3, again: true},
		{name: "a time to come", floor: floor{earliest: at, name: func(time.Time) time.Time { return day0.AddDate(3, 0, 0) }}, accepted: w.End, requests: 3, again: true},
		{name: "a second later each time", floor: floor{earliest: at, name: func(s time.Time) time.Time { return s.Add(time.Second) }}, accepted: w.End, requests: 6 + 6 + 6, again: true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				time.Sleep(time.Until(day0.AddDate(1, 0, 0)))
				ledger := backfill.NewLedger()
				f := &tt.floor
				_, err := play(t, ledger, one(f, w), serial)
				require.NoError(t, err)
				require.LessOrEqual(t, len(f.asked), tt.requests, "%v", f.asked)

				next, from := w.Start, w.End
				left := false
				for c, err := range ledger.Chunks(t.Context(), "u") {
					require.NoError(t, err)
					require.Equal(t, next, c.Window.Start, "a gap")
					next = c.Window.End
					if c.State == backfill.StateAccepted {
						require.True(t, from.Equal(w.End) || c.Window.Start.After(from))
						if c.Window.Start.Before(from) {
							from = c.Window.Start
						}
						continue
					}
					require.Equal(t, backfill.StateRefused, c.State)
					left = left || !backfill.Settled(c)
					if backfill.Settled(c) && c.Window.End.After(f.earliest.Add(5*time.Second)) {
						t.Errorf("%s is never asked for again, though it lies after %s", c, f.earliest)
					}
				}
				require.Equal(t, w.End, next)
				require.Equal(t, tt.accepted, from)
				require.Equal(t, tt.again, left)
				f.asked = nil
				_, err = play(t, ledger, one(f, w), serial)
				require.NoError(t, err)
				require.Equal(t, tt.again, len(f.asked) > 0, "%v", f.asked)
			})
		})
	}
}

// On the wire: each form in which the time has been seen or may come.
func TestMinimumForms(t *testing.T) {
	at := time.Date(2025, 10, 19, 16, 42, 30, 0, time.UTC)
	for _, tt := range []struct{ body, from string }{
		{`{"errorMessage":"start date before min start time of 2025-10-19T16:42:30Z"}`, "2025-10-19T16:42:31Z"},
		{`{"errorMessage":"[0de5e8fc-53f7-4c3e-ab95-e1ab9bc5f2bb] start 2025-10-01T00:00:00Z before min start time of 2025-10-19T16:42:30.333571500Z"}`, "2025-10-19T16:42:31Z"},
		{`{"errorMessage":"start before min start time of 1760892150"}`, "2025-10-19T16:42:31Z"},
		{`{"errorMessage":"start before min start time of 1760892150333"}`, "2025-10-19T16:42:31Z"},
		{`{"errorMessage":"start before min start time","minStartTimeInSeconds":1760892150}`, "2025-10-19T16:42:31Z"},
		{`{"errorMessage":"start before min start time","minStartTime":"2025-10-19T16:42:30Z"}`, "2025-10-19T16:42:31Z"},
		{`{"errorMessage":"start before min start time of 2025-10-19"}`, "2025-10-20T00:00:00Z"},
		{`{"errorMessage":"start before min start time of 2025-10-19 16:42:30"}`, "2025-10-19T16:42:31Z"},
	} {
		t.Run(tt.body, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				time.Sleep(time.Until(at.AddDate(0, 2, 0)))
				client := answering(t, func(start int64) (int, string) {
					if start <= at.Unix() {
						return 400, tt.body
					}
					return 202, ""
				})
				w := types.Window{Start: time.Date(2025, 10, 5, 0, 0, 0, 0, time.UTC), End: time.Date(2025, 10, 25, 0, 0, 0, 0, time.UTC)}
				ledger := backfill.NewLedger()
				u := &backfill.User{ID: "u", Requester: client, Window: w, Kinds: []types.Kind{types.KindMoveIQ}}
				for _, err := range backfill.NewRunner(backfill.NewLimiter(backfill.Evaluation, ledger), ledger, serial).Run(t.Context(), u) {
					require.NoError(t, err)
				}
				var got []string
				for c, err := range ledger.Chunks(t.Context(), "u") {
					require.NoError(t, err)
					if c.State == backfill.StateAccepted {
						got = append(got, fmt.Sprint(c.Window.Start.Format(time.RFC3339), " ", c.Window.End.Equal(w.End)))
					}
				}
				require.Equal(t, []string{tt.from + " true"}, got)
			})
		})
	}
}
