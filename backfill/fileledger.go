package backfill

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/garminkit/activityapi/internal/filelock"
	"github.com/garminkit/activityapi/types"
)

// FileLedger is the [Ledger] of one machine: an append-only log in a directory
// of its own, with a copy in memory. A Save is synced to disk before it
// returns; those of many goroutines share a sync. The log is rewritten when
// most of it is out of date.
//
// The file format.go describes the log. A torn end, as a crash leaves it, is cut off. Damage elsewhere is passed
// over, which loses the damaged records only; the damaged file is kept beside
// the log. If the disk fails, the ledger keeps returning that error until it
// is opened anew.
type FileLedger struct {
	dir    string
	logger *slog.Logger
	lock   *os.File

	// (*os.File).Sync and filelock.SyncDir, but in tests
	sync    func(*os.File) error
	syncDir func(dir string) error

	mu      sync.Mutex // of what follows
	book    *book
	pending []byte // records in book and not yet written
	last    int64  // counts the records in book
	err     error  // why the ledger can no longer be used

	disk   sync.Mutex // of what follows; taken before mu
	file   *os.File
	size   int64
	full   int64 // size at which to rewrite
	synced int64 // of last
}

// LedgerOptions change a [FileLedger]. nil means the zero value.
type LedgerOptions struct {
	// Logger is told of damage that was found. nil means silence.
	Logger *slog.Logger
}

// ErrClosed is returned by the methods of a ledger after Close.
var ErrClosed = errors.New("backfill: ledger is closed")

const (
	logName  = "ledger.log"
	newName  = "ledger.new"
	lockName = "lock"
)

// OpenLedger opens the ledger in dir, or makes a new one. It fails if another
// process, or this one, has it open.
func OpenLedger(dir string, opts *LedgerOptions) (*FileLedger, error) {
	l := &FileLedger{dir: dir, sync: (*os.File).Sync, syncDir: filelock.SyncDir}
	return l.start(opts)
}

// start opens a ledger of which dir and the syncs are set.
func (l *FileLedger) start(opts *LedgerOptions) (*FileLedger, error) {
	l.logger, l.book = slog.New(slog.DiscardHandler), newBook(0)
	if opts != nil && opts.Logger != nil {
		l.logger = opts.Logger
	}
	if err := l.open(); err != nil {
		if l.file != nil {
			l.file.Close()
		}
		if l.lock != nil {
			l.lock.Close()
		}
		return nil, fmt.Errorf("backfill: opening ledger: %w", err)
	}
	return l, nil
}

func (l *FileLedger) open() error {
	if err := os.MkdirAll(l.dir, 0o700); err != nil {
		return err
	}
	var err error
	if l.lock, err = os.OpenFile(filepath.Join(l.dir, lockName), os.O_CREATE|os.O_RDWR, 0o600); err != nil {
		return err
	}
	ok, err := filelock.Try(l.lock)
	if err != nil {
		return err
	}
	if !ok {
		return fmt.Errorf("%s is in use", l.dir)
	}
	path := filepath.Join(l.dir, logName)
	l.file, err = os.OpenFile(path, os.O_RDWR, 0)
	if errors.Is(err, os.ErrNotExist) {
		return l.rewrite()
	}
	if err != nil {
		return err
	}
	if info, err := l.file.Stat(); err == nil {
		l.book = newBook(int(info.Size() / perUser))
	}
	r := replay{file: l.file, book: l.book}
	if err := r.run(); err != nil {
		return err
	}
	if r.lost > 0 {
		l.logger.Warn("backfill: ledger was damaged", "records lost at", r.lostAt, "bytes", r.lost)
		kept := filepath.Join(l.dir, fmt.Sprintf("ledger.damaged-%d", time.Now().UnixNano()))
		if err := os.Link(path, kept); err != nil {
			return fmt.Errorf("keeping the damaged log: %w", err)
		}
		return l.rewrite()
	}
	l.size = r.good
	live := l.book.size()
	l.full = fullAt(live)
	if l.size > l.full {
		return l.rewrite()
	}
	// What was read may not be synced yet, if a crash came before.
	if err := l.file.Truncate(l.size); err != nil {
		return err
	}
	if _, err := l.file.Seek(l.size, io.SeekStart); err != nil {
		return err
	}
	return l.sync(l.file)
}

// perUser is about what a user with a few chunks takes in a log, in bytes.
const perUser = 128

// fullAt is the size at which a log, whose records in force need live bytes,
// is worth rewriting.
func fullAt(live int64) int64 { return max(1<<20, 3*live) }

