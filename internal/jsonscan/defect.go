package jsonscan

import (
	"errors"
	"fmt"
	"math"
	"strings"
)

// Defect is a value that its field cannot hold without loss.
type Defect struct {
	Path       string
	Offset     int64
	Want, Have string
}

// maxDefects is how many defects of an item are described. The others are only
// counted: an item of a stranger may have one in each of a million samples.
const maxDefects = 16

// defects are those of one item.
type defects struct {
	list  []Defect
	count int
}

// defect notes one that stands at an offset, under a key of the object that is
// being read.
func (s *Scanner) defect(off int64, key, want, have string) {
	if s.defects.count++; len(s.defects.list) < maxDefects {
		s.defects.list = append(s.defects.list, Defect{s.pathTo(key), off, want, have})
	}
}

// Defects returns the first 16 defects of the scanner's last item, as values of
// a type of the same fields, and how many there are.
func Defects[D ~struct {
	Path       string
	Offset     int64
	Want, Have string
}](s *Scanner) (first []D, count int) {
	for _, d := range s.defects.list {
		first = append(first, D(d))
	}
	return first, s.defects.count
}

// Unread returns an error for the first of these keys whose last value in the
// item is a defect, or nil. Keys of objects in the item do not count. Callers ask it
// for the keys that identify an item: with such a value absent, the item could pass
// for that of another user or activity.
func (s *Scanner) Unread(keys ...string) *Error {
	if s.unread == 0 {
		return nil
	}
	for _, key := range keys {
		i, _ := s.plan.index.find([]byte(key))
		if i == unknown || s.unread>>i&1 == 0 {
			continue
		}
		err := &Error{s.first, key, errors.New("value cannot be read")}
		if s.list != "" {
			err.Path = fmt.Sprintf("%s[%d].%s", s.list, s.index, key)
		}
		for _, d := range s.defects.list {
			if d.Path == err.Path {
				err.Offset, err.Err = d.Offset, fmt.Errorf("want %s, have %s", d.Want, d.Have)
			}
		}
		return err
	}
	return nil
}

// lose makes field i absent because it cannot hold the value at an offset.
func (s *Scanner) lose(f *field, i int, dst Target, vals *Values, off int64, have string) {
	s.defect(off, s.spelling(f), f.kind.want(), have)
	clearField(f, i, dst, vals)
	vals.lost |= 1 << i
}

// mismatch loses a value because of its JSON type, and skips it.
func (s *Scanner) mismatch(f *field, i int, dst Target, vals *Values, depth int) bool {
	s.lose(f, i, dst, vals, s.offset(), typeOf(s.buf[s.pos]).String())
	return s.skip(depth)
}

// want says, for an error, what a field of the kind holds.
func (k kind) want() string {
	switch k {
	case kindString:
		return "a string"
	case kindID:
		return "a string or an integer"
	case kindStrings:
		return "a list of strings"
	case kindStruct:
		return "an object"
	case kindList:
		return "a list"
	case kindBool:
		return "a boolean"
	case kindInt, kindIntPtr:
		return "an integer"
	default:
		return "a number"
	}
}

// scalar reads a string or a number and returns its text. Of a number that is
// too long the text is nil. A value of another type is not read.
func (s *Scanner) scalar() (text []byte, is Type, ok bool) {
	switch is = typeOf(s.buf[s.pos]); is {
	case String:
		text, ok = s.text()
	case Number:
		if text, ok = s.number(); ok && text == nil {
			ok = s.skipNumber()
		}
	default:
		ok = true
	}
	return text, is, ok
}

// The methods below read a value in any form that Garmin has been seen to write it, or
// might: a number in a string, 30.0 for an integer, 1 for true. What a form can be
// without loss is in the documentation of package types. A value that fits no form is
// a defect: the field stays absent, and the item goes on.

// number64 reads the value of a float or integer field: a number, or a string
// that holds one.
func (s *Scanner) number64(f *field, i int, dst Target, vals *Values, depth int) bool {
	off := s.offset()
	text, is, ok := s.scalar()
	var v uint64
	var why string
	switch {
	case !ok:
		return false
	case is != String && is != Number:
		return s.mismatch(f, i, dst, vals, depth)
	case is == String && !isNumber(text):
		why = noNumber
	case text == nil || len(text) > maxNumber:
		why = tooLong
	case f.kind == kindFloat || f.kind == kindFloatPtr:
		var x float64
		x, why = anyFloat(text)
		v = math.Float64bits(x)
	default:
		var n int64
		n, why = anyInteger(text)
		v = uint64(n)
	}
	if why != "" {
		s.lose(f, i, dst, vals, off, is.String()+why)
		return true
	}
	vals.set(i, v)
	return true
}

