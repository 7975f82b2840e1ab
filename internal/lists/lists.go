// Package lists makes the body of a notification of items that were kept one by one.
package lists

import (
	"encoding/json"
	"io"
	"strings"
)

// Item is one item of a body.
type Item struct {
	Key  string // of the list that it is in
	Text io.Reader
	// Whole means that Text is a body itself. It is then the only item.
	Whole bool
}

// Reader reads the body. Items that follow one another and have one key are in one
// list; a body may have more lists with that key.
type Reader struct {
	// Next returns the next item, whose predecessor was read to its end, or io.EOF.
	Next func() (*Item, error)
	// Before, if not nil, returns what stands before the body, unless that is whole.
	Before func() string

	now   io.Reader // nil if the next item is due
	last  *Item
	ended bool
}

// Read implements [io.Reader].
func (r *Reader) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	for {
		if r.now != nil {
			n, err := r.now.Read(p)
			if err == io.EOF {
				r.now, err = nil, nil
			}
			if n > 0 || err != nil {
				return n, err
			}
			continue
		}
		if r.ended {
			return 0, io.EOF
		}
		if err := r.next(); err != nil {
			return 0, err
		}
	}
}

func (r *Reader) next() error {
	it, err := r.Next()
	if err == io.EOF {
		r.ended = true
		switch {
		case r.last == nil:
			r.now = strings.NewReader(r.before() + "{}")
		case !r.last.Whole:
			r.now = strings.NewReader("]}")
		}
		return nil
	}
	if err != nil {
		return err
	}
	last := r.last
	r.last = it
	if it.Whole {
		r.now = it.Text
		return nil
	}
	start := ","
	if last == nil || last.Key != it.Key {
		key, err := json.Marshal(it.Key)
		if err != nil {
			return err
		}
		start = "],"
		if last == nil {
			start = r.before() + "{"
		}
		start += string(key) + ":["
	}
	r.now = io.MultiReader(strings.NewReader(start), it.Text)
	return nil
}

func (r *Reader) before() string {
	if r.Before == nil {
		return ""
	}
	return r.Before()
}
