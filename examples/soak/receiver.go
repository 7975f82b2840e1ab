package main

import (
	"cmp"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/garminkit/activityapi/notify"
	"github.com/garminkit/activityapi/notify/spool"
)

// put stores a body.
type put = func(ctx context.Context, r io.Reader) error

// receiver is an endpoint that stores what comes, and a processor that works
// through it. It can be restarted.
type receiver struct {
	dir string
	// around wraps what stores a body.
	around  func(put) put
	users   notify.Resolver
	calls   notify.Callbacks
	observe func(notify.Outcome)
	receipt func(context.Context, notify.Receipt)

	// addr is kept over restarts.
	addr string
	// closed makes the endpoint answer 503.
	closed atomic.Bool
	// under counts the requests under way.
	under atomic.Int64

	mu     sync.Mutex
	spool  notify.Queue
	server *http.Server
	stop   context.CancelFunc
	done   chan error
}

// unlessClosed answers 503 in front of the handler, as a gateway may.
func (r *receiver) unlessClosed(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		r.under.Add(1)
		defer r.under.Add(-1)
		if r.closed.Load() {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		h.ServeHTTP(w, req)
	})
}

func (r *receiver) inbox() string { return filepath.Join(r.dir, "inbox") }
func (r *receiver) files() string { return filepath.Join(r.dir, "files") }
func (r *receiver) url() string   { return "http://" + r.addr + "/garmin" }

func (r *receiver) start() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.open()
}

func (r *receiver) open() (err error) {
	if err := os.MkdirAll(r.files(), 0o700); err != nil {
		return err
	}
	if r.spool, err = spool.Open(r.inbox(), nil); err != nil {
		return err
	}
	processor, err := notify.NewProcessor(r.spool, r.users, r.calls, &notify.ProcessorOptions{
		Files:            &notify.Files{Dir: r.files()},
		RetryMin:         50 * time.Millisecond,
		RetryMax:         time.Second,
		UnknownUserGrace: 2 * unknownFor,
		AttemptTimeout:   20 * time.Second,
		DrainTimeout:     2 * time.Second,
		Observe:          r.observe,
	})
	if err != nil {
		return err
	}
	l, err := net.Listen("tcp", cmp.Or(r.addr, "127.0.0.1:0"))
	if err != nil {
		return err
	}
	r.addr = l.Addr().String()
	handler := notify.NewHandler(r.around(r.spool.Put), &notify.HandlerOptions{Deadline: 2 * time.Second, Observe: r.receipt})
	r.server = &http.Server{Handler: r.unlessClosed(handler), ReadHeaderTimeout: 5 * time.Second}
	go r.server.Serve(l)
	var ctx context.Context
	ctx, r.stop = context.WithCancel(context.Background())
	r.done = make(chan error, 1)
	go func() { r.done <- processor.Run(ctx) }()
	return nil
}

// close stops the receiver; rudely, if requests under way are cut.
func (r *receiver) close(rudely bool) error {
	if !rudely {
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		_ = r.server.Shutdown(ctx)
	}
	r.server.Close()
	r.stop()
	return errors.Join(<-r.done, r.spool.Close())
}

// Close stops it for good.
func (r *receiver) Close() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.close(false)
}

// restart leaves the receiver down for a while.
func (r *receiver) restart(rudely bool, down time.Duration) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	err := r.close(rudely)
	time.Sleep(down)
	return errors.Join(err, r.open())
}

// backlog counts what is not finished: requests, bodies and items.
func (r *receiver) backlog(ctx context.Context) (int64, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	n, err := backlog(ctx, r.spool)
	return n + r.under.Load(), err
}

func backlog(ctx context.Context, q notify.Queue) (int64, error) {
	st, err := q.Stats(ctx)
	n := st.Bodies
	for _, items := range st.Items {
		n += items
	}
	return n, err
}

// letters returns the dead letters and throws them away: a person has looked at
// them.
func (r *receiver) letters(ctx context.Context) ([]*letter, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	var all []*letter
	for l, err := range r.spool.Letters(ctx, nil) {
		if err != nil {
			return all, err
		}
		all = append(all, &letter{DeadLetter: l})
	}
	for _, l := range all {
		body, err := r.spool.OpenLetter(ctx, l.ID)
		if err != nil {
			return all, err
		}
		l.body, err = io.ReadAll(body)
		if err := errors.Join(err, body.Close(), r.spool.Discard(ctx, l.ID)); err != nil {
			return all, err
		}
	}
	return all, nil
}
