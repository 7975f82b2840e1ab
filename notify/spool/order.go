package spool

import (
	"time"

	"github.com/garminkit/activityapi/notify"
)

// The Order of an item is that of its body and the place in the body where it
// begins. A body takes as many orders as it has bytes, and begins at twice the
// nanoseconds of the clock or where the one before has ended, whichever is more:
// no disk takes 2 GB a second for long, so orders keep up with the clock and a
// new directory begins above all that a lost one gave. What was given is in the
// names and records on the disk, so that a clock that is set back changes
// nothing. A redriven letter is a body with the order that it had.

// orderAt is the least order of what comes at a time.
func orderAt(t time.Time) uint64 { return uint64(max(t.UnixNano(), 0)) * 2 }

// oldOrder is the order of a body of version 0.1, which numbered items alone. It
// is below all others.
func oldOrder(seq uint64) uint64 { return seq << offsetBits }

// orderOf is the order of an item, by that of its body. A whole body is behind
// what is in it.
func orderOf(body uint64, p *notify.Piece) uint64 {
	if p.Offset == 0 {
		return body + uint64(p.Size)
	}
	return body + uint64(p.Offset)
}

// nextOrder gives n orders; s.mu is held.
func (s *Spool) nextOrder(now time.Time, n uint64) uint64 {
	first := max(s.order, orderAt(now))
	s.order = first + n
	return first
}

// sawOrder notes that a body of n bytes has these orders.
func (s *Spool) sawOrder(body uint64, n int64) {
	if body < 1<<63 {
		s.order = max(s.order, body+uint64(n)+1)
	}
}
