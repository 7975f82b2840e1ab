//go:build unix

package postgres

import (
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"

	"github.com/garminkit/activityapi/activity/join"
	"github.com/garminkit/activityapi/activity/join/jointest"
	"github.com/garminkit/activityapi/postgres/internal/pgtest"
	"github.com/garminkit/activityapi/types"
)

// joinedHandle is a process of the suite.
type joinedHandle struct {
	join.Store
	*handle
}

func TestJoined(t *testing.T) {
	pgtest.URL(t)
	at := schemas{}
	jointest.Run(t, jointest.Harness{
		Open: func(t *testing.T, state string) join.Store {
			h := open(t, at.of(t, state))
			t.Cleanup(func() { _ = h.Close() })
			return joinedHandle{h.db.Joined(), h}
		},
		Kill:   func(_ *testing.T, s join.Store) { s.(joinedHandle).kill() },
		Shared: true,
	})
}

// TestJoinedGrants runs the suite as a role that has its part alone.
func TestJoinedGrants(t *testing.T) {
	pgtest.URL(t)
	role, as := newRole(t)
	at := schemas{}
	jointest.Run(t, jointest.Harness{
		Open: func(t *testing.T, state string) join.Store {
			schema := at.of(t, state)
			granted(t, schema, role, PartJoined)
			h := open(t, schema, as)
			t.Cleanup(func() { _ = h.Close() })
			h.db.joins = time.Hour
			require.NoError(t, h.db.sweepJoined(t.Context()))
			_, err := h.db.Tokens().Token(t.Context(), "u")
			var pg *pgconn.PgError
			require.ErrorAs(t, err, &pg)
			require.Equal(t, "42501", pg.Code)
			return joinedHandle{h.db.Joined(), h}
		},
		Shared: true,
	})
}

// change is an Update that adds a parent.
func change(t *testing.T, s join.Store, key join.Key, id types.ID) {
	t.Helper()
	require.NoError(t, s.Update(t.Context(), key, func(r *join.Record) bool { r.Parents = append(r.Parents, id); return true }))
}

// TestJoinedOutOfTurn holds that an update keeps nothing of a record that has
// changed since it was read, in whatever way.
func TestJoinedOutOfTurn(t *testing.T) {
	ctx, schema := t.Context(), pgtest.Schema(t)
	a, b := open(t, schema), open(t, schema)
	defer func() { require.NoError(t, a.Close()); require.NoError(t, b.Close()) }()
	mine, others := a.db.Joined(), b.db.Joined()
	for name, c := range map[string]struct {
		before  []types.ID
		between func(key join.Key)
		want    []types.ID
	}{
		"made":      {nil, func(k join.Key) { change(t, others, k, "x") }, []types.ID{"x", "mine"}},
		"changed":   {[]types.ID{"1"}, func(k join.Key) { change(t, others, k, "x") }, []types.ID{"1", "x", "mine"}},
		"forgotten": {[]types.ID{"1"}, func(k join.Key) { require.NoError(t, others.Forget(ctx, k.User)) }, []types.ID{"mine"}},
		"forgotten and made": {[]types.ID{"1"}, func(k join.Key) {
			require.NoError(t, others.Forget(ctx, k.User))
			change(t, others, k, "x")
		}, []types.ID{"x", "mine"}},
	} {
		t.Run(name, func(t *testing.T) {
			key := join.Key{User: types.UserID(name), ID: "5001"}
			for _, id := range c.before {
				change(t, mine, key, id)
			}
			calls := 0
			require.NoError(t, mine.Update(ctx, key, func(r *join.Record) bool {
				if calls++; calls == 1 {
					c.between(key)
				}
				r.Parents = append(r.Parents, "mine")
				return true
			}))
			require.Equal(t, 2, calls)
			got, err := others.Load(ctx, key)
			require.NoError(t, err)
			require.Equal(t, c.want, got.Parents)
		})
	}
}

