package notify_test

import (
	"fmt"
	"strings"

	"github.com/garminkit/activityapi/notify"
	"github.com/garminkit/activityapi/types"
)

func ExampleDecoder_Decode() {
	body := strings.NewReader(`{
	  "activities": [
	    {"userId": "u1", "summaryId": "101", "activityType": "RUNNING", "durationInSeconds": 1800},
	    {"userId": "u2", "callbackURL": "https://apis.garmin.com/wellness-api/rest/activities?token=t"},
	    {"userId": "u3", "summaryId": "103", "durationInSeconds": 30.5},
	    {"userId": "u5"}
	  ],
	  "deregistrations": [{"userId": "u4"}]
	}`)
	var d notify.Decoder
	for event, err := range d.Decode(body) {
		if err != nil {
			fmt.Println("the rest cannot be read:", err)
			return
		}
		switch data := event.Data.(type) {
		case *notify.Push:
			fmt.Println("save", data.Summary.Kind(), data.Summary.ID(), "of", event.UserID)
			if event.Defects != nil {
				fmt.Println("but not", event.Defects)
			}
		case *notify.Ping:
			fmt.Println("pull", data.Kind, "of", event.UserID)
		case *notify.FilePing:
			fmt.Println("download", data.File.SummaryID, "of", event.UserID)
		case *notify.Deregistration:
			fmt.Println("forget", event.UserID)
		case *notify.PermissionChange:
			fmt.Println("permissions of", event.UserID, "are", data.Permissions)
		case *notify.Unrecognized:
			fmt.Println("look at", data.Err)
		}
	}
	// Output:
	// save activities 101 of u1
	// pull activities of u2
	// save activities 103 of u3
	// but not activities[2].durationInSeconds, at byte 283: want an integer, have a number with a fraction
	// look at activities[3], at byte 295: no summaryId
	// forget u4
}

func ExampleDecoder() {
	body := strings.NewReader(`{"moveIQActivities": [{"userId": "u1", "summaryId": "7", "mood": "good"}]}`)
	d := notify.Decoder{
		KeepRaw:    true,
		UnknownKey: func(path string) { fmt.Println("Garmin has added", path) },
	}
	for event, err := range d.Decode(body) {
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Printf("%s: %s\n", event, event.Raw)
	}
	// Output:
	// Garmin has added moveIQActivities[0].mood
	// moveIQActivities[0]: {"userId": "u1", "summaryId": "7", "mood": "good"}
}

// With a Sample hook, not even a single record of any length is in memory.
func ExampleDecoder_sample() {
	body := strings.NewReader(`{"activityDetails": [{"userId": "u1", "summaryId": "5-detail", "samples": [
	  {"startTimeInSeconds": 1512234126, "heartRate": 98},
	  {"startTimeInSeconds": 1512234127},
	  {"startTimeInSeconds": 1512234128, "heartRate": 104}
	]}]}`)
	highest := 0
	d := notify.Decoder{Sample: func(item *notify.Event, index int, s *types.Sample) error {
		if s.HeartRate != nil {
			highest = max(highest, *s.HeartRate)
		}
		return nil
	}}
	for event, err := range d.Decode(body) {
		if err != nil {
			fmt.Println(err)
			return
		}
		if push, ok := event.Data.(*notify.Push); ok {
			fmt.Println(push.Summary.ID(), "went up to", highest, "beats per minute")
		}
	}
	// Output:
	// 5-detail went up to 104 beats per minute
}
