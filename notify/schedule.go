package notify

import (
	"container/heap"
	"hash/maphash"
	"sync"
	"time"
)

// scheduler decides which item runs next. All policy is here: queues only keep
// items.
//
// Items of one Garmin user are a lane: they start in order of arrival, one at a
// time. A failed item waits outside memory; later items of the lane overtake it,
// except those that touch the same thing. A lane whose token was refused parks
// the items that need it. While Garmin cannot be reached, or refuses the
// application, all items that need Garmin are held. Ready lanes are served by the
// earliest deadline of their next items.
//
// A waiting item costs a few bytes: an ID and a time, never its content or its
// body.
type scheduler struct {
	opts  *ProcessorOptions
	run   func(*task, *verdict)
	tell  func(Outcome)
	start time.Time
	seed  maphash.Seed // a stranger cannot choose names that collide

	mu        sync.Mutex
	shares    map[*shareState]struct{}
	ready     [crews]ready
	crew      [crews]crewState
	bytes     int64              // of the items of crewLarge that run
	slowBytes int64              // of these, those of attempts that hold no place
	loaded    int64              // bytes of items that are ready or kept for their lanes
	outages   map[string]*outage // by application, since its last call that was answered
	slow      *time.Timer        // to look for slow attempts
	slowAt    time.Duration      // when it does; 0 if nothing runs that is not slow
	finish    [Classes]uint64    // items settled
	rereads   int                // see generation
	stopped   bool
	idle      chan struct{} // closed when stopped and nothing runs
}

const (
	// maxLoaded bounds the bytes of items in memory before their turn; others are
	// read again.
	maxLoaded = 16 << 20
	// loadAhead is how many items of a lane are kept or read at a time at most,
	// and keptItems how many of all lanes that have several.
	loadAhead = 256
	keptItems = 16 << 10
	// maxReady is how many lanes of a share are ready before the scan of the
	// class of their heads pauses, and maxQueued how many items of a class are
	// queued.
	maxReady  = 64 << 10
	maxQueued = 1 << 20
	// smallItem is the size up to which items without bytes are read together.
	smallItem = 8 << 10
	// maxAgain is how many repeats of a class may be ready, to leave room for new
	// items.
	maxAgain = 8 << 10
	// largeItem is the size from which an item has workers of its own. maxLarge
	// bounds the bytes of those that run and hold a place, and mostLarge those of
	// all.
	largeItem = 256 << 10
	maxLarge  = 32 << 20
	mostLarge = 3 * maxLarge
	// accountPatience is how long a deregistration or permission change waits for
	// the user's running attempt.
	accountPatience = 500 * time.Millisecond
)

func newScheduler(o *ProcessorOptions, run func(*task, *verdict), tell func(Outcome)) *scheduler {
	s := &scheduler{
		opts: o, run: run, tell: tell, start: time.Now(), seed: maphash.MakeSeed(),
		shares: map[*shareState]struct{}{}, outages: map[string]*outage{},
		idle: make(chan struct{}),
	}
	const callback, download = time.Second, time.Minute
	s.crew = [crews]crewState{
		crewAccount:   {limit: 4, patience: callback},
		crewPush:      {limit: o.Workers, patience: callback},
		crewPull:      {limit: o.Workers, patience: 10 * callback},
		crewLarge:     {limit: o.LargeWorkers, patience: 10 * callback},
		crewLargePull: {limit: o.LargeWorkers, patience: download},
		crewFile:      {limit: o.FileWorkers, patience: download},
		crewBad:       {limit: 1, patience: callback},
		crewSluggish:  {limit: o.Workers, patience: callback},
	}
	return s
}

// now is monotonic: a jump of the wall clock changes no deadline and no wait.
func (s *scheduler) now() time.Duration { return time.Since(s.start) }

// received returns when an item came, on the scheduler's clock. A wall clock that
// was wrong then gives no extra time.
func (s *scheduler) received(it *Item) time.Duration {
	const most = 10 * 365 * 24 * time.Hour
	age := time.Now().Round(0).Sub(it.Received.Round(0))
	return s.now() - min(max(age, 0), most)
}

// due is until when an item is tried.
func (s *scheduler) due(class Class, received time.Duration) time.Duration {
	switch class {
	case ClassFile:
		return received + fileDeadline
	case ClassPull:
		return received + pingDeadline
	}
	return received + s.opts.PushDeadline
}

const (
	fileDeadline = 24 * time.Hour
	pingDeadline = 7 * 24 * time.Hour
)

// pulls reports whether items of the class need the user's token.
func (c Class) pulls() bool { return c == ClassPull || c == ClassFile }

// task is one attempt at an item, and what the scheduler has to know of it.
type task struct {
	*Item
	e        entry
	lane     *lane
	crew     crew
	received time.Duration // on the scheduler's clock, as is due
	due      time.Duration
	refusals int // of the user's token
	warned   bool
	probe    probe
	begun    time.Duration
	slow     bool
	index    int             // in its crew
	waiters  []chan struct{} // closed when the attempt has ended
}

