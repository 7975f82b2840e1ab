package export_test

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"encoding/xml"
	"errors"
	"io"
	"math"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/garminkit/activityapi/activity/activitytest"
	"github.com/garminkit/activityapi/activity/export"
	"github.com/garminkit/activityapi/activity/join"
	"github.com/garminkit/activityapi/activitytype"
	"github.com/garminkit/activityapi/internal/trackschema"
	"github.com/garminkit/activityapi/types"
)

var began = time.Date(2026, time.March, 5, 6, 0, 0, 0, time.UTC)

// fake returns details of each sport as the fake Garmin makes them.
func fake(t *testing.T) []*types.ActivityDetails {
	t.Helper()
	g := activitytest.NewGenerator(1)
	var all []*types.ActivityDetails
	for _, sport := range []activitytype.Type{
		activitytype.Running, activitytype.RoadBiking, activitytype.IndoorCycling, activitytype.LapSwimming, activitytype.OpenWaterSwimming,
		activitytype.Walking, activitytype.StrengthTraining, activitytype.WheelchairPushRun, activitytype.MultiSport,
	} {
		for _, a := range g.Activities(sport, began) {
			if d := g.Details(a); len(d.Samples) > 0 {
				all = append(all, d)
			}
		}
	}
	require.Greater(t, len(all), 8)
	return all
}

func placed(d *types.ActivityDetails) (n int) {
	for _, s := range d.Samples {
		if s.LatitudeInDegree != nil {
			n++
		}
	}
	return n
}

type formats struct {
	name  string
	write func(io.Writer, *export.Options, ...*export.Track) error
	root  string // of XML
}

func all() []formats {
	return []formats{
		{"GPX", export.WriteGPX, "gpx:gpx"},
		{"TCX", export.WriteTCX, "tcx:TrainingCenterDatabase"},
		{"GeoJSON", export.WriteGeoJSON, ""},
		{"CSV", export.WriteCSV, ""},
	}
}

// check holds what every output must be.
func check(t *testing.T, f formats, text []byte) {
	t.Helper()
	switch {
	case f.root != "":
		require.NoError(t, trackschema.Validate(bytes.NewReader(text), f.root), "%s:\n%.2000s", f.name, text)
	case f.name == "GeoJSON":
		var g geoJSON
		require.NoError(t, json.Unmarshal(text, &g), "%.2000s", text)
		for _, feature := range g.Features {
			require.Equal(t, "MultiLineString", feature.Geometry.Type)
			require.True(t, strings.HasPrefix(feature.Properties.Source, "Garmin"))
			require.Len(t, feature.Properties.Coordinates.Times, len(feature.Geometry.Coordinates))
			for i, line := range feature.Geometry.Coordinates {
				require.GreaterOrEqual(t, len(line), 2)
				require.Len(t, feature.Properties.Coordinates.Times[i], len(line))
				if h := feature.Properties.Coordinates.HeartRates; h != nil {
					require.Len(t, h[i], len(line))
				}
			}
		}
	default:
		rows, err := csv.NewReader(bytes.NewReader(text)).ReadAll()
		require.NoError(t, err)
		for _, row := range rows[1:] {
			require.Len(t, row, len(rows[0]))
			require.True(t, strings.HasPrefix(row[len(row)-1], "Garmin"))
		}
	}
	require.Contains(t, string(text), "Garmin")
}

type geoJSON struct {
	Features []struct {
		Properties struct {
			Name, Type, Source string
			Coordinates        struct {
				Times      [][]time.Time
				HeartRates [][]*int
			} `json:"coordinateProperties"`
		}
		Geometry struct {
			Type        string
			Coordinates [][][]float64
		}
	}
}

func TestFakesAreValid(t *testing.T) {
	t.Parallel()
	for _, d := range fake(t) {
		for _, f := range all() {
			var b bytes.Buffer
			err := f.write(&b, nil, export.FromDetails(d))
			if placed(d) == 0 && (f.name == "GPX" || f.name == "GeoJSON") {
				require.ErrorIs(t, err, export.ErrEmpty)
				require.Zero(t, b.Len())
				continue
			}
			require.NoError(t, err, f.name)
			check(t, f, b.Bytes())
		}
	}
}

