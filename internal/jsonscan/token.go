package jsonscan

import (
	"errors"
	"unicode/utf8"
)

// text reads a string. What it returns is good until the window or the
// scanner's scratch buffer is used again.
func (s *Scanner) text() ([]byte, bool) {
	if s.peek() != '"' {
		return nil, s.unexpected("a string")
	}
	ascii, escaped := true, false
	n := 1 // bytes of the string that have been looked at
	for {
		n = plain(s.buf, s.pos+n) - s.pos
		if s.pos+n >= len(s.buf) {
			if !s.more() {
				return nil, s.cut()
			}
			continue
		}
		switch c := s.buf[s.pos+n]; {
		case c == '"':
			b := s.buf[s.pos+1 : s.pos+n]
			s.pos += n + 1
			if escaped || !ascii && !utf8.Valid(b) {
				s.scratch = unquote(s.scratch[:0], b)
				b = s.scratch
			}
			return b, true
		case c == '\\':
			size, ok := s.escape(n)
			if !ok {
				return nil, false
			}
			escaped = true
			n += size
		case c < ' ':
			return nil, s.control(n)
		default:
			ascii = false
			n++
		}
	}
}

// escape checks the escape sequence that begins n bytes behind the place, and
// returns its size.
func (s *Scanner) escape(n int) (size int, ok bool) {
	for {
		b := s.buf[s.pos+n:]
		if len(b) >= 2 {
			switch b[1] {
			case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
				return 2, true
			case 'u':
				if hex4(b[2:]) >= 0 {
					return 6, true
				}
				if len(b) >= 6 {
					return 0, s.fatal(s.offset()+int64(n), errors.New("invalid \\u escape in a string"))
				}
			default:
				return 0, s.fatal(s.offset()+int64(n), errors.New("invalid escape in a string"))
			}
		}
		if !s.more() {
			return 0, s.cut()
		}
	}
}

func (s *Scanner) control(n int) bool {
	return s.fatal(s.offset()+int64(n), errors.New("control character in a string"))
}

// skipText reads over a string without keeping it in the window.
func (s *Scanner) skipText() bool {
	s.pos++
	for {
		s.pos = plain(s.buf, s.pos)
		if s.pos >= len(s.buf) {
			if !s.more() {
				return s.cut()
			}
			continue
		}
		switch c := s.buf[s.pos]; {
		case c == '"':
			s.pos++
			return true
		case c == '\\':
			size, ok := s.escape(0)
			if !ok {
				return false
			}
			s.pos += size
		case c < ' ':
			return s.control(0)
		default:
			s.pos++
		}
	}
}

// literal reads the given word.
func (s *Scanner) literal(word string) bool {
	for i := range len(word) {
		for s.pos >= len(s.buf) {
			if !s.more() {
				return s.cut()
			}
		}
		if s.buf[s.pos] != word[i] {
			return s.unexpected(word)
		}
		s.pos++
	}
	return true
}

// number reads a number and returns its text, which is good until the window
// is used again. A number that is too long is nil, and is not consumed.
func (s *Scanner) number() ([]byte, bool) {
	state, n := numStart, 0
	for {
		b := s.buf[s.pos:]
		for n < len(b) {
			next, ok := state.step(b[n])
			if !ok {
				break
			}
			state = next
			n++
		}
		if n > maxNumber {
			return nil, true
		}
		if n < len(b) {
			break
		}
		if !s.more() {
			return nil, s.cut()
		}
	}
	if !state.complete() {
		s.pos += n
		return nil, s.unexpected("a digit")
	}
	b := s.buf[s.pos : s.pos+n]
	s.pos += n
	return b, true
}

// skipNumber reads over a number of any length.
func (s *Scanner) skipNumber() bool {
	state := numStart
	for {
		for s.pos < len(s.buf) {
			next, ok := state.step(s.buf[s.pos])
			if !ok {
				if state.complete() {
					return true
				}
				if state == numStart {
					return s.unexpected("a value")
				}
				return s.unexpected("a digit")
			}
			state = next
			s.pos++
		}
		if !s.more() {
			return s.cut()
		}
	}
}

// skip reads over a value of any kind, which must be good JSON. depth is how
// deep the place is nested in the item.
func (s *Scanner) skip(depth int) bool {
	open := 0
	for {
		// A value.
		ok := true
		switch c := s.peek(); c {
		case '{', '[':
			open++
			if depth+open > maxDepth {
				if depth+open > maxNesting {
					return s.fatal(s.offset(), errNesting)
				}
				s.refuse(s.offset(), "", true, errDepth)
			}
			s.push(open, c == '{')
			s.pos++
			if s.peek() == c+2 { // the bracket that closes c
				s.pos++
				s.empty = s.empty || depth == 0 && open == 1 && c == '{'
				open--
			} else if s.err != nil {
				return false
			} else if c == '{' {
				if !s.skipKey() {
					return false
				}
				continue
			} else {
				continue
			}
		case '"':
			ok = s.skipText()
		case 't':
			ok = s.literal("true")
		case 'f':
			ok = s.literal("false")
		case 'n':
			ok = s.literal("null")
		default:
			ok = s.err == nil && s.skipNumber()
		}
		if !ok {
			return false
		}
		// What follows the value, up to the next one.
		for {
			if open == 0 {
				return true
			}
			object := s.nest[open>>6]>>(open&63)&1 != 0
			c := s.peek()
			if c == '}' && object || c == ']' && !object {
				s.pos++
				open--
				continue
			}
			if c != ',' {
				return s.unexpected("',' or the end of the list or object")
			}
			s.pos++
			if object && !s.skipKey() {
				return false
			}
			break
		}
	}
}

func (s *Scanner) skipKey() bool {
	if s.peek() != '"' {
		return s.unexpected("a key")
	}
	return s.skipText() && s.Open(':')
}

// push notes what kind of bracket was opened at a level.
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
