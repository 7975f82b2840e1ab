package types_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/garminkit/activityapi/activitytype"
	"github.com/garminkit/activityapi/types"
)

func Example() {
	body := []byte(`{
		"summaryId": "5001", "activityId": 5001, "activityType": "TRAIL_RUNNING",
		"startTimeInSeconds": 1767340800, "startTimeOffsetInSeconds": 3600,
		"durationInSeconds": 2712.0, "distanceInMeters": 8046
	}`)
	var a types.Activity
	if err := json.Unmarshal(body, &a); err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(a.ActivityType.Name(), types.LocalStart(&a).Format("02.01. 15:04"), types.Duration(&a))
	if a.DistanceInMeters != nil {
		fmt.Println(*a.DistanceInMeters/1000, "km")
	}
	if a.AverageHeartRateInBeatsPerMinute == nil {
		fmt.Println("no heart rate")
	}
	// Output:
	// Trail Running 02.01. 09:00 45m12s
	// 8.046 km
	// no heart rate
}

// What Garmin sends of a user is a [types.Summary], whichever way it came.
func ExampleSummary() {
	save := func(s types.Summary) {
		fmt.Println(s.Kind(), s.ID(), types.Start(s).Format(time.DateOnly))
		switch s := s.(type) {
		case *types.Activity:
			fmt.Println(" ", s.ActivityType.Name())
		case *types.ManualActivity:
			fmt.Println(" ", s.ActivityType.Name(), "edited by hand")
		case *types.ActivityDetails:
			fmt.Println("  samples:", len(s.Samples))
		case *types.MoveIQ:
			fmt.Println("  detected:", s.ActivityType)
		}
	}
	save(&types.Activity{UserID: "ann", SummaryID: "5001", StartTimeInSeconds: 1767340800, ActivityType: activitytype.Running})
	save(&types.ActivityDetails{UserID: "ann", SummaryID: "5001-detail", Summary: types.Activity{StartTimeInSeconds: 1767340800}, Samples: make([]types.Sample, 3)})
	// Output:
	// activities 5001 2026-01-02
	//   Running
	// activityDetails 5001-detail 2026-01-02
	//   samples: 3
}

func ExampleLocalStart() {
	a := types.Activity{StartTimeInSeconds: 1767340800, StartTimeOffsetInSeconds: -25200}
	fmt.Println(types.Start(&a))
	fmt.Println(types.LocalStart(&a))
	fmt.Println(types.Start(&a).Equal(types.LocalStart(&a)))
	// Output:
	// 2026-01-02 08:00:00 +0000 UTC
	// 2026-01-02 01:00:00 -0700 -0700
	// true
}

func ExampleManualActivity() {
	var m types.ManualActivity
	err := json.Unmarshal([]byte(`{"summaryId": "5002", "activityType": "YOGA", "Manual": true}`), &m)
	a := types.Activity(m) // the same fields
	fmt.Println(a.ActivityType.Name(), a.Manual, err)
	// Output: Yoga true <nil>
}

// Details are joined with their activity by the stem of the summary id: the
// activity ids of both can differ.
func ExampleActivityDetails() {
	a := types.Activity{SummaryID: "5001", ActivityID: "5001"}
	var d types.ActivityDetails
	err := json.Unmarshal([]byte(`{
		"summaryId": "5001-detail", "activityId": 5099, "summary": {},
		"samples": [{"startTimeInSeconds": 1767340800, "heartRate": 118.0}, {"startTimeInSeconds": 1767340801}],
		"laps": [{"startTimeInSeconds": 1767340800}]
	}`), &d)
	fmt.Println(d.SummaryID.Stem() == a.SummaryID.Stem(), err)
	for _, s := range d.Samples {
		if s.HeartRate != nil {
			fmt.Println(s.StartTimeInSeconds, *s.HeartRate)
		}
	}
	// Output:
	// true <nil>
	// 2026-01-02T08:00:00Z 118
}

func ExampleMoveIQ() {
	var m types.MoveIQ
	err := json.Unmarshal([]byte(`{"summaryId": "m1", "calendarDate": "2026-01-02", "startTimeInSeconds": 1767340800.0,
		"offsetInSeconds": 3600, "durationInSeconds": 660, "activityType": "Running", "activitySubType": "Hurdles"}`), &m)
	fmt.Println(m.CalendarDate, m.ActivityType.Group(), m.ActivitySubType, types.Duration(&m), err)
	// Output: 2026-01-02 Running Hurdles 11m0s <nil>
}

func ExampleActivityFile() {
	var f types.ActivityFile
	err := json.Unmarshal([]byte(`{"userId": "ann", "summaryId": "5001-file", "fileType": "FIT",
		"callbackURL": "https://apis.garmin.com/wellness-api/rest/activityFile?id=1&token=t"}`), &f)
	fmt.Println(f.FileType, f.SummaryID.Stem(), f.CallbackURL, err)
	// Output: FIT 5001 [REDACTED] <nil>
}

// One id may come as a number and as a string.
func ExampleID() {
	var ids []types.ID
	err := json.Unmarshal([]byte(`[9876543210123456789, "9876543210123456789"]`), &ids)
	fmt.Println(ids[0] == ids[1], ids[0], err)
	// Output: true 9876543210123456789 <nil>
}

func ExampleID_Stem() {
	fmt.Println(types.ID("5001").Stem(), types.ID("5001-detail").Stem(), types.ID("5001-file").Stem())
	// Output: 5001 5001 5001
}

