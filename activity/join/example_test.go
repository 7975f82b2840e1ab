package join_test

import (
	"context"
	"fmt"
	"log"

	"github.com/garminkit/activityapi/activity/join"
	"github.com/garminkit/activityapi/notify"
	"github.com/garminkit/activityapi/types"
)

// The parts of a triathlon come in any order. In a program, User, Order and
// Revision are those of the delivery.
func Example() {
	ctx := context.Background()
	joiner := join.New(join.NewMemory(nil))
	for i, s := range []types.Summary{
		&types.ActivityDetails{SummaryID: "5002-detail", Summary: types.Activity{ParentSummaryID: "5001"}},
		&types.Activity{SummaryID: "5003", ParentSummaryID: "5001", ActivityType: "CYCLING", StartTimeInSeconds: 1767342000},
		&types.Activity{SummaryID: "5001", IsParent: true, ActivityType: "MULTI_SPORT", StartTimeInSeconds: 1767340800},
		&types.Activity{SummaryID: "5002", ParentSummaryID: "5001", ActivityType: "SWIMMING", StartTimeInSeconds: 1767340800},
	} {
		list, err := joiner.Add(ctx, join.Item{User: "u1", Order: uint64(i), Summary: s})
		if err != nil {
			log.Fatal(err)
		}
		for _, j := range list {
			fmt.Println(j.ID, "legs:", len(j.Legs), "missing:", j.Missing())
		}
	}
	whole, err := joiner.Get(ctx, join.Key{User: "u1", ID: "5001"})
	if err != nil {
		log.Fatal(err)
	}
	for _, leg := range whole.Legs {
		fmt.Println(leg.Activity().ActivityType.Name())
	}
	// Output:
	// 5002 legs: 0 missing: [summary file]
	// 5001 legs: 1 missing: [summary details file]
	// 5003 legs: 0 missing: [details file]
	// 5001 legs: 2 missing: [summary details file]
	// 5001 legs: 2 missing: [details file]
	// 5002 legs: 0 missing: [file]
	// 5001 legs: 2 missing: [details file]
	// Swimming
	// Cycling
}

// The callbacks of a processor hand on what they get, and store what comes back.
func ExampleJoiner_Add() {
	ctx := context.Background()
	joiner := join.New(join.NewMemory(nil))
	store := func(list []*join.Joined) error {
		for _, j := range list { // by j.User and j.ID, what has the greater j.Changes
			fmt.Println("store", j.ID, "without", j.Missing())
		}
		return nil
	}
	callbacks := notify.Callbacks{
		Save: func(ctx context.Context, d *notify.Delivery, s types.Summary) error {
			list, err := joiner.Add(ctx, join.Item{User: d.UserID, Order: d.Order, Revision: d.Revision, Summary: s})
			if err != nil {
				return err
			}
			return store(list)
		},
		File: func(ctx context.Context, d *notify.Delivery, f *notify.File) error {
			file := &join.File{Announced: f.Announced, Name: f.Name, Size: f.Size}
			list, err := joiner.Add(ctx, join.Item{User: d.UserID, Order: d.Order, Revision: d.Revision, File: file})
			if err != nil {
				return err
			}
			return store(list)
		},
	}
	// What the processor does:
	d := &notify.Delivery{UserID: "u1", Order: 7, Revision: "a1"}
	if err := callbacks.Save(ctx, d, &types.Activity{SummaryID: "5001"}); err != nil {
		log.Fatal(err)
	}
	d = &notify.Delivery{UserID: "u1", Order: 8, Revision: "b2"}
	f := &notify.File{Announced: types.ActivityFile{SummaryID: "5001-file", FileType: "FIT"}, Name: "u1/5001.fit"}
	if err := callbacks.File(ctx, d, f); err != nil {
		log.Fatal(err)
	}
	// Output:
	// store 5001 without [details file]
	// store 5001 without [details]
}

func ExampleNew() {
	ctx := context.Background()
	joiner := join.New(join.NewMemory(nil))
	joined, err := joiner.Add(ctx, join.Item{User: "u1", Order: 1, Summary: &types.Activity{SummaryID: "5001"}})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(joined[0].ID, joined[0].Missing())
	// Output:
	// 5001 [details file]
}

// An edit counts because it came later. Where the processor delivers, Order is
// that of the delivery.
func ExampleJoined_Activity() {
	ctx := context.Background()
	joiner := join.New(join.NewMemory(&join.MemoryOptions{Records: 1000}))
	_, err := joiner.Add(ctx, join.Item{User: "u1", Order: 2, Summary: &types.ManualActivity{SummaryID: "5001", ActivityName: "Morning run"}})
	if err != nil {
		log.Fatal(err)
	}
	joined, err := joiner.Add(ctx, join.Item{User: "u1", Order: 1, Summary: &types.Activity{SummaryID: "5001", ActivityName: "Graz Running"}})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(joined[0].Activity().ActivityName)
	// Output:
	// Morning run
}
