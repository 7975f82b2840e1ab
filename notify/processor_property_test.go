package notify_test

import (
	"context"
	"fmt"
	"iter"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/garminkit/activityapi/notify"
	"github.com/garminkit/activityapi/types"
)

// TestProcessorKeepsItsPromises runs random traffic through random failures
// and stops, and checks what must hold whatever happens.
func TestProcessorKeepsItsPromises(t *testing.T) {
	for seed := range uint64(10) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) { keepsPromises(t, seed) })
		})
	}
}

func keepsPromises(t *testing.T, seed uint64) {
	rnd := rand.New(rand.NewPCG(seed, 0))
	traffic := rand.New(rand.NewPCG(seed, 1)) // of this goroutine alone
	var mu sync.Mutex                         // guards all below, and rnd
	chance := func(p float64) bool {
		mu.Lock()
		defer mu.Unlock()
		return rnd.Float64() < p
	}
	busy := map[types.UserID]int{}          // attempts that run, by user
	began := map[types.UserID]int{}         // the latest item of the user that was tried
	taken := map[string]int{}               // deliveries, by item
	revision := map[string]int{}            // the latest edit taken, by summary
	refused := map[types.UserID]time.Time{} // until when the user's token is bad
	enter := func(user types.UserID) {
		mu.Lock()
		busy[user]++
		n := busy[user]
		mu.Unlock()
		require.Equal(t, 1, n, "two items of %s at a time", user)
	}
	leave := func(user types.UserID) {
		mu.Lock()
		busy[user]--
		mu.Unlock()
	}
	work := func(ctx context.Context) error {
		mu.Lock()
		d := time.Duration(rnd.Int64N(int64(5 * time.Second)))
		mu.Unlock()
		select {
		case <-time.After(d):
		case <-ctx.Done():
			return ctx.Err()
		}
		if chance(0.2) {
			return errBoom
		}
		return nil
	}

	r := newRig(t, garmin{follow: func(ctx context.Context, _ types.Kind, u types.Secret) iter.Seq2[types.Summary, error] {
		name, item, _ := strings.Cut(strings.TrimPrefix(string(u), "https://"), "/")
		user := types.UserID(name)
		enter(user)
		defer leave(user)
		mu.Lock()
		until := refused[user]
		if time.Now().After(until) && rnd.Float64() < 0.05 {
			refused[user] = time.Now().Add(2 * time.Hour)
		}
		mu.Unlock()
		if time.Now().Before(until) {
			return yields(&statusError{status: 401})
		}
		if err := work(ctx); err != nil {
			return yields(err)
		}
		return yields(nil, &types.Activity{UserID: user, SummaryID: types.ID("pulled-" + item)})
	}})
	r.calls.Save = func(ctx context.Context, d *notify.Delivery, s types.Summary) error {
		enter(d.UserID)
		defer leave(d.UserID)
		a := s.(*types.Activity)
		if !d.Pulled && d.Attempt == 1 {
			mu.Lock()
			after := began[d.UserID]
			// A stop makes first attempts of those that waited; only then may
			// an earlier item come later.
			if taken["stops"] == 0 && a.DurationInSeconds < after {
				// Held behind an earlier edit of the same summary, it may.
				require.Positive(t, revision[string(d.UserID)+string(s.ID())])
			} else {
				began[d.UserID] = a.DurationInSeconds
			}
			mu.Unlock()
		}
		if !d.Pulled {
			if err := work(ctx); err != nil {
				return err
			}
		}
		mu.Lock()
		defer mu.Unlock()
		taken[string(d.UserID)+" "+a.ActivityName+string(s.ID())]++
		if !d.Pulled {
			key := string(d.UserID) + string(s.ID())
			require.Greater(t, a.DurationInSeconds, revision[key], "an old edit over a new one")
			revision[key] = a.DurationInSeconds
		}
		return nil
	}

	const items = 400
	want := map[string]bool{}
	n := 0
	r.start()
	for n < items {
		var list []string
		for range 1 + traffic.IntN(20) {
			n++
			user := fmt.Sprint("u", traffic.IntN(6))
			if traffic.IntN(4) == 0 {
				list = append(list, fmt.Sprintf(`{"userId":%q,"callbackURL":"https://%s/%d"}`, user, user, n))
				want[fmt.Sprintf("%s pulled-%d", user, n)] = true
				continue
			}
			id := traffic.IntN(10)
			list = append(list, fmt.Sprintf(`{"userId":%q,"summaryId":"%d","durationInSeconds":%d,"activityName":"%d-"}`, user, id, n, n))
			want[fmt.Sprintf("%s %d-%d", user, n, id)] = true
		}
		r.put(`{"activities":[` + strings.Join(list, ",") + `]}`)
		nap, stop := time.Duration(traffic.Int64N(int64(time.Minute))), traffic.IntN(15) == 0
		time.Sleep(nap)
		if stop {
			r.finish()
			mu.Lock()
			taken["stops"]++
			mu.Unlock()
			r.start()
		}
	}
	pass(2 * 24 * time.Hour)
	r.finish()
	delete(taken, "stops")
	require.Equal(t, 0, r.left())
	require.Empty(t, r.letters())
	for item := range want {
		require.Equal(t, 1, taken[item], item)
	}
	require.Len(t, taken, len(want))
	require.Equal(t, n, r.count(notify.ResultDone))
}
