package export

import (
	"errors"
	"fmt"

	"github.com/garminkit/activityapi/types"
)

// Fields is a set of the fields of a track.
type Fields uint

// The fields, to be combined with |.
const (
	Name     Fields = 1 << iota
	Device          // without it the attribution is "Garmin"
	Position        // latitude and longitude
	Elevation
	Distance
	Speed
	HeartRate
	Cadence // of steps, pedals, strokes and pushes
	Power
	Temperature
	Laps
	Kilocalories
)

// Options says what not to write. nil means to write everything.
type Options struct {
	// Omit are the fields to leave out.
	Omit Fields

	// Zones are the places to hide. They need Key: a secret of at least 16 random
	// bytes, which must not change as long as the user has zones.
	Zones []Zone
	Key   []byte
}

func (o *Options) check() error {
	if len(o.Zones) > 0 && len(o.Key) < 16 {
		return errors.New("export: zones need a Key of at least 16 bytes")
	}
	for i, z := range o.Zones {
		if !valid(z.LatitudeInDegree, z.LongitudeInDegree) || !(z.RadiusInMeters > 0 && z.RadiusInMeters <= maxRadius) {
			return fmt.Errorf("export: Zones[%d] is no circle on Earth of at most %d km", i, maxRadius/1000)
		}
	}
	return nil
}

func (o *Options) omits(f Fields) bool { return o.Omit&f != 0 }

// mask returns a sample without the fields that are left out, and without what
// no format writes.
func (o *Options) mask(s *types.Sample) types.Sample {
	c := *s
	c.TimerDurationInSeconds, c.ClockDurationInSeconds, c.MovingDurationInSeconds = nil, nil, nil
	if c.LatitudeInDegree == nil || c.LongitudeInDegree == nil || o.omits(Position) ||
		!valid(*c.LatitudeInDegree, *c.LongitudeInDegree) {
		c.LatitudeInDegree, c.LongitudeInDegree = nil, nil
	}
	for _, f := range []struct {
		field Fields
		value **float64
	}{
		{Elevation, &c.ElevationInMeters},
		{Distance, &c.TotalDistanceInMeters},
		{Speed, &c.SpeedMetersPerSecond},
		{Cadence, &c.StepsPerMinute},
		{Cadence, &c.BikeCadenceInRPM},
		{Cadence, &c.SwimCadenceInStrokesPerMinute},
		{Cadence, &c.DirectWheelchairCadence},
		{Power, &c.PowerInWatts},
		{Temperature, &c.AirTemperatureCelcius},
	} {
		if *f.value != nil && (o.omits(f.field) || !finite(**f.value)) {
			*f.value = nil
		}
	}
	if o.omits(HeartRate) {
		c.HeartRate = nil
	}
	return c
}

// attribution is the text that Garmin asks for.
func (o *Options) attribution(t *Track) string {
	if o.omits(Device) {
		return types.Attribution("")
	}
	return types.Attribution(t.DeviceName)
}

func (o *Options) name(t *Track) string {
	if o.omits(Name) {
		return ""
	}
	return t.Name
}