// rewrite puts a log of what the book holds in the place of the old one, and
// leaves it in l.file. Both mutexes are held, or l is not yet shared.
func (l *FileLedger) rewrite() error {
	next, err := os.OpenFile(filepath.Join(l.dir, newName), os.O_CREATE|os.O_TRUNC|os.O_RDWR, 0o600)
	if err != nil {
		return err
	}
	size, err := l.book.writeTo(next)
	if err == nil {
		err = l.sync(next)
	}
	if err == nil {
		err = os.Rename(next.Name(), filepath.Join(l.dir, logName))
	}
	if err == nil {
		err = l.syncDir(l.dir)
	}
	if err != nil {
		next.Close()
		return err
	}
	if l.file != nil {
		l.file.Close()
	}
	l.file, l.size, l.full = next, size, fullAt(size)
	return nil
}

// Close syncs the ledger and lets go of the directory.
func (l *FileLedger) Close() error {
	l.disk.Lock()
	defer l.disk.Unlock()
	err := l.flush(true)
	l.mu.Lock()
	defer l.mu.Unlock()
	if errors.Is(l.err, ErrClosed) {
		return nil
	}
	l.err = ErrClosed
	return errors.Join(err, l.file.Close(), l.lock.Close())
}

// Save stores chunks on disk.
func (l *FileLedger) Save(ctx context.Context, chunks ...*Chunk) error {
	l.mu.Lock()
	if l.err != nil {
		l.mu.Unlock()
		return l.err
	}
	if err := l.book.check(chunks); err != nil || len(chunks) == 0 {
		l.mu.Unlock()
		return err
	}
	before := len(l.pending)
	l.pending = appendFrame(l.pending, func(b []byte) []byte {
		return appendSave(b, chunks[0].UserID, len(chunks), func(add func(Kind, *entry)) {
			for _, c := range chunks {
				e := entryOf(c)
				add(c.Kind, &e)
			}
		})
	})
	if len(l.pending)-before > maxPayload {
		l.pending = l.pending[:before]
		l.mu.Unlock()
		return fmt.Errorf("backfill: %d chunks are too many for one save", len(chunks))
	}
	l.book.put(chunks)
	l.last++
	mine := l.last
	l.mu.Unlock()

	l.disk.Lock()
	defer l.disk.Unlock()
	if l.synced >= mine {
		return nil
	}
	return l.flush(true)
}

// Arrived counts a summary toward the chunk that holds its start.
func (l *FileLedger) Arrived(ctx context.Context, userID string, kind Kind, start time.Time) error {
	l.mu.Lock()
	if l.err != nil || !l.book.arrive(userID, kind, start.Unix()) {
		defer l.mu.Unlock()
		return l.err
	}
	l.pending = appendFrame(l.pending, func(b []byte) []byte {
		return appendArrivals(b, userID, kind, []int64{start.Unix()})
	})
	l.last++
	l.mu.Unlock()

	l.disk.Lock()
	defer l.disk.Unlock()
	return l.flush(false)
}

// flush writes what is pending and, if asked to, syncs it. l.disk is held.
func (l *FileLedger) flush(sync bool) error {
	l.mu.Lock()
	if l.err != nil {
		defer l.mu.Unlock()
		return l.err
	}
	out, upTo := l.pending, l.last
	l.pending = nil
	l.mu.Unlock()

	_, err := l.file.Write(out)
	l.size += int64(len(out))
	switch {
	case err != nil:
	case l.size > l.full:
		l.mu.Lock()
		upTo = l.last
		l.pending = nil // rewrite has it, from the book
		err = l.rewrite()
		l.mu.Unlock()
		if err == nil {
			l.synced = upTo
		}
	case sync:
		if err = l.sync(l.file); err == nil {
			l.synced = upTo
		}
	}
	if err == nil {
		return nil
	}
	// A failed write or sync leaves the file in doubt, and a second sync may
	// claim what the first could not do.
	l.mu.Lock()
	defer l.mu.Unlock()
	l.err = fmt.Errorf("backfill: ledger failed: %w", err)
	return l.err
}

// Chunks yields the chunks of one user.
func (l *FileLedger) Chunks(ctx context.Context, userID string) iter.Seq2[*Chunk, error] {
	return yieldLocked(&l.mu, func() []*Chunk { return l.book.userChunks(userID) })
}

// Users yields the users that have chunks.
func (l *FileLedger) Users(ctx context.Context) iter.Seq2[string, error] {
	return yieldLocked(&l.mu, l.book.ids)
}

// Recent yields the chunks that were requested or answered since.
func (l *FileLedger) Recent(ctx context.Context, since time.Time) iter.Seq2[*Chunk, error] {
	return yieldLocked(&l.mu, func() []*Chunk { return l.book.recent(since) })
}

// Arrivals yields the starts that were counted within w.
func (l *FileLedger) Arrivals(ctx context.Context, userID string, kind Kind, w types.Window) iter.Seq2[time.Time, error] {
	return yieldLocked(&l.mu, func() []time.Time { return l.book.arrivals(userID, kind, w) })
}

// Claim keeps other runs of this process off the user. Other processes cannot
// open the ledger.
func (l *FileLedger) Claim(ctx context.Context, userID string) (release func(), err error) {
	return claim(&l.mu, l.book, userID)
}
