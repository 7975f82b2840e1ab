package activitytype_test

import (
	"fmt"

	"github.com/garminkit/activityapi/activitytype"
)

func Example() {
	for _, t := range []activitytype.Type{"TRAIL_RUNNING", "ROWING_V2", "Running", "MOON_WALKING"} {
		fmt.Printf("%s: %s, group %q\n", t, t.Name(), t.Group())
	}
	// Output:
	// TRAIL_RUNNING: Trail Running, group "Running"
	// ROWING_V2: Rowing, group "Water Sports"
	// Running: Running, group "Running"
	// MOON_WALKING: MOON_WALKING, group ""
}

func ExampleAll() {
	n := 0
	for t := range activitytype.All() {
		if t.Group() == activitytype.GroupSwimming {
			fmt.Println(t)
		}
		n++
	}
	fmt.Println(n > 130)
	// Output:
	// SWIMMING
	// LAP_SWIMMING
	// OPEN_WATER_SWIMMING
	// true
}

// Compare canonical names: Garmin has two names for some activities.
func ExampleType_Canonical() {
	sent := activitytype.Type("KAYAKING_V2")
	fmt.Println(sent == activitytype.Kayaking)
	fmt.Println(sent.Canonical() == activitytype.Kayaking)
	// Output:
	// false
	// true
}

func ExampleType_Known() {
	fmt.Println(activitytype.Type("Trail_Running").Known())
	fmt.Println(activitytype.Type("MOON_WALKING").Known())
	// Output:
	// true
	// false
}

func ExampleType_Group() {
	t := activitytype.TrailRunning
	if t.Group() == activitytype.GroupRunning {
		fmt.Println(t.Name()) // Trail Running
	}
	fmt.Println(activitytype.GravelCycling.Group())
	fmt.Println(activitytype.VirtualRide.Group() == activitytype.GroupCycling)
	// Output:
	// Trail Running
	// Cycling
	// true
}

func ExampleType_Name() {
	fmt.Println(activitytype.LapSwimming.Name())
	fmt.Println(activitytype.Paddelball.Name())
	// Output:
	// Pool Swimming
	// Padel
}
