package postgres

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"strconv"

	"github.com/jackc/pgx/v5"

	"github.com/garminkit/activityapi/internal/erasure"
	"github.com/garminkit/activityapi/internal/shareof"
	"github.com/garminkit/activityapi/notify"
	"github.com/garminkit/activityapi/types"
)

// Holdings yields the unfinished items and the letters of a user, including
// those that could not be read but contain the user's id. No connection is
// held while the body of the loop runs. ctx also applies to reading what is
// yielded.
func (q *Queue) Holdings(ctx context.Context, user types.UserID) iter.Seq2[*notify.Holding, error] {
	return func(yield func(*notify.Holding, error) bool) {
		h := &holdings{db: q.db, q: q, ctx: ctx, id: user, user: erasure.For(user), yield: yield}
		err := errors.New("postgres: Holdings without a user")
		if !h.user.Nobody() {
			if err = h.items(); err == nil {
				err = h.letters()
			}
		}
		if err != nil && !errors.Is(err, errEnough) {
			yield(nil, fmt.Errorf("postgres: holdings: %w", err))
		}
	}
}

// errEnough ends a loop that its caller has left.
var errEnough = errors.New("enough")

// holdings is one loop over Holdings.
type holdings struct {
	db    *DB
	q     *Queue
	ctx   context.Context
	id    types.UserID
	user  *erasure.User
	yield func(*notify.Holding, error) bool
}

func (h *holdings) give(g *notify.Holding) error {
	if !h.yield(g, nil) {
		return errEnough
	}
	return nil
}

// stored is where the bytes of an item, or of an item of a letter, are.
type stored struct {
	at              [3]int64
	key             []byte
	user            types.UserID
	body, off, size int64
}

// pages reads rows in pages and calls f with each.
func (h *holdings) pages(text string, last [3]int64, f func(s *stored) error, args ...any) error {
	for {
		var page []*stored
		err := h.db.do(h.ctx, "reading", again, func(ctx context.Context) error {
			rows, err := h.db.pool.Query(ctx, h.db.sql(text), append([]any{last[0], last[1], last[2]}, args...)...)
			if err != nil {
				return err
			}
			page, err = pgx.CollectRows(rows, func(r pgx.CollectableRow) (*stored, error) {
				var s stored
				var user []byte
				err := r.Scan(&s.at[0], &s.at[1], &s.at[2], &s.key, &user, &s.body, &s.off, &s.size)
				s.user = types.UserID(user)
				return &s, err
			})
			return err
		})
		if err != nil || len(page) == 0 {
			return err
		}
		for _, s := range page {
			if last = s.at; h.ctx.Err() != nil {
				return context.Cause(h.ctx)
			}
			if err := f(s); err != nil {
				return err
			}
		}
	}
}

// items yields the user's own items, and what is the user's of those that could
// not be read.
func (h *holdings) items() error {
	const columns = `SELECT share, class, id, key, user_id, body, off, size FROM {s}.item WHERE share = $1 AND (class, id) > ($2::bigint, $3::bigint) AND `
	for share := range int64(shares) {
		which := columns + `class = $4 ORDER BY class, id LIMIT 500`
		args := []any{int16(notify.ClassBad)}
		if share == int64(shareof.User(h.id, shares)) {
			which = columns + `(class = $4 OR user_id = $5) ORDER BY class, id LIMIT 500`
			args = append(args, []byte(h.id))
		}
		if err := h.pages(which, [3]int64{share, -1, 0}, h.item, args...); err != nil {
			return err
		}
	}
	return nil
}

func (h *holdings) item(s *stored) error {
	g := &notify.Holding{What: "items", Name: strconv.FormatInt(s.at[2], 10), Key: string(s.key)}
	read := func() (io.ReaderAt, error) {
		var data []byte
		err := h.db.one(h.ctx, `SELECT data FROM {s}.item WHERE share = $1 AND class = $2 AND id = $3`, []any{s.at[0], s.at[1], s.at[2]}, &data)
		return h.db.readerAt(h.ctx, s, data, err)
	}
	if s.user == h.id {
		g.Open = func() (io.ReadCloser, error) { return s.open(read) }
		return h.give(g)
	}
	return h.part(g, s, read)
}

