package postgres

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/garminkit/activityapi/internal/backoff"
	"github.com/garminkit/activityapi/internal/erasure"
	"github.com/garminkit/activityapi/notify"
	"github.com/garminkit/activityapi/types"
)

// long is the context of a call that goes over a whole body, or table, and takes
// as long as that takes.
func (db *DB) long(ctx context.Context) (context.Context, context.CancelFunc) {
	c, cancel := context.WithCancel(ctx)
	unhook := context.AfterFunc(db.ctx, cancel)
	return c, func() { unhook(); cancel() }
}

// sizeSQL is how many bytes of a large body there are.
var sizeSQL = fmt.Sprintf(`SELECT coalesce(sum(length(data) - CASE WHEN sealed THEN (length(data) + %d - 1) / %[1]d * %d ELSE 0 END), 0)::bigint
FROM {s}.chunk WHERE body = $1`, segmentSealed, segmentSealed-segmentSize)

// named tells whether the bytes of a large body may have something of the user.
func (e *eraser) named(body int64) (bool, error) {
	var size int64
	err := e.db.do(e.ctx, "looking at a large body", again, func(ctx context.Context) error {
		return e.db.pool.QueryRow(ctx, e.db.sql(sizeSQL), body).Scan(&size)
	})
	if err != nil {
		return false, err
	}
	named, err := e.user.Names(&section{db: e.db, ctx: e.ctx, body: body, left: size})
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil // It is finished.
	}
	return named, err
}

// large takes what is the user's out of a large body. Its chunks keep their
// sizes, and others' items their places.
func (e *eraser) large(body int64) error {
	named, err := e.named(body)
	if errors.Is(err, errDamaged) {
		erasure.Leave(e.out, "bodies", 1, damagedWhy)
		return nil
	}
	if err != nil || !named {
		return err
	}
	ctx, cancel := e.db.long(e.ctx)
	defer cancel()
	var w *largeEraser
	for tries := 1; ; tries++ {
		w = &largeEraser{e: e, ctx: ctx, body: body}
		err := pgx.BeginFunc(ctx, e.db.pool, func(tx pgx.Tx) error {
			w.tx = tx
			return w.rewrite()
		})
		if err == nil {
			break
		}
		// Who settles some of its items may wait for it, and it for them: then the
		// server undoes one of the two.
		if !undone(err) || backoff.Sleep(ctx, backoff.Wait(tries, 10*time.Millisecond, time.Second)) != nil {
			return e.db.reason(e.ctx, err)
		}
	}
	erasure.Remove(e.out, "items", w.items)
	erasure.Remove(e.out, "letter items", w.letterItems)
	erasure.Remove(e.out, "letters", w.letters)
	erasure.Remove(e.out, "remains", w.remains)
	erasure.Leave(e.out, "items", w.naming, othersName)
	return nil
}

// largeEraser takes a user out of one large body, in one transaction.
type largeEraser struct {
	e    *eraser
	ctx  context.Context
	tx   pgx.Tx
	body int64
	mine map[place]bool // the pieces that are the user's alone

	items, letters, letterItems, remains, naming int
}

// place is where a piece stands.
type place struct{ off, size int64 }

func (w *largeEraser) exec(text string, args ...any) (int, error) {
	tag, err := w.tx.Exec(w.ctx, w.e.db.sql(text), args...)
	return int(tag.RowsAffected()), err
}

func (w *largeEraser) rewrite() error {
	// Nobody else rewrites it, or removes it, meanwhile.
	n, err := w.exec(`SELECT FROM {s}.large WHERE body = $1 AND ready FOR UPDATE`, w.body)
	if err != nil || n == 0 {
		return err
	}
	var size int64
	if err := w.tx.QueryRow(w.ctx, w.e.db.sql(sizeSQL), w.body).Scan(&size); err != nil {
		return err
	}
	bytes := &chunks{of: w.chunk}
	found, err := w.e.user.Look(bytes, size)
	if err != nil {
		return err
	}
	w.naming = found.Naming
	if len(found.Cuts) == 0 {
		return nil
	}
	w.mine = make(map[place]bool, len(found.Mine))
	for _, p := range found.Mine {
		w.mine[place{p.Offset, p.Size}] = true
	}
	if err := w.dropItems(); err != nil {
		return err
	}
	if err := w.dropLetters(found.Cuts); err != nil {
		return err
	}
	w.remains = max(0, len(found.Mine)-w.items-w.letterItems-w.letters)
	var left bool
	if err := w.tx.QueryRow(w.ctx, w.e.db.sql(`SELECT EXISTS (SELECT FROM {s}.item WHERE body = $1 AND data IS NULL)
  OR EXISTS (SELECT FROM {s}.letter_item WHERE body = $1 AND data IS NULL)`), w.body).Scan(&left); err != nil {
		return err
	}
	if !left {
		if _, err := w.exec(`DELETE FROM {s}.large WHERE body = $1`, w.body); err != nil {
			return err
		}
		_, err := w.exec(`DELETE FROM {s}.chunk WHERE body = $1`, w.body)
		return err
	}
	return w.rewriteChunks(bytes, size, found.Cuts)
}

