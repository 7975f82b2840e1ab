package postgres

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/garminkit/activityapi/backfill"
	"github.com/garminkit/activityapi/types"
)

// What a limiter knows of time. The tables have the rest: see budget_turn.
const (
	sendWithin = 5 * time.Second // a request is sent so long after its grant at most
	maxRequest = time.Minute     // and has ended so long after it
	held       = 60_100 * time.Millisecond
	lateness   = 30 * time.Second // the server may count a lost request so much later
	maxStop    = time.Hour        // after a 429

	turnEvery = 250 * time.Millisecond // to ask whose turn it is, if nobody says
	turnAtAll = time.Second            // to look whether days came free early
)

// limiter is the [backfill.Limiter] of all processes, as this one has it. One
// goroutine talks to the server: what became of requests is told before more is
// asked for.
type limiter struct {
	db   *DB
	name string
	days int
	wake chan struct{}

	mu    sync.Mutex
	calls []*call // that wait, in order
	gone  []int64 // that gave up
	ends  []*end  // that the server does not know
}

// call waits for a grant.
type call struct {
	nr     int64
	userID types.UserID
	days   int
	inLine bool        // the server has it
	ready  chan *grant // has room for one
	failed chan error
}

// end is what became of a request.
type end struct {
	nr   int64
	days int
	held *float64      // seconds; nil: it was not sent
	stop time.Duration // after a 429
	done chan error    // has room for one
}

// grant is leave to send one request.
type grant struct {
	l    *limiter
	nr   int64
	days int
	at   time.Time // by our clock: not later than the server granted it

	mu    sync.Mutex
	ended bool
}

// Limiter returns a limiter that keeps the requests of all processes within a
// consumer key's days per minute. The name identifies the key, and may be the
// key itself. All callers with the same name must pass the same number of days.
// Only the server's clock is used.
//
// To change the number, stop the processes that use the name, and set the new
// number in the table budget.
func (db *DB) Limiter(ctx context.Context, name string, daysPerMinute int) (backfill.Limiter, error) {
	if daysPerMinute < 1 || daysPerMinute > 1<<30 {
		return nil, fmt.Errorf("postgres: Limiter: daysPerMinute is %d, want 1 to %d", daysPerMinute, 1<<30)
	}
	var have int
	err := db.do(ctx, "limiter", again, func(ctx context.Context) error {
		_, err := db.pool.Exec(ctx, db.sql(`INSERT INTO {s}.budget (name, days, life) VALUES ($1, $2, {s}.server_life()) ON CONFLICT DO NOTHING`), []byte(name), daysPerMinute)
		if err != nil {
			return err
		}
		return db.pool.QueryRow(ctx, db.sql(`SELECT days FROM {s}.budget WHERE name = $1`), []byte(name)).Scan(&have)
	})
	if err != nil {
		return nil, err
	}
	if have != daysPerMinute {
		return nil, fmt.Errorf("postgres: limiter %q has %d days a minute for other processes, not %d", name, have, daysPerMinute)
	}
	l := &limiter{db: db, name: name, days: daysPerMinute, wake: make(chan struct{}, 1)}
	if !db.addLimiter(l) {
		return nil, errClosed
	}
	return l, nil
}

// turns is the channel in which a process hears that it is its turn.
func (db *DB) turns() string { return channelOf(db.schema, "activityapi-turns") }

// addLimiter starts a limiter, and the listener with the first.
func (db *DB) addLimiter(l *limiter) bool {
	db.limiters.mu.Lock()
	defer db.limiters.mu.Unlock()
	if db.ctx.Err() != nil {
		return false
	}
	db.limiters.all = append(db.limiters.all, l)
	if len(db.limiters.all) == 1 {
		db.tasks.Go(func() {
			db.listens(db.holder.ctx, db.turns(), func() { db.limiters.signal("") }, db.limiters.signal)
		})
	}
	db.tasks.Go(l.drive)
	return true
}

