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

func ExampleType_Strava() {
	for _, t := range []activitytype.Type{"TRAIL_RUNNING", "ROAD_BIKING", "KAYAKING_V2", "MOON_RUNNING"} {
		sport, exact := t.Strava()
		fmt.Println(t, sport, exact)
	}
	// Output:
	// TRAIL_RUNNING TrailRun true
	// ROAD_BIKING Ride false
	// KAYAKING_V2 Kayaking true
	// MOON_RUNNING Run false
}

func ExampleFromStrava() {
	fmt.Println(activitytype.FromStrava("GravelRide"))
	fmt.Println(activitytype.FromStrava("Velomobile"))
	// Output:
	// GRAVEL_CYCLING true
	// RECUMBENT_CYCLING false
}

func ExampleType_TrainingPeaks() {
	fmt.Println(activitytype.MountainBiking.TrainingPeaks())
	fmt.Println(activitytype.SkateSkiing.TrainingPeaks())
	// Output:
	// mtb true
	// xc-ski false
}

func ExampleFromTrainingPeaks() {
	fmt.Println(activitytype.FromTrainingPeaks("Bike"))
	fmt.Println(activitytype.FromTrainingPeaks("x-train"))
	// Output:
	// CYCLING true
	// INDOOR_CARDIO false
}

func ExampleType_HealthKit() {
	k, exact := activitytype.Handcycling.HealthKit()
	fmt.Println(k, int(k), exact)
	// Output:
	// HKWorkoutActivityTypeHandCycling 74 true
}

func ExampleFromHealthKit() {
	fmt.Println(activitytype.FromHealthKit(37))
	// Output:
	// RUNNING true
}

func ExampleType_HealthConnect() {
	c, exact := activitytype.IndoorRowing.HealthConnect()
	fmt.Println(c, int(c), exact)
	// Output:
	// EXERCISE_TYPE_ROWING_MACHINE 54 true
}

func ExampleFromHealthConnect() {
	fmt.Println(activitytype.FromHealthConnect(61))
	// Output:
	// RESORT_SKIING false
}

func ExampleType_FIT() {
	f, exact := activitytype.TrailRunning.FIT()
	fmt.Println(f.Sport, f.SubSport, exact)
	// Output:
	// 1 3 true
}

func ExampleFromFIT() {
	fmt.Println(activitytype.FromFIT(activitytype.FIT{Sport: 2, SubSport: 46}))
	// Output:
	// GRAVEL_CYCLING true
}