// TestJoinedOutlivesKills holds that a process which is killed while it writes
// leaves whole records, and all that it was told is kept.
func TestJoinedOutlivesKills(t *testing.T) {
	const workers = 4
	ctx, schema := t.Context(), pgtest.Schema(t)
	survivor := open(t, schema)
	defer func() { require.NoError(t, survivor.Close()) }()
	key := join.Key{User: "u", ID: "5001"}
	var told, lost atomic.Uint64
	for range 5 {
		h := open(t, schema)
		var all sync.WaitGroup
		from := told.Load()
		for range workers {
			all.Go(func() {
				for {
					err := h.db.Joined().Update(ctx, key, func(r *join.Record) bool {
						r.Changes++
						r.Details = &types.ActivityDetails{SummaryID: types.ID(fmt.Sprint(r.Changes))}
						return true
					})
					if err != nil {
						lost.Add(1) // it may have been written
						return
					}
					told.Add(1)
				}
			})
		}
		require.Eventually(t, func() bool { return told.Load() > from+20 }, 60*time.Second, time.Millisecond)
		h.kill()
		all.Wait()
	}
	rec, err := survivor.db.Joined().Load(ctx, key)
	require.NoError(t, err)
	require.GreaterOrEqual(t, rec.Changes, told.Load())
	require.LessOrEqual(t, rec.Changes, told.Load()+lost.Load())
	require.Equal(t, types.ID(fmt.Sprint(rec.Changes)), rec.Details.SummaryID, "half of a record")
	change(t, survivor.db.Joined(), key, "x")
}

// TestJoinedKeepsBytes holds that users and texts that are no UTF-8, or have a
// NUL, come back as they were.
func TestJoinedKeepsBytes(t *testing.T) {
	ctx := t.Context()
	h := open(t, pgtest.Schema(t))
	defer func() { require.NoError(t, h.Close()) }()
	s := h.db.Joined()
	var keys []join.Key
	for _, odd := range []string{"", "\x00", "\xff", "u\xff", "u\xfe", `u\000`, "' \\u0000"} {
		keys = append(keys, join.Key{User: types.UserID(odd), ID: types.ID(odd)})
	}
	for _, key := range keys {
		require.NoError(t, s.Update(ctx, key, func(r *join.Record) bool {
			r.Summary = &types.Activity{SummaryID: "1", ActivityName: "a\x00\u2028" + fmt.Sprintf("%x", string(key.User))}
			r.Details = &types.ActivityDetails{SummaryID: "1", Summary: types.Activity{ActivityName: "\x00"}}
			return true
		}))
	}
	for _, key := range keys {
		r, err := s.Load(ctx, key)
		require.NoError(t, err)
		require.Equal(t, "a\x00\u2028"+fmt.Sprintf("%x", string(key.User)), r.Summary.ActivityName)
		require.Equal(t, "\x00", r.Details.Summary.ActivityName)
	}
}

// TestJoinedDetailsStay holds that an update which leaves the details alone does
// not write them again.
func TestJoinedDetailsStay(t *testing.T) {
	ctx := t.Context()
	h := open(t, pgtest.Schema(t))
	defer func() { require.NoError(t, h.Close()) }()
	s, key := h.db.Joined(), join.Key{User: "u", ID: "5001"}
	samples := make([]types.Sample, 20_000)
	for i := range samples {
		lat := 47 + float64(i*7919%100_003)/1e5
		samples[i] = types.Sample{StartTimeInSeconds: types.Timestamp(1767340800 + i), LatitudeInDegree: &lat}
	}
	require.NoError(t, s.Update(ctx, key, func(r *join.Record) bool { r.Details = &types.ActivityDetails{Samples: samples}; return true }))
	var toast string
	require.NoError(t, h.pool.QueryRow(ctx, h.db.sql(`SELECT reltoastrelid::regclass::text FROM pg_class WHERE oid = '{s}.joined'::regclass`)).Scan(&toast))
	stored := func() (ids []uint32) {
		rows, err := h.pool.Query(ctx, `SELECT DISTINCT chunk_id FROM `+toast)
		require.NoError(t, err)
		ids, err = pgx.CollectRows(rows, pgx.RowTo[uint32])
		require.NoError(t, err)
		return ids
	}
	before := stored()
	require.NotEmpty(t, before)
	change(t, s, key, "x")
	require.Equal(t, before, stored())
	rec, err := s.Load(ctx, key)
	require.NoError(t, err)
	require.Len(t, rec.Details.Samples, len(samples))
	require.Equal(t, []types.ID{"x"}, rec.Parents)
	for _, details := range []*types.ActivityDetails{{SummaryID: "2"}, nil} {
		require.NoError(t, s.Update(ctx, key, func(r *join.Record) bool { r.Details = details; return true }))
		rec, err = s.Load(ctx, key)
		require.NoError(t, err)
		require.Equal(t, details, rec.Details)
	}
}

