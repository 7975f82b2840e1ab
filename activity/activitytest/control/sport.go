package control

import (
	"errors"

	"github.com/garminkit/activityapi/activity/activitytest"
	"github.com/garminkit/activityapi/activitytype"
)

// sports are the names by which workouts are asked for. "manual" is one that the
// user has typed in.
var sports = map[string]activitytype.Type{
	"run": activitytype.Running, "ride": activitytype.RoadBiking, "indoor-ride": activitytype.IndoorCycling,
	"pool-swim": activitytype.LapSwimming, "open-swim": activitytype.OpenWaterSwimming, "walk": activitytype.Walking,
	"strength": activitytype.StrengthTraining, "wheelchair": activitytype.WheelchairPushRun,
	"triathlon": activitytype.MultiSport, "manual": activitytype.Running,
}

// generator returns a generator, and the type of the workout that a name asks for,
// or "" for any.
func generator(seed uint64, sport string) (*activitytest.Generator, activitytype.Type, error) {
	g := activitytest.NewGenerator(seed)
	if sport == "" {
		return g, "", nil
	}
	t, ok := sports[sport]
	if !ok {
		return nil, "", errors.New("no such sport")
	}
	g.Manual = sport == "manual"
	return g, t, nil
}
