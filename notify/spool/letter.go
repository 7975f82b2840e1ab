package spool

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/garminkit/activityapi/internal/seal"
	"github.com/garminkit/activityapi/notify"
	"github.com/garminkit/activityapi/types"
)

const (
	letterSuffix  = ".letter"
	bytesSuffix   = ".bytes"   // a whole large body, beside its letter
	damagedSuffix = ".damaged" // the same with a wrong checksum
	letterMagic   = "spool letter 2"
	letterMagic1  = "spool letter 1" // of version 0.1
	letterMagic3  = "spool letter 3" // of a sealed one
	// sealedSuffix follows the others if the body was sealed when it was received.
	sealedSuffix = ".sealed"
	// excerpt is how much of the damaged bytes a letter holds.
	excerpt = 64 << 10
	// firstHead is how much of a letter is read at first: most heads are shorter.
	firstHead = 1 << 10
)

// The name of a letter tells its item and when it was buried, so that letters
// need not be read to count them or to find old ones:
//
//	<number>-<offset>-<buried>   of an item
//	<number>-rest-<buried>       of the rest of a body
//	<base>-at-<offset>-<buried>  of damage in the segment with this base
//	<number>-<ordinal>           of an item, by version 0.1
//	<base>-at-<offset>           of damage, by version 0.1
//
// The name without its ending is the letter's ID.
type letterName struct {
	seq    uint64
	offset uint32
	kind   letterKind
	buried int64
}

type letterKind uint8

const (
	ofItem letterKind = iota + 1
	ofRest
	ofDamage
	ofOrdinal // version 0.1; buried is not known
	ofDamage1
)

func (n letterName) String() string {
	switch n.kind {
	case ofRest:
		return fmt.Sprintf("%016x-rest-%016x", n.seq, uint64(n.buried))
	case ofDamage:
		return fmt.Sprintf("%016x-at-%08x-%016x", n.seq, n.offset, uint64(n.buried))
	case ofDamage1:
		return fmt.Sprintf("%016x-at-%08x", n.seq, n.offset)
	case ofOrdinal:
		return fmt.Sprintf("%016x-%08x", n.seq, n.offset)
	}
	return fmt.Sprintf("%016x-%08x-%016x", n.seq, n.offset, uint64(n.buried))
}

// parseLetterName reads an ID, which may come from anywhere.
func parseLetterName(id string) (n letterName, ok bool) {
	parts := strings.Split(id, "-")
	hex := func(s string) uint64 {
		v, err := strconv.ParseUint(s, 16, 64)
		ok = ok && err == nil
		return v
	}
	ok = true
	switch {
	case len(parts) == 2:
		n = letterName{seq: hex(parts[0]), offset: uint32(hex(parts[1])), kind: ofOrdinal}
	case len(parts) == 3 && parts[1] == "rest":
		n = letterName{seq: hex(parts[0]), kind: ofRest, buried: int64(hex(parts[2]))}
	case len(parts) == 3 && parts[1] == "at":
		n = letterName{seq: hex(parts[0]), offset: uint32(hex(parts[2])), kind: ofDamage1}
	case len(parts) == 3:
		n = letterName{seq: hex(parts[0]), offset: uint32(hex(parts[1])), kind: ofItem, buried: int64(hex(parts[2]))}
	case len(parts) == 4 && parts[1] == "at":
		n = letterName{seq: hex(parts[0]), offset: uint32(hex(parts[2])), kind: ofDamage, buried: int64(hex(parts[3]))}
	default:
		return n, false
	}
	return n, ok && n.String() == id
}

// letterHead is the second line of a letter's file.
type letterHead struct {
	Key         string    `json:"key"`
	UserID      string    `json:"userId"`
	Items       int       `json:"items,omitempty"`
	Reason      string    `json:"reason"`
	Quarantined bool      `json:"quarantined"`
	Attempts    int       `json:"attempts"`
	Received    time.Time `json:"received"`
	Buried      time.Time `json:"buried"`
	Size        int64     `json:"size,omitempty"`
	// Order is that of the body that the letter opens as.
	Order uint64 `json:"order,omitempty"`
	// Whole: the bytes are a whole body, and not an item under Key.
	Whole bool `json:"whole,omitempty"`
	// Beside: the bytes are in a file of their own.
	Beside bool `json:"beside,omitempty"`
	// Unopened: the bytes are those of a sealed body that does not open.
	Unopened bool `json:"unopened,omitempty"`
}

func (h *letterHead) letter(id string) *notify.DeadLetter {
	return &notify.DeadLetter{ID: id, Key: h.Key, UserID: types.UserID(h.UserID), Items: h.Items, Reason: h.Reason,
		Quarantined: h.Quarantined, Attempts: h.Attempts, Received: h.Received, Buried: h.Buried, Size: h.Size}
}

