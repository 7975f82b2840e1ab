package main

import (
	"archive/zip"
	"bytes"
	"fmt"
	"math"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/garminkit/activityapi/activity/activitytest"
	"github.com/garminkit/activityapi/activity/export"
	"github.com/garminkit/activityapi/activity/join"
	"github.com/garminkit/activityapi/activitytype"
	"github.com/garminkit/activityapi/types"
)

// manual stands for a workout that was typed in.
const manual activitytype.Type = "manual"

var sports = []activitytype.Type{
	activitytype.Running, activitytype.RoadBiking, activitytype.IndoorCycling, activitytype.LapSwimming, activitytype.OpenWaterSwimming,
	activitytype.Walking, activitytype.StrengthTraining, activitytype.WheelchairPushRun, activitytype.MultiSport, manual,
}

// sync brings a workout of ann's, and returns its page.
func (w *world) sync(sport activitytype.Type) *workout {
	w.t.Helper()
	before, err := w.db.allWorkouts(w.t.Context(), "ann")
	require.NoError(w.t, err)
	g := activitytest.NewGenerator(uint64(len(before) + 1))
	if g.Manual = sport == manual; g.Manual {
		sport = activitytype.Running
	}
	w.user.Sync(g, sport, time.Now().Add(-5*time.Hour))
	w.garmin.Deliver(w.t.Context())
	settle()
	all, err := w.db.workoutsOnPage(w.t.Context(), "ann", 1, 100)
	require.NoError(w.t, err)
	require.NotEmpty(w.t, all)
	return all[0]
}

func TestActivityPage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := start(t, nil)
		run := p.sync(activitytype.Running)
		w := p.ask("ann", "GET", public+run.Path(), nil)
		require.Equal(t, http.StatusOK, w.Code)
		page := w.Body.String()
		for _, want := range []string{run.Title(), run.Attribution(), types.ChartAttribution, `class="way"`, "Heart rate", "Speed", "Elevation", " laps", run.Path() + "/gpx"} {
			require.Contains(t, page, want)
		}
		require.Regexp(t, `<h1>[^<]*</h1>\s*<p class="attribution">Garmin`, page, "under the title")
		require.NotContains(t, page, "<script")
		require.NotContains(t, page, "style=")
		require.Less(t, len(page), 100_000)

		w = p.ask("ann", "GET", public+run.Path()+"/gpx", nil)
		require.Equal(t, http.StatusOK, w.Code)
		require.Contains(t, w.Header().Get("Content-Disposition"), string(run.ID)+".gpx")
		require.Contains(t, w.Body.String(), `creator="`+run.Attribution())
		require.Contains(t, w.Body.String(), "</gpx>")

		// Nobody else sees any of it.
		for _, path := range []string{run.Path(), run.Path() + "/gpx"} {
			w := p.ask("bob", "GET", public+path, nil)
			require.Equal(t, http.StatusNotFound, w.Code, path)
			require.NotContains(t, w.Body.String(), run.Device)
		}
		for _, path := range []string{"/", "/list", "/history"} {
			require.NotContains(t, p.ask("bob", "GET", public+path, nil).Body.String(), string(run.ID), path)
			require.Equal(t, http.StatusOK, p.ask("ann", "GET", public+path, nil).Code)
		}
		require.Contains(t, p.ask("ann", "GET", public+"/list?day="+run.Day, nil).Body.String(), run.Path())
		for _, path := range []string{"/?to=x", "/list?day=x", "/list?page=0", "/list?page=x"} {
			require.Equal(t, http.StatusBadRequest, p.ask("ann", "GET", public+path, nil).Code, path)
		}
		require.NotContains(t, p.log.String(), "level=ERROR")
	})
}

