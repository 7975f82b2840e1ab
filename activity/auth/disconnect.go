package auth

import (
	"context"
	"errors"

	"github.com/garminkit/activityapi/activity"
	"github.com/garminkit/activityapi/types"
)

// Disconnected reports whether the user's connection is over: Garmin itself
// refuses the token with an error about this user, or has refused the refresh
// token before, or the store has no token. Anybody can send a deregistration, so
// call this first, and then [Users.Forget].
//
// Any other failure is an error and not an answer: a gateway's page, an outage, a
// wrong client secret or clock, or a 401 to a token that Garmin has just issued.
// Try again later.
//
// A user without a stored token counts as disconnected, so that steps that failed
// after Forget can be repeated. A lost store therefore confirms every
// deregistration; keep its backups with those of the users.
func (u *Users) Disconnected(ctx context.Context, userID types.UserID) (bool, error) {
	client, err := u.Client(ctx, userID)
	if err == nil {
		_, err = client.UserID(ctx)
	}
	if errors.Is(err, ErrNotConnected) || errors.Is(err, ErrReconnect) {
		return true, nil
	}
	var answer *activity.Error
	if errors.As(err, &answer) && answer.StatusCode != 0 && answer.Fault() == types.FaultUser && !errors.Is(err, activity.ErrNotPermitted) {
		return true, nil
	}
	return false, err
}

// Forget removes the user's token, if there is one, as after a deregistration.
// Garmin is not told. Forget may be called repeatedly.
//
// Call it before the application deletes the user: Disconnected stays true, so
// that later steps that fail can be repeated. In the other order, a Forget that
// fails once leaves a token that is never removed.
func (u *Users) Forget(ctx context.Context, userID types.UserID) error {
	u.mu.Lock()
	leftover := u.unstored[userID] // of the token that goes
	u.mu.Unlock()
	for {
		t, err := u.store.Token(ctx, userID)
		if err == nil {
			_, err = u.store.Swap(ctx, t, nil)
		}
		switch {
		case err == nil, errors.Is(err, ErrNotConnected):
			u.mu.Lock()
			if leftover != nil && u.unstored[userID] == leftover {
				delete(u.unstored, userID)
			}
			u.mu.Unlock()
			return nil
		case !errors.Is(err, ErrConflict):
			return wrap("forget", userID, err)
		}
	}
}
