package jsonscan

import (
	"math"
	"math/bits"
)

// structs reads the array of objects in field f. The number of elements is only
// known at its end, so their values first go to the tape, and then into a slice
// of exactly the right size.
func (s *Scanner) structs(f *field, at int, dst Target, depth int) bool {
	s.pos++
	p, o := f.plan, s.order(f.plan)
	visit := s.opts.Visit != nil && p.typ == s.opts.Element
	s.tape.reset()
	level := len(s.path)
	s.path = append(s.path, step{f.key(), -1})
	vals := s.values(depth)
	n := 0 // the elements that are there
	for i := 0; s.Next(']', i == 0); i++ {
		s.path[level].index = i
		if s.over() {
			if !s.skip(depth) {
				return false
			}
			continue
		}
		there, ok := s.element(p, o, vals, depth)
		switch {
		case !ok:
			return false
		case !there:
			continue
		case !visit:
			s.tape.add(p, vals)
		case !s.show(vals, n):
			return false
		}
		n++
	}
	if s.err != nil {
		return false
	}
	s.path = s.path[:level]
	if visit {
		return true
	}
	s.arena.reset(s.tape.floats, s.tape.ints)
	s.tape.replay(p, dst.List(at, n), vals, &s.arena)
	s.arena = Arena{}
	return true
}

// element reads one object into vals. It returns there == false for an element to
// leave out: null, or a value that is a defect.
func (s *Scanner) element(p *plan, o *order, vals *Values, depth int) (there, ok bool) {
	vals.Seen = 0
	switch c := s.buf[s.pos]; c {
	case '{':
		if next := flat(s.buf, s.pos, o, vals, s.opts.UnknownKey != nil); next > 0 {
			s.pos = next
			return true, true
		}
		vals.Seen = 0
		return true, s.object(p, nil, vals, depth+1)
	case 'n':
		return false, s.literal("null")
	default:
		s.defect(s.offset(), "", "an object", typeOf(c).String())
		return false, s.skip(depth)
	}
}

// show hands an element to the visitor.
func (s *Scanner) show(vals *Values, n int) bool {
	s.arena = Arena{s.visitFloats[:], s.visitInts[:]}
	err := s.opts.Visit(n, vals, &s.arena)
	s.arena = Arena{}
	if err != nil {
		s.visitErr = err
		return s.fatal(s.offset(), err)
	}
	return true
}

// flat reads the object at b[i:] at once, if all of it is there and nothing in it
// is unusual: keys in their usual spelling and plain numbers, also for unknown
// keys. It returns the index after the object, or 0 if [Scanner.object] must read
// it.
func flat(b []byte, i int, o *order, vals *Values, known bool) int {
	p := o.plan
	prev := start
	i++
	for first := true; ; first = false {
		k, lead := o.guess(prev, first)
		if n := i + len(lead); n <= len(b) && len(lead) > 0 && string(b[i:n]) == string(lead) {
			i = n
		} else if k, i = o.find(b, i, prev, first); i == 0 || known && k == unknown {
			return 0
		}
		if k == end {
			return i
		}
		if k == unknown {
			if _, i = float(b, i); i == 0 {
				return 0
			}
			continue
		}
		prev = k
		switch p.fields[k].kind {
		case kindFloat, kindFloatPtr:
			var v float64
			v, i = float(b, i)
			vals.Bits[k] = math.Float64bits(v)
		case kindInt, kindIntPtr:
			var v int64
			v, i = integer(b, i)
			if int64(int(v)) != v {
				return 0
			}
			vals.Bits[k] = uint64(v)
		default:
			return 0
		}
		if i == 0 {
			return 0
		}
		vals.Seen |= 1 << k
	}
}

// tape holds the values of a list's elements while their number is unknown, in
// 32-bit words: a mask of the fields of an element, and then their values,
// integers in one word and floats in two. If an integer or a time does not fit in
// one word, the mask's top bit says that all integers of this element have two.
// The next list reuses the tape.
type tape struct {
	parts        [][]uint32
	used         int
	floats, ints int
}

const (
	wide      = 1 << 31
	firstPart = 1 << 10
	mostPart  = 1 << 16 // words, so that little is left unused
	mostWords = 1 + 2*31
)

func (t *tape) reset() {
	t.used, t.floats, t.ints = 0, 0, 0
	for i := range t.parts {
		t.parts[i] = t.parts[i][:0]
	}
}

// part returns a part with room for one more element.
func (t *tape) part() *[]uint32 {
	if t.used > 0 {
		if last := &t.parts[t.used-1]; cap(*last)-len(*last) >= mostWords {
			return last
		}
	}
	if t.used == len(t.parts) {
		size := min(firstPart<<(2*min(t.used, 8)), mostPart)
		t.parts = append(t.parts, make([]uint32, 0, size))
	}
	t.used++
	return &t.parts[t.used-1]
}

func (t *tape) add(p *plan, vals *Values) {
	t.floats += bits.OnesCount64(vals.Seen & p.floatPtrs)
	t.ints += bits.OnesCount64(vals.Seen & p.intPtrs)
	part := t.part()
	words := (*part)[len(*part) : len(*part)+mostWords]
	n, ok := put(words, p, vals, false)
	if !ok {
		n, _ = put(words, p, vals, true)
	}
	*part = (*part)[:len(*part)+n]
}

// put writes one element to w and returns its size. It returns false if a value
// does not fit and long is not set.
func put(w []uint32, p *plan, vals *Values, long bool) (int, bool) {
	_ = w[mostWords-1]
	w[0] = uint32(vals.Seen)
	if long {
		w[0] |= wide
	}
	n := 1
	for m := vals.Seen; m != 0; m &= m - 1 {
		i := bits.TrailingZeros64(m)
		v := vals.Bits[i]
		if k := p.fields[i].kind; k != kindFloatPtr && !long {
			if k == kindFloat {
				f := math.Float64frombits(v)
				v = uint64(uint32(int64(f)))
				if float64(v) != f || f == 0 {
					return 0, false
				}
			} else if int64(int32(v)) != int64(v) {
				return 0, false
			}
			w[n] = uint32(v)
			n++
			continue
		}
		w[n], w[n+1] = uint32(v), uint32(v>>32)
		n += 2
	}
	return n, true
}

// replay stores the elements in a list. All their floats are in one array, and
// all their integers in another.
func (t *tape) replay(p *plan, list List, vals *Values, a *Arena) {
	e := 0
	for _, part := range t.parts[:t.used] {
		for len(part) > 0 {
			mask := part[0]
			n := 1
			vals.Seen = uint64(mask &^ wide)
			for m := mask &^ wide; m != 0; m &= m - 1 {
				i := bits.TrailingZeros32(m)
				v := uint64(part[n])
				n++
				if k := p.fields[i].kind; mask&wide != 0 || k == kindFloatPtr {
					v |= uint64(part[n]) << 32
					n++
				} else if k == kindFloat {
					v = math.Float64bits(float64(v))
				} else {
					v = uint64(int32(v))
				}
				vals.Bits[i] = v
			}
			list.Store(e, vals, a)
			e++
			part = part[n:]
		}
	}
}
