package activitytype_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/garminkit/activityapi/activitytype"
)

// thereAndBack is one platform, with its values as text.
type thereAndBack struct {
	name string
	to   func(activitytype.Type) (string, bool)
	// back leads back from what to returned last.
	back func(activitytype.Type) (activitytype.Type, bool)
}

func platforms() []thereAndBack {
	return []thereAndBack{
		of("Strava", activitytype.Type.Strava, activitytype.FromStrava),
		of("TrainingPeaks", activitytype.Type.TrainingPeaks, activitytype.FromTrainingPeaks),
		of("HealthKit", activitytype.Type.HealthKit, activitytype.FromHealthKit),
		of("HealthConnect", activitytype.Type.HealthConnect, activitytype.FromHealthConnect),
		of("FIT", activitytype.Type.FIT, activitytype.FromFIT),
	}
}

func of[V any](name string, to func(activitytype.Type) (V, bool), from func(V) (activitytype.Type, bool)) thereAndBack {
	return thereAndBack{
		name: name,
		to: func(t activitytype.Type) (string, bool) {
			v, exact := to(t)
			if f, ok := any(v).(activitytype.FIT); ok {
				return fmt.Sprintf("%d/%d", f.Sport, f.SubSport), exact
			}
			return fmt.Sprint(v), exact
		},
		back: func(t activitytype.Type) (activitytype.Type, bool) {
			v, _ := to(t)
			return from(v)
		},
	}
}

// An exact value leads back to the canonical type, and says so; another says
// that it is not exact, in at least one direction.
func TestRoundTripsWhereExact(t *testing.T) {
	t.Parallel()
	for _, p := range platforms() {
		exacts := 0
		for typ := range activitytype.All() {
			value, exact := p.to(typ)
			require.NotEmpty(t, value, "%s %s", p.name, typ)
			require.NotEqual(t, "-1", value, "%s %s", p.name, typ)
			back, backExact := p.back(typ)
			require.True(t, back.Known(), "%s %s", p.name, typ)
			if exact {
				exacts++
				require.Equal(t, typ.Canonical(), back, "%s of %s", p.name, typ)
				require.True(t, backExact, "%s of %s", p.name, typ)
			} else {
				require.False(t, backExact && back == typ.Canonical(), "%s of %s is exact after all", p.name, typ)
			}
			lower, lowerExact := p.to(activitytype.Type(strings.ToLower(string(typ))))
			require.Equal(t, value, lower, typ)
			require.Equal(t, exact, lowerExact, typ)
		}
		require.Greater(t, exacts, 7, p.name)
	}
}

