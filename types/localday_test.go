package types_test

import (
	"math"
	"testing"
	"time"
	_ "time/tzdata" // the zones of the table, on any machine

	"github.com/stretchr/testify/require"

	"github.com/garminkit/activityapi/types"
)

func TestLocalDay(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, start string // RFC 3339, with the offset of the watch
		want        string
	}{
		{"UTC", "2026-03-05T00:00:00Z", "2026-03-05"},
		{"the last second of a day", "2026-03-05T23:59:59+01:00", "2026-03-05"},
		{"UTC is a day on", "2026-03-05T20:30:00-07:00", "2026-03-05"},
		{"UTC is a day back", "2026-03-06T07:00:00+10:00", "2026-03-06"},
		{"Kathmandu, a quarter past", "2026-03-05T00:10:00+05:45", "2026-03-05"},
		{"Kathmandu, before its midnight", "2026-03-05T23:59:00+05:45", "2026-03-05"},
		{"Chatham in summer", "2026-01-01T00:00:00+13:45", "2026-01-01"},
		{"Kiritimati, first into the year", "2026-01-01T00:00:00+14:00", "2026-01-01"},
		{"Baker Island, last out of it", "2025-12-31T23:59:59-12:00", "2025-12-31"},
		{"New Year's Eve in Honolulu", "2025-12-31T23:00:00-10:00", "2025-12-31"},
		{"the leap day", "2028-02-29T23:30:00-05:00", "2028-02-29"},
		{"before 1970", "1969-12-31T15:00:00-08:00", "1969-12-31"},
	} {
		start, err := time.Parse(time.RFC3339, tt.start)
		require.NoError(t, err)
		_, offset := start.Zone()
		a := types.Activity{StartTimeInSeconds: types.NewTimestamp(start), StartTimeOffsetInSeconds: offset}
		require.Equal(t, tt.want, types.LocalDay(&a), tt.name)
		require.Equal(t, tt.want, types.LocalDay((*types.ManualActivity)(&a)), tt.name)
		m := types.MoveIQ{StartTimeInSeconds: a.StartTimeInSeconds, OffsetInSeconds: offset}
		require.Equal(t, tt.want, types.LocalDay(&m), tt.name)
	}
}

// Documents allow any offset within a day of UTC, also where no place has it. A time
// that is a whole day off cannot be written as JSON.
func TestLocalDayAtTheLimits(t *testing.T) {
	t.Parallel()
	noon := types.NewTimestamp(time.Date(2026, time.March, 5, 12, 0, 0, 0, time.UTC))
	for _, tt := range []struct {
		offset int
		want   string
	}{
		{24*3600 - 1, "2026-03-06"}, {-24*3600 + 1, "2026-03-04"},
		{12*3600 - 1, "2026-03-05"}, {12 * 3600, "2026-03-06"},
		{-12 * 3600, "2026-03-05"}, {-12*3600 - 1, "2026-03-04"},
		{1, "2026-03-05"}, {0, "2026-03-05"},
		// More is no offset.
		{24 * 3600, "2026-03-05"}, {-24 * 3600, "2026-03-05"},
		{math.MaxInt32, "2026-03-05"}, {math.MinInt, "2026-03-05"}, {math.MaxInt, "2026-03-05"},
	} {
		a := types.Activity{StartTimeInSeconds: noon, StartTimeOffsetInSeconds: tt.offset}
		require.Equal(t, tt.want, types.LocalDay(&a), tt.offset)
		_, err := types.LocalStart(&a).MarshalJSON()
		require.NoError(t, err)
	}
	// Milliseconds, which become the last second of the year 9999.
	late := types.Activity{StartTimeInSeconds: noon * 1000, StartTimeOffsetInSeconds: 3600}
	require.Equal(t, "9999-12-31", types.LocalDay(&late))
	require.True(t, types.LocalStart(&late).Equal(types.Start(&late)))
	require.Empty(t, types.LocalDay(&types.Activity{StartTimeOffsetInSeconds: 3600}))
	require.Empty(t, types.LocalDay(&types.MoveIQ{}))
}

// A traveller's watch follows the date line: from Auckland to Los Angeles the
// day comes twice, and back one is left out.
func TestLocalDayOverTheDateLine(t *testing.T) {
	t.Parallel()
	day := func(zone string, at time.Time) string {
		l, err := time.LoadLocation(zone)
		require.NoError(t, err)
		_, offset := at.In(l).Zone()
		a := types.Activity{StartTimeInSeconds: types.NewTimestamp(at), StartTimeOffsetInSeconds: offset}
		return types.LocalDay(&a)
	}
	run := time.Date(2026, time.March, 4, 18, 0, 0, 0, time.UTC) // 7:00 on the 5th in Auckland
	require.Equal(t, "2026-03-05", day("Pacific/Auckland", run))
	require.Equal(t, "2026-03-05", day("America/Los_Angeles", run.Add(20*time.Hour)))
	require.Equal(t, "2026-03-05", day("America/Los_Angeles", run.Add(24*time.Hour)))
	require.Equal(t, "2026-03-07", day("Pacific/Auckland", run.Add(48*time.Hour)))
	// Samoa had no 30 December 2011.
	eve := time.Date(2011, time.December, 30, 9, 0, 0, 0, time.UTC)
	require.Equal(t, "2011-12-29", day("Pacific/Apia", eve))
	require.Equal(t, "2011-12-31", day("Pacific/Apia", eve.Add(time.Hour)))
}

// Lord Howe moves its clocks by half an hour: days of 23.5 and 24.5 hours. The
// offset of the start alone decides.
func TestLocalDayOnLordHowe(t *testing.T) {
	t.Parallel()
	zone, err := time.LoadLocation("Australia/Lord_Howe")
	require.NoError(t, err)
	for _, date := range []time.Time{
		time.Date(2026, time.April, 5, 0, 0, 0, 0, zone),    // back from +11 to +10:30
		time.Date(2026, time.October, 4, 0, 0, 0, 0, zone),  // on to +11
		time.Date(2026, time.January, 15, 0, 0, 0, 0, zone), // neither
	} {
		next := date.AddDate(0, 0, 1)
		for at := date; at.Before(next); at = at.Add(5 * time.Minute) {
			_, offset := at.Zone()
			a := types.Activity{StartTimeInSeconds: types.NewTimestamp(at), StartTimeOffsetInSeconds: offset}
			require.Equal(t, date.Format(time.DateOnly), types.LocalDay(&a), at)
			// An activity over the change keeps the offset that it began with.
			require.Equal(t, at.Format(time.DateTime), types.LocalStart(&a).Format(time.DateTime))
		}
	}
}

func TestLocalDayOfMoveIQIsGarmins(t *testing.T) {
	t.Parallel()
	start := types.NewTimestamp(time.Date(2026, time.March, 5, 12, 0, 0, 0, time.UTC))
	for _, tt := range []struct{ calendar, want string }{
		{"2026-03-04", "2026-03-04"}, // what Garmin Connect shows, whatever the offset
		{"", "2026-03-05"},
		{"2026-02-30", "2026-03-05"},
		{"5/3/2026", "2026-03-05"},
		{"2026-03-04T00:00:00", "2026-03-05"},
	} {
		m := types.MoveIQ{CalendarDate: tt.calendar, StartTimeInSeconds: start}
		require.Equal(t, tt.want, types.LocalDay(&m), tt.calendar)
	}
}
