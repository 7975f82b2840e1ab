package fitfile_test

import (
	"bytes"
	"errors"
	"io"
	"math"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/muktihari/fit/decoder"
	"github.com/muktihari/fit/profile/factory"
	"github.com/muktihari/fit/profile/filedef"
	"github.com/muktihari/fit/profile/mesgdef"
	"github.com/muktihari/fit/profile/typedef"
	"github.com/muktihari/fit/profile/untyped/mesgnum"
	"github.com/stretchr/testify/require"

	"github.com/garminkit/activityapi/activity/activitytest"
	"github.com/garminkit/activityapi/activity/export"
	"github.com/garminkit/activityapi/activity/fitfile"
	"github.com/garminkit/activityapi/activitytype"
	"github.com/garminkit/activityapi/types"
)

var began = time.Date(2026, time.March, 5, 6, 0, 0, 0, time.UTC)

// fake calls f with the details of each sport and the file of the fake Garmin.
func fake(t testing.TB, f func(d *types.ActivityDetails, file []byte)) {
	t.Helper()
	g := activitytest.NewGenerator(1)
	n := 0
	for _, sport := range []activitytype.Type{
		activitytype.Running, activitytype.RoadBiking, activitytype.IndoorCycling, activitytype.LapSwimming, activitytype.OpenWaterSwimming,
		activitytype.Walking, activitytype.StrengthTraining, activitytype.WheelchairPushRun, activitytype.MultiSport,
	} {
		for _, a := range g.Activities(sport, began) {
			d := g.Details(a)
			if len(d.Samples) == 0 {
				continue
			}
			n++
			_, file := g.File("FIT", d)
			f(d, file)
		}
	}
	require.Greater(t, n, 8)
}

func warns(a *fitfile.Activity) []fitfile.Warn {
	var list []fitfile.Warn
	for _, w := range a.Warnings {
		list = append(list, w.Warn)
	}
	return list
}

func near(t *testing.T, want, got *float64, tolerance float64, what string) {
	t.Helper()
	if want == nil {
		require.Nil(t, got, what)
		return
	}
	require.NotNil(t, got, what)
	require.InDelta(t, *want, *got, tolerance, what)
}

// The file of the fake Garmin says what its details say, within what FIT rounds:
// places to 1e-7 degrees (a centimeter), distances to a centimeter, cadences to
// 1/64 step. Its session agrees with the summary: distance to a centimeter, speeds
// to a millimeter a second, and durations, kilocalories, heart rates, ascent and
// lengths exactly. Its laps add up to it. Nothing is warned of.
func TestAgreesWithTheSummary(t *testing.T) {
	t.Parallel()
	fake(t, func(d *types.ActivityDetails, file []byte) {
		a := sound(t, file)
		require.Len(t, a.Sessions, 1)
		agrees(t, d, a.Sessions[0])
		f, _ := d.Summary.ActivityType.FIT()
		require.Equal(t, f, a.Sessions[0].FIT)
		require.Equal(t, d.Summary.DeviceName, a.Device().Name)
	})
}

// The file of a multisport activity has a session for each leg, in their order.
func TestMultisportAgreesWithTheSummaries(t *testing.T) {
	t.Parallel()
	d, legs := triathlon()
	_, file := activitytest.NewGenerator(1).File("FIT", d, legs...)
	a := sound(t, file)
	require.Len(t, a.Sessions, len(legs))
	slices.SortFunc(legs, func(a, b *types.ActivityDetails) int {
		return a.Summary.StartTimeInSeconds.Time().Compare(b.Summary.StartTimeInSeconds.Time())
	})
	first := 0
	for i, leg := range legs {
		agrees(t, leg, a.Sessions[i])
		require.Equal(t, first, *a.Sessions[i].FirstLap)
		first += len(a.Sessions[i].Laps)
	}
}

func triathlon() (d *types.ActivityDetails, legs []*types.ActivityDetails) {
	g := activitytest.NewGenerator(4)
	for _, a := range g.Activities(activitytype.MultiSport, began) {
		if a.IsParent {
			d = g.Details(a)
			continue
		}
		legs = append(legs, g.Details(a))
	}
	return d, legs
}

