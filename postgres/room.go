package postgres

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
)

// ErrFull means that the queue holds as much as Options.MaxBytes allows.
var ErrFull = errors.New("postgres: full")

// room tells whether there is room for more bodies.
type room struct {
	full atomic.Bool
	slow bool // to count takes longer than a statement may; of measure alone
}

const measureEvery = 2 * time.Second

// measures keeps room up to date.
func (q *Queue) measures() {
	for q.db.sleep(measureEvery) {
		if err := q.measure(q.db.ctx); err != nil && q.db.ctx.Err() == nil && !isDenied(err) {
			q.db.log.Warn("postgres: measuring the queue", "error", clean(err))
		}
	}
}

// rowCost is about what an item takes beside its bytes, with its index.
const rowCost = 200

// measure looks how much there is. What the tables take on the disk is found at
// once, but does not shrink when items are done: their place is used again. So
// the items are counted when the tables are large.
func (q *Queue) measure(ctx context.Context) error {
	if q.db.most == 0 {
		return nil
	}
	size, err := q.onDisk(ctx)
	if err == nil && size >= q.db.most {
		size, err = q.count(ctx)
	}
	if err != nil {
		return fmt.Errorf("postgres: measuring the queue: %w", clean(err))
	}
	q.room.full.Store(size >= q.db.most)
	return nil
}

func (q *Queue) onDisk(ctx context.Context) (size int64, err error) {
	ctx, cancel := q.db.call(ctx)
	defer cancel()
	err = q.db.pool.QueryRow(ctx, q.db.sql(tablesSQL)).Scan(&size)
	return size, err
}

// count counts bytes. If that takes longer than a statement may, it takes as long as
// it takes: without a result the queue would be full for ever, or never.
func (q *Queue) count(ctx context.Context) (size int64, err error) {
	if !q.room.slow {
		c, cancel := q.db.call(ctx)
		defer cancel()
		err := q.db.pool.QueryRow(c, q.db.sql(countSQL), rowCost).Scan(&size)
		if err == nil || c.Err() == nil || ctx.Err() != nil {
			return size, err
		}
		q.room.slow = true
	}
	ctx, cancel := q.db.long(ctx)
	defer cancel()
	err = beside(ctx, q.db.pool.Config(), func(conn *pgx.Conn) error {
		return conn.QueryRow(ctx, q.db.sql(countSQL), rowCost).Scan(&size)
	})
	return size, err
}

const countSQL = `SELECT ((SELECT coalesce(sum(CASE WHEN data IS NULL THEN 0 ELSE size END + $1), 0) FROM {s}.item)
+ (SELECT coalesce(sum(octet_length(data)), 0) FROM {s}.chunk)
+ (SELECT coalesce(sum(CASE WHEN data IS NULL THEN 0 ELSE size END + $1), 0) FROM {s}.letter_item))::bigint`

// tablesSQL is what the tables take on the disk.
const tablesSQL = `SELECT sum(pg_total_relation_size(t::regclass))::bigint
FROM unnest(ARRAY['{s}.item', '{s}.chunk', '{s}.large', '{s}.staged', '{s}.staged_list', '{s}.letter', '{s}.letter_item']) t`