// TestJoinedRetention holds that what nothing has changed for long is removed,
// and none without that.
func TestJoinedRetention(t *testing.T) {
	ctx := t.Context()
	h := open(t, pgtest.Schema(t))
	defer func() { require.NoError(t, h.Close()) }()
	s := h.db.Joined()
	at := func(day string) {
		_, err := h.pool.Exec(ctx, h.db.sql(`CREATE OR REPLACE FUNCTION {s}.clock() RETURNS timestamptz LANGUAGE sql VOLATILE AS $$SELECT '`+day+`'::timestamptz$$`))
		require.NoError(t, err)
	}
	there := func() (all []types.ID) {
		for _, id := range []types.ID{"1", "2", "3"} {
			r, err := s.Load(ctx, join.Key{User: "u", ID: id})
			require.NoError(t, err)
			if r != nil {
				all = append(all, id)
			}
		}
		return all
	}
	at("2026-01-01 12:00")
	for _, id := range []types.ID{"1", "2"} {
		change(t, s, join.Key{User: "u", ID: id}, "x")
	}
	_, err := h.pool.Exec(ctx, h.db.sql(`INSERT INTO {s}.joined SELECT 'v', convert_to(i::text, 'UTF8'), 1, '2026-01-01', '{}' FROM generate_series(1, 2500) i`))
	require.NoError(t, err)
	at("2026-01-05 12:00")
	for _, id := range []types.ID{"2", "3"} {
		change(t, s, join.Key{User: "u", ID: id}, "x")
	}
	require.NoError(t, h.db.sweepJoined(ctx))
	require.Equal(t, []types.ID{"1", "2", "3"}, there(), "they are kept for ever")
	h.db.joins = 4*24*time.Hour - time.Minute // a part of a day is a day
	require.NoError(t, h.db.sweepJoined(ctx))
	require.Equal(t, []types.ID{"1", "2", "3"}, there())
	at("2026-01-06 00:00")
	require.NoError(t, h.db.sweepJoined(ctx))
	require.Equal(t, []types.ID{"2", "3"}, there())
	var left int
	require.NoError(t, h.pool.QueryRow(ctx, h.db.sql(`SELECT count(*) FROM {s}.joined`)).Scan(&left))
	require.Equal(t, 2, left, "more than one piece")
}

// TestJoinedErrorsHoldNoValue makes the server refuse a record, and stores one
// that cannot be read.
func TestJoinedErrorsHoldNoValue(t *testing.T) {
	ctx := t.Context()
	h := open(t, pgtest.Schema(t))
	defer func() { require.NoError(t, h.Close()) }()
	s := h.db.Joined()
	for _, bad := range []struct{ record, details string }{{planted, "{}"}, {"{}", planted}, {`{"changes":"` + planted + `"}`, "{}"}} {
		_, err := h.pool.Exec(ctx, h.db.sql(`INSERT INTO {s}.joined VALUES ('u', '1', 1, now(), $1, $2) ON CONFLICT (user_id, id) DO UPDATE SET record = excluded.record, details = excluded.details`),
			[]byte(bad.record), []byte(bad.details))
		require.NoError(t, err)
		_, err = s.Load(ctx, join.Key{User: "u", ID: "1"})
		require.ErrorIs(t, err, errJoined)
		require.NotContains(t, shows(err), planted)
	}
	_, err := h.pool.Exec(ctx, h.db.sql(`ALTER TABLE {s}.joined ADD CONSTRAINT planted CHECK (length(record) < 5)`))
	require.Error(t, err, "a row is there")
	require.NoError(t, s.Forget(ctx, "u"))
	_, err = h.pool.Exec(ctx, h.db.sql(`ALTER TABLE {s}.joined ADD CONSTRAINT small CHECK (length(record) < 5)`))
	require.NoError(t, err)
	err = s.Update(ctx, join.Key{User: planted, ID: planted}, func(r *join.Record) bool {
		r.Summary = &types.Activity{ActivityName: planted}
		return true
	})
	require.Error(t, err)
	require.NotContains(t, shows(err), planted)
}

