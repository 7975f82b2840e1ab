package backfill

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"os"
	"sync"
	"time"

	"github.com/garminkit/activityapi/internal/filelock"
	"github.com/garminkit/activityapi/internal/recordlog"
	"github.com/garminkit/activityapi/types"
)

// fileLedger is the ledger of [OpenLedger].
type fileLedger struct {
	dir    string
	root   *os.Root // is dir
	logger *slog.Logger
	lock   *os.File

	device recordlog.Disk

	mu      sync.Mutex // of what follows
	book    *book
	pending []byte // records in book and not yet written
	last    int64  // counts the records in book
	err     error  // why the ledger can no longer be used
	sick    error  // why file must not be written to; mended by a rewrite

	disk   sync.Mutex // of what follows; taken before mu
	file   *os.File
	size   int64
	full   int64     // size at which to rewrite
	synced int64     // of last
	mend   time.Time // when to try the next rewrite, while sick
}

// LedgerOptions are the optional settings of OpenLedger. nil means the zero
// value.
type LedgerOptions struct {
	// Logger is told of damage, of failed writes and of their repair. nil is
	// silent.
	Logger *slog.Logger
}

// errClosed is what the methods of a ledger return after Close.
var errClosed = fmt.Errorf("backfill: ledger: %w", os.ErrClosed)

const (
	logName  = "ledger.log"
	newName  = "ledger.new"
	lockName = "lock"
	// damagedName is how the names of damaged logs begin.
	damagedName = "ledger.damaged-"
)

// OpenLedger opens the ledger in dir, or creates one. It fails if another
// process, or this one, has it open.
//
// The ledger is for one machine: an append-only log in its own directory, with a
// copy in memory. Save syncs to disk before it returns; calls of several
// goroutines share a sync. The log is rewritten when most of it is outdated, when
// it is opened after a Forget, and after a write or sync failed or the file was
// removed. So the ledger works again once the disk does. If its lock file was
// removed and another process has taken it, the ledger refuses all changes until
// it is reopened.
//
// An unreadable end of the log, as a crash leaves it, is removed. Damage
// elsewhere is skipped, which loses only the damaged records. Both are logged. A
// damaged file is kept beside the log, under a name that begins with
// "ledger.damaged-"; it may contain users who are forgotten later.
//
// The ledger also has a method Erase(ctx, userID) (int, error), which package
// personal uses. It leaves no byte of the user in the directory.
func OpenLedger(dir string, opts *LedgerOptions) (Ledger, error) {
	l := &fileLedger{dir: dir, device: recordlog.NewDisk()}
	if err := l.start(opts); err != nil {
		return nil, err
	}
	return l, nil
}

// start opens a ledger of which dir and device are set.
func (l *fileLedger) start(opts *LedgerOptions) error {
	l.logger, l.book = slog.New(slog.DiscardHandler), newBook(0)
	if opts != nil && opts.Logger != nil {
		l.logger = opts.Logger
	}
	if err := l.open(); err != nil {
		if l.file != nil {
			l.file.Close()
		}
		if l.lock != nil {
			_ = filelock.Close(l.lock)
		}
		if l.root != nil {
			l.root.Close()
		}
		return fmt.Errorf("backfill: opening ledger: %w", err)
	}
	return nil
}

// Close syncs the ledger and releases the directory. Claims end.
func (l *fileLedger) Close() error {
	l.disk.Lock()
	defer l.disk.Unlock()
	l.mend = time.Time{}
	err := l.flush(true)
	l.mu.Lock()
	defer l.mu.Unlock()
	if errors.Is(l.err, errClosed) {
		return nil
	}
	l.err = errClosed
	for id := range l.book.claims {
		l.book.loseClaim(id)
	}
	return errors.Join(err, l.file.Close(), filelock.Close(l.lock), l.root.Close())
}

