package notify

import (
	"encoding/json"
	"errors"
	"io"
	"iter"
	"reflect"
	"sync"

	"github.com/garminkit/activityapi/internal/jsonscan"
	"github.com/garminkit/activityapi/internal/wire"
	"github.com/garminkit/activityapi/types"
)

// Decoder reads notification bodies. The zero value is ready. It is safe for
// concurrent use once its fields are set, and must not be copied after its
// first use.
type Decoder struct {
	// KeepRaw fills the Raw field of every event and of its Summary, at the cost
	// of a copy.
	KeepRaw bool
	// UnknownKey, if not nil, is called for each key of an item that the types do
	// not model, with its path, such as "activities[3].newKey".
	UnknownKey func(path string)
	// Sample, if not nil, is called with each sample of an
	// [types.ActivityDetails] as it is read, and Samples stays nil in the [*Push]
	// that follows. item and s are only valid during the call, and only Key,
	// Index and Offset of item are set. The item may still turn out to be an
	// [*Unrecognized]. An error ends the stream, which yields it unchanged.
	Sample func(item *Event, index int, s *types.Sample) error
	// MaxItem, if not 0, is the largest size of an item in bytes. A larger item
	// is an [*Unrecognized]; the rest of it is skipped.
	MaxItem int64
	// Envelope means that the data of pushes is not read: their Summary is nil,
	// and defects in it are not reported. It is for splitting a body into items
	// that are read later. UnknownKey and Sample are not called. A value that is
	// read, such as a user id or a callback URL, may have at most 64 KiB.
	Envelope bool

	idle sync.Pool // of *body
}

// longestText bounds the values of an envelope. The longest is a callback URL, of
// about 300 bytes.
const longestText = 64 << 10

// errItemTooLarge is the cause of an item larger than Decoder.MaxItem.
var errItemTooLarge = errors.New("item too large")

// Decode yields the items of one body in order, one at a time, as they are read from
// r. A bad item is an [*Unrecognized], and the stream continues. Broken JSON or a
// failing reader ends it with a [*types.DecodeError] and a nil event; earlier events
// remain valid. The iterator is single-use, since r is.
//
// Every key of the body's object is read, even a repeated one. A list under an
// unknown key yields an [*Unrecognized] for each item. Empty lists, null in place
// of a list, and items that are null or an empty object yield nothing. A single
// value in place of a list counts as a list of one.
//
// An item is good if the values that identify it are readable: the user id, and
// the callbackURL of a ping or file ping, or the summary id of a push. A
// permission change must have more than a user id. Any other value that cannot
// be read without loss is absent, and the item's Defects name it; see package
// types. An item with a callbackURL is a [*Ping], even if it has other values.
//
// A byte order mark before the body is ignored. A body is also broken if it is in
// UTF-16 or UTF-32, has anything but white space after its end, or nests deeper
// than 10,000 levels.
//
// Memory grows with the largest item, not with the body. If Sample is set,
// samples take none. If r is also an [io.ReaderAt] and an [io.Seeker], like a
// file, Raw is read from it again instead of being kept in memory.
func (d *Decoder) Decode(r io.Reader) iter.Seq2[*Event, error] {
	return func(yield func(*Event, error) bool) {
		b := d.body()
		b.reset(r)
		b.decode(yield)
		d.release(b)
	}
}

// decodeItem reads a single item that was found under key. It returns what Decode
// yields for a body with only this item, with index 0 and offsets from the start
// of raw. It returns nil for null or an empty object, and a [*types.DecodeError]
// if raw is not JSON.
func (d *Decoder) decodeItem(key string, raw []byte) (*Event, error) {
	b := d.body()
	b.s.ResetText(raw)
	clear(b.count)
	ev, ok := b.event(readerOf(key), key, 0)
	ok = ok && b.s.End()
	err := b.failure()
	d.release(b)
	if !ok {
		return nil, err
	}
	return ev, nil
}

// body returns a body to be reset.
func (d *Decoder) body() *body {
	if b, ok := d.idle.Get().(*body); ok {
		return b
	}
	return d.newBody(nil)
}

