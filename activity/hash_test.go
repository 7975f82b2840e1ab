package activity_test

import (
	"crypto/sha256"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/garminkit/activityapi/activity"
	"github.com/garminkit/activityapi/internal/resource"
	"github.com/garminkit/activityapi/types"
)

// A summary's hash is that of the wire, whatever KeepRaw says and however the
// same values are written.
func TestPulledSummariesAreHashed(t *testing.T) {
	t.Parallel()
	const one, two = `{"summaryId":"1", "new": 7}`, `{"summaryId":"1","new":7}`
	sum := func(s types.Summary) [32]byte {
		switch s := s.(type) {
		case *types.Activity:
			return s.SHA256
		case *types.ManualActivity:
			return s.SHA256
		case *types.ActivityDetails:
			return s.SHA256
		case *types.MoveIQ:
			return s.SHA256
		}
		return [32]byte{}
	}
	for _, keep := range []bool{false, true} {
		c, _ := answering(t, 200, "["+one+","+two+"]", nil, activity.Options{KeepRaw: keep})
		for _, kind := range types.Kinds() {
			if kind == types.KindActivityFiles {
				continue
			}
			items, err := collect(c.Follow(t.Context(), kind, types.Secret(base+"/"+resource.Of(kind)+goodPull)))
			require.NoError(t, err)
			require.Len(t, items, 2)
			require.Equal(t, sha256.Sum256([]byte(one)), sum(items[0]))
			require.Equal(t, sha256.Sum256([]byte(two)), sum(items[1]))
		}
	}
}
