package notify

import (
	"time"

	"github.com/garminkit/activityapi/types"
)

// ProcessorStats are the figures of a running [Processor].
type ProcessorStats struct {
	Classes [Classes]ClassStats
	// Shares counts the shares being worked on.
	Shares int
	// ParkedUsers counts the users whose token Garmin refuses.
	ParkedUsers int
	// Outage is the cause if no call to Garmin can succeed now, or "". OutageAge
	// is how long that has lasted. If several applications have an outage, both
	// are those of the longest.
	Outage    types.Fault
	OutageAge time.Duration

	at time.Duration
}

// ClassStats are the figures of one class.
type ClassStats struct {
	// Queued counts items that could start now, or wait for another item of their
	// user.
	Queued int
	// Running counts attempts. Slow counts those that no longer hold a worker's
	// place. Hung counts those that continue after AttemptTimeout: their callback
	// ignores its ctx, and only the end of the process ends them.
	Running, Slow, Hung int
	// Waiting counts items that failed and are tried again later, and Behind
	// those that wait for one of these. Parked counts items that wait because
	// Garmin refuses the user's token, and Held those that wait for the end of
	// an outage.
	Waiting, Behind, Parked, Held int
	// OldestAge is the age of the oldest of all these. Left is the time until its
	// deadline: negative if that has passed, and zero if there are none.
	OldestAge, Left time.Duration
	// Finished counts the items finished since Run began, with any result.
	Finished uint64
}

// Stats returns the figures of the current Run, or zeros if there is none. It
// visits every known item, at some nanoseconds each.
func (p *Processor) Stats() ProcessorStats {
	if s := p.sched.Load(); s != nil {
		return s.stats()
	}
	return ProcessorStats{}
}

// hangs is how long an attempt may go on after its ctx has ended.
const hangs = 10 * time.Second

func (s *scheduler) stats() ProcessorStats {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.now()
	st := ProcessorStats{at: now, Shares: len(s.shares)}
	if o := s.longestOutage(); o != nil {
		st.Outage, st.OutageAge = o.fault, now-o.since
	}
	oldest := func(class Class, received int32) *ClassStats {
		c := &st.Classes[class]
		c.OldestAge = max(c.OldestAge, now-time.Duration(received)*time.Second)
		return c
	}
	for i := range s.crew {
		for _, t := range s.crew[i].tasks {
			c := oldest(t.Class, t.e.received)
			c.Running++
			if t.slow {
				c.Slow++
			}
			if now-t.begun > s.opts.AttemptTimeout+hangs {
				c.Hung++
			}
		}
	}
	for sh := range s.shares {
		for _, l := range sh.lanes {
			for e := range l.line.all() {
				oldest(e.class, e.received).Queued++
			}
			if l.head != nil {
				oldest(l.head.Class, l.head.e.received).Queued++
			}
			if l.park != nil {
				st.ParkedUsers++
				for _, e := range l.park.items {
					oldest(e.class, e.received).Parked++
				}
			}
		}
		for _, w := range sh.wantedBy {
			oldest(w.e.class, w.e.received).Queued++
		}
		for _, due := range sh.due {
			for _, e := range due.list {
				oldest(e.class, e.received).Queued++
			}
		}
		for _, w := range sh.waits {
			oldest(w.class, w.received).Waiting++
		}
		for _, held := range sh.held {
			for _, w := range held.h {
				oldest(w.class, w.received).Held++
			}
		}
		for _, b := range sh.waitBehind {
			for e := range b.all() {
				oldest(e.class, e.received).Behind++
			}
		}
	}
	for c := range st.Classes {
		k := &st.Classes[c]
		k.Finished = s.finish[c]
		if k.Queued+k.Running+k.Waiting+k.Behind+k.Parked+k.Held > 0 {
			k.Left = s.due(Class(c), now-k.OldestAge) - now
		}
	}
	return st
}

// expiring finds the items, even queued ones, whose deadline is near and which
// were not reported yet.
func (s *scheduler) expiring() (out []Outcome) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.now()
	look := func(user types.UserID, e *entry) {
		left := s.dueOf(*e) - now
		if e.flags&flagWarned != 0 || left > s.opts.ExpiryWarning {
			return
		}
		e.flags |= flagWarned
		out = append(out, Outcome{
			Result: ResultExpiring, ID: e.id, Class: e.class, UserID: user, Attempt: int(e.attempts),
			Age: now - time.Duration(e.received)*time.Second, Left: left,
		})
	}
	for sh := range s.shares {
		for _, l := range sh.lanes {
			for e := range l.line.all() {
				look(l.key.user, e)
			}
			if t := l.head; t != nil && !t.warned && t.due-now <= s.opts.ExpiryWarning {
				t.warned = true
				o := t.outcome(now)
				o.Result = ResultExpiring
				out = append(out, o)
			}
			if l.park != nil {
				for i := range l.park.items {
					look(l.key.user, &l.park.items[i])
				}
			}
		}
		for i := range sh.waits {
			look("", &sh.waits[i].entry)
		}
		for _, due := range sh.due {
			for i := range due.list {
				look("", &due.list[i])
			}
		}
		for _, held := range sh.held {
			for i := range held.h {
				look("", &held.h[i].entry)
			}
		}
		for _, b := range sh.waitBehind {
			for e := range b.all() {
				look("", e)
			}
		}
	}
	return out
}
