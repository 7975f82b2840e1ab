// Package jsonscan reads the JSON objects of Garmin's bodies into structs, as
// a stream and at the speed of the memory they come from. It knows structs by
// their tags only.
//
// What a struct's keys are it learns from the struct's tags, and what was read is
// stored by a [Target]: code that is generated from the struct, or package
// reflect where speed does not count. A plan panics for a field of a type it
// does not know.
//
// What it accepts is said in the documentation of package types. Two things
// are kept apart: JSON that is broken ends the body, and a value that its field
// cannot hold without loss is a [Defect]: the field is absent, and the rest of
// the item is read all the same.
//
// # How it goes through a body
//
// There is no table of states. Each method reads one thing, such as a key or a
// value, from the place in the window on, and leaves the place behind it. It returns
// false when the body is at an end; the first reason is kept. Objects and lists of the
// models are read by methods that call each other, at most as deep as the models
// nest. What the models do not know may nest 10,000 deep: skip reads
// it in one loop, with a bit for each level.
//
// Most values are read several ways: by comparing what stands there with what stood
// there in the object before, then by what is quick for plain text, and last a byte at a
// time. A way that does not fit consumes nothing, and the last one reads everything
// that is JSON and refuses everything else. So the quick ways decide how fast a body
// is read, and never what it means. The fuzz targets compare with internal/oracle, a
// slow reader that is simple.
//
// The window moves when it is filled, in the middle of a token if need be. A quick
// way that reads eight bytes at a time therefore first makes sure that they are there,
// and leaves the end of the window to the slow way.
//
// # Why the structs are set by generated code
//
// Package reflect costs a call and several checks for each field, and a large body of
// details has millions. The generated code is an assignment, which the compiler checks,
// and needs no unsafe. Package reflect makes the plan of a type, once.
//
// # Where an error is
//
// Offsets count the bytes of the body as it came, a byte order mark included. A
// defect's offset is where its value begins; that of broken JSON is where it is broken;
// that of a body that ends too early is its end. Paths name the list, the
// index in it and the keys, as activities[7].summaryId. They are made from the stack of
// steps when there is something to report, and cost little otherwise.
package jsonscan

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"math"
	"reflect"
	"strconv"
	"strings"
)

// Error tells where a body could not be read.
type Error struct {
	Offset int64
	Path   string
	Err    error
}

// Options are what a scanner does beside filling structs.
type Options struct {
	// KeepRaw keeps every byte of an item for [Scanner.Raw].
	KeepRaw bool
	// Hash hashes the bytes of each item for [Scanner.Sum].
	Hash bool
	// UnknownKey, if not nil, is called with the path of each key of an item
	// that its struct does not have.
	UnknownKey func(path string)
	// Visit, if not nil, is called with the values of each element of a list
	// whose type is Element, and the list stays nil. What is stored of them is
	// good until the next call. An error ends the body.
	Visit   func(index int, v *Values, a *Arena) error
	Element reflect.Type
	// MaxItem, if not 0, is the largest size of an item that is read into its
	// struct. The rest of a larger one is read over and not kept; see
	// [Scanner.Size].
	MaxItem int64
	// MaxText, if not 0, is the longest string, and list of strings, in bytes of
	// the body, that is kept. A longer one cannot be read. It is looked at only
	// where it is not all in the window, so that a few more may pass.
	MaxText int
}

// maxNesting is how deep the values of an item may nest, counting the item as 1.
// Garmin's models need 3; encoding/json has the same limit. A body that nests
// deeper ends there.
const maxNesting = 10_000

var errLongKey = errors.New("a key that is too long")

var errNesting = fmt.Errorf("nested more than %d deep", maxNesting)

