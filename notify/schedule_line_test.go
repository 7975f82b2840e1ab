package notify

import (
	"math/rand/v2"
	"runtime"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
)

// A line gives what a sorted list gives, in whatever order entries come and go.
func TestLine(t *testing.T) {
	for seed := range uint64(50) {
		rng := rand.New(rand.NewPCG(seed, 0))
		var l line
		var want []ItemID
		next := ItemID(1)
		for range 5000 {
			switch r := rng.IntN(10); {
			case r < 4+int(seed%3): // in order
				next += ItemID(1 + rng.IntN(3))
				l.push(entry{id: next})
				want = append(want, next)
			case r < 6 && next > 10: // comes back
				id := ItemID(rng.IntN(int(next)))
				if at, there := slices.BinarySearch(want, id); !there {
					l.push(entry{id: id})
					want = slices.Insert(want, at, id)
				}
			case len(want) > 0:
				require.Equal(t, want[0], l.pop().id)
				want = want[1:]
			}
			require.Equal(t, len(want), l.Len())
		}
		var got []ItemID
		for e := range l.all() {
			got = append(got, e.id)
		}
		slices.Sort(got)
		require.Equal(t, want, got)
		for _, id := range want {
			require.Equal(t, id, l.pop().id)
		}
		require.Zero(t, l.Len())
		for range l.all() {
			t.Fatal("an empty line has an entry")
		}
	}
}

// A long line is never copied as a whole, and what has gone takes no memory.
func TestLineMemory(t *testing.T) {
	const n = 1 << 20
	var before, full, empty runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	var l line
	for i := range n {
		l.push(entry{id: ItemID(i + 1)})
	}
	runtime.ReadMemStats(&full)
	for range n - 1 {
		l.pop()
	}
	runtime.GC()
	runtime.ReadMemStats(&empty)
	require.Less(t, full.TotalAlloc-before.TotalAlloc, uint64(36*n), "an entry has 32 bytes")
	require.Less(t, int64(empty.HeapAlloc)-int64(before.HeapAlloc), int64(4<<20))
	require.Equal(t, ItemID(n), l.pop().id)
}
