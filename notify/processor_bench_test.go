package notify_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/garminkit/activityapi/internal/memqueue"
	"github.com/garminkit/activityapi/notify"
	"github.com/garminkit/activityapi/notify/spool"
	"github.com/garminkit/activityapi/types"
)

// pushItem is about what Garmin sends for one activity: 1 KB.
const pushItem = `{"userId":"4aacafe82427c251df9c9592d0c06%03d","summaryId":"%d","activityId":%[2]d,` +
	`"activityName":"Olathe Running","durationInSeconds":1789,"startTimeInSeconds":1709312416,` +
	`"startTimeOffsetInSeconds":-21600,"activityType":"RUNNING","averageHeartRateInBeatsPerMinute":144,` +
	`"averageRunCadenceInStepsPerMinute":168.4375,"averageSpeedInMetersPerSecond":2.781,` +
	`"averagePaceInMinutesPerKilometer":5.993048,"activeKilocalories":367,"deviceName":"forerunner935",` +
	`"distanceInMeters":4976.4,"maxHeartRateInBeatsPerMinute":159,"maxPaceInMinutesPerKilometer":5.2356,` +
	`"maxRunCadenceInStepsPerMinute":181.0,"maxSpeedInMetersPerSecond":3.183,"steps":5022,` +
	`"startingLatitudeInDegree":38.833873,"startingLongitudeInDegree":-94.791168,` +
	`"totalElevationGainInMeters":16.0,"totalElevationLossInMeters":22.0,"isWebUpload":false}`

// BenchmarkProcessor measures push items from a filled queue to a callback that
// does nothing. One operation is one item.
func BenchmarkProcessor(b *testing.B) {
	queues := map[string]func(*testing.B) notify.Queue{
		"spool": func(b *testing.B) notify.Queue {
			q, err := spool.Open(b.TempDir(), nil)
			require.NoError(b, err)
			b.Cleanup(func() { q.Close() })
			return q
		},
		"memory": func(*testing.B) notify.Queue { return memqueue.NewMemory() },
	}
	for _, name := range []string{"spool", "memory"} {
		for _, perBody := range []int{1, 100} {
			b.Run(fmt.Sprintf("%s/items=%d", name, perBody), func(b *testing.B) {
				benchmarkProcessor(b, queues[name](b), perBody)
			})
		}
	}
}

func benchmarkProcessor(b *testing.B, q notify.Queue, perBody int) {
	var fill sync.WaitGroup
	bodies := make(chan string, 64)
	for range 32 {
		fill.Go(func() {
			for body := range bodies {
				require.NoError(b, q.Put(b.Context(), strings.NewReader(body)))
			}
		})
	}
	size := int64(0)
	for n := 0; n < b.N; n += perBody {
		var list []string
		for i := n; i < min(n+perBody, b.N); i++ {
			list = append(list, fmt.Sprintf(pushItem, i%1000, i))
		}
		body := `{"activities":[` + strings.Join(list, ",") + `]}`
		size += int64(len(body))
		bodies <- body
	}
	close(bodies)
	fill.Wait()

	ctx, cancel := context.WithCancel(b.Context())
	var done, saved atomic.Int64
	p, err := notify.NewProcessor(q,
		func(_ context.Context, id types.UserID) ([]notify.User, error) {
			return []notify.User{{ID: string(id)}}, nil
		},
		notify.Callbacks{
			Save:             func(context.Context, *notify.Delivery, types.Summary) error { saved.Add(1); return nil },
			Deregistration:   func(context.Context, *notify.Delivery, *notify.Deregistration) error { return nil },
			PermissionChange: func(context.Context, *notify.Delivery, *notify.PermissionChange) error { return nil },
		},
		&notify.ProcessorOptions{Observe: func(o notify.Outcome) {
			if done.Add(1) == int64(b.N) {
				cancel()
			}
		}})
	require.NoError(b, err)
	b.SetBytes(size / int64(b.N))
	b.ReportAllocs()
	cpu := cpuTime()
	b.ResetTimer()
	require.NoError(b, p.Run(ctx))
	b.StopTimer()
	cpu = cpuTime() - cpu
	require.EqualValues(b, b.N, saved.Load())
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "items/s")
	// On a busy machine this tells more than the clock.
	b.ReportMetric(float64(cpu.Microseconds())/float64(b.N), "cpu-µs/item")
}
