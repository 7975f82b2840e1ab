package queue

import (
	"context"
	"iter"
	"sync"
	"sync/atomic"
	"time"

	"github.com/garminkit/activityapi/internal/memqueue"
	"github.com/garminkit/activityapi/notify"
)

// watched is a process's queue, with a look at what it records.
type watched struct {
	*memqueue.Memory
	l *life
}

func (q *watched) Shares(ctx context.Context) iter.Seq2[notify.Share, error] {
	return func(yield func(notify.Share, error) bool) {
		for s, err := range q.Memory.Shares(ctx) {
			if err == nil {
				s = &watchedShare{Share: s, l: q.l, since: time.Now(), users: map[string]bool{}}
				q.l.held.Add(1)
			}
			if !yield(s, err) {
				return
			}
		}
	}
}

// watchedShare is a share of a process.
type watchedShare struct {
	notify.Share
	l     *life
	since time.Time

	mu     sync.Mutex
	users  map[string]bool // that were seen in it
	failed bool            // the last Settle
}

// slot is where a call learns when it arrives at the queue.
type slot struct {
	busy chan struct{} // full from the begin of a call until it is sent; a mutex would stop a bubble's time
	at   atomic.Pointer[time.Time]
}

// call makes a call, and tells when it arrived.
func (s *slot) call(f func() error) (arrived time.Time, err error) {
	s.busy <- struct{}{}
	s.at.Store(&arrived)
	err = f()
	if s.at.CompareAndSwap(&arrived, nil) {
		<-s.busy // it was never sent
	}
	return arrived, err
}

// sent tells a call of the process when it arrives.
func (l *life) sent(op string, arrives time.Time) {
	for name, s := range map[string]*slot{"settle": &l.settling, "scan": &l.scanning, "load": &l.loading} {
		if p := s.at.Load(); name == op && p != nil {
			*p = arrives
			s.at.Store(nil)
			<-s.busy
		}
	}
}

func (s *watchedShare) Scan(ctx context.Context, class notify.Class, after notify.ItemID, most int) (items []*notify.Item, err error) {
	arrived, err := s.l.scanning.call(func() (err error) {
		items, err = s.Share.Scan(ctx, class, after, most)
		return err
	})
	for _, it := range items {
		s.mu.Lock()
		s.users[string(it.UserID)] = true
		s.mu.Unlock()
		s.l.w.hist.used("scan", s, string(it.UserID), arrived)
		s.l.w.hist.saw(s, string(it.UserID))
	}
	return items, err
}

func (s *watchedShare) Load(ctx context.Context, ids []notify.ItemID) (items []*notify.Item, err error) {
	arrived, err := s.l.loading.call(func() (err error) {
		items, err = s.Share.Load(ctx, ids)
		return err
	})
	for _, it := range items {
		s.l.w.hist.used("load", s, string(it.UserID), arrived)
	}
	return items, err
}

func (s *watchedShare) Settle(ctx context.Context, verdicts []notify.Verdict) error {
	sent := time.Now()
	arrived, err := s.l.settling.call(func() error { return s.Share.Settle(ctx, verdicts) })
	if err == nil {
		s.l.w.hist.settled(s.l.number, sent, verdicts)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.failed = err != nil
	if err == nil {
		for user := range s.users {
			s.l.w.hist.used("settle", s, user, arrived)
		}
	}
	return err
}

// Release in good order leaves nothing unrecorded.
func (s *watchedShare) Release() {
	s.l.held.Add(-1)
	s.mu.Lock()
	if s.Context().Err() == nil && !s.failed {
		s.l.w.hist.released(s.l.number, s.since, s.users)
	}
	s.mu.Unlock()
	s.Share.Release()
}
