package backfill

import (
	"time"

	"github.com/garminkit/activityapi/types"
)

// Progress is one step of a run: a chunk has been settled or refused.
type Progress struct {
	UserID types.UserID
	// Chunk is the chunk as the ledger now has it. It is nil if Err is not.
	Chunk *Chunk
	// DaysDone of DaysTotal are settled, of what this run has to ask this
	// user for. Remaining is how long the rest takes if nothing else uses the
	// key.
	DaysDone, DaysTotal int
	Remaining           time.Duration
	// Err says why [Runner.RunAll] has stopped this user, as a [*UserError];
	// the others go on. [Runner.Run] returns it as its error.
	Err error
}

// UserError is why a user was stopped. What is not settled stays in the
// ledger, and the next run asks for it.
type UserError struct {
	UserID types.UserID
	Err    error
}

// Error names the user and the cause.
func (e *UserError) Error() string {
	return "backfill: user " + string(e.UserID) + ": " + e.Err.Error()
}

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
