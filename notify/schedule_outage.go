package notify

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/garminkit/activityapi/internal/backoff"
	"github.com/garminkit/activityapi/types"
)

// outage is the time in which no call to Garmin can succeed: our key is
// refused, or Garmin is not reached. All that needs Garmin is held, and one item
// at a time finds out whether it is over. It is reported when it begins and when
// it ends, and not for each item.
type outage struct {
	open  bool
	fault types.Fault
	since time.Duration
	told  time.Duration
	count int // items held
	probe ItemID
	tries int
	timer *time.Timer

	// What speaks for an outage of the network: calls that failed one after
	// another, of different users.
	row   int
	users [outageUsers]types.UserID
	found int
}

const (
	// outageRow calls in a row, of outageUsers users at least, must fail before
	// the network is taken to be down. One user's odd callbacks do not suffice.
	outageRow   = 6
	outageUsers = 3
	// outageWait is the longest time between two probes.
	outageWait = time.Minute
)

// blames reports whether an error of t's call to Garmin means that nobody's
// call can succeed now, and whether that is news.
func (s *scheduler) blames(t *task, fault types.Fault) (out, begins bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	o := &s.outage
	switch {
	case o.open:
		return true, false
	case fault == types.FaultApplication:
	default:
		o.row++
		o.see(t.UserID)
		if o.row < outageRow || o.found < outageUsers {
			return false, false
		}
	}
	o.open, o.fault, o.since, o.told, o.tries = true, fault, s.now(), s.now(), 0
	s.setOutageProbe()
	return true, true
}

func (o *outage) see(user types.UserID) {
	if slices.Contains(o.users[:o.found], user) {
		return
	}
	if o.found < outageUsers {
		o.users[o.found] = user
		o.found++
	}
}

// holds makes t wait for the end of an outage, if there is one.
func (s *scheduler) holds(l *lane, t *task) bool {
	if !s.outage.open || !t.Class.pulls() || t.due-lastChance <= s.now() {
		return false
	}
	l.share.hold(t.e)
	s.keepHeld(t)
	return true
}

// keepHeld adds t to what is held.
func (s *scheduler) keepHeld(t *task) {
	if !s.outage.open {
		t.lane.share.waitUntil(s.now(), t.entry())
		return
	}
	t.lane.share.held.push(t.entry(), t.due-lastChance)
	s.outage.count++
}

// setOutageProbe makes one of the held items ask after a while.
func (s *scheduler) setOutageProbe() {
	o := &s.outage
	if !o.open || o.timer != nil || s.stopped {
		return
	}
	o.tries++
	o.timer = time.AfterFunc(backoff.Wait(o.tries, s.opts.RetryMin, max(outageWait, s.opts.RetryMin)), s.probeOutage)
}

// probeOutage picks the item that asks: now the one that came last, now any,
// so that nobody's odd items are asked alone.
func (s *scheduler) probeOutage() {
	s.mu.Lock()
	defer s.mu.Unlock()
	o := &s.outage
	o.timer = nil
	if !o.open || o.probe != 0 || s.stopped {
		return
	}
	if o.count == 0 {
		s.setOutageProbe()
		return
	}
	n := rand.IntN(o.count)
	for sh := range s.shares {
		if n >= sh.held.len() {
			n -= sh.held.len()
			continue
		}
		if o.tries%2 == 1 {
			n = sh.held.newest()
		}
		e := sh.held.remove(n)
		o.count--
		o.probe = e.id
		e.flags |= flagOutageProbe
		sh.find(e)
		return
	}
}

// resume ends an outage: Garmin has answered.
func (s *scheduler) resume() (news Outcome) {
	o := &s.outage
	o.row, o.found = 0, 0
	if !o.open {
		return Outcome{}
	}
	if o.timer != nil {
		o.timer.Stop()
	}
	news = Outcome{Result: ResultResumed, Age: s.now() - o.since}
	*o = outage{}
	for sh := range s.shares {
		for _, e := range sh.held.takeAll() {
			sh.waitUntil(s.now(), e)
		}
	}
	return news
}

// outageLost forgets the held items of a share that is gone.
func (s *scheduler) outageLost(sh *shareState) {
	s.outage.count -= sh.held.len()
	sh.held = heldItems{}
	if s.outage.probe != 0 {
		s.outage.probe = 0 // perhaps it was one of them
		s.setOutageProbe()
	}
}

// outageFault tells whose fault the present outage is, or "".
func (s *scheduler) outageFault() types.Fault {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.outage.fault
}

// outageLasts reports an outage again after an hour.
func (s *scheduler) outageLasts() (o Outcome, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.now()
	if !s.outage.open || now-s.outage.told < time.Hour {
		return Outcome{}, false
	}
	s.outage.told = now
	err := fmt.Errorf("notify: no call to Garmin has succeeded for %v, %d items are held; at fault: %s", now-s.outage.since, s.outage.count, s.outage.fault)
	return Outcome{Result: ResultOutage, Age: now - s.outage.since, Err: err}, true
}
