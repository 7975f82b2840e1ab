package activitytest

import (
	"math"
	"time"

	"github.com/garminkit/activityapi/activitytype"
	"github.com/garminkit/activityapi/types"
)

// Details returns the activity with samples, one for every one to eight seconds
// as devices record them, and laps of a kilometre or ten minutes. The last sample
// is at the end of the activity and has its distance. A manual activity has no
// samples.
func (g *Generator) Details(a *types.Activity) *types.ActivityDetails {
	d := &types.ActivityDetails{SummaryID: a.SummaryID + "-detail", ActivityID: a.ActivityID, Summary: *a}
	d.Summary.UserID = ""
	if a.Manual {
		return d
	}
	start, elevation, heading := int64(a.StartTimeInSeconds), 100.0, 2*math.Pi*g.rand.Float64()
	var lat, long, distance float64
	if a.StartingLatitudeInDegree != nil {
		lat, long = *a.StartingLatitudeInDegree, *a.StartingLongitudeInDegree
	}
	for at, last := 0, 0; ; at = min(at+1+g.rand.IntN(8), a.DurationInSeconds) {
		step := float64(at - last)
		last = at
		s := types.Sample{
			StartTimeInSeconds:     types.Timestamp(start + int64(at)),
			TimerDurationInSeconds: new(at), ClockDurationInSeconds: new(at),
		}
		if a.AverageHeartRateInBeatsPerMinute != nil {
			warm := 1 - .3*math.Exp(-float64(at)/240)
			s.HeartRate = new(int(float64(*a.AverageHeartRateInBeatsPerMinute)*warm + 2*g.rand.NormFloat64()))
		}
		if a.AverageSpeedInMetersPerSecond != nil {
			speed := *a.AverageSpeedInMetersPerSecond * (1 + .05*g.rand.NormFloat64())
			distance += speed * step
			s.TotalDistanceInMeters = new(round(distance, 100))
			if a.NumberOfActiveLengths == nil { // pool swims have neither
				s.SpeedMetersPerSecond = new(float64(float32(speed)))
				s.MovingDurationInSeconds = new(at)
			}
			if a.StartingLatitudeInDegree != nil {
				heading += .1 * g.rand.NormFloat64()
				lat += speed * step * math.Cos(heading) / 111_320
				long += speed * step * math.Sin(heading) / (111_320 * math.Cos(lat*math.Pi/180))
				s.LatitudeInDegree, s.LongitudeInDegree = new(lat), new(long)
				elevation += .2 * g.rand.NormFloat64()
				s.ElevationInMeters = new(round(elevation, 10))
				s.AirTemperatureCelcius = new(18.0)
			}
		}
		vary := func(mean *float64) *float64 {
			if mean == nil {
				return nil
			}
			return new(math.Round(g.about(*mean, .03)))
		}
		s.StepsPerMinute = vary(a.AverageRunCadenceInStepsPerMinute)
		if s.BikeCadenceInRPM = vary(a.AverageBikeCadenceInRoundsPerMinute); s.BikeCadenceInRPM != nil {
			s.PowerInWatts = new(math.Round(max(g.about(190, .3), 0)))
		}
		s.DirectWheelchairCadence = vary(a.AveragePushCadenceInPushesPerMinute)
		if a.NumberOfActiveLengths == nil {
			s.SwimCadenceInStrokesPerMinute = vary(a.AverageSwimCadenceInStrokesPerMinute)
		}
		d.Samples = append(d.Samples, s)
		if at >= a.DurationInSeconds {
			break
		}
	}
	reach(d.Samples, distance, a.DistanceInMeters)
	d.Laps = lapsOf(d.Samples)
	return d
}

// reach makes the samples end at the distance of the summary, unless that is
// far from theirs: the caller has then changed one of its figures.
func reach(samples []types.Sample, distance float64, want *float64) {
	if want == nil || distance == 0 || math.Abs(*want/distance-1) > .2 {
		return
	}
	for i := range samples {
		at := samples[i].TotalDistanceInMeters
		*at = round(*at**want/distance, 100)
	}
	*samples[len(samples)-1].TotalDistanceInMeters = *want
}

// lapsOf returns laps of one kilometre or ten minutes.
func lapsOf(samples []types.Sample) (laps []types.Lap) {
	next := 0.0
	for i := range samples {
		s := &samples[i]
		progress := float64(s.StartTimeInSeconds-samples[0].StartTimeInSeconds) / 600
		if s.TotalDistanceInMeters != nil {
			progress = max(progress, *s.TotalDistanceInMeters/1000)
		}
		if progress >= next && (i == 0 || i < len(samples)-1) {
			laps = append(laps, types.Lap{StartTimeInSeconds: s.StartTimeInSeconds})
			next++
		}
	}
	return laps
}

func round(v, parts float64) float64 { return math.Round(v*parts) / parts }

// Sync uploads a workout like a device: activities, details and files. It queues
// their notifications. t is as in [Generator.Activities].
func (u *User) Sync(g *Generator, t activitytype.Type, start time.Time) {
	u.upload(g, t, start, true, false)
}

// FillHistory gives the user a history without details and files: an activity of a
// random type on most days of w, and now and then a Move IQ event.
func (u *User) FillHistory(g *Generator, w types.Window) {
	for d := range w.Split(day) {
		if g.rand.IntN(4) > 0 {
			u.upload(g, "", d.Start.Add(time.Duration(g.rand.Int64N(int64(d.End.Sub(d.Start))))), false, true)
		}
		if g.rand.IntN(4) == 0 {
			u.AddHistory(g.MoveIQ(d.Start.Add(time.Duration(g.rand.Int64N(int64(d.End.Sub(d.Start)))))))
		}
	}
}

func (u *User) upload(g *Generator, t activitytype.Type, start time.Time, details, history bool) {
	add := u.Add
	if history {
		add = u.AddHistory
	}
	var parent *types.ActivityDetails
	var legs []*types.ActivityDetails
	for _, a := range g.Activities(t, start) {
		add(a)
		if !details {
			continue
		}
		d := g.Details(a)
		add(d)
		switch {
		case a.IsParent:
			parent = d
			continue
		case a.ParentSummaryID != "":
			legs = append(legs, d)
		case a.Manual:
			continue
		}
		u.AddFile(g.File(u.s.fileType(d), d))
	}
	if parent != nil {
		u.AddFile(g.File(u.s.fileType(legs...), parent, legs...))
	}
}
