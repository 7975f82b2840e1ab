// Package postgres keeps in a PostgreSQL database what several processes share:
// the queue of notifications, the claims of one-time downloads, tokens and
// consents, the ledger of requested history, the limit of days per minute, and
// joined activities.
//
// The queue keeps the order of each user's items. Users are divided into
// shares. A process has some of the shares, and when it dies, others take them
// over.
//
//	pool, err := pgxpool.New(ctx, url)
//	err = postgres.Migrate(ctx, pool, "")
//	db, err := postgres.Open(ctx, pool, nil)
//	defer db.Close()
//	handler := notify.NewHandler(db.Queue().Put, nil)
//	users, err := auth.NewUsers(app, db.Tokens(), nil)
//	limiter, err := db.Limiter(ctx, consumerKey, backfill.Production)
//	runner := backfill.NewRunner(limiter, db.Ledger(), nil)
//	joiner := join.New(db.Joined())
//
// It needs PostgreSQL 13 or later. A standby that may become the primary must be
// synchronous: otherwise a failover loses bodies that were answered with 200.
//
// # Security
//
// Errors and log lines contain no stored or sent value. Users' data and tokens can be
// sealed with a key that the database does not have; see [Options].AEAD. A process
// needs few rights; see [Grants].
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

	"github.com/garminkit/activityapi/internal/redelivery"
)

// DefaultLease is how long a process that gives no sign of life keeps its shares.
const DefaultLease = 15 * time.Second

// Options are the optional settings of [Open]. nil means the zero value.
type Options struct {
	// Schema holds the tables. The default is DefaultSchema.
	Schema string
	// Lease is how long a process that gives no sign of life keeps its shares, at
	// least a second. The process itself stops using a share when two thirds of
	// the time have passed. The default is [DefaultLease]. All processes must use
	// the same value.
	Lease time.Duration
	// RepeatTime is how long an identical body is acknowledged and not stored
	// again. 0 means eight days; a negative value means that every body is
	// stored. All processes should use the same value.
	//
	// Each body takes about 60 bytes of memory. At most the latest million bodies
	// are remembered.
	RepeatTime time.Duration
	// AEAD seals users' data in the database, for instance AES-GCM from
	// cipher.NewGCM with a key of 32 bytes: bodies, letters with their reasons, the
	// notes of downloads, joined activities and tokens. The hashes by which a
	// repeated body is recognized are keyed. Its nonces must have at least 12
	// bytes, or none.
	//
	// Not sealed are the ids of users and of joined activities, by which rows are
	// found; names of lists, places in bodies, sizes, times, counts and states; the
	// history, with Garmin's messages; and hashes of consents and of downloads.
	//
	// To begin, restart all processes with the AEAD, one after the other. Tokens are
	// sealed from the first Open with an AEAD. All else is sealed once every process
	// that works on the queue has the AEAD, and a version of this package that can
	// open sealed data. What was plain before can still be read, and stays plain
	// until it is finished or written anew. From then on, Open without the AEAD or
	// with another changes nothing and returns an error that wraps spool.ErrKey.
	// Sealing cannot be turned off again.
	//
	// The AEAD seals the keys with which data is sealed, and tokens directly. To
	// change the key, use an AEAD that seals with the new key and opens with
	// either. Keep the old key until no token is sealed with it: each refresh seals
	// a token anew.
	AEAD cipher.AEAD
	// MaxBytes limits the size of waiting items and dead letters. Beyond it, Put
	// fails with [ErrFull]. The size is checked every two seconds, so leave room
	// on the disk. 0 means no limit but the disk's.
	MaxBytes int64
	// LetterRetention is how long a dead letter is kept. 0 means until it is
	// redriven or discarded.
	LetterRetention time.Duration
	// JoinedRetention is how long an activity of [DB.Joined] is kept after its
	// last change, rounded up to days. 0 means until its user is forgotten. All
	// processes should use the same value.
	JoinedRetention time.Duration
	// Logger is told of failures that no caller is told of. nil is silent.
	Logger *slog.Logger

	// patience is for tests that do not wait for the usual one.
	patience time.Duration
}

// DB is this process's handle of the database. It is safe for concurrent use.
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
	older   time.Duration // how long an Erase waits for other transactions

	patience time.Duration // how long a statement may take
	seal     cipher.AEAD   // nil: what is stored is in clear
	sealing  sealing
	log      *slog.Logger

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

// Open opens the tables that [Migrate] has made. The caller owns the pool and
// closes it after the DB. A pool of one connection works but is slow; ten are
// enough for a busy process. Open makes one more connection outside the pool, for
// notices of new items, and the first limiter another. So do the vacuum of the items
// and, if it takes longer than 30 seconds, the count for MaxBytes, while they run. Behind a pooler that
// shares sessions between transactions, such as PgBouncer, the pool must use a
// mode without named prepared statements, such as [pgx.QueryExecModeExec].
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
		o.RepeatTime = redelivery.Time
	}
	if o.MaxBytes < 0 || o.LetterRetention < 0 || o.JoinedRetention < 0 {
		return nil, errors.New("postgres: MaxBytes, LetterRetention or JoinedRetention is negative")
	}
	if o.patience == 0 {
		o.patience = patience
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
		begun: maxBegun, older: rewriteWait, patience: o.patience, most: o.MaxBytes, letters: o.LetterRetention, joins: o.JoinedRetention, seal: o.AEAD, log: o.Logger,
	}
	db.ctx, db.stop = context.WithCancel(context.WithoutCancel(ctx))
	db.holder.init(db)
	db.limiters.holder = &db.holder
	db.claims = &claims{db: db}
	db.queue = newQueue(db)
	if err := db.checkKey(ctx); err != nil {
		db.stop()
		return nil, err
	}
	if need >= sealVersion {
		if err := db.openKeys(ctx); err != nil {
			db.stop()
			return nil, err
		}
	}
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

// Queue returns the queue of all processes that use the schema. It is the same
// value for the life of the DB.
func (db *DB) Queue() *Queue { return db.queue }

// Close ends the work of the process and releases its remaining shares.
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
