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
