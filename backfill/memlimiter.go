package backfill

import (
	"container/heap"
	"container/list"
	"context"
	"fmt"
	"sync"
	"time"
)

// MemoryLimiter is the [Limiter] of a single process. Use one for all that is
// done with a consumer key. Each call costs O(log n) for n grants held.
type MemoryLimiter struct {
	budget int

	mu      sync.Mutex
	used    int       // days of live grants and of those in held
	held    holds     // ended grants that still count
	blocked time.Time // no grants before this, after a 429
	users   map[string]*queue
	turns   list.List // of *queue: whose turn it is, first to last
	timer   *time.Timer

	restoring sync.Mutex
	restored  map[Ledger]bool
}

// NewLimiter returns a limiter of [Evaluation], [Production] or any other
// number of days a minute. It panics if that is less than 1.
func NewLimiter(daysPerMinute int) *MemoryLimiter {
	if daysPerMinute < 1 {
		panic(fmt.Sprintf("backfill: limit of %d days a minute", daysPerMinute))
	}
	return &MemoryLimiter{budget: daysPerMinute, users: map[string]*queue{}, restored: map[Ledger]bool{}}
}

// DaysPerMinute returns the limit.
func (l *MemoryLimiter) DaysPerMinute() int { return l.budget }

// queue holds the waiting calls of one user, in order.
type queue struct {
	userID string
	calls  list.List // of *call
	turn   *list.Element
}

type call struct {
	days  int
	ready chan struct{} // closed when granted
}

// Acquire waits for days to be free.
func (l *MemoryLimiter) Acquire(ctx context.Context, userID string, days int) (Grant, error) {
	if days < 1 || days > l.budget {
		return nil, fmt.Errorf("backfill: cannot grant %d days under a limit of %d", days, l.budget)
	}
	if err := ctx.Err(); err != nil {
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

// retire forgets a queue with no calls left.
func (l *MemoryLimiter) retire(q *queue) {
	if q.calls.Len() == 0 {
		l.turns.Remove(q.turn)
		delete(l.users, q.userID)
	}
}

// pump frees what has expired, grants what fits, and sets the timer for the
// rest. The first call in turn is never overtaken, so that small requests do
// not starve a large one. l.mu is held.
func (l *MemoryLimiter) pump() {
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
func (l *MemoryLimiter) holdFor(days int, d time.Duration) {
	heap.Push(&l.held, hold{time.Now().Add(d), days})
}

// grant implements [Grant].
type grant struct {
	l    *MemoryLimiter
	days int
	once sync.Once
}

func (g *grant) end(how func()) {
	g.once.Do(func() {
		g.l.mu.Lock()
		defer g.l.mu.Unlock()
		how()
		g.l.pump()
	})
}

func (g *grant) Done() { g.end(func() { g.l.holdFor(g.days, minute+margin) }) }
func (g *grant) Lost() { g.end(func() { g.l.holdFor(g.days, lateness+minute+margin) }) }

func (g *grant) Limited(retryAfter time.Duration) {
	g.end(func() {
		wait := max(retryAfter, minute+margin)
		g.l.holdFor(g.days, minute+margin)
		if until := time.Now().Add(wait); until.After(g.l.blocked) {
			g.l.blocked = until
		}
	})
}

func (g *grant) Cancel() { g.end(func() { g.l.used -= g.days }) }

// Restore holds what the ledger says an earlier process asked for in the last
// minutes. The first call with a ledger must come before requests are made
// with it; [Run] sees to that.
func (l *MemoryLimiter) Restore(ctx context.Context, ledger Ledger) error {
	l.restoring.Lock()
	defer l.restoring.Unlock()
	if l.restored[ledger] {
		return nil
	}
	now := time.Now()
	var found []hold
	for c, err := range ledger.Recent(ctx, now.Add(-recent)) {
		if err != nil {
			return err
		}
		h := hold{days: Cost(c.Window) * max(1, c.Attempts)}
		switch {
		case c.State == Requested: // no answer is known; the process may have ended just now
			h.until = now.Add(lateness + minute + margin)
		case c.Answered.After(now): // the clock was set back
			h.until = now.Add(minute + margin)
		default:
			h.until = c.Answered.Add(minute + margin)
		}
		found = append(found, h)
	}
	l.restored[ledger] = true

	l.mu.Lock()
	defer l.mu.Unlock()
	for _, h := range found {
		l.used += h.days
		heap.Push(&l.held, h)
	}
	l.pump()
	return nil
}

// recent is how far back Restore looks. A process that sent a request longer
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
