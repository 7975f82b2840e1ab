package backfilltest

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/garminkit/activityapi/backfill"
	"github.com/garminkit/activityapi/types"
)

// budget is the limit of the limiters that RunLimiter opens.
const budget = backfill.Evaluation

// RunLimiter checks limiters against the contract of [backfill.Limiter]. Each
// handle that h opens must have the limit [backfill.Evaluation]; a new state has granted
// nothing.
func RunLimiter(t *testing.T, h Harness[backfill.Limiter]) {
	run(t, h, []clause[*limiterTest]{
		{"Budget", 0, (*limiterTest).budget},
		{"BadDays", 0, (*limiterTest).badDays},
		{"HeldUntilAMinuteAfterTheAnswer", 0, (*limiterTest).held},
		{"LostIsHeldLonger", 0, (*limiterTest).lost},
		{"NotSentFreesAtOnce", 0, (*limiterTest).notSent},
		{"LimitedStopsAll", 0, (*limiterTest).limited},
		{"LimitedRetryAfter", 0, (*limiterTest).retryAfter},
		{"LimitedIsBounded", 0, (*limiterTest).bounded},
		{"FirstEndCounts", 0, (*limiterTest).once},
		{"TimesOfAGrant", 0, (*limiterTest).times},
		{"Context", 0, (*limiterTest).context},
		{"GivenUpInFront", 0, (*limiterTest).inFront},
		{"GivenUpJustThen", 0, (*limiterTest).justThen},
		{"UsersInTurn", 0, (*limiterTest).fair},
		{"CallsOfAUserInOrder", 0, (*limiterTest).order},
		{"LargeIsNotStarved", 0, (*limiterTest).large},
		{"AnyMinute", 0, (*limiterTest).anyMinute},

		{"AnswersSurviveAKill", kills, (*limiterTest).answersSurvive},
		{"RequestsSurviveAKill", kills, (*limiterTest).requestsSurvive},
		{"LimitedSurvivesAKill", kills, (*limiterTest).limitedSurvives},
		{"OneBudgetForAllHandles", sharing, (*limiterTest).oneBudget},
		{"UsersInTurnAcrossHandles", sharing, (*limiterTest).fairAcross},
		{"AnyMinuteAcrossHandles", sharing, (*limiterTest).anyMinute},
		{"LimitedStopsAllHandles", sharing, (*limiterTest).limitedAcross},
		{"KilledInFront", sharing | kills, (*limiterTest).killedInFront},
	}, func(t *testing.T, b *bench[backfill.Limiter]) *limiterTest {
		lt := &limiterTest{T: t, b: b, patience: 10 * time.Millisecond, before: 100 * time.Millisecond, pause: 2 * time.Second}
		if !b.virtual() {
			lt.patience, lt.before, lt.pause = time.Second, 3*time.Second, 8*time.Second
		}
		lt.l = b.open()
		if h.Shared {
			lt.others = []backfill.Limiter{b.open(), b.open()}
		}
		return lt
	})
}

type limiterTest struct {
	*testing.T
	b      *bench[backfill.Limiter]
	l      backfill.Limiter
	others []backfill.Limiter // on the same state, if it is shared

	patience time.Duration // how long a grant that is free may take
	before   time.Duration // how long before its time a grant must not come
	pause    time.Duration // how long anyMinute waits when nothing is free
}

const (
	minute = time.Minute
	slack  = time.Second // what a limiter may add for safety
)

func (t *limiterTest) acquire(l backfill.Limiter, user types.UserID, days int) backfill.Grant {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), t.patience)
	defer cancel()
	g, err := l.Acquire(ctx, user, days)
	if err != nil {
		t.Fatalf("Acquire(%d) of free days: %v", days, err)
	}
	return g
}

func (t *limiterTest) end(g backfill.Grant, o backfill.Outcome) {
	t.Helper()
	if err := g.End(t.Context(), o); err != nil {
		t.Fatalf("End: %v", err)
	}
}

// blocked checks that no grant comes now.
func (t *limiterTest) blocked(l backfill.Limiter, what string, days int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), t.patience)
	defer cancel()
	if g, err := l.Acquire(ctx, "waiter", days); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("%s: Acquire(%d) = %v, %v, want %v", what, days, g, err, context.DeadlineExceeded)
		if err == nil {
			t.end(g, backfill.Outcome{NotSent: true})
		}
	}
}

