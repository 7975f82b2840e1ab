package fitfile

import (
	"math"
	"time"

	"github.com/garminkit/activityapi/activitytype"
	"github.com/garminkit/activityapi/types"
)

// The places of a record's values. The record's pointers point to them, so that a
// record is one allocation.
const (
	latitude = iota
	longitude
	elevation
	temperature
	speed
	steps
	distance
	power
	bike
	cadence
	grade
	accuracy
	oscillation
	ratio
	stance
	balance
	stepLength
	leftRight
	breaths
	accumulated
	slots
)

// field returns the pointer field of a value.
func (r *Record) field(slot int) **float64 {
	switch slot {
	case latitude:
		return &r.LatitudeInDegree
	case longitude:
		return &r.LongitudeInDegree
	case elevation:
		return &r.ElevationInMeters
	case temperature:
		return &r.AirTemperatureCelcius
	case speed:
		return &r.SpeedMetersPerSecond
	case steps:
		return &r.StepsPerMinute
	case distance:
		return &r.TotalDistanceInMeters
	case power:
		return &r.PowerInWatts
	case bike:
		return &r.BikeCadenceInRPM
	case cadence:
		return &r.CadenceInRPM
	case grade:
		return &r.GradeInPercent
	case accuracy:
		return &r.GPSAccuracyInMeters
	case oscillation:
		return &r.VerticalOscillationInMillimeters
	case ratio:
		return &r.VerticalRatioInPercent
	case stance:
		return &r.StanceTimeInMilliseconds
	case balance:
		return &r.StanceTimeBalanceInPercent
	case stepLength:
		return &r.StepLengthInMillimeters
	case leftRight:
		return &r.LeftRightBalance
	case breaths:
		return &r.BreathsPerMinute
	default:
		return &r.AccumulatedPowerInWatts
	}
}

func (r *Record) set(slot int, v float64) {
	r.values[slot] = v
	*r.field(slot) = &r.values[slot]
}

func (r *Record) setHeart(v int) {
	r.heart = v
	r.HeartRate = &r.heart
}

// setCadence sets the steps or revolutions from the cadence, once the sport is known.
func (r *Record) setCadence(t activitytype.Type) {
	r.StepsPerMinute, r.BikeCadenceInRPM = nil, nil
	if r.CadenceInRPM == nil {
		return
	}
	if onFoot(t) {
		r.set(steps, 2**r.CadenceInRPM)
		return
	}
	r.set(bike, *r.CadenceInRPM)
}

func onFoot(t activitytype.Type) bool {
	switch f, _ := t.FIT(); f.Sport {
	case 1, 11, 17: // running, walking, hiking
		return true
	}
	return false
}

// clear empties a record for reuse.
func (r *Record) clear() {
	r.Sample, r.Dynamics = types.Sample{}, Dynamics{}
	r.Developer = r.Developer[:0]
}

// clone returns a copy that may be kept.
func (r *Record) clone() *Record {
	c := *r
	for slot := range slots {
		if p := c.field(slot); *p != nil {
			*p = &c.values[slot]
		}
	}
	if c.HeartRate != nil {
		c.HeartRate = &c.heart
	}
	c.Developer = nil
	for _, d := range r.Developer {
		if d.Value != nil {
			d.Value = new(*d.Value)
		}
		c.Developer = append(c.Developer, d)
	}
	return &c
}

// totaller computes the totals of a missing session.
type totaller struct {
	records     int
	first, last time.Time
	distance    [2]float64 // first and last
	distances   int
	speed       float64
	hearts      int
	heart, most float64
}

func (t *totaller) add(r *Record) {
	at := r.StartTimeInSeconds.Time()
	if at.IsZero() {
		return
	}
	t.records++
	if t.first.IsZero() || at.Before(t.first) {
		t.first = at
	}
	if at.After(t.last) {
		t.last = at
	}
	if d := r.TotalDistanceInMeters; d != nil {
		if t.distances == 0 {
			t.distance[0] = *d
		}
		t.distances++
		t.distance[1] = *d
	}
	if s := r.SpeedMetersPerSecond; s != nil {
		t.speed = max(t.speed, *s)
	}
	if r.HeartRate != nil {
		h := float64(*r.HeartRate)
		t.hearts++
		t.heart += h
		t.most = max(t.most, h)
	}
}

func (t *totaller) totals() Totals {
	all := Totals{Start: t.first, Elapsed: t.last.Sub(t.first), Timer: t.last.Sub(t.first)}
	if t.distances > 0 {
		// Distance counts from the start, which may be before the first record.
		all.DistanceInMeters = new(t.distance[1])
	}
	if t.speed > 0 {
		all.MaxSpeedInMetersPerSecond = new(t.speed)
	}
	if t.hearts > 0 {
		all.AverageHeartRate = new(math.Round(t.heart / float64(t.hearts)))
		all.MaxHeartRate = new(t.most)
	}
	return all
}
