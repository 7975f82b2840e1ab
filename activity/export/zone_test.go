package export_test

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"math"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/garminkit/activityapi/activity/export"
	"github.com/garminkit/activityapi/types"
)

const earth = 6371008.8

// meters between two places, by haversine: not the way the package measures.
func meters(lat1, lon1, lat2, lon2 float64) float64 {
	const rad = math.Pi / 180
	a := math.Pow(math.Sin((lat2-lat1)*rad/2), 2) + math.Cos(lat1*rad)*math.Cos(lat2*rad)*math.Pow(math.Sin((lon2-lon1)*rad/2), 2)
	return 2 * earth * math.Asin(math.Sqrt(min(a, 1)))
}

// walk is where one gets to from a place.
func walk(lat, lon, bearing, away float64) (float64, float64) {
	const rad = math.Pi / 180
	d := away / earth
	lat2 := math.Asin(math.Sin(lat*rad)*math.Cos(d) + math.Cos(lat*rad)*math.Sin(d)*math.Cos(bearing))
	lon2 := lon*rad + math.Atan2(math.Sin(bearing)*math.Sin(d)*math.Cos(lat*rad), math.Cos(d)-math.Sin(lat*rad)*math.Sin(lat2))
	return lat2 / rad, math.Mod(lon2/rad+540, 360) - 180
}

// shown is a place that an export gives away, and the line it is in.
type shown struct {
	lat, lon float64
	line     string
}

// everything returns all places of all formats.
func everything(t *testing.T, o *export.Options, track *export.Track) []shown {
	t.Helper()
	var places []shown
	for _, f := range all() {
		var b bytes.Buffer
		if err := f.write(&b, o, track); err != nil {
			require.ErrorIs(t, err, export.ErrEmpty)
			continue
		}
		check(t, f, b.Bytes())
		switch f.name {
		case "GPX":
			var g gpx
			require.NoError(t, xml.Unmarshal(b.Bytes(), &g))
			for i, seg := range g.Tracks[0].Segments {
				for _, p := range seg.Points {
					places = append(places, shown{p.Lat, p.Lon, fmt.Sprint("gpx", i)})
				}
			}
		case "TCX":
			var x tcx
			require.NoError(t, xml.Unmarshal(b.Bytes(), &x))
			for i, lap := range x.Activities[0].Laps {
				for j, track := range lap.Tracks {
					for _, p := range track.Points {
						if p.Lat != nil {
							places = append(places, shown{*p.Lat, *p.Lon, fmt.Sprint("tcx", i, j)})
						}
					}
				}
			}
		case "GeoJSON":
			var g geoJSON
			require.NoError(t, json.Unmarshal(b.Bytes(), &g))
			for i, line := range g.Features[0].Geometry.Coordinates {
				for _, c := range line {
					places = append(places, shown{c[1], c[0], fmt.Sprint("geojson", i)})
				}
			}
		case "CSV":
			rows, err := csv.NewReader(&b).ReadAll()
			require.NoError(t, err)
			for _, row := range rows[1:] {
				if row[4] != "" {
					lat, _ := strconv.ParseFloat(row[4], 64)
					lon, _ := strconv.ParseFloat(row[5], 64)
					places = append(places, shown{lat, lon, "csv" + row[1]})
				}
			}
		}
	}
	for _, how := range []*export.PolylineOptions{{Precision: 6}, {Precision: 6, ToleranceInMeters: 10}} {
		lines, err := export.Polylines(o, how, track)
		if err != nil {
			require.ErrorIs(t, err, export.ErrEmpty)
			continue
		}
		for i, line := range lines {
			for _, p := range decode(line, 1e6) {
				places = append(places, shown{p[0], p[1], fmt.Sprint("polyline", how.ToleranceInMeters, i)})
			}
		}
	}
	return places
}

func keyOf(r *rand.Rand) []byte {
	key := make([]byte, 32)
	for i := range key {
		key[i] = byte(r.Uint32())
	}
	return key
}

