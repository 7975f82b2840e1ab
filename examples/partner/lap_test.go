package main

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/garminkit/activityapi/activity/export"
	"github.com/garminkit/activityapi/types"
)

// steady is a run at 3 m/s with a sample at each of some seconds, and laps that
// begin at others.
func steady(samples, laps []float64) *export.Track {
	start := types.NewTimestamp(time.Date(2026, 3, 5, 6, 0, 0, 0, time.UTC))
	d := &types.ActivityDetails{}
	for _, at := range samples {
		d.Samples = append(d.Samples, types.Sample{StartTimeInSeconds: start + types.Timestamp(at), TotalDistanceInMeters: new(3 * at)})
	}
	for _, at := range laps {
		d.Laps = append(d.Laps, types.Lap{StartTimeInSeconds: start + types.Timestamp(at)})
	}
	return export.FromDetails(d)
}

// Whoever runs at one speed has it in every lap, wherever a lap begins between
// two samples, and in the last one too.
func TestLapsOfOneSpeed(t *testing.T) {
	t.Parallel()
	every := func(step, to float64) (all []float64) {
		for at := 0.0; at <= to; at += step {
			all = append(all, at)
		}
		return all
	}
	for name, tt := range map[string]struct {
		samples, laps []float64
		want          []int
	}{
		"on samples":                 {every(10, 600), []float64{0, 200, 400}, []int{200, 200, 200}},
		"between samples":            {every(10, 600), []float64{0, 203, 407}, []int{203, 204, 193}},
		"a short last lap":           {every(10, 600), []float64{0, 300, 585}, []int{300, 285, 15}},
		"the last lap has no sample": {every(10, 600), []float64{0, 300, 595}, []int{300, 295, 5}},
		"several between two":        {every(100, 600), []float64{0, 210, 220, 230}, []int{210, 10, 10, 370}},
		"a press at the end":         {every(10, 600), []float64{0, 300, 600}, []int{300, 300}},
		"a press after the end":      {every(10, 600), []float64{0, 300, 700}, []int{300, 300}},
		"one begins twice":           {every(10, 600), []float64{0, 300, 300}, []int{300, 300}},
		"the first after a while":    {every(10, 600), []float64{100, 305}, []int{205, 295}},
		"one":                        {every(10, 600), []float64{0}, nil},
		"one and a press at the end": {every(10, 600), []float64{0, 600}, nil},
		"one has no time":            {every(10, 600), []float64{-2e9, 0, 300}, []int{300, 300}},
	} {
		_, laps, err := newPlots([]*export.Track{steady(tt.samples, tt.laps)})
		require.NoError(t, err)
		require.Len(t, laps, len(tt.want), name)
		for i, l := range laps {
			require.Equal(t, time.Duration(tt.want[i])*time.Second, l.Duration, "%s, lap %d", name, i)
			require.InDelta(t, 3*l.Duration.Seconds(), l.Meters, 1e-6, "%s, lap %d", name, i)
			require.Equal(t, "10.8 km/h", l.Speed, "%s, lap %d", name, i)
			require.Equal(t, i+1, l.Number)
		}
	}
}

// What is not known of laps is not made up.
func TestLapsWithoutDistance(t *testing.T) {
	t.Parallel()
	track := steady([]float64{0, 10, 20}, []float64{0, 15})
	bare := track.Samples
	track.Samples = func(yield func(*types.Sample, error) bool) {
		for s, err := range bare {
			s.TotalDistanceInMeters = nil
			if !yield(s, err) {
				return
			}
		}
	}
	_, laps, err := newPlots([]*export.Track{track})
	require.NoError(t, err)
	require.Equal(t, []*lap{
		{Number: 1, Duration: 15 * time.Second, HeartRate: "–", Speed: "–"},
		{Number: 2, Duration: 5 * time.Second, HeartRate: "–", Speed: "–"},
	}, laps)
}
