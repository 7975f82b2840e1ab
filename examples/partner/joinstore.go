package main

import (
	"bytes"
	"compress/gzip"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"io"

	"github.com/garminkit/activityapi/activity/join"
	"github.com/garminkit/activityapi/notify"
	"github.com/garminkit/activityapi/types"
)

// joinStore keeps what package join has of one account's workouts in the
// database. It compares and tries again, so that no row is locked while one is
// worked on: the same SQL does in SQLite and PostgreSQL.
type joinStore struct {
	db      *database
	account string
}

var _ join.Store = (*joinStore)(nil)

// Update implements [join.Store].
func (s *joinStore) Update(ctx context.Context, key join.Key, f func(*join.Record) bool) error {
	if len(key.ID) > maxID {
		return notify.Permanent(errLongID)
	}
	for {
		rec, version, err := s.load(ctx, key)
		if err != nil {
			return err
		}
		if rec == nil {
			rec = &join.Record{}
		}
		if !f(rec) {
			return nil
		}
		data, err := pack(rec)
		if err != nil {
			return err
		}
		// Version 0 is a row that is not there.
		query := `UPDATE joined SET record = $5, version = version + 1 WHERE account = $1 AND garmin_id = $2 AND id = $3 AND version = $4`
		if version == 0 {
			query = `INSERT INTO joined (account, garmin_id, id, version, record) VALUES ($1, $2, $3, $4 + 1, $5) ON CONFLICT DO NOTHING`
		}
		if n, err := s.db.change(ctx, query, s.account, key.User, key.ID, version, data); err != nil || n == 1 {
			return err
		}
	}
}

// Load implements [join.Store].
func (s *joinStore) Load(ctx context.Context, key join.Key) (*join.Record, error) {
	rec, _, err := s.load(ctx, key)
	return rec, err
}

func (s *joinStore) load(ctx context.Context, key join.Key) (*join.Record, int64, error) {
	var version int64
	var data []byte
	err := s.db.row(ctx, `SELECT version, record FROM joined WHERE account = $1 AND garmin_id = $2 AND id = $3`,
		s.account, key.User, key.ID).Scan(&version, &data)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, 0, nil
	}
	if err != nil {
		return nil, 0, err
	}
	rec, err := unpack(data)
	return rec, version, err
}

// Forget implements [join.Store].
func (s *joinStore) Forget(ctx context.Context, user types.UserID) error {
	_, err := s.db.change(ctx, `DELETE FROM joined WHERE account = $1 AND garmin_id = $2`, s.account, user)
	return err
}

// pack writes a record for the database: a line without the details, and one with
// them, since package types reads its own JSON faster than encoding/json reads it
// within another's. Samples shrink to a fifth.
func pack(rec *join.Record) ([]byte, error) {
	var b bytes.Buffer
	z, err := gzip.NewWriterLevel(&b, gzip.BestSpeed)
	if err != nil {
		return nil, err
	}
	head := *rec
	head.Details = nil
	e := json.NewEncoder(z)
	if err := errors.Join(e.Encode(&head), e.Encode(rec.Details), z.Close()); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}

func unpack(data []byte) (*join.Record, error) {
	z, err := gzip.NewReader(bytes.NewReader(data))
	if err != nil {
		return nil, err
	}
	lines, err := io.ReadAll(z)
	if err != nil {
		return nil, err
	}
	head, details, _ := bytes.Cut(lines, []byte("\n"))
	rec := &join.Record{}
	if err := json.Unmarshal(head, rec); err != nil {
		return nil, err
	}
	if details = bytes.TrimSpace(details); string(details) != "null" {
		rec.Details = &types.ActivityDetails{}
		err = rec.Details.UnmarshalJSON(details)
	}
	return rec, err
}
