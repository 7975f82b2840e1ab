package queue

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"iter"
	"math/rand/v2"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing/iotest"
	"time"

	"github.com/garminkit/activityapi/internal/memqueue"
	"github.com/garminkit/activityapi/notify"
	"github.com/garminkit/activityapi/types"
)

// place is where one process after another lives.
type place struct {
	w      *world
	number int
	dir    string // for files, "" for none

	mu   sync.Mutex
	life *life
	all  []*life
}

// life is a process from its start to its end.
type life struct {
	w      *world
	number int
	handle *memqueue.Memory
	stop   context.CancelFunc
	done   chan struct{} // Run has returned
	err    error         // of Run
	dead   chan struct{} // it was killed, or has ended
	once   sync.Once
	held   atomic.Int64 // shares

	settling, scanning, loading slot
}

var errDead = errors.New("the process is dead")

func (p *place) current() *life {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.life
}

func (p *place) start() {
	w := p.w
	w.mu.Lock()
	w.opened++
	l := &life{w: w, number: w.opened, handle: w.db.Open(), done: make(chan struct{}), dead: make(chan struct{})}
	l.settling.busy, l.scanning.busy, l.loading.busy = make(chan struct{}, 1), make(chan struct{}, 1), make(chan struct{}, 1)
	w.lives[l.number] = l
	w.mu.Unlock()
	ctx, cancel := context.WithCancel(w.ctx)
	l.stop = cancel
	p.mu.Lock()
	p.life = l
	p.all = append(p.all, l)
	p.mu.Unlock()
	calls := notify.Callbacks{Save: l.save, Deregistration: l.deregistration, PermissionChange: l.permission}
	opts := &notify.ProcessorOptions{RetryMax: 20 * time.Second, AttemptTimeout: 30 * time.Second, DrainTimeout: 5 * time.Second}
	if p.dir != "" {
		calls.File = l.file
		opts.Files = &notify.Files{Dir: p.dir, SkipCheck: true}
	}
	processor, err := notify.NewProcessor(&watched{l.handle, l},
		func(_ context.Context, id types.UserID) ([]notify.User, error) {
			return []notify.User{{ID: string(id), Client: client{l}}}, nil
		}, calls, opts)
	if err != nil {
		panic(err)
	}
	go func() {
		defer close(l.done)
		l.err = processor.Run(ctx)
		_ = processor.Close()
	}()
}

// kill ends the process, wherever it is.
func (l *life) kill() {
	l.once.Do(func() {
		l.handle.Kill()
		l.w.hist.died(l.number)
		close(l.dead)
	})
	l.stop()
}

// leave ends the process in good order, and kills it if it hangs.
func (l *life) leave() {
	l.stop()
	select {
	case <-l.done:
	case <-time.After(90 * time.Second): // a release may take its time
		l.w.hist.wrong("process %d did not stop", l.number)
	}
	if l.err == nil {
		left := make(chan struct{})
		go func() {
			defer close(left)
			_ = l.handle.Close()
		}()
		select {
		case <-left:
		case <-time.After(time.Minute):
		}
	}
	l.kill()
}

func (p *place) end() {
	p.current().leave()
	for _, l := range p.all {
		<-l.done
		_ = l.handle.Close() // waits for what it has sent
	}
}

// troubles lets things go wrong, until all is calm.
func (p *place) troubles() {
	rng := p.w.rng(fmt.Sprint("place ", p.number))
	start := time.Now()
	some := func(from, to time.Duration) time.Duration { return from + time.Duration(rng.Int64N(int64(to-from))) }
	for {
		time.Sleep(some(0, 15*time.Second))
		if time.Since(start) > p.w.chaos {
			return
		}
		l := p.current()
		select {
		case <-l.done:
			p.w.hist.wrong("Run of process %d returned %v", l.number, l.err)
			return
		default:
		}
		switch n := rng.IntN(20); {
		case n < 5: // a pause, shorter or longer than a lease
			d := some(0, 2*time.Second)
			if n < 3 {
				d = some(2*time.Second, 40*time.Second)
			}
			l.handle.Pause()
			from := time.Now()
			time.Sleep(d)
			p.w.hist.paused(l.number, from, time.Now())
			l.handle.Resume()
		case n < 9: // a crash
			l.kill()
			time.Sleep(some(0, 10*time.Second))
			p.start()
		case n < 11: // a roll-out
			l.leave()
			p.start()
		case n < 15: // a partition
			l.handle.Cut(true)
			time.Sleep(some(0, 30*time.Second))
			l.handle.Cut(false)
		case n < 16:
			p.w.step(rng)
		}
	}
}

// draw is the randomness of one attempt, the same whoever makes it.
func (w *world) draw(order uint64, n int) *rand.Rand {
	h := fnv.New64a()
	fmt.Fprint(h, w.seed, order, n)
	return rand.New(rand.NewPCG(w.seed, h.Sum64()))
}

var errFails = errors.New("the database is away")

