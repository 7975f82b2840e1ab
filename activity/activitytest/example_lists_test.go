package activitytest_test

import (
	"fmt"

	"github.com/garminkit/activityapi/activity/activitytest"
)

// No client may dial any of these.
func ExampleHostileCallbacks() {
	urls := activitytest.HostileCallbacks("https://apis.garmin.com")
	fmt.Println(urls[0])
	// Output: http://169.254.169.254/latest/meta-data/
}

func ExampleQuirks() {
	for _, q := range activitytest.Quirks()[:3] {
		fmt.Println(q)
	}
	// Output:
	// details-other-id
	// id-as-string
	// id-as-number
}
