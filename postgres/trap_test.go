//go:build unix

package postgres

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"

	"github.com/garminkit/activityapi/internal/shareof"
	"github.com/garminkit/activityapi/notify"
	"github.com/garminkit/activityapi/postgres/internal/pgtest"
	"github.com/garminkit/activityapi/types"
)

// crew is a process that works on whatever shares it gets, and gives each back
// when it is wanted or lost.
type crew struct {
	h    *handle
	ctx  context.Context
	mu   sync.Mutex
	got  int
	has  map[int16]notify.Share
	ends chan struct{}
}

// works has a process take shares until the test ends. check, if any, is called
// with each share when it is had.
func works(ctx context.Context, h *handle, check func(*share)) *crew {
	c := &crew{h: h, ctx: ctx, has: map[int16]notify.Share{}, ends: make(chan struct{})}
	go func() {
		defer close(c.ends)
		var hands sync.WaitGroup
		defer hands.Wait()
		for s, err := range h.Shares(ctx) {
			if err != nil {
				return
			}
			if check != nil {
				check(s.(*share))
			}
			n := s.(*share).number
			c.mu.Lock()
			c.got, c.has[n] = c.got+1, s
			c.mu.Unlock()
			hands.Go(func() {
				select {
				case <-s.Wanted():
				case <-s.Context().Done():
				case <-ctx.Done():
				}
				c.mu.Lock()
				delete(c.has, n)
				c.mu.Unlock()
				s.Release()
			})
		}
	}()
	return c
}

// count is how many shares it has, and how many it ever had.
func (c *crew) count() (has, got int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.has), c.got
}

// even waits until all shares are divided evenly.
func even(t *testing.T, all ...*crew) {
	t.Helper()
	require.Eventually(t, func() bool {
		sum := 0
		for _, c := range all {
			has, _ := c.count()
			if has < shares/len(all) {
				return false
			}
			sum += has
		}
		return sum == shares
	}, time.Minute, time.Millisecond)
}

// gone waits until the server has ended the connections of the processes of a
// schema.
func gone(t *testing.T, pool *pgxpool.Pool, schema string) {
	t.Helper()
	require.Eventually(t, func() bool {
		var n int
		err := pool.QueryRow(t.Context(), `SELECT count(*) FROM pg_stat_activity WHERE application_name = $1`, schema).Scan(&n)
		return err == nil && n == 0
	}, time.Minute, 10*time.Millisecond)
}

// TestOutageMovesNothing has a database that was away for longer than a lease:
// who comes back first does not take what others had, only to give it back.
func TestOutageMovesNothing(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	schema, all := pgtest.Schema(t), []*crew{}
	for range 2 {
		h := openFor(t, schema, time.Hour)
		defer func() { require.NoError(t, h.Close()) }()
		all = append(all, works(ctx, h, nil))
		even(t, all...)
	}
	defer func() {
		cancel()
		for _, c := range all {
			<-c.ends
		}
	}()
	var before [2]int
	for i, c := range all {
		_, before[i] = c.count()
		c.h.net.cut(true)
	}
	pool := newPool(t, pgtest.URL(t))
	gone(t, pool, schema) // what was sent before is done
	_, err := pool.Exec(ctx, named(schema, `UPDATE {s}.member SET expires = clock_timestamp() - interval '1 second'`))
	require.NoError(t, err)
	for _, c := range all {
		m := &c.h.member
		m.mu.Lock()
		m.lapse("the lease was not renewed in time")
		m.mu.Unlock()
		signal(m.kick)
	}
	all[0].h.net.cut(false)
	require.Eventually(t, func() bool { has, got := all[0].count(); return got > before[0] && has >= shares/2 }, time.Minute, time.Millisecond)
	all[1].h.net.cut(false)
	even(t, all...)
	for i, c := range all {
		_, got := c.count()
		require.Equal(t, before[i]+shares/2, got, "process %d", i)
	}
}

