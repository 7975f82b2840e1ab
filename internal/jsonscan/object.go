package jsonscan

import (
	"fmt"
	"math"
	"math/bits"
	"reflect"
	"unsafe"
)

// values are what was read for the fields of one struct. Bit i of seen is set
// once field i has one; if the field's kind is a value, bits[i] is it.
type values struct {
	seen uint64
	bits [maxFields]uint64
}

func (v *values) set(i int, bits uint64) {
	v.seen |= 1 << i
	v.bits[i] = bits
}

// object reads the object that begins at the place. Values go to vals, and
// everything else into the struct at dst. Where a key repeats, the last counts.
func (s *Scanner) object(p *plan, dst unsafe.Pointer, vals *values, depth int) bool {
	s.pos++
	o := s.order(p)
	prev, first := start, true
	for {
		i, lead := o.guess(prev, first)
		if len(lead) > 0 && len(s.buf)-s.pos > len(lead) && string(s.buf[s.pos:s.pos+len(lead)]) == string(lead) {
			s.pos += len(lead)
			s.spelt = ""
		} else if k, next := o.find(s.buf, s.pos, prev, first); next > 0 && k != unknown {
			i, s.pos, s.spelt = k, next, ""
		} else {
			var ok bool
			if i, ok = s.member(o, prev, first); !ok {
				return false
			}
		}
		if i == end {
			s.empty = first && depth == 1
			return true
		}
		first = false
		if c := s.peek(); c == 0 && s.err != nil {
			return false
		}
		ok := true
		if i == unknown {
			ok = s.skip(depth)
		} else {
			prev = i
			f := &p.fields[i]
			switch {
			case s.bad != nil && (s.hard || !f.own):
				ok = s.skip(depth)
			case s.plainField(f, i, dst, vals):
			default:
				ok = s.field(f, i, dst, vals, depth)
			}
		}
		if !ok {
			return false
		}
	}
}

// plainField does what field does, if the value is of the right type, written
// in the plainest way, and all in the window. Nothing happens otherwise.
func (s *Scanner) plainField(f *field, i int, dst unsafe.Pointer, vals *values) bool {
	b := s.buf
	switch f.kind {
	case kindFloat, kindFloatPtr:
		v, next := float(b, s.pos)
		if next == 0 {
			return false
		}
		s.pos = next
		vals.set(i, math.Float64bits(v))
		return true
	case kindInt, kindIntPtr:
		v, next := integer(b, s.pos)
		if next == 0 || int64(int(v)) != v {
			return false
		}
		s.pos = next
		vals.set(i, uint64(v))
		return true
	case kindString, kindID:
		from := s.pos + 1
		var to int
		if b[s.pos] == '"' {
			if to = plain(b, from); to >= len(b) || b[to] != '"' {
				return false
			}
			s.pos = to + 1
		} else if from--; f.kind == kindID && b[from] != '0' && len(b)-from >= numberRoom {
			_, to = digits(b, from)
			if n := to - from; n == 0 || n == 16 || b[to] == '.' || b[to]|0x20 == 'e' {
				return false
			}
			s.pos = to
		} else {
			return false
		}
		if at := (*string)(f.at(dst)); f.kind == kindString {
			*at = s.names.get(b[from:to])
		} else {
			*at = s.idOf(b[from:to])
		}
		vals.seen |= 1 << i
		return true
	}
	return false
}

// idOf makes a string of an id. Those of one record often begin with the same
// digits, and then share them.
func (s *Scanner) idOf(text []byte) string {
	if n := len(text); n <= len(s.lastID) && s.lastID[:n] == string(text) {
		return s.lastID[:n]
	}
	s.lastID = string(text)
	return s.lastID
}

// member reads what leads to the next value of an object, with its key, or the
// end of the object. It returns the index of the key's field.
func (s *Scanner) member(o *order, prev int, first bool) (int, bool) {
	from, base := s.pos, s.base
	switch c := s.peek(); {
	case c == '}':
		s.pos++
		if s.base == base {
			o.learn(prev, end, first, s.buf[from:s.pos])
		}
		return end, true
	case first:
	case c == ',':
		s.pos++
		s.peek()
	default:
		return 0, s.unexpected("',' or '}'")
	}
	if s.err != nil {
		return 0, false
	}
	if s.buf[s.pos] != '"' {
		return 0, s.unexpected("a key")
	}
	key, ok := s.text()
	if !ok {
		return 0, false
	}
	var i int
	if i, s.spelt = o.plan.index.find(key); i == unknown && s.opts.UnknownKey != nil && s.bad == nil {
		s.opts.UnknownKey(s.pathTo(string(key)))
	}
	if !s.Open(':') {
		return 0, false
	}
	s.peek()
	if i != unknown && s.spelt == o.plan.fields[i].key() && s.base == base {
		o.learn(prev, i, first, s.buf[from:s.pos])
	}
	return i, s.err == nil
}

