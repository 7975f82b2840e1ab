package notify

import (
	"container/heap"
	"time"
)

// heldItems are the items of a share that wait for the end of an application's
// outage, with the time of their last attempt. A nil one is empty.
type heldItems struct{ h waitHeap }

func (h *heldItems) len() int {
	if h == nil {
		return 0
	}
	return len(h.h)
}

func (h *heldItems) push(e entry, last time.Duration) { heap.Push(&h.h, waiting{last, e}) }

func (h *heldItems) remove(i int) entry { return heap.Remove(&h.h, i).(waiting).entry }

// newest tells where the item is that arrived last.
func (h *heldItems) newest() int {
	best := 0
	for i := range h.h {
		if h.h[i].id > h.h[best].id {
			best = i
		}
	}
	return best
}

// expired removes and returns the items whose last attempt is due.
func (h *heldItems) expired(now time.Duration) (out []entry) {
	for len(h.h) > 0 && h.h[0].at <= now {
		out = append(out, heap.Pop(&h.h).(waiting).entry)
	}
	return out
}

func (h *heldItems) takeAll() []entry {
	if h == nil {
		return nil
	}
	out := make([]entry, 0, len(h.h))
	for _, w := range h.h {
		out = append(out, w.entry)
	}
	h.h = nil
	return out
}

// next tells when the first last attempt is due.
func (h *heldItems) next() (time.Duration, bool) {
	if len(h.h) == 0 {
		return 0, false
	}
	return h.h[0].at, true
}
