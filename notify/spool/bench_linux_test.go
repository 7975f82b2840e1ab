package spool_test

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/garminkit/activityapi/notify"
	"github.com/garminkit/activityapi/notify/spool"
)

// discard reads the body and answers 200.
func discard(w http.ResponseWriter, r *http.Request) { io.Copy(io.Discard, r.Body) }

// bare is what a careful program does by hand: it reads the body, appends it to
// a file and syncs, one at a time. A large body goes to a file of its own.
type bare struct {
	mu  sync.Mutex
	f   *os.File
	dir string
	n   atomic.Int64
}

func newBare(b *testing.B) *bare {
	dir := b.TempDir()
	f, err := os.Create(filepath.Join(dir, "log"))
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { f.Close() })
	return &bare{f: f, dir: dir}
}

func (a *bare) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	err := func() error {
		if r.ContentLength > 64<<10 {
			f, err := os.Create(filepath.Join(a.dir, fmt.Sprint(a.n.Add(1))))
			if err != nil {
				return err
			}
			defer f.Close()
			if _, err := io.CopyBuffer(struct{ io.Writer }{f}, r.Body, make([]byte, 128<<10)); err != nil {
				return err
			}
			return syscall.Fdatasync(int(f.Fd()))
		}
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return err
		}
		a.mu.Lock()
		defer a.mu.Unlock()
		if _, err := a.f.Write(body); err != nil {
			return err
		}
		return syscall.Fdatasync(int(a.f.Fd()))
	}()
	if err != nil {
		w.WriteHeader(http.StatusServiceUnavailable)
	}
}

// wire is a connection that costs next to nothing beside the server: it sends
// bytes made before and looks at the status line.
type wire struct {
	c net.Conn
	r *bufio.Reader
}

func dial(b *testing.B, addr string) *wire {
	c, err := net.Dial("tcp", addr)
	if err != nil {
		b.Fatal(err)
	}
	return &wire{c, bufio.NewReaderSize(c, 1<<10)}
}

func (w *wire) post(request []byte) error {
	if _, err := w.c.Write(request); err != nil {
		return err
	}
	for first := true; ; first = false {
		line, err := w.r.ReadSlice('\n')
		if err != nil {
			return err
		}
		if first && !bytes.HasPrefix(line, []byte("HTTP/1.1 200 ")) {
			return fmt.Errorf("answer %q", line)
		}
		if len(line) == 2 {
			return nil
		}
	}
}

// target is a server under load.
type target struct {
	wires     []*wire
	took, cpu time.Duration
	n         int
}

func newTarget(b *testing.B, h http.Handler, connections int) *target {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	srv := &http.Server{Handler: h}
	go srv.Serve(l)
	t := &target{}
	for range connections {
		t.wires = append(t.wires, dial(b, l.Addr().String()))
	}
	b.Cleanup(func() {
		for _, w := range t.wires {
			w.c.Close()
		}
		srv.Close()
	})
	return t
}

