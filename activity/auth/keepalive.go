package auth

import (
	"cmp"
	"context"
	"errors"
	"time"
)

// KeepAliveOptions configures KeepAlive. A nil *KeepAliveOptions means the
// defaults.
type KeepAliveOptions struct {
	// Every is the time between two looks at all tokens. Zero means 12 hours.
	Every time.Duration
	// Before is how long before its end a refresh token is renewed. Zero
	// means 30 days: the user was then idle for 60.
	Before time.Duration
	// Pace is the time between two refreshes. Zero means one second.
	Pace time.Duration
	// Failed, if not nil, is called with each user whose token could not be
	// renewed. The next look tries again, unless err wraps ErrReconnect.
	Failed func(userID string, err error)
}

// KeepAlive refreshes the tokens of users who were idle for so long that their
// refresh tokens are about to end. It runs until ctx ends, and returns ctx's
// error. One process is enough; several do no harm.
func (u *Users) KeepAlive(ctx context.Context, opts *KeepAliveOptions) error {
	if opts == nil {
		opts = &KeepAliveOptions{}
	}
	every := cmp.Or(opts.Every, 12*time.Hour)
	before := cmp.Or(opts.Before, 30*24*time.Hour)
	pace := cmp.Or(opts.Pace, time.Second)
	if every < 0 || before < 0 || pace < 0 {
		return errors.New("auth: negative duration in KeepAliveOptions")
	}
	for {
		u.keepAlive(ctx, before, pace, func(userID string, err error) {
			if ctx.Err() != nil {
				return
			}
			u.logger.WarnContext(ctx, "token not kept alive", "user", userID, "err", err)
			if opts.Failed != nil {
				opts.Failed(userID, err)
			}
		})
		if err := sleep(ctx, every); err != nil {
			return err
		}
	}
}

// keepAlive looks at all tokens once.
func (u *Users) keepAlive(ctx context.Context, before, pace time.Duration, failed func(string, error)) {
	var due []string
	for t, err := range u.store.Tokens(ctx) {
		if err != nil {
			failed("", err)
			break
		}
		if !t.OAuth1() && !t.Revoked && time.Until(t.RefreshExpiry) < before {
			due = append(due, t.UserID)
		}
	}
	for _, userID := range due {
		// Another process, or the user, may have been faster.
		t, err := u.store.Token(ctx, userID)
		if err == nil && time.Until(t.RefreshExpiry) < before {
			_, err = u.Refresh(ctx, userID)
			if sleep(ctx, pace) != nil {
				return
			}
		}
		if err != nil && !errors.Is(err, ErrNotConnected) {
			failed(userID, err)
		}
		if errors.Is(err, ErrInvalidClient) {
			return // It would fail for all.
		}
	}
}
