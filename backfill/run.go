package backfill

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"sync"
	"time"

	"github.com/garminkit/activityapi/types"
)

// Progress is one step of a run: a chunk has been settled or refused.
type Progress struct {
	UserID string
	// Chunk is the chunk as the ledger now has it. It is nil if Err is not.
	Chunk *Chunk
	// DaysDone of DaysTotal are settled, of what this run has to ask this
	// user for. Remaining is how long the rest takes if nothing else uses the
	// key.
	DaysDone, DaysTotal int
	Remaining           time.Duration
	// Err says why [RunAll] has stopped this user, as a [*UserError]; the
	// others go on. [Run] returns it as its error.
	Err error
}

// UserError is why a user was stopped. What is not settled stays in the
// ledger, and the next run asks for it.
type UserError struct {
	UserID string
	Err    error
}

// Error names the user and the cause.
func (e *UserError) Error() string { return "backfill: user " + e.UserID + ": " + e.Err.Error() }

// Unwrap returns Err.
func (e *UserError) Unwrap() error { return e.Err }

// PermissionError says which permission the user does not grant. Run again
// after the user has changed that.
type PermissionError struct {
	Permission types.Permission
	// Err is what the server said, or nil if it was not asked for history.
	Err error
}

// Error names the permission, or the cause if Garmin did not say which it was.
func (e *PermissionError) Error() string {
	if e.Permission == "" && e.Err != nil {
		return e.Err.Error()
	}
	return "permission missing: " + string(e.Permission)
}

// Unwrap returns Err.
func (e *PermissionError) Unwrap() error { return e.Err }

// Run asks for one user's history and yields each chunk as it is settled. What
// the ledger has as settled is not asked for again, so Run can be called again
// at any time, such as after a crash, and asks for what is missing.
//
// The error, if any, comes last with a nil value: a [*UserError] if Garmin
// will not serve this user, an error that wraps activity.ErrEndpointNotEnabled
// if the summary type is not enabled for the key, an error of the ledger, or
// the error of ctx.
//
// To pause, leave the loop: requests under way are waited for, so that no
// answer is lost, and no new one is sent. Cancelling ctx abandons them; the
// next run asks again for these. Run's iterator can be used again, which is
// a new run.
func Run(ctx context.Context, user *User, limiter Limiter, ledger Ledger, opts *Options) iter.Seq2[*Progress, error] {
	return func(yield func(*Progress, error) bool) {
		if err := user.check(); err != nil {
			yield(nil, err)
			return
		}
		one := func(yield func(*User, error) bool) { yield(user, nil) }
		for p, err := range RunAll(ctx, one, limiter, ledger, opts) {
			if err == nil && p.Err != nil {
				p, err = nil, p.Err
			}
			if !yield(p, err) || err != nil {
				return
			}
		}
	}
}

// RunAll does what [Run] does for many users, Options.Users at a time, so that
// their number is not bound by memory. users is read from another goroutine,
// as users finish; an error it yields ends the run. A user who has to be
// stopped does not end it: see Progress.Err.
func RunAll(ctx context.Context, users iter.Seq2[*User, error], limiter Limiter, ledger Ledger, opts *Options) iter.Seq2[*Progress, error] {
	return func(yield func(*Progress, error) bool) {
		if r, ok := limiter.(Restorer); ok {
			if err := r.Restore(ctx, ledger); err != nil {
				yield(nil, err)
				return
			}
		}
		begin, stop := context.WithCancelCause(ctx)
		r := &run{
			Options: opts.withDefaults(limiter),
			limiter: limiter,
			ledger:  ledger,
			ctx:     ctx,
			begin:   begin,
			stop:    stop,
			events:  make(chan *Progress),
		}
		go r.all(users)

		// However the loop ends, nothing is left running.
		defer func() {
			stop(errPaused)
			for range r.events {
			}
		}()
		for p := range r.events {
			if !yield(p, nil) {
				return
			}
		}
		if err := context.Cause(begin); err != nil {
			yield(nil, err)
		}
	}
}

// errPaused is the cause of a run that its caller has left.
var errPaused = errors.New("backfill: paused")

// run is one call of RunAll.
type run struct {
	Options
	limiter Limiter
	ledger  Ledger

	// ctx is the caller's and for what is under way; begin ends with it, and
	// also when nothing new is to be begun.
	ctx    context.Context
	begin  context.Context
	stop   context.CancelCauseFunc
	events chan *Progress // closed when all is done
}

// all works through the users.
func (r *run) all(users iter.Seq2[*User, error]) {
	defer close(r.events)
	var wg sync.WaitGroup
	defer wg.Wait()
	slots := make(chan struct{}, r.Users)
	for u, err := range users {
		if err == nil && u == nil {
			err = errors.New("backfill: nil user")
		}
		if err != nil {
			r.stop(err)
			return
		}
		select {
		case slots <- struct{}{}:
		case <-r.begin.Done():
			return
		}
		wg.Go(func() {
			defer func() { <-slots }()
			r.one(u)
		})
	}
}

// one works on one user to the end.
func (r *run) one(user *User) {
	err := r.claim(user)
	var f fatal
	switch {
	case err == nil || r.begin.Err() != nil:
	case errors.As(err, &f):
		r.stop(f.error)
	default:
		r.Logger.Warn("backfill: user stopped", "user", user.ID, "err", err)
		r.events <- &Progress{UserID: user.ID, Err: &UserError{user.ID, err}}
	}
}

func (r *run) claim(user *User) error {
	if err := user.check(); err != nil {
		return err
	}
	release, err := r.ledger.Claim(r.begin, user.ID)
	if err != nil {
		return err
	}
	defer release()
	return r.serve(user)
}

// fatal is an error that concerns all users.
type fatal struct{ error }

func (f fatal) Unwrap() error { return f.error }

func (r *run) serve(user *User) error {
	if err := r.permitted(user); err != nil {
		return err
	}
	p, err := NewPlan(r.begin, user, r.limiter, r.ledger, &r.Options)
	if err != nil {
		return fatal{err}
	}
	if len(p.Chunks) == 0 {
		return nil
	}
	if len(p.fresh) > 0 {
		if err := r.ledger.Save(r.begin, p.fresh...); err != nil {
			return fatal{err}
		}
	}
	begin, stop := context.WithCancelCause(r.begin)
	defer stop(nil)
	j := &job{run: r, user: user, begin: begin, todo: p.Chunks, total: p.Days}
	var wg sync.WaitGroup
	for range min(r.PerUser, len(p.Chunks)) {
		wg.Go(func() {
			for {
				c := j.next()
				if c == nil {
					return
				}
				if err := j.ask(c); err != nil {
					stop(err)
					return
				}
			}
		})
	}
	wg.Wait()
	return context.Cause(begin)
}

// permitted asks Garmin whether the user allows history. Only a clear no
// counts: otherwise the first request will tell.
func (r *run) permitted(user *User) error {
	p, ok := user.Requester.(permitter)
	if !ok {
		return nil
	}
	have, err := p.Permissions(r.begin)
	switch {
	case err != nil && readAnswer(err).verdict == unauthorized:
		return err
	case err != nil:
		r.Logger.Info("backfill: permissions unknown", "user", user.ID, "err", err)
		return nil
	}
	if slices.Contains(have, types.PermissionHistoricalDataExport) {
		return nil
	}
	return &PermissionError{Permission: types.PermissionHistoricalDataExport}
}

// notEnabledError explains a mistake in the configuration of the key.
func notEnabledError(k Kind, err error) error {
	return fatal{fmt.Errorf("backfill: enable %s in Garmin's endpoint configuration tool: %w", k.Type(), err)}
}
