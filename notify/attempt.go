package notify

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/garminkit/activityapi/types"
)

// attempt is one try at an item.
type attempt struct {
	*worker
	it   *Item
	open opener // nil if Item.Raw is all there is
	memo taker  // nil if nothing is remembered
	ctx  context.Context

	ev        *Event
	rev       revision
	delivered int
	many      bool // more than one delivery makes up the item
	last      bool // there will be no other attempt
	answered  bool // a call to Garmin succeeded
	defects   *types.Defects
}

// try makes the attempt. Its error holds no secret.
func (a *attempt) try(ctx context.Context) (err error) {
	ctx, cancel := context.WithTimeout(ctx, a.opts.AttemptTimeout)
	defer cancel()
	if a.opts.Around == nil {
		a.ctx = ctx
		return a.clean(attempted(a.do))
	}
	inner, end := a.around(ctx)
	a.ctx = inner
	err = errGone // if a callback ends the goroutine
	defer func() {
		if end != nil {
			a.logger().panicked(ctx, guard("the end of Around", func() { end(err) }))
		}
	}()
	err = a.clean(attempted(a.do))
	return err
}

// around begins what ProcessorOptions.Around wraps an attempt in. What goes wrong
// there does not concern the item.
func (a *attempt) around(ctx context.Context) (inner context.Context, end func(error)) {
	if panicked := guard("Around", func() { inner, end = a.opts.Around(ctx, a.it) }); panicked != nil || inner == nil {
		a.logger().panicked(ctx, panicked)
		inner = ctx
	}
	return inner, end
}

// clean takes the secrets of the item out of an error.
func (a *attempt) clean(err error) error {
	if err == nil {
		return nil
	}
	return withoutSecrets(err, a.ev)
}

// do runs the callbacks. It resolves the user first: items of unknown users are
// not read.
func (a *attempt) do() error {
	if a.it.Class == ClassBad {
		return a.badness()
	}
	if a.it.Size > a.opts.MaxItem {
		return Permanent(fmt.Errorf("%w: %d bytes, MaxItem is %d", errItemTooLarge, a.it.Size, a.opts.MaxItem))
	}
	users, err := a.users(a.ctx, a.it.UserID)
	if err != nil {
		return err
	}
	if len(users) == 0 {
		return ErrUnknownUser
	}
	a.many = len(users) > 1
	if err := a.load(); err != nil {
		return err
	}
	switch data := a.ev.Data.(type) {
	case *Push:
		return a.each(users, data.Summary, a.rev, false)
	case *Ping:
		return a.pull(users, data)
	case *FilePing:
		return a.file(users, data)
	case *Deregistration:
		return a.tell(users, "", func(d *Delivery) error { return a.call.Deregistration(a.ctx, d, data) })
	case *PermissionChange:
		return a.tell(users, data.SummaryID, func(d *Delivery) error { return a.call.PermissionChange(a.ctx, d, data) })
	case *Unrecognized:
		return &unreadable{a.located(data.Err, 0)}
	}
	return Permanent(fmt.Errorf("notify: unexpected event %T", a.ev.Data))
}

// errEmpty is the error of an item that a caller with its own queue made of
// nothing. No queue holds one.
var errEmpty = errors.New("notify: the item is empty")

// unreadable marks the error of an item that could not be read.
type unreadable struct{ error }

func (e *unreadable) Unwrap() error { return e.error }

// load reads and decodes the item.
func (a *attempt) load() error {
	raw := a.it.Raw
	if raw == nil {
		r, err := a.open(a.ctx)
		if err != nil {
			return &queueError{err}
		}
		defer r.Close()
		raw = make([]byte, a.it.Size)
		if _, err := io.ReadFull(r, raw); err != nil {
			return &queueError{err}
		}
	}
	ev, err := a.decoder.decodeItem(a.it.Key, raw)
	if err != nil {
		return &unreadable{a.located(err, 0)}
	}
	if ev == nil {
		return &unreadable{errEmpty}
	}
	a.ev = ev
	a.noteDefects(ev.Defects, a.inBody)
	switch ev.Data.(type) {
	case *Push, *Deregistration, *PermissionChange:
		a.rev = sha256.Sum256(raw)
	}
	if owner := ev.UserID; owner != "" {
		if owner.In(a.it.UserID.App()) != a.it.UserID {
			return Permanent(errors.New("notify: the item is not that of its user"))
		}
		setOwner(ev, a.it.UserID)
	}
	return nil
}

// reader reads the item's bytes.
func (a *attempt) reader() (io.ReadCloser, error) {
	if a.it.Raw != nil {
		return io.NopCloser(bytes.NewReader(a.it.Raw)), nil
	}
	return a.open(a.ctx)
}

// located changes the place in an error from one in the item to one in its body.
// The item was at offset in what was read.
func (a *attempt) located(err error, offset int64) error {
	d, ok := errors.AsType[*types.DecodeError](err)
	if !ok || a.it.Key == "" {
		return err
	}
	at := *d
	at.Path, at.Offset = a.inBody(at.Path, at.Offset-offset)
	return &at
}

// inBody turns a place in the item, read alone, into one in its body.
func (a *attempt) inBody(path string, offset int64) (string, int64) {
	return strings.Replace(path, a.it.Key+"[0]", fmt.Sprintf("%s[%d]", a.it.Key, a.it.Index), 1), offset + a.it.Offset
}

// queueError means that the queue failed to return the item.
type queueError struct{ error }

func (e *queueError) Error() string { return "notify: reading the item: " + e.error.Error() }
func (e *queueError) Unwrap() error { return e.error }

// badness finds out why an item cannot be read.
func (a *attempt) badness() error {
	r, err := a.reader()
	if err != nil {
		return &queueError{err}
	}
	defer r.Close()
	in := &storedReader{r: bodyOf(a.it.Key, r)}
	for ev, err := range a.decoder.Decode(in) {
		switch {
		case in.err != nil:
			return &queueError{in.err}
		case err != nil:
			return &unreadable{err}
		}
		if u, ok := ev.Data.(*Unrecognized); ok {
			return &unreadable{a.located(u.Err, int64(len(bodyStart(a.it.Key))))}
		}
	}
	if in.err != nil {
		return &queueError{in.err}
	}
	return &unreadable{errors.New("notify: the item could not be read")}
}

// tell calls f for each user who has not accepted the item yet.
func (a *attempt) tell(users []User, id types.ID, f func(*Delivery) error) error {
	var errs worstOf
	for _, u := range users {
		errs.add(a.deliver(newDelivery(a.it, u, types.Kind(a.it.Key), id, a.rev), f))
	}
	return errs.err
}

// each passes a summary to the users.
func (a *attempt) each(users []User, s types.Summary, rev revision, pulled bool) error {
	var errs worstOf
	for _, u := range users {
		d := newDelivery(a.it, u, s.Kind(), s.ID(), rev)
		d.Pulled = pulled
		errs.add(a.deliver(d, func(d *Delivery) error { return a.call.Save(a.ctx, d, s) }))
	}
	return errs.err
}

// deliver calls f unless it is known to have succeeded before.
func (a *attempt) deliver(d *Delivery, f func(*Delivery) error) error {
	if a.many && a.memo != nil && a.memo.taken(a.it.ID, d.Key) {
		return nil
	}
	if err := attempted(func() error { return f(d) }); err != nil {
		return &callbackError{err}
	}
	a.delivered++
	if a.many && a.memo != nil {
		a.memo.take(a.it.ID, d.Key)
	}
	return nil
}