// run posts n times over all connections.
func (t *target) run(b *testing.B, n int, request []byte) {
	var left atomic.Int64
	left.Store(int64(n))
	var wg sync.WaitGroup
	start, cpu := time.Now(), cpuTime()
	for _, w := range t.wires {
		wg.Go(func() {
			for left.Add(-1) >= 0 {
				if err := w.post(request); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
	t.took += time.Since(start)
	t.cpu += cpuTime() - cpu
	t.n += n
}

// cpuTime is what this process has used of the processors.
func cpuTime() time.Duration {
	var r syscall.Rusage
	syscall.Getrusage(syscall.RUSAGE_SELF, &r)
	return time.Duration(r.Utime.Nano() + r.Stime.Nano())
}

func (t *target) each() float64 { return float64(t.took) / float64(t.n) }

func request(size int) []byte {
	body := strings.Repeat("x", size)
	return fmt.Appendf(nil, "POST /garmin HTTP/1.1\r\nHost: h\r\nContent-Type: application/json;charset=UTF-8\r\n"+
		"User-Agent: Garmin Health API\r\nAccept-Encoding: gzip, x-gzip, deflate\r\nContent-Length: %d\r\n\r\n%s", size, body)
}

func openSpool(b *testing.B) notify.Queue {
	s, err := spool.Open(b.TempDir(), &spool.Options{RepeatTime: -1})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { s.Close() })
	return s
}

// BenchmarkHandler compares the handler over a spool with one that reads and
// discards and with a bare durable one, in turns, so that a busy machine slows
// all three. durable/discard and durable/bare are rates: more is better.
// discard/durable-cpu compares the processor time, which a busy machine hardly
// changes, of client and server together.
func BenchmarkHandler(b *testing.B) {
	for _, c := range []struct {
		name              string
		size, connections int
	}{
		{"1KB/1", 1 << 10, 1}, {"1KB/64", 1 << 10, 64}, {"10KB/64", 10 << 10, 64},
		{"10MB/1", 10 << 20, 1}, {"10MB/8", 10 << 20, 8}, {"100MB/1", 100 << 20, 1}, {"100MB/8", 100 << 20, 8},
	} {
		b.Run(c.name, func(b *testing.B) {
			s := openSpool(b)
			durable := newTarget(b, notify.NewHandler(s.Put, nil), c.connections)
			nothing := newTarget(b, http.HandlerFunc(discard), c.connections)
			byHand := newTarget(b, newBare(b), c.connections)
			req := request(c.size)
			b.SetBytes(int64(c.size))
			b.ResetTimer()
			chunk := max(c.connections, min(b.N/8, 50*c.connections))
			for done := 0; done < b.N; done += chunk {
				durable.run(b, chunk, req)
				nothing.run(b, chunk, req)
				byHand.run(b, chunk, req)
			}
			b.ReportMetric(1e9/durable.each(), "durable/s")
			b.ReportMetric(nothing.each()/durable.each(), "durable/discard")
			b.ReportMetric(float64(nothing.cpu)/float64(durable.cpu), "discard/durable-cpu")
			b.ReportMetric(byHand.each()/durable.each(), "durable/bare")
		})
	}
}

// BenchmarkLatency posts bodies of 10 KB at 4,000 a second, whether or not the
// answers keep up, and reports how long they took.
func BenchmarkLatency(b *testing.B) {
	s := openSpool(b)
	t := newTarget(b, notify.NewHandler(s.Put, nil), 256)
	req := request(10 << 10)
	const rate = 4000
	due := make(chan time.Time, 1<<20)
	took := make([][]time.Duration, len(t.wires))
	var wg sync.WaitGroup
	for i, w := range t.wires {
		wg.Go(func() {
			for at := range due {
				if err := w.post(req); err != nil {
					b.Error(err)
					return
				}
				took[i] = append(took[i], time.Since(at))
			}
		})
	}
	b.ResetTimer()
	start := time.Now()
	for i := range b.N {
		at := start.Add(time.Duration(i) * time.Second / rate)
		if d := time.Until(at); d > time.Millisecond {
			time.Sleep(d)
		}
		due <- at
	}
	close(due)
	wg.Wait()
	all := slices.Concat(took...)
	slices.Sort(all)
	ms := func(d time.Duration) float64 { return float64(d) / 1e6 }
	b.ReportMetric(float64(len(all))/time.Since(start).Seconds(), "posts/s")
	b.ReportMetric(ms(all[len(all)/2]), "p50-ms")
	b.ReportMetric(ms(all[len(all)*99/100]), "p99-ms")
	b.ReportMetric(ms(all[len(all)-1]), "max-ms")
}

// BenchmarkPut is the spool without HTTP: 1 KB bodies from 1 and 64 producers.
func BenchmarkPut(b *testing.B) {
	body := bytes.Repeat([]byte("x"), 1<<10)
	for _, producers := range []int{1, 64} {
		b.Run(fmt.Sprint(producers), func(b *testing.B) {
			s := openSpool(b)
			b.ReportAllocs()
			var left atomic.Int64
			left.Store(int64(b.N))
			var wg sync.WaitGroup
			for range producers {
				wg.Go(func() {
					for left.Add(-1) >= 0 {
						if err := s.Put(b.Context(), bytes.NewReader(body)); err != nil {
							b.Error(err)
						}
					}
				})
			}
			wg.Wait()
			st, err := s.Stats(b.Context())
			if err != nil {
				b.Fatal(err)
			}
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "puts/s")
			b.ReportMetric(float64(st.Puts)/float64(st.Syncs), "puts/sync")
		})
	}
}

// BenchmarkRepeats is what it costs a Put to know repeats, in processor time of
// user code and kernel: a spool that knows them and one that does not take turns,
// with 64 senders, and the median of the rounds is told.
//
//	go test ./notify/spool -run '^$' -bench Repeats -benchtime 20x
func BenchmarkRepeats(b *testing.B) {
	for _, size := range []int{1 << 10, 16 << 10, 1 << 20} {
		b.Run(fmt.Sprintf("%dKiB", size>>10), func(b *testing.B) {
			sides := [2][]float64{}
			spools := [2]notify.Queue{}
			for i, d := range []time.Duration{-1, 0} {
				s, err := spool.Open(b.TempDir(), &spool.Options{RepeatTime: d})
				if err != nil {
					b.Fatal(err)
				}
				defer s.Close()
				spools[i] = s
			}
			n := max(64, (32<<20)/size/4)
			var next atomic.Int64
			put := func(s notify.Queue) float64 {
				var wg sync.WaitGroup
				cpu := cpuTime()
				for range 64 {
					wg.Go(func() {
						body := bytes.Repeat([]byte{'x'}, size)
						copy(body, `{"activities":[{"userId":"u","summaryId":"`)
						copy(body[size-4:], `"}]}`)
						for range n / 64 {
							copy(body[48:], fmt.Sprintf("%016d", next.Add(1)))
							if err := s.Put(b.Context(), bytes.NewReader(body)); err != nil {
								b.Error(err)
								return
							}
						}
					})
				}
				wg.Wait()
				return float64(cpuTime()-cpu) / float64(n)
			}
			for i := range b.N {
				for k := range 2 {
					k = (k + i) % 2
					sides[k] = append(sides[k], put(spools[k]))
				}
			}
			for _, side := range sides {
				slices.Sort(side)
			}
			off, on := sides[0], sides[1]
			b.ReportMetric(off[len(off)/2]/1000, "off-\u00b5s/op")
			b.ReportMetric(on[len(on)/2]/1000, "on-\u00b5s/op")
			b.ReportMetric(100*(on[len(on)/2]/off[len(off)/2]-1), "%more-median")
			b.ReportMetric(100*(on[0]/off[0]-1), "%more-least")
			b.ReportMetric(0, "ns/op")
		})
	}
}
