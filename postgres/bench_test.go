//go:build unix

package postgres

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"

	"github.com/garminkit/activityapi/postgres/internal/pgtest"
)

// benchItem is about what Garmin sends for one activity: 1 KB.
const benchItem = `{"userId":"u%05d","summaryId":"%d","activityId":%[2]d,` +
	`"activityName":"Olathe Running","durationInSeconds":1789,"startTimeInSeconds":1709312416,` +
	`"startTimeOffsetInSeconds":-21600,"activityType":"RUNNING","averageHeartRateInBeatsPerMinute":144,` +
	`"averageRunCadenceInStepsPerMinute":168.4375,"averageSpeedInMetersPerSecond":2.781,` +
	`"averagePaceInMinutesPerKilometer":5.993048,"activeKilocalories":367,"deviceName":"forerunner935",` +
	`"distanceInMeters":4976.4,"maxHeartRateInBeatsPerMinute":159,"maxPaceInMinutesPerKilometer":5.2356,` +
	`"maxRunCadenceInStepsPerMinute":181.0,"maxSpeedInMetersPerSecond":3.183,"steps":5022,` +
	`"startingLatitudeInDegree":38.833873,"startingLongitudeInDegree":-94.791168,` +
	`"totalElevationGainInMeters":16.0,"totalElevationLossInMeters":22.0,"isWebUpload":false,"pad":"%[3]s"}`

// benchBody is a body of 1 KB with one item. It is put together in a way that
// costs little beside what is measured.
func benchBody(n int64) string {
	id, p := fmt.Sprintf("%012d", 1e11+n), benchParts
	return p[0] + fmt.Sprintf("%05d", n%2000) + p[1] + id + p[2] + id + p[3]
}

// benchParts are what stands around the user and the two IDs.
var benchParts = strings.Split(`{"activities":[`+strings.NewReplacer("%05d", "\x00", "%d", "\x00", "%[2]d", "\x00", "%[3]s", strings.Repeat("x", 160)).Replace(benchItem)+`]}`, "\x00")

// senders is how many callers a benchmark has, and connections the plain insert.
const senders = 64

// BenchmarkPut is how many bodies of 1 KB a process acknowledges with 64
// senders, and what one plain insert for each comes to on the same server with
// 64 connections. The third side is the least that a group can cost: its items are
// split and stored by one insert, in a table with a key. They take turns, so that
// other work meets all.
func BenchmarkPut(b *testing.B) {
	schema := pgtest.Schema(b)
	h := steady(b, schema)
	defer func() { require.NoError(b, h.Close()) }()
	cfg, err := pgxpool.ParseConfig(pgtest.URL(b))
	require.NoError(b, err)
	cfg.MaxConns, cfg.MinConns = senders, senders
	pool, err := pgxpool.NewWithConfig(b.Context(), cfg)
	require.NoError(b, err)
	defer pool.Close()
	_, err = pool.Exec(b.Context(), named(schema, `CREATE TABLE {s}.plain (id bigserial PRIMARY KEY, data bytea NOT NULL)`))
	require.NoError(b, err)
	insert := named(schema, `INSERT INTO {s}.plain (data) VALUES ($1)`)
	least := newLeast(b, pool, schema)
	plain, queue, group := &benchSide{}, &benchSide{}, &benchSide{}
	var n atomic.Int64
	for b.Loop() {
		plain.run(b, h, &n, time.Second, func(body string) error {
			_, err := pool.Exec(b.Context(), insert, []byte(body))
			return err
		})
		queue.run(b, h, &n, time.Second, func(body string) error { return h.Put(b.Context(), strings.NewReader(body)) })
		group.run(b, h, &n, time.Second, least)
	}
	plain.report(b, "plain")
	queue.report(b, "queue")
	b.ReportMetric(queue.rate()/plain.rate(), "ratio")
	b.ReportMetric(group.rate()/plain.rate(), "least-ratio")
}

// newLeast stores bodies in groups, and nothing else: no order, no repeats, no
// users.
func newLeast(b *testing.B, pool *pgxpool.Pool, schema string) func(body string) error {
	_, err := pool.Exec(b.Context(), named(schema, `CREATE TABLE {s}.least (share smallint, id bigserial, key bytea, data bytea, PRIMARY KEY (share, id))`))
	require.NoError(b, err)
	text := named(schema, `INSERT INTO {s}.least (share, key, data) SELECT unnest($1::smallint[]), unnest($2::bytea[]), unnest($3::bytea[])`)
	w := &puts{more: make(chan struct{}, 1)}
	for range committers {
		go func() {
			g := &group{}
			for {
				select {
				case <-w.more:
				case <-b.Context().Done():
					return
				}
				if !w.take(g) {
					continue
				}
				for _, p := range g.all {
					for i := range p.pieces {
						g.cols.add(&p.pieces[i])
						g.cols.datas = append(g.cols.datas, p.raw[p.pieces[i].Offset:p.pieces[i].Offset+p.pieces[i].Size])
					}
				}
				_, err := pool.Exec(b.Context(), text, g.cols.shares, g.cols.keys, g.cols.datas)
				for _, p := range g.all {
					p.done <- err
				}
				g.reset()
			}
		}()
	}
	return func(body string) error {
		s := scratches.Get().(*scratch)
		defer scratches.Put(s)
		p := &s.put
		p.raw, p.pieces = []byte(body), p.pieces[:0]
		s.in.Reset(p.raw)
		for piece, err := range s.split.Split(&s.in) {
			if err != nil {
				return err
			}
			p.pieces = append(p.pieces, piece)
		}
		w.add(p)
		return <-p.done
	}
}

// benchSide is one of two that are compared.
type benchSide struct {
	took []time.Duration
	time time.Duration
	wal  int64
}

// run sends bodies for a while.
func (s *benchSide) run(b *testing.B, h *handle, n *atomic.Int64, d time.Duration, put func(body string) error) {
	var mu sync.Mutex
	var all sync.WaitGroup
	from, start := walAt(b, h), time.Now()
	for range senders {
		all.Go(func() {
			var took []time.Duration
			for time.Since(start) < d {
				begun := time.Now()
				if err := put(benchBody(n.Add(1))); err != nil {
					b.Error(err)
					return
				}
				took = append(took, time.Since(begun))
			}
			mu.Lock()
			defer mu.Unlock()
			s.took = append(s.took, took...)
		})
	}
	all.Wait()
	s.time += time.Since(start)
	s.wal += walAt(b, h) - from
}

func (s *benchSide) rate() float64 { return float64(len(s.took)) / s.time.Seconds() }

func (s *benchSide) report(b *testing.B, name string) {
	slices.Sort(s.took)
	b.ReportMetric(s.rate(), name+"-acks/s")
	b.ReportMetric(ms(s.took[len(s.took)/2]), name+"-p50-ms")
	b.ReportMetric(ms(s.took[len(s.took)*99/100]), name+"-p99-ms")
	b.ReportMetric(float64(s.wal)/float64(len(s.took)), name+"-WAL-B")
}

func ms(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

// walAt is where the server's log ends.
func walAt(b *testing.B, h *handle) (at int64) {
	require.NoError(b, h.pool.QueryRow(context.WithoutCancel(b.Context()), `SELECT pg_wal_lsn_diff(pg_current_wal_insert_lsn(), '0/0')::bigint`).Scan(&at))
	return at
}
