package notify_test

import (
	"context"
	"errors"
	"iter"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/garminkit/activityapi/notify"
	"github.com/garminkit/activityapi/types"
)

// TestLeft: the figures tell the time until the first deadline of each class, and
// nothing where nothing waits.
func TestLeft(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, garmin{follow: func(context.Context, types.Kind, types.Secret) iter.Seq2[types.Summary, error] {
			return yields(errors.New("not now"))
		}})
		r.calls.Save = func(context.Context, *notify.Delivery, types.Summary) error { return errors.New("not now") }
		r.opts.PushDeadline = 48 * time.Hour
		queue := r.queue
		p, err := notify.NewProcessor(queue, r.users, notify.Callbacks{Save: r.calls.Save, Deregistration: r.calls.Deregistration, PermissionChange: r.calls.PermissionChange}, &r.opts)
		require.NoError(t, err)
		ctx, stop := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- p.Run(ctx) }()
		r.put(push("p", "1"))
		time.Sleep(time.Hour)
		r.put(push("p", "2"), ping("u", "https://x/y"))
		time.Sleep(time.Hour)
		st := p.Stats()
		require.InDelta(t, 46*time.Hour, st.Classes[notify.ClassPush].Left, float64(2*time.Second))
		require.InDelta(t, (7*24-1)*time.Hour, st.Classes[notify.ClassPull].Left, float64(2*time.Second))
		require.Zero(t, st.Classes[notify.ClassFile].Left)
		stop()
		require.NoError(t, <-done)
	})
}
