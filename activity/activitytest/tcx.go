package activitytest

import (
	"encoding/xml"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/garminkit/activityapi/types"
)

// decimal is written with digits alone, as the schemas of GPX ask.
type decimal float64

func (d decimal) MarshalText() ([]byte, error) {
	return strconv.AppendFloat(nil, float64(d), 'f', -1, 64), nil
}

func decimals(v *float64) *decimal {
	if v == nil {
		return nil
	}
	return new(decimal(*v))
}

// isoTime is a time as Garmin Connect exports it.
func isoTime(utc int64) string { return time.Unix(utc, 0).UTC().Format("2006-01-02T15:04:05.000Z") }

// The parts of a Training Center Database, version 2, and of Garmin's extension
// to it.
type (
	tcxActivity struct {
		Sport   string   `xml:",attr"`
		ID      string   `xml:"Id"`
		Laps    []tcxLap `xml:"Lap"`
		Notes   string   `xml:",omitempty"`
		Creator *tcxCreator
	}
	tcxMultiSport struct {
		ID    string `xml:"Id"`
		First struct {
			Activity tcxActivity
		} `xml:"FirstSport"`
		Next []tcxNext `xml:"NextSport"`
		// Notes are of the whole.
		Notes string `xml:",omitempty"`
	}
	tcxNext struct {
		Transition *tcxLap
		Activity   tcxActivity
	}
	tcxLap struct {
		StartTime           string `xml:",attr"`
		TotalTimeSeconds    decimal
		DistanceMeters      decimal
		MaximumSpeed        *decimal `xml:",omitempty"`
		Calories            int
		AverageHeartRateBpm *tcxHeart `xml:",omitempty"`
		MaximumHeartRateBpm *tcxHeart `xml:",omitempty"`
		Intensity           string
		Cadence             *int `xml:",omitempty"`
		TriggerMethod       string
		Track               *tcxTrack
		Extensions          *tcxLapExtension
	}
	tcxHeart struct{ Value int }
	tcxTrack struct {
		Trackpoint []tcxPoint
	}
	tcxPoint struct {
		Time     string
		Position *struct {
			LatitudeDegrees, LongitudeDegrees decimal
		}
		AltitudeMeters *decimal
		DistanceMeters *decimal
		HeartRateBpm   *tcxHeart
		Cadence        *int
		Extensions     *tcxPointExtension
	}
	tcxPointExtension struct {
		Speed      *decimal `xml:"ns3:TPX>ns3:Speed"`
		RunCadence *int     `xml:"ns3:TPX>ns3:RunCadence"`
		Watts      *int     `xml:"ns3:TPX>ns3:Watts"`
	}
	tcxLapExtension struct {
		AvgSpeed      *decimal `xml:"ns3:LX>ns3:AvgSpeed"`
		AvgRunCadence *int     `xml:"ns3:LX>ns3:AvgRunCadence"`
	}
	tcxCreator struct {
		Type      string `xml:"xsi:type,attr"`
		Name      string
		UnitID    int64 `xml:"UnitId"`
		ProductID int64
		Major     int `xml:"Version>VersionMajor"`
		Minor     int `xml:"Version>VersionMinor"`
	}
	tcxDatabase struct {
		XMLName    xml.Name `xml:"TrainingCenterDatabase"`
		NS         string   `xml:"xmlns,attr"`
		NS3        string   `xml:"xmlns:ns3,attr"`
		XSI        string   `xml:"xmlns:xsi,attr"`
		Activities struct {
			Activity   []tcxActivity
			MultiSport *tcxMultiSport `xml:"MultiSportSession"`
		}
		Author tcxAuthor
	}
	tcxAuthor struct {
		Type       string `xml:"xsi:type,attr"`
		Name       string
		Major      int `xml:"Build>Version>VersionMajor"`
		Minor      int `xml:"Build>Version>VersionMinor"`
		LangID     string
		PartNumber string
	}
)

// tcx writes the workout as a Training Center Database. That of a multisport
// activity has one session; a transition is a lap before the next sport.
func (f *workout) tcx() []byte {
	db := &tcxDatabase{
		NS:     "http://www.garmin.com/xmlschemas/TrainingCenterDatabase/v2",
		NS3:    "http://www.garmin.com/xmlschemas/ActivityExtension/v2",
		XSI:    "http://www.w3.org/2001/XMLSchema-instance",
		Author: tcxAuthor{Type: "Application_t", Name: "Connect Api", Major: 26, LangID: "en", PartNumber: "006-D2449-00"},
	}
	if len(f.legs) == 1 {
		db.Activities.Activity = []tcxActivity{f.legs[0].tcx(f.summary.DeviceName)}
		return indent(db)
	}
	m := &tcxMultiSport{ID: isoTime(f.legs[0].start), Notes: f.summary.ActivityName}
	m.First.Activity = f.legs[0].tcx(f.summary.DeviceName)
	var change *tcxLap
	for i, l := range f.legs[1:] {
		if len(l.laps) == 1 && l.transition() && change == nil && i+2 < len(f.legs) {
			change = new(l.laps[0].tcx(l, true))
			continue
		}
		m.Next = append(m.Next, tcxNext{change, l.tcx(f.summary.DeviceName)})
		change = nil
	}
	db.Activities.MultiSport = m
	return indent(db)
}

