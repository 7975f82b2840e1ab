package notify

import (
	"container/heap"
	"context"
	"fmt"
	"slices"

	"github.com/garminkit/activityapi/types"
)

// Reread makes the current Run forget what it has read of a user's items, so that
// it reads them again before it tries them. It waits until all attempts at the
// user's items that had begun before have returned, and downloads that have outlived
// theirs, or returns an error when ctx ends. Call it after [Eraser].Erase: once it has returned nil, no callback gets
// what was erased.
//
// It has no effect on other processes that work on the queue: an item that one of
// them has read may be tried there some minutes later.
func (p *Processor) Reread(ctx context.Context, user types.UserID) error {
	s := p.sched.Load()
	if s == nil {
		return nil
	}
	running := s.reread(user)
	for _, run := range p.files.lateOf(user) {
		running = append(running, run.ended)
	}
	for _, ended := range running {
		select {
		case <-ended:
		case <-ctx.Done():
			return fmt.Errorf("notify: an attempt goes on: %w", context.Cause(ctx))
		}
	}
	return nil
}

// reread lets go of the user's items, and gives channels that are closed when the
// running attempts have ended.
func (s *scheduler) reread(user types.UserID) (running []<-chan struct{}) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.rereads++
	for sh := range s.shares {
		for _, account := range []bool{true, false} {
			l := sh.lanes[laneKey{user, account}]
			if l == nil {
				continue
			}
			for e := range l.line.all() {
				sh.unload(e.id)
			}
			if t := l.head; t != nil {
				s.ready[t.crew].remove(t)
				sh.aside = slices.DeleteFunc(sh.aside, func(other *task) bool { return other == t })
				sh.unready(l)
				sh.lineUp(l, t.e)
				s.advance(l)
			}
			if t := l.running; t != nil {
				ended := make(chan struct{})
				t.waiters = append(t.waiters, ended)
				running = append(running, ended)
			}
		}
	}
	return running
}

// remove takes a task out, if it is there.
func (r *ready) remove(t *task) {
	for i, other := range r.fresh {
		if other == t {
			heap.Remove(&r.fresh, i)
			return
		}
	}
	for i, other := range r.again {
		if other == t {
			heap.Remove(&r.again, i)
			return
		}
	}
}

// generation counts the calls of reread. What was read in an earlier one may be
// gone.
func (s *scheduler) generation() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.rereads
}
