package activitytest

import (
	"hash/fnv"
	"math"

	"github.com/garminkit/activityapi/activitytype"
	"github.com/garminkit/activityapi/types"
)

// The messages of a FIT activity file, by their numbers in the FIT profile.
const (
	fitFileID           = 0
	fitSport            = 12
	fitSession          = 18
	fitLap              = 19
	fitRecord           = 20
	fitEvent            = 21
	fitDeviceInfo       = 23
	fitActivity         = 34
	fitLength           = 101
	fitFieldDescription = 206
	fitDeveloperDataID  = 207
)

// What events are of, and what they are.
const (
	fitTimer         = 0
	fitSessionEvent  = 8
	fitLapEvent      = 9
	fitActivityEvent = 26
	fitLengthEvent   = 28

	fitStart   = 0
	fitStop    = 1
	fitStopAll = 4
)

// The fields that every message has.
const (
	fitIndex = 254
	fitTime  = 253
)

// The developer fields of a made-up app: one of records, one of sessions.
const (
	fitStrain = 0
	fitLoad   = 1
)

// products are the numbers of devices in the FIT profile.
var products = map[string]int64{
	"Forerunner 965": 4315, "fenix 8": 4536, "Edge 1050": 4440, "Garmin fenix 7X": 3907, "forerunner935": 2691, "Venu 3S": 4261,
}

// fit writes the workout as a FIT activity file: what comes first in time comes
// first, and a summary after what it sums up.
func (f *workout) fit() []byte {
	w := &fitWriter{}
	const garmin = 1
	product := products[f.summary.DeviceName]
	hash := fnv.New32a()
	hash.Write([]byte(f.summary.DeviceName))
	serial := int64(3_300_000_000 + hash.Sum32()%99_999_999)
	start, end := fitSeconds(f.legs[0].start), fitSeconds(f.end())
	w.message(fitFileID, whole(0, fitEnum, 4), whole(1, fitUint16, garmin), whole(2, fitUint16, product),
		whole(3, fitUint32z, serial), whole(4, fitUint32, start))
	w.message(fitDeviceInfo, whole(fitTime, fitUint32, start), whole(0, fitUint8, 0), whole(2, fitUint16, garmin),
		whole(3, fitUint32z, serial), whole(4, fitUint16, product), whole(5, fitUint16, 2122), text(27, f.summary.DeviceName))
	w.message(fitDeveloperDataID, bytesField(1, "a fake Garmin's "), whole(3, fitUint8, 0), whole(4, fitUint32, 1))
	w.message(fitFieldDescription, whole(0, fitUint8, 0), whole(1, fitUint8, fitStrain), whole(2, fitUint8, int64(fitFloat32)),
		text(3, "Strain"), text(8, "au"))
	w.message(fitFieldDescription, whole(0, fitUint8, 0), whole(1, fitUint8, fitLoad), whole(2, fitUint8, int64(fitUint16)),
		text(3, "Load"), text(8, "points"))
	laps, timer := 0, int64(0)
	for i, l := range f.legs {
		l.fit(w, i, laps)
		laps += len(l.laps)
		timer += l.end - l.start
	}
	kind := int64(0)
	if len(f.legs) > 1 {
		kind = 1 // multisport
	}
	w.message(fitActivity, whole(fitTime, fitUint32, end), whole(0, fitUint32, 1000*timer), whole(1, fitUint16, int64(len(f.legs))),
		whole(2, fitEnum, kind), whole(3, fitEnum, fitActivityEvent), whole(4, fitEnum, fitStop),
		whole(5, fitUint32, end+int64(f.summary.StartTimeOffsetInSeconds)))
	return w.file()
}

// fitSeconds is a time as FIT counts it, from the end of 1989.
func fitSeconds(utc int64) int64 { return utc - 631065600 }

func (l *leg) fit(w *fitWriter, index, firstLap int) {
	sport, _ := l.summary.ActivityType.FIT()
	start, end := fitSeconds(l.start), fitSeconds(l.end)
	w.message(fitSport, whole(0, fitEnum, int64(sport.Sport)), whole(1, fitEnum, int64(sport.SubSport)), text(3, l.summary.ActivityType.Name()))
	w.message(fitEvent, whole(fitTime, fitUint32, start), whole(0, fitEnum, fitTimer), whole(1, fitEnum, fitStart))
	for i, p := range l.laps {
		for j := range p.samples {
			fitSample(w, &p.samples[j])
		}
		for n := range p.lengths {
			l.length(w, p.firstLength+n)
		}
		p.fit(w, firstLap+i, sport, i == len(l.laps)-1)
	}
	w.message(fitEvent, whole(fitTime, fitUint32, end), whole(0, fitEnum, fitTimer), whole(1, fitEnum, fitStopAll))
	l.session(w, index, firstLap, sport)
}

