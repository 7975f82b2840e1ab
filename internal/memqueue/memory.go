// Package memqueue is a [notify.Queue] in memory, for tests: [Memory] for one
// process, and [Shared] as the model of a queue that several processes share.
package memqueue

import (
	"bytes"
	"context"
	"errors"
	"io"
	"iter"
	"sync"
	"time"

	"github.com/garminkit/activityapi/internal/letters"
	"github.com/garminkit/activityapi/notify"
)

// Memory is a [notify.Queue] in memory, as one process sees it. Its content lives
// as long as the value. It is safe for concurrent use, and uses package time, so
// that it works under testing/synctest.
type Memory struct {
	t      *table
	claims *Claims
	number int
	trip   func(process int, op string) Trip
	margin time.Duration
	kick   chan struct{} // by the table: ask for shares
	dead   chan struct{} // closed by Kill and Close

	running sync.WaitGroup // our goroutines

	mu       sync.Mutex
	paused   chan struct{} // closed by Resume; nil while the process runs
	cut      bool
	looping  bool
	beating  bool
	hand     map[int]*share // not released by the worker yet
	ended    map[int]ending
	granted  []*share      // not yielded yet
	ready    chan struct{} // granted has something
	until    time.Time     // when the rights end, by our own clock
	watchdog *time.Timer
}

// NewMemory returns an empty queue for one process.
func NewMemory() *Memory { return newMemory(newTable(1, 0), 1, nil) }

func newMemory(t *table, number int, trip func(int, string) Trip) *Memory {
	return &Memory{
		t: t, claims: t.claims.Another(), number: number, trip: trip, margin: t.lease / 3,
		kick: make(chan struct{}, 1), dead: make(chan struct{}), ready: make(chan struct{}, 1),
		hand: map[int]*share{}, ended: map[int]ending{},
	}
}

var _ notify.Queue = (*Memory)(nil)

// Claims implements [notify.Queue].
func (m *Memory) Claims() notify.Claims { return m.claims }

// Reopen kills m and returns the queue as the next process finds it.
func (m *Memory) Reopen() *Memory {
	m.Kill()
	if m.t.lease == 0 {
		m.t.mu.Lock()
		for _, s := range m.t.shares {
			s.free()
		}
		m.t.workers = nil
		m.t.mu.Unlock()
	}
	return newMemory(m.t, m.number+1, m.trip)
}

// Len returns the number of unfinished items.
func (m *Memory) Len() int {
	m.t.mu.Lock()
	defer m.t.mu.Unlock()
	return len(m.t.items)
}

// Put implements [notify.Queue].
func (m *Memory) Put(ctx context.Context, r io.Reader) error {
	body, err := io.ReadAll(r)
	if err != nil {
		return err
	}
	pieces, err := split(body)
	if err != nil {
		return err
	}
	return m.call(ctx, "put", func(t *table) error {
		notify.StoredAs(ctx, t.put(pieces, 0))
		return nil
	})
}

// Check implements [notify.Queue].
func (m *Memory) Check(ctx context.Context) error {
	return m.call(ctx, "check", func(*table) error { return nil })
}

// Stats implements [notify.Queue].
func (m *Memory) Stats(ctx context.Context) (notify.QueueStats, error) {
	var st notify.QueueStats
	err := m.call(ctx, "stats", func(t *table) error {
		st = t.stats()
		return nil
	})
	return st, err
}

// Letters implements [notify.Queue].
func (m *Memory) Letters(ctx context.Context, f *notify.LetterFilter) iter.Seq2[*notify.DeadLetter, error] {
	return func(yield func(*notify.DeadLetter, error) bool) {
		var all []*notify.DeadLetter
		err := m.call(ctx, "letters", func(t *table) error {
			from, err := fromOf(f)
			if err != nil {
				return err
			}
			for _, l := range t.letters {
				if l.number > from && letters.Match(f, &l.DeadLetter) {
					c := l.DeadLetter
					all = append(all, &c)
				}
			}
			return nil
		})
		for _, l := range all {
			if err = context.Cause(ctx); err != nil {
				break
			}
			if !yield(l, nil) {
				return
			}
		}
		if err != nil {
			yield(nil, err)
		}
	}
}