type gpx struct {
	Creator string `xml:"creator,attr"`
	Tracks  []struct {
		Name     string `xml:"name"`
		Source   string `xml:"src"`
		Type     string `xml:"type"`
		Segments []struct {
			Points []struct {
				Lat   float64   `xml:"lat,attr"`
				Lon   float64   `xml:"lon,attr"`
				Ele   *float64  `xml:"ele"`
				Time  time.Time `xml:"time"`
				Power *float64  `xml:"extensions>PowerInWatts"`
				Temp  *float64  `xml:"extensions>TrackPointExtension>atemp"`
				HR    *int      `xml:"extensions>TrackPointExtension>hr"`
				Cad   *float64  `xml:"extensions>TrackPointExtension>cad"`
				Speed *float64  `xml:"extensions>TrackPointExtension>speed"`
			} `xml:"trkpt"`
		} `xml:"trkseg"`
	} `xml:"trk"`
}

// whole is a number as the formats cut it.
func whole(f *float64, by float64) *float64 {
	if f == nil {
		return nil
	}
	v := math.Trunc(*f / by)
	return &v
}

// What GPX has is what the samples had, to the last bit where the format does
// not cut it.
func TestGPXRoundTrip(t *testing.T) {
	t.Parallel()
	for _, d := range fake(t) {
		if placed(d) == 0 {
			continue
		}
		var b bytes.Buffer
		require.NoError(t, export.WriteGPX(&b, nil, export.FromDetails(d)))
		var g gpx
		require.NoError(t, xml.Unmarshal(b.Bytes(), &g))
		require.Equal(t, types.Attribution(d.Summary.DeviceName), g.Creator)
		require.Equal(t, g.Creator, g.Tracks[0].Source)
		require.Equal(t, d.Summary.ActivityName, g.Tracks[0].Name)
		require.Equal(t, strings.ToLower(string(d.Summary.ActivityType.Canonical())), g.Tracks[0].Type)
		require.Len(t, g.Tracks[0].Segments, 1)
		points := g.Tracks[0].Segments[0].Points
		require.Len(t, points, placed(d))
		i := 0
		for _, s := range d.Samples {
			if s.LatitudeInDegree == nil {
				continue
			}
			p := points[i]
			i++
			require.Equal(t, *s.LatitudeInDegree, p.Lat)
			require.Equal(t, *s.LongitudeInDegree, p.Lon)
			require.Equal(t, s.ElevationInMeters, p.Ele)
			require.Equal(t, s.StartTimeInSeconds.Time(), p.Time)
			require.Equal(t, s.HeartRate, p.HR)
			require.Equal(t, s.AirTemperatureCelcius, p.Temp)
			require.Equal(t, s.SpeedMetersPerSecond, p.Speed)
			require.Equal(t, whole(s.PowerInWatts, 1), p.Power)
			switch {
			case s.StepsPerMinute != nil:
				require.Equal(t, whole(s.StepsPerMinute, 2), p.Cad)
			case s.BikeCadenceInRPM != nil:
				require.Equal(t, whole(s.BikeCadenceInRPM, 1), p.Cad)
			}
		}
	}
}

type tcx struct {
	Activities []struct {
		Sport string    `xml:",attr"`
		ID    time.Time `xml:"Id"`
		Notes string
		Laps  []struct {
			Start    time.Time `xml:"StartTime,attr"`
			Seconds  float64   `xml:"TotalTimeSeconds"`
			Distance float64   `xml:"DistanceMeters"`
			Calories int
			Tracks   []struct {
				Points []struct {
					Time     time.Time
					Lat      *float64 `xml:"Position>LatitudeDegrees"`
					Lon      *float64 `xml:"Position>LongitudeDegrees"`
					Altitude *float64 `xml:"AltitudeMeters"`
					Distance *float64 `xml:"DistanceMeters"`
					HR       *int     `xml:"HeartRateBpm>Value"`
					Cadence  *float64
					Speed    *float64 `xml:"Extensions>TPX>Speed"`
					Run      *float64 `xml:"Extensions>TPX>RunCadence"`
					Watts    *float64 `xml:"Extensions>TPX>Watts"`
				} `xml:"Trackpoint"`
			} `xml:"Track"`
		} `xml:"Lap"`
		Device string `xml:"Creator>Name"`
	} `xml:"Activities>Activity"`
}