// waits checks that the next grant of days can be had after d, and not before.
func (t *limiterTest) waits(l backfill.Limiter, what string, days int, d time.Duration) {
	t.Helper()
	t.advance(d - t.before)
	t.blocked(l, what, days)
	t.advance(t.before + slack)
	ctx, cancel := context.WithTimeout(t.Context(), t.patience)
	defer cancel()
	if _, err := l.Acquire(ctx, "waiter", days); err != nil {
		t.Errorf("%s: Acquire(%d) after %s: %v", what, days, d+slack, err)
	}
}

func (t *limiterTest) advance(d time.Duration) { t.b.advance(d) }

func (t *limiterTest) budget() {
	if got := t.l.DaysPerMinute(); got != budget {
		t.Errorf("DaysPerMinute() = %d, want %d", got, budget)
	}
	t.end(t.acquire(t.l, "a", 60), backfill.Outcome{Answered: true})
	t.end(t.acquire(t.l, "b", 40), backfill.Outcome{Answered: true})
	t.waits(t.l, "the day after the budget", 1, minute)
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
	g := t.acquire(t.l, "a", budget)
	t.advance(90 * time.Second)
	t.blocked(t.l, "a request that is under way", 1)
	t.end(g, backfill.Outcome{Answered: true})
	t.waits(t.l, "a request that was under way for 90 s", 1, minute)
}

func (t *limiterTest) lost() {
	t.end(t.acquire(t.l, "a", budget), backfill.Outcome{})
	t.advance(minute + 20*time.Second)
	t.blocked(t.l, "a lost answer, after 80 s", 1)
	t.advance(4 * minute)
	t.acquire(t.l, "a", budget)
}

func (t *limiterTest) notSent() {
	t.end(t.acquire(t.l, "a", budget), backfill.Outcome{NotSent: true})
	t.acquire(t.l, "a", budget)
}

func (t *limiterTest) limit(g backfill.Grant, after time.Duration) {
	t.Helper()
	if err := g.End(t.Context(), backfill.Outcome{Limited: true, RetryAfter: after}); err != nil {
		t.Fatalf("End: %v", err)
	}
}

func (t *limiterTest) limited() {
	t.limit(t.acquire(t.l, "a", 1), 0)
	t.waits(t.l, "after 429", 1, minute)
}

func (t *limiterTest) retryAfter() {
	g := t.acquire(t.l, "a", 1)
	t.limit(t.acquire(t.l, "a", 1), 0)
	t.limit(g, 2*minute)
	t.waits(t.l, "after 429 with Retry-After", 1, 2*minute)
}

func (t *limiterTest) bounded() {
	t.limit(t.acquire(t.l, "a", 1), 10_000*time.Hour)
	t.waits(t.l, "after 429 with Retry-After of a year", 1, time.Hour)
}

func (t *limiterTest) once() {
	g := t.acquire(t.l, "a", budget)
	t.end(g, backfill.Outcome{Answered: true})
	t.end(g, backfill.Outcome{NotSent: true})
	t.end(g, backfill.Outcome{})
	t.limit(g, time.Hour)
	t.waits(t.l, "Ends after the first", budget, minute)
	// Nothing was freed twice: the budget is whole, not double.
	t.blocked(t.l, "a day beyond the budget", 1)
}

// times: a grant that was just given can be used, and its request can end.
func (t *limiterTest) times() {
	g := t.acquire(t.l, "a", 1)
	send, end := g.SendBy(), g.EndBy()
	if !send.IsZero() && time.Until(send) <= 0 {
		t.Errorf("SendBy is %s ago, of a grant that came just now", -time.Until(send))
	}
	if !end.IsZero() && time.Until(end) < 10*time.Second {
		t.Errorf("EndBy leaves %s for the request, want 10s at least", time.Until(end))
	}
	if send.IsZero() != end.IsZero() {
		t.Errorf("SendBy %s and EndBy %s: one without the other holds nothing", send, end)
	}
}

func (t *limiterTest) context() {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := t.l.Acquire(ctx, "a", 1); !errors.Is(err, context.Canceled) {
		t.Errorf("Acquire with an ended context: %v, want %v", err, context.Canceled)
	}
	g := t.acquire(t.l, "a", budget)
	t.blocked(t.l, "no days free", 1)
	t.end(g, backfill.Outcome{NotSent: true})
	t.acquire(t.l, "a", budget) // calls that gave up hold nothing
}

// start calls Acquire from a goroutine of its own, and says on the channel what
// came of it.
func (t *limiterTest) start(ctx context.Context, l backfill.Limiter, user types.UserID, days int) <-chan error {
	got := make(chan error, 1)
	go func() {
		_, err := l.Acquire(ctx, user, days)
		got <- err
	}()
	t.b.settle()
	return got
}

