package backfill_test

import (
	"fmt"

	"github.com/garminkit/activityapi/backfill"
)

// The history of activities brings files too, and there is none of manual
// activities.
func ExampleKinds() {
	fmt.Println(backfill.Kinds())
	// Output: [activities activityDetails moveIQActivities]
}
