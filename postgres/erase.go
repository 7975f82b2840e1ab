package postgres

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/garminkit/activityapi/internal/erasure"
	"github.com/garminkit/activityapi/internal/shareof"
	"github.com/garminkit/activityapi/notify"
	"github.com/garminkit/activityapi/types"
)

var _ notify.Eraser = (*Queue)(nil)

// Erase removes all that the queue holds of a user; see [notify.Eraser]. It takes many
// short transactions and reads all items, letters and large bodies. A body that is not
// JSON has no items. It is divided at its outermost braces: each object that contains
// the user's id is removed, and so is text between two objects. Items of others that
// contain the user's id stay, and are counted.
//
// Sealed data is read and opened in this process, since the server cannot search
// it. What is damaged and does not open may belong to any user: it stays, and
// Erasure.Left lists it.
//
// If a process is working on an item that is erased, its result is ignored. A
// letter that is being redriven stays a letter.
//
// Rows that PostgreSQL deletes stay in the files of a table until they are written
// anew. Erase does that if the role owns the table and the table is smaller than
// 128 MB; it locks one table at a time, and all processes wait meanwhile.
// Otherwise Erasure.Left says what to do. WAL files, standbys, backups and blocks
// that the file system has freed are left to the operator.
//
// The hashes by which repeated bodies are recognized stay. They are halves, and
// contain no id.
func (q *Queue) Erase(ctx context.Context, user types.UserID) (*notify.Erasure, error) {
	e := &eraser{q: q, db: q.db, ctx: ctx, user: erasure.For(user), id: user, out: &notify.Erasure{}}
	if e.user.Nobody() {
		return e.out, errors.New("postgres: Erase without a user")
	}
	if err := e.erase(); err != nil {
		return e.out, fmt.Errorf("postgres: erase: %w", err)
	}
	return e.out, nil
}

// eraser is one Erase.
type eraser struct {
	q    *Queue
	db   *DB
	ctx  context.Context
	user *erasure.User
	id   types.UserID
	out  *notify.Erasure
	// top is the greatest Order that was given when Erase was called. What has a
	// greater one came later, whatever was redriven since.
	top int64
}

// queueTables are those of the queue that tell of users.
var queueTables = []string{"item", "letter", "letter_item", "chunk", "staged", "staged_list", "claim"}

func (e *eraser) erase() error {
	var bodies, coming []int64
	err := e.db.do(e.ctx, "looking", again, func(ctx context.Context) error {
		return e.db.pool.QueryRow(ctx, e.db.sql(`SELECT (SELECT last_value * 8 + 7 FROM {s}.item_seq),
  array(SELECT body FROM {s}.large WHERE ready ORDER BY body), array(SELECT body FROM {s}.large WHERE NOT ready)`)).Scan(&e.top, &bodies, &coming)
	})
	if err != nil {
		return err
	}
	// A letter that is redriven becomes items, and those may be buried again.
	for more := true; more; {
		if err := e.bodies(bodies); err != nil {
			return err
		}
		if err := e.letters(); err != nil {
			return err
		}
		more, err = e.redriven(&bodies)
		if err != nil {
			return err
		}
	}
	if err := e.claims(); err != nil {
		return err
	}
	if err := e.arriving(coming); err != nil {
		return err
	}
	if err := e.q.sweep(e.ctx); err != nil && !isDenied(err) {
		return clean(err)
	}
	return e.db.rewrite(e.ctx, e.out, queueTables...)
}

// bodies removes the user's items, with their bytes.
func (e *eraser) bodies(large []int64) error {
	for _, body := range large {
		if err := e.large(body); err != nil {
			return err
		}
	}
	if err := e.items(); err != nil {
		return err
	}
	return e.mixed()
}

// redriven tells whether there are items of the user's again that are not new,
// and adds the large bodies that have such items of anybody.
func (e *eraser) redriven(bodies *[]int64) (more bool, err error) {
	var found []int64
	err = e.db.do(e.ctx, "looking for what was redriven", again, func(ctx context.Context) error {
		return e.db.pool.QueryRow(ctx, e.db.sql(`SELECT array(SELECT DISTINCT body FROM {s}.item WHERE data IS NULL AND ord <= $1 AND body <> ALL ($2)),
  EXISTS (SELECT FROM {s}.item WHERE share = $3 AND user_id = $4 AND ord <= $1)`),
			e.top, *bodies, e.share(), []byte(e.id)).Scan(&found, &more)
	})
	*bodies = append(*bodies, found...)
	return more || len(found) > 0, err
}

func (e *eraser) share() int16 { return int16(shareof.User(e.id, shares)) }

// items removes the user's own items. One that somebody settles just now is come
// back to: two who wait for each other's rows would hang.
func (e *eraser) items() error {
	const mine = `FROM {s}.item WHERE share = $1 AND user_id = $2 AND coalesce(ord, id) <= $3`
	return e.repeat("items", `SELECT {s}.remove(share, ARRAY[class], ARRAY[id]) FROM (SELECT share, class, id `+mine+` LIMIT 1000 FOR UPDATE SKIP LOCKED) d`,
		`SELECT EXISTS (SELECT `+mine+`)`, e.share(), []byte(e.id), e.top)
}

