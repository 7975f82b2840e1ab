package spool

import (
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/garminkit/activityapi/notify"
)

// TestDoneSet compares both kinds of set with a map.
func TestDoneSet(t *testing.T) {
	for _, large := range []bool{false, true} {
		rng := rand.New(rand.NewPCG(1, 2))
		set, want := newDoneSet(large), map[notify.ItemID]bool{}
		for range 50_000 {
			id := itemID(7, rng.Int64N(60_000))
			if rng.IntN(50) == 0 {
				id = itemID(7, wholeBody)
			}
			if rng.IntN(4) == 0 {
				set.remove(id)
				delete(want, id)
			} else {
				set.add(id)
				want[id] = true
			}
			require.Equal(t, want[id], set.has(id))
		}
		require.Equal(t, len(want), set.n)
		got := map[notify.ItemID]bool{}
		for id := range set.all() {
			got[id] = true
		}
		require.Equal(t, want, got)
		if large {
			require.Less(t, set.size(), len(want)/10, "a bit each")
		}
	}
}
