// Package jsonseq reads lists of records from JSON as a stream, one record at
// a time.
package jsonseq

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"

	"github.com/garminkit/activityapi/types"
)

// Record is what a list may hold.
type Record interface {
	types.Activity | types.ManualActivity | types.ActivityDetails | types.MoveIQ | types.ActivityFile
}

// Options are the choices of [List]. nil means the zero value.
type Options struct {
	// Name stands before the index in the paths of errors, as "activities" in
	// "activities[3].steps".
	Name string
	// KeepRaw fills the Raw field of every record.
	KeepRaw bool
	// Bad, if not nil, is called with each item that cannot be read, and the
	// list goes on behind it. If nil, the first such item ends the list with
	// its error. raw is the item's JSON.
	Bad func(raw json.RawMessage, err *types.DecodeError)
	// UnknownKey, if not nil, is called with the path of each key that the
	// types do not model.
	UnknownKey func(path string)
	// Sample, if not nil, is called with each sample of [types.ActivityDetails]
	// as it is read, and the Samples field stays nil. The sample is only valid
	// during the call. An error ends the list and is what it yields.
	Sample func(index int, s *types.Sample) error
}

// List yields the items of the one JSON array that r holds, as they are read.
// Items that are an empty object yield nothing. Broken JSON, a failing reader
// or bytes after the array are the last thing yielded, as a
// [*types.DecodeError] with a nil record. The iterator is single-use.
func List[T Record](r io.Reader, opts *Options) iter.Seq2[*T, error] {
	if opts == nil {
		opts = &Options{}
	}
	return func(yield func(*T, error) bool) {
		dec := json.NewDecoder(r)
		fail := func(err error) {
			if err == io.EOF {
				err = io.ErrUnexpectedEOF
			}
			yield(nil, &types.DecodeError{Offset: dec.InputOffset(), Err: err})
		}
		if t, err := dec.Token(); err != nil {
			fail(err)
			return
		} else if t != json.Delim('[') {
			fail(errors.New("want an array"))
			return
		}
		for i := 0; dec.More(); i++ {
			var raw json.RawMessage
			if err := dec.Decode(&raw); err != nil {
				fail(err)
				return
			}
			v := new(T)
			if string(raw) == "{}" {
				continue
			}
			if err := json.Unmarshal(raw, v); err != nil || string(raw) == "null" {
				if err == nil {
					err = errors.New("want an object")
				}
				bad := &types.DecodeError{Offset: dec.InputOffset() - int64(len(raw)), Path: fmt.Sprintf("%s[%d]", opts.Name, i), Err: err}
				if opts.Bad == nil {
					yield(nil, bad)
					return
				}
				opts.Bad(raw, bad)
				continue
			}
			if opts.KeepRaw {
				switch v := any(v).(type) {
				case *types.Activity:
					v.Raw = raw
				case *types.ManualActivity:
					v.Raw = raw
				case *types.ActivityDetails:
					v.Raw = raw
				case *types.MoveIQ:
					v.Raw = raw
				case *types.ActivityFile:
					v.Raw = raw
				}
			}
			if !yield(v, nil) {
				return
			}
		}
		if _, err := dec.Token(); err != nil {
			fail(err)
			return
		}
		if _, err := dec.Token(); err != io.EOF {
			fail(errors.New("data after the end of the list"))
		}
	}
}
