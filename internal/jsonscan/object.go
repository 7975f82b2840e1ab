package jsonscan

import (
	"math"
	"math/bits"
	"unicode/utf8"
)

// Each value of an object is tried in the fastest way first, and a way that cannot
// read it has consumed nothing:
//
//  1. the key that is expected, or one that stood here before (rival), and a plain
//     number behind it (place.number),
//  2. the key that is expected, or one that stood here before (rival), or any known
//     key that is all in the window (find), and then a plain value (plainField),
//  3. anything else, also what comes in pieces or is not as it should be (member,
//     field).
//
// Values wait in vals until the object ends, because a key may be repeated and the
// last one counts, and because all numbers of an object are allocated at once.

// object reads the object at the current place. Values go to vals, and everything
// else into the struct at dst. If a key is repeated, the last one counts.
func (s *Scanner) object(p *plan, dst Target, vals *Values, depth int) bool {
	s.pos++
	o := s.order(p)
	prev, first := start, true
	at := &o.first
	for {
		if at.form != formNone {
			// As far as the window has room, and an item may go that is too large: it is
			// read over from its limit on.
			b, i := s.buf, s.pos
			for last := min(int64(len(b)-numberRoom), s.end-s.base); int64(i) <= last && at.form != formNone; {
				all := (*[numberRoom]byte)(b[i : i+numberRoom])
				v, size := at.number(all)
				if size == 0 {
					other := o.rival(b, i, prev, first && i == s.pos)
					if other == nil {
						break
					}
					at = other
					if v, size = at.number(all); size == 0 {
						break
					}
				}
				i += int(size)
				prev = at.field
				vals.Bits[prev&63] = v
				vals.Seen |= 1 << (prev & 63)
				at = at.self.then
			}
			first = first && i == s.pos
			s.pos = i
		}
		i, spelt := at.field, "" // spelt as the field's own key
		if at.lead.at(s.buf, s.pos) {
			s.pos += int(at.lead.n)
		} else if other := o.rival(s.buf, s.pos, prev, first); other != nil {
			i = other.field
			s.pos += int(other.lead.n)
		} else if k, next := o.find(s.buf, s.pos, prev, first); next > 0 && (k != unknown || s.opts.UnknownKey == nil) {
			i, s.pos = k, next
		} else {
			var ok bool
			if i, ok = s.member(o, prev, first); !ok {
				return false
			}
			spelt = s.spelt
		}
		if i == end {
			if depth == 1 {
				s.empty = first
			}
			return true
		}
		first = false
		if s.pos >= len(s.buf) || s.buf[s.pos] <= ' ' {
			if s.peek(); s.err != nil {
				return false
			}
		}
		ok := true
		if i == unknown {
			ok = s.pass() || s.skip(depth)
		} else {
			prev = i
			f := &p.fields[i]
			switch {
			case s.over():
				ok = s.skip(depth)
			case s.plainField(o, f, i, vals):
			default:
				s.spelt = spelt
				ok = s.field(f, i, dst, vals, depth)
			}
		}
		if !ok {
			return false
		}
		at = o.after(prev)
	}
}

// plainField does what field does, if the value has the right type, is written in
// the plainest way, and is entirely in the window. Otherwise it does nothing.
func (s *Scanner) plainField(o *order, f *field, i int, vals *Values) bool {
	b := s.buf
	switch f.kind {
	case kindFloat, kindFloatPtr:
		v, next := o.bare.float(b, s.pos)
		if next == 0 {
			return false
		}
		s.pos = next
		vals.set(i, math.Float64bits(v))
		return true
	case kindInt, kindIntPtr:
		v, next := o.bare.integer(b, s.pos)
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
			to = plain(b, from)
			if to < len(b) && b[to] >= utf8.RuneSelf {
				to = foreign(b, from, to)
			}
			if to >= len(b) || b[to] != '"' {
				return false
			}
			s.pos = to + 1
			// Garmin sends the same id as a number here and as a string there.
		} else if from--; f.kind == kindID && b[from] != '0' && len(b)-from >= numberRoom {
			_, to = digits(b, from)
			if n := to - from; n == 0 || n == 16 || b[to] == '.' || b[to]|0x20 == 'e' {
				return false
			}
			s.pos = to
		} else {
			return false
		}
		if f.kind == kindString {
			vals.Text[i] = s.name(b[from:to])
		} else {
			vals.Text[i] = s.idOf(b[from:to])
		}
		vals.Seen |= 1 << i
		return true
	case kindBool:
		if len(b)-s.pos < len("false") {
			return false
		}
		switch {
		case string(b[s.pos:s.pos+len("true")]) == "true":
			s.pos += len("true")
			vals.set(i, 1)
			return true
		case string(b[s.pos:s.pos+len("false")]) == "false":
			s.pos += len("false")
			vals.set(i, 0)
			return true
		}
	}
	return false
}

