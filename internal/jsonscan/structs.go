package jsonscan

import (
	"math"
	"math/bits"
)

// How samples are read. A list of samples is most of a body, and its elements hold
// nothing but numbers. They go two ways: from the text to the tape in one loop
// (run), and at the end from the tape to the structs. An element that run cannot
// read, because it is odd or the window ends in it, is read by object, which can
// read anything. Nothing of an element counts until all of it was read, so that
// run can stop anywhere.
//
// The structs are not filled at once because their number is unknown: a slice that
// grows would copy them, 128 bytes each, and leave the old ones to the collector.
// The tape takes a third of that, and is used again for the next list.

// structs reads the array of objects in field f. The number of elements is only
// known at its end, so their values first go to the tape, and then into a slice
// of exactly the right size.
func (s *Scanner) structs(f *field, at int, dst Target, depth int) bool {
	s.pos++
	l := list{plan: f.plan, order: s.order(f.plan), vals: s.values(depth), base: -1}
	l.visit = s.opts.Visit != nil && l.plan.typ == s.opts.Element
	s.tape.reset()
	level := len(s.path)
	s.path = append(s.path, step{f.key(), -1})
	for ; s.Next(']', l.index == 0); l.index++ {
		s.path[level].index = l.index
		if !s.elements(&l, depth) {
			return false
		}
	}
	if s.err != nil {
		return false
	}
	s.path = s.path[:level]
	if l.visit {
		return true
	}
	s.arena = s.tape.numbers()
	s.tape.replay(l.plan, dst.List(at, l.n), l.vals, &s.arena)
	s.arena = Arena{}
	return true
}

// list is an array of objects while it is read.
type list struct {
	plan  *plan
	order *order
	vals  *Values
	visit bool
	index int // of the element
	n     int // the elements that are there

	// The last value of the last element ended at tail in the window that began at
	// base. base is -1 if the last element was not read by run: between two that
	// are plain may then stand one that counts, and must not become a part of what
	// is read over.
	tail int
	base int64
}

// elements reads one element, and those behind it that are as plain. It leaves out
// null, and a value that is a defect.
func (s *Scanner) elements(l *list, depth int) bool {
	if s.buf[s.pos] == '{' && !s.over() {
		if done, ok := s.run(l); done || !ok {
			return ok
		}
		s.path[len(s.path)-1].index = l.index
	}
	// What is behind this element is no seam.
	l.base = -1
	switch c := s.buf[s.pos]; {
	case s.over():
		return s.skip(depth)
	case c == '{':
		l.vals.Seen = 0
		return s.object(l.plan, nil, l.vals, depth+1) && s.keep(l)
	case c == 'n':
		return s.literal("null")
	default:
		s.defect(s.offset(), "", "an object", typeOf(c).String())
		return s.skip(depth)
	}
}

// keep adds an element to the list.
func (s *Scanner) keep(l *list) bool {
	n := l.n
	l.n++
	if l.visit {
		return s.show(l.plan, l.vals, n)
	}
	s.tape.add(l.plan, l.vals)
	return true
}

// show hands an element to the visitor.
func (s *Scanner) show(p *plan, vals *Values, n int) bool {
	s.arena = Arena{s.visitFloats[:], s.visitInts[:]}
	s.arena.gather(p, vals)
	if err := s.opts.Visit(n, vals, &s.arena); err != nil {
		s.visitErr = err
		return s.fatal(s.offset(), err)
	}
	return true
}

// run reads objects at once, as long as all of one is there and nothing in it is
// unusual: keys in their usual spelling and plain numbers, also for unknown keys.
// It returns done == false with the place at an object that [Scanner.object] must
// read.
//
// An element ends where a seam was found, and the number behind it: then two
// elements, the comma between them and the first key of the second are checked by
// one comparison.
func (s *Scanner) run(l *list) (done, ok bool) {
	b, o, vals := s.buf, l.order, l.vals
	i := s.pos + 1
	prev, first := start, true
	at := &o.first
	vals.Seen = 0
	for {
		k := at.field
		v, next := at.number(b, i)
		if next > 0 {
			if at == &o.seam {
				// The element before this value is whole.
				s.pos = i + o.brace
				if !s.keep(l) {
					return false, false
				}
				if l.index++; s.over() {
					return false, true
				}
				vals.Seen = 0
			}
			i = next
		} else {
			// Something else is there, or the number is odd, or the window ends.
			from := i
			if at == &o.seam {
				at = &o.places[end]
			}
			if k = at.field; at.lead.at(b, i) {
				i += int(at.lead.n)
			} else if at := o.rival(b, i, prev, first); at != nil {
				k = at.field
				i += int(at.lead.n)
			} else if k, i = o.find(b, i, prev, first); i == 0 || k == unknown && s.opts.UnknownKey != nil {
				return false, true
			}
			switch {
			case k == unknown:
				if _, i = float(b, i); i == 0 {
					return false, true
				}
				first = false
				at = o.after(prev)
				continue
			case k == end:
				l.tail, l.base = from, s.base
				s.pos = i
				return true, s.keep(l)
			case first && l.base == s.base:
				// Both elements lie in this window.
				o.learnSeam(k, b[l.tail:i], s.pos-l.tail)
			}
			if v, i = bare[o.places[k].form].number(b, i); i == 0 {
				return false, true
			}
		}
		first = false
		vals.Bits[k&63] = v
		vals.Seen |= 1 << k
		prev = k
		if next := o.places[k].next[0]; next == end {
			at = &o.seam
		} else {
			at = &o.places[next]
		}
	}
}

