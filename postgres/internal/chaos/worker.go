//go:build linux

package chaos

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/garminkit/activityapi/notify"
	"github.com/garminkit/activityapi/postgres"
	"github.com/garminkit/activityapi/types"
)

// workerEnv tells a process that it is a worker, and how.
const workerEnv = "ACTIVITYAPI_CHAOS_WORKER"

// workerConfig is what a worker needs to know.
type workerConfig struct {
	URL    string        // of the database
	Listen string        // where it receives
	Dir    string        // for files, and the log
	Name   string        // of its log
	Lease  time.Duration // of shares
	Skew   time.Duration // by how much its clock is ahead of the server's
	Slow   time.Duration // how long a callback takes
	Fails  time.Time     // until when each second user's callbacks fail
}

// IsWorker runs the worker that this process is to be, and reports whether it
// was one.
func IsWorker() bool {
	text := os.Getenv(workerEnv)
	if text == "" {
		return false
	}
	var c workerConfig
	err := json.Unmarshal([]byte(text), &c)
	if err == nil {
		err = c.work()
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "worker:", err)
		os.Exit(1)
	}
	return true
}

// work is a partner's process: it receives, and works on what all received,
// until SIGTERM.
func (c *workerConfig) work() error {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	pool, err := pgxpool.New(ctx, c.URL+" pool_max_conns=12")
	if err != nil {
		return err
	}
	defer pool.Close()
	var trouble io.Writer = io.Discard
	if os.Getenv("CHAOS_LOG") != "" {
		trouble = os.Stderr
	}
	var db *postgres.DB
	for {
		db, err = postgres.Open(ctx, pool, &postgres.Options{Lease: c.Lease, Logger: slog.New(slog.NewTextHandler(trouble, nil))})
		if err == nil {
			break
		}
		select { // the database may be away just now
		case <-ctx.Done():
			return err
		case <-time.After(100 * time.Millisecond):
		}
	}
	defer func() { _ = db.Close() }()
	log, err := os.OpenFile(filepath.Join(c.Dir, c.Name), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer log.Close()
	files := filepath.Join(c.Dir, "files")
	if err := os.MkdirAll(files, 0o700); err != nil {
		return err
	}
	p, err := notify.NewProcessor(skewed{db.Queue(), c.Skew}, everybody(c.Name), c.callbacks(log), &notify.ProcessorOptions{
		Workers: 64, RetryMin: 100 * time.Millisecond, RetryMax: time.Second, DrainTimeout: 2 * time.Second,
		Files: &notify.Files{Dir: files}, Logger: slog.New(slog.NewTextHandler(trouble, nil)),
	})
	if err != nil {
		return err
	}
	defer func() { _ = p.Close() }()
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", c.Listen+":0")
	if err != nil {
		return err
	}
	server := &http.Server{Handler: notify.NewHandler(db.Queue().Put, nil), ReadHeaderTimeout: 5 * time.Second}
	go func() { _ = server.Serve(listener) }()
	fmt.Println("http://" + listener.Addr().String())
	err = p.Run(ctx)
	last, end := context.WithTimeout(context.Background(), 2*time.Second)
	defer end()
	return errors.Join(err, server.Shutdown(last))
}

// callbacks write a line when they begin and when they end, each by one write
// that outlives the process.
func (c *workerConfig) callbacks(log io.Writer) notify.Callbacks {
	note := func(what string, user types.UserID, id types.ID) {
		fmt.Fprintf(log, "%s %s %s %d\n", what, user, id, time.Now().UnixNano())
	}
	save := func(ctx context.Context, user types.UserID, id types.ID) error {
		note("B", user, id)
		if c.Slow > 0 {
			select {
			case <-ctx.Done():
			case <-time.After(c.Slow):
			}
		}
		if ctx.Err() != nil {
			note("F", user, id)
			return ctx.Err()
		}
		if time.Now().Before(c.Fails) && user[len(user)-1]%2 == 0 {
			note("F", user, id)
			return errors.New("the partner's database is away")
		}
		note("E", user, id)
		return nil
	}
	return notify.Callbacks{
		Save: func(ctx context.Context, d *notify.Delivery, s types.Summary) error {
			return save(ctx, d.UserID, s.ID())
		},
		File: func(ctx context.Context, d *notify.Delivery, f *notify.File) error {
			return save(ctx, d.UserID, f.Announced.SummaryID)
		},
		Deregistration:   func(context.Context, *notify.Delivery, *notify.Deregistration) error { return nil },
		PermissionChange: func(context.Context, *notify.Delivery, *notify.PermissionChange) error { return nil },
	}
}

// everybody is a user.
func everybody(process string) notify.Resolver {
	return func(_ context.Context, id types.UserID) ([]notify.User, error) {
		return []notify.User{{ID: string(id), Client: client{process}}}, nil
	}
}

// client downloads from the Garmin of the test.
type client struct{ name string }

func (client) Follow(context.Context, types.Kind, types.Secret) iter.Seq2[types.Summary, error] {
	return func(func(types.Summary, error) bool) {}
}

func (c client) Download(ctx context.Context, url types.Secret) (io.ReadCloser, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, string(url), nil)
	if err != nil {
		return nil, err
	}
	req.Header.Set(processHeader, c.name)
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, err
	}
	if res.StatusCode != http.StatusOK {
		_ = res.Body.Close()
		return nil, notify.Permanent(fmt.Errorf("the answer is %d", res.StatusCode))
	}
	return res.Body, nil
}

// skewed is a queue as a process sees it whose clock is ahead by some time: what
// the server says was a moment ago is longer ago for it.
type skewed struct {
	*postgres.Queue
	by time.Duration
}

func (q skewed) Shares(ctx context.Context) iter.Seq2[notify.Share, error] {
	return func(yield func(notify.Share, error) bool) {
		for s, err := range q.Queue.Shares(ctx) {
			if err == nil {
				s = skewedShare{s, q.by}
			}
			if !yield(s, err) {
				return
			}
		}
	}
}

type skewedShare struct {
	notify.Share
	by time.Duration
}

func (s skewedShare) shift(items []*notify.Item, err error) ([]*notify.Item, error) {
	for _, it := range items {
		it.Received = it.Received.Add(-s.by)
		if !it.Next.IsZero() {
			it.Next = it.Next.Add(-s.by)
		}
	}
	return items, err
}

func (s skewedShare) Scan(ctx context.Context, c notify.Class, after notify.ItemID, most int) ([]*notify.Item, error) {
	return s.shift(s.Share.Scan(ctx, c, after, most))
}

func (s skewedShare) Load(ctx context.Context, ids []notify.ItemID) ([]*notify.Item, error) {
	return s.shift(s.Share.Load(ctx, ids))
}

func (s skewedShare) Settle(ctx context.Context, verdicts []notify.Verdict) error {
	for i := range verdicts {
		if v := &verdicts[i]; !v.Next.IsZero() {
			v.Next = v.Next.Add(s.by)
		}
	}
	return s.Share.Settle(ctx, verdicts)
}