// BenchmarkJoined is how many items a joiner takes on the store with 64 callers,
// each for users of its own, as the processor has it: a summary, details, and an
// edit for each activity. Beside it is a joiner in memory.
func BenchmarkJoined(b *testing.B) {
	h := open(b, pgtest.Schema(b))
	defer func() { require.NoError(b, h.Close()) }()
	for _, n := range []int{0, 600} {
		b.Run(fmt.Sprintf("samples=%d", n), func(b *testing.B) {
			samples := make([]types.Sample, n)
			for i := range samples {
				lat, hr := 47.07+float64(i)/1e5, 120+i%40
				samples[i] = types.Sample{StartTimeInSeconds: types.Timestamp(1767340800 + i), LatitudeInDegree: &lat, LongitudeInDegree: &lat, HeartRate: &hr}
			}
			var memory, tables time.Duration
			items, from := 0, walAt(b, h)
			for b.Loop() {
				memory += joinAll(b, join.New(join.NewMemory(nil)), samples)
				tables += joinAll(b, join.New(h.db.Joined()), samples)
				items += joinItems
			}
			b.ReportMetric(float64(items)/memory.Seconds(), "memory-items/s")
			b.ReportMetric(float64(items)/tables.Seconds(), "items/s")
			b.ReportMetric(float64(walAt(b, h)-from)/float64(items), "WAL-B/item")
		})
	}
}

const joinItems = senders * 3 * 10

// joinAll adds items from all callers.
func joinAll(b *testing.B, joiner *join.Joiner, samples []types.Sample) time.Duration {
	var all sync.WaitGroup
	start := time.Now()
	for caller := range senders {
		all.Go(func() {
			for i := range joinItems / senders {
				id := types.ID(fmt.Sprint(start.UnixNano(), i/3))
				var s types.Summary = &types.Activity{SummaryID: id, ActivityName: "Run"}
				switch i % 3 {
				case 1:
					s = &types.ActivityDetails{SummaryID: id + "-detail", Samples: samples}
				case 2:
					s = &types.ManualActivity{SummaryID: id, ActivityName: "Morning run"}
				}
				item := join.Item{User: types.UserID(fmt.Sprint("user", caller)), Order: uint64(i + 1), Revision: fmt.Sprint(i), Summary: s}
				if _, err := joiner.Add(b.Context(), item); err != nil {
					b.Error(err)
				}
			}
		})
	}
	all.Wait()
	return time.Since(start)
}

// TestJoinedDays holds that the days of JoinedRetention are those of UTC, whatever
// the time zone of a process's sessions: others have another one.
func TestJoinedDays(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	for zone, now := range map[string]string{"Pacific/Kiritimati": "2026-06-02 12:00+00", "Pacific/Pago_Pago": "2026-06-02 06:00+00"} {
		t.Run(zone, func(t *testing.T) {
			h := open(t, pgtest.Schema(t), func(cfg *pgxpool.Config) { cfg.ConnConfig.RuntimeParams["timezone"] = zone })
			defer func() { require.NoError(t, h.Close()) }()
			exec := func(text string) {
				t.Helper()
				_, err := h.pool.Exec(ctx, named(h.db.schema, text))
				require.NoError(t, err)
			}
			exec(`CREATE OR REPLACE FUNCTION {s}.clock() RETURNS timestamptz LANGUAGE sql VOLATILE AS $$SELECT '` + now + `'::timestamptz$$`)
			changed := func() (days []string) {
				t.Helper()
				err := h.pool.QueryRow(ctx, named(h.db.schema, `SELECT array(SELECT changed::text FROM {s}.joined ORDER BY changed)`)).Scan(&days)
				require.NoError(t, err)
				return days
			}
			details := func(id types.ID) {
				t.Helper()
				require.NoError(t, h.db.Joined().Update(ctx, join.Key{User: "u", ID: "1"}, func(r *join.Record) bool {
					r.Details = &types.ActivityDetails{SummaryID: id}
					return true
				}))
			}
			for _, update := range []func(){
				func() { change(t, h.db.Joined(), join.Key{User: "u", ID: "1"}, "x") },
				func() { change(t, h.db.Joined(), join.Key{User: "u", ID: "1"}, "y") },
				func() { details("z") },
			} {
				exec(`UPDATE {s}.joined SET changed = '2026-01-01'`)
				update()
				require.Equal(t, []string{"2026-06-02"}, changed())
			}
			exec(`UPDATE {s}.joined SET changed = '2026-06-01'`)
			change(t, h.db.Joined(), join.Key{User: "u", ID: "2"}, "x")
			exec(`UPDATE {s}.joined SET changed = '2026-05-31' WHERE id = '2'`)
			h.db.joins = 24 * time.Hour
			require.NoError(t, h.db.sweepJoined(ctx))
			require.Equal(t, []string{"2026-06-01"}, changed(), "a day is kept, and not two")
		})
	}
}