// dropItems removes the unfinished items that are the user's alone.
func (w *largeEraser) dropItems() error {
	n, err := w.exec(`DELETE FROM {s}.item WHERE body = $1 AND data IS NULL AND user_id = $2`, w.body, []byte(w.e.id))
	if err != nil {
		return err
	}
	w.items += n
	type bad struct {
		Share, Class int16
		ID           int64
		User         []byte
		Off, Size    int64
	}
	list, err := rowsOf(w.ctx, w.tx, pgx.RowToStructByPos[bad], w.e.db.sql(`SELECT share, class, id, user_id, off, size FROM {s}.item
WHERE body = $1 AND data IS NULL AND class = $2`), w.body, int16(notify.ClassBad))
	if err != nil {
		return err
	}
	for _, b := range list {
		if !w.mine[place{b.Off, b.Size}] || !w.e.user.Unread(types.UserID(b.User)) {
			continue
		}
		n, err := w.exec(`DELETE FROM {s}.item WHERE share = $1 AND class = $2 AND id = $3`, b.Share, b.Class, b.ID)
		if err != nil {
			return err
		}
		w.items += n
	}
	return nil
}

// dropLetters removes from letters the items that are the user's alone.
func (w *largeEraser) dropLetters(cuts []erasure.Cut) error {
	type row struct{ Letter, Item, Off, Size int64 }
	list, err := rowsOf(w.ctx, w.tx, pgx.RowToStructByPos[row], w.e.db.sql(`SELECT letter, item, off, size FROM {s}.letter_item
WHERE body = $1 AND data IS NULL ORDER BY letter, item`), w.body)
	if err != nil {
		return err
	}
	for len(list) > 0 {
		id := list[0].Letter
		var gone []int64
		changed := false
		for len(list) > 0 && list[0].Letter == id {
			r := list[0]
			list = list[1:]
			if w.mine[place{r.Off, r.Size}] {
				gone = append(gone, r.Item)
			}
			changed = changed || touches(cuts, r.Off, r.Size)
		}
		if !changed {
			continue
		}
		items, letters, err := w.e.db.changeLetter(w.ctx, w.tx, id, func(context.Context, pgx.Tx) ([]int64, error) { return gone, nil })
		if err != nil {
			return err
		}
		w.letterItems += items
		w.letters += letters
	}
	return nil
}

// touches tells whether something is cut out of a part of a body.
func touches(cuts []erasure.Cut, off, size int64) bool {
	i, _ := slices.BinarySearchFunc(cuts, off, func(c erasure.Cut, off int64) int { return cmp.Compare(c.Off+c.Size-1, off) })
	return i < len(cuts) && cuts[i].Off < off+size
}

// rewriteChunks writes the chunks from which something is cut out. Deleting and
// inserting needs no other right than Put and the sweep.
func (w *largeEraser) rewriteChunks(bytes *chunks, size int64, cuts []erasure.Cut) error {
	r := erasure.Reader(bytes, size, cuts)
	buf := make([]byte, chunkSize)
	for n := int64(0); n*chunkSize < size; n++ {
		p := buf[:min(chunkSize, size-n*chunkSize)]
		if _, err := io.ReadFull(r, p); err != nil {
			return err
		}
		if !touches(cuts, n*chunkSize, int64(len(p))) {
			continue
		}
		// A body is sealed as a whole, or not at all.
		var isSealed bool
		if err := w.tx.QueryRow(w.ctx, w.e.db.sql(`DELETE FROM {s}.chunk WHERE body = $1 AND n = $2 RETURNING sealed`), w.body, n).Scan(&isSealed); err != nil {
			return err
		}
		data := p
		if isSealed { // and was opened
			data = w.e.db.sealing.keys.sealChunk(nil, p, w.body, n*chunkSize)
		}
		if _, err := w.exec(`INSERT INTO {s}.chunk (body, n, data, sealed) VALUES ($1, $2, $3, $4)`, w.body, n, data, isSealed); err != nil {
			return err
		}
	}
	return nil
}

