package fitfile

import (
	"math"
	"time"

	"github.com/muktihari/fit/profile/untyped/fieldnum"
	"github.com/muktihari/fit/profile/untyped/mesgnum"
	"github.com/muktihari/fit/proto"

	"github.com/garminkit/activityapi/activitytype"
)

// epoch is 1989-12-31, the start of FIT's time.
const epoch = 631065600

func fitTime(v float64) time.Time { return time.Unix(int64(v)+epoch, 0).UTC() }

func seconds(v float64) time.Duration { return time.Duration(math.Round(v * float64(time.Second))) }

func (f *fitReader) onSession(m *proto.Message) {
	s := &Session{}
	zones := &TimeInZones{Session: true, Index: f.sessions}
	f.sessions++
	for i := range m.Fields {
		field := &m.Fields[i]
		switch field.Num {
		case fieldnum.SessionTimeInHrZone:
			zones.HeartRate = durations(field)
		case fieldnum.SessionTimeInSpeedZone:
			zones.Speed = durations(field)
		case fieldnum.SessionTimeInPowerZone:
			zones.Power = durations(field)
		}
		v, ok := number(field)
		if !ok {
			continue
		}
		switch field.Num {
		case fieldnum.SessionTimestamp:
			zones.Time = fitTime(v)
		case fieldnum.SessionStartTime:
			s.Start = fitTime(v)
		case fieldnum.SessionSport:
			s.FIT.Sport = uint8(v)
		case fieldnum.SessionSubSport:
			s.FIT.SubSport = uint8(v)
		case fieldnum.SessionTotalElapsedTime:
			s.Elapsed = seconds(v)
		case fieldnum.SessionTotalTimerTime:
			s.Timer = seconds(v)
		case fieldnum.SessionTotalMovingTime:
			s.Moving = seconds(v)
		case fieldnum.SessionTotalDistance:
			s.DistanceInMeters = new(v)
		case fieldnum.SessionTotalCalories:
			s.Kilocalories = new(v)
		case fieldnum.SessionTotalAscent:
			s.AscentInMeters = new(v)
		case fieldnum.SessionTotalDescent:
			s.DescentInMeters = new(v)
		case fieldnum.SessionAvgSpeed, fieldnum.SessionEnhancedAvgSpeed:
			s.AverageSpeedInMetersPerSecond = new(v)
		case fieldnum.SessionMaxSpeed, fieldnum.SessionEnhancedMaxSpeed:
			s.MaxSpeedInMetersPerSecond = new(v)
		case fieldnum.SessionAvgHeartRate:
			s.AverageHeartRate = new(v)
		case fieldnum.SessionMaxHeartRate:
			s.MaxHeartRate = new(v)
		case fieldnum.SessionAvgCadence:
			s.AverageCadence = new(v)
		case fieldnum.SessionMaxCadence:
			s.MaxCadence = new(v)
		case fieldnum.SessionAvgPower:
			s.AveragePowerInWatts = new(v)
		case fieldnum.SessionMaxPower:
			s.MaxPowerInWatts = new(v)
		case fieldnum.SessionNormalizedPower:
			s.NormalizedPowerInWatts = new(v)
		case fieldnum.SessionTotalCycles:
			s.Cycles = new(v)
		case fieldnum.SessionFirstLapIndex:
			s.FirstLap = new(int(v))
		case fieldnum.SessionNumLaps:
			s.Laps = new(int(v))
		case fieldnum.SessionNumLengths:
			s.Lengths = new(int(v))
		case fieldnum.SessionNumActiveLengths:
			s.ActiveLengths = new(int(v))
		case fieldnum.SessionPoolLength:
			s.PoolLengthInMeters = new(v)
		}
	}
	s.Type, _ = activitytype.FromFIT(s.FIT)
	f.put(s)
	f.zones(zones)
}

