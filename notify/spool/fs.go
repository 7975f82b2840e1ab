package spool

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"

	"github.com/garminkit/activityapi/internal/atomicfile"
	"github.com/garminkit/activityapi/internal/filelock"
)

// fileSystem is everything that the spool does to the disk. Tests replace it by a
// disk that fails, fills up or loses power.
type fileSystem interface {
	Mkdir(name string) error
	// Create makes a new file for writing and reading; it must not exist.
	Create(name string) (file, error)
	// Open opens a file for reading and writing.
	Open(name string) (file, error)
	Rename(old, new string) error
	Remove(name string) error
	// List returns the names and sizes of a directory's files, in any order.
	List(dir string) ([]entry, error)
	// SyncDir makes the names in a directory survive a power cut.
	SyncDir(dir string) error
	// Link gives a file a second name.
	Link(old, new string) error
	// Lock locks the directory for this process until it is closed, or fails with
	// errLocked.
	Lock(dir string) (lock, error)
}

// lock is a held lock of a directory.
type lock interface {
	// Held fails with errGone if the directory is not the one that was locked.
	Held() error
	Close() error
}

// entry is a file in a directory.
type entry struct {
	name string
	size int64
}

type file interface {
	io.ReaderAt
	io.WriterAt
	io.Closer
	Truncate(size int64) error
	Size() (int64, error)
	// Is reports whether the file still has this name.
	Is(name string) bool
	// Begin hints that these bytes can be written to the disk while others
	// arrive. It promises nothing.
	Begin(off, n int64)
	// Sync makes the bytes and the size survive a power cut. After an error the
	// file is never synced again: the kernel may have dropped the pages and would
	// then report success.
	Sync() error
}

// diskFS is the real one.
type diskFS struct{}

const (
	dirMode  = 0o700
	fileMode = 0o600
)

func (diskFS) Mkdir(name string) error { return os.MkdirAll(name, dirMode) }

func (diskFS) Create(name string) (file, error) {
	f, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE|os.O_EXCL, fileMode)
	if err != nil {
		return nil, err
	}
	return diskFile{f}, nil
}

func (diskFS) Open(name string) (file, error) {
	f, err := os.OpenFile(name, os.O_RDWR, 0)
	if err != nil {
		return nil, err
	}
	return diskFile{f}, nil
}

func (diskFS) Rename(old, new string) error { return os.Rename(old, new) }
func (diskFS) Remove(name string) error     { return os.Remove(name) }

func (diskFS) List(dir string) ([]entry, error) {
	items, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	var list []entry
	for _, item := range items {
		if !item.Type().IsRegular() {
			continue
		}
		info, err := item.Info()
		if err != nil {
			if os.IsNotExist(err) {
				continue
			}
			return nil, err
		}
		list = append(list, entry{item.Name(), info.Size()})
	}
	return list, nil
}

func (diskFS) SyncDir(dir string) error { return atomicfile.SyncDir(os.Open, dir, (*os.File).Sync) }

func (diskFS) Link(old, new string) error { return os.Link(old, new) }

// dirLock locks the directory itself, where the system can, since a file in it
// may be removed and made again by a second owner. The file is locked too: version
// 0.1 looks at nothing else, and Windows cannot lock directories.
type dirLock struct {
	dir, file *os.File
	name      string
}

func (diskFS) Lock(dir string) (lock, error) {
	l := &dirLock{name: dir}
	var err error
	if l.file, err = os.OpenFile(filepath.Join(dir, lockName), os.O_RDWR|os.O_CREATE, fileMode); err != nil {
		return nil, err
	}
	if l.dir, err = os.Open(dir); err == nil {
		err = tryLock(l.file)
	}
	if err == nil && runtime.GOOS != "windows" {
		err = tryLock(l.dir)
	}
	if err != nil {
		_ = l.Close()
		return nil, err
	}
	return l, nil
}

func tryLock(f *os.File) error {
	ok, err := filelock.Try(f)
	switch {
	case errors.Is(err, errors.ErrUnsupported):
		// See the package documentation: the caller starts one process.
		return nil
	case err == nil && !ok:
		return &fs.PathError{Op: "lock", Path: f.Name(), Err: errLocked}
	}
	return err
}

func (l *dirLock) Held() error {
	mine, err := l.dir.Stat()
	if err != nil {
		return err
	}
	there, err := os.Stat(l.name)
	if err != nil || !os.SameFile(mine, there) {
		return &fs.PathError{Op: "use", Path: l.name, Err: errGone}
	}
	return nil
}

func (l *dirLock) Close() error {
	err := filelock.Close(l.file)
	if l.dir != nil {
		err = errors.Join(err, filelock.Close(l.dir))
	}
	return err
}

type diskFile struct{ *os.File }

func (f diskFile) Begin(off, n int64) { beginWrite(f.File, off, n) }
func (f diskFile) Sync() error        { return syncFile(f.File) }

func (f diskFile) Size() (int64, error) {
	info, err := f.Stat()
	if err != nil {
		return 0, err
	}
	return info.Size(), nil
}

func (f diskFile) Is(name string) bool {
	mine, err := f.Stat()
	if err != nil {
		return false
	}
	there, err := os.Stat(name)
	return err == nil && os.SameFile(mine, there)
}
