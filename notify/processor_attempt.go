package notify

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"runtime"
	"time"

	"github.com/garminkit/activityapi/types"
)

const (
	// maxRetryAfter bounds what a server can make us wait.
	maxRetryAfter = time.Hour
	// lastChance is how long before the deadline the last attempt is made.
	lastChance = time.Minute
	maxReason  = 1024
)

// attempt is one try at an item: its work and what came of it.
type attempt struct {
	*run
	*work
	ctx       context.Context
	begun     time.Duration
	delivered int
	many      bool // more than one delivery makes up the item
}

// work takes an item as far as it comes now.
func (r *run) work(w *work) verdict {
	w.attempt++
	ctx, cancel := context.WithTimeout(r.ctx, r.opts.AttemptTimeout)
	defer cancel()
	a := &attempt{run: r, work: w, ctx: ctx, begun: r.sched.now()}
	if w.step == stepRun {
		if err := a.guard(a.do); err != nil {
			if v, done := a.failed(err); done {
				return v
			}
		} else {
			w.step, w.result, w.err = stepMark, ResultDone, nil
		}
	}
	return a.settle()
}

// guard turns a panic in the partner's code into an error.
func (a *attempt) guard(f func() error) (err error) {
	defer func() {
		switch v := recover().(type) {
		case nil:
		case runtime.Error:
			err = &panicError{"panic (" + v.Error() + ")"}
		default:
			err = &panicError{fmt.Sprintf("panic (%T)", v)}
		}
	}()
	return f()
}

// do runs the callbacks.
func (a *attempt) do() error {
	if err := a.load(); err != nil {
		return err
	}
	if u, ok := a.ev.(*Unrecognized); ok {
		return u.Err
	}
	users, err := a.users.Resolve(a.ctx, a.user)
	if err != nil {
		return err
	}
	if len(users) == 0 {
		return ErrUnknownUser
	}
	a.many = len(users) > 1
	switch ev := a.ev.(type) {
	case *Push:
		return a.each(users, ev.Summary, a.rev, false)
	case *Ping:
		return a.pull(users, ev)
	case *FilePing:
		return a.file(users, ev)
	case *Deregistration:
		return a.tell(users, "", func(d *Delivery) error { return a.call.Deregistration(a.ctx, d, ev) })
	case *PermissionChange:
		return a.tell(users, ev.SummaryID, func(d *Delivery) error { return a.call.PermissionChange(a.ctx, d, ev) })
	}
	return Permanent(fmt.Errorf("notify: unexpected event %T", a.ev))
}

// load reads the item again if it was not kept in memory.
func (a *attempt) load() error {
	switch a.ev.(type) {
	case *Ping, *FilePing, *Unrecognized:
		return nil // what they announce has the revision
	}
	if a.ev != nil && a.hashed {
		return nil
	}
	raw, err := a.raw()
	if err != nil {
		return err
	}
	if !a.hashed {
		a.hash(raw)
	}
	if a.ev != nil {
		return nil
	}
	l := Letter{Key: a.place.Key, Raw: raw}
	for ev, err := range a.decoder.Decode(bytes.NewReader(l.Body())) {
		if err != nil {
			return err
		}
		a.ev = ev
		return nil
	}
	return Permanent(errors.New("notify: the item is gone from its body"))
}

func (a *attempt) raw() ([]byte, error) {
	raw := make([]byte, a.place.Size)
	n, err := a.body.ReadAt(raw, a.place.Offset)
	if err != nil && !(err == io.EOF && n == len(raw)) {
		return nil, fmt.Errorf("notify: reading body %s: %w", a.body.ID(), err)
	}
	return raw, nil
}

// tell calls f for each user who has not taken the item yet.
func (a *attempt) tell(users []User, id types.ID, f func(*Delivery) error) error {
	var errs attemptErrors
	for _, u := range users {
		errs.add(a.deliver(newDelivery(a.work, u, types.Kind(a.place.Key), id, a.rev), f))
	}
	return errs.first()
}

// each hands a summary to the users.
func (a *attempt) each(users []User, s types.Summary, rev revision, pulled bool) error {
	var errs attemptErrors
	for _, u := range users {
		d := newDelivery(a.work, u, s.Kind(), s.ID(), rev)
		d.Pulled = pulled
		errs.add(a.deliver(d, func(d *Delivery) error { return a.call.summary(a.ctx, d, s) }))
	}
	return errs.first()
}

// deliver calls f unless this process has seen it succeed before.
func (a *attempt) deliver(d *Delivery, f func(*Delivery) error) error {
	if _, ok := a.seen[d.Key]; ok {
		return nil
	}
	if err := a.guard(func() error { return f(d) }); err != nil {
		return err
	}
	a.delivered++
	const most = 10_000 // a bound on memory: what is beyond may repeat
	if a.many && len(a.seen) < most {
		if a.seen == nil {
			a.seen = map[string]struct{}{}
		}
		a.seen[d.Key] = struct{}{}
	}
	return nil
}

// attemptErrors keeps the error that decides: one worth another attempt before
// one that is not.
type attemptErrors struct {
	err   error
	again bool
}

func (e *attemptErrors) add(err error) {
	if err == nil {
		return
	}
	if _, again := retryOf(err); e.err == nil || again && !e.again {
		e.err, e.again = err, again
	}
}

