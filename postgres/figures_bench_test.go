//go:build linux

package postgres

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"

	"github.com/garminkit/activityapi/notify"
	"github.com/garminkit/activityapi/postgres/internal/pgtest"
	"github.com/garminkit/activityapi/types"
)

// BenchmarkPost is how long a notification takes from its POST to the 200, and to
// its callback in another process, at a steady rate. One round is five seconds of
// it.
func BenchmarkPost(b *testing.B) {
	for _, rate := range []int{300, 3000} {
		b.Run(fmt.Sprintf("rate=%d", rate), func(b *testing.B) {
			schema := pgtest.Schema(b)
			h, other := openFor(b, schema, DefaultLease), openFor(b, schema, DefaultLease)
			defer func() { require.NoError(b, h.Close()); require.NoError(b, other.Close()) }()
			server := httptest.NewServer(notify.NewHandler(h.Put, nil))
			defer server.Close()
			client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: senders}}
			defer client.CloseIdleConnections()
			var mu sync.Mutex
			sent := map[types.ID]time.Time{}
			var answered, called []time.Duration
			p := benchSaver(b, other, func(s types.Summary) error {
				now := time.Now()
				mu.Lock()
				defer mu.Unlock()
				called = append(called, now.Sub(sent[s.ID()]))
				return nil
			}, nil)
			ctx, cancel := context.WithCancel(b.Context())
			ended := make(chan struct{})
			go func() { defer close(ended); _ = p.Run(ctx) }()
			var n atomic.Int64
			from := walAt(b, h)
			for b.Loop() {
				var all sync.WaitGroup
				each, end := time.Duration(senders)*time.Second/time.Duration(rate), time.Now().Add(5*time.Second)
				for s := range senders {
					all.Go(func() {
						for next := time.Now().Add(each * time.Duration(s) / senders); next.Before(end); next = next.Add(each) {
							time.Sleep(time.Until(next))
							i := n.Add(1)
							body, begun := benchBody(i), time.Now()
							mu.Lock()
							sent[types.ID(fmt.Sprintf("%012d", int64(1e11)+i))] = begun
							mu.Unlock()
							res, err := client.Post(server.URL, "application/json", strings.NewReader(body))
							if err != nil || res.StatusCode != http.StatusOK {
								b.Errorf("%v %v", res, err)
								return
							}
							_, _ = io.Copy(io.Discard, res.Body)
							_ = res.Body.Close()
							took := time.Since(begun)
							mu.Lock()
							answered = append(answered, took)
							mu.Unlock()
						}
					})
				}
				all.Wait()
			}
			require.Eventually(b, func() bool { mu.Lock(); defer mu.Unlock(); return len(called) == len(answered) }, time.Minute, time.Millisecond)
			cancel()
			<-ended
			b.ReportMetric(0, "ns/op")
			b.ReportMetric(float64(walAt(b, h)-from)/float64(n.Load()), "WAL-B/body")
			for name, took := range map[string][]time.Duration{"200": answered, "callback": called} {
				slices.Sort(took)
				b.ReportMetric(ms(took[len(took)/2]), name+"-p50-ms")
				b.ReportMetric(ms(took[len(took)*99/100]), name+"-p99-ms")
			}
		})
	}
}

// benchSaver is a processor with a callback for summaries.
func benchSaver(b *testing.B, q notify.Queue, save func(types.Summary) error, opts *notify.ProcessorOptions) *notify.Processor {
	if opts == nil {
		opts = &notify.ProcessorOptions{Workers: 64}
	}
	p, err := notify.NewProcessor(q,
		func(_ context.Context, id types.UserID) ([]notify.User, error) {
			return []notify.User{{ID: string(id)}}, nil
		},
		notify.Callbacks{
			Save:             func(_ context.Context, _ *notify.Delivery, s types.Summary) error { return save(s) },
			Deregistration:   func(context.Context, *notify.Delivery, *notify.Deregistration) error { return nil },
			PermissionChange: func(context.Context, *notify.Delivery, *notify.PermissionChange) error { return nil },
		}, opts)
	require.NoError(b, err)
	return p
}