// chunks reads a large body at any place. It holds the one chunk that was read
// last.
type chunks struct {
	of  func(n int64) ([]byte, error)
	n   int64
	buf []byte
}

func (c *chunks) ReadAt(p []byte, off int64) (done int, err error) {
	for done < len(p) {
		n, at := (off+int64(done))/chunkSize, (off+int64(done))%chunkSize
		if c.buf == nil || c.n != n {
			if c.buf, err = c.of(n); err != nil {
				return done, err
			}
			c.n = n
		}
		if at >= int64(len(c.buf)) {
			return done, io.EOF
		}
		done += copy(p[done:], c.buf[at:])
	}
	return done, nil
}

const bytesSQL = `SELECT data, sealed FROM {s}.chunk WHERE body = $1 AND n = $2`

// chunk reads a chunk as it is in the transaction.
func (w *largeEraser) chunk(n int64) (data []byte, err error) {
	return w.e.db.sealing.scanChunk(w.tx.QueryRow(w.ctx, w.e.db.sql(bytesSQL), w.body, n), w.body, n)
}

// scanChunk reads a chunk, and opens it.
func (s *sealing) scanChunk(row pgx.Row, body, n int64) (data []byte, err error) {
	var isSealed bool
	if err := row.Scan(&data, &isSealed); err != nil || !isSealed {
		return data, err
	}
	return s.openChunk(nil, data, body, n*chunkSize)
}

// chunksOf reads a large body, with a call for each chunk.
func (db *DB) chunksOf(ctx context.Context, body int64) *chunks {
	return &chunks{of: func(n int64) (data []byte, err error) {
		err = db.do(ctx, "reading a large body", again, func(ctx context.Context) error {
			data, err = db.sealing.scanChunk(db.pool.QueryRow(ctx, db.sql(bytesSQL), body, n), body, n)
			return err
		})
		if errors.Is(err, pgx.ErrNoRows) {
			err = fmt.Errorf("postgres: a large body: %w", fs.ErrNotExist)
		}
		return data, err
	}}
}

// arriving tells of bodies whose Put had begun before and has not ended, and that
// name the user. Who was told that they are stored was told so later.
func (e *eraser) arriving(bodies []int64) error {
	var still []int64
	err := e.db.do(e.ctx, "looking at bodies that arrive", again, func(ctx context.Context) error {
		return e.db.pool.QueryRow(ctx, e.db.sql(`SELECT array(SELECT body FROM {s}.large WHERE NOT ready AND body = ANY ($1))`), orNone(bodies)).Scan(&still)
	})
	if err != nil {
		return err
	}
	for _, body := range still {
		named, err := e.named(body)
		if errors.Is(err, errDamaged) {
			continue // It is removed soon, whoever it is of.
		}
		if err != nil {
			return err
		}
		if named {
			erasure.Leave(e.out, "bodies", 1, "their Put has not ended, or its process has died: they are removed an hour after they began")
		}
	}
	return nil
}

// claims removes the notes of the user's files.
func (e *eraser) claims() error {
	type row struct {
		ID   string
		Note []byte
	}
	for last := ""; ; {
		var page []row
		err := e.db.do(e.ctx, "reading claims", again, func(ctx context.Context) error {
			rows, err := e.db.pool.Query(ctx, e.db.sql(`SELECT id, note FROM {s}.claim WHERE id > $1 ORDER BY id LIMIT 1000`), last)
			if err != nil {
				return err
			}
			page, err = pgx.CollectRows(rows, pgx.RowToStructByPos[row])
			return err
		})
		if err != nil || len(page) == 0 {
			return err
		}
		for _, r := range page {
			last = r.ID
			var c notify.Claim
			if r.Note == nil {
				continue
			}
			switch err := e.db.claims.decode(r.ID, r.Note, &c); {
			case err == errDamaged:
				erasure.Leave(e.out, "claims", 1, damagedWhy)
				continue
			case errors.Is(err, errNoKey):
				return err
			case err != nil || !c.OwnedBy(e.id):
				continue
			}
			removed := false
			if err := e.db.claims.change(e.ctx, "erase a claim", r.ID, func(tx pgx.Tx, _ int64, was notify.Claim, _ time.Time) error {
				removed = was.OwnedBy(e.id)
				if !removed {
					return nil
				}
				_, err := tx.Exec(e.ctx, e.db.sql(`DELETE FROM {s}.claim WHERE id = $1`), r.ID)
				return err
			}); err != nil {
				return err
			}
			if removed {
				erasure.Remove(e.out, "claims", 1)
			}
		}
	}
}
