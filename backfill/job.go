package backfill

import (
	"context"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/garminkit/activityapi/types"
)

// job is a run's work on one user.
type job struct {
	*run
	user  *User
	begin context.Context // ends when this user is to be stopped

	mu       sync.Mutex
	todo     []*Chunk
	earliest [MoveIQ + 1]time.Time // what Garmin gives of each kind, once known
	total    int                   // days

	telling sync.Mutex // so that progress never goes back
	done    int        // days
}

func (j *job) next() *Chunk {
	j.mu.Lock()
	defer j.mu.Unlock()
	if len(j.todo) == 0 || j.begin.Err() != nil {
		return nil
	}
	c := j.todo[0]
	j.todo = j.todo[1:]
	return c
}

// ask asks for a chunk until it is settled or refused. An error means that the
// user is to be stopped.
func (j *job) ask(c *Chunk) error {
	clips, failures := 0, 0
	for {
		// unsure: a request before the next may have been accepted.
		unsure, since := !c.InDoubt.IsZero(), c.InDoubt
		if at := j.earliestOf(c.Kind); !unsure && at.After(c.Window.Start) {
			rest, err := j.clip(c, at, answer{})
			if rest == nil || err != nil {
				return err
			}
			c = rest
		}

		a, err := j.send(c)
		if err != nil {
			return err
		}
		switch a.verdict {
		case accepted:
			return j.settle(c, Accepted)

		case duplicate:
			ours := unsure && same(a.earlier, c.Window) &&
				(a.processed.IsZero() || a.processed.After(since.Add(-skew)))
			if ours {
				return j.settle(c, Accepted)
			}
			return j.split(c, a.earlier)

		case minStart:
			clips++
			at := a.earliest
			switch {
			case !at.After(c.Window.Start) || clips > 2:
				// The limit moves or makes no sense; do not run after it.
				at = c.Window.End
			case clips > 1:
				at = floorDay(at.Add(day))
			}
			j.learn(c.Kind, a.earliest)
			rest, err := j.clip(c, at, a)
			if rest == nil || err != nil {
				return err
			}
			c = rest

		case limited:
			j.Logger.Warn("backfill: limited by Garmin", "user", c.UserID, "chunk", c.Window)
			if err := j.unask(c, since); err != nil {
				return err
			}

		case unsent, failed, unanswered:
			if a.verdict == unsent {
				if err := j.unask(c, since); err != nil {
					return err
				}
			}
			if failures++; failures >= j.Tries {
				return a.err
			}
			j.Logger.Info("backfill: repeating", "user", c.UserID, "chunk", c.Window, "failures", failures, "err", a.err)
			if err := pause(j.begin, failures); err != nil {
				return err
			}

		case notPermitted:
			if err := j.refuse(c, ReasonPermission, string(a.permission)); err != nil {
				return err
			}
			return &PermissionError{a.permission, a.err}
		case unauthorized:
			if err := j.refuse(c, ReasonUnauthorized, a.message); err != nil {
				return err
			}
			return a.err
		case notEnabled:
			if err := j.refuse(c, ReasonNotEnabled, a.message); err != nil {
				return err
			}
			return notEnabledError(c.Kind, a.err)
		default:
			return j.refuse(c, ReasonOther, a.message)
		}
	}
}

// skew is how far our clock and Garmin's may differ.
const skew = 10 * time.Minute

// send makes one request. The grant is in the ledger before the request is
// sent, so that a process started after a crash knows of it.
func (j *job) send(c *Chunk) (answer, error) {
	grant, err := j.limiter.Acquire(j.begin, c.UserID, Cost(c.Window))
	if err != nil {
		return answer{}, err
	}
	c.State, c.Requested, c.Answered = Requested, time.Now(), time.Time{}
	if c.InDoubt.IsZero() {
		c.InDoubt = c.Requested
	}
	c.Attempts++
	if err := j.save(c); err != nil {
		grant.Cancel()
		return answer{}, err
	}
	a := readAnswer(j.user.Requester.Backfill(j.ctx, c.Kind.Type(), c.Window))
	switch a.verdict {
	case unanswered:
		grant.Lost()
	case unsent:
		grant.Cancel()
		c.Attempts--
	case limited:
		grant.Limited(a.retryAfter)
	default:
		grant.Done()
	}
	if a.verdict != unanswered && a.verdict != unsent {
		c.Answered = time.Now()
	}
	return a, nil
}

