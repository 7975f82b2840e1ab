package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	_ "github.com/jackc/pgx/v5/stdlib" // the driver "pgx"
	_ "modernc.org/sqlite"             // the driver "sqlite"

	"github.com/garminkit/activityapi/types"
)

// schema is that of SQLite and of PostgreSQL alike. What belongs to an account
// goes with it.
const schema = `
CREATE TABLE IF NOT EXISTS account (
	id       TEXT PRIMARY KEY,
	name     TEXT NOT NULL UNIQUE,
	password TEXT NOT NULL,
	created  BIGINT NOT NULL
);
CREATE TABLE IF NOT EXISTS session (
	token  TEXT PRIMARY KEY,
	data   BYTEA NOT NULL,
	expiry BIGINT NOT NULL
);
-- Who is who at Garmin.
CREATE TABLE IF NOT EXISTS connection (
	garmin_id   TEXT PRIMARY KEY,
	account     TEXT NOT NULL REFERENCES account ON DELETE CASCADE,
	since       BIGINT NOT NULL,
	permissions TEXT NOT NULL,
	permitted   DOUBLE PRECISION NOT NULL
);
-- The state of package join, with all samples.
CREATE TABLE IF NOT EXISTS joined (
	account   TEXT NOT NULL REFERENCES account ON DELETE CASCADE,
	garmin_id TEXT NOT NULL,
	id        TEXT NOT NULL,
	version   BIGINT NOT NULL,
	record    BYTEA NOT NULL,
	PRIMARY KEY (account, garmin_id, id)
);
-- What lists show of it.
CREATE TABLE IF NOT EXISTS workout (
	account   TEXT NOT NULL REFERENCES account ON DELETE CASCADE,
	garmin_id TEXT NOT NULL,
	id        TEXT NOT NULL,
	changes   BIGINT NOT NULL,
	parent    TEXT NOT NULL,
	day       TEXT NOT NULL,
	start     BIGINT NOT NULL,
	type      TEXT NOT NULL,
	name      TEXT NOT NULL,
	seconds   BIGINT NOT NULL,
	meters    DOUBLE PRECISION NOT NULL,
	device    TEXT NOT NULL,
	PRIMARY KEY (account, garmin_id, id)
);
CREATE INDEX IF NOT EXISTS workout_day ON workout (account, day);
-- What a watch detected by itself.
CREATE TABLE IF NOT EXISTS detected (
	record   TEXT PRIMARY KEY,
	account  TEXT NOT NULL REFERENCES account ON DELETE CASCADE,
	ord      BIGINT NOT NULL,
	revision TEXT NOT NULL,
	day      TEXT NOT NULL,
	type     TEXT NOT NULL,
	seconds  BIGINT NOT NULL
);
CREATE INDEX IF NOT EXISTS detected_day ON detected (account, day);
-- Every file on the disk, those of earlier versions too.
CREATE TABLE IF NOT EXISTS file (
	account TEXT NOT NULL REFERENCES account ON DELETE CASCADE,
	name    TEXT NOT NULL,
	PRIMARY KEY (account, name)
);`

// patience is how long a database may take to answer at the start.
const patience = 20 * time.Second

// database is the application's own: SQLite or PostgreSQL.
type database struct{ *sql.DB }

// openDatabase opens the file at path, or the PostgreSQL at address if there is
// one, and makes the tables that are not there. What was committed survives a
// power cut: Garmin does not say it again.
func openDatabase(ctx context.Context, path, address string) (*database, error) {
	driver, source, setting := "pgx", address, "DATABASE_URL"
	if address == "" {
		driver, setting = "sqlite", "-dir, "+path
		source = "file:" + (&url.URL{Path: path}).EscapedPath() +
			"?_pragma=busy_timeout(10000)&_pragma=foreign_keys(1)&_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)"
	}
	if address != "" {
		if _, err := pgx.ParseConfig(address); err != nil { // whose text has the address
			return nil, errors.New("DATABASE_URL is no address of a PostgreSQL, such as postgres://user:password@host/name")
		}
	}
	db, err := sql.Open(driver, source)
	if err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(8)
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	if _, err := db.ExecContext(ctx, schema); err != nil {
		return nil, errors.Join(fmt.Errorf("%s: %w", setting, err), db.Close())
	}
	return &database{db}, nil
}

