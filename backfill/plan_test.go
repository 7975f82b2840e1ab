package backfill_test

import (
	"testing"
	"time"

	"github.com/garminkit/activityapi/backfill"
	"github.com/garminkit/activityapi/types"
	"github.com/stretchr/testify/require"
)

func TestCost(t *testing.T) {
	t.Parallel()
	at := func(s string) time.Time {
		x, err := time.Parse(time.RFC3339, s)
		require.NoError(t, err)
		return x
	}
	for _, tt := range []struct {
		start, end string
		want       int
	}{
		{"2024-03-01T00:00:00Z", "2024-03-26T00:00:00Z", 25},
		{"2024-03-01T12:00:00Z", "2024-03-26T12:00:00Z", 26}, // 25 times 24 hours, but 26 dates
		{"2024-02-28T00:00:00Z", "2024-03-01T00:00:00Z", 2},  // a leap day
		{"2023-02-28T00:00:00Z", "2023-03-01T00:00:00Z", 1},
		{"2024-03-31T00:00:00+01:00", "2024-04-01T00:00:00+02:00", 2}, // 23 hours over a change of clocks
		{"2024-03-01T00:00:00Z", "2024-03-01T00:00:01Z", 1},
		{"2024-03-01T23:59:59Z", "2024-03-02T00:00:00Z", 1},
		{"2024-03-01T23:59:59Z", "2024-03-02T00:00:01Z", 2},
		{"2024-03-01T00:00:00Z", "2024-03-01T00:00:00Z", 0},
		{"2024-03-02T00:00:00Z", "2024-03-01T00:00:00Z", 0},
		{"1969-12-31T00:00:00Z", "1970-01-02T00:00:00Z", 2},
	} {
		require.Equal(t, tt.want, backfill.Cost(types.Window{Start: at(tt.start), End: at(tt.end)}), "%s to %s", tt.start, tt.end)
	}
}

func TestChunkDays(t *testing.T) {
	t.Parallel()
	for limit, want := range map[int]int{1: 1, 7: 7, 29: 29, 30: 30, 31: 1, 59: 1, 60: 30, 90: 30, 100: 25, 6000: 30, 9000: 30, 10_000: 30} {
		require.Equal(t, want, backfill.ChunkDays(limit), "limit %d", limit)
	}
	for limit := 1; limit < 12_000; limit++ {
		n := backfill.ChunkDays(limit)
		require.True(t, n >= 1 && n <= min(limit, 30), "limit %d: %d", limit, n)
		require.Greater(t, limit/n*n*200, limit*199, "limit %d: chunks of %d", limit, n)
	}
}

// FuzzChunks checks what must hold of any plan: it covers the window exactly,
// chunks are disjoint, each within the limit however Garmin counts it, and
// the cost of the whole is what Garmin can count, however it counts.
func FuzzChunks(f *testing.F) {
	f.Add(int64(1604016000), int64(157_766_400), uint8(25)) // five years
	f.Add(int64(1709164800), int64(86_400*60), uint8(30))   // over a leap day
	f.Add(int64(1711839600), int64(86_400*30-3600), uint8(30))
	f.Add(int64(1), int64(1), uint8(0))
	f.Add(int64(86_399), int64(2), uint8(1))
	for _, days := range []uint8{0, 1, 2, 30 + 1, 255} {
		f.Add(int64(1709164800-3600), int64(86_400*90), days)
	}
	f.Fuzz(func(t *testing.T, start, length int64, days uint8) {
		start, length = abs(start)%253_000_000_000+1, abs(length)%(86_400*4000)+1
		w := types.Window{Start: time.Unix(start, 0), End: time.Unix(start+length, 0)}
		most := max(1, min(int(days), 30))
		at, sum := w.End, 0
		chunks := backfill.Cut(w, int(days))
		for _, c := range chunks {
			require.True(t, c.End.Equal(at), "gap or overlap at %s", at)
			require.True(t, c.Start.Before(c.End))
			require.NoError(t, c.Check(time.Duration(most)*24*time.Hour))
			require.LessOrEqual(t, backfill.Cost(c), most)
			for _, count := range counts {
				require.LessOrEqual(t, count(c), backfill.Cost(c), "%s", c)
			}
			at, sum = c.Start, sum+backfill.Cost(c)
		}
		require.True(t, at.Equal(w.Start))
		require.Equal(t, backfill.Cost(w), sum, "cuts at midnight cost nothing")
		require.Len(t, chunks, (sum+most-1)/most, "no more chunks than needed")
	})
}

// counts are the ways in which Garmin may count the days of a range.
var counts = []func(types.Window) int{
	func(w types.Window) int { return int((w.End.Sub(w.Start) + 24*time.Hour - 1) / (24 * time.Hour)) },
	func(w types.Window) int { // dates, both ends included, where the end is the last second
		n := 0
		for d := w.Start.UTC().Truncate(24 * time.Hour); d.Before(w.End); d = d.AddDate(0, 0, 1) {
			n++
		}
		return n
	},
	func(w types.Window) int { return int(w.End.Sub(w.Start)/(24*time.Hour+1)) + 1 },
}

func abs(n int64) int64 {
	if n < 0 {
		n = -(n + 1)
	}
	return n
}