func (f *fitReader) onLap(m *proto.Message) {
	l := &Lap{}
	zones := &TimeInZones{Index: f.laps}
	f.laps++
	for i := range m.Fields {
		field := &m.Fields[i]
		switch field.Num {
		case fieldnum.LapTimeInHrZone:
			zones.HeartRate = durations(field)
		case fieldnum.LapTimeInSpeedZone:
			zones.Speed = durations(field)
		case fieldnum.LapTimeInPowerZone:
			zones.Power = durations(field)
		}
		v, ok := number(field)
		if !ok {
			continue
		}
		switch field.Num {
		case fieldnum.LapTimestamp:
			zones.Time = fitTime(v)
		case fieldnum.LapStartTime:
			l.Start = fitTime(v)
		case fieldnum.LapTotalElapsedTime:
			l.Elapsed = seconds(v)
		case fieldnum.LapTotalTimerTime:
			l.Timer = seconds(v)
		case fieldnum.LapTotalMovingTime:
			l.Moving = seconds(v)
		case fieldnum.LapTotalDistance:
			l.DistanceInMeters = new(v)
		case fieldnum.LapTotalCalories:
			l.Kilocalories = new(v)
		case fieldnum.LapTotalAscent:
			l.AscentInMeters = new(v)
		case fieldnum.LapTotalDescent:
			l.DescentInMeters = new(v)
		case fieldnum.LapAvgSpeed, fieldnum.LapEnhancedAvgSpeed:
			l.AverageSpeedInMetersPerSecond = new(v)
		case fieldnum.LapMaxSpeed, fieldnum.LapEnhancedMaxSpeed:
			l.MaxSpeedInMetersPerSecond = new(v)
		case fieldnum.LapAvgHeartRate:
			l.AverageHeartRate = new(v)
		case fieldnum.LapMaxHeartRate:
			l.MaxHeartRate = new(v)
		case fieldnum.LapAvgCadence:
			l.AverageCadence = new(v)
		case fieldnum.LapMaxCadence:
			l.MaxCadence = new(v)
		case fieldnum.LapAvgPower:
			l.AveragePowerInWatts = new(v)
		case fieldnum.LapMaxPower:
			l.MaxPowerInWatts = new(v)
		case fieldnum.LapNormalizedPower:
			l.NormalizedPowerInWatts = new(v)
		case fieldnum.LapTotalCycles:
			l.Cycles = new(v)
		case fieldnum.LapLapTrigger:
			l.Trigger = new(int(v))
		case fieldnum.LapIntensity:
			l.Intensity = new(int(v))
		case fieldnum.LapNumLengths:
			l.Lengths = new(int(v))
		}
	}
	f.put(l)
	f.zones(zones)
}

func (f *fitReader) onZones(m *proto.Message) {
	z := &TimeInZones{}
	for i := range m.Fields {
		field := &m.Fields[i]
		v, ok := number(field)
		switch field.Num {
		case fieldnum.TimeInZoneTimestamp:
			if ok {
				z.Time = fitTime(v)
			}
		case fieldnum.TimeInZoneReferenceMesg:
			z.Session = ok && v == float64(mesgnum.Session)
		case fieldnum.TimeInZoneReferenceIndex:
			if ok {
				z.Index = int(v)
			}
		case fieldnum.TimeInZoneTimeInHrZone:
			z.HeartRate = durations(field)
		case fieldnum.TimeInZoneTimeInSpeedZone:
			z.Speed = durations(field)
		case fieldnum.TimeInZoneTimeInCadenceZone:
			z.Cadence = durations(field)
		case fieldnum.TimeInZoneTimeInPowerZone:
			z.Power = durations(field)
		case fieldnum.TimeInZoneHrZoneHighBoundary:
			z.HeartRateBounds = numbers(field)
		case fieldnum.TimeInZoneSpeedZoneHighBoundary:
			z.SpeedBounds = numbers(field)
		case fieldnum.TimeInZoneCadenceZoneHighBoundary:
			z.CadenceBounds = numbers(field)
		case fieldnum.TimeInZonePowerZoneHighBoundary:
			z.PowerBounds = numbers(field)
		}
	}
	f.zones(z)
}

// zones puts a message unless it is empty.
func (f *fitReader) zones(z *TimeInZones) {
	if z.HeartRate != nil || z.Speed != nil || z.Cadence != nil || z.Power != nil {
		f.put(z)
	}
}