func TestTCXRoundTrip(t *testing.T) {
	t.Parallel()
	for _, d := range fake(t) {
		var b bytes.Buffer
		require.NoError(t, export.WriteTCX(&b, nil, export.FromDetails(d)))
		var x tcx
		require.NoError(t, xml.Unmarshal(b.Bytes(), &x))
		a := x.Activities[0]
		require.Equal(t, types.Attribution(d.Summary.DeviceName), a.Device)
		require.Equal(t, d.Summary.ActivityName, a.Notes)
		require.Equal(t, d.Samples[0].StartTimeInSeconds.Time(), a.ID)
		i, seconds, distance := 0, 0.0, 0.0
		for _, lap := range a.Laps {
			require.Len(t, lap.Tracks, 1)
			seconds += lap.Seconds
			distance += lap.Distance
			for _, p := range lap.Tracks[0].Points {
				s := d.Samples[i]
				i++
				require.Equal(t, s.StartTimeInSeconds.Time(), p.Time)
				require.Equal(t, s.LatitudeInDegree, p.Lat)
				require.Equal(t, s.LongitudeInDegree, p.Lon)
				require.Equal(t, s.ElevationInMeters, p.Altitude)
				require.Equal(t, s.TotalDistanceInMeters, p.Distance)
				require.Equal(t, s.HeartRate, p.HR)
				require.Equal(t, s.SpeedMetersPerSecond, p.Speed)
				require.Equal(t, whole(s.StepsPerMinute, 2), p.Run)
				require.Equal(t, whole(s.PowerInWatts, 1), p.Watts)
			}
		}
		require.Len(t, d.Samples, i)
		first, last := d.Samples[0], d.Samples[len(d.Samples)-1]
		require.InDelta(t, float64(last.StartTimeInSeconds-first.StartTimeInSeconds), seconds, 1e-6)
		if first.TotalDistanceInMeters != nil && last.TotalDistanceInMeters != nil {
			require.InDelta(t, *last.TotalDistanceInMeters-*first.TotalDistanceInMeters, distance, 1e-6)
		}
	}
}

func TestGeoJSONAndCSVRoundTrip(t *testing.T) {
	t.Parallel()
	for _, d := range fake(t) {
		var b bytes.Buffer
		require.NoError(t, export.WriteCSV(&b, nil, export.FromDetails(d)))
		rows, err := csv.NewReader(&b).ReadAll()
		require.NoError(t, err)
		require.Len(t, rows, len(d.Samples)+1)
		for i, s := range d.Samples {
			row := rows[i+1]
			at, err := time.Parse(time.RFC3339Nano, row[3])
			require.NoError(t, err)
			require.Equal(t, s.StartTimeInSeconds.Time(), at)
			var heart *float64
			if s.HeartRate != nil {
				f := float64(*s.HeartRate)
				heart = &f
			}
			for j, want := range []*float64{
				s.LatitudeInDegree, s.LongitudeInDegree, s.ElevationInMeters, s.TotalDistanceInMeters, s.SpeedMetersPerSecond,
				heart, s.StepsPerMinute, s.BikeCadenceInRPM, s.SwimCadenceInStrokesPerMinute, s.DirectWheelchairCadence,
				s.PowerInWatts, s.AirTemperatureCelcius,
			} {
				if want == nil {
					require.Empty(t, row[4+j])
					continue
				}
				got, err := strconv.ParseFloat(row[4+j], 64)
				require.NoError(t, err)
				require.Equal(t, *want, got)
			}
		}
		if placed(d) == 0 {
			continue
		}
		b.Reset()
		require.NoError(t, export.WriteGeoJSON(&b, nil, export.FromDetails(d)))
		var g geoJSON
		require.NoError(t, json.Unmarshal(b.Bytes(), &g))
		line := g.Features[0].Geometry.Coordinates[0]
		require.Len(t, line, placed(d))
		i := 0
		for _, s := range d.Samples {
			if s.LatitudeInDegree != nil {
				require.Equal(t, []float64{*s.LongitudeInDegree, *s.LatitudeInDegree}, line[i][:2])
				require.Equal(t, s.StartTimeInSeconds.Time(), g.Features[0].Properties.Coordinates.Times[0][i])
				i++
			}
		}
	}
}

