package main

import (
	"errors"
	"fmt"
	"math"
	"strings"

	"github.com/garminkit/activityapi/activity/export"
)

// route is a way as a drawing, north at its top.
type route struct {
	Width, Height int
	Lines         []string // paths
	Start, End    dot
	// Bar is a line of some length, such as "1 km", at the lower left.
	Bar     int
	BarText string
}

type dot struct{ X, Y float64 }

// String is the dot as a path has it.
func (d dot) String() string { return fmt.Sprintf("%.1f %.1f", d.X, d.Y) }

const (
	routeWidth = 1000
	routeEdge  = 40
	barFrom    = 24 // where the bar begins
)

// box is what a way takes on the map. Longitudes count from the first, so that a
// way over the 180th meridian is one piece.
type box struct{ south, north, west, east, first float64 }

func boxOf(tracks []*export.Track) (b box, empty bool, err error) {
	b, empty = box{south: 90, north: -90, west: 360, east: -360}, true
	for _, t := range tracks {
		for s, err := range t.Samples {
			if err != nil {
				return b, empty, err
			}
			if s.LatitudeInDegree == nil || s.LongitudeInDegree == nil ||
				!(math.Abs(*s.LatitudeInDegree) <= 90 && math.Abs(*s.LongitudeInDegree) <= 180) { // NaN neither
				continue
			}
			if empty {
				b.first, empty = *s.LongitudeInDegree, false
			}
			long := b.from(*s.LongitudeInDegree)
			b.south, b.north = min(b.south, *s.LatitudeInDegree), max(b.north, *s.LatitudeInDegree)
			b.west, b.east = min(b.west, long), max(b.east, long)
		}
	}
	return b, empty, nil
}

// from is how far east of the first longitude another is.
func (b *box) from(long float64) float64 { return math.Remainder(long-b.first, 360) }

const metersPerDegree = 111_320

// newRoute draws the way of tracks, simplified so that nothing is off by more than
// half a unit of the drawing. It is nil if there are no positions.
func newRoute(tracks []*export.Track) (*route, error) {
	b, empty, err := boxOf(tracks)
	if err != nil || empty {
		return nil, err
	}
	narrow := max(math.Cos((b.south+b.north)/2*math.Pi/180), 0.01)
	width, height := (b.east-b.west)*narrow, b.north-b.south
	extent := max(width, height, 50.0/metersPerDegree)
	// A way that is much longer than wide is as high as the page is wide.
	scale := min((routeWidth-2*routeEdge)/max(width, extent/3), 620/max(height, extent/8))
	r := &route{Width: routeWidth, Height: int(math.Ceil(max(height*scale, 160))) + 2*routeEdge}
	left := (routeWidth - width*scale) / 2
	top := (float64(r.Height) - height*scale) / 2
	place := func(lat, long float64) dot {
		return dot{left + (b.from(long)-b.west)*narrow*scale, top + (b.north-lat)*scale}
	}
	lines, err := export.Polylines(nil, &export.PolylineOptions{Precision: 6, ToleranceInMeters: metersPerDegree / scale / 2}, tracks...)
	if errors.Is(err, export.ErrEmpty) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	for i, line := range lines {
		var path strings.Builder
		for j, at := range decodePolyline(line) {
			d := place(at[0], at[1])
			letter := byte('L')
			if j == 0 {
				letter = 'M'
			}
			fmt.Fprintf(&path, "%c%.1f %.1f", letter, d.X, d.Y)
			if i == 0 && j == 0 {
				r.Start = d
			}
			r.End = d
		}
		r.Lines = append(r.Lines, path.String())
	}
	r.bar(metersPerDegree / scale)
	return r, nil
}

// BarTop and BarLine are where the ends of the bar begin, and where it lies.
func (r *route) BarTop() int  { return r.Height - 32 }
func (r *route) BarLine() int { return r.Height - 22 }

// bar chooses the length of the bar: up to a quarter of the width.
func (r *route) bar(metersPerUnit float64) {
	length := step(routeWidth / 4 * metersPerUnit)
	r.Bar = barFrom + int(length/metersPerUnit)
	r.BarText = fmt.Sprintf("%.0f m", length)
	if length >= 1000 {
		r.BarText = fmt.Sprintf("%.0f km", length/1000)
	}
}

// step is the largest 1, 2 or 5 times a power of ten up to a value.
func step(most float64) float64 {
	power := math.Pow(10, math.Floor(math.Log10(most)))
	for _, n := range []float64{5, 2} {
		if n*power <= most {
			return n * power
		}
	}
	return power
}

// decodePolyline reads a line of [export.Polylines] with six decimals.
func decodePolyline(line string) (points [][2]float64) {
	var at [2]int
	for len(line) > 0 {
		for i := range at {
			var v, shift int
			for len(line) > 0 {
				c := int(line[0]) - 63
				line = line[1:]
				v |= c & 31 << shift
				shift += 5
				if c < 32 {
					break
				}
			}
			at[i] += v>>1 ^ -(v & 1)
		}
		points = append(points, [2]float64{float64(at[0]) / 1e6, float64(at[1]) / 1e6})
	}
	return points
}
