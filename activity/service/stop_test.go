package service_test

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/garminkit/activityapi/activity/auth"
	"github.com/garminkit/activityapi/activity/service"
	"github.com/garminkit/activityapi/internal/memqueue"
	"github.com/garminkit/activityapi/notify"
	"github.com/garminkit/activityapi/notify/spool"
	"github.com/garminkit/activityapi/types"
)

// TestReadyTurnsFirst: the service says that it is not ready, and takes what
// comes all the same until those who send can know of it.
func TestReadyTurnsFirst(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct{ option, delay time.Duration }{
		"default": {0, 3 * time.Second},
		"longer":  {8 * time.Second, 8 * time.Second},
		"none":    {-1, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t, trouble{}, service.Options{ReadyDelay: tt.option})
				require.Equal(t, []string{"the service was not started"}, ask(t, r.svc.Ready()).Reasons)
				require.Equal(t, http.StatusOK, ask(t, r.svc.Live()).Code)
				r.serve()
				defer r.end()
				require.Equal(t, http.StatusOK, ask(t, r.svc.Ready()).Code)
				r.cancel()
				synctest.Wait()
				require.Equal(t, []string{"the service is stopping"}, ask(t, r.svc.Ready()).Reasons)
				require.Equal(t, http.StatusOK, ask(t, r.svc.Live()).Code, "nobody kills what stops in good order")
				if tt.delay > 0 {
					time.Sleep(tt.delay - time.Millisecond)
					synctest.Wait()
					require.True(t, r.takes(), "before the delay is over")
					time.Sleep(time.Millisecond)
					synctest.Wait()
				}
				require.False(t, r.takes(), "after it")
				require.NoError(t, <-r.done)
			})
		})
	}
}

// takes reports whether the intake takes a notification at once.
func (r *rig) takes() bool {
	w := &code{}
	r.svc.Intake().ServeHTTP(w, request(strings.NewReader(body(0))))
	return w.status == http.StatusOK
}

type code struct{ status int }

func (c *code) Header() http.Header              { return http.Header{} }
func (c *code) Write(b []byte) (int, error)      { return len(b), nil }
func (c *code) WriteHeader(status int)           { c.status = status }
func (c *code) SetReadDeadline(time.Time) error  { return nil }
func (c *code) SetWriteDeadline(time.Time) error { return nil }

func request(body io.Reader) *http.Request {
	r, _ := http.NewRequest(http.MethodPost, "/garmin", body)
	return r
}

// TestBegunIsAnswered: a body that is on its way when the service stops is
// stored and gets its 200.
func TestBegunIsAnswered(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, trouble{}, service.Options{ReadyDelay: -1})
		r.serve()
		defer r.end()
		send, slow := io.Pipe()
		w := &code{}
		go r.svc.Intake().ServeHTTP(w, request(send))
		text := body(1)
		_, err := io.WriteString(slow, text[:10])
		require.NoError(t, err)
		r.cancel()
		time.Sleep(5 * time.Second)
		require.False(t, r.takes(), "what comes later is sent again")
		_, err = io.WriteString(slow, text[10:])
		require.NoError(t, err)
		require.NoError(t, slow.Close())
		require.NoError(t, <-r.done)
		require.Equal(t, http.StatusOK, w.status)
		require.Equal(t, 1, r.queue.Reopen().Len(), "it waits for the next process")
	})
}

// TestOrder: the tokens are closed when nothing uses them any more, then the
// queue, then the rest; also if one before does not end.
func TestOrder(t *testing.T) {
	t.Parallel()
	for _, how := range []string{"", "fails", "panics", "hangs"} {
		t.Run(how, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				var mu sync.Mutex
				var order []string
				over := make(chan struct{})
				step := func(name string) error {
					mu.Lock()
					order = append(order, name)
					mu.Unlock()
					switch how {
					case "fails":
						return errBroken
					case "panics":
						panic(name)
					case "hangs":
						<-over
					}
					return nil
				}
				q := &orderly{Memory: memqueue.NewMemory(), step: step}
				svc, err := service.New(q, everybody, callbacks(), &service.Options{
					Tokens: &orderlyTokens{step},
					Close:  []io.Closer{closer(func() error { return step("ledger") }), closer(func() error { return step("database") })},
				})
				require.NoError(t, err)
				ctx, cancel := context.WithCancel(t.Context())
				done := make(chan error, 1)
				go func() { done <- svc.Run(ctx) }()
				synctest.Wait()
				cancel()
				begun := time.Now()
				err = <-done
				require.Less(t, time.Since(begun), 27*time.Second)
				mu.Lock()
				defer mu.Unlock()
				require.Equal(t, []string{"keep alive", "tokens", "queue", "ledger", "database"}, order)
				if how != "" {
					for _, part := range []string{"tokens:", "queue:", "close 0:", "close 1:"} {
						require.ErrorContains(t, err, part)
					}
				} else {
					require.NoError(t, err)
				}
				require.ErrorIs(t, svc.Run(ctx), service.ErrRan)
				close(over)
			})
		})
	}
}

