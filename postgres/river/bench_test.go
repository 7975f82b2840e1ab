//go:build unix

package garminriver

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"
	"github.com/stretchr/testify/require"

	"github.com/garminkit/activityapi/notify"
	"github.com/garminkit/activityapi/postgres"
	"github.com/garminkit/activityapi/postgres/internal/pgtest"
	"github.com/garminkit/activityapi/types"
)

// senders is how many callers there are, and connections River has.
const senders = 64

// bodyArgs is a body in a job.
type bodyArgs struct {
	Body string `json:"body"`
}

func (bodyArgs) Kind() string { return "body" }

// idArgs is a job that has an id alone.
type idArgs struct {
	ID int64 `json:"id"`
}

func (idArgs) Kind() string { return "id" }

// bench is both, on one server.
type bench struct {
	rig   *rig
	queue *postgres.Queue
	nr    atomic.Int64
}

func newBench(b *testing.B) *bench {
	r := newRig(b)
	require.NoError(b, postgres.Migrate(b.Context(), r.pool, r.schema))
	cfg, err := pgxpool.ParseConfig(pgtest.URL(b))
	require.NoError(b, err)
	cfg.MaxConns = 10 // as the guide says
	pool, err := pgxpool.NewWithConfig(b.Context(), cfg)
	require.NoError(b, err)
	db, err := postgres.Open(b.Context(), pool, &postgres.Options{Schema: r.schema, Lease: time.Minute})
	require.NoError(b, err)
	b.Cleanup(func() { require.NoError(b, db.Close()); pool.Close() })
	return &bench{rig: r, queue: db.Queue()}
}

// body is one of 1 KB with one item.
func (b *bench) body() string {
	n := b.nr.Add(1)
	return fmt.Sprintf(`{"activities":[{"userId":"u%d","summaryId":"%d","activityType":"RUNNING","deviceName":"%s"}]}`, n%2000, n, strings.Repeat("x", 900))
}

// client has workers for jobs that do nothing, in River's fastest setting: a
// thousand workers, and ten milliseconds between two fetches.
func (b *bench) client(t testing.TB, done func()) *river.Client[pgx.Tx] {
	workers := river.NewWorkers()
	river.AddWorker(workers, river.WorkFunc(func(context.Context, *river.Job[bodyArgs]) error { done(); return nil }))
	river.AddWorker(workers, river.WorkFunc(func(context.Context, *river.Job[idArgs]) error { done(); return nil }))
	c, err := river.NewClient(riverpgxv5.New(b.rig.pool), &river.Config{
		Schema: b.rig.schema, Workers: workers, FetchCooldown: 10 * time.Millisecond, FetchPollInterval: 50 * time.Millisecond,
		Queues: map[string]river.QueueConfig{river.QueueDefault: {MaxWorkers: 1000}},
		Logger: slog.New(slog.DiscardHandler),
	})
	require.NoError(t, err)
	return c
}

// wal is where the server's log ends.
func (b *bench) wal(t testing.TB) (at int64) {
	require.NoError(t, b.rig.pool.QueryRow(context.WithoutCancel(t.Context()), `SELECT pg_wal_lsn_diff(pg_current_wal_insert_lsn(), '0/0')::bigint`).Scan(&at))
	return at
}

// side is one of those that are compared.
type side struct {
	n   int64
	d   time.Duration
	wal int64
}

func (s *side) rate() float64 { return float64(s.n) / s.d.Seconds() }

func (s *side) report(b *testing.B, name string) {
	b.ReportMetric(s.rate(), name+"/s")
	b.ReportMetric(float64(s.wal)/float64(s.n), name+"-WAL-B")
}

// send calls put from all senders for a while.
func (s *side) send(t *testing.B, b *bench, d time.Duration, put func() error) {
	var all sync.WaitGroup
	var n atomic.Int64
	from, begun := b.wal(t), time.Now()
	for range senders {
		all.Go(func() {
			for time.Since(begun) < d {
				if err := put(); err != nil {
					t.Error(err)
					return
				}
				n.Add(1)
			}
		})
	}
	all.Wait()
	s.n += n.Load()
	s.d += time.Since(begun)
	s.wal += b.wal(t) - from
}

// BenchmarkAck compares what is acknowledged in a second with 64 callers: a body
// in the queue, a River job with the body, and one with an id alone. They take
// turns, so that other work meets all.
func BenchmarkAck(b *testing.B) {
	t := newBench(b)
	c := t.client(b, func() {})
	var queue, body, id side
	for b.Loop() {
		body.send(b, t, time.Second, func() error {
			_, err := c.Insert(b.Context(), bodyArgs{t.body()}, nil)
			return err
		})
		queue.send(b, t, time.Second, func() error { return t.queue.Put(b.Context(), strings.NewReader(t.body())) })
		id.send(b, t, time.Second, func() error {
			_, err := c.Insert(b.Context(), idArgs{t.nr.Add(1)}, nil)
			return err
		})
	}
	queue.report(b, "queue")
	body.report(b, "river-body")
	id.report(b, "river-id")
	b.ReportMetric(queue.rate()/body.rate(), "ratio-body")
	b.ReportMetric(queue.rate()/id.rate(), "ratio-id")
}

