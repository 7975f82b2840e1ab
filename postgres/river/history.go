package garminriver

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"iter"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/jackc/pgx/v5"
	"github.com/riverqueue/river"

	"github.com/garminkit/activityapi/activity/auth"
	"github.com/garminkit/activityapi/backfill"
	"github.com/garminkit/activityapi/types"
)

// QueueHistory is the queue of the jobs that request history. They have their own queue
// because they wait for the limiter. Eight workers use the whole limit of any key.
const QueueHistory = "garmin_history"

// HistoryArgs is the job that requests the history of a user. Insert it when a user has
// connected, preferably in the same transaction.
type HistoryArgs struct {
	UserID types.UserID `json:"user_id"`
}

// Kind implements [river.JobArgs].
func (HistoryArgs) Kind() string { return "garmin_history" }

// InsertOpts implements [river.JobArgsWithInsertOpts].
func (HistoryArgs) InsertOpts() river.InsertOpts { return single(QueueHistory) }

// HistoryOptions are the optional settings of a History. Zero values mean defaults.
type HistoryOptions struct {
	// Slice is how long a job works for one user before that of another user gets
	// its turn. Zero means ten minutes; the maximum is 30.
	Slice time.Duration
	// MaxWait is how long a job waits for the limiter. After that it lets other
	// jobs use its worker for the same time. Zero means two minutes; the
	// limiter's days are free again after one.
	MaxWait time.Duration
	// Busy is the time until the next attempt for a user who is claimed by another
	// run. Zero means half a minute, after which the claim of a dead process has
	// expired.
	Busy time.Duration
	// Runner is for [backfill.NewRunner].
	Runner *backfill.RunnerOptions
	// Progress, if not nil, is told of each step.
	Progress func(*backfill.Progress)
}

// History is the worker of [HistoryArgs]. It can run beside other runs and after runs
// that died: the ledger's claim prevents two runs for one user, and what the ledger has
// is not requested again. All workers of a key use its limiter.
type History struct {
	river.WorkerDefaults[HistoryArgs]
	limiter backfill.Limiter
	ledger  backfill.Ledger
	user    func(context.Context, types.UserID) (*backfill.User, error)
	opts    HistoryOptions
	pause   pause
}

// NewHistory returns the worker. user returns the user of an id with the user's client;
// its error may wrap [auth.ErrNotConnected].
func NewHistory(limiter backfill.Limiter, ledger backfill.Ledger, user func(context.Context, types.UserID) (*backfill.User, error), opts *HistoryOptions) *History {
	w := &History{limiter: limiter, ledger: ledger, user: user}
	if opts != nil {
		w.opts = *opts
	}
	w.opts.Slice = min(cmp.Or(w.opts.Slice, 10*time.Minute), atMost)
	w.opts.MaxWait = cmp.Or(w.opts.MaxWait, 2*time.Minute)
	w.opts.Busy = cmp.Or(w.opts.Busy, 30*time.Second)
	return w
}

// Timeout implements [river.Worker].
func (w *History) Timeout(*river.Job[HistoryArgs]) time.Duration { return w.opts.Slice + grace }

// Work implements [river.Worker].
func (w *History) Work(ctx context.Context, job *river.Job[HistoryArgs]) error {
	err := w.run(ctx, job.Args.UserID)
	var later *laterError
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return river.JobSnooze(0) // the process stops
	case errors.As(err, &later):
		return river.JobSnooze(max(0, later.wait))
	case errors.Is(err, backfill.ErrBusy):
		return river.JobSnooze(w.opts.Busy)
	case ofUser(err):
		return river.JobCancel(err) // only the user can mend it
	}
	return err
}

// run requests what is missing, until the slice is over.
func (w *History) run(ctx context.Context, id types.UserID) error {
	user, err := w.user(ctx, id)
	if err != nil {
		return err
	}
	limiter := &patient{Limiter: w.limiter, until: time.Now().Add(w.opts.Slice), wait: w.opts.MaxWait, pause: &w.pause}
	for p, err := range backfill.NewRunner(limiter, w.ledger, w.opts.Runner).Run(ctx, user) {
		if err != nil {
			return err
		}
		if w.opts.Progress != nil {
			w.opts.Progress(p)
		}
	}
	return nil
}

// ofUser reports whether Garmin will not give the history until the user has done
// something.
func ofUser(err error) bool {
	var stopped *backfill.UserError
	var f interface{ Fault() types.Fault }
	return errors.As(err, &stopped) && stopped.Permission != "" || errors.Is(err, auth.ErrNotConnected) || errors.Is(err, auth.ErrReconnect) ||
		errors.As(err, &f) && f.Fault() == types.FaultUser
}

// HistoryScanArgs is the job that makes a [HistoryArgs] for each user whose
// history is wanted.
type HistoryScanArgs struct{}

// Kind implements [river.JobArgs].
func (HistoryScanArgs) Kind() string { return "garmin_history_scan" }

// InsertOpts implements [river.JobArgsWithInsertOpts].
func (HistoryScanArgs) InsertOpts() river.InsertOpts { return single("") }

// HistoryScan is the worker of [HistoryScanArgs].
type HistoryScan struct {
	river.WorkerDefaults[HistoryScanArgs]
	wanted func(context.Context) iter.Seq2[types.UserID, error]
}

// NewHistoryScan returns the worker. wanted yields the users whose history may be
// incomplete. A user with nothing to request costs a job, and does no other harm.
func NewHistoryScan(wanted func(context.Context) iter.Seq2[types.UserID, error]) *HistoryScan {
	return &HistoryScan{wanted: wanted}
}

// Timeout implements [river.Worker].
func (*HistoryScan) Timeout(*river.Job[HistoryScanArgs]) time.Duration { return atMost + grace }

// batch is how many jobs are made at once.
const batch = 1000

// Work implements [river.Worker]. A user who has a job keeps that one.
func (w *HistoryScan) Work(ctx context.Context, _ *river.Job[HistoryScanArgs]) error {
	client := river.ClientFromContext[pgx.Tx](ctx)
	var jobs []river.InsertManyParams
	var odd error
	flush := func() error {
		if len(jobs) == 0 {
			return nil
		}
		_, err := client.InsertMany(ctx, jobs)
		jobs = jobs[:0]
		return err
	}
	for id, err := range w.wanted(ctx) {
		if err != nil {
			return errors.Join(flush(), err)
		}
		if !utf8.ValidString(string(id)) || strings.Contains(string(id), "\x00") {
			odd = fmt.Errorf("garminriver: %q cannot be in a job", string(id)) // jsonb takes neither
			continue
		}
		if jobs = append(jobs, river.InsertManyParams{Args: HistoryArgs{id}}); len(jobs) == batch {
			if err := flush(); err != nil {
				return err
			}
		}
	}
	if err := flush(); err != nil || odd == nil {
		return err
	}
	return river.JobCancel(odd) // all others have theirs
}
