package activitytest

import (
	"context"
	"errors"
	"time"
)

// maxAhead keeps dates within what JSON can write.
const maxAhead = 100 * 366 * day

// now returns the server's time: that of package time, and what [Server.Advance]
// has added.
func (s *Server) now() time.Time { return time.Now().Add(time.Duration(s.ahead.Load())) }

// Advance moves the server's clock on by d. Notifications that become due on
// the way are delivered in order, each at its time. Tokens, codes, file URLs
// and what is on hold expire at theirs, and budgets are refilled. Advance
// returns what was delivered, without bodies. If ctx ends, the clock stays at
// the time of the next notification.
func (s *Server) Advance(ctx context.Context, d time.Duration) ([]Delivery, error) {
	if d < 0 || d > maxAhead {
		return nil, errors.New("activitytest: the clock does not go back, nor further than a hundred years")
	}
	s.sending.Lock()
	defer s.sending.Unlock()
	var all []Delivery
	keep := func(d Delivery) {
		d.Body, d.Header, d.Answer = nil, nil, Message{}
		all = append(all, d)
	}
	end := time.Duration(s.ahead.Load()) + d
	if end > maxAhead {
		return nil, errors.New("activitytest: the clock is ahead by a hundred years")
	}
	for ctx.Err() == nil {
		next, ok := s.nextDue()
		ahead := time.Duration(s.ahead.Load())
		step := next.Sub(s.now())
		if !ok || ahead+step > end {
			break
		}
		if step > 0 {
			s.ahead.Store(int64(ahead + step))
		}
		s.deliverDue(ctx, keep)
	}
	if err := ctx.Err(); err != nil {
		return all, err
	}
	s.ahead.Store(int64(end))
	s.deliverDue(ctx, keep)
	s.mu.Lock()
	s.sweep(s.now())
	s.wakeUp()
	s.touch()
	s.mu.Unlock()
	return all, ctx.Err()
}

// sweep forgets what has expired and is answered the same when it is not known.
func (s *Server) sweep(now time.Time) {
	for id, d := range s.files {
		if !now.Before(d.expires) {
			delete(s.files, id)
		}
	}
	for value, t := range s.refreshes {
		if !now.Before(t.expires) && t.user.refresh != t {
			delete(s.refreshes, value)
		}
	}
	for value, c := range s.codes {
		if !now.Before(c.expires) {
			delete(s.codes, value)
		}
	}
}

// touch tells those who watch that something has changed. s.mu is held.
func (s *Server) touch() {
	for c := range s.watchers {
		select {
		case c <- struct{}{}:
		default:
		}
	}
}
