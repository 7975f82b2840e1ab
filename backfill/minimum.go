package backfill

import (
	"time"

	"github.com/garminkit/activityapi/types"
)

// minimum is what one chunk has seen of the earliest time that Garmin gives.
//
// Garmin names that time, and the chunk is asked for again from there. It has
// been seen to refuse the very time that it names, so the next second is tried
// too; a date may stand for a time within that day, so the next day is tried.
// Then the chunk is left to a later run. What lies behind the time that Garmin
// names is never taken for too early.
type minimum struct {
	answers int // that said too early
	seconds int // tries of the next second
}

const (
	maxSeconds = 3
	maxMinimum = 6 // answers, after which a limit moves or makes no sense
)

// later handles an answer that says that the chunk begins too early. It
// returns the rest to be asked for, or nil if there is none.
func (j *job) later(c *Chunk, m *minimum, a answer) (*Chunk, error) {
	m.answers++
	at, start := a.earliest, c.Window.Start
	yetToCome := at.After(time.Now().Add(day)) && at.After(j.user.Window.End)
	if at.IsZero() || start.Sub(at) >= day || yetToCome || m.answers >= maxMinimum {
		// It names no time, one that was met, or one that nobody can mean.
		// Nothing is learnt from that.
		return nil, j.refuse(c, time.Time{}, reasonOther, a.message)
	}
	if !at.Before(start) {
		j.learn(c.Kind, at)
	}
	if at.After(start) {
		return j.clip(c, at, a.message)
	}
	if m.seconds++; m.seconds <= maxSeconds {
		return j.clip(c, start.Add(time.Second), a.message)
	}
	next := floorDay(start).Add(day)
	if !next.Before(c.Window.End) {
		return nil, j.refuse(c, time.Time{}, reasonOther, a.message)
	}
	return j.skip(c, next, a.message)
}

// clip refuses for ever what lies before at, and returns the rest to be asked
// for, or nil if there is none.
func (j *job) clip(c *Chunk, at time.Time, message string) (*Chunk, error) {
	if !at.Before(c.Window.End) {
		c.Reason, c.Detail = ReasonMinStart, message
		return nil, j.settle(c, StateRefused)
	}
	return j.divide(c, at, ReasonMinStart, message)
}

// skip leaves what lies before at to a later run, and returns the rest.
func (j *job) skip(c *Chunk, at time.Time, message string) (*Chunk, error) {
	return j.divide(c, at, reasonOther, message)
}

// divide refuses what lies before at, and returns the rest.
func (j *job) divide(c *Chunk, at time.Time, why, message string) (*Chunk, error) {
	early, rest := *c, *c
	early.Window.End, rest.Window.Start = at, at
	early.State, early.Reason, early.Detail = StateRefused, why, message
	rest.State, rest.Reason, rest.Detail = StatePlanned, "", ""
	early.InDoubt, rest.InDoubt = time.Time{}, time.Time{}
	if err := j.save(&early, &rest); err != nil {
		return nil, err
	}
	j.tell(&early)
	return &rest, nil
}

// learn notes the earliest time of a kind, for the chunks still to be asked
// for.
func (j *job) learn(k types.Kind, at time.Time) {
	n, _ := numberOf(k)
	j.mu.Lock()
	defer j.mu.Unlock()
	if at.After(j.earliest[n]) {
		j.earliest[n] = at
	}
}

func (j *job) earliestOf(k types.Kind) time.Time {
	n, _ := numberOf(k)
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.earliest[n]
}
