package export

import (
	"fmt"
	"iter"
	"time"

	"github.com/garminkit/activityapi/types"
)

// point is a sample that may be written.
type point struct {
	types.Sample
	time time.Time
	cut  bool // no line leads here from the point before
	lap  int
}

func (p *point) placed() bool { return p.LatitudeInDegree != nil }

// passage is one track under the options: what all formats are written from.
type passage struct {
	*Track
	o       *Options
	regions []region
	placed  bool // some sample has a position
	left    bool // some point is left
	shown   bool // some point with a position is left
}

// passages looks through tracks and drops those that nothing is left of.
// Without a position is nothing left of those that need one.
func passages(o *Options, tracks []*Track, needPosition bool) ([]*passage, error) {
	if o == nil {
		o = &Options{}
	}
	if err := o.check(); err != nil {
		return nil, err
	}
	var all []*passage
	for _, t := range tracks {
		p := &passage{Track: t, o: o}
		for i := range o.Zones {
			p.regions = append(p.regions, o.Zones[i].region(o.Key))
		}
		if len(p.regions) > 0 {
			for s, err := range t.Samples {
				if err != nil {
					return nil, fmt.Errorf("export: %w", err)
				}
				if s.LatitudeInDegree != nil && s.LongitudeInDegree != nil && valid(*s.LatitudeInDegree, *s.LongitudeInDegree) {
					p.placed = true
					break
				}
			}
		}
		for pt, err := range p.points() {
			if err != nil {
				return nil, err
			}
			p.left = true
			if pt.placed() {
				p.shown = true
				break
			}
		}
		if p.shown || p.left && !needPosition {
			all = append(all, p)
		}
	}
	if len(all) == 0 {
		return nil, ErrEmpty
	}
	return all, nil
}

// points yields what may be written. A point is good until the next.
func (p *passage) points() iter.Seq2[*point, error] {
	return func(yield func(*point, error) bool) {
		var (
			pt     point
			last   vector // of the last place that was shown
			seen   bool   // there is a last place
			hidden = true // the last place was hidden, or there was none
			far    distances
			laps   = lapsOf(p)
		)
		for s, err := range p.Samples {
			if err != nil {
				yield(nil, fmt.Errorf("export: %w", err))
				return
			}
			at := s.StartTimeInSeconds.Time()
			if at.IsZero() {
				continue
			}
			// Where it was, also if that is not to be written.
			here := s.LatitudeInDegree != nil && s.LongitudeInDegree != nil && valid(*s.LatitudeInDegree, *s.LongitudeInDegree)
			pt = point{Sample: p.o.mask(s), time: at}
			if p.zoned() {
				if !here {
					continue
				}
				v := vectorOfDegrees(*s.LatitudeInDegree, *s.LongitudeInDegree)
				if p.hides(v) {
					hidden = true
					continue
				}
				pt.cut = hidden || seen && p.crosses(last, v)
				last, seen, hidden = v, true, false
				far.rebase(&pt)
			}
			pt.lap = laps.of(&pt)
			if !yield(&pt, nil) {
				return
			}
		}
	}
}

// zoned reports whether something of the track may be hidden.
func (p *passage) zoned() bool { return len(p.regions) > 0 && p.placed }

func (p *passage) hides(v vector) bool {
	for i := range p.regions {
		if p.regions[i].has(v) {
			return true
		}
	}
	return false
}

func (p *passage) crosses(a, b vector) bool {
	for i := range p.regions {
		if p.regions[i].between(a, b) {
			return true
		}
	}
	return false
}

// distances count from the first point and not over a cut, so that they do not
// tell how long the hidden way is.
type distances struct {
	value float64 // storage of what a point has
	last  float64 // of the last point that had one, as Garmin counts
	shown float64 // as we count
	some  bool
	cut   bool // there was a cut since
}

func (d *distances) rebase(pt *point) {
	d.cut = d.cut || pt.cut
	if pt.TotalDistanceInMeters == nil {
		return
	}
	at := *pt.TotalDistanceInMeters
	if d.some && !d.cut {
		d.shown += at - d.last
	}
	d.last, d.some, d.cut = at, true, false
	d.value = d.shown
	pt.TotalDistanceInMeters = &d.value
}

// lapCounter tells which lap a point is in. Laps that no point is left of have no
// number.
type lapCounter struct {
	starts []time.Time
	lap    int
	begun  bool
}

func lapsOf(p *passage) *lapCounter {
	if p.o.Omit.Laps {
		return &lapCounter{}
	}
	return &lapCounter{starts: p.Laps}
}

func (c *lapCounter) of(pt *point) int {
	passed := false
	for len(c.starts) > 0 && !c.starts[0].After(pt.time) {
		c.starts = c.starts[1:]
		passed = true
	}
	if passed && c.begun {
		c.lap++
	}
	c.begun = true
	return c.lap
}
