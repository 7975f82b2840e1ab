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

// ProcessorOptions are the optional settings of a [Processor]. nil means all
// defaults.
type ProcessorOptions struct {
	// Files says where announced files go. nil means that none are downloaded:
	// their pings become dead letters.
	Files *Files

	// KeepRaw fills the Raw field of every pushed summary. UnknownKey, if not
	// nil, is called for keys that package types has no field for. See [Decoder].
	KeepRaw    bool
	UnknownKey func(path string)

	// Workers limits concurrent pushes and, separately, concurrent pings.
	// LargeWorkers limits items over 256 KiB and, separately, pings for activity
	// details. FileWorkers limits downloads. Zero means 16, 2 and 4.
	//
	// If an attempt takes too long, another one is started beside it, so that
	// callbacks that hang for some users do not hold up the others. Too long
	// means 16 times the recent duration of attempts, but at least 50 ms for a
	// push, half a second for a ping and three seconds for a file, and at most 20
	// times these. There can be at most 16 such attempts for each worker, so at
	// most 17 times the limit run. Users whose last attempt took too long have
	// separate workers, with the same limits.
	Workers, LargeWorkers, FileWorkers int

	// MaxItem is the largest item to process, in bytes. A larger one becomes a
	// dead letter without being read into memory. Zero means 32 MiB; activity
	// details of a day with one sample per second have 27 MB.
	MaxItem int64

	// RetryMin and RetryMax bound the wait before another attempt. The wait
	// doubles each time and has a random part. While Garmin refuses a user's
	// token, it grows to four times RetryMax. Zero means a second and 15
	// minutes.
	RetryMin, RetryMax time.Duration
	// PushDeadline is how long after its arrival a push, a deregistration or a
	// permission change is given up on. Zero means 7 days. Pings always have 7
	// days and files 24 hours, since Garmin keeps them no longer.
	PushDeadline time.Duration
	// ExpiryWarning is how long before an item's deadline [ResultExpiring] is
	// reported. Zero means 4 hours.
	ExpiryWarning time.Duration
	// UnknownUserGrace is how long data for an unknown user is retried before it
	// becomes a dead letter, since a notification may arrive before you have
	// stored a new user. Zero means a minute, a negative value none.
	UnknownUserGrace time.Duration
	// StallWarning is how long items of a class may be due without any of them
	// being finished before [ResultStalled] is reported. Zero means 10 minutes.
	StallWarning time.Duration
	// AttemptTimeout is how long an attempt may take; then its ctx ends. Zero
	// means 10 minutes.
	AttemptTimeout time.Duration
	// DrainTimeout is how long Run waits for running attempts after its ctx has
	// ended, and for downloads whose share was lost; then their ctx ends too. Zero
	// means 10 seconds, a negative value none.
	DrainTimeout time.Duration

	// Around, if not nil, is called before each attempt at an item, for instance by
	// a tracer. The attempt runs with the ctx that it returns, and so do the
	// callbacks and the calls to Garmin. end, if not nil, is called after the
	// attempt with its error, which holds no secret. Around must not change the
	// item.
	Around func(ctx context.Context, it *Item) (_ context.Context, end func(error))
	// Observe, if not nil, is called with every outcome. It is called
	// concurrently, and the item's worker waits for it.
	Observe func(Outcome)
	// Logger gets a line for every outcome but ResultDone, and one line for each
	// field that could not be read. nil is silent.
	Logger *slog.Logger
}

func orDefault[T int | int64 | time.Duration](v *T, def T) {
	if *v == 0 {
		*v = def
	}
}

func (o *ProcessorOptions) defaults() error {
	orDefault(&o.Workers, 16)
	orDefault(&o.LargeWorkers, 2)
	orDefault(&o.FileWorkers, 4)
	orDefault(&o.MaxItem, 32<<20)
	orDefault(&o.RetryMin, time.Second)
	orDefault(&o.RetryMax, 15*time.Minute)
	orDefault(&o.PushDeadline, 7*24*time.Hour)
	orDefault(&o.ExpiryWarning, 4*time.Hour)
	orDefault(&o.UnknownUserGrace, time.Minute)
	orDefault(&o.StallWarning, 10*time.Minute)
	orDefault(&o.AttemptTimeout, 10*time.Minute)
	orDefault(&o.DrainTimeout, 10*time.Second)
	switch {
	case o.Workers < 0 || o.LargeWorkers < 0 || o.FileWorkers < 0:
		return errors.New("notify: ProcessorOptions: a number of workers is negative")
	case o.MaxItem < 0:
		return fmt.Errorf("notify: ProcessorOptions.MaxItem is negative: %d", o.MaxItem)
	case o.RetryMin < 0 || o.RetryMax < o.RetryMin:
		return fmt.Errorf("notify: ProcessorOptions: RetryMin is %v and RetryMax %v, want 0 <= RetryMin <= RetryMax", o.RetryMin, o.RetryMax)
	case o.PushDeadline < 0 || o.ExpiryWarning < 0 || o.AttemptTimeout < 0 || o.StallWarning < 0:
		return errors.New("notify: ProcessorOptions: a deadline, warning or timeout is negative")
	}
	return nil
}

// Processor takes items out of a [Queue], pulls what a ping announces, and
// passes each item to the callbacks. The package comment says what it promises.
// It is safe for concurrent use.
type Processor struct {
	*worker
	queue Queue // may be nil
	busy  atomic.Bool
	sched atomic.Pointer[scheduler]
}

