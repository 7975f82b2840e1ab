package backfill

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/garminkit/activityapi/internal/backoff"
	"github.com/garminkit/activityapi/types"
)

// job is a run's work on one user.
type job struct {
	run   *run
	user  *User
	claim Claim

	// ctx is for requests: it ends with the run's, and when the claim does.
	// begin ends too when this user is to be stopped.
	ctx   context.Context
	begin context.Context
	stop  context.CancelCauseFunc

	mu       sync.Mutex
	todo     []*Chunk
	earliest [len(kinds)]time.Time // what Garmin gives of each kind, once known
	total    int                   // days

	telling sync.Mutex // so that progress never goes back
	done    int        // days
}

// work asks for all that is to do, and returns why the user was stopped.
func (j *job) work() error {
	ctx, lose := context.WithCancelCause(j.run.ctx)
	defer lose(nil)
	begin, stop := context.WithCancelCause(j.run.begin)
	defer stop(nil)
	j.ctx, j.begin, j.stop = ctx, begin, stop
	unwatch := context.AfterFunc(j.claim.Context(), func() {
		cause := context.Cause(j.claim.Context())
		stop(cause)
		lose(cause)
	})
	defer unwatch()

	var wg sync.WaitGroup
	for range min(j.run.runner.opts.PerUser, len(j.todo)) {
		wg.Go(func() {
			for c := j.next(); c != nil; c = j.next() {
				var err error
				if panicked := guard("the ledger, limiter or logger", func() error {
					err = j.ask(c)
					return nil
				}); panicked != nil {
					err = fatal{panicked}
				}
				if err != nil {
					stop(err)
					return
				}
			}
		})
	}
	wg.Wait()
	return context.Cause(begin)
}

func (j *job) next() *Chunk {
	j.mu.Lock()
	defer j.mu.Unlock()
	if len(j.todo) == 0 || j.begin.Err() != nil {
		return nil
	}
	c := j.todo[0]
	j.todo = j.todo[1:]
	return c
}

// ask asks for a chunk until it is settled or refused. An error means that the
// user is to be stopped.
func (j *job) ask(c *Chunk) error {
	log := j.run.runner.opts.Logger
	failures := 0
	var min minimum
	for {
		// unsure: a request before the next may have been accepted.
		unsure, since := !c.InDoubt.IsZero(), c.InDoubt
		if at := j.earliestOf(c.Kind); !unsure && at.After(c.Window.Start) {
			rest, err := j.clip(c, at, "")
			if rest == nil || err != nil {
				return err
			}
			c = rest
		}

		a, err := j.send(c)
		if err != nil {
			return err
		}
		switch a.verdict {
		case accepted:
			return j.settle(c, StateAccepted)

		case duplicate:
			ours := unsure && same(a.earlier, c.Window) &&
				(a.processed.IsZero() || a.processed.After(since.Add(-skew)))
			if ours {
				return j.settle(c, StateAccepted)
			}
			return j.split(c, a.earlier)

		case minStart:
			rest, err := j.later(c, &min, a)
			if rest == nil || err != nil {
				return err
			}
			c = rest

		case limited:
			log.Warn("backfill: limited by Garmin", "user", c.UserID, "chunk", c.Window)
			if err := j.unask(c, since); err != nil {
				return err
			}

		case failed:
			if a.request == fateNotSent {
				if err := j.unask(c, since); err != nil {
					return err
				}
			}
			if failures++; failures >= j.run.runner.opts.Tries {
				return a.err
			}
			log.Info("backfill: repeating", "user", c.UserID, "chunk", c.Window, "failures", failures, "err", a.err)
			if err := pause(j.begin, failures, a.retryAfter); err != nil {
				return err
			}

		case misconfigured:
			if a.request == fateNotSent {
				if err := j.unask(c, since); err != nil {
					return err
				}
			}
			return refusal{a.err}
		case notPermitted:
			if err := j.refuse(c, since, reasonPermission, string(a.permission)); err != nil {
				return err
			}
			return &permissionError{a.permission, a.err}
		case unauthorized:
			if err := j.refuse(c, since, reasonUnauthorized, a.message); err != nil {
				return err
			}
			return a.err
		case notEnabled:
			if err := j.refuse(c, since, reasonNotEnabled, a.message); err != nil {
				return err
			}
			return notEnabledError(c.Kind, a.err)
		default:
			return j.refuse(c, since, reasonOther, a.message)
		}
	}
}

