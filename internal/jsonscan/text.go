package jsonscan

import (
	"encoding/binary"
	"math/bits"
	"unicode/utf16"
	"unicode/utf8"
)

// Strings are looked through eight bytes at a time, in one 64-bit word. An operation
// on a word works on all its bytes, if no carry or borrow out of one spoils the next:
// each function here says why none does. ones has a 1 in each byte, and highs the
// highest bit.
const (
	ones  = 0x0101010101010101
	highs = 0x8080808080808080
)

// plain returns the index of the first byte of b at or after i that ends the
// plain part of a string: a quote, a backslash, a control character or a byte
// that is not ASCII. It is len(b) if there is none.
//
// Most strings are ids, names and URLs without any such byte, and end with a quote.
// So the caller needs no more than this to know that a string is good as it is.
func plain(b []byte, i int) int {
	for len(b)-i >= 16 {
		p := (*[16]byte)(b[i : i+16])
		if odd := special(binary.LittleEndian.Uint64(p[:])); odd != 0 {
			return i + bits.TrailingZeros64(odd)>>3
		}
		if odd := special(binary.LittleEndian.Uint64(p[8:])); odd != 0 {
			return i + 8 + bits.TrailingZeros64(odd)>>3
		}
		i += 16
	}
	for i < len(b) && b[i] >= ' ' && b[i] != '"' && b[i] != '\\' && b[i] < utf8.RuneSelf {
		i++
	}
	return i
}

// foreign does what plain does, and passes over what is not ASCII, from i on, if the
// string that begins at from is UTF-8. It returns len(b) if it is not.
func foreign(b []byte, from, i int) int {
	for i < len(b) && b[i] >= utf8.RuneSelf {
		i = plain(b, i+1)
	}
	if !utf8.Valid(b[from:i]) {
		return len(b)
	}
	return i
}

// special returns a word whose lowest bit that is set is in the first byte of x
// that ends the plain part of a string, or 0.
func special(x uint64) uint64 {
	// A byte's high bit comes out set if it was less than what is subtracted;
	// borrows reach later bytes only. The first difference changes places of a space
	// and a quote, and of 33 and 35: so one comparison finds a quote and what is less
	// than a space.
	return (x | ((x ^ 2*ones) - ('"'-1)*ones) | ((x ^ '\\'*ones) - ones)) & highs
}

// blank returns the index of the first byte of b at or after i that is not
// white space. It is len(b) if there is none.
func blank(b []byte, i int) int {
	for i < len(b) {
		switch b[i] {
		case ' ':
			for len(b)-i >= 8 {
				odd := binary.LittleEndian.Uint64(b[i:]) ^ ' '*ones
				if odd != 0 {
					i += bits.TrailingZeros64(odd) >> 3
					break
				}
				i += 8
			}
			if i < len(b) && b[i] == ' ' {
				i++
			}
		case '\n', '\r', '\t':
			i++
		default:
			return i
		}
	}
	return i
}

// unquote appends the meaning of s, the inside of a JSON string with valid
// escapes, to dst. Invalid UTF-8 and invalid surrogate pairs become U+FFFD, as in
// package encoding/json, and mangled reports that.
func unquote(dst, s []byte) (_ []byte, mangled bool) {
	for i := 0; i < len(s); {
		switch c := s[i]; {
		case c == '\\' && s[i+1] == 'u':
			r := hex4(s[i+2:])
			i += 6
			if utf16.IsSurrogate(r) {
				pair := rune(utf8.RuneError)
				if len(s)-i >= 6 && s[i] == '\\' && s[i+1] == 'u' {
					pair = utf16.DecodeRune(r, hex4(s[i+2:]))
				}
				if r = pair; r != utf8.RuneError {
					i += 6
				} else {
					mangled = true
				}
			}
			dst = utf8.AppendRune(dst, r)
		case c == '\\':
			c = s[i+1]
			switch c {
			case 'b':
				c = '\b'
			case 'f':
				c = '\f'
			case 'n':
				c = '\n'
			case 'r':
				c = '\r'
			case 't':
				c = '\t'
			}
			dst = append(dst, c)
			i += 2
		case c < utf8.RuneSelf:
			n := max(plain(s, i), i+1)
			dst = append(dst, s[i:n]...)
			i = n
		default:
			r, n := utf8.DecodeRune(s[i:])
			mangled = mangled || r == utf8.RuneError && n == 1
			dst = utf8.AppendRune(dst, r)
			i += n
		}
	}
	return dst, mangled
}

// hex4 returns the value of the four hexadecimal digits at the start of s, or -1
// if there are none.
func hex4(s []byte) rune {
	if len(s) < 4 {
		return -1
	}
	var r rune
	for _, c := range s[:4] {
		switch {
		case c-'0' <= 9:
			c -= '0'
		case c|0x20 >= 'a' && c|0x20 <= 'f':
			c = c | 0x20 - 'a' + 10
		default:
			return -1
		}
		r = r<<4 | rune(c)
	}
	return r
}

// longestName is the longest string that may be frequent.
const longestName = 64

// names holds frequent strings, such as user ids and device names, so that each
// is allocated once. A new one takes the place of an old one, so there are several times
// as many places as names that are frequent: else two would often have the same place
// and replace each other all the time.
type names [512]string

func (t *names) get(b []byte) string {
	n := len(b)
	if n == 0 {
		return ""
	}
	// The first and last bytes tell ids and names apart. Two that share a place cost an
	// allocation each time, and nothing else.
	h := uint64(n)
	if n >= 8 {
		h ^= binary.LittleEndian.Uint64(b) ^ bits.RotateLeft64(binary.LittleEndian.Uint64(b[n-8:]), 21)
	} else {
		for _, c := range b {
			h = h<<8 ^ uint64(c)
		}
	}
	s := &t[h*0x9e3779b97f4a7c15>>55]
	if *s != string(b) {
		*s = string(b)
	}
	return *s
}
