package backfill

import (
	"cmp"
	"errors"
	"time"

	"github.com/garminkit/activityapi/activity"
	"github.com/garminkit/activityapi/types"
)

// Progress is one step of a run: a chunk has been settled or refused.
type Progress struct {
	UserID types.UserID
	// Chunk is the chunk as the ledger now has it. It is nil if Err is not nil.
	Chunk *Chunk
	// DaysTotal is the number of days that this run has to request for this user,
	// and DaysDone how many of them are settled. Remaining is the time for the
	// rest if nothing else uses the key.
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
	// Permission is what the user does not grant, if that is why. Run again after
	// the user has granted it.
	Permission types.Permission
	// Err is the cause. It wraps activity.ErrNotPermitted if Permission is set.
	Err error
}

// Error names the user and the cause.
func (e *UserError) Error() string {
	return "backfill: user " + string(e.UserID) + ": " + e.Err.Error()
}

// Unwrap returns Err.
func (e *UserError) Unwrap() error { return e.Err }

// permissionError names the permission that the user does not grant. err is the
// server's answer, or nil if it was not asked for history.
type permissionError struct {
	permission types.Permission
	err        error
}

func (e *permissionError) Error() string {
	if e.permission == "" && e.err != nil {
		return e.err.Error()
	}
	return "permission missing: " + string(e.permission)
}

func (e *permissionError) Unwrap() error { return cmp.Or(e.err, activity.ErrNotPermitted) }

// stopped says why a user was stopped.
func stopped(userID types.UserID, err error) *UserError {
	e := &UserError{UserID: userID, Err: err}
	if p, ok := errors.AsType[*permissionError](err); ok {
		e.Permission = cmp.Or(p.permission, types.PermissionHistoricalDataExport)
	}
	return e
}