// BenchmarkWork compares what is done in a second by one process whose work is
// nothing: items of 1 KB by a processor with 64 workers, which decodes them and
// keeps their order, and River's jobs by a thousand. The WAL is from the fetch on.
func BenchmarkWork(b *testing.B) {
	const items = 10_000
	t := newBench(b)
	var queue, body, id side
	for b.Loop() {
		queue.drain(b, t, items, t.fillQueue, t.runQueue)
		body.drain(b, t, items, t.fillRiver(func() river.JobArgs { return bodyArgs{t.body()} }), t.runRiver)
		id.drain(b, t, items, t.fillRiver(func() river.JobArgs { return idArgs{t.nr.Add(1)} }), t.runRiver)
	}
	queue.report(b, "queue")
	body.report(b, "river-body")
	id.report(b, "river-id")
	b.ReportMetric(queue.rate()/body.rate(), "ratio-body")
	b.ReportMetric(queue.rate()/id.rate(), "ratio-id")
}

// drain fills, and has all of it done.
func (s *side) drain(t *testing.B, b *bench, n int, fill func(t *testing.B, n int), run func(t *testing.B, done func()) (stop func())) {
	fill(t, n)
	var left atomic.Int64
	left.Store(int64(n))
	ended := make(chan struct{})
	from, begun := b.wal(t), time.Now()
	stop := run(t, func() {
		if left.Add(-1) == 0 {
			close(ended)
		}
	})
	<-ended
	stop() // what was done is stored
	s.n += int64(n)
	s.d += time.Since(begun)
	s.wal += b.wal(t) - from
}

func (b *bench) fillQueue(t *testing.B, n int) {
	var all sync.WaitGroup
	for range senders {
		all.Go(func() {
			for range n / senders {
				if err := b.queue.Put(t.Context(), strings.NewReader(b.body())); err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
	for range n % senders {
		require.NoError(t, b.queue.Put(t.Context(), strings.NewReader(b.body())))
	}
}

func (b *bench) runQueue(t *testing.B, done func()) func() {
	p, err := notify.NewProcessor(b.queue,
		func(_ context.Context, id types.UserID) ([]notify.User, error) {
			return []notify.User{{ID: string(id)}}, nil
		},
		notify.Callbacks{
			Save:             func(context.Context, *notify.Delivery, types.Summary) error { done(); return nil },
			Deregistration:   func(context.Context, *notify.Delivery, *notify.Deregistration) error { return nil },
			PermissionChange: func(context.Context, *notify.Delivery, *notify.PermissionChange) error { return nil },
		}, &notify.ProcessorOptions{Workers: senders})
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() { defer close(ended); _ = p.Run(ctx) }()
	return func() { cancel(); <-ended }
}

func (b *bench) fillRiver(args func() river.JobArgs) func(t *testing.B, n int) {
	return func(t *testing.B, n int) {
		c := b.client(t, func() {})
		for n > 0 {
			var jobs []river.InsertManyParams
			for range min(n, 1000) {
				jobs = append(jobs, river.InsertManyParams{Args: args()})
			}
			_, err := c.InsertManyFast(t.Context(), jobs)
			require.NoError(t, err)
			n -= len(jobs)
		}
	}
}

func (b *bench) runRiver(t *testing.B, done func()) func() {
	c := b.client(t, done)
	require.NoError(t, c.Start(context.WithoutCancel(t.Context())))
	return func() { require.NoError(t, c.Stop(context.WithoutCancel(t.Context()))) }
}

// BenchmarkLife compares the WAL of a body of 1 KB from its arrival to its end.
func BenchmarkLife(b *testing.B) {
	const items = 5000
	t := newBench(b)
	var queue, job, id int64
	n := 0
	for b.Loop() {
		n += items
		for wal, life := range map[*int64]struct {
			put func() error
			run func(*testing.B, func()) func()
		}{
			&queue: {func() error { return t.queue.Put(b.Context(), strings.NewReader(t.body())) }, t.runQueue},
			&job:   {t.insert(b, func() river.JobArgs { return bodyArgs{t.body()} }), t.runRiver},
			&id:    {t.insert(b, func() river.JobArgs { return idArgs{t.nr.Add(1)} }), t.runRiver},
		} {
			from := t.wal(b)
			var done atomic.Int64
			stop := life.run(b, func() { done.Add(1) })
			var all sync.WaitGroup
			var sent atomic.Int64
			for range senders {
				all.Go(func() {
					for sent.Add(1) <= items {
						if err := life.put(); err != nil {
							b.Error(err)
						}
					}
				})
			}
			all.Wait()
			require.Eventually(b, func() bool { return done.Load() == items }, time.Minute, time.Millisecond)
			stop()
			*wal += t.wal(b) - from
		}
	}
	b.ReportMetric(float64(queue)/float64(n), "queue-WAL-B")
	b.ReportMetric(float64(job)/float64(n), "river-body-WAL-B")
	b.ReportMetric(float64(id)/float64(n), "river-id-WAL-B")
	b.ReportMetric(float64(job)/float64(queue), "ratio-body")
	b.ReportMetric(float64(id)/float64(queue), "ratio-id")
}

func (b *bench) insert(t *testing.B, args func() river.JobArgs) func() error {
	c := b.client(t, func() {})
	return func() error {
		_, err := c.Insert(t.Context(), args(), nil)
		return err
	}
}
