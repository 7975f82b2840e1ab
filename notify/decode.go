package notify

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"

	"github.com/garminkit/activityapi/types"
)

// Decode yields the items of a notification body one at a time, as they are
// read from r. It is short for a zero [Decoder].
func Decode(r io.Reader) iter.Seq2[Event, error] {
	var d Decoder
	return d.Decode(r)
}

// Decoder reads notification bodies. The zero value is ready; it is safe for
// concurrent use once its fields are set.
type Decoder struct {
	// KeepRaw fills the Raw field of every event's [Item] and of its Summary
	// or File, at the cost of a copy.
	KeepRaw bool
	// UnknownKey, if not nil, is called for each key of an item that the
	// types do not model, with the path to it, as "activities[3].newKey".
	UnknownKey func(path string)
	// Sample, if not nil, is called with each sample of an
	// [types.ActivityDetails] as it is read, and Samples stays nil in the
	// [*Push] that follows. s is only valid during the call. item has Key,
	// Index and Offset only. Nothing about the item is certain yet: it may
	// still turn out to be an [*Unrecognized]. An error ends the stream, which
	// yields it as it is.
	Sample func(item Item, index int, s *types.Sample) error
}

// Decode yields the items of one body in order and ends with the body. A bad
// item is an [*Unrecognized] and the stream goes on; broken JSON or a failing
// reader is the last thing yielded, as a [*types.DecodeError] with a nil
// event. What was yielded before it is good. The iterator is single-use, since
// r is.
//
// Every root key is read, and a repeated root key as often as it stands there.
// Lists under keys that are no notification's yield one *Unrecognized an item.
// Empty lists and items that are an empty object yield nothing.
func (d *Decoder) Decode(r io.Reader) iter.Seq2[Event, error] {
	return func(yield func(Event, error) bool) {
		dec := json.NewDecoder(r)
		fail := func(err error) {
			if err == io.EOF {
				err = io.ErrUnexpectedEOF
			}
			off := dec.InputOffset()
			if s, ok := errors.AsType[*json.SyntaxError](err); ok {
				off = s.Offset
			}
			yield(nil, &types.DecodeError{Offset: off, Err: err})
		}
		delim := func(want json.Delim) error {
			t, err := dec.Token()
			if err == nil && t != want {
				return fmt.Errorf("want %v, have %v", want, t)
			}
			return err
		}
		if err := delim('{'); err != nil {
			fail(err)
			return
		}
		count := map[string]int{}
		for dec.More() {
			t, err := dec.Token()
			if err != nil {
				fail(err)
				return
			}
			key := t.(string)
			// The array or the lone value behind the key.
			var raw json.RawMessage
			if err := dec.Decode(&raw); err != nil {
				fail(err)
				return
			}
			var items []json.RawMessage
			if json.Unmarshal(raw, &items) != nil {
				items = []json.RawMessage{raw}
			}
			at := dec.InputOffset() - int64(len(raw))
			for _, item := range items {
				skip := bytes.Index(raw, item)
				at, raw = at+int64(skip), raw[skip:]
				ev := d.event(key, count[key], item, at)
				at, raw = at+int64(len(item)), raw[len(item):]
				count[key]++
				if ev != nil && !yield(ev, nil) {
					return
				}
			}
		}
		if err := delim('}'); err != nil {
			fail(err)
			return
		}
		if _, err := dec.Token(); err != io.EOF {
			fail(errors.New("data after the end of the body"))
		}
	}
}

func (d *Decoder) event(key string, index int, raw json.RawMessage, at int64) Event {
	item := Item{Key: key, Index: index, Offset: at, Size: int64(len(raw))}
	bad := func(err error) Event {
		item.Raw = raw
		return &Unrecognized{Item: item, Err: &types.DecodeError{Offset: item.Offset, Path: item.String(), Err: err}}
	}
	var keys map[string]json.RawMessage
	if err := json.Unmarshal(raw, &keys); err != nil || keys == nil {
		return bad(errors.New("want an object"))
	}
	if len(keys) == 0 {
		return nil
	}
	if d.KeepRaw {
		item.Raw = raw
	}
	var head struct {
		UserID                       string
		UserAccessToken, CallbackURL types.Secret
		SummaryID                    types.ID
		Permissions                  []types.Permission
		ChangeTimeInSeconds          types.Timestamp
	}
	if err := json.Unmarshal(raw, &head); err != nil {
		return bad(err)
	}
	if head.UserID == "" {
		return bad(errors.New("no userId"))
	}
	kind := types.Kind(key)
	if key == "file" {
		kind = types.KindActivityFiles
	}
	var sum types.Summary
	switch kind {
	case "deregistrations":
		return &Deregistration{item, head.UserID, head.UserAccessToken}
	case "userPermissionsChange":
		return &PermissionChange{item, head.UserID, head.UserAccessToken, head.SummaryID, head.Permissions, head.ChangeTimeInSeconds}
	case types.KindActivityFiles:
		p := &FilePing{Item: item, UserAccessToken: head.UserAccessToken}
		if err := json.Unmarshal(raw, &p.File); err != nil {
			return bad(err)
		}
		p.File.Raw = item.Raw
		return p
	case types.KindActivities:
		sum = &types.Activity{Raw: item.Raw}
	case types.KindManualActivities:
		sum = &types.ManualActivity{Raw: item.Raw}
	case types.KindActivityDetails:
		sum = &types.ActivityDetails{Raw: item.Raw}
	case types.KindMoveIQ:
		sum = &types.MoveIQ{Raw: item.Raw}
	default:
		return bad(errors.New("unknown list key"))
	}
	if head.CallbackURL != "" {
		return &Ping{item, kind, head.UserID, head.UserAccessToken, head.CallbackURL}
	}
	if err := json.Unmarshal(raw, sum); err != nil {
		return bad(err)
	}
	return &Push{item, head.UserID, head.UserAccessToken, sum}
}
