package admin_test

import (
	"context"
	"flag"
	"fmt"
	"net/http"
	"net/url"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/garminkit/activityapi/activity/service/admin"
	"github.com/garminkit/activityapi/internal/adminapi"
	"github.com/garminkit/activityapi/notify"
	"github.com/garminkit/activityapi/notify/spool"
	"github.com/garminkit/activityapi/types"
)

var (
	scaleItems   = flag.Int("items", 5_000, "items that wait in TestScale")
	scaleLetters = flag.Int("letters", 500, "letters in TestScale")
	scaleDir     = flag.String("dir", "", "where TestScale keeps its spool")
)

// TestScale: answers and memory with many items and letters. Its long form:
//
//	go test ./activity/service/admin -run Scale -items 1000000 -letters 100000 -dir /dev/shm -timeout 0 -v
func TestScale(t *testing.T) {
	dir := t.TempDir()
	if *scaleDir != "" {
		dir = *scaleDir + "/scale"
	}
	q, err := spool.Open(dir, nil)
	require.NoError(t, err)
	list := func(first, n int) string {
		items := make([]string, n)
		for i := range items {
			items[i] = item(fmt.Sprint("u", (first+i)%10_000), first+i)
		}
		return `{"activities":[` + strings.Join(items, ",") + `]}`
	}
	makeLetters(t, q, *scaleLetters, list)
	for first := 0; first < *scaleItems; first += 1000 {
		require.NoError(t, q.Put(t.Context(), strings.NewReader(list(10_000_000+first, min(1000, *scaleItems-first)))))
	}
	hang := make(chan struct{})
	p, err := notify.NewProcessor(q, everybody, notify.Callbacks{
		Save: func(ctx context.Context, _ *notify.Delivery, _ types.Summary) error {
			<-hang
			return ctx.Err()
		},
		Deregistration:   func(context.Context, *notify.Delivery, *notify.Deregistration) error { return nil },
		PermissionChange: func(context.Context, *notify.Delivery, *notify.PermissionChange) error { return nil },
	}, &notify.ProcessorOptions{DrainTimeout: -1})
	require.NoError(t, err)
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- p.Run(ctx) }()
	defer func() {
		close(hang)
		stop()
		<-done
	}()
	r := newRig(t, q, &admin.Options{Processor: p})
	// What was read once is counted as it goes, so the first look is warm.
	first := api[adminapi.Letters](r, "GET", "letters")
	require.Eventually(t, func() bool {
		st, err := q.Stats(t.Context())
		return err == nil && int(st.Items[notify.ClassPush]) >= *scaleItems*9/10
	}, time.Minute, 10*time.Millisecond)
	middle := ""
	for range min(20, *scaleLetters/300) {
		middle = api[adminapi.Letters](r, "GET", "letters", "from", middle).Next
	}
	// The processor has taken up what it can hold.
	for queued := -1; *scaleItems > 100_000; {
		now := p.Stats().Classes[notify.ClassPush].Queued
		if now == queued {
			break
		}
		queued = now
		time.Sleep(time.Second)
	}
	heap := func() uint64 {
		var m runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	before := heap()
	slowest := map[string]time.Duration{}
	for _, tt := range []struct {
		name, method, path string
		form               url.Values
	}{
		{"overview", "GET", "/overview", nil},
		{"letters", "GET", "/letters", nil},
		{"letters, in the middle", "GET", "/letters", url.Values{"from": {middle}}},
		{"letters of a user", "GET", "/letters", url.Values{"user": {"u77"}}},
		{"letters, none", "GET", "/letters", url.Values{"reason": {"nothing like it"}}},
		{"letter", "GET", "/letter", url.Values{"id": {first.Letters[7].ID}}},
		{"count", "POST", "/redrive", nil},
		{"count of a user", "POST", "/discard", url.Values{"user": {"u77"}}},
		{"discard", "POST", "/discard", url.Values{"before": {"2999-01-01"}, "dry_run": {"false"}}},
		{"redrive", "POST", "/redrive", url.Values{"before": {"2999-01-01"}, "dry_run": {"false"}}},
		{"parked", "GET", "/parked", nil},
		{"user", "GET", "/user", url.Values{"id": {"u77"}}},
	} {
		var all []time.Duration
		for range 9 {
			begin := time.Now()
			w := r.do(tt.method, "/api"+tt.path, tt.form, nil)
			require.Equal(t, http.StatusOK, w.Code, w.Body)
			all = append(all, time.Since(begin))
		}
		median, worst := all[0], all[0]
		for _, d := range all {
			worst = max(worst, d)
			n := 0
			for _, e := range all {
				if e < d {
					n++
				}
			}
			if n == len(all)/2 {
				median = d
			}
		}
		slowest[tt.name] = median
		t.Logf("%-24s median %7.1f ms, worst %7.1f ms", tt.name, float64(median.Microseconds())/1000, float64(worst.Microseconds())/1000)
	}
	grown := int64(heap()) - int64(before)
	t.Logf("%d items, %d letters: the heap grew by %d KB over %d answers", *scaleItems, r.count(), grown/1000, 9*len(slowest))
	require.Less(t, grown, int64(16<<20))
}

// makeLetters buries n items, each in a letter of its own.
func makeLetters(t *testing.T, q notify.Queue, n int, list func(first, n int) string) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	for first := 0; first < n; first += 100 {
		require.NoError(t, q.Put(ctx, strings.NewReader(list(first, min(100, n-first)))))
	}
	for s, err := range q.Shares(ctx) {
		require.NoError(t, err)
		left, after := n, notify.ItemID(0)
		for left > 0 {
			items, err := s.Scan(ctx, notify.ClassPush, after, 1000)
			require.NoError(t, err)
			if len(items) == 0 {
				select {
				case <-s.Changed():
				case <-time.After(10 * time.Millisecond):
				}
				continue
			}
			verdicts := make([]notify.Verdict, len(items))
			for i, it := range items {
				verdicts[i] = notify.Verdict{ID: it.ID, Fate: notify.Buried, Letter: &notify.DeadLetter{
					Key: it.Key, UserID: it.UserID, Items: 1, Reason: "column missing", Attempts: 1, Received: it.Received, Buried: time.Now().UTC(),
				}}
			}
			require.NoError(t, s.Settle(ctx, verdicts))
			left -= len(items)
			after = items[len(items)-1].ID
		}
		s.Release()
		break
	}
}
