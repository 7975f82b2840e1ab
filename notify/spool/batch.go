package spool

import (
	"sync"
	"time"
)

// pending is a small body that waits to be written to the log.
type pending struct {
	header // with what was seen in the body, and the order that a redriven one had, or 0
	body   []byte
	record int64 // the size of its record
	// whole is the sum by which a repeat of the body is known, or nil.
	whole *bodySum
}

// batch is what goes to the disk with one write and one sync. gathering.mu guards the
// list until the writer takes the batch; then it is the writer's until done is closed.
type batch struct {
	list []pending
	done chan struct{} // closed when err is set
	err  error
}

func newBatch() *batch { return &batch{done: make(chan struct{})} }

// gathering is the batch of the next write. Puts add to it, the writer takes it.
type gathering struct {
	some   chan struct{} // tells the writer that there is a body
	enough chan struct{} // tells it that there are as many as it waits for

	mu   sync.Mutex
	next *batch
	want int // what the writer waits for, 0 if it does not
	shut bool
}

func newGathering() *gathering {
	return &gathering{some: make(chan struct{}, 1), enough: make(chan struct{}, 1), next: newBatch()}
}

// add puts p into the next batch, and returns its place in it.
func (g *gathering) add(p pending) (_ *batch, place int, err error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.shut {
		return nil, 0, errClosed
	}
	b := g.next
	place = len(b.list)
	b.list = append(b.list, p)
	if len(b.list) == 1 {
		g.some <- struct{}{} // Has room: the writer takes it before the batch.
	}
	if len(b.list) == g.want {
		g.want = 0
		g.enough <- struct{}{} // Has room: wait left it empty.
	}
	return b, place, nil
}

// wait returns when n bodies have gathered, or when the time is up.
func (g *gathering) wait(n int, limit time.Duration) {
	g.mu.Lock()
	if len(g.next.list) >= n || g.shut {
		g.mu.Unlock()
		return
	}
	g.want = n
	g.mu.Unlock()
	timer := time.NewTimer(limit)
	defer timer.Stop()
	select {
	case <-g.enough:
	case <-timer.C:
		g.mu.Lock()
		defer g.mu.Unlock()
		// The last body came just when the time was up. Its signal would end the
		// next wait at once.
		if g.want == 0 {
			<-g.enough
		}
		g.want = 0
	}
}

// take returns what has gathered and starts an empty batch.
func (g *gathering) take() *batch {
	g.mu.Lock()
	defer g.mu.Unlock()
	b := g.next
	g.next = newBatch()
	return b
}

// close makes add fail. A writer in wait goes on when its time is up, which is soon.
func (g *gathering) close() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.shut = true
}
