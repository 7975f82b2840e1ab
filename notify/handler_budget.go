package notify

import (
	"math"
	"sync"
	"sync/atomic"
	"time"
)

// budget limits the bytes held of all bodies being received. Bytes count as they
// arrive: a request that announces much and sends nothing takes no room. When
// there is no room left, slow senders make room.
//
// The slowness of a sender is the time in which it would send the held bytes
// again, at the pace of its last seconds. Only the time that the store waits for
// it counts, so that a slow disk makes no sender slow.
type budget struct {
	limit int64
	epoch time.Time // where the clock of this file begins

	mu   sync.Mutex
	used int64
	open []*share // those that hold something and are not whole
}

// share is what one body holds of the budget. The mutex of the budget guards
// all of it but waiting.
type share struct {
	owner *exchange
	held  int64
	place int  // in budget.open, plus 1; 0 if it is not there
	gone  bool // given up to make room

	waiting atomic.Int64 // since when the store waits for the sender, 0 if it does not
	// now and before are the last two spells of waiting.
	now, before spell
}

// spell is a time of waiting, and how many bytes came in it.
type spell struct {
	took  time.Duration
	bytes int64
}

const (
	// patience is the length of a spell. A sender is not slow as long as it
	// sends within that time, and would send what is held of it.
	patience = time.Second
	forever  = time.Duration(math.MaxInt64 / 4)
)

func (b *budget) clock() time.Duration { return time.Since(b.epoch) + 1 }

// wait is called before a body is read.
func (b *budget) wait(s *share) { s.waiting.Store(int64(b.clock())) }

// arrived is called after n bytes were read, with whole after the last. It
// reports whether there is room for them. If not, the body was given up.
func (b *budget) arrived(s *share, n int64, whole bool) bool {
	now := b.clock()
	since := time.Duration(s.waiting.Swap(0))
	b.mu.Lock()
	ok, givenUp := b.charge(s, n, whole, now, now-since)
	b.mu.Unlock()
	for _, slow := range givenUp {
		slow.owner.giveUp()
	}
	return ok
}

func (b *budget) charge(s *share, n int64, whole bool, now, took time.Duration) (ok bool, givenUp []*share) {
	if s.gone {
		return false, nil
	}
	s.now.took += took
	s.now.bytes += n
	if s.now.took >= patience {
		s.before, s.now = s.now, spell{}
	}
	for b.used+n > b.limit {
		slow := b.slowest(s, now)
		if slow == nil {
			return false, givenUp
		}
		b.drop(slow)
		slow.gone = true
		givenUp = append(givenUp, slow)
	}
	b.used += n
	s.held += n
	switch {
	case whole:
		b.leave(s)
	case s.held > 0 && s.place == 0:
		b.open = append(b.open, s)
		s.place = len(b.open)
	}
	return true, givenUp
}

// slowest finds the body whose sender is the slowest, and of several the
// largest, if it is slow, and much slower than the sender of s.
func (b *budget) slowest(s *share, now time.Duration) (slow *share) {
	most := max(patience, 2*s.again(0))
	for _, other := range b.open {
		if other == s {
			continue
		}
		again := other.slowness(now)
		if again > most || again == most && (slow == nil || other.held > slow.held) {
			slow, most = other, again
		}
	}
	return slow
}

// slowness is how long the sender of s would need for what is held of it.
func (s *share) slowness(now time.Duration) time.Duration {
	since := time.Duration(s.waiting.Load())
	if since == 0 {
		return 0 // it waits for the store
	}
	if now-since >= patience {
		return forever
	}
	return s.again(now - since)
}

// again is the time for what is held at the pace of the last spells and of the
// present one, in which nothing has come yet.
func (s *share) again(took time.Duration) time.Duration {
	took += s.before.took + s.now.took
	bytes := s.before.bytes + s.now.bytes
	if bytes == 0 {
		return min(took, forever)
	}
	return time.Duration(min(float64(took)*float64(s.held)/float64(bytes), float64(forever)))
}

// release gives back what s holds.
func (b *budget) release(s *share) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.drop(s)
}

func (b *budget) drop(s *share) {
	b.leave(s)
	b.used -= s.held
	s.held = 0
}

// leave takes s out of those that may be given up.
func (b *budget) leave(s *share) {
	if s.place == 0 {
		return
	}
	last := b.open[len(b.open)-1]
	b.open[s.place-1], last.place = last, s.place
	b.open[len(b.open)-1] = nil
	b.open = b.open[:len(b.open)-1]
	s.place = 0
}