// inFront: a call that gives up lets the one behind it go, which fits.
func (t *limiterTest) inFront() {
	t.acquire(t.l, "a", budget/2)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	first := t.start(ctx, t.l, "b", budget)
	second := t.start(t.Context(), t.l, "c", 1)
	select {
	case err := <-second:
		t.Fatalf("the second call overtook the first: %v", err)
	default:
	}
	cancel()
	if err := <-first; !errors.Is(err, context.Canceled) {
		t.Errorf("Acquire: %v, want %v", err, context.Canceled)
	}
	t.soon(second, "the call behind one that gave up")
}

// soon checks that a call has its grant now.
func (t *limiterTest) soon(got <-chan error, what string) {
	t.Helper()
	timer := time.NewTimer(t.patience)
	defer timer.Stop()
	select {
	case err := <-got:
		if err != nil {
			t.Errorf("%s: %v", what, err)
		}
	case <-timer.C:
		t.Errorf("%s still waits", what)
	}
}

// justThen: a call whose context ends as it is granted holds nothing, unless it
// returns the grant.
func (t *limiterTest) justThen() {
	for range 20 {
		g := t.acquire(t.l, "a", budget)
		ctx, cancel := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		wg.Go(func() {
			if g, err := t.l.Acquire(ctx, "b", budget); err == nil {
				t.end(g, backfill.Outcome{NotSent: true})
			}
		})
		t.b.settle()
		cancel()
		t.end(g, backfill.Outcome{NotSent: true})
		wg.Wait()
	}
	t.acquire(t.l, "a", budget)
}

// fair: one user with many requests does not keep out the others.
func (t *limiterTest) fair() { t.inTurn(t.l, t.l) }

func (t *limiterTest) fairAcross() { t.inTurn(t.l, t.others[0]) }

func (t *limiterTest) inTurn(many, few backfill.Limiter) {
	g := t.acquire(t.l, "first", budget)
	order := make(chan types.UserID, 20)
	var wg sync.WaitGroup
	ask := func(l backfill.Limiter, user types.UserID) {
		wg.Go(func() {
			g, err := l.Acquire(t.Context(), user, budget)
			if err != nil {
				t.Error(err)
				return
			}
			order <- user
			t.end(g, backfill.Outcome{NotSent: true})
		})
		t.b.settle()
	}
	for range 4 {
		ask(many, "many")
	}
	ask(few, "b")
	ask(few, "c")
	t.end(g, backfill.Outcome{NotSent: true})
	wg.Wait()
	close(order)
	var got []types.UserID
	for u := range order {
		got = append(got, u)
	}
	if b, c := slices.Index(got, "b"), slices.Index(got, "c"); b > 1 || c > 2 {
		t.Errorf("served %v: b must be among the first two and c among the first three", got)
	}
}

func (t *limiterTest) order() {
	g := t.acquire(t.l, "u", budget)
	var mu sync.Mutex
	var got []int
	var wg sync.WaitGroup
	for i := range 5 {
		wg.Go(func() {
			g, err := t.l.Acquire(t.Context(), "u", budget)
			if err != nil {
				t.Error(err)
				return
			}
			mu.Lock()
			got = append(got, i)
			mu.Unlock()
			t.end(g, backfill.Outcome{NotSent: true})
		})
		t.b.settle()
	}
	t.end(g, backfill.Outcome{NotSent: true})
	wg.Wait()
	if !slices.IsSorted(got) {
		t.Errorf("calls of one user were served in the order %v", got)
	}
}