// sound reads a FIT file with the library alone and with this package: it has
// the messages of an activity, and nothing is odd about it.
func sound(t *testing.T, file []byte) *fitfile.Activity {
	t.Helper()
	dec := decoder.New(bytes.NewReader(file))
	fit, err := dec.Decode()
	require.NoError(t, err)
	require.False(t, dec.Next())
	n := map[typedef.MesgNum]int{}
	developed := map[typedef.MesgNum]int{}
	for _, m := range fit.Messages {
		n[m.Num]++
		developed[m.Num] += len(m.DeveloperFields)
		for _, f := range m.Fields {
			require.NotEqual(t, factory.NameUnknown, f.Name, "field %d of %s", f.Num, m.Num)
			require.True(t, f.Value.Valid(f.BaseType), "%s of %s", f.Name, m.Num)
		}
	}
	require.Equal(t, typedef.MesgNumFileId, fit.Messages[0].Num)
	require.Equal(t, typedef.MesgNumActivity, fit.Messages[len(fit.Messages)-1].Num)
	all := filedef.NewActivity(fit.Messages...)
	require.Equal(t, 1, n[typedef.MesgNumActivity])
	require.EqualValues(t, n[typedef.MesgNumSession], all.Activity.NumSessions)
	require.NotZero(t, n[typedef.MesgNumSession])
	require.GreaterOrEqual(t, n[typedef.MesgNumLap], n[typedef.MesgNumSession])
	require.Equal(t, 2*n[typedef.MesgNumSession], n[typedef.MesgNumEvent])
	require.Equal(t, n[typedef.MesgNumSession], developed[typedef.MesgNumSession])
	a, err := fitfile.Read(bytes.NewReader(file))
	require.NoError(t, err)
	require.Empty(t, warns(a))
	require.Equal(t, uint8(4), a.FileID.Type)
	require.Equal(t, uint16(1), a.FileID.Manufacturer)
	require.NotZero(t, a.FileID.Product)
	require.True(t, a.FileID.Created.Equal(a.Sessions[0].Start))
	return a
}

func agrees(t *testing.T, d *types.ActivityDetails, s *fitfile.Whole) {
	t.Helper()
	sum := &d.Summary
	foot := sum.AverageRunCadenceInStepsPerMinute != nil
	require.Len(t, s.Records, len(d.Samples))
	for i, r := range s.Records {
		want := d.Samples[i]
		require.Equal(t, want.StartTimeInSeconds, r.StartTimeInSeconds)
		near(t, want.LatitudeInDegree, r.LatitudeInDegree, 1e-7, "latitude")
		near(t, want.LongitudeInDegree, r.LongitudeInDegree, 1e-7, "longitude")
		near(t, want.ElevationInMeters, r.ElevationInMeters, 0.1001, "elevation")
		near(t, want.TotalDistanceInMeters, r.TotalDistanceInMeters, 0.0101, "distance")
		near(t, want.SpeedMetersPerSecond, r.SpeedMetersPerSecond, 0.000501, "speed")
		near(t, want.PowerInWatts, r.PowerInWatts, 0, "power")
		near(t, want.AirTemperatureCelcius, r.AirTemperatureCelcius, 0, "temperature")
		require.Equal(t, want.HeartRate, r.HeartRate)
		if foot {
			near(t, want.StepsPerMinute, r.StepsPerMinute, 1./64, "steps")
		}
		if want.HeartRate != nil {
			require.Len(t, r.Developer, 1)
			require.Equal(t, "Strain", r.Developer[0].Name)
			require.Equal(t, "au", r.Developer[0].Units)
			require.Equal(t, float64(*want.HeartRate)/8, *r.Developer[0].Value)
		}
	}
	duration := time.Duration(sum.DurationInSeconds) * time.Second
	require.True(t, s.Start.Equal(sum.StartTimeInSeconds.Time()))
	require.Equal(t, duration, s.Elapsed)
	require.Equal(t, duration, s.Timer)
	near(t, sum.DistanceInMeters, s.DistanceInMeters, 0.00501, "distance")
	near(t, float(sum.ActiveKilocalories), s.Kilocalories, 0, "kilocalories")
	near(t, float(sum.AverageHeartRateInBeatsPerMinute), s.AverageHeartRate, 0, "average heart rate")
	near(t, sum.MaxHeartRateInBeatsPerMinute, s.MaxHeartRate, 0, "maximum heart rate")
	near(t, sum.AverageSpeedInMetersPerSecond, s.AverageSpeedInMetersPerSecond, 0.000501, "average speed")
	near(t, sum.MaxSpeedInMetersPerSecond, s.MaxSpeedInMetersPerSecond, 0.000501, "maximum speed")
	near(t, sum.TotalElevationGainInMeters, s.AscentInMeters, 0, "ascent")
	near(t, sum.TotalElevationLossInMeters, s.DescentInMeters, 0, "descent")
	require.Equal(t, sum.NumberOfActiveLengths, s.ActiveLengths)
	require.Len(t, s.Laps, *s.Session.Laps)
	require.Len(t, s.Laps, max(len(d.Laps), 1))
	if sum.NumberOfActiveLengths != nil {
		require.Equal(t, 25.0, *s.PoolLengthInMeters)
		require.Len(t, s.Lengths, *sum.NumberOfActiveLengths)
	}
	var timer time.Duration
	var distance, kilocalories float64
	lengths := 0
	for i, l := range s.Laps {
		require.True(t, l.Start.Equal(s.Start.Add(timer)), "lap %d", i)
		timer += l.Timer
		kilocalories += *l.Kilocalories
		if l.DistanceInMeters != nil {
			distance += *l.DistanceInMeters
		}
		if l.Lengths != nil {
			lengths += *l.Lengths
		}
	}
	require.Equal(t, duration, timer)
	require.Equal(t, *s.Kilocalories, kilocalories)
	if sum.DistanceInMeters != nil {
		require.InDelta(t, *sum.DistanceInMeters, distance, 0.00501*float64(len(s.Laps)+1))
	}
	require.Len(t, s.Lengths, lengths)
}

