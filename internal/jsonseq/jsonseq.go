// Package jsonseq reads lists of records from JSON as a stream, one record at
// a time.
package jsonseq

import (
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"reflect"

	"github.com/garminkit/activityapi/internal/jsonscan"
	"github.com/garminkit/activityapi/internal/wire"
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
	// Hash fills the SHA256 field of every summary.
	Hash bool
	// Bad, if not nil, is called with each item that cannot be read: one that is
	// no object, has no readable summary id, an unreadable user id, or is larger
	// than MaxItem ([ErrTooLarge]). The list goes on behind it. If nil, the first
	// such item ends the list with its error. raw is the item's JSON, or the last
	// 256 KiB of it if it is larger and KeepRaw is not set.
	Bad func(raw json.RawMessage, err *types.DecodeError)
	// Odd, if not nil, is called with the defects of each item that has any.
	Odd func(d *types.Defects)
	// MaxItem, if not 0, is the largest size of an item. A larger one is read over
	// without being held.
	MaxItem int64
	// UnknownKey, if not nil, is called with the path of each key that the
	// types do not model.
	UnknownKey func(path string)
	// Sample, if not nil, is called with each sample of [types.ActivityDetails]
	// as it is read, and the Samples field stays nil. The sample is only valid
	// during the call. An error ends the list and is what it yields.
	Sample func(index int, s *types.Sample) error
}

// ErrTooLarge is the cause of an item larger than Options.MaxItem.
var ErrTooLarge = errors.New("item too large")

// List yields the items of the one JSON array that r holds, as they are read. A
// byte order mark before it is ignored. Items that are null or an empty object
// yield nothing. Broken JSON, a failing reader
// or bytes after the array are the last thing yielded, as a
// [*types.DecodeError] with a nil record. The iterator is single-use.
func List[T Record](r io.Reader, opts *Options) iter.Seq2[*T, error] {
	if opts == nil {
		opts = &Options{}
	}
	return func(yield func(*T, error) bool) {
		scan := jsonscan.Options{KeepRaw: opts.KeepRaw, Hash: opts.Hash, UnknownKey: opts.UnknownKey, MaxItem: opts.MaxItem}
		if opts.Sample != nil {
			scan.Element = reflect.TypeFor[types.Sample]()
			var sample types.Sample
			scan.Visit = func(index int, v *jsonscan.Values, a *jsonscan.Arena) error {
				sample = types.Sample{}
				wire.Sample(&sample, v, a)
				return opts.Sample(index, &sample)
			}
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
	if !s.Document('[') {
		return false
	}
	for i := 0; s.Next(']', i == 0); i++ {
		if _, ok := s.Begin(opts.Name, i); !ok {
			return false
		}
		v := new(T)
		if !s.Item(v, wire.Target(v)) {
			return false
		}
		if s.Empty() {
			continue
		}
		r := record(v)
		if bad := unfit(s, opts, i, *r.id); bad != nil {
			if opts.Bad == nil {
				yield(nil, bad)
				return true
			}
			raw, _ := s.Raw(nil)
			opts.Bad(raw, bad)
			continue
		}
		if first, count := jsonscan.Defects[types.Defect](s); count > 0 {
			*r.defects = &types.Defects{First: first, Count: count}
			if opts.Odd != nil {
				opts.Odd(*r.defects)
			}
		}
		if opts.KeepRaw || *r.defects != nil {
			if raw, truncated := s.Raw(nil); !truncated {
				*r.raw = raw
			}
		}
		if opts.Hash && r.sum != nil {
			*r.sum = s.Sum()
		}
		if !yield(v, nil) {
			return true
		}
	}
	return s.Err() == nil && s.End()
}

// unfit returns why the item that was just read is no record, or nil. Who its
// user is the caller may know; but a user id that is there must be readable.
func unfit(s *jsonscan.Scanner, opts *Options, index int, id types.ID) *types.DecodeError {
	var err error
	switch unread := s.Unread("userId", "summaryId"); {
	case s.TooLarge():
		err = ErrTooLarge
	case s.Type() != jsonscan.Object:
		err = s.Type().Refused()
	case unread != nil:
		return (*types.DecodeError)(unread)
	case id == "":
		err = errors.New("no summaryId")
	default:
		return nil
	}
	return &types.DecodeError{Offset: s.Offset(), Path: fmt.Sprintf("%s[%d]", opts.Name, index), Err: err}
}

// fields are those of a record that do not depend on its type.
type fields struct {
	id      *types.ID
	raw     *json.RawMessage
	defects **types.Defects
	sum     *[sha256.Size]byte // nil if it has none
}

func record(v any) fields {
	switch v := v.(type) {
	case *types.Activity:
		return fields{&v.SummaryID, &v.Raw, &v.Defects, &v.SHA256}
	case *types.ManualActivity:
		return fields{&v.SummaryID, &v.Raw, &v.Defects, &v.SHA256}
	case *types.ActivityDetails:
		return fields{&v.SummaryID, &v.Raw, &v.Defects, &v.SHA256}
	case *types.MoveIQ:
		return fields{&v.SummaryID, &v.Raw, &v.Defects, &v.SHA256}
	}
	f := v.(*types.ActivityFile)
	return fields{&f.SummaryID, &f.Raw, &f.Defects, nil}
}
