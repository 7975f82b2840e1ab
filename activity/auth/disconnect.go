package auth

import (
	"context"
	"errors"

	"github.com/garminkit/activityapi/activity"
)

// Disconnected reports whether the user's token is dead: Garmin refuses it, or
// has refused it before, or the store has none. Anybody can send a
// deregistration, so ask this first, and then [Users.Forget] the user. The
// error tells why it cannot be known now: try again later.
func (u *Users) Disconnected(ctx context.Context, userID string) (bool, error) {
	client, err := u.Client(ctx, userID)
	if err == nil {
		_, err = client.UserID(ctx)
	}
	var answer *activity.Error
	switch {
	case errors.As(err, &answer) && answer.ClockSkew != 0:
		// An OAuth 1.0a signature is refused for our clock, too.
		return false, err
	case errors.Is(err, ErrNotConnected), errors.Is(err, ErrReconnect),
		errors.Is(err, activity.ErrUnauthorized), errors.Is(err, activity.ErrForbidden):
		return true, nil
	}
	return false, err
}

// Forget removes the user's token, if there is one, as after a deregistration.
// Garmin is not told.
func (u *Users) Forget(ctx context.Context, userID string) error {
	for {
		t, err := u.store.Token(ctx, userID)
		if errors.Is(err, ErrNotConnected) {
			return nil
		}
		if err == nil {
			_, err = u.store.Swap(ctx, t, nil)
		}
		if err == nil || !errors.Is(err, ErrConflict) {
			return wrap("forget", userID, err)
		}
	}
}
