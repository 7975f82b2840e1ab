package export

import (
	"iter"
	"math"
)

// place is a point of a line, of which nothing but the position is of interest.
type place struct {
	lat, lon float64
	cut      bool
}

const (
	// maxWindow is how many points may be left out in a row. It bounds memory, and
	// the work for a point.
	maxWindow = 128
	// maxLine is how long in meters a line may be that points are left out for. So
	// far the Earth is flat enough for the distance of a point from a line.
	maxLine = 20_000
)

// simplified yields the points of the lines without those that lie within the
// tolerance of the line without them. The first and the last of a line stay.
func (p *passage) simplified(tolerance float64) iter.Seq2[place, error] {
	return func(yield func(place, error) bool) {
		var (
			from   place   // the last that was kept
			window []place // those after it
		)
		keepLast := func() bool {
			if len(window) == 0 {
				return true
			}
			from = window[len(window)-1]
			window = window[:0]
			return yield(from, nil)
		}
		begun := false
		for pt, err := range p.split() {
			if err != nil {
				yield(place{}, err)
				return
			}
			here := place{*pt.LatitudeInDegree, *pt.LongitudeInDegree, pt.cut}
			if !begun || here.cut {
				if !keepLast() || !yield(here, nil) {
					return
				}
				from, begun = here, true
				continue
			}
			if len(window) >= maxWindow || !p.straight(from, here, window, tolerance) {
				if !keepLast() {
					return
				}
			}
			window = append(window, here)
		}
		keepLast()
	}
}

// straight reports whether a line may be drawn between two places in place of what
// is between them: all of that is near the line, and the line goes through no
// zone, around which people may have gone.
func (p *passage) straight(from, to place, window []place, tolerance float64) bool {
	return straight(from, to, window, tolerance) &&
		!(len(window) > 0 && p.crosses(vectorOfDegrees(from.lat, from.lon), vectorOfDegrees(to.lat, to.lon)))
}

// straight reports whether all of window are near the line between two places.
func straight(from, to place, window []place, tolerance float64) bool {
	if len(window) == 0 {
		return true
	}
	if tolerance == 0 {
		return false
	}
	// Meters on a flat map around the line.
	const degree = earth * math.Pi / 180
	shrink := math.Cos((from.lat + to.lat) / 2 * math.Pi / 180)
	flat := func(p place) (x, y float64) {
		return (p.lon - from.lon) * degree * shrink, (p.lat - from.lat) * degree
	}
	bx, by := flat(to)
	length := bx*bx + by*by
	if length > maxLine*maxLine {
		return false
	}
	for _, w := range window {
		x, y := flat(w)
		along := 0.0
		if length > 0 {
			along = min(max((x*bx+y*by)/length, 0), 1)
		}
		if math.Hypot(x-along*bx, y-along*by) > tolerance {
			return false
		}
	}
	return true
}