// readerAt reads the bytes of an item from where they are.
func (db *DB) readerAt(ctx context.Context, s *stored, data []byte, err error) (io.ReaderAt, error) {
	switch {
	case errors.Is(err, pgx.ErrNoRows):
		return nil, fmt.Errorf("postgres: item: %w", fs.ErrNotExist)
	case err != nil:
		return nil, err
	case data != nil:
		if data, err = db.sealing.openItem(data, s.body, s.off, s.size); err != nil {
			return nil, err
		}
		return bytes.NewReader(data), nil
	}
	return io.NewSectionReader(db.chunksOf(ctx, s.body), s.off, s.size), nil
}

// open makes a body of an item.
func (s *stored) open(read func() (io.ReaderAt, error)) (io.ReadCloser, error) {
	start, end, err := around(s.user.App(), s.key)
	if err != nil {
		return nil, err
	}
	r, err := read()
	if err != nil {
		return nil, err
	}
	return io.NopCloser(io.MultiReader(bytes.NewReader(start), io.NewSectionReader(r, 0, s.size), bytes.NewReader(end))), nil
}

// part yields what of an item that could not be read is the user's, if anything.
func (h *holdings) part(g *notify.Holding, s *stored, read func() (io.ReaderAt, error)) error {
	if !h.user.Unread(s.user) {
		return nil
	}
	r, err := read()
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, errDamaged) {
		return nil
	}
	if err != nil {
		return err
	}
	named, err := h.user.Names(io.NewSectionReader(r, 0, s.size))
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, errDamaged) {
		return nil
	}
	if err != nil || !named {
		return err
	}
	start, end, err := around(s.user.App(), s.key)
	if err != nil {
		return err
	}
	whole := &framed{start, r, s.size, end}
	found, err := h.user.Look(whole, whole.len())
	if err != nil || len(found.Cuts) == 0 {
		return err
	}
	g.Open = func() (io.ReadCloser, error) {
		if len(found.Others) == 0 {
			return io.NopCloser(io.NewSectionReader(whole, 0, whole.len())), nil
		}
		var parts []io.Reader
		for _, c := range found.Cuts {
			parts = append(parts, io.NewSectionReader(whole, c.Off, c.Size), bytes.NewReader([]byte("\n")))
		}
		return io.NopCloser(io.MultiReader(parts...)), nil
	}
	return h.give(g)
}

// letters yields the user's own letters, and of others each item that has
// something of the user.
func (h *holdings) letters() error {
	for l, err := range h.q.Letters(h.ctx, &notify.LetterFilter{UserID: h.id}) {
		if err != nil {
			return err
		}
		id := l.ID
		if err := h.give(&notify.Holding{What: "letters", Name: id, Key: l.Key, Reason: l.Reason,
			Open: func() (io.ReadCloser, error) { return h.q.OpenLetter(h.ctx, id) }}); err != nil {
			return err
		}
	}
	return h.pages(`SELECT i.letter, i.item, 0::bigint, i.key, l.user_id, i.body, i.off, i.size FROM {s}.letter_item i JOIN {s}.letter l ON l.id = i.letter
WHERE (i.letter, i.item) > ($1::bigint, $2::bigint) AND $3 = 0::bigint AND sha256(l.user_id) = sha256($4::bytea) AND l.user_id = $4 ORDER BY i.letter, i.item LIMIT 500`, [3]int64{}, func(s *stored) error {
		return h.part(&notify.Holding{What: "letters", Name: fmt.Sprintf("%d/%d", s.at[0], s.at[1]), Key: string(s.key)}, s, func() (io.ReaderAt, error) {
			var data []byte
			err := h.db.one(h.ctx, `SELECT data FROM {s}.letter_item WHERE letter = $1 AND item = $2`, []any{s.at[0], s.at[1]}, &data)
			return h.db.readerAt(h.ctx, s, data, err)
		})
	}, []byte(types.UserID("").In(h.id.App())))
}

// framed is an item as a body of its own.
type framed struct {
	start []byte
	item  io.ReaderAt
	size  int64
	end   []byte
}

func (f *framed) len() int64 { return int64(len(f.start)) + f.size + int64(len(f.end)) }

func (f *framed) ReadAt(p []byte, off int64) (n int, err error) {
	n = copy(p, f.start[min(off, int64(len(f.start))):])
	at := off + int64(n) - int64(len(f.start))
	if n < len(p) && at < f.size {
		most := min(int64(len(p)-n), f.size-at)
		k, err := f.item.ReadAt(p[n:n+int(most)], at)
		n, at = n+k, at+int64(k)
		if int64(k) < most {
			return n, err
		}
	}
	if n < len(p) {
		n += copy(p[n:], f.end[min(at-f.size, int64(len(f.end))):])
	}
	if n < len(p) {
		err = io.EOF
	}
	return n, err
}
