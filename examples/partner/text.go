package main

import (
	"encoding/hex"
	"fmt"
	"reflect"
	"strings"
	"unicode"
	"unicode/utf8"
)

// mark begins a byte that a database would refuse, as two hexadecimal digits.
const mark = '\x1a'

// kept is a text as it is in the database. PostgreSQL refuses NUL, and what is no
// UTF-8, and both may come from outside. All other text is kept as it is.
func kept(s string) string {
	if utf8.ValidString(s) && !strings.ContainsAny(s, "\x00\x1a") {
		return s
	}
	var b strings.Builder
	for len(s) > 0 {
		r, n := utf8.DecodeRuneInString(s)
		if r == 0 || r == mark || r == utf8.RuneError && n == 1 {
			b.WriteByte(mark)
			b.WriteString(hex.EncodeToString([]byte{s[0]}))
		} else {
			b.WriteString(s[:n])
		}
		s = s[n:]
	}
	return b.String()
}

// restored is the text that was kept.
func restored(s string) string {
	if strings.IndexByte(s, mark) < 0 {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == mark && i+2 < len(s) {
			if c, err := hex.DecodeString(s[i+1 : i+3]); err == nil {
				b.Write(c)
				i += 2
				continue
			}
		}
		b.WriteByte(s[i])
	}
	return b.String()
}

// longest is how much of a text lists show, in characters. All of it is in the
// record of the workout.
const longest = 300

// brief is the beginning of a text.
func brief(s string) string {
	n := 0
	for i := range s {
		if n++; n > longest {
			return s[:i] + "…"
		}
	}
	return s
}

// shown is a text of somebody else's as pages show it: on one line, without what
// turns the text around it. It is "" if there is nothing to see.
func shown(s string) string { return isolated(strings.Join(strings.Fields(visible(s)), " ")) }

// shownLines is the same of a text with lines.
func shownLines(s string) string { return isolated(strings.TrimSpace(visible(s))) }

// visible leaves out what cannot be seen, but for spaces, lines and what joins
// letters.
func visible(s string) string {
	seen := false
	s = strings.Map(func(r rune) rune {
		switch {
		case r == '\n' || r == '\t' || r == '\u200c' || r == '\u200d': // the last two join letters, or do not
		case unicode.In(r, unicode.Cc, unicode.Cf): // control characters, and those of direction
			return -1
		case !unicode.IsSpace(r):
			seen = true
		}
		return r
	}, strings.ToValidUTF8(s, "\ufffd"))
	if !seen {
		return ""
	}
	return s
}

// isolated keeps the direction of a text to itself.
func isolated(s string) string {
	leftwards := func(r rune) bool { // the blocks that have such letters
		return r >= 0x590 && r < 0x900 || r >= 0xfb1d && r < 0xff00 || r >= 0x10800 && r < 0x11000 || r >= 0x1e800 && r < 0x1f000
	}
	if !strings.ContainsFunc(s, leftwards) {
		return s // of the direction of all around it
	}
	return "\u2068" + s + "\u2069"
}

// maxID is the longest id that is kept, in bytes: those of Garmin have a few dozen,
// and no index of PostgreSQL takes any length.
const maxID = 500

var errLongID = fmt.Errorf("an id has more than %d bytes", maxID)

// keptAll keeps the texts among the values of a statement, of whatever type.
func keptAll(args []any) []any {
	all := make([]any, len(args))
	for i, a := range args {
		if v := reflect.ValueOf(a); v.Kind() == reflect.String {
			a = kept(v.String())
		}
		all[i] = a
	}
	return all
}

// row is a row of the database, whose texts are as they were.
type row struct {
	from interface{ Scan(into ...any) error }
}

func (r row) Scan(into ...any) error {
	if err := r.from.Scan(into...); err != nil {
		return err
	}
	for _, p := range into {
		if v := reflect.ValueOf(p).Elem(); v.Kind() == reflect.String {
			v.SetString(restored(v.String()))
		}
	}
	return nil
}
