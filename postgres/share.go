package postgres

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/garminkit/activityapi/notify"
	"github.com/garminkit/activityapi/types"
)

// share is a share while it is ours.
type share struct {
	right
	q        *Queue
	ctx      context.Context
	cancel   context.CancelCauseFunc
	changed  chan struct{}
	wanted   chan struct{}
	gone     atomic.Bool                  // released
	high     [notify.Classes]atomic.Int64 // what was scanned
	fresh    [notify.Classes]atomic.Bool  // there may be something behind end
	end      [notify.Classes]atomic.Int64 // nothing was behind it when fresh was cleared
	suspects suspects

	back bool // wanted is closed; under the lock of member
}

var _ notify.Share = (*share)(nil)

func newShare(q *Queue, r right, died time.Time) *share {
	s := &share{right: r, q: q, changed: make(chan struct{}, 1), wanted: make(chan struct{}), suspects: suspects{died: died}}
	for c := range s.fresh {
		s.fresh[c].Store(true)
	}
	s.ctx, s.cancel = context.WithCancelCause(context.Background())
	return s
}

func (s *share) Context() context.Context { return s.ctx }
func (s *share) Changed() <-chan struct{} { return s.changed }
func (s *share) Wanted() <-chan struct{}  { return s.wanted }

// Release implements [notify.Share]. The table hears of it with the next beat,
// which comes at once.
func (s *share) Release() {
	s.gone.Store(true)
	s.lose("it was released")
	m := &s.q.member
	m.mu.Lock()
	defer m.mu.Unlock()
	m.released(s)
}

// fail makes the error of a call of one that clean has seen, or of ours.
func (s *share) fail(what string, err error) error {
	if isLost(err) {
		err = notify.ErrLost
	}
	return fmt.Errorf("postgres: %s: %w", what, err)
}

// atHand is up to which size an item comes with its bytes.
const atHand = 8 << 10

// itemSQL are the columns that scanItem reads. The bytes of a small item of a
// large body are cut out of its chunks: reading them one by one costs much more. Of
// sealed chunks these are whole segments.
var itemSQL = fmt.Sprintf(`i.id, coalesce(i.ord, i.id) AS ord, i.body, i.received, i.key, i.idx, i.off, i.size, i.user_id, i.touch, i.attempts, i.next,
i.data IS NULL AS apart, CASE WHEN i.size > %d THEN NULL WHEN i.data IS NOT NULL THEN i.data ELSE
  (SELECT string_agg(CASE WHEN c.sealed THEN substring(c.data FROM p.first / %[3]d * %[4]d + 1 FOR ((p.last - 1) / %[3]d - p.first / %[3]d + 1) * %[4]d)
    ELSE substring(c.data FROM p.first + 1 FOR p.last - p.first) END, ''::bytea ORDER BY c.n)
  FROM {s}.chunk c, LATERAL (SELECT greatest(i.off - c.n::bigint * %[2]d, 0)::integer AS first, least(i.off + i.size - c.n::bigint * %[2]d, %[2]d)::integer AS last) p
  WHERE c.body = i.body AND c.n BETWEEN i.off / %[2]d AND (i.off + i.size - 1) / %[2]d) END AS bytes`, atHand, chunkSize, segmentSize, segmentSealed)

// byIndex makes the planner go by the primary key, and keep that plan: it would
// else plan for a table that was empty a moment ago, or each scan anew, which
// takes longer than the scan.
const byIndex = noJIT + `, set_config('enable_seqscan', 'off', true), set_config('enable_bitmapscan', 'off', true), set_config('plan_cache_mode', 'force_generic_plan', true)`

// one sends a statement that finds an item or some by the primary key, and scans
// its row if there is something to scan to.
func (db *DB) one(ctx context.Context, text string, args []any, to ...any) error {
	ctx, cancel := db.call(ctx)
	defer cancel()
	var b pgx.Batch
	b.Queue(byIndex)
	q := b.Queue(db.sql(text), args...)
	if len(to) > 0 {
		q.QueryRow(func(row pgx.Row) error { return row.Scan(to...) })
	}
	return clean(db.pool.SendBatch(ctx, &b).Close())
}

// read runs a query whose rows are whether a right holds, and an item if there
// is one. each is called with the number of the right in the query.
func (q *Queue) read(ctx context.Context, each func(n int, held bool, it *notify.Item), text string, args ...any) error {
	ctx, cancel := q.db.call(ctx)
	defer cancel()
	var b pgx.Batch
	b.Queue(byIndex)
	b.Queue(q.db.sql(text), args...)
	res := q.db.pool.SendBatch(ctx, &b)
	defer func() { _ = res.Close() }()
	if _, err := res.Exec(); err != nil {
		return clean(err)
	}
	rows, err := res.Query()
	if err != nil {
		return clean(err)
	}
	defer rows.Close()
	var scratch []byte
	for rows.Next() {
		n, held, it, err := q.db.sealing.scanItem(rows, &scratch)
		if err != nil {
			return clean(err)
		}
		each(n, held, it)
	}
	return clean(rows.Err())
}

