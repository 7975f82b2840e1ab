package notify_test

import (
	"context"
	"fmt"
	"iter"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/garminkit/activityapi/notify"
	"github.com/garminkit/activityapi/types"
)

// hanging is a callback that hangs for users whose name begins with "bad", and
// notes when the others' came.
type hanging struct {
	mu   sync.Mutex
	came map[types.UserID]time.Time
}

func (h *hanging) save(ctx context.Context, d *notify.Delivery, _ types.Summary) error {
	if strings.HasPrefix(string(d.UserID), "bad") {
		<-ctx.Done()
		return ctx.Err()
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.came == nil {
		h.came = map[types.UserID]time.Time{}
	}
	h.came[d.UserID] = time.Now()
	return nil
}

func oneEach(prefix string, n int) string {
	return list("moveIQActivities", n, func(i int) string { return moveIQ(fmt.Sprint(prefix, i), i, "") })
}

// TestManyUsersHang: callbacks that hang for 200 users at once delay nobody else by a
// second, when it is known how long they take; and by less than four if the
// processor has just begun.
func TestManyUsersHang(t *testing.T) {
	for _, tt := range []struct {
		name string
		warm bool
		most time.Duration
	}{
		{"known", true, time.Second},
		{"just begun", false, 4 * time.Second},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t, nil)
				var h hanging
				r.calls.Save = h.save
				r.start()
				if tt.warm {
					r.put(oneEach("first", 10))
					pass(time.Second)
					require.Len(t, h.came, 10)
				}
				clear(h.came)
				begun := time.Now()
				r.put(oneEach("bad", 200), oneEach("good", 1))
				pass(30 * time.Second)
				require.Len(t, h.came, 1)
				require.Less(t, h.came["good0"].Sub(begun), tt.most)
				r.stop()
				<-r.ended
			})
		})
	}
}

// TestHangBesideSlowPull: a pull that may take long does not let callbacks that
// hang keep their places for as long.
func TestHangBesideSlowPull(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var pulled atomic.Bool
		client := garmin{follow: func(context.Context, types.Kind, types.Secret) iter.Seq2[types.Summary, error] {
			time.Sleep(9 * time.Second)
			pulled.Store(true)
			return yields(nil)
		}}
		r := newRig(t, client)
		var h hanging
		r.calls.Save = h.save
		r.start()
		r.put(`{"activities":[{"userId":"puller","callbackURL":"https://x/activities?token=1"}]}`)
		pass(2 * time.Second) // the timer is set for the pull
		require.False(t, pulled.Load())
		begun := time.Now()
		r.put(oneEach("bad", 16), oneEach("good", 1))
		pass(30 * time.Second)
		require.True(t, pulled.Load())
		require.Less(t, h.came["good0"].Sub(begun), 2*time.Second)
		r.stop()
		<-r.ended
	})
}

// TestSlowForAll: where all callbacks take long, none loses its place for that: a
// slow database does not get ever more to do.
func TestSlowForAll(t *testing.T) {
	for _, tt := range []struct {
		before, takes time.Duration
		most          int // that run at once when it is known how long they take
	}{
		{0, 300 * time.Millisecond, 16},
		{0, 900 * time.Millisecond, 16},
		{0, 2 * time.Second, 3 * 16}, // after a second others begin; some end at that moment
		{time.Millisecond, 300 * time.Millisecond, 16},
		{time.Millisecond, 900 * time.Millisecond, 16},
	} {
		t.Run(fmt.Sprint(tt.before, " then ", tt.takes), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t, nil)
				var mu sync.Mutex
				running, highest, later := 0, 0, 0
				settled := false
				takes := tt.before
				r.calls.Save = func(context.Context, *notify.Delivery, types.Summary) error {
					mu.Lock()
					running++
					highest = max(highest, running)
					if settled {
						later = max(later, running)
					}
					d := takes
					mu.Unlock()
					time.Sleep(d)
					mu.Lock()
					running--
					mu.Unlock()
					return nil
				}
				r.start()
				if tt.before > 0 {
					r.put(oneEach("first", 100))
					pass(time.Second)
				}
				mu.Lock()
				takes = tt.takes
				mu.Unlock()
				r.put(oneEach("u", 5000))
				pass(10 * time.Second)
				mu.Lock()
				settled = true
				mu.Unlock()
				pass(time.Hour)
				r.finish()
				require.LessOrEqual(t, later, tt.most)
				require.GreaterOrEqual(t, later, 16)
				require.LessOrEqual(t, highest, 16*17)
			})
		})
	}
}

// TestLargeItemHangs: a callback that hangs with a large item delays no other user's
// large items for long.
func TestLargeItemHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, nil)
		var h hanging
		r.calls.Save = h.save
		large := func(user string, size int) string {
			return fmt.Sprintf(`{"activityDetails":[{"userId":%q,"summaryId":"1","summary":{},"pad":%q}]}`, user, strings.Repeat("x", size))
		}
		r.start()
		r.put(large("bad", 20<<20))
		pass(time.Second)
		r.put(large("good1", 20<<20), large("good2", 300<<10))
		pass(time.Minute)
		require.Len(t, h.came, 2)
		r.stop()
		<-r.ended
	})
}