// skew is how far our clock and Garmin's may differ.
const skew = 10 * time.Minute

// unask stores that Garmin has not accepted the last request. If one before it,
// made at since, is still in doubt, so is the chunk.
func (j *job) unask(c *Chunk, since time.Time) error {
	if c.InDoubt = since; since.IsZero() {
		c.State = StatePlanned
	}
	return j.save(c)
}

// settle stores the chunk's final state and tells the caller of the run.
func (j *job) settle(c *Chunk, s State) error {
	c.State, c.InDoubt = s, time.Time{}
	if err := j.save(c); err != nil {
		return err
	}
	j.tell(c)
	return nil
}

// refuse stores a refusal that a later run asks about again. If a request
// before it, made at since, is in doubt, the chunk stays so.
func (j *job) refuse(c *Chunk, since time.Time, why, detail string) error {
	c.State, c.Reason, c.Detail, c.InDoubt = StateRefused, why, detail, since
	if err := j.save(c); err != nil {
		return err
	}
	j.tell(c)
	return nil
}

// split settles a chunk that Garmin calls a duplicate.
func (j *job) split(c *Chunk, earlier types.Window) error {
	parts := cover(c, earlier)
	if err := j.save(parts...); err != nil {
		return err
	}
	for _, p := range parts {
		j.tell(p)
	}
	return nil
}

// cover takes a chunk apart: what the earlier request covers is a duplicate,
// and the rest is a hole.
func cover(c *Chunk, earlier types.Window) []*Chunk {
	var parts []*Chunk
	part := func(w types.Window, s State) {
		p := *c
		p.Window, p.State, p.Earlier, p.InDoubt = w, s, earlier, time.Time{}
		if s == StateHole {
			p.Reason = reasonDuplicate
		}
		parts = append(parts, &p)
	}
	covered := intersect(c.Window, earlier)
	if !covered.End.After(covered.Start) {
		part(c.Window, StateHole)
		return parts
	}
	part(covered, StateDuplicate)
	for _, w := range subtract(c.Window, []types.Window{covered}) {
		part(w, StateHole)
	}
	return parts
}

// save must work to the end once begun: an answer that came is kept even if
// the run is being cancelled. A claim that was lost concerns this user alone.
func (j *job) save(chunks ...*Chunk) error {
	err := j.claim.Save(context.WithoutCancel(j.run.ctx), chunks...)
	if err == nil || errors.Is(err, ErrBusy) {
		return err
	}
	return fatal{err}
}

func (j *job) tell(c *Chunk) {
	told := *c
	j.telling.Lock()
	defer j.telling.Unlock()
	j.done = min(j.done+Cost(c.Window), j.total)
	p := &Progress{UserID: c.UserID, Chunk: &told, DaysDone: j.done, DaysTotal: j.total}
	p.Remaining = estimate(p.DaysTotal-p.DaysDone, j.run.runner.daysPerMinute(c.UserID))
	j.run.events <- p
}

// same reports whether Garmin's earlier range is w, give or take a second at
// its end.
func same(earlier, w types.Window) bool {
	d := w.End.Sub(earlier.End)
	return earlier.Start.Equal(w.Start) && -time.Second <= d && d <= time.Second
}

// pause waits before the next try: a second, then twice as long each time, up
// to two minutes, less up to half of it by chance, and as long as Garmin asks
// for.
func pause(ctx context.Context, failures int, atLeast time.Duration) error {
	return backoff.Sleep(ctx, max(backoff.Wait(failures, time.Second, 2*time.Minute), min(atLeast, maxWait)))
}