func float(v *int) *float64 {
	if v == nil {
		return nil
	}
	return new(float64(*v))
}

// The files in XML agree too: TCX in laps and sums, GPX in its points.
func TestXMLAgreesWithTheSummary(t *testing.T) {
	t.Parallel()
	g := activitytest.NewGenerator(1)
	check := func(d *types.ActivityDetails, s *fitfile.Whole) {
		sum := &d.Summary
		require.Equal(t, time.Duration(sum.DurationInSeconds)*time.Second, s.Timer)
		require.True(t, s.Start.Equal(sum.StartTimeInSeconds.Time()))
		require.InDelta(t, float64(*sum.ActiveKilocalories), *s.Kilocalories, 0)
		if sum.DistanceInMeters != nil {
			require.InDelta(t, *sum.DistanceInMeters, *s.DistanceInMeters, 0.00501*float64(len(s.Laps)+1))
		}
		require.Len(t, s.Records, len(d.Samples))
		for i, r := range s.Records {
			require.Equal(t, d.Samples[i].StartTimeInSeconds, r.StartTimeInSeconds)
			require.Equal(t, d.Samples[i].LatitudeInDegree, r.LatitudeInDegree)
			require.Equal(t, d.Samples[i].TotalDistanceInMeters, r.TotalDistanceInMeters)
			require.Equal(t, d.Samples[i].HeartRate, r.HeartRate)
		}
	}
	fake(t, func(d *types.ActivityDetails, _ []byte) {
		_, file := g.File("TCX", d)
		a, err := fitfile.Read(bytes.NewReader(file))
		require.NoError(t, err)
		require.Empty(t, warns(a))
		require.Len(t, a.Sessions, 1)
		require.Equal(t, d.Summary.ActivityName, a.Sessions[0].Name)
		require.Len(t, a.Sessions[0].Laps, max(len(d.Laps), 1))
		check(d, a.Sessions[0])
		if d.Summary.StartingLatitudeInDegree == nil {
			return
		}
		_, file = g.File("GPX", d)
		a, err = fitfile.Read(bytes.NewReader(file))
		require.NoError(t, err)
		require.Empty(t, warns(a))
		require.Equal(t, d.Summary.ActivityType.Canonical(), a.Sessions[0].Type)
		require.Len(t, a.Sessions[0].Records, len(d.Samples))
	})
	d, legs := triathlon()
	_, file := g.File("TCX", d, legs...)
	a, err := fitfile.Read(bytes.NewReader(file))
	require.NoError(t, err)
	require.Empty(t, warns(a))
	require.Len(t, a.Sessions, len(legs))
	slices.SortFunc(legs, func(a, b *types.ActivityDetails) int {
		return a.Summary.StartTimeInSeconds.Time().Compare(b.Summary.StartTimeInSeconds.Time())
	})
	for i, leg := range legs {
		check(leg, a.Sessions[i])
	}
	require.Equal(t, activitytype.Transition, a.Sessions[1].Type)
}

