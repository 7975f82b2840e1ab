package notify

import (
	"context"
	"crypto/cipher"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
	"time"

	"github.com/garminkit/activityapi/internal/atomicfile"
	"github.com/garminkit/activityapi/internal/filelock"
	"github.com/garminkit/activityapi/internal/seal"
)

// FileStore stores finished files: a directory, a bucket, a database. Its methods
// are safe for concurrent use, even by several processes.
//
// A name is a path with forward slashes, in its shortest form, without a leading
// slash and without "..". Its elements may hold anything but a slash and NUL.
// Those that the processor makes hold a-z, 0-9 and -_%~. and have at most 120
// bytes.
type FileStore interface {
	// Put stores the bytes of r under name. They must be size bytes with the
	// given SHA-256, in hexadecimal. Otherwise, or if r fails, Put fails and
	// stores nothing. The file must not be visible before it is complete. When
	// Put returns nil, the file survives a power cut.
	//
	// A file is never replaced. If name already holds the same bytes, Put returns
	// nil. If it holds others, Put returns an error that wraps [fs.ErrExist] and
	// changes nothing. One of two concurrent Puts wins. In a case-insensitive
	// store, names that differ only in case are the same name.
	//
	// The caller repeats a Put that failed, perhaps after a restart.
	Put(ctx context.Context, name string, r io.Reader, size int64, sha256 string) error
	// Open reads a file from its start; the caller closes it. It fails with an
	// error that wraps [fs.ErrNotExist] if there is none.
	Open(ctx context.Context, name string) (io.ReadCloser, error)
}

// FileDir is a [FileStore] in a directory. A file appears under its name complete
// and synced, or not at all. Links cannot lead it out of the directory.
type FileDir struct {
	dir  string
	root *os.Root
	box  *seal.Box            // nil if nothing is sealed
	sync func(*os.File) error // a test looks at what is synced, and when
	top  *together            // syncs of dir itself
}

var _ FileStore = (*FileDir)(nil)

// workDir is the directory for what is not finished, below that of the files.
const workDir = ".downloads"

// oldClaims is where claims were before each queue had them.
const oldClaims = workDir + "/claims"

// OpenFileDir opens the store in dir, which must exist. It keeps unfinished files
// in the directory ".downloads" below it. aead seals files and their sidecars, as
// [Files].AEAD does; nil means that they are stored plain. The caller closes the
// result.
func OpenFileDir(dir string, aead cipher.AEAD) (*FileDir, error) {
	d := &FileDir{dir: dir, sync: (*os.File).Sync, top: newTogether()}
	var err error
	if aead != nil {
		if d.box, err = seal.New(aead); err != nil {
			return nil, fmt.Errorf("notify: the directory for files: %w", err)
		}
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, fmt.Errorf("notify: the directory for files: %w", err)
	}
	d.root = root
	if err := root.MkdirAll(workDir, 0o700); err != nil {
		root.Close()
		return nil, fmt.Errorf("notify: the directory for files: %w", err)
	}
	if _, err := root.Lstat(oldClaims); err == nil {
		root.Close()
		return nil, fmt.Errorf("notify: %s has claims of an earlier version, without which files would be asked for twice; move it to where the queue has its claims (a spool: %q), or remove it if it is older than a week", filepath.Join(dir, oldClaims), "claims")
	}
	d.clear()
	return d, nil
}

// Close closes the directory.
func (d *FileDir) Close() error { return d.root.Close() }

// path returns where the file of that name is or would be.
func (d *FileDir) path(name string) string {
	return filepath.Join(d.dir, filepath.FromSlash(name))
}

