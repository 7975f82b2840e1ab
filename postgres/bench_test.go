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
// 64 connections. They take turns, so that other work meets both.
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
	plain, queue := &benchSide{}, &benchSide{}
	var n atomic.Int64
	for b.Loop() {
		plain.run(b, h, &n, time.Second, func(body string) error {
			_, err := pool.Exec(b.Context(), insert, []byte(body))
			return err
		})
		queue.run(b, h, &n, time.Second, func(body string) error { return h.Put(b.Context(), strings.NewReader(body)) })
	}
	plain.report(b, "plain")
	queue.report(b, "queue")
	b.ReportMetric(queue.rate()/plain.rate(), "ratio")
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
