package backfill_test

import (
	"fmt"

	"github.com/garminkit/activityapi/backfill"
	"github.com/garminkit/activityapi/types"
)

func ExampleKinds() {
	fmt.Println(backfill.Kinds())
	// Output: [activities activityDetails moveIQActivities]
}

// The history of activities brings files too, and there is none of manual
// activities.
func ExampleKindOf() {
	for _, k := range types.Kinds() {
		history, ok := backfill.KindOf(k)
		if !ok {
			fmt.Println(k, "have no history")
			continue
		}
		fmt.Println(k, "come with", history)
	}
	// Output:
	// activities come with activities
	// manuallyUpdatedActivities have no history
	// activityDetails come with activityDetails
	// activityFiles come with activities
	// moveIQActivities come with moveIQActivities
}
