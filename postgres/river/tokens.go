package garminriver

import (
	"context"
	"time"

	"github.com/riverqueue/river"

	"github.com/garminkit/activityapi/activity/auth"
)

// KeepAliveArgs is the job that refreshes tokens that are due.
type KeepAliveArgs struct{}

// Kind implements [river.JobArgs].
func (KeepAliveArgs) Kind() string { return "garmin_keep_alive" }

// InsertOpts implements [river.JobArgsWithInsertOpts].
func (KeepAliveArgs) InsertOpts() river.InsertOpts { return single("") }

// Refresher is the part of [*auth.Users] that a KeepAlive uses.
type Refresher interface {
	RefreshDue(ctx context.Context, opts *auth.KeepAliveOptions) error
}

var _ Refresher = (*auth.Users)(nil)

// KeepAlive is the worker of [KeepAliveArgs].
type KeepAlive struct {
	river.WorkerDefaults[KeepAliveArgs]
	users Refresher
	opts  *auth.KeepAliveOptions
}

// NewKeepAlive returns the worker. opts.Every is ignored; see [Every].
func NewKeepAlive(users Refresher, opts *auth.KeepAliveOptions) *KeepAlive {
	return &KeepAlive{users: users, opts: opts}
}

// Timeout implements [river.Worker].
func (*KeepAlive) Timeout(*river.Job[KeepAliveArgs]) time.Duration { return atMost + grace }

// Work implements [river.Worker].
func (w *KeepAlive) Work(ctx context.Context, _ *river.Job[KeepAliveArgs]) error {
	c, cancel := context.WithTimeout(ctx, atMost)
	defer cancel()
	return resumed(c, w.users.RefreshDue(c, w.opts))
}
