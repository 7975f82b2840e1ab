package join_test

import (
	"fmt"
	"os"
	"runtime"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/garminkit/activityapi/activity/join"
	"github.com/garminkit/activityapi/activity/join/jointest"
	"github.com/garminkit/activityapi/activitytype"
	"github.com/garminkit/activityapi/types"
)

func TestStore(t *testing.T) {
	jointest.Run(t, jointest.Harness{
		Open: func(*testing.T, string) join.Store { return join.NewMemory(nil) },
	})
}

// However many users, each with a summary and details: memory is bounded. The
// long form is JOIN_USERS=1000000.
func TestUsersInBoundedMemory(t *testing.T) {
	users := 25_000
	if s := os.Getenv("JOIN_USERS"); s != "" {
		n, err := strconv.Atoi(s)
		require.NoError(t, err)
		users = n
	}
	heap := func() uint64 {
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	before := heap()
	store := join.NewMemory(&join.MemoryOptions{Records: 20_000, Bytes: 64 << 20})
	joiner := join.New(store)
	samples := make([]types.Sample, 100)
	for i := range users {
		user := types.UserID(fmt.Sprintf("user-%d", i))
		hr := 150
		for j := range samples {
			samples[j] = types.Sample{StartTimeInSeconds: types.Timestamp(j), HeartRate: &hr}
		}
		for _, item := range []join.Item{
			{User: user, Order: 1, Revision: "r", Summary: &types.Activity{SummaryID: "5001", ActivityName: "Run"}},
			{User: user, Order: 2, Revision: "r", Summary: &types.ActivityDetails{SummaryID: "5001-detail", Samples: append([]types.Sample(nil), samples...)}},
		} {
			if _, err := joiner.Add(t.Context(), item); err != nil {
				t.Fatal(err)
			}
		}
	}
	used := int64(heap()) - int64(before)
	t.Logf("%d users: %d MiB", users, used>>20)
	require.Less(t, used, int64(96<<20))
	// The newest are there, the oldest are not.
	for user, want := range map[int]bool{0: false, users - 1: true} {
		j, err := joiner.Get(t.Context(), join.Key{User: types.UserID(fmt.Sprintf("user-%d", user)), ID: "5001"})
		require.NoError(t, err)
		require.Equal(t, want, j != nil)
	}
	runtime.KeepAlive(store)
}

// One record is kept however large it is, and the legs of a parent that the
// store has no room for still have their ids.
func TestMemoryForgetsTheOldest(t *testing.T) {
	t.Parallel()
	joiner := join.New(join.NewMemory(&join.MemoryOptions{Records: 2}))
	for i, d := range []delivery{summaryOf(1, "10", "9", 0, ""), summaryOf(2, "11", "9", 0, "")} {
		list, err := joiner.Add(t.Context(), d.item)
		require.NoError(t, err)
		require.Len(t, list[1].Legs, i+1)
	}
	j, err := joiner.Get(t.Context(), join.Key{User: "u1", ID: "9"})
	require.NoError(t, err)
	require.Equal(t, types.ID("10"), j.Legs[0].ID)
	require.Nil(t, j.Legs[0].Summary)
	require.NotNil(t, j.Legs[1].Summary)

	small := join.New(join.NewMemory(&join.MemoryOptions{Bytes: 1}))
	_, err = small.Add(t.Context(), summaryOf(1, "1", "", 0, "").item)
	require.NoError(t, err)
	j, err = small.Get(t.Context(), join.Key{User: "u1", ID: "1-detail"})
	require.NoError(t, err)
	require.NotNil(t, j)
}

// A stranger chooses how long a text is, in whatever field: one of
// the bound's length makes way for the next activity.
func TestMemoryCountsEveryText(t *testing.T) {
	t.Parallel()
	const most = 512 << 10
	long := strings.Repeat("7", most)
	id := types.ID(long)
	summary := func(a types.Activity) join.Item { return join.Item{User: "u1", Summary: &a} }
	details := func(d types.ActivityDetails) join.Item { return join.Item{User: "u1", Summary: &d} }
	file := func(a types.ActivityFile) join.Item { return join.Item{User: "u1", File: &join.File{Announced: a}} }
	for name, item := range map[string]join.Item{
		"user":                summary(types.Activity{SummaryID: "1", UserID: types.UserID(long)}),
		"activity id":         summary(types.Activity{SummaryID: "1", ActivityID: id}),
		"name":                summary(types.Activity{SummaryID: "1", ActivityName: long}),
		"description":         summary(types.Activity{SummaryID: "1", ActivityDescription: long}),
		"type":                summary(types.Activity{SummaryID: "1", ActivityType: activitytype.Type(long)}),
		"device":              summary(types.Activity{SummaryID: "1", DeviceName: long}),
		"parent":              summary(types.Activity{SummaryID: "1", ParentSummaryID: id}),
		"summary id":          summary(types.Activity{SummaryID: id}),
		"revision":            {User: "u1", Revision: long, Summary: &types.Activity{SummaryID: "1"}},
		"details' user":       details(types.ActivityDetails{SummaryID: "1", UserID: types.UserID(long)}),
		"details' id":         details(types.ActivityDetails{SummaryID: id}),
		"details' activity":   details(types.ActivityDetails{SummaryID: "1", ActivityID: id}),
		"type in details":     details(types.ActivityDetails{SummaryID: "1", Summary: types.Activity{ActivityType: activitytype.Type(long)}}),
		"file's user":         file(types.ActivityFile{SummaryID: "1", UserID: types.UserID(long)}),
		"file's id":           file(types.ActivityFile{SummaryID: id}),
		"file's activity":     file(types.ActivityFile{SummaryID: "1", ActivityID: id}),
		"type of file":        file(types.ActivityFile{SummaryID: "1", FileType: long}),
		"name in file":        file(types.ActivityFile{SummaryID: "1", ActivityName: long}),
		"description in file": file(types.ActivityFile{SummaryID: "1", ActivityDescription: long}),
		"type in file":        file(types.ActivityFile{SummaryID: "1", ActivityType: activitytype.Type(long)}),
		"device in file":      file(types.ActivityFile{SummaryID: "1", DeviceName: long}),
		"name of file":        {User: "u1", File: &join.File{Name: long, Announced: types.ActivityFile{SummaryID: "1"}}},
	} {
		joiner := join.New(join.NewMemory(&join.MemoryOptions{Bytes: most}))
		_, err := joiner.Add(t.Context(), item)
		require.NoError(t, err, name)
		_, err = joiner.Add(t.Context(), summaryOf(2, "2", "", 0, "").item)
		require.NoError(t, err, name)
		for _, lost := range []types.ID{"1", id} {
			j, err := joiner.Get(t.Context(), join.Key{User: "u1", ID: lost})
			require.NoError(t, err, name)
			require.Nil(t, j, name)
		}
	}
}

// An edit that comes when the store has lost the activity is newer than what came
// before, to who keeps the greater Changes.
func TestChangesOutliveARecord(t *testing.T) {
	t.Parallel()
	joiner := join.New(join.NewMemory(&join.MemoryOptions{Records: 2}))
	var last *join.Joined
	for _, d := range []delivery{
		summaryOf(11, "10", "9", 0, "Swim"), detailsOf(12, "10", "9", 0), fileOf(13, "10"), summaryOf(14, "9", "", 0, "Tri"),
		summaryOf(15, "21", "", 0, ""), summaryOf(16, "22", "", 0, ""), summaryOf(17, "23", "", 0, ""),
		editOf(18, "10", "9", 0, "Swim, mended"),
	} {
		list, err := joiner.Add(t.Context(), d.item)
		require.NoError(t, err)
		if d.id == "10" || d.id == "9" {
			whole := list[len(list)-1]
			if last != nil {
				require.Greater(t, whole.Changes, last.Changes)
			}
			last = whole
		}
	}
	require.Nil(t, last.Summary, "the store had room for it")
}

func BenchmarkAdd(b *testing.B) {
	joiner := join.New(join.NewMemory(nil))
	summary := &types.Activity{SummaryID: "5001", ActivityName: "Run"}
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		a := *summary
		a.SummaryID = types.ID(fmt.Sprint(i / 3))
		item := join.Item{User: types.UserID(fmt.Sprint("user-", i%1000)), Order: uint64(i), Revision: "r", Summary: &a}
		switch i % 3 {
		case 1:
			item.Summary = (*types.ManualActivity)(&a)
		case 2:
			item.Summary = &types.ActivityDetails{SummaryID: a.SummaryID + "-detail"}
		}
		if _, err := joiner.Add(b.Context(), item); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "items/s")
}
