package export_test

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/garminkit/activityapi/activity/export"
	"github.com/garminkit/activityapi/types"
)

// decode reads an encoded polyline.
func decode(s string, scale float64) [][2]float64 {
	var points [][2]float64
	var sum [2]int64
	for i := 0; i < len(s); {
		for c := range sum {
			var u uint64
			for shift := 0; ; shift += 5 {
				b := s[i] - 63
				i++
				u |= uint64(b&0x1f) << shift
				if b < 0x20 {
					break
				}
			}
			n := int64(u >> 1)
			if u&1 != 0 {
				n = ^n
			}
			sum[c] += n
		}
		points = append(points, [2]float64{float64(sum[0]) / scale, float64(sum[1]) / scale})
	}
	return points
}

func places(points ...[2]float64) *export.Track {
	var samples []types.Sample
	for i, p := range points {
		samples = append(samples, types.Sample{StartTimeInSeconds: types.Timestamp(1 + i), LatitudeInDegree: new(p[0]), LongitudeInDegree: new(p[1])})
	}
	return trackOf(samples...)
}

// The vectors of Google's description of the format, and of the libraries of
// Mapbox.
func TestPolylineVectors(t *testing.T) {
	t.Parallel()
	google := [][2]float64{{38.5, -120.2}, {40.7, -120.95}, {43.252, -126.453}}
	for _, tt := range []struct {
		precision int
		points    [][2]float64
		want      string
	}{
		{0, google, "_p~iF~ps|U_ulLnnqC_mqNvxq`@"},
		{5, google, "_p~iF~ps|U_ulLnnqC_mqNvxq`@"},
		{6, google, "_izlhA~rlgdF_{geC~ywl@_kwzCn`{nI"},
		{5, [][2]float64{{0, -179.9832104}}, "?`~oia@"},
		{5, [][2]float64{{0, 0}}, "??"},
	} {
		lines, err := export.Polylines(nil, &export.PolylineOptions{Precision: tt.precision}, places(tt.points...))
		require.NoError(t, err)
		require.Equal(t, []string{tt.want}, lines)
	}
}

func TestPolylineRoundTrip(t *testing.T) {
	t.Parallel()
	for _, d := range fake(t) {
		if placed(d) == 0 {
			continue
		}
		for precision, scale := range map[int]float64{5: 1e5, 6: 1e6} {
			lines, err := export.Polylines(nil, &export.PolylineOptions{Precision: precision}, export.FromDetails(d))
			require.NoError(t, err)
			require.Len(t, lines, 1)
			points := decode(lines[0], scale)
			require.Len(t, points, placed(d))
			i := 0
			for _, s := range d.Samples {
				if s.LatitudeInDegree != nil {
					require.InDelta(t, *s.LatitudeInDegree, points[i][0], 0.50001/scale)
					require.InDelta(t, *s.LongitudeInDegree, points[i][1], 0.50001/scale)
					i++
				}
			}
		}
	}
}

// Each point that is left out is within the tolerance of the simplified line.
func TestSimplifiedWithinItsBound(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(4, 4))
	for round := range 100 {
		lat, lon := r.Float64()*160-80, r.Float64()*300-150
		var points [][2]float64
		la, lo, bearing := lat, lon, 0.0
		turn := r.Float64()
		for range 2 + r.IntN(400) {
			points = append(points, [2]float64{la, lo})
			bearing += r.NormFloat64() * turn
			la, lo = walk(la, lo, bearing, r.ExpFloat64()*math.Pow(10, r.Float64()*3))
		}
		tolerance := math.Pow(10, r.Float64()*3-1)
		lines, err := export.Polylines(nil, &export.PolylineOptions{Precision: 6, ToleranceInMeters: tolerance}, places(points...))
		require.NoError(t, err)
		require.Len(t, lines, 1)
		line := decode(lines[0], 1e6)
		require.LessOrEqual(t, len(line), len(points))
		near := func(a, b [2]float64) bool { return math.Abs(a[0]-b[0]) < 1e-6 && math.Abs(a[1]-b[1]) < 1e-6 }
		require.True(t, near(points[0], line[0]) && near(points[len(points)-1], line[len(line)-1]), "an end was left out")
		at := 0 // the points are near the line in its order
		for _, p := range points {
			for ; at < len(line) && fromLine(p, line[max(at-1, 0)], line[at]) > tolerance*1.01+0.16; at++ {
			}
			require.Less(t, at, len(line), "round %d: a point is further from the line", round)
		}
	}
}

// fromLine is how far p is from the line between two places, in meters.
func fromLine(p, a, b [2]float64) float64 {
	best := math.Inf(1)
	from, to := 0.0, 1.0
	at := func(f float64) float64 {
		return meters(p[0], p[1], a[0]+(b[0]-a[0])*f, a[1]+(b[1]-a[1])*f)
	}
	for range 60 { // the distance has one minimum
		l, r := from+(to-from)/3, to-(to-from)/3
		if at(l) < at(r) {
			to = r
		} else {
			from = l
		}
	}
	best = min(best, at(from), at(0), at(1))
	return best
}

func TestSimplifiedIsSmall(t *testing.T) {
	t.Parallel()
	var points [][2]float64
	for i := range 20_000 { // a straight road, and a circle
		points = append(points, [2]float64{47, 15 + float64(i)*1e-5})
	}
	for i := range 20_000 {
		a := float64(i) / 20_000 * 2 * math.Pi
		points = append(points, [2]float64{48 + 0.01*math.Sin(a), 16 + 0.01*math.Cos(a)})
	}
	lines, err := export.Polylines(nil, &export.PolylineOptions{ToleranceInMeters: 5}, places(points...))
	require.NoError(t, err)
	require.Less(t, len(decode(lines[0], 1e5)), 450)
}

func TestPolylineEndsAtTheDateLine(t *testing.T) {
	t.Parallel()
	lines, err := export.Polylines(nil, nil, places([2]float64{0, 179.9}, [2]float64{0, 179.99}, [2]float64{0, -179.99}, [2]float64{0, -179.9}))
	require.NoError(t, err)
	require.Len(t, lines, 2)
	require.Len(t, decode(lines[1], 1e5), 2)
}
