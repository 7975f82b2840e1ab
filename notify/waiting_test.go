package notify_test

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"iter"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/garminkit/activityapi/internal/memqueue"
	"github.com/garminkit/activityapi/notify"
	"github.com/garminkit/activityapi/notify/spool"
	"github.com/garminkit/activityapi/types"
)

var waitingItems = flag.Int("notify.waiting", 30_000, "how many items TestWaitingMemory lets wait")

// TestWaitingMemory: what waits costs some bytes an item, and no body, no
// decoded item and no admission; after a restart too. The long form is
// -notify.waiting 1000000.
func TestWaitingMemory(t *testing.T) {
	n := *waitingItems
	dir := t.TempDir()
	heap := func() int64 {
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return int64(m.HeapAlloc)
	}
	before := heap()
	for _, when := range []string{"after the first attempts", "after a restart"} {
		q, err := spool.Open(dir, nil)
		require.NoError(t, err)
		if when == "after the first attempts" {
			for b := range n / 1000 {
				body := list("moveIQActivities", 1000, func(i int) string {
					return moveIQ(fmt.Sprint("user", (b*1000+i)%(n/10)), b*1000+i, "some more bytes that an item has, and that nobody has to keep")
				})
				require.NoError(t, q.Put(t.Context(), strings.NewReader(body)))
			}
		}
		p, err := notify.NewProcessor(q,
			func(_ context.Context, id types.UserID) ([]notify.User, error) {
				return []notify.User{{ID: string(id)}}, nil
			},
			notify.Callbacks{
				Save:             func(context.Context, *notify.Delivery, types.Summary) error { return errors.New("column missing") },
				Deregistration:   func(context.Context, *notify.Delivery, *notify.Deregistration) error { return nil },
				PermissionChange: func(context.Context, *notify.Delivery, *notify.PermissionChange) error { return nil },
			}, &notify.ProcessorOptions{RetryMin: 12 * time.Hour, RetryMax: 12 * time.Hour})
		require.NoError(t, err)
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- p.Run(ctx) }()
		require.Eventually(t, func() bool { return p.Stats().Classes[notify.ClassPush].Waiting == n }, 10*time.Minute, 50*time.Millisecond, when)
		require.Eventually(t, func() bool {
			st := p.Stats().Classes[notify.ClassPush]
			return st.Queued+st.Running == 0
		}, time.Minute, 10*time.Millisecond)
		each := float64(heap()-before) / float64(n)
		t.Logf("%s: %d items of %d users wait, %.0f bytes of heap each", when, n, n/10, each)
		// 256 MiB for a million leave 268 each; the rest is for what does not
		// grow with them.
		require.Less(t, each, 200.0+8e6/float64(n), when)
		cancel()
		require.NoError(t, <-ended)
		require.NoError(t, q.Close())
	}
}

// TestReadyMemory: the bytes of items that could begin and find no worker are
// bounded, however many users they are of.
func TestReadyMemory(t *testing.T) {
	const n = 4000
	q := memqueue.NewMemory()
	require.NoError(t, q.Put(t.Context(), strings.NewReader(list("moveIQActivities", n, func(i int) string {
		return moveIQ(fmt.Sprint("user", i), i, "")
	}))))
	block := make(chan struct{})
	var saved atomic.Int64
	p, err := notify.NewProcessor(&generous{q},
		func(_ context.Context, id types.UserID) ([]notify.User, error) {
			return []notify.User{{ID: string(id)}}, nil
		},
		notify.Callbacks{
			Save: func(context.Context, *notify.Delivery, types.Summary) error {
				<-block
				saved.Add(1)
				return nil
			},
			Deregistration:   func(context.Context, *notify.Delivery, *notify.Deregistration) error { return nil },
			PermissionChange: func(context.Context, *notify.Delivery, *notify.PermissionChange) error { return nil },
		}, &notify.ProcessorOptions{Workers: 1})
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- p.Run(ctx) }()
	require.Eventually(t, func() bool {
		st := p.Stats().Classes[notify.ClassPush]
		return st.Queued+st.Running == n
	}, time.Minute, 10*time.Millisecond)
	require.Eventually(t, func() bool { // what is being read now comes on top
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		t.Logf("%d users' items of 60 KB are ready: heap %d MiB", n, m.HeapAlloc>>20)
		return m.HeapAlloc < 64<<20
	}, time.Minute, 100*time.Millisecond)
	close(block)
	require.Eventually(t, func() bool { return saved.Load() == n }, time.Minute, 10*time.Millisecond)
	cancel()
	require.NoError(t, <-ended)
}

// generous is a queue that hands out large items' bytes with them.
type generous struct{ notify.Queue }

func (q *generous) Shares(ctx context.Context) iter.Seq2[notify.Share, error] {
	return func(yield func(notify.Share, error) bool) {
		for s, err := range q.Queue.Shares(ctx) {
			if !yield(&generousShare{s}, err) {
				return
			}
		}
	}
}

type generousShare struct{ notify.Share }

func (s *generousShare) pad(ctx context.Context, items []*notify.Item, err error) ([]*notify.Item, error) {
	for _, it := range items {
		r, err := s.Open(ctx, it.ID)
		if err != nil {
			return nil, err
		}
		it.Raw = make([]byte, 60<<10)
		n, _ := io.ReadFull(r, it.Raw)
		copy(it.Raw[n:], bytes.Repeat([]byte(" "), len(it.Raw)-n))
		r.Close()
	}
	return items, err
}

func (s *generousShare) Scan(ctx context.Context, c notify.Class, after notify.ItemID, n int) ([]*notify.Item, error) {
	items, err := s.Share.Scan(ctx, c, after, n)
	return s.pad(ctx, items, err)
}

func (s *generousShare) Load(ctx context.Context, ids []notify.ItemID) ([]*notify.Item, error) {
	items, err := s.Share.Load(ctx, ids)
	return s.pad(ctx, items, err)
}
