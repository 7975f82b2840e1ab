package postgres

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"strconv"

	"github.com/jackc/pgx/v5"

	"github.com/garminkit/activityapi/internal/letters"
	"github.com/garminkit/activityapi/internal/lists"
	"github.com/garminkit/activityapi/notify"
	"github.com/garminkit/activityapi/types"
)

// letterPage is how many letters are read at a time. No connection is held
// while the caller looks at them.
const letterPage = 500

const letterSQL = `SELECT id, key, user_id, items, reason, quarantined, attempts, received, buried, size, sealed FROM {s}.letter `

// scanLetter reads a letter, and what Redrive has to know of it.
func (sl *sealing) scanLetter(row pgx.Row) (*notify.DeadLetter, *seen, error) {
	var l notify.DeadLetter
	var s seen
	var key, user, reason []byte
	var isSealed bool
	err := row.Scan(&s.id, &key, &user, &s.items, &reason, &l.Quarantined, &l.Attempts, &l.Received, &l.Buried, &s.size, &isSealed)
	if err == nil {
		reason, err = sl.openReason(reason, isSealed)
	}
	if err == errDamaged { // and what is in the letter may not be
		reason, err = []byte(err.Error()), nil
	}
	l.ID, l.Key, l.UserID, l.Reason = strconv.FormatInt(s.id, 10), string(key), types.UserID(user), string(reason)
	l.Items, l.Size = int(s.items), letterSize(s.size)
	return &l, &s, err
}

// Letters implements [notify.Queue].
func (q *Queue) Letters(ctx context.Context, f *notify.LetterFilter) iter.Seq2[*notify.DeadLetter, error] {
	return func(yield func(*notify.DeadLetter, error) bool) {
		var after int64
		if f != nil && f.From != "" {
			var err error
			if after, err = letterID(f.From); err != nil {
				yield(nil, err)
				return
			}
		}
		for {
			page, last, err := q.letters(ctx, f, after)
			err = clean(err)
			for _, l := range page {
				if e := context.Cause(ctx); e != nil {
					err = e
					break
				}
				if letters.Match(f, l) && !yield(l, nil) {
					return
				}
			}
			if err != nil {
				yield(nil, fmt.Errorf("postgres: letters: %w", err))
				return
			}
			if len(page) < letterPage {
				return
			}
			after = last
		}
	}
}

// letters reads a page of what may pass the filter. The index is of hashes of users.
func (q *Queue) letters(ctx context.Context, f *notify.LetterFilter, after int64) (page []*notify.DeadLetter, last int64, err error) {
	ctx, cancel := q.db.call(ctx)
	defer cancel()
	var key, user []byte
	if f != nil && f.Key != "" {
		key = []byte(f.Key)
	}
	if f != nil && f.UserID != "" {
		user = []byte(f.UserID)
	}
	rows, err := q.db.pool.Query(ctx, q.db.sql(letterSQL+`WHERE id > $1 AND ($2::bytea IS NULL OR key = $2) AND ($3::bytea IS NULL OR sha256(user_id) = sha256($3) AND user_id = $3) ORDER BY id LIMIT $4`),
		after, key, user, letterPage)
	if err != nil {
		return nil, 0, err
	}
	defer rows.Close()
	for rows.Next() {
		l, s, err := q.db.sealing.scanLetter(rows)
		if err != nil {
			return page, last, err
		}
		page, last = append(page, l), s.id
	}
	return page, last, rows.Err()
}

// letterID is the number of a letter, if id is the name of one.
func letterID(id string) (int64, error) {
	n, err := strconv.ParseInt(id, 10, 64)
	if err != nil || n <= 0 || strconv.FormatInt(n, 10) != id {
		return 0, noLetter(id)
	}
	return n, nil
}

func noLetter(id string) error {
	if len(id) > 40 {
		id = id[:40]
	}
	return fmt.Errorf("postgres: letter %q: %w", id, fs.ErrNotExist)
}

// Letter implements [notify.Queue].
func (q *Queue) Letter(ctx context.Context, id string) (*notify.DeadLetter, error) {
	l, _, err := q.letter(ctx, id)
	return l, err
}

