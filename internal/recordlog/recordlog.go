// Package recordlog appends to a file of records, so that what was appended
// survives a power cut, and writes the file anew. What a record looks like, the
// caller knows. The caller also sees to it that nobody else writes.
package recordlog

import (
	"errors"
	"hash/crc32"
	"os"

	"github.com/garminkit/activityapi/internal/atomicfile"
)

// Checksum is the CRC-32C of a record.
func Checksum(b []byte) uint32 { return crc32.Checksum(b, crc32.MakeTable(crc32.Castagnoli)) }

// Disk is what a log does to a disk. A test puts one in its place that fails,
// fills up or loses power.
type Disk struct {
	Write func(f *os.File, b []byte, at int64) (int, error)
	Sync  func(f *os.File) error // of files and directories
}

// NewDisk returns the real one.
func NewDisk() Disk {
	return Disk{
		Write: func(f *os.File, b []byte, at int64) (int, error) { return f.WriteAt(b, at) },
		Sync:  (*os.File).Sync,
	}
}

// Append writes records behind the first size bytes of a log, in the place of
// whatever follows them: a write that was cut off. With sync, they are on disk
// when it returns, in the file that path leads to.
//
// After an error, none of the records is in the log. sound tells whether it is as
// it was, as after a disk was full for a moment. If it is not, what is on disk
// cannot be known: after a failed sync the system may take lost pages for
// written, and a second sync would say that all is well. So nothing must be
// appended to this file any more. Write it anew, with Replace.
func (d Disk) Append(f *os.File, path string, size int64, records []byte, sync bool) (sound bool, err error) {
	info, err := f.Stat()
	if err != nil {
		return false, err
	}
	if info.Size() > size {
		if err := f.Truncate(size); err != nil {
			return false, err
		}
	}
	if _, err := d.Write(f, records, size); err != nil {
		undone := errors.Join(f.Truncate(size), d.Sync(f), Linked(f, path))
		return undone == nil, errors.Join(err, undone)
	}
	if !sync {
		return true, nil
	}
	if err := d.Sync(f); err != nil {
		return false, errors.Join(err, f.Truncate(size))
	}
	if err := Linked(f, path); err != nil {
		return false, err
	}
	return true, nil
}

// Replace puts a new file in the place of a log, as [atomicfile.Replace] does.
func (d Disk) Replace(root *os.Root, temp, name string, write func(*os.File) error) (*os.File, error) {
	return atomicfile.Replace(root, temp, name, d.Sync, write)
}

// ErrUnlinked says that a file is no longer the one of its name.
var ErrUnlinked = errors.New("the file was removed or replaced")

// Linked returns an error that wraps ErrUnlinked unless path leads to f.
func Linked(f *os.File, path string) error {
	info, err := f.Stat()
	if err != nil {
		return err
	}
	now, err := os.Stat(path)
	if err != nil {
		return errors.Join(ErrUnlinked, err)
	}
	if !os.SameFile(info, now) {
		return ErrUnlinked
	}
	return nil
}
