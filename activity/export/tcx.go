package export

import (
	"io"
	"time"

	"github.com/garminkit/activityapi/activitytype"
)

// WriteTCX writes tracks as a Training Center Database v2, with speed, the
// cadence of runners and power in Garmin's ActivityExtension v2. Samples without
// a position are written too. A lap's time and distance are those of its samples;
// calories are written if there is one lap and no zone.
func WriteTCX(out io.Writer, o *Options, tracks ...*Track) error {
	all, err := passages(o, tracks, false)
	if err != nil {
		return err
	}
	w := newWriter(out)
	w.text(`<?xml version="1.0" encoding="UTF-8"?>` + "\n" +
		`<TrainingCenterDatabase xmlns="http://www.garmin.com/xmlschemas/TrainingCenterDatabase/v2"` +
		` xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"` +
		` xmlns:ns3="http://www.garmin.com/xmlschemas/ActivityExtension/v2">` + "\n<Activities>\n")
	for _, p := range all {
		if err := p.tcx(w); err != nil {
			return err
		}
	}
	w.text("</Activities>\n</TrainingCenterDatabase>\n")
	return w.flush()
}

// lap is what the head of a lap tells, before its points.
type lap struct {
	start    time.Time
	lasted   time.Duration
	distance float64
	speed    float64 // maximum
	hearts   int     // how many, their sum, and the maximum
	sum, max int
}

// laps looks through the points. What lies between two laps is in the first.
func (p *passage) laps() ([]lap, error) {
	var all []lap
	var last time.Time
	at, some := 0.0, false
	for pt, err := range p.points() {
		if err != nil {
			return nil, err
		}
		if len(all) > 0 {
			l := &all[len(all)-1]
			if !pt.cut && pt.time.After(last) {
				l.lasted = max(l.lasted, l.lasted+pt.time.Sub(last)) // not beyond what it can hold
			}
			if d := pt.TotalDistanceInMeters; d != nil && some && *d > at {
				l.distance += *d - at
			}
		}
		last = pt.time
		if d := pt.TotalDistanceInMeters; d != nil {
			at, some = *d, true
		}
		if pt.lap >= len(all) {
			all = append(all, lap{start: pt.time})
		}
		l := &all[len(all)-1]
		if s := pt.SpeedMetersPerSecond; s != nil {
			l.speed = max(l.speed, *s)
		}
		if h := pt.HeartRate; h != nil && *h >= 1 && *h <= 255 {
			l.hearts++
			l.sum += *h
			l.max = max(l.max, *h)
		}
	}
	return all, nil
}

func (p *passage) tcx(w *writer) error {
	laps, err := p.laps()
	if err != nil {
		return err
	}
	w.text(`<Activity Sport="` + sport(p.Type) + `"><Id>`)
	w.time(laps[0].start)
	w.text("</Id>\n")
	current := -1
	for pt, err := range p.points() {
		if err != nil {
			return err
		}
		switch {
		case pt.lap != current:
			if current >= 0 {
				w.text("</Track></Lap>\n")
			}
			current = pt.lap
			p.head(w, &laps[current], len(laps))
		case pt.cut:
			w.text("</Track>\n<Track>\n")
		}
		pt.tcx(w)
	}
	w.text("</Track></Lap>\n")
	if name := p.o.name(p.Track); name != "" {
		w.text("<Notes>")
		w.escaped(name)
		w.text("</Notes>")
	}
	w.text(`<Creator xsi:type="Device_t"><Name>`)
	w.escaped(p.o.attribution(p.Track))
	w.text("</Name><UnitId>0</UnitId><ProductID>0</ProductID>" +
		"<Version><VersionMajor>0</VersionMajor><VersionMinor>0</VersionMinor></Version></Creator>\n</Activity>\n")
	return nil
}

func (p *passage) head(w *writer, l *lap, laps int) {
	w.text(`<Lap StartTime="`)
	w.time(l.start)
	w.text(`"><TotalTimeSeconds>`)
	w.number(l.lasted.Seconds())
	w.text("</TotalTimeSeconds><DistanceMeters>")
	w.number(l.distance)
	w.text("</DistanceMeters>")
	if l.speed > 0 {
		w.element("MaximumSpeed", &l.speed)
	}
	w.text("<Calories>")
	if laps == 1 && !p.o.Omit.Kilocalories && !p.zoned() {
		w.int(min(max(p.Kilocalories, 0), 65535))
	} else {
		w.text("0")
	}
	w.text("</Calories>")
	if l.hearts > 0 {
		w.text("<AverageHeartRateBpm><Value>")
		w.int((l.sum + l.hearts/2) / l.hearts)
		w.text("</Value></AverageHeartRateBpm><MaximumHeartRateBpm><Value>")
		w.int(l.max)
		w.text("</Value></MaximumHeartRateBpm>")
	}
	w.text("<Intensity>Active</Intensity><TriggerMethod>Manual</TriggerMethod>\n<Track>\n")
}

func (p *point) tcx(w *writer) {
	w.text("<Trackpoint><Time>")
	w.time(p.time)
	w.text("</Time>")
	if p.placed() {
		w.text("<Position>")
		w.element("LatitudeDegrees", p.LatitudeInDegree)
		w.element("LongitudeDegrees", p.LongitudeInDegree)
		w.text("</Position>")
	}
	w.element("AltitudeMeters", p.ElevationInMeters)
	w.element("DistanceMeters", p.TotalDistanceInMeters)
	if h := p.HeartRate; h != nil && *h >= 1 && *h <= 255 {
		w.text("<HeartRateBpm><Value>")
		w.int(*h)
		w.text("</Value></HeartRateBpm>")
	}
	run := p.runCadence()
	if run == nil {
		w.whole("Cadence", p.cadence(), 254)
	}
	if p.SpeedMetersPerSecond != nil || run != nil || p.PowerInWatts != nil {
		w.text("<Extensions><ns3:TPX>")
		w.element("ns3:Speed", p.SpeedMetersPerSecond)
		w.whole("ns3:RunCadence", run, 254)
		w.whole("ns3:Watts", p.PowerInWatts, 65535)
		w.text("</ns3:TPX></Extensions>")
	}
	w.text("</Trackpoint>\n")
}

// sport is one of the three that TCX knows.
func sport(t activitytype.Type) string {
	// Types that are not known count by what their name suggests.
	switch f, _ := t.FIT(); f.Sport {
	case 1:
		return "Running"
	case 2, 21:
		return "Biking"
	}
	return "Other"
}
