package jsonscan

import (
	"errors"
	"unicode/utf8"
)

// The methods here read a token that may come in pieces: the window moves when it is
// filled, so they count from the place and not from an index. Only odd or cut tokens
// come here. The fast ways read a plain one that is all in the window.

// text reads a string. The result is valid until the window or the scanner's
// scratch buffer is used again. If the string is not UTF-8, or has half of a
// surrogate pair, s.mangled is set, and the result has U+FFFD there. In an item
// that is too large the string is skipped and the result is empty, as for a
// string longer than MaxText, for which s.long is set: a string must be whole in the
// window to be returned, and one without an end would make the window grow for ever.
func (s *Scanner) text() ([]byte, bool) {
	s.mangled, s.long = false, false
	if s.peek() != '"' {
		return nil, s.unexpected("a string")
	}
	ascii, escaped := true, false
	n := 1 // bytes of the string that have been looked at
	for {
		n = plain(s.buf, s.pos+n) - s.pos
		if s.pos+n >= len(s.buf) {
			if s.long = s.tooLong(int64(n)); s.long || s.offset()+int64(n) > s.end {
				s.pos += n - 1
				return nil, s.skipText()
			}
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
				s.scratch, s.mangled = unquote(s.scratch[:0], b)
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

// tooLong reports whether n bytes are more than a string may have.
func (s *Scanner) tooLong(n int64) bool { return s.opts.MaxText > 0 && n > int64(s.opts.MaxText) }

// escape checks the escape sequence that starts n bytes after the place, and
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

// skipText skips a string without keeping it in the window.
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

// number reads a number and returns its text, which is valid until the window is
// used again. For a number that is too long it returns nil and consumes nothing. Such
// a number is no broken JSON: it becomes a defect, and skipNumber reads over it
// without keeping it.
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

// skipNumber skips a number of any length.
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
			// A text that is a number and nothing else is whole.
			return s.borrowed && state.complete() || s.cut()
		}
	}
}