// Scanner reads one body. Its methods return false when the body is at an end
// that it should not have; Err says why.
type Scanner struct {
	window
	opts Options
	err  *Error

	list  string // name and index of the item, for paths
	index int
	named bool
	path  []step // from the item inwards
	spelt string // the last key of a field, as the body has it

	what    Type   // of the item
	empty   bool   // it has no keys
	plan    *plan  // of the last item that was an object
	seen    uint64 // the fields of plan that may have been written to
	unread  uint64 // those whose last value could not be read
	defects defects

	orders   []*order
	names    names
	lastID   string
	mangled  bool // the last string was not UTF-8
	long     bool // the last string was longer than MaxText
	scratch  []byte
	borrowed bool // the window's buffer belongs to the caller, and own to the scanner
	own      []byte
	padded   int      // bytes of white space behind the text
	nest     []uint64 // one bit a level, set for objects
	trail    *trail
	tape     tape
	vals     []*Values // by depth
	arena    Arena
	floats   room[float64]
	ints     room[int]
	texts    texts
	digest   [sha256.Size]byte // room for a hash
	// visitErr is the error of Visit that ended the body.
	visitErr error
}

// step is one part of a path: a field, or an element of the list in it.
type step struct {
	key   string
	index int // -1 for the field itself
}

// New returns a scanner of the body that r holds. If r can be read again (an
// [io.ReaderAt] and [io.Seeker]), then less is kept in memory for Raw.
func New(r io.Reader, opts Options) *Scanner {
	s := &Scanner{opts: opts}
	s.init(r)
	s.keepAll = opts.KeepRaw
	if opts.Hash {
		s.sum = sha256.New()
	}
	return s
}

// Reset makes s a scanner of another body, with the same options. What it has
// allocated, and what it has learned of the order of keys, it keeps.
func (s *Scanner) Reset(r io.Reader) {
	s.forget()
	s.init(r)
}

// ResetText makes s a scanner of text, which must not change until the next
// Reset. A short text is copied, with white space behind it: so its last numbers
// have the room that makes them quick to read.
func (s *Scanner) ResetText(text []byte) {
	s.forget()
	s.init(nil)
	s.rerr = io.EOF
	if len(text) <= block-len(slack) {
		s.buf = append(append(s.buf, text...), slack...)
		s.padded = len(slack)
		return
	}
	s.own, s.borrowed = s.buf, true
	s.buf = text
}

// slack is numberRoom bytes of white space.
const slack = "        " + "                                " + "                                " + "                                " + "                                "

// forget makes s a new scanner with the same options and memory.
func (s *Scanner) forget() {
	buf := s.buf[:0]
	if s.borrowed {
		buf = s.own[:0]
	}
	// What one long token or item needed is not kept for all that follow.
	if cap(buf) > block {
		buf = nil
	}
	s.window = window{buf: buf, keepAll: s.opts.KeepRaw}
	if s.opts.Hash {
		s.sum = sha256.New()
	}
	s.own, s.borrowed, s.padded = nil, false, 0
	s.err, s.visitErr = nil, nil
	s.list, s.index, s.named, s.lastID = "", 0, false, ""
	s.clean()
	s.tape, s.arena = tape{}, Arena{}
	s.floats, s.ints, s.texts = room[float64]{}, room[int]{}, texts{}
	for _, v := range s.vals {
		clear(v.Text[:]) // or they would keep the last body's texts in memory
	}
	if cap(s.scratch) > block {
		s.scratch = nil
	}
}

// Unmarshal reads text, which is one object, into dst, a pointer to a struct
// that is zero. The scanner it returns tells what of it could not be read.
func Unmarshal(text []byte, dst any) (*Scanner, *Error) {
	s := &Scanner{}
	s.buf, s.rerr, s.mark, s.end = text, io.EOF, -1, math.MaxInt64
	if ok := s.Item(dst, nil) && s.End(); !ok {
		return nil, s.err
	}
	if s.what != Object {
		return nil, &Error{0, "", s.what.Refused()}
	}
	return s, nil
}

// Err returns why the body ended, or nil.
func (s *Scanner) Err() *Error { return s.err }

// VisitErr returns the error of Visit if that ended the body, or nil.
func (s *Scanner) VisitErr() error { return s.visitErr }

// fatal ends the body.
func (s *Scanner) fatal(off int64, err error) bool {
	if s.err == nil {
		s.err = &Error{off, s.pathTo(""), err}
	}
	return false
}

// cut ends the body where the reader ended.
func (s *Scanner) cut() bool {
	err := s.rerr
	if err == io.EOF {
		err = io.ErrUnexpectedEOF
	}
	return s.fatal(s.base+int64(len(s.buf)-s.padded), err)
}

