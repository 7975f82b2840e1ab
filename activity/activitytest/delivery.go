package activitytest

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"net/http"
	"slices"
	"time"

	"github.com/garminkit/activityapi/types"
)

// DeliveryRules are the limits of notifications (Activity API, sections 3 to
// 5).
type DeliveryRules struct {
	// BatchItems is the maximum number of items in a body. Zero means 50.
	BatchItems int
	// Timeout is how long an endpoint may take to answer. Zero means 30 seconds.
	Timeout time.Duration
	// FirstRetry is the wait after the first failure. It doubles with each
	// failure, up to six hours. Zero means 30 seconds.
	FirstRetry time.Duration
	// Transport posts to endpoints that have a URL. Nil means
	// [http.DefaultTransport].
	Transport http.RoundTripper
}

const (
	maxRetryWait = 6 * time.Hour
)

// Delivery records an attempt to notify the partner.
type Delivery struct {
	Key   types.Kind
	Items int
	Users int
	// Body is what was posted. Deliver sets it, Deliveries does not.
	Body []byte
	// Attempt counts from 1.
	Attempt int
	Sent    time.Time
	Took    time.Duration
	// Status is that of the answer, or 0 if there was none; Err says why.
	Status int
	Err    error
	// Next is when the body is sent again. It is zero if it was acknowledged,
	// except under the quirk "duplicate".
	Next time.Time
}

// Acknowledged reports whether the answer was 200. Any other status is a failure.
func (d *Delivery) Acknowledged() bool { return d.Status == http.StatusOK }

// announce queues the notification of a record.
func (s *Server) announce(u *User, r *record) {
	s.enqueue(r.kind, &notice{user: u, record: r})
}

// enqueue queues a notice, due now unless it says otherwise. A list key that is
// not enabled takes none.
func (s *Server) enqueue(key types.Kind, n *notice) {
	if !s.endpoints[key].Enabled {
		return
	}
	n.queued = time.Now()
	if n.due.IsZero() {
		n.due = n.queued
	}
	s.waiting[key] = append(s.waiting[key], n)
	s.wakeUp()
}

// drop forgets notices that wait, those of bodies that failed included, and
// counts them. A body with notices of others is kept whole.
func (s *Server) drop(key types.Kind, match func(*notice) bool) (dropped int) {
	count := func(n *notice) bool {
		if match(n) {
			dropped++
			return true
		}
		return false
	}
	s.waiting[key] = slices.DeleteFunc(s.waiting[key], count)
	s.retries = slices.DeleteFunc(s.retries, func(p *parcel) bool {
		all := p.key == key && !slices.ContainsFunc(p.notices, func(n *notice) bool { return !match(n) })
		if all {
			dropped += len(p.notices)
		}
		return all
	})
	return dropped
}

func (s *Server) wakeUp() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// Pending counts the items that wait to be sent or to be acknowledged.
func (s *Server) Pending() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := 0
	for _, list := range s.waiting {
		n += len(list)
	}
	for _, list := range [][]*parcel{s.retries, s.underWay} {
		for _, p := range list {
			n += len(p.notices)
		}
	}
	return n
}

// Queued counts the items of a list key that wait to be sent, and those of
// bodies that have failed and are sent again.
func (s *Server) Queued(key types.Kind) (waiting, failed int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, p := range s.retries {
		if p.key == key {
			failed += len(p.notices)
		}
	}
	return len(s.waiting[key]), failed
}

// Expired returns the number of items dropped because their endpoint was on hold
// for more than seven days. They are never sent.
func (s *Server) Expired() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.expired
}

// Deliveries returns the record of every attempt, oldest first, without
// bodies.
func (s *Server) Deliveries() []Delivery {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.deliveries)
}

// Deliver sends what is due now, one body after the other, and returns the result
// of each. It skips endpoints on hold and those without handler and URL. Failed
// bodies are due again later. If ctx ends, the rest stays queued.
func (s *Server) Deliver(ctx context.Context) []Delivery {
	var done []Delivery
	s.deliver(ctx, func(d Delivery) { done = append(done, d) })
	return done
}

// DeliverAll delivers until nothing deliverable is left, waiting for back-offs:
// run it inside testing/synctest if anything may fail. The results have no
// bodies.
func (s *Server) DeliverAll(ctx context.Context) ([]Delivery, error) {
	var all []Delivery
	for {
		s.deliver(ctx, func(d Delivery) {
			d.Body = nil
			all = append(all, d)
		})
		next, ok := s.nextDue()
		if !ok || ctx.Err() != nil {
			return all, ctx.Err()
		}
		if !sleep(ctx, time.Until(next), nil) {
			return all, ctx.Err()
		}
	}
}

// takeBodies is how many bodies are made at a time, so that a long queue is
// never in memory twice.
const takeBodies = 64

