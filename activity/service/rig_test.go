package service_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"net"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/garminkit/activityapi/activity/auth"
	"github.com/garminkit/activityapi/activity/service"
	"github.com/garminkit/activityapi/backfill"
	"github.com/garminkit/activityapi/internal/memqueue"
	"github.com/garminkit/activityapi/notify"
	"github.com/garminkit/activityapi/types"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// trouble is what one part does at one moment of its life.
type trouble struct {
	part, when, how string
	over            chan struct{} // ends what hangs
}

var errBroken = errors.New("it is broken")

// at is called by the parts at each of their moments.
func (x *trouble) at(part, when string) error {
	if x.part != part || x.when != when {
		return nil
	}
	switch x.how {
	case "fails":
		return errBroken
	case "panics":
		panic("a secret")
	case "exits":
		runtime.Goexit()
	case "hangs":
		<-x.over
	}
	return nil
}

// work waits until the time of troubles at work or the end of ctx.
func (x *trouble) work(ctx context.Context, part string) error {
	select {
	case <-time.After(30 * time.Second):
		return x.at(part, "work")
	case <-ctx.Done():
		return nil
	}
}

// stubQueue is a queue in memory with troubles.
type stubQueue struct {
	*memqueue.Memory
	x     *trouble
	start time.Time
}

func (q *stubQueue) Put(ctx context.Context, r io.Reader) error {
	if err := q.x.at("store", "work"); err != nil {
		return err
	}
	return q.Memory.Put(ctx, r)
}

func (q *stubQueue) Shares(ctx context.Context) iter.Seq2[notify.Share, error] {
	return func(yield func(notify.Share, error) bool) {
		if err := q.x.at("processor", "start"); err != nil {
			yield(nil, err)
			return
		}
		inner, end := context.WithCancel(ctx)
		defer end()
		timer := time.AfterFunc(30*time.Second, end)
		defer timer.Stop()
		for s, err := range q.Memory.Shares(inner) {
			if !yield(s, err) {
				return
			}
		}
		if ctx.Err() == nil {
			if err := q.x.at("processor", "work"); err != nil {
				yield(nil, err)
				return
			}
		}
		if q.x.part == "processor" && q.x.when == "work" {
			return
		}
		<-ctx.Done()
		if err := q.x.at("processor", "stop"); err != nil {
			yield(nil, err)
		}
	}
}

func (q *stubQueue) Stats(ctx context.Context) (notify.QueueStats, error) {
	when := "start"
	if time.Since(q.start) >= 30*time.Second {
		when = "work"
	}
	if err := q.x.at("health", when); err != nil {
		return notify.QueueStats{}, err
	}
	return q.Memory.Stats(ctx)
}

func (q *stubQueue) Close() error { return errors.Join(q.x.at("queue", "stop"), q.Memory.Close()) }

type stubTokens struct{ x *trouble }

func (s *stubTokens) KeepAlive(ctx context.Context, _ *auth.KeepAliveOptions) error {
	if err := s.x.at("tokens", "start"); err != nil {
		return err
	}
	if err := s.x.work(ctx, "tokens"); err != nil {
		return err
	}
	if s.x.part == "tokens" && s.x.when == "work" {
		return nil
	}
	<-ctx.Done()
	if err := s.x.at("tokens", "stop"); err != nil {
		return err
	}
	return ctx.Err()
}

func (s *stubTokens) Close() error { return s.x.at("tokens", "close") }

// stubListener accepts nobody.
type stubListener struct {
	x      *trouble
	once   sync.Once
	closed chan struct{}
}

func (l *stubListener) Accept() (net.Conn, error) {
	if err := l.x.at("server", "start"); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	stop := make(chan struct{})
	defer close(stop)
	go func() {
		select {
		case <-l.closed:
			cancel()
		case <-stop:
		}
	}()
	if err := l.x.work(ctx, "server"); err != nil {
		return nil, err
	}
	<-l.closed
	return nil, net.ErrClosed
}

func (l *stubListener) Close() error {
	l.once.Do(func() { close(l.closed) })
	return l.x.at("server", "stop")
}

func (l *stubListener) Addr() net.Addr { return &net.TCPAddr{} }

// closer is one of Options.Close.
type closer func() error

func (f closer) Close() error { return f() }

