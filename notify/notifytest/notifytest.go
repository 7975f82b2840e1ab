// Package notifytest checks an implementation of [notify.Queue] against its
// contract. [NewMemory] returns a queue in memory, for tests of code that needs
// one.
//
// An implementation's test is one call:
//
//	notifytest.Run(t, notifytest.Harness{
//		Open: func(t *testing.T, dir string) notify.Queue {
//			s, err := spool.Open(dir, nil)
//			require.NoError(t, err)
//			return s
//		},
//	})
package notifytest

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/garminkit/activityapi/internal/memqueue"
	"github.com/garminkit/activityapi/notify"
)

// NewMemory returns an empty queue in memory, for one process. Its content lives as
// long as the value. It is safe for concurrent use, and uses package time, so that
// it works under testing/synctest.
func NewMemory() notify.Queue { return memqueue.NewMemory() }

// Harness opens queues of an implementation for [Run], ends them like a crash,
// and moves their clock. Only Open is required. Clauses that need a missing field
// are skipped, and Run says so.
type Harness struct {
	// Open opens the queue in dir, an empty directory at first; a queue stored
	// elsewhere takes dir as a name. A second call with the same dir, after the
	// first queue was killed or closed, stands for a restarted process, and must
	// find everything that the first promised to keep. For a shared queue, a
	// second call while the first queue is open stands for another process.
	Open func(t *testing.T, dir string) notify.Queue

	// Kill ends q like a killed process, without closing it: what q holds in
	// memory is lost, and what it passed to the operating system or a server
	// stays. If the implementation cannot do that, copy its files and let the
	// next Open use the copy. Running calls must return, with or without an
	// error.
	Kill func(t *testing.T, q notify.Queue)

	// PowerCut ends q like a power cut: what was not synced is lost.
	PowerCut func(t *testing.T, q notify.Queue)

	// Cut disconnects q from its storage, or reconnects it. It is for shared
	// queues.
	Cut func(t *testing.T, q notify.Queue, off bool)

	// Advance moves the clock of the leases by d. nil means [time.Sleep].
	Advance func(t *testing.T, d time.Duration)

	// Shared means that several processes may have the queue open. Lease is the
	// time after which others get the shares of a killed one.
	Shared bool
	Lease  time.Duration

	// Parallel means that the queues of several clauses may be open at once. The
	// clauses then run in parallel, as many as -parallel says.
	Parallel bool

	// InMemory means that the queue holds bodies in memory. How much memory it takes
	// is then not checked.
	InMemory bool

	// Test runs f, such as [synctest.Test] does, for each clause. nil means that
	// f is called directly.
	Test func(t *testing.T, f func(*testing.T))
}

// Run checks a queue. Each clause of the contract has its own subtest. With
// -short it skips a body of 100 MB.
func Run(t *testing.T, h Harness) {
	if h.Test == nil {
		h.Test = func(t *testing.T, f func(*testing.T)) { f(t) }
	}
	for _, c := range clauses() {
		t.Run(c.name, func(t *testing.T) {
			if why := c.needs.missing(&h); why != "" {
				t.Skip(why)
			}
			if h.Parallel {
				t.Parallel()
			}
			dir := t.TempDir()
			h.Test(t, func(t *testing.T) { c.run(t, &h, dir) })
		})
	}
}

// clause is one part of the contract and the check of it.
type clause struct {
	name  string
	text  string
	needs needs
	check func(*subject)
}

func clauses() []clause {
	var all []clause
	for _, part := range [][]clause{putClauses, scanClauses, orderClauses, settleClauses, letterClauses, eraseClauses, appClauses, shareClauses, sharedClauses, crashClauses, processorClauses} {
		all = append(all, part...)
	}
	return all
}

// needs says what a harness must be able to do.
type needs uint8

const (
	needsKill needs = 1 << iota
	needsPowerCut
	needsCut
	needsShared
	needsSingle
)

// missing says why a clause is left out, or "".
func (n needs) missing(h *Harness) string {
	switch {
	case n&needsKill != 0 && h.Kill == nil:
		return "left out: the harness has no Kill"
	case n&needsPowerCut != 0 && h.PowerCut == nil:
		return "left out: the harness has no PowerCut"
	case n&needsCut != 0 && h.Cut == nil:
		return "left out: the harness has no Cut"
	case n&needsShared != 0 && !h.Shared:
		return "left out: the queue is for one process"
	case n&needsSingle != 0 && h.Shared:
		return "left out: the queue is shared"
	}
	return ""
}

func (c *clause) run(t *testing.T, h *Harness, dir string) {
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	s := &subject{T: t, h: h, ctx: ctx, dir: dir, clause: c.text}
	defer s.end()
	s.open()
	c.check(s)
}

// subject is the queue under test.
type subject struct {
	*testing.T
	h      *Harness
	ctx    context.Context
	dir    string
	clause string
	queue  notify.Queue // as the latest process has it
	opened []notify.Queue
	*crew  // of that process
	crews  []*crew
}

// fail ends the test, with the clause that was broken.
func (s *subject) fail(format string, args ...any) {
	s.Helper()
	s.Fatalf("%s\n\tThe contract: %s.", fmt.Sprintf(format, args...), s.clause)
}

func (s *subject) ok(err error, doing string) {
	s.Helper()
	if err != nil {
		s.fail("%s: %v", doing, err)
	}
}

// open opens the queue, for another process if it is open.
func (s *subject) open() {
	s.Helper()
	s.queue = s.h.Open(s.T, s.dir)
	s.opened = append(s.opened, s.queue)
	s.crew = s.work(s.queue)
}

// close ends the latest process in good order.
func (s *subject) close() {
	s.Helper()
	s.crew.stop()
	s.opened = s.opened[:len(s.opened)-1]
	s.ok(s.queue.Check(s.ctx), "Check, which tells whether Put would store a body,")
	s.ok(s.queue.Close(), "Close")
}

// reopen models a restart of the process.
func (s *subject) reopen() {
	s.Helper()
	s.close()
	s.open()
}

// crash ends the latest process by kill, and opens the queue again.
func (s *subject) crash(kill func(*testing.T, notify.Queue)) {
	s.Helper()
	kill(s.T, s.queue)
	s.opened = s.opened[:len(s.opened)-1]
	s.crew.abandon()
	s.open()
}

// end cleans up, also after a failure.
func (s *subject) end() {
	for _, c := range s.crews {
		c.stop()
	}
	for _, q := range s.opened {
		if err := q.Close(); err != nil {
			s.Errorf("Close: %v", err)
		}
	}
}

// pass lets time go by.
func (s *subject) pass(d time.Duration) {
	if s.h.Advance != nil {
		s.h.Advance(s.T, d)
		return
	}
	time.Sleep(d)
}

// lease is how long the shares of a dead process stay with it.
func (s *subject) lease() time.Duration {
	if s.h.Lease > 0 {
		return s.h.Lease
	}
	return 15 * time.Second
}

// until waits for a condition, and fails with the rest of its arguments if it
// takes longer than most.
func (s *subject) until(most time.Duration, cond func() bool, format string, args ...any) {
	s.Helper()
	step := time.Millisecond
	for waited := time.Duration(0); !cond(); waited += step {
		if waited >= most || s.ctx.Err() != nil {
			s.fail(format, args...)
		}
		// Ever less often, since cond may be a lot of work.
		step = min(step*3/2, most/50, most-waited)
		s.pass(step)
	}
}

// patient is how long the suite waits for what should come at once, on a slow
// machine too.
const patient = 20 * time.Second