func (s *Server) deliver(ctx context.Context, done func(Delivery)) {
	s.sending.Lock()
	defer s.sending.Unlock()
	now := time.Now()
	for {
		parcels := s.takeDue(now, takeBodies)
		if len(parcels) == 0 {
			return
		}
		for i, p := range parcels {
			if ctx.Err() != nil {
				s.mu.Lock()
				s.retries = append(s.retries, parcels[i:]...)
				s.underWay = nil
				s.mu.Unlock()
				return
			}
			if s.stillDue(p) {
				done(s.send(ctx, p))
			}
		}
	}
}

// Run delivers what becomes due until ctx ends, and returns its error.
func (s *Server) Run(ctx context.Context) error {
	for {
		s.deliver(ctx, func(Delivery) {})
		wait := time.Hour
		if next, ok := s.nextDue(); ok {
			wait = time.Until(next)
		}
		if !sleep(ctx, wait, s.wake) {
			return ctx.Err()
		}
	}
}

func sleep(ctx context.Context, d time.Duration, wake <-chan struct{}) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-wake:
	case <-ctx.Done():
		return false
	}
	return true
}

// reachable reports whether the key's notifications can be sent.
func (s *Server) reachable(key types.Kind) bool {
	e := s.endpoints[key]
	return e.Enabled && !e.OnHold && (e.Handler != nil || e.URL != "")
}

func (s *Server) nextDue() (next time.Time, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	earliest := func(t time.Time) {
		if !ok || t.Before(next) {
			next, ok = t, true
		}
	}
	for key, list := range s.waiting {
		if s.reachable(key) {
			for _, n := range list {
				earliest(n.due)
			}
		}
	}
	for _, p := range s.retries {
		if s.reachable(p.key) {
			earliest(p.due)
		}
	}
	return next, ok
}

// takeDue removes what is due from the queues, up to so many bodies, in the
// order of the list keys, failed bodies first.
func (s *Server) takeDue(now time.Time, bodies int) []*parcel {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.dropExpired(now)
	var parcels, fresh []*parcel
	s.retries = slices.DeleteFunc(s.retries, func(p *parcel) bool {
		due := s.reachable(p.key) && !p.due.After(now)
		if due {
			parcels = append(parcels, p)
		}
		return due
	})
	slices.SortStableFunc(parcels, func(a, b *parcel) int { return a.due.Compare(b.due) })
	for _, key := range ListKeys() {
		if s.reachable(key) && len(fresh) < bodies {
			due := s.takeWaiting(key, now, (bodies-len(fresh))*s.batchItems())
			fresh = append(fresh, s.pack(key, due)...)
		}
	}
	s.underWay = append(parcels, s.oddDelivery(fresh, now)...)
	return s.underWay
}

// takeWaiting removes up to n due notices from a queue.
func (s *Server) takeWaiting(key types.Kind, now time.Time, n int) []*notice {
	var due, later []*notice
	queue := s.waiting[key]
	for len(queue) > 0 && len(due) < n {
		if queue[0].due.After(now) {
			later = append(later, queue[0])
		} else {
			due = append(due, queue[0])
		}
		queue = queue[1:]
	}
	if len(later) > 0 {
		queue = append(later, queue...)
	}
	s.waiting[key] = queue
	return due
}

// stillDue reports whether the endpoint has not been changed since the body was
// taken from the queue. On hold, the body goes back; not enabled, it is dropped.
func (s *Server) stillDue(p *parcel) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.reachable(p.key) {
		return true
	}
	s.underWay = s.underWay[1:]
	if s.endpoints[p.key].Enabled {
		s.retries = append(s.retries, p)
	}
	return false
}

func (s *Server) batchItems() int { return cmp.Or(s.Delivery.BatchItems, 50) }

// send makes one attempt and queues the next if it fails.
func (s *Server) send(ctx context.Context, p *parcel) Delivery {
	s.mu.Lock()
	endpoint := s.endpoints[p.key]
	p.attempt++
	cut := p.attempt == 1 && s.odd(quirkCutBody)
	lost := p.attempt == 1 && s.odd(quirkLostAnswer)
	s.mu.Unlock()
	d := Delivery{Key: p.key, Items: p.items, Users: p.users, Body: p.body, Attempt: p.attempt, Sent: time.Now()}
	d.Status, d.Err = s.post(ctx, endpoint, p.body, cut)
	if lost {
		d.Status, d.Err = 0, fmt.Errorf("the answer was lost: %w", io.ErrUnexpectedEOF)
	}
	d.Took = time.Since(d.Sent)

	s.mu.Lock()
	defer s.mu.Unlock()
	s.underWay = s.underWay[1:]
	again := d.Acknowledged() && p.again
	if again {
		p.again = false
	}
	if (again || !d.Acknowledged()) && s.endpoints[p.key].Enabled {
		wait := cmp.Or(s.Delivery.FirstRetry, 30*time.Second)
		for range p.attempt - 1 {
			wait = min(2*wait, maxRetryWait)
		}
		p.due = time.Now().Add(wait)
		d.Next = p.due
		s.retries = append(s.retries, p)
	}
	kept := d
	kept.Body = nil
	s.deliveries = append(s.deliveries, kept)
	return d
}
