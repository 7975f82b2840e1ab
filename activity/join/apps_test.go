package join_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/garminkit/activityapi/activity/join"
	"github.com/garminkit/activityapi/types"
)

// TestAppsNotJoined: the same person under two applications has two activities of one
// name.
func TestAppsNotJoined(t *testing.T) {
	t.Parallel()
	j := join.New(join.NewMemory(nil))
	for i, app := range []string{"", "evaluation"} {
		id := types.UserID("u").In(app)
		all, err := j.Add(t.Context(), join.Item{
			User: id, Order: uint64(i + 1), Revision: "r" + app,
			Summary: &types.Activity{UserID: id, SummaryID: "1", ActivityID: "1"},
		})
		require.NoError(t, err)
		require.Len(t, all, 1)
		require.Equal(t, id, all[0].Summary.UserID)
		all, err = j.Add(t.Context(), join.Item{
			User: id, Order: uint64(i + 11), Revision: "d" + app,
			Summary: &types.ActivityDetails{Summary: types.Activity{UserID: id}, SummaryID: "1-detail", ActivityID: "1"},
		})
		require.NoError(t, err)
		require.Len(t, all, 1)
		require.Equal(t, id, all[0].Summary.UserID, "joined with another's")
	}
}
