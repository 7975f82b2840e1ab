package erasure

import (
	"bytes"
	"io"
	"slices"

	"github.com/garminkit/activityapi/notify"
)

// Cut is a part of a body that is a user's.
type Cut struct {
	Off, Size int64
	fill      filling
}

type filling byte

const (
	// asNull makes an item null: JSON goes on, and the places and numbers of
	// other items stay. Such an item is none.
	asNull filling = iota
	// asZero makes an item that could not be read another that cannot be read,
	// so that the pieces behind it stay what they were.
	asZero
	// asBlank makes white space of what is no JSON, behind a zero byte that is none
	// either: what follows does not become items.
	asBlank
)

// Found is what a look through a body has found.
type Found struct {
	// Cuts are what is to be taken out, in order.
	Cuts []Cut
	// Mine are the items that are the user's as a whole, Others the rest. Both
	// have what [notify.Splitter] yields for the body, in order. The piece that is a
	// whole body is the user's if nothing of it is left.
	Mine, Others []notify.Piece
	// Naming counts the others' items that name the user. They stay.
	Naming int
}

// Look takes a body apart. An error is r's.
func (u *User) Look(r io.ReaderAt, size int64) (*Found, error) {
	f := &Found{}
	end := int64(0) // of what was read as items
	for p, err := range new(notify.Splitter).Split(io.NewSectionReader(r, 0, size)) {
		if err != nil {
			return nil, err
		}
		switch {
		case p.Class != notify.ClassBad && p.UserID == u.id:
			f.Cuts = append(f.Cuts, Cut{p.Offset, p.Size, asNull})
			f.Mine = append(f.Mine, p)
		case p.Class != notify.ClassBad:
			text, err := section(r, p.Offset, p.Size)
			if err != nil {
				return nil, err
			}
			if !u.same(p.UserID) && u.Named(text) {
				f.Naming++
			}
			f.Others = append(f.Others, p)
		case !u.Unread(p.UserID):
			f.Others = append(f.Others, p) // of another application
		case p.Offset == 0 && p.Size == size && p.Key == "":
			if err := u.unreadable(f, r, p, end); err != nil {
				return nil, err
			}
			continue
		default:
			if err := u.bad(f, r, p); err != nil {
				return nil, err
			}
		}
		end = max(end, p.Offset+p.Size)
	}
	return f, nil
}

func section(r io.ReaderAt, off, size int64) ([]byte, error) {
	text := make([]byte, size)
	n, err := r.ReadAt(text, off)
	if int64(n) == size {
		err = nil
	} else if err == io.EOF {
		err = io.ErrUnexpectedEOF
	}
	return text, err
}

// bad looks into a piece that is one item, or neighbours of a list, that could
// not be read.
func (u *User) bad(f *Found, r io.ReaderAt, p notify.Piece) error {
	text, err := section(r, p.Offset, p.Size)
	if err != nil {
		return err
	}
	all := true
	for part := range values(text) {
		if u.Named(text[part.Off : part.Off+part.Size]) {
			f.Cuts = append(f.Cuts, Cut{p.Offset + part.Off, part.Size, asZero})
		} else {
			all = false
		}
	}
	if all {
		f.Mine = append(f.Mine, p)
	} else {
		f.Others = append(f.Others, p)
	}
	return nil
}

// unreadable looks into what follows the last item of a body that could not be
// read to its end. It is taken apart by its braces, as well as that goes.
func (u *User) unreadable(f *Found, r io.ReaderAt, p notify.Piece, end int64) error {
	text, err := section(r, end, p.Size-end)
	if err != nil {
		return err
	}
	start := int64(0)
	if end == 0 {
		start = int64(rootEnd(text))
	}
	left := false
	for part := range objects(text, start) {
		piece := text[part.Off : part.Off+part.Size]
		switch {
		case u.Named(piece):
			f.Cuts = append(f.Cuts, Cut{end + part.Off, part.Size, asBlank})
		case bytes.ContainsFunc(piece, func(c rune) bool { return c > ' ' && !bytes.ContainsRune([]byte("{}[],"), c) }):
			left = true
		}
	}
	if u.Named(text[:start]) {
		f.Cuts = append(f.Cuts, Cut{end, start, asBlank})
		slices.SortFunc(f.Cuts, func(a, b Cut) int { return int(a.Off - b.Off) })
	}
	if left || len(f.Others) > 0 || len(f.Cuts) == 0 {
		f.Others = append(f.Others, p)
	} else {
		f.Mine = append(f.Mine, p)
	}
	return nil
}

