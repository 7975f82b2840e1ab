package postgres

import (
	"context"
	"slices"

	"github.com/jackc/pgx/v5"

	"github.com/garminkit/activityapi/internal/erasure"
)

// changedLetter is added to the size of a letter whenever an Erase has changed it.
// Redrive makes items of what it has read alone if the size is still the same. The
// size itself is below; see letterSize.
const changedLetter = 1 << 40

// letterSize is the size of a letter's bytes.
func letterSize(stored int64) int64 { return stored % changedLetter }

// letters removes the user's letters, and takes what is the user's out of others.
func (e *eraser) letters() error {
	const mine = `FROM {s}.letter WHERE sha256(user_id) = sha256($1::bytea) AND user_id = $1 AND ord <= $2`
	err := e.repeat("letters", `SELECT {s}.discard(id) FROM (SELECT id `+mine+` LIMIT 1000 FOR UPDATE SKIP LOCKED) d`,
		`SELECT EXISTS (SELECT `+mine+`)`, []byte(e.id), e.top)
	if err != nil {
		return err
	}
	err = e.walk("letters", `SELECT `+letterItemSQL+` FROM {s}.letter_item i JOIN {s}.letter l ON l.id = i.letter
WHERE (i.letter, i.item) > ($3::bigint, $4::bigint) AND $5::bigint = 0 AND l.user_id <> $6 AND l.ord <= $7 AND i.data IS NOT NULL AND (`+maybe("i.data")+` OR length(i.data) > i.size) ORDER BY i.letter, i.item LIMIT 100`,
		[3]int64{}, e.lettersOf, []byte(e.id), e.top)
	if err != nil {
		return err
	}
	return e.walk("letters", `SELECT id, 0::bigint, 0::bigint, key, user_id, reason, sealed, ''::bytea, 0::bigint, 0::bigint, 0::bigint FROM {s}.letter WHERE id > $3 AND $4::bigint + $5::bigint = 0 AND ord <= $6 AND (`+maybe("reason")+` OR sealed) ORDER BY id LIMIT 100`,
		[3]int64{}, func(page []*candidate) error {
			for _, c := range page {
				if c.damaged {
					erasure.Leave(e.out, "letters", 1, damagedWhy)
				}
				if !e.user.Named(c.reason) {
					continue
				}
				reason, isSealed := e.db.sealing.sealReason(e.redacted(c.reason))
				if err := e.letter(c.at[0], func(ctx context.Context, tx pgx.Tx) ([]int64, error) {
					_, err := tx.Exec(ctx, e.db.sql(`UPDATE {s}.letter SET reason = $2, sealed = $3 WHERE id = $1`), c.at[0], reason, isSealed)
					return nil, err
				}); err != nil {
					return err
				}
			}
			return nil
		}, e.top)
}

// letterItemSQL are the columns of a letter's item i and its letter l that candidate
// reads.
const letterItemSQL = `i.letter, i.item, 0::bigint, i.key, l.user_id, NULL::bytea, false, i.data, i.body, i.off, i.size`

// lettersOf takes the user out of the items of letters.
func (e *eraser) lettersOf(page []*candidate) error {
	for len(page) > 0 {
		id := page[0].at[0]
		end := slices.IndexFunc(page, func(c *candidate) bool { return c.at[0] != id })
		if end < 0 {
			end = len(page)
		}
		cut, naming := false, 0
		for _, c := range page[:end] {
			if c.damaged {
				erasure.Leave(e.out, "letter items", 1, damagedWhy)
				continue
			}
			if err := c.look(e.user); err != nil {
				return err
			}
			cut, naming = cut || len(c.found.Cuts) > 0, naming+c.found.Naming
		}
		erasure.Leave(e.out, "letter items", naming, othersName)
		if cut {
			of := page[:end]
			if err := e.letter(id, func(ctx context.Context, tx pgx.Tx) ([]int64, error) { return e.letterItems(ctx, tx, of) }); err != nil {
				return err
			}
		}
		page = page[end:]
	}
	return nil
}