// app is the application that the letter's items are for.
func (h *letterHead) app() string { return types.UserID(h.UserID).App() }

func headOf(l *notify.DeadLetter) *letterHead {
	return &letterHead{Key: l.Key, UserID: string(l.UserID), Items: 1, Reason: l.Reason, Quarantined: l.Quarantined,
		Attempts: l.Attempts, Received: l.Received, Buried: l.Buried}
}

// encode returns the first two lines of the file of the letter with this name,
// sealed if there is a box.
func (h *letterHead) encode(box *seal.Box, n letterName) ([]byte, error) {
	line, err := json.Marshal(h)
	if err != nil {
		return nil, err
	}
	magic := letterMagic
	if box != nil {
		magic, line = letterMagic3, base64.StdEncoding.AppendEncode(nil, box.Seal(nil, line, aboutLetter(n)))
	}
	return fmt.Appendf(nil, "%s %08x %d\n%s\n", magic, crc32.Checksum(line, castagnoli), len(line), line), nil
}

// unsealHead returns the line of a head that was sealed.
func unsealHead(box *seal.Box, n letterName, line []byte) ([]byte, error) {
	record, err := base64.StdEncoding.AppendDecode(nil, line)
	if err != nil || box == nil {
		return nil, errDamagedLetter
	}
	if line, err = box.Open(nil, record, aboutLetter(n)); err != nil {
		return nil, errDamagedLetter
	}
	return line, nil
}

var errDamagedLetter = errors.New("the letter's file is damaged")

// openedLetter is an open letter file whose head was read.
type openedLetter struct {
	f    file
	size int64 // of the file
	name letterName
	head letterHead
	body int64 // where the bytes begin
	old  bool  // of version 0.1: they have no checksum behind them
	box  *seal.Box
	// sealed: the bytes are a stream, from body to the end. Those of a rest are
	// sealed one by one.
	sealed bool
}

// openLetterFile opens a letter. An invalid head gives a letter that says so,
// with the whole file as its bytes.
func (s *spool) openLetterFile(id string) (*openedLetter, error) {
	missing := fmt.Errorf("spool: letter %q: %w", id, errNotExist)
	name, ok := parseLetterName(id)
	if !ok {
		return nil, missing // and it cannot lead out of the directory
	}
	f, err := s.fs.Open(s.letterPath(id))
	if isNotExist(err) {
		return nil, missing
	}
	if err != nil {
		return nil, fmt.Errorf("spool: %w", err)
	}
	l := &openedLetter{f: f, name: name, box: s.box()}
	if l.size, err = f.Size(); err == nil {
		err = l.readHead()
	}
	if err == errDamagedLetter {
		l.head = letterHead{Reason: "spool: " + err.Error(), Items: 1, Quarantined: true, Whole: true, Size: l.size}
		l.body, l.old, l.sealed, err = 0, true, false, nil
	}
	if err != nil {
		f.Close()
		return nil, fmt.Errorf("spool: letter %q: %w", id, err)
	}
	return l, nil
}

func (l *openedLetter) readHead() error {
	// A reason may be long: read more until both lines are there.
	for n := int64(firstHead); ; n *= 4 {
		p := make([]byte, min(n, l.size))
		if err := readFull(l.f, p, 0); err != nil {
			return err
		}
		first, rest, ok := bytes.Cut(p, []byte("\n"))
		line, _, ok2 := bytes.Cut(rest, []byte("\n"))
		if !ok || !ok2 {
			if n >= l.size {
				return errDamagedLetter
			}
			continue
		}
		l.body = int64(len(first) + len(line) + 2)
		switch {
		case string(first) == fmt.Sprintf("%s %08x %d", letterMagic, crc32.Checksum(line, castagnoli), len(line)):
		case string(first) == fmt.Sprintf("%s %08x %d", letterMagic3, crc32.Checksum(line, castagnoli), len(line)):
			l.sealed = true
			var err error
			if line, err = unsealHead(l.box, l.name, line); err != nil {
				return err
			}
		case bytes.HasPrefix(first, []byte(letterMagic1+" ")):
			l.old = true
			if err := l.checkOld(first); err != nil {
				return err
			}
		default:
			return errDamagedLetter
		}
		if json.Unmarshal(line, &l.head) != nil {
			return errDamagedLetter
		}
		if l.old {
			l.head.Items, l.head.Size, l.head.Whole = 1, l.size-l.body, l.head.Key == ""
		}
		if l.name.kind == ofRest {
			slot, _, err := readSlots(l.f, l.body)
			if err != nil {
				return err
			}
			l.head.Items, l.head.Size = int(slot.items), slot.bytes
		}
		return nil
	}
}

