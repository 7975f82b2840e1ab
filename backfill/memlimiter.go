package backfill

import (
	"container/heap"
	"container/list"
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/garminkit/activityapi/types"
)

// memoryLimiter is the limiter of [NewLimiter].
type memoryLimiter struct {
	budget int

	mu      sync.Mutex
	used    int       // days of live grants and of those in held
	held    holds     // ended grants that still count
	blocked time.Time // no grants before this, after a 429
	users   map[types.UserID]*queue
	turns   list.List // of *queue: whose turn it is, first to last
	timer   *time.Timer

	app      string        // of the users, once named
	named    bool          // the first has asked
	ledger   Ledger        // has what was asked for before; may be nil
	reading  chan struct{} // holds a token while ledger is read
	restored atomic.Bool
}

// NewLimiter returns a limiter for a single process, of [Evaluation], [Production] or any other number
// of days per minute. It panics if that is less than 1, which is a programming
// error.
//
// ledger records the requests of the key. The first Acquire reads from it what an
// earlier process requested in its last minutes, which counts too. If that fails,
// Acquire fails, and the next call tries again. A nil ledger means that nothing
// was requested before.
func NewLimiter(daysPerMinute int, ledger Ledger) Limiter {
	if daysPerMinute < 1 {
		panic(fmt.Sprintf("backfill: limit of %d days a minute", daysPerMinute))
	}
	return &memoryLimiter{budget: daysPerMinute, users: map[types.UserID]*queue{}, ledger: ledger, reading: make(chan struct{}, 1)}
}

// DaysPerMinute returns the limit.
func (l *memoryLimiter) DaysPerMinute() int { return l.budget }

// Free returns how many days could be requested now, for metrics: none after a
// 429 until its wait is over. It never fails.
func (l *memoryLimiter) Free(context.Context) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.pump()
	if l.blocked.After(time.Now()) {
		return 0, nil
	}
	return max(l.budget-l.used, 0), nil
}

// queue holds the waiting calls of one user, in order.
type queue struct {
	userID types.UserID
	calls  list.List // of *call
	turn   *list.Element
}

type call struct {
	days  int
	ready chan struct{} // closed when granted
}

// Acquire waits for days to be free.
func (l *memoryLimiter) Acquire(ctx context.Context, userID types.UserID, days int) (Grant, error) {
	if days < 1 || days > l.budget {
		return nil, fmt.Errorf("backfill: cannot grant %d days under a limit of %d", days, l.budget)
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if err := l.isFor(userID.App()); err != nil {
		return nil, err
	}
	if err := l.restore(ctx); err != nil {
		return nil, err
	}
	c := &call{days: days, ready: make(chan struct{})}

	l.mu.Lock()
	q := l.users[userID]
	if q == nil {
		q = &queue{userID: userID}
		q.turn = l.turns.PushBack(q)
		l.users[userID] = q
	}
	place := q.calls.PushBack(c)
	l.pump()
	l.mu.Unlock()

	select {
	case <-c.ready:
		return &grant{l: l, days: days}, nil
	case <-ctx.Done():
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	select {
	case <-c.ready: // granted just now: give it back
		l.used -= days
	default:
		q.calls.Remove(place)
		l.retire(q)
	}
	l.pump() // the calls behind may fit
	return nil, ctx.Err()
}

// isFor refuses users of another application than that of the first user: they have
// another consumer key.
func (l *memoryLimiter) isFor(app string) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.named {
		l.app, l.named = app, true
	}
	if l.app != app {
		return fmt.Errorf("backfill: the limiter of application %q was used for %q; see PerApp", l.app, app)
	}
	return nil
}

// retire forgets a queue with no calls left.
func (l *memoryLimiter) retire(q *queue) {
	if q.calls.Len() == 0 {
		l.turns.Remove(q.turn)
		delete(l.users, q.userID)
	}
}

// pump frees what has expired, grants what fits, and sets the timer for the
// rest. The first call in turn is never overtaken, so that small requests do
// not starve a large one. l.mu is held.
func (l *memoryLimiter) pump() {
	now := time.Now()
	for len(l.held) > 0 && !l.held[0].until.After(now) {
		l.used -= heap.Pop(&l.held).(hold).days
	}
	for !l.blocked.After(now) && l.turns.Len() > 0 {
		q := l.turns.Front().Value.(*queue)
		c := q.calls.Front().Value.(*call)
		if l.used+c.days > l.budget {
			break
		}
		l.used += c.days
		close(c.ready)
		q.calls.Remove(q.calls.Front())
		l.turns.MoveToBack(q.turn)
		l.retire(q)
	}

	if l.timer != nil {
		l.timer.Stop()
		l.timer = nil
	}
	if l.turns.Len() == 0 {
		return
	}
	next := l.blocked
	if !next.After(now) {
		if len(l.held) == 0 {
			return // a grant that ends will pump
		}
		next = l.held[0].until
	}
	l.timer = time.AfterFunc(next.Sub(now), func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.pump()
	})
}

