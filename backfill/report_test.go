package backfill_test

import (
	"bytes"
	"context"
	"encoding/xml"
	"errors"
	"io"
	"regexp"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/garminkit/activityapi/backfill"
	"github.com/garminkit/activityapi/types"
)

// story is a ledger with a day of every status.
func story(t *testing.T) backfill.Ledger {
	ledger := backfill.NewLedger()
	now := time.Now()
	put := func(a, b int, s backfill.State, change func(*backfill.Chunk)) {
		c := planned("u<1>", a, b)
		c.State = s
		if s != backfill.StatePlanned {
			c.Requested, c.Answered = now.AddDate(0, 0, -2), now.AddDate(0, 0, -2)
		}
		if change != nil {
			change(c)
		}
		require.NoError(t, save(ledger, c))
	}
	put(0, 10, backfill.StateRefused, func(c *backfill.Chunk) { c.Reason = backfill.ReasonMinStart })
	put(10, 20, backfill.StateAccepted, nil)
	put(20, 25, backfill.StateAccepted, func(c *backfill.Chunk) { c.Answered = now })
	put(25, 30, backfill.StateRequested, func(c *backfill.Chunk) { c.Answered = time.Time{} })
	put(30, 35, backfill.StatePlanned, nil)
	put(35, 40, backfill.StateDuplicate, nil)
	put(40, 45, backfill.StateHole, func(c *backfill.Chunk) { c.Reason = backfill.ReasonDuplicate })
	put(50, 51, backfill.StateRefused, func(c *backfill.Chunk) { c.Reason, c.Detail = backfill.ReasonPermission, "SOME_EXPORT" })
	for _, hours := range []int{12*24 + 5, 12*24 + 9, 13 * 24, 21 * 24, 36 * 24} {
		require.NoError(t, ledger.Arrived(t.Context(), "u<1>", types.KindActivities, day0.Add(time.Duration(hours)*time.Hour)))
	}
	return ledger
}

func TestReport(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		time.Sleep(time.Until(day0.AddDate(1, 0, 0)))
		r, err := backfill.NewReport(t.Context(), story(t), "u<1>")
		require.NoError(t, err)
		require.Equal(t, strings.TrimPrefix(`
history of u<1>
activities
  2024-01-01 to 2024-01-10     10 days  refused, before the user's earliest time
  2024-01-11 to 2024-01-20     10 days  delivered 3 summaries on 2 days, 8 quiet
  2024-01-21 to 2024-01-21      1 days  waiting
  2024-01-22 to 2024-01-22      1 days  delivered 1 summaries on 1 days, 0 quiet
  2024-01-23 to 2024-01-30      8 days  waiting
  2024-01-31 to 2024-02-04      5 days  planned
  2024-02-05 to 2024-02-05      1 days  duplicate
  2024-02-06 to 2024-02-06      1 days  delivered 1 summaries on 1 days, 0 quiet
  2024-02-07 to 2024-02-09      3 days  duplicate
  2024-02-10 to 2024-02-14      5 days  hole, duplicate of a request for another range
  2024-02-15 to 2024-02-19      5 days  not planned
  2024-02-20 to 2024-02-20      1 days  refused, permission missing: SOME_EXPORT
`, "\n"), r.String())
		days, states := map[string]int{}, map[backfill.State]int{}
		for _, d := range r.Days[types.KindActivities] {
			days[d.String()]++
			states[d.State]++
			require.Equal(t, d.Waiting, d.String() == "waiting")
		}
		require.Equal(t, map[string]int{"refused": 11, "quiet": 8, "delivered": 4, "waiting": 9, "planned": 5, "duplicate": 4, "hole": 5, "not planned": 5}, days)
		require.Equal(t, map[backfill.State]int{
			backfill.StateRefused: 11, backfill.StateAccepted: 15, backfill.StateRequested: 5, backfill.StatePlanned: 5,
			backfill.StateDuplicate: 5, backfill.StateHole: 5, 0: 5,
		}, states)
		require.Equal(t, 2, r.Days[types.KindActivities][12].Arrived)
	})
}

// A day that two chunks share shows the one that needs more attention.
func TestReportSharedDay(t *testing.T) {
	t.Parallel()
	ledger := backfill.NewLedger()
	noon := day0.Add(12 * time.Hour)
	a, b := planned("u", 0, 1), planned("u", 0, 1)
	a.Window.End, b.Window.Start = noon, noon
	a.State, a.Reason = backfill.StateRefused, backfill.ReasonMinStart
	b.State, b.Requested, b.Answered = backfill.StateAccepted, day0, day0
	require.NoError(t, save(ledger, a, b))
	require.NoError(t, ledger.Arrived(t.Context(), "u", types.KindActivities, noon))
	r, err := backfill.NewReport(t.Context(), ledger, "u")
	require.NoError(t, err)
	require.Equal(t, []backfill.Day{{Date: day0, State: backfill.StateRefused, Arrived: 1, Why: string(backfill.ReasonMinStart)}}, r.Days[types.KindActivities])
}

