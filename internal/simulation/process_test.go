package simulation

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing/synctest"
	"time"

	"github.com/garminkit/activityapi/activity"
	"github.com/garminkit/activityapi/backfill"
	"github.com/garminkit/activityapi/notify"
	"github.com/garminkit/activityapi/notify/spool"
	"github.com/garminkit/activityapi/types"
)

// process is one run of the partner's program, from its start to its end or
// death.
type process struct {
	l       *life
	gen     int
	dir     string
	dead    atomic.Bool // its goroutines wind up, and nothing they do counts
	handler http.Handler
	queue   notify.Queue
	spool   notify.Queue // nil with a queue in memory
	pool    *activity.Pool
	ledger  backfill.Ledger
	book    backfill.Ledger
	limiter backfill.Limiter
	proc    *notify.Processor
	ctx     context.Context
	stop    context.CancelFunc

	background sync.WaitGroup
	done       chan error
}

func (l *life) logger() *slog.Logger {
	return slog.New(slog.NewTextHandler(logs{l}, &slog.HandlerOptions{Level: slog.LevelDebug}))
}

// launch starts a process on the disk as it is.
func (l *life) launch() {
	p := &process{l: l, dir: l.disk, done: make(chan error, 1)}
	l.mu.Lock()
	l.gens++
	p.gen = l.gens
	l.mu.Unlock()
	log := l.logger()
	must := func(err error) {
		if err != nil {
			l.t.Fatalf("start of process %d: %v", p.gen, err)
		}
	}
	must(os.MkdirAll(filepath.Join(p.dir, "files"), 0o700))
	var q notify.Queue = l.memory
	if l.memory == nil {
		s, err := spool.Open(filepath.Join(p.dir, "spool"), &spool.Options{Logger: log})
		must(err)
		p.spool, q = s, s
	}
	if l.sabotage != nil && l.sabotage.queue != nil {
		q = l.sabotage.queue(p, q)
	}
	p.queue = fence{p, q}
	store := shelf{p}.Put
	if l.sabotage != nil && l.sabotage.put != nil {
		store = l.sabotage.put(p, store)
	}
	secret, err := notify.PathSecret(pathSecret, "")
	must(err)
	p.handler = notify.NewHandler(store, &notify.HandlerOptions{
		// Small, so that bytes in flight that are never given back are noticed.
		MaxBody: 1 << 20, MaxInFlight: 4 << 20,
		Origin: []notify.OriginCheck{secret}, Logger: log,
		Observe: func(_ context.Context, r notify.Receipt) {
			if r.Err != nil {
				l.heard("a receipt", r.Err.Error())
			}
		},
	})
	if l.sabotage != nil && l.sabotage.handler != nil {
		p.handler = l.sabotage.handler(p, p.handler)
	}
	p.pool, err = activity.NewPool(&activity.Options{Transport: transport{p}, Logger: log, RetryBudget: 1})
	must(err)
	p.book, err = backfill.OpenLedger(filepath.Join(p.dir, "ledger"), &backfill.LedgerOptions{Logger: log})
	must(err)
	p.ledger = p.book
	if l.sabotage != nil && l.sabotage.ledger != nil {
		p.ledger = l.sabotage.ledger()
	}
	p.limiter = backfill.NewLimiter(backfill.Evaluation, p.ledger)
	calls := notify.Callbacks{Save: p.save, File: p.file, Deregistration: p.deregistration, PermissionChange: p.permissions}
	if l.sabotage != nil && l.sabotage.calls != nil {
		l.sabotage.calls(p, &calls)
	}
	proc, err := notify.NewProcessor(p.queue, p.resolve, calls, &notify.ProcessorOptions{
		Files: &notify.Files{Dir: filepath.Join(p.dir, "files")}, Observe: p.observe, Logger: log,
	})
	must(err)
	ctx, stop := context.WithCancel(l.end)
	p.proc, p.ctx, p.stop = proc, ctx, stop
	go func() { p.done <- proc.Run(ctx) }()
	p.fetchAll(ctx)
	l.mu.Lock()
	l.proc = p
	l.mu.Unlock()
}

