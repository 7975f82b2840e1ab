package types_test

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/garminkit/activityapi/types"
)

func window(start, end int64) types.Window {
	return types.Window{Start: time.Unix(start, 0), End: time.Unix(end, 0)}
}

func TestWindowCheck(t *testing.T) {
	t.Parallel()
	const day = 24 * time.Hour
	at := time.Unix(1_767_312_000, 0)
	for _, tt := range []struct {
		name string
		w    types.Window
		want string // part of the error, or "" for none
	}{
		{"one second", types.Window{Start: at, End: at.Add(time.Second)}, ""},
		{"exactly the limit", types.Window{Start: at, End: at.Add(day)}, ""},
		{"a second above the limit", types.Window{Start: at, End: at.Add(day + time.Second)}, "longer than 24h0m0s"},
		{"a nanosecond above the limit", types.Window{Start: at, End: at.Add(day + 1)}, "whole seconds"},
		{"empty", types.Window{Start: at, End: at}, "not after start"},
		{"backwards", types.Window{Start: at, End: at.Add(-time.Second)}, "not after start"},
		{"no start", types.Window{End: at}, "not set"},
		{"no end", types.Window{Start: at}, "not set"},
		{"zero", types.Window{}, "not set"},
		{"fraction in start", types.Window{Start: at.Add(1), End: at.Add(day)}, "whole seconds"},
		{"1970", window(0, 86400), "not after 1970"},
		{"first second that can be asked", window(1, 86401), ""},
		{"before 1970", window(-86400, 0), "not after 1970"},
		{"milliseconds", window(1_767_312_000_000, 1_767_398_400_000), "milliseconds"},
		{"year 9999", window(253402300799-86400, 253402300799), ""},
		{"year 10000", window(253402300800-86400, 253402300800), "after the year 9999"},
		{"end in milliseconds", window(1_767_312_000, 1_767_398_400_000), "milliseconds"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			err := tt.w.Check(day)
			if tt.want == "" {
				require.NoError(t, err)
				return
			}
			require.ErrorIs(t, err, types.ErrWindow)
			require.ErrorContains(t, err, tt.want)
		})
	}
}

func TestWindowContains(t *testing.T) {
	t.Parallel()
	w := window(100, 200)
	for sec, want := range map[int64]bool{99: false, 100: true, 199: true, 200: false} {
		require.Equal(t, want, w.Contains(time.Unix(sec, 0)), sec)
	}
	require.True(t, w.Contains(time.Unix(100, 0).In(time.FixedZone("", -7*3600))), "a window means instants")
	require.False(t, types.Window{}.Contains(time.Time{}), "an empty window holds nothing")
}

func TestWindowString(t *testing.T) {
	t.Parallel()
	w := types.Window{
		Start: time.Date(2026, 1, 2, 1, 0, 0, 0, time.FixedZone("", 3600)),
		End:   time.Date(2026, 1, 3, 0, 0, 0, 0, time.UTC),
	}
	require.Equal(t, "[2026-01-02T00:00:00Z, 2026-01-03T00:00:00Z)", w.String())
}

func TestWindowSplitPanicsBelowASecond(t *testing.T) {
	t.Parallel()
	for _, max := range []time.Duration{0, -time.Hour, time.Second - 1} {
		require.Panics(t, func() { window(1, 2).Split(max) }, max)
	}
}

func TestWindowSplitStopsEarly(t *testing.T) {
	t.Parallel()
	for w := range window(1, 1_000_000_000).Split(time.Second) {
		require.Equal(t, window(1, 2), w)
		break
	}
}

// checkSplit holds what Split promises: together its windows are w, none
// overlaps, none is too long, and only the last is shorter than max.
func checkSplit(t *testing.T, w types.Window, max time.Duration) {
	t.Helper()
	parts := slices.Collect(w.Split(max))
	if !w.End.After(w.Start) {
		require.Empty(t, parts)
		return
	}
	whole := max.Truncate(time.Second)
	want := int((w.End.Sub(w.Start) + whole - 1) / whole)
	require.Len(t, parts, want)
	at := w.Start
	for i, p := range parts {
		require.True(t, p.Start.Equal(at), "window %d starts at %s, want %s", i, p.Start, at)
		require.True(t, p.End.After(p.Start))
		require.LessOrEqual(t, p.End.Sub(p.Start), max)
		if i < len(parts)-1 {
			require.Equal(t, whole, p.End.Sub(p.Start))
		}
		if i > 0 {
			require.False(t, parts[i-1].Contains(p.Start), "a second is in two windows")
		}
		at = p.End
	}
	require.True(t, at.Equal(w.End), "ends at %s, want %s", at, w.End)
}

func TestWindowSplitProperties(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(7, 7))
	for range 2000 {
		start := rng.Int64N(4e9)
		checkSplit(t, window(start, start+rng.Int64N(1e7)), time.Duration(1+rng.Int64N(90*86400))*time.Second+time.Duration(rng.Int64N(1e9)))
	}
	checkSplit(t, window(100, 100), time.Hour)
	checkSplit(t, window(100, 99), time.Hour)
}

// A day of the calendar is 23 or 25 hours when clocks change; a window of 24
// hours stays one of 24 hours.
func TestWindowSplitOverClockChangesAndLeapDays(t *testing.T) {
	t.Parallel()
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Skip("no zone data on this machine: ", err)
	}
	for _, tt := range []struct {
		name       string
		start, end time.Time
		want       []time.Duration
	}{
		{"spring", time.Date(2026, 3, 28, 0, 0, 0, 0, berlin), time.Date(2026, 3, 31, 0, 0, 0, 0, berlin), []time.Duration{24, 24, 23}},
		{"autumn", time.Date(2026, 10, 24, 0, 0, 0, 0, berlin), time.Date(2026, 10, 27, 0, 0, 0, 0, berlin), []time.Duration{24, 24, 24, 1}},
		{"leap day", time.Date(2028, 2, 28, 0, 0, 0, 0, berlin), time.Date(2028, 3, 1, 0, 0, 0, 0, berlin), []time.Duration{24, 24}},
	} {
		w := types.Window{Start: tt.start, End: tt.end}
		checkSplit(t, w, 24*time.Hour)
		var got []time.Duration
		for p := range w.Split(24 * time.Hour) {
			got = append(got, p.End.Sub(p.Start)/time.Hour)
			require.NoError(t, p.Check(24*time.Hour))
		}
		require.Equal(t, tt.want, got, tt.name)
		require.NotContains(t, w.String(), "+0", "windows print in UTC")
	}
}

func FuzzWindowSplit(f *testing.F) {
	f.Add(int64(1_767_312_000), int64(86_401), int64(86_400))
	f.Add(int64(-5), int64(10), int64(1))
	f.Fuzz(func(t *testing.T, start, length, max int64) {
		const century = 100 * 365 * 86400
		if max < 1 || max > century || length > century || length < -century || length/max > 10_000 || start > 1e11 || start < -1e11 {
			t.Skip()
		}
		checkSplit(t, window(start, start+length), time.Duration(max)*time.Second)
	})
}
