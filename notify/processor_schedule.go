package notify

import (
	"container/heap"
	"context"
	"sync"
	"time"
)

// class is what kind of worker an item needs.
type class int

const (
	classAccount class = iota // deregistrations, permission changes, letters
	classPush
	classPull
	classLarge
	classLargePull
	classFile
	classes
)

// step is how far an item has come. What was done once is not done again
// because the mark after it failed.
type step int

const (
	stepRun  step = iota // the callbacks have to take it
	stepMark             // they have; it has to be marked
	stepBury             // it has to become a letter
)

// work is one item on its way through the processor. The scheduler's lock
// guards it, except that the worker who was given it may use it freely.
type work struct {
	body    *openBody
	ordinal int
	place   Item
	ev      Event // nil if it has to be read again
	rev     revision
	hashed  bool

	user  string // of Garmin; "" for items of nobody
	class class
	touch string // what it must not change out of order; "" for nothing
	cost  int64  // bytes held by ev

	received, due time.Duration // on the scheduler's clock
	warned        bool
	attempt       int
	step          step
	letter        *Letter             // at stepBury
	result        Result              // to report when it is settled
	seen          map[string]struct{} // delivery keys that were taken
	err           error               // of the last attempt
	refusals      int                 // of the user's token
	refusedAt     int                 // lane.good at the last

	seq  uint64
	lane *lane
}

// pulls reports whether the next step needs the user's token.
func (w *work) pulls() bool {
	return w.step == stepRun && (w.class == classPull || w.class == classLargePull || w.class == classFile)
}

// fate is what an attempt decided about an item.
type fate int

const (
	settled fate = iota // marked
	retry               // again after wait
	parked              // the user's token is refused
	dropped             // the processor is stopping; the queue keeps the item
)

type verdict struct {
	fate fate
	wait time.Duration
	// revive tells that the user's token or permissions may be good again.
	revive bool
}

// scheduler decides which item runs next.
//
// Items of one Garmin user are a lane: they start in order of arrival, one at
// a time. An item that failed waits aside; later items of the lane pass it,
// except those that touch the same thing. A lane whose token was refused parks
// the items that need it and tries one of them at growing intervals. Ready
// lanes are served by the earliest deadline of their next items.
type scheduler struct {
	work func(*work) verdict

	mu      sync.Mutex
	start   time.Time
	lanes   map[string]*lane
	ready   [classes]workHeap
	running [classes]int
	limit   [classes]int
	timers  timerHeap
	seq     uint64
	pending int
	bytes   int64 // of decoded items
	open    int64 // of small bodies, which a queue may hold in memory
	stopped bool

	maxPending         int
	retryMin, retryMax time.Duration
	warning            time.Duration

	wake chan struct{} // to keepTime: an earlier timer
	room chan struct{} // to admit: something was settled
	idle chan struct{} // closed when stopped and nothing runs
}

const (
	// maxHeld bounds the bytes of decoded items that wait for a worker.
	maxHeld = 16 << 20
	// maxOpen bounds the bytes of the bodies that have unfinished items.
	maxOpen = 64 << 20
)

func newScheduler(o *ProcessorOptions, do func(*work) verdict) *scheduler {
	return &scheduler{
		work:  do,
		start: time.Now(),
		lanes: map[string]*lane{},
		limit: [classes]int{
			classAccount: 4, classPush: o.Workers, classPull: o.Workers,
			classLarge: o.LargeWorkers, classLargePull: o.LargeWorkers, classFile: o.FileWorkers,
		},
		maxPending: o.MaxPending,
		retryMin:   o.RetryMin,
		retryMax:   o.RetryMax,
		warning:    o.ExpiryWarning,
		wake:       make(chan struct{}, 1),
		room:       make(chan struct{}, 1),
		idle:       make(chan struct{}),
	}
}

// now is monotonic: a wall clock that jumps moves no deadline and no wait.
func (s *scheduler) now() time.Duration { return time.Since(s.start) }

func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// until waits for room, with s.mu held before and, if it returns nil, after.
// One goroutine calls it.
func (s *scheduler) until(ctx context.Context, room func() bool) error {
	for {
		if s.stopped {
			return context.Canceled
		}
		if room() {
			return nil
		}
		s.mu.Unlock()
		select {
		case <-s.room:
			s.mu.Lock()
		case <-ctx.Done():
			s.mu.Lock()
			return context.Cause(ctx)
		}
	}
}

// enter takes a body, once there is room, and leave gives the room back.
func (s *scheduler) enter(ctx context.Context, size int64) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	err := s.until(ctx, func() bool { return s.open == 0 || s.open+size <= maxOpen })
	if err == nil {
		s.open += size
	}
	return err
}

func (s *scheduler) leave(size int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.open -= size
	signal(s.room)
}

