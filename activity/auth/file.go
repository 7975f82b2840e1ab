package auth

import (
	"bytes"
	"context"
	"crypto/cipher"
	"errors"
	"fmt"
	"io"
	"iter"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"time"

	"github.com/garminkit/activityapi/internal/filelock"
)

// FileOptions configures a FileStore. A nil *FileOptions means the defaults.
type FileOptions struct {
	// AEAD seals the tokens in the file, for instance AES-GCM as
	// cipher.NewGCM makes it. A file is either sealed from its first day or
	// not at all. Nil means that tokens are written in clear.
	AEAD cipher.AEAD
	// Logger is told of damaged records. Nil means silence.
	Logger *slog.Logger
}

// FileStore is a TokenStore in one file on a local disk. All tokens are also
// held in memory, so that reading one costs no more than asking for the
// file's size. Several processes on one machine may open the same file.
//
// The file has mode 0600. It is a log: a swap appends one checked record and
// waits until it is on disk. When more than half of the file is out of date
// it is written anew and takes the old one's place in one step. After a crash
// the file holds every change that was confirmed, and perhaps the one that was
// not. Beside the file lies an empty one with the suffix ".lock".
//
// Each line is a record: its CRC-32C in eight hex digits, a space, and a JSON
// object or the base64 of a sealed one. The first one names the format; the
// last one of a user counts. A record in which bits were flipped is passed
// over, logged and kept.
type FileStore struct {
	opaque
	path   string
	aead   cipher.AEAD
	logger *slog.Logger
	// (*os.File).Sync and filelock.SyncDir, but in tests
	sync    func(*os.File) error
	syncDir func(dir string) error

	// lock guards what follows. It is a channel so that waiting for it ends
	// with the context.
	lock chan struct{}

	info    os.FileInfo // the file that was read last
	size    int64       // how far it was read
	seq     int64       // the last version in it
	tokens  map[string]fileEntry
	live    int64    // length of the lines of tokens
	damaged [][]byte // lines
	suspect bool     // a write failed: do not append to this file any more
}

type fileEntry struct {
	token *Token
	n     int64 // length of its line
}

// OpenFile opens the token file at path, and makes one if there is none. It
// refuses a file that is something else. There is nothing to close.
func OpenFile(path string, opts *FileOptions) (*FileStore, error) {
	if opts == nil {
		opts = &FileOptions{}
	}
	if path == "" {
		return nil, errors.New("auth: token file without name")
	}
	path, err := filepath.Abs(path)
	if err != nil {
		return nil, fmt.Errorf("auth: token file: %w", err)
	}
	if p, err := filepath.EvalSymlinks(path); err == nil {
		path = p // the file is replaced, not the link to it
	}
	f := &FileStore{path: path, aead: opts.AEAD, logger: opts.Logger, sync: (*os.File).Sync, syncDir: filelock.SyncDir, lock: make(chan struct{}, 1)}
	if f.logger == nil {
		f.logger = slog.New(slog.DiscardHandler)
	}
	err = f.exclusive(context.Background(), func() error {
		info, err := os.Stat(path)
		if errors.Is(err, os.ErrNotExist) || err == nil && info.Size() == 0 {
			return f.rewrite()
		}
		if err != nil {
			return err
		}
		if !info.Mode().IsRegular() {
			return errNotTokenFile
		}
		if runtime.GOOS != "windows" && info.Mode().Perm()&0o077 != 0 {
			if err := os.Chmod(path, 0o600); err != nil {
				return err
			}
		}
		return f.read()
	})
	if err != nil {
		return nil, fmt.Errorf("auth: token file: %w", err)
	}
	return f, nil
}

// Token implements [TokenStore].
func (f *FileStore) Token(ctx context.Context, userID string) (*Token, error) {
	if err := f.acquire(ctx); err != nil {
		return nil, err
	}
	defer f.release()
	if err := f.read(); err != nil {
		return nil, fmt.Errorf("auth: token file: %w", err)
	}
	e, ok := f.tokens[userID]
	if !ok {
		return nil, ErrNotConnected
	}
	return e.token.clone(), nil
}

// Tokens implements [TokenStore].
func (f *FileStore) Tokens(ctx context.Context) iter.Seq2[*Token, error] {
	return func(yield func(*Token, error) bool) {
		ts, err := f.all(ctx)
		for _, t := range ts {
			if err = ctx.Err(); err != nil {
				break
			}
			if !yield(t.clone(), nil) {
				return
			}
		}
		if err != nil {
			yield(nil, err)
		}
	}
}

// all returns the stored tokens, which nobody changes any more.
func (f *FileStore) all(ctx context.Context) ([]*Token, error) {
	if err := f.acquire(ctx); err != nil {
		return nil, err
	}
	defer f.release()
	if err := f.read(); err != nil {
		return nil, fmt.Errorf("auth: token file: %w", err)
	}
	ts := make([]*Token, 0, len(f.tokens))
	for _, e := range f.tokens {
		ts = append(ts, e.token)
	}
	return ts, nil
}