// unexpected ends the body at a byte that JSON does not allow there.
func (s *Scanner) unexpected(want string) bool {
	if s.err != nil {
		return false
	}
	return s.fatal(s.offset(), fmt.Errorf("want %s, have %s", want, strconv.QuoteToASCII(string(s.buf[s.pos:s.pos+1]))))
}

// pathTo returns the path of a key of the object that is being read.
func (s *Scanner) pathTo(key string) string {
	var b bytes.Buffer
	if s.named {
		fmt.Fprintf(&b, "%s[%d]", s.list, s.index)
	}
	dot := func(key string) {
		if b.Len() > 0 {
			b.WriteByte('.')
		}
		b.WriteString(key)
	}
	for _, p := range s.path {
		dot(p.key)
		if p.index >= 0 {
			fmt.Fprintf(&b, "[%d]", p.index)
		}
	}
	if key != "" {
		dot(key)
	}
	return b.String()
}

// peek returns the next byte that is not white space, without consuming it, or
// 0 at the end.
func (s *Scanner) peek() byte {
	if s.pos < len(s.buf) && s.buf[s.pos] > ' ' {
		return s.buf[s.pos]
	}
	for {
		s.pos = blank(s.buf, s.pos)
		if s.pos < len(s.buf) {
			return s.buf[s.pos]
		}
		if !s.more() {
			s.cut()
			return 0
		}
	}
}

const byteOrderMark = "\ufeff"

// errUTF16 is the cause of a body that begins as UTF-16 and UTF-32 do.
var errUTF16 = errors.New("want UTF-8, have UTF-16 or UTF-32")

// Document consumes c, the bracket that begins the body. A byte order mark may
// stand before it: to write one is forbidden, and a reader may ignore it (RFC
// 8259, section 8.1).
func (s *Scanner) Document(c byte) bool {
	// It reads on only while what is there may become a mark.
	for len(s.buf) < len(byteOrderMark) && strings.HasPrefix(byteOrderMark, string(s.buf)) && s.more() {
	}
	switch mark := s.buf[:min(len(s.buf), 2)]; {
	case bytes.HasPrefix(s.buf, []byte(byteOrderMark)):
		s.pos = len(byteOrderMark)
	case string(mark) == "\xff\xfe", string(mark) == "\xfe\xff", string(mark) == "\x00"+string(c):
		return s.fatal(0, errUTF16)
	}
	if !s.Open(c) {
		return false
	}
	// Without a mark, little-endian UTF-16 has a zero behind the bracket.
	if s.pos < len(s.buf) && s.buf[s.pos] == 0 {
		return s.fatal(s.offset(), errUTF16)
	}
	return true
}

// Open consumes c, the next byte.
func (s *Scanner) Open(c byte) bool {
	if s.peek() != c {
		return s.unexpected(strconv.QuoteRune(rune(c)))
	}
	s.pos++
	return true
}

// Next reports whether another element follows in the object or array that
// ends with end, and consumes what is before it. first tells that none was
// read yet. An end behind a comma is for the reader of the next element to refuse.
func (s *Scanner) Next(end byte, first bool) bool {
	switch c := s.peek(); {
	case c == end && c != 0:
		s.pos++
		return false
	case first && s.err == nil:
		return true
	case c == ',':
		s.pos++
		return s.peek() != 0 || s.err == nil
	}
	return s.unexpected("',' or " + strconv.QuoteRune(rune(end)))
}

// Key reads a key and its colon.
func (s *Scanner) Key() (string, bool) {
	off := s.offset()
	key, ok := s.text()
	if ok && s.long {
		ok = s.fatal(off, errLongKey)
	}
	if !ok {
		return "", false
	}
	return s.name(key), s.Open(':')
}

// Null consumes a null, if that is what comes next.
func (s *Scanner) Null() (null, ok bool) {
	if s.peek() != 'n' {
		return false, s.err == nil
	}
	return true, s.literal("null")
}

// Array reports whether an array begins here, and consumes its bracket.
func (s *Scanner) Array() bool {
	if s.peek() != '[' {
		return false
	}
	s.pos++
	return true
}

