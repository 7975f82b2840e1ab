package jsonscan

import (
	"errors"
	"fmt"
	"io"
	"math"
	"reflect"
	"slices"
)

// ID reads text, a JSON string or an integer, and keeps the digits.
func ID(text []byte) (string, error) {
	var v struct {
		ID id `json:"v"`
	}
	err := alone(text, &v)
	return string(v.ID), err
}

// Strings reads text, a list of strings in any form that a field may have. It is
// an error if there is none.
func Strings(text []byte) ([]string, error) {
	var v struct {
		Strings []string `json:"v"`
	}
	err := alone(text, &v)
	if err == nil && v.Strings == nil {
		err = errors.New("no list")
	}
	return v.Strings, err
}

// Float reads text, a JSON number or a string that holds one.
func Float(text []byte) (float64, error) {
	var v struct {
		Float float64 `json:"v"`
	}
	err := alone(text, &v)
	return v.Float, err
}

// id is read as the ids of package types are.
type id string

func (*id) UnmarshalJSON([]byte) error { return nil }

// alone reads text as the field "v" of a struct. A value that the field cannot
// hold is an error.
func alone(text []byte, dst any) error {
	s := &Scanner{}
	s.buf, s.rerr, s.mark, s.end = append(slices.Clip(text), ' '), io.EOF, -1, math.MaxInt64
	if s.peek(); s.err != nil {
		return s.err.Err
	}
	p := planOf(reflect.TypeOf(dst).Elem())
	at, vals := targetOf(dst), s.values(1)
	if !s.field(&p.fields[0], 0, at, vals, 0) || !s.End() {
		return s.err.Err
	}
	s.settle(p, at, vals)
	if vals.lost != 0 {
		d := s.defects.list[0]
		return fmt.Errorf("want %s, have %s", d.Want, d.Have)
	}
	return nil
}
