package postgres

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/garminkit/activityapi/notify"
)

// shares is into how many parts the users are divided. It is a part of the
// tables: who changes it must move all items.
const shares = 64

// Queue is a [notify.Queue] that several processes share. It is safe for
// concurrent use.
//
// Put splits a body and commits all its items together before it returns nil. If
// the connection is lost during the commit, it is not known whether the body was
// stored: Put returns an error, and Garmin sends the body again.
type Queue struct {
	db      *DB
	puts    puts
	large   chan struct{} // bounds the large bodies that are being stored
	bodies  numbers
	repeats repeats
	room    room
	settles chan *settling
	scans   chan *scan
	member  member
	news    news
}

var _ notify.Queue = (*Queue)(nil)

func newQueue(db *DB) *Queue {
	q := &Queue{
		db: db, puts: puts{more: make(chan struct{}, 1)}, large: make(chan struct{}, 4),
		settles: make(chan *settling), scans: make(chan *scan),
	}
	q.bodies.db, q.repeats.db = db, db
	q.bodies.busy = make(chan struct{}, 1)
	q.member.init(q)
	q.news.wake = make(chan struct{}, 1)
	return q
}

// start begins the work that goes on until the DB is closed.
func (q *Queue) start(ctx context.Context) error {
	if err := q.repeats.open(ctx); err != nil {
		return err
	}
	if err := q.measure(ctx); err != nil {
		return err
	}
	for range committers {
		q.db.tasks.Go(q.commits)
	}
	q.db.tasks.Go(q.settlesAll)
	for range scanners {
		q.db.tasks.Go(q.scansAll)
	}
	q.db.tasks.Go(q.tells)
	q.db.tasks.Go(q.sweeps)
	q.db.tasks.Go(q.vacuums)
	if q.db.repeat > 0 {
		q.db.tasks.Go(q.repeats.learns)
	}
	if q.db.most > 0 {
		q.db.tasks.Go(q.measures)
	}
	return nil
}

// numbers gives each body its own.
type numbers struct {
	db   *DB
	busy chan struct{} // has one while they are in use: a mutex would let nobody give up
	next int64
	left int
}

const block = 1024 // as in the sequence

func (n *numbers) take(ctx context.Context) (int64, error) {
	select {
	case n.busy <- struct{}{}:
	default: // another asks the server, or is about to be done
		c, cancel := n.db.call(ctx)
		defer cancel()
		select {
		case n.busy <- struct{}{}:
		case <-c.Done():
			return 0, fmt.Errorf("postgres: put: numbers of bodies: %w", n.db.reason(ctx, c.Err()))
		}
	}
	defer func() { <-n.busy }()
	if n.left == 0 {
		c, cancel := n.db.call(ctx)
		defer cancel()
		if err := n.db.pool.QueryRow(c, n.db.sql(`SELECT nextval('{s}.body_seq')`)).Scan(&n.next); err != nil {
			return 0, fmt.Errorf("postgres: put: numbers of bodies: %w", clean(err))
		}
		n.left = block
	}
	n.left--
	n.next++
	return n.next - 1, nil
}

// statsSQL counts what waits, and finds the oldest of each class by the primary
// key.
const statsSQL = `SELECT c.class, c.n, o.oldest
FROM (SELECT class, count(*) AS n FROM {s}.item GROUP BY class) c,
LATERAL (SELECT min(f.received) AS oldest FROM {s}.share s,
  LATERAL (SELECT received FROM {s}.item i WHERE i.share = s.share AND i.class = c.class ORDER BY id LIMIT 1) f) o`

// noJIT has the planner compile nothing: it takes a query over all shares for much
// work, and compiling one costs half a second.
const noJIT = `SELECT set_config('jit', 'off', true)`

// Check implements [notify.Queue]. It checks the settings of the server, as Open
// does, since after a failover the server may be a standby.
func (q *Queue) Check(ctx context.Context) error {
	ctx, cancel := q.db.call(ctx)
	defer cancel()
	return checkSettings(ctx, q.db.pool)
}

// Close does nothing: [DB.Close] ends the work of the queue.
func (q *Queue) Close() error { return nil }

// Stats implements [notify.Queue]. Bytes is the disk space of the tables.
func (q *Queue) Stats(ctx context.Context) (notify.QueueStats, error) {
	ctx, cancel := q.db.call(ctx)
	defer cancel()
	st, err := q.stats(ctx)
	if err != nil {
		return st, fmt.Errorf("postgres: stats: %w", clean(err))
	}
	return st, nil
}

func (q *Queue) stats(ctx context.Context) (st notify.QueueStats, err error) {
	var b pgx.Batch
	b.Queue(noJIT)
	b.Queue(q.db.sql(statsSQL))
	b.Queue(q.db.sql(`SELECT (SELECT count(*) FROM {s}.letter), (` + tablesSQL + `)`))
	res := q.db.pool.SendBatch(ctx, &b)
	defer func() { err = errors.Join(err, res.Close()) }()
	if _, err := res.Exec(); err != nil {
		return st, err
	}
	rows, err := res.Query()
	if err != nil {
		return st, err
	}
	var class int16
	var n int64
	var oldest time.Time
	if _, err := pgx.ForEachRow(rows, []any{&class, &n, &oldest}, func() error {
		if class >= 0 && class < notify.Classes {
			st.Items[class], st.Oldest[class] = n, oldest
		}
		return nil
	}); err != nil {
		return st, err
	}
	return st, res.QueryRow().Scan(&st.Letters, &st.Bytes)
}
