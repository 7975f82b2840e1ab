package garminriver

import (
	"context"
	"errors"
	"time"

	"github.com/riverqueue/river"

	"github.com/garminkit/activityapi/notify"
	"github.com/garminkit/activityapi/types"
)

// AttemptArgs is the job that tries an item which the partner keeps. It has the
// partner's id for it: the item itself may hold a callback URL.
type AttemptArgs struct {
	ID string `json:"id"`
}

// Kind implements [river.JobArgs].
func (AttemptArgs) Kind() string { return "garmin_attempt" }

// InsertOpts implements [river.JobArgsWithInsertOpts].
func (AttemptArgs) InsertOpts() river.InsertOpts { return single("") }

// ErrNoItem means that there is no item with an id.
var ErrNoItem = errors.New("garminriver: no such item")

// Items are where the partner keeps items that River tries.
type Items interface {
	// Item reads one. If there is none any more, its error wraps [ErrNoItem], and
	// the job is done.
	Item(ctx context.Context, id string) (*notify.Item, error)
	// Settle removes one: after an attempt that did all, with nil, or with the
	// error that no other attempt would mend. A crash may come before it, so that
	// the item is tried once more.
	Settle(ctx context.Context, id string, err error) error
}

// Attempt is the worker of [AttemptArgs]: River decides when an item is tried
// again. The items of a user are tried in any order, so this is not for a queue of
// notifications, but for what a partner has set aside.
type Attempt struct {
	river.WorkerDefaults[AttemptArgs]
	worker *notify.Worker
	items  Items
}

// NewAttempt returns the worker.
func NewAttempt(worker *notify.Worker, items Items) *Attempt {
	return &Attempt{worker: worker, items: items}
}

// Timeout implements [river.Worker]. The attempt itself ends after
// ProcessorOptions.AttemptTimeout, ten minutes by default.
func (*Attempt) Timeout(*river.Job[AttemptArgs]) time.Duration { return atMost }

// Work implements [river.Worker].
func (w *Attempt) Work(ctx context.Context, job *river.Job[AttemptArgs]) error {
	id := job.Args.ID
	it, err := w.items.Item(ctx, id)
	switch {
	case errors.Is(err, ErrNoItem):
		return nil
	case err != nil:
		return resumed(ctx, err)
	}
	err = w.worker.Attempt(ctx, it)
	var f notify.Failure
	switch {
	case err == nil:
		return resumed(ctx, w.items.Settle(ctx, id, nil))
	case ctx.Err() != nil:
		return river.JobSnooze(0)
	case !errors.As(err, &f):
		return err
	case f.Fault() == types.FaultItem:
		if serr := w.items.Settle(ctx, id, err); serr != nil {
			return resumed(ctx, serr)
		}
		return river.JobCancel(err)
	case f.RetryAfter() > 0:
		return river.JobSnooze(f.RetryAfter())
	}
	return err
}
