package postgres

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/garminkit/activityapi/notify"
)

func TestEffects(t *testing.T) {
	t.Parallel()
	done := notify.Verdict{ID: 1, Fate: notify.Done}
	bury := notify.Verdict{ID: 1, Fate: notify.Buried, Letter: new(notify.DeadLetter)}
	again := func(n int) notify.Verdict { return notify.Verdict{ID: 1, Fate: notify.Again, Attempts: n} }
	for _, c := range []struct {
		verdicts            []notify.Verdict
		again, done, buried int
	}{
		{nil, 0, 0, 0},
		{[]notify.Verdict{done, bury, again(1)}, 0, 1, 0},
		{[]notify.Verdict{bury, done, again(1), bury}, 0, 0, 1},
		{[]notify.Verdict{again(1), bury, done}, 0, 0, 1},
		{[]notify.Verdict{again(1), again(7)}, 1, 0, 0},
	} {
		e, err := effects(c.verdicts)
		require.NoError(t, err)
		require.Equal(t, []int{c.again, c.done, c.buried}, []int{len(e.again), len(e.done), len(e.buried)}, fmt.Sprint(c.verdicts))
		if c.again == 1 {
			require.Equal(t, 7, e.again[0].Attempts, "the last is remembered")
		}
	}
	for _, v := range []notify.Verdict{{ID: 1}, {ID: 1, Fate: 4}, {ID: 1, Fate: notify.Buried}} {
		_, err := effects([]notify.Verdict{v})
		require.Error(t, err)
	}
}
