package join

import (
	"context"

	"github.com/garminkit/activityapi/types"
)

// Store keeps the records of a [Joiner]. Package jointest checks one. All
// methods must be safe for concurrent use, also by several processes if several
// add deliveries of one user.
type Store interface {
	// Update calls f with the record of key, or with an empty one if there is
	// none, and keeps what f makes of it if f returns true. No other Update of the
	// key may come between: take a lock, a row lock, or compare and try again,
	// which means that f may be called more than once, each time with a record
	// that it may change. When Update returns nil, the record is kept as safely as
	// the store keeps anything. f fails never and calls nothing of the store.
	Update(ctx context.Context, key Key, f func(*Record) bool) error

	// Load returns the record of key, or nil if there is none. The caller does
	// not change it.
	Load(ctx context.Context, key Key) (*Record, error)

	// Forget removes all records of a user. It may run while records of the user
	// are updated, and then leaves what is updated later.
	Forget(ctx context.Context, user types.UserID) error
}
