// Package jsonseq reads lists of records from JSON as a stream, one record at
// a time.
package jsonseq

import (
	"encoding/json"
	"io"
	"iter"
	"reflect"

	"github.com/garminkit/activityapi/internal/jsonscan"
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
	// its error. raw is the item's JSON, or the last 256 KiB of it
	// if it is larger and KeepRaw is not set.
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
		scan := jsonscan.Options{KeepRaw: opts.KeepRaw, UnknownKey: opts.UnknownKey}
		if opts.Sample != nil {
			scan.Element = reflect.TypeFor[types.Sample]()
			scan.Visit = func(index int, elem any) error { return opts.Sample(index, elem.(*types.Sample)) }
		}
		s := jsonscan.New(r, scan)
		if list(s, opts, yield) {
			return
		}
		if err := s.VisitErr(); err != nil {
			yield(nil, err)
		} else {
			yield(nil, (*types.DecodeError)(s.Err()))
		}
	}
}

// list reads the whole array. It returns false if the scanner failed, and true
// if the array is done or nobody wants more of it.
func list[T Record](s *jsonscan.Scanner, opts *Options, yield func(*T, error) bool) bool {
	if !s.Open('[') {
		return false
	}
	for i := 0; s.Next(']', i == 0); i++ {
		if _, ok := s.Begin(opts.Name, i); !ok {
			return false
		}
		v := new(T)
		if !s.Item(v) {
			return false
		}
		if bad, _ := s.Bad(); bad != nil {
			if opts.Bad == nil {
				yield(nil, (*types.DecodeError)(bad))
				return true
			}
			raw, _ := s.Raw()
			opts.Bad(raw, (*types.DecodeError)(bad))
			continue
		}
		if s.Empty() {
			continue
		}
		if opts.KeepRaw {
			raw, _ := s.Raw()
			setRaw(v, raw)
		}
		if !yield(v, nil) {
			return true
		}
	}
	return s.Err() == nil && s.End()
}

func setRaw(v any, raw json.RawMessage) {
	switch v := v.(type) {
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
