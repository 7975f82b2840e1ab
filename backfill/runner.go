package backfill

import (
	"context"
	"iter"
	"log/slog"
)

// Runner requests the history of users as far as it is not settled in the ledger,
// at the pace of the limiter. It is safe for concurrent use.
type Runner struct {
	limiter Limiter
	ledger  Ledger
	opts    RunnerOptions // without zero values
}

// RunnerOptions are the optional settings of a [Runner]. nil means the zero
// value.
type RunnerOptions struct {
	// ChunkDays is how many days to request at once, up to 30. Zero means the
	// largest number by which chunks fill the limiter's minute almost completely:
	// 25 for a limit of 100 days, 30 for 10,000.
	ChunkDays int
	// PerUser limits the concurrent requests of one user. Zero means 4, which is
	// enough to use an evaluation key fully.
	PerUser int
	// Users is how many users [Runner.RunAll] works on at once. Zero means 64.
	// The memory of RunAll grows with it, not with the total number of users.
	Users int
	// Tries is how often a chunk is requested before the user is stopped, if
	// Garmin does not answer, fails with 5xx, or something else answers. Zero
	// means 8, which takes about two minutes.
	Tries int
	// FillHoles requests chunks in state [StateHole] again.
	FillHoles bool
	// Logger is told of repeats and stops. nil is silent.
	Logger *slog.Logger
}

// NewRunner returns a runner. Use one limiter for everything done with a consumer
// key. NewRunner panics if limiter or ledger is nil, which is a programming
// error.
func NewRunner(limiter Limiter, ledger Ledger, opts *RunnerOptions) *Runner {
	if limiter == nil || ledger == nil {
		panic("backfill: NewRunner without limiter or ledger")
	}
	if all, ok := limiter.(limiters); ok {
		if err := all.check(); err != nil {
			panic("backfill: NewRunner: PerApp: " + err.Error())
		}
	}
	r := &Runner{limiter: limiter, ledger: ledger}
	if opts != nil {
		r.opts = *opts
	}
	if r.opts.ChunkDays <= 0 {
		r.opts.ChunkDays = chunkDays(limiter.DaysPerMinute())
	}
	r.opts.ChunkDays = min(r.opts.ChunkDays, maxDays, limiter.DaysPerMinute())
	r.opts.PerUser = orDefault(r.opts.PerUser, 4)
	r.opts.Users = orDefault(r.opts.Users, 64)
	r.opts.Tries = orDefault(r.opts.Tries, 8)
	if r.opts.Logger == nil {
		r.opts.Logger = slog.New(slog.DiscardHandler)
	}
	return r
}

func orDefault(n, d int) int {
	if n <= 0 {
		return d
	}
	return n
}

// Run requests one user's history and yields each chunk as it is settled. It does
// not request what the ledger has as settled. So Run can be called again at any
// time, such as after a crash, and requests what is missing.
//
// An error comes last, with a nil value. It is a [*UserError] if this user
// was stopped, or is not valid. Otherwise no other user could succeed either: the error wraps
// [activity.ErrEndpointNotEnabled] if the summary type is not enabled for the
// key, or is that of a request which says that the application is at fault,
// of the ledger, of the limiter, or the cause of ctx.
//
// To pause, leave the loop: Run then waits for running requests, so that no
// answer is lost, and sends no new ones. Cancelling ctx abandons running
// requests; the next run repeats them. Using the iterator again starts a new run.
func (r *Runner) Run(ctx context.Context, user *User) iter.Seq2[*Progress, error] {
	return func(yield func(*Progress, error) bool) {
		one := func(yield func(*User, error) bool) { yield(user, nil) }
		for p, err := range r.RunAll(ctx, one) {
			if err == nil && p.Err != nil {
				p, err = nil, p.Err
			}
			if !yield(p, err) || err != nil {
				return
			}
		}
	}
}

// RunAll does the same as [Runner.Run] for many users, RunnerOptions.Users of
// them at a time. Another goroutine reads users as earlier ones finish, so that
// memory does not limit their number. An error that users yields ends the run. A
// stopped user does not end it; see Progress.Err.
func (r *Runner) RunAll(ctx context.Context, users iter.Seq2[*User, error]) iter.Seq2[*Progress, error] {
	return func(yield func(*Progress, error) bool) {
		begin, stop := context.WithCancelCause(ctx)
		x := &run{runner: r, ctx: ctx, begin: begin, stop: stop, events: make(chan *Progress)}
		go x.all(users)

		// However the loop ends, nothing is left running.
		defer func() {
			stop(errPaused)
			for range x.events {
			}
		}()
		for p := range x.events {
			if !yield(p, nil) {
				return
			}
		}
		if err := context.Cause(begin); err != nil {
			yield(nil, err)
		}
	}
}