// What package export writes is read back as it was, to the last bit where the
// format does not cut it.
func TestReadsWhatExportWrites(t *testing.T) {
	t.Parallel()
	half := func(f *float64) *float64 { // cadences are cut to whole rounds of one foot
		if f == nil {
			return nil
		}
		return new(math.Trunc(*f/2) * 2)
	}
	fake(t, func(d *types.ActivityDetails, _ []byte) {
		d.Summary.ActivityName = "Läufe & <mehr>"
		track := export.FromDetails(d)
		var b bytes.Buffer
		require.NoError(t, export.WriteTCX(&b, nil, track))
		a, err := fitfile.Read(&b)
		require.NoError(t, err)
		require.Empty(t, a.Warnings)
		require.Len(t, a.Sessions, 1)
		s := a.Sessions[0]
		require.Equal(t, d.Summary.ActivityName, s.Name)
		require.Equal(t, types.Attribution(d.Summary.DeviceName), a.Device().Name)
		require.Len(t, s.Laps, *s.Session.Laps)
		require.Len(t, s.Records, len(d.Samples))
		running := s.Type == activitytype.Running
		for i, r := range s.Records {
			want := d.Samples[i]
			require.Equal(t, want.StartTimeInSeconds, r.StartTimeInSeconds)
			require.Equal(t, want.LatitudeInDegree, r.LatitudeInDegree)
			require.Equal(t, want.LongitudeInDegree, r.LongitudeInDegree)
			require.Equal(t, want.ElevationInMeters, r.ElevationInMeters)
			require.Equal(t, want.TotalDistanceInMeters, r.TotalDistanceInMeters)
			require.Equal(t, want.SpeedMetersPerSecond, r.SpeedMetersPerSecond)
			require.Equal(t, want.HeartRate, r.HeartRate)
			if running {
				require.Equal(t, half(want.StepsPerMinute), r.StepsPerMinute)
			}
		}
		b.Reset()
		if err := export.WriteGPX(&b, nil, track); errors.Is(err, export.ErrEmpty) {
			return
		}
		a, err = fitfile.Read(&b)
		require.NoError(t, err)
		require.Empty(t, a.Warnings)
		s = a.Sessions[0]
		require.Equal(t, d.Summary.ActivityType.Canonical(), s.Type)
		i := 0
		for _, want := range d.Samples {
			if want.LatitudeInDegree == nil {
				continue
			}
			r := s.Records[i]
			i++
			require.Equal(t, want.LatitudeInDegree, r.LatitudeInDegree)
			require.Equal(t, want.AirTemperatureCelcius, r.AirTemperatureCelcius)
			require.Equal(t, want.HeartRate, r.HeartRate)
		}
		require.Len(t, s.Records, i)
		// And once more the same way.
		var again bytes.Buffer
		require.NoError(t, export.WriteGPX(&again, &export.Options{Omit: export.Fields{Cadence: true}}, a.Tracks()...))
	})
}

// samples is where the public files of module github.com/muktihari/fit are, in
// the module cache.
func samples(t testing.TB) string {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "go", "list", "-m", "-f", "{{.Dir}}", "github.com/muktihari/fit").Output()
	require.NoError(t, err)
	return filepath.Join(strings.TrimSpace(string(out)), "testdata")
}

func sampleFiles(t testing.TB) map[string][]byte {
	t.Helper()
	files := map[string][]byte{}
	root := samples(t)
	for _, pattern := range []string{"*.fit", "*/*.fit"} {
		names, err := filepath.Glob(filepath.Join(root, pattern))
		require.NoError(t, err)
		for _, name := range names {
			content, err := os.ReadFile(name)
			require.NoError(t, err)
			files[filepath.Base(name)] = content
		}
	}
	require.Greater(t, len(files), 20)
	return files
}