// unask stores that Garmin has not taken the last request. If one before it,
// made at since, is still in doubt, so is the chunk.
func (j *job) unask(c *Chunk, since time.Time) error {
	if c.InDoubt = since; since.IsZero() {
		c.State = Planned
	}
	return j.save(c)
}

// settle stores the chunk's final state and tells the caller of the run.
func (j *job) settle(c *Chunk, s State) error {
	c.State, c.InDoubt = s, time.Time{}
	if err := j.save(c); err != nil {
		return err
	}
	j.tell(c)
	return nil
}

func (j *job) refuse(c *Chunk, why Reason, detail string) error {
	c.Reason, c.Detail = why, detail
	return j.settle(c, Refused)
}

// clip refuses what lies before at, and returns the rest to be asked for, or
// nil if there is none.
func (j *job) clip(c *Chunk, at time.Time, a answer) (*Chunk, error) {
	if !at.Before(c.Window.End) {
		return nil, j.refuse(c, ReasonMinStart, a.message)
	}
	early, rest := *c, *c
	early.Window.End, rest.Window.Start = at, at
	early.State, early.Reason, early.Detail = Refused, ReasonMinStart, a.message
	rest.State = Planned
	early.InDoubt, rest.InDoubt = time.Time{}, time.Time{}
	if err := j.save(&early, &rest); err != nil {
		return nil, err
	}
	j.tell(&early)
	return &rest, nil
}

// split settles a chunk that Garmin calls a duplicate.
func (j *job) split(c *Chunk, earlier types.Window) error {
	parts := cover(c, earlier)
	if err := j.save(parts...); err != nil {
		return err
	}
	for _, p := range parts {
		j.tell(p)
	}
	return nil
}

// cover takes a chunk apart: what the earlier request covers is a duplicate,
// and the rest is a hole.
func cover(c *Chunk, earlier types.Window) []*Chunk {
	var parts []*Chunk
	part := func(w types.Window, s State) {
		p := *c
		p.Window, p.State, p.Earlier, p.InDoubt = w, s, earlier, time.Time{}
		if s == Hole {
			p.Reason = ReasonDuplicate
		}
		parts = append(parts, &p)
	}
	covered := intersect(c.Window, earlier)
	if !covered.End.After(covered.Start) {
		part(c.Window, Hole)
		return parts
	}
	part(covered, Duplicate)
	for _, w := range subtract(c.Window, []types.Window{covered}) {
		part(w, Hole)
	}
	return parts
}

// save must work to the end once begun: an answer that came is kept even if
// the run is being cancelled.
func (j *job) save(chunks ...*Chunk) error {
	if err := j.ledger.Save(context.WithoutCancel(j.ctx), chunks...); err != nil {
		return fatal{err}
	}
	return nil
}

func (j *job) tell(c *Chunk) {
	told := *c
	j.telling.Lock()
	defer j.telling.Unlock()
	j.done = min(j.done+Cost(c.Window), j.total)
	p := &Progress{UserID: c.UserID, Chunk: &told, DaysDone: j.done, DaysTotal: j.total}
	p.Remaining = Estimate(p.DaysTotal-p.DaysDone, j.limiter.DaysPerMinute())
	j.events <- p
}

func (j *job) learn(k Kind, at time.Time) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if at.After(j.earliest[k]) {
		j.earliest[k] = at
	}
}

func (j *job) earliestOf(k Kind) time.Time {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.earliest[k]
}

// same reports whether Garmin's earlier range is w, give or take a second at
// its end.
func same(earlier, w types.Window) bool {
	d := w.End.Sub(earlier.End)
	return earlier.Start.Equal(w.Start) && -time.Second <= d && d <= time.Second
}

// pause waits before the next try: a second, then twice as long each time, up
// to two minutes, less up to half of it by chance.
func pause(ctx context.Context, failures int) error {
	d := min(time.Second<<min(failures-1, 10), 2*time.Minute)
	t := time.NewTimer(d - rand.N(d/2))
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
