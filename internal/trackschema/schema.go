// Package trackschema checks GPX and TCX documents against the rules of their
// public schemas, for tests of what writes them.
package trackschema

import (
	"encoding/xml"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// The parts of the schemas of GPX 1.1, TCX v2 and their extensions that are
// written here, in our own words: which children an element has, in which order
// and how often, and what text and attributes may be.
type element struct {
	children []child
	attrs    map[string]func(string) bool // all are required
	text     func(string) bool            // nil: no text but white space
}

// child is an element by the short name of its namespace and its own.
type child struct {
	name     string
	min, max int
}

const many = 1 << 30

var namespaces = map[string]string{
	"http://www.topografix.com/GPX/1/1":                          "gpx",
	"http://www.garmin.com/xmlschemas/TrackPointExtension/v1":    "tp1",
	"http://www.garmin.com/xmlschemas/TrackPointExtension/v2":    "tpx",
	"http://www.garmin.com/xmlschemas/PowerExtension/v1":         "pwr",
	"http://www.garmin.com/xmlschemas/TrainingCenterDatabase/v2": "tcx",
	"http://www.garmin.com/xmlschemas/ActivityExtension/v2":      "ax",
}

var decimalForm = regexp.MustCompile(`^[-+]?([0-9]+(\.[0-9]*)?|\.[0-9]+)$`)

func decimal(least, below float64) func(string) bool {
	return func(s string) bool {
		f, err := strconv.ParseFloat(s, 64)
		return err == nil && decimalForm.MatchString(s) && f >= least && f < below
	}
}

func number(s string) bool { return decimal(-1e300, 1e300)(s) }

func integer(least, most int) func(string) bool {
	return func(s string) bool {
		n, err := strconv.Atoi(s)
		return err == nil && n >= least && n <= most
	}
}

func dateTime(s string) bool {
	_, err := time.Parse(time.RFC3339, s)
	return err == nil
}

func anyText(string) bool { return true }

func oneOf(values ...string) func(string) bool {
	return func(s string) bool { return slices.Contains(values, s) }
}

func leaf(text func(string) bool) element { return element{text: text} }

// lap is that of an activity, and a transition between two.
var lap = element{
	children: []child{
		{"tcx:TotalTimeSeconds", 1, 1}, {"tcx:DistanceMeters", 1, 1}, {"tcx:MaximumSpeed", 0, 1},
		{"tcx:Calories", 1, 1}, {"tcx:AverageHeartRateBpm", 0, 1}, {"tcx:MaximumHeartRateBpm", 0, 1},
		{"tcx:Intensity", 1, 1}, {"tcx:Cadence", 0, 1}, {"tcx:TriggerMethod", 1, 1}, {"tcx:Track", 0, many},
		{"tcx:Notes", 0, 1}, {"tcx:Extensions", 0, 1},
	},
	attrs: map[string]func(string) bool{"StartTime": dateTime},
}

var schema = map[string]element{
	"gpx:gpx": {
		children: []child{{"gpx:metadata", 0, 1}, {"gpx:trk", 0, many}},
		attrs:    map[string]func(string) bool{"version": oneOf("1.1"), "creator": anyText},
	},
	"gpx:metadata": {children: []child{{"gpx:link", 0, many}, {"gpx:time", 0, 1}}},
	"gpx:link":     {children: []child{{"gpx:text", 0, 1}}, attrs: map[string]func(string) bool{"href": anyText}},
	"gpx:text":     leaf(anyText),
	"gpx:trk": {children: []child{
		{"gpx:name", 0, 1}, {"gpx:src", 0, 1}, {"gpx:type", 0, 1}, {"gpx:trkseg", 0, many},
	}},
	"gpx:name":   leaf(anyText),
	"gpx:src":    leaf(anyText),
	"gpx:type":   leaf(anyText),
	"gpx:trkseg": {children: []child{{"gpx:trkpt", 0, many}}},
	"gpx:trkpt": {
		children: []child{{"gpx:ele", 0, 1}, {"gpx:time", 0, 1}, {"gpx:extensions", 0, 1}},
		attrs:    map[string]func(string) bool{"lat": decimal(-90, 90.0000000001), "lon": decimal(-180, 180)},
	},
	"gpx:ele":                    leaf(number),
	"gpx:time":                   leaf(dateTime),
	"gpx:extensions":             {children: []child{{"pwr:PowerInWatts", 0, 1}, {"tp1:TrackPointExtension", 0, 1}, {"tpx:TrackPointExtension", 0, 1}}},
	"tp1:TrackPointExtension":    {children: []child{{"tp1:atemp", 0, 1}, {"tp1:hr", 0, 1}, {"tp1:cad", 0, 1}}},
	"tp1:atemp":                  leaf(number),
	"tp1:hr":                     leaf(integer(1, 255)),
	"tp1:cad":                    leaf(integer(0, 254)),
	"pwr:PowerInWatts":           leaf(integer(0, 65535)),
	"tpx:TrackPointExtension":    {children: []child{{"tpx:atemp", 0, 1}, {"tpx:hr", 0, 1}, {"tpx:cad", 0, 1}, {"tpx:speed", 0, 1}}},
	"tpx:atemp":                  leaf(number),
	"tpx:hr":                     leaf(integer(1, 255)),
	"tpx:cad":                    leaf(integer(0, 254)),
	"tpx:speed":                  leaf(number),
	"tcx:TrainingCenterDatabase": {children: []child{{"tcx:Activities", 0, 1}, {"tcx:Author", 0, 1}}},
	"tcx:Activities":             {children: []child{{"tcx:Activity", 0, many}, {"tcx:MultiSportSession", 0, many}}},
	"tcx:MultiSportSession": {children: []child{
		{"tcx:Id", 1, 1}, {"tcx:FirstSport", 1, 1}, {"tcx:NextSport", 0, many}, {"tcx:Notes", 0, 1},
	}},
	"tcx:FirstSport": {children: []child{{"tcx:Activity", 1, 1}}},
	"tcx:NextSport":  {children: []child{{"tcx:Transition", 0, 1}, {"tcx:Activity", 1, 1}}},
	"tcx:Transition": lap,
	"tcx:Author": {
		children: []child{{"tcx:Name", 1, 1}, {"tcx:Build", 1, 1}, {"tcx:LangID", 1, 1}, {"tcx:PartNumber", 1, 1}},
		attrs:    map[string]func(string) bool{"type": oneOf("Application_t")},
	},
	"tcx:Build":      {children: []child{{"tcx:Version", 1, 1}}},
	"tcx:LangID":     leaf(regexp.MustCompile(`^[a-z]{2}$`).MatchString),
	"tcx:PartNumber": leaf(regexp.MustCompile(`^[0-9A-Z]{3}-[0-9A-Z]{5}-[0-9A-Z]{2}$`).MatchString),
	"tcx:Activity": {
		children: []child{{"tcx:Id", 1, 1}, {"tcx:Lap", 1, many}, {"tcx:Notes", 0, 1}, {"tcx:Creator", 0, 1}},
		attrs:    map[string]func(string) bool{"Sport": oneOf("Running", "Biking", "Other")},
	},
	"tcx:Id":                  leaf(dateTime),
	"tcx:Notes":               leaf(anyText),
	"tcx:Lap":                 lap,
	"tcx:TotalTimeSeconds":    leaf(decimal(0, 1e300)),
	"tcx:DistanceMeters":      leaf(number),
	"tcx:MaximumSpeed":        leaf(number),
	"tcx:Calories":            leaf(integer(0, 65535)),
	"tcx:AverageHeartRateBpm": {children: []child{{"tcx:Value", 1, 1}}},
	"tcx:MaximumHeartRateBpm": {children: []child{{"tcx:Value", 1, 1}}},
	"tcx:HeartRateBpm":        {children: []child{{"tcx:Value", 1, 1}}},
	"tcx:Value":               leaf(integer(1, 255)),
	"tcx:Intensity":           leaf(oneOf("Active", "Resting")),
	"tcx:TriggerMethod":       leaf(oneOf("Manual", "Distance", "Location", "Time", "HeartRate")),
	"tcx:Track":               {children: []child{{"tcx:Trackpoint", 1, many}}},
	"tcx:Trackpoint": {children: []child{
		{"tcx:Time", 1, 1}, {"tcx:Position", 0, 1}, {"tcx:AltitudeMeters", 0, 1}, {"tcx:DistanceMeters", 0, 1},
		{"tcx:HeartRateBpm", 0, 1}, {"tcx:Cadence", 0, 1}, {"tcx:Extensions", 0, 1},
	}},
	"tcx:Time":             leaf(dateTime),
	"tcx:Position":         {children: []child{{"tcx:LatitudeDegrees", 1, 1}, {"tcx:LongitudeDegrees", 1, 1}}},
	"tcx:LatitudeDegrees":  leaf(decimal(-90, 90.0000000001)),
	"tcx:LongitudeDegrees": leaf(decimal(-180, 180.0000000001)),
	"tcx:AltitudeMeters":   leaf(number),
	"tcx:Cadence":          leaf(integer(0, 254)),
	"tcx:Extensions":       {children: []child{{"ax:TPX", 0, 1}, {"ax:LX", 0, 1}}},
	"ax:LX":                {children: []child{{"ax:AvgSpeed", 0, 1}, {"ax:MaxBikeCadence", 0, 1}, {"ax:AvgRunCadence", 0, 1}}},
	"ax:AvgSpeed":          leaf(number),
	"ax:MaxBikeCadence":    leaf(integer(0, 254)),
	"ax:AvgRunCadence":     leaf(integer(0, 254)),
	"ax:TPX":               {children: []child{{"ax:Speed", 0, 1}, {"ax:RunCadence", 0, 1}, {"ax:Watts", 0, 1}}},
	"ax:Speed":             leaf(number),
	"ax:RunCadence":        leaf(integer(0, 254)),
	"ax:Watts":             leaf(integer(0, 65535)),
	"tcx:Creator": {
		children: []child{{"tcx:Name", 1, 1}, {"tcx:UnitId", 1, 1}, {"tcx:ProductID", 1, 1}, {"tcx:Version", 1, 1}},
		attrs:    map[string]func(string) bool{"type": oneOf("Device_t")},
	},
	"tcx:Name":         leaf(anyText),
	"tcx:UnitId":       leaf(integer(0, 1<<31-1)),
	"tcx:ProductID":    leaf(integer(0, 65535)),
	"tcx:Version":      {children: []child{{"tcx:VersionMajor", 1, 1}, {"tcx:VersionMinor", 1, 1}}},
	"tcx:VersionMajor": leaf(integer(0, 65535)),
	"tcx:VersionMinor": leaf(integer(0, 65535)),
}

// Validate reads a document as a stream and reports what the schema does not
// allow. root is "gpx:gpx" or "tcx:TrainingCenterDatabase".
func Validate(r io.Reader, root string) error {
	d := xml.NewDecoder(r)
	type open struct {
		name string
		at   int // in the list of children
		n    int // how many of that there were
		text strings.Builder
	}
	var stack []*open
	end := func(o *open) error {
		e := schema[o.name]
		for i := o.at; i < len(e.children); i++ {
			n := 0
			if i == o.at {
				n = o.n
			}
			if n < e.children[i].min {
				return fmt.Errorf("%s has too few %s", o.name, e.children[i].name)
			}
		}
		text := o.text.String()
		if e.text == nil {
			if strings.TrimSpace(text) != "" {
				return fmt.Errorf("%s has text %q", o.name, text)
			}
		} else if !e.text(text) {
			return fmt.Errorf("%s is %q", o.name, text)
		}
		return nil
	}
	roots := 0
	for {
		tok, err := d.Token()
		if err == io.EOF {
			if roots != 1 {
				return fmt.Errorf("%d roots", roots)
			}
			return nil
		}
		if err != nil {
			return err
		}
		switch tok := tok.(type) {
		case xml.StartElement:
			name := namespaces[tok.Name.Space] + ":" + tok.Name.Local
			e, ok := schema[name]
			if !ok {
				return fmt.Errorf("unknown element %s", name)
			}
			if len(stack) == 0 {
				if roots++; name != root {
					return fmt.Errorf("root is %s", name)
				}
			} else {
				o := stack[len(stack)-1]
				list := schema[o.name].children
				for o.at < len(list) && list[o.at].name != name {
					if o.n < list[o.at].min {
						return fmt.Errorf("%s comes before %s", name, list[o.at].name)
					}
					o.at++
					o.n = 0
				}
				if o.at == len(list) {
					return fmt.Errorf("%s may not be here in %s", name, o.name)
				}
				if o.n++; o.n > list[o.at].max {
					return fmt.Errorf("too many %s in %s", name, o.name)
				}
			}
			found := 0
			for _, a := range tok.Attr {
				if a.Name.Space == "xmlns" || a.Name.Local == "xmlns" {
					continue
				}
				check := e.attrs[a.Name.Local]
				if check == nil || !check(a.Value) {
					return fmt.Errorf("attribute %s of %s is %q", a.Name.Local, name, a.Value)
				}
				found++
			}
			if found != len(e.attrs) {
				return fmt.Errorf("%s lacks an attribute", name)
			}
			stack = append(stack, &open{name: name})
		case xml.EndElement:
			o := stack[len(stack)-1]
			stack = stack[:len(stack)-1]
			if err := end(o); err != nil {
				return err
			}
		case xml.CharData:
			if len(stack) > 0 && (schema[stack[len(stack)-1].name].text != nil || strings.TrimSpace(string(tok)) != "") {
				stack[len(stack)-1].text.Write(tok)
			}
		}
	}
}