// sample is one with everything in it.
func sample(at float64) types.Sample {
	hr, f := 150, func(v float64) *float64 { return &v }
	return types.Sample{
		StartTimeInSeconds: types.Timestamp(1767340800 + at),
		LatitudeInDegree:   f(47.07 + at/1e4), LongitudeInDegree: f(15.44), ElevationInMeters: f(353.5),
		AirTemperatureCelcius: f(21.25), HeartRate: &hr, SpeedMetersPerSecond: f(3.125), StepsPerMinute: f(172),
		TotalDistanceInMeters: f(11.125 * at), PowerInWatts: f(234), BikeCadenceInRPM: f(91),
		SwimCadenceInStrokesPerMinute: f(33), DirectWheelchairCadence: f(44),
	}
}

func trackOf(samples ...types.Sample) *export.Track {
	return export.FromDetails(&types.ActivityDetails{
		Summary: types.Activity{ActivityName: "Secret name", ActivityType: activitytype.Running, DeviceName: "Edge 777"},
		Samples: samples,
		Laps:    []types.Lap{{StartTimeInSeconds: 1767340800}, {StartTimeInSeconds: 1767340802}},
	})
}

func TestOmit(t *testing.T) {
	t.Parallel()
	track := trackOf(sample(1), sample(2), sample(3))
	track.Kilocalories = 8765
	track.Laps = nil
	for _, tt := range []struct {
		field export.Fields
		signs []string // of which none may be there
	}{
		{export.Fields{Name: true}, []string{"Secret"}},
		{export.Fields{Device: true}, []string{"777"}},
		{export.Fields{Position: true}, []string{"47.07", "15.44"}},
		{export.Fields{Elevation: true}, []string{"353.5"}},
		{export.Fields{Distance: true}, []string{"11.125", "22.25"}},
		{export.Fields{Speed: true}, []string{"3.125"}},
		{export.Fields{HeartRate: true}, []string{"150"}},
		{export.Fields{Cadence: true}, []string{"172", ">86<", "91", ",33,", ",44,"}},
		{export.Fields{Power: true}, []string{"234"}},
		{export.Fields{Temperature: true}, []string{"21.25"}},
		{export.Fields{Kilocalories: true}, []string{"8765"}},
	} {
		for _, f := range all() {
			var b bytes.Buffer
			require.NoError(t, f.write(&b, nil, track))
			whole := b.String()
			b.Reset()
			err := f.write(&b, &export.Options{Omit: tt.field}, track)
			if tt.field.Position && (f.name == "GPX" || f.name == "GeoJSON") {
				require.ErrorIs(t, err, export.ErrEmpty)
				continue
			}
			require.NoError(t, err)
			check(t, f, b.Bytes())
			for _, sign := range tt.signs {
				require.NotContains(t, b.String(), sign, "%s without %s", f.name, tt.signs)
			}
			if f.name == "CSV" && !tt.field.Name && !tt.field.Kilocalories {
				require.NotEqual(t, whole, b.String(), tt.signs)
			}
		}
	}
	// Laps.
	var b bytes.Buffer
	track = trackOf(sample(1), sample(2), sample(3))
	require.NoError(t, export.WriteTCX(&b, nil, track))
	require.Equal(t, 2, strings.Count(b.String(), "<Lap "))
	b.Reset()
	require.NoError(t, export.WriteTCX(&b, &export.Options{Omit: export.Fields{Laps: true}}, track))
	require.Equal(t, 1, strings.Count(b.String(), "<Lap "))
}