// land stops the process as an operator does.
func (l *life) land() {
	l.mu.Lock()
	p := l.proc
	l.proc = nil
	l.mu.Unlock()
	if p == nil {
		return
	}
	p.stop()
	if err := <-p.done; err != nil {
		l.fail("I6", "", "the processor does not stop: %v", err)
	}
	p.close()
}

func (p *process) close() {
	p.background.Wait()
	if err := p.proc.Close(); err != nil {
		p.l.fail("I6", "", "the processor does not close: %v", err)
	}
	if p.spool != nil {
		if err := p.spool.Close(); err != nil {
			p.l.fail("I6", "", "the spool does not close: %v", err)
		}
	}
	if err := p.book.Close(); err != nil {
		p.l.fail("I6", "", "the ledger does not close: %v", err)
	}
	p.pool.Close()
}

func (l *life) restart() {
	l.note("restart", "")
	down := l.between(time.Second, time.Hour)
	l.trouble(processDown, "", down)
	l.land()
	time.Sleep(down)
	l.launch()
}

// kill ends the process between two of its steps, wherever it stands, or cuts
// the power: then marks of late are lost too.
func (l *life) kill() {
	power := l.script.IntN(3) == 0
	if power {
		l.note("power cut", "")
	} else {
		l.note("kill", "")
	}
	synctest.Wait() // all goroutines wait for something: no file is half written
	l.mu.Lock()
	p := l.proc
	l.proc = nil
	if power {
		l.cuts++
	}
	l.mu.Unlock()
	p.dead.Store(true)
	old := l.disk
	l.disk = filepath.Join(l.base, fmt.Sprint(p.gen))
	if err := os.CopyFS(l.disk, os.DirFS(old)); err != nil {
		l.t.Fatal(err)
	}
	if power {
		l.loseMarks()
	}
	down := l.between(time.Second, time.Hour)
	l.trouble(processDown, "", down)
	p.stop()
	<-p.done
	p.close()
	os.RemoveAll(old)
	time.Sleep(down)
	l.launch()
}

// loseMarks cuts the files of marks, which are written without sync, at any
// byte.
func (l *life) loseMarks() {
	list, _ := filepath.Glob(filepath.Join(l.disk, "spool", "*", "*.marks"))
	for _, name := range list {
		if info, err := os.Stat(name); err == nil && info.Size() > 0 {
			if os.Truncate(name, l.script.Int64N(info.Size()+1)) == nil {
				l.count("file of marks cut")
			}
		}
	}
}

// Resolve finds the partner's users of an account.
func (p *process) resolve(ctx context.Context, garmin types.UserID) ([]notify.User, error) {
	l := p.l
	if p.dead.Load() {
		return nil, errDead
	}
	partners := l.db.partners(garmin)
	if l.sabotage != nil && l.sabotage.resolve != nil {
		partners = l.sabotage.resolve(l, garmin, partners)
	}
	if len(partners) == 0 {
		return nil, notify.ErrUnknownUser
	}
	var client notify.Client
	if who := l.truth.person(garmin); who != nil {
		c, err := p.client(who)
		if err != nil {
			return nil, err
		}
		client = caller{p, c}
		if l.sabotage != nil && l.sabotage.client != nil {
			client = l.sabotage.client(client)
		}
	}
	var users []notify.User
	for _, id := range partners {
		users = append(users, notify.User{ID: id, Client: client})
	}
	return users, nil
}

func (p *process) client(who *person) (*activity.Client, error) {
	return p.pool.Client(activity.OAuth2(who))
}