// values yields the places of the JSON values that commas part.
func values(text []byte) func(func(Cut) bool) {
	return func(yield func(Cut) bool) {
		depth, from := 0, 0
		inText := false
		give := func(to int) bool {
			part := bytes.TrimRight(text[from:to], " \t\r\n")
			skip := len(part) - len(bytes.TrimLeft(part, " \t\r\n"))
			off := from + skip
			from = to + 1
			return len(part) == skip || yield(Cut{Off: int64(off), Size: int64(len(part) - skip)})
		}
		for i := 0; i < len(text); i++ {
			switch c := text[i]; {
			case inText && c == '\\':
				i++
			case c == '"':
				inText = !inText
			case inText:
			case c == '{', c == '[':
				depth++
			case c == '}', c == ']':
				depth--
			case c == ',' && depth == 0:
				if !give(i) {
					return
				}
			}
		}
		give(len(text))
	}
}

// objects yields the places of the objects in a text that is no JSON, and of what
// stands between them. An object that does not end goes to the end of the text.
func objects(text []byte, start int64) func(func(Cut) bool) {
	return func(yield func(Cut) bool) {
		depth, from := 0, int(start)
		inText := false
		give := func(to int) bool {
			off := from
			from = to
			return off == to || yield(Cut{Off: int64(off), Size: int64(to - off)})
		}
		for i := int(start); i < len(text); i++ {
			switch c := text[i]; {
			case inText && c == '\\':
				i++
			case c == '"' && depth > 0:
				inText = !inText
			case inText:
			case c == '{':
				if depth == 0 && !give(i) {
					return
				}
				depth++
			case c == '}':
				if depth = max(depth-1, 0); depth == 0 && !give(i+1) {
					return
				}
			}
		}
		give(len(text))
	}
}

// rootEnd tells where the first list of a body begins, or 0.
func rootEnd(text []byte) int {
	rest := bytes.TrimLeft(bytes.TrimPrefix(text, []byte("\xef\xbb\xbf")), " \t\r\n")
	for _, want := range []string{"{", `"`, `"`, ":", "["} {
		i := bytes.IndexByte(rest, want[0])
		if i < 0 || i > 256 {
			return 0
		}
		rest = rest[i+1:]
	}
	return len(text) - len(rest)
}

// Reader reads a body without what was cut out, in as many bytes as it had.
func Reader(r io.ReaderAt, size int64, cuts []Cut) io.Reader {
	return &reader{r: io.NewSectionReader(r, 0, size), cuts: cuts}
}

type reader struct {
	r    io.Reader
	at   int64
	cuts []Cut
}

func (r *reader) Read(p []byte) (int, error) {
	n, err := r.r.Read(p)
	for len(r.cuts) > 0 {
		c := &r.cuts[0]
		if c.Off >= r.at+int64(n) {
			break
		}
		from := max(c.Off, r.at)
		to := min(c.Off+c.Size, r.at+int64(n))
		for i := from; i < to; i++ {
			p[i-r.at] = c.at(i - c.Off)
		}
		if to < c.Off+c.Size {
			break
		}
		r.cuts = r.cuts[1:]
	}
	r.at += int64(n)
	return n, err
}

// at is the i-th byte in the place of what was cut out.
func (c *Cut) at(i int64) byte {
	switch {
	case c.fill == asNull && c.Size >= 4 && i < 4:
		return "null"[i]
	case c.fill == asZero && i == 0, c.fill == asNull && c.Size < 4 && i == 0:
		return '0'
	case c.fill == asBlank && i == 0:
		return 0
	}
	return ' '
}

// Apply takes what was cut out of a body in memory.
func Apply(body []byte, cuts []Cut) {
	for _, c := range cuts {
		for i := range c.Size {
			body[c.Off+i] = c.at(i)
		}
	}
}
