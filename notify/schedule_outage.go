package notify

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/garminkit/activityapi/internal/backoff"
	"github.com/garminkit/activityapi/types"
)

// outage is the time in which no call of an application to Garmin can succeed: its
// key is refused, or Garmin is not reached. All that needs Garmin is held, and one
// item at a time finds out whether it is over. It is reported when it begins and
// when it ends, and not for each item. Each application finds out by itself: what
// is wrong with the key of one holds up no other.
type outage struct {
	app   string
	open  bool
	fault types.Fault
	since time.Duration
	told  time.Duration
	count int // items held
	probe ItemID
	tries int
	timer *time.Timer // to the next probe
	late  *time.Timer // to the end of the patience with the one that runs

	// What speaks for an outage of the network: calls that failed one after
	// another, of different users.
	row   int
	users [outageUsers]types.UserID
	found int
}

const (
	// outageRow calls in a row, of at least outageUsers users, must fail before
	// the network counts as down. One user's odd callbacks are not enough.
	outageRow   = 6
	outageUsers = 3
	// outageWait is the longest time between two probes, and how long one is waited
	// for: it may hang, or wait behind an item of its user that does.
	outageWait = time.Minute
)

// blames reports whether an error of t's call to Garmin means that nobody's
// call can succeed now, and whether that is news.
func (s *scheduler) blames(t *task, fault types.Fault) (out, begins bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	app := t.UserID.App()
	o := s.outages[app]
	if o == nil {
		o = &outage{app: app}
		s.outages[app] = o
	}
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
	s.setOutageProbe(o)
	return true, true
}

// outageOf returns the open outage that t is held by, or nil.
func (s *scheduler) outageOf(t *task) *outage {
	if len(s.outages) == 0 {
		return nil
	}
	if o := s.outages[t.UserID.App()]; o != nil && o.open {
		return o
	}
	return nil
}

// outageProbedBy returns the outage of which an item finds out, or nil.
func (s *scheduler) outageProbedBy(id ItemID) *outage {
	for _, o := range s.outages {
		if o.probe == id {
			return o
		}
	}
	return nil
}

// probedNothing lets another item find out whether the outage is over, if id was
// to.
func (s *scheduler) probedNothing(id ItemID) {
	if o := s.outageProbedBy(id); o != nil {
		o.late.Stop()
		o.probe = 0
		s.setOutageProbe(o)
	}
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
	if s.outageOf(t) == nil || !t.Class.pulls() || t.due-lastChance <= s.now() {
		return false
	}
	l.share.hold(t.e)
	s.keepHeld(t)
	return true
}

// keepHeld adds t to what is held.
func (s *scheduler) keepHeld(t *task) {
	o := s.outageOf(t)
	if o == nil {
		t.lane.share.waitUntil(s.now(), t.entry())
		return
	}
	sh := t.lane.share
	if sh.held == nil {
		sh.held = map[string]*heldItems{}
	}
	if sh.held[o.app] == nil {
		sh.held[o.app] = new(heldItems)
	}
	sh.held[o.app].push(t.entry(), t.due-lastChance)
	o.count++
}

// setOutageProbe makes one of the held items ask after a while.
func (s *scheduler) setOutageProbe(o *outage) {
	if !o.open || o.timer != nil || s.stopped {
		return
	}
	o.tries++
	o.timer = time.AfterFunc(backoff.Wait(o.tries, s.opts.RetryMin, max(outageWait, s.opts.RetryMin)), func() { s.probeOutage(o) })
}

// probeOutage picks the item that probes: in turn the latest one and a random
// one, so that one user's odd items are not the only probes.
func (s *scheduler) probeOutage(o *outage) {
	s.mu.Lock()
	defer s.mu.Unlock()
	o.timer = nil
	if !o.open || o.probe != 0 || s.stopped || s.outages[o.app] != o {
		return
	}
	if o.count == 0 {
		s.setOutageProbe(o)
		return
	}
	n := rand.IntN(o.count)
	for sh := range s.shares {
		held := sh.held[o.app]
		if held == nil || n >= held.len() {
			n -= held.len()
			continue
		}
		if o.tries%2 == 1 {
			n = held.newest()
		}
		e := held.remove(n)
		o.count--
		o.probe = e.id
		e.flags |= flagOutageProbe
		sh.find(e)
		o.late = time.AfterFunc(outageWait, func() { s.probeLate(e.id) })
		return
	}
}

// probeLate lets another item ask beside one that does not come to an end: one
// user's trouble holds up nobody else.
func (s *scheduler) probeLate(id ItemID) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.probedNothing(id)
}

// resume ends an outage: Garmin has answered a call for the application.
func (s *scheduler) resume(app string) (news Outcome) {
	o := s.outages[app]
	if o == nil {
		return Outcome{}
	}
	delete(s.outages, app)
	if !o.open {
		return Outcome{}
	}
	o.stop()
	news = Outcome{Result: ResultResumed, UserID: o.nobody(), Age: s.now() - o.since}
	for sh := range s.shares {
		for _, e := range sh.held[app].takeAll() {
			sh.waitUntil(s.now(), e)
		}
		delete(sh.held, app)
	}
	return news
}

// nobody is the user of what is about the application as a whole: its name.
func (o *outage) nobody() types.UserID { return types.UserID("").In(o.app) }

// outageLost forgets the held items of a share that is gone.
func (s *scheduler) outageLost(sh *shareState) {
	for app, held := range sh.held {
		s.outages[app].count -= held.len()
	}
	sh.held = nil
	for _, o := range s.outages {
		if o.probe != 0 {
			o.late.Stop()
			o.probe = 0 // perhaps it was one of them
			s.setOutageProbe(o)
		}
	}
}

// outageFault tells whose fault the present outage of t's application is, or "".
func (s *scheduler) outageFault(t *task) types.Fault {
	s.mu.Lock()
	defer s.mu.Unlock()
	if o := s.outageOf(t); o != nil {
		return o.fault
	}
	return ""
}

// outagesLast reports each outage again after an hour.
func (s *scheduler) outagesLast() (all []Outcome) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.now()
	for _, o := range s.outages {
		if !o.open || now-o.told < time.Hour {
			continue
		}
		o.told = now
		err := fmt.Errorf("notify: no call to Garmin has succeeded for %v, %d items are held; at fault: %s", now-o.since, o.count, o.fault)
		all = append(all, Outcome{Result: ResultOutage, UserID: o.nobody(), Age: now - o.since, Err: err})
	}
	return all
}

// longestOutage returns the open outage that began first, or nil.
func (s *scheduler) longestOutage() (longest *outage) {
	for _, o := range s.outages {
		if o.open && (longest == nil || o.since < longest.since) {
			longest = o
		}
	}
	return longest
}

// stopProbes is for the end of the run.
func (s *scheduler) stopProbes() {
	for _, o := range s.outages {
		o.stop()
	}
}

func (o *outage) stop() {
	for _, t := range []*time.Timer{o.timer, o.late} {
		if t != nil {
			t.Stop()
		}
	}
}
