package auth

import (
	"context"
	"crypto/cipher"
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"time"

	"github.com/garminkit/activityapi/internal/recordlog"
	"github.com/garminkit/activityapi/types"
)

// FileOptions configures [OpenFile]. A nil *FileOptions means the defaults.
type FileOptions struct {
	// AEAD seals the tokens in the file, for instance AES-GCM from cipher.NewGCM.
	// A file must be sealed from the start or not at all. Nil means that tokens
	// are stored unencrypted.
	AEAD cipher.AEAD
	// Logger is told of damaged records. Nil is silent.
	Logger *slog.Logger
}

// fileStore is the store of [OpenFile].
//
// Each line is a record: its CRC-32C in eight hex digits, a space, and a JSON
// object or the base64 of a sealed one. The first one names the format; the last
// one of a user counts. A damaged record is skipped, logged and kept.
type fileStore struct {
	opaque
	path   string
	aead   cipher.AEAD
	logger *slog.Logger
	disk   recordlog.Disk

	// lock guards what follows. It is a channel so that waiting for it ends
	// with the context.
	lock chan struct{}

	closed  bool
	file    *os.File    // the file that was read last; nil where it need not be kept open
	info    os.FileInfo // of that file
	named   bool        // that its name leads to it is on disk
	size    int64       // how far it was read
	last    []byte      // the line before that
	seq     int64       // the last version in it
	tokens  map[types.UserID]fileEntry
	due     dueIndex
	live    int64    // length of the lines of tokens
	damaged [][]byte // lines
	suspect bool     // a write failed: this file must not be appended to any more

	// replacing is the file that was put in place under the lock, and locked
	// with it.
	replacing *os.File
}

type fileEntry struct {
	token *Token
	n     int64 // length of its line
}

// OpenFile opens the token file at path, and creates it if necessary. The result
// is a [TokenStore] in one file on a local disk. A file of another kind is an
// error. Close the store after [Users.Close].
//
// All tokens are also held in memory, so that reading one costs only a look at the file's size. Several
// processes on one machine may open the same file.
//
// The file has mode 0600. It is a log: a swap appends one checked record and
// waits until it is on disk. When more than half of the file is outdated, it is
// rewritten and replaced atomically. After a crash the file holds every confirmed
// change, and perhaps the one that was not confirmed.
//
// The store also has a method Erase(ctx, userID) (bool, error), which package
// personal uses. It leaves no byte of the user in the file.
//
// Writers lock the file itself, or on Windows a file beside it with the suffix
// ".lock". Do not remove or replace the file while a store is open: Swap then
// fails, since what it wrote is lost.
func OpenFile(path string, opts *FileOptions) (TokenStore, error) {
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
	f := &fileStore{path: path, aead: opts.AEAD, logger: opts.Logger, disk: recordlog.NewDisk(), lock: make(chan struct{}, 1)}
	if f.logger == nil {
		f.logger = slog.New(slog.DiscardHandler)
	}
	if info, err := os.Stat(path); err == nil && !info.Mode().IsRegular() {
		return nil, fmt.Errorf("auth: token file: %w", errNotTokenFile)
	}
	err = f.exclusive(context.Background(), true, func() error {
		info, err := os.Stat(path)
		if errors.Is(err, os.ErrNotExist) || err == nil && info.Size() == 0 {
			return f.rewrite()
		}
		if err != nil {
			return err
		}
		if runtime.GOOS != "windows" && info.Mode().Perm()&0o077 != 0 {
			if err := os.Chmod(path, 0o600); err != nil {
				return err
			}
		}
		return f.read()
	})
	if err != nil {
		_ = f.letGo()
		return nil, fmt.Errorf("auth: token file: %w", err)
	}
	return f, nil
}

// Close closes the file. Other methods then fail with an error that wraps
// [os.ErrClosed].
func (f *fileStore) Close() error {
	f.lock <- struct{}{}
	defer f.release()
	f.closed = true
	return f.letGo()
}

// Token implements [TokenStore].
func (f *fileStore) Token(ctx context.Context, userID types.UserID) (*Token, error) {
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
func (f *fileStore) Tokens(ctx context.Context) iter.Seq2[*Token, error] {
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

// Due implements [TokenStore]. Its cost depends on the tokens due, not on all
// tokens.
func (f *fileStore) Due(ctx context.Context, before time.Time) iter.Seq2[*Token, error] {
	return func(yield func(*Token, error) bool) {
		ts, err := f.dueBefore(ctx, before)
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

func (f *fileStore) dueBefore(ctx context.Context, before time.Time) ([]*Token, error) {
	if err := f.acquire(ctx); err != nil {
		return nil, err
	}
	defer f.release()
	if err := f.read(); err != nil {
		return nil, fmt.Errorf("auth: token file: %w", err)
	}
	return f.due.before(before, f.stored), nil
}

// stored returns the token of a user, or nil.
func (f *fileStore) stored(userID types.UserID) *Token { return f.tokens[userID].token }

// all returns the stored tokens, which nobody changes any more.
func (f *fileStore) all(ctx context.Context) ([]*Token, error) {
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
func (f *fileStore) Swap(ctx context.Context, old, new *Token) (*Token, error) {
	userID, version, err := swapUser(old, new)
	if err != nil {
		return nil, err
	}
	if err := f.acquire(ctx); err != nil {
		return nil, err
	}
	defer f.release()
	var stored *Token
	err = f.exclusive(ctx, false, func() error {
		if err := f.readSurely(); err != nil {
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
