package activitytest

import (
	"encoding/xml"
	"strings"

	"github.com/garminkit/activityapi/types"
)

// The parts of GPX 1.1 and of Garmin's extension to it that Garmin Connect
// exports.
type (
	gpxFile struct {
		XMLName xml.Name `xml:"gpx"`
		Creator string   `xml:"creator,attr"`
		Version string   `xml:"version,attr"`
		NS      string   `xml:"xmlns,attr"`
		NS3     string   `xml:"xmlns:ns3,attr"`
		Link    struct {
			Href string `xml:"href,attr"`
			Text string `xml:"text"`
		} `xml:"metadata>link"`
		Time   string     `xml:"metadata>time"`
		Tracks []gpxTrack `xml:"trk"`
	}
	gpxTrack struct {
		Name   string     `xml:"name,omitempty"`
		Type   string     `xml:"type"`
		Points []gpxPoint `xml:"trkseg>trkpt"`
	}
	gpxPoint struct {
		Lat         decimal  `xml:"lat,attr"`
		Lon         decimal  `xml:"lon,attr"`
		Elevation   *decimal `xml:"ele"`
		Time        string   `xml:"time"`
		Temperature *decimal `xml:"extensions>ns3:TrackPointExtension>ns3:atemp"`
		HeartRate   *int     `xml:"extensions>ns3:TrackPointExtension>ns3:hr"`
		Cadence     *int     `xml:"extensions>ns3:TrackPointExtension>ns3:cad"`
	}
)

// gpx writes the workout as GPX 1.1: a track for each leg that has a position.
func (f *workout) gpx() []byte {
	g := &gpxFile{
		Creator: "Garmin Connect", Version: "1.1", NS: "http://www.topografix.com/GPX/1/1",
		NS3:  "http://www.garmin.com/xmlschemas/TrackPointExtension/v1",
		Time: isoTime(f.legs[0].start),
	}
	g.Link.Href, g.Link.Text = "connect.garmin.com", "Garmin Connect"
	for _, l := range f.legs {
		if !l.placed() {
			continue
		}
		t := gpxTrack{Name: l.summary.ActivityName, Type: strings.ToLower(string(l.summary.ActivityType.Canonical()))}
		for _, p := range l.laps {
			for i := range p.samples {
				if s := &p.samples[i]; placed(s) {
					t.Points = append(t.Points, gpxSample(s))
				}
			}
		}
		g.Tracks = append(g.Tracks, t)
	}
	return indent(g)
}

func gpxSample(s *types.Sample) gpxPoint {
	p := gpxPoint{
		Lat: decimal(*s.LatitudeInDegree), Lon: decimal(*s.LongitudeInDegree),
		Elevation: decimals(s.ElevationInMeters), Time: isoTime(int64(s.StartTimeInSeconds)),
		Temperature: decimals(s.AirTemperatureCelcius), Cadence: wholeOf(rounds(s), mostCadence),
	}
	if s.HeartRate != nil && *s.HeartRate > 0 && *s.HeartRate <= 255 {
		p.HeartRate = s.HeartRate
	}
	if p.Lon == 180 {
		p.Lon = -180 // as the schema has it
	}
	return p
}
