package jsonscan

// An envelope needs four of some thirty keys. What a key's value is does not matter
// then, only where it ends: so no order of keys is learnt, a key of a length that no
// field has is not even looked up, and a number is not made a value. It is checked
// all the same: what is read over is read as strictly.

// Head reads an object as [Scanner.Item] does, faster where the struct has few
// of the object's keys, and says nothing about the others.
func (s *Scanner) Head(dst any, target Target) bool {
	s.clean()
	if s.peek() != '{' {
		return s.skipItem()
	}
	p, vals := s.beginObject(dst), s.values(1)
	if !s.head(p, target, vals) {
		return false
	}
	s.endObject(p, target, vals)
	return true
}

// head does what object does for an item.
func (s *Scanner) head(p *plan, dst Target, vals *Values) bool {
	s.pos++
	o := s.order(p)
	for first := true; ; first = false {
		i, ok := s.headKey(p, first), true
		if i == unsure {
			i, ok = s.member(o, start, first)
		}
		switch {
		case !ok:
			return false
		case i == end:
			s.empty = first
			return true
		case i == unknown || s.over():
			ok = s.pass() || s.skip(1)
		default:
			f := &p.fields[i]
			ok = s.plainField(o, f, i, vals) || s.field(f, i, dst, vals, 1)
		}
		if !ok {
			return false
		}
	}
}

// unsure is what headKey returns if member must do the work.
const unsure = -2

// headKey does what member does, if a key spelt plainly comes next and all of it
// is in the window. Otherwise it consumes nothing, also if what comes is broken: member
// then finds it broken, and says where.
func (s *Scanner) headKey(p *plan, first bool) int {
	b, i := s.buf, s.pos
	if !first {
		if i < len(b) && b[i] <= ' ' {
			i = blank(b, i)
		}
		if i >= len(b) || b[i] != ',' {
			return unsure
		}
		i++
	}
	if i < len(b) && b[i] <= ' ' {
		i = blank(b, i)
	}
	if i >= len(b) || b[i] != '"' {
		return unsure
	}
	key := i + 1
	i = plain(b, key)
	if i+1 >= len(b) || b[i] != '"' || b[i+1] != ':' {
		return unsure
	}
	field := unknown
	if n := i - key; n < 64 && p.lengths>>n&1 != 0 {
		field, s.spelt = p.index.find(b[key:i])
	}
	i += 2
	if i < len(b) && b[i] <= ' ' {
		i = blank(b, i)
	}
	if i >= len(b) {
		return unsure
	}
	s.pos = i
	return field
}

// pass skips a string or number that is plain and in the window. Otherwise it
// does nothing.
func (s *Scanner) pass() bool {
	b, i := s.buf, s.pos
	if len(b)-i < numberRoom {
		return false
	}
	if b[i] == '"' {
		if i = plain(b, i+1); i >= len(b) || b[i] != '"' {
			return false
		}
		i++
	} else if i = numberEnd(b, i); i == 0 {
		return false
	}
	s.pos = i
	return true
}
