package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/garminkit/activityapi/notify/spool"
	"github.com/garminkit/activityapi/postgres"
)

// database selects stores in PostgreSQL. Processes share them, so the service may be
// running.
type database struct {
	Database bool   `help:"The stores are in PostgreSQL, at GARMIN_DATABASE_URL; the service may be running."`
	Schema   string `env:"GARMIN_SCHEMA" help:"Schema of the tables, activityapi by default."`
}

// connections is the most that a command opens.
const connections = 4

// pool connects. Its errors contain no part of the URL, which has a password.
func (d *database) pool(ctx context.Context) (*pgxpool.Pool, error) {
	url, err := needed(databaseURL)
	if err != nil {
		return nil, err
	}
	config, err := pgxpool.ParseConfig(string(url))
	if err != nil {
		return nil, usagef("%s is no address of PostgreSQL, such as postgres://user:password@host/database", databaseURL)
	}
	config.MaxConns = connections
	// This also works with a pooler that shares sessions between transactions.
	config.ConnConfig.DefaultQueryExecMode = pgx.QueryExecModeExec
	if config.ConnConfig.ConnectTimeout == 0 {
		config.ConnConfig.ConnectTimeout = 10 * time.Second
	}
	pool, err := pgxpool.NewWithConfig(ctx, config)
	if err != nil {
		return nil, errors.New("the database cannot be used as " + databaseURL + " says")
	}
	if err := pool.Ping(ctx); err != nil {
		pool.Close()
		return nil, fmt.Errorf("the database is not reached: %s", databaseReason(err))
	}
	return pool, nil
}

// databaseReason says why a connection failed, without any part of the URL.
func databaseReason(err error) string {
	if e, ok := errors.AsType[*pgconn.PgError](err); ok {
		return "SQLSTATE " + e.Code
	}
	seen, _ := unreachable(err, false)
	return "it " + seen
}

// open opens the tables.
func (d *database) open(ctx context.Context) (*postgres.DB, func() error, error) {
	pool, err := d.pool(ctx)
	if err != nil {
		return nil, nil, err
	}
	db, err := d.tables(ctx, pool)
	if err != nil {
		pool.Close()
		return nil, nil, err
	}
	return db, func() error {
		err := db.Close()
		pool.Close()
		return err
	}, nil
}

// tables opens them with the key only if something is sealed: a key that is there
// for the token file must not begin to seal the database.
func (d *database) tables(ctx context.Context, pool *pgxpool.Pool) (*postgres.DB, error) {
	aead, err := seal(tokensKey)
	if err != nil {
		return nil, err
	}
	db, err := postgres.Open(ctx, pool, &postgres.Options{Schema: d.Schema})
	if err == nil {
		for _, e := range db.Tokens().Tokens(ctx) {
			if errors.Is(e, spool.ErrKey) {
				err = errors.Join(e, db.Close())
			}
			break
		}
	}
	if !errors.Is(err, spool.ErrKey) {
		return db, err
	}
	if aead != nil {
		db, err = postgres.Open(ctx, pool, &postgres.Options{Schema: d.Schema, AEAD: aead})
	}
	if errors.Is(err, spool.ErrKey) {
		return nil, usagef("%v; set %s to the key of the service", err, tokensKey)
	}
	return db, err
}

// database checks PostgreSQL.
func (c *doctorCommand) database(ctx context.Context, d *diagnosis) {
	const check = "database"
	if !c.DB.Database {
		d.skip(check, "no -database")
		return
	}
	ctx, cancel := context.WithTimeout(ctx, c.Timeout)
	defer cancel()
	pool, err := c.DB.pool(ctx)
	if err != nil {
		d.add(check, fault, err.Error(), "look at "+databaseURL+", at the server, and at the network between")
		return
	}
	defer pool.Close()
	var standby bool
	var fsync, commit string
	const ask = `SELECT pg_is_in_recovery(), current_setting('fsync'), current_setting('synchronous_commit')`
	if err := pool.QueryRow(ctx, ask).Scan(&standby, &fsync, &commit); err != nil {
		d.add(check, fault, "the database answers with "+databaseReason(err), "look at the rights of the role")
		return
	}
	switch {
	case standby:
		d.add(check, fault, "the database is a standby, where nothing can be stored", "lead "+databaseURL+" to the primary: target_session_attrs=read-write finds it")
		return
	case fsync == "off", commit == "off":
		d.add(check, fault, fmt.Sprintf("fsync is %s and synchronous_commit is %s: what was answered 200 can be lost", fsync, commit), "set both to on, for the server and for the role")
	}
	db, err := c.DB.tables(ctx, pool)
	if err != nil {
		d.add(check, fault, "the tables cannot be used: "+err.Error(), "run postgres.Migrate with the role that owns them, and grant what postgres.Grants says")
		return
	}
	defer db.Close()
	st, err := db.Queue().Stats(ctx)
	if err != nil {
		d.add(check, fault, "the queue does not answer: "+err.Error(), "grant what postgres.Grants says")
		return
	}
	waiting := st.Bodies
	for _, n := range st.Items {
		waiting += n
	}
	d.ok(check, "%d items wait, %d letters, %d MiB", waiting, st.Letters, st.Bytes>>20)
}
