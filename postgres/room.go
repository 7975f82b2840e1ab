package postgres

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"
)

// ErrFull means that the queue holds as much as Options.MaxBytes allows.
var ErrFull = errors.New("postgres: full")

// room tells whether there is room for more bodies.
type room struct{ full atomic.Bool }

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
	ctx, cancel := q.db.call(ctx)
	defer cancel()
	var size int64
	err := q.db.pool.QueryRow(ctx, q.db.sql(tablesSQL)).Scan(&size)
	if err == nil && size >= q.db.most {
		err = q.db.pool.QueryRow(ctx, q.db.sql(`SELECT ((SELECT coalesce(sum(CASE WHEN data IS NULL THEN 0 ELSE size END + $1), 0) FROM {s}.item)
+ (SELECT coalesce(sum(octet_length(data)), 0) FROM {s}.chunk)
+ (SELECT coalesce(sum(CASE WHEN data IS NULL THEN 0 ELSE size END + $1), 0) FROM {s}.letter_item))::bigint`), rowCost).Scan(&size)
	}
	if err != nil {
		return fmt.Errorf("postgres: measuring the queue: %w", clean(err))
	}
	q.room.full.Store(size >= q.db.most)
	return nil
}

// tablesSQL is what the tables take on the disk.
const tablesSQL = `SELECT sum(pg_total_relation_size(t::regclass))::bigint
FROM unnest(ARRAY['{s}.item', '{s}.chunk', '{s}.large', '{s}.staged', '{s}.staged_list', '{s}.letter', '{s}.letter_item']) t`
