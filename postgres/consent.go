package postgres

import (
	"context"
	"time"
)

// Once is for [auth.ConnectorOptions].Once. Of all calls with the same id, in
// all processes, the first returns true. If a call fails, it is not known
// whether it was the first, and the user has to start again.
func (db *DB) Once(ctx context.Context, id string, until time.Time) (bool, error) {
	var first bool
	err := db.do(ctx, "once", once, func(ctx context.Context) error {
		tag, err := db.pool.Exec(ctx, db.sql(`INSERT INTO {s}.consent (id, until) VALUES ($1, $2) ON CONFLICT DO NOTHING`), []byte(id), until)
		first = tag.RowsAffected() == 1
		return err
	})
	return first && err == nil, err
}

// consentAge is how much longer than asked for an id is kept: until is by the
// clock of a process.
const consentAge = time.Hour

// sweepConsents forgets the ids that nobody asks for any more.
func (db *DB) sweepConsents(ctx context.Context) error {
	return db.do(ctx, "sweep of consents", again, func(ctx context.Context) error {
		_, err := db.pool.Exec(ctx, db.sql(`DELETE FROM {s}.consent WHERE until < {s}.clock() - $1::interval`), consentAge)
		return err
	})
}