// BenchmarkLarge stores a body of 100 MB, of 105,000 small items, and reads them
// back as a worker does. It tells the most memory that the process and its server
// processes took beside what they had, what writing a file takes, and what a COPY of
// the bytes alone takes: less is not to be had from the server.
func BenchmarkLarge(b *testing.B) {
	const items = 105_000
	h := steady(b, pgtest.Schema(b), func(cfg *pgxpool.Config) { cfg.MaxConns = 4 })
	defer func() { require.NoError(b, h.Close()) }()
	all := takenAll(b, h)
	_, err := h.pool.Exec(b.Context(), named(h.db.schema, `CREATE TABLE {s}.bare (LIKE {s}.chunk INCLUDING ALL)`))
	require.NoError(b, err)
	var put, file, bare, read time.Duration
	var client, backend int64
	for b.Loop() {
		body := func() io.Reader { return &benchList{left: items, id: time.Now().UnixNano()} }
		begun := time.Now()
		f, err := os.Create(filepath.Join(b.TempDir(), "bare"))
		require.NoError(b, err)
		size, err := io.Copy(f, body())
		require.NoError(b, errors.Join(err, f.Sync(), f.Close()))
		file += time.Since(begun)
		require.Greater(b, size, int64(100e6))

		r, buf, n := body(), make([]byte, chunkSize), int32(0)
		begun = time.Now()
		_, err = h.pool.CopyFrom(b.Context(), pgx.Identifier{h.db.schema, "bare"}, []string{"body", "n", "data"}, pgx.CopyFromFunc(func() ([]any, error) {
			k, err := io.ReadFull(r, buf)
			if k == 0 {
				return nil, nil // it is the end
			}
			if err != nil && !errors.Is(err, io.ErrUnexpectedEOF) {
				return nil, err
			}
			n++
			return []any{int64(0), n, buf[:k]}, nil
		}))
		require.NoError(b, err)
		bare += time.Since(begun)
		_, err = h.pool.Exec(b.Context(), named(h.db.schema, `TRUNCATE {s}.bare`))
		require.NoError(b, err)

		stop := watchMemory(h)
		begun = time.Now()
		require.NoError(b, h.Put(b.Context(), body()))
		put += time.Since(begun)
		c, s := stop()
		client, backend = max(client, c), max(backend, s)

		begun = time.Now()
		got := 0
		for _, s := range all {
			var after notify.ItemID
			for {
				items, err := s.Scan(b.Context(), notify.ClassPush, after, 128)
				require.NoError(b, err)
				if len(items) == 0 {
					break
				}
				verdicts := make([]notify.Verdict, len(items))
				for i, it := range items {
					require.NotEmpty(b, it.Raw)
					verdicts[i] = notify.Verdict{ID: it.ID, Fate: notify.Done}
				}
				after = items[len(items)-1].ID
				got += len(items)
				require.NoError(b, s.Settle(b.Context(), verdicts))
			}
			for c := range s.end { // the next body is behind
				s.fresh[c].Store(true)
			}
		}
		read += time.Since(begun)
		require.Equal(b, items, got)
		require.NoError(b, h.sweep(b.Context()))
	}
	b.ReportMetric(put.Seconds()/float64(b.N), "put-s")
	b.ReportMetric(file.Seconds()/float64(b.N), "file-s")
	b.ReportMetric(bare.Seconds()/float64(b.N), "copy-s")
	b.ReportMetric(put.Seconds()/file.Seconds(), "ratio")
	b.ReportMetric(put.Seconds()/bare.Seconds(), "ratio-to-copy")
	b.ReportMetric(read.Seconds()/float64(b.N), "read-s")
	b.ReportMetric(float64(client)/(1<<20), "process-MiB")
	b.ReportMetric(float64(backend)/(1<<20), "backend-MiB")
}

// TestLargeBodyMemory bounds what a body of 100 MB takes. Nothing runs beside it.
func TestLargeBodyMemory(t *testing.T) {
	items := 105_000
	if testing.Short() {
		items = 30_000
	}
	defer debug.SetGCPercent(debug.SetGCPercent(20)) // garbage is not what is held
	for name, open := range map[string]func(testing.TB, string, ...func(*pgxpool.Config)) *handle{"plain": steady, "sealed": steadySealed} {
		h := open(t, pgtest.Schema(t), func(cfg *pgxpool.Config) { cfg.MaxConns = 4 })
		require.NoError(t, h.Put(t.Context(), &benchList{left: 5000})) // what every connection needs once
		stop := watchMemory(h)
		require.NoError(t, h.Put(t.Context(), &benchList{left: items, id: 1e6}))
		process, backend := stop()
		t.Logf("%s, %d items: the process took %d MiB, a server process %d MiB", name, items, process>>20, backend>>20)
		require.Less(t, process, int64(32<<20), name)
		require.Less(t, backend, int64(16<<20), name)
		require.NoError(t, h.Close())
	}
}

