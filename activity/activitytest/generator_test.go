package activitytest_test

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/garminkit/activityapi/activity/activitytest"
	"github.com/garminkit/activityapi/activitytype"
	"github.com/garminkit/activityapi/types"
)

// manual stands for a workout that was typed in, among the sports of these tests.
const manual activitytype.Type = "manual"

var sports = []activitytype.Type{
	activitytype.Running, activitytype.RoadBiking, activitytype.IndoorCycling, activitytype.LapSwimming, activitytype.OpenWaterSwimming,
	activitytype.Walking, activitytype.StrengthTraining, activitytype.WheelchairPushRun, activitytype.MultiSport, manual,
}

func activities(g *activitytest.Generator, sport activitytype.Type, start time.Time) []*types.Activity {
	if sport == manual {
		g.Manual = true
		defer func() { g.Manual = false }()
		sport = activitytype.Running
	}
	return g.Activities(sport, start)
}

// TestGeneratorTypes: each of Garmin's types can be made, with a file of each kind,
// and so can one that nobody knows.
func TestGeneratorTypes(t *testing.T) {
	g := activitytest.NewGenerator(1)
	start := time.Date(2026, 11, 1, 8, 0, 0, 0, time.UTC)
	for kind := range activitytype.All() {
		a := g.Activities(kind, start)[0]
		a.DurationInSeconds = 60
		if kind != activitytype.MultiSport {
			require.Equal(t, kind, a.ActivityType)
		}
		for _, fileType := range []string{"FIT", "TCX", "GPX"} {
			_, content := g.File(fileType, g.Details(a))
			require.NotEmpty(t, content, kind)
		}
	}
	require.Equal(t, activitytype.Type("KITE_KNITTING"), g.Activities("KITE_KNITTING", start)[0].ActivityType)
	require.NotNil(t, g.Activities(activitytype.TreadmillRunning, start)[0].Steps)
	require.NotNil(t, g.Activities(activitytype.MountainBiking, start)[0].AverageBikeCadenceInRoundsPerMinute)
}

func TestGeneratorIsSeeded(t *testing.T) {
	start := time.Date(2026, 11, 1, 8, 0, 0, 0, time.UTC)
	all := func(seed uint64) string {
		g := activitytest.NewGenerator(seed)
		var v []any
		for _, sport := range sports {
			for _, a := range activities(g, sport, start) {
				d := g.Details(a)
				f, content := g.File("FIT", d)
				v = append(v, a, d, f, content, g.Edit(a), g.MoveIQ(start))
			}
		}
		b, err := json.Marshal(v)
		require.NoError(t, err)
		return string(b)
	}
	one, again := all(1), all(1)
	require.Equal(t, one, again)
	require.NotEqual(t, all(1), all(2))
}

// TestGeneratorFitsTogether holds what must be true of a realistic activity.
func TestGeneratorFitsTogether(t *testing.T) {
	g := activitytest.NewGenerator(7)
	start := time.Date(2026, 11, 1, 8, 0, 0, 0, time.UTC)
	ids := make(map[types.ID]bool)
	orders := make(map[int]bool)
	for range 60 {
		for _, sport := range sports {
			list := activities(g, sport, start)
			var parent *types.Activity
			for i, a := range list {
				if a.IsParent {
					parent = a
					orders[i] = true
				}
			}
			require.Equal(t, sport == activitytype.MultiSport, parent != nil)
			for _, a := range list {
				require.False(t, ids[a.SummaryID], "ids are unique")
				ids[a.SummaryID] = true
				require.True(t, a.ActivityType.Known(), a.ActivityType)
				require.Positive(t, a.DurationInSeconds)
				require.Equal(t, sport == activitytype.WheelchairPushRun, a.Pushes != nil)
				if parent != nil && a != parent {
					require.Equal(t, parent.SummaryID, a.ParentSummaryID)
				}
				if a.AverageHeartRateInBeatsPerMinute != nil {
					require.Greater(t, *a.MaxHeartRateInBeatsPerMinute, float64(*a.AverageHeartRateInBeatsPerMinute))
				}
				if a.AverageSpeedInMetersPerSecond != nil {
					require.InEpsilon(t, *a.AverageSpeedInMetersPerSecond*float64(a.DurationInSeconds), *a.DistanceInMeters, .05)
					require.InEpsilon(t, 1000/60 / *a.AverageSpeedInMetersPerSecond, *a.AveragePaceInMinutesPerKilometer, 1e-9)
				}
			}
		}
	}
	require.Greater(t, len(orders), 3, "the parent comes anywhere")
}

func TestDetails(t *testing.T) {
	g := activitytest.NewGenerator(3)
	a := g.Activities(activitytype.Running, time.Date(2026, 11, 1, 8, 0, 0, 0, time.UTC))[0]
	d := g.Details(a)
	require.Equal(t, a.SummaryID, d.ID().Stem())
	require.NotEmpty(t, d.Laps)
	last := d.Samples[len(d.Samples)-1]
	require.InDelta(t, *a.DistanceInMeters, *last.TotalDistanceInMeters, 1e-9)
	require.Equal(t, a.DurationInSeconds, *last.MovingDurationInSeconds)

	swim := g.Details(g.Activities(activitytype.LapSwimming, time.Now())[0])
	require.Nil(t, swim.Samples[0].SpeedMetersPerSecond)
	require.Nil(t, swim.Samples[0].LatitudeInDegree)
	require.Empty(t, g.Details(activities(g, manual, time.Now())[0]).Samples)
}

func TestFillHistory(t *testing.T) {
	fake := newServer(t)
	u := fake.AddUser(nil)
	now := time.Now()
	u.FillHistory(activitytest.NewGenerator(1), types.Window{Start: now.AddDate(-1, 0, 0), End: now})
	require.Greater(t, u.State().Records[types.KindActivities], 200)
	require.Greater(t, u.State().Records[types.KindMoveIQ], 50)
	require.Zero(t, fake.State().Pending)
	u.Sync(activitytest.NewGenerator(2), activitytype.MultiSport, now)
	require.Equal(t, 6+6+6, fake.State().Pending)
}
