package backfill_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/garminkit/activityapi/activity"
	"github.com/garminkit/activityapi/backfill"
	"github.com/garminkit/activityapi/types"
)

// FuzzDuplicate gives a chunk any earlier range for a 409. The parts must be
// the chunk, no second more or less, and a second that the earlier range does
// not have must be a hole.
func FuzzDuplicate(f *testing.F) {
	const start = 1_700_000_000
	f.Add(int64(start), int64(86_400*25), int64(start), int64(86_400*25-1), int64(start+5), "")
	f.Add(int64(start), int64(86_400), int64(start-5), int64(10), int64(0), "words")
	f.Add(int64(start), int64(86_400*30), int64(start+86_400), int64(86_400), int64(-1), "")
	f.Add(int64(start), int64(100), int64(start+1000), int64(-900), int64(1<<40), "9")
	f.Add(int64(start), int64(100), int64(0), int64(0), int64(0), "")
	f.Fuzz(func(t *testing.T, from, length, earlierFrom, earlierLength, processed int64, words string) {
		from, length = abs(from)%253_000_000_000+1, abs(length)%(86_400*31)+1
		processed = abs(processed) % 253_000_000_000
		c := &backfill.Chunk{UserID: "u", Kind: types.KindActivities, State: backfill.StateRequested, InDoubt: time.Unix(5, 0),
			Window: types.Window{Start: time.Unix(from, 0), End: time.Unix(from+length, 0)}}
		earlier := types.Window{} // as of a message without range
		if earlierLength != 0 {
			const range40 = 1 << 40
			earlier = types.Window{Start: time.Unix(earlierFrom%range40, 0), End: time.Unix(earlierFrom%range40+earlierLength%range40, 0)}
		}
		at := time.Unix(processed, 0).UTC()
		a := backfill.ReadAnswer(fmt.Errorf("wrapped: %w", &activity.Error{StatusCode: 409, Err: activity.ErrDuplicate, Earlier: earlier,
			Message: words + "duplicate backfill processed at " + at.Format(time.RFC3339) + " [...]"}))
		if !a.Duplicate || !a.Processed.Equal(at) {
			t.Fatalf("%+v, want %v", a, at)
		}
		if d := a.Earlier.End.Sub(earlier.End); !a.Earlier.Start.Equal(earlier.Start) || d != 0 && d != time.Second {
			t.Fatalf("%v became %v", earlier, a.Earlier)
		}
		was := *c
		seconds := map[backfill.State]int64{}
		end := int64(0)
		parts := backfill.Cover(c, a.Earlier)
		for _, p := range parts {
			from, to := p.Window.Start.Unix(), p.Window.End.Unix()
			if from >= to || !p.InDoubt.IsZero() || p.UserID != "u" || p.Kind != c.Kind || p.Window.Start.Before(c.Window.Start) || p.Window.End.After(c.Window.End) {
				t.Fatalf("part %+v", p)
			}
			inside := !p.Window.Start.Before(a.Earlier.Start) && !p.Window.End.After(a.Earlier.End)
			apart := !p.Window.Start.Before(a.Earlier.End) || !p.Window.End.After(a.Earlier.Start) || !a.Earlier.End.After(a.Earlier.Start)
			if p.State == backfill.StateDuplicate && !inside || p.State == backfill.StateHole && !apart || p.State == backfill.StateHole && p.Reason != backfill.ReasonDuplicate {
				t.Fatalf("%v of %v is %v for %v", p.Window, c.Window, p.State, a.Earlier)
			}
			seconds[p.State] += to - from
			end = max(end, to)
		}
		if seconds[backfill.StateDuplicate]+seconds[backfill.StateHole] != length || len(seconds) > 2 || end != from+length || len(parts) > 3 || *c != was {
			t.Fatalf("%v became %v", c.Window, seconds)
		}
	})
}
