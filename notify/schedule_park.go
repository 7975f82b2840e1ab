package notify

import (
	"container/heap"
	"time"

	"github.com/garminkit/activityapi/types"
)

// park holds the items of a lane whose token was refused. One of them is tried
// now and then. An item that was never refused may be tried at once, as long as
// the user has few refusals, so that a forged ping, or fifty, do not delay a file
// of the same user.
type park struct {
	lane    *lane
	items   []entry
	probe   ItemID        // being tried, 0 for none
	at      time.Duration // of the next probe
	index   int           // in the share's heap, -1 if not there
	tries   int           // refusals in a row
	credit  int           // refusals that newcomers may still collect
	credits time.Duration // when credit was last filled up
	soonest time.Duration // the earliest deadline of the items
	since   time.Duration // when it was first refused
	why     string        // the latest refusal
}

const (
	// newcomers is how many items that were never refused may ask at once, and
	// newcomer how long until one more may.
	newcomers = 60
	newcomer  = 15 * time.Second
	// trust is how long a successful call vouches for a user's token: a refusal
	// is then the item's own fault.
	trust = time.Hour
	// maxTrusted bounds the users whose success is remembered.
	maxTrusted = 100_000
)

// succeeded remembers that a call with the user's token succeeded.
func (sh *shareState) succeeded(user types.UserID, now time.Duration) {
	if len(sh.good) >= maxTrusted {
		clear(sh.good)
	}
	sh.good[user] = now
}

// refused reports whether t, whose call was refused, parks its lane, and how
// many refusals in a row that makes.
func (s *scheduler) refused(t *task) (inRow int, parks bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	l, now := t.lane, s.now()
	t.refusals++
	if l.share.dead {
		return 0, false
	}
	if at, ok := l.share.good[l.key.user]; ok && now-at < trust {
		return 0, false
	}
	p := l.park
	if p == nil {
		p = &park{lane: l, index: -1, credit: newcomers, credits: now}
		l.park = p
	}
	p.tries++
	return p.tries, true
}

// parks reports whether t has to wait for the user's token, and makes it wait.
func (s *scheduler) parks(l *lane, t *task) bool {
	p := l.park
	now := s.now()
	if p == nil || !t.Class.pulls() || t.due <= now {
		return false
	}
	if fill := int((now - p.credits) / newcomer); fill > 0 {
		p.credit = min(newcomers, p.credit+fill)
		p.credits += time.Duration(fill) * newcomer
	}
	if t.refusals == 0 && p.credit > 0 {
		p.credit--
		return false
	}
	l.share.hold(t.e)
	s.putInPark(t)
	at := now + newcomer
	if p.index >= 0 {
		at = p.at
		if t.refusals == 0 {
			at = min(at, p.credits+newcomer)
		}
	}
	s.setProbe(l, at)
	return true
}

// putInPark makes t wait for the token.
func (s *scheduler) putInPark(t *task) {
	p := t.lane.park
	if p == nil { // it was taken away meanwhile, since a call succeeded
		t.lane.share.waitUntil(s.now(), t.entry())
		return
	}
	if len(p.items) == 0 || t.due < p.soonest {
		p.soonest = t.due
	}
	p.items = append(p.items, t.entry())
}

// setProbe makes the lane try a parked item at the given time, or earlier if
// one of them expires.
func (s *scheduler) setProbe(l *lane, at time.Duration) {
	p := l.park
	if p == nil {
		return
	}
	if p.index >= 0 {
		heap.Remove(&l.share.parks, p.index)
	}
	if len(p.items) == 0 {
		if p.probe == 0 {
			l.park = nil
		}
		return
	}
	if p.probe != 0 {
		return // its end sets the next
	}
	p.at = min(at, max(p.soonest, s.now()))
	heap.Push(&l.share.parks, p)
	if p.index == 0 {
		signal(l.share.wake[others])
	}
}

// probePark picks the item that asks: one that was refused least often, files
// first, since they have the least time. Those at their deadline are tried for the
// last time, all of them: they may be a million, and each look goes through all.
func (s *scheduler) probePark(p *park, now time.Duration) {
	if p.probe != 0 || len(p.items) == 0 {
		return
	}
	if p.soonest <= now {
		s.expirePark(p, now)
		return
	}
	best := 0
	better := func(a, b entry) bool {
		dueA, dueB := s.dueOf(a), s.dueOf(b)
		switch {
		case a.refusals != b.refusals:
			return a.refusals < b.refusals
		case dueA != dueB:
			return dueA < dueB
		}
		return a.id < b.id
	}
	for i := range p.items {
		if better(p.items[i], p.items[best]) {
			best = i
		}
	}
	e := p.items[best]
	last := len(p.items) - 1
	p.items[best] = p.items[last]
	p.items = p.items[:last]
	for i, other := range p.items {
		if due := s.dueOf(other); i == 0 || due < p.soonest {
			p.soonest = due
		}
	}
	p.probe = e.id
	e.flags |= flagProbe
	p.lane.share.lineUp(p.lane, e)
	s.advance(p.lane)
}

// expirePark puts the items at their deadline back in line, where they do not park
// again.
func (s *scheduler) expirePark(p *park, now time.Duration) {
	kept := p.items[:0]
	for _, e := range p.items {
		due := s.dueOf(e)
		if due <= now {
			p.lane.share.lineUp(p.lane, e)
			continue
		}
		if len(kept) == 0 || due < p.soonest {
			p.soonest = due
		}
		kept = append(kept, e)
	}
	p.items = kept
	s.setProbe(p.lane, now)
	s.advance(p.lane)
}

// unpark puts the parked items back in line.
func (s *scheduler) unpark(l *lane) {
	p := l.park
	if p == nil {
		return
	}
	if p.index >= 0 {
		heap.Remove(&l.share.parks, p.index)
	}
	l.park = nil
	for _, e := range p.items {
		l.share.lineUp(l, e)
	}
}

// probeGone is told that an item which was to be read is finished.
func (s *scheduler) probeGone(w wanted, id ItemID) {
	if l := w.lane; l != nil && l.park != nil && l.park.probe == id {
		l.park.probe = 0
		s.setProbe(l, s.now())
	}
	s.probedNothing(id)
}

type parkHeap []*park

func (h parkHeap) Len() int           { return len(h) }
func (h parkHeap) Less(i, j int) bool { return h[i].at < h[j].at }
func (h parkHeap) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].index, h[j].index = i, j
}
func (h *parkHeap) Push(x any) {
	p := x.(*park)
	p.index = len(*h)
	*h = append(*h, p)
}
func (h *parkHeap) Pop() any {
	old := *h
	p := old[len(old)-1]
	old[len(old)-1] = nil
	*h = old[:len(old)-1]
	p.index = -1
	return p
}