// Swap implements [TokenStore].
func (f *FileStore) Swap(ctx context.Context, old, new *Token) (*Token, error) {
	userID, version, err := swapUser(old, new)
	if err != nil {
		return nil, err
	}
	if err := f.acquire(ctx); err != nil {
		return nil, err
	}
	defer f.release()
	var stored *Token
	err = f.exclusive(ctx, func() error {
		if err := f.read(); err != nil {
			return err
		}
		if e, ok := f.tokens[userID]; ok != (old != nil) || ok && e.token.Version != version {
			return ErrConflict
		}
		r := &logRecord{Version: f.seq + 1, Gone: userID}
		if new != nil {
			fields, err := new.fields()
			if err != nil {
				return err
			}
			r.Gone, r.Token = "", fields
			stored = new.clone()
			stored.Version = r.Version
		}
		return f.append(r)
	})
	if err == nil || errors.Is(err, ErrConflict) {
		return stored, err
	}
	return nil, fmt.Errorf("auth: token file: %w", err)
}

// acquire takes the store for this goroutine.
func (f *FileStore) acquire(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	select {
	case f.lock <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (f *FileStore) release() { <-f.lock }

// exclusive calls do while no other process writes the file.
func (f *FileStore) exclusive(ctx context.Context, do func() error) error {
	l, err := os.OpenFile(f.path+".lock", os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return err
	}
	defer l.Close() // which unlocks it
	for wait := time.Millisecond; ; wait = min(2*wait, 50*time.Millisecond) {
		ok, err := filelock.Try(l)
		if err != nil {
			return err
		}
		if ok {
			return do()
		}
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// read brings the memory up to date with the file.
func (f *FileStore) read() error {
	info, err := os.Stat(f.path)
	if err != nil {
		return err
	}
	same := f.info != nil && os.SameFile(f.info, info) && info.Size() >= f.size
	if same && info.Size() == f.size {
		return nil
	}
	file, err := os.Open(f.path)
	if err != nil {
		return err
	}
	defer file.Close()
	if info, err = file.Stat(); err != nil {
		return err
	}
	from := int64(0)
	if same && os.SameFile(f.info, info) {
		from = f.size
	}
	b, err := io.ReadAll(io.NewSectionReader(file, from, info.Size()-from))
	if err != nil {
		return err
	}
	if from == 0 {
		seq, n, err := parseHeader(b, f.aead)
		if err != nil {
			return err
		}
		f.reset(info, seq)
		f.size = int64(n)
		b = b[n:]
	}
	f.size += int64(parseRecords(b, f.aead, f.apply))
	return nil
}

// reset forgets the content of the file.
func (f *FileStore) reset(info os.FileInfo, seq int64) {
	f.info, f.size, f.seq = info, 0, seq
	f.tokens, f.live, f.damaged = make(map[string]fileEntry), 0, nil
	f.suspect = false
}

// apply takes a line of the file into memory.
func (f *FileStore) apply(line []byte, r *logRecord) {
	if r == nil {
		f.logger.Error("damaged record in token file", "path", f.path, "bytes", len(line))
		f.damaged = append(f.damaged, bytes.Clone(line))
		return
	}
	f.seq = max(f.seq, r.Version)
	user := r.user()
	f.live -= f.tokens[user].n
	delete(f.tokens, user)
	if r.Token != nil {
		n := int64(len(line)) + 1
		f.live += n
		f.tokens[user] = fileEntry{token: r.Token.token(r.Version), n: n}
	}
}

// append writes r behind what was read and takes it into memory. Whatever
// follows what was read is a write that was cut off.
func (f *FileStore) append(r *logRecord) error {
	line, err := appendRecord(nil, f.aead, r)
	if err != nil {
		return err
	}
	if f.suspect {
		if err := f.rewrite(); err != nil {
			return err
		}
	}
	if err := f.write(line); err != nil {
		// What is on disk now is not known, and after a failed fsync the
		// system may take lost pages for written.
		f.suspect = true
		return err
	}
	f.size += int64(len(line))
	f.apply(line[:len(line)-1], r)
	if f.size > 1<<20 && f.size > 2*f.live {
		// The record is safe. If this fails, the next swap tries again.
		if err := f.rewrite(); err != nil {
			f.logger.Warn("token file not compacted", "path", f.path, "err", err)
		}
	}
	return nil
}

func (f *FileStore) write(line []byte) error {
	file, err := os.OpenFile(f.path, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return err
	}
	if info.Size() > f.size {
		if err := file.Truncate(f.size); err != nil {
			return err
		}
	}
	if _, err := file.WriteAt(line, f.size); err != nil {
		return errors.Join(err, file.Truncate(f.size))
	}
	if err := f.sync(file); err != nil {
		return errors.Join(err, file.Truncate(f.size))
	}
	return file.Close()
}

// rewrite puts a file in place that holds what is in memory.
func (f *FileStore) rewrite() error {
	b := appendHeader(make([]byte, 0, f.live+4096), f.aead, f.seq)
	for _, line := range f.damaged {
		b = append(append(b, line...), '\n')
	}
	tokens, live := make(map[string]fileEntry, len(f.tokens)), int64(0)
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
	info, err := f.replace(b)
	if err != nil {
		return err
	}
	f.info, f.size, f.tokens, f.live, f.suspect = info, int64(len(b)), tokens, live, false
	return nil
}

// replace puts a file with this content in place.
func (f *FileStore) replace(b []byte) (os.FileInfo, error) {
	temp := f.path + ".tmp"
	if err := os.Remove(temp); err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, err
	}
	file, err := os.OpenFile(temp, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return nil, err
	}
	_, err = file.Write(b)
	if err == nil {
		err = f.sync(file)
	}
	info, serr := file.Stat()
	err = errors.Join(err, serr, file.Close())
	if err == nil {
		err = os.Rename(temp, f.path)
	}
	if err != nil {
		return nil, errors.Join(err, os.Remove(temp))
	}
	return info, f.syncDir(filepath.Dir(f.path))
}
