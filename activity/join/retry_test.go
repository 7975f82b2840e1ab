package join_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/garminkit/activityapi/activity/join"
	"github.com/garminkit/activityapi/types"
)

// retrying calls f twice for each update, as a store does that compares and retries.
type retrying struct{ join.Store }

func (s retrying) Update(ctx context.Context, key join.Key, f func(*join.Record) bool) error {
	rec, err := s.Load(ctx, key)
	if err != nil {
		return err
	}
	lost := join.Record{}
	if rec != nil {
		lost = *rec
	}
	f(&lost)
	return s.Store.Update(ctx, key, f)
}

// A parent counts every change of a leg, also in a store that calls f again: whoever
// keeps the result with the greater Changes depends on it.
func TestParentCountsInAStoreThatRetries(t *testing.T) {
	t.Parallel()
	joiner := join.New(retrying{join.NewMemory(nil)})
	add := func(d delivery) *join.Joined {
		list, err := joiner.Add(t.Context(), d.item)
		require.NoError(t, err)
		return list[len(list)-1]
	}
	last := add(summaryOf(1000, "9", "", 0, "")) // ahead of the leg
	for order := range uint64(5) {
		parent := add(summaryOf(1+order, "1", "9", float64(order), ""))
		require.Equal(t, types.ID("9"), parent.ID)
		require.Greater(t, parent.Changes, last.Changes, order)
		last = parent
	}
}