// rig is a service of stubs in a bubble.
type rig struct {
	t      *testing.T
	x      *trouble
	queue  *stubQueue
	svc    *service.Service
	cancel context.CancelFunc
	done   chan error
	saved  map[types.ID]int
	mu     sync.Mutex
}

func newRig(t *testing.T, x trouble, opts service.Options) *rig {
	x.over = make(chan struct{})
	r := &rig{t: t, x: &x, done: make(chan error, 1), saved: map[types.ID]int{}}
	r.queue = &stubQueue{Memory: memqueue.NewMemory(), x: r.x, start: time.Now()}
	opts.Tokens = &stubTokens{r.x}
	ledger := backfill.NewLedger()
	opts.History = &service.History{
		Runner: backfill.NewRunner(backfill.NewLimiter(backfill.Evaluation, ledger), ledger, nil),
		Users: func(ctx context.Context) iter.Seq2[*backfill.User, error] {
			return func(yield func(*backfill.User, error) bool) {
				err := r.x.at("history", "start")
				if err == nil {
					err = r.x.work(ctx, "history")
				}
				if r.x.part == "history" && r.x.when == "stop" {
					<-ctx.Done()
					err = r.x.at("history", "stop")
				}
				if err != nil {
					yield(nil, err)
				}
			}
		},
	}
	opts.Close = []io.Closer{closer(func() error { return r.x.at("close 0", "stop") })}
	opts.Handler = &notify.HandlerOptions{
		Origin:  []notify.OriginCheck{func(*http.Request) error { return r.x.at("origin", "work") }},
		Observe: func(context.Context, notify.Receipt) { _ = r.x.at("observer", "work") },
	}
	calls := notify.Callbacks{
		Save: func(_ context.Context, _ *notify.Delivery, s types.Summary) error {
			if err := r.x.at("callback", "work"); err != nil {
				return err
			}
			r.mu.Lock()
			defer r.mu.Unlock()
			r.saved[s.ID()]++
			return nil
		},
		Deregistration:   func(context.Context, *notify.Delivery, *notify.Deregistration) error { return nil },
		PermissionChange: func(context.Context, *notify.Delivery, *notify.PermissionChange) error { return nil },
	}
	svc, err := service.New(r.queue, everybody, calls, &opts)
	require.NoError(t, err)
	r.svc = svc
	return r
}

// everybody is a user.
func everybody(_ context.Context, id types.UserID) ([]notify.User, error) {
	return []notify.User{{ID: string(id)}}, nil
}

// serve runs the service on a listener that accepts nobody.
func (r *rig) serve() {
	ctx, cancel := context.WithCancel(r.t.Context())
	r.cancel = cancel
	l := &stubListener{x: r.x, closed: make(chan struct{})}
	go func() {
		defer close(r.done)
		r.done <- r.svc.Serve(ctx, l, http.NotFoundHandler())
	}()
	// Somebody asks all the time, as Kubernetes does.
	go func() {
		for ctx.Err() == nil {
			ask(r.t, r.svc.Ready())
			select {
			case <-ctx.Done():
			case <-time.After(5 * time.Second):
			}
		}
	}()
	synctest.Wait()
}

// end lets what hangs go.
func (r *rig) end() {
	r.cancel()
	close(r.x.over)
	for range r.done {
	}
	synctest.Wait()
}

func body(n int) string {
	return fmt.Sprintf(`{"activities":[{"userId":"u%d","userAccessToken":"t","summaryId":"s%d","activityId":%d,"activityType":"RUNNING","startTimeInSeconds":1700000000,"startTimeOffsetInSeconds":0,"durationInSeconds":60}]}`, n%7, n, n+1)
}

// post sends a notification and returns what is answered within half a minute.
func (r *rig) post(n int) int {
	w := httptest.NewRecorder()
	w.Code = 0
	go r.svc.Intake().ServeHTTP(w, httptest.NewRequest(http.MethodPost, "/garmin", strings.NewReader(body(n))))
	time.Sleep(28 * time.Second)
	synctest.Wait()
	return w.Code
}

type answer struct {
	Code     int
	Reasons  []string
	Warnings []string
	Hung     int
}

func ask(t *testing.T, h http.Handler) (a answer) {
	t.Helper()
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/", nil))
	require.NoError(t, json.Unmarshal(w.Body.Bytes(), &a))
	a.Code = w.Code
	return a
}
