package service_test

import (
	"context"
	"flag"
	"iter"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/garminkit/activityapi/activity/service"
	"github.com/garminkit/activityapi/internal/memqueue"
	"github.com/garminkit/activityapi/notify"
	"github.com/garminkit/activityapi/notify/spool"
	"github.com/garminkit/activityapi/types"
)

var restarts = flag.Int("restarts", 20, "how often TestRestarts and TestRollingRestarts restart")

// books is what the partner and the queue saw over all processes.
type books struct {
	mu     sync.Mutex
	saved  map[types.ID]int
	marked map[notify.ItemID]bool // the queue has confirmed that it is done
	again  []notify.ItemID        // run though it was marked
}

func newBooks() *books {
	return &books{saved: map[types.ID]int{}, marked: map[notify.ItemID]bool{}}
}

func (b *books) save(_ context.Context, d *notify.Delivery, s types.Summary) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.marked[notify.ItemID(d.Order)] {
		b.again = append(b.again, notify.ItemID(d.Order))
	}
	b.saved[s.ID()]++
	return nil
}

// watched is a queue whose marks are noted in the books.
type watched struct {
	notify.Queue
	close func() error
	books *books
}

func (q *watched) Close() error { return q.close() }

func (q *watched) Shares(ctx context.Context) iter.Seq2[notify.Share, error] {
	return func(yield func(notify.Share, error) bool) {
		for s, err := range q.Queue.Shares(ctx) {
			if s != nil {
				s = &watchedShare{s, q.books}
			}
			if !yield(s, err) {
				return
			}
		}
	}
}

type watchedShare struct {
	notify.Share
	books *books
}

func (s *watchedShare) Settle(ctx context.Context, verdicts []notify.Verdict) error {
	err := s.Share.Settle(ctx, verdicts)
	if err == nil {
		s.books.mu.Lock()
		defer s.books.mu.Unlock()
		for _, v := range verdicts {
			if v.Fate == notify.Done {
				s.books.marked[v.ID] = true
			}
		}
	}
	return err
}

// check holds the books against what was acknowledged.
func (b *books) check(t *testing.T, acknowledged int) {
	t.Helper()
	b.mu.Lock()
	defer b.mu.Unlock()
	require.Empty(t, b.again, "items ran again that were marked")
	require.Len(t, b.saved, acknowledged, "acknowledged and delivered")
	twice := 0
	for _, n := range b.saved {
		if n > 1 {
			twice++
		}
	}
	t.Logf("%d notifications, none lost, none marked run again, %d delivered twice", acknowledged, twice)
	require.Zero(t, twice, "a stop in good order repeats nothing")
}

func (b *books) waitFor(n int) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.saved) >= n
}

// TestRestarts stops a service on one machine and starts the next, again and
// again, while notifications come in over the network.
func TestRestarts(t *testing.T) {
	t.Parallel()
	dir, books := t.TempDir(), newBooks()
	var address atomic.Pointer[string]
	var sent atomic.Int64
	senders, stop := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			transport := &http.Transport{}
			defer transport.CloseIdleConnections()
			client := &http.Client{Transport: transport, Timeout: 20 * time.Second}
			for senders.Err() == nil {
				// Garmin repeats a notification until it has its 200.
				for n := sent.Add(1); ; {
					if a := address.Load(); a != nil {
						resp, err := client.Post(*a, "application/json", strings.NewReader(body(int(n))))
						if err == nil {
							resp.Body.Close()
							if resp.StatusCode == http.StatusOK {
								break
							}
						}
					}
					time.Sleep(time.Millisecond)
				}
			}
		})
	}
	process := func(do func()) {
		inbox, err := spool.Open(dir, nil)
		require.NoError(t, err)
		svc, err := service.New(&watched{inbox, inbox.Close, books}, everybody, books.callbacks(), &service.Options{ReadyDelay: -1})
		require.NoError(t, err)
		l, err := net.Listen("tcp", "127.0.0.1:0")
		require.NoError(t, err)
		mux := http.NewServeMux()
		mux.Handle("/garmin", svc.Intake())
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		done := make(chan error, 1)
		go func() { done <- svc.Serve(ctx, l, mux) }()
		a := "http://" + l.Addr().String() + "/garmin"
		address.Store(&a)
		do()
		cancel()
		require.NoError(t, <-done)
	}
	for i := range *restarts {
		process(func() { time.Sleep(time.Duration(5+i%20) * time.Millisecond) })
	}
	process(func() {
		stop()
		wg.Wait()
		require.Eventually(t, func() bool { return books.waitFor(int(sent.Load())) }, 2*time.Minute, 10*time.Millisecond)
	})
	books.check(t, int(sent.Load()))
}

func (b *books) callbacks() notify.Callbacks {
	c := callbacks()
	c.Save = b.save
	return c
}

// TestRollingRestarts replaces the processes that share a queue, one after the
// other, under load. Who asks whether a process is ready, and sends to it within
// the time that a load balancer takes to notice, is never refused.
func TestRollingRestarts(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		shared, books := memqueue.NewShared(nil), newBooks()
		type process struct {
			svc    *service.Service
			cancel context.CancelFunc
			done   chan error
		}
		start := func() *process {
			q := shared.Open()
			calls := books.callbacks()
			calls.Save = func(ctx context.Context, d *notify.Delivery, s types.Summary) error {
				time.Sleep(time.Duration(d.Order%7) * 100 * time.Millisecond) // attempts are running at each stop
				return books.save(ctx, d, s)
			}
			svc, err := service.New(&watched{q, q.Close, books}, everybody, calls, nil)
			require.NoError(t, err)
			ctx, cancel := context.WithCancel(t.Context())
			p := &process{svc, cancel, make(chan error, 1)}
			go func() { p.done <- svc.Run(ctx) }()
			synctest.Wait()
			require.Equal(t, http.StatusOK, ask(t, svc.Ready()).Code)
			return p
		}
		var mu sync.Mutex
		running := []*process{start(), start(), start()}
		refused, sent := 0, 0
		senders, stop := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		for i := range 4 {
			wg.Go(func() {
				for k := i; senders.Err() == nil; k++ {
					mu.Lock()
					sent++
					n, p := sent, running[k%len(running)]
					mu.Unlock()
					for ask(t, p.svc.Ready()).Code != http.StatusOK {
						mu.Lock()
						k++
						p = running[k%len(running)]
						mu.Unlock()
					}
					time.Sleep(2900 * time.Millisecond) // the balancer looks every three seconds
					w := &code{}
					p.svc.Intake().ServeHTTP(w, request(strings.NewReader(body(n))))
					if w.status != http.StatusOK {
						mu.Lock()
						refused++
						mu.Unlock()
					}
				}
			})
		}
		for i := range *restarts {
			next := start()
			mu.Lock()
			old := running[i%3]
			running[i%3] = next
			mu.Unlock()
			old.cancel()
			time.Sleep(time.Duration(i%5) * time.Second) // sometimes two stop at a time
			if i%2 == 0 {
				require.NoError(t, <-old.done)
			} else {
				defer func() { require.NoError(t, <-old.done) }()
			}
		}
		stop()
		wg.Wait()
		require.Zero(t, refused, "who was ready was sent to")
		time.Sleep(2 * time.Minute)
		for _, p := range running {
			p.cancel()
			require.NoError(t, <-p.done)
		}
		books.check(t, sent)
	})
}