// order is that of the body that the letter opens as. If the letter does not say
// it, the result is below all others.
func (l *openedLetter) order() uint64 {
	if l.head.Order != 0 {
		return l.head.Order
	}
	return oldOrder(l.name.seq)
}

// checkOld compares a letter of version 0.1 with its checksum, which is about
// all of it.
func (l *openedLetter) checkOld(first []byte) error {
	n := int64(len(first)) + 1
	h := crc32.New(castagnoli)
	if _, err := io.Copy(h, io.NewSectionReader(l.f, n, l.size-n)); err != nil {
		return err
	}
	if string(first) != fmt.Sprintf("%s %08x %d", letterMagic1, h.Sum32(), l.size-n) {
		return errDamagedLetter
	}
	return nil
}

// own opens what is sealed in the letter's own file.
func (l *openedLetter) own() (*text, error) {
	t := &text{r: io.NewSectionReader(l.f, l.body, l.size-l.body), size: l.size - l.body, f: l.f, damage: errDamagedLetter}
	if err := t.unseal(l.box, aboutLetter(l.name), false); err != nil {
		return nil, err
	}
	if t.size != l.head.Size {
		return nil, errDamagedLetter
	}
	return t, nil
}

// besides are the endings of a file with a letter's bytes.
var besides = [...]string{bytesSuffix, damagedSuffix, bytesSuffix + sealedSuffix, damagedSuffix + sealedSuffix}

// openBeside opens the file with a letter's bytes that has this ending.
func (s *spool) openBeside(n letterName, suffix string) (*text, error) {
	name := s.path(letterDir, n.String()+suffix)
	kind, sealed := strings.CutSuffix(suffix, sealedSuffix)
	if kind == damagedSuffix {
		return s.openSalvage(name, sealed)
	}
	return s.openText(name, sealed, aboutBody, errDamagedLetter)
}

// content reads the letter as a body.
func (s *spool) content(l *openedLetter) (io.ReadCloser, error) {
	// What is beside it comes first: the letter of a damaged body has only its start.
	for _, suffix := range besides {
		t, err := s.openBeside(l.name, suffix)
		if err == nil {
			l.f.Close()
			return letterReader{io.NewSectionReader(t, 0, t.size), t}, nil
		}
		if !isNotExist(err) {
			return nil, fmt.Errorf("spool: %w", err)
		}
	}
	var r io.Reader
	var c io.Closer = l.f
	switch {
	case l.name.kind == ofRest:
		slot, _, err := readSlots(l.f, l.body)
		if err != nil {
			return nil, err
		}
		rest := newRestReader(l, l.body+slotsSize, slot.end)
		r, c = rest, rest
	case l.sealed && l.head.Beside:
		return nil, fmt.Errorf("spool: %w", errDamagedLetter) // They are not there.
	case l.sealed:
		t, err := l.own()
		if err != nil {
			return nil, fmt.Errorf("spool: %w", err)
		}
		r, c = io.NewSectionReader(t, 0, t.size), t
	case l.old:
		r = io.NewSectionReader(l.f, l.body, l.head.Size)
	default:
		r = &checkedReader{r: io.NewSectionReader(l.f, l.body, l.head.Size), f: l.f, at: l.body + l.head.Size}
	}
	if !l.head.Whole && l.name.kind != ofRest {
		r = io.MultiReader(strings.NewReader(bodyStart(l.head.Key)), r, strings.NewReader("]}"))
	}
	if !l.head.Whole || l.name.kind == ofRest {
		if line := notify.AppLine(l.head.app()); line != "" {
			r = io.MultiReader(strings.NewReader(line), r)
		}
	}
	return letterReader{r, c}, nil
}

// bodyStart is the text before the item in a body with no other.
func bodyStart(key string) string {
	text, err := json.Marshal(key)
	if err != nil {
		text = []byte(`""`) // Marshal of a string does not fail.
	}
	return "{" + string(text) + ":["
}

type letterReader struct {
	io.Reader
	io.Closer
}

// checkedReader compares what it has read with the checksum that follows.
type checkedReader struct {
	r   io.Reader
	f   io.ReaderAt
	at  int64
	sum uint32
}

func (r *checkedReader) Read(p []byte) (int, error) {
	n, err := r.r.Read(p)
	r.sum = crc32.Update(r.sum, castagnoli, p[:n])
	if err == io.EOF {
		var tail [sumSize]byte
		if rerr := readFull(r.f, tail[:], r.at); rerr != nil || string(tail[:]) != sumText(r.sum) {
			return n, fmt.Errorf("spool: %w", errDamagedLetter)
		}
	}
	return n, err
}

const sumSize = 9

func sumText(sum uint32) string { return fmt.Sprintf("\n%08x", sum) }

func (s *spool) letterPath(id string) string { return s.path(letterDir, id+letterSuffix) }