// stroll is a random track about a place, with gaps, jumps and samples without a
// position.
func stroll(r *rand.Rand, lat, lon, radius float64) *export.Track {
	var samples []types.Sample
	bearing := r.Float64() * 2 * math.Pi
	la, lo := walk(lat, lon, r.Float64()*2*math.Pi, radius*4*r.Float64())
	distance := 0.0
	for i := range 50 + r.IntN(400) {
		step := radius * 0.05
		if r.IntN(40) == 0 {
			step = radius * 5 * r.Float64() // nothing was recorded for a while
		}
		bearing += r.NormFloat64() * 0.3
		if meters(la, lo, lat, lon) > 6*radius {
			bearing = math.Atan2((lon-lo)*math.Cos(lat*math.Pi/180), lat-la) + r.NormFloat64()
		}
		la, lo = walk(la, lo, bearing, step)
		distance += step
		s := types.Sample{StartTimeInSeconds: types.Timestamp(1767340800 + i)}
		s.TotalDistanceInMeters = new(distance)
		if r.IntN(20) > 0 {
			s.LatitudeInDegree, s.LongitudeInDegree = new(la), new(lo)
		}
		samples = append(samples, s)
	}
	return trackOf(samples...)
}

// No format shows a place inside a zone, nor a line through one, anywhere on
// Earth.
func TestNothingInsideAZone(t *testing.T) {
	t.Parallel()
	rounds := 32
	if testing.Short() {
		rounds = 16
	}
	r := rand.New(rand.NewPCG(3, 3))
	hidden := 0
	for round := range rounds {
		lat, lon := r.Float64()*180-90, r.Float64()*360-180
		switch round % 8 {
		case 0:
			lon = 179.9999 // the date line
		case 1:
			lat = 89.9995 // the pole
		case 2:
			lat, lon = 0, 0
		}
		radius := 50 + r.Float64()*1000
		o := &export.Options{Key: keyOf(r)}
		o.Zones = []export.Zone{{LatitudeInDegree: lat, LongitudeInDegree: lon, RadiusInMeters: radius}}
		if r.IntN(2) == 0 { // a second, which may touch the first
			la, lo := walk(lat, lon, r.Float64()*7, radius*3*r.Float64())
			o.Zones = append(o.Zones, export.Zone{LatitudeInDegree: la, LongitudeInDegree: lo, RadiusInMeters: radius / 2})
		}
		track := stroll(r, lat, lon, radius)
		total := len(everything(t, nil, track))
		places := everything(t, o, track)
		hidden += total - len(places)
		for i, p := range places {
			for _, z := range o.Zones {
				// Polylines round by up to a tenth of a meter, and simplified lines pass
				// within their tolerance.
				least := z.RadiusInMeters - 0.2
				require.Greater(t, meters(p.lat, p.lon, z.LatitudeInDegree, z.LongitudeInDegree), least, "round %d, %s", round, p.line)
				if i == 0 || places[i-1].line != p.line || p.line[:3] == "csv" {
					continue
				}
				for f := range 33 { // places on the way from the point before
					la, lo := between(places[i-1], p, float64(f)/32)
					require.Greater(t, meters(la, lo, z.LatitudeInDegree, z.LongitudeInDegree), least-11, "round %d, way in %s", round, p.line)
				}
			}
		}
	}
	require.Positive(t, hidden)
}

// between is a place on the great circle from a to b.
func between(a, b shown, f float64) (lat, lon float64) {
	const rad = math.Pi / 180
	vec := func(lat, lon float64) [3]float64 {
		return [3]float64{math.Cos(lat*rad) * math.Cos(lon*rad), math.Cos(lat*rad) * math.Sin(lon*rad), math.Sin(lat * rad)}
	}
	v, w := vec(a.lat, a.lon), vec(b.lat, b.lon)
	var m [3]float64
	for i := range m {
		m[i] = v[i]*(1-f) + w[i]*f
	}
	return math.Atan2(m[2], math.Hypot(m[0], m[1])) / rad, math.Atan2(m[1], m[0]) / rad
}