// Every sport has a page, whatever it lacks, and legs are on that of their parent.
func TestEverySport(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := start(t, nil)
		for _, sport := range sports {
			x := p.sync(sport)
			w := p.ask("ann", "GET", public+x.Path(), nil)
			require.Equal(t, http.StatusOK, w.Code, sport)
			if sport == activitytype.MultiSport {
				legs := regexp.MustCompile(`<li><a href="([^"]+)">`).FindAllStringSubmatch(w.Body.String(), -1)
				require.Len(t, legs, 5)
				for _, leg := range legs {
					w := p.ask("ann", "GET", public+leg[1], nil)
					require.Equal(t, http.StatusOK, w.Code)
					require.Contains(t, w.Body.String(), x.Path())
				}
			}
		}
		list := p.ask("ann", "GET", public+"/list", nil).Body.String()
		require.Equal(t, len(sports), strings.Count(list, `class="figures"`), "legs are not in the list")

		// All of it can be had.
		w := p.ask("ann", "GET", public+"/export", nil)
		require.Equal(t, http.StatusOK, w.Code)
		z, err := zip.NewReader(bytes.NewReader(w.Body.Bytes()), int64(w.Body.Len()))
		require.NoError(t, err)
		kinds := map[string]int{}
		for _, f := range z.File {
			kinds[f.Name[strings.LastIndex(f.Name, "."):]]++
			r, err := f.Open()
			require.NoError(t, err)
			var b bytes.Buffer
			_, err = b.ReadFrom(r)
			require.NoError(t, err)
			require.NotContains(t, b.String(), "oauth", f.Name)
		}
		require.Equal(t, map[string]int{".json": 1 + len(sports) + 5, ".gpx": 6, ".fit": len(sports) - 1 + 5}, kinds)
		require.NotContains(t, p.ask("bob", "GET", public+"/export", nil).Body.String(), ".fit")
	})
}

// Where the details have not come, the file is read.
func TestFileAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := start(t, nil)
		p.garmin.SetEndpoints(activitytest.Endpoint{}, types.KindActivityDetails)
		run := p.sync(activitytype.Running)
		require.Zero(t, p.count("ann", hasDetails))
		w := p.ask("ann", "GET", public+run.Path(), nil)
		require.Contains(t, w.Body.String(), `class="way"`)
		require.Contains(t, w.Body.String(), "Heart rate")
		gpx := p.ask("ann", "GET", public+run.Path()+"/gpx", nil)
		require.Contains(t, gpx.Body.String(), run.Attribution())
	})
}

// sixHours is a ride with a sample each second, over the 180th meridian.
func sixHours() *types.ActivityDetails {
	d := &types.ActivityDetails{SummaryID: "1-detail", Summary: types.Activity{SummaryID: "1", ActivityType: "CYCLING", DurationInSeconds: 6 * 3600, DeviceName: "Edge 1050"}}
	start := time.Date(2026, 3, 5, 6, 0, 0, 0, time.UTC)
	for i := range 21_600 {
		a := float64(i) / 21_600 * 2 * math.Pi
		lat, long := -17+.3*math.Sin(a)+.01*math.Sin(40*a), math.Remainder(179.9+.4*math.Cos(a)+.01*math.Cos(31*a), 360)
		heart, speed, up, far := 120+int(30*math.Sin(9*a)), 8+2*math.Sin(100*a), 200+180*math.Sin(3*a), 8*float64(i)
		d.Samples = append(d.Samples, types.Sample{
			StartTimeInSeconds: types.NewTimestamp(start.Add(time.Duration(i) * time.Second)),
			LatitudeInDegree:   &lat, LongitudeInDegree: &long, HeartRate: &heart, SpeedMetersPerSecond: &speed, ElevationInMeters: &up, TotalDistanceInMeters: &far,
		})
		if i%3600 == 0 {
			d.Laps = append(d.Laps, types.Lap{StartTimeInSeconds: d.Samples[i].StartTimeInSeconds})
		}
	}
	return d
}

// What is drawn does not grow with what was recorded.
func TestDrawing(t *testing.T) {
	t.Parallel()
	tracks := []*export.Track{export.FromDetails(sixHours())}
	r, err := newRoute(tracks)
	require.NoError(t, err)
	size := 0
	for _, line := range r.Lines {
		size += len(line)
		for _, m := range regexp.MustCompile(`[ML]([-\d.]+) ([-\d.]+)`).FindAllStringSubmatch(line, -1) {
			var x, y float64
			_, err := fmt.Sscan(m[1]+" "+m[2], &x, &y)
			require.NoError(t, err)
			require.True(t, x >= 0 && x <= routeWidth && y >= 0 && y <= float64(r.Height), "%s is outside", m[0])
		}
	}
	require.Less(t, size, 20_000)
	require.Greater(t, size, 500)

	plots, laps, err := newPlots(tracks)
	require.NoError(t, err)
	require.Len(t, plots, 3)
	for _, p := range plots {
		require.Less(t, len(p.Line)+len(p.Band), 20_000)
		require.Equal(t, 1, strings.Count(p.Line, "M"), "one piece")
	}
	require.Equal(t, []string{"160", "140", "120", "100", "80"}, plots[0].Values)
	require.Equal(t, []string{"0:00", "1:30:00", "3:00:00", "4:29:59", "5:59:59"}, plots[0].Times)
	require.Len(t, laps, 6)
	require.InDelta(t, 28_800, laps[1].Meters, 20)
	require.Equal(t, time.Hour, laps[1].Duration)
}