func semicircles(num byte, degrees *float64) fitField {
	return scaled(num, fitInt32, (1<<31)/180.0, 0, degrees)
}

func fitSample(w *fitWriter, s *types.Sample) {
	cadence, fraction := fitCadence(rounds(s))
	lat, long := s.LatitudeInDegree, s.LongitudeInDegree
	if !placed(s) {
		lat, long = nil, nil
	}
	strain := fitField{absent: true}
	if s.HeartRate != nil {
		strain = developed(fitStrain, fitFloat32, math.Float32bits(float32(*s.HeartRate)/8))
	}
	w.message(fitRecord, whole(fitTime, fitUint32, fitSeconds(int64(s.StartTimeInSeconds))),
		semicircles(0, lat), semicircles(1, long),
		scaled(78, fitUint32, 5, 2500, s.ElevationInMeters), count(3, fitUint8, s.HeartRate),
		scaled(4, fitUint8, 1, 0, cadence), scaled(53, fitUint8, 128, 0, fraction),
		scaled(5, fitUint32, 100, 0, s.TotalDistanceInMeters), scaled(73, fitUint32, 1000, 0, s.SpeedMetersPerSecond),
		scaled(7, fitUint16, 1, 0, s.PowerInWatts), scaled(13, fitInt8, 1, 0, s.AirTemperatureCelcius), strain)
}

// fitCadence parts a cadence as FIT does: whole rounds and a fraction.
func fitCadence(v *float64) (rounds, fraction *float64) {
	if v == nil {
		return nil, nil
	}
	return new(math.Floor(*v)), new(*v - math.Floor(*v))
}

// length writes the n-th length of the pool.
func (l *leg) length(w *fitWriter, n int) {
	total := int64(*l.summary.NumberOfActiveLengths)
	at := func(n int) int64 { return 1000 * (l.end - l.start) * int64(n) / total } // in milliseconds
	start, took := at(n), at(n+1)-at(n)
	strokes := new(*average(l.summary.AverageSwimCadenceInStrokesPerMinute) * float64(took) / 60_000)
	const freestyle, active = 0, 1
	w.message(fitLength, whole(fitIndex, fitUint16, int64(n)), whole(fitTime, fitUint32, fitSeconds(l.start+at(n+1)/1000)),
		whole(0, fitEnum, fitLengthEvent), whole(1, fitEnum, fitStop), whole(2, fitUint32, fitSeconds(l.start+start/1000)),
		whole(3, fitUint32, took), whole(4, fitUint32, took), scaled(5, fitUint16, 1, 0, strokes),
		scaled(6, fitUint16, 1000, 0, new(poolLength*1000/float64(max(took, 1)))), whole(7, fitEnum, freestyle),
		scaled(9, fitUint8, 1, 0, l.summary.AverageSwimCadenceInStrokesPerMinute), whole(12, fitEnum, active))
}

func average(v *float64) *float64 {
	if v == nil {
		return new(0.0)
	}
	return v
}

func (p *lap) fit(w *fitWriter, index int, sport activitytype.FIT, last bool) {
	trigger := int64(2) // a distance
	if last {
		trigger = 7 // the end of the session
	}
	first, length := fitField{absent: true}, fitField{absent: true}
	if p.lengths > 0 {
		first, length = whole(35, fitUint16, int64(p.firstLength)), whole(32, fitUint16, int64(p.lengths))
	}
	cadence, fraction := fitCadence(p.cadence.mean())
	var lat, long, endLat, endLong *float64
	if n := len(p.samples); n > 0 && placed(&p.samples[0]) && placed(&p.samples[n-1]) {
		lat, long = p.samples[0].LatitudeInDegree, p.samples[0].LongitudeInDegree
		endLat, endLong = p.samples[n-1].LatitudeInDegree, p.samples[n-1].LongitudeInDegree
	}
	w.message(fitLap, whole(fitIndex, fitUint16, int64(index)), whole(fitTime, fitUint32, fitSeconds(p.end)),
		whole(0, fitEnum, fitLapEvent), whole(1, fitEnum, fitStop), whole(2, fitUint32, fitSeconds(p.start)),
		semicircles(3, lat), semicircles(4, long), semicircles(5, endLat), semicircles(6, endLong),
		whole(7, fitUint32, 1000*(p.end-p.start)), whole(8, fitUint32, 1000*(p.end-p.start)),
		scaled(9, fitUint32, 100, 0, p.meters), whole(11, fitUint16, int64(p.kilocalories)),
		scaled(110, fitUint32, 1000, 0, p.pace()), scaled(111, fitUint32, 1000, 0, p.speed.most()),
		scaled(15, fitUint8, 1, 0, p.heart.mean()), scaled(16, fitUint8, 1, 0, p.heart.most()),
		scaled(17, fitUint8, 1, 0, cadence), scaled(80, fitUint8, 128, 0, fraction),
		whole(24, fitEnum, trigger), whole(25, fitEnum, int64(sport.Sport)), whole(39, fitEnum, int64(sport.SubSport)),
		length, first)
}