type orderly struct {
	*memqueue.Memory
	step func(string) error
}

func (q *orderly) Close() error {
	if err := q.Memory.Close(); err != nil {
		return err
	}
	return q.step("queue")
}

type orderlyTokens struct{ step func(string) error }

func (o *orderlyTokens) KeepAlive(ctx context.Context, _ *auth.KeepAliveOptions) error {
	<-ctx.Done()
	time.Sleep(time.Second)
	defer func() { _ = recover() }()
	if o.step("keep alive") != nil {
		return ctx.Err()
	}
	return ctx.Err()
}

func (o *orderlyTokens) Close() error { return o.step("tokens") }

func callbacks() notify.Callbacks {
	return notify.Callbacks{
		Save:             func(context.Context, *notify.Delivery, types.Summary) error { return nil },
		Deregistration:   func(context.Context, *notify.Delivery, *notify.Deregistration) error { return nil },
		PermissionChange: func(context.Context, *notify.Delivery, *notify.PermissionChange) error { return nil },
	}
}

// TestHung: attempts that never return make the service not alive when they are
// many, and are told of when they are few.
func TestHung(t *testing.T) {
	t.Parallel()
	for _, n := range []int{1, 3, 4} {
		synctest.Test(t, func(t *testing.T) {
			r := newRig(t, trouble{part: "callback", when: "work", how: "hangs"}, service.Options{MaxHung: 4})
			r.serve()
			defer r.end()
			for i := range n {
				r.post(i) // of a user of its own
			}
			require.Equal(t, http.StatusOK, ask(t, r.svc.Live()).Code, "their time is not over")
			time.Sleep(11 * time.Minute)
			a := ask(t, r.svc.Live())
			require.Equal(t, n, a.Hung)
			require.Equal(t, n >= 4, a.Code == http.StatusServiceUnavailable)
			require.Contains(t, a.Warnings[0], "attempts do not end")
			require.Equal(t, http.StatusOK, ask(t, r.svc.Ready()).Code, "the intake takes what comes")
		})
	}
}

// TestStuck: a queue that does not come back from a call, though its time is
// over, needs a restart.
func TestStuck(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, trouble{part: "health", when: "work", how: "hangs"}, service.Options{})
		r.serve()
		defer r.end()
		time.Sleep(2 * time.Minute)
		require.Equal(t, http.StatusOK, ask(t, r.svc.Live()).Code)
		time.Sleep(time.Minute)
		a := ask(t, r.svc.Live())
		require.Equal(t, http.StatusServiceUnavailable, a.Code)
		require.Contains(t, a.Reasons[0], "queue: a call has not come back")
	})
}

// TestMaxAge: an old item makes the service not ready if that is asked for.
func TestMaxAge(t *testing.T) {
	t.Parallel()
	for limit, want := range map[time.Duration]int{0: 200, time.Hour: 503} {
		synctest.Test(t, func(t *testing.T) {
			r := newRig(t, trouble{part: "callback", when: "work", how: "fails"}, service.Options{MaxAge: limit})
			r.serve()
			defer r.end()
			r.post(1)
			time.Sleep(30 * time.Minute)
			require.Equal(t, 200, ask(t, r.svc.Ready()).Code)
			time.Sleep(time.Hour)
			a := ask(t, r.svc.Ready())
			require.Equal(t, want, a.Code)
			if want == 503 {
				require.Contains(t, a.Reasons[0], "the oldest push item has waited for 1h30m")
			}
		})
	}
}