// probe tells whether the attempt finds out for others.
type probe uint8

const (
	noProbe probe = iota
	parkProbe
	outageProbe
)

// fate is what an attempt decided about an item.
type fate uint8

const (
	settled fate = iota // done or buried
	retry               // again after wait
	parked              // the user's token is refused
	held                // nobody's calls can succeed now
	gone                // somebody else finished it
	dropped             // the processor is stopping or the share is lost
)

type verdict struct {
	fate fate
	wait time.Duration
	// settle is what the queue is to record.
	settle Verdict
	// good records that a call with the user's token succeeded, or that their
	// permissions may be valid again.
	good bool
	// answered tells that Garmin itself answered a call.
	answered bool
}

// offer makes a lane's next item ready, or puts it aside.
func (s *scheduler) offer(l *lane, it *Item, e entry) {
	t := &task{
		Item: it, e: e, lane: l, crew: l.share.crew(it), received: time.Duration(e.received) * time.Second,
		refusals: int(e.refusals), warned: e.flags&flagWarned != 0,
	}
	t.due = s.due(it.Class, t.received)
	it.Attempts = max(it.Attempts, int(e.attempts))
	switch {
	case l.share.behind(e):
		return
	case e.flags&flagProbe != 0 && l.park != nil && l.park.probe == it.ID:
		t.probe = parkProbe
	case e.flags&flagOutageProbe != 0 && s.outageProbedBy(it.ID) != nil:
		t.probe = outageProbe
	case s.holds(l, t) || s.parks(l, t):
		return
	}
	l.share.ready(l, t)
}

// advance makes the next item of a lane ready, if none is.
func (s *scheduler) advance(l *lane) {
	if s.mayBegin(l) {
		for l.running == nil && l.head == nil && !l.loading && l.line.Len() > 0 {
			e := l.line.pop()
			l.share.queued[e.class]--
			it := l.share.unload(e.id)
			if it == nil {
				l.share.want(l, e)
				return
			}
			s.offer(l, it, e)
		}
		if l.head != nil {
			s.employ(l.head.crew)
		}
	}
	if l.empty() {
		delete(l.share.lanes, l.key)
		if l.key.account {
			// What waited for the account may go on.
			if data := l.share.lanes[laneKey{user: l.key.user}]; data != nil {
				s.advance(data)
			}
		}
	}
}

// mayBegin keeps the items of a user from running at the same time. A
// deregistration or permission change runs before the user's other items, and
// beside a long-running one.
func (s *scheduler) mayBegin(l *lane) bool {
	if l.key.account {
		data := l.share.lanes[laneKey{user: l.key.user}]
		if data == nil || data.running == nil {
			return true
		}
		if free := data.running.begun + accountPatience; s.now() < free {
			time.AfterFunc(free-s.now(), func() { s.look(l) })
			return false
		}
		return true
	}
	account := l.share.lanes[laneKey{l.key.user, true}]
	return account == nil || account.line.Len() == 0 && account.head == nil && account.running == nil && !account.loading
}

// employ starts workers for the ready items of a crew.
func (s *scheduler) employ(c crew) {
	for {
		t := s.take(c)
		if t == nil {
			return
		}
		go s.work(t)
	}
}

// take gives the crew's next task if there is a place for it.
func (s *scheduler) take(c crew) *task {
	for st, now := &s.crew[c], s.now(); !s.stopped && s.ready[c].len() > 0; {
		if st.full() {
			return nil
		}
		t, first := s.ready[c].next(now)
		if t.lane.share.dead || t.lane.share.closing {
			heap.Pop(first)
			continue
		}
		if c == crewLarge && !s.roomForLarge(t.Size) {
			return nil
		}
		if t.lane.share.clogged() {
			heap.Pop(first)
			t.lane.share.setAside(t)
			continue
		}
		heap.Pop(first)
		s.ready[c].turn++
		if !s.mayBegin(t.lane) {
			// An item of the user's other lane came while this one was ready.
			s.putBack(t)
			continue
		}
		if c == crewLarge {
			s.bytes += t.Size
		}
		l := t.lane
		l.share.unready(l)
		l.running = t
		l.share.running++
		t.begun = now
		st.begin(t)
		s.lookForSlow(now + st.holds())
		if l.share.paused && l.share.heads[t.Class] < maxReady/2 {
			l.share.paused = false
			for which := range feeders {
				signal(l.share.wake[which])
			}
		}
		return t
	}
	return nil
}

// roomForLarge reports whether an item of so many bytes may run beside the others.
// Those of attempts that hang count less, or one user's would hold up all that are
// large.
func (s *scheduler) roomForLarge(size int64) bool {
	holding := s.bytes - s.slowBytes
	return s.bytes == 0 || (holding == 0 || holding+size <= maxLarge) && s.bytes+size <= mostLarge
}

