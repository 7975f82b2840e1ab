package silence_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/garminkit/activityapi/notify"
	"github.com/garminkit/activityapi/notify/silence"
	"github.com/garminkit/activityapi/types"
)

// TestApps: of two applications with the same users one stops. It is said of that
// one alone, also by a detector that has learnt before it was saved.
func TestApps(t *testing.T) {
	t.Parallel()
	d, err := silence.New(&silence.Options{Key: "alone"})
	require.NoError(t, err)
	now := time.Date(2026, 6, 1, 0, 0, 0, 0, time.UTC)
	apps := []string{"", "evaluation", "production"}
	n := 0
	minute := func(stopped string) (found []silence.Silence) {
		for _, app := range apps {
			if app == stopped {
				continue
			}
			// Each comes once in a day.
			d.Arrived(types.KindActivities, types.UserID(fmt.Sprint("u", n%1440)).In(app), now)
		}
		n++
		now = now.Add(time.Minute)
		return d.Check(now)
	}
	for range 15 * 24 * 60 {
		require.Empty(t, minute("-"))
	}
	require.Equal(t, 3*1440, d.Users())
	data, err := d.MarshalBinary()
	require.NoError(t, err)
	d, err = silence.New(&silence.Options{Key: "alone"})
	require.NoError(t, err)
	require.NoError(t, d.UnmarshalBinary(data))
	require.Equal(t, 3*1440, d.Users())
	again, err := d.MarshalBinary()
	require.NoError(t, err)
	require.Equal(t, data, again)
	d.Observe(notify.Outcome{Result: notify.ResultOutage, UserID: "@evaluation"})
	d.Observe(notify.Outcome{Result: notify.ResultResumed, UserID: "@production"})

	var found []silence.Silence
	for i := 0; i < 60 && len(found) == 0; i++ {
		found = minute("evaluation")
	}
	require.Len(t, found, 1)
	require.Equal(t, "evaluation", found[0].Key)
	require.Empty(t, found[0].User)
	require.Equal(t, "outage", found[0].Cause)
	require.Equal(t, found, slices.Collect(d.All()))

	d.Forget("u1@evaluation")
	require.Equal(t, 3*1440-1, d.Users())
	d.Told("u1@other", "left") // nobody's
	d.Arrived(types.KindActivities, "@evaluation", now)
	require.Equal(t, 3*1440-1, d.Users())
}
