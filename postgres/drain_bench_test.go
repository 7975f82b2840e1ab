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

	"github.com/garminkit/activityapi/notify"
	"github.com/garminkit/activityapi/postgres/internal/pgtest"
	"github.com/garminkit/activityapi/types"
)

// benchProcessor is a processor whose callback is called for each item.
func benchProcessor(b *testing.B, q notify.Queue, save func()) *notify.Processor {
	p, err := notify.NewProcessor(q,
		func(_ context.Context, id types.UserID) ([]notify.User, error) {
			return []notify.User{{ID: string(id)}}, nil
		},
		notify.Callbacks{
			Save:             func(context.Context, *notify.Delivery, types.Summary) error { save(); return nil },
			Deregistration:   func(context.Context, *notify.Delivery, *notify.Deregistration) error { return nil },
			PermissionChange: func(context.Context, *notify.Delivery, *notify.PermissionChange) error { return nil },
		}, &notify.ProcessorOptions{Workers: 64})
	require.NoError(b, err)
	return p
}

// BenchmarkDrain is how many items of 1 KB one processor, and two, take from a
// full queue to a callback that does nothing.
func BenchmarkDrain(b *testing.B) {
	const items = 30_000
	for _, processes := range []int{1, 2} {
		b.Run(fmt.Sprintf("processes=%d", processes), func(b *testing.B) {
			schema := pgtest.Schema(b)
			var all []*handle
			for range processes {
				h := steady(b, schema)
				defer func() { require.NoError(b, h.Close()) }()
				all = append(all, h)
			}
			var spent time.Duration
			for b.Loop() {
				var fill sync.WaitGroup
				for w := range 8 {
					fill.Go(func() {
						for n := w * 100; n < items; n += 800 {
							var list []string
							for i := n; i < n+100; i++ {
								list = append(list, strings.TrimSuffix(strings.TrimPrefix(benchBody(time.Now().UnixNano()), `{"activities":[`), `]}`))
							}
							if err := all[0].putLarge(b.Context(), strings.NewReader(`{"activities":[`+strings.Join(list, ",")+`]}`), nil); err != nil {
								b.Error(err)
							}
						}
					})
				}
				fill.Wait()
				var done atomic.Int64
				ended := make(chan struct{})
				ctx, cancel := context.WithCancel(b.Context())
				var run sync.WaitGroup
				start := time.Now()
				for _, h := range all {
					run.Go(func() {
						_ = benchProcessor(b, h, func() {
							if done.Add(1) == items {
								close(ended)
							}
						}).Run(ctx)
					})
				}
				<-ended
				cancel()
				run.Wait() // the verdicts are written
				spent += time.Since(start)
			}
			b.ReportMetric(float64(b.N*items)/spent.Seconds(), "items/s")
		})
	}
}

// BenchmarkLife is what bodies of 1 KB cost from Put to the end of their callback:
// bytes of the server's log, and what the table of items takes: at the most while
// the first half came, at the most at all, and after a vacuum.
func BenchmarkLife(b *testing.B) {
	schema := pgtest.Schema(b)
	h := steady(b, schema)
	defer func() { require.NoError(b, h.Close()) }()
	var saved atomic.Int64
	ctx, cancel := context.WithCancel(b.Context())
	p := benchProcessor(b, h, func() { saved.Add(1) })
	ended := make(chan struct{})
	go func() { defer close(ended); _ = p.Run(ctx) }()
	var n atomic.Int64
	from := walAt(b, h)
	var half, most int64
	watched := make(chan struct{})
	watching, stop := context.WithCancel(b.Context())
	go func() {
		defer close(watched)
		for tick := time.NewTicker(100 * time.Millisecond); watching.Err() == nil; <-tick.C {
			var size int64
			if h.pool.QueryRow(watching, named(schema, `SELECT pg_table_size('{s}.item')`)).Scan(&size) == nil {
				if most = max(most, size); n.Load() < int64(b.N/2) {
					half = most
				}
			}
		}
	}()
	b.SetParallelism(senders / 2)
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if err := h.Put(b.Context(), strings.NewReader(benchBody(n.Add(1)))); err != nil {
				b.Error(err)
			}
		}
	})
	require.Eventually(b, func() bool { return saved.Load() == n.Load() }, time.Minute, time.Millisecond)
	cancel()
	<-ended
	stop()
	<-watched
	b.StopTimer()
	b.ReportMetric(float64(half)/1e6, "heap-most-of-half-MB")
	b.ReportMetric(float64(most)/1e6, "heap-most-MB")
	_, err := h.pool.Exec(context.Background(), named(schema, `VACUUM {s}.item`))
	require.NoError(b, err)
	b.ReportMetric(float64(walAt(b, h)-from)/float64(n.Load()), "WAL-B/body")
	var heap, index int64
	require.NoError(b, h.pool.QueryRow(context.Background(), named(schema, `SELECT pg_table_size('{s}.item'), pg_indexes_size('{s}.item')`)).Scan(&heap, &index))
	b.ReportMetric(float64(heap)/1e6, "heap-MB")
	b.ReportMetric(float64(index)/1e6, "index-MB")
}
