package join

import (
	"context"

	"github.com/garminkit/activityapi/types"
)

// Store keeps the records of a [Joiner]. Package jointest checks an
// implementation. All methods must be safe for concurrent use, and by several
// processes if several add deliveries of one user.
type Store interface {
	// Update calls f with the record of key, or with an empty one if there is
	// none, and stores the changed record if f returns true. No other Update of
	// the key may happen in between: take a lock, or compare and retry. f may
	// therefore be called more than once. It may change the record that it
	// gets, never fails and does not call the store. Once Update has returned
	// nil, the record is as durable as anything in the store.
	Update(ctx context.Context, key Key, f func(*Record) bool) error

	// Load returns the record of key, or nil if there is none. The caller must
	// not change it.
	Load(ctx context.Context, key Key) (*Record, error)

	// Forget removes all records of a user. It may run during updates of the
	// user's records; later updates then remain.
	Forget(ctx context.Context, user types.UserID) error
}