// TestShareOfAnotherIsLost has the table give a share to somebody else: who
// thinks that it has it ends its work with the next beat.
func TestShareOfAnotherIsLost(t *testing.T) {
	t.Parallel()
	h := steady(t, pgtest.Schema(t))
	defer func() { require.NoError(t, h.Close()) }()
	lost := taken(t, h)[5]
	_, err := h.pool.Exec(t.Context(), h.db.sql(`INSERT INTO {s}.member (id, expires, works) VALUES (999, clock_timestamp() + interval '1 hour', true)`))
	require.NoError(t, err)
	_, err = h.pool.Exec(t.Context(), h.db.sql(`UPDATE {s}.share SET owner = 999, epoch = epoch + 1 WHERE share = 5`))
	require.NoError(t, err)
	signal(h.member.kick)
	select {
	case <-lost.Context().Done():
		require.ErrorIs(t, context.Cause(lost.Context()), notify.ErrLost)
	case <-time.After(h.db.lease / 3):
		require.Fail(t, "two have the share")
	}
}

// TestAnswerToAFormerSelf has the answer to a beat come after the process has
// lapsed: it is no member under a name that it has given up.
func TestAnswerToAFormerSelf(t *testing.T) {
	t.Parallel()
	h := steady(t, pgtest.Schema(t))
	defer func() { require.NoError(t, h.Close()) }()
	m := &h.member
	m.mu.Lock()
	m.looping = true
	m.mu.Unlock()
	m.learn(7, 7, time.Now(), map[int16]tenure{3: {epoch: 1}}, 1, nil)
	m.mu.Lock()
	defer m.mu.Unlock()
	require.Empty(t, m.granted)
	require.Zero(t, m.id)
	m.looping = false
}

// TestOneOwner has processes whose answers are lost, whose connections break and
// which lapse, at random: no two have a share at once, and in the end all shares
// are worked on again.
func TestOneOwner(t *testing.T) {
	t.Parallel()
	const processes = 3
	d := 3 * time.Second
	if testing.Short() {
		d = time.Second
	}
	ctx, cancel := context.WithCancel(t.Context())
	schema, all := pgtest.Schema(t), []*crew{}
	var mu sync.Mutex
	owner := map[int16]*share{}
	for range processes {
		h := open(t, schema)
		defer func() { require.NoError(t, h.Close()) }()
		all = append(all, works(ctx, h, func(s *share) {
			mu.Lock()
			defer mu.Unlock()
			if o := owner[s.number]; o != nil && o.Context().Err() == nil {
				t.Errorf("share %d is with two, by the epochs %d and %d", s.number, o.epoch, s.epoch)
			}
			owner[s.number] = s
		}))
	}
	defer func() {
		cancel()
		for _, c := range all {
			<-c.ends
		}
	}()
	var faults sync.WaitGroup
	end := time.Now().Add(d)
	for i, c := range all {
		faults.Go(func() {
			r := rand.New(rand.NewPCG(1, uint64(i)))
			for tick := time.NewTicker(5 * time.Millisecond); time.Now().Before(end); <-tick.C {
				switch r.IntN(8) {
				case 0:
					c.h.net.breaks(errors.New("the answer is lost"))
				case 1:
					c.h.net.cut(true)
					c.h.net.cut(false)
				case 2:
					m := &c.h.member
					m.mu.Lock()
					m.lapse("it was slow")
					m.mu.Unlock()
				default:
					c.h.net.breaks(nil)
				}
				signal(c.h.member.kick)
			}
			c.h.net.breaks(nil)
		})
	}
	faults.Wait()
	even(t, all...)
}

// TestNothingIsToldInTheInsert holds that a transaction which stores bodies, or
// settles them, does not NOTIFY: that takes a lock of the whole database until
// the commit is on the disk. Who has all shares has nobody to tell.
func TestNothingIsToldInTheInsert(t *testing.T) {
	t.Parallel()
	ctx, h := t.Context(), steady(t, pgtest.Schema(t))
	defer func() { require.NoError(t, h.Close()) }()
	all := taken(t, h)
	conn, err := pgx.Connect(ctx, pgtest.URL(t))
	require.NoError(t, err)
	defer func() { _ = conn.Close(context.WithoutCancel(ctx)) }()
	_, err = conn.Exec(ctx, `LISTEN `+pgx.Identifier{h.db.channel()}.Sanitize())
	require.NoError(t, err)
	for i, size := range []int{1, 2 * small} {
		require.NoError(t, h.Put(ctx, strings.NewReader(fmt.Sprintf(`{"activities":[{"userId":"u","summaryId":"%d","pad":%q}]}`, i, strings.Repeat("x", size)))))
	}
	s := all[int16(shareof.User("u", shares))]
	items, err := s.Scan(ctx, notify.ClassPush, 0, 10)
	require.NoError(t, err)
	require.Len(t, items, 2)
	require.NoError(t, s.Settle(ctx, []notify.Verdict{{ID: items[0].ID, Fate: notify.Done}, {ID: items[1].ID, Fate: notify.Buried, Letter: &notify.DeadLetter{Key: "activities"}}}))
	_, err = h.pool.Exec(ctx, `SELECT pg_notify($1, 'the end')`, h.db.channel())
	require.NoError(t, err)
	for {
		note, err := conn.WaitForNotification(ctx)
		require.NoError(t, err)
		if note.Payload == "the end" {
			return
		}
		// Of the time when the shares were divided.
		require.True(t, strings.HasSuffix(note.Payload, " kick"), note.Payload)
	}
}