// holdFor keeps the days of a grant that has ended for d.
func (l *memoryLimiter) holdFor(days int, d time.Duration) {
	heap.Push(&l.held, hold{time.Now().Add(d), days})
}

// grant implements [Grant].
type grant struct {
	l    *memoryLimiter
	days int

	ended bool // l.mu
}

// SendBy and EndBy are zero: a process that has ended sends nothing more.
func (g *grant) SendBy() time.Time { return time.Time{} }
func (g *grant) EndBy() time.Time  { return time.Time{} }

func (g *grant) End(ctx context.Context, o Outcome) error {
	g.l.mu.Lock()
	defer g.l.mu.Unlock()
	if g.ended {
		return nil
	}
	g.ended = true
	switch {
	case o.Answered:
		g.l.holdFor(g.days, minute+margin)
	case o.Limited:
		g.l.holdFor(g.days, minute+margin)
		wait := min(max(o.RetryAfter, minute+margin), maxWait)
		if until := time.Now().Add(wait); until.After(g.l.blocked) {
			g.l.blocked = until
		}
	case o.NotSent:
		g.l.used -= g.days
	default:
		g.l.holdFor(g.days, lateness+minute+margin)
	}
	g.l.pump()
	return nil
}

// restore holds what the ledger says an earlier process asked for in the last
// minutes. It does so once, before the first grant: then nothing in the ledger
// was asked for by this limiter.
func (l *memoryLimiter) restore(ctx context.Context) error {
	if l.ledger == nil || l.restored.Load() {
		return nil
	}
	select {
	case l.reading <- struct{}{}:
		defer func() { <-l.reading }()
	case <-ctx.Done():
		return ctx.Err()
	}
	if l.restored.Load() {
		return nil
	}
	now := time.Now()
	var found []hold
	for c, err := range l.ledger.Recent(ctx, now.Add(-recent)) {
		if err != nil {
			return fmt.Errorf("backfill: reading earlier requests: %w", err)
		}
		if c.UserID.App() != l.app {
			continue // it was another consumer key's
		}
		days := Cost(c.Window)
		// The answer is that of the last attempt. What was sent before it may still be
		// under way: the processes that sent it have ended, and perhaps just then.
		unanswered := c.Attempts
		last := now // the clock may have been set back since
		switch {
		case c.State == StateRequested:
			unanswered = max(1, unanswered)
		case !c.Answered.IsZero():
			// The ledger's clock may be set while the process runs; ours, which
			// now has, may not.
			if c.Answered.Before(now) {
				last = now.Add(c.Answered.Sub(now))
			}
			found = append(found, hold{last.Add(minute + margin), days})
			unanswered--
		}
		if unanswered > 0 {
			found = append(found, hold{last.Add(lateness + minute + margin), days * unanswered})
		}
	}

	l.mu.Lock()
	defer l.mu.Unlock()
	for _, h := range found {
		l.used += h.days
		heap.Push(&l.held, h)
	}
	l.pump()
	l.restored.Store(true)
	return nil
}

// recent is how far back restore looks. A process that sent a request longer
// ago has had its answer, or has ended long enough ago.
const recent = 10 * time.Minute

// hold is a number of days that count until a moment.
type hold struct {
	until time.Time
	days  int
}

// holds is a heap of them, the first to expire on top.
type holds []hold

func (h holds) Len() int           { return len(h) }
func (h holds) Less(i, j int) bool { return h[i].until.Before(h[j].until) }
func (h holds) Swap(i, j int)      { h[i], h[j] = h[j], h[i] }
func (h *holds) Push(x any)        { *h = append(*h, x.(hold)) }
func (h *holds) Pop() any {
	old := *h
	x := old[len(old)-1]
	*h = old[:len(old)-1]
	return x
}
