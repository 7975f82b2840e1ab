// Package postgres keeps what several processes share in a PostgreSQL database:
// the queue of notifications, with order for each user and takeover of what a
// dead process had, the notes of downloads, tokens and consents, the history that
// was asked for, the days a minute that may be asked for, and activities that are
// put together of their parts.
//
//	pool, err := pgxpool.New(ctx, url)
//	err = postgres.Migrate(ctx, pool, "")
//	db, err := postgres.Open(ctx, pool, nil)
//	defer db.Close()
//	handler, err := notify.NewHandler(db.Queue(), nil)
//	users, err := auth.NewUsers(app, db.Tokens(), nil)
//	limiter, err := db.Limiter(ctx, consumerKey, backfill.Production)
//	runner := backfill.NewRunner(limiter, db.Ledger(), nil)
//	joiner := join.New(db.Joined())
//
// It needs PostgreSQL 13 or later, and a standby that may take over must be
// synchronous: what was acknowledged is otherwise lost in a failover.
//
// # Security
//
// Errors and log lines hold no value that was stored or sent. Tokens can be
// sealed with a key that the database does not have: Options.Seal. A process needs
// few rights, which [Grants] lists.
package postgres

import (
	"context"
	"crypto/cipher"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"sync"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/garminkit/activityapi/notify"
)

// DefaultLease is how long a process that is not heard of keeps its shares.
const DefaultLease = 15 * time.Second

// Options are the options of [Open]. Zero values are good.
type Options struct {
	// Schema is where the tables are, DefaultSchema by default.
	Schema string
	// Lease is how long a process that is not heard of keeps its shares,
	// DefaultLease by default and a second at least. All processes must use the
	// same. A right ends a third of it earlier where the process is.
	Lease time.Duration
	// RepeatTime is how long after its arrival a body that comes again, byte for
	// byte, is acknowledged and not stored, as notify.Redeliveries explains. 0
	// means notify.DefaultRepeatTime, less than zero that each body is stored.
	// All processes should use the same.
	//
	// Some 60 bytes of memory are taken for each body, for the latest million of
	// them at the most.
	RepeatTime time.Duration
	// Seal encrypts the tokens in the database, for instance AES-GCM as
	// cipher.NewGCM makes it. They are either sealed from the first day or not at
	// all. nil means that they are stored in clear.
	Seal cipher.AEAD
	// MaxBytes bounds what the items that wait and the dead letters take; a Put
	// beyond it fails with ErrFull. It is looked at every two seconds, so leave
	// room on the disk. 0 means no bound but the disk's.
	MaxBytes int64
	// LetterRetention is how long a dead letter is kept after it was buried. 0
	// means until it is redriven or discarded.
	LetterRetention time.Duration
	// JoinedRetention is how long an activity of [DB.Joined] is kept after its last
	// change, in days: a part of one is a whole one. 0 means until its user is
	// forgotten. All processes should use the same.
	JoinedRetention time.Duration
	// Logger hears of trouble that no caller is told of. nil is silent.
	Logger *slog.Logger
}

// DB is the database as this process has it. It is safe for concurrent use.
type DB struct {
	pool    *pgxpool.Pool
	schema  string
	names   *strings.Replacer // puts the schema into statements
	lease   time.Duration
	repeat  time.Duration // 0: each body is new
	most    int64         // bytes; 0: no bound
	letters time.Duration // 0: they are kept
	joins   time.Duration // activities; 0: they are kept
	begun   int           // how many processes may die at an item
	seal    cipher.AEAD   // nil: tokens are stored in clear
	log     *slog.Logger

	ctx   context.Context // ends with Close
	stop  context.CancelFunc
	tasks sync.WaitGroup // goroutines of ours

	queue  *Queue
	claims *claims
	holder holder

	limiters limiters
}

// errClosed is the error of a call after Close.
var errClosed = errors.New("postgres: the database is closed")

