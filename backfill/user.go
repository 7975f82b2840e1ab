package backfill

import (
	"context"
	"errors"
	"fmt"
	"math"

	"github.com/garminkit/activityapi/types"
)

// Requester asks Garmin for a range of one user's history. *activity.Client is
// one. nil means that Garmin accepted the request. A Runner understands the
// errors of *activity.Client; after any other error it assumes that Garmin may
// or may not have seen the request. Backfill must not repeat a request by
// itself, since each counts against the limit, and must end when ctx does.
//
// If a Requester also has the method Permissions of *activity.Client, a run calls
// it first, and requests nothing if HISTORICAL_DATA_EXPORT is missing.
type Requester interface {
	Backfill(ctx context.Context, kind types.Kind, w types.Window) error
}

// permitter is what Requester's comment speaks of.
type permitter interface {
	Permissions(ctx context.Context) ([]types.Permission, error)
}

// User is a user whose history to request. All fields but Kinds are required.
type User struct {
	// ID is Garmin's id of the user, as in the summaries that arrive.
	ID types.UserID
	// Requester is the client of this user.
	Requester Requester
	// Window is the wanted history. Its end is normally the time of the first
	// connection, since newer data arrives by itself. Both ends are whole seconds:
	// cut time.Now with Truncate. Garmin gives no more than a month before the
	// connection; a run finds the limit.
	Window types.Window
	// Kinds are the wanted summary types, out of those that [Kinds] returns; nil
	// means all three.
	Kinds []types.Kind
}

func (u *User) check() error {
	if u == nil || u.ID == "" || u.Requester == nil {
		return errors.New("backfill: user without ID or Requester")
	}
	for _, k := range u.Kinds {
		if _, ok := numberOf(k); !ok {
			return fmt.Errorf("backfill: kind %q has no history", k)
		}
	}
	if err := u.Window.Check(math.MaxInt64); err != nil {
		return fmt.Errorf("backfill: %w", err)
	}
	return nil
}
