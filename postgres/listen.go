package postgres

import (
	"context"
	"errors"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

// listens hears what is said in a channel while ctx lasts. begun is called
// whenever something may have been missed. Nothing may depend on it: behind a
// pooler nothing is ever heard.
func (db *DB) listens(ctx context.Context, channel string, begun func(), hear func(text string)) {
	for ctx.Err() == nil {
		err := db.listen(ctx, channel, begun, hear)
		if errors.Is(err, errPooler) {
			begun()
			return
		}
		if err != nil && ctx.Err() == nil {
			db.log.Warn("postgres: listening", "error", clean(err))
		}
		db.sleep(pollEvery / 4)
	}
}

func (db *DB) listen(ctx context.Context, channel string, begun func(), hear func(text string)) error {
	cfg := db.pool.Config()
	cfg.AfterConnect = nil // hearing needs no role
	return beside(ctx, cfg, func(conn *pgx.Conn) error {
		if err := direct(ctx, conn); err != nil {
			return err
		}
		if _, err := conn.Exec(ctx, `LISTEN `+pgx.Identifier{channel}.Sanitize()); err != nil {
			return err
		}
		begun()
		for {
			note, err := conn.WaitForNotification(ctx)
			if err != nil {
				return err
			}
			hear(note.Payload)
		}
	})
}

var errPooler = errors.New("a pooler is between us and the server")

// direct returns errPooler unless the server itself is at the other end. A pooler
// tells a number of its own for the session. One that shares sessions between
// transactions keeps ours after we have gone, and gets notices that belong to nobody:
// PgBouncer 1.18 ends with "server in bad state" if one comes during a cancel.
func direct(ctx context.Context, conn *pgx.Conn) error {
	var pid uint32
	if err := conn.QueryRow(ctx, `SELECT pg_backend_pid()`, pgx.QueryExecModeSimpleProtocol).Scan(&pid); err != nil {
		return err
	}
	if pid != conn.PgConn().PID() {
		return errPooler
	}
	return nil
}

// beside calls f with a connection outside the pool: what takes long must not have
// one that others wait for.
func beside(ctx context.Context, cfg *pgxpool.Config, f func(conn *pgx.Conn) error) error {
	if cfg.BeforeConnect != nil { // it may have the password of this minute
		if err := cfg.BeforeConnect(ctx, cfg.ConnConfig); err != nil {
			return err
		}
	}
	conn, err := pgx.ConnectConfig(ctx, cfg.ConnConfig)
	if err != nil {
		return err
	}
	defer func() {
		c, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
		defer cancel()
		_ = conn.Close(c)
	}()
	if cfg.AfterConnect != nil { // it may take the role that owns the tables
		if err := cfg.AfterConnect(ctx, conn); err != nil {
			return err
		}
	}
	return f(conn)
}