// repeat deletes some rows at a time until none is left.
func (e *eraser) repeat(what, text, left string, args ...any) error {
	for {
		var n int64
		var more bool
		err := e.db.do(e.ctx, "removing "+what, again, func(ctx context.Context) error {
			tag, err := e.db.pool.Exec(ctx, e.db.sql(text), args...)
			n = tag.RowsAffected()
			return err
		})
		erasure.Remove(e.out, what, int(n))
		if err == nil && n == 0 {
			err = e.db.do(e.ctx, "looking for "+what, again, func(ctx context.Context) error {
				return e.db.pool.QueryRow(ctx, e.db.sql(left), args...).Scan(&more)
			})
			if err == nil && (!more || !e.db.sleep(lockedFor)) {
				return nil
			}
		}
		if err != nil {
			return err
		}
	}
}

// lockedFor is after what time a row that was locked is looked at again.
const lockedFor = 10 * time.Millisecond

// candidate is a row whose bytes may have something of the user.
type candidate struct {
	at       [3]int64
	key      []byte
	user     types.UserID
	reason   []byte
	data     []byte
	damaged  bool // the data, or the reason, do not open
	sealed   bool // the reason
	body     int64
	off      int64
	size     int64
	found    *erasure.Found
	contents []byte // without what is the user's
}

// maybe is a condition on bytes, that is true of all that may name the user: the
// name, or an escape or a NUL, stands in them. $1 is the name, and $2 turns it off.
func maybe(column string) string {
	parts := []string{"$2::boolean", "position($1::bytea IN " + column + ") > 0"}
	for _, c := range []string{`\x5c`, `\x25`, `\x26`, `\x00`} {
		parts = append(parts, fmt.Sprintf("position('%s'::bytea IN %s) > 0", c, column))
	}
	return "(" + strings.Join(parts, " OR ") + ")"
}

func (e *eraser) maybeArgs() []any { return []any{[]byte(e.name()), e.user.MayBeIn(nil)} }

// name is the user's id as Garmin gives it.
func (e *eraser) name() string {
	if at := strings.LastIndexByte(string(e.id), '@'); at >= 0 {
		return string(e.id[:at])
	}
	return string(e.id)
}

// look looks into the bytes of an item as [notify.Splitter] gave them.
func (c *candidate) look(u *erasure.User) error {
	start, end, err := around(c.user.App(), c.key)
	if err != nil {
		return err
	}
	body := slices.Concat(start, c.data, end)
	if c.found, err = u.Look(bytes.NewReader(body), int64(len(body))); err != nil {
		return err
	}
	erasure.Apply(body, c.found.Cuts)
	c.contents = body[len(start) : len(start)+len(c.data)]
	return nil
}

// all tells that nothing but the user's is in it.
func (c *candidate) all() bool { return len(c.found.Cuts) > 0 && len(c.found.Others) == 0 }

const othersName = "they are others' and name the user"

// walk reads rows that may have something of the user, some at a time, from the
// one after last. No connection is held while f runs.
func (e *eraser) walk(what, text string, last [3]int64, f func(page []*candidate) error, args ...any) error {
	for {
		if e.ctx.Err() != nil {
			return context.Cause(e.ctx)
		}
		var page []*candidate
		err := e.db.do(e.ctx, "reading "+what, again, func(ctx context.Context) error {
			rows, err := e.db.pool.Query(ctx, e.db.sql(text), append(append(e.maybeArgs(), last[0], last[1], last[2]), args...)...)
			if err != nil {
				return err
			}
			page, err = pgx.CollectRows(rows, e.candidate)
			return err
		})
		if err != nil || len(page) == 0 {
			return err
		}
		last = page[len(page)-1].at
		if err := f(page); err != nil {
			return err
		}
	}
}

// candidate reads a row, and opens what is sealed.
func (e *eraser) candidate(r pgx.CollectableRow) (*candidate, error) {
	var c candidate
	var user []byte
	err := r.Scan(&c.at[0], &c.at[1], &c.at[2], &c.key, &user, &c.reason, &c.sealed, &c.data, &c.body, &c.off, &c.size)
	c.user = types.UserID(user)
	if err == nil {
		c.data, err = e.db.sealing.openItem(c.data, c.body, c.off, c.size)
	}
	if err == nil {
		c.reason, err = e.db.sealing.openReason(c.reason, c.sealed)
	}
	if err == errDamaged {
		c.damaged, c.data, c.reason, err = true, nil, nil, nil
	}
	return &c, err
}

// sealed is the bytes of an item as they are stored.
func (e *eraser) sealed(c *candidate, data []byte) []byte {
	if k := e.db.sealing.sealer(); k != nil {
		return k.sealItem(nil, data, c.body, c.off)
	}
	return data
}

const damagedWhy = "they are damaged and do not open"

// around is what stands before and behind an item in a body of that item alone.
// What has no key is a body.
func around(app string, key []byte) (start, end []byte, err error) {
	if len(key) == 0 {
		return nil, nil, nil
	}
	name, err := json.Marshal(string(key))
	if err != nil {
		return nil, nil, err
	}
	return slices.Concat([]byte(notify.AppLine(app)), []byte("{"), name, []byte(":[")), []byte("]}"), nil
}
