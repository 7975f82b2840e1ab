package main

import (
	"fmt"
	"slices"
	"time"

	"github.com/garminkit/activityapi/activity/export"
	"github.com/garminkit/activityapi/types"
)

// lap is a lap with what its samples tell.
type lap struct {
	Number    int
	Duration  time.Duration
	Meters    float64
	HeartRate string
	Speed     string
}

// lapCounter sums up what samples tell of laps.
type lapCounter struct {
	starts []time.Time
	sums   []lapSum
	// The latest sample with a distance, and how many laps had begun by then.
	at    time.Time
	far   float64
	begun int
}

// lapSum is what is known of a lap. The distances are those at its two ends.
type lapSum struct {
	first, last     float64
	known           bool
	hearts, samples int
}

func newLapCounter(tracks []*export.Track) *lapCounter {
	c := &lapCounter{}
	if len(tracks) == 1 { // those of legs are on the pages of the legs
		for _, start := range tracks[0].Laps {
			if n := len(c.starts); start.Unix() > 0 && (n == 0 || start.After(c.starts[n-1])) {
				c.starts = append(c.starts, start)
			}
		}
	}
	c.sums = make([]lapSum, len(c.starts))
	return c
}

// add counts a sample. They come in their order in time.
func (c *lapCounter) add(at time.Time, s *types.Sample) {
	i, found := slices.BinarySearchFunc(c.starts, at, time.Time.Compare)
	if !found {
		i--
	}
	if i >= 0 && s.HeartRate != nil {
		c.sums[i].hearts += *s.HeartRate
		c.sums[i].samples++
	}
	d, ok := times(s.TotalDistanceInMeters, 1)
	if !ok || at.Before(c.at) {
		return
	}
	// A lap begins between two samples, and so does its distance.
	for k := c.begun; k <= i && !c.at.IsZero(); k++ {
		there := c.far + (d-c.far)*float64(c.starts[k].Sub(c.at))/float64(at.Sub(c.at))
		c.sums[k].first, c.sums[k].last, c.sums[k].known = there, there, true
		if k > 0 {
			c.sums[k-1].last = there
		}
	}
	if i >= 0 {
		if !c.sums[i].known {
			c.sums[i].first, c.sums[i].known = d, true
		}
		c.sums[i].last = d
	}
	c.at, c.far, c.begun = at, d, i+1
}

// laps returns them, if there is more than one. What begins when all has ended is
// none.
func (c *lapCounter) laps(end time.Time) (laps []*lap) {
	for i, start := range c.starts {
		to := end
		if i+1 < len(c.starts) && c.starts[i+1].Before(end) {
			to = c.starts[i+1]
		}
		if !to.After(start) {
			break
		}
		sum := &c.sums[i]
		l := &lap{Number: i + 1, Duration: to.Sub(start), Meters: max(sum.last-sum.first, 0), HeartRate: "–", Speed: "–"}
		if sum.samples > 0 {
			l.HeartRate = fmt.Sprintf("%d bpm", sum.hearts/sum.samples)
		}
		if s := l.Duration.Seconds(); l.Meters > 0 {
			l.Speed = number(l.Meters/s*3.6, 1) + " km/h"
		}
		laps = append(laps, l)
	}
	if len(laps) < 2 {
		return nil
	}
	return laps
}