// TestSchemasAreApart holds that two schemas of a database have nothing in
// common: no lock of one is in the way of the other, and neither hears the other.
func TestSchemasAreApart(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	a, b := steady(t, pgtest.Schema(t)), steady(t, pgtest.Schema(t))
	defer func() { require.NoError(t, a.Close()); require.NoError(t, b.Close()) }()
	require.NotEqual(t, a.db.channel(), b.db.channel())
	require.NotEqual(t, a.db.turns(), b.db.turns())
	tx, err := newPool(t, pgtest.URL(t)).Begin(ctx)
	require.NoError(t, err)
	defer func() { _ = tx.Rollback(context.WithoutCancel(ctx)) }()
	for _, what := range []string{"append", "member", "sweep", "migrate"} {
		_, err = tx.Exec(ctx, `SELECT pg_advisory_xact_lock($1)`, lockKey(a.db.schema, what))
		require.NoError(t, err)
	}
	for i, size := range []int{1, 2 * small} {
		require.NoError(t, b.Put(ctx, strings.NewReader(fmt.Sprintf(`{"activities":[{"userId":"u","summaryId":"%d","pad":%q}]}`, i, strings.Repeat("x", size)))))
	}
	require.NoError(t, Migrate(ctx, b.pool, b.db.schema))
	require.NoError(t, b.sweep(ctx))
	require.Equal(t, 2, drained(t, b.Queue, 2))
}

// TestLongTransactionHoldsNothingUp has a transaction of somebody else open for
// long: what is stored meanwhile is handed out.
func TestLongTransactionHoldsNothingUp(t *testing.T) {
	t.Parallel()
	ctx, h := t.Context(), steady(t, pgtest.Schema(t))
	defer func() { require.NoError(t, h.Close()) }()
	tx, err := newPool(t, pgtest.URL(t)).Begin(ctx)
	require.NoError(t, err)
	defer func() { _ = tx.Rollback(context.WithoutCancel(ctx)) }()
	var id int64
	require.NoError(t, tx.QueryRow(ctx, `SELECT txid_current()`).Scan(&id))
	s := taken(t, h)[int16(shareof.User("u", shares))]
	require.NoError(t, h.Put(ctx, strings.NewReader(`{"activities":[{"userId":"u","summaryId":"1"}]}`)))
	items, err := s.Scan(ctx, notify.ClassPush, 0, 10)
	require.NoError(t, err)
	require.Len(t, items, 1)
}