func indent(v any) []byte {
	b, err := xml.MarshalIndent(v, "", "  ")
	if err != nil {
		panic("activitytest: " + err.Error()) // v is always one of ours
	}
	return append([]byte(xml.Header), append(b, '\n')...)
}

// transition reports whether the leg is a change between two sports.
func (l *leg) transition() bool {
	return strings.Contains(string(l.summary.ActivityType), "TRANSITION")
}

func (l *leg) tcx(device string) tcxActivity {
	a := tcxActivity{
		Sport: "Other", ID: isoTime(l.start), Notes: l.summary.ActivityName,
		Creator: &tcxCreator{Type: "Device_t", Name: device, UnitID: 1_300_000_000, ProductID: products[device], Major: 21, Minor: 22},
	}
	switch sport, _ := l.summary.ActivityType.FIT(); sport.Sport {
	case 1:
		a.Sport = "Running"
	case 2, 21:
		a.Sport = "Biking"
	}
	for i, p := range l.laps {
		a.Laps = append(a.Laps, p.tcx(l, i == len(l.laps)-1))
	}
	return a
}

func (p *lap) tcx(l *leg, last bool) tcxLap {
	t := tcxLap{
		StartTime: isoTime(p.start), TotalTimeSeconds: decimal(p.end - p.start), Calories: p.kilocalories,
		MaximumSpeed: decimals(p.speed.most()), Intensity: "Active", TriggerMethod: "Distance",
		AverageHeartRateBpm: heartOf(p.heart.mean()), MaximumHeartRateBpm: heartOf(p.heart.most()),
	}
	if last {
		t.TriggerMethod = "Manual"
	}
	if p.meters != nil {
		t.DistanceMeters = decimal(math.Round(*p.meters*100) / 100)
	}
	runs := l.summary.AverageRunCadenceInStepsPerMinute != nil
	cadence := wholeOf(p.cadence.mean(), mostCadence)
	if p.speed.n > 0 || (runs && cadence != nil) {
		t.Extensions = &tcxLapExtension{AvgSpeed: decimals(p.pace())}
	}
	if runs && cadence != nil {
		t.Extensions.AvgRunCadence = cadence
	} else {
		t.Cadence = cadence
	}
	if len(p.samples) > 0 {
		t.Track = &tcxTrack{}
	}
	for i := range p.samples {
		t.Track.Trackpoint = append(t.Track.Trackpoint, tcxSample(&p.samples[i]))
	}
	return t
}

func tcxSample(s *types.Sample) tcxPoint {
	t := tcxPoint{
		Time:           isoTime(int64(s.StartTimeInSeconds)),
		AltitudeMeters: decimals(s.ElevationInMeters), DistanceMeters: decimals(s.TotalDistanceInMeters),
	}
	if placed(s) {
		t.Position = &struct{ LatitudeDegrees, LongitudeDegrees decimal }{decimal(*s.LatitudeInDegree), decimal(*s.LongitudeInDegree)}
	}
	if s.HeartRate != nil {
		t.HeartRateBpm = heartOf(new(float64(*s.HeartRate)))
	}
	e := tcxPointExtension{Speed: decimals(s.SpeedMetersPerSecond), Watts: wholeOf(s.PowerInWatts, mostWatts)}
	if cadence := wholeOf(rounds(s), mostCadence); s.StepsPerMinute != nil {
		e.RunCadence = cadence
	} else {
		t.Cadence = cadence
	}
	if e != (tcxPointExtension{}) {
		t.Extensions = &e
	}
	return t
}

// heartOf is a heart rate, which has one byte.
func heartOf(v *float64) *tcxHeart {
	if v == nil || math.Round(*v) < 1 || math.Round(*v) > 255 {
		return nil
	}
	return &tcxHeart{int(math.Round(*v))}
}

// The most that files have room for.
const (
	mostCadence = 254
	mostWatts   = 65535
)

// wholeOf is a cadence or power without its fraction.
func wholeOf(v *float64, most float64) *int {
	if v == nil || *v < 0 || *v >= most+1 {
		return nil
	}
	return new(int(*v))
}
