package notify

import (
	"cmp"
	"container/heap"
	"slices"
	"time"
)

// waiting is an item to be tried again at a given time. If it touches anything,
// its hold keeps its place.
type waiting struct {
	at time.Duration
	entry
}

// waitUntil makes an item wait.
func (sh *shareState) waitUntil(at time.Duration, e entry) {
	heap.Push(&sh.waits, waiting{at, e})
	if sh.waits[0].id == e.id {
		signal(sh.wake[others])
	}
}

// fire asks for the items whose time has come, some at a time, and lets parked
// lanes probe. It returns when the next is due.
func (sh *shareState) fire(now time.Duration) (next time.Duration, ok bool) {
	for n := 0; len(sh.waits) > 0 && sh.waits[0].at <= now && n < fireMost; n++ {
		w := heap.Pop(&sh.waits).(waiting)
		sh.due[w.class].push(w.entry)
	}
	for c := range sh.due {
		due := &sh.due[c]
		for due.len() > 0 && sh.again[c] < maxAgain && len(sh.wants[feederOf(Class(c))]) < loadMost {
			sh.find(due.next())
		}
	}
	for len(sh.parks) > 0 && sh.parks[0].at <= now {
		sh.s.probePark(heap.Pop(&sh.parks).(*park), now)
	}
	for app, held := range sh.held {
		for _, e := range held.expired(now) {
			sh.s.outages[app].count--
			sh.find(e)
		}
		if at, some := held.next(); some && (!ok || at < next) {
			next, ok = at, true
		}
	}
	if len(sh.waits) > 0 && (!ok || sh.waits[0].at < next) {
		next, ok = sh.waits[0].at, true
	}
	if len(sh.parks) > 0 && (!ok || sh.parks[0].at < next) {
		next, ok = sh.parks[0].at, true
	}
	return next, ok
}

// fireMost bounds the items whose time comes at once.
const fireMost = 2 * loadMost

// dueItems are items that are due again but have no room yet. They go in rounds:
// the items due at the start of a round go in order of arrival, since neighbours
// are read together, and later ones wait for the next round.
type dueItems struct {
	list  []entry
	round int // how many of the list are of the round that goes on
}

const maxRound = 8 << 10

func (d *dueItems) len() int { return len(d.list) }

func (d *dueItems) push(e entry) { d.list = append(d.list, e) }

func (d *dueItems) next() entry {
	if d.round == 0 {
		d.round = min(len(d.list), maxRound)
		slices.SortFunc(d.list[:d.round], func(a, b entry) int { return cmp.Compare(a.id, b.id) })
	}
	e := d.list[0]
	d.round--
	if d.list = d.list[1:]; len(d.list) == 0 {
		d.list = nil
	}
	return e
}

// longestWait bounds the time that an earlier worker can have set for the next
// attempt.
func (s *scheduler) longestWait() time.Duration {
	return max(4*s.opts.RetryMax, maxRetryAfter) * 3 / 2
}

type waitHeap []waiting

func (h waitHeap) Len() int { return len(h) }
func (h waitHeap) Less(i, j int) bool {
	return h[i].at < h[j].at || h[i].at == h[j].at && h[i].id < h[j].id
}
func (h waitHeap) Swap(i, j int) { h[i], h[j] = h[j], h[i] }
func (h *waitHeap) Push(x any)   { *h = append(*h, x.(waiting)) }
func (h *waitHeap) Pop() any {
	old := *h
	w := old[len(old)-1]
	*h = old[:len(old)-1]
	if cap(*h) > 1024 && len(*h) < cap(*h)/4 {
		*h = append(make(waitHeap, 0, len(*h)*2), *h...)
	}
	return w
}