func TestDrawingOfLittle(t *testing.T) {
	t.Parallel()
	lat, long, heart, nan := 47.0, 15.0, 100, math.NaN()
	at := types.NewTimestamp(time.Date(2026, 3, 5, 6, 0, 0, 0, time.UTC))
	for name, samples := range map[string][]types.Sample{
		"nothing":        nil,
		"one sample":     {{StartTimeInSeconds: at, LatitudeInDegree: &lat, LongitudeInDegree: &long, HeartRate: &heart}},
		"one place":      {{StartTimeInSeconds: at, LatitudeInDegree: &lat, LongitudeInDegree: &long}, {StartTimeInSeconds: at + 1, LatitudeInDegree: &lat, LongitudeInDegree: &long}},
		"no time":        {{HeartRate: &heart}, {HeartRate: &heart}},
		"backwards":      {{StartTimeInSeconds: at + 9, HeartRate: &heart}, {StartTimeInSeconds: at, HeartRate: &heart}},
		"not a number":   {{StartTimeInSeconds: at, SpeedMetersPerSecond: &nan}, {StartTimeInSeconds: at + 1, SpeedMetersPerSecond: &nan, ElevationInMeters: &lat}},
		"half a place":   {{StartTimeInSeconds: at, LatitudeInDegree: &lat}, {StartTimeInSeconds: at + 1, LongitudeInDegree: &long}},
		"too much":       {{StartTimeInSeconds: at, ElevationInMeters: new(2e16), SpeedMetersPerSecond: new(1e300)}, {StartTimeInSeconds: at + 1, ElevationInMeters: new(2e16 + 4), HeartRate: new(1 << 60)}},
		"much":           {{StartTimeInSeconds: at, ElevationInMeters: new(1e9), SpeedMetersPerSecond: new(1e9)}, {StartTimeInSeconds: at + 1, ElevationInMeters: new(1e9 - 1e-7), SpeedMetersPerSecond: new(-1e9)}},
		"no place known": {{StartTimeInSeconds: at, LatitudeInDegree: &nan, LongitudeInDegree: &long}, {StartTimeInSeconds: at + 1, LatitudeInDegree: &lat, LongitudeInDegree: &long}},
	} {
		tracks := []*export.Track{export.FromDetails(&types.ActivityDetails{Samples: samples, Laps: []types.Lap{{StartTimeInSeconds: at}, {StartTimeInSeconds: at}}})}
		r, err := newRoute(tracks)
		require.NoError(t, err, name)
		if r != nil {
			for _, line := range r.Lines {
				require.NotContains(t, line, "NaN", name)
			}
		}
		plots, _, err := newPlots(tracks)
		require.NoError(t, err, name)
		for _, p := range plots {
			require.NotContains(t, p.Line+p.Band, "NaN", name)
			require.Less(t, len(p.Values), 8, name)
		}
	}
}

// A pause is a gap in the line.
func TestPause(t *testing.T) {
	t.Parallel()
	d := sixHours()
	d.Samples = append(d.Samples[:5000:5000], d.Samples[9000:]...)
	plots, _, err := newPlots([]*export.Track{export.FromDetails(d)})
	require.NoError(t, err)
	require.Equal(t, 2, strings.Count(plots[0].Line, "M"))
}

// TestLongActivity: the page of six hours with a sample each second is
// small. BenchmarkLongActivity has the time.
func TestLongActivity(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := start(t, nil)
		require.NoError(t, p.db.add(t.Context(), "ann", join.Item{User: "g1", Order: 1, Summary: sixHours()}))
		w := p.ask("ann", "GET", public+"/activity/g1/1", nil)
		require.Equal(t, http.StatusOK, w.Code)
		require.Less(t, w.Body.Len(), 64<<10)
		t.Logf("%d bytes", w.Body.Len())
	})
}

func BenchmarkLongActivity(b *testing.B) {
	tracks := []*export.Track{export.FromDetails(sixHours())}
	rec := &join.Record{Details: sixHours()}
	data, err := pack(rec)
	require.NoError(b, err)
	b.Run("Unpack", func(b *testing.B) {
		for b.Loop() {
			_, err := unpack(data)
			require.NoError(b, err)
		}
	})
	b.Run("Pack", func(b *testing.B) {
		for b.Loop() {
			_, err := pack(rec)
			require.NoError(b, err)
		}
		b.ReportMetric(float64(len(data)), "stored_bytes")
	})
	b.Run("Draw", func(b *testing.B) {
		for b.Loop() {
			_, err := newRoute(tracks)
			require.NoError(b, err)
			_, _, err = newPlots(tracks)
			require.NoError(b, err)
		}
	})
}