func (q *Queue) letter(ctx context.Context, id string) (*notify.DeadLetter, *seen, error) {
	n, err := letterID(id)
	if err != nil {
		return nil, nil, err
	}
	ctx, cancel := q.db.call(ctx)
	defer cancel()
	l, s, err := q.db.sealing.scanLetter(q.db.pool.QueryRow(ctx, q.db.sql(letterSQL+`WHERE id = $1`), n))
	if errors.Is(err, pgx.ErrNoRows) {
		return nil, nil, noLetter(id)
	}
	if err != nil {
		return nil, nil, fmt.Errorf("postgres: letter: %w", clean(err))
	}
	return l, s, nil
}

// OpenLetter implements [notify.Queue]. ctx also applies to reading.
func (q *Queue) OpenLetter(ctx context.Context, id string) (io.ReadCloser, error) {
	n, err := letterID(id)
	if err != nil {
		return nil, err
	}
	r := &letterReader{q: q, ctx: ctx, letter: n}
	if err := r.fill(); err != nil {
		return nil, err
	}
	if len(r.page) == 0 {
		return nil, noLetter(id)
	}
	before := func() string { return notify.AppLine(r.app) }
	return io.NopCloser(&lists.Reader{Next: r.next, Before: before}), nil
}

// letterReader reads a letter's items, some at a time.
type letterReader struct {
	q      *Queue
	ctx    context.Context
	letter int64
	page   []letterItem
	last   int64
	app    string
}

type letterItem struct {
	item, body, off, size int64
	key, data             []byte
}

// itemPage is small, since the items come with their bytes of up to 64 KiB.
const itemPage = 32

func (r *letterReader) fill() error {
	ctx, cancel := r.q.db.call(r.ctx)
	defer cancel()
	rows, err := r.q.db.pool.Query(ctx, r.q.db.sql(`SELECT item, body, off, size, key, data, (SELECT user_id FROM {s}.letter WHERE id = $1) FROM {s}.letter_item WHERE letter = $1 AND item > $2 ORDER BY item LIMIT $3`),
		r.letter, r.last, itemPage)
	if err != nil {
		return fmt.Errorf("postgres: letter: %w", clean(err))
	}
	defer rows.Close()
	for rows.Next() {
		var it letterItem
		var user []byte
		if err := rows.Scan(&it.item, &it.body, &it.off, &it.size, &it.key, &it.data, &user); err != nil {
			return fmt.Errorf("postgres: letter: %w", clean(err))
		}
		r.page, r.last, r.app = append(r.page, it), it.item, types.UserID(user).App()
	}
	if err := rows.Err(); err != nil {
		return fmt.Errorf("postgres: letter: %w", clean(err))
	}
	return nil
}

func (r *letterReader) next() (*lists.Item, error) {
	if len(r.page) == 0 {
		if err := r.fill(); err != nil {
			return nil, err
		}
	}
	if len(r.page) == 0 {
		return nil, io.EOF
	}
	it := r.page[0]
	r.page = r.page[1:]
	data, err := r.q.db.bytes(r.ctx, it.body, it.off, it.size, it.data)
	if err != nil {
		return nil, fmt.Errorf("postgres: letter: %w", err)
	}
	key := string(it.key)
	return &lists.Item{Key: key, Text: data, Whole: key == ""}, nil
}

// Redrive implements [notify.Queue]. It adds the items and removes the letter in
// one transaction, so that only one of several callers succeeds.
func (q *Queue) Redrive(ctx context.Context, id string) error {
	for before := (seen{}); ; {
		_, s, err := q.letter(ctx, id)
		if err != nil {
			return err
		}
		if *s == before { // or it would be read for ever
			return fmt.Errorf("postgres: redrive: the server has lost bytes of letter %s", id)
		}
		before = *s
		r, err := q.OpenLetter(ctx, id)
		if err != nil {
			return err
		}
		err = q.putLarge(ctx, r, s)
		// The letter is gone, has grown, or an Erase has changed it: letter tells which.
		if !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
}

// Discard implements [notify.Queue].
func (q *Queue) Discard(ctx context.Context, id string) error {
	n, err := letterID(id)
	if err != nil {
		return err
	}
	ctx, cancel := q.db.call(ctx)
	defer cancel()
	tag, err := q.db.pool.Exec(ctx, q.db.sql(`DELETE FROM {s}.letter WHERE id = $1`), n)
	if err != nil {
		return fmt.Errorf("postgres: discard: %w", clean(err))
	}
	if tag.RowsAffected() == 0 {
		return noLetter(id)
	}
	return nil
}
