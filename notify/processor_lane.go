package notify

import (
	"container/heap"
	"context"
	"slices"
	"time"
)

// lane holds the items of one Garmin user. An item is in one place at a time:
// fresh, again, held behind another, parked, waiting for a timer, or active.
type lane struct {
	user   string
	fresh  fifo             // never looked at
	again  []*work          // to be tried again, by arrival; they come first
	held   map[string]*hold // by the thing that is touched
	park   *park
	active *work // ready or running

	good    int           // pulls that got through
	tries   int           // refusals since
	refused time.Duration // when the last refusal came
}

// hold keeps items behind the one that failed before them.
type hold struct {
	owner  *work
	behind []*work
}

// park holds the items that need a token which was refused.
type park struct {
	items []*work
	probe *work // the one that is being tried
	timer *timer
}

func (p *park) add(w *work) { p.items = append(p.items, w) }

func bySeq(a, b *work) int {
	switch {
	case a.seq < b.seq:
		return -1
	case a.seq > b.seq:
		return 1
	}
	return 0
}

func (l *lane) next() *work {
	if len(l.again) > 0 {
		w := l.again[0]
		l.again = l.again[1:]
		return w
	}
	return l.fresh.pop()
}

func (l *lane) empty() bool {
	return l.active == nil && len(l.again) == 0 && l.fresh.len() == 0 && len(l.held) == 0 && l.park == nil
}

// rerun puts items back in line, ahead of the fresh ones.
func (l *lane) rerun(ws ...*work) {
	l.again = append(slices.Clone(l.again), ws...)
	slices.SortFunc(l.again, bySeq)
}

// hold keeps w's place: what touches the same thing waits behind it. The lane
// stays alive while it holds anything, so w is held even if it touches nothing.
func (l *lane) hold(w *work) {
	key := w.touch
	if key == "" {
		key = "#" + w.body.ID() + "#" + w.place.String()
		w.touch = key
	}
	if l.held == nil {
		l.held = map[string]*hold{}
	}
	if l.held[key] == nil {
		l.held[key] = &hold{owner: w}
	}
}

// letGo ends w's hold and puts those behind it back in line.
func (l *lane) letGo(w *work) {
	if h := l.held[w.touch]; h != nil && h.owner == w {
		delete(l.held, w.touch)
		l.rerun(h.behind...)
	}
}

// timer makes a waiting item, or the next probe of a parked lane, ready.
type timer struct {
	at    time.Duration
	index int
	work  *work
	lane  *lane
}

func (s *scheduler) setTimer(t *timer) {
	heap.Push(&s.timers, t)
	if t.index == 0 {
		signal(s.wake)
	}
}

// setProbe makes the lane try a parked item at the given time, or earlier if
// one of them expires.
func (s *scheduler) setProbe(l *lane, at time.Duration) {
	p := l.park
	if p.timer != nil {
		heap.Remove(&s.timers, p.timer.index)
		p.timer = nil
	}
	if len(p.items) == 0 {
		if p.probe == nil {
			l.park = nil
		}
		return
	}
	for _, w := range p.items {
		at = min(at, max(w.due, s.now()))
	}
	p.timer = &timer{at: at, lane: l}
	s.setTimer(p.timer)
}

// refused reports whether w, whose pull was refused, parks its lane, and how
// many refusals in a row that makes. It does not park if another pull got
// through since w was last refused: then the fault is its own, and a forged ping
// does not stop a user's data.
func (s *scheduler) refused(w *work) (inRow int, park bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	l := w.lane
	own := w.refusals > 0 && l.good > w.refusedAt
	w.refusals++
	w.refusedAt = l.good
	l.refused = s.now()
	if own {
		return 0, false
	}
	l.tries++
	return l.tries, true
}

// newcomer is how long after a refusal an item that was never refused may ask:
// the refusals may not have been the user's fault.
const newcomer = time.Minute