func TestPlatformValues(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		typ  activitytype.Type
		want string // Strava, TrainingPeaks, HealthKit, HealthConnect, FIT; ~ is not exact
	}{
		{"RUNNING", "Run run HKWorkoutActivityTypeRunning EXERCISE_TYPE_RUNNING 1/0"},
		{"Running", "Run run HKWorkoutActivityTypeRunning EXERCISE_TYPE_RUNNING 1/0"},
		{"TRAIL_RUNNING", "TrailRun ~run ~HKWorkoutActivityTypeRunning ~EXERCISE_TYPE_RUNNING 1/3"},
		{"TREADMILL_RUNNING", "~Run ~run ~HKWorkoutActivityTypeRunning EXERCISE_TYPE_RUNNING_TREADMILL 1/1"},
		{"ROAD_BIKING", "~Ride ~bike ~HKWorkoutActivityTypeCycling ~EXERCISE_TYPE_BIKING 2/7"},
		{"MOUNTAIN_BIKING", "MountainBikeRide mtb ~HKWorkoutActivityTypeCycling ~EXERCISE_TYPE_BIKING 2/8"},
		{"E_BIKE_MOUNTAIN", "EMountainBikeRide ~mtb ~HKWorkoutActivityTypeCycling ~EXERCISE_TYPE_BIKING 21/47"},
		{"LAP_SWIMMING", "~Swim ~swim ~HKWorkoutActivityTypeSwimming EXERCISE_TYPE_SWIMMING_POOL 5/17"},
		{"KAYAKING_V2", "Kayaking ~other ~HKWorkoutActivityTypePaddleSports ~EXERCISE_TYPE_PADDLING 41/0"},
		{"CROSS_COUNTRY_SKIING_WS", "~NordicSki ~xc-ski ~HKWorkoutActivityTypeCrossCountrySkiing ~EXERCISE_TYPE_SKIING 12/0"},
		{"SKATE_SKIING", "~NordicSki ~xc-ski ~HKWorkoutActivityTypeCrossCountrySkiing ~EXERCISE_TYPE_SKIING 12/42"},
		{"PADDELBALL", "Padel ~other ~HKWorkoutActivityTypeOther ~EXERCISE_TYPE_OTHER_WORKOUT 64/85"},
		{"MULTI_SPORT", "~Workout ~brick ~HKWorkoutActivityTypeSwimBikeRun ~EXERCISE_TYPE_OTHER_WORKOUT 18/0"},
		{"SWIMTOBIKETRANSITION", "~Workout ~other ~HKWorkoutActivityTypeTransition ~EXERCISE_TYPE_OTHER_WORKOUT 3/34"},
		{"WHEELCHAIR_PUSH_RUN", "~Wheelchair ~other HKWorkoutActivityTypeWheelchairRunPace ~EXERCISE_TYPE_WHEELCHAIR 66/0"},
		{"OTHER", "Workout other HKWorkoutActivityTypeOther EXERCISE_TYPE_OTHER_WORKOUT 0/0"},
		{"UNCATEGORIZED", "~Workout ~other ~HKWorkoutActivityTypeOther ~EXERCISE_TYPE_OTHER_WORKOUT ~0/0"},
		// Types that Garmin may add.
		{"MOON_RUNNING_V3", "~Run ~run ~HKWorkoutActivityTypeRunning ~EXERCISE_TYPE_RUNNING ~1/0"},
		{"Cargo Biking", "~Ride ~bike ~HKWorkoutActivityTypeCycling ~EXERCISE_TYPE_BIKING ~2/0"},
		{"RUN_TO_SWIM_TRANSITION", "~Workout ~other ~HKWorkoutActivityTypeTransition ~EXERCISE_TYPE_OTHER_WORKOUT ~3/0"},
		{"DRUNKING", "~Workout ~other ~HKWorkoutActivityTypeOther ~EXERCISE_TYPE_OTHER_WORKOUT ~0/0"},
		{"", "~Workout ~other ~HKWorkoutActivityTypeOther ~EXERCISE_TYPE_OTHER_WORKOUT ~0/0"},
		{"\xff_\x00", "~Workout ~other ~HKWorkoutActivityTypeOther ~EXERCISE_TYPE_OTHER_WORKOUT ~0/0"},
	} {
		var got []string
		for _, p := range platforms() {
			value, exact := p.to(tt.typ)
			if !exact {
				value = "~" + value
			}
			got = append(got, value)
		}
		require.Equal(t, tt.want, strings.Join(got, " "), tt.typ)
	}
}

