package otel_test

import (
	"context"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"

	"github.com/garminkit/activityapi/notify"
	"github.com/garminkit/activityapi/notify/spool"
	"github.com/garminkit/activityapi/otel"
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

// work puts n items into a spool and returns what the processor needs for them.
func work(tb testing.TB, n int, tel *otel.Telemetry) time.Duration {
	defer runtime.GC() // of the one, not of the next
	q, err := spool.Open(tb.TempDir(), nil)
	require.NoError(tb, err)
	defer q.Close()
	var fill sync.WaitGroup
	const perBody = 10
	for first := range 16 {
		fill.Go(func() {
			for at := first * perBody; at < n; at += 16 * perBody {
				var list []string
				for i := at; i < min(at+perBody, n); i++ {
					list = append(list, fmt.Sprintf(pushItem, i%1000, i))
				}
				if err := q.Put(tb.Context(), strings.NewReader(`{"activities":[`+strings.Join(list, ",")+`]}`)); err != nil {
					tb.Error(err)
				}
			}
		})
	}
	fill.Wait()
	ctx, cancel := context.WithCancel(tb.Context())
	defer cancel()
	var done atomic.Int64
	opts := &notify.ProcessorOptions{Observe: func(notify.Outcome) {
		if done.Add(1) == int64(n) {
			cancel()
		}
	}}
	calls := notify.Callbacks{
		Save:             func(context.Context, *notify.Delivery, types.Summary) error { return nil },
		Deregistration:   func(context.Context, *notify.Delivery, *notify.Deregistration) error { return nil },
		PermissionChange: func(context.Context, *notify.Delivery, *notify.PermissionChange) error { return nil },
	}
	if tel != nil {
		opts, calls = tel.Processor(opts), tel.Wrap(calls)
	}
	p, err := notify.NewProcessor(q, func(_ context.Context, id types.UserID) ([]notify.User, error) {
		return []notify.User{{ID: string(id)}}, nil
	}, calls, opts)
	require.NoError(tb, err)
	began := cpuTime()
	require.NoError(tb, p.Run(ctx))
	return cpuTime() - began
}

// BenchmarkOverhead compares a processor with telemetry to a plain one, in turns, by
// the time of the CPU that they need: on a busy machine the clock tells nothing. The
// callbacks do nothing. One operation is a turn of each.
func BenchmarkOverhead(b *testing.B) {
	const items = 5_000
	for _, tt := range []struct {
		name     string
		fraction float64
	}{{"metrics", -1}, {"default", 0}, {"everything", 1}} {
		b.Run(tt.name, func(b *testing.B) {
			traces := sdktrace.NewTracerProvider(sdktrace.WithBatcher(nowhere{}))
			defer traces.Shutdown(context.Background())
			tel, err := otel.New(&otel.Options{
				TracerProvider: traces, Fraction: tt.fraction,
				MeterProvider: sdkmetric.NewMeterProvider(sdkmetric.WithReader(sdkmetric.NewManualReader())),
			})
			require.NoError(b, err)
			var plain, with time.Duration
			var ratios []float64
			for turn := 0; b.Loop(); turn++ {
				var p, w time.Duration
				if turn%2 == 0 {
					p, w = work(b, items, nil), work(b, items, tel)
				} else {
					w, p = work(b, items, tel), work(b, items, nil)
				}
				plain, with = plain+p, with+w
				ratios = append(ratios, float64(w)/float64(p))
			}
			slices.Sort(ratios)
			b.ReportMetric(100*(float64(with)/float64(plain)-1), "%-more")
			b.ReportMetric(100*(ratios[len(ratios)/2]-1), "%-more-median")
			each := float64(items * len(ratios))
			b.ReportMetric(float64(plain)/each, "plain-ns/item")
			b.ReportMetric(float64(with)/each, "with-ns/item")
		})
	}
}

// nowhere is an exporter.
type nowhere struct{}

func (nowhere) ExportSpans(context.Context, []sdktrace.ReadOnlySpan) error { return nil }
func (nowhere) Shutdown(context.Context) error                             { return nil }

// BenchmarkHooks is what telemetry does for one item, alone.
func BenchmarkHooks(b *testing.B) {
	for _, tt := range []struct {
		name     string
		fraction float64
	}{{"metrics", -1}, {"default", 0}, {"everything", 1}} {
		b.Run(tt.name, func(b *testing.B) {
			traces := sdktrace.NewTracerProvider(sdktrace.WithBatcher(nowhere{}))
			defer traces.Shutdown(context.Background())
			tel, err := otel.New(&otel.Options{
				TracerProvider: traces, Fraction: tt.fraction,
				MeterProvider: sdkmetric.NewMeterProvider(sdkmetric.WithReader(sdkmetric.NewManualReader())),
			})
			require.NoError(b, err)
			opts := tel.Processor(nil)
			save := tel.Wrap(notify.Callbacks{Save: func(context.Context, *notify.Delivery, types.Summary) error { return nil }}).Save
			above, cancel := context.WithCancel(b.Context())
			defer cancel()
			it, d := &notify.Item{ID: 7}, &notify.Delivery{}
			it.Key, it.Class = string(types.KindActivities), notify.ClassPush
			b.ReportAllocs()
			began := cpuTime()
			for b.Loop() {
				it.Body++
				ctx, end := above, func(error) {}
				if opts.Around != nil {
					ctx, end = opts.Around(above, it)
				}
				_ = save(ctx, d, nil)
				if end != nil {
					end(nil)
				}
				opts.Observe(notify.Outcome{Result: notify.ResultDone, Class: it.Class, Key: it.Key, Took: time.Millisecond, Age: time.Second})
			}
			b.ReportMetric(float64((cpuTime()-began).Nanoseconds())/float64(b.N), "cpu-ns/op")
		})
	}
}
