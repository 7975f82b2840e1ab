package notify

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"time"

	"github.com/garminkit/activityapi/internal/backoff"
	"github.com/garminkit/activityapi/types"
)

// attempt makes one attempt at an item and says what is to become of it, also if the
// partner's code ends the goroutine.
func (r *run) attempt(t *task, v *verdict) {
	sh := t.lane.share
	a := &attempt{worker: r.p.worker, it: t.Item, memo: sh, last: r.sched.now() >= t.due}
	a.open = func(ctx context.Context) (io.ReadCloser, error) { return sh.share.Open(ctx, t.ID) }
	err := errGone
	defer func() {
		t.Attempts++
		o := &outcome{run: r, task: t, attempt: a, err: err}
		*v = o.judge()
	}()
	err = a.try(sh.ctx)
}

// outcome is what came of an attempt.
type outcome struct {
	run     *run
	task    *task
	attempt *attempt
	err     error
}

// judge decides by whose fault an attempt failed.
func (o *outcome) judge() verdict {
	t, s := o.task, o.run.sched
	if o.err == nil {
		return o.done(ResultDone)
	}
	if t.lane.share.ctx.Err() != nil {
		return verdict{fate: dropped}
	}
	_, bad := errors.AsType[*unreadable](o.err)
	_, queue := errors.AsType[*queueError](o.err)
	fault, after := faultOf(o.err)
	if fault != types.FaultItem && (fromCallback(o.err) || !t.Class.pulls() || queue) {
		fault = ""
	}
	now := s.now()
	switch {
	case queue && errors.Is(o.err, ErrLost):
		return verdict{fate: dropped}
	case queue && errors.Is(o.err, fs.ErrNotExist):
		return verdict{fate: gone}
	case bad:
		return o.bury(ResultQuarantined, o.err)
	case errors.Is(o.err, ErrUnknownUser) && !fromCallback(o.err):
		if t.Class == ClassAccount {
			return o.done(ResultUnknownUser)
		}
		if now-t.received >= o.run.p.opts.UnknownUserGrace {
			return o.bury(ResultUnknownUser, o.err)
		}
	case fault == types.FaultItem:
		return o.bury(ResultBuried, o.err)
	}
	if now >= t.due {
		return o.bury(ResultBuried, fmt.Errorf("notify: deadline passed: %w", o.err))
	}
	last := t.due - min(lastChance, (t.due-t.received)/8)
	switch fault {
	case types.FaultUser:
		if tries, parks := s.refused(t); parks {
			s.because(t, o.err)
			wait := backoff.Wait(tries, s.opts.RetryMin, 4*s.opts.RetryMax)
			o.report(ResultParked, wait)
			return o.later(parked, wait)
		}
	case types.FaultApplication, types.FaultNetwork:
		out, begins := s.blames(t, fault)
		if begins {
			o.run.p.observe(Outcome{Result: ResultOutage, Class: t.Class, UserID: types.UserID("").In(t.UserID.App()), Err: o.err})
		}
		if out && now < last {
			return o.later(held, 0)
		}
	}
	wait := o.wait(after)
	if now < last {
		wait = min(wait, last-now)
	} else {
		wait = t.due - now
	}
	o.report(ResultRetry, wait)
	return o.later(retry, wait)
}

// wait is the time until the next attempt, and never less than after.
func (o *outcome) wait(after time.Duration) time.Duration {
	opts := o.run.sched.opts
	d := backoff.Wait(o.task.Attempts, opts.RetryMin, opts.RetryMax)
	if after = min(after, maxRetryAfter); after > 0 {
		d = max(d, after+rand.N(after/10+1))
	}
	return d
}

// remembered is the wait from which the queue is told of it.
const remembered = 5 * time.Second

// later is the verdict on an item that is not done.
func (o *outcome) later(f fate, wait time.Duration) verdict {
	v := verdict{fate: f, wait: wait, good: o.attempt.answered, answered: o.answered()}
	if wait >= remembered {
		v.settle = Verdict{ID: o.task.ID, Fate: Again, Attempts: o.task.Attempts, Next: time.Now().Add(wait), Reason: reasonOf(o.err)}
	}
	return v
}

// done is the verdict on an item that needs no more work.
func (o *outcome) done(result Result) verdict {
	o.report(result, 0)
	permission := false
	if ev := o.attempt.ev; ev != nil {
		_, permission = ev.Data.(*PermissionChange)
	}
	return verdict{
		fate: settled, settle: Verdict{ID: o.task.ID, Fate: Done},
		good: o.attempt.answered || permission && result == ResultDone, answered: o.answered(),
	}
}

// bury makes the item a dead letter.
func (o *outcome) bury(result Result, err error) verdict {
	t := o.task
	o.err = err
	o.report(result, 0)
	l := &DeadLetter{
		Key: t.Key, UserID: t.UserID, Items: 1, Reason: reasonOf(err), Quarantined: result == ResultQuarantined,
		Attempts: t.Attempts, Received: t.Received, Buried: time.Now().UTC(), Size: t.Size,
	}
	return verdict{
		fate:   settled,
		settle: Verdict{ID: t.ID, Fate: Buried, Letter: l, Rest: t.lane.share.manyLetters(t.Body)},
		good:   o.attempt.answered, answered: o.answered(),
	}
}

// answered reports whether Garmin itself answered a call. A call that was refused
// before it was sent tells nothing.
func (o *outcome) answered() bool {
	if !o.task.Class.pulls() {
		return false
	}
	if o.attempt.answered {
		return true
	}
	if o.err == nil || fromCallback(o.err) || notSent(o.err) {
		return false
	}
	switch f, _ := faultOf(o.err); f {
	case types.FaultUser:
		return true
	case types.FaultItem:
		_, ours := errors.AsType[*failure](o.err)
		return !ours
	case types.FaultGarmin:
		return o.run.sched.outageFault(o.task) == types.FaultNetwork
	}
	return false
}

func (o *outcome) report(result Result, wait time.Duration) {
	t, now := o.task, o.run.sched.now()
	out := t.outcome(now)
	out.Result, out.Wait, out.Took, out.Delivered, out.Err = result, wait, now-t.begun, o.attempt.delivered, o.err
	out.Defects = o.attempt.defects
	o.run.p.observe(out)
	if wait > 0 && !t.warned && out.Left <= o.run.sched.opts.ExpiryWarning {
		t.warned = true
		out.Result, out.Wait = ResultExpiring, 0
		o.run.p.observe(out)
	}
}

func (t *task) outcome(now time.Duration) Outcome {
	return Outcome{
		ID: t.ID, Class: t.Class, Key: t.Key, UserID: t.UserID,
		Attempt: t.Attempts, Age: now - t.received, Left: t.due - now,
	}
}
