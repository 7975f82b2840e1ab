package spool

import (
	"context"
	"fmt"
	"os"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/garminkit/activityapi/notify"
)

// fillSpool stores n bodies of one item each.
func fillSpool(t testing.TB, s *spool, n, size int) {
	var wg sync.WaitGroup
	for w := range 64 {
		wg.Go(func() {
			for i := w; i < n; i += 64 {
				body := fmt.Sprintf(`{"activities":[{"userId":"u%d","summaryId":"s%d","activityName":"%s"}]}`, i%100_000, i, strings.Repeat("n", size))
				if err := s.Put(context.Background(), strings.NewReader(body)); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
}

func heap() float64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return float64(m.HeapAlloc) / (1 << 20)
}

// BenchmarkBacklog stores many bodies and reports how long it takes to open them,
// to find their items, to load them again, and to settle them, and the memory on
// the way.
func BenchmarkBacklog(b *testing.B) {
	for _, n := range []int{100_000, 1_000_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			for range b.N {
				filled(b, n)
			}
		})
	}
}

func filled(b *testing.B, n int) {
	dir := b.TempDir()
	s, err := openDir(dir, nil)
	require.NoError(b, err)
	fillSpool(b, s, n, 200)
	require.NoError(b, s.Close())
	start := time.Now()
	before := heap()
	s, err = openDir(dir, nil)
	require.NoError(b, err)
	b.ReportMetric(time.Since(start).Seconds(), "open-s")
	b.ReportMetric(heap()-before, "open-MiB")
	h := only(b, s)
	var ids []notify.ItemID
	scan := func() {
		ids = ids[:0]
		for after := notify.ItemID(0); ; {
			list, err := h.Scan(b.Context(), notify.ClassPush, after, 256)
			require.NoError(b, err)
			if len(list) == 0 {
				break
			}
			for _, it := range list {
				ids = append(ids, it.ID)
			}
			after = list[len(list)-1].ID
		}
		require.Len(b, ids, n)
	}
	rate := func(f func(), what string) {
		start := time.Now()
		f()
		b.ReportMetric(float64(n)/time.Since(start).Seconds(), what+"/s")
	}
	settle := func(v notify.Verdict) {
		for i := 0; i < n; i += 1000 {
			var list []notify.Verdict
			for _, id := range ids[i:min(i+1000, n)] {
				v.ID = id
				list = append(list, v)
			}
			require.NoError(b, h.Settle(b.Context(), list))
		}
	}
	rate(scan, "scan")
	rate(func() {
		settle(notify.Verdict{Fate: notify.Again, Attempts: 1, Next: time.Now().Add(time.Hour), Reason: "later"})
	}, "again")
	b.ReportMetric(heap()-before-float64(8*n)/(1<<20), "waiting-MiB")
	rate(func() {
		for i := 0; i < n; i += 256 {
			list, err := h.Load(b.Context(), ids[i:min(i+256, n)])
			require.NoError(b, err)
			require.Len(b, list, min(256, n-i))
		}
	}, "load")
	require.NoError(b, s.Close())
	start = time.Now()
	s, err = openDir(dir, nil)
	require.NoError(b, err)
	b.ReportMetric(time.Since(start).Seconds(), "reopen-s")
	h = only(b, s)
	scan()
	b.ReportMetric(heap()-before-float64(8*n)/(1<<20), "rescanned-MiB")
	rate(func() { settle(notify.Verdict{Fate: notify.Done}) }, "done")
	require.NoError(b, s.Close())
}

// BenchmarkLetters reports what 200,000 letters cost: to open the spool, to look
// for those that are too old, and to list them.
func BenchmarkLetters(b *testing.B) {
	const n = 200_000
	dir := b.TempDir()
	s, err := openDir(dir, nil)
	require.NoError(b, err)
	require.NoError(b, s.Close())
	h := letterHead{Key: "activities", UserID: "u", Items: 1, Reason: "given up", Buried: time.Now(), Size: 2000}
	head, err := h.encode(nil, letterName{})
	require.NoError(b, err)
	data := append(head, strings.Repeat("x", 2000+sumSize)...)
	for i := range n {
		name := letterName{uint64(i + 1000), 15, ofItem, time.Now().UnixNano()}
		require.NoError(b, os.WriteFile(s.letterPath(name.String()), data, 0o600))
	}
	b.ResetTimer()
	for range b.N {
		start := time.Now()
		s, err = openDir(dir, &Options{LetterRetention: 30 * 24 * time.Hour})
		require.NoError(b, err)
		b.ReportMetric(time.Since(start).Seconds(), "open-and-sweep-s")
		start = time.Now()
		_, err := s.Stats(b.Context())
		require.NoError(b, err)
		b.ReportMetric(float64(time.Since(start).Microseconds()), "stats-us")
		start = time.Now()
		require.Len(b, letterIDs(b, s), n)
		b.ReportMetric(time.Since(start).Seconds(), "list-s")
		start = time.Now()
		for range 100 {
			_, err = s.Letter(b.Context(), letterName{1000, 15, ofItem, 1}.String())
			require.Error(b, err)
		}
		b.ReportMetric(float64(time.Since(start).Microseconds())/100, "letter-us")
		require.NoError(b, s.Close())
	}
}

// BenchmarkLargeBody reports what one body of many items costs.
func BenchmarkLargeBody(b *testing.B) {
	for _, n := range []int{100_000, 1_000_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) { largeBodyOf(b, n) })
	}
}

func largeBodyOf(b *testing.B, n int) {
	var body strings.Builder
	body.WriteString(`{"activities":[`)
	for i := range n {
		fmt.Fprintf(&body, `{"userId":"u%d","summaryId":"s%d","activityName":"%s"},`, i%100_000, i, strings.Repeat("n", 50))
	}
	body.WriteString(`{"userId":"u","summaryId":"last"}]}`)
	text := body.String()
	for range b.N {
		s, err := openDir(b.TempDir(), nil)
		require.NoError(b, err)
		start := time.Now()
		require.NoError(b, s.Put(b.Context(), strings.NewReader(text)))
		b.ReportMetric(float64(len(text))/(1<<20)/time.Since(start).Seconds(), "put-MiB/s")
		h := only(b, s)
		before := heap()
		start = time.Now()
		var ids []notify.ItemID
		worst := time.Duration(0)
		for after := notify.ItemID(0); ; {
			began := time.Now()
			list, err := h.Scan(b.Context(), notify.ClassPush, after, 256)
			require.NoError(b, err)
			worst = max(worst, time.Since(began))
			if len(list) == 0 {
				break
			}
			for _, it := range list {
				ids = append(ids, it.ID)
			}
			after = list[len(list)-1].ID
		}
		require.Len(b, ids, n+1)
		b.ReportMetric(float64(n)/time.Since(start).Seconds(), "scan/s")
		b.ReportMetric(float64(worst.Microseconds())/1000, "longest-scan-ms")
		b.ReportMetric(heap()-before-float64(8*n)/(1<<20), "waiting-MiB")
		start = time.Now()
		for i := 0; i < len(ids); i += 1000 {
			require.NoError(b, h.Settle(b.Context(), done(ids[i:min(i+1000, len(ids))]...)))
		}
		b.ReportMetric(float64(n)/time.Since(start).Seconds(), "done/s")
		st, err := s.Stats(b.Context())
		require.NoError(b, err)
		require.Zero(b, st.Items[notify.ClassPush])
		require.NoError(b, s.Close())
	}
}