func (e *attemptErrors) first() error { return e.err }

// failed decides what an error means. done is false if the item has now to be
// marked or buried.
func (a *attempt) failed(err error) (v verdict, done bool) {
	if a.run.ctx.Err() != nil {
		return verdict{fate: dropped}, true
	}
	err = redact(err, a.ev)
	a.err = err
	now := a.sched.now()
	after, again := retryOf(err)
	_, unread := a.ev.(*Unrecognized)
	switch {
	case unread:
		a.bury(ResultQuarantined, err)
		return v, false
	case errors.Is(err, ErrUnknownUser):
		if a.class == classAccount {
			a.step, a.result = stepMark, ResultUnknownUser
			return v, false
		}
		if now-a.received >= a.opts.UnknownUserGrace {
			a.bury(ResultUnknownUser, err)
			return v, false
		}
	case a.pulls() && unauthorized(err):
		if now >= a.due {
			break
		}
		if tries, park := a.sched.refused(a.work); park {
			// A refusal lasts until the user does something about it.
			wait := backoff(tries, a.opts.RetryMin, 4*a.opts.RetryMax)
			a.report(ResultParked, wait)
			return verdict{fate: parked, wait: wait}, true
		}
	case !again:
		a.bury(ResultBuried, err)
		return v, false
	}
	if now >= a.due {
		a.bury(ResultBuried, fmt.Errorf("notify: deadline passed: %w", err))
		return v, false
	}
	wait := a.wait(after)
	if last := a.due - lastChance; now < last {
		wait = min(wait, last-now)
	} else {
		wait = a.due - now
	}
	a.report(ResultRetry, wait)
	return verdict{fate: retry, wait: wait}, true
}

// wait returns the time until the next attempt, and never less than after.
func (a *attempt) wait(after time.Duration) time.Duration {
	d := backoff(a.attempt, a.opts.RetryMin, a.opts.RetryMax)
	if after = min(after, maxRetryAfter); after > 0 {
		d = max(d, after+rand.N(after/10+1))
	}
	return d
}

// backoff doubles with the tries, up to most, and is jittered by half.
func backoff(tries int, least, most time.Duration) time.Duration {
	d := most
	if shift := tries - 1; shift < 40 && least<<shift>>shift == least {
		d = min(d, least<<shift)
	}
	return d/2 + rand.N(d/2+1)
}

// reasonOf is the text of err, of a bounded length.
func reasonOf(err error) string {
	text := err.Error()
	return text[:min(len(text), maxReason)]
}

// bury makes the item a letter. Its bytes are read when it is stored.
func (a *attempt) bury(result Result, err error) {
	a.step, a.result = stepBury, result
	a.letter = &Letter{
		Key: a.place.Key, UserID: a.user, Reason: reasonOf(err), Quarantined: result == ResultQuarantined,
		Attempts: a.attempt, Received: a.body.Received(), Buried: time.Now(),
	}
}

// settle marks or buries the item. If the queue fails, that is tried again and
// the callbacks are not.
func (a *attempt) settle() verdict {
	ctx := context.WithoutCancel(a.ctx)
	pulled := a.class == classPull || a.class == classLargePull || a.class == classFile
	revive := pulled && !unauthorized(a.err) && !errors.Is(a.err, ErrUnknownUser)
	var err error
	switch a.step {
	case stepMark:
		if _, ok := a.ev.(*PermissionChange); ok {
			revive = true
		}
		err = a.body.Mark(ctx, a.ordinal)
	case stepBury:
		if a.letter.Raw == nil {
			// Not Item.Raw, which may be truncated.
			a.letter.Raw, err = a.raw()
		}
		if err == nil {
			err = a.body.Bury(ctx, a.ordinal, a.letter)
		}
	}
	if err != nil {
		wait := a.wait(0)
		cause := a.err
		a.err = err
		a.report(ResultRetry, wait)
		a.err = cause
		return verdict{fate: retry, wait: wait, revive: revive}
	}
	a.release(a.body)
	a.report(a.result, 0)
	return verdict{fate: settled, revive: revive}
}

func (a *attempt) report(result Result, wait time.Duration) {
	now := a.sched.now()
	o := a.outcome(now)
	o.Result, o.Wait, o.Took, o.Delivered = result, wait, now-a.begun, a.delivered
	a.observe(o)
	if wait > 0 && !a.warned && a.due-now <= a.opts.ExpiryWarning {
		a.warned = true
		o.Result, o.Wait = ResultExpiring, 0
		a.observe(o)
	}
}

func (w *work) outcome(now time.Duration) Outcome {
	return Outcome{
		BodyID: w.body.ID(), Ordinal: w.ordinal, Key: w.place.Key, UserID: w.user,
		Attempt: w.attempt, Age: now - w.received, Left: w.due - now, Err: w.err,
	}
}

func (r *run) observe(o Outcome) {
	if r.opts.Observe != nil {
		r.opts.Observe(o)
	}
	if l := r.opts.Logger; l != nil && o.Result != ResultDone {
		level := slog.LevelWarn
		if o.Result == ResultBuried || o.Result == ResultExpiring || o.Result == ResultQuarantined {
			level = slog.LevelError
		}
		l.Log(context.Background(), level, "notify: item not done", "outcome", o)
	}
}
