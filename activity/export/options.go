package export

import (
	"errors"
	"fmt"

	"github.com/garminkit/activityapi/types"
)

// Fields is a set of fields of a track.
type Fields struct {
	Name         bool
	Device       bool // without it the attribution is "Garmin"
	Position     bool // latitude and longitude
	Elevation    bool
	Distance     bool
	Speed        bool
	HeartRate    bool
	Cadence      bool // of steps, pedals, strokes and pushes
	Power        bool
	Temperature  bool
	Laps         bool
	Kilocalories bool
}

// Options says what not to write. nil means to write everything.
type Options struct {
	// Omit are the fields to leave out.
	Omit Fields

	// Zones are the places to hide. They need Key, a secret of at least 16 random
	// bytes. Use the same Key for all tracks of a user, for as long as the user
	// has zones.
	Zones []Zone
	Key   []byte
}

func (o *Options) check() error {
	if len(o.Zones) > 0 && len(o.Key) < 16 {
		return errors.New("export: zones need a Key of at least 16 bytes")
	}
	for i, z := range o.Zones {
		if !valid(z.LatitudeInDegree, z.LongitudeInDegree) || !(z.RadiusInMeters > 0 && z.RadiusInMeters <= maxRadius) {
			return fmt.Errorf("export: Zones[%d] is not a circle on Earth of at most %d km", i, maxRadius/1000)
		}
	}
	return nil
}

// mask returns a sample without the fields that are left out, and without what
// no format writes.
func (o *Options) mask(s *types.Sample) types.Sample {
	c := *s
	c.TimerDurationInSeconds, c.ClockDurationInSeconds, c.MovingDurationInSeconds = nil, nil, nil
	if c.LatitudeInDegree == nil || c.LongitudeInDegree == nil || o.Omit.Position ||
		!valid(*c.LatitudeInDegree, *c.LongitudeInDegree) {
		c.LatitudeInDegree, c.LongitudeInDegree = nil, nil
	}
	for _, f := range []struct {
		omit  bool
		value **float64
	}{
		{o.Omit.Elevation, &c.ElevationInMeters},
		{o.Omit.Distance, &c.TotalDistanceInMeters},
		{o.Omit.Speed, &c.SpeedMetersPerSecond},
		{o.Omit.Cadence, &c.StepsPerMinute},
		{o.Omit.Cadence, &c.BikeCadenceInRPM},
		{o.Omit.Cadence, &c.SwimCadenceInStrokesPerMinute},
		{o.Omit.Cadence, &c.DirectWheelchairCadence},
		{o.Omit.Power, &c.PowerInWatts},
		{o.Omit.Temperature, &c.AirTemperatureCelcius},
	} {
		if *f.value != nil && (f.omit || !finite(**f.value)) {
			*f.value = nil
		}
	}
	if o.Omit.HeartRate {
		c.HeartRate = nil
	}
	return c
}

// attribution is the text that Garmin asks for.
func (o *Options) attribution(t *Track) string {
	if o.Omit.Device {
		return types.Attribution("")
	}
	return types.Attribution(t.DeviceName)
}

func (o *Options) name(t *Track) string {
	if o.Omit.Name {
		return ""
	}
	return t.Name
}