// NewProcessor returns a processor for q. It copies calls and opts; nil options mean
// defaults. It returns an error if users, or Save, Deregistration or PermissionChange
// of calls is nil. Close the processor after the last Run.
//
// q may be nil if something else schedules the items, such as your own job queue. The
// processor then only has Attempt, and you decide what is retried, when, and in which
// order.
func NewProcessor(q Queue, users Resolver, calls Callbacks, opts *ProcessorOptions) (*Processor, error) {
	w, err := newWorker(q, users, calls, opts)
	if err != nil {
		return nil, err
	}
	return &Processor{worker: w, queue: q}, nil
}

// Run processes items until ctx ends or the queue fails. It then starts no
// further attempt, and waits for the running ones as long as DrainTimeout says.
// Unfinished items stay in the queue for the next Run.
//
// Run returns nil if ctx ended and every attempt has returned, and otherwise the
// queue's error or one that says how many attempts hang. While one Run works or
// its attempts hang, another returns [ErrInUse].
func (p *Processor) Run(ctx context.Context) error {
	if p.queue == nil {
		return errors.New("notify: the processor has no queue")
	}
	if !p.busy.CompareAndSwap(false, true) {
		return ErrInUse
	}
	free := func() { p.busy.Store(false) }
	defer func() { free() }()
	// Attempts continue after ctx during the drain.
	work, cancel := context.WithCancelCause(context.WithoutCancel(ctx))
	defer cancel(nil)
	r := &run{p: p, ctx: work}
	r.sched = newScheduler(&p.opts, r.attempt, p.observe)
	p.sched.Store(r.sched)

	feed, stopFeed := context.WithCancel(ctx)
	defer stopFeed()
	var watcher sync.WaitGroup
	watcher.Go(func() { r.watch(feed) })
	var queueErr error
	for share, err := range p.queue.Shares(feed) {
		if err != nil {
			queueErr = err
			break
		}
		r.shares.Go(func() { r.serve(feed, share) })
	}
	if queueErr == nil && ctx.Err() == nil {
		queueErr = errors.New("notify: the queue ended")
	}
	stopFeed()
	idle := p.files.quiet(r.sched.stop())
	hung := r.drain(ctx, idle, cancel)
	watcher.Wait()
	if hung > 0 {
		// The shares are not released: something of them runs.
		free = func() {
			go func() {
				<-idle
				r.shares.Wait()
				p.busy.Store(false)
			}()
		}
		return fmt.Errorf("notify: %d attempts did not end in time", hung)
	}
	r.shares.Wait()
	if ctx.Err() != nil {
		return nil
	}
	return queueErr
}

// run is the state of one [Processor.Run].
type run struct {
	p      *Processor
	ctx    context.Context // of the attempts
	sched  *scheduler
	shares sync.WaitGroup
}

// serve works on a share until feed ends, the share is lost, or it is wanted
// back.
func (r *run) serve(feed context.Context, share Share) {
	sh := r.sched.takeShare(share)
	var cancel context.CancelCauseFunc
	sh.ctx, cancel = context.WithCancelCause(r.ctx)
	defer cancel(nil)
	right := share.Context()
	defer context.AfterFunc(right, func() { cancel(context.Cause(right)) })()

	feed, stop := context.WithCancel(feed)
	defer stop()
	settling, stopSettling := context.WithCancel(sh.ctx)
	defer stopSettling()
	var helpers sync.WaitGroup
	lost := make(chan struct{})
	helpers.Go(func() {
		sh.feed(feed, r.queueFailed)
		stop()
	})
	helpers.Go(func() {
		if sh.settleAll(settling, r.queueFailed) {
			close(lost)
		}
		stop()
	})
	select {
	case <-feed.Done():
	case <-share.Wanted():
	case <-right.Done():
	}
	stop()
	quiet := sh.close()
	select {
	case <-quiet:
	case <-right.Done():
	case <-lost:
	case <-r.ctx.Done():
		// The drain is over. Wait for attempts that honour their ctx.
		select {
		case <-quiet:
		case <-time.After(2 * time.Second):
		}
	}
	stopSettling()
	helpers.Wait()
	if right.Err() == nil {
		last, end := context.WithTimeout(context.WithoutCancel(sh.ctx), settleTimeout)
		if err := sh.settleLast(last); err != nil && !errors.Is(err, ErrLost) {
			r.queueFailed("recording verdicts", err, 0)
		}
		end()
	}
	cancel(ErrLost)
	sh.abandon()
	select {
	case <-quiet:
		share.Release()
	default:
		// An attempt hangs. The share ends by itself, or when the attempt ends.
		r.shares.Go(func() {
			<-quiet
			share.Release()
		})
	}
}

// settleTimeout is how long the last verdicts of a share may take.
const settleTimeout = 10 * time.Second

// drain waits for the running attempts and returns how many are left.
func (r *run) drain(ctx context.Context, idle <-chan struct{}, cancel context.CancelCauseFunc) int {
	cause := context.Cause(ctx)
	if cause == nil {
		cause = context.Canceled
	}
	if d := r.p.opts.DrainTimeout; d > 0 {
		t := time.NewTimer(d)
		defer t.Stop()
		select {
		case <-idle:
			return 0
		case <-t.C:
		}
	}
	cancel(cause)
	r.p.files.cut(cause)
	// A callback that honours its ctx returns at once.
	t := time.NewTimer(time.Second)
	defer t.Stop()
	select {
	case <-idle:
		return 0
	case <-t.C:
		return r.sched.active() + len(r.p.files.lateOf(""))
	}
}

// queueFailed reports that the queue failed and is tried again.
func (r *run) queueFailed(doing string, err error, wait time.Duration) {
	r.p.observe(Outcome{Result: ResultQueueFailed, Wait: wait, Err: fmt.Errorf("notify: %s: %w", doing, err)})
}
