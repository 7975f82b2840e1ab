package notify_test

import (
	"context"
	"runtime"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/garminkit/activityapi/notify"
	"github.com/garminkit/activityapi/types"
)

// TestUntilTheDeadline: an item is tried again and again until its deadline, and no
// longer.
func TestUntilTheDeadline(t *testing.T) {
	runFaults(t, []fault{
		{"always ends its goroutine", "a letter at the deadline, as after any other failure", goexitUntilDeadline},
		{"deadline of seconds", "more than the first attempt and the last", shortDeadline},
		{"permission change fails", "the user's deregistration does not wait for it, nor a permission change for that", accountsFail},
	})
}

func goexitUntilDeadline(t *testing.T) {
	r := newRig(t, nil)
	calls := 0
	r.calls.Save = func(context.Context, *notify.Delivery, types.Summary) error {
		calls++
		runtime.Goexit()
		return nil
	}
	r.start()
	r.put(push("u", "1"))
	pass(8 * 24 * time.Hour)
	n := calls
	pass(24 * time.Hour)
	r.finish()
	require.Equal(t, n, calls)
	require.Len(t, r.letters(), 1)
	require.Contains(t, r.letters()[0].Reason, "a callback ended the goroutine")
	require.Equal(t, calls, r.letters()[0].Attempts)
	require.Equal(t, 1, r.count(notify.ResultExpiring))
}

func shortDeadline(t *testing.T) {
	for _, d := range []time.Duration{10 * time.Second, 30 * time.Second, time.Minute, 2 * time.Minute} {
		r := newRig(t, nil)
		r.opts.PushDeadline = d
		calls := 0
		r.calls.Save = func(context.Context, *notify.Delivery, types.Summary) error {
			calls++
			return errBoom
		}
		r.start()
		r.put(push("u", "1"))
		pass(d - 2*time.Second)
		require.GreaterOrEqual(t, calls, 4, "after all but two seconds of %v", d)
		require.Empty(t, r.letters())
		pass(time.Minute)
		r.finish()
		require.Len(t, r.letters(), 1)
	}
}

func accountsFail(t *testing.T) {
	const left = `{"deregistrations":[{"userId":"u"}]}`
	const change = `{"userPermissionsChange":[{"userId":"u","permissions":[],"changeTimeInSeconds":1700000000}]}`
	for _, order := range [][]string{{change, left}, {left, change}} {
		r := newRig(t, nil)
		calls := map[bool]int{}
		take := func(leaves bool) error {
			if calls[leaves]++; leaves == (order[0] == left) {
				return errBoom
			}
			return nil
		}
		r.calls.Deregistration = func(context.Context, *notify.Delivery, *notify.Deregistration) error { return take(true) }
		r.calls.PermissionChange = func(context.Context, *notify.Delivery, *notify.PermissionChange) error { return take(false) }
		r.start()
		r.put(order[0])
		pass(time.Hour)
		r.put(order[1])
		pass(time.Second)
		require.Equal(t, 1, calls[order[1] == left], "the one behind waits for the one that fails")
		r.finish()
		require.Equal(t, 1, r.left())
	}
}
