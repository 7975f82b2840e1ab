package notify_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/garminkit/activityapi/notify"
	"github.com/garminkit/activityapi/notify/spool"
	"github.com/garminkit/activityapi/types"
)

// BenchmarkApps compares a program of one application with one of two, in turns:
// what POSTs to the spool and from it to the callback cost of CPU and time. One
// operation is a thousand bodies for each of the programs. Reported are the
// medians of the turns' ratios, two applications to one.
func BenchmarkApps(b *testing.B) {
	type program struct {
		h     http.Handler
		paths []string
		saved atomic.Int64
		n     int
	}
	start := func(opts *notify.HandlerOptions, paths ...string) *program {
		q, err := spool.Open(b.TempDir(), nil)
		require.NoError(b, err)
		p := &program{h: notify.NewHandler(q.Put, opts), paths: paths}
		calls := notify.Callbacks{
			Save:             func(context.Context, *notify.Delivery, types.Summary) error { p.saved.Add(1); return nil },
			Deregistration:   func(context.Context, *notify.Delivery, *notify.Deregistration) error { return nil },
			PermissionChange: func(context.Context, *notify.Delivery, *notify.PermissionChange) error { return nil },
		}
		users := func(context.Context, types.UserID) ([]notify.User, error) { return []notify.User{{ID: "x"}}, nil }
		proc, err := notify.NewProcessor(q, users, calls, nil)
		require.NoError(b, err)
		ctx, cancel := context.WithCancel(context.Background())
		var ended sync.WaitGroup
		ended.Go(func() { _ = proc.Run(ctx) })
		b.Cleanup(func() { cancel(); ended.Wait(); _ = q.Close() })
		return p
	}
	one := start(&notify.HandlerOptions{Origin: []notify.OriginCheck{pathSecret(b, secretA)}}, secretA)
	two := start(&notify.HandlerOptions{Apps: map[string][]notify.OriginCheck{"": {pathSecret(b, secretA)}, "evaluation": {pathSecret(b, secretB)}}}, secretA, secretB)
	const bodies, atOnce = 1000, 32
	turn := func(p *program) (cpu, wall time.Duration) {
		from, begin := cpuTime(), time.Now()
		want := p.saved.Load() + bodies
		var wg sync.WaitGroup
		for w := range atOnce {
			wg.Go(func() {
				for i := w; i < bodies; i += atOnce {
					r := httptest.NewRequest(http.MethodPost, "/garmin/"+p.paths[i%len(p.paths)], strings.NewReader(push(fmt.Sprint("u", i%200), fmt.Sprint(p.n, "-", i))))
					p.h.ServeHTTP(httptest.NewRecorder(), r)
				}
			})
		}
		wg.Wait()
		for p.saved.Load() < want {
			time.Sleep(100 * time.Microsecond)
		}
		p.n++
		return cpuTime() - from, time.Since(begin)
	}
	turn(one)
	turn(two)
	var cpu, wall []float64
	for b.Loop() {
		c1, w1 := turn(one)
		c2, w2 := turn(two)
		cpu, wall = append(cpu, float64(c2)/float64(c1)), append(wall, float64(w2)/float64(w1))
	}
	slices.Sort(cpu)
	slices.Sort(wall)
	b.ReportMetric(cpu[len(cpu)/2], "cpu-ratio")
	b.ReportMetric(wall[len(wall)/2], "time-ratio")
}
