// Package limiter compares ways to keep to Garmin's limit of days a minute.
//
//	cd bench/limiter && go test -run Table -v .
package limiter_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"text/tabwriter"
	"time"

	"golang.org/x/time/rate"

	"github.com/garminkit/activityapi/backfill"
)

const (
	limit   = backfill.Evaluation
	chunk   = 25 // days a request
	workers = 8
	long    = 24 * time.Hour
)

// policy waits until days may be asked for; the function it returns is called
// when the response has come.
type policy func(ctx context.Context, days int) (done func(), err error)

var policies = []struct {
	name string
	make func() policy
}{
	{"backfill.NewLimiter", func() policy {
		l := backfill.NewLimiter(limit, nil)
		return func(ctx context.Context, days int) (func(), error) {
			g, err := l.Acquire(ctx, "u", days)
			if err != nil {
				return nil, err
			}
			return func() { _ = g.End(ctx, backfill.Outcome{Answered: true}) }, nil // it does not fail
		}
	}},
	{"x/time/rate, burst 100", func() policy { return bucket(limit) }},
	{"x/time/rate, burst 25", func() policy { return bucket(chunk) }},
	{"exact sliding log of sends", func() policy { return slidingLog() }},
	{"fixed sleep, 15 s a chunk", func() policy { return fixedSleep(15 * time.Second) }},
	{"one at a time, then 15 s", func() policy { return sleepAfter(15 * time.Second) }},
}

func bucket(burst int) policy {
	l := rate.NewLimiter(rate.Limit(float64(limit)/60), burst)
	return func(ctx context.Context, days int) (func(), error) {
		return func() {}, l.WaitN(ctx, days)
	}
}

// slidingLog lets a request go if the requests sent in the last minute leave
// room for it.
func slidingLog() policy {
	var mu sync.Mutex
	var sent []time.Time
	return func(ctx context.Context, days int) (func(), error) {
		for {
			mu.Lock()
			now := time.Now()
			sent = slices.DeleteFunc(sent, func(t time.Time) bool { return now.Sub(t) >= time.Minute })
			if (len(sent)+1)*days <= limit {
				sent = append(sent, now)
				mu.Unlock()
				return func() {}, nil
			}
			wait := sent[0].Add(time.Minute).Sub(now)
			mu.Unlock()
			if err := sleep(ctx, wait); err != nil {
				return nil, err
			}
		}
	}
}

// fixedSleep sends a request each time d has passed.
func fixedSleep(d time.Duration) policy {
	turn := make(chan struct{}, 1)
	turn <- struct{}{}
	return func(ctx context.Context, days int) (func(), error) {
		select {
		case <-turn:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
		time.AfterFunc(d, func() { turn <- struct{}{} })
		return func() {}, nil
	}
}

// sleepAfter waits d after a response before it sends the next request.
func sleepAfter(d time.Duration) policy {
	turn := make(chan struct{}, 1)
	turn <- struct{}{}
	return func(ctx context.Context, days int) (func(), error) {
		select {
		case <-turn:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
		return func() { time.AfterFunc(d, func() { turn <- struct{}{} }) }, nil
	}
}

func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// network is a range of round trips, and how long one in twenty stalls.
type network struct {
	name          string
	lo, hi, stall time.Duration
}

var networks = []network{
	{"no latency", 0, 0, 0},
	{"50 ms to 2 s", 50 * time.Millisecond, 2 * time.Second, 0},
	{"50 ms to 10 s, stalls", 50 * time.Millisecond, 10 * time.Second, 20 * time.Second},
}

type result struct {
	worst  int     // days in the worst minute
	over   float64 // share of requests that the server, counting a sliding minute, finds too much
	share  float64 // of 60/(60+mean round trip)
	perMin float64
}

func run(n network, p policy) (r result) {
	rng := rand.New(rand.NewPCG(1, 1))
	var mu sync.Mutex
	draw := func() (there, back time.Duration) {
		mu.Lock()
		defer mu.Unlock()
		d := n.lo
		if n.hi > n.lo {
			d += time.Duration(rng.Int64N(int64(n.hi - n.lo)))
		}
		if d > 0 {
			there = time.Duration(rng.Int64N(int64(d)))
		}
		back = d - there
		if n.stall > 0 && rng.IntN(20) == 0 {
			if rng.IntN(2) == 0 {
				there += n.stall
			} else {
				back += n.stall
			}
		}
		return there, back
	}
	var counted []time.Time
	var trips time.Duration
	answers := 0
	ctx, cancel := context.WithTimeout(context.Background(), long)
	defer cancel()
	var wg sync.WaitGroup
	for range workers {
		wg.Go(func() {
			for {
				done, err := p(ctx, chunk)
				if err != nil {
					return
				}
				there, back := draw()
				time.Sleep(there)
				mu.Lock()
				counted = append(counted, time.Now())
				mu.Unlock()
				time.Sleep(back)
				mu.Lock()
				trips += there + back
				answers++
				mu.Unlock()
				done()
			}
		})
	}
	wg.Wait()
	time.Sleep(time.Minute)
	from, over := 0, 0
	for i, at := range counted {
		for at.Sub(counted[from]) >= time.Minute { // the kinder way to count
			from++
		}
		days := (i - from + 1) * chunk
		r.worst = max(r.worst, days)
		if days > limit {
			over++
		}
	}
	r.over = float64(over) / float64(len(counted))
	r.perMin = float64(len(counted)*chunk) / long.Minutes()
	mean := trips / time.Duration(answers)
	r.share = r.perMin / limit / (float64(time.Minute) / float64(time.Minute+mean))
	return r
}

// TestTable prints the comparison. Ours must hold what we say of it.
func TestTable(t *testing.T) {
	var b strings.Builder
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	fmt.Fprintf(w, "network\tlimiter\tworst minute\tbeyond the limit\tdays a minute\tof the best provable\n")
	for _, n := range networks {
		for i, p := range policies {
			synctest.Test(t, func(t *testing.T) {
				r := run(n, p.make())
				fmt.Fprintf(w, "%s\t%s\t%d of %d\t%.1f %%\t%.1f\t%.1f %%\n", n.name, p.name, r.worst, limit, 100*r.over, r.perMin, 100*r.share)
				if i == 0 && (r.worst > limit || r.share < 0.99) {
					t.Errorf("%s: worst minute %d, %.1f %% of the best provable", n.name, r.worst, 100*r.share)
				}
			})
		}
	}
	w.Flush()
	fmt.Fprint(os.Stdout, b.String())
}
