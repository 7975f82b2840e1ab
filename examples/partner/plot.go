package main

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/garminkit/activityapi/activity/export"
	"github.com/garminkit/activityapi/types"
)

// plot is a value over time as a drawing of 1000 by 100 units, which the page
// stretches.
type plot struct {
	Name, Class   string
	Band, Line    string   // paths: from the least to the most, and the mean
	Values, Times []string // along the axes: from the top, and from the left
	Average, Most string
}

// series are the values that a plot is made of.
var series = []struct {
	name, class, unit string
	decimals          int
	value             func(*types.Sample) (float64, bool)
}{
	{"Heart rate", "heart", "bpm", 0, func(s *types.Sample) (float64, bool) { return whole(s.HeartRate) }},
	{"Speed", "speed", "km/h", 1, func(s *types.Sample) (float64, bool) { return times(s.SpeedMetersPerSecond, 3.6) }},
	{"Elevation", "elevation", "m", 0, func(s *types.Sample) (float64, bool) { return times(s.ElevationInMeters, 1) }},
}

// measurable is the greatest value that is drawn. No device measures more, and an
// axis of what is greater may have no steps.
const measurable = 1e9

func whole(v *int) (float64, bool) {
	if v == nil {
		return 0, false
	}
	return times(new(float64(*v)), 1)
}

func times(v *float64, factor float64) (float64, bool) {
	if v == nil || !(math.Abs(*v) <= measurable) { // NaN neither
		return 0, false
	}
	return *v * factor, true
}

// buckets is how many points a line has at most.
const buckets = 400

// bucket is a piece of time.
type bucket struct {
	n               int
	sum, least, top float64
}

// newPlots reads the samples once and draws heart rate, speed and elevation; with
// them come the laps.
func newPlots(tracks []*export.Track) (plots []*plot, laps []*lap, err error) {
	first, last, err := span(tracks)
	if err != nil || !last.After(first) {
		return nil, nil, err
	}
	drawn := make([][buckets]bucket, len(series))
	counter := newLapCounter(tracks)
	for _, t := range tracks {
		for s, err := range t.Samples {
			if err != nil {
				return nil, nil, err
			}
			if s.StartTimeInSeconds == 0 {
				continue
			}
			at := s.StartTimeInSeconds.Time()
			counter.add(at, s)
			i := min(int(float64(buckets)*float64(at.Sub(first))/float64(last.Sub(first))), buckets-1)
			for k := range series {
				if v, ok := series[k].value(s); ok {
					drawn[k][max(i, 0)].add(v)
				}
			}
		}
	}
	for k, s := range series {
		if p := draw(&drawn[k], s.unit, s.decimals, last.Sub(first)); p != nil {
			p.Name, p.Class = s.name, s.class
			plots = append(plots, p)
		}
	}
	return plots, counter.laps(last), nil
}

// span returns when the first and the last sample were taken.
func span(tracks []*export.Track) (first, last time.Time, err error) {
	for _, t := range tracks {
		for s, err := range t.Samples {
			if err != nil {
				return first, last, err
			}
			if s.StartTimeInSeconds == 0 {
				continue
			}
			at := s.StartTimeInSeconds.Time()
			if first.IsZero() || at.Before(first) {
				first = at
			}
			if at.After(last) {
				last = at
			}
		}
	}
	return first, last, nil
}

func (b *bucket) add(v float64) {
	if b.n == 0 {
		b.least, b.top = v, v
	}
	b.n++
	b.sum += v
	b.least, b.top = min(b.least, v), max(b.top, v)
}

func (b *bucket) mean() float64 { return b.sum / float64(b.n) }

// longestGap is how many empty buckets a line goes over, since samples may be
// further apart than buckets. A longer gap is a pause, and the line ends.
const longestGap = 8

// draw makes a plot, or nil if there is nothing to draw.
func draw(all *[buckets]bucket, unit string, decimals int, length time.Duration) *plot {
	n, sum, most := 0, 0.0, math.Inf(-1)
	low, high := math.Inf(1), math.Inf(-1)
	for i := range all {
		b := &all[i]
		if b.n == 0 {
			continue
		}
		n, sum, most = n+b.n, sum+b.sum, max(most, b.top)
		low, high = min(low, b.mean()), max(high, b.mean())
	}
	if n < 2 {
		return nil
	}
	low, high, by := scale(low, high)
	y := func(v float64) float64 { return min(max(100*(high-v)/(high-low), 0), 100) }
	p := &plot{Average: number(sum/float64(n), decimals) + " " + unit, Most: number(most, decimals) + " " + unit}
	for v := high; v > low-by/2; v -= by {
		p.Values = append(p.Values, number(v, -1))
	}
	for i := range 5 {
		p.Times = append(p.Times, clock(length*time.Duration(i)/4))
	}
	var line, band strings.Builder
	for from := 0; from < buckets; {
		to := piece(all, from)
		var back []string
		for i := from; i < to; i++ {
			b := &all[i]
			if b.n == 0 {
				continue
			}
			x := 1000 * (float64(i) + .5) / buckets
			letter := byte('L')
			if back == nil {
				letter = 'M'
			}
			fmt.Fprintf(&line, "%c%.1f %.1f", letter, x, y(b.mean()))
			fmt.Fprintf(&band, "%c%.1f %.1f", letter, x, y(b.top))
			back = append(back, fmt.Sprintf("L%.1f %.1f", x, y(b.least)))
		}
		for _, point := range slices.Backward(back) {
			band.WriteString(point)
		}
		if back != nil {
			band.WriteByte('Z')
		}
		from = to
	}
	p.Line, p.Band = line.String(), band.String()
	return p
}

// piece returns where the line that begins at a bucket ends.
func piece(all *[buckets]bucket, from int) int {
	empty := 0
	for i := from; i < buckets; i++ {
		if empty++; all[i].n > 0 {
			empty = 0
		}
		if empty > longestGap {
			return i + 1
		}
	}
	return buckets
}

// scale returns an axis of round numbers that two values lie on.
func scale(low, high float64) (bottom, top, by float64) {
	by = step(max((high-low)/2, 1))
	bottom, top = math.Floor(low/by)*by, math.Ceil(high/by)*by
	if top == bottom {
		top += by
	}
	return bottom, top, by
}
