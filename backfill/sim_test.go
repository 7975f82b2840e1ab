package backfill_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/garminkit/activityapi/activity"
	"github.com/garminkit/activityapi/backfill"
	"github.com/garminkit/activityapi/types"
)

// server counts days as Garmin may: at some moment between a request and its
// response. Every moment is kept, so that each window of a minute, wherever it
// begins, can be checked afterwards.
type server struct {
	latency latency
	lose    float64 // share of responses that get lost
	budget  int     // to answer 429, if not 0

	mu      sync.Mutex
	rng     *rand.Rand
	counted []count
	trips   time.Duration
	answers int
	limited int
	taken   map[string]taking // by user, kind and range
	// overlaps makes any shared second a duplicate, not the same range only.
	overlaps bool
}

// taking is a request that was accepted.
type taking struct {
	user types.UserID
	kind types.Kind
	w    types.Window
	at   time.Time
}

type count struct {
	at   time.Time
	days int
}

// latency draws the time to the server's counter and from there to the
// response.
type latency func(*rand.Rand) (there, back time.Duration)

func between(lo, hi time.Duration) latency {
	return func(r *rand.Rand) (time.Duration, time.Duration) {
		total := lo
		if hi > lo {
			total += time.Duration(r.Int64N(int64(hi - lo)))
		}
		if total == 0 {
			return 0, 0
		}
		there := time.Duration(r.Int64N(int64(total) + 1))
		return there, total - there
	}
}

// stalls is between, but for one request in twenty, which takes stall more.
func stalls(lo, hi, stall time.Duration) latency {
	usual := between(lo, hi)
	return func(r *rand.Rand) (time.Duration, time.Duration) {
		there, back := usual(r)
		if r.IntN(20) == 0 {
			if r.IntN(2) == 0 {
				there += stall
			} else {
				back += stall
			}
		}
		return there, back
	}
}

func newServer(seed uint64, l latency) *server {
	return &server{latency: l, rng: rand.New(rand.NewPCG(seed, 2)), taken: map[string]taking{}}
}

// duplicate is Garmin's answer to a request that overlaps an earlier one. The
// end of its range is the last second.
func duplicate(earlier types.Window, processed time.Time) error {
	earlier.End = earlier.End.Add(-time.Second)
	return &activity.Error{
		StatusCode: 409, Err: activity.ErrDuplicate, Earlier: earlier,
		Message: "duplicate backfill processed at " + processed.UTC().Format(time.RFC3339),
	}
}

var errLost = errors.New("connection lost")

// client is the server as one user sees it.
func (s *server) client(userID types.UserID) backfill.Requester {
	return requester(func(ctx context.Context, kind types.Kind, w types.Window) error {
		return s.backfill(ctx, userID, kind, w)
	})
}

func (s *server) backfill(ctx context.Context, userID types.UserID, kind types.Kind, w types.Window) error {
	s.mu.Lock()
	there, back := s.latency(s.rng)
	lost := s.rng.Float64() < s.lose
	s.mu.Unlock()
	sent := time.Now()
	if lost && there > back {
		// The client gives up before the server has seen the request.
		go func() {
			time.Sleep(there)
			s.count(userID, kind, w)
		}()
		time.Sleep(back)
		return errLost
	}
	time.Sleep(there)
	err := s.count(userID, kind, w)
	if lost {
		time.Sleep(back / 2)
		return errLost
	}
	if back > 0 {
		select {
		case <-time.After(back):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	s.mu.Lock()
	s.trips += time.Since(sent)
	s.answers++
	s.mu.Unlock()
	return err
}

// count is what the server does with a request at the moment it counts it.
func (s *server) count(userID types.UserID, kind types.Kind, w types.Window) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	days := backfill.Cost(w)
	s.counted = append(s.counted, count{time.Now(), days})
	id := key(userID, kind, w)
	before, dup := s.taken[id]
	if s.overlaps && !dup {
		for _, x := range s.taken {
			if x.user == userID && x.kind == kind && x.w.Start.Before(w.End) && w.Start.Before(x.w.End) {
				before, dup = x, true
			}
		}
	}
	switch {
	case s.budget > 0 && s.over():
		s.limited++
		return &activity.Error{StatusCode: 429, Err: activity.ErrRateLimited}
	case dup:
		return duplicate(before.w, before.at)
	}
	s.taken[id] = taking{userID, kind, w, time.Now()}
	return nil
}

// days returns how many have been counted.
func (s *server) days() (n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, c := range s.counted {
		n += c.days
	}
	return n
}

// over tells whether the last minute holds too much. s.mu is held.
func (s *server) over() bool {
	sum := 0
	now := time.Now()
	for i := len(s.counted) - 1; i >= 0 && now.Sub(s.counted[i].at) <= time.Minute; i-- {
		sum += s.counted[i].days
	}
	return sum > s.budget
}

// worst returns the most days that any minute holds, both its ends included.
// A fixed window is one of these, so it can hold no more.
func (s *server) worst() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	worst, sum, from := 0, 0, 0
	for _, c := range s.counted {
		sum += c.days
		for c.at.Sub(s.counted[from].at) > time.Minute {
			sum -= s.counted[from].days
			from++
		}
		worst = max(worst, sum)
	}
	return worst
}

// best is the share of the limit that a limiter can reach at most, if it holds
// each request until a minute after its response.
func (s *server) best() float64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	mean := s.trips / time.Duration(s.answers)
	return float64(time.Minute) / float64(time.Minute+mean)
}
