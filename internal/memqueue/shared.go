package memqueue

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/garminkit/activityapi/notify"
)

// Shared is a queue in memory that several processes share, like a database. It
// is the model of such an engine: it has the required leases and fences every
// call, and processes can be stopped, cut off and killed.
type Shared struct {
	t    *table
	trip func(int, string) Trip

	mu     sync.Mutex
	opened int
}

// SharedOptions are the optional settings of [NewShared]. Zero values mean
// defaults.
type SharedOptions struct {
	// Shares is the number of shares, 8 by default.
	Shares int
	// Lease is how long a process keeps its shares after its last call, 15
	// seconds by default. In the process itself, rights end a third earlier.
	Lease time.Duration
	// Trip says what happens to a call. process numbers handles in order of Open,
	// from 1; op is "put", "scan", "load", "open", "settle", "beat", "release",
	// "leave" or another lower-case name. nil means that each call arrives at
	// once. It may be called concurrently.
	Trip func(process int, op string) Trip
	// ScanMost limits what a scan returns; it announces the rest later, as a slow
	// engine may. 0 means no limit.
	ScanMost int
	// Unfenced removes one rule, to prove that a test notices: "scan", "load",
	// "open", "settle" and "release" are done without the right to the share;
	// "margin" lets a process use its right until the last moment; "lease" gives
	// a share away before the lease has ended; "busy" gives it back to a process
	// that still works under a lost right.
	Unfenced string
}

// Trip describes the way of a call to the table and back.
type Trip struct {
	There, Back time.Duration
	Lost        Loss
}

// Loss is the part of a call that is lost. The caller gets an error.
type Loss uint8

// The losses.
const (
	// LostRequest: the call never arrived.
	LostRequest Loss = iota + 1
	// LostAnswer: the call had its effect, but the caller does not know.
	LostAnswer
)

// NewShared returns an empty shared queue.
func NewShared(opts *SharedOptions) *Shared {
	var o SharedOptions
	if opts != nil {
		o = *opts
	}
	if o.Shares <= 0 {
		o.Shares = 8
	}
	if o.Lease <= 0 {
		o.Lease = 15 * time.Second
	}
	t := newTable(o.Shares, o.Lease)
	t.unfenced, t.scanMost = o.Unfenced, o.ScanMost
	return &Shared{t: t, trip: o.Trip}
}

// Open returns the queue for a new process.
func (s *Shared) Open() *Memory {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.opened++
	m := newMemory(s.t, s.opened, s.trip)
	if s.t.unfenced == "margin" {
		m.margin = 0
	}
	return m
}

// Step moves the clock of the table by d, but of no process.
func (s *Shared) Step(d time.Duration) {
	s.t.mu.Lock()
	defer s.t.mu.Unlock()
	s.t.ahead += d
}

var (
	errKilled   = errors.New("memqueue: the process was killed")
	errNetwork  = errors.New("memqueue: the connection was lost")
	errReleased = fmt.Errorf("%w: it was released", notify.ErrLost)
)

// Kill ends the process abruptly: its calls fail, but calls already sent may
// still arrive.
func (m *Memory) Kill() {
	m.mu.Lock()
	defer m.mu.Unlock()
	select {
	case <-m.dead:
		return
	default:
	}
	close(m.dead)
	for _, s := range m.hand {
		s.cancel(fmt.Errorf("%w: %w", notify.ErrLost, errKilled))
	}
	m.looping, m.granted = false, nil
	if m.watchdog != nil {
		m.watchdog.Stop()
	}
}

// Pause stops the process, like SIGSTOP: it makes no call and sees no answer
// until [Memory.Resume]. Calls already sent still take effect. Test code that
// acts for the process must call [Memory.Alive].
func (m *Memory) Pause() {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.paused == nil {
		m.paused = make(chan struct{})
	}
}

// Resume lets the process continue.
func (m *Memory) Resume() {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.paused != nil {
		close(m.paused)
		m.paused = nil
	}
}

// Alive waits while the process is paused, and fails once it is killed.
func (m *Memory) Alive() error {
	for {
		m.mu.Lock()
		paused := m.paused
		m.mu.Unlock()
		select {
		case <-m.dead:
			return errKilled
		default:
		}
		if paused == nil {
			return nil
		}
		select {
		case <-paused:
		case <-m.dead:
		}
	}
}

// Cut disconnects the process from the queue, or reconnects it. Calls on their
// way are lost.
func (m *Memory) Cut(off bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.cut = off
}

func (m *Memory) isCut() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.cut
}

// patience is how long a call waits for an answer that does not come.
const patience = time.Second

// call does f to the table, over the network.
func (m *Memory) call(ctx context.Context, op string, f func(*table) error) error {
	if err := m.Alive(); err != nil {
		return err
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	var trip Trip
	if m.trip != nil {
		trip = m.trip(m.number, op)
	}
	if m.isCut() {
		trip.Lost = LostRequest
	}
	if trip == (Trip{}) {
		m.t.mu.Lock()
		defer m.t.mu.Unlock()
		return f(m.t)
	}
	answer := make(chan error, 1)
	if !m.start(func() { answer <- m.travel(trip, f) }) {
		return errKilled
	}
	var err error
	select {
	case err = <-answer:
	case <-ctx.Done(): // what was sent cannot be called back
		err = context.Cause(ctx)
	}
	if e := m.Alive(); e != nil {
		return e
	}
	return err
}

// start runs f as a part of the process, unless that is dead.
func (m *Memory) start(f func()) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	select {
	case <-m.dead:
		return false
	default:
		m.running.Go(f)
		return true
	}
}

func (m *Memory) travel(trip Trip, f func(*table) error) error {
	time.Sleep(trip.There)
	if trip.Lost == LostRequest || m.isCut() {
		time.Sleep(patience)
		return errNetwork
	}
	m.t.mu.Lock()
	err := f(m.t)
	m.t.mu.Unlock()
	time.Sleep(trip.Back)
	if trip.Lost == LostAnswer || m.isCut() {
		time.Sleep(patience)
		return errNetwork
	}
	return err
}