// Public files say what their own library reads from them: how many of each
// message, and the values of records, laps and sessions.
func TestPublicFiles(t *testing.T) {
	t.Parallel()
	records := 0
	for name, content := range sampleFiles(t) {
		if name == "big_activity.fit" && testing.Short() {
			continue
		}
		var want struct {
			records  []*mesgdef.Record
			laps     []*mesgdef.Lap
			sessions []*mesgdef.Session
			lengths  int
			events   int
			devices  int
		}
		dec := decoder.New(bytes.NewReader(content))
		broken := false
		for dec.Next() {
			fit, err := dec.Decode()
			if err != nil {
				broken = true
				break
			}
			for i := range fit.Messages {
				m := &fit.Messages[i]
				switch m.Num {
				case mesgnum.Record:
					want.records = append(want.records, mesgdef.NewRecord(m))
				case mesgnum.Lap:
					want.laps = append(want.laps, mesgdef.NewLap(m))
				case mesgnum.Session:
					want.sessions = append(want.sessions, mesgdef.NewSession(m))
				case mesgnum.Length:
					want.lengths++
				case mesgnum.Event:
					want.events++
				case mesgnum.DeviceInfo:
					want.devices++
				}
			}
		}
		var got struct {
			records, laps, sessions, lengths, events, devices int
			warns                                             []fitfile.Warn
		}
		number := func(v *float64) float64 {
			if v == nil {
				return math.NaN()
			}
			return *v
		}
		within := func(want, got, tolerance float64, what string) {
			t.Helper()
			if math.IsNaN(want) && math.IsNaN(got) {
				return
			}
			require.InDelta(t, want, got, tolerance, "%s %s", name, what)
		}
		same := func(want, got float64, what string) {
			t.Helper()
			within(want, got, 1e-9, what)
		}
		for m, err := range fitfile.Messages(bytes.NewReader(content)) {
			require.NoError(t, err, name)
			switch m := m.(type) {
			case *fitfile.Record:
				if !broken {
					w := want.records[got.records]
					require.True(t, w.Timestamp.Equal(m.StartTimeInSeconds.Time()), name) // or both are absent
					same(w.PositionLatDegrees(), number(m.LatitudeInDegree), "latitude")
					same(w.PositionLongDegrees(), number(m.LongitudeInDegree), "longitude")
					same(w.DistanceScaled(), number(m.TotalDistanceInMeters), "distance")
					// Where a file has a coarse and a fine value, the library takes the coarse.
					within(w.EnhancedSpeedScaled(), number(m.SpeedMetersPerSecond), 0.0011, "speed")
					within(w.EnhancedAltitudeScaled(), number(m.ElevationInMeters), 0.21, "altitude")
					if w.HeartRate != 255 {
						require.Equal(t, int(w.HeartRate), *m.HeartRate)
					}
					require.Len(t, m.Developer, len(w.DeveloperFields))
				}
				got.records++
			case *fitfile.Lap:
				if !broken {
					w := want.laps[got.laps]
					require.True(t, w.StartTime.Equal(m.Start), name)
					same(w.TotalDistanceScaled(), number(m.DistanceInMeters), "lap")
					if !math.IsNaN(w.TotalTimerTimeScaled()) {
						same(w.TotalTimerTimeScaled(), m.Timer.Seconds(), "timer")
					}
				}
				got.laps++
			case *fitfile.Session:
				if !broken && got.sessions < len(want.sessions) {
					w := want.sessions[got.sessions]
					if w.Sport != 255 {
						require.Equal(t, uint8(w.Sport), m.FIT.Sport, name)
					}
					same(w.TotalDistanceScaled(), number(m.DistanceInMeters), "session")
					same(w.EnhancedAvgSpeedScaled(), number(m.AverageSpeedInMetersPerSecond), "average speed")
				}
				got.sessions++
			case *fitfile.Length:
				got.lengths++
			case *fitfile.Event:
				got.events++
			case *fitfile.Device:
				got.devices++
			case *fitfile.Warning:
				got.warns = append(got.warns, m.Warn)
			}
		}
		records += got.records
		if broken {
			require.NotEmpty(t, got.warns, name)
			continue
		}
		require.Len(t, want.records, got.records, name)
		require.Len(t, want.laps, got.laps, name)
		require.Equal(t, want.lengths, got.lengths, name)
		require.Equal(t, want.events, got.events, name)
		require.Equal(t, want.devices, got.devices, name)
		if slices.Contains(got.warns, fitfile.WarnNoSession) {
			require.Empty(t, want.sessions)
		} else {
			require.Len(t, want.sessions, got.sessions, name)
		}
	}
	t.Log(records, "records")
}

func TestPublicFilesAsAWhole(t *testing.T) {
	t.Parallel()
	files := sampleFiles(t)
	a, err := fitfile.Read(bytes.NewReader(files["activity_poolswim.fit"]))
	require.NoError(t, err)
	require.Len(t, a.Sessions, 1)
	s := a.Sessions[0]
	require.Equal(t, activitytype.LapSwimming, s.Type)
	require.NotEmpty(t, s.Lengths)
	require.NotNil(t, s.PoolLengthInMeters)
	require.True(t, s.Lengths[0].Active)

	for _, name := range []string{"triathlon_summary_first.fit", "triathlon_summary_last.fit"} {
		a, err = fitfile.Read(bytes.NewReader(files[name]))
		require.NoError(t, err)
		require.Greater(t, len(a.Sessions), 2, name)
		for _, s := range a.Sessions {
			require.NotEmpty(t, s.Records, name)
			for _, r := range s.Records {
				require.False(t, r.StartTimeInSeconds.Time().Before(s.Start.Add(-time.Second)), name)
			}
		}
		require.Len(t, a.Tracks(), len(a.Sessions))
	}

	a, err = fitfile.Read(bytes.NewReader(files["ActivityDevFields.fit"]))
	require.NoError(t, err)
	named := 0
	for _, r := range a.Sessions[0].Records {
		for _, d := range r.Developer {
			if d.Name != "" && d.Value != nil {
				named++
			}
		}
	}
	require.Positive(t, named)
}

// A file that is cut anywhere is read as far as it goes, and says so.
func TestCutAnywhere(t *testing.T) {
	t.Parallel()
	file := sampleFiles(t)["activity_poolswim.fit"]
	var b bytes.Buffer
	require.NoError(t, export.WriteTCX(&b, nil, short()))
	tcx := b.Bytes()
	b = bytes.Buffer{}
	require.NoError(t, export.WriteGPX(&b, nil, short()))
	for _, whole := range [][]byte{file, tcx, b.Bytes()} {
		last := 0
		step := max(1, len(whole)/1000)
		if testing.Short() {
			step *= 5
		}
		for n := 0; n < len(whole); n += step {
			records, warned := 0, false
			var failed error
			for m, err := range fitfile.Messages(bytes.NewReader(whole[:n])) {
				if err != nil {
					failed = err
					break
				}
				switch m := m.(type) {
				case *fitfile.Record:
					records++
				case *fitfile.Warning:
					warned = warned || m.Warn == fitfile.WarnTruncated || m.Warn == fitfile.WarnChecksum
				}
			}
			if failed != nil {
				require.ErrorIs(t, failed, fitfile.ErrFormat)
				require.Zero(t, records)
				continue
			}
			require.GreaterOrEqual(t, records, last)
			last = records
			if strings.TrimSpace(string(whole[n:])) != "" {
				require.True(t, warned, "cut at %d of %d", n, len(whole))
			}
		}
		require.Positive(t, last)
	}
}

