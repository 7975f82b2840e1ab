package export

import "io"

// WriteGPX writes tracks as GPX 1.1, with heart rate, cadence, speed and
// temperature in Garmin's TrackPointExtension v2 and power in its PowerExtension
// v1. Samples without a position have no place in GPX and are left out. The
// cadence of a runner counts one foot, half the steps, as in Garmin's own files.
func WriteGPX(out io.Writer, o *Options, tracks ...*Track) error {
	all, err := passages(o, tracks, true)
	if err != nil {
		return err
	}
	w := newWriter(out)
	w.text(`<?xml version="1.0" encoding="UTF-8"?>` + "\n" + `<gpx version="1.1" creator="`)
	w.escaped(all[0].o.attribution(all[0].Track))
	w.text(`" xmlns="http://www.topografix.com/GPX/1/1"` +
		` xmlns:gpxtpx="http://www.garmin.com/xmlschemas/TrackPointExtension/v2"` +
		` xmlns:gpxpx="http://www.garmin.com/xmlschemas/PowerExtension/v1">` + "\n")
	for _, p := range all {
		if err := p.gpx(w); err != nil {
			return err
		}
	}
	w.text("</gpx>\n")
	return w.flush()
}

func (p *passage) gpx(w *writer) error {
	w.text("<trk>")
	if name := p.o.name(p.Track); name != "" {
		w.text("<name>")
		w.escaped(name)
		w.text("</name>")
	}
	w.text("<src>")
	w.escaped(p.o.attribution(p.Track))
	w.text("</src>")
	if kind := p.kind(); kind != "" {
		w.text("<type>")
		w.escaped(kind)
		w.text("</type>")
	}
	w.text("\n<trkseg>\n")
	begun := false
	for pt, err := range p.points() {
		if err != nil {
			return err
		}
		if !pt.placed() {
			continue
		}
		if pt.cut && begun {
			w.text("</trkseg>\n<trkseg>\n")
		}
		begun = true
		pt.gpx(w)
	}
	w.text("</trkseg>\n</trk>\n")
	return nil
}

func (p *point) gpx(w *writer) {
	lon := *p.LongitudeInDegree
	if lon == 180 {
		lon = -180 // as the schema has it
	}
	w.text(`<trkpt lat="`)
	w.number(*p.LatitudeInDegree)
	w.text(`" lon="`)
	w.number(lon)
	w.text(`">`)
	w.element("ele", p.ElevationInMeters)
	w.text("<time>")
	w.time(p.time)
	w.text("</time>")
	cadence := p.cadence()
	heart := p.HeartRate != nil && *p.HeartRate >= 1 && *p.HeartRate <= 255
	extended := p.AirTemperatureCelcius != nil || heart || cadence != nil || p.SpeedMetersPerSecond != nil
	if extended || p.PowerInWatts != nil {
		w.text("<extensions>")
		if p.PowerInWatts != nil {
			w.whole("gpxpx:PowerInWatts", p.PowerInWatts, 65535)
		}
		if extended {
			w.text("<gpxtpx:TrackPointExtension>")
			w.element("gpxtpx:atemp", p.AirTemperatureCelcius)
			if heart {
				w.text("<gpxtpx:hr>")
				w.int(*p.HeartRate)
				w.text("</gpxtpx:hr>")
			}
			w.whole("gpxtpx:cad", cadence, 254)
			w.element("gpxtpx:speed", p.SpeedMetersPerSecond)
			w.text("</gpxtpx:TrackPointExtension>")
		}
		w.text("</extensions>")
	}
	w.text("</trkpt>\n")
}

// cadence is the one cadence that a format has room for, or nil.
func (p *point) cadence() *float64 {
	if run := p.runCadence(); run != nil {
		return run
	}
	for _, c := range [...]*float64{p.BikeCadenceInRPM, p.SwimCadenceInStrokesPerMinute, p.DirectWheelchairCadence} {
		if c != nil {
			return c
		}
	}
	return nil
}

// runCadence counts one foot.
func (p *point) runCadence() *float64 {
	if p.StepsPerMinute == nil {
		return nil
	}
	half := *p.StepsPerMinute / 2
	return &half
}
