//go:build unix

package postgres

import (
	"context"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/garminkit/activityapi/notify"
	"github.com/garminkit/activityapi/postgres/internal/pgtest"
	"github.com/garminkit/activityapi/types"
)

func TestBacklogLeavesMemory(t *testing.T) {
	t.Run("plain", func(t *testing.T) { testBacklogLeavesMemory(t, steady(t, pgtest.Schema(t))) })
	t.Run("sealed", func(t *testing.T) { testBacklogLeavesMemory(t, steadySealed(t, pgtest.Schema(t))) })
}

// testBacklogLeavesMemory has items that come with their bytes and cannot be worked
// on yet, of large bodies and small ones: their bytes stay in the database. Nothing
// runs beside it.
func testBacklogLeavesMemory(t *testing.T, h *handle) {
	const bodies, each, size = 8, 600, 7500 // 36 MB
	ctx := t.Context()
	defer func() { require.NoError(t, h.Close()) }()
	gate := make(chan struct{})
	p, err := notify.NewProcessor(h.Queue, func(_ context.Context, id types.UserID) ([]notify.User, error) {
		return []notify.User{{ID: string(id)}}, nil
	}, notify.Callbacks{
		Save: func(ctx context.Context, _ *notify.Delivery, _ types.Summary) error {
			select {
			case <-gate:
			case <-ctx.Done():
			}
			return nil
		},
		Deregistration:   func(context.Context, *notify.Delivery, *notify.Deregistration) error { return nil },
		PermissionChange: func(context.Context, *notify.Delivery, *notify.PermissionChange) error { return nil },
	}, &notify.ProcessorOptions{Workers: 2})
	require.NoError(t, err)
	run, cancel := context.WithCancel(ctx)
	var wg sync.WaitGroup
	wg.Go(func() {
		if err := p.Run(run); err != nil {
			t.Error(err)
		}
	})
	defer func() { close(gate); cancel(); wg.Wait() }()
	heap := func() int64 {
		runtime.GC()
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return int64(m.HeapAlloc)
	}
	before := heap()
	n := 0
	for b := range bodies {
		var list []string
		for range each {
			n++
			list = append(list, fmt.Sprintf(`{"userId":"user%d","summaryId":"%d","startTimeInSeconds":1709312416,"activityName":%q}`, n, n, strings.Repeat("x", size)))
		}
		step := each
		if b%2 == 0 {
			step = 8 // small bodies
		}
		for len(list) > 0 {
			require.NoError(t, h.Put(ctx, strings.NewReader(`{"activities":[`+strings.Join(list[:step], ",")+`]}`)))
			list = list[step:]
		}
	}
	require.Eventually(t, func() bool {
		c := p.Stats().Classes[notify.ClassPush]
		return c.Queued+c.Running+c.Slow >= n
	}, time.Minute, 10*time.Millisecond)
	held := heap() - before
	t.Logf("%d items of %d bytes: %d MiB", n, size, held>>20)
	require.Less(t, held, int64(32<<20), "of 36 MB, 16 MiB are kept at hand")
}
