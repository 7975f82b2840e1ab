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
	"strconv"
	"strings"
)

// aliases are the second spellings that Garmin's documents use for a key.
var aliases = map[string]string{
	"Manual":                             "manual",
	"wheelChairCadenceInPushesPerMinute": "directWheelchairCadence",
}

const (
	maxDepth   = 16
	maxNumber  = 1024
	maxNesting = 10_000
)

// Unmarshal reads one JSON object into v, a pointer to a struct that is zero,
// by the rules that package types documents. All of data must be good JSON.
func Unmarshal(data []byte, v any) error {
	if !json.Valid(data) {
		return errors.New("not JSON")
	}
	data = bytes.TrimSpace(data)
	if data[0] != '{' {
		return errors.New("want an object")
	}
	if depth(data) > maxDepth {
		return errors.New("too deep")
	}
	return value(data, reflect.ValueOf(v).Elem())
}

// depth returns how deep good JSON nests.
func depth(data []byte) int {
	deepest, now := 0, 0
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.UseNumber() // 1e400 is a good number to read over
	for {
		t, err := dec.Token()
		if err != nil {
			return deepest
		}
		switch t {
		case json.Delim('{'), json.Delim('['):
			now++
		case json.Delim('}'), json.Delim(']'):
			now--
		}
		deepest = max(deepest, now)
	}
}

// member is one key of an object with its value.
type member struct {
	key string
	raw json.RawMessage
}

// members returns the keys of an object in the order they stand.
func members(data []byte) ([]member, error) {
	dec := json.NewDecoder(bytes.NewReader(data))
	if t, err := dec.Token(); err != nil || t != json.Delim('{') {
		return nil, errors.New("want an object")
	}
	var all []member
	for dec.More() {
		t, err := dec.Token()
		if err != nil {
			return nil, err
		}
		m := member{key: t.(string)}
		if err := dec.Decode(&m.raw); err != nil {
			return nil, err
		}
		all = append(all, m)
	}
	return all, nil
}

func value(data []byte, v reflect.Value) error {
	if string(data) == "null" {
		v.SetZero()
		return nil
	}
	switch v.Kind() {
	case reflect.Pointer:
		p := reflect.New(v.Type().Elem())
		if err := value(data, p.Elem()); err != nil {
			return err
		}
		v.Set(p)
		return nil
	case reflect.Struct:
		return object(data, v)
	case reflect.Slice:
		var items []json.RawMessage
		if err := json.Unmarshal(data, &items); err != nil {
			return err
		}
		s := reflect.MakeSlice(v.Type(), len(items), len(items))
		for i, item := range items {
			if err := value(item, s.Index(i)); err != nil {
				return fmt.Errorf("[%d]: %w", i, err)
			}
		}
		v.Set(s)
		return nil
	case reflect.Int:
		i, err := integer(string(data))
		if err != nil {
			return err
		}
		v.SetInt(i)
		return nil
	case reflect.Float64:
		if data[0] == '"' || len(data) > maxNumber {
			return errors.New("want a number")
		}
		var f float64
		if err := json.Unmarshal(data, &f); err != nil {
			return err
		}
		v.SetFloat(f)
		return nil
	case reflect.Bool:
		var b bool
		if err := json.Unmarshal(data, &b); err != nil {
			return err
		}
		v.SetBool(b)
		return nil
	case reflect.String:
		if v.Type().Name() == "ID" && data[0] != '"' {
			id, err := digits(string(data))
			if err != nil {
				return err
			}
			v.SetString(id)
			return nil
		}
		var s string
		if err := json.Unmarshal(data, &s); err != nil {
			return err
		}
		v.SetString(s)
		return nil
	}
	return fmt.Errorf("no rule for a %v", v.Type())
}

// integer reads a JSON number whose value is an int, however it is written.
func integer(s string) (int64, error) {
	if len(s) > maxNumber || strings.Trim(s, "0123456789+-.eE") != "" {
		return 0, errors.New("want an integer")
	}
	if _, exp, ok := strings.Cut(strings.ToLower(s), "e"); ok {
		if e, err := strconv.Atoi(exp); err != nil || e > 1024 || e < -1024 {
			return 0, errors.New("number out of range")
		}
	}
	r, ok := new(big.Rat).SetString(s)
	if !ok || !r.IsInt() || !r.Num().IsInt64() {
		return 0, errors.New("want an integer")
	}
	i := r.Num().Int64()
	if int64(int(i)) != i {
		return 0, errors.New("number out of range")
	}
	return i, nil
}

// digits reads a JSON number that is an integer, as text.
func digits(s string) (string, error) {
	whole, frac, _ := strings.Cut(s, ".")
	if len(s) > maxNumber || strings.Trim(strings.TrimPrefix(whole, "-"), "0123456789") != "" || strings.Trim(frac, "0") != "" {
		return "", errors.New("want a string or an integer")
	}
	return whole, nil
}

func object(data []byte, v reflect.Value) error {
	all, err := members(data)
	if err != nil {
		return err
	}
	fields := map[string]reflect.Value{}
	for i := range v.NumField() {
		key, _, _ := strings.Cut(v.Type().Field(i).Tag.Get("json"), ",")
		if key != "-" && key != "" {
			fields[key] = v.Field(i)
		}
	}
	for _, m := range all {
		key := m.key
		if real, ok := aliases[key]; ok {
			key = real
		}
		f, ok := fields[key]
		if !ok {
			continue
		}
		// The last of a repeated key counts, and each must be readable.
		f.SetZero()
		if err := value(m.raw, f); err != nil {
			return fmt.Errorf("%s: %w", m.key, err)
		}
	}
	return nil
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
// empty one. With an error come the items before it.
func Lists(data []byte) ([]Item, error) {
	r := &reader{data: data, dec: json.NewDecoder(bytes.NewReader(data)), count: map[string]int{}}
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
	r := &reader{data: data, dec: json.NewDecoder(bytes.NewReader(data)), count: map[string]int{}}
	if err := r.delim('['); err != nil {
		return nil, err
	}
	if err := r.rest(""); err != nil {
		return r.items, cut(err)
	}
	return r.items, r.end()
}

type reader struct {
	data  []byte
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
	r.items = append(r.items, Item{key, r.count[key], r.dec.InputOffset() - int64(len(raw)), raw})
	r.count[key]++
	return raw, nil
}

// Empty reports whether an item is an object without keys.
func Empty(raw []byte) bool {
	all, err := members(raw)
	return err == nil && len(all) == 0
}