// Open opens the tables that [Migrate] has made. The pool stays the caller's,
// and is closed after the DB. Ten connections are enough for a busy process, and
// four for any; one more is opened beside the pool to hear of what is new, and one
// with the first limiter. Behind a pooler that shares sessions between
// transactions, the pool must use a mode that prepares nothing under a name, such
// as pgx.QueryExecModeExec.
func Open(ctx context.Context, pool *pgxpool.Pool, opts *Options) (*DB, error) {
	need, err := versions()
	if err != nil {
		return nil, err
	}
	return openAt(ctx, pool, opts, need)
}

// openAt opens tables of a version, or a later one.
func openAt(ctx context.Context, pool *pgxpool.Pool, opts *Options, need int) (*DB, error) {
	var o Options
	if opts != nil {
		o = *opts
	}
	schema, err := schemaName(o.Schema)
	if err != nil {
		return nil, err
	}
	if o.Lease == 0 {
		o.Lease = DefaultLease
	}
	if o.Lease < time.Second {
		return nil, fmt.Errorf("postgres: a lease of %v is too short", o.Lease)
	}
	if o.RepeatTime == 0 {
		o.RepeatTime = notify.DefaultRepeatTime
	}
	if o.MaxBytes < 0 || o.LetterRetention < 0 || o.JoinedRetention < 0 {
		return nil, errors.New("postgres: MaxBytes, LetterRetention or JoinedRetention is negative")
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if err := checkVersion(ctx, pool, schema, need); err != nil {
		return nil, err
	}
	if err := checkSettings(ctx, pool); err != nil {
		return nil, err
	}
	db := &DB{
		pool: pool, schema: schema, names: namer(schema), lease: o.Lease, repeat: max(0, o.RepeatTime),
		begun: maxBegun, most: o.MaxBytes, letters: o.LetterRetention, joins: o.JoinedRetention, seal: o.Seal, log: o.Logger,
	}
	db.ctx, db.stop = context.WithCancel(context.WithoutCancel(ctx))
	db.holder.init(db)
	db.limiters.holder = &db.holder
	db.claims = &claims{db: db}
	db.queue = newQueue(db)
	if err := db.queue.start(ctx); err != nil {
		db.stop()
		return nil, err
	}
	db.tasks.Go(db.sweeps)
	return db, nil
}

// checkSettings refuses a database whose transactions are others than we need.
func checkSettings(ctx context.Context, pool *pgxpool.Pool) error {
	var commit, isolation, readOnly string
	err := pool.QueryRow(ctx, `SELECT current_setting('synchronous_commit'), current_setting('default_transaction_isolation'), current_setting('transaction_read_only')`).
		Scan(&commit, &isolation, &readOnly)
	switch {
	case err != nil:
		return fmt.Errorf("postgres: reading the settings: %w", clean(err))
	case readOnly == "on":
		return errors.New("postgres: nothing can be written: the server is a standby, or default_transaction_read_only is on")
	case commit == "off":
		return errors.New("postgres: synchronous_commit is off: a power cut would lose what was acknowledged")
	case isolation != "read committed":
		// Locks are taken first, and what they guard is read by the next statement.
		return fmt.Errorf("postgres: default_transaction_isolation is %s, and must be read committed", isolation)
	}
	return nil
}

// Queue is the queue of all processes that use the schema. It is one value for
// the life of the DB.
func (db *DB) Queue() *Queue { return db.queue }

// Close gives back what the process has and ends its work. The shares that are
// not released yet are released.
func (db *DB) Close() error {
	db.queue.leave()
	db.stop()
	db.tasks.Wait()
	return nil
}

// sql puts the schema into a statement.
func (db *DB) sql(text string) string { return db.names.Replace(text) }

// sleep waits, and reports whether the DB is still open.
func (db *DB) sleep(d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-db.ctx.Done():
		return false
	}
}

// sweeps forgets what nobody asks for any more.
func (db *DB) sweeps() {
	for db.sleep(time.Minute) {
		for _, sweep := range []func(context.Context) error{db.sweepConsents, db.sweepHolders, db.sweepJoined} {
			if err := sweep(db.ctx); err != nil && db.ctx.Err() == nil && !isDenied(err) {
				db.log.Warn("postgres: sweep", "error", err)
			}
		}
	}
}

// Format implements [fmt.Formatter]: no verb prints a key or a password.
func (db *DB) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, "postgres.DB("+db.schema+")") }