// Each group that Garmin lists has a generic type, which an unknown member of
// the group becomes.
func TestUnknownTypesBecomeTheirGroup(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		typ  activitytype.Type
		want activitytype.Group
	}{
		{"SAND_RUN", activitytype.GroupRunning},
		{"CARGO_RIDE", activitytype.GroupCycling},
		{"FUNCTIONAL_TRAINING", activitytype.GroupGym},
		{"ICE_SWIM", activitytype.GroupSwimming},
		{"DOG_WALK", activitytype.GroupWalking},
		{"NIGHT_HIKE", activitytype.GroupHiking},
		{"SKI_MO_SKI", activitytype.GroupWinter},
		{"WHITE_WATER_CANOEING", activitytype.GroupWater},
		{"RUN_TO_SWIM_TRANSITION", activitytype.GroupTransition},
		{"GAELIC_FOOTBALL", activitytype.GroupTeam},
		{"BEACH_TENNIS", activitytype.GroupRacket},
		{"PARA_ARCHERY", activitytype.GroupPara},
		{"INDOOR_MULTISPORT", activitytype.GroupMultisport},
		{"FALCONRY", activitytype.GroupOther},
	} {
		require.False(t, tt.typ.Known(), tt.typ)
		f, exact := tt.typ.FIT()
		require.False(t, exact)
		back, _ := activitytype.FromFIT(f)
		require.Equal(t, tt.want, back.Group(), tt.typ)
	}
}

func TestForeignValues(t *testing.T) {
	t.Parallel()
	type result struct {
		typ   activitytype.Type
		exact bool
	}
	call := func(t activitytype.Type, exact bool) result { return result{t, exact} }
	for _, tt := range []struct {
		name      string
		got, want result
	}{
		{"TrainingPeaks writes capitals too", call(activitytype.FromTrainingPeaks("Bike")), result{"CYCLING", true}},
		{"a sport of Strava that Garmin has not", call(activitytype.FromStrava("Velomobile")), result{"RECUMBENT_CYCLING", false}},
		{"a sport that Strava adds", call(activitytype.FromStrava("Falconry")), result{"OTHER", false}},
		{"nothing", call(activitytype.FromStrava("")), result{"OTHER", false}},
		{"number 81 of HealthKit is not published", call(activitytype.FromHealthKit(81)), result{"OTHER", false}},
		{"a negative number", call(activitytype.FromHealthKit(-1)), result{"OTHER", false}},
		{"zero is none of HealthKit's", call(activitytype.FromHealthKit(0)), result{"OTHER", false}},
		{"zero is Health Connect's other workout", call(activitytype.FromHealthConnect(0)), result{"OTHER", true}},
		{"an unknown number of Health Connect", call(activitytype.FromHealthConnect(1)), result{"OTHER", false}},
		{"FIT without a sub-sport", call(activitytype.FromFIT(activitytype.FIT{Sport: 1, SubSport: 255})), result{"RUNNING", true}},
		{"FIT with a sub-sport of another sport", call(activitytype.FromFIT(activitytype.FIT{Sport: 1, SubSport: 7})), result{"RUNNING", false}},
		{"a treadmill as fitness equipment", call(activitytype.FromFIT(activitytype.FIT{Sport: 4, SubSport: 1})), result{"TREADMILL_RUNNING", false}},
		{"hockey on anything", call(activitytype.FromFIT(activitytype.FIT{Sport: 73, SubSport: 0})), result{"FIELD_HOCKEY", false}},
		{"a sport that FIT adds", call(activitytype.FromFIT(activitytype.FIT{Sport: 200, SubSport: 3})), result{"OTHER", false}},
		{"an invalid sport", call(activitytype.FromFIT(activitytype.FIT{Sport: 255, SubSport: 255})), result{"OTHER", false}},
	} {
		require.Equal(t, tt.want, tt.got, tt.name)
	}
	require.Equal(t, "81", activitytype.HealthKit(81).String())
	require.Equal(t, "7", activitytype.HealthConnect(7).String())
}

func TestEveryFITPairHasAType(t *testing.T) {
	t.Parallel()
	for sport := range 256 {
		for sub := range 256 {
			f := activitytype.FIT{Sport: uint8(sport), SubSport: uint8(sub)}
			typ, exact := activitytype.FromFIT(f)
			require.True(t, typ.Known(), f)
			if exact && sub != 255 {
				again, ok := typ.FIT()
				require.True(t, ok, f)
				require.Equal(t, f, again)
			}
		}
	}
}