func short() *export.Track {
	hr, lat, lon := 140, 47.07, 15.44
	d := &types.ActivityDetails{Summary: types.Activity{ActivityType: "RUNNING", ActivityName: "Café"}}
	for i := range 5 {
		d.Samples = append(d.Samples, types.Sample{
			StartTimeInSeconds: types.Timestamp(1767340800 + i), LatitudeInDegree: &lat, LongitudeInDegree: &lon, HeartRate: &hr,
		})
	}
	return export.FromDetails(d)
}

// What real files have: each is read whole, and a warning says what is odd.
func TestOddFiles(t *testing.T) {
	t.Parallel()
	var fitFile []byte
	g := activitytest.NewGenerator(2)
	_, fitFile = g.File("FIT", g.Details(g.Activities(activitytype.Running, began)[0]))
	var b bytes.Buffer
	require.NoError(t, export.WriteGPX(&b, nil, short()))
	gpx := b.String()
	body := gpx[strings.Index(gpx, "?>")+2:]
	latin := strings.ReplaceAll(body, "é", "\xe9")
	badSum := slices.Clone(fitFile)
	badSum[len(badSum)-1] ^= 1
	badHead := slices.Clone(fitFile)
	badHead[13] ^= 1
	hook := slices.Clone(fitFile)
	for _, tt := range []struct {
		name string
		file []byte
		want fitfile.Warn
		gpx  string // the name of the track
	}{
		{"bytes behind the end", append(slices.Clone(fitFile), 0, 0, 0), fitfile.WarnTrailing, ""},
		{"bytes behind the end that begin a header", append(slices.Clone(fitFile), 12), fitfile.WarnTrailing, ""},
		{"text behind the end", append(slices.Clone(fitFile), strings.Repeat("x", 5000)...), fitfile.WarnTrailing, ""},
		{"two files in one", append(slices.Clone(fitFile), hook...), fitfile.WarnChained, ""},
		{"a wrong checksum", badSum, fitfile.WarnChecksum, ""},
		{"a wrong checksum of the header", badHead, fitfile.WarnChecksum, ""},
		{"Latin-1", []byte(`<?xml version="1.0" encoding="ISO-8859-1"?>` + latin), "", "Café"},
		{"windows-1252", []byte(`<?xml version="1.0" encoding="windows-1252"?>` + strings.ReplaceAll(latin, "Caf", "\x80Caf")), "", "€Café"},
		{"Latin-1 that says UTF-8", []byte(`<?xml version="1.0" encoding="UTF-8"?>` + latin), fitfile.WarnEncoding, "Caf\ufffd"},
		{"XML 1.1", []byte(`<?xml version="1.1" encoding="UTF-8"?>` + body), "", "Café"},
		{"no declaration", []byte(body), "", "Café"},
		{"a byte order mark", []byte("\xef\xbb\xbf" + gpx), "", "Café"},
		{"a control character", []byte(strings.ReplaceAll(gpx, "Café", "Ca\x01fé")), fitfile.WarnEncoding, "Ca fé"},
		{"a character that an earlier reader replaced", []byte(strings.ReplaceAll(gpx, "Café", "Caf\ufffd")), "", "Caf\ufffd"},
		{"an entity of HTML", []byte(strings.ReplaceAll(gpx, "Café", "Caf&eacute;")), "", "Caf&eacute;"},
		{"a value that is no number", []byte(strings.Replace(gpx, "<gpxtpx:hr>140", "<gpxtpx:hr>--", 1)), fitfile.WarnValue, "Café"},
		{"a latitude of nowhere", []byte(strings.Replace(gpx, `lat="47.07"`, `lat="147"`, 1)), fitfile.WarnValue, "Café"},
		{"a time of no day", []byte(strings.Replace(gpx, "2026-01-02T", "2026-01-42T", 1)), fitfile.WarnValue, "Café"},
	} {
		a, err := fitfile.Read(iotest.OneByteReader(bytes.NewReader(tt.file)))
		require.NoError(t, err, tt.name)
		got := warns(a)
		if tt.want != "" {
			require.Contains(t, got, tt.want, tt.name)
		}
		if tt.gpx != "" {
			require.Equal(t, tt.gpx, a.Sessions[0].Name, tt.name)
			require.Len(t, a.Sessions[0].Records, 5, tt.name)
			if tt.want == "" {
				require.Empty(t, got, tt.name)
			}
		}
	}
}

