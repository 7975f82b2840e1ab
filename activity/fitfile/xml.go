package fitfile

import (
	"bufio"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/garminkit/activityapi/activitytype"
	"github.com/garminkit/activityapi/types"
)

// maxDepth limits how deep elements may be nested. TCX and GPX need 12.
const maxDepth = 64

// xmlReader reads TCX and GPX. It recognizes an element by its name and those of its
// parents, not by namespaces, which programs get wrong.
type xmlReader struct {
	out  *output
	path []string
	text strings.Builder

	record    Record
	inRecord  bool
	lap       *Lap
	session   *Session
	totals    totaller // of the session
	warnings  int
	namespace string // tcx or gpx
}

func readXML(b *bufio.Reader, out *output) error {
	in := &cleaner{in: b}
	if err := in.prolog(); err != nil {
		return err
	}
	d := xml.NewDecoder(in)
	d.Strict = false
	d.CharsetReader = func(_ string, r io.Reader) (io.Reader, error) { return r, nil } // cleaner has seen to it
	x := &xmlReader{out: out}
	for {
		tok, err := d.RawToken()
		in.run = 0
		switch {
		case out.ended:
			return nil
		case in.err == errLongRun && err != nil:
			return x.end(in, in.err, WarnCorrupt)
		case in.err != nil && in.err != io.EOF && in.err != errLongRun:
			return fmt.Errorf("fitfile: %w", in.err)
		case err == io.EOF && len(x.path) == 0:
			return x.end(in, nil, "")
		case errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF):
			return x.end(in, io.ErrUnexpectedEOF, WarnTruncated)
		case err != nil:
			var syntax *xml.SyntaxError
			if errors.As(err, &syntax) && strings.Contains(syntax.Msg, "unexpected EOF") {
				return x.end(in, err, WarnTruncated)
			}
			return x.end(in, err, WarnCorrupt)
		}
		switch tok := tok.(type) {
		case xml.StartElement:
			if len(x.path) >= maxDepth {
				return x.end(in, errors.New("elements are nested too deeply"), WarnCorrupt)
			}
			if len(x.path) == 0 {
				switch tok.Name.Local {
				case "TrainingCenterDatabase":
					x.namespace = "tcx"
				case "gpx":
					x.namespace = "gpx"
				default:
					return fmt.Errorf("%w: the root is %.40q", ErrFormat, tok.Name.Local)
				}
			}
			x.path = append(x.path, tok.Name.Local)
			x.text.Reset()
			x.start(tok)
		case xml.CharData:
			if len(x.path) > 0 && x.text.Len() < 4096 {
				x.text.Write(tok[:min(len(tok), 4096)])
			}
		case xml.EndElement:
			if len(x.path) == 0 || x.path[len(x.path)-1] != tok.Name.Local {
				return x.end(in, fmt.Errorf("</%.40s> ends nothing", tok.Name.Local), WarnCorrupt)
			}
			x.stop()
			x.path = x.path[:len(x.path)-1]
			x.text.Reset()
			if len(x.path) == 0 {
				return x.end(in, nil, "")
			}
		}
	}
}

// end ends a file, and puts what is unfinished.
func (x *xmlReader) end(in *cleaner, err error, w Warn) error {
	if x.namespace == "" {
		if err == nil {
			err = io.ErrUnexpectedEOF
		}
		return fmt.Errorf("%w: %w", ErrFormat, err)
	}
	x.endSession()
	if err != nil {
		x.out.warn(w, "%v", err)
	}
	if in.odd > 0 {
		x.out.warn(WarnEncoding, "%d characters were no %s, or not legal in XML", in.odd, in.name)
	}
	x.out.finish(Session{Type: activitytype.Other})
	return nil
}

// at reports whether names are those of the innermost elements.
func (x *xmlReader) at(names ...string) bool {
	n := len(x.path) - len(names)
	return n >= 0 && slices.Equal(x.path[n:], names)
}

func attr(e xml.StartElement, name string) string {
	for _, a := range e.Attr {
		if a.Name.Local == name {
			return a.Value
		}
	}
	return ""
}

