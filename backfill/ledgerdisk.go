package backfill

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/garminkit/activityapi/internal/atomicfile"
	"github.com/garminkit/activityapi/internal/filelock"
	"github.com/garminkit/activityapi/internal/recordlog"
)

// mendPause is the least time between two rewrites of a log that cannot be
// written, so that a failing disk is not kept busy with them.
const mendPause = time.Second

// errTaken says that the directory has another owner.
var errTaken = errors.New("the lock file was removed or replaced: another program may have the directory; reopen the ledger")

// open locks the directory and reads the log.
func (l *fileLedger) open() error {
	if err := os.MkdirAll(l.dir, 0o700); err != nil {
		return err
	}
	var err error
	if l.root, err = os.OpenRoot(l.dir); err != nil {
		return err
	}
	if l.lock, err = l.root.OpenFile(lockName, os.O_CREATE|os.O_RDWR, 0o600); err != nil {
		return err
	}
	ok, err := filelock.Try(l.lock)
	if err != nil {
		return err
	}
	if !ok || recordlog.Linked(l.lock, l.path(lockName)) != nil {
		return fmt.Errorf("%s is in use", l.dir)
	}
	l.file, err = l.root.OpenFile(logName, os.O_RDWR, 0)
	if errors.Is(err, os.ErrNotExist) {
		_, err := l.rewrite()
		return err
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
		kept := fmt.Sprint(damagedName, time.Now().UnixNano())
		if err := l.root.Link(logName, kept); err != nil {
			return fmt.Errorf("keeping the damaged log: %w", err)
		}
	} else if r.torn > 0 {
		l.logger.Warn("backfill: the end of the ledger is cut off, as after a crash", "bytes", r.torn)
	}
	l.size, l.full = r.good, fullAt(l.book.size())
	if r.lost > 0 || r.forgot || l.size > l.full {
		_, err := l.rewrite()
		return err
	}
	// What was read may not be synced yet, if a crash came before, and neither may
	// its name: a power cut would bring back the log that was there before it.
	if err := atomicfile.SyncDir(l.root.Open, ".", l.device.Sync); err != nil {
		return err
	}
	_, err = l.device.Append(l.file, l.path(logName), l.size, nil, true)
	return err
}

// perUser is about what a user with a few chunks takes in a log, in bytes.
const perUser = 128

// fullAt is the size at which a log, whose records in force need live bytes,
// is worth rewriting.
func fullAt(live int64) int64 { return max(1<<20, 3*live) }

func (l *fileLedger) path(name string) string { return filepath.Join(l.dir, name) }

// rewrite puts a log of what the book holds in the place of the old one, and
// leaves it in l.file. replaced is true if the old one is no longer the log,
// which an error may still leave in doubt. Both mutexes are held, or l is not
// yet shared.
func (l *fileLedger) rewrite() (replaced bool, err error) {
	var size int64
	next, err := l.device.Replace(l.root, newName, logName, func(f *os.File) (err error) {
		size, err = l.book.writeTo(f)
		return err
	})
	if err != nil {
		if next != nil {
			next.Close()
		}
		return next != nil, err
	}
	if l.file != nil {
		l.file.Close()
	}
	l.file, l.size, l.full = next, size, fullAt(size)
	return true, nil
}

// flush writes what is pending and, if asked to, syncs it. l.disk is held.
func (l *fileLedger) flush(sync bool) error {
	l.mu.Lock()
	if l.err != nil {
		defer l.mu.Unlock()
		return l.err
	}
	out, upTo, sick := l.pending, l.last, l.sick
	l.pending = nil // while sick, the book alone counts
	l.mu.Unlock()

	if recordlog.Linked(l.lock, l.path(lockName)) != nil {
		return l.fail(errTaken)
	}
	if sick != nil {
		return l.heal(sick)
	}
	sound, err := l.device.Append(l.file, l.path(logName), l.size, out, sync)
	switch {
	case err != nil && sound:
		l.mu.Lock()
		defer l.mu.Unlock()
		l.pending = append(out, l.pending...)
		return fmt.Errorf("backfill: writing ledger: %w", err)
	case err != nil:
		return l.heal(err)
	}
	l.size += int64(len(out))
	if sync {
		l.synced = upTo
	}
	if l.size > l.full {
		return l.shrink()
	}
	return nil
}

// shrink rewrites a log that is mostly out of date. If that fails, the old one
// stays in use.
func (l *fileLedger) shrink() error {
	replaced, err := l.renew()
	switch {
	case err == nil:
		return nil
	case replaced:
		return l.heal(err)
	}
	l.logger.Warn("backfill: the ledger cannot be written anew and grows on", "err", err)
	l.full = l.size + l.size/2
	return l.flush(true)
}

// renew writes the log anew from the book, what is pending included. replaced tells
// that the old one is gone. disk is held.
func (l *fileLedger) renew() (replaced bool, err error) {
	l.mu.Lock()
	upTo := l.last
	pending := l.pending
	l.pending = nil // rewrite has it, from the book
	replaced, err = l.rewrite()
	if err != nil && !replaced {
		l.pending = pending
	}
	l.mu.Unlock()
	if err == nil {
		l.synced = upTo
	}
	return replaced, err
}

// heal writes the log anew after the old one failed for the reason why. If that
// cannot be done either, it is tried again by later calls.
func (l *fileLedger) heal(why error) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.sick = why
	if time.Now().Before(l.mend) {
		return fmt.Errorf("backfill: ledger failed: %w", why)
	}
	_, err := l.rewrite()
	if err != nil {
		if !errors.Is(err, why) {
			err = fmt.Errorf("%w; writing it anew: %w", why, err)
		}
		l.mend = time.Now().Add(mendPause)
		l.logger.Error("backfill: the ledger cannot be written", "err", err)
		return fmt.Errorf("backfill: ledger failed: %w", err)
	}
	l.logger.Warn("backfill: the ledger was written anew", "because", why)
	l.sick, l.pending, l.mend, l.synced = nil, nil, time.Time{}, l.last
	return nil
}

// fail makes the ledger refuse all further changes.
func (l *fileLedger) fail(why error) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.err = fmt.Errorf("backfill: ledger failed: %w", why)
	for id := range l.book.claims {
		l.book.loseClaim(id)
	}
	return l.err
}
