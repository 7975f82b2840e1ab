// Package powercut is for tests of what is kept in files: it knows what of a
// directory a power cut would leave.
package powercut

import (
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
)

// Disk stands in for the syncs of a program that keeps files in one directory.
// Of the files it knows, only what was synced survives: the bytes as they were at
// the last Sync, under the names as they were at the last Sync of the directory.
// The zero value is an empty disk.
type Disk struct {
	mu    sync.Mutex
	files []*file
	names map[string]fs.FileInfo
}

type file struct {
	info fs.FileInfo
	hold *os.File // keeps the system from giving the same identity to another file
	text []byte
}

// Sync is for [os.File.Sync], of a file or of the directory.
func (d *Disk) Sync(f *os.File) error {
	info, err := f.Stat()
	if err != nil {
		return err
	}
	if info.IsDir() {
		return d.syncDir(f.Name())
	}
	text, err := io.ReadAll(io.NewSectionReader(f, 0, info.Size()))
	if err != nil {
		// It may be open for writing alone.
		if text, err = os.ReadFile(f.Name()); err != nil {
			return err
		}
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if known := d.find(info); known != nil {
		known.text = text
		return nil
	}
	hold, err := open(filepath.Dir(f.Name()), info)
	if err != nil {
		return err
	}
	d.files = append(d.files, &file{info, hold, text})
	return nil
}

// syncDir makes the names in dir last.
func (d *Disk) syncDir(dir string) error {
	names, err := infos(dir)
	if err != nil {
		return err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.names = names
	return nil
}

// Cut writes to the empty directory dir what a power cut would leave now. A
// file that was never synced is left empty.
func (d *Disk) Cut(dir string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	for name, info := range d.names {
		var text []byte
		if f := d.find(info); f != nil {
			text = f.text
		}
		if err := os.WriteFile(filepath.Join(dir, name), text, 0o600); err != nil {
			return err
		}
	}
	return nil
}

// Close lets go of the files.
func (d *Disk) Close() {
	for _, f := range d.files {
		f.hold.Close()
	}
}

func (d *Disk) find(info fs.FileInfo) *file {
	for _, f := range d.files {
		if os.SameFile(f.info, info) {
			return f
		}
	}
	return nil
}

// open opens the file of this identity under whatever name it has in dir.
func open(dir string, info fs.FileInfo) (*os.File, error) {
	names, err := infos(dir)
	if err != nil {
		return nil, err
	}
	for name, other := range names {
		if os.SameFile(info, other) {
			return os.Open(filepath.Join(dir, name))
		}
	}
	return nil, fs.ErrNotExist
}

func infos(dir string) (map[string]fs.FileInfo, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	names := make(map[string]fs.FileInfo, len(entries))
	for _, e := range entries {
		// ReadDir may give the identity no longer valid after a rename; Lstat
		// asks now.
		if names[e.Name()], err = os.Lstat(filepath.Join(dir, e.Name())); err != nil {
			return nil, err
		}
	}
	return names, nil
}
