package spool

import (
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/garminkit/activityapi/notify"
)

// TestSettleForgotten: whatever the order in which attempts end, Settle reads each body
// once, also if so many items were handed out that none is remembered.
func TestSettleForgotten(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(1, 2))
	d := newDisk()
	s := openDisk(t, d)
	h := only(t, s)
	size := 0
	for _, items := range []int{400, 900, 300, 400, 1000, 500, 700, 400} {
		body := drawnBody(rng, items, 50)
		size += len(body)
		require.NoError(t, s.Put(t.Context(), strings.NewReader(body)))
	}
	var verdicts []notify.Verdict
	for _, it := range scanAll(t, s, h) {
		if rng.IntN(4) > 0 {
			verdicts = append(verdicts, notify.Verdict{ID: it.ID, Fate: notify.Done})
		}
	}
	require.Greater(t, len(verdicts), 3000)
	rng.Shuffle(len(verdicts), func(i, j int) { verdicts[i], verdicts[j] = verdicts[j], verdicts[i] })
	for _, v := range verdicts {
		s.known.remove(v.ID)
	}
	read := 0
	d.mu.Lock()
	d.fault = func(o op) (int, error) {
		if o.kind == "read" {
			read += o.size
		}
		return 0, nil
	}
	d.mu.Unlock()
	require.NoError(t, h.Settle(t.Context(), verdicts))
	d.mu.Lock()
	d.fault = nil
	d.mu.Unlock()
	// A reader of the log reads ahead, and goes back to where it knows a record begins.
	require.Less(t, read, 2*size)
	require.NoError(t, s.Close())
}
