package notify

import (
	"bufio"
	"bytes"
	"fmt"
	"strings"
)

// beginsXML reports whether text may begin an XML document, in ASCII or what
// contains it, UTF-16, UTF-32 or EBCDIC.
func beginsXML(text []byte) bool {
	for _, mark := range []string{"<", "\xef\xbb\xbf", "\xff\xfe", "\xfe\xff", "Lo\xa7\x94"} {
		if bytes.HasPrefix(text, []byte(mark)) {
			return true
		}
	}
	return false
}

// checkXML only looks for the end of the root element. It does not decode the
// characters between the tags, so any encoding that contains ASCII will do. It
// returns the type of the document: FIT, TCX or GPX, or the name of the root, or
// "?" and the text if there is none.
func checkXML(br *bufio.Reader) (is string, v finding) {
	s := &xmlScan{in: br, width: 1}
	s.begin()
	if s.ebcdic {
		return "EBCDIC", finding{ending: endingOpen, why: "its encoding is EBCDIC", odd: []string{"its encoding is EBCDIC, and it was not checked"}}
	}
	s.document()
	switch name := local(s.root); {
	case s.root == "" && s.stray:
		return "text", finding{ending: endingNone, why: "it is no XML document"}
	case s.root == "":
		is = "?"
	case strings.EqualFold(name, "TrainingCenterDatabase"):
		is = "TCX"
	case strings.EqualFold(name, "gpx"):
		is = "GPX"
	default:
		is = name
	}
	if strings.EqualFold(s.doctype, "html") {
		is = "html"
	}
	if !s.closed || s.open > 0 {
		return is, finding{ending: endingCut, why: "its root element does not end"}
	}
	v.odd = s.odd()
	return is, v
}

func local(name string) string { return name[strings.LastIndexByte(name, ':')+1:] }

// xmlScan reads a document tag by tag. It tolerates text that is not well-formed.
type xmlScan struct {
	in     *bufio.Reader
	width  int // bytes of a character: 1, or 2 and 4 for UTF-16 and UTF-32
	big    bool
	ebcdic bool
	end    bool

	version, encoding string // of the XML declaration
	doctype           string
	root              string // its name with the prefix
	open              int    // elements with the root's name
	depth             int    // all elements
	closed            bool   // the root has ended
	unpaired          bool
	again             bool // another document stands behind the first
	stray             bool // text where none may be before the root
	behind            int  // bytes after the root that are no space, comment and so on
	control           bool

	escaped bool // within other characters, in ISO-2022
	utf8    utf8Scan
}

// begin reads the byte order mark, or finds the width by the first "<".
func (s *xmlScan) begin() {
	head, _ := s.in.Peek(4)
	is := func(mark string) bool { return strings.HasPrefix(string(head), mark) }
	mark := 0
	switch {
	case is("\xff\xfe\x00\x00"):
		s.width, mark = 4, 4
	case is("\x00\x00\xfe\xff"):
		s.width, s.big, mark = 4, true, 4
	case is("\xef\xbb\xbf"):
		mark = 3
	case is("\xff\xfe"):
		s.width, mark = 2, 2
	case is("\xfe\xff"):
		s.width, s.big, mark = 2, true, 2
	case is("<\x00\x00\x00"):
		s.width = 4
	case is("\x00\x00\x00<"):
		s.width, s.big = 4, true
	case is("<\x00"):
		s.width = 2
	case is("\x00<"):
		s.width, s.big = 2, true
	case is("Lo\xa7\x94"):
		s.ebcdic = true
	}
	_, _ = s.in.Discard(mark)
}

// other stands for every character that is not ASCII if characters are wider than
// a byte.
const other = 0x80

