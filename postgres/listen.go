package postgres

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

// listens hears what is said in a channel while ctx lasts. begun is called
// whenever something may have been missed. Nothing may depend on it: behind a
// pooler that shares sessions, nothing is ever heard.
func (db *DB) listens(ctx context.Context, channel string, begun func(), hear func(text string)) {
	for ctx.Err() == nil {
		if err := db.listen(ctx, channel, begun, hear); err != nil && ctx.Err() == nil {
			db.log.Warn("postgres: listening", "error", clean(err))
		}
		db.sleep(pollEvery / 4)
	}
}

func (db *DB) listen(ctx context.Context, channel string, begun func(), hear func(text string)) error {
	cfg := db.pool.Config()
	cfg.AfterConnect = nil // hearing needs no role
	return beside(ctx, cfg, func(conn *pgx.Conn) error {
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
