package notify_test

import (
	"context"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/garminkit/activityapi/notify"
	"github.com/garminkit/activityapi/notify/spool"
)

// BenchmarkIsolation measures how long unrelated pushes and deregistrations
// wait, from the end of Put to the callback, while there is trouble, through the embedded
// queue with default options. One operation is one push and one deregistration;
// they come every 20 ms, so -benchtime 500x takes ten seconds a trouble.
func BenchmarkIsolation(b *testing.B) {
	all := append([]trouble{{name: "undisturbed", begin: func(func(string)) {}}}, troubles(100)...)
	for _, tr := range all {
		b.Run(strings.ReplaceAll(tr.name, " ", "-"), func(b *testing.B) {
			q, err := spool.Open(b.TempDir(), nil)
			require.NoError(b, err)
			defer q.Close()
			var mu sync.Mutex
			seen := map[string][]time.Duration{}
			users, calls, sent := watched(&tr, time.Now, func(kind string, after time.Duration) {
				mu.Lock()
				defer mu.Unlock()
				seen[kind] = append(seen[kind], after)
			})
			p, err := notify.NewProcessor(q, users, calls, &notify.ProcessorOptions{DrainTimeout: time.Second})
			require.NoError(b, err)
			ctx, cancel := context.WithCancel(b.Context())
			defer cancel()
			ended := make(chan error, 1)
			go func() { ended <- p.Run(ctx) }()
			put := func(body string) { require.NoError(b, q.Put(ctx, strings.NewReader(body))) }
			var puts time.Duration
			send := func(user, body string) {
				start := time.Now()
				sent.Store(user, start)
				put(body)
				took := time.Since(start)
				puts = max(puts, took)
				// The delay counts from the end of Put, if it is not over by then.
				sent.CompareAndSwap(user, start, start.Add(took))
			}
			var peak uint64
			begun := make(chan struct{})
			go func() {
				defer close(begun)
				tr.begin(put)
			}()
			b.ResetTimer()
			for i := range b.N {
				user := fmt.Sprint("good", i)
				send(user, list("moveIQActivities", 1, func(int) string { return moveIQ(user, i, "") }))
				user = fmt.Sprint("leaver", i)
				send(user, fmt.Sprintf(`{"deregistrations":[{"userId":%q}]}`, user))
				time.Sleep(20 * time.Millisecond)
				if i%50 == 0 {
					var m runtime.MemStats
					runtime.ReadMemStats(&m)
					peak = max(peak, m.HeapInuse)
				}
			}
			b.StopTimer()
			<-begun
			require.Eventually(b, func() bool {
				mu.Lock()
				defer mu.Unlock()
				return len(seen["push"]) == b.N && len(seen["account"]) == b.N
			}, time.Minute, 10*time.Millisecond, "some never came")
			cancel()
			<-ended
			for _, kind := range []string{"push", "account"} {
				d := seen[kind]
				slices.Sort(d)
				ms := func(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
				b.ReportMetric(ms(d[len(d)/2]), kind+"-p50-ms")
				b.ReportMetric(ms(d[len(d)*99/100]), kind+"-p99-ms")
				b.ReportMetric(ms(d[len(d)-1]), kind+"-max-ms")
			}
			b.ReportMetric(float64(puts.Microseconds())/1000, "put-max-ms")
			b.ReportMetric(float64(peak)/(1<<20), "heap-MiB")
			b.ReportMetric(0, "ns/op")
		})
	}
}