// next returns the next character, and 0 with s.end set at the end.
func (s *xmlScan) next() byte {
	if s.width == 1 {
		c, err := s.in.ReadByte()
		if err != nil {
			s.end = true
			return 0
		}
		s.utf8.add(c)
		return s.unescape(c)
	}
	unit, _ := s.in.Peek(s.width)
	if len(unit) < s.width {
		s.end = true
		s.behind += len(unit)
		return 0
	}
	low, rest := unit[0], unit[1:]
	if s.big {
		low, rest = unit[s.width-1], unit[:s.width-1]
	}
	c := low
	if c >= other || len(bytes.Trim(rest, "\x00")) > 0 {
		c = other
	}
	_, _ = s.in.Discard(s.width)
	return c
}

// unescape hides the bytes of two-byte characters in the encodings of
// ISO-2022, which look like ASCII and are not.
func (s *xmlScan) unescape(c byte) byte {
	if !strings.HasPrefix(s.encoding, "iso-2022") {
		return c
	}
	if c == 0x1b {
		to, _ := s.in.Peek(1)
		s.escaped = len(to) > 0 && to[0] == '$'
		return other
	}
	if s.escaped {
		return other
	}
	return c
}

func space(c byte) bool { return c == ' ' || c == '\t' || c == '\n' || c == '\r' }

func nameStart(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c == '_' || c == ':' || c >= other
}

// document reads to the end, or until it is clear that this is not XML.
func (s *xmlScan) document() {
	for !s.end && !s.stray {
		c := s.next()
		if c != '<' {
			s.text(c)
			continue
		}
		s.markup()
	}
}

func (s *xmlScan) text(c byte) {
	switch {
	case s.end || space(c):
	case s.root == "":
		s.stray = c != 0
	case s.open == 0:
		s.behind += s.width
	case c < ' ':
		s.control = true
	}
}

// markup reads what follows a "<".
func (s *xmlScan) markup() {
	switch c := s.next(); {
	case s.end:
	case c == '?':
		s.instruction()
	case c == '!':
		s.declaration()
	case c == '/':
		s.endTag()
	case nameStart(c):
		s.startTag(c)
	default:
		s.text('<')
		s.text(c)
	}
}

// until reads to the text end and returns the beginning of what comes before.
func (s *xmlScan) until(end string) string {
	var kept, last []byte
	for !s.end {
		c := s.next()
		if s.end {
			break
		}
		if last = append(last, c); len(last) > len(end) {
			last = last[1:]
		}
		if string(last) == end {
			break
		}
		if len(kept) < 256 {
			kept = append(kept, c)
		}
	}
	return string(kept)
}

func (s *xmlScan) instruction() {
	text := s.until("?>")
	if s.root != "" || !strings.HasPrefix(text, "xml") || s.version != "" {
		return
	}
	s.version = attribute(text, "version")
	s.encoding = strings.ToLower(attribute(text, "encoding"))
}

// attribute finds the value of an attribute of the XML declaration.
func attribute(text, name string) string {
	_, rest, ok := strings.Cut(text, name)
	if !ok {
		return ""
	}
	rest = strings.TrimLeft(rest, " \t\r\n=")
	if rest == "" || rest[0] != '"' && rest[0] != '\'' {
		return ""
	}
	value, _, _ := strings.Cut(rest[1:], rest[:1])
	return value[:min(len(value), 40)]
}

// declaration reads a comment, a CDATA section or a document type.
func (s *xmlScan) declaration() {
	var word []byte
	for !s.end && len(word) < 7 {
		c := s.next()
		word = append(word, c)
		switch {
		case string(word) == "--":
			s.until("-->")
			return
		case string(word) == "[CDATA[":
			s.until("]]>")
			return
		case c == '>':
			return
		}
	}
	s.documentType()
}

// documentType reads to the end of a document type, past its own declarations.
func (s *xmlScan) documentType() {
	c := s.next()
	for space(c) {
		c = s.next()
	}
	var name []byte
	for ; !s.end && !space(c) && c != '[' && c != '>'; c = s.next() {
		if len(name) < 40 {
			name = append(name, c)
		}
	}
	s.doctype = string(name)
	for inside, quote := 0, byte(0); !s.end; c = s.next() {
		switch {
		case quote != 0:
			if c == quote {
				quote = 0
			}
		case c == '"' || c == '\'':
			quote = c
		case c == '<' && s.peek(3) == "!--":
			s.until("-->")
		case c == '<' || c == '[':
			inside++
		case c == '>' && inside == 0:
			return
		case c == '>' || c == ']':
			inside--
		}
	}
}

