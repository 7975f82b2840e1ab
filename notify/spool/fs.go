package spool

import (
	"errors"
	"io"
	"io/fs"
	"os"

	"github.com/garminkit/activityapi/internal/filelock"
)

// fileSystem is all that the spool does to the disk. Tests put a disk there
// that fails, fills up or loses its power.
type fileSystem interface {
	Mkdir(name string) error
	// Create makes a new file for writing and reading; it must not exist.
	Create(name string) (file, error)
	// Open opens a file for reading and writing.
	Open(name string) (file, error)
	Rename(old, new string) error
	Remove(name string) error
	// List gives the names and sizes of a directory's files, in any order.
	List(dir string) ([]entry, error)
	// SyncDir makes the names in a directory survive a power cut.
	SyncDir(dir string) error
	// Lock takes the file name for this process until the closer is closed, or
	// fails with ErrLocked.
	Lock(name string) (io.Closer, error)
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
	// Begin hints that these bytes can go to the disk while others come. It
	// promises nothing.
	Begin(off, n int64)
	// Sync makes the bytes and the size survive a power cut. After an error
	// the file is never synced again: the kernel may have dropped the pages
	// and would then say that all is well.
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

func (diskFS) SyncDir(dir string) error { return filelock.SyncDir(dir) }

func (diskFS) Lock(name string) (io.Closer, error) {
	f, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE, fileMode)
	if err != nil {
		return nil, err
	}
	ok, err := filelock.Try(f)
	switch {
	case errors.Is(err, errors.ErrUnsupported):
		// See the package documentation: the caller starts one process.
	case err == nil && !ok:
		err = &fs.PathError{Op: "lock", Path: name, Err: ErrLocked}
		fallthrough
	case err != nil:
		f.Close()
		return nil, err
	}
	return f, nil
}

type diskFile struct{ *os.File }

func (f diskFile) Begin(off, n int64) { beginWrite(f.File, off, n) }
func (f diskFile) Sync() error        { return syncFile(f.File) }
