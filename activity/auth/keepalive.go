package auth

import (
	"cmp"
	"context"
	"errors"
	"time"

	"github.com/garminkit/activityapi/internal/backoff"
	"github.com/garminkit/activityapi/types"
)

// KeepAliveOptions configures KeepAlive. A nil *KeepAliveOptions means the
// defaults.
type KeepAliveOptions struct {
	// Every is the time between two searches for tokens that are due. Zero means
	// 12 hours.
	Every time.Duration
	// Before is how long before its expiry a refresh token is renewed. Zero means
	// 30 days: the user was then idle for 60.
	Before time.Duration
	// Pace is the time between two refreshes. Zero means one second.
	Pace time.Duration
	// Failed, if not nil, is called with each user whose token could not be
	// renewed. The next search tries again, unless err wraps ErrReconnect.
	Failed func(userID types.UserID, err error)
}

// KeepAlive refreshes the tokens of idle users whose refresh tokens are about to
// expire. It runs until ctx ends, and returns ctx's error. One process is enough;
// several do no harm.
func (u *Users) KeepAlive(ctx context.Context, opts *KeepAliveOptions) error {
	o, err := opts.withDefaults()
	if err != nil {
		return err
	}
	for {
		_ = u.refreshDue(ctx, &o) // Failed and the log have heard of it
		if err := backoff.Sleep(ctx, o.Every); err != nil {
			return err
		}
	}
}

// RefreshDue refreshes the tokens that are due, like one pass of KeepAlive. It is
// for programs with their own scheduler, and ignores Every. It returns an error
// if it could not finish: ctx's, the store's, or one that affects all users. An
// error of a single user is only passed to Failed.
func (u *Users) RefreshDue(ctx context.Context, opts *KeepAliveOptions) error {
	o, err := opts.withDefaults()
	if err != nil {
		return err
	}
	return u.refreshDue(ctx, &o)
}

func (o *KeepAliveOptions) withDefaults() (KeepAliveOptions, error) {
	var d KeepAliveOptions
	if o != nil {
		d = *o
	}
	d.Every = cmp.Or(d.Every, 12*time.Hour)
	d.Before = cmp.Or(d.Before, 30*24*time.Hour)
	d.Pace = cmp.Or(d.Pace, time.Second)
	if d.Every < 0 || d.Before < 0 || d.Pace < 0 {
		return d, errors.New("auth: KeepAliveOptions has a negative duration")
	}
	return d, nil
}

func (u *Users) refreshDue(ctx context.Context, o *KeepAliveOptions) error {
	failed := func(userID types.UserID, err error) {
		if ctx.Err() != nil {
			return
		}
		u.logger.WarnContext(ctx, "token not kept alive", "user", userID, "err", err)
		if o.Failed != nil {
			o.Failed(userID, err)
		}
	}
	var due []types.UserID
	var unread error // what kept it from the end; what the store gave before is refreshed
	for t, err := range u.store.Due(ctx, time.Now().Add(o.Before)) {
		if err != nil {
			unread = err
			failed("", err)
			break
		}
		if u.servers[t.UserID.App()] != nil {
			due = append(due, t.UserID)
		}
	}
	refused := map[string]error{} // by application: what would fail for all of its users
	for _, userID := range due {
		if refused[userID.App()] != nil {
			continue
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		// Another process, or the user, may have been faster.
		t, err := u.store.Token(ctx, userID)
		if err == nil && time.Until(t.RefreshExpiry) < o.Before {
			_, err = u.Refresh(ctx, userID)
			if err := backoff.Sleep(ctx, o.Pace); err != nil {
				return err
			}
		}
		if err != nil && !errors.Is(err, ErrNotConnected) {
			failed(userID, err)
		}
		var own *Error
		switch {
		case !errors.As(err, &own):
		case own.Fault() == types.FaultNetwork:
			return err // It would fail for all.
		case own.Fault() == types.FaultApplication:
			refused[userID.App()] = err
			unread = errors.Join(unread, err)
		}
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	return unread
}
