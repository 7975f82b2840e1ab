package powercut

import (
	"fmt"
	"os"
	"path/filepath"
)

// Moments notes what a crash would leave of a directory just before and after each
// sync in it: of a process that is killed, and of a power cut.
type Moments struct {
	Disk
	from, to string
	n        int
	dirs     []string
}

// Watch returns moments of the directory from, which are noted below to.
func Watch(from, to string) *Moments { return &Moments{from: from, to: to} }

// Sync is for [os.File.Sync].
func (m *Moments) Sync(f *os.File) error {
	if err := m.note(); err != nil {
		return err
	}
	if err := m.Disk.Sync(f); err != nil {
		return err
	}
	return m.note()
}

func (m *Moments) note() error {
	kill, cut := m.next(), m.next()
	if err := os.CopyFS(kill, os.DirFS(m.from)); err != nil {
		return err
	}
	if err := os.MkdirAll(cut, 0o700); err != nil {
		return err
	}
	return m.Cut(cut)
}

func (m *Moments) next() string {
	dir := filepath.Join(m.to, fmt.Sprintf("%04d", m.n))
	m.n++
	m.dirs = append(m.dirs, dir)
	return dir
}

// Take returns the directories that were noted since it was called last.
func (m *Moments) Take() []string {
	dirs := m.dirs
	m.dirs = nil
	return dirs
}
