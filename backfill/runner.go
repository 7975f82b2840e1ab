package backfill

import (
	"context"
	"iter"
	"log/slog"
)

// Runner asks for the history of users: what the ledger does not have as
// settled, at the pace of the limiter. It is safe for concurrent use.
type Runner struct {
	limiter Limiter
	ledger  Ledger
	opts    RunnerOptions // without zero values
}

// RunnerOptions change what a [Runner] does. nil means the zero value of each
// field.
type RunnerOptions struct {
	// ChunkDays is how many days to ask for at once, up to [MaxDays]. Zero
	// means the largest number that leaves almost nothing of the limiter's
	// minute unused: 25 of 100 days, 30 of 10,000.
	ChunkDays int
	// PerUser is how many requests of one user may be under way at once. Zero
	// means 4, which is enough to use up an evaluation key.
	PerUser int
	// Users is how many users [Runner.RunAll] works on at once. Zero means 64.
	// What RunAll keeps in memory grows with it, and not with the number of
	// users.
	Users int
	// Tries is how often a chunk is asked for when Garmin does not answer,
	// fails with 5xx, or somebody else answers, before the user is stopped. Zero
	// means 8, which takes about two minutes.
	Tries int
	// FillHoles asks again for chunks in state [StateHole].
	FillHoles bool
	// Logger is told of repeats and stops. nil means silence.
	Logger *slog.Logger
}

// NewRunner returns a runner. Use one limiter for all that is done with a
// consumer key. NewRunner panics if limiter or ledger is nil, which is a
// programming error.
func NewRunner(limiter Limiter, ledger Ledger, opts *RunnerOptions) *Runner {
	if limiter == nil || ledger == nil {
		panic("backfill: NewRunner without limiter or ledger")
	}
	r := &Runner{limiter: limiter, ledger: ledger}
	if opts != nil {
		r.opts = *opts
	}
	if r.opts.ChunkDays <= 0 {
		r.opts.ChunkDays = chunkDays(limiter.DaysPerMinute())
	}
	r.opts.ChunkDays = min(r.opts.ChunkDays, MaxDays, limiter.DaysPerMinute())
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

// Run asks for one user's history and yields each chunk as it is settled. What
// the ledger has as settled is not asked for again, so Run can be called again
// at any time, such as after a crash, and asks for what is missing.
//
// The error, if any, comes last with a nil value: a [*UserError] if this user
// was stopped, an error that wraps activity.ErrEndpointNotEnabled if the
// summary type is not enabled for the key, the error of a request that says
// that the application is at fault, an error of the ledger or limiter, or the
// cause of ctx.
//
// To pause, leave the loop: requests under way are waited for, so that no
// answer is lost, and no new one is sent. Cancelling ctx abandons them; the
// next run asks again for these. Run's iterator can be used again, which is
// a new run.
func (r *Runner) Run(ctx context.Context, user *User) iter.Seq2[*Progress, error] {
	return func(yield func(*Progress, error) bool) {
		if err := user.check(); err != nil {
			yield(nil, err)
			return
		}
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

// RunAll does what [Runner.Run] does for many users, RunnerOptions.Users at a
// time, so that their number is not bound by memory. users is read from another
// goroutine, as users finish; an error it yields ends the run. A user who has
// to be stopped does not end it: see Progress.Err.
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