// A file that was put together from two may have its laps in any order. A track has
// them by time, or package export would take all that come late for one.
func TestLapsOfATrackAreInOrder(t *testing.T) {
	t.Parallel()
	lap := func(at string) string {
		return `<Lap StartTime="2026-03-05T` + at + `:00Z"><TotalTimeSeconds>60</TotalTimeSeconds></Lap>`
	}
	file := `<TrainingCenterDatabase><Activities><Activity Sport="Running"><Id>2026-03-05T06:00:00Z</Id>` +
		lap("06:02") + lap("06:00") + lap("06:01") + `</Activity></Activities></TrainingCenterDatabase>`
	a, err := fitfile.Read(strings.NewReader(file))
	require.NoError(t, err)
	require.Len(t, a.Sessions[0].Laps, 3)
	require.Equal(t, []time.Time{began, began.Add(time.Minute), began.Add(2 * time.Minute)}, a.Tracks()[0].Laps)
}

// The odd files of the fake Garmin, as they are downloaded: each is read, and
// what is odd is told.
func TestOddFilesOfTheFake(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		quirks []activitytest.Quirk
		want   []fitfile.Warn
		name   string
	}{
		{nil, nil, ""},
		{[]activitytest.Quirk{"file-header-crc-0"}, nil, ""},
		{[]activitytest.Quirk{"file-trailing"}, []fitfile.Warn{fitfile.WarnTrailing}, ""},
		{[]activitytest.Quirk{"file-chained"}, []fitfile.Warn{fitfile.WarnChained}, ""},
		{[]activitytest.Quirk{"file-truncated"}, []fitfile.Warn{fitfile.WarnTruncated, fitfile.WarnNoSession}, ""},
		{[]activitytest.Quirk{"file-tcx", "file-latin-1"}, nil, "Café "},
		{[]activitytest.Quirk{"file-gpx", "file-latin-1", "file-truncated"}, []fitfile.Warn{fitfile.WarnTruncated}, "Café "},
	} {
		s := activitytest.NewServer()
		u := s.AddUser(nil)
		s.SetQuirks(1, tt.quirks...)
		u.Sync(activitytest.NewGenerator(1), activitytype.Walking, began)
		file := u.View(types.KindActivityFiles, types.Window{End: began.AddDate(1, 0, 0)})[0]
		r, err := http.NewRequest(http.MethodGet, u.FileURL(file.ID), nil)
		require.NoError(t, err)
		r.Header.Set("Authorization", "Bearer "+u.State().AccessToken)
		res, err := s.RoundTrip(r)
		require.NoError(t, err)
		a, err := fitfile.Read(res.Body)
		require.NoError(t, err)
		require.NoError(t, res.Body.Close())
		require.Equal(t, tt.want, warns(a), "%v", tt.quirks)
		require.NotEmpty(t, a.Sessions[0].Records)
		require.True(t, strings.HasPrefix(a.Sessions[0].Name, tt.name))
	}
}

func TestNoFile(t *testing.T) {
	t.Parallel()
	for _, file := range []string{"", "x", "{}", "<", "<html><body>503</body></html>", "<?xml", "\x0e\x20\x54\x08\x00\x00\x00\x00.FIT", strings.Repeat("<a>", 1000)} {
		_, err := fitfile.Read(strings.NewReader(file))
		require.ErrorIs(t, err, fitfile.ErrFormat, "%.20q", file)
	}
	broken := errors.New("the disk is gone")
	var b bytes.Buffer
	require.NoError(t, export.WriteGPX(&b, nil, short()))
	for _, begin := range [][]byte{nil, b.Bytes()[:b.Len()/2], sampleFiles(t)["Activity.fit"][:20000]} {
		_, err := fitfile.Read(io.MultiReader(bytes.NewReader(begin), iotest.ErrReader(broken)))
		require.ErrorIs(t, err, broken)
	}
	deep := `<gpx>` + strings.Repeat("<a>", 100)
	a, err := fitfile.Read(strings.NewReader(deep))
	require.NoError(t, err)
	require.Equal(t, []fitfile.Warn{fitfile.WarnCorrupt}, warns(a))
}

