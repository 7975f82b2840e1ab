package postgres

import (
	"context"
	"crypto/sha256"
	"fmt"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/garminkit/activityapi/internal/redelivery"
)

// repeats are the bodies that were received by all processes, as far as this
// one knows. What was stored since it last looked is looked up by the statement
// that stores.
type repeats struct {
	db *DB

	mu   sync.Mutex
	seen *redelivery.Memory // nil if each body is new
	last int64              // up to where the table was read
}

// learnEvery is how often a process reads what is new.
const learnEvery = time.Second

// has tells whether the body was received, and is on the disk. Those that were
// received before bodies were sealed have plain sums.
func (r *repeats) has(sum [sha256.Size]byte) bool {
	keyed := sum
	if k := r.db.sealing.keys; k != nil {
		keyed = k.keyed(sum)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.seen != nil && (r.seen.Has(keyed, time.Now()) || keyed != sum && r.seen.Has(sum, time.Now()))
}

func (r *repeats) since() int64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.last
}

// open reads what can be remembered of what there is.
func (r *repeats) open(ctx context.Context) error {
	if r.db.repeat == 0 {
		return nil
	}
	r.mu.Lock()
	r.seen = redelivery.New(r.db.repeat, 0)
	r.mu.Unlock()
	var last int64
	err := r.db.pool.QueryRow(ctx, r.db.sql(`SELECT coalesce(max(id), 0) - $1 FROM {s}.repeat`), redelivery.Most).Scan(&last)
	r.mu.Lock()
	r.last = last
	r.mu.Unlock()
	for more := err == nil; more && err == nil; {
		more, err = r.learn(ctx)
	}
	if err != nil && !isDenied(err) { // a role without the queue has no use for it
		return fmt.Errorf("postgres: reading which bodies were received: %w", clean(err))
	}
	return nil
}

// learns reads what is new, now and then.
func (r *repeats) learns() {
	for r.db.sleep(learnEvery) {
		for more := true; more; {
			var err error
			if more, err = r.learn(r.db.ctx); err != nil && r.db.ctx.Err() == nil && !isDenied(err) {
				r.db.log.Warn("postgres: reading which bodies were received", "error", clean(err))
			}
		}
	}
}

// repeatPage is how many commits are read at a time.
const repeatPage = 10_000

// received is a commit.
type received struct {
	ID   int64
	At   time.Time
	Sums []byte
	Mark string
}

// learn reads a page, and reports whether there may be more.
func (r *repeats) learn(ctx context.Context) (more bool, err error) {
	ctx, cancel := r.db.call(ctx)
	defer cancel()
	since := r.since()
	// What is seen may not be on the disk yet. The message is behind it, and the
	// call returns when that is.
	rows, err := r.db.pool.Query(ctx, r.db.sql(`SELECT id, at, sums, (SELECT pg_logical_emit_message(true, 'activityapi', ''))::text
FROM {s}.repeat WHERE id > $1 ORDER BY id LIMIT $2`), since, repeatPage)
	if err != nil {
		return false, err
	}
	page, err := pgx.CollectRows(rows, pgx.RowToStructByPos[received])
	if err != nil || len(page) == 0 {
		return false, err
	}
	for _, c := range page {
		r.add(c)
	}
	return len(page) == repeatPage, nil
}

// add remembers a commit that is on the disk, as are all before it that are not
// remembered yet and come first.
func (r *repeats) add(c received) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if c.ID <= r.last {
		return
	}
	for b := c.Sums; len(b) >= sumSize; b = b[sumSize:] {
		var sum [sha256.Size]byte
		copy(sum[:], b[:sumSize])
		if !r.seen.Has(sum, c.At) {
			r.seen.Add(sum, c.At)
		}
	}
	r.last = c.ID
}