func (x *xmlReader) start(e xml.StartElement) {
	switch {
	case x.namespace == "gpx" && len(x.path) == 1:
		if name := strings.TrimSpace(attr(e, "creator")); name != "" {
			x.out.put(&Device{Creator: true, Name: name})
		}
	case x.at("trk"):
		x.endSession()
		x.session = &Session{Type: activitytype.Other}
	case x.at("trkseg", "trkpt"):
		x.newRecord()
		x.coordinate(latitude, attr(e, "lat"))
		x.coordinate(longitude, attr(e, "lon"))
	case x.at("Activity"):
		x.endSession()
		x.session = &Session{Type: activitytype.Other}
		switch attr(e, "Sport") {
		case "Running":
			x.session.Type = activitytype.Running
		case "Biking":
			x.session.Type = activitytype.Cycling
		}
		x.session.FIT, _ = x.session.Type.FIT()
	case x.at("Activity", "Lap"):
		x.endLap()
		x.lap = &Lap{}
		x.lap.Start = x.time(attr(e, "StartTime"))
	case x.at("NextSport", "Transition"): // a lap that is no part of an activity
		x.endSession()
		x.session = &Session{Type: activitytype.Transition}
		x.session.FIT, _ = x.session.Type.FIT()
		x.lap = &Lap{}
		x.lap.Start = x.time(attr(e, "StartTime"))
	case x.at("Track", "Trackpoint"):
		x.newRecord()
	}
}

func (x *xmlReader) newRecord() {
	x.record.clear()
	x.inRecord = true
}

// stop takes the text of an element at its end.
func (x *xmlReader) stop() {
	name := x.path[len(x.path)-1]
	switch name {
	case "trkpt", "Trackpoint":
		x.endRecord()
		return
	case "Lap":
		x.endLap()
		return
	case "trk", "Activity", "Transition":
		x.endSession()
		return
	}
	text := strings.TrimSpace(x.text.String())
	if text == "" {
		return
	}
	switch {
	case x.inRecord:
		x.recordValue(name, text)
	case x.lap != nil:
		x.lapValue(name, text)
	case x.at("Creator", "Name"):
		x.out.put(&Device{Creator: true, Name: text})
	case x.session == nil: // what is not about a session is of no interest
	case x.at("trk", "name"), x.at("Activity", "Notes"):
		x.session.Name = text
	case x.at("trk", "type"):
		t := activitytype.Type(strings.ToUpper(text)).Canonical()
		if t.Known() {
			x.session.Type = t
		} else if strava, _ := activitytype.FromStrava(text); strava != activitytype.Other {
			x.session.Type = strava
		}
		x.session.FIT, _ = x.session.Type.FIT()
	case x.at("Activity", "Id"):
		x.session.Start = x.time(text)
	}
}

func (x *xmlReader) recordValue(name, text string) {
	r := &x.record
	switch name {
	case "time", "Time":
		if t := x.time(text); !t.IsZero() {
			r.StartTimeInSeconds = types.NewTimestamp(t)
		}
	case "LatitudeDegrees":
		x.coordinate(latitude, text)
	case "LongitudeDegrees":
		x.coordinate(longitude, text)
	case "ele", "AltitudeMeters":
		x.value(elevation, text)
	case "DistanceMeters":
		x.value(distance, text)
	case "speed", "Speed":
		x.value(speed, text)
	case "Watts", "PowerInWatts", "power":
		x.value(power, text)
	case "atemp", "Temperature":
		x.value(temperature, text)
	case "cad", "Cadence", "RunCadence":
		x.value(cadence, text)
	case "hr", "Value":
		if v, ok := x.number(text); ok && v >= 0 && v < 1000 {
			r.setHeart(int(math.Round(v)))
		}
	}
}

func (x *xmlReader) lapValue(name, text string) {
	l := x.lap
	switch name {
	case "TotalTimeSeconds", "DistanceMeters", "MaximumSpeed", "Calories", "AvgSpeed", "AvgWatts", "MaxWatts",
		"Cadence", "AvgRunCadence", "MaxBikeCadence", "MaxRunCadence", "Value":
	default:
		return // words, and what we have no field for
	}
	v, ok := x.number(text)
	if !ok {
		return
	}
	switch name {
	case "TotalTimeSeconds":
		if v >= 0 && v < 1e9 {
			l.Timer = seconds(v)
			l.Elapsed = l.Timer
		}
	case "DistanceMeters":
		l.DistanceInMeters = new(v)
	case "MaximumSpeed":
		l.MaxSpeedInMetersPerSecond = new(v)
	case "Calories":
		l.Kilocalories = new(v)
	case "AvgSpeed":
		l.AverageSpeedInMetersPerSecond = new(v)
	case "AvgWatts":
		l.AveragePowerInWatts = new(v)
	case "MaxWatts":
		l.MaxPowerInWatts = new(v)
	case "Cadence", "AvgRunCadence":
		l.AverageCadence = new(v)
	case "MaxBikeCadence", "MaxRunCadence":
		l.MaxCadence = new(v)
	case "Value":
		if x.at("AverageHeartRateBpm", "Value") {
			l.AverageHeartRate = new(v)
		} else if x.at("MaximumHeartRateBpm", "Value") {
			l.MaxHeartRate = new(v)
		}
	}
}

