//go:build linux

package main

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"time"
)

// report is what the day took.
type report struct {
	o        options
	length   time.Duration // of the whole day
	window   window
	bodies   float64 // of each user in the whole day
	sent     sent
	got      *got
	items    int
	acks     []time.Duration // of the peak, sorted
	waits    []time.Duration // from storing to the callback, of the peak, sorted; without those of files
	files    []time.Duration // the same of files
	oldest   time.Duration   // of all day
	refused  int
	late     time.Duration // the sender was behind by this at most
	called   int
	letters  int64
	disk     int64
	byMinute []minute
}

// minute is a 1,440th of the day.
type minute struct {
	posts int
	waits []time.Duration
}

const minutes = 1440

// inPeak are the twenty minutes around seven.
func inPeak(at float64) bool { return at > 6.8333/24 && at < 7.1667/24 }

func newReport(o options, length time.Duration, w window, s sent, g *got, d *day) *report {
	r := &report{o: o, length: length, window: w, bodies: d.bodies, sent: s, got: g, items: d.items, byMinute: make([]minute, minutes)}
	for _, a := range s.answers {
		r.byMinute[min(int(a.at*minutes), minutes-1)].posts++
		r.refused += a.refused
		r.late = max(r.late, a.late)
		if inPeak(a.at) {
			r.acks = append(r.acks, a.took)
		}
	}
	for _, t := range g.tallies {
		r.letters += t.Letters
		r.disk = max(r.disk, t.QueueBytes) // those who share a database see the same
		r.called += len(t.Deliveries)
		for _, d := range t.Deliveries {
			stored := t.Begun.Add(time.Duration(d.Stored) * time.Microsecond)
			at := w.from + float64(stored.Sub(s.begun))/float64(length)
			wait := time.Duration(d.Waited) * time.Microsecond
			r.oldest = max(r.oldest, wait)
			m := &r.byMinute[min(max(int(at*minutes), 0), minutes-1)]
			m.waits = append(m.waits, wait)
			switch {
			case !inPeak(at):
			case d.File:
				r.files = append(r.files, wait)
			default:
				r.waits = append(r.waits, wait)
			}
		}
	}
	slices.Sort(r.acks)
	slices.Sort(r.waits)
	slices.Sort(r.files)
	return r
}

func at(sorted []time.Duration, q float64) time.Duration {
	if len(sorted) == 0 {
		return 0
	}
	return sorted[min(int(q*float64(len(sorted))), len(sorted)-1)]
}

func (r *report) print(w io.Writer) {
	line := func(name, format string, args ...any) {
		fmt.Fprintf(w, "%-44s %s\n", name, fmt.Sprintf(format, args...))
	}
	ms := func(d time.Duration) string { return fmt.Sprintf("%.1f ms", float64(d.Microseconds())/1000) }
	cpu := r.got.cpu + r.got.database
	each := time.Duration(float64(cpu) / float64(len(r.sent.answers)) * r.bodies)
	line("bodies, items, GB", "%d, %d, %.2f", len(r.sent.answers), r.items, float64(r.sent.bytes)/1e9)
	line("callbacks, dead letters, refused bodies", "%d, %d, %d", r.called, r.letters, r.refused)
	line("the sender was behind by at most", "%s", ms(r.late))
	line("peak: 200 after, p50, p99, longest", "%s, %s, %s", ms(at(r.acks, .5)), ms(at(r.acks, .99)), ms(at(r.acks, 1)))
	line("peak: callback after, p50, p99, longest", "%s, %s, %s", ms(at(r.waits, .5)), ms(at(r.waits, .99)), ms(at(r.waits, 1)))
	line("peak: file's callback after, p50, p99, longest", "%s, %s, %s", ms(at(r.files, .5)), ms(at(r.files, .99)), ms(at(r.files, 1)))
	line("oldest item of the day", "%s", ms(r.oldest))
	line("after the last body, all was done in", "%s", ms(r.got.took))
	var memory []string
	for _, m := range r.got.memory {
		memory = append(memory, fmt.Sprintf("%d MB", m>>20))
	}
	line("memory of each process at most", "%s", strings.Join(memory, ", "))
	line("disk for the queue at most", "%d MB", r.disk>>20)
	line("processor time: receivers, database", "%.1f s, %.1f s", r.got.cpu.Seconds(), r.got.database.Seconds())
	line("processor time of a user's day", "%.2f ms", each.Seconds()*1000)
	line(fmt.Sprintf("processor time of %d users' day", r.o.users), "%.2f h", each.Hours()*float64(r.o.users))
	// Two processors are busy to nine tenths at the peak.
	line("users that two processors hold at the peak", "%.0f", 2*.9*86400/(peak*each.Seconds()))
}

// verdict is an error if something is missing.
func (r *report) verdict() error {
	if r.called != r.items || r.letters != 0 {
		return fmt.Errorf("%d items were sent, %d callbacks made, %d dead letters", r.items, r.called, r.letters)
	}
	return nil
}

// plot draws the bodies of each ten minutes, and above them how long items
// waited (p99).
func (r *report) plot() []byte {
	const width, height, step = 720, 200, 10
	var posts, waits []float64
	var mostPosts, mostWait float64
	for i := 0; i < minutes; i += step {
		n := 0
		var all []time.Duration
		for _, m := range r.byMinute[i : i+step] {
			n += m.posts
			all = append(all, m.waits...)
		}
		slices.Sort(all)
		posts = append(posts, float64(n))
		waits = append(waits, at(all, .99).Seconds()*1000)
		mostPosts, mostWait = max(mostPosts, posts[len(posts)-1]), max(mostWait, waits[len(waits)-1])
	}
	var b strings.Builder
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" font-family="sans-serif" font-size="11">`+"\n", width+20, 2*height+70)
	chart := func(top int, title string, values []float64, most float64, colour string) {
		fmt.Fprintf(&b, `<text x="10" y="%d" fill="currentColor">%s</text>`+"\n", top-6, title)
		bar := float64(width) / float64(len(values))
		for i, v := range values {
			h := 0.0
			if most > 0 {
				h = v / most * (height - 20)
			}
			fmt.Fprintf(&b, `<rect x="%.1f" y="%.1f" width="%.1f" height="%.1f" fill="%s"/>`+"\n", 10+float64(i)*bar, float64(top+height-20)-h, bar-1, h, colour)
		}
	}
	mean := float64(r.length) / float64(time.Second) * step / minutes
	chart(20, fmt.Sprintf("bodies a second in each ten minutes of the day, at most %.0f", mostPosts/mean), posts, mostPosts, "#2a6fb0")
	chart(height+40, fmt.Sprintf("from storing to the callback, p99, at most %.0f ms", mostWait), waits, mostWait, "#b0562a")
	for h := 0; h <= 24; h += 6 {
		fmt.Fprintf(&b, `<text x="%d" y="%d" text-anchor="middle" fill="currentColor">%d:00</text>`+"\n", 10+h*width/24, 2*height+40, h)
	}
	b.WriteString("</svg>\n")
	return []byte(b.String())
}
