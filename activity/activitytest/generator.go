package activitytest

import (
	"cmp"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"github.com/garminkit/activityapi/activitytype"
	"github.com/garminkit/activityapi/types"
)

// Generator makes data like that of devices. Generators with the same seed return
// the same data for the same calls. The figures are consistent: distance is speed
// times time, a maximum is above its average, and values without a sensor are
// absent. It is not safe for concurrent use.
type Generator struct {
	// Manual makes activities that the user has entered by hand: they have no
	// device, no samples and no file.
	Manual bool

	rand   *rand.Rand
	nextID int64
}

// NewGenerator returns a generator. Generators of different seeds make
// different ids.
func NewGenerator(seed uint64) *Generator {
	return &Generator{
		rand:   rand.New(rand.NewPCG(seed, 0x9e3779b97f4a7c15)),
		nextID: 10_000_000_000 + int64(seed%100_000)*10_000_000,
	}
}

// sport is a kind of workout. Each has fields or a shape that the others lack.
type sport string

const (
	sportRun         sport = "run"         // GPS, steps, run cadence
	sportRide        sport = "ride"        // GPS, bike cadence, power
	sportIndoorRide  sport = "indoor-ride" // no GPS, no elevation
	sportPoolSwim    sport = "pool-swim"   // no GPS, lengths
	sportOpenSwim    sport = "open-swim"   // GPS, swim cadence
	sportWalk        sport = "walk"
	sportStrength    sport = "strength"   // no distance at all
	sportWheelchair  sport = "wheelchair" // pushes and push cadence
	sportTriathlon   sport = "triathlon"  // a parent and its five children
	sportManualEntry sport = "manual"     // typed in by the user, without device
)

// sportOf returns the sport that an activity type is most like.
func sportOf(t activitytype.Type) sport {
	for s, p := range profiles {
		if slices.Contains(p.types, t) {
			return s
		}
	}
	text := strings.ToUpper(string(t))
	indoor := strings.Contains(text, "INDOOR") || strings.Contains(text, "VIRTUAL")
	switch t.Group() {
	case activitytype.GroupRunning:
		return sportRun
	case activitytype.GroupCycling:
		if indoor {
			return sportIndoorRide
		}
		return sportRide
	case activitytype.GroupSwimming:
		return sportOpenSwim
	case activitytype.GroupWalking, activitytype.GroupHiking:
		return sportWalk
	case activitytype.GroupPara:
		return sportWheelchair
	}
	return sportStrength
}

// profile says what a sport looks like.
type profile struct {
	types              []activitytype.Type
	speed, spread      float64 // m/s; 0 is no distance
	minutes            [2]int
	heartRate          int
	gps                bool
	run, bike, swim    float64 // cadence
	push               float64
	caloriesPerHour    int
	gainPerKilometer   float64
	power, temperature bool
}

var profiles = map[sport]profile{
	sportRun:        {types: []activitytype.Type{activitytype.Running, activitytype.TrailRunning, activitytype.TrackRunning}, speed: 2.9, spread: .5, minutes: [2]int{20, 110}, heartRate: 148, gps: true, run: 166, caloriesPerHour: 720, gainPerKilometer: 9, temperature: true},
	sportRide:       {types: []activitytype.Type{activitytype.RoadBiking, activitytype.GravelCycling, activitytype.Cycling}, speed: 7.4, spread: 1.2, minutes: [2]int{40, 260}, heartRate: 134, gps: true, bike: 84, caloriesPerHour: 560, gainPerKilometer: 11, power: true, temperature: true},
	sportIndoorRide: {types: []activitytype.Type{activitytype.IndoorCycling, activitytype.VirtualRide}, speed: 8.6, spread: .8, minutes: [2]int{30, 90}, heartRate: 140, bike: 88, caloriesPerHour: 600, power: true},
	sportPoolSwim:   {types: []activitytype.Type{activitytype.LapSwimming}, speed: .95, spread: .15, minutes: [2]int{20, 70}, heartRate: 128, swim: 26, caloriesPerHour: 520},
	sportOpenSwim:   {types: []activitytype.Type{activitytype.OpenWaterSwimming}, speed: .9, spread: .15, minutes: [2]int{15, 60}, heartRate: 132, gps: true, swim: 29, caloriesPerHour: 540},
	sportWalk:       {types: []activitytype.Type{activitytype.Walking, activitytype.Hiking}, speed: 1.35, spread: .2, minutes: [2]int{15, 150}, heartRate: 98, gps: true, run: 106, caloriesPerHour: 280, gainPerKilometer: 14},
	sportStrength:   {types: []activitytype.Type{activitytype.StrengthTraining, activitytype.Yoga}, minutes: [2]int{20, 75}, heartRate: 108, caloriesPerHour: 330},
	sportWheelchair: {types: []activitytype.Type{activitytype.WheelchairPushRun, activitytype.WheelchairPushWalk}, speed: 2.6, spread: .5, minutes: [2]int{15, 90}, heartRate: 124, gps: true, push: 62, caloriesPerHour: 420, gainPerKilometer: 4},
}

