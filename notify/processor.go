package notify

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"
)

// ProcessorOptions tune a [Processor]. nil means all defaults.
type ProcessorOptions struct {
	// Files says where announced files go. nil means that none are downloaded:
	// their pings become dead letters.
	Files *Files

	// KeepRaw fills the Raw of every pushed summary, and UnknownKey hears of
	// keys that the types do not model: see [Decoder].
	KeepRaw    bool
	UnknownKey func(path string)

	// Workers bounds the pushes that are worked on at a time, and again the
	// pings. LargeWorkers does for items over 256 KiB and for pings for activity
	// details, FileWorkers for downloads. Each has its own, so that none
	// starves another. Zero means 16, 2 and 4.
	Workers, LargeWorkers, FileWorkers int

	// MaxPending bounds the items in memory, those that wait for another
	// attempt included; each takes about half a kilobyte. Their bodies are
	// bounded at 64 MiB. What is beyond stays in the queue until there is room.
	// Zero means 100,000.
	MaxPending int

	// RetryMin and RetryMax bound the wait before another attempt. It doubles
	// with each and is jittered. While Garmin refuses a user's token, it grows
	// to four times RetryMax. Zero means a second and 15 minutes.
	RetryMin, RetryMax time.Duration
	// PushDeadline is how long after its arrival a push, a deregistration or a
	// permission change is given up on. Zero means 7 days. Pings always have 7
	// days and files 24 hours, since Garmin keeps them no longer.
	PushDeadline time.Duration
	// ExpiryWarning is how long before the deadline [ResultExpiring] is
	// reported. Zero means 4 hours.
	ExpiryWarning time.Duration
	// UnknownUserGrace is how long data for an unknown user is tried again
	// before it is buried: a notification may outrun the commit of a new user.
	// Zero means a minute, less than zero none.
	UnknownUserGrace time.Duration
	// AttemptTimeout ends the ctx of an attempt. Zero means 10 minutes.
	AttemptTimeout time.Duration
	// DrainTimeout is how long Run waits for running attempts when its ctx
	// ends, before it ends theirs. Zero means 10 seconds, less than zero none.
	DrainTimeout time.Duration

	// Observe, if not nil, is called with every outcome. It is called
	// concurrently and holds up the item's worker.
	Observe func(Outcome)
	// Logger gets a line for every outcome but ResultDone. nil is silent.
	Logger *slog.Logger
}

func orDefault[T int | time.Duration](v *T, def T) {
	if *v == 0 {
		*v = def
	}
}

func (o *ProcessorOptions) defaults() error {
	orDefault(&o.Workers, 16)
	orDefault(&o.LargeWorkers, 2)
	orDefault(&o.FileWorkers, 4)
	orDefault(&o.MaxPending, 100_000)
	orDefault(&o.RetryMin, time.Second)
	orDefault(&o.RetryMax, 15*time.Minute)
	orDefault(&o.PushDeadline, 7*24*time.Hour)
	orDefault(&o.ExpiryWarning, 4*time.Hour)
	orDefault(&o.UnknownUserGrace, time.Minute)
	orDefault(&o.AttemptTimeout, 10*time.Minute)
	orDefault(&o.DrainTimeout, 10*time.Second)
	switch {
	case o.Workers < 0 || o.LargeWorkers < 0 || o.FileWorkers < 0:
		return errors.New("notify: a number of workers is negative")
	case o.MaxPending < 0:
		return errors.New("notify: MaxPending is negative")
	case o.RetryMin < 0 || o.RetryMax < o.RetryMin:
		return errors.New("notify: RetryMin and RetryMax are no range")
	case o.PushDeadline < 0 || o.ExpiryWarning < 0 || o.AttemptTimeout < 0:
		return errors.New("notify: a deadline or timeout is negative")
	}
	return nil
}

// Processor works through a [Queue]: it splits bodies into items and hands
// each item to the partner's callbacks, after pulling what a ping announces.
// See the package comment for what it promises. It is safe for concurrent use.
type Processor struct {
	queue   Queue
	users   Resolver
	call    Callbacks
	opts    ProcessorOptions
	decoder Decoder
	busy    atomic.Bool
}

// NewProcessor returns a processor for q. It copies calls and opts. It refuses
// callbacks without Deregistration, PermissionChange or a way to save every
// summary.
func NewProcessor(q Queue, users Resolver, calls Callbacks, opts *ProcessorOptions) (*Processor, error) {
	switch {
	case q == nil:
		return nil, errors.New("notify: the queue is nil")
	case users == nil:
		return nil, errors.New("notify: the resolver is nil")
	}
	if m := calls.missing(); m != "" {
		return nil, errors.New("notify: " + m)
	}
	p := &Processor{queue: q, users: users, call: calls}
	if opts != nil {
		p.opts = *opts
	}
	if err := p.opts.defaults(); err != nil {
		return nil, err
	}
	p.decoder = Decoder{KeepRaw: p.opts.KeepRaw, UnknownKey: p.opts.UnknownKey}
	if f := p.opts.Files; f != nil {
		clone := *f
		p.opts.Files = &clone
		if err := clone.check(); err != nil {
			return nil, err
		}
	}
	return p, nil
}

// Run works until ctx ends or the queue fails. It then begins no further
// attempt and waits for the running ones as DrainTimeout says. What is not
// done by then stays in the queue for the next Run.
//
// Run returns nil if ctx ended and every attempt has returned, else the
// queue's error or one that tells how many attempts hang. One Run at a time:
// another returns [ErrInUse], also while attempts hang.
func (p *Processor) Run(ctx context.Context) error {
	if !p.busy.CompareAndSwap(false, true) {
		return ErrInUse
	}
	hung := 0
	defer func() { p.busy.Store(hung > 0) }()

	r := &run{Processor: p, open: map[*openBody]struct{}{}}
	r.sched = newScheduler(&p.opts, r.work)
	if p.opts.Files != nil {
		fs, err := p.opts.Files.open()
		if err != nil {
			return err
		}
		defer fs.Close()
		r.files = fs
	}
	// Attempts outlive ctx by the drain.
	work, cancel := context.WithCancelCause(context.WithoutCancel(ctx))
	defer cancel(nil)
	r.ctx = work

	feed, stopFeed := context.WithCancel(ctx)
	defer stopFeed()
	var helpers sync.WaitGroup
	var queueErr error
	helpers.Go(func() {
		queueErr = r.feed(feed)
		stopFeed()
	})
	helpers.Go(func() { r.sched.keepTime(feed, r.observe) })

	<-feed.Done()
	idle := r.sched.stop()
	helpers.Wait()
	hung = r.drain(ctx, idle, cancel)
	r.closeBodies()
	switch {
	case hung > 0:
		return fmt.Errorf("notify: %d attempts did not end in time", hung)
	case ctx.Err() != nil:
		return nil
	}
	return queueErr
}

// drain waits for the running attempts and returns how many are left.
func (r *run) drain(ctx context.Context, idle <-chan struct{}, cancel context.CancelCauseFunc) int {
	if r.opts.DrainTimeout > 0 {
		t := time.NewTimer(r.opts.DrainTimeout)
		defer t.Stop()
		select {
		case <-idle:
			return 0
		case <-t.C:
		}
	}
	cause := context.Cause(ctx)
	if cause == nil {
		cause = context.Canceled
	}
	cancel(cause)
	// A callback that honours its ctx returns at once.
	t := time.NewTimer(time.Second)
	defer t.Stop()
	select {
	case <-idle:
		return 0
	case <-t.C:
		return r.sched.active()
	}
}