// Texts and tags without end are not collected.
func TestEndlessText(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		begin string
		each  byte
	}{
		{"<gpx><trk><trkseg><trkpt lat='1' lon='2'></trkpt></trkseg><name>", 'x'},
		{"<gpx><!--", 'x'}, {"<gpx><a b='", 'x'}, {"<gpx><![CDATA[", 'x'}, {"<gpx><a ", 'x'},
		// Where < begins no tag.
		{"<gpx><!--", '<'}, {"<gpx><![CDATA[", '<'}, {"<gpx><?x ", '<'}, {"<gpx><!DOCTYPE ", '<'},
	} {
		endless := &repeat{each: tt.each, left: 64 << 20}
		a, err := fitfile.Read(io.MultiReader(strings.NewReader(tt.begin), endless))
		require.NoError(t, err, tt.begin)
		require.Contains(t, warns(a), fitfile.WarnCorrupt, tt.begin)
		require.Greater(t, endless.left, 60<<20, "it was read on: %s", tt.begin)
	}
	// The limit is that of one token.
	many := strings.NewReader("<gpx>" + strings.Repeat("<!-- < -->text", maxToken/4) + "</gpx>")
	a, err := fitfile.Read(many)
	require.NoError(t, err)
	require.Empty(t, a.Warnings)
}

const maxToken = 1 << 20

// repeat is so many bytes of one value.
type repeat struct {
	each byte
	left int
}

func (r *repeat) Read(p []byte) (int, error) {
	n := min(len(p), r.left)
	for i := range n {
		p[i] = r.each
	}
	if r.left -= n; n == 0 {
		return 0, io.EOF
	}
	return n, nil
}

// The loop may be left at any message, and a panic in it is its own.
func TestLoopIsLeft(t *testing.T) {
	t.Parallel()
	var b bytes.Buffer
	require.NoError(t, export.WriteGPX(&b, nil, short()))
	for _, file := range [][]byte{sampleFiles(t)["Activity.fit"], b.Bytes()} {
		total := 0
		for range fitfile.Messages(bytes.NewReader(file)) {
			total++
		}
		for stop := 1; stop <= min(total, 200); stop++ {
			n := 0
			for range fitfile.Messages(bytes.NewReader(file)) {
				if n++; n == stop {
					break
				}
			}
			require.Equal(t, stop, n)
		}
		require.PanicsWithValue(t, "mine", func() {
			for range fitfile.Messages(bytes.NewReader(file)) {
				panic("mine")
			}
		})
	}
}

// Records of Read stay as they were; each has memory of its own.
func TestRecordsAreKept(t *testing.T) {
	t.Parallel()
	file := sampleFiles(t)["Activity.fit"]
	a, err := fitfile.Read(bytes.NewReader(file))
	require.NoError(t, err)
	var kept []*fitfile.Record
	for _, s := range a.Sessions {
		kept = append(kept, s.Records...)
	}
	i := 0
	for m := range fitfile.Messages(bytes.NewReader(file)) {
		if r, ok := m.(*fitfile.Record); ok {
			require.Equal(t, r.StartTimeInSeconds, kept[i].StartTimeInSeconds)
			require.Equal(t, r.TotalDistanceInMeters, kept[i].TotalDistanceInMeters)
			require.Equal(t, r.HeartRate, kept[i].HeartRate)
			require.Equal(t, r.ElevationInMeters, kept[i].ElevationInMeters)
			i++
		}
	}
	require.Len(t, kept, i)
}

func FuzzMessages(f *testing.F) {
	g := activitytest.NewGenerator(3)
	d := g.Details(g.Activities(activitytype.Running, began)[0])
	d.Samples = d.Samples[:3]
	_, file := g.File("FIT", d)
	f.Add(file)
	for _, write := range []func(io.Writer, *export.Options, ...*export.Track) error{export.WriteGPX, export.WriteTCX} {
		var b bytes.Buffer
		if err := write(&b, nil, short()); err != nil {
			f.Fatal(err)
		}
		f.Add(b.Bytes())
	}
	for name, content := range sampleFiles(f) {
		if len(content) < 8<<10 {
			f.Add(content)
		}
		_ = name
	}
	f.Add([]byte("<gpx><trk><trkseg><trkpt lat='1' lon='2'/></trkseg></trk></gpx>"))
	f.Fuzz(func(t *testing.T, file []byte) {
		errs := 0
		for m, err := range fitfile.Messages(bytes.NewReader(file)) {
			require.Zero(t, errs, "something follows an error")
			if err != nil {
				errs++
				require.Nil(t, m)
				require.ErrorIs(t, err, fitfile.ErrFormat)
				continue
			}
			if r, ok := m.(*fitfile.Record); ok {
				for _, v := range []*float64{r.LatitudeInDegree, r.LongitudeInDegree, r.SpeedMetersPerSecond, r.CadenceInRPM} {
					if v != nil && (math.IsNaN(*v) || math.IsInf(*v, 0)) {
						t.Fatalf("a value of %v", *v)
					}
				}
			}
		}
		a, err := fitfile.Read(bytes.NewReader(file))
		if err != nil {
			return
		}
		for _, write := range []func(io.Writer, *export.Options, ...*export.Track) error{export.WriteGPX, export.WriteTCX} {
			if err := write(io.Discard, nil, a.Tracks()...); err != nil {
				require.ErrorIs(t, err, export.ErrEmpty)
			}
		}
	})
}
