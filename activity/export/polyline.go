package export

import (
	"errors"
	"iter"
	"math"
)

// PolylineOptions says how to make a polyline. nil means defaults.
type PolylineOptions struct {
	// Precision is the number of decimals of a degree: 5 or 6. Five is a
	// precision of a meter, and what most maps read. 0 means 5.
	Precision int
	// ToleranceInMeters is how far an omitted point may be from the line. 0 omits
	// none.
	ToleranceInMeters float64
}

// Polylines returns tracks in Google's encoded polyline format. A line ends where
// something is hidden and at the 180th meridian, so that a track may give
// several. Each omitted point is no farther from the line than
// PolylineOptions.ToleranceInMeters and half a unit of the last decimal.
func Polylines(o *Options, how *PolylineOptions, tracks ...*Track) ([]string, error) {
	if how == nil {
		how = &PolylineOptions{}
	}
	scale := 1e5
	switch how.Precision {
	case 0, 5:
	case 6:
		scale = 1e6
	default:
		return nil, errors.New("export: Precision is neither 5 nor 6")
	}
	if !(how.ToleranceInMeters >= 0 && finite(how.ToleranceInMeters)) {
		return nil, errors.New("export: ToleranceInMeters is negative or not a number")
	}
	all, err := passages(o, tracks, true)
	if err != nil {
		return nil, err
	}
	var lines []string
	for _, p := range all {
		var line encoder
		for pt, err := range p.simplified(how.ToleranceInMeters) {
			if err != nil {
				return nil, err
			}
			if pt.cut && len(line.text) > 0 {
				lines = append(lines, string(line.text))
				line = encoder{}
			}
			line.add(pt.lat, pt.lon, scale)
		}
		lines = append(lines, string(line.text))
	}
	return lines, nil
}

// encoder makes one line.
type encoder struct {
	text     []byte
	lat, lon int64
}

func (e *encoder) add(lat, lon, scale float64) {
	y, x := int64(math.Round(lat*scale)), int64(math.Round(lon*scale))
	e.number(y - e.lat)
	e.number(x - e.lon)
	e.lat, e.lon = y, x
}

func (e *encoder) number(n int64) {
	u := uint64(n) << 1
	if n < 0 {
		u = ^u
	}
	for ; u >= 0x20; u >>= 5 {
		e.text = append(e.text, byte(u&0x1f|0x20)+63)
	}
	e.text = append(e.text, byte(u)+63)
}

// split yields the points that have a position, with a cut at the 180th meridian.
func (p *passage) split() iter.Seq2[*point, error] {
	return func(yield func(*point, error) bool) {
		last, begun, cut := 0.0, false, false
		for pt, err := range p.points() {
			if err != nil {
				yield(nil, err)
				return
			}
			cut = cut || pt.cut
			if !pt.placed() {
				continue
			}
			lon := *pt.LongitudeInDegree
			pt.cut = cut || begun && math.Abs(lon-last) > 180
			last, begun, cut = lon, true, false
			if !yield(pt, nil) {
				return
			}
		}
	}
}