func (x *xmlReader) endRecord() {
	if !x.inRecord {
		return
	}
	x.inRecord = false
	r := &x.record
	if r.LatitudeInDegree == nil || r.LongitudeInDegree == nil { // half a place is none
		r.LatitudeInDegree, r.LongitudeInDegree = nil, nil
	}
	if x.session != nil {
		r.setCadence(x.session.Type)
	}
	x.totals.add(r)
	x.out.put(r)
}

func (x *xmlReader) endLap() {
	if x.lap != nil {
		x.out.put(x.lap)
		if x.session != nil {
			x.session.add(x.lap)
		}
	}
	x.lap = nil
}

// endSession puts a session with the totals of its laps, or of its records if it has no
// laps.
func (x *xmlReader) endSession() {
	x.endRecord()
	x.endLap()
	s := x.session
	x.session = nil
	if s == nil {
		return
	}
	made := x.totals.totals()
	x.totals = totaller{}
	if s.Laps == nil {
		start := s.Start
		s.Totals = made
		if s.Start.IsZero() {
			s.Start = start
		}
	}
	if s.Start.IsZero() {
		s.Start = made.Start
	}
	x.out.put(s)
}

// add counts a lap.
func (s *Session) add(l *Lap) {
	if s.Laps == nil {
		s.Laps = new(0)
		if s.Start.IsZero() {
			s.Start = l.Start
		}
	}
	*s.Laps++
	s.Timer += l.Timer
	s.Elapsed = max(s.Elapsed, l.Start.Sub(s.Start)+l.Elapsed)
	for _, f := range []struct {
		sum **float64
		lap *float64
	}{{&s.DistanceInMeters, l.DistanceInMeters}, {&s.Kilocalories, l.Kilocalories}} {
		if f.lap != nil {
			if *f.sum == nil {
				*f.sum = new(0.0)
			}
			**f.sum += *f.lap
		}
	}
	for _, f := range []struct {
		most **float64
		lap  *float64
	}{{&s.MaxHeartRate, l.MaxHeartRate}, {&s.MaxSpeedInMetersPerSecond, l.MaxSpeedInMetersPerSecond}, {&s.MaxCadence, l.MaxCadence}, {&s.MaxPowerInWatts, l.MaxPowerInWatts}} {
		if f.lap != nil && (*f.most == nil || **f.most < *f.lap) {
			*f.most = new(*f.lap)
		}
	}
}

// bad warns of a value that could not be read, up to a limit.
func (x *xmlReader) bad(text string) {
	if x.warnings++; x.warnings <= 20 {
		x.out.warn(WarnValue, "%s is %.40q", x.path[len(x.path)-1], text)
	}
}

func (x *xmlReader) number(text string) (float64, bool) {
	// Some programs write a decimal comma, as in their user's country.
	v, err := strconv.ParseFloat(strings.Replace(strings.TrimSpace(text), ",", ".", 1), 64)
	if err != nil || math.IsNaN(v) || math.IsInf(v, 0) {
		x.bad(text)
		return 0, false
	}
	return v, true
}

func (x *xmlReader) value(slot int, text string) {
	if v, ok := x.number(text); ok {
		x.record.set(slot, v)
	}
}

func (x *xmlReader) coordinate(slot int, text string) {
	v, ok := x.number(text)
	most := 180.0
	if slot == latitude {
		most = 90
	}
	if ok && math.Abs(v) > most {
		x.bad(text)
		ok = false
	}
	if ok {
		x.record.set(slot, v)
	}
}

func (x *xmlReader) time(text string) time.Time {
	for _, layout := range [...]string{time.RFC3339, "2006-01-02T15:04:05", "2006-01-02T15:04:05Z0700"} {
		if t, err := time.Parse(layout, strings.TrimSpace(text)); err == nil {
			return t.UTC()
		}
	}
	x.bad(text)
	return time.Time{}
}