// release lets the next call of body reuse b.
func (d *Decoder) release(b *body) {
	b.s.Reset(nil)
	b.item, b.room = Event{}, room{}
	d.idle.Put(b)
}

func (d *Decoder) newBody(r io.Reader) *body {
	b := &body{d: d, count: map[string]int{}}
	opts := jsonscan.Options{KeepRaw: d.KeepRaw, MaxItem: d.MaxItem}
	if d.Envelope {
		opts.MaxText = longestText
	} else {
		opts.UnknownKey = d.UnknownKey
	}
	if d.Sample != nil && !d.Envelope {
		opts.Element = reflect.TypeFor[types.Sample]()
		var sample types.Sample
		opts.Visit = func(index int, v *jsonscan.Values, a *jsonscan.Arena) error {
			sample = types.Sample{}
			wire.Sample(&sample, v, a)
			return d.Sample(&b.item, index, &sample)
		}
	}
	b.s = jsonscan.New(r, opts)
	return b
}

// reset starts another body with the memory of b.
func (b *body) reset(r io.Reader) {
	b.s.Reset(r)
	b.room = room{}
	clear(b.count)
}

// decode implements [Decoder.Decode].
func (b *body) decode(yield func(*Event, error) bool) {
	if !b.lists(yield) {
		yield(nil, b.failure())
	}
}

// failure returns why the scanner failed.
func (b *body) failure() error {
	if err := b.s.VisitErr(); err != nil {
		return err
	}
	return (*types.DecodeError)(b.s.Err())
}

// body is one body while it is read.
type body struct {
	d     *Decoder
	s     *jsonscan.Scanner
	count map[string]int // items seen under each key
	list  int            // counts the lists
	item  Event          // the one being read, without its data
	room  room
}

// room is the memory for the items to come.
type room struct {
	activities pushes[types.Activity]
	manual     pushes[types.ManualActivity]
	details    pushes[types.ActivityDetails]
	moveIQ     pushes[types.MoveIQ]
	envelope   *envelope // one that turned out to be a ping, zeroed for reuse
	pings      several[event[Ping]]
}

// event is an event and its data in one allocation.
type event[T any] struct {
	Event
	of T
}

// several allocates values for a few items at once. The first is alone, as in most
// bodies.
type several[T any] struct {
	free []T
	last int // how many there were
}

// How many share an allocation bounds what an item that is kept keeps of its
// neighbours. So many leave little of the allocator's blocks and spans unused, and
// pings in long spans.
const (
	summariesAtOnce = 8
	pingsAtOnce     = 38
)

func (s *several[T]) next(most int) *T {
	if len(s.free) == 0 {
		s.last = min(s.last+1, most)
		s.free = make([]T, s.last)
	}
	v := &s.free[0]
	s.free = s.free[1:]
	return v
}

// maxKeys is how many different root keys are counted. Garmin has about
// twenty.
const maxKeys = 1000

