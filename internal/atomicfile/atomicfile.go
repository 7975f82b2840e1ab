// Package atomicfile replaces a file so that a crash or a power cut leaves the
// old one or the new one, whole.
package atomicfile

import (
	"errors"
	"io/fs"
	"os"
	"path"
	"runtime"
)

// Replace makes a file, lets write fill it, syncs it, gives it the name of the
// old one, if there is one, and syncs the directory. Until then it has the name
// temp. Both names are paths below root, in one directory. The new file has mode
// 0600 and is open for reading and writing.
//
// sync is (*os.File).Sync, for the file and for the directory; a test may look
// at what is synced, and a caller for whom a power cut does not matter syncs
// nothing.
//
// If Replace returns a file, name leads to it, and the caller closes it. An error
// beside it says that a power cut may bring the old one back. Without a file, name
// is as it was, and nothing is left under temp. What a crash left under temp is
// removed by the next call. So a name is for one caller at a time.
func Replace(root *os.Root, temp, name string, sync, write func(*os.File) error) (*os.File, error) {
	f, err := create(root, temp)
	if err != nil {
		return nil, err
	}
	err = write(f)
	if err == nil {
		err = sync(f)
	}
	if err == nil {
		err = root.Rename(temp, name)
	}
	if err != nil {
		f.Close()
		return nil, errors.Join(err, root.Remove(temp))
	}
	return f, SyncDir(root.Open, path.Dir(name), sync)
}

// Write replaces a file by one of these bytes, as Replace does.
func Write(root *os.Root, temp, name string, sync func(*os.File) error, data []byte) error {
	f, err := Replace(root, temp, name, sync, func(f *os.File) error {
		_, err := f.Write(data)
		return err
	})
	if f != nil {
		err = errors.Join(err, f.Close())
	}
	return err
}

// create makes a file that is nobody else's: one that is there already may have
// another mode, or be a link to somewhere.
func create(root *os.Root, name string) (*os.File, error) {
	const flags = os.O_RDWR | os.O_CREATE | os.O_EXCL
	f, err := root.OpenFile(name, flags, 0o600)
	if !errors.Is(err, fs.ErrExist) {
		return f, err
	}
	if err := root.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	return root.OpenFile(name, flags, 0o600)
}

// SyncDir makes the names in a directory survive a power cut, as far as the
// system can. open is os.Open, or the method of a root.
func SyncDir(open func(name string) (*os.File, error), dir string, sync func(*os.File) error) error {
	if runtime.GOOS == "windows" {
		return nil // It has no call for that.
	}
	d, err := open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	err = sync(d)
	switch runtime.GOOS {
	case "aix", "js", "plan9", "wasip1":
		return nil // Not each of their file systems can.
	}
	return err
}
