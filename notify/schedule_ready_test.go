package notify

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// TestPlaceOfBody: the items of a large body give way to what came after it, and
// neighbours stay together: else each is read from another body.
func TestPlaceOfBody(t *testing.T) {
	for _, tt := range []struct {
		index int
		want  time.Duration
	}{
		{0, time.Hour},
		{bodyRun - 1, time.Hour},
		{bodyRun, time.Hour + bodyShare},
		{2*bodyRun - 1, time.Hour + bodyShare},
		{10_000_000, time.Hour + maxBodyShare},
	} {
		it := &task{Item: &Item{Piece: Piece{Index: tt.index}}, received: time.Hour}
		require.Equal(t, tt.want, it.place(), tt.index)
	}
}

// TestDueItems: what is due again goes in order of arrival, and nothing is passed
// over by what is due later.
func TestDueItems(t *testing.T) {
	var d dueItems
	take := func(n int) (ids []ItemID) {
		for range n {
			ids = append(ids, d.next().id)
		}
		return ids
	}
	for _, id := range []ItemID{7, 3, 9, 5} {
		d.push(entry{id: id})
	}
	require.Equal(t, []ItemID{3, 5}, take(2))
	for _, id := range []ItemID{8, 1, 2} {
		d.push(entry{id: id})
	}
	require.Equal(t, []ItemID{7, 9}, take(2), "of the round that goes on")
	require.Equal(t, []ItemID{1, 2, 8}, take(3))
	require.Zero(t, d.len())

	for i := range 3 * maxRound {
		d.push(entry{id: ItemID(3*maxRound - i)})
	}
	require.Equal(t, ItemID(2*maxRound+1), take(1)[0], "a round is bounded")
}
