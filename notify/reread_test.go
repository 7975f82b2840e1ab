package notify_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"

	"github.com/garminkit/activityapi/internal/memqueue"
	"github.com/garminkit/activityapi/notify"
	"github.com/garminkit/activityapi/types"
)

// TestReread: what was erased is not delivered from the processor's memory, and
// Reread waits for what runs.
func TestReread(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		q := memqueue.NewMemory()
		defer q.Close()
		var mu sync.Mutex
		delivered := map[string]int{}
		block := map[string]chan struct{}{"b1": make(chan struct{}), "a1": make(chan struct{})}
		p, err := notify.NewProcessor(q, func(_ context.Context, id types.UserID) ([]notify.User, error) {
			return []notify.User{{ID: string(id)}}, nil
		}, notify.Callbacks{
			Save: func(_ context.Context, d *notify.Delivery, s types.Summary) error {
				if c := block[string(s.ID())]; c != nil {
					<-c
				}
				mu.Lock()
				defer mu.Unlock()
				delivered[string(s.ID())]++
				return nil
			},
			Deregistration:   func(context.Context, *notify.Delivery, *notify.Deregistration) error { return nil },
			PermissionChange: func(context.Context, *notify.Delivery, *notify.PermissionChange) error { return nil },
		}, &notify.ProcessorOptions{Workers: 1})
		require.NoError(t, err)
		require.NoError(t, p.Reread(t.Context(), "a"), "nothing runs yet")
		ctx, cancel := context.WithCancel(t.Context())
		var running sync.WaitGroup
		running.Go(func() { _ = p.Run(ctx) })
		put := func(user string, ids ...string) {
			var items []string
			for _, id := range ids {
				items = append(items, fmt.Sprintf(`{"userId":%q,"summaryId":%q}`, user, id))
			}
			require.NoError(t, q.Put(t.Context(), strings.NewReader(`{"activities":[`+strings.Join(items, ",")+`]}`)))
			synctest.Wait()
		}
		put("b", "b1", "b2")
		put("a", "a2", "a3")
		put("c", "c1")
		// All is in memory, behind b's attempt.
		_, err = q.Erase(t.Context(), "a")
		require.NoError(t, err)
		require.NoError(t, p.Reread(t.Context(), "a"))
		close(block["b1"])
		synctest.Wait()
		mu.Lock()
		require.Equal(t, map[string]int{"b1": 1, "b2": 1, "c1": 1}, delivered)
		mu.Unlock()

		put("a", "a1", "a4")
		_, err = q.Erase(t.Context(), "a")
		require.NoError(t, err)
		short, end := context.WithCancelCause(t.Context())
		end(context.DeadlineExceeded)
		require.ErrorIs(t, p.Reread(short, "a"), context.DeadlineExceeded)
		waited := make(chan error)
		go func() { waited <- p.Reread(t.Context(), "a") }()
		synctest.Wait()
		select {
		case <-waited:
			t.Fatal("Reread did not wait for the attempt that runs")
		default:
		}
		close(block["a1"])
		require.NoError(t, <-waited)
		synctest.Wait()
		mu.Lock()
		require.Zero(t, delivered["a4"])
		mu.Unlock()
		put("a", "a5")
		mu.Lock()
		require.Equal(t, 1, delivered["a5"], "what comes later is delivered")
		mu.Unlock()
		cancel()
		running.Wait()
	})
}
