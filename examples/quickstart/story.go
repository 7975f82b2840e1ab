package main

import (
	"context"
	"encoding/binary"
	"fmt"
	"time"

	"github.com/garminkit/activityapi/activity/activitytest"
	"github.com/garminkit/activityapi/activitytype"
	"github.com/garminkit/activityapi/types"
)

// story lets people run, ride and change their minds.
func (d *demonstration) story(ctx context.Context) error {
	if err := d.pushes(ctx); err != nil {
		return err
	}
	return d.pings(ctx)
}

// morning is when the story's activities began, this morning at seven.
func morning() time.Time {
	return time.Now().UTC().Truncate(24 * time.Hour).Add(7 * time.Hour)
}

const (
	zurich  = 3600
	newYork = -18000
)

func (d *demonstration) pushes(ctx context.Context) error {
	d.garmin.SetEndpoints(pushTo(d.url))
	ann, err := d.user("Ann")
	if err != nil {
		return err
	}
	ben, err := d.user("Ben")
	if err != nil {
		return err
	}
	cho, err := d.user("Cho")
	if err != nil {
		return err
	}

	d.printf("\n1. Watches sync, and Garmin pushes the data: one list key in a body, many users in a list.\n" +
		"   One item is odd (an unknown type, a new key, 1800.0 for an integer), one is broken.\n")
	run := &types.Activity{
		SummaryID: "5001", ActivityID: "5001", ActivityName: "Morning trail", ActivityType: activitytype.TrailRunning,
		StartTimeInSeconds: types.NewTimestamp(morning()), StartTimeOffsetInSeconds: zurich, DurationInSeconds: 2712,
		DistanceInMeters: new(8046.7), AverageHeartRateInBeatsPerMinute: new(148), MaxHeartRateInBeatsPerMinute: new(171.0),
		StartingLatitudeInDegree: new(47.3769), StartingLongitudeInDegree: new(8.5417), DeviceName: "fenix 8",
	}
	d.upload(ann, run,
		&types.ActivityDetails{SummaryID: "5001-detail", ActivityID: "5001", Summary: *run, Samples: samples(run, 120), Laps: []types.Lap{{StartTimeInSeconds: run.StartTimeInSeconds}}},
		&types.ManualActivity{SummaryID: "5002", ActivityType: activitytype.Yoga, StartTimeInSeconds: types.NewTimestamp(morning()), StartTimeOffsetInSeconds: zurich, DurationInSeconds: 1800, Manual: true, DeviceName: "unknown"},
	)
	// A triathlon, its parent between its parts.
	d.upload(ben,
		part("6001", activitytype.OpenWaterSwimming, 0, 1500, 1750),
		&types.Activity{SummaryID: "6002", ActivityType: activitytype.MultiSport, StartTimeInSeconds: types.NewTimestamp(morning()), StartTimeOffsetInSeconds: newYork, DurationInSeconds: 9000, IsParent: true},
		part("6003", activitytype.SwimToBikeTransition, 1750, 0, 150),
		part("6004", activitytype.RoadBiking, 1900, 40_000, 4300),
		part("6005", activitytype.Running, 6200, 10_000, 2800),
		&types.MoveIQ{SummaryID: "6100", CalendarDate: morning().Format(time.DateOnly), StartTimeInSeconds: types.NewTimestamp(morning().Add(5 * time.Hour)), OffsetInSeconds: newYork, DurationInSeconds: 660, ActivityType: "Walking", ActivitySubType: "Hurdles"},
	)
	// An odd item: a number for an id, 1800.0 for an integer, a type and a key
	// of next year, letters in an array.
	start := morning().Add(time.Hour)
	d.announced[string(types.KindActivities)]++
	d.wants[thing{types.KindActivities, cho.ID(), "7001"}] = &types.Activity{SummaryID: "7001", ActivityID: "9007199254740993", ActivityType: "MOON_WALKING", StartTimeInSeconds: types.NewTimestamp(start), DurationInSeconds: 1800, DistanceInMeters: new(3000.0)}
	if _, err := cho.Upload(activitytest.Upload{Kind: types.KindActivities, ID: "7001", Start: start, Raw: true, JSON: fmt.Appendf(nil,
		`{"summaryId": "7001", "activityId": 9007199254740993, "activityType": "MOON_WALKING", "startTimeInSeconds": %d.0, "startTimeOffsetInSeconds": 0, "durationInSeconds": 1800.0, "distanceInMeters": 3000, "gravity": {"inG": [0.165, "low"]}}`, start.Unix())}); err != nil {
		return err
	}
	// A broken item, which nobody could tell from others. Its neighbours must not
	// suffer.
	d.announced[string(types.KindActivities)]++
	d.broken[thing{types.KindActivities, cho.ID(), "7002"}] = true
	if _, err := cho.Upload(activitytest.Upload{Kind: types.KindActivities, ID: "7002", Start: start, Raw: true, JSON: fmt.Appendf(nil,
		`{"summaryId": {"id": "7002"}, "activityType": "RUNNING", "startTimeInSeconds": %d, "durationInSeconds": 1800}`, start.Unix())}); err != nil {
		return err
	}
	d.upload(cho, &types.Activity{SummaryID: "7003", ActivityType: activitytype.IndoorRowing, StartTimeInSeconds: types.NewTimestamp(start), DurationInSeconds: 1200})
	sent, err := d.deliver(ctx)
	if err != nil {
		return err
	}

	d.printf("\n2. Garmin has missed our 200 and sends those items again, in another body. Each is known: nothing to do.\n")
	again := sent[0]
	d.sent += again.Items
	d.announced[string(again.Key)] += again.Items
	if err := d.post(ctx, append(again.Body, '\n')); err != nil {
		return err
	}
	if err := d.settle(ctx); err != nil {
		return err
	}

	d.printf("\n3. Ann renames her run: the id is known but not the content, so this is an update.\n")
	edited := *run
	edited.ActivityName = "Morning trail with Eva"
	d.upload(ann, &edited)
	if _, err := d.deliver(ctx); err != nil {
		return err
	}

	d.printf("\n   Then she corrects its type by hand. That comes under another list key, with the same id.\n")
	corrected := types.ManualActivity(edited)
	corrected.ActivityType, corrected.Manual = activitytype.Hiking, true
	d.upload(ann, &corrected)
	if _, err := d.deliver(ctx); err != nil {
		return err
	}

	d.printf("\n4. Ben withdraws a permission, Cho disconnects. Anybody could send us that, so we ask Garmin first.\n")
	ben.SetPermissions(types.PermissionActivityExport)
	cho.Deregister()
	d.announced["userPermissionsChange"]++
	d.announced["deregistrations"]++
	_, err = d.deliver(ctx)
	return err
}

