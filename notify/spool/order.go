package spool

import (
	"time"

	"github.com/garminkit/activityapi/notify"
)

// The Order of an item is the order of its body plus the item's offset in it. A
// body takes as many orders as it has bytes. It starts at twice the clock's
// nanoseconds or at the end of the body before, whichever is more. No disk takes
// 2 GB per second for long, so orders do not run ahead of the clock, and a new
// directory starts above all orders of a lost one. Names and records on the disk
// hold the orders given, so a clock that is set back changes nothing. A redriven
// letter is a body with its former order.

// orderAt is the least order of a body received at a time.
func orderAt(t time.Time) uint64 { return uint64(max(t.UnixNano(), 0)) * 2 }

// oldOrder is the order of a body of version 0.1, which had no orders. It is
// below all others.
func oldOrder(seq uint64) uint64 { return seq << offsetBits }

// orderOf returns the order of an item, given that of its body. A whole body
// comes after the items in it.
func orderOf(body uint64, p *notify.Piece) uint64 {
	if p.Offset == 0 {
		return body + uint64(p.Size)
	}
	return body + uint64(p.Offset)
}

// nextOrder returns n orders; s.mu is held.
func (s *spool) nextOrder(now time.Time, n uint64) uint64 {
	first := max(s.order, orderAt(now))
	s.order = first + n
	return first
}

// sawOrder notes that a body of n bytes has these orders. One of 2^63 or more is left
// out: a clock gives none before the year 2116, and to go on from it could overflow.
func (s *spool) sawOrder(body uint64, n int64) {
	if body < 1<<63 {
		s.order = max(s.order, body+uint64(n)+1)
	}
}
