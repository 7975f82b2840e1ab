package postgres

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/garminkit/activityapi/internal/erasure"
	"github.com/garminkit/activityapi/notify"
)

const (
	// rewriteMost is the size up to which a table is written anew by an Erase:
	// nobody else can use it meanwhile.
	rewriteMost = 128 << 20
	// rewriteWait is how long a transaction may go on that may still see what was
	// deleted.
	rewriteWait = 30 * time.Second
	// rewriteLock is how long a rewrite waits for its lock, since all others wait
	// behind it, and rewriteTries how often it tries.
	rewriteLock  = time.Second
	rewriteTries = 20
)

// rewrite writes tables anew, with their indexes, so that nothing is left in
// their files of rows that were deleted, be it now or long ago. A vacuum does not
// do that: it makes the place usable and leaves the bytes.
func (db *DB) rewrite(ctx context.Context, out *notify.Erasure, tables ...string) error {
	leave := func(n int, why string) {
		erasure.Leave(out, "tables", n, why+": their files keep what was deleted until VACUUM FULL")
	}
	// A transaction that goes on keeps what it may see, and so does one whose
	// snapshot was taken while that went on.
	for range 2 {
		ended, err := db.outlasts(ctx)
		if err != nil {
			return err
		}
		if !ended {
			leave(len(tables), "another transaction goes on for long")
			return nil
		}
	}
	for _, table := range tables {
		why, err := db.rewriteTable(ctx, table)
		if err != nil {
			return err
		}
		if why != "" {
			leave(1, why)
		}
	}
	return nil
}

// olderSQL names the transactions that go on in this database. Each holds a lock
// on its name.
const olderSQL = `SELECT coalesce(array_agg(l.virtualtransaction), '{}') FROM pg_locks l JOIN pg_stat_activity a ON a.pid = l.pid
WHERE l.locktype = 'virtualxid' AND l.granted AND l.virtualxid = l.virtualtransaction AND l.pid <> pg_backend_pid()
AND a.datname = current_database() AND a.backend_type IS DISTINCT FROM 'autovacuum worker'`

// outlasts waits until all transactions have ended that go on now, and reports
// whether they have.
func (db *DB) outlasts(ctx context.Context) (bool, error) {
	var names []string
	for end := time.Now().Add(db.older); ; {
		var now []string
		err := db.do(ctx, "looking for transactions", again, func(ctx context.Context) error {
			return db.pool.QueryRow(ctx, olderSQL).Scan(&now)
		})
		if err != nil {
			return false, err
		}
		if names == nil {
			names = now
		} else {
			names = slices.DeleteFunc(names, func(name string) bool { return !slices.Contains(now, name) })
		}
		if len(names) == 0 {
			return true, nil
		}
		if time.Now().After(end) {
			return false, nil
		}
		if ctx.Err() != nil {
			return false, context.Cause(ctx)
		}
		if !db.sleep(lockedFor) {
			return false, errClosed
		}
	}
}

// rewriteTable writes a table anew. why tells that it must not, or could not.
func (db *DB) rewriteTable(ctx context.Context, table string) (why string, err error) {
	var mine bool
	var size int64
	err = db.do(ctx, "looking at a table", again, func(ctx context.Context) error {
		return db.pool.QueryRow(ctx, db.sql(`SELECT pg_has_role(relowner, 'USAGE'), pg_total_relation_size(oid) FROM pg_class WHERE oid = '{s}.`+table+`'::regclass`)).Scan(&mine, &size)
	})
	switch {
	case err != nil:
		return "", err
	case !mine:
		return "the role of this process does not own them", nil
	case size > rewriteMost:
		return fmt.Sprintf("they are larger than %d MB", rewriteMost>>20), nil
	}
	for try := 0; ; try++ {
		err := db.cluster(ctx, table)
		var pg *pgconn.PgError
		switch {
		case err == nil:
			return "", nil
		case errors.As(err, &pg) && (pg.Code == "55P03" || pg.Code == "40P01"):
			if try < rewriteTries {
				continue
			}
			return "they are in use", nil
		}
		return "", db.reason(ctx, err)
	}
}

// cluster copies what is alive into new files, in one transaction. VACUUM FULL
// does the same, but cannot be one with a timeout, behind a pooler that shares
// sessions.
func (db *DB) cluster(ctx context.Context, table string) error {
	ctx, cancel := db.long(ctx)
	defer cancel()
	return pgx.BeginFunc(ctx, db.pool, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, `SELECT set_config('lock_timeout', $1, true), set_config('statement_timeout', '0', true)`, fmt.Sprint(rewriteLock.Milliseconds())); err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, db.sql(`CLUSTER {s}.`+table+` USING `+table+`_pkey`)); err != nil {
			return err
		}
		_, err := tx.Exec(ctx, db.sql(`ALTER TABLE {s}.`+table+` SET WITHOUT CLUSTER`))
		return err
	})
}
