package fitfile_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"log"
	"os"
	"strings"

	"github.com/garminkit/activityapi/activity/export"
	"github.com/garminkit/activityapi/activity/fitfile"
)

const tcx = `<?xml version="1.0" encoding="UTF-8"?>
<TrainingCenterDatabase xmlns="http://www.garmin.com/xmlschemas/TrainingCenterDatabase/v2">
<Activities><Activity Sport="Running"><Id>2026-03-05T06:00:00Z</Id>
<Lap StartTime="2026-03-05T06:00:00Z"><TotalTimeSeconds>60</TotalTimeSeconds><DistanceMeters>200</DistanceMeters>
<Calories>12</Calories><Intensity>Active</Intensity><TriggerMethod>Manual</TriggerMethod><Track>
<Trackpoint><Time>2026-03-05T06:00:00Z</Time><HeartRateBpm><Value>98</Value></HeartRateBpm></Trackpoint>
<Trackpoint><Time>2026-03-05T06:01:00Z</Time><HeartRateBpm><Value>131</Value></HeartRateBpm></Trackpoint>
</Track></Lap></Activity></Activities></TrainingCenterDatabase>`

// messages prints what it reads.
func messages(r io.Reader) error {
	for m, err := range fitfile.Messages(r) {
		if err != nil {
			return err
		}
		switch m := m.(type) {
		case *fitfile.Record:
			fmt.Println(m.Sample.StartTimeInSeconds, *m.HeartRate)
		case *fitfile.Lap:
			fmt.Println("lap of", m.Timer)
		}
	}
	return nil
}

func ExampleMessages() {
	if err := messages(strings.NewReader(tcx)); err != nil {
		log.Fatal(err)
	}
	// Output:
	// 2026-03-05T06:00:00Z 98
	// 2026-03-05T06:01:00Z 131
	// lap of 1m0s
}

// A file that was cut is read as far as it goes.
func ExampleRead() {
	a, err := fitfile.Read(strings.NewReader(tcx[:620]))
	if err != nil {
		log.Fatal(err)
	}
	for _, s := range a.Sessions {
		fmt.Println(s.Type.Name(), len(s.Records), "record,", *s.DistanceInMeters, "m")
	}
	for _, w := range a.Warnings {
		fmt.Println("warning:", w.Warn)
	}
	_, err = fitfile.Read(bytes.NewReader([]byte("<html>no file</html>")))
	fmt.Println(errors.Is(err, fitfile.ErrFormat))
	// Output:
	// Running 2 record, 200 m
	// warning: truncated
	// true
}

// A file becomes a track, to be written in another format.
func ExampleActivity_Tracks() {
	a, err := fitfile.Read(strings.NewReader(tcx))
	if err != nil {
		log.Fatal(err)
	}
	if err := export.WriteCSV(os.Stdout, nil, a.Tracks()...); err != nil {
		log.Fatal(err)
	}
	// Output:
	// track,segment,lap,time,latitude,longitude,elevation_m,distance_m,speed_m_s,heart_rate_bpm,steps_per_min,bike_rpm,swim_strokes_per_min,pushes_per_min,power_w,temperature_c,source
	// 1,1,1,2026-03-05T06:00:00Z,,,,,,98,,,,,,,"Garmin"
	// 1,1,1,2026-03-05T06:01:00Z,,,,,,131,,,,,,,"Garmin"
}
