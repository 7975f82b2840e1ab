package notify

import (
	"container/heap"
	"iter"
)

// line holds entries by arrival: a returning entry goes before later ones. Most
// entries arrive in order. They are kept in blocks, so that a line of a million
// grows without copying, and releases memory as it shrinks.
type line struct {
	run  [][]entry // in order
	at   int       // where the first block begins
	back entryHeap // what came out of order
	n    int
}

// lineBlock is how many entries a block has at most.
const lineBlock = 512

func (l *line) Len() int { return l.n }

// push adds an entry.
func (l *line) push(e entry) {
	l.n++
	if len(l.run) == 0 {
		l.run = append(l.run, []entry{e})
		return
	}
	last := &l.run[len(l.run)-1]
	switch {
	case len(*last) > 0 && e.id < (*last)[len(*last)-1].id:
		heap.Push(&l.back, e)
	case len(*last) < lineBlock:
		*last = append(*last, e)
	default:
		l.run = append(l.run, append(make([]entry, 0, lineBlock), e))
	}
}

// pop takes the first entry. There must be one.
func (l *line) pop() entry {
	l.n--
	if len(l.back) > 0 && (len(l.run) == 0 || l.at == len(l.run[0]) || l.back[0].id < l.run[0][l.at].id) {
		return heap.Pop(&l.back).(entry)
	}
	first := l.run[0]
	e := first[l.at]
	if l.at++; l.at == len(first) {
		l.at = 0
		if len(l.run) == 1 && cap(first) <= 8 { // short lines are filled again and again
			l.run[0] = first[:0]
		} else {
			l.run[0], l.run = nil, l.run[1:]
		}
	}
	return e
}

// all yields the entries, the next ones near the front.
func (l *line) all() iter.Seq[*entry] {
	return func(yield func(*entry) bool) {
		for i := range l.back {
			if !yield(&l.back[i]) {
				return
			}
		}
		from := l.at
		for _, b := range l.run {
			for i := from; i < len(b); i++ {
				if !yield(&b[i]) {
					return
				}
			}
			from = 0
		}
	}
}

// entryHeap is ordered by arrival.
type entryHeap []entry

func (h entryHeap) Len() int           { return len(h) }
func (h entryHeap) Less(i, j int) bool { return h[i].id < h[j].id }
func (h entryHeap) Swap(i, j int)      { h[i], h[j] = h[j], h[i] }
func (h *entryHeap) Push(x any)        { *h = append(*h, x.(entry)) }
func (h *entryHeap) Pop() any {
	old := *h
	e := old[len(old)-1]
	*h = old[:len(old)-1]
	if cap(*h) > 1024 && len(*h) < cap(*h)/4 {
		*h = append(make(entryHeap, 0, len(*h)*2), *h...)
	}
	return e
}
