package backfill

import (
	"context"
	"errors"
	"fmt"
	"log/slog"

	"github.com/garminkit/activityapi/types"
)

// Requester asks Garmin for one range of one user's history. nil means that
// Garmin accepted it. *activity.Client is one; [Run] understands the errors it
// returns, and takes any other error to mean that Garmin may or may not have
// seen the request. Backfill must not repeat a request by itself, since each
// counts against the limit.
//
// If a Requester also has the method Permissions of *activity.Client, a run
// calls it first and asks for nothing without HISTORICAL_DATA_EXPORT.
type Requester interface {
	Backfill(ctx context.Context, kind types.Kind, w types.Window) error
}

// RequesterFunc makes a function a [Requester].
type RequesterFunc func(ctx context.Context, kind types.Kind, w types.Window) error

// Backfill calls f.
func (f RequesterFunc) Backfill(ctx context.Context, kind types.Kind, w types.Window) error {
	return f(ctx, kind, w)
}

// permitter is what Requester's comment speaks of.
type permitter interface {
	Permissions(ctx context.Context) ([]types.Permission, error)
}

// User is whose history to ask for. All fields but Kinds are required.
type User struct {
	// ID is the Garmin user id, under which summaries arrive.
	ID string
	// Requester is the client of this user.
	Requester Requester
	// Window is the history wanted. It ends best at the user's first
	// connection, since what is newer comes by itself. Garmin gives no more
	// than a month before that; Run finds the limit.
	Window types.Window
	// Kinds are the summary types wanted; nil means all three.
	Kinds []Kind
}

func (u *User) check() error {
	if u == nil || u.ID == "" || u.Requester == nil {
		return errors.New("backfill: user without ID or Requester")
	}
	for _, k := range u.Kinds {
		if !k.Valid() {
			return fmt.Errorf("backfill: invalid kind %d", k)
		}
	}
	if err := u.Window.Check(1<<63 - 1); err != nil {
		return fmt.Errorf("backfill: %w", err)
	}
	return nil
}

// Options change what a run does. nil means the zero value of each field.
type Options struct {
	// ChunkDays is how many days to ask for at once, up to [MaxDays]. Zero
	// means [ChunkDays] of the limiter's budget.
	ChunkDays int
	// PerUser is how many requests of one user may be under way at once. Zero
	// means 4, which is enough to use up an evaluation key.
	PerUser int
	// Users is how many users [RunAll] works on at once. Zero means 64. What
	// RunAll keeps in memory grows with it, and not with the number of users.
	Users int
	// Tries is how often a chunk is asked for when Garmin does not answer or
	// fails with 5xx, before the user is stopped. Zero means 8, which takes
	// about four minutes.
	Tries int
	// FillHoles asks again for chunks in state [Hole].
	FillHoles bool
	// Logger is told of repeats and stops. nil means silence.
	Logger *slog.Logger
}

func (o *Options) withDefaults(limiter Limiter) Options {
	var v Options
	if o != nil {
		v = *o
	}
	if v.ChunkDays <= 0 {
		v.ChunkDays = ChunkDays(limiter.DaysPerMinute())
	}
	v.ChunkDays = min(v.ChunkDays, MaxDays, limiter.DaysPerMinute())
	v.PerUser = orDefault(v.PerUser, 4)
	v.Users = orDefault(v.Users, 64)
	v.Tries = orDefault(v.Tries, 8)
	if v.Logger == nil {
		v.Logger = slog.New(slog.DiscardHandler)
	}
	return v
}

func orDefault(n, d int) int {
	if n <= 0 {
		return d
	}
	return n
}
