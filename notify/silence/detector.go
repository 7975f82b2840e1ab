package silence

import (
	"cmp"
	"iter"
	"slices"
	"sync"
	"time"

	"github.com/garminkit/activityapi/types"
)

const (
	// unwatched is how long two looks may be apart. In a longer time nobody
	// listened, or the clock was set.
	unwatched = 30 * time.Minute
	// scanEvery is how often the users are gone through.
	scanEvery = 15 * time.Minute
)

// Detector detects silences. It is safe for concurrent use.
type Detector struct {
	opts Options

	saving sync.Mutex // one Save at a time

	mu  sync.Mutex
	now time.Time // of the last look; zero at first
	// lived is the time in which somebody looked. awake leaves out in addition
	// the silences of the key: users are judged by it.
	lived, awake, scanned time.Duration
	whole                 series
	kinds                 [nKinds]series
	cause                 string // of the whole key
	users                 map[types.UserID]*user
	apps                  map[string]*Detector // of the applications with a name
}

// New returns an empty detector.
func New(opts *Options) (*Detector, error) {
	o, err := opts.withDefaults()
	if err != nil {
		return nil, err
	}
	return &Detector{opts: o, users: map[types.UserID]*user{}}, nil
}

// Arrived records that data of a user arrived. [Detector.Wrap] calls it for what
// callbacks receive. Call it only for users whom the application knows. An
// arrival older than the last one of the user and kind has no effect.
func (d *Detector) Arrived(kind types.Kind, id types.UserID, at time.Time) {
	k, ok := indexOf(kind)
	if !ok || nobody(id) || len(id) > longestID {
		return
	}
	d = d.of(id)
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.now.IsZero() {
		d.start(at)
	}
	after := min(max(at.Sub(d.now), -dropped), unwatched)
	u := d.users[id]
	if u == nil {
		after = max(after, -day) // of what was before nothing is known
	}
	at = d.now.Add(after)
	live := d.awake + after
	if u == nil {
		if len(d.users) >= d.opts.MaxUsers {
			return
		}
		u = &user{first: live, last: live - rest}
		d.users[id] = u
	}
	ks := &u.kinds[k]
	if ks.seen && live <= ks.last {
		return
	}
	if live-u.last > session || !ks.seen && u.heard.IsZero() {
		d.whole.arrive(at, -after)
		for i := range d.kinds {
			d.kinds[i].others++
		}
	}
	if gap := live - u.last; gap > rest && !u.heard.IsZero() {
		u.learn(gap)
	}
	if !ks.seen || live-ks.last > session {
		d.kinds[k].arrive(at, -after)
		if k == iActivities && ks.seen {
			for _, i := range []int{iDetails, iFiles} {
				u.kinds[i].match(ks.last, d.kinds[i].silent || d.whole.silent)
			}
		}
	}
	u.last, u.heard = max(u.last, live), at
	ks.seen, ks.last, ks.heard = true, live, at
	ks.missed = 0
	u.said &^= saidUser | 1<<k
	u.cause = causeUnknown
}

// start begins the time.
func (d *Detector) start(now time.Time) {
	d.now = now
	d.whole.hour = floorHour(now)
	for i := range d.kinds {
		d.kinds[i].hour = floorHour(now)
	}
}

// Told records a cause for which a user may become silent, one of [Silence].Cause.
// [Detector.Wrap] and [Detector.Observe] call it for what they see. If id is "", or
// "@" and the name of an application, it is for the whole key. The cause holds
// until data of the user arrives or another cause is recorded; "" removes it. It has
// no effect for a user without earlier data.
func (d *Detector) Told(id types.UserID, cause string) {
	d = d.of(id)
	d.mu.Lock()
	defer d.mu.Unlock()
	if nobody(id) {
		d.cause = cause
	} else if u := d.users[id]; u != nil {
		u.cause = cause
	}
}

// Forget removes a user who has left.
func (d *Detector) Forget(id types.UserID) {
	d = d.of(id)
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.users, id)
}

// Users returns the number of users that the detector follows.
func (d *Detector) Users() int {
	n := 0
	for a := range d.each() {
		a.mu.Lock()
		n += len(a.users)
		a.mu.Unlock()
	}
	return n
}

