package postgres

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/garminkit/activityapi/backfill"
	"github.com/garminkit/activityapi/types"
)

// ledger is the [backfill.Ledger] of all processes.
type ledger struct{ db *DB }

var _ backfill.Ledger = (*ledger)(nil)

// Ledger returns the ledger of all processes. A claim ends Options.Lease after
// the last sign of life of its process.
func (db *DB) Ledger() backfill.Ledger { return &ledger{db} }

// Close does nothing: the connections are those of the DB.
func (*ledger) Close() error { return nil }

// Claim implements [backfill.Ledger].
func (l *ledger) Claim(ctx context.Context, userID types.UserID) (backfill.Claim, error) {
	h := &l.db.holder
	me, err := h.join(ctx)
	if err != nil {
		return nil, err
	}
	c := &userClaim{h: h, userID: userID, nr: h.next()}
	c.ctx, c.end = context.WithCancelCause(context.WithoutCancel(ctx))
	h.mu.Lock()
	h.claims[c.nr] = c
	h.mu.Unlock()
	var mine bool
	err = l.db.do(ctx, "claim", again, func(ctx context.Context) error {
		return l.db.pool.QueryRow(ctx, l.db.sql(`SELECT {s}.claim_user($1, $2, $3)`), []byte(userID), me, c.nr).Scan(&mine)
	})
	if err == nil && !mine {
		err = fmt.Errorf("postgres: %w: %s", backfill.ErrBusy, userID)
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if err == nil && c.ctx.Err() != nil {
		err = c.lost() // it took too long
	}
	if err != nil {
		if h.claims[c.nr] != nil {
			h.lose(c) // the answer may have been lost
		}
		return nil, err
	}
	c.has = true
	return c, nil
}

// lost is why a claim's context ends.
func (c *userClaim) lost() error {
	return fmt.Errorf("postgres: %w: the claim on %s was lost", backfill.ErrBusy, c.userID)
}

// Context implements [backfill.Claim].
func (c *userClaim) Context() context.Context { return c.ctx }

// Release implements [backfill.Claim]. If the database cannot be told, the beats
// tell it later.
func (c *userClaim) Release() {
	h := c.h
	h.mu.Lock()
	held := h.claims[c.nr] != nil
	delete(h.claims, c.nr)
	id := h.id
	h.mu.Unlock()
	if !held {
		return
	}
	c.end(nil)
	ctx, cancel := context.WithTimeout(context.WithoutCancel(c.ctx), 5*time.Second)
	defer cancel()
	err := h.db.do(ctx, "release", again, func(ctx context.Context) error {
		_, err := h.db.pool.Exec(ctx, h.db.sql(`DELETE FROM {s}.user_claim WHERE user_id = $1 AND holder = $2 AND nr = $3`), []byte(c.userID), id, c.nr)
		return err
	})
	if err != nil {
		h.mu.Lock()
		h.ended = append(h.ended, c.nr)
		h.mu.Unlock()
	}
}

// Save implements [backfill.Claim]. It is one statement, which the row of the
// claim lets in.
func (c *userClaim) Save(ctx context.Context, chunks ...*backfill.Chunk) error {
	if err := backfill.CheckChunks(c.userID, chunks); err != nil {
		return err
	}
	h := c.h
	h.mu.Lock()
	held, id := h.claims[c.nr] != nil, h.id
	h.mu.Unlock()
	if !held {
		return c.lost()
	}
	args := chunkArgs(c.userID, id, c.nr, chunks)
	err := h.db.do(ctx, "save", again, func(ctx context.Context) error {
		_, err := h.db.pool.Exec(ctx, h.db.sql(`SELECT {s}.save_history($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)`), args...)
		return err
	})
	var pg *pgconn.PgError
	switch {
	case isLost(err):
		h.mu.Lock()
		if h.claims[c.nr] != nil {
			h.lose(c)
		}
		h.mu.Unlock()
		return c.lost()
	case errors.As(err, &pg) && pg.Code == "AL002":
		return fmt.Errorf("postgres: save: chunks of user %s overlap", c.userID)
	}
	return err
}

// Forget implements [backfill.Ledger]. Who counts an arrival at that moment holds
// its chunk, so that the arrivals are removed after it.
func (l *ledger) Forget(ctx context.Context, userID types.UserID) error {
	h := &l.db.holder
	held := h.claimsOn(userID)
	err := l.db.do(ctx, "forget", again, func(ctx context.Context) error {
		var b pgx.Batch
		for _, table := range []string{"user_claim", "history", "arrival"} {
			b.Queue(l.db.sql(`DELETE FROM {s}.`+table+` WHERE user_id = $1`), []byte(userID))
		}
		return l.db.pool.SendBatch(ctx, &b).Close()
	})
	if err != nil {
		return err
	}
	// Other processes learn it with their next beat.
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, c := range held {
		if h.claims[c.nr] != nil {
			h.lose(c)
		}
	}
	return nil
}

// arrivedSQL counts a start if its chunk was requested. It keeps the chunk from
// being removed meanwhile.
const arrivedSQL = `WITH c AS MATERIALIZED (SELECT stop, requested FROM {s}.history WHERE user_id = $1 AND kind = $2 AND start <= $3 ORDER BY start DESC LIMIT 1 FOR KEY SHARE)
INSERT INTO {s}.arrival (user_id, kind, at) SELECT $1, $2, $3 FROM c WHERE stop > $3 AND requested IS NOT NULL ON CONFLICT DO NOTHING`

// Arrived implements [backfill.Ledger]. A power cut may undo it, so nobody waits
// for the disk.
func (l *ledger) Arrived(ctx context.Context, userID types.UserID, kind types.Kind, start time.Time) error {
	n, ok := numberOf(kind)
	if !ok {
		return nil
	}
	return l.db.do(ctx, "arrived", again, func(ctx context.Context) error {
		var b pgx.Batch
		b.Queue(`SELECT set_config('synchronous_commit', 'off', true)`)
		b.Queue(l.db.sql(arrivedSQL), []byte(userID), n, start.Unix())
		return l.db.pool.SendBatch(ctx, &b).Close()
	})
}

// Chunks implements [backfill.Ledger].
func (l *ledger) Chunks(ctx context.Context, userID types.UserID) iter.Seq2[*backfill.Chunk, error] {
	return list(ctx, l.db, "chunks", scanChunk, `SELECT `+chunkSQL+` FROM {s}.history c WHERE user_id = $1 ORDER BY kind, start`, []byte(userID))
}

// Recent implements [backfill.Ledger].
func (l *ledger) Recent(ctx context.Context, since time.Time) iter.Seq2[*backfill.Chunk, error] {
	return list(ctx, l.db, "recent chunks", scanChunk, `SELECT `+chunkSQL+` FROM {s}.history c
WHERE (requested IS NOT NULL OR answered IS NOT NULL) AND greatest(requested, answered) >= $1`, since.UnixNano())
}

// Users implements [backfill.Ledger]. It goes from user to user by the index.
func (l *ledger) Users(ctx context.Context) iter.Seq2[types.UserID, error] {
	return func(yield func(types.UserID, error) bool) {
		last := []byte{}
		for {
			n := 0
			for id, err := range list(ctx, l.db, "users", pgx.RowTo[[]byte], `WITH RECURSIVE u AS (
  (SELECT user_id, 1 AS n FROM {s}.history WHERE user_id > $1 ORDER BY user_id LIMIT 1)
  UNION ALL SELECT (SELECT h.user_id FROM {s}.history h WHERE h.user_id > u.user_id ORDER BY h.user_id LIMIT 1), u.n + 1 FROM u WHERE u.user_id IS NOT NULL AND u.n < $2)
SELECT user_id FROM u WHERE user_id IS NOT NULL`, last, page) {
				if err != nil {
					yield("", err)
					return
				}
				n, last = n+1, id
				if !yield(types.UserID(id), nil) {
					return
				}
			}
			if n < page {
				return
			}
		}
	}
}

// Arrivals implements [backfill.Ledger].
func (l *ledger) Arrivals(ctx context.Context, userID types.UserID, kind types.Kind, w types.Window) iter.Seq2[time.Time, error] {
	n, ok := numberOf(kind)
	if !ok {
		return func(func(time.Time, error) bool) {}
	}
	return list(ctx, l.db, "arrivals", func(r pgx.CollectableRow) (time.Time, error) {
		var at int64
		err := r.Scan(&at)
		return time.Unix(at, 0).UTC(), err
	}, `SELECT at FROM {s}.arrival WHERE user_id = $1 AND kind = $2 AND at >= $3 AND at < $4 ORDER BY at`, []byte(userID), n, w.Start.Unix(), w.End.Unix())
}

// list yields the rows of a query. It has them all before the loop begins, so
// that no connection is held meanwhile.
func list[T any](ctx context.Context, db *DB, what string, scan func(pgx.CollectableRow) (T, error), sql string, args ...any) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		var all []T
		err := db.do(ctx, what, again, func(ctx context.Context) error {
			rows, err := db.pool.Query(ctx, db.sql(sql), args...)
			if err != nil {
				return err
			}
			all, err = pgx.CollectRows(rows, scan)
			return err
		})
		if err != nil {
			var none T
			yield(none, err)
			return
		}
		for _, x := range all {
			if !yield(x, nil) {
				return
			}
		}
	}
}
