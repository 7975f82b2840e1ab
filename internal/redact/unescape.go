package redact

import (
	"html"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"
)

// rounds is how many layers of escapes are taken off.
const rounds = 4

// longest bounds the length of an escape.
const longest = 12

// halfEscape is the beginning of an escape.
var halfEscape = regexp.MustCompile(`^(%[0-9A-Fa-f]?|\\(u[0-9A-Fa-f]{0,3}|x[0-9A-Fa-f]?)?|&#?[0-9A-Za-z]*)$`)

// unescaped is a text without one layer of escapes. Byte i of it comes from
// the bytes from[i] to from[i+1] of the text that was given first.
type unescaped struct {
	text string
	from []int
}

// next takes off one more layer. It reports false if there is none.
func (u *unescaped) next() bool {
	if !strings.ContainsAny(u.text, `%\&`) {
		return false
	}
	var b strings.Builder
	from := make([]int, 0, len(u.from))
	for i := 0; i < len(u.text); {
		plain, n := unescape(u.text[i:])
		for range len(plain) {
			from = append(from, u.from[i])
		}
		b.WriteString(plain)
		i += n
	}
	from = append(from, u.from[len(u.text)])
	changed := b.Len() != len(u.text)
	u.text, u.from = b.String(), from
	return changed
}

// unescape returns what the beginning of s stands for, and its length.
func unescape(s string) (plain string, n int) {
	switch {
	case s[0] == '%' && len(s) >= 3:
		if c, err := strconv.ParseUint(s[1:3], 16, 8); err == nil {
			return string([]byte{byte(c)}), 3
		}
	case s[0] == '\\' && len(s) >= 6 && s[1] == 'u':
		if r, err := strconv.ParseUint(s[2:6], 16, 32); err == nil {
			return string(rune(r)), 6
		}
	case s[0] == '\\' && len(s) >= 4 && s[1] == 'x':
		if c, err := strconv.ParseUint(s[2:4], 16, 8); err == nil {
			return string([]byte{byte(c)}), 4
		}
	case s[0] == '\\' && len(s) >= 2 && strings.IndexByte(`/\"'`, s[1]) >= 0:
		return s[1:2], 2
	case s[0] == '&':
		if end := strings.IndexByte(s[:min(len(s), longest)], ';'); end > 0 {
			if p := html.UnescapeString(s[:end+1]); p != s[:end+1] && utf8.ValidString(p) {
				return p, end + 1
			}
		}
	}
	return s[:1], 1
}

// unescapeAll takes all layers of escapes off.
func unescapeAll(s string) string {
	u := unescapedOf(s)
	for range rounds {
		if !u.next() {
			break
		}
	}
	return u.text
}

func unescapedOf(s string) *unescaped {
	u := &unescaped{text: s, from: make([]int, len(s)+1)}
	for i := range u.from {
		u.from[i] = i
	}
	return u
}

// escaped takes a secret, given without escapes, out of a text in which
// it may be escaped. A blank counts as a plus, as forms write it.
func escaped(s, secret string) string {
	if len(secret) < 4 {
		return s
	}
	secret = plus(secret)
	u := unescapedOf(s)
	for range 2 * (rounds + 1) {
		if strings.Contains(plus(u.text), secret) {
			s = u.without(s, secret)
			u = unescapedOf(s)
		}
		if !u.next() {
			break
		}
	}
	return s
}

func plus(s string) string { return strings.ReplaceAll(s, " ", "+") }

// without returns s, of which u was made, without the places that stand for
// secret.
func (u *unescaped) without(s, secret string) string {
	var b strings.Builder
	text, done, at := plus(u.text), 0, 0
	for {
		i := strings.Index(text[at:], secret)
		if i < 0 {
			break
		}
		from, to := u.from[at+i], u.from[at+i+len(secret)]
		b.WriteString(s[done:from] + Mark)
		done, at = to, at+i+len(secret)
	}
	return b.String() + s[done:]
}
