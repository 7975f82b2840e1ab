package garminriver

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/garminkit/activityapi/backfill"
	"github.com/garminkit/activityapi/types"
)

// patient is the limiter of one run. It gives up a wait that takes too long, so that the
// run ends and its job can be postponed.
type patient struct {
	backfill.Limiter
	until time.Time     // nothing is begun after it
	wait  time.Duration // the longest for one grant
	pause *pause
}

// laterError postpones a job.
type laterError struct{ wait time.Duration }

func (e *laterError) Error() string { return fmt.Sprintf("garminriver: put off for %v", e.wait) }

// Acquire implements [backfill.Limiter].
func (p *patient) Acquire(ctx context.Context, userID types.UserID, days int) (backfill.Grant, error) {
	if wait := p.pause.left(); wait > 0 {
		return nil, &laterError{wait}
	}
	left := time.Until(p.until)
	if left <= 0 {
		return nil, &laterError{0}
	}
	wait := min(p.wait, left)
	c, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	g, err := p.Limiter.Acquire(c, userID, days)
	switch {
	case err == nil:
		return &noted{g, p.pause}, nil
	case ctx.Err() != nil || c.Err() == nil:
		return nil, err
	case wait == left:
		return nil, &laterError{0} // the slice is over
	}
	return nil, &laterError{p.wait}
}

// noted is a grant that records a 429.
type noted struct {
	backfill.Grant
	pause *pause
}

func (g *noted) End(ctx context.Context, o backfill.Outcome) error {
	if o.Limited {
		g.pause.set(o.RetryAfter)
	}
	return g.Grant.End(ctx, o)
}

// pause is the time until which this process requests nothing after a 429. The limiter
// has the same pause; with this one no worker is occupied by waiting for it.
type pause struct {
	mu    sync.Mutex
	until time.Time
}

// set extends the pause as a limiter does.
func (p *pause) set(d time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if end := time.Now().Add(min(max(d, time.Minute), time.Hour)); end.After(p.until) {
		p.until = end
	}
}

func (p *pause) left() time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	return time.Until(p.until)
}
