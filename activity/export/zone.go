package export

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"math"
)

// Zone is a circle to hide, such as half a mile around a user's home.
//
// What is left out is a larger circle, of twice the radius around another point.
// Options.Key chooses that point, which is the same in every track. The reason:
// tracks end on the edge of the circle that is left out, so a few of them reveal
// this circle and its center. The center of the zone is somewhere within one
// radius of that center. In a track with positions, samples without a position
// are left out too. Distances start at the first remaining sample and do not grow
// over hidden parts; laps start with a remaining sample.
//
// A zone cannot hide what is shown elsewhere. Do not show a summary's starting
// point, total distance or duration beside a cut track: they reveal the length of
// the hidden part. Do not move a zone or change the key: each circle that people
// have seen narrows down the place. Times are not changed: they show how long
// somebody was inside the circle.
type Zone struct {
	LatitudeInDegree  float64
	LongitudeInDegree float64
	RadiusInMeters    float64
}

const (
	earth     = 6371008.8 // mean radius in meters
	maxRadius = 100_000
)

// region is what is left out for a zone.
type region struct {
	middle vector
	chord  float64 // of its radius
}

// region returns a circle that holds the whole zone.
func (z *Zone) region(key []byte) region {
	h := hmac.New(sha256.New, key)
	var b [16]byte
	binary.BigEndian.PutUint64(b[:], math.Float64bits(z.LatitudeInDegree))
	binary.BigEndian.PutUint64(b[8:], math.Float64bits(z.LongitudeInDegree))
	h.Write(b[:])
	sum := h.Sum(nil)
	unit := func(b []byte) float64 { return float64(binary.BigEndian.Uint64(b)>>11) / (1 << 53) }
	// A point that is drawn evenly from the zone, so that no place within one
	// radius of the new middle is likelier than another.
	bearing, away := 2*math.Pi*unit(sum), z.RadiusInMeters*math.Sqrt(unit(sum[8:]))/earth
	lat, lon := z.LatitudeInDegree*math.Pi/180, z.LongitudeInDegree*math.Pi/180
	sin := math.Sin(lat)*math.Cos(away) + math.Cos(lat)*math.Sin(away)*math.Cos(bearing)
	to := math.Asin(min(max(sin, -1), 1))
	lon += math.Atan2(math.Sin(bearing)*math.Sin(away)*math.Cos(lat), math.Cos(away)-math.Sin(lat)*sin)
	const margin = 1.000001 // for rounding
	return region{
		middle: vectorOf(to, lon),
		chord:  2 * math.Sin(min(2*z.RadiusInMeters*margin/earth, math.Pi)/2),
	}
}

func (r *region) has(v vector) bool { return v.sub(r.middle).length() <= r.chord }

// between reports whether the straight way from a to b, both of which are
// outside, goes through the region.
func (r *region) between(a, b vector) bool {
	n := a.cross(b)
	length := n.length()
	if length < 1e-12 {
		return false // one place, or opposite ones
	}
	n = n.scale(1 / length)
	// The nearest point of the great circle, which must lie between a and b.
	near := r.middle.sub(n.scale(n.dot(r.middle)))
	if l := near.length(); l > 0 {
		near = near.scale(1 / l)
	}
	return r.has(near) && a.cross(near).dot(n) > 0 && near.cross(b).dot(n) > 0
}

// vector is a point on a sphere of radius 1. Poles and the date line are places
// like any other.
type vector struct{ x, y, z float64 }

func vectorOf(lat, lon float64) vector { // in radians
	return vector{math.Cos(lat) * math.Cos(lon), math.Cos(lat) * math.Sin(lon), math.Sin(lat)}
}

func vectorOfDegrees(lat, lon float64) vector {
	return vectorOf(lat*math.Pi/180, lon*math.Pi/180)
}

func (v vector) sub(w vector) vector    { return vector{v.x - w.x, v.y - w.y, v.z - w.z} }
func (v vector) scale(f float64) vector { return vector{v.x * f, v.y * f, v.z * f} }
func (v vector) dot(w vector) float64   { return v.x*w.x + v.y*w.y + v.z*w.z }
func (v vector) length() float64        { return math.Sqrt(v.dot(v)) }
func (v vector) cross(w vector) vector {
	return vector{v.y*w.z - v.z*w.y, v.z*w.x - v.x*w.z, v.x*w.y - v.y*w.x}
}

func valid(lat, lon float64) bool {
	return lat >= -90 && lat <= 90 && lon >= -180 && lon <= 180 // false for NaN
}

// finite reports whether f can be the value of anything: no sum of such values
// overflows, and none has hundreds of digits.
func finite(f float64) bool { return math.Abs(f) <= 1e15 } // false for NaN