// Letter implements [notify.Queue].
func (m *Memory) Letter(ctx context.Context, id string) (*notify.DeadLetter, error) {
	var l notify.DeadLetter
	err := m.call(ctx, "letter", func(t *table) error {
		i, err := t.letter(id)
		if err == nil {
			l = t.letters[i].DeadLetter
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	return &l, nil
}

// OpenLetter implements [notify.Queue].
func (m *Memory) OpenLetter(ctx context.Context, id string) (io.ReadCloser, error) {
	var r io.Reader
	err := m.call(ctx, "open letter", func(t *table) error {
		i, err := t.letter(id)
		if err == nil {
			r = t.letters[i].open()
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	return io.NopCloser(r), nil
}

// Redrive implements [notify.Queue].
func (m *Memory) Redrive(ctx context.Context, id string) error {
	return m.call(ctx, "redrive", func(t *table) error { return t.redrive(id) })
}

// Discard implements [notify.Queue].
func (m *Memory) Discard(ctx context.Context, id string) error {
	return m.call(ctx, "discard", func(t *table) error { return t.discard(id) })
}

// Shares implements [notify.Queue].
func (m *Memory) Shares(ctx context.Context) iter.Seq2[notify.Share, error] {
	return func(yield func(notify.Share, error) bool) {
		if ctx.Err() != nil {
			return
		}
		if err := m.begin(); err != nil {
			yield(nil, err)
			return
		}
		defer m.end()
		for {
			s := m.grantedNext()
			if ctx.Err() != nil {
				if s != nil {
					s.Release() // nobody has seen it
				}
				return
			}
			if s != nil {
				if !yield(s, nil) {
					return
				}
				continue
			}
			select {
			case <-m.ready:
			case <-ctx.Done():
			case <-m.dead:
				return
			}
		}
	}
}

// begin makes the process a worker.
func (m *Memory) begin() error {
	if err := m.Alive(); err != nil {
		return err
	}
	m.mu.Lock()
	if m.looping || m.t.lease == 0 && len(m.hand) > 0 {
		m.mu.Unlock()
		return notify.ErrInUse
	}
	m.looping = true
	beat := !m.beating
	m.beating = true
	m.mu.Unlock()
	if !beat {
		signal(m.kick)
	} else if !m.start(m.beats) {
		return errKilled
	}
	return nil
}

// end lets the process keep what it has and take no more.
func (m *Memory) end() {
	m.mu.Lock()
	m.looping = false
	left := m.granted
	m.granted = nil
	m.mu.Unlock()
	for _, s := range left {
		s.Release()
	}
	signal(m.kick)
}

// grantedNext returns the next share to yield, or nil.
func (m *Memory) grantedNext() *share {
	m.mu.Lock()
	defer m.mu.Unlock()
	for len(m.granted) > 0 {
		s := m.granted[0]
		m.granted = m.granted[1:]
		if s.ctx.Err() == nil {
			return s
		}
		delete(m.hand, s.share) // lost before anybody saw it
		m.ended[s.share] = ending{s.epoch, true}
	}
	return nil
}

// Close ends the process properly: it releases its shares.
func (m *Memory) Close() error {
	m.mu.Lock()
	m.looping, m.granted = false, nil
	var all []*share
	for _, s := range m.hand {
		all = append(all, s)
	}
	m.mu.Unlock()
	for _, s := range all {
		s.Release()
	}
	err := m.call(context.Background(), "leave", func(t *table) error {
		t.leave(m)
		return nil
	})
	m.Kill()
	m.running.Wait()
	if errors.Is(err, errKilled) {
		return nil
	}
	return err
}

// reading gives an item's bytes.
func reading(data []byte) io.ReadCloser { return io.NopCloser(bytes.NewReader(data)) }
