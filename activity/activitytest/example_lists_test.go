package activitytest_test

import (
	"fmt"

	"github.com/garminkit/activityapi/activity/activitytest"
)

func ExampleQuirks() {
	for _, q := range activitytest.Quirks()[:3] {
		fmt.Println(q)
	}
	// Output:
	// details-other-id
	// id-as-string
	// id-as-number
}
