package activitytest

import (
	"bytes"
	"encoding/binary"
	"math"
	"time"

	"github.com/garminkit/activityapi/types"
)

// Details returns the activity with samples, every one to eight seconds as
// devices record them, and laps of one kilometre or ten minutes. A manual
// activity has none.
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
	last, nextLap := 0, 0.0
	for at := 0; at <= a.DurationInSeconds; at += 1 + g.rand.IntN(8) {
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
		if progress := max(distance/1000, float64(at)/600); progress >= nextLap {
			d.Laps = append(d.Laps, types.Lap{StartTimeInSeconds: s.StartTimeInSeconds})
			nextLap++
		}
		d.Samples = append(d.Samples, s)
	}
	return d
}

func round(v, parts float64) float64 { return math.Round(v*parts) / parts }

// File returns the FIT file of the details and its announcement: a file id and
// a record for each sample.
func (g *Generator) File(d *types.ActivityDetails) (types.ActivityFile, []byte) {
	a := &d.Summary
	return types.ActivityFile{
		SummaryID: d.SummaryID.Stem() + "-file", FileType: "FIT",
		ActivityID: a.ActivityID, ActivityName: a.ActivityName, ActivityType: a.ActivityType,
		StartTimeInSeconds: a.StartTimeInSeconds, DeviceName: a.DeviceName, Manual: a.Manual,
	}, encodeFIT(d)
}

// encodeFIT writes FIT 2.0: a header, a file_id message, record messages, and
// checksums. Garmin publishes the format.
func encodeFIT(d *types.ActivityDetails) []byte {
	const (
		epoch = 631065600 // 1989-12-31, from where FIT counts
		enum  = 0x00
		u8    = 0x02
		u16   = 0x84
		u32   = 0x86
		s32   = 0x85
	)
	var data bytes.Buffer
	put := func(v ...any) {
		for _, x := range v {
			_ = binary.Write(&data, binary.LittleEndian, x)
		}
	}
	// Each message type is defined, by number and fields, before its data.
	data.Write([]byte{0x40, 0, 0, 0, 0, 4, 0, 1, enum, 1, 2, u16, 2, 2, u16, 4, 4, u32})
	put([]byte{0, 4}, []uint16{1, 0}, uint32(int64(d.Summary.StartTimeInSeconds)-epoch)) // an activity, made by Garmin
	data.Write([]byte{0x41, 0, 0, 20, 0, 5, 253, 4, u32, 0, 4, s32, 1, 4, s32, 3, 1, u8, 5, 4, u32})
	for i := range d.Samples {
		s := &d.Samples[i]
		lat, long, heart, distance := int32(math.MaxInt32), int32(math.MaxInt32), byte(0xff), uint32(math.MaxUint32) // "no value"
		if s.LatitudeInDegree != nil && s.LongitudeInDegree != nil {
			lat, long = semicircles(*s.LatitudeInDegree), semicircles(*s.LongitudeInDegree)
		}
		if s.HeartRate != nil {
			heart = byte(*s.HeartRate)
		}
		if s.TotalDistanceInMeters != nil {
			distance = uint32(int64(*s.TotalDistanceInMeters * 100))
		}
		put(byte(1), uint32(int64(s.StartTimeInSeconds)-epoch), lat, long, heart, distance)
	}
	head := []byte{14, 0x20, 0x54, 0x08, 0, 0, 0, 0, '.', 'F', 'I', 'T'}
	binary.LittleEndian.PutUint32(head[4:], uint32(int64(data.Len())))
	head = binary.LittleEndian.AppendUint16(head, fitSum(head))
	file := append(head, data.Bytes()...)
	return binary.LittleEndian.AppendUint16(file, fitSum(file))
}

func semicircles(degrees float64) int32 { return int32(degrees * (1 << 31) / 180) }

// fitSum is the CRC-16 of the FIT format.
func fitSum(b []byte) (sum uint16) {
	for _, c := range b {
		sum ^= uint16(c)
		for range 8 {
			if sum&1 != 0 {
				sum = sum>>1 ^ 0xa001
			} else {
				sum >>= 1
			}
		}
	}
	return sum
}

// Sync uploads one workout as a device does: activities, details and files, and
// queues their notifications.
func (u *User) Sync(g *Generator, sport Sport, start time.Time) {
	u.upload(g, sport, start, true, false)
}

// FillHistory gives the user a history without details and files: on most days
// of w one activity of [Generator.Any] sport, and now and then a Move IQ event.
func (u *User) FillHistory(g *Generator, w types.Window) {
	for d := range w.Split(day) {
		if g.rand.IntN(4) > 0 {
			u.upload(g, g.Any(), d.Start.Add(time.Duration(g.rand.Int64N(int64(d.Duration())))), false, true)
		}
		if g.rand.IntN(4) == 0 {
			u.AddHistory(g.MoveIQ(d.Start.Add(time.Duration(g.rand.Int64N(int64(d.Duration()))))))
		}
	}
}

func (u *User) upload(g *Generator, sport Sport, start time.Time, details, history bool) {
	add, addFile := u.Add, u.AddFile
	if history {
		add, addFile = u.AddHistory, u.AddFileHistory
	}
	for _, a := range g.Activities(sport, start) {
		add(a)
		if !details {
			continue
		}
		d := g.Details(a)
		add(d)
		if !a.Manual && !a.IsParent {
			addFile(g.File(d))
		}
	}
}