// admit takes an item, once there is room.
func (s *scheduler) admit(ctx context.Context, w *work) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	// A lone item may be larger than the whole allowance.
	if err := s.until(ctx, func() bool {
		return s.pending < s.maxPending && (s.bytes == 0 || s.bytes+w.cost <= maxHeld)
	}); err != nil {
		return err
	}
	s.pending++
	s.bytes += w.cost
	s.seq++
	w.seq = s.seq
	l := s.lanes[w.user]
	if l == nil || w.user == "" {
		l = &lane{user: w.user}
		if w.user != "" {
			s.lanes[w.user] = l
		}
	}
	w.lane = l
	l.fresh.push(w)
	s.advance(l)
	return nil
}

// advance makes the next item of a lane ready, if none is.
func (s *scheduler) advance(l *lane) {
	if l.active != nil {
		return
	}
	for {
		w := l.next()
		if w == nil {
			if l.empty() {
				delete(s.lanes, l.user)
			}
			return
		}
		if h := l.held[w.touch]; h != nil && h.owner != w {
			s.unload(w)
			h.behind = append(h.behind, w)
			continue
		}
		if s.parks(w) {
			s.putInPark(w)
			continue
		}
		l.active = w
		heap.Push(&s.ready[w.class], w)
		s.employ(w.class)
		return
	}
}

// unload frees the decoded data of an item that will not run soon. A ping is
// small and stays.
func (s *scheduler) unload(w *work) {
	if _, ok := w.ev.(*Push); ok {
		s.bytes -= w.cost
		w.ev, w.cost = nil, 0
		signal(s.room)
	}
}

// employ starts workers for the ready items of a class.
func (s *scheduler) employ(c class) {
	for s.running[c] < s.limit[c] {
		w := s.take(c)
		if w == nil {
			return
		}
		s.running[c]++
		go s.worker(w)
	}
}

func (s *scheduler) take(c class) *work {
	if s.stopped || len(s.ready[c]) == 0 {
		return nil
	}
	return heap.Pop(&s.ready[c]).(*work)
}

// worker runs w and then other items of its class, while there are any.
func (s *scheduler) worker(w *work) {
	for w != nil {
		w = s.settle(w, s.attempt(w))
	}
}

// attempt gives a verdict even if the partner's code ends the goroutine: then
// another takes its place.
func (s *scheduler) attempt(w *work) (v verdict) {
	ended := true
	defer func() {
		if ended {
			w.err = &panicError{"runtime.Goexit"}
			if next := s.settle(w, verdict{fate: retry, wait: s.retryMax}); next != nil {
				go s.worker(next)
			}
		}
	}()
	v = s.work(w)
	ended = false
	return v
}

// settle carries out a verdict and returns the worker's next item, or nil to
// end it.
func (s *scheduler) settle(w *work, v verdict) *work {
	s.mu.Lock()
	defer s.mu.Unlock()
	l, now := w.lane, s.now()
	class := w.class
	l.active = nil
	probe := l.park != nil && l.park.probe == w
	if probe {
		l.park.probe = nil
	}
	switch v.fate {
	case settled:
		s.pending--
		s.bytes -= w.cost
		w.ev, w.cost = nil, 0
		signal(s.room)
		l.letGo(w)
	case retry:
		s.unload(w)
		l.hold(w)
		s.setTimer(&timer{at: now + v.wait, work: w})
	case parked:
		l.letGo(w)
		if l.park == nil {
			l.park = &park{}
		}
		l.park.add(w)
		if l.park.probe == nil {
			s.setProbe(l, now+v.wait)
		}
	case dropped:
		s.pending--
		s.bytes -= w.cost
	}
	if v.revive {
		l.good++
		l.tries = 0
	}
	if v.revive || probe && v.fate == retry {
		s.unpark(l)
	} else if probe && v.fate == settled {
		s.setProbe(l, now) // it was given up on; ask with the next
	}
	s.advance(l)
	next := s.take(class)
	if next == nil {
		s.running[class]--
		if s.stopped && s.total() == 0 {
			close(s.idle)
		}
	}
	return next
}

func (s *scheduler) total() int {
	n := 0
	for _, r := range s.running {
		n += r
	}
	return n
}

// active returns how many attempts run.
func (s *scheduler) active() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.total()
}

// stop lets no further attempt begin. The channel is closed when none runs.
func (s *scheduler) stop() <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.stopped = true
	if s.total() == 0 {
		close(s.idle)
	}
	return s.idle
}

// workHeap is ordered by deadline, then by arrival.
type workHeap []*work

func (h workHeap) Len() int { return len(h) }
func (h workHeap) Less(i, j int) bool {
	if h[i].due != h[j].due {
		return h[i].due < h[j].due
	}
	return h[i].seq < h[j].seq
}
func (h workHeap) Swap(i, j int) { h[i], h[j] = h[j], h[i] }
func (h *workHeap) Push(x any)   { *h = append(*h, x.(*work)) }
func (h *workHeap) Pop() any {
	old := *h
	n := len(old) - 1
	w := old[n]
	old[n] = nil
	*h = old[:n]
	return w
}