// End reports whether nothing but white space follows.
func (s *Scanner) End() bool {
	for {
		s.pos = blank(s.buf, s.pos)
		if s.pos < len(s.buf) {
			return s.fatal(s.offset(), errors.New("data after the end"))
		}
		if !s.more() {
			if s.rerr != io.EOF {
				return s.cut()
			}
			return true
		}
	}
}

// Begin starts an item: it sets the place for [Scanner.Raw], and the name and
// index that paths begin with.
func (s *Scanner) Begin(list string, index int) (offset int64, ok bool) {
	s.list, s.index, s.named = list, index, true
	s.peek()
	s.begin(s.opts.MaxItem)
	return s.first, s.err == nil
}

// Item reads an object into dst, a pointer to a struct that is zero, by way of
// target, or of package reflect if that is nil. What is no object is read over,
// and Type tells so.
func (s *Scanner) Item(dst any, target Target) bool {
	s.clean()
	if s.peek() != '{' {
		return s.skipItem()
	}
	p, vals := s.beginObject(dst), s.values(1)
	if target == nil {
		target = targetOf(dst)
	}
	if !s.object(p, target, vals, 1) {
		return false
	}
	s.endObject(p, target, vals)
	return true
}

// beginObject begins an item that is an object, and returns the plan for it.
func (s *Scanner) beginObject(dst any) *plan {
	s.what = Object
	if t := reflect.TypeOf(dst).Elem(); s.plan == nil || s.plan.typ != t {
		s.plan = planOf(t)
	}
	return s.plan
}

// endObject ends it.
func (s *Scanner) endObject(p *plan, dst Target, vals *Values) {
	s.settle(p, dst, vals)
	s.seen, s.unread = vals.Seen|vals.lost, vals.lost&^vals.Seen
	s.done()
}

// Skip reads over an item.
func (s *Scanner) Skip() bool {
	s.clean()
	return s.skipItem()
}

// clean forgets the item before.
func (s *Scanner) clean() {
	s.what, s.empty, s.seen, s.unread, s.path = 0, false, 0, 0, s.path[:0]
	if s.defects.count > 0 {
		s.defects = defects{}
	}
}

func (s *Scanner) skipItem() bool {
	if s.peek(); s.err != nil {
		return false
	}
	s.what = typeOf(s.buf[s.pos])
	if !s.skip(0) {
		return false
	}
	s.done()
	return true
}

// done ends an item.
func (s *Scanner) done() {
	s.named = false
	s.end = math.MaxInt64
}

// Only reports whether the last item has written to no fields but those whose
// bits are set.
func (s *Scanner) Only(fields uint64) bool { return s.seen&^fields == 0 }

// Type returns of which JSON type the last item is.
func (s *Scanner) Type() Type { return s.what }

// over reports whether the current item is larger than allowed.
func (s *Scanner) over() bool { return s.offset() > s.end }

// Empty reports whether the last item was null or an object without keys.
func (s *Scanner) Empty() bool { return s.empty || s.what == Null }

// TooLarge reports whether the last item is larger than it may be.
func (s *Scanner) TooLarge() bool { return s.opts.MaxItem > 0 && s.Size() > s.opts.MaxItem }

// Raw appends the bytes of the item that was just read to dst, and tells whether
// they are only the end of it: of one larger than 256 KiB, unless
// Options.KeepRaw is set and it is not too large.
func (s *Scanner) Raw(dst []byte) (raw []byte, truncated bool) {
	return s.raw(dst, s.opts.KeepRaw && !s.TooLarge())
}

// Offset returns where the last item begins in the body.
func (s *Scanner) Offset() int64 { return s.first }

// Sum returns the SHA-256 of the bytes of the item that was just read, if
// Options.Hash is set. No copy of the item is made for it.
func (s *Scanner) Sum() [sha256.Size]byte {
	s.feed()
	s.sum.Sum(s.digest[:0])
	return s.digest
}

// Size returns the length of the item that was just read.
func (s *Scanner) Size() int64 { return s.offset() - s.first }

// order returns the memory of the order of a plan's keys.
func (s *Scanner) order(p *plan) *order {
	for _, o := range s.orders {
		if o.plan == p {
			return o
		}
	}
	o := newOrder(p)
	s.orders = append(s.orders, o)
	return o
}
