// Package backfilltest checks implementations of the interfaces of package
// backfill against their contracts.
package backfilltest

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/garminkit/activityapi/backfill"
)

// LimiterOptions change how [TestLimiter] runs. nil means the zero value.
type LimiterOptions struct {
	// RealTime runs the tests by the wall clock, for limiters that keep their
	// state outside the process. They take about ten minutes. False means
	// virtual time, in a bubble of testing/synctest: the limiter must then
	// block on nothing but channels, timers and the like.
	RealTime bool
}

// TestLimiter checks that the limiters which newLimiter returns keep the
// contract of [backfill.Limiter]. newLimiter is called once for each subtest
// and must return a limiter that has granted nothing.
func TestLimiter(t *testing.T, newLimiter func(t *testing.T, daysPerMinute int) backfill.Limiter, opts *LimiterOptions) {
	if opts == nil {
		opts = &LimiterOptions{}
	}
	for _, c := range []struct {
		name string
		test func(*limiterTest)
	}{
		{"Budget", (*limiterTest).budget},
		{"BadDays", (*limiterTest).badDays},
		{"HeldUntilAMinuteAfterDone", (*limiterTest).held},
		{"LostIsHeldLonger", (*limiterTest).lost},
		{"CancelFreesAtOnce", (*limiterTest).cancel},
		{"LimitedStopsAll", (*limiterTest).limited},
		{"LimitedRetryAfter", (*limiterTest).retryAfter},
		{"FirstCallCounts", (*limiterTest).once},
		{"Context", (*limiterTest).context},
		{"GivenUpInFront", (*limiterTest).inFront},
		{"GivenUpJustThen", (*limiterTest).justThen},
		{"UsersInTurn", (*limiterTest).fair},
		{"LargeIsNotStarved", (*limiterTest).large},
		{"AnyMinute", (*limiterTest).anyMinute},
	} {
		t.Run(c.name, func(t *testing.T) {
			run := func(t *testing.T) {
				c.test(&limiterTest{T: t, l: newLimiter(t, budget), real: opts.RealTime})
			}
			if opts.RealTime {
				t.Parallel()
				run(t)
			} else {
				synctest.Test(t, run)
			}
		})
	}
}

const budget = 100

type limiterTest struct {
	*testing.T
	l    backfill.Limiter
	real bool
}

func (t *limiterTest) acquire(user string, days int) backfill.Grant {
	t.Helper()
	g, err := t.l.Acquire(t.Context(), user, days)
	if err != nil {
		t.Fatalf("Acquire(%d): %v", days, err)
	}
	return g
}

// waits checks that the next grant of days comes after a wait from lo to hi.
func (t *limiterTest) waits(what string, days int, lo, hi time.Duration) {
	t.Helper()
	start := time.Now()
	t.acquire("waiter", days)
	if d := time.Since(start); d < lo || d > hi {
		t.Errorf("%s: waited %s, want %s to %s", what, d, lo, hi)
	}
}

const (
	minute = time.Minute
	slack  = time.Second // what a limiter may add for safety
)

func (t *limiterTest) budget() {
	if got := t.l.DaysPerMinute(); got != budget {
		t.Errorf("DaysPerMinute() = %d, want %d", got, budget)
	}
	start := time.Now()
	t.acquire("a", 60).Done()
	t.acquire("b", 40).Done()
	if d := time.Since(start); d > slack {
		t.Errorf("the whole budget took %s, want no wait", d)
	}
	t.waits("the day after the budget", 1, minute, minute+slack)
}

func (t *limiterTest) badDays() {
	for _, days := range []int{-1, 0, budget + 1} {
		ctx, cancel := context.WithTimeout(t.Context(), minute)
		if _, err := t.l.Acquire(ctx, "a", days); err == nil || errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Acquire(%d) = %v, want an error at once", days, err)
		}
		cancel()
	}
}

func (t *limiterTest) held() {
	g := t.acquire("a", budget)
	time.AfterFunc(2*minute, g.Done)
	t.waits("a request under way for 2 minutes", 1, 3*minute, 3*minute+slack)
}

func (t *limiterTest) lost() {
	t.acquire("a", budget).Lost()
	t.waits("a lost answer", 1, minute+20*time.Second, 5*minute)
}

func (t *limiterTest) cancel() {
	t.acquire("a", budget).Cancel()
	t.waits("a request that was not sent", budget, 0, slack)
}

func (t *limiterTest) limited() {
	t.acquire("a", 1).Limited(0)
	t.waits("after 429", 1, minute, minute+slack)
}

func (t *limiterTest) retryAfter() {
	g := t.acquire("a", 1)
	t.acquire("a", 1).Limited(0)
	g.Limited(2 * minute)
	t.waits("after 429 with Retry-After", 1, 2*minute, 2*minute+slack)
}

func (t *limiterTest) once() {
	g := t.acquire("a", budget)
	g.Done()
	g.Cancel()
	g.Lost()
	g.Limited(time.Hour)
	t.waits("calls after Done", budget, minute, minute+slack)
	// Nothing was freed twice: the budget is whole, not double.
	t.failsWithin("a day beyond the budget", 1, minute/2)
}

// failsWithin checks that no grant comes before d is over.
func (t *limiterTest) failsWithin(what string, days int, d time.Duration) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), d)
	defer cancel()
	if _, err := t.l.Acquire(ctx, "waiter", days); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("%s: got %v, want %v", what, err, context.DeadlineExceeded)
	}
}

