package notify

import (
	"encoding/json"
	"errors"
	"io"
	"iter"
	"reflect"

	"github.com/garminkit/activityapi/internal/jsonscan"
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
// Empty lists, null in place of a list, and items that are an empty object
// yield nothing. A value in place of a list is a list of one.
//
// An item is a [*Ping] if it has a callbackURL, and then only its user id,
// token and URL need be good. An item that nests deeper than 16 is an
// *Unrecognized. Broken are also a body that begins with a byte order mark,
// one with anything behind its end, and one that nests deeper than 10,000.
//
// Memory is bound by the largest item, and not by the body; with a Sample hook,
// samples take none. If r is also an
// [io.ReaderAt] and an [io.Seeker], as files are, then Raw is read again from
// there rather than kept.
func (d *Decoder) Decode(r io.Reader) iter.Seq2[Event, error] {
	return func(yield func(Event, error) bool) { d.newBody(r).decode(yield) }
}

func (d *Decoder) newBody(r io.Reader) *body {
	b := &body{d: d, count: map[string]int{}}
	opts := jsonscan.Options{KeepRaw: d.KeepRaw, UnknownKey: d.UnknownKey}
	if d.Sample != nil {
		opts.Element = reflect.TypeFor[types.Sample]()
		opts.Visit = func(index int, elem any) error {
			return d.Sample(b.item, index, elem.(*types.Sample))
		}
	}
	b.s = jsonscan.New(r, opts)
	return b
}

// reset begins another body with what b has allocated.
func (b *body) reset(r io.Reader) {
	b.s.Reset(r)
	clear(b.count)
}

// decode is what [Decoder.Decode] promises.
func (b *body) decode(yield func(Event, error) bool) {
	if b.lists(yield) {
		return
	}
	if err := b.s.VisitErr(); err != nil {
		yield(nil, err)
	} else {
		yield(nil, (*types.DecodeError)(b.s.Err()))
	}
}

// body is one body while it is read.
type body struct {
	d     *Decoder
	s     *jsonscan.Scanner
	count map[string]int // items seen under each key
	item  Item           // the one being read
	spare any            // a *pushed that turned out to be a ping's, and is zero again
}

// maxKeys is how many different root keys are counted. Garmin has about
// twenty.
const maxKeys = 1000

// lists reads the whole body. It returns false if the scanner failed, and true
// if the body is done or the caller has enough.
func (b *body) lists(yield func(Event, error) bool) bool {
	if !b.s.Open('{') {
		return false
	}
	for n := 0; b.s.Next('}', n == 0); n++ {
		key, ok := b.s.Key()
		if !ok {
			return false
		}
		null, ok := b.s.Null()
		if !ok {
			return false
		}
		if null {
			continue
		}
		array := b.s.Array()
		index := b.count[key]
		for first := true; !array && first || array && b.s.Next(']', first); first = false {
			ev, ok := b.event(key, index)
			if !ok {
				return false
			}
			index++
			if ev != nil && !yield(ev, nil) {
				return true
			}
		}
		if b.s.Err() != nil {
			return false
		}
		if len(b.count) < maxKeys {
			b.count[key] = index
		}
	}
	return b.s.Err() == nil && b.s.End()
}

// event reads one item. It returns nil for an empty one.
func (b *body) event(key string, index int) (Event, bool) {
	off, ok := b.s.Begin(key, index)
	if !ok {
		return nil, false
	}
	b.item = Item{Key: key, Index: index, Offset: off}
	switch kind := types.Kind(key); kind {
	case types.KindActivities:
		return push[types.Activity](b, kind)
	case types.KindManualActivities:
		return push[types.ManualActivity](b, kind)
	case types.KindActivityDetails:
		return push[types.ActivityDetails](b, kind)
	case types.KindMoveIQ:
		return push[types.MoveIQ](b, kind)
	case types.KindActivityFiles, "file":
		return b.file()
	case "deregistrations":
		return b.deregistration()
	case "userPermissionsChange":
		return b.permissionChange()
	}
	if !b.s.Skip() {
		return nil, false
	}
	return b.finish(nil, "", errors.New("unknown list key"))
}

// pushed is an item of a list that holds summaries or pings for them.
type pushed[T any] struct {
	UserID          string       `json:"userId"`
	UserAccessToken types.Secret `json:"userAccessToken"`
	CallbackURL     types.Secret `json:"callbackURL"`
	Data            T            `json:",inline"`
}

func push[T any, P interface {
	*T
	types.Summary
}](b *body, kind types.Kind) (Event, bool) {
	p, ok := b.spare.(*pushed[T])
	if !ok {
		p = new(pushed[T])
	}
	b.spare = nil
	if !b.s.Item(p) {
		return nil, false
	}
	bad, hard := b.s.Bad()
	if p.CallbackURL != "" && !hard {
		ping := &Ping{Kind: kind, UserID: p.UserID, UserAccessToken: p.UserAccessToken, CallbackURL: p.CallbackURL}
		*p = pushed[T]{}
		b.spare = p
		return b.finish(ping, ping.UserID, nil)
	}
	ev := &Push{UserID: p.UserID, UserAccessToken: p.UserAccessToken, Summary: P(&p.Data)}
	return b.finish(ev, p.UserID, asError(bad))
}

func (b *body) file() (Event, bool) {
	var p struct {
		UserAccessToken types.Secret       `json:"userAccessToken"`
		File            types.ActivityFile `json:",inline"`
	}
	if !b.s.Item(&p) {
		return nil, false
	}
	bad, _ := b.s.Bad()
	return b.finish(&FilePing{File: p.File, UserAccessToken: p.UserAccessToken}, p.File.UserID, asError(bad))
}

func (b *body) deregistration() (Event, bool) {
	var p struct {
		UserID          string       `json:"userId"`
		UserAccessToken types.Secret `json:"userAccessToken"`
	}
	if !b.s.Item(&p) {
		return nil, false
	}
	bad, _ := b.s.Bad()
	return b.finish(&Deregistration{UserID: p.UserID, UserAccessToken: p.UserAccessToken}, p.UserID, asError(bad))
}

func (b *body) permissionChange() (Event, bool) {
	var p struct {
		UserID              string             `json:"userId"`
		UserAccessToken     types.Secret       `json:"userAccessToken"`
		SummaryID           types.ID           `json:"summaryId"`
		Permissions         []types.Permission `json:"permissions"`
		ChangeTimeInSeconds types.Timestamp    `json:"changeTimeInSeconds"`
	}
	if !b.s.Item(&p) {
		return nil, false
	}
	bad, _ := b.s.Bad()
	ev := &PermissionChange{
		UserID: p.UserID, UserAccessToken: p.UserAccessToken, SummaryID: p.SummaryID,
		Permissions: p.Permissions, ChangeTimeInSeconds: p.ChangeTimeInSeconds,
	}
	return b.finish(ev, p.UserID, asError(bad))
}

func asError(err *jsonscan.Error) error {
	if err == nil {
		return nil
	}
	return (*types.DecodeError)(err)
}

// finish completes the event of the item that was just read, or makes it an
// *Unrecognized if there is an error or no user. It returns nil if the item is
// an empty object.
func (b *body) finish(ev Event, user string, err error) (Event, bool) {
	if b.s.Empty() {
		return nil, true
	}
	if err == nil && user == "" {
		err = errors.New("no userId")
	}
	item := b.item
	item.Size = b.s.Size()
	if err != nil || b.d.KeepRaw {
		item.Raw, item.Truncated = b.s.Raw()
	}
	if err != nil {
		if _, ok := err.(*types.DecodeError); !ok {
			err = &types.DecodeError{Offset: item.Offset, Path: item.String(), Err: err}
		}
		return &Unrecognized{item, err}, true
	}
	switch ev := ev.(type) {
	case *Ping:
		ev.Item = item
	case *FilePing:
		ev.Item = item
		ev.File.Raw = item.Raw
	case *Deregistration:
		ev.Item = item
	case *PermissionChange:
		ev.Item = item
	case *Push:
		ev.Item = item
		own(ev.Summary, ev.UserID, item.Raw)
	}
	return ev, true
}

// own sets what the decoder adds to a summary.
func own(s types.Summary, user string, raw json.RawMessage) {
	switch s := s.(type) {
	case *types.Activity:
		s.UserID, s.Raw = user, raw
	case *types.ManualActivity:
		s.UserID, s.Raw = user, raw
	case *types.ActivityDetails:
		s.UserID, s.Raw = user, raw
	case *types.MoveIQ:
		s.UserID, s.Raw = user, raw
	}
}