func takenAll(b *testing.B, h *handle) (all []*share) {
	for s, err := range h.Shares(b.Context()) {
		require.NoError(b, err)
		if all = append(all, s.(*share)); len(all) == shares {
			break
		}
	}
	return all
}

// benchList is a body of many items of 1 KB, made while it is read.
type benchList struct {
	left  int
	id    int64
	begun bool
	buf   bytes.Buffer
}

func (l *benchList) Read(p []byte) (int, error) {
	const open, closing = `{"activities":[`, `]}`
	for l.buf.Len() < len(p) && l.left > 0 {
		between := ","
		if !l.begun {
			l.begun, between = true, open
		}
		body := benchBody(l.id%1e10 + int64(l.left))
		l.buf.WriteString(between + body[len(open):len(body)-len(closing)])
		if l.left--; l.left == 0 {
			l.buf.WriteString(closing)
		}
	}
	return l.buf.Read(p)
}

// watchMemory looks at the heap of this process, and at what the server's
// processes have beside shared memory, until it is stopped. It returns the most
// of each beside what there was.
func watchMemory(h *handle) (stop func() (process, backend int64)) {
	runtime.GC()
	heap := func() int64 {
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return int64(m.HeapAlloc)
	}
	backends := func() map[string]int64 {
		all := map[string]int64{}
		rows, err := h.pool.Query(context.Background(), `SELECT pid::text FROM pg_stat_activity WHERE application_name = $1`, h.db.schema)
		if err != nil {
			return all
		}
		defer rows.Close()
		for rows.Next() {
			var pid string
			if rows.Scan(&pid) == nil {
				all[pid] = anon(pid)
			}
		}
		return all
	}
	from, had := heap(), backends()
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	var process, backend int64
	go func() {
		defer close(ended)
		for tick := time.NewTicker(5 * time.Millisecond); ctx.Err() == nil; <-tick.C {
			process = max(process, heap()-from)
			for pid, n := range had {
				backend = max(backend, anon(pid)-n)
			}
		}
	}()
	return func() (int64, int64) {
		cancel()
		<-ended
		return process, backend
	}
}

// anon is how much memory of its own a process has.
func anon(pid string) int64 {
	text, _ := os.ReadFile("/proc/" + pid + "/status")
	_, rest, _ := strings.Cut(string(text), "RssAnon:")
	f := strings.Fields(rest)
	if len(f) == 0 {
		return 0
	}
	n, _ := strconv.ParseInt(f[0], 10, 64)
	return n << 10
}

// BenchmarkWaiting lets b.N items wait for their next attempt, in each of two
// processes half, and tells what one waiting item costs its process.
func BenchmarkWaiting(b *testing.B) {
	schema := pgtest.Schema(b)
	var all []*handle
	for range 2 {
		h := openFor(b, schema, DefaultLease)
		defer func() { require.NoError(b, h.Close()) }()
		all = append(all, h)
	}
	for n := 0; n < b.N; n += 1000 {
		var list []string
		for i := n; i < min(n+1000, b.N); i++ {
			list = append(list, fmt.Sprintf(`{"userId":"user%d","summaryId":"%d","startTimeInSeconds":1709312416,"durationInSeconds":60,"activityName":%q}`, i%(b.N/10+1), i, strings.Repeat("x", 300)))
		}
		require.NoError(b, all[0].Put(b.Context(), strings.NewReader(`{"activities":[`+strings.Join(list, ",")+`]}`)))
	}
	heap := func() float64 {
		runtime.GC()
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return float64(m.HeapAlloc)
	}
	b.ResetTimer()
	before := heap()
	ctx, cancel := context.WithCancel(b.Context())
	var run sync.WaitGroup
	var workers []*notify.Processor
	for _, h := range all {
		p := benchSaver(b, h, func(types.Summary) error { return errors.New("the partner's database is away") },
			&notify.ProcessorOptions{Workers: 64, RetryMin: 12 * time.Hour, RetryMax: 12 * time.Hour})
		workers = append(workers, p)
		run.Go(func() { _ = p.Run(ctx) })
	}
	require.Eventually(b, func() bool {
		n := 0
		for _, p := range workers {
			n += p.Stats().Classes[notify.ClassPush].Waiting
		}
		return n == b.N
	}, 20*time.Minute, 50*time.Millisecond)
	each := (heap() - before) / float64(b.N)
	cancel()
	run.Wait()
	b.ReportMetric(each, "heap-B/item")
	b.ReportMetric(each*1e6/2/(1<<20), "MiB-of-a-million-in-each-of-two")
}

