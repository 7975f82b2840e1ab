package backoff_test

import (
	"context"
	"math"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/garminkit/activityapi/internal/backoff"
)

func TestWait(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		failures    int
		least, most time.Duration
		want        time.Duration // the longest
	}{
		{0, time.Second, time.Minute, time.Second},
		{1, time.Second, time.Minute, time.Second},
		{2, time.Second, time.Minute, 2 * time.Second},
		{6, time.Second, time.Minute, 32 * time.Second},
		{7, time.Second, time.Minute, time.Minute},
		{math.MaxInt, time.Second, time.Minute, time.Minute},
		{math.MinInt, time.Second, time.Minute, time.Second},
		{40, time.Hour, math.MaxInt64, math.MaxInt64},
		{3, time.Minute, time.Second, time.Second},
		{1, 0, time.Second, 0},
		{1, time.Second, 0, 0},
	} {
		lowest, highest := time.Duration(math.MaxInt64), time.Duration(-1)
		for range 1000 {
			d := backoff.Wait(test.failures, test.least, test.most)
			lowest, highest = min(lowest, d), max(highest, d)
		}
		require.GreaterOrEqual(t, lowest, test.want/2, "%+v", test)
		require.LessOrEqual(t, highest, test.want, "%+v", test)
		require.LessOrEqual(t, lowest, test.want/2+test.want/10, "%+v: no chance", test)
		require.GreaterOrEqual(t, highest, test.want-test.want/10, "%+v: no chance", test)
	}
}

func TestSleep(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		require.NoError(t, backoff.Sleep(t.Context(), time.Minute))
		require.Equal(t, time.Minute, time.Since(start))
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		require.ErrorIs(t, backoff.Sleep(ctx, time.Hour), context.DeadlineExceeded)
		require.Equal(t, time.Minute+time.Second, time.Since(start))
	})
}