// Put implements [FileStore].
func (d *FileDir) Put(ctx context.Context, name string, r io.Reader, size int64, sum string) error {
	if err := checkName(name); err != nil {
		return err
	}
	tmp := workDir + "/put-" + randomName() + ".tmp"
	f, err := d.root.OpenFile(tmp, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer func() {
		f.Close()
		_ = d.root.Remove(tmp)
	}()
	_, _ = filelock.Try(f) // so that nobody clears it away
	hash := sha256.New()
	w := d.writer(f)
	n, err := io.Copy(io.MultiWriter(w, hash), io.LimitReader(&ctxReader{ctx, r}, size+1))
	if e := w.Close(); err == nil {
		err = e
	}
	switch {
	case err != nil:
		return err
	case n != size || hex.EncodeToString(hash.Sum(nil)) != sum:
		return fmt.Errorf("notify: %q: the %d bytes given are not the %d expected", name, n, size)
	}
	if err := d.sync(f); err != nil {
		return err
	}
	linked, err := d.link(tmp, name, size, sum)
	if linked || errors.Is(err, fs.ErrExist) {
		return err
	}
	// Then Lstat tells whether the name is free, and two processes must not put
	// one name at once.
	if _, e := d.root.Lstat(name); !errors.Is(e, fs.ErrNotExist) {
		return err
	}
	if e := d.root.Rename(tmp, name); e != nil {
		return errors.Join(err, e)
	}
	return d.syncDirs(name)
}

// link gives the synced file from, below the root, a new second name. It reports
// false if that fails: not every file system has links.
func (d *FileDir) link(from, name string, size int64, sum string) (bool, error) {
	err := d.root.Link(from, name)
	if errors.Is(err, fs.ErrNotExist) {
		if err := d.mkdir(name); err != nil {
			return false, err
		}
		err = d.root.Link(from, name)
	}
	if errors.Is(err, fs.ErrExist) {
		if !d.holds(name, size, sum) {
			return false, &fs.PathError{Op: "put", Path: name, Err: fs.ErrExist}
		}
		// Its retention begins anew.
		now := time.Now()
		_ = d.root.Chtimes(name, now, now)
		err = nil
	}
	if err != nil {
		return false, err
	}
	return true, d.syncDirs(name)
}

// holds reports whether name has these bytes.
func (d *FileDir) holds(name string, size int64, sum string) bool {
	if info, err := d.root.Stat(name); err != nil || !info.Mode().IsRegular() {
		return false
	}
	f, err := d.open(name)
	if err != nil {
		return false
	}
	defer f.done()
	if f.Size() != size {
		return false
	}
	hash := sha256.New()
	_, err = io.Copy(hash, f)
	return err == nil && hex.EncodeToString(hash.Sum(nil)) == sum
}

// Open implements [FileStore].
func (d *FileDir) Open(_ context.Context, name string) (io.ReadCloser, error) {
	if err := checkName(name); err != nil {
		return nil, err
	}
	return d.open(name)
}

// mkdir makes the directories that lead to name.
func (d *FileDir) mkdir(name string) error {
	dir := path.Dir(name)
	// It is nearly always there. To find that out by making it would wait for whoever
	// changes the directory above.
	if info, err := d.root.Stat(dir); err == nil && info.IsDir() {
		return nil
	}
	return d.root.MkdirAll(dir, 0o700)
}

// syncDirs makes a new name durable, and the directories that lead to it.
func (d *FileDir) syncDirs(name string) error {
	for dir := path.Dir(name); dir != "."; dir = path.Dir(dir) {
		if err := atomicfile.SyncDir(d.root.Open, dir, d.sync); err != nil {
			return err
		}
	}
	// All files have that one in common.
	return d.top.do(func() error { return atomicfile.SyncDir(d.root.Open, ".", d.sync) })
}

func randomName() string {
	var b [8]byte
	_, _ = rand.Read(b[:]) // It does not fail.
	return hex.EncodeToString(b[:])
}

// clear removes unfinished copies of dead processes. The lock tells them from
// those of a living process, independently of the clock; where there are no
// locks, they stay.
func (d *FileDir) clear() {
	names, _ := fs.Glob(d.root.FS(), workDir+"/put-*.tmp")
	for _, name := range names {
		f, err := d.root.OpenFile(name, os.O_RDWR, 0)
		if err != nil {
			continue
		}
		if ok, err := filelock.Try(f); ok && err == nil {
			_ = d.root.Remove(name)
		}
		f.Close()
	}
}

// checkName refuses a name that cannot be a file below a directory.
func checkName(name string) error {
	first, _, _ := strings.Cut(name, "/")
	if name == "." || path.Clean(name) != name || strings.EqualFold(first, workDir) ||
		strings.Contains(name, "\x00") || !filepath.IsLocal(filepath.FromSlash(name)) {
		return fmt.Errorf("notify: file name %q is not below the directory", name)
	}
	return nil
}

// ctxReader ends when ctx does.
type ctxReader struct {
	ctx context.Context
	r   io.Reader
}

func (r *ctxReader) Read(p []byte) (int, error) {
	if r.ctx.Err() != nil {
		return 0, context.Cause(r.ctx)
	}
	return r.r.Read(p)
}
