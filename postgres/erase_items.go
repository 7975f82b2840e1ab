package postgres

import (
	"context"

	"github.com/jackc/pgx/v5"

	"github.com/garminkit/activityapi/internal/erasure"
	"github.com/garminkit/activityapi/internal/redact"
)

// mixedSQL are items of small bodies that are not the user's and may tell of the
// user: those that could not be read, those of others that name the user, and
// those whose reason to wait does.
var mixedSQL = `SELECT ` + candidateSQL + ` FROM {s}.item
WHERE share = $3 AND (class, id) > ($4::bigint, $5::bigint) AND (` + maybe("data") + ` OR length(data) > size OR ` + maybe("reason") + `) ORDER BY class, id LIMIT 100`

// candidateSQL are the columns of an item that candidate reads.
const candidateSQL = `share, class, id, key, user_id, reason, false, coalesce(data, ''::bytea), body, off, size`

// mixed takes what is the user's out of items that are not the user's alone.
func (e *eraser) mixed() error {
	for share := range int64(shares) {
		err := e.walk("items", mixedSQL, [3]int64{share, -1, 0}, func(page []*candidate) error {
			for _, c := range page {
				if c.user == e.id {
					continue // It came later.
				}
				if err := e.item(c); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// item takes the user out of an item, if the user is in it.
func (e *eraser) item(c *candidate) error {
	if c.damaged {
		erasure.Leave(e.out, "items", 1, damagedWhy)
		return nil
	}
	if err := c.look(e.user); err != nil {
		return err
	}
	if len(c.found.Cuts) == 0 && !e.user.Named(c.reason) {
		erasure.Leave(e.out, "items", c.found.Naming, othersName)
		return nil
	}
	removed := 0
	err := e.db.do(e.ctx, "rewriting an item", again, func(ctx context.Context) error {
		removed = 0
		return pgx.BeginFunc(ctx, e.db.pool, func(tx pgx.Tx) error {
			// Another Erase may have changed it meanwhile.
			now, err := rowsOf(ctx, tx, e.candidate, e.db.sql(`SELECT `+candidateSQL+` FROM {s}.item
WHERE share = $1 AND class = $2 AND id = $3 AND coalesce(ord, id) <= $4 FOR UPDATE`), c.at[0], c.at[1], c.at[2], e.top)
			if err != nil || len(now) == 0 || now[0].damaged {
				return err
			}
			c = now[0]
			if err := c.look(e.user); err != nil {
				return err
			}
			removed = len(c.found.Cuts)
			if c.all() {
				removed = 1
				_, err := tx.Exec(ctx, e.db.sql(`DELETE FROM {s}.item WHERE share = $1 AND class = $2 AND id = $3`), c.at[0], c.at[1], c.at[2])
				return err
			}
			_, err = tx.Exec(ctx, e.db.sql(`UPDATE {s}.item SET data = CASE WHEN data IS NULL THEN data ELSE $4 END, reason = $5
WHERE share = $1 AND class = $2 AND id = $3`), c.at[0], c.at[1], c.at[2], e.sealed(c, c.contents), e.redacted(c.reason))
			return err
		})
	})
	if err != nil {
		return err
	}
	erasure.Remove(e.out, "items", removed)
	erasure.Leave(e.out, "items", c.found.Naming, othersName)
	return nil
}

// redacted is a reason without the user.
func (e *eraser) redacted(reason []byte) []byte {
	if reason == nil || !e.user.Named(reason) {
		return reason
	}
	text := redact.Text(string(reason), e.name())
	if e.user.Named([]byte(text)) { // in a form that redact does not know
		text = redact.Mark
	}
	return []byte(text)
}

// rowsOf reads the rows of a query.
func rowsOf[T any](ctx context.Context, tx pgx.Tx, scan pgx.RowToFunc[T], text string, args ...any) ([]T, error) {
	rows, err := tx.Query(ctx, text, args...)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, scan)
}
