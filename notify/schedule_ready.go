package notify

import (
	"container/heap"
	"time"
)

// ready holds the tasks that a crew may start. New items go before failed ones:
// otherwise a user's failing items, which are older and so nearer to their
// deadline, would delay others' new ones. Still, one in four is a repeat, and an
// item about to expire goes first.
type ready struct {
	fresh freshHeap
	again readyHeap
	turn  int
}

// urgent is how long before its deadline a repeat goes before new items.
const urgent = 5 * time.Minute

func (r *ready) len() int { return len(r.fresh) + len(r.again) }

// bodyShare makes items of a large body give way: each run of bodyRun items
// counts as this much later than the one before. So a body of many items, perhaps
// of as many users, does not delay a small later one. Items of a run count the
// same, so that neighbours in the queue are read, processed and marked together.
const (
	bodyRun      = 128
	bodyShare    = bodyRun * 10 * time.Millisecond
	maxBodyShare = time.Minute
)

// place is where t stands among first attempts.
func (t *task) place() time.Duration {
	return t.received + min(time.Duration(t.Index/bodyRun)*bodyShare, maxBodyShare)
}

func (r *ready) push(t *task) {
	if t.Attempts == 0 {
		heap.Push(&r.fresh, t)
	} else {
		heap.Push(&r.again, t)
	}
}

// ready makes t the head of its lane. Many lanes may be ready: if there are too
// many bytes in memory, those of t are read again when it is tried.
func (sh *shareState) ready(l *lane, t *task) {
	s := sh.s
	if s.loaded+int64(len(t.Raw)) > maxLoaded {
		t.Raw = nil
	}
	s.loaded += int64(len(t.Raw))
	sh.heads[t.Class]++
	if t.Attempts > 0 {
		sh.again[t.Class]++
	}
	l.head = t
	s.ready[t.crew].push(t)
}

// unready takes the head from its lane. What holds it in s.ready is up to the
// caller.
func (sh *shareState) unready(l *lane) {
	t := l.head
	l.head = nil
	sh.s.loaded -= int64(len(t.Raw))
	sh.heads[t.Class]--
	if t.Attempts > 0 {
		if sh.again[t.Class]--; sh.due[t.Class].len() > 0 && sh.again[t.Class] < maxAgain/2 {
			signal(sh.wake[others])
		}
	}
}

// next gives the task that is next, and the heap that it is first of.
func (r *ready) next(now time.Duration) (*task, heap.Interface) {
	switch {
	case len(r.again) == 0:
	case len(r.fresh) == 0, r.turn%4 == 3, r.again[0].due-now < urgent:
		return r.again[0], &r.again
	}
	return r.fresh[0], &r.fresh
}

// drop forgets the tasks of a share.
func (r *ready) drop(sh *shareState) {
	r.fresh = freshHeap(readyHeap(r.fresh).without(sh))
	r.again = r.again.without(sh)
	heap.Init(&r.fresh)
	heap.Init(&r.again)
}

// readyHeap is ordered by deadline, then by arrival.
type readyHeap []*task

func (h readyHeap) Len() int { return len(h) }
func (h readyHeap) Less(i, j int) bool {
	if h[i].due != h[j].due {
		return h[i].due < h[j].due
	}
	return h[i].ID < h[j].ID
}
func (h readyHeap) Swap(i, j int) { h[i], h[j] = h[j], h[i] }
func (h *readyHeap) Push(x any)   { *h = append(*h, x.(*task)) }
func (h *readyHeap) Pop() any {
	old := *h
	n := len(old) - 1
	t := old[n]
	old[n] = nil
	*h = old[:n]
	return t
}

func (h readyHeap) without(sh *shareState) readyHeap {
	kept := h[:0]
	for _, t := range h {
		if t.lane.share != sh {
			kept = append(kept, t)
		}
	}
	clear(h[len(kept):])
	return kept
}

// freshHeap is ordered by the place among first attempts.
type freshHeap readyHeap

func (h freshHeap) Len() int { return len(h) }
func (h freshHeap) Less(i, j int) bool {
	if a, b := h[i].place(), h[j].place(); a != b {
		return a < b
	}
	return h[i].ID < h[j].ID
}
func (h freshHeap) Swap(i, j int) { h[i], h[j] = h[j], h[i] }
func (h *freshHeap) Push(x any)   { (*readyHeap)(h).Push(x) }
func (h *freshHeap) Pop() any     { return (*readyHeap)(h).Pop() }
