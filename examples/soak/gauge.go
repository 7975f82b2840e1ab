package main

import (
	"fmt"
	"io"
	"os"
	"runtime"
	"strings"
	"time"
)

// gauge reads what must not grow, in the quiet moment after each round.
type gauge struct {
	start time.Time
	// patience is how long connections may take to close.
	patience time.Duration

	idle            reading // before the first round
	quiet           []reading
	maxRSS, maxHeap int64
}

// reading is what the process uses. What the system does not tell is 0.
type reading struct {
	at         time.Duration
	rss, heap  int64
	goroutines int
	fds        int
}

func (r reading) String() string {
	return fmt.Sprintf("RSS %.1f MB, heap %.1f MB, %d goroutines, %d descriptors",
		float64(r.rss)/1e6, float64(r.heap)/1e6, r.goroutines, r.fds)
}

// busy notes the peaks while there is traffic, until stop.
func (g *gauge) busy(stop <-chan struct{}) {
	for {
		r := g.read()
		g.maxRSS, g.maxHeap = max(g.maxRSS, r.rss), max(g.maxHeap, r.heap)
		select {
		case <-stop:
			return
		case <-time.After(time.Second):
		}
	}
}

func (g *gauge) read() reading {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return reading{time.Since(g.start), rss(), int64(m.HeapAlloc), runtime.NumGoroutine(), descriptors()}
}

// rest waits until connections have closed, and reads.
func (g *gauge) rest() reading {
	g.wait(func() bool {
		return runtime.NumGoroutine() <= g.idle.goroutines && descriptors() <= g.idle.fds+fdSlack
	})
	return g.collect()
}

// wait waits until it is so, but not for ever.
func (g *gauge) wait(so func() bool) {
	for begun := time.Now(); !so() && time.Since(begun) < g.patience; {
		time.Sleep(10 * time.Millisecond)
	}
}

// collect frees what can be freed, and reads.
func (g *gauge) collect() reading {
	runtime.GC()
	runtime.GC() // the first one frees what finalizers and pools hold
	return g.read()
}

// What counts as flat, after a warm-up of a tenth of the time: the straight line
// through the readings rises over the whole rest by no more than a part of
// their mean and a constant; goroutines are each time back at the number before
// the first round, and so are descriptors, but for the segments that the spool
// has open.
const (
	warmUp    = .1
	risePart  = .1
	heapSlack = 2 << 20
	rssSlack  = 16 << 20
	fdSlack   = 4
)

// verdict reports what has grown.
func (g *gauge) verdict(out io.Writer) (err error) {
	quiet := g.quiet
	for len(quiet) > 1 && quiet[0].at < time.Duration(warmUp*float64(g.quiet[len(g.quiet)-1].at)) {
		quiet = quiet[1:]
	}
	fmt.Fprintf(out, "\nAt rest before the first round: %s.\n", g.idle)
	if len(quiet) > 0 {
		fmt.Fprintf(out, "After the warm-up:  %s.\nIn the middle:      %s.\nAt the end:         %s.\nPeaks under load:   RSS %.1f MB, heap %.1f MB.\n",
			quiet[0], quiet[len(quiet)/2], quiet[len(quiet)-1], float64(g.maxRSS)/1e6, float64(g.maxHeap)/1e6)
	}
	for _, r := range g.quiet {
		if r.goroutines > g.idle.goroutines || r.fds > g.idle.fds+fdSlack {
			return fmt.Errorf("after %s at rest there are %d goroutines and %d descriptors, %d and %d at first",
				r.at.Round(time.Second), r.goroutines, r.fds, g.idle.goroutines, g.idle.fds)
		}
	}
	if len(quiet) < 5 {
		fmt.Fprintln(out, "Too few readings to tell whether memory grows.")
		return nil
	}
	for _, m := range []struct {
		name  string
		slack float64
		of    func(reading) int64
	}{
		{"heap", heapSlack, func(r reading) int64 { return r.heap }},
		{"RSS", rssSlack, func(r reading) int64 { return r.rss }},
	} {
		rise, mean := line(quiet, m.of)
		bound := risePart*mean + m.slack
		fmt.Fprintf(out, "%s: the line through %d readings rises by %.2f MB; the bound is %.2f MB.\n", m.name, len(quiet), rise/1e6, bound/1e6)
		if rise > bound && err == nil {
			err = fmt.Errorf("%s grows: by %.1f MB in %s", m.name, rise/1e6, (quiet[len(quiet)-1].at - quiet[0].at).Round(time.Second))
		}
	}
	return err
}

// line fits a straight line and returns by how much it rises from the first
// reading to the last.
func line(list []reading, of func(reading) int64) (rise, mean float64) {
	n := float64(len(list))
	var meanAt float64
	for _, r := range list {
		meanAt += r.at.Seconds() / n
		mean += float64(of(r)) / n
	}
	var xy, xx float64
	for _, r := range list {
		x := r.at.Seconds() - meanAt
		xy += x * (float64(of(r)) - mean)
		xx += x * x
	}
	if xx == 0 {
		return 0, mean
	}
	return xy / xx * (list[len(list)-1].at - list[0].at).Seconds(), mean
}

func rss() int64 {
	data, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		return 0
	}
	var size, resident int64
	if _, err := fmt.Fscan(strings.NewReader(string(data)), &size, &resident); err != nil {
		return 0
	}
	return resident * int64(os.Getpagesize())
}

func descriptors() int {
	list, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		return 0
	}
	return len(list) - 1 // one is that of the directory itself
}
