package backfill_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/garminkit/activityapi/backfill"
	"github.com/garminkit/activityapi/types"
)

// What the process before asked for counts, as the ledger tells.
func TestRestore(t *testing.T) {
	for _, tt := range []struct {
		name  string
		chunk backfill.Chunk
		wait  time.Duration
	}{
		{"answered 50s ago", backfill.Chunk{State: backfill.StateAccepted, Requested: ago(55), Answered: ago(50)}, 10 * time.Second},
		{"answered long ago", backfill.Chunk{State: backfill.StateAccepted, Requested: ago(80), Answered: ago(70)}, 0},
		{"not answered", backfill.Chunk{State: backfill.StateRequested, Requested: ago(200)}, 90 * time.Second},
		{"not answered, an hour ago", backfill.Chunk{State: backfill.StateRequested, Requested: ago(3600)}, 0},
		{"answered with 429", backfill.Chunk{State: backfill.StatePlanned, Requested: ago(55), Answered: ago(50)}, 10 * time.Second},
		{"answered in the future", backfill.Chunk{State: backfill.StateAccepted, Requested: ago(0), Answered: ago(-3600)}, time.Minute},
		{"asked four times", backfill.Chunk{State: backfill.StateAccepted, Requested: ago(55), Answered: ago(50), Attempts: 4}, 40 * time.Second}, // the three before may be late
		{"asked four times, the last time not sent", backfill.Chunk{State: backfill.StatePlanned, Requested: ago(55), Attempts: 4}, 90 * time.Second},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				days := backfill.Evaluation - 24 // what is free, and one more
				c := tt.chunk
				c.UserID, c.Kind, c.Window = "u", types.KindActivities, window(0, 25)
				c.Attempts = max(1, c.Attempts)
				ledger := backfill.NewLedger()
				require.NoError(t, save(ledger, &c))
				l := backfill.NewLimiter(backfill.Evaluation, ledger)
				start := time.Now()
				if c.Attempts == 4 { // which is the whole limit
					g, err := l.Acquire(t.Context(), "v", 1)
					require.NoError(t, err)
					require.Greater(t, time.Since(start), 9*time.Second)
					require.NoError(t, g.End(t.Context(), backfill.Outcome{NotSent: true}))
				} else {
					for range 2 { // a second call holds nothing more
						g, err := l.Acquire(t.Context(), "v", days-1)
						require.NoError(t, err)
						require.Equal(t, start, time.Now())
						require.NoError(t, g.End(t.Context(), backfill.Outcome{NotSent: true}))
					}
				}
				_, err := l.Acquire(t.Context(), "v", days)
				require.NoError(t, err)
				require.InDelta(t, tt.wait.Seconds(), time.Since(start).Seconds(), 0.2)
			})
		})
	}
}

// TestFree: what is held counts, until a minute after its answer, and nothing is
// free after a 429.
func TestFree(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := backfill.NewLimiter(backfill.Evaluation, nil)
		free := func() int {
			n, err := l.(*backfill.MemoryLimiter).Free(t.Context())
			require.NoError(t, err)
			return n
		}
		require.Equal(t, 100, free())
		first, err := l.Acquire(t.Context(), "u", 30)
		require.NoError(t, err)
		second, err := l.Acquire(t.Context(), "v", 20)
		require.NoError(t, err)
		require.Equal(t, 50, free())
		require.NoError(t, second.End(t.Context(), backfill.Outcome{NotSent: true}))
		require.Equal(t, 70, free())
		require.NoError(t, first.End(t.Context(), backfill.Outcome{Limited: true}))
		require.Equal(t, 0, free())
		time.Sleep(time.Minute)
		require.Equal(t, 0, free())
		time.Sleep(time.Second)
		require.Equal(t, 100, free())
	})
}

// ago is a time before that at which every bubble begins.
func ago(seconds int) time.Time {
	return date("2000-01-01").Add(-time.Duration(seconds) * time.Second)
}

// Users who give up waiting, requests that are not sent, answers that get lost
// and are counted half a minute later: no minute at the server holds more than
// the limit, both of its ends included.
func TestLimiterAtTheServer(t *testing.T) {
	for seed := range uint64(30) {
		synctest.Test(t, func(t *testing.T) {
			type hit struct {
				at   time.Time
				days int
			}
			var mu sync.Mutex
			var hits []hit
			rng := rand.New(rand.NewPCG(seed, 7))
			draw := func(n int) int {
				mu.Lock()
				defer mu.Unlock()
				return rng.IntN(n)
			}
			count := func(days int) {
				mu.Lock()
				defer mu.Unlock()
				hits = append(hits, hit{time.Now(), days})
			}
			l := backfill.NewLimiter(backfill.Evaluation, nil)
			var wg sync.WaitGroup
			for u := range 8 {
				wg.Go(func() {
					for range 60 {
						days, trip, what := 1+draw(30), draw(40_000), draw(10)
						there := draw(trip + 1)
						time.Sleep(time.Duration(draw(20)) * time.Second)
						ctx, cancel := context.WithTimeout(t.Context(), time.Duration(1+draw(300))*time.Second)
						g, err := l.Acquire(ctx, types.UserID(fmt.Sprint(u)), days)
						cancel()
						if err != nil {
							continue
						}
						outcome := backfill.Outcome{Answered: true}
						switch what {
						case 0:
							outcome = backfill.Outcome{NotSent: true}
						case 1:
							outcome = backfill.Outcome{}
							late := time.Duration(draw(30_000)) * time.Millisecond
							wg.Go(func() {
								time.Sleep(late)
								count(days)
							})
						default:
							time.Sleep(time.Duration(there) * time.Millisecond)
							count(days)
							time.Sleep(time.Duration(trip-there) * time.Millisecond)
						}
						require.NoError(t, g.End(t.Context(), outcome))
					}
				})
			}
			wg.Wait()
			slices.SortFunc(hits, func(a, b hit) int { return a.at.Compare(b.at) })
			sum, from := 0, 0
			for _, h := range hits {
				sum += h.days
				for h.at.Sub(hits[from].at) > time.Minute {
					sum -= hits[from].days
					from++
				}
				require.LessOrEqual(t, sum, backfill.Evaluation, "seed %d", seed)
			}
			require.Greater(t, len(hits), 300)
		})
	}
}
