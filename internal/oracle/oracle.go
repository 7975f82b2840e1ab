// Package oracle reads Garmin's JSON the slow and obvious way: by reflection
// over encoding/json. The real decoder is tested against it, and nothing but
// tests imports it.
package oracle

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/big"
	"reflect"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"
)

// aliases are the second spellings that Garmin's documents use for a key.
var aliases = map[string]string{
	"Manual":                             "manual",
	"wheelChairCadenceInPushesPerMinute": "directWheelchairCadence",
}

const maxNumber = 1024

// Defect is a value that cannot be read without loss.
type Defect struct {
	Path   string
	Offset int
	Have   string // its JSON type
}

// Result is what [Unmarshal] could not read.
type Result struct {
	Defects []Defect
	// Unread has the keys of the object itself whose last value is a defect.
	Unread map[string]bool
}

// Unmarshal reads one JSON object into v, a pointer to a struct that is zero,
// by the rules that package types documents. All of data must be good JSON.
func Unmarshal(data []byte, v any) (*Result, error) {
	if !json.Valid(data) {
		return nil, errors.New("not JSON")
	}
	off := len(data) - len(bytes.TrimLeft(data, " \t\r\n"))
	data = bytes.TrimSpace(data)
	if data[0] != '{' {
		return nil, errors.New("want an object")
	}
	r := &reading{}
	unread := r.object("", off, data, reflect.ValueOf(v).Elem())
	return &Result{r.defects, unread}, nil
}

// member is one key of an object with its value, or an element of an array.
type member struct {
	key string
	raw json.RawMessage
	off int
}

// members returns the members of an object or array in the order they stand.
func members(data []byte) ([]member, error) {
	dec := json.NewDecoder(bytes.NewReader(data))
	open, err := dec.Token()
	if err != nil || open != json.Delim('{') && open != json.Delim('[') {
		return nil, errors.New("want an object or array")
	}
	var all []member
	for dec.More() {
		var m member
		if open == json.Delim('{') {
			t, err := dec.Token()
			if err != nil {
				return nil, err
			}
			m.key = t.(string)
		}
		if err := dec.Decode(&m.raw); err != nil {
			return nil, err
		}
		m.off = int(dec.InputOffset()) - len(m.raw)
		all = append(all, m)
	}
	return all, nil
}

// reading gathers what cannot be read.
type reading struct{ defects []Defect }

// typeOf names the JSON type of a value.
func typeOf(data []byte) string {
	switch data[0] {
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
	}
	return "a number"
}

// value reads data, which stands at off, into v, and reports whether it could.
func (r *reading) value(path string, off int, data []byte, v reflect.Value) bool {
	if string(data) == "null" {
		return true
	}
	ok := false
	switch is := typeOf(data); v.Kind() {
	case reflect.Pointer:
		p := reflect.New(v.Type().Elem())
		if ok := r.value(path, off, data, p.Elem()); !ok {
			return false
		}
		v.Set(p)
		return true
	case reflect.Struct:
		if ok = is == "an object"; ok {
			r.object(path, off, data, v)
		}
	case reflect.Slice:
		if v.Type().Elem().Kind() == reflect.Struct {
			if ok = is == "an array"; ok {
				r.objects(path, off, data, v)
			}
		} else if list, good := names(data); good {
			s := reflect.MakeSlice(v.Type(), len(list), len(list))
			for i := range list {
				s.Index(i).SetString(list[i])
			}
			v.Set(s)
			ok = true
		}
	case reflect.Int:
		var i int64
		if number, good := numeral(data); good {
			if i, ok = integer(number); ok {
				v.SetInt(i)
			}
		}
	case reflect.Float64:
		if number, good := numeral(data); good {
			f, err := strconv.ParseFloat(number, 64)
			if ok = err == nil; ok {
				v.SetFloat(f)
			}
		}
	case reflect.Bool:
		var b bool
		if b, ok = boolean(data); ok {
			v.SetBool(b)
		}
	case reflect.String:
		var s string
		if is == "a string" {
			s, ok = text(data)
		} else if is == "a number" && len(data) <= maxNumber {
			s, ok = string(data), true
			if v.Type().Name() == "ID" {
				s, ok = digits(s)
			}
		}
		if ok {
			v.SetString(s)
		}
	default:
		panic(fmt.Sprintf("no rule for a %v", v.Type()))
	}
	if !ok {
		r.defects = append(r.defects, Defect{path, off, typeOf(data)})
	}
	return ok
}

