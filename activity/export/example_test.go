package export_test

import (
	"fmt"
	"log"
	"os"
	"time"

	"github.com/garminkit/activityapi/activity/export"
	"github.com/garminkit/activityapi/activity/join"
	"github.com/garminkit/activityapi/types"
)

// run is a short run, of which the first sample is at home.
func run() *types.ActivityDetails {
	hr := 140
	d := &types.ActivityDetails{
		SummaryID: "5001-detail",
		Summary: types.Activity{
			SummaryID: "5001", ActivityName: "Morning run", ActivityType: "RUNNING", DeviceName: "forerunner965",
		},
	}
	for i, at := range [][2]float64{{47.0707, 15.4395}, {47.0807, 15.4395}, {47.0808, 15.4397}} {
		d.Samples = append(d.Samples, types.Sample{
			StartTimeInSeconds: types.NewTimestamp(time.Date(2026, time.March, 5, 6, 0, i, 0, time.UTC)),
			LatitudeInDegree:   &at[0], LongitudeInDegree: &at[1], HeartRate: &hr,
		})
	}
	return d
}

func Example() {
	details, w := run(), os.Stdout
	track := export.FromDetails(details)
	err := export.WriteGPX(w, nil, track)
	if err != nil {
		log.Fatal(err)
	}
	// Output:
	// <?xml version="1.0" encoding="UTF-8"?>
	// <gpx version="1.1" creator="Garmin Forerunner 965" xmlns="http://www.topografix.com/GPX/1/1" xmlns:gpxtpx="http://www.garmin.com/xmlschemas/TrackPointExtension/v2" xmlns:gpxpx="http://www.garmin.com/xmlschemas/PowerExtension/v1">
	// <trk><name>Morning run</name><src>Garmin Forerunner 965</src><type>running</type>
	// <trkseg>
	// <trkpt lat="47.0707" lon="15.4395"><time>2026-03-05T06:00:00Z</time><extensions><gpxtpx:TrackPointExtension><gpxtpx:hr>140</gpxtpx:hr></gpxtpx:TrackPointExtension></extensions></trkpt>
	// <trkpt lat="47.0807" lon="15.4395"><time>2026-03-05T06:00:01Z</time><extensions><gpxtpx:TrackPointExtension><gpxtpx:hr>140</gpxtpx:hr></gpxtpx:TrackPointExtension></extensions></trkpt>
	// <trkpt lat="47.0808" lon="15.4397"><time>2026-03-05T06:00:02Z</time><extensions><gpxtpx:TrackPointExtension><gpxtpx:hr>140</gpxtpx:hr></gpxtpx:TrackPointExtension></extensions></trkpt>
	// </trkseg>
	// </trk>
	// </gpx>
}

// Nothing is shown of the user's home, and nobody sees the heart rate.
func ExampleOptions() {
	o := &export.Options{
		Omit:  export.Fields{HeartRate: true},
		Zones: []export.Zone{{LatitudeInDegree: 47.0707, LongitudeInDegree: 15.4395, RadiusInMeters: 250}},
		Key:   []byte("32 random bytes, kept as a secret"),
	}
	if err := export.WriteCSV(os.Stdout, o, export.FromDetails(run())); err != nil {
		log.Fatal(err)
	}
	// Output:
	// track,segment,lap,time,latitude,longitude,elevation_m,distance_m,speed_m_s,heart_rate_bpm,steps_per_min,bike_rpm,swim_strokes_per_min,pushes_per_min,power_w,temperature_c,source
	// 1,1,1,2026-03-05T06:00:01Z,47.0807,15.4395,,,,,,,,,,,"Garmin Forerunner 965"
	// 1,1,1,2026-03-05T06:00:02Z,47.0808,15.4397,,,,,,,,,,,"Garmin Forerunner 965"
}

func ExampleFromJoined() {
	d := run()
	for _, track := range export.FromJoined(&join.Joined{ID: "5001", Summary: &d.Summary, Details: d}) {
		fmt.Println(track.Name)
	}
	// Output:
	// Morning run
}

func ExampleWriteTCX() {
	if err := export.WriteTCX(os.Stdout, &export.Options{Omit: export.Fields{Position: true}}, export.FromDetails(run())); err != nil {
		log.Fatal(err)
	}
	// Output:
	// <?xml version="1.0" encoding="UTF-8"?>
	// <TrainingCenterDatabase xmlns="http://www.garmin.com/xmlschemas/TrainingCenterDatabase/v2" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xmlns:ns3="http://www.garmin.com/xmlschemas/ActivityExtension/v2">
	// <Activities>
	// <Activity Sport="Running"><Id>2026-03-05T06:00:00Z</Id>
	// <Lap StartTime="2026-03-05T06:00:00Z"><TotalTimeSeconds>2</TotalTimeSeconds><DistanceMeters>0</DistanceMeters><Calories>0</Calories><AverageHeartRateBpm><Value>140</Value></AverageHeartRateBpm><MaximumHeartRateBpm><Value>140</Value></MaximumHeartRateBpm><Intensity>Active</Intensity><TriggerMethod>Manual</TriggerMethod>
	// <Track>
	// <Trackpoint><Time>2026-03-05T06:00:00Z</Time><HeartRateBpm><Value>140</Value></HeartRateBpm></Trackpoint>
	// <Trackpoint><Time>2026-03-05T06:00:01Z</Time><HeartRateBpm><Value>140</Value></HeartRateBpm></Trackpoint>
	// <Trackpoint><Time>2026-03-05T06:00:02Z</Time><HeartRateBpm><Value>140</Value></HeartRateBpm></Trackpoint>
	// </Track></Lap>
	// <Notes>Morning run</Notes><Creator xsi:type="Device_t"><Name>Garmin Forerunner 965</Name><UnitId>0</UnitId><ProductID>0</ProductID><Version><VersionMajor>0</VersionMajor><VersionMinor>0</VersionMinor></Version></Creator>
	// </Activity>
	// </Activities>
	// </TrainingCenterDatabase>
}

func ExampleWriteGeoJSON() {
	if err := export.WriteGeoJSON(os.Stdout, &export.Options{Omit: export.Fields{HeartRate: true}}, export.FromDetails(run())); err != nil {
		log.Fatal(err)
	}
	// Output:
	// {"type":"FeatureCollection","features":[
	// {"type":"Feature","properties":{"name":"Morning run","type":"running","source":"Garmin Forerunner 965","coordinateProperties":{"times":[["2026-03-05T06:00:00Z","2026-03-05T06:00:01Z","2026-03-05T06:00:02Z"]]}},
	// "geometry":{"type":"MultiLineString","coordinates":[[[15.4395,47.0707],[15.4395,47.0807],[15.4397,47.0808]]]}}]}
}

func ExamplePolylines() {
	lines, err := export.Polylines(nil, &export.PolylineOptions{Precision: 5, ToleranceInMeters: 10}, export.FromDetails(run()))
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(lines)
	// Output:
	// [{nh~G{of}Ao}@?Sg@]
}