// TestItemsGoByIndex holds that receiving, scanning, trying again, burying and
// settling find an item by its key, however few items there are: a plan that reads
// all of a share is fast with ten items, and is kept when there are a million.
func TestItemsGoByIndex(t *testing.T) {
	t.Parallel()
	const n = 300
	ctx, schema := t.Context(), pgtest.Schema(t)
	// For the planner it costs nothing to read a whole table.
	h := steady(t, schema, func(cfg *pgxpool.Config) {
		for _, cost := range []string{"seq_page_cost", "cpu_tuple_cost", "cpu_operator_cost"} {
			cfg.ConnConfig.RuntimeParams[cost] = "0"
		}
	})
	s := taken(t, h)[int16(shareof.User("u", shares))]
	s.suspects.died = time.Now().Add(time.Hour) // each item is looked at as one that may kill
	for i := range n {
		require.NoError(t, h.Put(ctx, strings.NewReader(fmt.Sprintf(`{"activities":[{"userId":"u","summaryId":"%d"}]}`, i))))
	}
	items, err := s.Scan(ctx, notify.ClassPush, 0, 1000)
	require.NoError(t, err)
	require.Len(t, items, n)
	var ids []notify.ItemID
	for i, it := range items {
		ids = append(ids, it.ID)
		s.suspects.items[it.ID] = true
		r, err := s.Open(ctx, it.ID)
		require.NoError(t, err)
		require.NoError(t, r.Close())
		require.NoError(t, s.Settle(ctx, []notify.Verdict{{ID: it.ID, Fate: notify.Again, Attempts: 1, Next: time.Now()}}))
		if i%10 == 0 {
			require.NoError(t, h.poll(ctx))
			_, err = s.Load(ctx, ids[i:])
			require.NoError(t, err)
		}
	}
	for i := range s.suspects.begun {
		s.suspects.begun[i].at = time.Time{}
	}
	require.NoError(t, h.clearSuspects(ctx))
	for _, id := range ids[:n/2] {
		require.NoError(t, s.Settle(ctx, []notify.Verdict{{ID: id, Fate: notify.Buried, Letter: &notify.DeadLetter{Key: "activities"}}}))
	}
	for i := n / 2; i < n; i += 2 {
		require.NoError(t, s.Settle(ctx, []notify.Verdict{{ID: ids[i], Fate: notify.Done}}))
		require.NoError(t, s.Settle(ctx, []notify.Verdict{{ID: ids[i+1], Fate: notify.Done}, {ID: ids[n-1], Fate: notify.Again}}))
	}
	require.NoError(t, h.Close())
	pool := newPool(t, pgtest.URL(t))
	gone(t, pool, schema) // what a connection has counted is told when it ends
	var whole, byKey int64
	// Each index was made by a scan.
	require.NoError(t, pool.QueryRow(ctx, `SELECT t.seq_scan - (SELECT count(*) FROM pg_index x WHERE x.indrelid = t.relid), i.idx_tup_read FROM pg_stat_user_tables t JOIN pg_stat_user_indexes i USING (relid)
WHERE t.schemaname = $1 AND t.relname = 'item' AND i.indexrelname = 'item_pkey'`, schema).Scan(&whole, &byKey))
	require.Zero(t, whole, "the table was read as a whole")
	require.Positive(t, byKey)
	require.Less(t, byKey, int64(20*n), "each of %d items was read by several statements", n)
}