func ExampleTimestamp() {
	var t types.Timestamp
	err := json.Unmarshal([]byte(`1767340800.5`), &t)
	fmt.Println(t, t.Time().Unix(), err)
	fmt.Println(types.Timestamp(0).Time().IsZero())
	// Output:
	// 2026-01-02T08:00:00.5Z 1767340800 <nil>
	// true
}

func ExampleNewTimestamp() {
	t := types.NewTimestamp(time.Date(2026, 1, 2, 9, 0, 0, 0, time.FixedZone("", 3600)))
	out, err := json.Marshal(t)
	fmt.Println(string(out), err)
	// Output: 1767340800 <nil>
}

func ExampleSecret() {
	token := types.Secret("only-for-garmin")
	fmt.Printf("%v %q %#v\n", token, token, token)
	fmt.Println(string(token))
	// Output:
	// [REDACTED] [REDACTED] [REDACTED]
	// only-for-garmin
}

func ExampleKind() {
	for _, k := range types.Kinds() {
		fmt.Println(k)
	}
	fmt.Println(types.Kind("dailies").Known())
	// Output:
	// activities
	// manuallyUpdatedActivities
	// activityDetails
	// activityFiles
	// moveIQActivities
	// false
}

func ExampleKinds() {
	fmt.Println(len(types.Kinds()))
	// Output: 5
}

func ExamplePermission() {
	granted := []types.Permission{"ACTIVITY_EXPORT", "SOMETHING_NEW"}
	for _, p := range granted {
		fmt.Println(p, p == types.PermissionActivityExport)
	}
	// Output:
	// ACTIVITY_EXPORT true
	// SOMETHING_NEW false
}

func ExampleWindow() {
	day := time.Date(2026, 1, 2, 0, 0, 0, 0, time.UTC)
	w := types.Window{Start: day, End: day.AddDate(0, 0, 1)}
	fmt.Println(w)
	fmt.Println(w.Contains(w.Start), w.Contains(w.End), w.End.Sub(w.Start))
	// Output:
	// [2026-01-02T00:00:00Z, 2026-01-03T00:00:00Z)
	// true false 24h0m0s
}

func ExampleWindow_Check() {
	w := types.Window{Start: time.Unix(1767312000, 0), End: time.Unix(1767312000+90000, 0)}
	err := w.Check(24 * time.Hour)
	fmt.Println(err)
	fmt.Println(errors.Is(err, types.ErrWindow))
	// Output:
	// invalid window: 25h0m0s is longer than 24h0m0s
	// true
}

func ExampleWindow_Split() {
	w := types.Window{
		Start: time.Date(2026, 1, 2, 0, 0, 0, 0, time.UTC),
		End:   time.Date(2026, 1, 4, 6, 0, 0, 0, time.UTC),
	}
	for part := range w.Split(24 * time.Hour) {
		fmt.Println(part)
	}
	// Output:
	// [2026-01-02T00:00:00Z, 2026-01-03T00:00:00Z)
	// [2026-01-03T00:00:00Z, 2026-01-04T00:00:00Z)
	// [2026-01-04T00:00:00Z, 2026-01-04T06:00:00Z)
}

// A value that cannot be read says where it stands.
func ExampleDecodeError() {
	var d types.ActivityDetails
	err := json.Unmarshal([]byte(`{"summaryId": {"id": 5}}`), &d)
	fmt.Println(err)
	if e, ok := errors.AsType[*types.DecodeError](err); ok {
		fmt.Println(e.Path)
	}
	// Output:
	// summaryId, at byte 14: want a string or an integer, have an object
	// summaryId
}

// A value that cannot be read without loss costs itself alone.
func ExampleDefect() {
	var d types.ActivityDetails
	err := json.Unmarshal([]byte(`{"summaryId": "5-detail", "summary": {"steps": 30.5, "distanceInMeters": "12.5"}}`), &d)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(d.Summary.Steps == nil, *d.Summary.DistanceInMeters)
	for _, defect := range d.Defects.First {
		fmt.Println(defect)
	}
	// Output:
	// true 12.5
	// summary.steps, at byte 47: want an integer, have a number with a fraction
}

func ExampleDefects() {
	var a types.Activity
	if err := json.Unmarshal([]byte(`{"summaryId": "5", "steps": "NaN", "pushes": [], "durationInSeconds": 60}`), &a); err != nil {
		fmt.Println(err)
		return
	}
	if a.Defects != nil {
		fmt.Println(a.Defects)
		fmt.Printf("%s\n", a.Raw)
	}
	// Output:
	// steps, at byte 28: want an integer, have a string that holds no number, and 1 more
	// {"summaryId": "5", "steps": "NaN", "pushes": [], "durationInSeconds": 60}
}

func ExampleAttribution() {
	for _, device := range []string{"Garmin Forerunner 965", "forerunner935", "Garmi fenix 8", "unknown"} {
		fmt.Println(types.Attribution(device))
	}
	fmt.Println(types.DerivedAttribution)
	// Output:
	// Garmin Forerunner 965
	// Garmin Forerunner 935
	// Garmin fenix 8
	// Garmin
	// Insights derived in part from Garmin device-sourced data.
}

// A run in Kathmandu a quarter past midnight is still the day before in UTC.
func ExampleLocalDay() {
	a := types.Activity{
		StartTimeInSeconds:       types.NewTimestamp(time.Date(2026, time.March, 4, 18, 30, 0, 0, time.UTC)),
		StartTimeOffsetInSeconds: 20700,
	}
	fmt.Println(types.LocalDay(&a))
	// Output:
	// 2026-03-05
}