func (d *demonstration) pings(ctx context.Context) error {
	d.garmin.SetEndpoints(pingTo(d.url))
	dee, err := d.user("Dee")
	if err != nil {
		return err
	}
	eli, err := d.user("Eli")
	if err != nil {
		return err
	}

	d.printf("\n5. The endpoints are set to ping: an item is now a callback URL, and the data is pulled from there.\n" +
		"   It is the same data, and lands in the same function.\n")
	ride := &types.Activity{
		SummaryID: "8001", ActivityID: "8001", ActivityType: activitytype.GravelCycling,
		StartTimeInSeconds: types.NewTimestamp(morning()), StartTimeOffsetInSeconds: zurich, DurationInSeconds: 5400,
		DistanceInMeters: new(38_250.0), AverageBikeCadenceInRoundsPerMinute: new(82.5), DeviceName: "Edge 1050",
	}
	d.upload(dee, ride,
		&types.ActivityDetails{SummaryID: "8001-detail", ActivityID: "8001", Summary: *ride, Samples: samples(ride, 90)},
		&types.MoveIQ{SummaryID: "8100", CalendarDate: morning().Format(time.DateOnly), StartTimeInSeconds: types.NewTimestamp(morning()), OffsetInSeconds: zurich, DurationInSeconds: 900, ActivityType: "Cycling"},
	)
	d.upload(eli,
		&types.Activity{SummaryID: "9001", ActivityType: activitytype.LapSwimming, StartTimeInSeconds: types.NewTimestamp(morning()), DurationInSeconds: 1500, DistanceInMeters: new(1000.0), NumberOfActiveLengths: new(40)},
		&types.ManualActivity{SummaryID: "9002", ActivityType: activitytype.StrengthTraining, StartTimeInSeconds: types.NewTimestamp(morning().Add(time.Hour)), DurationInSeconds: 2400, Manual: true},
	)
	if _, err := d.deliver(ctx); err != nil {
		return err
	}

	d.printf("\n6. A ping for the file of Dee's ride. It can be downloaded once, within a day.\n")
	content := fitFile(4000)
	d.announced[string(types.KindActivityFiles)]++
	d.files[thing{types.KindActivityFiles, dee.ID(), "8001-file"}] = content
	dee.AddFile(types.ActivityFile{SummaryID: "8001-file", ActivityID: "8001", FileType: "FIT", ActivityType: activitytype.GravelCycling, DeviceName: "Edge 1050"}, content)
	_, err = d.deliver(ctx)
	return err
}

