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
		// No target: elements have nothing but values, which go to the tape.
		if !s.object(l.plan, nil, l.vals, depth+1) {
			return false
		}
		s.tape.add(l.plan, l.vals)
		return s.keep(l, l.vals.Seen)
	case c == 'n':
		return s.literal("null")
	default:
		s.defect(s.offset(), "", "an object", typeOf(c).String())
		return s.skip(depth)
	}
}

// keep adds the element whose values are at the end of the tape to the list, or hands
// it to the visitor.
func (s *Scanner) keep(l *list, seen uint64) bool {
	n := l.n
	l.n++
	t := &s.tape
	if !l.visit {
		t.keep(seen)
		return true
	}
	head := t.heads.open()
	head[0] = seen
	l.vals.head(l.plan, head)
	s.arena = Arena{t.floats.open(), t.ints.open()}
	t.begin()
	if err := s.opts.Visit(n, l.vals, &s.arena); err != nil {
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
	b, o, t := s.buf, l.order, &s.tape
	i := s.pos + 1
	at, prev := &o.first, start
	t.begin()
	seen := uint64(0)
	for {
		var v uint64
		var size uint
		if len(b)-i >= numberRoom {
			v, size = at.number((*[numberRoom]byte)(b[i : i+numberRoom]))
		}
		if size > 0 {
			if at == &o.seam {
				// The element before this value is whole.
				s.pos = i + o.brace
				if !s.keep(l, seen) {
					return false, false
				}
				if l.index++; s.over() {
					return false, true
				}
				seen = 0
			}
			i += int(size)
		} else {
			tail := i
			at, v, i = s.odd(l, at, prev, i)
			switch {
			case i == 0:
				return false, true
			case at == nil:
				at = o.after(prev)
				continue
			case at == &o.places[end]:
				l.tail, l.base = tail, s.base
				s.pos = i
				return true, s.keep(l, seen)
			}
		}
		// Values of a row must be on the tape in the order of the fields, each once. A
		// key that comes late or again is for object, whose values wait in Values.
		if seen&at.behind != 0 {
			return false, true
		}
		switch at.row {
		case rowFloats:
			t.floats.put(math.Float64frombits(v))
		case rowInts:
			t.ints.put(int(v))
		default:
			t.heads.put(v)
		}
		prev = at.field
		seen |= 1 << (prev & 63)
		if at = at.self.then; at == &o.places[end] {
			at = &o.seam
		}
	}
}

// odd reads what at is not: another key, an odd number, the end of the element, or
// what the window ends in. It returns the place of the value v, or nil for that of an
// unknown key, with the index after it; the index is 0 if object must read the element.
func (s *Scanner) odd(l *list, at *place, prev, i int) (_ *place, v uint64, next int) {
	b, o, first := s.buf, l.order, prev == start
	if at == &o.seam {
		at = &o.places[end]
	}
	k := at.field
	if at.lead.at(b, i) {
		i += int(at.lead.n)
	} else if at := o.rival(b, i, prev, first); at != nil {
		k = at.field
		i += int(at.lead.n)
	} else if k, i = o.find(b, i, prev, first); i == 0 {
		return nil, 0, 0
	}
	switch {
	case k == unknown:
		if first || s.opts.UnknownKey != nil {
			return nil, 0, 0
		}
		_, i = o.bare.float(b, i)
		return nil, 0, i
	case k == end:
		return &o.places[end], 0, i
	case first && l.base == s.base:
		// Both elements lie in this window.
		o.learnSeam(k, b[l.tail:i], s.pos-l.tail)
	}
	at = &o.places[k]
	v, i = o.bare.read(at.form, b, i)
	return at, v, i
}

// tape holds the values of a list's elements while their number is unknown. The
// next list reuses it.
//
// Numbers that structs point to are kept apart from the others, floats and integers
// each in their order: so they are copied as a whole to where the structs will point,
// and replay sets pointers alone.
type tape struct {
	// heads has for each element the mask of its fields, and behind it the bits of
	// those that are no pointers.
	heads  column[uint64]
	floats column[float64]
	ints   column[int]
}

func (t *tape) reset() {
	t.heads.reset()
	t.floats.reset()
	t.ints.reset()
}

// begin begins an element, and forgets one that was not kept.
func (t *tape) begin() {
	t.heads.begin()
	t.floats.begin()
	t.ints.begin()
	t.heads.put(0) // room for the mask
}

// keep ends the element with these fields, and begins the next.
func (t *tape) keep(seen uint64) {
	t.heads.last[t.heads.kept] = seen
	t.heads.keep()
	t.floats.keep()
	t.ints.keep()
	t.heads.put(0)
}

// add begins an element with these values.
func (t *tape) add(p *plan, vals *Values) {
	t.begin()
	for m := vals.Seen &^ p.pointers(); m != 0; m &= m - 1 {
		t.heads.put(vals.Bits[bits.TrailingZeros64(m)])
	}
	for m := vals.Seen & p.floatPtrs; m != 0; m &= m - 1 {
		t.floats.put(math.Float64frombits(vals.Bits[bits.TrailingZeros64(m)]))
	}
	for m := vals.Seen & p.intPtrs; m != 0; m &= m - 1 {
		t.ints.put(int(vals.Bits[bits.TrailingZeros64(m)]))
	}
}

// head sets what the front of heads says of an element, and returns the rest.
func (v *Values) head(p *plan, heads []uint64) []uint64 {
	v.Seen = heads[0]
	n := 1
	for m := v.Seen &^ p.pointers(); m != 0; m &= m - 1 {
		v.Bits[bits.TrailingZeros64(m)] = heads[n]
		n++
	}
	return heads[n:]
}

// numbers returns a copy of all numbers on the tape.
func (t *tape) numbers() Arena { return Arena{t.floats.all(), t.ints.all()} }

// replay stores the elements in a list, to whose numbers a leads. list is generated
// code for the structs of package types.
func (t *tape) replay(p *plan, list List, vals *Values, a *Arena) {
	e := 0
	for n := range len(t.heads.full) + 1 {
		part := t.heads.last[:t.heads.kept]
		if n < len(t.heads.full) {
			part = t.heads.full[n]
		}
		for ; len(part) > 0; e++ {
			part = vals.head(p, part)
			list.Store(e, vals, a)
		}
	}
}

// column is a list that grows without being copied: in parts, each twice as large as
// the one before, up to a bound. The values of an element lie in one part. They count
// once the element is kept.
type column[T any] struct {
	full [][]T // the parts before the last
	last []T
	kept int // of last, the values of whole elements
	at   int // where the next value goes
}

const (
	firstPart = 1 << 7
	mostPart  = 1 << 15 // little is left unused, and an hour's samples fit in one
	partRoom  = 32      // an element has no more: 31 fields and a mask
)

// reset makes the list empty. The last part is the largest: the others are not
// worth their number.
func (c *column[T]) reset() {
	clear(c.full)
	c.full, c.kept, c.at = c.full[:0], 0, 0
	if c.last == nil {
		c.last = make([]T, firstPart)
	}
}

// put adds a value to the element.
func (c *column[T]) put(v T) {
	c.last[c.at] = v
	c.at++
}

// begin begins an element, and forgets one that was not kept.
func (c *column[T]) begin() { c.at = c.kept }

// open returns the values of the element that was begun.
func (c *column[T]) open() []T { return c.last[c.kept:c.at] }

// keep ends an element, and makes room for the next.
func (c *column[T]) keep() {
	if c.kept = c.at; len(c.last)-c.kept < partRoom {
		c.grow()
	}
}

func (c *column[T]) grow() {
	c.full = append(c.full, c.last[:c.kept])
	c.last = make([]T, min(2*len(c.last), mostPart))
	c.kept, c.at = 0, 0
}

// all returns a copy of the list. If it has one part, append does not clear the
// memory that it copies to.
func (c *column[T]) all() []T {
	last := c.last[:c.kept]
	if len(c.full) == 0 {
		return append([]T(nil), last...)
	}
	n := len(last)
	for _, part := range c.full {
		n += len(part)
	}
	all := make([]T, 0, n)
	for _, part := range c.full {
		all = append(all, part...)
	}
	return append(all, last...)
}