// deregister is the partner's own, for a user who leaves the partner.
func (p *process) deregister(who *person) error {
	c, err := p.client(who)
	if err != nil {
		return err
	}
	if err := c.Deregister(p.l.end); err != nil {
		p.l.heard("an error", err.Error())
		return err
	}
	return nil
}

// observe checks that an item ends once.
func (p *process) observe(o notify.Outcome) {
	l := p.l
	l.count("outcome " + string(o.Result))
	if o.Err != nil {
		text := o.Err.Error()
		if l.sabotage != nil && l.sabotage.outcome != nil {
			text = l.sabotage.outcome(o.Err)
		}
		l.heard("an outcome", text)
	}
	switch o.Result {
	case notify.ResultDone, notify.ResultBuried, notify.ResultQuarantined, notify.ResultUnknownUser:
	default:
		return
	}
	if p.dead.Load() {
		return
	}
	l.mu.Lock()
	cuts, before := l.ended[o.ID]
	l.ended[o.ID] = l.cuts
	again := before && cuts == l.cuts
	l.mu.Unlock()
	if again {
		l.fail("I2", string(o.UserID), "item %d of %s ends twice, and no power was cut between", o.ID, o.UserID)
	}
}

// shelf is the store as the handler sees it: a queue that can hang.
type shelf struct{ p *process }

func (s shelf) Put(ctx context.Context, r io.Reader) error {
	l := s.p.l
	body, err := io.ReadAll(r)
	if err != nil {
		// The queue must see it fail too, and keep nothing.
		return s.p.queue.Put(ctx, io.MultiReader(strings.NewReader(string(body)), broken{}))
	}
	_, x := l.try("put", fmt.Sprint(len(body)), time.Now().String())
	switch {
	case s.p.dead.Load():
		return errDead
	case x < .01:
		l.count("fault: store fails")
		return errors.New("no space left on device")
	case x < .02:
		l.count("fault: store hangs before")
		if err := nap(context.WithoutCancel(ctx), 40*time.Second); err != nil {
			return err
		}
	}
	undo := l.storing(body)
	if err := s.p.queue.Put(ctx, strings.NewReader(string(body))); err != nil {
		undo()
		return err
	}
	l.count("body stored")
	switch {
	case x > .99:
		l.count("fault: store hangs after")
		nap(context.WithoutCancel(ctx), 40*time.Second)
	case x > .98:
		l.count("fault: store says no and has it")
		return errors.New("the answer of the store was lost")
	case x > .5:
		nap(ctx, time.Duration(x*1e6)%4*time.Second)
	}
	return nil
}

// fence keeps a dead process off a queue that outlives it.
type fence struct {
	p *process
	notify.Queue
}

func (f fence) Put(ctx context.Context, r io.Reader) error {
	if f.p.dead.Load() {
		return errDead
	}
	return f.Queue.Put(ctx, r)
}

func (f fence) Shares(ctx context.Context) iter.Seq2[notify.Share, error] {
	return shares(f.Queue, func(s notify.Share) notify.Share { return fencedShare{f.p, s} }).Shares(ctx)
}

// fencedShare records nothing for a dead process.
type fencedShare struct {
	p *process
	notify.Share
}

func (s fencedShare) Settle(ctx context.Context, verdicts []notify.Verdict) error {
	if s.p.dead.Load() {
		return errDead
	}
	return s.Share.Settle(ctx, verdicts)
}

// wrapped puts each share of a queue into a wrapper.
type wrapped struct {
	notify.Queue
	wrap func(notify.Share) notify.Share
}

func shares(q notify.Queue, wrap func(notify.Share) notify.Share) notify.Queue {
	return wrapped{q, wrap}
}

func (w wrapped) Shares(ctx context.Context) iter.Seq2[notify.Share, error] {
	return func(yield func(notify.Share, error) bool) {
		for s, err := range w.Queue.Shares(ctx) {
			if err == nil {
				s = w.wrap(s)
			}
			if !yield(s, err) {
				return
			}
		}
	}
}
