package garminriver

import (
	"context"
	"errors"
	"time"

	"github.com/riverqueue/river"

	"github.com/garminkit/activityapi/notify"
	"github.com/garminkit/activityapi/types"
)

// AttemptArgs is the job that attempts an item that your program keeps. It has
// only your id of the item, because the item may contain a callback URL.
type AttemptArgs struct {
	ID string `json:"id"`
}

// Kind implements [river.JobArgs].
func (AttemptArgs) Kind() string { return "garmin_attempt" }

// InsertOpts implements [river.JobArgsWithInsertOpts].
func (AttemptArgs) InsertOpts() river.InsertOpts { return single("") }

// ErrNoItem means that no item has the id.
var ErrNoItem = errors.New("garminriver: no such item")

// Items is where your program keeps the items that River attempts.
type Items interface {
	// Item returns the item with an id. If it no longer exists, the error wraps
	// [ErrNoItem], and the job is done.
	Item(ctx context.Context, id string) (*notify.Item, error)
	// Settle removes an item. err is nil after a successful attempt, otherwise the
	// error that another attempt would not change. After a crash before Settle, the
	// item is attempted again.
	Settle(ctx context.Context, id string, err error) error
}

// Attempt is the worker of [AttemptArgs]. River decides when an item is attempted
// again, and a user's items are attempted in any order. So it is for items that your
// program has set aside, not for a queue of notifications.
type Attempt struct {
	river.WorkerDefaults[AttemptArgs]
	worker *notify.Processor
	items  Items
}

// NewAttempt returns the worker.
func NewAttempt(worker *notify.Processor, items Items) *Attempt {
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