// BenchmarkTakeover is how long users wait: after the death of a process, when
// one is stopped in good order, and until one that was cut off works again.
func BenchmarkTakeover(b *testing.B) {
	for _, lease := range []time.Duration{5 * time.Second, DefaultLease} {
		for name, f := range map[string]func(b *testing.B, a, z *crew) time.Time{
			"kill": func(_ *testing.B, a, _ *crew) time.Time {
				begun := time.Now()
				a.h.kill()
				return begun
			},
			"roll": func(b *testing.B, a, _ *crew) time.Time {
				begun := time.Now()
				require.NoError(b, a.h.Close())
				return begun
			},
			"cut": func(b *testing.B, a, z *crew) time.Time {
				a.h.net.cut(true)
				require.Eventually(b, func() bool { has, _ := z.count(); return has == shares }, time.Minute, time.Millisecond)
				a.h.net.cut(false)
				return time.Now()
			},
		} {
			if name == "roll" && lease != DefaultLease {
				continue
			}
			b.Run(fmt.Sprintf("%s/lease=%v", name, lease), func(b *testing.B) {
				var worst time.Duration
				for b.Loop() {
					ctx, cancel := context.WithCancel(b.Context())
					schema := pgtest.Schema(b)
					a, z := works(ctx, openFor(b, schema, lease), nil), works(ctx, openFor(b, schema, lease), nil)
					evenly := func() bool {
						m, _ := a.count()
						n, _ := z.count()
						return m == shares/2 && n == shares/2
					}
					require.Eventually(b, evenly, time.Minute, time.Millisecond)
					begun := f(b, a, z)
					require.Eventually(b, func() bool {
						has, _ := z.count()
						return has == shares || name == "cut" && evenly()
					}, time.Minute, time.Millisecond)
					if name == "cut" {
						require.Eventually(b, evenly, time.Minute, time.Millisecond)
					}
					worst = max(worst, time.Since(begun))
					cancel()
					<-a.ends
					<-z.ends
					require.NoError(b, z.h.Close())
					if name == "cut" {
						require.NoError(b, a.h.Close())
					}
				}
				b.ReportMetric(worst.Seconds(), "worst-s")
			})
		}
	}
}

// BenchmarkErase erases a user while b.N items of others wait, and tells how long
// that takes, and how long a Put meanwhile waits at most for a table to be written
// anew.
func BenchmarkErase(b *testing.B) {
	ctx, h := b.Context(), steady(b, pgtest.Schema(b))
	defer func() { require.NoError(b, h.Close()) }()
	for n := 0; n < b.N; n += 1000 {
		var list []string
		for i := n; i < min(n+1000, b.N); i++ {
			list = append(list, fmt.Sprintf(`{"userId":"user%d","summaryId":"%d","startTimeInSeconds":1709312416,"activityName":%q}`, i%(b.N/10+1), i, strings.Repeat("x", 900)))
		}
		for len(list) > 0 { // small bodies, whose items have their bytes beside them
			k := min(50, len(list))
			require.NoError(b, h.Put(ctx, strings.NewReader(`{"activities":[`+strings.Join(list[:k], ",")+`]}`)))
			list = list[k:]
		}
	}
	var size int64
	require.NoError(b, h.pool.QueryRow(ctx, h.db.sql(`SELECT pg_total_relation_size('{s}.item')`)).Scan(&size))
	done := make(chan struct{})
	worst := make(chan time.Duration, 1)
	b.ResetTimer()
	go func() {
		var most time.Duration
		for n := 0; ; n++ {
			select {
			case <-done:
				worst <- most
				return
			default:
			}
			begun := time.Now()
			if err := h.Put(ctx, strings.NewReader(fmt.Sprintf(`{"activities":[{"userId":"u","summaryId":"meanwhile %d"}]}`, n))); err != nil {
				b.Error(err)
			}
			most = max(most, time.Since(begun))
		}
	}()
	begun := time.Now()
	out, err := h.Erase(ctx, "user1")
	took := time.Since(begun)
	close(done)
	require.NoError(b, err)
	require.Empty(b, out.Left)
	b.ReportMetric(float64(size>>20), "MB-of-items")
	b.ReportMetric(took.Seconds(), "s-erase")
	b.ReportMetric((<-worst).Seconds(), "s-longest-put")
}
