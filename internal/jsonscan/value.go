package jsonscan

import (
	"errors"
	"io"
	"slices"
)

// ID reads text, a JSON string or an integer, and keeps the digits.
func ID(text []byte) (string, error) {
	s := &Scanner{}
	s.buf, s.rerr, s.mark = append(slices.Clip(text), ' '), io.EOF, -1
	var id string
	switch c := s.peek(); {
	case c == '"':
		b, ok := s.text()
		if ok {
			id = string(b)
		}
	case c == '-' || c-'0' <= 9:
		b, ok := s.number()
		if !ok {
			break
		}
		if b == nil {
			return "", errLong
		}
		var err error
		if id, err = anyID(b); err != nil {
			return "", err
		}
	default:
		return "", errors.New("want a string or an integer")
	}
	if s.err != nil || !s.End() {
		return "", s.err.Err
	}
	return id, nil
}

// Float reads text, a JSON number.
func Float(text []byte) (float64, error) {
	s := &Scanner{}
	s.buf, s.rerr, s.mark = append(slices.Clip(text), ' '), io.EOF, -1
	if c := s.peek(); c != '-' && c-'0' > 9 {
		return 0, errors.New("want a number")
	}
	b, ok := s.number()
	switch {
	case !ok:
		return 0, s.err.Err
	case b == nil:
		return 0, errLong
	case !s.End():
		return 0, s.err.Err
	}
	return anyFloat(b)
}