func pushTo(url string) activitytest.Endpoint {
	return activitytest.Endpoint{URL: url, Enabled: true, Push: true}
}

func pingTo(url string) activitytest.Endpoint {
	return activitytest.Endpoint{URL: url, Enabled: true}
}

// part is a part of the multisport activity 6002, beginning so many seconds after it.
func part(id types.ID, t activitytype.Type, after int, meters float64, seconds int) *types.Activity {
	a := &types.Activity{
		SummaryID: id, ParentSummaryID: "6002", ActivityType: t,
		StartTimeInSeconds: types.NewTimestamp(morning().Add(time.Duration(after) * time.Second)), StartTimeOffsetInSeconds: newYork,
		DurationInSeconds: seconds,
	}
	if meters > 0 {
		a.DistanceInMeters = &meters
	}
	return a
}

// samples makes up what a watch recorded in the first n seconds of a.
func samples(a *types.Activity, n int) []types.Sample {
	list := make([]types.Sample, n)
	for i := range list {
		list[i] = types.Sample{
			StartTimeInSeconds:   a.StartTimeInSeconds + types.Timestamp(i),
			LatitudeInDegree:     new(47.3769 + float64(i)/1e5),
			LongitudeInDegree:    new(8.5417 + float64(i)/2e5),
			HeartRate:            new(96 + i/2),
			SpeedMetersPerSecond: new(2.5 + float64(i%7)/10),
		}
	}
	return list
}

// fitFile makes up a FIT file with n bytes of records: a header, the records,
// and the checksums of both.
func fitFile(n int) []byte {
	file := []byte{14, 0x20, 0, 0}
	binary.LittleEndian.PutUint16(file[2:], 2140)
	file = binary.LittleEndian.AppendUint32(file, uint32(n))
	file = append(file, ".FIT"...)
	file = binary.LittleEndian.AppendUint16(file, fitCRC(file))
	for i := range n {
		file = append(file, byte(i*i>>3))
	}
	return binary.LittleEndian.AppendUint16(file, fitCRC(file))
}

// fitCRC is the checksum of the FIT protocol, CRC-16/ARC.
func fitCRC(b []byte) uint16 {
	var crc uint16
	for _, c := range b {
		crc ^= uint16(c)
		for range 8 {
			if crc&1 != 0 {
				crc = crc>>1 ^ 0xA001
			} else {
				crc >>= 1
			}
		}
	}
	return crc
}
