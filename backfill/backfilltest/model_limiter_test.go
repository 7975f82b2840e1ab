package backfilltest_test

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/garminkit/activityapi/backfill"
	"github.com/garminkit/activityapi/types"
)

// What the model of a shared limiter knows of time. Each grant may be used for
// sendWithin, and no request takes longer than maxRequest.
const (
	sendWithin = 5 * time.Second
	maxRequest = 2 * time.Minute
	held       = time.Minute + 100*time.Millisecond
	late       = 30 * time.Second
)

// limiterDB stands for a database that limiters of many processes share.
type limiterDB struct {
	mu      sync.Mutex
	holds   []*modelHold
	blocked time.Time
	line    []*modelCall
	turns   int
	flaws   map[string]bool
}

type modelHold struct {
	owner *modelLimiter
	days  int
	until time.Time // zero while the request is under way
}

type modelCall struct {
	owner *modelLimiter
	user  types.UserID
	days  int
	turn  int // 0 for all but the first of a user
	ready chan *modelHold
}

func newLimiterDB(flaws ...string) *limiterDB {
	d := &limiterDB{flaws: map[string]bool{}}
	for _, f := range flaws {
		d.flaws[f] = true
	}
	return d
}

// modelLimiter is one process's handle on a limiterDB.
type modelLimiter struct {
	db      *limiterDB
	seen    time.Time // its last sign of life
	blocked time.Time // of the flaw that 429 is not shared
	kill    context.CancelFunc
}

func (d *limiterDB) open(t *testing.T) *modelLimiter {
	ctx, kill := context.WithCancel(context.Background())
	l := &modelLimiter{db: d, seen: time.Now(), kill: kill}
	t.Cleanup(kill)
	go func() { // signs of life, and grants whose time has come
		tick := time.NewTicker(250 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
				d.mu.Lock()
				l.seen = time.Now()
				d.pump()
				d.mu.Unlock()
			case <-ctx.Done():
				return
			}
		}
	}()
	return l
}

func (l *modelLimiter) dead() bool { return time.Since(l.seen) > ttl }

func (l *modelLimiter) DaysPerMinute() int { return backfill.Evaluation }

func (l *modelLimiter) Acquire(ctx context.Context, user types.UserID, days int) (backfill.Grant, error) {
	d := l.db
	if days < 1 || days > backfill.Evaluation {
		return nil, errors.New("bad number of days")
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	c := &modelCall{owner: l, user: user, days: days, ready: make(chan *modelHold, 1)}
	d.mu.Lock()
	if !slices.ContainsFunc(d.line, func(x *modelCall) bool { return x.user == user }) || d.flaws["first come, first served"] {
		d.turns++
		c.turn = d.turns
	}
	if d.flaws["a user's last call first"] {
		d.line = slices.Insert(d.line, 0, c)
	} else {
		d.line = append(d.line, c)
	}
	d.pump()
	d.mu.Unlock()
	select {
	case h := <-c.ready:
		return d.grant(h), nil
	case <-ctx.Done():
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	select {
	case h := <-c.ready:
		d.free(h)
	default:
		d.leave(c)
	}
	d.pump()
	return nil, ctx.Err()
}

// leave takes a call out of the line; the next of its user has its turn.
func (d *limiterDB) leave(c *modelCall) {
	i := slices.Index(d.line, c)
	if i < 0 {
		return
	}
	d.line = slices.Delete(d.line, i, i+1)
	for _, x := range d.line {
		if c.turn != 0 && x.user == c.user && x.turn == 0 {
			x.turn = c.turn
			break
		}
	}
}

func (d *limiterDB) free(h *modelHold) {
	if i := slices.Index(d.holds, h); i >= 0 {
		d.holds = slices.Delete(d.holds, i, i+1)
	}
}

// pump lets time pass and serves who is first in line. d.mu is held.
func (d *limiterDB) pump() {
	now := time.Now()
	for _, h := range d.holds {
		if h.until.IsZero() && h.owner.dead() && !d.flaws["a dead process holds for ever"] {
			h.until = h.owner.seen.Add(ttl + maxRequest + late + held)
			if d.flaws["a dead process holds nothing"] {
				h.until = now
			}
		}
	}
	d.holds = slices.DeleteFunc(d.holds, func(h *modelHold) bool { return !h.until.IsZero() && !h.until.After(now) })
	for _, c := range slices.Clone(d.line) {
		if c.owner.dead() && !d.flaws["a dead call stays in line"] {
			d.leave(c)
		}
	}
	for !d.blocked.After(now) {
		c := d.next()
		if c == nil || c.owner.dead() {
			return
		}
		used := 0
		for _, h := range d.holds {
			if h.owner == c.owner || !d.flaws["a budget for each handle"] {
				used += h.days
			}
		}
		if used+c.days > backfill.Evaluation || c.owner.blocked.After(now) {
			return
		}
		h := &modelHold{owner: c.owner, days: c.days}
		d.holds = append(d.holds, h)
		turn := c.turn
		c.turn = 0
		d.leave(c)
		for _, x := range d.line {
			if x.user == c.user && x.turn == 0 {
				d.turns++
				x.turn = d.turns
				if d.flaws["a user is served to the end"] {
					x.turn = turn
				}
				break
			}
		}
		c.ready <- h
	}
}

// next returns the call whose turn it is.
func (d *limiterDB) next() (first *modelCall) {
	free := backfill.Evaluation
	for _, h := range d.holds {
		free -= h.days
	}
	for _, c := range d.line {
		if d.flaws["small requests overtake"] && c.days > free {
			continue
		}
		if c.turn != 0 && (first == nil || c.turn < first.turn) {
			first = c
		}
	}
	return first
}

type modelGrant struct {
	db   *limiterDB
	hold *modelHold
	at   time.Time
	once sync.Once
}

func (d *limiterDB) grant(h *modelHold) *modelGrant {
	return &modelGrant{db: d, hold: h, at: time.Now()}
}

func (g *modelGrant) SendBy() time.Time {
	if g.db.flaws["grants come too late"] {
		return g.at.Add(-time.Second)
	}
	return g.at.Add(sendWithin)
}

func (g *modelGrant) EndBy() time.Time { return g.at.Add(maxRequest) }

func (g *modelGrant) End(_ context.Context, o backfill.Outcome) error {
	end := func() {
		d := g.db
		d.mu.Lock()
		defer d.mu.Unlock()
		now := time.Now()
		span := held
		if d.flaws["a minute of 59 seconds"] {
			span = 59 * time.Second
		}
		switch {
		case o.NotSent:
			d.free(g.hold)
		case o.Answered:
			g.hold.until = now.Add(span)
			if d.flaws["held from the grant on"] {
				g.hold.until = g.at.Add(span)
			}
		case o.Limited:
			g.hold.until = now.Add(span)
			until := now.Add(min(max(o.RetryAfter, span), time.Hour))
			if d.flaws["429 is not shared"] {
				g.hold.owner.blocked = until
			} else if until.After(d.blocked) {
				d.blocked = until
			}
		default:
			g.hold.until = now.Add(late + span)
			if d.flaws["lost is answered"] {
				g.hold.until = now.Add(span)
			}
		}
		d.pump()
	}
	if g.db.flaws["every end counts"] {
		end()
	} else {
		g.once.Do(end)
	}
	return nil
}
