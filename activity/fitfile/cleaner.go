package fitfile

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"regexp"
	"strings"
	"unicode/utf8"
)

// cleaner converts a file to UTF-8 that package xml accepts. Programs also write
// Latin-1 and windows-1252, byte order marks, XML 1.1, and characters that XML
// does not allow.
type cleaner struct {
	in     *bufio.Reader
	name   string // of the encoding
	single bool   // one byte is one character
	odd    int    // characters that were replaced
	run    int    // bytes since the last token
	buf    []byte
	out    []byte // of buf, not read yet
	err    error
}

var encodingForm = regexp.MustCompile(`encoding\s*=\s*["']([A-Za-z0-9._-]+)["']`)

// maxRun limits the bytes of one token, such as a tag, a text or a comment, since
// package xml keeps it in memory. Comments may have any number of < in them, so the
// reader of the tokens says where one ends.
const maxRun = 1 << 20

var errLongRun = errors.New("there is a text of more than 1 MiB, or a tag or comment")

// prolog removes the XML declaration, if there is one.
func (c *cleaner) prolog() error {
	c.name = "UTF-8"
	if mark, _ := c.in.Peek(3); bytes.Equal(mark, []byte("\xef\xbb\xbf")) {
		_, _ = c.in.Discard(3)
	}
	head, err := c.in.Peek(512)
	if err != nil && err != io.EOF {
		return err
	}
	start := len(head) - len(bytes.TrimLeft(head, " \t\r\n"))
	end := bytes.Index(head, []byte("?>"))
	if !bytes.HasPrefix(head[start:], []byte("<?xml")) || end < 0 {
		return nil
	}
	if m := encodingForm.FindSubmatch(head[:end]); m != nil {
		c.name = string(m[1])
	}
	switch strings.ToLower(c.name) {
	case "iso-8859-1", "latin1", "latin-1", "windows-1252", "cp1252", "iso-8859-15":
		c.single = true
	}
	_, err = c.in.Discard(end + 2)
	return err
}

// upper maps 0x80 to 0x9f to the characters of windows-1252. It is used for Latin-1
// as well: files that claim Latin-1 contain them, and XML allows none of Latin-1's
// own characters there.
const upper = "€\u0081‚ƒ„…†‡ˆ‰Š‹Œ\u008dŽ\u008f\u0090‘’“”•–—˜™š›œ\u009džŸ"

func (c *cleaner) Read(p []byte) (int, error) {
	for len(c.out) == 0 {
		if c.err != nil {
			return 0, c.err
		}
		c.fill()
	}
	n := copy(p, c.out)
	c.out = c.out[n:]
	return n, nil
}

// fill converts the next piece.
func (c *cleaner) fill() {
	c.buf = c.buf[:0]
	raw, err := c.in.Peek(4096)
	if err != nil && len(raw) == 0 {
		c.err = err
		return
	}
	used := 0
	for used < len(raw) {
		b := raw[used]
		if c.run++; c.run > maxRun {
			c.err = errLongRun
			c.done(used)
			return
		}
		switch {
		case b < utf8.RuneSelf:
			if b < 0x20 && b != '\t' && b != '\n' && b != '\r' || b == 0x7f {
				c.odd++
				b = ' '
			}
			c.buf = append(c.buf, b)
			used++
		case c.single:
			r := rune(b)
			if b < 0xa0 {
				r = []rune(upper)[b-0x80]
			}
			c.buf = utf8.AppendRune(c.buf, r)
			used++
		default:
			if !utf8.FullRune(raw[used:]) && err == nil && used > 0 {
				c.done(used)
				return
			}
			r, size := utf8.DecodeRune(raw[used:])
			if r == utf8.RuneError && size == 1 || r == 0xFFFE || r == 0xFFFF {
				c.odd++
				r = utf8.RuneError
			}
			c.buf = utf8.AppendRune(c.buf, r)
			used += size
		}
	}
	c.done(used)
}

func (c *cleaner) done(used int) {
	c.out = c.buf
	_, _ = c.in.Discard(used)
}