func TestReportSVG(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		time.Sleep(time.Until(day0.AddDate(1, 0, 0)))
		r, err := backfill.NewReport(t.Context(), story(t), "u<1>")
		require.NoError(t, err)
		var b bytes.Buffer
		require.NoError(t, r.WriteSVG(&b))
		for d := xml.NewDecoder(bytes.NewReader(b.Bytes())); ; {
			_, err := d.Token()
			if errors.Is(err, io.EOF) {
				break
			}
			require.NoError(t, err)
		}
		require.Contains(t, b.String(), "History of u&lt;1&gt;")
		require.Contains(t, b.String(), "hole, 5 days")
		// A square for each day, and no two at the same place.
		squares := regexp.MustCompile(`M\d+ \d+`).FindAllString(b.String(), -1)
		places := map[string]bool{}
		for _, s := range squares {
			places[s] = true
		}
		require.Len(t, squares, 51)
		require.Len(t, places, 51)

		for name, r := range map[string]*backfill.Report{"nobody": {UserID: "nobody"}} {
			b.Reset()
			require.NoError(t, r.WriteSVG(&b), name)
		}
		require.Error(t, r.WriteSVG(brokenWriter{}))
	})
}

type brokenWriter struct{}

func (brokenWriter) Write([]byte) (int, error) { return 0, errStub }

func TestArrival(t *testing.T) {
	t.Parallel()
	ledger := backfill.NewLedger()
	for _, k := range backfill.Kinds() {
		c := planned("u", 0, 25)
		c.Kind, c.State, c.Requested = k, backfill.StateAccepted, day0
		require.NoError(t, save(ledger, c))
	}
	at := types.NewTimestamp(day0.Add(time.Hour))
	for _, s := range []types.Summary{
		&types.Activity{StartTimeInSeconds: at},
		&types.ActivityDetails{Summary: types.Activity{StartTimeInSeconds: at}},
		&types.MoveIQ{StartTimeInSeconds: at + 0.5},
		&types.ManualActivity{StartTimeInSeconds: at + 60},
		&types.Activity{},
	} {
		require.NoError(t, backfill.Arrival(t.Context(), ledger, "u", s))
	}
	for c, err := range ledger.Chunks(t.Context(), "u") {
		require.NoError(t, err)
		require.Equal(t, 1, c.Arrived, c.Kind)
	}
}

// A clock that was ahead when the answer came does not keep a day waiting for
// ever.
func TestReportOfAnswersToCome(t *testing.T) {
	t.Parallel()
	for ahead, want := range map[time.Duration]string{time.Hour: "waiting", 10_000 * time.Hour: "quiet"} {
		ledger := backfill.NewLedger()
		c := planned("u", 0, 1)
		c.State, c.Requested, c.Answered = backfill.StateAccepted, time.Now(), time.Now().Add(ahead)
		require.NoError(t, save(ledger, c))
		r, err := backfill.NewReport(t.Context(), ledger, "u")
		require.NoError(t, err)
		require.Equal(t, want, r.Days[types.KindActivities][0].String(), ahead)
	}
}

// deaf is a ledger that takes no arrivals.
type deaf struct{ backfill.Ledger }

func (deaf) Arrived(context.Context, types.UserID, types.Kind, time.Time) error { return errStub }

func TestArrivalFails(t *testing.T) {
	t.Parallel()
	at := types.NewTimestamp(day0)
	require.ErrorIs(t, backfill.Arrival(t.Context(), deaf{}, "u", &types.Activity{StartTimeInSeconds: at}), errStub)
	require.NoError(t, backfill.Arrival(t.Context(), deaf{}, "u", &types.ManualActivity{StartTimeInSeconds: at}), "a kind without history")
	require.NoError(t, backfill.Arrival(t.Context(), deaf{}, "u", &types.Activity{}), "no start")
}

func TestKind(t *testing.T) {
	t.Parallel()
	got := map[types.Kind]types.Kind{}
	for _, k := range types.Kinds() {
		if b, ok := backfill.KindOf(k); ok {
			got[k] = b
		}
	}
	require.Equal(t, map[types.Kind]types.Kind{
		types.KindActivities: types.KindActivities, types.KindActivityFiles: types.KindActivities,
		types.KindActivityDetails: types.KindActivityDetails, types.KindMoveIQ: types.KindMoveIQ,
	}, got)
	require.Equal(t, "State(0)", backfill.State(0).String())
}