func (l *leg) session(w *fitWriter, index, firstLap int, sport activitytype.FIT) {
	a := l.summary
	const metric, activityEnd = 0, 0
	pool, unit := fitField{absent: true}, fitField{absent: true}
	if a.NumberOfActiveLengths != nil {
		pool, unit = whole(44, fitUint16, 100*poolLength), whole(46, fitEnum, metric)
	}
	mean, highest := l.cadences()
	cadence, fraction := fitCadence(mean)
	most, mostFraction := fitCadence(highest)
	w.message(fitSession, whole(fitIndex, fitUint16, int64(index)), whole(fitTime, fitUint32, fitSeconds(l.end)),
		whole(0, fitEnum, fitSessionEvent), whole(1, fitEnum, fitStop), whole(2, fitUint32, fitSeconds(l.start)),
		semicircles(3, a.StartingLatitudeInDegree), semicircles(4, a.StartingLongitudeInDegree),
		whole(5, fitEnum, int64(sport.Sport)), whole(6, fitEnum, int64(sport.SubSport)),
		whole(7, fitUint32, 1000*int64(a.DurationInSeconds)), whole(8, fitUint32, 1000*int64(a.DurationInSeconds)),
		scaled(9, fitUint32, 100, 0, a.DistanceInMeters), scaled(10, fitUint32, 1, 0, l.cycles()),
		count(11, fitUint16, a.ActiveKilocalories),
		scaled(124, fitUint32, 1000, 0, a.AverageSpeedInMetersPerSecond), scaled(125, fitUint32, 1000, 0, a.MaxSpeedInMetersPerSecond),
		count(16, fitUint8, a.AverageHeartRateInBeatsPerMinute), scaled(17, fitUint8, 1, 0, a.MaxHeartRateInBeatsPerMinute),
		scaled(18, fitUint8, 1, 0, cadence), scaled(92, fitUint8, 128, 0, fraction),
		scaled(19, fitUint8, 1, 0, most), scaled(93, fitUint8, 128, 0, mostFraction),
		scaled(20, fitUint16, 1, 0, l.power.mean()), scaled(21, fitUint16, 1, 0, l.power.most()),
		scaled(22, fitUint16, 1, 0, a.TotalElevationGainInMeters), scaled(23, fitUint16, 1, 0, a.TotalElevationLossInMeters),
		whole(25, fitUint16, int64(firstLap)), whole(26, fitUint16, int64(len(l.laps))), whole(28, fitEnum, activityEnd),
		count(33, fitUint16, a.NumberOfActiveLengths), count(47, fitUint16, a.NumberOfActiveLengths), pool, unit,
		developed(fitLoad, fitUint16, uint32(min(a.DurationInSeconds/60, 999))))
}

// cadences are the mean and the maximum of the summary, a runner's of one foot.
func (l *leg) cadences() (mean, most *float64) {
	a := l.summary
	half := func(v *float64) *float64 {
		if v == nil {
			return nil
		}
		return new(*v / 2)
	}
	for _, c := range [][2]*float64{
		{half(a.AverageRunCadenceInStepsPerMinute), half(a.MaxRunCadenceInStepsPerMinute)},
		{a.AverageBikeCadenceInRoundsPerMinute, a.MaxBikeCadenceInRoundsPerMinute},
		{a.AverageSwimCadenceInStrokesPerMinute, nil},
		{a.AveragePushCadenceInPushesPerMinute, a.MaxPushCadenceInPushesPerMinute},
	} {
		if c[0] != nil {
			return c[0], c[1]
		}
	}
	return nil, nil
}

// cycles are the strides, rounds, strokes or pushes of all the leg.
func (l *leg) cycles() *float64 {
	mean, _ := l.cadences()
	if mean == nil {
		return nil
	}
	return new(*mean * float64(l.summary.DurationInSeconds) / 60)
}