// parks reports whether w has to wait for the user's token.
func (s *scheduler) parks(w *work) bool {
	p := w.lane.park
	if p == nil || !w.pulls() || p.probe == w {
		return false
	}
	if p.probe == nil && w.refusals == 0 && s.now()-w.lane.refused >= newcomer {
		p.probe = w
		return false
	}
	return true
}

// putInPark makes w wait, but a newcomer not for long.
func (s *scheduler) putInPark(w *work) {
	p := w.lane.park
	p.add(w)
	if soon := w.lane.refused + newcomer; w.refusals == 0 && p.timer != nil && p.timer.at > soon {
		s.setProbe(w.lane, soon)
	}
}

// unpark puts the parked items back in line.
func (s *scheduler) unpark(l *lane) {
	if l.park == nil {
		return
	}
	if t := l.park.timer; t != nil {
		heap.Remove(&s.timers, t.index)
	}
	l.rerun(l.park.items...)
	l.park = nil
}

// keepTime fires the timers until ctx ends, and reports the items whose
// deadline is near.
func (s *scheduler) keepTime(ctx context.Context, observe func(Outcome)) {
	t := time.NewTimer(time.Hour)
	defer t.Stop()
	for {
		s.mu.Lock()
		now := s.now()
		var near []Outcome
		for len(s.timers) > 0 && s.timers[0].at <= now {
			near = append(near, s.fire(heap.Pop(&s.timers).(*timer), now)...)
		}
		wait := time.Hour
		if len(s.timers) > 0 {
			wait = s.timers[0].at - now
		}
		s.mu.Unlock()
		for _, o := range near {
			observe(o)
		}
		t.Reset(wait)
		select {
		case <-t.C:
		case <-s.wake:
		case <-ctx.Done():
			return
		}
	}
}

// fire puts an item back in line, or picks a parked item as the lane's probe:
// one at its deadline, else the one refused least often. It returns the parked
// items to warn of.
func (s *scheduler) fire(t *timer, now time.Duration) (near []Outcome) {
	if t.work != nil {
		l := t.work.lane
		l.rerun(t.work)
		s.advance(l)
		return nil
	}
	l := t.lane
	p := l.park
	p.timer = nil
	if p.probe != nil || len(p.items) == 0 {
		return nil
	}
	first := p.items[0]
	for _, w := range p.items {
		if late := w.due <= now; late && first.due > now || late == (first.due <= now) && w.refusals < first.refusals {
			first = w
		}
		if w.due-now <= s.warning && !w.warned {
			w.warned = true
			o := w.outcome(now)
			o.Result = ResultExpiring
			near = append(near, o)
		}
	}
	p.items = slices.DeleteFunc(p.items, func(w *work) bool { return w == first })
	p.probe = first
	l.rerun(first)
	s.advance(l)
	return near
}

type timerHeap []*timer

func (h timerHeap) Len() int           { return len(h) }
func (h timerHeap) Less(i, j int) bool { return h[i].at < h[j].at }
func (h timerHeap) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].index, h[j].index = i, j
}
func (h *timerHeap) Push(x any) {
	t := x.(*timer)
	t.index = len(*h)
	*h = append(*h, t)
}
func (h *timerHeap) Pop() any {
	old := *h
	n := len(old) - 1
	t := old[n]
	old[n] = nil
	*h = old[:n]
	return t
}

// fifo is a queue of items that frees what it has given out.
type fifo struct {
	items []*work
	head  int
}

func (f *fifo) len() int { return len(f.items) - f.head }

func (f *fifo) push(w *work) {
	if f.head > 32 && f.head > len(f.items)/2 {
		n := copy(f.items, f.items[f.head:])
		clear(f.items[n:])
		f.items, f.head = f.items[:n], 0
	}
	f.items = append(f.items, w)
}

func (f *fifo) pop() *work {
	if f.len() == 0 {
		return nil
	}
	w := f.items[f.head]
	f.items[f.head] = nil
	f.head++
	return w
}