// field reads the value of field i, which begins at the place.
func (s *Scanner) field(f *field, i int, dst unsafe.Pointer, vals *values, depth int) bool {
	c := s.buf[s.pos]
	if c == 'n' {
		if !s.literal("null") {
			return false
		}
		if vals.seen>>i&1 != 0 && !f.kind.value() {
			reflect.NewAt(f.typ, f.at(dst)).Elem().SetZero()
		}
		vals.seen &^= 1 << i
		return true
	}
	switch f.kind {
	case kindFloat, kindFloatPtr:
		return s.number64(f, i, vals, depth, "a number")
	case kindInt, kindIntPtr:
		return s.number64(f, i, vals, depth, "an integer")
	case kindBool:
		if c != 't' && c != 'f' {
			return s.mismatch(f, "a boolean", depth)
		}
		word, v := "false", uint64(0)
		if c == 't' {
			word, v = "true", 1
		}
		vals.set(i, v)
		return s.literal(word)
	case kindString:
		if c != '"' {
			return s.mismatch(f, "a string", depth)
		}
		text, ok := s.text()
		if ok {
			*(*string)(f.at(dst)) = s.names.get(text)
			vals.seen |= 1 << i
		}
		return ok
	case kindID:
		vals.seen |= 1 << i
		return s.id(f, dst, depth)
	case kindStrings:
		if c != '[' {
			return s.mismatch(f, "an array", depth)
		}
		vals.seen |= 1 << i
		return s.strings(f, dst, depth)
	case kindStruct:
		if c != '{' {
			return s.mismatch(f, "an object", depth)
		}
		if vals.seen>>i&1 != 0 {
			reflect.NewAt(f.typ, f.at(dst)).Elem().SetZero()
		}
		vals.seen |= 1 << i
		return s.nested(f, f.at(dst), depth+1)
	default: // kindList
		if c != '[' {
			return s.mismatch(f, "an array", depth)
		}
		vals.seen |= 1 << i
		return s.structs(f, dst, depth+1)
	}
}

// mismatch spoils the item for a value of the wrong type, and reads over it.
func (s *Scanner) mismatch(f *field, want string, depth int) bool {
	s.refuse(s.offset(), s.name(f), f.own, fmt.Errorf("want %s, have %s", want, s.what()))
	return s.skip(depth)
}

// number64 reads the number of a float or integer field.
func (s *Scanner) number64(f *field, i int, vals *values, depth int, want string) bool {
	return s.numeral(f, depth, want, func(text []byte) error {
		if f.kind == kindFloat || f.kind == kindFloatPtr {
			v, err := anyFloat(text)
			if err == nil {
				vals.set(i, math.Float64bits(v))
			}
			return err
		}
		v, err := anyInteger(text)
		if err == nil {
			vals.set(i, uint64(v))
		}
		return err
	})
}

// numeral reads a number of any form and hands it to use, whose error spoils
// the item.
func (s *Scanner) numeral(f *field, depth int, want string, use func(text []byte) error) bool {
	if c := s.buf[s.pos]; c != '-' && c-'0' > 9 {
		return s.mismatch(f, want, depth)
	}
	text, ok := s.number()
	if !ok {
		return false
	}
	if text == nil {
		s.refuse(s.offset(), s.name(f), f.own, errLong)
		return s.skip(depth)
	}
	if err := use(text); err != nil {
		s.refuse(s.offset()-int64(len(text)), s.name(f), f.own, fmt.Errorf("%w, have %s", err, excerpt(text)))
	}
	return true
}

// name returns the key of a field as the body spells it.
func (s *Scanner) name(f *field) string {
	if s.spelt != "" {
		return s.spelt
	}
	return f.key()
}

func excerpt(b []byte) string {
	if len(b) > 40 {
		return string(b[:40]) + "..."
	}
	return string(b)
}

func (s *Scanner) id(f *field, dst unsafe.Pointer, depth int) bool {
	if s.buf[s.pos] == '"' {
		text, ok := s.text()
		if ok {
			*(*string)(f.at(dst)) = s.idOf(text)
		}
		return ok
	}
	return s.numeral(f, depth, "a string or an integer", func(text []byte) error {
		id, err := anyID(text)
		*(*string)(f.at(dst)) = id
		return err
	})
}

func (s *Scanner) strings(f *field, dst unsafe.Pointer, depth int) bool {
	s.pos++
	list := []string{}
	for s.Next(']', len(list) == 0) {
		switch s.buf[s.pos] {
		case '"':
			text, ok := s.text()
			if !ok {
				return false
			}
			list = append(list, s.names.get(text))
			continue
		case 'n':
			if !s.literal("null") {
				return false
			}
		default:
			if !s.mismatch(f, "a string", depth+1) {
				return false
			}
		}
		list = append(list, "")
	}
	*(*[]string)(f.at(dst)) = list
	return s.err == nil
}

func (s *Scanner) nested(f *field, dst unsafe.Pointer, depth int) bool {
	s.path = append(s.path, step{f.key(), -1})
	var vals values
	if !s.object(f.plan, dst, &vals, depth) {
		return false
	}
	s.path = s.path[:len(s.path)-1]
	s.settle(f.plan, dst, &vals)
	return true
}

// settle stores vals in the struct at dst. All its floats lie in one array,
// and all its integers in another.
func (s *Scanner) settle(p *plan, dst unsafe.Pointer, vals *values) {
	if s.bad != nil && s.hard {
		return
	}
	floats := make([]float64, 0, bits.OnesCount64(vals.seen&p.floatPtrs))
	ints := make([]int, 0, bits.OnesCount64(vals.seen&p.intPtrs))
	p.store(dst, vals, floats, ints)
}

// store puts vals into the struct at dst, and what its pointers point to into
// floats and ints, which must have room.
func (p *plan) store(dst unsafe.Pointer, vals *values, floats []float64, ints []int) {
	for m := vals.seen &^ p.nonValues; m != 0; m &= m - 1 {
		i := bits.TrailingZeros64(m)
		f, v := &p.fields[i], vals.bits[i]
		switch at := f.at(dst); f.kind {
		case kindBool:
			*(*bool)(at) = v != 0
		case kindInt:
			*(*int)(at) = int(v)
		case kindIntPtr:
			ints = append(ints, int(v))
			*(**int)(at) = &ints[len(ints)-1]
		case kindFloat:
			*(*float64)(at) = math.Float64frombits(v)
		case kindFloatPtr:
			floats = append(floats, math.Float64frombits(v))
			*(**float64)(at) = &floats[len(floats)-1]
		}
	}
}