func (t *limiterTest) context() {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := t.l.Acquire(ctx, "a", 1); !errors.Is(err, context.Canceled) {
		t.Errorf("Acquire with an ended context: %v, want %v", err, context.Canceled)
	}
	g := t.acquire("a", budget)
	start := time.Now()
	t.failsWithin("no days free", 1, 10*time.Second)
	if d := time.Since(start); d > 10*time.Second+slack {
		t.Errorf("Acquire returned %s after the call, want 10s", d)
	}
	g.Cancel()
	t.waits("calls that gave up hold nothing", budget, 0, slack)
}

// inFront: a call that gives up lets the one behind it go, which fits.
func (t *limiterTest) inFront() {
	t.acquire("a", budget/2)
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	wg.Go(func() {
		if _, err := t.l.Acquire(ctx, "a", budget); !errors.Is(err, context.Canceled) {
			t.Errorf("Acquire: %v, want %v", err, context.Canceled)
		}
	})
	t.settle()
	time.AfterFunc(10*time.Second, cancel)
	t.waits("behind a call that gave up", 1, 10*time.Second, 10*time.Second+slack)
	wg.Wait()
}

// justThen: a call whose context ends as it is granted holds nothing, unless it
// returns the grant.
func (t *limiterTest) justThen() {
	for range 20 {
		g := t.acquire("a", budget)
		ctx, cancel := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		wg.Go(func() {
			if g, err := t.l.Acquire(ctx, "b", budget); err == nil {
				g.Cancel()
			}
		})
		t.settle()
		cancel()
		g.Cancel()
		wg.Wait()
	}
	t.waits("after calls that gave up as they were granted", budget, 0, slack)
}

// fair: one user with many requests does not keep out the others.
func (t *limiterTest) fair() {
	g := t.acquire("first", budget)
	order := make(chan string, 20)
	var wg sync.WaitGroup
	ask := func(user string) {
		wg.Go(func() {
			g, err := t.l.Acquire(t.Context(), user, 50)
			if err != nil {
				t.Error(err)
				return
			}
			order <- user
			g.Done()
		})
		t.settle()
	}
	for range 4 {
		ask("many")
	}
	ask("b")
	ask("c")
	g.Cancel()
	wg.Wait()
	close(order)
	var got []string
	for u := range order {
		got = append(got, u)
	}
	place := func(user string) int {
		for i, u := range got {
			if u == user {
				return i
			}
		}
		return -1
	}
	// Grants come in pairs, whose members may report in any order.
	if place("b") > 1 || place("c") > 3 {
		t.Errorf("served %v: b must be among the first two and c among the first four", got)
	}
}

// settle lets the goroutines just started reach the limiter.
func (t *limiterTest) settle() {
	if t.real {
		time.Sleep(200 * time.Millisecond)
	} else {
		synctest.Wait()
	}
}

// large: small requests that would fit do not overtake a large one for ever.
func (t *limiterTest) large() {
	// The budget comes free bit by bit, and never as a whole to who does not
	// wait for it.
	for i := range 10 {
		g := t.acquire("a", budget/10)
		time.AfterFunc(time.Duration(i)*6*time.Second, g.Done)
	}
	var mu sync.Mutex
	served := 0
	var wg sync.WaitGroup
	var large time.Duration
	start := time.Now()
	wg.Go(func() {
		g, err := t.l.Acquire(t.Context(), "large", budget)
		if err != nil {
			t.Error(err)
			return
		}
		large = time.Since(start)
		g.Done()
	})
	t.settle()
	for i := range 20 {
		wg.Go(func() {
			g, err := t.l.Acquire(t.Context(), string(rune('A'+i)), 10)
			if err != nil {
				t.Error(err)
				return
			}
			mu.Lock()
			served++
			mu.Unlock()
			g.Done()
		})
	}
	wg.Wait()
	if served != 20 {
		t.Errorf("served %d small requests, want 20", served)
	}
	if large > 3*minute {
		t.Errorf("the large request waited %s behind small ones", large)
	}
}

// anyMinute: with random latencies, no minute at the server holds more than
// the budget, whenever within a request the server counts it.
func (t *limiterTest) anyMinute() {
	type count struct {
		at   time.Time
		days int
	}
	var mu sync.Mutex
	var counts []count
	rng := rand.New(rand.NewPCG(1, 2))
	draw := func(n int) int {
		mu.Lock()
		defer mu.Unlock()
		return rng.IntN(n)
	}
	end := time.Now().Add(8 * minute)
	var wg sync.WaitGroup
	for u := range 8 {
		wg.Go(func() {
			for time.Now().Before(end) {
				days := 1 + draw(30)
				g, err := t.l.Acquire(t.Context(), string(rune('a'+u)), days)
				if err != nil {
					t.Error(err)
					return
				}
				time.Sleep(time.Duration(draw(5000)) * time.Millisecond)
				mu.Lock()
				counts = append(counts, count{time.Now(), days})
				mu.Unlock()
				time.Sleep(time.Duration(draw(5000)) * time.Millisecond)
				if draw(10) == 0 {
					g.Lost()
				} else {
					g.Done()
				}
			}
		})
	}
	wg.Wait()
	sum, from := 0, 0
	for _, c := range counts {
		sum += c.days
		for c.at.Sub(counts[from].at) > minute {
			sum -= counts[from].days
			from++
		}
		if sum > budget {
			t.Fatalf("%d days within the minute before %s, want at most %d", sum, c.at, budget)
		}
	}
}
