package notify_test

import (
	"context"
	"errors"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/garminkit/activityapi/notify"
	"github.com/garminkit/activityapi/types"
)

// TestProcessorWithoutQueue: it makes attempts and does not run. An item of nothing is
// an error, not a panic.
func TestProcessorWithoutQueue(t *testing.T) {
	t.Parallel()
	saved := 0
	p, err := notify.NewProcessor(nil, func(context.Context, types.UserID) ([]notify.User, error) {
		return []notify.User{{ID: "1"}}, nil
	}, notify.Callbacks{
		Save:             func(context.Context, *notify.Delivery, types.Summary) error { saved++; return nil },
		Deregistration:   func(context.Context, *notify.Delivery, *notify.Deregistration) error { return nil },
		PermissionChange: func(context.Context, *notify.Delivery, *notify.PermissionChange) error { return nil },
	}, nil)
	require.NoError(t, err)
	require.ErrorContains(t, p.Run(t.Context()), "no queue")
	require.NoError(t, p.Attempt(t.Context(), &notify.Item{Piece: notify.Piece{Key: "activities"}, Raw: []byte(`{"userId":"u","summaryId":"1"}`)}))
	require.Equal(t, 1, saved)
	for _, raw := range []string{`{}`, `null`} {
		err := p.Attempt(t.Context(), &notify.Item{Piece: notify.Piece{Key: "activities"}, Raw: []byte(raw)})
		f, ok := errors.AsType[notify.Failure](err)
		require.True(t, ok, err)
		require.Equal(t, types.FaultItem, f.Fault())
	}
	require.NoError(t, p.Close())
}