// letterItems rewrites the bytes of items of one letter, and tells which of them
// are the user's alone.
func (e *eraser) letterItems(ctx context.Context, tx pgx.Tx, of []*candidate) (gone []int64, err error) {
	items := make([]int64, len(of))
	for i, c := range of {
		items[i] = c.at[1]
	}
	now, err := rowsOf(ctx, tx, e.candidate, e.db.sql(`SELECT `+letterItemSQL+` FROM {s}.letter_item i JOIN {s}.letter l ON l.id = i.letter
WHERE i.letter = $1 AND i.item = ANY ($2) AND i.data IS NOT NULL`), of[0].at[0], items)
	if err != nil {
		return nil, err
	}
	for _, c := range now {
		if c.damaged {
			continue
		}
		if err := c.look(e.user); err != nil {
			return nil, err
		}
		switch {
		case c.all():
			gone = append(gone, c.at[1])
		case len(c.found.Cuts) > 0: // A role need not have the right to update it.
			if _, err := tx.Exec(ctx, e.db.sql(`WITH old AS (DELETE FROM {s}.letter_item WHERE letter = $1 AND item = $2 RETURNING *)
INSERT INTO {s}.letter_item (letter, item, key, body, off, size, data) SELECT letter, item, key, body, off, size, $3 FROM old`), c.at[0], c.at[1], e.sealed(c, c.contents)); err != nil {
				return nil, err
			}
		}
	}
	return gone, nil
}

// letter changes a letter in one transaction. f tells which of its items are to be
// removed; a letter without items is.
func (e *eraser) letter(id int64, f func(ctx context.Context, tx pgx.Tx) (gone []int64, err error)) error {
	var removed, letters int
	err := e.db.do(e.ctx, "rewriting a letter", again, func(ctx context.Context) error {
		return pgx.BeginFunc(ctx, e.db.pool, func(tx pgx.Tx) (err error) {
			removed, letters, err = e.db.changeLetter(ctx, tx, id, f)
			return err
		})
	})
	if err != nil {
		return err
	}
	erasure.Remove(e.out, "letter items", removed)
	erasure.Remove(e.out, "letters", letters)
	return nil
}

// changeLetter changes a letter, and counts what was removed: of its items, or the
// letter itself.
func (db *DB) changeLetter(ctx context.Context, tx pgx.Tx, id int64, f func(ctx context.Context, tx pgx.Tx) (gone []int64, err error)) (items, letters int, err error) {
	// Whoever adds items to it holds this row.
	tag, err := tx.Exec(ctx, db.sql(`SELECT FROM {s}.letter WHERE id = $1 FOR UPDATE`), id)
	if err != nil || tag.RowsAffected() == 0 {
		return 0, 0, err
	}
	gone, err := f(ctx, tx)
	if err != nil {
		return 0, 0, err
	}
	var size int64
	var empty bool
	if err := tx.QueryRow(ctx, db.sql(`WITH gone AS (DELETE FROM {s}.letter_item WHERE letter = $1 AND item = ANY ($2) RETURNING size)
SELECT count(*), coalesce(sum(size), 0)::bigint, (SELECT count(*) FROM {s}.letter_item WHERE letter = $1) = count(*) FROM gone`), id, orNone(gone)).Scan(&items, &size, &empty); err != nil {
		return 0, 0, err
	}
	if empty {
		_, err = tx.Exec(ctx, db.sql(`DELETE FROM {s}.letter WHERE id = $1`), id)
		return 0, 1, err
	}
	_, err = tx.Exec(ctx, db.sql(`UPDATE {s}.letter SET items = greatest(items - $2, 1), size = size - $3 + $4 WHERE id = $1`), id, items, size, int64(changedLetter))
	return items, 0, err
}

// orNone is an array that is not NULL.
func orNone(ids []int64) []int64 { return append([]int64{}, ids...) }