func TestErrors(t *testing.T) {
	t.Parallel()
	broken := errors.New("the file is cut short")
	failing := func(after int) *export.Track {
		return &export.Track{Samples: func(yield func(*types.Sample, error) bool) {
			for i := range after {
				s := sample(float64(i))
				if !yield(&s, nil) {
					return
				}
			}
			yield(nil, broken)
		}}
	}
	zone := []export.Zone{{LatitudeInDegree: 10, LongitudeInDegree: 10, RadiusInMeters: 100}}
	key := bytes.Repeat([]byte{1}, 16)
	for _, f := range all() {
		for _, after := range []int{0, 1, 5} {
			require.ErrorIs(t, f.write(io.Discard, nil, failing(after)), broken)
			require.ErrorIs(t, f.write(io.Discard, &export.Options{Zones: zone, Key: key}, failing(after)), broken)
		}
		require.ErrorIs(t, f.write(io.Discard, nil), export.ErrEmpty)
		require.ErrorIs(t, f.write(io.Discard, nil, trackOf()), export.ErrEmpty)
		require.ErrorIs(t, f.write(io.Discard, nil, trackOf(types.Sample{})), export.ErrEmpty)
		require.ErrorIs(t, f.write(full{}, nil, trackOf(sample(1))), errFull)
		for _, o := range []*export.Options{
			{Zones: zone}, {Zones: zone, Key: key[:15]},
			{Zones: []export.Zone{{}}, Key: key},
			{Zones: []export.Zone{{LatitudeInDegree: 91, RadiusInMeters: 1}}, Key: key},
			{Zones: []export.Zone{{LongitudeInDegree: math.NaN(), RadiusInMeters: 1}}, Key: key},
			{Zones: []export.Zone{{RadiusInMeters: math.Inf(1)}}, Key: key},
		} {
			require.ErrorContains(t, f.write(io.Discard, o, trackOf(sample(1))), "export: ")
		}
	}
	_, err := export.Polylines(nil, nil, failing(5))
	require.ErrorIs(t, err, broken)
	_, err = export.Polylines(nil, nil, trackOf())
	require.ErrorIs(t, err, export.ErrEmpty)
	for _, how := range []export.PolylineOptions{{Precision: 7}, {ToleranceInMeters: -1}, {ToleranceInMeters: math.NaN()}, {ToleranceInMeters: math.Inf(1)}} {
		_, err = export.Polylines(nil, &how, trackOf(sample(1)))
		require.Error(t, err)
	}
}

var errFull = errors.New("disk full")

type full struct{}

func (full) Write([]byte) (int, error) { return 0, errFull }