// Claim prevents other runs of this process for the user. Other processes cannot
// open the ledger.
func (l *fileLedger) Claim(ctx context.Context, userID types.UserID) (Claim, error) {
	l.mu.Lock()
	err := l.err
	l.mu.Unlock()
	if err != nil {
		return nil, err
	}
	return l.book.claim(&l.mu, userID, l.save)
}

// save stores chunks on disk.
func (l *fileLedger) save(c *claim, chunks []*Chunk) error {
	return l.record(func() error {
		if err := c.check(); err != nil {
			return err
		}
		if err := l.book.check(c.userID, chunks); err != nil || len(chunks) == 0 {
			return err
		}
		before := len(l.pending)
		l.pending = appendFrame(l.pending, func(b []byte) []byte {
			return appendSave(b, c.userID, len(chunks), func(add func(number, *entry)) {
				for _, c := range chunks {
					n, _ := numberOf(c.Kind)
					e := entryOf(c)
					add(n, &e)
				}
			})
		})
		if len(l.pending)-before > maxPayload {
			l.pending = l.pending[:before]
			return fmt.Errorf("backfill: %d chunks are too many for one save", len(chunks))
		}
		l.book.put(chunks)
		l.last++
		return nil
	})
}

// Forget removes the user's history. Its bytes leave the disk at the next rewrite
// of the log, at the latest when the ledger is opened again.
func (l *fileLedger) Forget(ctx context.Context, userID types.UserID) error {
	return l.record(func() error {
		l.book.loseClaim(userID)
		if l.book.users[userID] == nil {
			return nil
		}
		l.book.remove(userID)
		l.pending = appendFrame(l.pending, func(b []byte) []byte { return appendForget(b, userID) })
		l.last++
		return nil
	})
}

// record lets add change the book, with a record of it in pending, and syncs
// all records so far.
func (l *fileLedger) record(add func() error) error {
	l.mu.Lock()
	err := l.err
	if err == nil {
		err = add()
	}
	mine := l.last
	l.mu.Unlock()
	if err != nil {
		return err
	}

	l.disk.Lock()
	defer l.disk.Unlock()
	if l.synced >= mine {
		return nil
	}
	return l.flush(true)
}

// Arrived counts a summary toward the chunk that holds its start.
func (l *fileLedger) Arrived(ctx context.Context, userID types.UserID, kind types.Kind, start time.Time) error {
	l.mu.Lock()
	if l.err != nil {
		defer l.mu.Unlock()
		return l.err
	}
	switch {
	case l.book.arrive(userID, kind, start.Unix()):
		n, _ := numberOf(kind)
		l.pending = appendFrame(l.pending, func(b []byte) []byte {
			return appendArrivals(b, userID, n, []int64{start.Unix()})
		})
		l.last++
	case len(l.pending) == 0 && l.sick == nil:
		l.mu.Unlock()
		return nil
	}
	l.mu.Unlock()

	l.disk.Lock()
	defer l.disk.Unlock()
	return l.flush(false)
}

// Chunks yields the chunks of one user.
func (l *fileLedger) Chunks(ctx context.Context, userID types.UserID) iter.Seq2[*Chunk, error] {
	return yieldLocked(&l.mu, func() []*Chunk { return l.book.userChunks(userID) })
}

// Users yields the users that have chunks.
func (l *fileLedger) Users(ctx context.Context) iter.Seq2[types.UserID, error] {
	return yieldLocked(&l.mu, func() []types.UserID { return l.book.ids() })
}

// Recent yields the chunks that were requested or answered since.
func (l *fileLedger) Recent(ctx context.Context, since time.Time) iter.Seq2[*Chunk, error] {
	return yieldLocked(&l.mu, func() []*Chunk { return l.book.recent(since) })
}

// Arrivals yields the starts that were counted within w.
func (l *fileLedger) Arrivals(ctx context.Context, userID types.UserID, kind types.Kind, w types.Window) iter.Seq2[time.Time, error] {
	return yieldLocked(&l.mu, func() []time.Time { return l.book.arrivals(userID, kind, w) })
}