// objects reads an array of objects. What is none is left out.
func (r *reading) objects(path string, off int, data []byte, v reflect.Value) {
	all, err := members(data)
	if err != nil {
		panic(err)
	}
	list := reflect.MakeSlice(v.Type(), 0, len(all))
	for i, m := range all {
		at, elem := fmt.Sprintf("%s[%d]", path, i), reflect.New(v.Type().Elem()).Elem()
		switch typeOf(m.raw) {
		case "an object":
			r.object(at, off+m.off, m.raw, elem)
			list = reflect.Append(list, elem)
		case "null":
		default:
			r.defects = append(r.defects, Defect{at, off + m.off, typeOf(m.raw)})
		}
	}
	v.Set(list)
}

// names reads an array of strings, or "[A, B]".
func names(data []byte) ([]string, bool) {
	list := []string{}
	switch typeOf(data) {
	case "an array":
		all, err := members(data)
		if err != nil {
			panic(err)
		}
		for _, m := range all {
			if string(m.raw) == "null" {
				continue
			}
			s, ok := text(m.raw)
			if !ok {
				return nil, false
			}
			list = append(list, s)
		}
		return list, true
	case "a string":
		s, ok := text(data)
		s = strings.TrimSpace(s)
		if !ok || len(s) < 2 || s[0] != '[' || s[len(s)-1] != ']' {
			return nil, false
		}
		for name := range strings.SplitSeq(s[1:len(s)-1], ",") {
			if name = strings.Trim(name, ` "`); name != "" {
				list = append(list, name)
			}
		}
		return list, true
	}
	return nil, false
}

var escape = regexp.MustCompile(`\\(u[0-9a-fA-F]{4}|.)`)

// text reads a JSON string. It says false where encoding/json has put U+FFFD
// for what is no UTF-8 or half of a surrogate pair.
func text(data []byte) (string, bool) {
	var s string
	if data[0] != '"' || json.Unmarshal(data, &s) != nil || !utf8.Valid(data) {
		return "", false
	}
	meant := strings.Count(string(data), "\ufffd")
	for _, e := range escape.FindAllString(string(data), -1) {
		if strings.EqualFold(e, `\ufffd`) {
			meant++
		}
	}
	return s, strings.Count(s, "\ufffd") == meant
}

// numeral returns the text of a JSON number, or of a string that holds one.
func numeral(data []byte) (string, bool) {
	if typeOf(data) == "a string" {
		s, _ := text(data)
		data = []byte(s)
		if s == "" || strings.Trim(s, "0123456789+-.eE") != "" || !json.Valid(data) {
			return "", false
		}
	}
	return string(data), typeOf(data) == "a number" && len(data) <= maxNumber
}

// boolean reads true or false, 1 or 0, or a string that holds one of them.
func boolean(data []byte) (value, ok bool) {
	s := string(data)
	if typeOf(data) == "a string" {
		s, _ = text(data)
	}
	switch s {
	case "true":
		return true, true
	case "false":
		return false, true
	}
	number, ok := numeral(data)
	if !ok {
		return false, false
	}
	i, ok := integer(number)
	return i == 1, ok && (i == 0 || i == 1)
}

// integer reads a JSON number whose value is an int, however it is written.
func integer(s string) (int64, bool) {
	if _, exp, ok := strings.Cut(strings.ToLower(s), "e"); ok {
		if e, err := strconv.Atoi(exp); err != nil || e > 1024 || e < -1024 {
			return 0, false
		}
	}
	r, ok := new(big.Rat).SetString(s)
	if !ok || !r.IsInt() || !r.Num().IsInt64() {
		return 0, false
	}
	i := r.Num().Int64()
	return i, int64(int(i)) == i
}

// digits reads a JSON number that is an integer, as text.
func digits(s string) (string, bool) {
	whole, frac, _ := strings.Cut(s, ".")
	return whole, !strings.ContainsAny(s, "eE") && strings.Trim(frac, "0") == ""
}