// work is what a callback does: it takes its time, and may fail in every way.
func (l *life) work(ctx context.Context, d *notify.Delivery, marker int) error {
	if l.handle.Alive() != nil {
		return errDead
	}
	w := l.w
	b := w.hist.begin(l.number, d, marker)
	if b == nil {
		return errDead
	}
	err := l.act(ctx, d, w.draw(d.Order, b.count))
	if l.handle.Alive() != nil {
		return errDead
	}
	w.hist.end(b, err == nil)
	if err == errPanics {
		panic(err)
	}
	return err
}

var errPanics = errors.New("a panic")

func (l *life) act(ctx context.Context, d *notify.Delivery, rng *rand.Rand) error {
	some := func(most time.Duration) time.Duration { return time.Duration(rng.Int64N(int64(most))) }
	if l.w.calm.Load() {
		return nil
	}
	// It works for a while, and honours ctx a bit late.
	takes := some(200 * time.Millisecond)
	late := some(honour)
	kind := rng.IntN(20)
	switch {
	case kind == 0:
		takes = time.Hour // it hangs until ctx ends
	case kind < 4:
		takes = some(10 * time.Second)
	}
	select {
	case <-time.After(takes):
	case <-l.dead:
		return errDead
	case <-ctx.Done():
		select {
		case <-time.After(late):
		case <-l.dead:
		}
		if kind%2 == 0 {
			return context.Cause(ctx)
		}
	}
	switch {
	case kind < 15:
		return nil
	case kind < 17:
		return errFails
	case kind == 17:
		return notify.Permanent(errFails)
	case kind == 18:
		return errPanics
	}
	return notify.RetryAfter(errFails, some(20*time.Second))
}

func (l *life) save(ctx context.Context, d *notify.Delivery, s types.Summary) error {
	switch s := s.(type) {
	case *types.Activity:
		return l.work(ctx, d, s.DurationInSeconds)
	case *types.ManualActivity:
		return l.work(ctx, d, s.DurationInSeconds)
	case *types.ActivityDetails:
		return l.work(ctx, d, s.Summary.DurationInSeconds)
	}
	return notify.Permanent(fmt.Errorf("a %T", s))
}

func (l *life) file(ctx context.Context, d *notify.Delivery, f *notify.File) error {
	n, _ := strconv.Atoi(strings.TrimPrefix(string(f.Announced.SummaryID), "f"))
	return l.work(ctx, d, n)
}

func (l *life) deregistration(context.Context, *notify.Delivery, *notify.Deregistration) error {
	return errors.New("there was none")
}

func (l *life) permission(ctx context.Context, d *notify.Delivery, e *notify.PermissionChange) error {
	return l.work(ctx, d, int(e.ChangeTimeInSeconds))
}

// client is Garmin as a user reaches it.
type client struct{ l *life }

func (c client) Follow(ctx context.Context, _ types.Kind, callbackURL types.Secret) iter.Seq2[types.Summary, error] {
	return func(yield func(types.Summary, error) bool) {
		u, _ := url.Parse(string(callbackURL))
		n, _ := strconv.Atoi(u.Query().Get("token"))
		if err := c.l.handle.Alive(); err != nil {
			yield(nil, err)
			return
		}
		if !c.l.w.calm.Load() {
			switch c.l.w.draw(uint64(n)<<32, c.l.w.hist.pulled(n)).IntN(12) {
			case 0:
				yield(nil, refusal{types.FaultUser})
				return
			case 1:
				yield(nil, refusal{types.FaultNetwork})
				return
			case 2:
				yield(nil, refusal{types.FaultGarmin})
				return
			}
		}
		s := &types.ActivityDetails{SummaryID: types.ID(fmt.Sprint("pulled", n)), UserID: types.UserID(u.Query().Get("user"))}
		s.Summary.DurationInSeconds = n
		yield(s, nil)
	}
}

func (c client) Download(_ context.Context, callbackURL types.Secret) (io.ReadCloser, error) {
	if err := c.l.handle.Alive(); err != nil {
		return nil, err
	}
	_, id, _ := strings.Cut(string(callbackURL), "=")
	n, _ := strconv.Atoi(id)
	body := io.Reader(strings.NewReader("a file"))
	if !c.l.w.calm.Load() {
		switch c.l.w.draw(uint64(n)<<32, c.l.w.hist.pulled(n)).IntN(12) {
		case 0:
			return nil, refusal{types.FaultUser}
		case 1:
			return nil, refusal{types.FaultGarmin}
		case 2: // it breaks, and is spent
			body = io.MultiReader(body, iotest.ErrReader(errFails))
		}
	}
	return io.NopCloser(body), nil
}

// refusal is an answer of Garmin's.
type refusal struct{ fault types.Fault }

func (r refusal) Error() string           { return fmt.Sprint("refused: ", r.fault) }
func (r refusal) Fault() types.Fault      { return r.fault }
func (refusal) RetryAfter() time.Duration { return 0 }