// fitCircle is what somebody does who wants to know where the cut ends are from:
// the circle through them, by least squares, in meters about a place nearby.
func fitCircle(points [][2]float64) (x, y, radius float64) {
	var sx, sy, sxx, syy, sxy, sxz, syz, sz float64
	n := float64(len(points))
	for _, p := range points {
		z := p[0]*p[0] + p[1]*p[1]
		sx, sy, sz = sx+p[0], sy+p[1], sz+z
		sxx, syy, sxy = sxx+p[0]*p[0], syy+p[1]*p[1], sxy+p[0]*p[1]
		sxz, syz = sxz+p[0]*z, syz+p[1]*z
	}
	a, b, c := sxx-sx*sx/n, sxy-sx*sy/n, syy-sy*sy/n
	d, e := (sxz-sx*sz/n)/2, (syz-sy*sz/n)/2
	det := a*c - b*b
	x, y = (d*c-e*b)/det, (a*e-b*d)/det
	for _, p := range points {
		radius += math.Hypot(p[0]-x, p[1]-y) / n
	}
	return x, y, radius
}

// The ends of many tracks from one home give a circle away, and its middle is
// anywhere within a radius of the home: with another key elsewhere, with the same
// key always at the same place, so that more tracks tell no more.
func TestCutEndsDoNotGiveTheZoneAway(t *testing.T) {
	t.Parallel()
	const lat, lon, radius = 47.07, 15.44, 400.0
	toMeters := func(la, lo float64) [2]float64 {
		return [2]float64{(lo - lon) * math.Pi / 180 * earth * math.Cos(lat*math.Pi/180), (la - lat) * math.Pi / 180 * earth}
	}
	r := rand.New(rand.NewPCG(5, 5))
	guess := func(o *export.Options, tracks int) [2]float64 {
		var ends [][2]float64
		for range tracks {
			bearing := r.Float64() * 2 * math.Pi
			var samples []types.Sample
			for i := range 260 {
				la, lo := walk(lat, lon, bearing, 5*float64(i))
				samples = append(samples, types.Sample{StartTimeInSeconds: types.Timestamp(1 + i), LatitudeInDegree: &la, LongitudeInDegree: &lo})
			}
			var b bytes.Buffer
			require.NoError(t, export.WriteCSV(&b, o, trackOf(samples...)))
			row := strings.Split(strings.Split(b.String(), "\n")[1], ",")
			la, err := strconv.ParseFloat(row[4], 64)
			require.NoError(t, err)
			lo, err := strconv.ParseFloat(row[5], 64)
			require.NoError(t, err)
			ends = append(ends, toMeters(la, lo))
		}
		x, y, _ := fitCircle(ends)
		return [2]float64{x, y}
	}
	keys := 120
	if testing.Short() {
		keys = 80
	}
	mean, near, ring := 0.0, 0, [4]int{}
	var o *export.Options
	for range keys {
		o = &export.Options{Key: keyOf(r), Zones: []export.Zone{{LatitudeInDegree: lat, LongitudeInDegree: lon, RadiusInMeters: radius}}}
		g := guess(o, 12)
		away := math.Hypot(g[0], g[1])
		mean += away / float64(keys)
		if away < radius/10 {
			near++
		}
		ring[min(int(away*away/(radius*radius)*4), 3)]++ // rings of equal area
		require.Less(t, away, radius*1.05)
	}
	require.InDelta(t, 2.0/3*radius, mean, radius*0.12) // as of a place drawn evenly from the circle
	require.LessOrEqual(t, near, keys/20)
	for _, n := range ring {
		require.Greater(t, n, keys/12, ring)
	}
	a, b := guess(o, 40), guess(o, 40)
	require.Less(t, math.Hypot(a[0]-b[0], a[1]-b[1]), radius/20, "the circle moved")
}