// large: small requests that would fit do not overtake a large one for ever.
func (t *limiterTest) large() {
	// The budget comes free bit by bit, and never as a whole to who does not
	// wait for it.
	for range 10 {
		t.end(t.acquire(t.l, "a", budget/10), backfill.Outcome{Answered: true})
		t.advance(6 * time.Second)
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	large := t.start(ctx, t.l, "large", budget)
	var small []<-chan error
	for i := range 20 {
		small = append(small, t.start(ctx, t.l, types.UserID(fmt.Sprint("small", i)), 10))
	}
	for range 10 {
		t.advance(6*time.Second + slack)
		t.b.settle()
	}
	t.soon(large, "the large request behind small ones, after more than a minute")
	for i, got := range small {
		select {
		case err := <-got:
			t.Errorf("small request %d overtook the large one: %v", i, err)
		default:
		}
	}
}

// anyMinute: with random latencies, no minute at the server holds more than
// the budget, whenever within a request the server counts it.
func (t *limiterTest) anyMinute() {
	type event struct {
		at      time.Duration
		days    int
		grant   backfill.Grant // to end; nil for the server's count
		outcome backfill.Outcome
	}
	type count struct {
		at   time.Duration
		days int
	}
	var counts []count
	var events []event
	rng := rand.New(rand.NewPCG(1, 2))
	handles := append([]backfill.Limiter{t.l}, t.others...)
	for t.b.now() < 8*minute {
		// What has come to pass by now.
		slices.SortStableFunc(events, func(a, b event) int { return cmp.Compare(a.at, b.at) })
		for len(events) > 0 && events[0].at <= t.b.now() {
			e := events[0]
			events = events[1:]
			if e.grant == nil {
				counts = append(counts, count{t.b.now(), e.days})
			} else {
				t.end(e.grant, e.outcome)
			}
		}
		days := 1 + rng.IntN(30)
		ctx, cancel := context.WithTimeout(t.Context(), t.patience/10)
		g, err := handles[rng.IntN(len(handles))].Acquire(ctx, types.UserID(fmt.Sprint(rng.IntN(8))), days)
		cancel()
		if err == nil {
			there := time.Duration(rng.IntN(5000)) * time.Millisecond
			back := time.Duration(rng.IntN(5000)) * time.Millisecond
			e := event{at: t.b.now() + there + back, grant: g, outcome: backfill.Outcome{Answered: true}}
			if rng.IntN(10) == 0 {
				// The client gives up before the server counts.
				e.at, e.outcome = t.b.now(), backfill.Outcome{}
			}
			events = append(events, event{at: t.b.now() + there, days: days}, e)
			continue
		}
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Fatal(err)
		}
		next := t.b.now() + t.pause
		for _, e := range events {
			next = min(next, e.at)
		}
		t.advance(max(next-t.b.now(), time.Millisecond))
	}
	sum, from := 0, 0
	for _, c := range counts {
		sum += c.days
		for c.at-counts[from].at > minute {
			sum -= counts[from].days
			from++
		}
		if sum > budget {
			t.Fatalf("%d days within the minute before %s, want at most %d", sum, c.at, budget)
		}
	}
	if total := len(counts); total < 20 {
		t.Errorf("%d requests in eight minutes", total)
	}
}

// A kill: what the process asked for counts for the next one.

func (t *limiterTest) answersSurvive() {
	t.end(t.acquire(t.l, "a", budget), backfill.Outcome{Answered: true})
	t.b.settle() // recording it may lag behind by a moment
	t.l = t.b.again(t.l)
	t.advance(minute - t.before)
	t.blocked(t.l, "answered a minute ago, before a kill", 1)
	t.advance(10 * minute)
	t.acquire(t.l, "a", budget)
}

func (t *limiterTest) requestsSurvive() {
	t.acquire(t.l, "a", budget)
	t.l = t.b.again(t.l)
	t.advance(minute + 20*time.Second)
	t.blocked(t.l, "a request of a process that was killed", 1)
	t.advance(10 * minute)
	t.acquire(t.l, "a", budget) // and is not held for ever
}

func (t *limiterTest) limitedSurvives() {
	t.limit(t.acquire(t.l, "a", 1), 5*minute)
	t.b.settle()
	t.l = t.b.again(t.l)
	t.advance(4 * minute)
	t.blocked(t.l, "after 429 and a kill", 1)
}

// Several handles at work at once.

func (t *limiterTest) oneBudget() {
	a, b := t.l, t.others[0]
	g := t.acquire(a, "a", budget/2)
	t.acquire(b, "b", budget/2)
	t.blocked(a, "the budget, of two handles", 1)
	t.blocked(b, "the budget, of two handles", 1)
	t.end(g, backfill.Outcome{NotSent: true})
	t.acquire(b, "b", budget/2)
	t.blocked(a, "days that the other handle has taken", 1)
}

func (t *limiterTest) limitedAcross() {
	t.limit(t.acquire(t.l, "a", 1), 2*minute)
	t.b.settle()
	t.blocked(t.others[0], "after 429 to another handle", 1)
	t.waits(t.others[1], "after 429 to another handle", 1, 2*minute-t.patience)
}

// killedInFront: a call of a process that is gone leaves the line.
func (t *limiterTest) killedInFront() {
	g := t.acquire(t.others[0], "a", budget/2)
	ctx, cancel := context.WithCancel(t.Context())
	first := t.start(ctx, t.l, "b", budget)
	second := t.start(t.Context(), t.others[0], "c", 1)
	t.b.h.Kill(t.T, t.l)
	t.advance(5 * minute)
	t.soon(second, "the call behind one whose process is gone, after five minutes")
	cancel()
	if err := <-first; err != nil {
		t.Logf("the call of the process that is gone: %v", err)
	}
	t.end(g, backfill.Outcome{NotSent: true})
}