// tape holds the values of a list's elements while their number is unknown. The
// next list reuses it.
//
// Numbers that structs point to are kept apart from the others, floats and integers
// each in their order: so they are copied as a whole to where the structs will point,
// and replay sets pointers alone.
type tape struct {
	// heads has for each element the mask of its fields, and the bits of those
	// that are no pointers.
	heads  column[uint64]
	floats column[float64]
	ints   column[int]
}

func (t *tape) reset() {
	t.heads.reset()
	t.floats.reset()
	t.ints.reset()
}

func (t *tape) add(p *plan, vals *Values) {
	w, n := t.heads.room(), 1
	w[0] = vals.Seen
	for m := vals.Seen &^ (p.floatPtrs | p.intPtrs); m != 0; m &= m - 1 {
		w[n&31] = vals.Bits[bits.TrailingZeros64(m)]
		n++
	}
	t.heads.take(n)
	floats, n := t.floats.room(), 0
	for m := vals.Seen & p.floatPtrs; m != 0; m &= m - 1 {
		floats[n&31] = math.Float64frombits(vals.Bits[bits.TrailingZeros64(m)])
		n++
	}
	t.floats.take(n)
	ints, n := t.ints.room(), 0
	for m := vals.Seen & p.intPtrs; m != 0; m &= m - 1 {
		ints[n&31] = int(vals.Bits[bits.TrailingZeros64(m)])
		n++
	}
	t.ints.take(n)
}

// numbers returns a copy of all numbers on the tape.
func (t *tape) numbers() Arena { return Arena{t.floats.all(), t.ints.all()} }

// replay stores the elements in a list, to whose numbers a leads. list is generated
// code for the structs of package types.
func (t *tape) replay(p *plan, list List, vals *Values, a *Arena) {
	e := 0
	for _, part := range t.heads.parts[:t.heads.used] {
		for len(part) > 0 {
			vals.Seen = part[0]
			n := 1
			for m := vals.Seen &^ (p.floatPtrs | p.intPtrs); m != 0; m &= m - 1 {
				vals.Bits[bits.TrailingZeros64(m)] = part[n]
				n++
			}
			list.Store(e, vals, a)
			e++
			part = part[n:]
		}
	}
}

// column is a list that grows without being copied: in parts, each twice as large as
// the one before, up to a bound.
type column[T any] struct {
	parts [][]T
	used  int
}

const (
	firstPart = 1 << 7
	mostPart  = 1 << 15 // little is left unused, and an hour's samples fit in one
	partRoom  = 32      // an element has no more: 31 fields and a mask
)

// reset makes the list empty. The last part is the largest: the others are not
// worth their number.
func (c *column[T]) reset() {
	c.used = 0
	if n := len(c.parts); n > 0 {
		c.parts = append(c.parts[:0], c.parts[n-1][:0])
	}
}

// room returns the room for the next values, of which take takes n.
func (c *column[T]) room() *[partRoom]T {
	if c.used > 0 {
		if last := c.parts[c.used-1]; cap(last)-len(last) >= partRoom {
			return (*[partRoom]T)(last[len(last) : len(last)+partRoom])
		}
	}
	if c.used == len(c.parts) {
		size := firstPart
		if c.used > 0 {
			size = min(2*cap(c.parts[c.used-1]), mostPart)
		}
		c.parts = append(c.parts, make([]T, 0, size))
	}
	c.used++
	return (*[partRoom]T)(c.parts[c.used-1][:partRoom])
}

func (c *column[T]) take(n int) {
	last := &c.parts[c.used-1]
	*last = (*last)[:len(*last)+n]
}

// all returns a copy of the list. If it has one part, append does not clear the
// memory that it copies to.
func (c *column[T]) all() []T {
	if c.used == 1 {
		return append([]T(nil), c.parts[0]...)
	}
	n := 0
	for _, part := range c.parts[:c.used] {
		n += len(part)
	}
	all := make([]T, 0, n)
	for _, part := range c.parts[:c.used] {
		all = append(all, part...)
	}
	return all
}