// Nothing beside the places tells how long the hidden way was.
func TestHiddenWayIsNotCounted(t *testing.T) {
	t.Parallel()
	const lat, lon, radius = 47.07, 15.44, 200.0
	r := rand.New(rand.NewPCG(9, 9))
	for range 20 {
		o := &export.Options{Key: keyOf(r), Zones: []export.Zone{{LatitudeInDegree: lat, LongitudeInDegree: lon, RadiusInMeters: radius}}}
		// From home, out, home again for a while, and out: 10 m a sample.
		var samples []types.Sample
		for i := range 400 {
			away := float64(i) * 10
			switch {
			case i >= 300:
				away = float64(i-300) * 10
			case i >= 200:
				away = 0
			case i >= 100:
				away = float64(200-i) * 10
			}
			la, lo := walk(lat, lon, 1, away)
			s := types.Sample{StartTimeInSeconds: types.Timestamp(1767340800 + i), LatitudeInDegree: &la, LongitudeInDegree: &lo}
			s.TotalDistanceInMeters = new(10 * float64(i))
			s.TimerDurationInSeconds, s.ClockDurationInSeconds, s.MovingDurationInSeconds = new(i), new(i), new(i)
			if i == 0 || i == 90 || i == 250 {
				s.LatitudeInDegree, s.LongitudeInDegree = nil, nil // no position, and so not shown
			}
			samples = append(samples, s)
		}
		track := trackOf(samples...)
		track.Laps = track.Laps[:0]
		for _, at := range []int{0, 3, 95, 250, 350} {
			track.Laps = append(track.Laps, samples[at].StartTimeInSeconds.Time())
		}
		var b bytes.Buffer
		require.NoError(t, export.WriteCSV(&b, o, track))
		rows, err := csv.NewReader(&b).ReadAll()
		require.NoError(t, err)
		last, before := 0.0, ""
		for i, row := range rows[1:] {
			d, err := strconv.ParseFloat(row[7], 64)
			require.NoError(t, err)
			require.NotEmpty(t, row[4])
			switch {
			case i == 0:
				require.Zero(t, d)
			case row[1] != before:
				require.Equal(t, last, d, "the way through the zone was counted")
			default:
				require.LessOrEqual(t, d-last, 20.0)
			}
			last, before = d, row[1]
		}
		require.Equal(t, "2", before, "segments")
		require.Less(t, last, 10*float64(len(rows)+2))

		b.Reset()
		require.NoError(t, export.WriteTCX(&b, o, track))
		var x tcx
		require.NoError(t, xml.Unmarshal(b.Bytes(), &x))
		first := x.Activities[0].Laps[0].Tracks[0].Points[0].Time
		require.Equal(t, first, x.Activities[0].ID)
		seconds := 0.0
		for _, lap := range x.Activities[0].Laps {
			require.Equal(t, lap.Tracks[0].Points[0].Time, lap.Start, "a lap began where nothing is shown")
			seconds += lap.Seconds
		}
		require.Less(t, seconds, float64(len(rows)+5))

		b.Reset()
		track.Laps, track.Kilocalories = nil, 4321
		require.NoError(t, export.WriteTCX(&b, o, track))
		require.NotContains(t, b.String(), "4321")
	}
}

// Who goes around a zone is not drawn through it, however coarse the line.
func TestSimplifiedKeepsOutOfAZone(t *testing.T) {
	t.Parallel()
	const lat, lon, radius = 47.07, 15.44, 200.0
	var points [][2]float64
	for i := range 100 {
		la, lo := walk(lat, lon, float64(i)/99*math.Pi, 800)
		points = append(points, [2]float64{la, lo})
	}
	r := rand.New(rand.NewPCG(6, 6))
	o := &export.Options{Key: keyOf(r), Zones: []export.Zone{{LatitudeInDegree: lat, LongitudeInDegree: lon, RadiusInMeters: radius}}}
	lines, err := export.Polylines(o, &export.PolylineOptions{ToleranceInMeters: 5000}, places(points...))
	require.NoError(t, err)
	for _, line := range lines {
		all := decode(line, 1e5)
		for i := range all[1:] {
			require.Greater(t, fromLine([2]float64{lat, lon}, all[i], all[i+1]), radius-1)
		}
	}
}

func TestAllHidden(t *testing.T) {
	t.Parallel()
	o := &export.Options{Key: make([]byte, 16), Zones: []export.Zone{{LatitudeInDegree: 47.07, LongitudeInDegree: 15.44, RadiusInMeters: 5000}}}
	require.Empty(t, everything(t, o, trackOf(sample(1), sample(2), sample(3))))
	// A track without any position is not cut: it has no place.
	indoor := sample(1)
	indoor.LatitudeInDegree = nil
	var b bytes.Buffer
	require.NoError(t, export.WriteTCX(&b, o, trackOf(indoor)))
	// Nor is a zone elsewhere of any effect.
	o.Zones[0].LatitudeInDegree = -47
	b.Reset()
	require.NoError(t, export.WriteGPX(&b, o, trackOf(sample(1), sample(2))))
	require.Contains(t, b.String(), "47.0702")
}
