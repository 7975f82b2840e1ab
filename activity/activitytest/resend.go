package activitytest

import (
	"context"
	"errors"
	"fmt"
	"slices"
)

// Errors of ResendDelivery and RetryDelivery.
var (
	// ErrNoDelivery: there is no delivery of this id.
	ErrNoDelivery = errors.New("activitytest: no such delivery")
	// ErrNotKept: the body is not kept any more: see [Retention].
	ErrNotKept = errors.New("activitytest: the body is no longer kept")
	// ErrNotSent: the endpoint is not enabled, on hold or has no address, or the
	// body does not wait.
	ErrNotSent = errors.New("activitytest: nothing can be sent")
)

// ResendDelivery sends the body of a delivery once more, now, to the endpoint as
// it is configured now. It is a notification of its own: if it fails, it is sent
// again. It may wait for other deliveries to end.
func (s *Server) ResendDelivery(ctx context.Context, id int64) (Delivery, error) {
	return s.sendNow(ctx, id, func(old *parcel) (*parcel, error) {
		p := *old
		s.parcels++
		p.id, p.attempt, p.again = s.parcels, 0, false
		return &p, nil
	})
}

// RetryDelivery sends a body that waits to be sent again now.
func (s *Server) RetryDelivery(ctx context.Context, id int64) (Delivery, error) {
	return s.sendNow(ctx, id, func(p *parcel) (*parcel, error) {
		i := slices.Index(s.retries, p)
		if i < 0 {
			return nil, fmt.Errorf("%w: the body does not wait to be sent again", ErrNotSent)
		}
		s.retries = slices.Delete(s.retries, i, i+1)
		return p, nil
	})
}

// RetryAll sends all that waits to be sent again now, and returns what became of
// each, with bodies. Endpoints on hold and those without address are left out.
func (s *Server) RetryAll(ctx context.Context) []Delivery {
	s.sending.Lock()
	defer s.sending.Unlock()
	s.mu.Lock()
	var again []*parcel
	s.retries = slices.DeleteFunc(s.retries, func(p *parcel) bool {
		if !s.reachable(p.key) {
			return false
		}
		again = append(again, p)
		return true
	})
	s.underWay = slices.Clone(again)
	s.mu.Unlock()
	var done []Delivery
	for i, p := range again {
		if ctx.Err() != nil {
			s.putBack(again[i:])
			break
		}
		if s.stillDue(p) {
			done = append(done, s.send(ctx, p))
		}
	}
	return done
}

// sendNow sends what take makes of a delivery's body.
func (s *Server) sendNow(ctx context.Context, id int64, take func(*parcel) (*parcel, error)) (Delivery, error) {
	s.sending.Lock()
	defer s.sending.Unlock()
	p, err := s.takeNow(id, take)
	if err != nil {
		return Delivery{}, err
	}
	return s.send(ctx, p), nil
}

func (s *Server) takeNow(id int64, take func(*parcel) (*parcel, error)) (*parcel, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	d := s.deliveries.get(id)
	switch {
	case d == nil:
		return nil, ErrNoDelivery
	case d.p == nil:
		return nil, ErrNotKept
	case !s.reachable(d.Key):
		return nil, fmt.Errorf("%w: the endpoint of %s is not enabled, on hold or without address", ErrNotSent, d.Key)
	}
	p, err := take(d.p)
	if err == nil {
		s.underWay = append(s.underWay, p)
	}
	return p, err
}
