package backfill

import (
	"context"
	"errors"
	"fmt"
	"maps"

	"github.com/garminkit/activityapi/types"
)

// PerApp returns the Limiter of a Runner that requests the history of users of
// several applications. byName has the limiter of each by the application's name,
// since each has a consumer key and a limit of its own. Acquire fails for a user of
// any other application. If Garmin refuses the requests of one application, the
// others go on.
func PerApp(byName map[string]Limiter) Limiter { return limiters(maps.Clone(byName)) }

type limiters map[string]Limiter

// Acquire asks the limiter of the user's application.
func (l limiters) Acquire(ctx context.Context, userID types.UserID, days int) (Grant, error) {
	own := l[userID.App()]
	if own == nil {
		return nil, errNoLimiter(userID.App())
	}
	return own.Acquire(ctx, userID, days)
}

// DaysPerMinute returns the lowest of the limits.
func (l limiters) DaysPerMinute() int {
	least := 0
	for _, own := range l {
		if n := own.DaysPerMinute(); least == 0 || n < least {
			least = n
		}
	}
	return least
}

func errNoLimiter(app string) error {
	return fmt.Errorf("backfill: there is no limiter for the application %q", app)
}

// check reports what is missing.
func (l limiters) check() error {
	if len(l) == 0 {
		return errors.New("there is none")
	}
	for app, own := range l {
		if own == nil {
			return fmt.Errorf("that of %q is nil", app)
		}
	}
	return nil
}

// daysPerMinute is the limit of the user's application.
func (r *Runner) daysPerMinute(userID types.UserID) int {
	if all, ok := r.limiter.(limiters); ok {
		if own := all[userID.App()]; own != nil {
			return own.DaysPerMinute()
		}
	}
	return r.limiter.DaysPerMinute()
}

// refusal is an error that concerns all users of an application.
type refusal struct{ error }

func (f refusal) Unwrap() error { return f.error }

// refuse notes that an application's requests are refused. The run ends if there
// is no other.
func (r *run) refuse(app string, err error) {
	all, ok := r.runner.limiter.(limiters)
	if !ok {
		r.stop(err)
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.refused[app] != nil {
		return
	}
	if r.refused == nil {
		r.refused = map[string]error{}
	}
	if app != "" {
		err = fmt.Errorf("application %s: %w", app, err)
	}
	r.refused[app] = err
	if len(r.refused) >= len(all) {
		r.stop(r.refusals())
	}
}

// isRefused reports whether to ask for a user is of no use.
func (r *run) isRefused(userID types.UserID) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.refused[userID.App()] != nil
}

// refusals is why applications were passed over, or nil. mu is held, or all is
// done.
func (r *run) refusals() error {
	errs := make([]error, 0, len(r.refused))
	for _, err := range r.refused {
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}