// TestQueueKeepsBytes holds that an item and a letter are what was sent, NUL and
// what is no UTF-8 included, wherever a body has them. PostgreSQL's text and jsonb
// take neither.
func TestQueueKeepsBytes(t *testing.T) {
	t.Parallel()
	ctx, h := t.Context(), steady(t, pgtest.Schema(t))
	defer func() { require.NoError(t, h.Close()) }()
	all := taken(t, h)
	for name, body := range map[string]string{
		"user":       `{"activities":[{"userId":"a\u0000b","summaryId":"\u0000"}]}`,
		"surrogate":  `{"activities":[{"userId":"a\ud800b","summaryId":"\udc00"}]}`,
		"raw bytes":  "{\"activities\":[{\"userId\":\"u\",\"summaryId\":\"s\",\"deviceName\":\"\xff\xfe\x80\"}]}",
		"raw user":   "{\"activities\":[{\"userId\":\"\xffu\",\"summaryId\":\"s\xc3\"}]}",
		"key":        `{"new\u0000Things":[{"userId":"u"}]}`,
		"raw key":    "{\"new\xff\xc3Things\":[{\"userId\":\"u\"}]}",
		"no body":    "\x00\xff",
		"large user": fmt.Sprintf(`{"activities":[{"userId":"a\u0000b","summaryId":"\u0000","pad":%q}]}`, strings.Repeat("x", 2*small)),
		"large key":  fmt.Sprintf("{\"new\xff\xc3Things\":[{\"userId\":\"u\",\"pad\":%q}]}", strings.Repeat("x", 2*small)),
	} {
		// What the splitter makes of it is what has to come.
		var want []notify.Piece
		var split notify.Splitter
		for p, err := range split.Split(strings.NewReader(body)) {
			require.NoError(t, err, name)
			want = append(want, p)
		}
		require.NotEmpty(t, want, name)
		require.NoError(t, h.Put(ctx, strings.NewReader(body)), name)
		check := func() (s *share, id notify.ItemID) {
			p := want[0]
			s = all[int16(shareof.User(p.UserID, shares))]
			items, err := s.Scan(ctx, p.Class, 0, 10)
			require.NoError(t, err, name)
			require.Len(t, items, 1, name)
			it := items[0]
			require.Equal(t, p.Key, it.Key, name)
			require.Equal(t, p.UserID, it.UserID, name)
			require.Equal(t, p.Touch, it.Touch, name)
			r, err := s.Open(ctx, it.ID)
			require.NoError(t, err, name)
			defer func() { require.NoError(t, r.Close()) }()
			raw, err := io.ReadAll(r)
			require.NoError(t, err, name)
			require.Equal(t, body[p.Offset:p.Offset+p.Size], string(raw), name)
			return s, it.ID
		}
		s, id := check()
		reason := "it has \x00 and \xff"
		require.NoError(t, s.Settle(ctx, []notify.Verdict{{ID: id, Fate: notify.Again, Attempts: 1, Reason: reason}}), name)
		require.NoError(t, s.Settle(ctx, []notify.Verdict{{ID: id, Fate: notify.Buried, Letter: &notify.DeadLetter{
			Key: want[0].Key, UserID: want[0].UserID, Reason: reason, Items: 1,
		}}}), name)
		letters := 0
		for l, err := range h.Letters(ctx, &notify.LetterFilter{Key: want[0].Key, UserID: want[0].UserID}) {
			require.NoError(t, err, name)
			letters++
			require.Equal(t, reason, l.Reason, name)
			require.Equal(t, want[0].Key, l.Key, name)
			require.Equal(t, want[0].UserID, l.UserID, name)
			require.NoError(t, h.Redrive(ctx, l.ID), name)
		}
		require.Equal(t, 1, letters, name)
		p := want[0]
		s = all[int16(shareof.User(p.UserID, shares))]
		items, err := s.Scan(ctx, p.Class, 0, 10)
		require.NoError(t, err, name)
		require.Len(t, items, 1, name)
		require.Equal(t, p.Key, items[0].Key, name)
		require.Equal(t, p.UserID, items[0].UserID, name)
		r, err := s.Open(ctx, items[0].ID)
		require.NoError(t, err, name)
		raw, err := io.ReadAll(r)
		require.NoError(t, err, name)
		require.NoError(t, r.Close())
		require.Equal(t, body[p.Offset:p.Offset+p.Size], string(raw), name)
		require.NoError(t, s.Settle(ctx, []notify.Verdict{{ID: items[0].ID, Fate: notify.Done}}), name)
	}
}

// TestSettingsEndWithTheirTransaction holds that no setting of ours stays in a
// session: behind a pooler the next transaction in it is somebody else's, and
// without a wait for the disk it would be lost.
func TestSettingsEndWithTheirTransaction(t *testing.T) {
	t.Parallel()
	ctx, h := t.Context(), steady(t, pgtest.Schema(t))
	defer func() { require.NoError(t, h.Close()) }()
	all := taken(t, h)
	for i, size := range []int{1, 1, 1, 2 * small} {
		require.NoError(t, h.Put(ctx, strings.NewReader(fmt.Sprintf(`{"activities":[{"userId":"u","summaryId":"%d","pad":%q}]}`, i, strings.Repeat("x", size)))))
	}
	s := all[int16(shareof.User("u", shares))]
	items, err := s.Scan(ctx, notify.ClassPush, 0, 10)
	require.NoError(t, err)
	for i, v := range []notify.Verdict{{Fate: notify.Done}, {Fate: notify.Again}, {Fate: notify.Buried, Letter: &notify.DeadLetter{Key: "activities"}}} {
		v.ID = items[i].ID
		require.NoError(t, s.Settle(ctx, []notify.Verdict{v}))
	}
	_, err = h.Stats(ctx)
	require.NoError(t, err)
	require.NoError(t, h.poll(ctx))
	require.NoError(t, h.sweep(ctx))
	_, err = h.db.Ledger().Claim(ctx, "u")
	require.NoError(t, err)
	require.NoError(t, h.db.Ledger().Arrived(ctx, "u", types.KindActivities, time.Now()))
	conns := h.pool.AcquireAllIdle(ctx)
	require.NotEmpty(t, conns)
	for _, c := range conns {
		var left []string
		require.NoError(t, c.QueryRow(ctx, `SELECT array_agg(name || ' = ' || setting) FROM pg_settings
WHERE source = 'session' AND name NOT IN ('application_name', 'client_encoding')`).Scan(&left))
		require.Empty(t, left)
		c.Release()
	}
}
