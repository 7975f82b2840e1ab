package auth

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/garminkit/activityapi/internal/atomicfile"
	"github.com/garminkit/activityapi/internal/backoff"
	"github.com/garminkit/activityapi/internal/filelock"
	"github.com/garminkit/activityapi/internal/recordlog"
	"github.com/garminkit/activityapi/types"
)

// acquire takes the store for this goroutine.
func (f *fileStore) acquire(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	select {
	case f.lock <- struct{}{}:
		if f.closed {
			f.release()
			return fmt.Errorf("auth: token file: %w", os.ErrClosed)
		}
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (f *fileStore) release() { <-f.lock }

// exclusive calls do while no other process writes the file. With create, the
// file is made if it is missing.
//
// The lock is on the file itself, and taken again if the file was replaced
// meanwhile: whoever has the lock has the file that the name leads to.
func (f *fileStore) exclusive(ctx context.Context, create bool, do func() error) error {
	path, flags := f.path, os.O_RDWR
	if !lockData {
		path = f.path + ".lock"
	}
	if create || !lockData {
		flags |= os.O_CREATE
	}
	for tries := 1; ; tries++ {
		l, err := os.OpenFile(path, flags, 0o600)
		if err != nil {
			return err
		}
		ok, err := filelock.Try(l)
		if ok && recordlog.Linked(l, path) == nil {
			defer f.unlock(l)
			return do()
		}
		l.Close()
		if err != nil {
			return err
		}
		if err := backoff.Sleep(ctx, backoff.Wait(tries, time.Millisecond, 50*time.Millisecond)); err != nil {
			return err
		}
	}
}

func (f *fileStore) unlock(l *os.File) {
	l.Close()
	if f.replacing != nil {
		f.replacing.Close()
		f.replacing = nil
	}
}

// hold makes file the one that was read. It stays open, so that its number is
// not given to another file: that one would be taken for it.
func (f *fileStore) hold(file *os.File, info os.FileInfo) {
	_ = f.letGo() // it was read only
	f.info, f.named = info, false
	if lockData {
		f.file = file
	} else {
		file.Close()
	}
}

func (f *fileStore) letGo() error {
	if f.file == nil {
		return nil
	}
	err := f.file.Close()
	f.file, f.info = nil, nil
	return err
}

// readSurely brings the memory up to date with the file, for whoever has the
// lock and is about to write. It does not believe the size alone.
func (f *fileStore) readSurely() error {
	if err := f.read(); err != nil {
		return err
	}
	file, err := os.Open(f.path)
	if err != nil {
		return err
	}
	defer file.Close()
	if f.continues(file) {
		return nil
	}
	f.info = nil
	return f.read()
}

// read brings the memory up to date with the file.
func (f *fileStore) read() error {
	info, err := os.Stat(f.path)
	if err != nil {
		return err
	}
	if f.info != nil && os.SameFile(f.info, info) && info.Size() == f.size && info.ModTime().Equal(f.info.ModTime()) {
		return nil
	}
	file, err := os.Open(f.path)
	if err != nil {
		return err
	}
	if info, err = file.Stat(); err != nil {
		file.Close()
		return err
	}
	if f.info != nil && os.SameFile(f.info, info) && info.Size() >= f.size && f.continues(file) {
		defer file.Close()
		b, err := section(file, f.size, info.Size())
		if err == nil {
			f.info = info
			f.take(b)
		}
		return err
	}
	b, err := section(file, 0, info.Size())
	var seq int64
	var n int
	if err == nil {
		seq, n, err = parseHeader(b, f.aead)
	}
	if err != nil {
		file.Close()
		return err
	}
	f.reset(seq)
	f.hold(file, info)
	f.size, f.last = int64(n), bytes.Clone(b[:n])
	f.take(b[n:])
	return nil
}

// section reads file from one place to another.
func section(file *os.File, from, to int64) ([]byte, error) {
	return io.ReadAll(io.NewSectionReader(file, from, to-from))
}

// continues reports whether file still has, before the place up to which it
// was read, the line that was read there.
func (f *fileStore) continues(file *os.File) bool {
	line := make([]byte, len(f.last))
	_, err := file.ReadAt(line, f.size-int64(len(line)))
	return err == nil && bytes.Equal(line, f.last)
}

// take takes over what follows the place up to which the file was read.
func (f *fileStore) take(b []byte) {
	n := parseRecords(b, f.aead, f.apply)
	f.size += int64(n)
	if n > 0 {
		f.last = bytes.Clone(b[bytes.LastIndexByte(b[:n-1], '\n')+1 : n])
	}
}

// reset forgets the content of the file.
func (f *fileStore) reset(seq int64) {
	f.size, f.seq = 0, seq
	f.tokens, f.due, f.live, f.damaged = make(map[types.UserID]fileEntry), dueIndex{}, 0, nil
	f.suspect = false
}

// apply takes a line of the file into memory.
func (f *fileStore) apply(line []byte, r *logRecord) {
	if r == nil {
		f.logger.Error("damaged record in token file", "path", f.path, "bytes", len(line))
		f.damaged = append(f.damaged, bytes.Clone(line))
		return
	}
	f.seq = max(f.seq, r.Version)
	user := r.user()
	prev := f.tokens[user]
	f.live -= prev.n
	delete(f.tokens, user)
	if r.Token != nil {
		n := int64(len(line)) + 1
		f.live += n
		t := r.Token.token(r.Version)
		f.tokens[user] = fileEntry{token: t, n: n}
		f.due.add(t, prev.token, len(f.tokens), f.stored)
	}
}

// append writes r behind what was read and takes it into memory. Whatever
// follows what was read is a write that was cut off.
func (f *fileStore) append(r *logRecord) error {
	line, err := appendRecord(nil, f.aead, r)
	if err != nil {
		return err
	}
	if f.suspect {
		if err := f.rewrite(); err != nil {
			return err
		}
	}
	if sound, err := f.write(line); err != nil {
		f.suspect = !sound
		return err
	}
	f.size += int64(len(line))
	f.last = line
	f.apply(line[:len(line)-1], r)
	if f.size > 1<<20 && f.size > 2*f.live {
		// The record is safe. If this fails, the next swap tries again.
		if err := f.rewrite(); err != nil {
			f.logger.Warn("token file not compacted", "path", f.path, "err", err)
		}
	}
	return nil
}

// write appends line behind what was read, and sees to it that it is on disk
// under the file's name.
func (f *fileStore) write(line []byte) (sound bool, err error) {
	file, err := os.OpenFile(f.path, os.O_RDWR, 0)
	if err != nil {
		return false, err
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return false, err
	}
	if !os.SameFile(f.info, info) {
		return false, recordlog.ErrUnlinked
	}
	if !f.named {
		// Whoever put it in place may have died before the directory was synced, or
		// failed to sync it: a power cut would bring the old file back, without line.
		if err := atomicfile.SyncDir(os.Open, filepath.Dir(f.path), f.disk.Sync); err != nil {
			return true, err
		}
		f.named = true
	}
	if sound, err := f.disk.Append(file, f.path, f.size, line, true); err != nil {
		return sound, err
	}
	if info, err := file.Stat(); err == nil {
		f.info = info
	}
	return true, nil
}

// rewrite puts a file in place that holds what is in memory.
func (f *fileStore) rewrite() error {
	b := appendHeader(make([]byte, 0, f.live+4096), f.aead, f.seq)
	for _, line := range f.damaged {
		b = append(append(b, line...), '\n')
	}
	tokens, live := make(map[types.UserID]fileEntry, len(f.tokens)), int64(0)
	for user, e := range f.tokens {
		before := len(b)
		fields, err := e.token.fields()
		if err == nil {
			b, err = appendRecord(b, f.aead, &logRecord{Version: e.token.Version, Token: fields})
		}
		if err != nil {
			return err
		}
		n := int64(len(b) - before)
		live += n
		tokens[user] = fileEntry{token: e.token, n: n}
	}
	if err := f.replace(b); err != nil {
		return err
	}
	f.size, f.tokens, f.live, f.suspect = int64(len(b)), tokens, live, false
	f.last = bytes.Clone(b[bytes.LastIndexByte(b[:len(b)-1], '\n')+1:])
	return nil
}

// replace puts a file with this content in place. It is locked before it has
// its name.
func (f *fileStore) replace(b []byte) error {
	dir, name := filepath.Split(f.path)
	root, err := os.OpenRoot(dir)
	if err != nil {
		return err
	}
	defer root.Close()
	file, err := f.disk.Replace(root, name+".tmp", name, func(file *os.File) error {
		if lockData {
			if _, err := filelock.Try(file); err != nil {
				return err
			}
		}
		_, err := file.Write(b)
		return err
	})
	switch {
	case file == nil:
		return err
	case !lockData:
		file.Close()
	default:
		if f.replacing != nil {
			f.replacing.Close()
		}
		f.replacing = file // until the lock is given back
	}
	if err != nil {
		return err
	}
	held, err := os.Open(f.path)
	if err != nil {
		return errors.Join(recordlog.ErrUnlinked, err)
	}
	if lockData {
		if err := recordlog.Linked(file, f.path); err != nil {
			held.Close()
			return err
		}
	}
	info, err := held.Stat()
	if err != nil {
		held.Close()
		return err
	}
	f.hold(held, info)
	f.named = true
	return nil
}
