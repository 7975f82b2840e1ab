package postgres

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/garminkit/activityapi/notify"
)

const (
	chunkSize  = 256 << 10
	flushSize  = 2 << 20 // a multiple of chunkSize
	stagedRows = 2048
	// staleAfter is after what time a large body that is not complete is taken
	// for one whose process has died.
	staleAfter = time.Hour
)

// putLarge stores the bytes in chunks as they come and lists of the items beside
// them, in short transactions: while a sender is slow, no connection is held. The last
// transaction makes the items appear, all at once. If a letter is named, it also
// removes that letter, and fails with fs.ErrNotExist if it cannot.
func (q *Queue) putLarge(ctx context.Context, r io.Reader, letter *seen) (err error) {
	if letter == nil && q.room.full.Load() {
		return ErrFull
	}
	select {
	case q.large <- struct{}{}:
		defer func() { <-q.large }()
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	w := &stager{q: q, ctx: ctx}
	if w.body, err = q.bodies.take(ctx); err != nil {
		return err
	}
	w.seal = q.db.sealing.sealer()
	ready := false
	defer func() {
		if !ready {
			_ = w.wait()
			w.discard()
		}
	}()
	if err := w.start(func(ctx context.Context) error {
		_, err := q.db.pool.Exec(ctx, q.db.sql(`INSERT INTO {s}.large (body) VALUES ($1)`), w.body)
		return err
	}); err != nil {
		return fmt.Errorf("postgres: put: %w", err)
	}
	var split notify.Splitter
	hash := sha256.New()
	mayRepeat := q.db.repeat > 0 && letter == nil
	if mayRepeat {
		r = io.TeeReader(r, hash)
	}
	for piece, err := range split.Split(io.TeeReader(r, w)) {
		mayRepeat = mayRepeat && piece.Class == notify.ClassPush
		if err == nil {
			err = w.stage(piece)
		}
		if err != nil {
			return fmt.Errorf("postgres: put: %w", err)
		}
	}
	if err := errors.Join(w.flush(), w.flushItems(), w.wait()); err != nil {
		return fmt.Errorf("postgres: put: %w", err)
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if mayRepeat {
		sum := [sha256.Size]byte(hash.Sum(nil))
		w.since = q.repeats.since()
		if q.repeats.has(sum) {
			return nil
		}
		if w.seal != nil {
			sum = w.seal.keyed(sum)
		}
		w.sum = sum[:sumSize]
	}
	stored, err := w.publish(letter)
	if err != nil {
		return fmt.Errorf("postgres: put: %w", err)
	}
	ready = true
	if !stored {
		return nil
	}
	q.tell(w.news)
	notify.StoredAs(ctx, uint64(w.body))
	return nil
}

// seen is a letter as it was read: the rest of a body may grow meanwhile.
type seen struct{ id, items, size int64 }

// stager writes a large body to the tables: what is full is stored while the next
// is read. No statement waits for the disk but the last, which makes sure that
// everything is there.
type stager struct {
	q      *Queue
	ctx    context.Context
	body   int64
	chunks int32
	buf    []byte
	other  []byte     // buf and other take turns
	seal   *keys      // nil: it is stored in clear, all of it
	sealed []byte     // what is being stored of it
	stores chan error // the result of what is being stored; nil if nothing is
	items  int32
	sum    []byte // nil if it is stored even as a repeat
	since  int64  // what was received before is known
	cols   *columns
	news   newItems
}

// start has f done while the caller goes on. It returns how what was started
// before has ended.
func (w *stager) start(f func(ctx context.Context) error) error {
	if err := w.wait(); err != nil {
		return err
	}
	if w.ctx.Err() != nil {
		return context.Cause(w.ctx)
	}
	stores := make(chan error, 1)
	w.stores = stores
	go func() {
		ctx, cancel := w.q.db.call(w.ctx)
		defer cancel()
		stores <- clean(f(ctx))
	}()
	return nil
}

// wait waits for what is being stored.
func (w *stager) wait() error {
	if w.stores == nil {
		return nil
	}
	err := <-w.stores
	w.stores = nil
	return err
}

// Write takes the bytes in.
func (w *stager) Write(p []byte) (int, error) {
	for rest := p; len(rest) > 0; {
		n := min(len(rest), flushSize-len(w.buf))
		w.buf = append(w.buf, rest[:n]...)
		rest = rest[n:]
		if len(w.buf) == flushSize {
			if err := w.flush(); err != nil {
				return 0, err
			}
		}
	}
	return len(p), nil
}

// flush stores the bytes that are there: whole chunks, except in the end.
func (w *stager) flush() error {
	if len(w.buf) == 0 {
		return nil
	}
	buf, first := w.buf, w.chunks
	w.chunks += int32((len(buf) + chunkSize - 1) / chunkSize)
	err := w.start(func(ctx context.Context) error {
		rows := w.rows(buf, first)
		return w.q.db.unwaited(ctx, func(tx pgx.Tx) error {
			_, err := tx.CopyFrom(ctx, pgx.Identifier{w.q.db.schema, "chunk"}, []string{"body", "n", "data", "sealed"}, pgx.CopyFromRows(rows))
			return err
		})
	})
	w.buf, w.other = w.other[:0], w.buf
	return err
}

// rows are chunks as they are stored. One call of start is done at a time, so that
// the next may have the place of what this one sealed.
func (w *stager) rows(buf []byte, n int32) (rows [][]any) {
	w.sealed = w.sealed[:0]
	for ; len(buf) > 0; n++ {
		k := min(chunkSize, len(buf))
		data := buf[:k]
		if w.seal != nil {
			at := len(w.sealed)
			w.sealed = w.seal.sealChunk(w.sealed, data, w.body, int64(n)*chunkSize)
			data = w.sealed[at:]
		}
		rows = append(rows, []any{w.body, n, data, w.seal != nil})
		buf = buf[k:]
	}
	return rows
}

// stage notes an item.
func (w *stager) stage(p notify.Piece) error {
	if w.cols == nil {
		w.cols = newColumns(stagedRows)
		w.cols.seal = w.seal
	}
	w.news.add(w.cols.add(&p))
	if len(w.cols.shares) < stagedRows {
		return nil
	}
	return w.flushItems()
}

func (w *stager) flushItems() error {
	c, first := w.cols, w.items
	if c == nil {
		return nil
	}
	w.cols = nil
	w.items += int32(len(c.shares))
	return w.start(func(ctx context.Context) error {
		return w.q.db.unwaited(ctx, func(tx pgx.Tx) error {
			takeBlobs(tx.Conn())
			_, err := tx.Exec(ctx, w.q.db.sql(`INSERT INTO {s}.staged_list (body, first, shares, classes, keys, idxs, offs, sizes, users, touches)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)`), w.body, first, c.shares, c.classes, c.keys, c.idx, c.offs, c.sizes, c.users, c.touches)
			return err
		})
	})
}

// publish makes the items appear. It reports false if the server found a repeat.
func (w *stager) publish(letter *seen) (stored bool, err error) {
	if letter == nil {
		letter = new(seen)
	}
	db := w.q.db
	ctx, cancel := db.call(w.ctx)
	defer cancel()
	var ok bool
	if err := db.pool.QueryRow(ctx, db.sql(`CALL {s}.publish_lists($1, $2, $3, $4, $5, $6, $7, $8, $9, NULL, NULL)`), lockKey(db.schema, "append"),
		w.body, int64(w.items), int64(w.chunks), letter.id, letter.items, letter.size, w.sum, w.since).Scan(&ok, &stored); err != nil {
		return false, clean(err)
	}
	switch {
	case !ok:
		return false, fmt.Errorf("the body took longer than %v", staleAfter)
	case !stored && w.sum == nil:
		return false, fs.ErrNotExist // the bytes are swept, as those of a repeat
	}
	return stored, nil
}

// discard removes what was stored of a body that failed. What it cannot remove
// is swept later. A body whose commit succeeded unknown to us has its items, and
// stays.
func (w *stager) discard() {
	ctx, cancel := w.q.db.call(context.WithoutCancel(w.ctx))
	defer cancel()
	_, err := w.q.db.pool.Exec(ctx, w.q.db.sql(`WITH gone AS (DELETE FROM {s}.large WHERE body = $1 AND NOT ready RETURNING body),
s AS (DELETE FROM {s}.staged USING gone WHERE staged.body = gone.body)
DELETE FROM {s}.chunk USING gone WHERE chunk.body = gone.body`), w.body)
	if err != nil {
		w.q.db.log.Warn("postgres: the rest of a body that failed is left to the sweep", "error", clean(err))
	}
}

// section reads bytes from a large body's chunks.
type section struct {
	db        *DB
	ctx       context.Context
	body      int64
	off, left int64
	buf       []byte
}

func (s *section) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	if len(s.buf) == 0 {
		if s.left == 0 {
			return 0, io.EOF
		}
		ctx, cancel := s.db.call(s.ctx)
		defer cancel()
		n, at := s.off/chunkSize, s.off%chunkSize
		size := min(s.left, chunkSize-at)
		first, last := at/segmentSize, (at+size-1)/segmentSize
		var isSealed bool
		err := s.db.pool.QueryRow(ctx, s.db.sql(`SELECT sealed, CASE WHEN sealed THEN substring(data FROM $5::integer FOR $6::integer)
ELSE substring(data FROM $3::integer FOR $4::integer) END FROM {s}.chunk WHERE body = $1 AND n = $2`),
			s.body, n, at+1, size, first*segmentSealed+1, (last-first+1)*segmentSealed).Scan(&isSealed, &s.buf)
		if err = clean(err); errors.Is(err, pgx.ErrNoRows) || err == nil && len(s.buf) == 0 {
			err = fs.ErrNotExist
		}
		if err == nil && isSealed {
			if s.buf, err = s.db.sealing.openChunk(nil, s.buf, s.body, s.off); err == nil {
				s.buf = s.buf[:min(size, int64(len(s.buf)))]
			}
		}
		if err != nil {
			s.buf = nil
			return 0, fmt.Errorf("postgres: reading a large body: %w", err)
		}
		s.off += int64(len(s.buf))
		s.left -= int64(len(s.buf))
	}
	n := copy(p, s.buf)
	s.buf = s.buf[n:]
	return n, nil
}