func TestFromJoined(t *testing.T) {
	t.Parallel()
	joiner := join.New(join.NewMemory(nil))
	for i, s := range []types.Summary{
		&types.Activity{SummaryID: "1", IsParent: true, ActivityType: "MULTI_SPORT", StartTimeInSeconds: 1767340800},
		&types.ActivityDetails{SummaryID: "1-detail", Samples: []types.Sample{sample(0)}},
		&types.ActivityDetails{SummaryID: "3-detail", Samples: []types.Sample{sample(9)}, Summary: types.Activity{StartTimeInSeconds: 1767340809, ActivityType: "CYCLING", ActivityName: "old"}},
		&types.ActivityDetails{SummaryID: "2-detail", Samples: []types.Sample{sample(5)}, Summary: types.Activity{StartTimeInSeconds: 1767340805, ActivityType: "SWIMMING"}},
		&types.Activity{SummaryID: "2", ParentSummaryID: "1", ActivityType: "SWIMMING", StartTimeInSeconds: 1767340805, DeviceName: "fenix 8"},
		&types.ManualActivity{SummaryID: "3", ParentSummaryID: "1", ActivityType: "ROAD_BIKING", StartTimeInSeconds: 1767340809, ActivityName: "new"},
	} {
		_, err := joiner.Add(t.Context(), join.Item{User: "u1", Order: uint64(i), Summary: s})
		require.NoError(t, err)
	}
	j, err := joiner.Get(t.Context(), join.Key{User: "u1", ID: "1"})
	require.NoError(t, err)
	tracks := export.FromJoined(j)
	require.Len(t, tracks, 2, "the legs, and not the parent")
	require.Equal(t, activitytype.Swimming, tracks[0].Type)
	require.Equal(t, "fenix 8", tracks[0].DeviceName)
	require.Equal(t, activitytype.RoadBiking, tracks[1].Type)
	require.Equal(t, "new", tracks[1].Name)
	for _, f := range all() {
		var b bytes.Buffer
		require.NoError(t, f.write(&b, nil, tracks...))
		check(t, f, b.Bytes())
	}
	j.Legs = nil
	require.Len(t, export.FromJoined(j), 1)
	j.Details = nil
	require.Empty(t, export.FromJoined(j))
}

// A sample may be used again, as a decoder would.
func TestSamplesAreUsedAgain(t *testing.T) {
	t.Parallel()
	var one types.Sample
	lat, lon, hr := 0.0, 0.0, 0
	track := &export.Track{Samples: func(yield func(*types.Sample, error) bool) {
		for i := range 4 {
			lat, lon, hr = 1+float64(i), 179.5, 100+i
			if i == 3 {
				lon = -179.5 // a line of one point, behind the date line
			}
			one = types.Sample{StartTimeInSeconds: types.Timestamp(1 + i), LatitudeInDegree: &lat, LongitudeInDegree: &lon, HeartRate: &hr}
			if !yield(&one, nil) {
				return
			}
		}
		lat, lon, hr = 99, 99, 99
	}}
	var b bytes.Buffer
	require.NoError(t, export.WriteGeoJSON(&b, nil, track))
	require.Contains(t, b.String(), "[[179.5,1],[179.5,2],[179.5,3]],\n[[-179.5,4],[-179.5,4]]")
	require.Contains(t, b.String(), `"heartRates":[[100,101,102],`+"\n[103,103]]")
}

// Whatever the samples hold, what is written is well formed.
func FuzzWrite(f *testing.F) {
	f.Add("Läufe <&> \x00 \"", "Edge \u202e", uint64(1), 47.0, 15.0, 1e300, -1)
	f.Add("", "", uint64(7), math.NaN(), math.Inf(1), math.Copysign(0, -1), 300)
	f.Add("]]>", "garmin", uint64(3), 90.0, 180.0, 5e-324, 0)
	f.Fuzz(func(t *testing.T, name, device string, seed uint64, lat, lon, value float64, heart int) {
		r := rand.New(rand.NewPCG(seed, 1))
		var samples []types.Sample
		for i := range 1 + r.IntN(6) {
			s := sample(float64(i))
			la, lo := lat, lon
			if r.IntN(2) == 0 {
				la, lo = lat+r.Float64()/1e3, lon-r.Float64()*1e3
			}
			s.LatitudeInDegree, s.LongitudeInDegree, s.HeartRate = &la, &lo, &heart
			for _, p := range []**float64{&s.ElevationInMeters, &s.SpeedMetersPerSecond, &s.StepsPerMinute, &s.TotalDistanceInMeters, &s.PowerInWatts, &s.AirTemperatureCelcius, &s.BikeCadenceInRPM} {
				switch r.IntN(3) {
				case 0:
					*p = nil
				case 1:
					*p = &value
				}
			}
			samples = append(samples, s)
		}
		track := trackOf(samples...)
		track.Name, track.DeviceName, track.Type = name, device, activitytype.Type(name)
		o := &export.Options{Key: bytes.Repeat([]byte{2}, 16), Omit: someFields(seed)}
		if r.IntN(2) == 0 {
			o.Zones = []export.Zone{{LatitudeInDegree: 47, LongitudeInDegree: 15, RadiusInMeters: 50}}
		}
		for _, format := range all() {
			var b bytes.Buffer
			err := format.write(&b, o, track)
			if errors.Is(err, export.ErrEmpty) {
				require.Zero(t, b.Len())
				continue
			}
			require.NoError(t, err)
			check(t, format, b.Bytes())
		}
	})
}