// peek returns the next characters if they are ASCII.
func (s *xmlScan) peek(n int) string {
	units, _ := s.in.Peek(n * s.width)
	return strings.ReplaceAll(string(units), "\x00", "")
}

func (s *xmlScan) startTag(first byte) {
	name, c := s.name(first)
	if s.end {
		return // The name may be cut.
	}
	last, quote := c, byte(0)
	for !s.end && (c != '>' || quote != 0) {
		switch {
		case quote != 0:
			if c == quote {
				quote = 0
			}
		case c == '"' || c == '\'':
			quote = c
		}
		last = c
		c = s.next()
	}
	if s.root == "" {
		s.root = name
	}
	if s.end || last == '/' {
		if name == s.root && s.open == 0 && !s.end {
			s.closed = true
		}
		if s.end && name == s.root {
			s.open++
		}
		return
	}
	s.depth++
	if name == s.root {
		s.again = s.again || s.closed && s.open == 0
		s.open++
	}
}

func (s *xmlScan) endTag() {
	name, c := s.name(s.next())
	for !s.end && c != '>' {
		c = s.next()
	}
	if s.end {
		return
	}
	s.depth--
	if name != s.root || s.open == 0 {
		return
	}
	if s.open--; s.open == 0 {
		s.closed = true
		s.unpaired = s.unpaired || s.depth != 0
		s.depth = 0
	}
}

// name reads the rest of a tag's name, and returns it with what follows it.
func (s *xmlScan) name(first byte) (string, byte) {
	name := []byte{first}
	for !s.end {
		c := s.next()
		if space(c) || c == '>' || c == '/' || s.end {
			return string(name), c
		}
		if len(name) < 200 {
			name = append(name, c)
		}
	}
	return string(name), 0
}

// odd describes what may trouble a reader of the document.
func (s *xmlScan) odd() (odd []string) {
	if s.version != "" && s.version != "1.0" {
		odd = append(odd, fmt.Sprintf("it is XML %q", s.version))
	}
	switch {
	case s.width > 1:
		odd = append(odd, fmt.Sprintf("its encoding is UTF-%d", 8*s.width))
	case s.encoding != "" && s.encoding != "utf-8" && s.encoding != "us-ascii":
		odd = append(odd, fmt.Sprintf("its encoding is %q", s.encoding))
	case s.utf8.bad || s.utf8.want > 0:
		odd = append(odd, "it is not valid UTF-8")
	}
	if s.control {
		odd = append(odd, "it has control characters")
	}
	if s.unpaired {
		odd = append(odd, "its tags do not pair")
	}
	if s.again {
		odd = append(odd, "another document stands behind its end")
	}
	if s.behind > 0 {
		odd = append(odd, fmt.Sprintf("%d bytes stand behind its end", s.behind))
	}
	return odd
}

// utf8Scan tells whether bytes are UTF-8, but for surrogates and the longer
// forms of short characters.
type utf8Scan struct {
	want int
	bad  bool
}

func (u *utf8Scan) add(c byte) {
	switch {
	case c&0xc0 == 0x80:
		u.bad = u.bad || u.want == 0
		u.want = max(u.want-1, 0)
		return
	case u.want > 0:
		u.bad = true
	}
	switch {
	case c < 0x80:
		u.want = 0
	case c >= 0xc2 && c < 0xe0:
		u.want = 1
	case c >= 0xe0 && c < 0xf0:
		u.want = 2
	case c >= 0xf0 && c < 0xf5:
		u.want = 3
	default:
		u.want, u.bad = 0, true
	}
}