// limiters are those of a process.
type limiters struct {
	holder *holder
	mu     sync.Mutex
	all    []*limiter
}

// signal wakes them if it is the turn of this process. "" is everybody's.
func (ls *limiters) signal(whose string) {
	ls.holder.mu.Lock()
	me := strconv.FormatInt(ls.holder.id, 10)
	ls.holder.mu.Unlock()
	if whose != "" && whose != me {
		return
	}
	ls.mu.Lock()
	defer ls.mu.Unlock()
	for _, l := range ls.all {
		signal(l.wake)
	}
}

// DaysPerMinute implements [backfill.Limiter].
func (l *limiter) DaysPerMinute() int { return l.days }

// Free returns how many days all processes together could ask for now, as that of
// [backfill.NewLimiter] does.
func (l *limiter) Free(ctx context.Context) (free int, err error) {
	err = l.db.do(ctx, "limiter", again, func(ctx context.Context) error {
		return l.db.pool.QueryRow(ctx, l.db.sql(`SELECT CASE WHEN b.blocked > t.now THEN 0 ELSE greatest(0, b.days -
			(SELECT coalesce(sum(g.days), 0) FROM {s}.budget_grant g WHERE g.name = b.name AND (g.until IS NULL OR g.until > t.now))) END
			FROM {s}.budget b, (SELECT {s}.clock() AS now) t WHERE b.name = $1`), []byte(l.name)).Scan(&free)
	})
	return free, err
}

// Acquire implements [backfill.Limiter].
func (l *limiter) Acquire(ctx context.Context, userID types.UserID, days int) (backfill.Grant, error) {
	if days < 1 || days > l.days {
		return nil, fmt.Errorf("postgres: cannot grant %d days under a limit of %d", days, l.days)
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if _, err := l.db.holder.join(ctx); err != nil {
		return nil, err
	}
	c := &call{nr: l.db.holder.next(), userID: userID, days: days, ready: make(chan *grant, 1), failed: make(chan error, 1)}
	l.mu.Lock()
	l.calls = append(l.calls, c)
	l.mu.Unlock()
	signal(l.wake)
	var err error
	select {
	case g := <-c.ready:
		return g, nil
	case err = <-c.failed:
		return nil, err
	case <-ctx.Done():
		err = ctx.Err()
	case <-l.db.ctx.Done():
		err = errClosed
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if i := slices.Index(l.calls, c); i >= 0 {
		l.calls = slices.Delete(l.calls, i, i+1)
	}
	// If it was granted just now, nobody has seen that, and nothing was sent.
	l.gone = append(l.gone, c.nr)
	signal(l.wake)
	return nil, err
}

// SendBy implements [backfill.Grant]. A machine that was suspended has no clock
// that can be trusted to have gone on; the other tells.
func (g *grant) SendBy() time.Time {
	if time.Now().Round(0).Sub(g.at.Round(0)) > sendWithin {
		return g.at
	}
	return g.at.Add(sendWithin)
}

// EndBy implements [backfill.Grant].
func (g *grant) EndBy() time.Time { return g.at.Add(maxRequest) }

// End implements [backfill.Grant]. What it could not tell is told later all the
// same.
func (g *grant) End(ctx context.Context, o backfill.Outcome) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.ended {
		return nil
	}
	e := &end{nr: g.nr, days: g.days, done: make(chan error, 1)}
	span := held.Seconds()
	switch {
	case o.Answered:
		e.held = &span
	case o.Limited:
		e.held, e.stop = &span, min(max(o.RetryAfter, held), maxStop)
	case o.NotSent:
		e.held = nil
	default:
		span += lateness.Seconds()
		e.held = &span
	}
	g.l.mu.Lock()
	g.l.ends = append(g.l.ends, e)
	g.l.mu.Unlock()
	signal(g.l.wake)
	select {
	case err := <-e.done:
		g.ended = err == nil
		return err
	case <-ctx.Done():
		return ctx.Err()
	case <-g.l.db.ctx.Done():
		return errClosed
	}
}