// change makes one change and tells how many rows it was of. Any text may be among
// its values.
func (db *database) change(ctx context.Context, query string, args ...any) (int64, error) {
	r, err := db.ExecContext(ctx, query, keptAll(args)...)
	if err != nil {
		return 0, err
	}
	return r.RowsAffected()
}

// row returns the one row of a query. It is an error that it is not there.
func (db *database) row(ctx context.Context, query string, args ...any) row {
	return row{db.QueryRowContext(ctx, query, keptAll(args)...)}
}

// rows calls scan for each row of a query.
func (db *database) rows(ctx context.Context, scan func(row) error, query string, args ...any) error {
	rows, err := db.QueryContext(ctx, query, keptAll(args)...)
	if err != nil {
		return err
	}
	defer rows.Close() //nolint:errcheck // rows.Err tells
	for rows.Next() {
		if err := scan(row{rows}); err != nil {
			return err
		}
	}
	return rows.Err()
}

// connection is a Garmin account that a user of ours has connected.
type connection struct {
	GarminID    types.UserID
	Account     string `json:"-"`
	Since       time.Time
	Permissions []types.Permission
}

// History tells whether the user lets us ask for history.
func (c *connection) History() bool {
	return slices.Contains(c.Permissions, types.PermissionHistoricalDataExport)
}

// Activities tells whether the user lets us have anything at all.
func (c *connection) Activities() bool {
	return slices.Contains(c.Permissions, types.PermissionActivityExport)
}

// errTaken says that a Garmin account belongs to another user of ours.
var errTaken = errors.New("another user has connected this Garmin account")

// connect notes that a user has connected. Garmin's account stays with the user
// who has it.
func (db *database) connect(ctx context.Context, account string, garminID types.UserID, p []types.Permission) error {
	now := time.Now()
	n, err := db.change(ctx, `
		INSERT INTO connection (garmin_id, account, since, permissions, permitted) VALUES ($1, $2, $3, $4, $5)
		ON CONFLICT (garmin_id) DO UPDATE
		SET since = excluded.since, permissions = excluded.permissions, permitted = excluded.permitted
		WHERE connection.account = excluded.account`,
		garminID, account, now.Unix(), joinPermissions(p), float64(now.UnixMilli())/1000)
	if err == nil && n == 0 {
		err = errTaken
	}
	return err
}

func (db *database) disconnect(ctx context.Context, garminID types.UserID) error {
	_, err := db.change(ctx, `DELETE FROM connection WHERE garmin_id = $1`, garminID)
	return err
}

// permit keeps the newest: notifications come in any order.
func (db *database) permit(ctx context.Context, garminID types.UserID, p []types.Permission, since types.Timestamp) error {
	_, err := db.change(ctx, `UPDATE connection SET permissions = $2, permitted = $3 WHERE garmin_id = $1 AND permitted <= $3`,
		garminID, joinPermissions(p), float64(since))
	return err
}

// connections returns those of one account, or of all if it is "".
func (db *database) connections(ctx context.Context, account string) (all []*connection, err error) {
	err = db.rows(ctx, func(r row) error {
		c := &connection{}
		var since int64
		var permissions string
		err := r.Scan(&c.GarminID, &c.Account, &since, &permissions)
		c.Since = time.Unix(since, 0).UTC()
		for p := range strings.FieldsSeq(permissions) {
			c.Permissions = append(c.Permissions, types.Permission(p))
		}
		all = append(all, c)
		return err
	}, `SELECT garmin_id, account, since, permissions FROM connection WHERE $1 IN ('', account) ORDER BY since`, account)
	return all, err
}

// owner returns which of our users a Garmin user is.
func (db *database) owner(ctx context.Context, garminID types.UserID) (account string, err error) {
	err = db.row(ctx, `SELECT account FROM connection WHERE garmin_id = $1`, garminID).Scan(&account)
	return account, err
}

func joinPermissions(p []types.Permission) string {
	words := make([]string, len(p))
	for i := range p {
		words[i] = string(p[i])
	}
	return strings.Join(words, " ")
}
