package notify_test

import (
	"context"
	"fmt"
	"iter"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/garminkit/activityapi/notify"
	"github.com/garminkit/activityapi/types"
)

// TestParked: who waits for a token is listed with the reason, the longest first,
// and nothing of the URL is in it.
func TestParked(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, garmin{follow: func(_ context.Context, _ types.Kind, url types.Secret) iter.Seq2[types.Summary, error] {
			return yields(fmt.Errorf("of %s: %w %s", string(url), refusal, strings.Repeat("x", 500)))
		}})
		r.calls.File = nil
		p, err := notify.NewProcessor(r.queue, r.users, r.calls, &r.opts)
		require.NoError(t, err)
		require.Empty(t, p.Parked(10), "nothing runs")
		ctx, stop := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- p.Run(ctx) }()
		for i := range 3 {
			r.put(fmt.Sprintf(`{"activities":[{"userId":"u%d","callbackURL":"https://x/activities?token=secret%d"}]}`, i, i))
			time.Sleep(time.Minute)
		}
		all := p.Parked(10)
		require.Len(t, all, 3)
		for i, u := range all {
			require.Equal(t, types.UserID(fmt.Sprint("u", i)), u.UserID)
			require.Equal(t, 1, u.Items)
			require.Positive(t, u.Refusals)
			require.InDelta(t, 3-i, u.Since.Minutes(), 1)
			require.Contains(t, u.Reason, "of ")
			require.NotContains(t, u.Reason, "secret")
			require.Less(t, len(u.Reason), 250)
		}
		require.Len(t, p.Parked(2), 2)
		require.Empty(t, p.Parked(-1))
		stop()
		require.NoError(t, <-done)
	})
}