// idOf makes a string of an id. The ids of a record often start with the same
// digits, and then share memory.
func (s *Scanner) idOf(text []byte) string {
	// An activity's own id and that of its summary are often the same digits.
	if n := len(text); n <= len(s.lastID) && s.lastID[:n] == string(text) {
		return s.lastID[:n]
	}
	s.lastID = s.texts.take(text)
	return s.lastID
}

// member reads up to the next value of an object, including its key, or to the
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
	if i, s.spelt = o.plan.index.find(key); i == unknown && s.opts.UnknownKey != nil {
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

// field reads the value of field i at the current place.
func (s *Scanner) field(f *field, i int, dst Target, vals *Values, depth int) bool {
	c := s.buf[s.pos]
	if c == 'n' {
		if !s.literal("null") {
			return false
		}
		clearField(f, i, dst, vals)
		vals.lost &^= 1 << i
		return true
	}
	switch f.kind {
	case kindFloat, kindFloatPtr, kindInt, kindIntPtr:
		return s.number64(f, i, dst, vals, depth)
	case kindBool:
		return s.boolean(f, i, dst, vals, depth)
	case kindString, kindID:
		return s.textual(f, i, dst, vals, depth)
	case kindStrings:
		return s.strings(f, i, dst, vals, depth)
	case kindStruct:
		if c != '{' {
			return s.mismatch(f, i, dst, vals, depth)
		}
		clearField(f, i, dst, vals)
		vals.Seen |= 1 << i
		return s.nested(f, dst.Object(i), depth+1)
	default: // kindList
		if c != '[' {
			return s.mismatch(f, i, dst, vals, depth)
		}
		vals.Seen |= 1 << i
		return s.structs(f, i, dst, depth+1)
	}
}

// clearField makes field i absent again, if it was read before.
func clearField(f *field, i int, dst Target, vals *Values) {
	// What waits in vals goes with the bit below; the rest is in the struct already.
	if vals.Seen>>i&1 != 0 {
		switch f.kind {
		case kindStrings:
			dst.Strings(i, nil)
		case kindStruct, kindList:
			dst.Clear(i)
		}
	}
	vals.Seen &^= 1 << i
}

// spelling returns the key of a field as the body spells it.
func (s *Scanner) spelling(f *field) string {
	if s.spelt != "" {
		return s.spelt
	}
	return f.key()
}

func (s *Scanner) nested(f *field, dst Target, depth int) bool {
	s.path = append(s.path, step{f.key(), -1})
	vals := s.values(depth)
	if !s.object(f.plan, dst, vals, depth) {
		return false
	}
	s.path = s.path[:len(s.path)-1]
	s.settle(f.plan, dst, vals)
	return true
}

// values returns the memory for the values of an object at this depth, and for
// those of a list's elements.
func (s *Scanner) values(depth int) *Values {
	for len(s.vals) <= depth {
		s.vals = append(s.vals, new(Values))
	}
	v := s.vals[depth]
	v.Seen, v.lost = 0, 0
	return v
}

// settle stores vals in a struct. All its floats lie beside each other, and all
// its integers.
func (s *Scanner) settle(p *plan, dst Target, vals *Values) {
	if vals.Seen&p.stored == 0 {
		return
	}
	a := &s.arena
	if n := bits.OnesCount64(vals.Seen & p.floatPtrs); n > 0 {
		a.Floats = s.floats.take(n)
	}
	if n := bits.OnesCount64(vals.Seen & p.intPtrs); n > 0 {
		a.Ints = s.ints.take(n)
	}
	a.gather(p, vals)
	dst.Store(vals, a)
	s.arena = Arena{}
}
