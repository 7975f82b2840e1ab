package jsonscan

// trail remembers the members of skipped objects, as order does for objects that are
// read: which member follows which, and the bytes before its value, from the value
// before it or the opening brace on. Skipped objects repeat like others, such as an
// unknown object in each sample, and one comparison of these bytes takes the place
// of reading comma, key and colon.
//
// A member is identified by the hash of its key. Of two with the same hash, the later
// replaces the earlier. That costs time only: what is remembered is compared with
// the bytes that are there, and is never trusted.
type trail struct {
	next [trailEnd]uint16 // by the member before
	lead [trailEnd][]byte
}

const (
	trailFirst  = 1 << 7         // is added for a member that stands first: its lead has no comma
	trailStart  = 2 * trailFirst // stands before the first
	trailNested = 1 + trailStart // stands for what is no scalar
	trailEnd    = 1 + trailNested
	longestLead = 128
)

// learn notes that a member with this key and lead comes after prev.
func (t *trail) learn(prev uint16, key, lead []byte) uint16 {
	node := uint16(0)
	if len(key) > 0 {
		node = uint16(hash(key) % trailFirst)
	}
	if prev == trailStart {
		node += trailFirst
	}
	if len(lead) > longestLead {
		lead = nil
	}
	t.next[prev] = node
	t.lead[node] = append(t.lead[node][:0], lead...)
	return node
}

// follow returns the member expected after prev, and the index of its value if
// b[i:] leads to it as expected. The index is 0 if something else is there.
func (t *trail) follow(b []byte, i int, prev uint16) (next int, node uint16) {
	node = t.next[prev]
	lead := t.lead[node]
	if next = i + len(lead); len(lead) > 0 && next < len(b) && string(b[i:next]) == string(lead) {
		return next, node
	}
	return 0, 0
}

// find does what follow does for any member that comes after prev, if it was seen
// before. A sensor that drops out leaves its member out of many objects in a row, so
// the member that was found becomes the expected one.
func (t *trail) find(b []byte, i int, prev uint16) (next int, node uint16) {
	if prev == trailStart || i >= len(b) || b[i] != ',' {
		return 0, 0
	}
	key := blank(b, i+1) + 1
	if key >= len(b) || b[key-1] != '"' {
		return 0, 0
	}
	to := plain(b, key)
	if to == key || to >= len(b) {
		return 0, 0
	}
	node = uint16(hash(b[key:to]) % trailFirst)
	was := t.next[prev]
	t.next[prev] = node
	if next, node = t.follow(b, i, prev); next == 0 {
		t.next[prev] = was
	}
	return next, node
}

// skip reads over what the models do not know, or no longer want, and must say that
// JSON is broken wherever reading would. It is a loop over all levels and not a
// function that calls itself, so that nesting costs a bit each and no stack.

// skip skips a value of any kind, which must be valid JSON. depth is the nesting
// depth of the place in the item.
//
// What is plain and in the window it reads by itself, at b[i:]. For anything
// else it puts the place back and calls the method for the token.
func (s *Scanner) skip(depth int) bool {
	if s.peek(); s.err != nil {
		return false
	}
	if s.trail == nil {
		s.trail = new(trail)
	}
	open, object := 0, false // brackets that are open, and whether the last is a brace
	prev := uint16(trailStart)
	b, i := s.buf, s.pos
	for {
		// A value, with its key behind it if it has one.
		if i < len(b) && b[i] <= ' ' {
			i = blank(b, i)
		}
		// numberEnd reads several bytes at once, and needs that many in the window.
		if len(b)-i < numberRoom {
			s.pos = i
			if s.peek(); s.err != nil {
				return false
			}
			b, i = s.buf, s.pos
		}
		next, empty := 0, false // behind the value; it has nothing in it
		switch c := b[i]; c {
		case '"':
			if to := plain(b, i+1); to < len(b) && b[to] == '"' {
				next = to + 1
			}
		case '{', '[':
			open++
			if s.pos = i; depth+open > maxNesting {
				return s.fatal(s.offset(), errNesting)
			}
			object = c == '{'
			s.push(open, object)
			if prev = trailStart; object {
				if n, node := s.trail.follow(b, i+1, prev); n > 0 {
					i, prev = n, node
					continue
				}
			}
			s.pos++
			from, base := s.pos, s.base
			if s.peek() == c+2 { // the bracket that closes c
				s.empty = s.empty || depth == 0 && open == 1 && object // the item itself
				empty = true
			} else if s.err != nil || object && !s.skipKey(&prev, from, base) {
				return false
			}
			if b, i = s.buf, s.pos; !empty {
				continue
			}
		case 't', 'f', 'n':
		default:
			if len(b)-i >= numberRoom {
				next = numberEnd(b, i)
			}
		}
		if next > 0 {
			i = next
		} else if !empty {
			s.pos = i
			if !s.skipScalar() {
				return false
			}
			b, i = s.buf, s.pos
		}
		// What follows the value, up to the next one.
		for {
			if open == 0 {
				s.pos = i
				return true
			}
			if object {
				if n, node := s.trail.follow(b, i, prev); n > 0 {
					i, prev = n, node
					break
				}
			}
			if i < len(b) && b[i] <= ' ' {
				i = blank(b, i)
			}
			if i >= len(b) {
				s.pos = i
				if s.peek(); s.err != nil {
					return false
				}
				b, i = s.buf, s.pos
			}
			c := b[i]
			if c == '}' && object || c == ']' && !object {
				i++
				open--
				object = s.nest[open>>6]>>(open&63)&1 != 0
				prev = trailNested
				continue
			}
			s.pos = i
			if c != ',' {
				return s.unexpected("',' or the end of the list or object")
			}
			if !object {
				i++
				break
			}
			if n, node := s.trail.find(b, i, prev); n > 0 {
				i, prev = n, node
				break
			}
			if !s.skipKey(&prev, i, s.base) {
				return false
			}
			b, i = s.buf, s.pos
			break
		}
	}
}

// skipScalar skips a value that is neither a list nor an object.
func (s *Scanner) skipScalar() bool {
	switch s.buf[s.pos] {
	case '"':
		return s.skipText()
	case 't':
		return s.literal("true")
	case 'f':
		return s.literal("false")
	case 'n':
		return s.literal("null")
	}
	return s.skipNumber()
}

// skipKey skips the bytes before the next value of an object, from where
// buf[from] was when base was the window's, and makes that member the trail's
// last. If the window has moved since, those bytes are gone, and nothing is learnt.
func (s *Scanner) skipKey(prev *uint16, from int, base int64) bool {
	if *prev != trailStart && !s.Open(',') {
		return false
	}
	if s.peek() != '"' {
		return s.unexpected("a key")
	}
	key := s.pos + 1
	if !s.skipText() {
		return false
	}
	to := s.pos - 1
	if !s.Open(':') {
		return false
	}
	if s.peek(); s.err != nil {
		return false
	}
	if s.base == base {
		*prev = s.trail.learn(*prev, s.buf[key:to], s.buf[from:s.pos])
	} else {
		*prev = trailNested
	}
	return true
}

// push notes which kind of bracket was opened at a level.
func (s *Scanner) push(level int, object bool) {
	for len(s.nest) <= level>>6 {
		s.nest = append(s.nest, 0)
	}
	bit := uint64(1) << (level & 63)
	s.nest[level>>6] &^= bit
	if object {
		s.nest[level>>6] |= bit
	}
}