// lists reads the whole body. It returns false if the scanner failed, and true if
// the body has ended or the caller has stopped.
func (b *body) lists(yield func(*Event, error) bool) bool {
	if !b.s.Document('{') {
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
		array, read := b.s.Array(), readerOf(key)
		index := b.count[key]
		b.list++
		for first := true; !array && first || array && b.s.Next(']', first); first = false {
			ev, ok := b.event(read, key, index)
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

// reader reads one item of a kind. It returns nil for an empty one.
type reader func(b *body, kind types.Kind) (*Event, bool)

// readerOf returns the reader of the items under a list key.
func readerOf(key string) reader {
	switch types.Kind(key) {
	case types.KindActivities:
		return func(b *body, kind types.Kind) (*Event, bool) {
			return push(b, kind, &b.room.activities, summariesAtOnce)
		}
	case types.KindManualActivities:
		return func(b *body, kind types.Kind) (*Event, bool) { return push(b, kind, &b.room.manual, summariesAtOnce) }
	case types.KindActivityDetails:
		// Details are alone, since one that is kept would keep the samples of the others.
		return func(b *body, kind types.Kind) (*Event, bool) { return push(b, kind, &b.room.details, 1) }
	case types.KindMoveIQ:
		return func(b *body, kind types.Kind) (*Event, bool) { return push(b, kind, &b.room.moveIQ, summariesAtOnce) }
	case types.KindActivityFiles, "file":
		return (*body).file
	case types.KindDeregistrations:
		return (*body).deregistration
	case types.KindPermissionChanges:
		return (*body).permissionChange
	}
	return (*body).unknown
}

// event reads one item with the reader of its key.
func (b *body) event(read reader, key string, index int) (*Event, bool) {
	off, ok := b.s.Begin(key, index)
	if !ok {
		return nil, false
	}
	b.item.Key, b.item.Index, b.item.Offset = key, index, off
	return read(b, types.Kind(key))
}

func (b *body) unknown(types.Kind) (*Event, bool) {
	if !b.s.Skip() {
		return nil, false
	}
	return b.finish(nil, errUnknownKey)
}

// What an item may lack.
var (
	errUnknownKey  = errors.New("unknown list key")
	errNoUser      = errors.New("no userId")
	errNoSummary   = errors.New("no summaryId")
	errNoCallback  = errors.New("no callbackURL")
	errNothingElse = errors.New("nothing but a userId")
)

// pushKeys are the keys of an item of a list of summaries, or of pings for them. None
// is ever made: only its type counts.
type pushKeys[T any] struct {
	Summary         T            `json:",inline"`
	UserAccessToken types.Secret `json:"userAccessToken"`
	CallbackURL     types.Secret `json:"callbackURL"`
}

// pushed is a summary and the event that brings it.
type pushed[T any] struct {
	summary T
	event   event[Push]
}

// pushes makes pushes of the items of a kind.
type pushes[T any] struct {
	several[pushed[T]]
	target target
	spare  *pushed[T] // one whose item turned out to be a ping, zeroed for reuse
}

// target stores an item with the keys of pushKeys: its head here, and the
// rest in the summary.
type target struct {
	jsonscan.Target     // of the summary
	fields          int // of the summary
	head            head
}

// Store sets the head, and the summary unless the item can only be a ping.
func (t *target) Store(v *jsonscan.Values, a *jsonscan.Arena) {
	if v.Seen&1 != 0 {
		t.head.UserID = types.UserID(v.Text[0])
	}
	if v.Seen&2 != 0 {
		t.head.SummaryID = types.ID(v.Text[1])
	}
	if v.Seen>>t.fields&1 != 0 {
		t.head.UserAccessToken = types.Secret(v.Text[t.fields])
	}
	if v.Seen>>t.fields&2 != 0 {
		t.head.CallbackURL = types.Secret(v.Text[t.fields+1])
	}
	if v.Seen&^t.ofPing() != 0 {
		t.Target.Store(v, a)
	}
}

// ofPing has the bits of the fields of a ping. The user is the first field of every
// summary, and its id the second.
func (t *target) ofPing() uint64 { return 1 | 3<<t.fields }

func push[T any, P interface {
	*T
	types.Summary
}](b *body, kind types.Kind, r *pushes[T], most int) (*Event, bool) {
	if b.d.Envelope {
		return b.envelope(kind)
	}
	p, t := r.spare, &r.target
	if p == nil {
		p = r.next(most)
		t.Target = wire.Target(&p.summary)
		t.fields = t.Len()
	}
	r.spare = nil
	t.head = head{}
	if !b.s.Item((*pushKeys[T])(nil), t) {
		return nil, false
	}
	ev, err := b.headed(kind, &t.head, &p.event)
	if ev == &p.event.Event {
		p.event.of.Summary = P(&p.summary)
		return b.finish(ev, nil)
	}
	if !b.s.Only(t.ofPing()) {
		*p = pushed[T]{}
	}
	r.spare = p
	return b.finish(ev, err)
}

// head holds the values that identify an item of a list of summaries or of pings
// for them.
type head struct {
	UserID          types.UserID `json:"userId"`
	UserAccessToken types.Secret `json:"userAccessToken"`
	CallbackURL     types.Secret `json:"callbackURL"`
	SummaryID       types.ID     `json:"summaryId"`
}

// envelope is a head and the event that it becomes.
type envelope struct {
	head  head
	event event[Push]

	jsonscan.Target // nil: a head has nothing but strings
}

// Store sets the head.
func (e *envelope) Store(v *jsonscan.Values, _ *jsonscan.Arena) {
	if v.Seen&1 != 0 {
		e.head.UserID = types.UserID(v.Text[0])
	}
	if v.Seen&2 != 0 {
		e.head.UserAccessToken = types.Secret(v.Text[1])
	}
	if v.Seen&4 != 0 {
		e.head.CallbackURL = types.Secret(v.Text[2])
	}
	if v.Seen&8 != 0 {
		e.head.SummaryID = types.ID(v.Text[3])
	}
}

// envelope reads a push without its summary, or a ping.
func (b *body) envelope(kind types.Kind) (*Event, bool) {
	e := b.room.envelope
	if e == nil {
		e = new(envelope)
	}
	b.room.envelope = nil
	if !b.s.Head(&e.head, e) {
		return nil, false
	}
	ev, err := b.headed(kind, &e.head, &e.event)
	if ev == &e.event.Event {
		return b.finish(ev, nil)
	}
	*e = envelope{}
	b.room.envelope = e
	return b.finish(ev, err)
}

// headed returns the ping with this head, or push, or what the item lacks.
//
// Events are filled field by field. A struct that was just written field by field is
// slow to copy: the processor cannot read 16 bytes of which it still writes 8.
func (b *body) headed(kind types.Kind, h *head, push *event[Push]) (*Event, error) {
	if err := b.unfit(h.UserID, "callbackURL"); err != nil {
		return nil, err
	}
	if h.CallbackURL != "" {
		ping := b.room.pings.next(pingsAtOnce)
		ping.of.Kind, ping.of.UserAccessToken, ping.of.CallbackURL = kind, h.UserAccessToken, h.CallbackURL
		ping.UserID, ping.Data = h.UserID, &ping.of
		return &ping.Event, nil
	}
	if err := b.s.Unread("summaryId"); err != nil {
		return nil, (*types.DecodeError)(err)
	}
	if h.SummaryID == "" {
		return nil, errNoSummary
	}
	push.of.Kind, push.of.UserAccessToken, push.of.SummaryID = kind, h.UserAccessToken, h.SummaryID
	push.UserID, push.Data = h.UserID, &push.of
	return &push.Event, nil
}

// unfit returns why the item is not valid: it is not an object, has no user, or
// has an unreadable value under key.
func (b *body) unfit(user types.UserID, key string) error {
	if b.s.Type() != jsonscan.Object {
		return b.s.Type().Refused()
	}
	if err := b.s.Unread("userId", key); err != nil {
		return (*types.DecodeError)(err)
	}
	if user == "" {
		return errNoUser
	}
	return nil
}

func (b *body) file(types.Kind) (*Event, bool) {
	var p struct {
		File            types.ActivityFile `json:",inline"`
		UserAccessToken types.Secret       `json:"userAccessToken"`
	}
	if !b.s.Item(&p, nil) {
		return nil, false
	}
	err := b.unfit(p.File.UserID, "callbackURL")
	if err == nil && p.File.CallbackURL == "" {
		err = errNoCallback
	}
	ev := &event[FilePing]{of: FilePing{File: p.File, UserAccessToken: p.UserAccessToken}}
	ev.UserID, ev.Data = p.File.UserID, &ev.of
	return b.finish(&ev.Event, err)
}

func (b *body) deregistration(types.Kind) (*Event, bool) {
	var p struct {
		UserID          types.UserID `json:"userId"`
		UserAccessToken types.Secret `json:"userAccessToken"`
	}
	if !b.s.Item(&p, nil) {
		return nil, false
	}
	ev := &event[Deregistration]{of: Deregistration{UserAccessToken: p.UserAccessToken}}
	ev.UserID, ev.Data = p.UserID, &ev.of
	return b.finish(&ev.Event, b.unfit(p.UserID, ""))
}

func (b *body) permissionChange(types.Kind) (*Event, bool) {
	var p struct {
		UserID              types.UserID       `json:"userId"`
		UserAccessToken     types.Secret       `json:"userAccessToken"`
		SummaryID           types.ID           `json:"summaryId"`
		Permissions         []types.Permission `json:"permissions"`
		ChangeTimeInSeconds types.Timestamp    `json:"changeTimeInSeconds"`
	}
	if !b.s.Item(&p, nil) {
		return nil, false
	}
	err := b.unfit(p.UserID, "")
	if err == nil && p.SummaryID == "" && p.Permissions == nil && p.ChangeTimeInSeconds == 0 && b.s.Unread("permissions") == nil {
		err = errNothingElse
	}
	ev := &event[PermissionChange]{of: PermissionChange{
		UserAccessToken: p.UserAccessToken, SummaryID: p.SummaryID,
		Permissions: p.Permissions, ChangeTimeInSeconds: p.ChangeTimeInSeconds,
	}}
	ev.UserID, ev.Data = p.UserID, &ev.of
	return b.finish(&ev.Event, err)
}

// finish completes the event of the item that was just read, or makes it an
// *Unrecognized if there is an error. It returns nil if the item is empty.
func (b *body) finish(ev *Event, err error) (*Event, bool) {
	if b.s.Empty() {
		return nil, true
	}
	if b.s.TooLarge() {
		err = errItemTooLarge
	}
	if err != nil {
		return b.unrecognized(err), true
	}
	ev.Key, ev.Index, ev.Offset, ev.Size = b.item.Key, b.item.Index, b.item.Offset, b.s.Size()
	if first, count := jsonscan.Defects[types.Defect](b.s); count > 0 {
		ev.Defects = &types.Defects{First: first, Count: count}
	}
	if ev.Defects == nil && !b.d.KeepRaw {
		return ev, true
	}
	ev.Raw, ev.Truncated = b.s.Raw(nil)
	switch data := ev.Data.(type) {
	case *FilePing:
		data.File.Defects = ev.Defects
	case *Push:
		if ev.Raw != nil {
			own(data.Summary, ev)
		}
	}
	return ev, true
}

// whole returns the bytes of an item, or nil if they are only its end.
func whole(ev *Event) json.RawMessage {
	if ev.Truncated {
		return nil
	}
	return ev.Raw
}

// own sets the fields that the decoder adds to a summary.
func own(s types.Summary, ev *Event) {
	switch s := s.(type) {
	case *types.Activity:
		s.Raw, s.Defects = whole(ev), ev.Defects
	case *types.ManualActivity:
		s.Raw, s.Defects = whole(ev), ev.Defects
	case *types.ActivityDetails:
		s.Raw, s.Defects = whole(ev), ev.Defects
	case *types.MoveIQ:
		s.Raw, s.Defects = whole(ev), ev.Defects
	}
}

// unrecognized makes an event of an invalid item. It allocates once for a short
// item, since a stranger can send millions.
func (b *body) unrecognized(err error) *Event {
	u := &struct {
		event[Unrecognized]
		itemError
		raw [40]byte
	}{}
	ev := &u.Event
	*ev = b.item
	ev.Size, ev.Data = b.s.Size(), &u.of
	ev.Raw, ev.Truncated = b.s.Raw(u.raw[:0])
	u.of.Err = err
	if _, ok := err.(*types.DecodeError); !ok {
		u.itemError = itemError{ev, err}
		u.of.Err = &u.itemError
	}
	return ev
}

// itemError is the error of an item as a whole. It becomes a [*types.DecodeError]
// when requested.
type itemError struct {
	item *Event
	err  error
}

func (e *itemError) decodeError() *types.DecodeError {
	return &types.DecodeError{Offset: e.item.Offset, Path: e.item.String(), Err: e.err}
}

func (e *itemError) Error() string { return e.decodeError().Error() }

func (e *itemError) Unwrap() error { return e.err }

// As implements what [errors.As] asks for.
func (e *itemError) As(target any) bool {
	d, ok := target.(**types.DecodeError)
	if ok {
		*d = e.decodeError()
	}
	return ok
}