// place is where a workout starts and what the watch adds to UTC there.
type place struct {
	latitude, longitude, elevation float64
	offset                         int
}

var places = []place{
	{50.8466, 4.3528, 56, 3600}, {51.0532, -114.0688, 1045, -25200}, {40.7812, -73.9665, 38, -14400},
	{-33.8688, 151.2093, 12, 36000}, {27.7172, 85.3240, 1400, 20700}, {0, 32.4470, 1180, 10800},
}

var devices = []string{"Forerunner 965", "fenix 8", "Edge 1050", "Garmin fenix 7X", "forerunner935", "Venu 3S"}

// any returns a random sport, mostly runs and rides.
func (g *Generator) any() sport {
	weights := []struct {
		sport
		n int
	}{{sportRun, 34}, {sportRide, 22}, {sportWalk, 14}, {sportStrength, 10}, {sportIndoorRide, 7}, {sportPoolSwim, 5}, {sportOpenSwim, 2}, {sportTriathlon, 1}, {sportWheelchair, 2}, {sportManualEntry, 3}}
	n := g.rand.IntN(100)
	for _, w := range weights {
		if n -= w.n; n < 0 {
			return w.sport
		}
	}
	return sportRun
}

// Activities returns the activity of one workout of type t, or of a random type if
// t is "". [activitytype.MultiSport] makes a triathlon: the parent and its five
// children in any order, as Garmin sends them. The values depend on the type: a
// run has steps, a lap swim has lengths, an indoor ride has no position, strength
// training no distance.
func (g *Generator) Activities(t activitytype.Type, start time.Time) []*types.Activity {
	var s sport
	var p profile
	switch {
	case t == "":
		s = g.any()
		p = profiles[s]
	case t == activitytype.MultiSport:
		s = sportTriathlon
	default:
		s = sportOf(t)
		p = profiles[s]
		p.types = []activitytype.Type{t}
	}
	switch {
	case g.Manual || s == sportManualEntry:
		return []*types.Activity{g.manual(cmp.Or(t, activitytype.Running), start)}
	case s == sportTriathlon:
		return g.triathlon(start)
	}
	return []*types.Activity{g.activity(p, start, places[g.rand.IntN(len(places))], devices[g.rand.IntN(len(devices))])}
}

func (g *Generator) activity(p profile, start time.Time, at place, device string) *types.Activity {
	minutes := p.minutes[0] + int(float64(p.minutes[1]-p.minutes[0])*math.Pow(g.rand.Float64(), 2))
	seconds := minutes*60 + g.rand.IntN(60)
	a := &types.Activity{
		ActivityType:       p.types[g.rand.IntN(len(p.types))],
		StartTimeInSeconds: types.NewTimestamp(start.Truncate(time.Second)), StartTimeOffsetInSeconds: at.offset,
		DurationInSeconds: seconds,
		DeviceName:        device,
		ActiveKilocalories: new(int(g.about(float64(p.caloriesPerHour), .15) *
			float64(seconds) / 3600)),
	}
	a.ActivityID = g.id()
	a.SummaryID = a.ActivityID
	a.ActivityName = a.ActivityType.Name()
	if g.rand.IntN(12) > 0 { // some have no sensor
		a.AverageHeartRateInBeatsPerMinute = new(int(g.about(float64(p.heartRate), .08)))
		a.MaxHeartRateInBeatsPerMinute = new(math.Round(float64(*a.AverageHeartRateInBeatsPerMinute) * (1.08 + .12*g.rand.Float64())))
	}
	if p.speed > 0 {
		speed := p.speed + p.spread*g.rand.NormFloat64()/2
		speed = float64(float32(max(speed, p.speed/2))) // Garmin's floats are 32 bits wide
		top := float64(float32(speed * (1.2 + .5*g.rand.Float64())))
		a.AverageSpeedInMetersPerSecond, a.MaxSpeedInMetersPerSecond = &speed, &top
		a.AveragePaceInMinutesPerKilometer, a.MaxPaceInMinutesPerKilometer = new(1000/60/speed), new(1000/60/top)
		a.DistanceInMeters = new(math.Round(speed*float64(seconds)*100) / 100)
		if p.gainPerKilometer > 0 {
			gain := math.Round(g.about(p.gainPerKilometer, .5) * *a.DistanceInMeters / 1000)
			a.TotalElevationGainInMeters, a.TotalElevationLossInMeters = new(gain), new(math.Round(gain*g.about(1, .1)))
		}
	}
	cadence := func(mean float64, average, highest **float64) {
		if mean > 0 {
			*average = new(float64(float32(g.about(mean, .05))))
			if highest != nil {
				*highest = new(math.Round(**average * 1.2))
			}
		}
	}
	cadence(p.run, &a.AverageRunCadenceInStepsPerMinute, &a.MaxRunCadenceInStepsPerMinute)
	cadence(p.bike, &a.AverageBikeCadenceInRoundsPerMinute, &a.MaxBikeCadenceInRoundsPerMinute)
	cadence(p.swim, &a.AverageSwimCadenceInStrokesPerMinute, nil)
	cadence(p.push, &a.AveragePushCadenceInPushesPerMinute, &a.MaxPushCadenceInPushesPerMinute)
	if p.run > 0 {
		a.Steps = new(int(*a.AverageRunCadenceInStepsPerMinute * float64(seconds) / 60))
	}
	if p.push > 0 {
		a.Pushes = new(int(*a.AveragePushCadenceInPushesPerMinute * float64(seconds) / 60))
	}
	if p.gps {
		a.StartingLatitudeInDegree = new(at.latitude + .02*g.rand.NormFloat64())
		a.StartingLongitudeInDegree = new(at.longitude + .02*g.rand.NormFloat64())
	}
	if a.ActivityType == activitytype.LapSwimming {
		a.NumberOfActiveLengths = new(int(*a.DistanceInMeters / 25))
		a.DistanceInMeters = new(float64(*a.NumberOfActiveLengths * 25))
	}
	return a
}

