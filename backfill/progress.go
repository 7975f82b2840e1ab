package backfill

import (
	"time"

	"github.com/garminkit/activityapi/types"
)

// Progress is one step of a run: a chunk has been settled or refused.
type Progress struct {
	UserID types.UserID
	// Chunk is the chunk as the ledger now has it. It is nil if Err is not nil.
	Chunk *Chunk
	// DaysTotal counts the days that this run has to request for this user;
	// DaysDone of them are settled. Remaining is the time for the rest if nothing
	// else uses the key.
	DaysDone, DaysTotal int
	Remaining           time.Duration
	// Err, a [*UserError], says why [Runner.RunAll] has stopped this user; the
	// others continue. [Runner.Run] yields it as its error.
	Err error
}

// UserError says why a user was stopped. Unsettled chunks stay in the ledger, and
// the next run requests them.
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

// PermissionError names the permission that the user does not grant. Run again
// after the user has granted it.
type PermissionError struct {
	Permission types.Permission
	// Err is the server's answer, or nil if it was not asked for history.
	Err error
}

// Error names the permission, or the cause if Garmin did not name it.
func (e *PermissionError) Error() string {
	if e.Permission == "" && e.Err != nil {
		return e.Err.Error()
	}
	return "permission missing: " + string(e.Permission)
}

// Unwrap returns Err.
func (e *PermissionError) Unwrap() error { return e.Err }
