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

const (
	maxRetryWait = 6 * time.Hour
)

// Delivery records an attempt to notify the partner.
type Delivery struct {
	// ID is the number of the attempt, and Notification that of the body, which
	// all attempts at it share. Both count from 1.
	ID           int64      `json:"id"`
	Notification int64      `json:"notification"`
	Key          types.Kind `json:"key"`
	Items        int        `json:"items"`
	Users        int        `json:"users"`
	// URL is where the body was posted, or "" if it went to a Handler.
	URL string `json:"url"`
	// Body and Header are what was posted. They are removed from old deliveries,
	// as are the header and body of Answer; see [Server.KeepBytes].
	Body   []byte      `json:"body"`
	Header http.Header `json:"header"`
	// Answer is what came back, if anything did.
	Answer Message `json:"answer"`
	// Attempt counts from 1.
	Attempt int           `json:"attempt"`
	Sent    time.Time     `json:"sent"`
	Took    time.Duration `json:"took"`
	// Status is the status of the answer, or 0 if there was none; Err then says
	// why.
	Status int   `json:"status"`
	Err    error `json:"-"`
	// Acknowledged is whether the answer was 200. Any other is a failure.
	Acknowledged bool `json:"-"`
	// Next is when the body is sent again. It is zero if it was acknowledged,
	// except under the quirk "duplicate".
	Next time.Time `json:"next"`

	p *parcel // until it is dropped
}

// announce queues the notification of a record.
func (s *Server) announce(u *User, r *record) {
	s.enqueue(r.kind, &notice{user: u, record: r})
}

// enqueue queues a notice, due now unless it says otherwise. A list key that is
// not enabled takes none. The last of a user who has left is the deregistration.
func (s *Server) enqueue(key types.Kind, n *notice) {
	if !s.endpoints[key].Enabled || n.user.gone && key != types.KindDeregistrations {
		return
	}
	n.queued = s.now()
	if n.due.IsZero() {
		n.due = n.queued
	}
	s.waiting[key] = append(s.waiting[key], n)
	s.wakeUp()
	s.touch()
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
		all := p.key == key && len(p.notices) > 0 && !slices.ContainsFunc(p.notices, func(n *notice) bool { return !match(n) })
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

// Deliveries returns the attempts whose ID is greater than after, oldest first. 0
// returns all that are kept; see [Server.KeepDeliveries]. State.Deliveries is the
// latest ID.
func (s *Server) Deliveries(after int64) []Delivery {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.deliveries.after(after)
}

// bare leaves only facts.
func (d *Delivery) bare() {
	d.Body, d.Header, d.Answer.Header, d.Answer.Body, d.p = nil, nil, nil, nil, nil
}

func (d *Delivery) load() int { return len(d.Body) + headerSize(d.Header) + d.Answer.load() }

func (d *Delivery) drop() {
	d.bare()
	d.Answer.Dropped = true
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
			d.bare()
			all = append(all, d)
		})
		next, ok := s.nextDue()
		if !ok || ctx.Err() != nil {
			return all, ctx.Err()
		}
		if !sleep(ctx, next.Sub(s.now()), nil) {
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
	s.deliverDue(ctx, done)
}

// deliverDue is deliver for who holds s.sending.
func (s *Server) deliverDue(ctx context.Context, done func(Delivery)) {
	now := s.now()
	for {
		parcels := s.takeDue(now, takeBodies)
		if len(parcels) == 0 {
			return
		}
		for i, p := range parcels {
			if ctx.Err() != nil {
				s.putBack(parcels[i:])
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
			wait = next.Sub(s.now())
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
	for _, key := range listKeys() {
		if s.reachable(key) && len(fresh) < bodies {
			due := s.takeWaiting(key, now, (bodies-len(fresh))*s.batchItems())
			fresh = append(fresh, s.pack(key, due)...)
		}
	}
	s.underWay = append(parcels, s.oddDelivery(fresh, now)...)
	return slices.Clone(s.underWay)
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
	if !slices.Contains(s.underWay, p) {
		return false
	}
	if s.reachable(p.key) {
		return true
	}
	if s.arrived(p) && s.endpoints[p.key].Enabled {
		s.retries = append(s.retries, p)
	}
	return false
}

// putBack queues bodies that were taken and not sent.
func (s *Server) putBack(parcels []*parcel) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, p := range parcels {
		if s.arrived(p) {
			s.retries = append(s.retries, p)
		}
	}
}

// arrived takes a body from those under way. It reports false if it is not one of
// them any more, since the state has been replaced: see [Server.Restore].
func (s *Server) arrived(p *parcel) bool {
	i := slices.Index(s.underWay, p)
	if i >= 0 {
		s.underWay = slices.Delete(s.underWay, i, i+1)
	}
	return i >= 0
}

func (s *Server) batchItems() int { return max(1, cmp.Or(s.DeliveryItems, 50)) }

// send makes one attempt and queues the next if it fails.
func (s *Server) send(ctx context.Context, p *parcel) Delivery {
	s.mu.Lock()
	endpoint := s.endpoints[p.key]
	p.attempt++
	cut := p.attempt == 1 && s.odd(quirkCutBody)
	lost := p.attempt == 1 && s.odd(quirkLostAnswer)
	s.mu.Unlock()
	d := Delivery{
		Notification: p.id, Key: p.key, Items: p.items, Users: p.users, URL: endpoint.URL,
		Body: p.body, Attempt: p.attempt, Sent: s.now(), p: p,
	}
	start := time.Now()
	d.Header, d.Status, d.Answer, d.Err = s.post(ctx, endpoint, p.body, cut)
	if lost {
		d.Status, d.Answer, d.Err = 0, Message{}, fmt.Errorf("the answer was lost: %w", io.ErrUnexpectedEOF)
	}
	d.Took, d.Acknowledged = time.Since(start), d.Status == http.StatusOK

	s.mu.Lock()
	defer s.mu.Unlock()
	defer s.touch()
	kept := s.arrived(p)
	again := d.Acknowledged && p.again
	if again {
		p.again = false
	}
	if kept && (again || !d.Acknowledged) && s.endpoints[p.key].Enabled && !p.left() {
		wait := cmp.Or(s.DeliveryFirstRetry, 30*time.Second)
		for range min(p.attempt-1, 30) { // long before, it is the longest
			wait = min(2*wait, maxRetryWait)
		}
		p.due = s.now().Add(wait)
		d.Next = p.due
		s.retries = append(s.retries, p)
	}
	if kept {
		d.ID = s.deliveries.nextID()
		s.deliveries.add(d, s.KeepDeliveries, s.keepBytes())
	}
	return d
}
