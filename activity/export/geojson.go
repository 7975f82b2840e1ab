package export

import (
	"encoding/json"
	"io"
)

// WriteGeoJSON writes tracks as a FeatureCollection of RFC 7946. Each track is
// a feature with a MultiLineString of longitude, latitude and elevation. The
// property coordinateProperties has the times and heart rates of the points,
// in lists of the same shape. A line ends where something was hidden, and at
// the 180th meridian.
func WriteGeoJSON(out io.Writer, o *Options, tracks ...*Track) error {
	all, err := passages(o, tracks, true)
	if err != nil {
		return err
	}
	w := newWriter(out)
	w.text(`{"type":"FeatureCollection","features":[`)
	for i, p := range all {
		if i > 0 {
			w.text(",")
		}
		if err := p.geoJSON(w); err != nil {
			return err
		}
	}
	w.text("]}\n")
	return w.flush()
}

func (p *passage) geoJSON(w *writer) error {
	w.text("\n" + `{"type":"Feature","properties":{`)
	if name := p.o.name(p.Track); name != "" {
		w.text(`"name":`)
		w.quoted(name)
		w.text(",")
	}
	if kind := p.kind(); kind != "" {
		w.text(`"type":`)
		w.quoted(kind)
		w.text(",")
	}
	w.text(`"source":`)
	w.quoted(p.o.attribution(p.Track))
	w.text(`,"coordinateProperties":{"times":[`)
	err := p.lines(w, func(pt *point) {
		w.text(`"`)
		w.time(pt.time)
		w.text(`"`)
	})
	if err != nil {
		return err
	}
	w.text("]")
	hearts, err := p.some(func(pt *point) bool { return pt.HeartRate != nil })
	if err != nil {
		return err
	}
	if hearts {
		w.text(`,"heartRates":[`)
		err := p.lines(w, func(pt *point) {
			if pt.HeartRate == nil {
				w.text("null")
				return
			}
			w.int(*pt.HeartRate)
		})
		if err != nil {
			return err
		}
		w.text("]")
	}
	w.text("}},\n" + `"geometry":{"type":"MultiLineString","coordinates":[`)
	err = p.lines(w, func(pt *point) {
		w.text("[")
		w.number(*pt.LongitudeInDegree)
		w.text(",")
		w.number(*pt.LatitudeInDegree)
		if pt.ElevationInMeters != nil {
			w.text(",")
			w.number(*pt.ElevationInMeters)
		}
		w.text("]")
	})
	w.text("]}}")
	return err
}

// lines writes a list of lists, one for each line. A line has two points or
// more; of a place alone the point is written twice.
func (p *passage) lines(w *writer, write func(*point)) error {
	points := 0
	var only point
	end := func() {
		if points == 1 {
			w.text(",")
			write(&only)
		}
		w.text("]")
	}
	for pt, err := range p.split() {
		switch {
		case err != nil:
			return err
		case points == 0:
			w.text("[")
		case pt.cut:
			end()
			w.text(",\n[")
			points = 0
		default:
			w.text(",")
		}
		if points++; points == 1 {
			only = pt.own()
		}
		write(pt)
	}
	end()
	return nil
}

// own returns a copy that stays good when the sample is used again.
func (p *point) own() point {
	c := *p
	for _, f := range [...]**float64{&c.LatitudeInDegree, &c.LongitudeInDegree, &c.ElevationInMeters} {
		if *f != nil {
			v := **f
			*f = &v
		}
	}
	if c.HeartRate != nil {
		v := *c.HeartRate
		c.HeartRate = &v
	}
	return c
}

func (p *passage) some(is func(*point) bool) (bool, error) {
	for pt, err := range p.points() {
		if err != nil {
			return false, err
		}
		if pt.placed() && is(pt) {
			return true, nil
		}
	}
	return false, nil
}

func (w *writer) quoted(s string) {
	b, err := json.Marshal(s)
	if err != nil {
		b = []byte(`""`)
	}
	_, _ = w.b.Write(b)
}