// putBack returns a ready item to its lane.
func (s *scheduler) putBack(t *task) {
	t.lane.share.unready(t.lane)
	t.lane.share.keep(t.Item)
	t.lane.share.lineUp(t.lane, t.e)
}

// look advances a lane that waited for a time to come.
func (s *scheduler) look(l *lane) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !l.share.dead && l.share.lanes[l.key] == l {
		s.advance(l)
	}
}

// worker runs t and then other items of its crew, while there are any.
func (s *scheduler) work(t *task) {
	for t != nil {
		t = s.settle(t, s.attempt(t))
	}
}

// attempt returns a verdict even if the partner's code ends the goroutine;
// another one then replaces it.
func (s *scheduler) attempt(t *task) (v verdict) {
	v = verdict{fate: retry, wait: s.opts.RetryMax}
	ended := true
	defer func() {
		if ended {
			if next := s.settle(t, v); next != nil {
				go s.work(next)
			}
		}
	}()
	s.run(t, &v)
	ended = false
	return v
}

// settle carries out a verdict and returns the worker's next task, or nil to
// end it.
func (s *scheduler) settle(t *task, v verdict) *task {
	next, news := s.settled(t, v)
	if news.Result != "" {
		s.tell(news)
	}
	return next
}

func (s *scheduler) settled(t *task, v verdict) (next *task, news Outcome) {
	s.mu.Lock()
	defer s.mu.Unlock()
	l, sh, now := t.lane, t.lane.share, s.now()
	l.running = nil
	for _, ended := range t.waiters {
		close(ended)
	}
	t.waiters = nil
	sh.running--
	s.crew[t.crew].end(t, now)
	if !t.slow && len(sh.sluggish) > 0 {
		delete(sh.sluggish, t.UserID)
	}
	if t.crew == crewLarge {
		s.bytes -= t.Size
		if t.slow {
			s.slowBytes -= t.Size
		}
	}
	if !sh.dead {
		if l.park != nil && l.park.probe == t.ID {
			l.park.probe = 0
		}
		s.place(t, v, now)
		news = s.judge(t, v, now)
		s.advance(l)
		s.after(l)
	}
	if sh.running == 0 && (sh.dead || sh.closing) {
		sh.becomeQuiet()
	}
	next = s.take(t.crew)
	if next == nil && s.stopped && s.total() == 0 {
		close(s.idle)
	}
	return next, news
}

// after lets the user's other lane go on.
func (s *scheduler) after(l *lane) {
	if other := l.share.lanes[laneKey{l.key.user, !l.key.account}]; other != nil {
		s.advance(other)
	}
}

// place puts an item where the verdict wants it.
func (s *scheduler) place(t *task, v verdict, now time.Duration) {
	sh := t.lane.share
	switch v.fate {
	case settled:
		sh.letGo(t.e)
		sh.memo.forget(t.ID)
		sh.record(v.settle)
		s.finish[t.Class]++
	case retry:
		sh.hold(t.e)
		sh.waitUntil(now+v.wait, t.entry())
		if v.settle.Fate != 0 {
			sh.record(v.settle)
		}
	case parked:
		sh.hold(t.e)
		s.putInPark(t)
		s.setProbe(t.lane, now+v.wait)
		if v.settle.Fate != 0 {
			sh.record(v.settle)
		}
	case held:
		sh.hold(t.e)
		s.keepHeld(t)
	case gone:
		sh.letGo(t.e)
		sh.memo.forget(t.ID)
	case dropped:
	}
}

// judge learns from the result of an attempt.
func (s *scheduler) judge(t *task, v verdict, now time.Duration) (news Outcome) {
	l := t.lane
	if v.good {
		user := l
		if l.key.account {
			user = l.share.lanes[laneKey{user: l.key.user}]
		}
		l.share.succeeded(l.key.user, now)
		if user != nil {
			s.unpark(user)
		}
	} else if p := l.park; p != nil && p.probe == 0 && t.probe == parkProbe && v.fate != parked {
		s.setProbe(l, now) // it came to another end; ask with the next
	}
	if v.answered {
		news = s.resume(t.UserID.App())
	} else if t.probe == outageProbe {
		s.probedNothing(t.ID)
	}
	return news
}

func (s *scheduler) total() int {
	n := 0
	for i := range s.crew {
		n += len(s.crew[i].tasks)
	}
	return n
}

// active returns how many attempts run.
func (s *scheduler) active() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.total()
}

// stop prevents further attempts. The channel is closed when none runs.
func (s *scheduler) stop() <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.stopped = true
	s.stopProbes()
	if s.slow != nil {
		s.slow.Stop()
	}
	if s.total() == 0 {
		close(s.idle)
	}
	return s.idle
}
