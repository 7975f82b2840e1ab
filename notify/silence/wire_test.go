package silence_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/garminkit/activityapi/internal/memqueue"
	"github.com/garminkit/activityapi/notify"
	"github.com/garminkit/activityapi/types"
)

// What comes through a processor for users whom the partner has is heard, and
// what strangers send for anybody else is not.
func TestOnlyTheirOwn(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := newDetector(t, nil)
		q := memqueue.NewMemory()
		defer q.Close()
		users := func(_ context.Context, id types.UserID) ([]notify.User, error) {
			if id == "ours" {
				return []notify.User{{ID: "1"}}, nil
			}
			return nil, nil
		}
		saved := 0
		p, err := notify.NewProcessor(q, users, d.Wrap(notify.Callbacks{
			Save:             func(context.Context, *notify.Delivery, types.Summary) error { saved++; return nil },
			Deregistration:   func(context.Context, *notify.Delivery, *notify.Deregistration) error { return nil },
			PermissionChange: func(context.Context, *notify.Delivery, *notify.PermissionChange) error { return nil },
		}), &notify.ProcessorOptions{Observe: d.Observe})
		require.NoError(t, err)
		ctx, stop := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- p.Run(ctx) }()
		for i := range 100 {
			who := fmt.Sprintf("stranger%d", i)
			if i%10 == 0 {
				who = "ours"
			}
			require.NoError(t, q.Put(ctx, strings.NewReader(fmt.Sprintf(
				`{"activities":[{"userId":%q,"summaryId":"s%d","activityId":%d,"activityType":"RUNNING","startTimeInSeconds":1700000000,"startTimeOffsetInSeconds":0,"durationInSeconds":60}],
				"deregistrations":[{"userId":"gone%d"}],
				"activityFiles":[{"userId":%q,"summaryId":"f%d","fileType":"FIT","callbackURL":"https://me.example.com/f"}]}`, who, i, i+1, i, who, i))))
			d.Check(time.Now())
		}
		time.Sleep(time.Hour)
		stop()
		require.NoError(t, <-done)
		require.Equal(t, 10, saved)
		require.Equal(t, 1, d.Users())
		for s := range d.All() {
			t.Errorf("said: %v", s)
		}
	})
}
