// Package jsonscan reads the JSON objects of Garmin's bodies into structs, as
// a stream and at the speed of the memory they come from. It knows structs by
// their tags only.
//
// Fields are addressed by their offset, through package unsafe: that is what
// lets one scanner fill every struct at full speed with nothing generated. A
// plan panics for a field of a type it does not know, and every address is
// that of a field of a struct or slice element that the scanner was given or
// has made, so that the rules of package unsafe hold.
//
// What it accepts is said in the documentation of package types. Two things
// are kept apart: JSON that is broken ends the body, and a value that the
// struct cannot hold spoils its item, whose rest is read over.
package jsonscan

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"reflect"
	"strconv"
	"unsafe"
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
	// UnknownKey, if not nil, is called with the path of each key of an item
	// that its struct does not have.
	UnknownKey func(path string)
	// Visit, if not nil, is called with each element of a list whose type is
	// Element's, and the list stays nil. elem is a pointer to a struct that is
	// good until the next call. An error ends the body.
	Visit   func(index int, elem any) error
	Element reflect.Type
}

// maxDepth is how deep the values of an item may nest, the item being 1.
// Garmin's model needs 3. Deeper ones spoil the item, and beyond maxNesting
// the body.
const (
	maxDepth   = 16
	maxNesting = 10_000
)

var (
	errDepth   = fmt.Errorf("nested more than %d deep", maxDepth)
	errNesting = fmt.Errorf("nested more than %d deep", maxNesting)
)

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

	bad   *Error // why the item is spoilt
	hard  bool   // that holds for its own fields too
	empty bool   // it has no keys

	orders      []*order
	names       names
	lastID      string
	scratch     []byte
	nest        []uint64 // one bit a level, set for objects
	tape        tape
	visit       reflect.Value // the element it is called with, and what that points to
	visitFloats [31]float64
	visitInts   [31]int
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
	if opts.Visit != nil {
		s.visit = reflect.New(opts.Element)
	}
	return s
}

// Reset makes s a scanner of another body, with the same options. What it has
// allocated, and what it has learned of the order of keys, it keeps.
func (s *Scanner) Reset(r io.Reader) {
	buf := s.buf[:0]
	*s = Scanner{
		opts: s.opts, orders: s.orders, names: s.names, visit: s.visit,
		scratch: s.scratch[:0], nest: s.nest[:0],
	}
	if cap(buf) <= block {
		s.buf = buf
	}
	s.init(r)
	s.keepAll = s.opts.KeepRaw
}

// Unmarshal reads text, which is one object, into dst, a pointer to a struct
// that is zero.
func Unmarshal(text []byte, dst any) *Error {
	s := &Scanner{}
	s.buf, s.rerr, s.mark = text, io.EOF, -1
	if ok := s.Item(dst) && s.End(); !ok {
		return s.err
	}
	return s.bad
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
	return s.fatal(s.base+int64(len(s.buf)), err)
}

// unexpected ends the body at a byte that JSON does not allow here.
func (s *Scanner) unexpected(want string) bool {
	if s.err != nil {
		return false
	}
	return s.fatal(s.offset(), fmt.Errorf("want %s, have %s", want, strconv.QuoteToASCII(string(s.buf[s.pos:s.pos+1]))))
}

// refuse spoils the item. hard tells that this holds for the fields of the
// item's own struct as well as for those of one inlined in it.
func (s *Scanner) refuse(off int64, key string, hard bool, err error) {
	if s.bad == nil || hard && !s.hard {
		s.bad = &Error{off, s.pathTo(key), err}
		s.hard = hard
	}
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
// read yet.
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
	key, ok := s.text()
	if !ok {
		return "", false
	}
	return s.names.get(key), s.Open(':')
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
	s.begin()
	return s.first, s.err == nil
}

// Item reads an object into dst, a pointer to a struct that is zero. The error
// of an object that is not what the struct wants is Bad's.
//
// If the struct inlines another and only a field of that one is wrong, then the
// fields that are the struct's own are read all the same, and hard is false.
func (s *Scanner) Item(dst any) bool {
	v := reflect.ValueOf(dst)
	s.bad, s.hard, s.empty, s.path = nil, false, false, s.path[:0]
	if s.peek() != '{' {
		if s.err != nil {
			return false
		}
		s.refuse(s.offset(), "", true, fmt.Errorf("want an object, have %s", s.what()))
		return s.skipItem()
	}
	var vals values
	p := planOf(v.Type().Elem())
	if !s.object(p, v.UnsafePointer(), &vals, 1) {
		return false
	}
	s.settle(p, v.UnsafePointer(), &vals)
	s.named = false
	return true
}

// Skip reads over an item.
func (s *Scanner) Skip() bool {
	s.bad, s.hard, s.empty, s.path = nil, false, false, s.path[:0]
	return s.skipItem()
}

func (s *Scanner) skipItem() bool {
	ok := s.skip(0)
	s.named = s.named && !ok
	return ok
}

// Bad returns why the last item does not fit its struct, or nil, and whether
// one of the struct's own fields is to blame.
func (s *Scanner) Bad() (err *Error, hard bool) { return s.bad, s.hard }

// Empty reports whether the last item was an object without keys.
func (s *Scanner) Empty() bool { return s.empty }

// Raw returns the bytes of the item that was just read, and whether they are
// only the end of it.
func (s *Scanner) Raw() (raw []byte, truncated bool) { return s.raw() }

// Size returns the length of the item that was just read.
func (s *Scanner) Size() int64 { return s.offset() - s.first }

// what names the kind of value that comes next.
func (s *Scanner) what() string {
	switch c := s.buf[s.pos]; c {
	case '{':
		return "an object"
	case '[':
		return "an array"
	case '"':
		return "a string"
	case 't', 'f':
		return "a boolean"
	case 'n':
		return "null"
	default:
		return "a number"
	}
}

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

// at returns the address of a field.
func (f *field) at(dst unsafe.Pointer) unsafe.Pointer { return unsafe.Add(dst, f.off) }
