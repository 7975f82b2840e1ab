// Package erasure finds in notification bodies what belongs to one user, so that
// it can be taken out and all else stays as it is.
package erasure

import (
	"bytes"
	"html"
	"io"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/garminkit/activityapi/types"
)

// User finds what is of one user. It is safe for concurrent use.
type User struct {
	id   types.UserID
	name []byte // the id as Garmin gives it
}

// For returns a finder for the user with this id.
func For(id types.UserID) *User {
	garmin := string(id)
	if at := strings.LastIndexByte(garmin, '@'); at >= 0 {
		garmin = garmin[:at] // The rest is the application.
	}
	return &User{id, []byte(garmin)}
}

// Nobody reports whether it is nobody's id.
func (u *User) Nobody() bool { return len(u.name) == 0 }

// same reports whether an id is that of the same person in whatever application.
func (u *User) same(id types.UserID) bool { return string(For(id).name) == string(u.name) }

// Unread reports whether an item of this user is one that could not be read, and
// came for the application of u.
func (u *User) Unread(id types.UserID) bool { return For(id).Nobody() && id.App() == u.id.App() }

// layers is how many layers of escapes are taken off a text.
const layers = 4

// Named tells whether a text names the user: as it is, or in the escapes of JSON,
// URLs and HTML, one in another. A part of a longer word is not the name. An empty
// user is named nowhere.
func (u *User) Named(text []byte) bool {
	if len(u.name) == 0 {
		return false
	}
	if bytes.IndexByte(text, 0) >= 0 && u.in(bytes.ReplaceAll(text, []byte{0}, nil)) { // UTF-16
		return true
	}
	return u.in(text)
}

// MayBeIn tells whether something in a body may be the user's. It says no only
// where Look finds nothing.
func (u *User) MayBeIn(body []byte) bool {
	// What is no UTF-8 reads as U+FFFD, and so does half a pair of surrogates.
	return strings.ContainsRune(string(u.id), utf8.RuneError) || u.Named(body)
}

// Names is MayBeIn for what r gives, which is read to its end.
func (u *User) Names(r io.Reader) (named bool, err error) {
	overlap := 64 * (len(u.name) + 1)
	buf := make([]byte, 0, 256<<10+2*overlap)
	for {
		n, err := io.ReadFull(r, buf[len(buf):cap(buf)])
		buf = buf[:len(buf)+n]
		named = named || u.MayBeIn(buf)
		if err == io.EOF || err == io.ErrUnexpectedEOF {
			return named, nil
		}
		if err != nil {
			return named, err
		}
		buf = buf[:copy(buf, buf[len(buf)-min(overlap, len(buf)):])]
	}
}

func (u *User) in(text []byte) bool {
	for range layers + 1 {
		if u.word(text) {
			return true
		}
		plain, changed := unescape(text)
		if !changed {
			return false
		}
		text = plain
	}
	return false
}

// word looks for the name as a word of its own.
func (u *User) word(text []byte) bool {
	for from := 0; ; {
		i := bytes.Index(text[from:], u.name)
		if i < 0 {
			return false
		}
		at, end := from+i, from+i+len(u.name)
		if (at == 0 || !inWord(text[at-1])) && (end == len(text) || !inWord(text[end])) {
			return true
		}
		from = at + 1
	}
}

func inWord(c byte) bool {
	return c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c == '-' || c == '_' || c >= 0x80
}

// unescape takes one layer of escapes off.
func unescape(text []byte) (plain []byte, changed bool) {
	if !bytes.ContainsAny(text, `%\&`) {
		return text, false
	}
	plain = make([]byte, 0, len(text))
	for i := 0; i < len(text); {
		c, n := unescapeOne(text[i:])
		if n > 1 {
			changed = true
		}
		plain = append(plain, c...)
		i += n
	}
	return plain, changed
}

// unescapeOne gives what the beginning of p stands for, and its length.
func unescapeOne(p []byte) (plain []byte, n int) {
	hex := func(from, to, bits int) (uint64, bool) {
		if len(p) < to {
			return 0, false
		}
		v, err := strconv.ParseUint(string(p[from:to]), 16, bits)
		return v, err == nil
	}
	switch {
	case p[0] == '%':
		if v, ok := hex(1, 3, 8); ok {
			return []byte{byte(v)}, 3
		}
	case p[0] == '\\' && len(p) > 1 && p[1] == 'u':
		if v, ok := hex(2, 6, 16); ok {
			if low, ok := surrogate(p, v); ok {
				return []byte(string(low)), 12
			}
			return []byte(string(rune(v))), 6
		}
	case p[0] == '\\' && len(p) > 1:
		if i := strings.IndexByte(`/\"'bfnrt`, p[1]); i >= 0 {
			return []byte{"/\\\"'\b\f\n\r\t"[i]}, 2
		}
	case p[0] == '&':
		if end := bytes.IndexByte(p[:min(len(p), 12)], ';'); end > 0 {
			if s := html.UnescapeString(string(p[:end+1])); s != string(p[:end+1]) {
				return []byte(s), end + 1
			}
		}
	}
	return p[:1], 1
}

// surrogate reads the second half of a pair of escapes.
func surrogate(p []byte, high uint64) (rune, bool) {
	if high < 0xd800 || high > 0xdbff || len(p) < 12 || p[6] != '\\' || p[7] != 'u' {
		return 0, false
	}
	low, err := strconv.ParseUint(string(p[8:12]), 16, 16)
	if err != nil || low < 0xdc00 || low > 0xdfff {
		return 0, false
	}
	return rune(high-0xd800)<<10 + rune(low-0xdc00) + 0x10000, true
}