// object reads an object, and returns the keys whose last value is a defect.
func (r *reading) object(path string, off int, data []byte, v reflect.Value) (unread map[string]bool) {
	all, err := members(data)
	if err != nil {
		panic(err)
	}
	fields := map[string]reflect.Value{}
	for i := range v.NumField() {
		key, _, _ := strings.Cut(v.Type().Field(i).Tag.Get("json"), ",")
		if key != "-" && key != "" {
			fields[key] = v.Field(i)
		}
	}
	unread = map[string]bool{}
	for _, m := range all {
		key := m.key
		if real, ok := aliases[key]; ok {
			key = real
		}
		f, ok := fields[key]
		if !ok {
			continue
		}
		// The last of a repeated key counts.
		f.SetZero()
		at := m.key
		if path != "" {
			at = path + "." + m.key
		}
		unread[key] = !r.value(at, off+m.off, m.raw, f)
	}
	return unread
}

// Item is one element of a body's list.
type Item struct {
	Key    string
	Index  int
	Offset int64
	Raw    json.RawMessage
}

// Lists returns the items of an object of lists, as notifications are, in
// order. A value that is no list counts as a list of it alone, and null as an
// empty one. With an error come the items before it. A byte order mark before the
// body counts as nothing but its three bytes.
func Lists(data []byte) ([]Item, error) {
	r := newReader(data)
	if err := r.delim('{'); err != nil {
		return nil, err
	}
	for r.dec.More() {
		t, err := r.dec.Token()
		if err != nil {
			return r.items, cut(err)
		}
		if err := r.list(t.(string)); err != nil {
			return r.items, cut(err)
		}
	}
	if err := r.delim('}'); err != nil {
		return r.items, err
	}
	return r.items, r.end()
}

// List returns the items of a bare array.
func List(data []byte) ([]Item, error) {
	r := newReader(data)
	if err := r.delim('['); err != nil {
		return nil, err
	}
	if err := r.rest(""); err != nil {
		return r.items, cut(err)
	}
	return r.items, r.end()
}

func newReader(data []byte) *reader {
	text := bytes.TrimPrefix(data, []byte("\ufeff"))
	return &reader{data: text, base: int64(len(data) - len(text)), dec: json.NewDecoder(bytes.NewReader(text)), count: map[string]int{}}
}

type reader struct {
	data  []byte
	base  int64 // where data stands in the body
	dec   *json.Decoder
	count map[string]int
	items []Item
}

func (r *reader) delim(want json.Delim) error {
	t, err := r.dec.Token()
	if err == nil && t != want {
		return fmt.Errorf("want %v, have %v", want, t)
	}
	return cut(err)
}

func (r *reader) end() error {
	if _, err := r.dec.Token(); err != io.EOF {
		return errors.New("data after the end")
	}
	return nil
}

func cut(err error) error {
	if err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}

func (r *reader) list(key string) error {
	if rest := bytes.TrimLeft(r.data[r.dec.InputOffset():], ": \t\r\n"); len(rest) > 0 && rest[0] == '[' {
		if err := r.delim('['); err != nil {
			return err
		}
		return r.rest(key)
	}
	raw, err := r.item(key)
	if err == nil && string(raw) == "null" {
		r.items = r.items[:len(r.items)-1]
		r.count[key]--
	}
	return err
}

// rest reads the items of an array, and its end.
func (r *reader) rest(key string) error {
	for r.dec.More() {
		if _, err := r.item(key); err != nil {
			return err
		}
	}
	return r.delim(']')
}

func (r *reader) item(key string) (json.RawMessage, error) {
	var raw json.RawMessage
	if err := r.dec.Decode(&raw); err != nil {
		return nil, err
	}
	if c := raw[0]; r.dec.InputOffset() == int64(len(r.data)) && (c == '-' || '0' <= c && c <= '9') {
		return nil, io.ErrUnexpectedEOF // the number may have been cut
	}
	r.items = append(r.items, Item{key, r.count[key], r.base + r.dec.InputOffset() - int64(len(raw)), raw})
	r.count[key]++
	return raw, nil
}

// Empty reports whether an item is null or an object without keys.
func Empty(raw []byte) bool {
	all, err := members(raw)
	return string(raw) == "null" || raw[0] == '{' && err == nil && len(all) == 0
}