// Check returns new silences: the key or its kinds, and if the key is not silent,
// users in order of their ids. Call it about every minute. Time between two calls
// that are more than half an hour apart does not count as silence: the process
// did not run, or the clock was set.
func (d *Detector) Check(now time.Time) (found []Silence) {
	for a := range d.each() {
		found = append(found, a.check(now)...)
	}
	return found
}

func (d *Detector) check(now time.Time) []Silence {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.now.IsZero() {
		d.start(now)
		return nil
	}
	dt := now.Sub(d.now)
	if dt < 0 || dt > unwatched {
		dt = 0
	}
	d.now = now
	d.lived += dt
	if !d.whole.silent {
		d.awake += dt
	}
	var found []Silence
	d.whole.pass(now, dt, d.lived)
	was := d.whole.silent
	if quiet := d.whole.look(d.lived, now); quiet > 0 {
		d.awake -= quiet
		found = append(found, d.ofSeries("", &d.whole))
	}
	if was && !d.whole.silent {
		// What is missing of a kind was missing with the rest.
		for i := range d.kinds {
			d.kinds[i].again()
		}
	}
	for i := range d.kinds {
		s := &d.kinds[i]
		s.pass(now, dt, d.lived)
		if d.whole.silent || d.whole.missing >= doubt {
			s.deaf = true
			continue
		}
		// The others came, so that it is not the key.
		if !s.silent && s.others < doubt {
			continue
		}
		if quiet := s.look(d.lived, now); quiet > 0 {
			found = append(found, d.ofSeries(kindOf(i), s))
		}
	}
	if d.lived-d.scanned < scanEvery {
		return found
	}
	d.scanned = d.lived
	return append(found, d.scan()...)
}

// scan goes through the users.
func (d *Detector) scan() (found []Silence) {
	if d.whole.silent || d.whole.missing >= doubt {
		return nil
	}
	for id, u := range d.users {
		if d.awake-u.last > dropped {
			delete(d.users, id)
			continue
		}
		for s, bit := range d.ofUser(id, u) {
			if u.said&bit == 0 {
				u.said |= bit
				found = append(found, s)
			}
		}
	}
	slices.SortFunc(found, compare)
	return found
}

func compare(a, b Silence) int {
	return cmp.Or(cmp.Compare(a.User, b.User), cmp.Compare(a.Kind, b.Kind))
}

// ofUser yields the silences of a user, with their bits.
func (d *Detector) ofUser(id types.UserID, u *user) iter.Seq2[Silence, uint8] {
	return func(yield func(Silence, uint8) bool) {
		if !u.known(d.awake) {
			return
		}
		own, quiet := u.interval(), d.awake-u.last
		limit := 3*own + d.opts.Holiday - scanEvery // and found before the last is over
		if u.cause != causeUnknown {
			limit = max(own, day)
		}
		s := Silence{Key: d.opts.Key, User: id, Interval: own + d.opts.Holiday/3}
		if quiet > limit {
			s.Since, s.Cause = u.heard, u.cause
			if s.Cause == causeUnknown && u.fading() {
				s.Cause = causeFading
			}
			yield(s, saidUser)
			return
		}
		for _, i := range []int{iDetails, iFiles} {
			k := &u.kinds[i]
			if !k.gone() || d.kinds[i].silent {
				continue
			}
			s.Kind, s.Since, s.Expected = kindOf(i), k.heard, float64(k.missed)
			s.Cause = u.cause
			if s.Cause == causeUnknown && i == iFiles {
				s.Cause = causeFiles
			}
			if !yield(s, 1<<i) {
				return
			}
		}
	}
}

// ofSeries is the silence of the key or of a kind.
func (d *Detector) ofSeries(kind types.Kind, s *series) Silence {
	cause := d.cause
	switch {
	case cause != causeUnknown:
	case kind == types.KindActivityFiles:
		cause = causeFiles
	default:
		cause = causeEndpoint
	}
	return Silence{Key: d.opts.Key, Kind: kind, Since: s.since, Expected: s.missing, Cause: cause}
}
