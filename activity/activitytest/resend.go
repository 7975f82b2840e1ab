package activitytest

import (
	"context"
	"errors"
	"fmt"
	"slices"
)

// Resend sends the body of a delivery once more, now, to the endpoint as it is
// configured now. It counts as a new notification: if it fails, it is sent again.
// Resend returns an error if the body is no longer kept (see [Server.KeepBytes]), or if
// the endpoint is not enabled, on hold or without address.
func (s *Server) Resend(ctx context.Context, id int64) (Delivery, error) {
	return s.sendNow(ctx, id, func(old *parcel) (*parcel, error) {
		p := *old
		s.parcels++
		p.id, p.attempt, p.again = s.parcels, 0, false
		return &p, nil
	})
}

// Retry immediately sends bodies that failed and wait to be sent again: those of the
// given deliveries, or all if no ids are given. It returns an error if the body of a
// given delivery does not wait or is no longer kept, or if its endpoint is not
// enabled, on hold or without address. Without ids, such bodies are left out.
func (s *Server) Retry(ctx context.Context, ids ...int64) ([]Delivery, error) {
	if len(ids) == 0 {
		return s.retryAll(ctx), ctx.Err()
	}
	var done []Delivery
	for _, id := range ids {
		d, err := s.sendNow(ctx, id, func(p *parcel) (*parcel, error) {
			i := slices.Index(s.retries, p)
			if i < 0 {
				return nil, errors.New("activitytest: the body does not wait to be sent again")
			}
			s.retries = slices.Delete(s.retries, i, i+1)
			return p, nil
		})
		if err != nil {
			return done, err
		}
		done = append(done, d)
	}
	return done, nil
}

func (s *Server) retryAll(ctx context.Context) []Delivery {
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
		return nil, errors.New("activitytest: no such delivery")
	case d.p == nil:
		return nil, errors.New("activitytest: the body is no longer kept")
	case !s.reachable(d.Key):
		return nil, fmt.Errorf("activitytest: the endpoint of %s is not enabled, on hold or without address", d.Key)
	}
	p, err := take(d.p)
	if err == nil {
		s.underWay = append(s.underWay, p)
	}
	return p, err
}