// Times that no watch has: what is no time is left out, and no lap lasts less than
// nothing.
func TestOddTimes(t *testing.T) {
	t.Parallel()
	for _, f := range all() {
		for name, tt := range map[string]struct {
			times []float64
			lines int
		}{
			"no number":      {[]float64{math.NaN(), 1}, 1},
			"infinite":       {[]float64{math.Inf(-1), 1, math.Inf(1)}, 2},
			"before year 1":  {[]float64{-1e300, 1}, 1},
			"now and then":   {[]float64{1, 1e13, 2, 1e13, 3, 1e13}, 6}, // milliseconds among seconds
			"not in order":   {[]float64{5, 1, 4, 2, 3}, 5},
			"all at a time":  {[]float64{7, 7, 7}, 3},
			"before the day": {[]float64{-86400, -1}, 2},
		} {
			var samples []types.Sample
			for _, at := range tt.times {
				s := sample(1)
				s.StartTimeInSeconds = types.Timestamp(at)
				samples = append(samples, s)
			}
			var b bytes.Buffer
			require.NoError(t, f.write(&b, nil, trackOf(samples...)), name)
			check(t, f, b.Bytes())
			text := b.String()
			require.NotContains(t, text, "2922770265", name)
			require.NotContains(t, text, "<TotalTimeSeconds>-", name)
			if f.name == "CSV" {
				require.Equal(t, tt.lines, strings.Count(text, "\n")-1, name)
			}
		}
	}
}

func TestValidatorCatches(t *testing.T) {
	t.Parallel()
	var b bytes.Buffer
	require.NoError(t, export.WriteTCX(&b, nil, trackOf(sample(1), sample(2))))
	good := b.String()
	b.Reset()
	require.NoError(t, export.WriteGPX(&b, nil, trackOf(sample(1), sample(2))))
	for _, tt := range []struct{ text, old, new string }{
		{good, "<Intensity>Active</Intensity>", ""},
		{good, "<Calories>0</Calories>", ""},
		{good, "Active", "Busy"},
		{good, "<Value>150", "<Value>0"},
		{good, "<ns3:Watts>234", "<ns3:Watts>1e3"},
		{good, "<Notes>", "<Note>"},
		{good, "</Name><UnitId>0</UnitId>", "</Name>"},
		{good, ` Sport="Running"`, ""},
		{b.String(), `lon="15.44"`, `lon="180"`},
		{b.String(), `lat="47.0702"`, `lat="NaN"`},
		{b.String(), "<ele>353.5</ele>", "x"},
		{b.String(), "</trkseg>", "</trkseg><type>run</type>"},
		{b.String(), "Z</time>", "</time>"},
	} {
		root := "gpx:gpx"
		if tt.text == good {
			root = "tcx:TrainingCenterDatabase"
		}
		require.NoError(t, trackschema.Validate(strings.NewReader(tt.text), root))
		bad := strings.Replace(tt.text, tt.old, tt.new, 1)
		require.NotEqual(t, tt.text, bad, tt.old)
		require.Error(t, trackschema.Validate(strings.NewReader(bad), root), "%s for %s", tt.new, tt.old)
	}
}

// someFields leaves out what the bits say.
func someFields(bits uint64) export.Fields {
	on := func(i int) bool { return bits>>i&1 != 0 }
	return export.Fields{
		Name: on(0), Device: on(1), Position: on(2), Elevation: on(3), Distance: on(4), Speed: on(5),
		HeartRate: on(6), Cadence: on(7), Power: on(8), Temperature: on(9), Laps: on(10), Kilocalories: on(11),
	}
}