// scanItem reads a row. it is nil if there is no item. The bytes of one that is
// damaged are left out: who opens it hears of it.
func (sl *sealing) scanItem(rows pgx.Rows, scratch *[]byte) (n int, held bool, it *notify.Item, err error) {
	var id, ord, body, off, size *int64
	var received, next *time.Time
	var key, user, touch, data []byte
	var idx, attempts *int32
	var apart *bool
	if err := rows.Scan(&n, &held, &id, &ord, &body, &received, &key, &idx, &off, &size, &user, &touch, &attempts, &next, &apart, &data); err != nil {
		return n, false, nil, err
	}
	if id == nil {
		return n, held, nil, nil
	}
	it = &notify.Item{ID: notify.ItemID(*id), Order: uint64(*ord), Body: uint64(*body), Received: *received, Attempts: int(*attempts), Raw: data}
	it.Piece = notify.Piece{Class: classOf(*id), Key: string(key), Index: int(*idx), Offset: *off, Size: *size, UserID: types.UserID(user)}
	if it.Touch, err = sl.openTouch(touch); err != nil {
		return n, held, nil, err
	}
	switch {
	case int64(len(data)) <= *size: // They are not sealed.
	case *apart:
		// An item is kept for long, and must not keep all that it stood in.
		var text []byte
		if text, err = sl.openChunk(*scratch, data, *body, *off); err == nil {
			it.Raw, *scratch = slices.Clone(text[:min(*size, int64(len(text)))]), text
		}
	default:
		it.Raw, err = sl.openItem(data, *body, *off, *size)
	}
	if err == errDamaged {
		it.Raw, err = nil, nil
	}
	if err != nil {
		return n, held, nil, err
	}
	if next != nil {
		it.Next = *next
	}
	return n, held, it, nil
}

// classOf is a part of each item's ID.
func classOf(id int64) notify.Class { return notify.Class(id & 7) }

// Load implements [notify.Share].
func (s *share) Load(ctx context.Context, ids []notify.ItemID) ([]*notify.Item, error) {
	if s.gone.Load() {
		return nil, s.fail("load", notify.ErrLost)
	}
	classes, numbers := split(ids)
	var all []*notify.Item
	lost := true
	err := s.q.read(ctx, func(_ int, held bool, it *notify.Item) {
		lost = lost && !held
		if it != nil {
			all = append(all, it)
		}
	}, `SELECT 0, f.epoch = $4, i.* FROM {s}.share f LEFT JOIN LATERAL (
  SELECT i.* FROM unnest($2::smallint[], $3::bigint[]) d (class, id),
  LATERAL (SELECT `+itemSQL+` FROM {s}.item i WHERE i.share = $1 AND i.class = d.class AND i.id = d.id OFFSET 0) i) i ON f.epoch = $4 WHERE f.share = $1`, s.number, classes, numbers, s.epoch)
	if err == nil && lost {
		err = notify.ErrLost
	}
	if err != nil {
		return nil, s.fail("load", err)
	}
	s.suspects.hide(all)
	return all, nil
}

// split gives IDs as the tables have them.
func split(ids []notify.ItemID) (classes []int16, numbers []int64) {
	classes, numbers = make([]int16, len(ids)), make([]int64, len(ids))
	for i, id := range ids {
		classes[i], numbers[i] = int16(classOf(int64(id))), int64(id)
	}
	return classes, numbers
}

// Open implements [notify.Share]. ctx is that of the reading too.
func (s *share) Open(ctx context.Context, id notify.ItemID) (io.ReadCloser, error) {
	if s.gone.Load() {
		return nil, s.fail("open", notify.ErrLost)
	}
	if err := s.suspects.begin(ctx, s, id); err != nil {
		return nil, s.fail("open", err)
	}
	var held bool
	var body, off, size *int64
	var data []byte
	err := s.q.db.one(ctx, `SELECT f.epoch = $2, i.body, i.off, i.size, i.data FROM {s}.share f
LEFT JOIN {s}.item i ON f.epoch = $2 AND i.share = f.share AND i.class = $3 AND i.id = $4 WHERE f.share = $1`,
		[]any{s.number, s.epoch, int16(classOf(int64(id))), int64(id)}, &held, &body, &off, &size, &data)
	switch {
	case err != nil && !errors.Is(err, pgx.ErrNoRows):
		return nil, s.fail("open", err)
	case !held:
		return nil, s.fail("open", notify.ErrLost)
	case body == nil:
		return nil, s.fail("open", fmt.Errorf("item %d: %w", id, fs.ErrNotExist))
	}
	r, err := s.q.db.bytes(ctx, *body, *off, *size, data)
	if err != nil {
		return nil, s.fail("open", err)
	}
	return io.NopCloser(r), nil
}

// bytes reads an item's bytes from where they are.
func (db *DB) bytes(ctx context.Context, body, off, size int64, data []byte) (io.Reader, error) {
	if data == nil {
		return &section{db: db, ctx: ctx, body: body, off: off, left: size}, nil
	}
	data, err := db.sealing.openItem(data, body, off, size)
	if err != nil {
		return nil, err
	}
	return bytes.NewReader(data), nil
}