// boolean reads true or false, 1 or 0, or a string that holds one of them.
func (s *Scanner) boolean(f *field, i int, dst Target, vals *Values, depth int) bool {
	switch s.buf[s.pos] {
	case 't':
		vals.set(i, 1)
		return s.literal("true")
	case 'f':
		vals.set(i, 0)
		return s.literal("false")
	}
	off := s.offset()
	text, is, ok := s.scalar()
	switch {
	case !ok:
		return false
	case is != String && is != Number:
		return s.mismatch(f, i, dst, vals, depth)
	case is == String && string(text) == "true":
		vals.set(i, 1)
		return true
	case is == String && string(text) == "false":
		vals.set(i, 0)
		return true
	case text != nil && len(text) <= maxNumber && (is == Number || isNumber(text)):
		if n, why := anyInteger(text); why == "" && (n == 0 || n == 1) {
			vals.set(i, uint64(n))
			return true
		}
	}
	s.lose(f, i, dst, vals, off, is.String()+" that holds none")
	return true
}

// textual reads the value of a string or an id: a string, or a number, of which
// a string keeps the text and an id the digits.
func (s *Scanner) textual(f *field, i int, dst Target, vals *Values, depth int) bool {
	off := s.offset()
	text, is, ok := s.scalar()
	var why string
	switch {
	case !ok:
		return false
	case is != String && is != Number:
		return s.mismatch(f, i, dst, vals, depth)
	case is == String && s.mangled:
		why = notUTF8
	case is == String && s.long:
		why = tooMuch
	case is == Number && text == nil:
		why = tooLong
	case is == Number && f.kind == kindID:
		text, why = anyID(text)
	}
	if why != "" {
		s.lose(f, i, dst, vals, off, is.String()+why)
		return true
	}
	if f.kind == kindID {
		vals.Text[i] = s.idOf(text)
	} else {
		vals.Text[i] = s.name(text)
	}
	vals.Seen |= 1 << i
	return true
}

// strings reads a list of strings: an array, whose nulls are left out, or one
// string in the form of [Names]. If an element cannot be read, neither can the
// list: a part of it is not what was sent.
func (s *Scanner) strings(f *field, i int, dst Target, vals *Values, depth int) bool {
	off := s.offset()
	list := []string{}
	switch s.buf[s.pos] {
	case '"':
		text, ok := s.text()
		if !ok {
			return false
		}
		names, ok := Names(string(text))
		switch {
		case s.mangled:
			s.lose(f, i, dst, vals, off, "a string"+notUTF8)
			return true
		case s.long:
			s.lose(f, i, dst, vals, off, "a string"+tooMuch)
			return true
		case !ok:
			s.lose(f, i, dst, vals, off, "a string that holds none")
			return true
		}
		list = names
	case '[':
		s.pos++
		with := "" // what is no string
		for n := 0; s.Next(']', n == 0); n++ {
			switch c := s.buf[s.pos]; {
			case s.tooLong(s.offset() - off):
				with = "too much in it"
				if !s.skip(depth + 1) {
					return false
				}
			case s.over():
				if !s.skip(depth + 1) {
					return false
				}
			case c == '"':
				text, ok := s.text()
				if !ok {
					return false
				}
				switch {
				case s.mangled:
					with = "a string" + notUTF8
				case s.long:
					with = "a string" + tooMuch
				}
				list = append(list, s.name(text))
			case c == 'n':
				if !s.literal("null") {
					return false
				}
			default:
				with = typeOf(c).String()
				if !s.skip(depth + 1) {
					return false
				}
			}
		}
		if s.err != nil {
			return false
		}
		if with != "" {
			s.lose(f, i, dst, vals, off, "an array with "+with)
			return true
		}
	default:
		return s.mismatch(f, i, dst, vals, depth)
	}
	// At once, and not with the other values: Values has no room for lists.
	dst.Strings(i, list)
	vals.Seen |= 1 << i
	return true
}

// Names reads a list that is written into one string, as "[A, B]".
func Names(text string) ([]string, bool) {
	text, bracket := strings.CutPrefix(strings.TrimSpace(text), "[")
	text, closed := strings.CutSuffix(text, "]")
	if !bracket || !closed {
		return nil, false
	}
	list := []string{}
	for name := range strings.SplitSeq(text, ",") {
		if name = strings.Trim(name, ` "`); name != "" {
			list = append(list, name)
		}
	}
	return list, true
}

// Type is one of JSON's types.
type Type uint8

// The types of JSON's values.
const (
	Object Type = 1 + iota
	Array
	String
	Number
	Boolean
	Null
)

// typeOf returns the type of the value that begins with c.
func typeOf(c byte) Type {
	switch c {
	case '{':
		return Object
	case '[':
		return Array
	case '"':
		return String
	case 't', 'f':
		return Boolean
	case 'n':
		return Null
	}
	return Number
}

// String names the type in an error.
func (t Type) String() string {
	return [...]string{"nothing", "an object", "an array", "a string", "a number", "a boolean", "null"}[t]
}

// Refused is the error of an item that is no object.
func (t Type) Refused() error { return refused(t) }

type refused Type

func (r refused) Error() string { return "want an object, have " + Type(r).String() }
