package memqueue

import (
	"context"
	"fmt"
	"io"
	"maps"
	"time"

	"github.com/garminkit/activityapi/notify"
)

// share is a right of a process.
type share struct {
	right
	m       *Memory
	ctx     context.Context
	cancel  context.CancelCauseFunc
	changed chan struct{}
	wanted  chan struct{}

	// Under the lock of m.
	back     bool // wanted is closed
	released bool
}

func (m *Memory) newShare(r right) *share {
	s := &share{right: r, m: m, changed: make(chan struct{}, 1), wanted: make(chan struct{})}
	s.ctx, s.cancel = context.WithCancelCause(context.Background())
	return s
}

func (s *share) Context() context.Context { return s.ctx }
func (s *share) Changed() <-chan struct{} { return s.changed }
func (s *share) Wanted() <-chan struct{}  { return s.wanted }

// call is a call to the table, unless the worker has given the share up.
func (s *share) call(ctx context.Context, op string, f func(*table) error) error {
	s.m.mu.Lock()
	released := s.released
	s.m.mu.Unlock()
	if released {
		return fmt.Errorf("memqueue: %s: %w", op, errReleased)
	}
	return s.m.call(ctx, op, f)
}

func (s *share) Scan(ctx context.Context, class notify.Class, after notify.ItemID, most int) ([]*notify.Item, error) {
	var got []*notify.Item
	err := s.call(ctx, "scan", func(t *table) (err error) {
		got, err = t.scan(s.right, class, after, most)
		return err
	})
	if err != nil {
		return nil, err
	}
	return got, nil
}

func (s *share) Load(ctx context.Context, ids []notify.ItemID) ([]*notify.Item, error) {
	var got []*notify.Item
	err := s.call(ctx, "load", func(t *table) (err error) {
		got, err = t.load(s.right, ids)
		return err
	})
	if err != nil {
		return nil, err
	}
	return got, nil
}

func (s *share) Open(ctx context.Context, id notify.ItemID) (io.ReadCloser, error) {
	var data []byte
	err := s.call(ctx, "open", func(t *table) (err error) {
		data, err = t.open(s.right, id)
		return err
	})
	if err != nil {
		return nil, err
	}
	return reading(data), nil
}

func (s *share) Settle(ctx context.Context, verdicts []notify.Verdict) error {
	return s.call(ctx, "settle", func(t *table) error { return t.settle(s.right, verdicts) })
}

func (s *share) Release() {
	m := s.m
	m.mu.Lock()
	if s.released {
		m.mu.Unlock()
		return
	}
	s.released = true
	delete(m.hand, s.share)
	m.ended[s.share] = ending{s.epoch, true}
	m.mu.Unlock()
	s.cancel(errReleased)
	// If this fails, the next beat says it again.
	_ = m.call(context.Background(), "release", func(t *table) error {
		t.release(s.right)
		return nil
	})
	signal(m.kick)
}

// beats renews what the process has, until it has nothing more.
func (m *Memory) beats() {
	for {
		m.beat()
		m.mu.Lock()
		if !m.looping && (len(m.hand) == 0 || m.t.lease == 0) {
			m.beating = false
			m.mu.Unlock()
			_ = m.call(context.Background(), "leave", func(t *table) error {
				t.leave(m)
				return nil
			})
			return
		}
		m.mu.Unlock()
		if m.t.lease == 0 {
			select {
			case <-m.kick:
			case <-m.dead:
				return
			}
			continue
		}
		again := time.NewTimer(m.t.lease / 8)
		select {
		case <-m.kick:
		case <-again.C:
		case <-m.dead:
			again.Stop()
			return
		}
		again.Stop()
	}
}

// beat asks the table what is ours, and compares it both ways with what we
// think.
func (m *Memory) beat() {
	m.mu.Lock()
	rep := report{looping: m.looping, ended: map[int]ending{}}
	maps.Copy(rep.ended, m.ended)
	m.mu.Unlock()
	sent := time.Now()
	var mine []grant
	err := m.call(context.Background(), "beat", func(t *table) error {
		mine = t.beat(m, rep)
		return nil
	})
	if err != nil {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.t.lease > 0 {
		m.until = sent.Add(m.t.lease - m.margin)
		if !time.Now().Before(m.until) {
			m.lapse()
			return
		}
		m.watch()
	}
	named := map[int]grant{}
	for _, g := range mine {
		named[g.share] = g
	}
	for i, s := range m.hand {
		if g, ok := named[i]; !ok || g.epoch != s.epoch {
			m.lose(s, "another process may have it")
		}
	}
	for _, g := range mine {
		s := m.hand[g.share]
		switch {
		case s != nil && s.epoch == g.epoch:
			if g.wanted && !s.back {
				s.back = true
				close(s.wanted)
			}
		case (s == nil || m.t.unfenced == "busy") && m.ended[g.share].epoch < g.epoch:
			if !m.looping {
				// The loop has ended while this was on its way: nobody is there to
				// yield it to. The next beat says that it is free.
				m.ended[g.share] = ending{g.epoch, true}
				signal(m.kick)
				continue
			}
			m.take(g)
		}
	}
}

// take adds a share that has fallen to the process.
func (m *Memory) take(g grant) {
	s := m.newShare(g.right)
	select {
	case <-m.dead:
		return
	default:
	}
	m.t.mu.Lock()
	m.t.watch(g.right, s.changed)
	m.t.mu.Unlock()
	m.hand[g.share] = s
	m.granted = append(m.granted, s)
	signal(m.ready)
}

// lose ends a right. The worker may need a while to see it.
func (m *Memory) lose(s *share, why string) {
	if s.ctx.Err() == nil {
		m.ended[s.share] = ending{s.epoch, false}
		s.cancel(fmt.Errorf("%w: %s", notify.ErrLost, why))
	}
}

// lapse ends all rights: no beat has come through for too long.
func (m *Memory) lapse() {
	for _, s := range m.hand {
		m.lose(s, "the lease was not renewed in time")
	}
}

// watch sets the watchdog to when the rights end.
func (m *Memory) watch() {
	if m.watchdog != nil {
		m.watchdog.Stop()
	}
	m.watchdog = time.AfterFunc(time.Until(m.until), func() {
		if m.Alive() != nil {
			return
		}
		m.mu.Lock()
		defer m.mu.Unlock()
		if !time.Now().Before(m.until) {
			m.lapse()
		}
	})
}
