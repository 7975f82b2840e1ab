package backfill

import (
	"context"
	"errors"
	"time"
)

// errLate says that a grant ran out before its request could be sent.
var errLate = errors.New("backfill: the limiter's grant ran out before the request could be sent; the ledger or this machine is slow")

// send makes one request. It is in the ledger before it is sent, so that a
// process started after a crash knows of it.
func (j *job) send(c *Chunk) (answer, error) {
	grant, err := j.run.runner.limiter.Acquire(j.begin, c.UserID, Cost(c.Window))
	if err != nil {
		if j.begin.Err() == nil {
			err = fatal{err}
		}
		return answer{}, err
	}
	c.State, c.Requested, c.Answered = StateRequested, time.Now(), time.Time{}
	c.Reason, c.Detail = "", ""
	if c.InDoubt.IsZero() {
		c.InDoubt = c.Requested
	}
	c.Attempts++
	if err := j.save(c); err != nil {
		j.end(grant, Outcome{NotSent: true})
		return answer{}, err
	}

	a := j.request(c, grant)
	j.end(grant, a.request.outcome(a.retryAfter))
	switch a.request {
	case fateNotSent:
		c.Attempts--
	case fateLost:
	default:
		c.Answered = time.Now()
	}
	return a, nil
}

// request asks Garmin within the times of the grant. They are looked at last,
// since everything before may have taken long.
func (j *job) request(c *Chunk, grant Grant) answer {
	ctx := j.ctx
	if by := grant.EndBy(); !by.IsZero() {
		var cancel context.CancelFunc
		ctx, cancel = context.WithDeadline(ctx, by)
		defer cancel()
	}
	if by := grant.SendBy(); ctx.Err() != nil || !by.IsZero() && time.Now().After(by) {
		return answer{verdict: failed, request: fateNotSent, err: errLate}
	}
	err := guard("the requester", func() error { return j.user.Requester.Backfill(ctx, c.Kind, c.Window) })
	return readAnswer(err)
}

// end tells the limiter what became of a request. A limiter that cannot record
// it holds the days; the run ends once the answer is stored, since others may
// not know of a 429.
func (j *job) end(grant Grant, o Outcome) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(j.run.ctx), 10*time.Second)
	defer cancel()
	err := grant.End(ctx, o)
	for range 2 {
		if err == nil || ctx.Err() != nil {
			break
		}
		err = grant.End(ctx, o)
	}
	if err != nil {
		j.run.runner.opts.Logger.Warn("backfill: the limiter did not record the end of a request", "user", j.user.ID, "err", err)
		j.run.stop(err)
	}
}
