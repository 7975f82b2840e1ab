package resource_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/garminkit/activityapi/internal/resource"
	"github.com/garminkit/activityapi/types"
)

func TestOf(t *testing.T) {
	t.Parallel()
	want := map[types.Kind]string{
		"activities":                "activities",
		"manuallyUpdatedActivities": "manuallyUpdatedActivities",
		"activityDetails":           "activityDetails",
		"activityFiles":             "activityFile",
		"moveIQActivities":          "moveiq",
	}
	for _, k := range types.Kinds() {
		require.Equal(t, want[k], resource.Of(k), k)
	}
	for _, k := range []types.Kind{"", "dailies", "Activities", "activityFile", "moveiq", types.KindDeregistrations} {
		require.Empty(t, resource.Of(k), k)
	}
}
