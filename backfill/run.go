package backfill

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"sync"

	"github.com/garminkit/activityapi/types"
)

// errPaused is the cause of a run that its caller has left.
var errPaused = errors.New("backfill: paused")

// run is one call of RunAll.
type run struct {
	runner *Runner

	// ctx is the caller's and for what is under way; begin ends with it, and
	// also when nothing new is to be begun.
	ctx    context.Context
	begin  context.Context
	stop   context.CancelCauseFunc
	events chan *Progress // closed when all is done

	mu      sync.Mutex
	refused map[string]error // by application: why its requests are refused
}

// all works through the users.
func (r *run) all(users iter.Seq2[*User, error]) {
	defer close(r.events)
	var wg sync.WaitGroup
	defer func() {
		wg.Wait()
		if err := r.refusals(); err != nil {
			r.stop(err)
		}
	}()
	slots := make(chan struct{}, r.runner.opts.Users)
	if err := guard("the iterator of users", func() error { return r.each(users, &wg, slots) }); err != nil {
		r.stop(err)
	}
}

// each starts the work on each user when there is room for it.
func (r *run) each(users iter.Seq2[*User, error], wg *sync.WaitGroup, slots chan struct{}) error {
	for u, err := range users {
		if err == nil && u == nil {
			err = errors.New("backfill: nil user")
		}
		if err != nil {
			return err
		}
		if r.begin.Err() != nil {
			return nil
		}
		if r.isRefused(u.ID) {
			continue
		}
		select {
		case slots <- struct{}{}:
		case <-r.begin.Done():
			return nil
		}
		wg.Go(func() {
			defer func() { <-slots }()
			r.one(u)
		})
	}
	return nil
}

// one works on one user to the end.
func (r *run) one(user *User) {
	var err error
	panicked := guard("the ledger, limiter or logger", func() error {
		err = r.serve(user)
		if err != nil {
			r.runner.opts.Logger.Warn("backfill: user stopped", "user", user.ID, "err", err)
		}
		return nil
	})
	var f fatal
	var refused refusal
	switch {
	case panicked != nil:
		r.stop(panicked)
	case err == nil || r.begin.Err() != nil:
	case errors.As(err, &refused):
		r.refuse(user.ID.App(), refused.error)
	case errors.As(err, &f):
		r.stop(f.error)
	default:
		r.events <- &Progress{UserID: user.ID, Err: stopped(user.ID, err)}
	}
}

// fatal is an error that concerns all users.
type fatal struct{ error }

func (f fatal) Unwrap() error { return f.error }

// serve claims a user, plans, and asks for what is planned.
func (r *run) serve(user *User) error {
	if err := user.check(); err != nil {
		return err
	}
	if all, ok := r.runner.limiter.(limiters); ok && all[user.ID.App()] == nil {
		return errNoLimiter(user.ID.App())
	}
	claim, err := r.runner.ledger.Claim(r.begin, user.ID)
	if err != nil && !errors.Is(err, ErrBusy) {
		err = fatal{err}
	}
	if err != nil {
		return err
	}
	defer claim.Release()
	if err := r.permitted(user); err != nil {
		return err
	}
	p, err := r.runner.Plan(r.begin, user)
	if err != nil {
		return fatal{err}
	}
	if len(p.Chunks) == 0 {
		return nil
	}
	j := &job{run: r, user: user, claim: claim, todo: p.Chunks, total: p.Days}
	if len(p.fresh) > 0 {
		if err := j.save(p.fresh...); err != nil {
			return err
		}
	}
	return j.work()
}

// permitted asks Garmin whether the user allows history. Only a clear no
// counts: otherwise the first request will tell.
func (r *run) permitted(user *User) error {
	p, ok := user.Requester.(permitter)
	if !ok {
		return nil
	}
	var have []types.Permission
	err := guard("the requester", func() (err error) {
		have, err = p.Permissions(r.begin)
		return err
	})
	switch {
	case err != nil && readAnswer(err).verdict == unauthorized:
		return err
	case err != nil:
		r.runner.opts.Logger.Info("backfill: permissions unknown", "user", user.ID, "err", err)
		return nil
	}
	if slices.Contains(have, types.PermissionHistoricalDataExport) {
		return nil
	}
	return &permissionError{permission: types.PermissionHistoricalDataExport}
}

// notEnabledError explains a mistake in the configuration of the key.
func notEnabledError(k types.Kind, err error) error {
	return refusal{fmt.Errorf("backfill: enable %s in Garmin's endpoint configuration tool: %w", k, err)}
}