// triathlon makes a parent and swim, transition, ride, transition and run.
func (g *Generator) triathlon(start time.Time) []*types.Activity {
	at, device := places[g.rand.IntN(len(places))], "fenix 8"
	change := profile{minutes: [2]int{1, 5}, heartRate: 130, caloriesPerHour: 300}
	swim, ride, run, one, two := profiles[sportOpenSwim], profiles[sportRide], profiles[sportRun], change, change
	run.types = run.types[:1]
	one.types = []activitytype.Type{"SWIM_TO_BIKE_TRANSITION_V2"}
	two.types = []activitytype.Type{"BIKE_TO_RUN_TRANSITION_V2"}
	parent := &types.Activity{
		SummaryID: g.id(), ActivityName: "Triathlon", ActivityType: activitytype.MultiSport,
		StartTimeInSeconds: types.NewTimestamp(start.Truncate(time.Second)), StartTimeOffsetInSeconds: at.offset,
		DeviceName: device, IsParent: true,
		ActiveKilocalories: new(int), DistanceInMeters: new(float64),
	}
	parent.ActivityID = parent.SummaryID
	list := []*types.Activity{parent}
	for _, p := range []profile{swim, one, ride, two, run} {
		child := g.activity(p, start, at, device)
		child.ParentSummaryID = parent.SummaryID
		start = start.Add(types.Duration(child) + time.Second) // no moment is of two legs
		parent.DurationInSeconds += child.DurationInSeconds
		*parent.ActiveKilocalories += *child.ActiveKilocalories
		if child.DistanceInMeters != nil {
			*parent.DistanceInMeters += *child.DistanceInMeters
		}
		list = append(list, child)
	}
	g.rand.Shuffle(len(list), func(i, j int) { list[i], list[j] = list[j], list[i] })
	return list
}

func (g *Generator) manual(t activitytype.Type, start time.Time) *types.Activity {
	a := &types.Activity{
		SummaryID: g.id(), ActivityName: "Typed in", ActivityType: t,
		StartTimeInSeconds: types.NewTimestamp(start.Truncate(time.Second)),
		DurationInSeconds:  60 * (20 + g.rand.IntN(60)),
		DistanceInMeters:   new(float64(1000 * (3 + g.rand.IntN(10)))),
		DeviceName:         "unknown", Manual: true,
	}
	a.ActivityID = a.SummaryID
	return a
}

// Edit returns the manually updated activity that Garmin sends after the user
// has changed the activity's name and distance in Garmin Connect.
func (g *Generator) Edit(a *types.Activity) *types.ManualActivity {
	edited := types.ManualActivity(*a)
	edited.ActivityName = a.ActivityName + " (edited)"
	edited.Manual = true
	if a.DistanceInMeters != nil {
		edited.DistanceInMeters = new(math.Round(*a.DistanceInMeters * g.about(1, .05)))
	}
	return &edited
}

// MoveIQ returns an event that a device detected by itself. Its type is in
// title case, and the subtype is often absent.
func (g *Generator) MoveIQ(start time.Time) *types.MoveIQ {
	names := []activitytype.Type{"Running", "Walking", "Cycling", "Swimming", "Elliptical"}
	at := places[g.rand.IntN(len(places))]
	m := &types.MoveIQ{
		SummaryID: "x" + g.id(), StartTimeInSeconds: types.NewTimestamp(start.Truncate(time.Second)),
		OffsetInSeconds: at.offset, DurationInSeconds: 600 + g.rand.IntN(3000),
		ActivityType: names[g.rand.IntN(len(names))],
	}
	m.CalendarDate = types.LocalStart(m).Format(time.DateOnly)
	if m.ActivityType == "Running" && g.rand.IntN(2) == 0 {
		m.ActivitySubType = "Hurdles"
	}
	return m
}

func (g *Generator) id() types.ID {
	g.nextID++
	return types.ID(formatInt(g.nextID))
}

// about returns a value near mean, with a standard deviation of part of it, cut
// at two.
func (g *Generator) about(mean, part float64) float64 {
	return mean * (1 + part*min(max(g.rand.NormFloat64(), -2), 2))
}
