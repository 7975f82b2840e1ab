package notifytest_test

import (
	"context"
	"flag"
	"fmt"
	"path"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/garminkit/activityapi/internal/memqueue"
	"github.com/garminkit/activityapi/notify"
	"github.com/garminkit/activityapi/notify/notifytest"
)

// single is the harness of the queue for one process.
func single() notifytest.Harness {
	last := map[string]*memqueue.Memory{}
	return notifytest.Harness{
		Open: func(_ *testing.T, dir string) notify.Queue {
			if m := last[dir]; m != nil {
				last[dir] = m.Reopen()
			} else {
				last[dir] = memqueue.NewMemory()
			}
			return last[dir]
		},
		Kill:     func(_ *testing.T, q notify.Queue) { q.(*memqueue.Memory).Kill() },
		PowerCut: func(_ *testing.T, q notify.Queue) { q.(*memqueue.Memory).Kill() },
		InMemory: true,
		Test:     bubble,
	}
}

// shared is the harness of a queue for several.
func shared(opts memqueue.SharedOptions) notifytest.Harness {
	queues := map[string]*memqueue.Shared{}
	opts.Lease = 15 * time.Second
	return notifytest.Harness{
		Open: func(_ *testing.T, dir string) notify.Queue {
			if queues[dir] == nil {
				queues[dir] = memqueue.NewShared(&opts)
			}
			return queues[dir].Open()
		},
		Kill:     func(_ *testing.T, q notify.Queue) { q.(*memqueue.Memory).Kill() },
		PowerCut: func(_ *testing.T, q notify.Queue) { q.(*memqueue.Memory).Kill() },
		Cut:      func(_ *testing.T, q notify.Queue, off bool) { q.(*memqueue.Memory).Cut(off) },
		Shared:   true,
		Lease:    opts.Lease,
		InMemory: true,
		Test: func(t *testing.T, f func(*testing.T)) {
			if path.Base(t.Name()) == "LargeBody" {
				t.Skip("a queue of one process holds a body in the same memory: TestMemory has it")
			}
			bubble(t, f)
		},
	}
}

func TestMemory(t *testing.T) { notifytest.Run(t, single()) }

func TestManyProcesses(t *testing.T) { notifytest.Run(t, shared(memqueue.SharedOptions{})) }

// TestManyProcessesSlow has calls that take their time, and scans that return little.
func TestManyProcessesSlow(t *testing.T) {
	notifytest.Run(t, shared(memqueue.SharedOptions{
		Shares:   5,
		ScanMost: 3,
		Trip: func(int, string) memqueue.Trip {
			return memqueue.Trip{There: time.Millisecond, Back: time.Millisecond}
		},
	}))
}

// bubble runs f in fake time, and gives what was killed the time to end.
func bubble(t *testing.T, f func(*testing.T)) {
	synctest.Test(t, func(t *testing.T) {
		defer time.Sleep(time.Minute)
		f(t)
	})
}

// TestGrantedTooLate: a share that falls to a loop which has just ended is not kept
// from the next one.
func TestGrantedTooLate(t *testing.T) {
	bubble(t, func(t *testing.T) {
		m := memqueue.NewSlow(func(_ int, op string) (trip memqueue.Trip) {
			if op == "beat" {
				trip.There, trip.Back = time.Second, time.Second
			}
			return trip
		})
		for range 2 {
			ctx, cancel := context.WithTimeout(t.Context(), 1500*time.Millisecond) // while it is on its way
			for share, err := range m.Shares(ctx) {
				t.Errorf("got %v, %v", share, err)
			}
			cancel()
			time.Sleep(time.Minute)
		}
		for share, err := range m.Shares(t.Context()) {
			require.NoError(t, err)
			share.Release()
			break
		}
		require.NoError(t, m.Close())
	})
}

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var items = flag.Int("memory.items", 200_000, "how many items TestMany puts into the queue in memory")

// TestMany holds that many items are no trouble: they would be, if the time grew
// faster than they.
func TestMany(t *testing.T) {
	if testing.Short() {
		t.Skip("so many items are left out with -short")
	}
	const each = 1000
	bodies := *items / each
	ctx := t.Context()
	m := memqueue.NewMemory()
	for b := range bodies {
		var body strings.Builder
		body.WriteString(`{"deregistrations":[`)
		for i := range each {
			if i > 0 {
				body.WriteByte(',')
			}
			fmt.Fprintf(&body, `{"userId":"user %d"}`, b*each+i)
		}
		body.WriteString(`]}`)
		require.NoError(t, m.Put(ctx, strings.NewReader(body.String())))
	}
	require.Equal(t, bodies*each, m.Len())
	for share, err := range m.Shares(ctx) {
		require.NoError(t, err)
		defer share.Release()
		var after notify.ItemID
		for n := 0; n < bodies*each; {
			items, err := share.Scan(ctx, notify.ClassAccount, after, 1000)
			require.NoError(t, err)
			require.NotEmpty(t, items)
			var verdicts []notify.Verdict
			for i, it := range items {
				v := notify.Verdict{ID: it.ID, Fate: notify.Done}
				if i%100 == 0 {
					v = notify.Verdict{ID: it.ID, Fate: notify.Buried, Letter: &notify.DeadLetter{Key: it.Key}}
				}
				verdicts = append(verdicts, v)
				after = it.ID
			}
			require.NoError(t, share.Settle(ctx, verdicts))
			n += len(items)
		}
		break
	}
	require.Zero(t, m.Len())
	letters := 0
	for l, err := range m.Letters(ctx, nil) {
		require.NoError(t, err)
		require.NoError(t, m.Discard(ctx, l.ID))
		letters++
	}
	require.Equal(t, bodies*each/100, letters)
}
