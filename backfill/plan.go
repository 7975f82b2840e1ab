package backfill

import (
	"slices"
	"time"

	"github.com/garminkit/activityapi/types"
)

// maxDays is the most days that one request may span (Activity API, section 8).
const maxDays = 30

const day = 24 * time.Hour

// Cost returns how many days a request for w counts against the key's limit: the
// UTC calendar days that w touches. Garmin does not say how it counts; other
// likely ways, such as hours divided by 24 and rounded up, never give more.
func Cost(w types.Window) int {
	if !w.End.After(w.Start) {
		return 0
	}
	return int((floorDay(w.End.Add(-time.Second)).Unix()-floorDay(w.Start).Unix())/86400) + 1
}

// chunkDays returns the chunk size to use under a limit of
// daysPerMinute: the largest, up to [maxDays], that leaves less than 1/200 of
// each minute unused. For 100 days that is 25, since four chunks of 25 fill
// the minute and three of 30 do not; for 10,000 it is 30.
func chunkDays(daysPerMinute int) int {
	best := 1 // uses all
	for n := 2; n <= min(maxDays, daysPerMinute); n++ {
		if used := daysPerMinute / n * n; used*200 > daysPerMinute*199 {
			best = n
		}
	}
	return best
}

// cut cuts w into windows that cost at most days each, latest first. They
// share no second and leave none out. All cuts are at midnight UTC, so that a
// chunk touches no more days than it is long. days is held between 1 and
// [maxDays].
func cut(w types.Window, days int) []types.Window {
	days = max(1, min(days, maxDays))
	w.Start, w.End = w.Start.UTC(), w.End.UTC()
	var out []types.Window
	for end := w.End; end.After(w.Start); {
		start := floorDay(end.Add(-time.Second)).Add(-time.Duration(days-1) * day)
		if start.Before(w.Start) {
			start = w.Start
		}
		out = append(out, types.Window{Start: start, End: end})
		end = start
	}
	return out
}

// estimate returns how long it takes to ask for days of history under a limit
// of daysPerMinute, if nothing else uses the key and a request takes about a
// second.
func estimate(days, daysPerMinute int) time.Duration {
	if days <= 0 || daysPerMinute <= 0 {
		return 0
	}
	const roundTrip = time.Second
	waits := (days - 1) / daysPerMinute
	return time.Duration(waits)*(minute+margin+roundTrip) + roundTrip
}

// floorDay returns the midnight UTC at or before t.
func floorDay(t time.Time) time.Time {
	s := t.Unix()
	s -= ((s % 86400) + 86400) % 86400
	return time.Unix(s, 0).UTC()
}

// subtract returns what of w none of the taken windows covers, earliest first.
func subtract(w types.Window, taken []types.Window) []types.Window {
	taken = slices.Clone(taken)
	slices.SortFunc(taken, func(a, b types.Window) int { return a.Start.Compare(b.Start) })
	var free []types.Window
	at := w.Start
	for _, t := range taken {
		if !t.End.After(at) {
			continue
		}
		if !t.Start.Before(w.End) {
			break
		}
		if t.Start.After(at) {
			free = append(free, types.Window{Start: at, End: t.Start})
		}
		at = t.End
	}
	if at.Before(w.End) {
		free = append(free, types.Window{Start: at, End: w.End})
	}
	return free
}
