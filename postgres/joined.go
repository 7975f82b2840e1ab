package postgres

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/garminkit/activityapi/activity/join"
	"github.com/garminkit/activityapi/types"
)

// joined is the [join.Store] of all processes.
type joined struct{ db *DB }

var _ join.Store = (*joined)(nil)

// Joined returns the store of a [join.Joiner] that all processes share. An update
// writes only if nobody else has written since it read, and otherwise begins
// again. Options.JoinedRetention bounds how long an activity is kept.
func (db *DB) Joined() join.Store { return &joined{db} }

// joinedRow is a record as it was read. Without a row, version is 0 and the
// record is empty.
type joinedRow struct {
	version int64
	record  *join.Record
}

// Update implements [join.Store]. No connection is held while f runs.
func (s *joined) Update(ctx context.Context, key join.Key, f func(*join.Record) bool) error {
	for {
		row, err := s.load(ctx, key)
		if err != nil {
			return err
		}
		details := row.record.Details
		if !f(row.record) {
			return nil
		}
		kept, err := s.keep(ctx, key, row, row.record.Details != details)
		if err != nil || kept {
			return err
		}
	}
}

// today is the day of UTC: a session's time zone may be another.
const today = `({s}.clock() AT TIME ZONE 'UTC')::date`

// keep writes what was made of a row, and reports whether the row was still as it
// was read. What is lost with a connection is not repeated: it may have been
// written.
func (s *joined) keep(ctx context.Context, key join.Key, row joinedRow, newDetails bool) (bool, error) {
	text, err := joinedText(row.record)
	if err != nil {
		return false, err
	}
	var details []byte
	if newDetails {
		if details, err = detailsText(row.record.Details); err != nil {
			return false, err
		}
	}
	text = s.db.sealing.sealText(text, aboutRecord(key))
	details = s.db.sealing.sealText(details, aboutDetails(key))
	args := []any{[]byte(key.User), []byte(key.ID), 1 + rand.Int64N(math.MaxInt64), text}
	var sql string
	switch {
	case row.version == 0:
		sql = `INSERT INTO {s}.joined (user_id, id, version, changed, record, details) VALUES ($1, $2, $3, ` + today + `, $4, $5) ON CONFLICT DO NOTHING`
		args = append(args, details)
	case newDetails:
		sql = `UPDATE {s}.joined SET version = $3, changed = ` + today + `, record = $4, details = $6 WHERE user_id = $1 AND id = $2 AND version = $5`
		args = append(args, row.version, details)
	default: // their bytes stay where they are
		sql = `UPDATE {s}.joined SET version = $3, changed = ` + today + `, record = $4 WHERE user_id = $1 AND id = $2 AND version = $5`
		args = append(args, row.version)
	}
	var kept bool
	err = s.db.do(ctx, "update of an activity", once, func(ctx context.Context) error {
		tag, err := s.db.pool.Exec(ctx, s.db.sql(sql), args...)
		kept = tag.RowsAffected() == 1
		return err
	})
	return kept && err == nil, err
}

// What is authenticated with a record and with details, if they are sealed.
func aboutRecord(key join.Key) []byte  { return aboutText("activity", string(key.User), string(key.ID)) }
func aboutDetails(key join.Key) []byte { return aboutText("details", string(key.User), string(key.ID)) }

// joinedText is a record as it is stored, without the details.
func joinedText(rec *join.Record) ([]byte, error) {
	rest := *rec
	rest.Details = nil
	return text(&rest)
}

// detailsText is nil for none.
func detailsText(d *types.ActivityDetails) ([]byte, error) {
	if d == nil {
		return nil, nil
	}
	return text(d)
}

func text(v any) ([]byte, error) {
	b, err := json.Marshal(v)
	if err != nil {
		return nil, fmt.Errorf("postgres: %w", err)
	}
	return b, nil
}

// Load implements [join.Store].
func (s *joined) Load(ctx context.Context, key join.Key) (*join.Record, error) {
	row, err := s.load(ctx, key)
	if err != nil || row.version == 0 {
		return nil, err
	}
	return row.record, nil
}

func (s *joined) load(ctx context.Context, key join.Key) (joinedRow, error) {
	var record, details []byte
	row := joinedRow{record: &join.Record{}}
	err := s.db.do(ctx, "activity", again, func(ctx context.Context) error {
		return s.db.pool.QueryRow(ctx, s.db.sql(`SELECT version, record, details FROM {s}.joined WHERE user_id = $1 AND id = $2`),
			[]byte(key.User), []byte(key.ID)).Scan(&row.version, &record, &details)
	})
	switch {
	case errors.Is(err, pgx.ErrNoRows):
		return row, nil
	case err != nil:
		return row, err
	}
	if record, err = s.db.sealing.openText(record, aboutRecord(key)); err != nil {
		return row, err
	}
	if details, err = s.db.sealing.openText(details, aboutDetails(key)); err != nil {
		return row, err
	}
	if err := json.Unmarshal(record, row.record); err != nil {
		return row, errJoined
	}
	if details != nil {
		row.record.Details = &types.ActivityDetails{}
		if err := json.Unmarshal(details, row.record.Details); err != nil {
			return row, errJoined
		}
	}
	return row, nil
}

// errJoined says no more, since the error of a decoder quotes what it read.
var errJoined = errors.New("postgres: the row of an activity cannot be read")

// Forget implements [join.Store].
func (s *joined) Forget(ctx context.Context, user types.UserID) error {
	return s.db.do(ctx, "forget activities", again, func(ctx context.Context) error {
		_, err := s.db.pool.Exec(ctx, s.db.sql(`DELETE FROM {s}.joined WHERE user_id = $1`), []byte(user))
		return err
	})
}

// sweepJoined forgets the activities that nothing has changed for long, a
// thousand at a time.
func (db *DB) sweepJoined(ctx context.Context) error {
	if db.joins == 0 {
		return nil
	}
	const most = 1000
	days := int((db.joins + 24*time.Hour - 1) / (24 * time.Hour))
	for {
		var n int64
		err := db.do(ctx, "sweep of activities", again, func(ctx context.Context) error {
			tag, err := db.pool.Exec(ctx, db.sql(`DELETE FROM {s}.joined WHERE ctid = ANY (ARRAY(
  SELECT ctid FROM {s}.joined WHERE changed < `+today+` - $1::integer ORDER BY changed LIMIT $2 FOR UPDATE SKIP LOCKED))`), days, most)
			n = tag.RowsAffected()
			return err
		})
		if err != nil || n < most {
			return err
		}
	}
}