// TestServer is the service on a real socket: it stops though connections are
// half open and a page of the partner's hangs.
func TestServer(t *testing.T) {
	t.Parallel()
	inbox, err := spool.Open(t.TempDir(), nil)
	require.NoError(t, err)
	svc, err := service.New(inbox, everybody, callbacks(), &service.Options{
		ReadyDelay: -1, StopTimeout: 3 * time.Second, Processor: &notify.ProcessorOptions{DrainTimeout: time.Second},
	})
	require.NoError(t, err)
	hangs, over := make(chan struct{}), make(chan struct{})
	defer close(over)
	mux := http.NewServeMux()
	mux.Handle("/garmin", svc.Intake())
	mux.HandleFunc("/hangs", func(http.ResponseWriter, *http.Request) { close(hangs); <-over })
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- svc.Serve(ctx, l, mux) }()

	transport := &http.Transport{}
	defer transport.CloseIdleConnections()
	client := &http.Client{Transport: transport}
	base := "http://" + l.Addr().String()
	resp, err := client.Post(base+"/garmin", "application/json", strings.NewReader(body(1)))
	require.NoError(t, err)
	require.NoError(t, resp.Body.Close())
	require.Equal(t, http.StatusOK, resp.StatusCode)

	half, err := net.Dial("tcp", l.Addr().String())
	require.NoError(t, err)
	defer half.Close()
	_, err = io.WriteString(half, "POST /garmin HTTP/1.1\r\n")
	require.NoError(t, err)
	hung := make(chan error, 1)
	go func() {
		resp, err := client.Get(base + "/hangs")
		if err == nil {
			err = errors.New("the page answered")
			resp.Body.Close()
		}
		hung <- err
	}()
	<-hangs
	cancel()
	require.NoError(t, <-done)
	require.NotContains(t, (<-hung).Error(), "the page answered")
	_, err = net.Dial("tcp", l.Addr().String())
	require.Error(t, err)
	require.ErrorIs(t, inbox.Put(t.Context(), strings.NewReader("{}")), os.ErrClosed)
}

// hangingListener does not come back from Close before it may.
type hangingListener struct {
	net.Listener
	over chan struct{}
}

func (l *hangingListener) Close() error {
	<-l.over
	return l.Listener.Close()
}

// TestListenerHangs: a server that does not stop keeps no other part from its end.
func TestListenerHangs(t *testing.T) {
	t.Parallel()
	inbox, err := spool.Open(t.TempDir(), nil)
	require.NoError(t, err)
	svc, err := service.New(inbox, everybody, callbacks(), &service.Options{
		ReadyDelay: -1, StopTimeout: time.Second, Processor: &notify.ProcessorOptions{DrainTimeout: -1},
	})
	require.NoError(t, err)
	inner, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	l := &hangingListener{inner, make(chan struct{})}
	defer close(l.over)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- svc.Serve(ctx, l, http.NotFoundHandler()) }()
	cancel()
	require.ErrorContains(t, <-done, "server: it did not end in time")
	require.ErrorIs(t, inbox.Put(t.Context(), strings.NewReader("{}")), os.ErrClosed, "the queue is closed all the same")
}

// TestAddressInUse: a service that cannot listen ends with the reason, and
// closes what it was given.
func TestAddressInUse(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer l.Close()
	inbox, err := spool.Open(t.TempDir(), nil)
	require.NoError(t, err)
	svc, err := service.New(inbox, everybody, callbacks(), nil)
	require.NoError(t, err)
	err = svc.ListenAndServe(t.Context(), l.Addr().String(), http.NotFoundHandler())
	var part *service.PartError
	require.ErrorAs(t, err, &part)
	require.Equal(t, "server", part.Part)
	require.ErrorIs(t, inbox.Put(t.Context(), strings.NewReader("{}")), os.ErrClosed)
}

// TestRefused: settings that do not fit together are found before anything runs.
func TestRefused(t *testing.T) {
	t.Parallel()
	for name, opts := range map[string]*service.Options{
		"no time for attempts": {StopTimeout: 5 * time.Second},
		"no time left":         {StopTimeout: 25 * time.Second, ReadyDelay: 15 * time.Second},
		"negative check":       {CheckEvery: -1},
		"negative hung":        {MaxHung: -1},
		"negative age":         {MaxAge: -1},
		"empty history":        {History: &service.History{}},
		"handler":              {Handler: &notify.HandlerOptions{MaxBody: -1}},
		"processor":            {Processor: &notify.ProcessorOptions{Workers: -1}},
	} {
		_, err := service.New(memqueue.NewMemory(), everybody, callbacks(), opts)
		require.Error(t, err, name)
	}
	_, err := service.New(memqueue.NewMemory(), everybody, notify.Callbacks{}, nil)
	require.Error(t, err)
	_, err = service.New(nil, everybody, callbacks(), nil)
	require.Error(t, err)
}
