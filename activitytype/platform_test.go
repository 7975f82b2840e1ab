package activitytype

import (
	"fmt"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
)

// complete reports what a platform's tables lack or have twice. all are the
// platform's values, or nil if they cannot be counted.
func complete[V comparable](p *platform[V], all []V) []string {
	var faults []string
	seen := map[Type]int{}
	for _, list := range [][]pair[V]{p.exact, p.to} {
		for _, e := range list {
			seen[e.typ]++
		}
	}
	for t := range All() {
		if t == t.Canonical() && seen[t] != 1 {
			faults = append(faults, fmt.Sprintf("%s is there %d times", t, seen[t]))
		}
	}
	for t := range seen {
		if t != t.Canonical() {
			faults = append(faults, fmt.Sprintf("%s is not canonical", t))
		}
	}
	values := map[V]int{}
	for _, list := range [][]pair[V]{p.exact, p.from} {
		for _, e := range list {
			values[e.value]++
			if e.typ != e.typ.Canonical() {
				faults = append(faults, fmt.Sprintf("%s is not canonical", e.typ))
			}
		}
	}
	for v, n := range values {
		if n != 1 || all != nil && !slices.Contains(all, v) {
			faults = append(faults, fmt.Sprintf("%v is there %d times, and may be foreign", v, n))
		}
	}
	for _, v := range all {
		if values[v] == 0 {
			faults = append(faults, fmt.Sprintf("%v is missing", v))
		}
	}
	// What types are turned into must itself be a value that leads somewhere.
	for _, e := range p.to {
		if values[e.value] == 0 {
			faults = append(faults, fmt.Sprintf("%s becomes %v, which leads nowhere", e.typ, e.value))
		}
	}
	return faults
}

func numbered(n names) []string {
	var all []string
	for _, e := range n {
		all = append(all, e.name)
	}
	return all
}

func TestPlatformsAreTotal(t *testing.T) {
	t.Parallel()
	sports := []string{
		"AlpineSki", "BackcountrySki", "Badminton", "Basketball", "Canoeing", "Cricket", "Crossfit", "Dance",
		"EBikeRide", "Elliptical", "EMountainBikeRide", "Golf", "GravelRide", "Handcycle",
		"HighIntensityIntervalTraining", "Hike", "IceSkate", "InlineSkate", "Kayaking", "Kitesurf",
		"MountainBikeRide", "NordicSki", "Padel", "PhysicalTherapy", "Pickleball", "Pilates", "Racquetball", "Ride",
		"RockClimbing", "RollerSki", "Rowing", "Run", "Sail", "Skateboard", "Snowboard", "Snowshoe", "Soccer",
		"Squash", "StairStepper", "StandUpPaddling", "Surfing", "Swim", "TableTennis", "Tennis", "TrailRun",
		"Velomobile", "VirtualRide", "VirtualRow", "VirtualRun", "Volleyball", "Walk", "WeightTraining",
		"Wheelchair", "Windsurf", "Workout", "Yoga",
	}
	workouts := []string{
		"swim", "bike", "run", "walk", "mtb", "xc-ski", "rowing", "brick", "x-train", "race", "day off", "strength",
		"custom", "other",
	}
	require.Empty(t, complete(&strava, sports))
	require.Empty(t, complete(&trainingPeaks, workouts))
	require.Empty(t, complete(&healthKit, numbered(healthKitNames)))
	require.Empty(t, complete(&healthConnect, numbered(healthConnectNames)))
	require.Empty(t, complete(&fit, nil))
	// Each sport of the FIT profile, with no sub-sport, has a type of its own
	// meaning or a nearest one.
	absent := []uint8{50, 51, 52, 54, 55, 57, 60, 61} // not in the profile
	for sport := range uint8(89) {
		_, _, ok := fit.typ(FIT{Sport: sport})
		known := ok || slices.ContainsFunc(fit.exact, func(p pair[FIT]) bool { return p.value.Sport == sport })
		require.Equal(t, !slices.Contains(absent, sport), known, sport)
	}
}

func TestCompleteCatches(t *testing.T) {
	t.Parallel()
	all := []string{"Ride", "Rest", "Row"}
	p := platform[string]{from: []pair[string]{{Cycling, "Row"}}}
	for t := range All() {
		if t == t.Canonical() && t != Running {
			p.to = append(p.to, pair[string]{t, "Row"})
		}
	}
	p.exact = []pair[string]{{TennisV2, "Ride"}, {Cycling, "Ride"}}
	p.to[0].value = "Rowing"
	require.ElementsMatch(t, []string{
		"RUNNING is there 0 times",
		"CYCLING is there 2 times",
		"TENNIS_V2 is not canonical",
		"TENNIS_V2 is not canonical",
		"Ride is there 2 times, and may be foreign",
		"Rest is missing",
		"INDOOR_RUNNING becomes Rowing, which leads nowhere",
	}, complete(&p, all))
}
