//go:build unix

package postgres

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/garminkit/activityapi/internal/shareof"
	"github.com/garminkit/activityapi/notify"
	"github.com/garminkit/activityapi/postgres/internal/pgtest"
	"github.com/garminkit/activityapi/types"
)

// TestNothingAppearsBehindAScan has several processes that store at once: what a
// scan has passed never appears behind it, although their commits overtake each
// other.
func TestNothingAppearsBehindAScan(t *testing.T) {
	t.Parallel()
	const processes, each = 4, 400
	schema := pgtest.Schema(t)
	var all []*handle
	for range processes {
		h := steady(t, schema)
		defer func() { require.NoError(t, h.Close()) }()
		all = append(all, h)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	user := "u"
	want := shareof.User("u", shares)
	got := make(chan int)
	go func() {
		for s, err := range all[0].Shares(ctx) {
			if err != nil || int(s.(*share).number) != want {
				continue
			}
			n := 0
			var after notify.ItemID
			for n < processes*each && ctx.Err() == nil {
				items, err := s.Scan(ctx, notify.ClassPush, after, 10)
				if err != nil {
					break
				}
				for _, it := range items {
					n, after = n+1, it.ID
				}
			}
			s.Release()
			got <- n
			return
		}
	}()
	var puts sync.WaitGroup
	for p, h := range all {
		puts.Go(func() {
			for i := range each {
				body := fmt.Sprintf(`{"activities":[{"userId":%q,"summaryId":"%d-%d","pad":%q}]}`, user, p, i, strings.Repeat("x", i%7*100))
				if err := h.Put(ctx, strings.NewReader(body)); err != nil {
					t.Errorf("Put: %v", err)
				}
			}
		})
	}
	puts.Wait()
	select {
	case n := <-got:
		require.Equal(t, processes*each, n)
	case <-time.After(time.Minute):
		cancel()
		require.Equal(t, processes*each, <-got, "items that a scan passed over")
	}
}

// TestNumbersAreNotUsedAgain has a server forget its latest numbers in a crash:
// who has passed an item must not be given another behind it.
func TestNumbersAreNotUsedAgain(t *testing.T) {
	t.Parallel()
	ctx, h := t.Context(), steady(t, pgtest.Schema(t))
	defer func() { require.NoError(t, h.Close()) }()
	s := taken(t, h)[int16(shareof.User("u", shares))]
	var after notify.ItemID
	for i := range 3 {
		for _, size := range []int{10, 2 * small} {
			require.NoError(t, h.Put(ctx, strings.NewReader(fmt.Sprintf(`{"activities":[{"userId":"u","summaryId":"%d","pad":%q}]}`, i, strings.Repeat("x", size)))))
			items, err := s.Scan(ctx, notify.ClassPush, after, 10)
			require.NoError(t, err)
			require.Len(t, items, 1, "behind what was passed")
			after = items[0].ID
			_, err = h.pool.Exec(ctx, named(h.db.schema, `TRUNCATE {s}.running`))
			require.NoError(t, err)
			_, err = h.pool.Exec(ctx, named(h.db.schema, `SELECT setval('{s}.item_seq', 1)`))
			require.NoError(t, err)
		}
	}
}

// TestCrashedServerIsLookedThrough has a server that has again, after a crash,
// what was settled: who has the share finds it without a restart of his own.
func TestCrashedServerIsLookedThrough(t *testing.T) {
	t.Parallel()
	ctx, h := t.Context(), steady(t, pgtest.Schema(t))
	defer func() { require.NoError(t, h.Close()) }()
	require.NoError(t, h.Put(ctx, strings.NewReader(`{"activities":[{"userId":"u","summaryId":"1"}]}`)))
	exec := func(text string) {
		t.Helper()
		_, err := h.pool.Exec(ctx, named(h.db.schema, text))
		require.NoError(t, err)
	}
	exec(`CREATE TABLE {s}.copy AS SELECT * FROM {s}.item`)
	var saved atomic.Int32
	run, cancel := context.WithCancel(ctx)
	ended := make(chan struct{})
	p := counting(t, h, &saved)
	go func() { defer close(ended); _ = p.Run(run) }()
	defer func() { cancel(); <-ended }()
	left := func() (n int) {
		require.NoError(t, h.pool.QueryRow(ctx, named(h.db.schema, `SELECT count(*) FROM {s}.item`)).Scan(&n))
		return n
	}
	require.Eventually(t, func() bool { return saved.Load() == 1 && left() == 0 }, time.Minute, 10*time.Millisecond)
	exec(`INSERT INTO {s}.item SELECT * FROM {s}.copy`)
	exec(`TRUNCATE {s}.running_since`)
	require.Eventually(t, func() bool { return saved.Load() == 2 && left() == 0 }, time.Minute, 10*time.Millisecond)
}

// counting is a processor that counts what it saves.
func counting(t testing.TB, q notify.Queue, saved *atomic.Int32) *notify.Processor {
	p, err := notify.NewProcessor(q, func(_ context.Context, id types.UserID) ([]notify.User, error) {
		return []notify.User{{ID: string(id)}}, nil
	}, notify.Callbacks{
		Save:             func(context.Context, *notify.Delivery, types.Summary) error { saved.Add(1); return nil },
		Deregistration:   func(context.Context, *notify.Delivery, *notify.Deregistration) error { return nil },
		PermissionChange: func(context.Context, *notify.Delivery, *notify.PermissionChange) error { return nil },
	}, nil)
	require.NoError(t, err)
	return p
}
