package spool

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"path/filepath"
	"sync"
)

// mark is one line of a file of marks.
type mark struct {
	kind    uint32
	seq     uint64 // the body
	ordinal uint32 // the item
}

const (
	markItem   = 1 // the item is done
	markFinish = 2 // the body is finished
	markDamage = 3 // the damage at offset seq of the segment is in a letter

	markSize = 20 // kind, seq, ordinal, checksum
)

// markFile is the file of marks beside a segment or a large body. It is written
// without sync: a mark survives the process, and what a power cut undoes runs
// again. Each mark has a checksum, salted with the file's name, so that nothing
// but a mark counts as one.
type markFile struct {
	fs   fileSystem
	name string
	salt uint32

	mu   sync.Mutex
	f    file
	size int64
	made bool // the file exists
	gone bool
}

func (s *Spool) newMarkFile(name string) *markFile {
	return &markFile{fs: s.fs, name: name, salt: crc32.Checksum([]byte(filepath.Base(name)), castagnoli)}
}

func (m *markFile) encode(k mark) (p [markSize]byte) {
	binary.LittleEndian.PutUint32(p[0:], k.kind)
	binary.LittleEndian.PutUint64(p[4:], k.seq)
	binary.LittleEndian.PutUint32(p[12:], k.ordinal)
	binary.LittleEndian.PutUint32(p[16:], crc32.Update(m.salt, castagnoli, p[:16]))
	return p
}

// open makes or opens the file; m.mu is held.
func (m *markFile) open() (err error) {
	switch {
	case m.gone:
		return errors.New("spool: the body is finished")
	case m.f != nil:
		return nil
	case m.made:
		m.f, err = m.fs.Open(m.name)
	default:
		m.f, err = m.fs.Create(m.name)
	}
	m.made = m.made || err == nil
	return err
}

// add writes one mark. A write that fails half way is written over by the next.
func (m *markFile) add(k mark) error {
	p := m.encode(k)
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.open(); err != nil {
		return fmt.Errorf("spool: %w", err)
	}
	n, err := m.f.WriteAt(p[:], m.size)
	if err == nil && n < len(p) {
		err = io.ErrShortWrite
	}
	if err != nil {
		return fmt.Errorf("spool: %w", err)
	}
	m.size += markSize
	return nil
}

// load reads the marks that are there and calls each with every good one.
func (m *markFile) load(each func(mark)) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.made = true
	if err := m.open(); err != nil {
		return err
	}
	buf := make([]byte, markSize*1024)
	for {
		n, err := m.f.ReadAt(buf, m.size)
		if err != nil && err != io.EOF {
			return err
		}
		for p := buf[:n-n%markSize]; len(p) > 0; p = p[markSize:] {
			k := mark{
				binary.LittleEndian.Uint32(p[0:]),
				binary.LittleEndian.Uint64(p[4:]),
				binary.LittleEndian.Uint32(p[12:]),
			}
			if m.encode(k) == [markSize]byte(p) {
				each(k)
			}
			m.size += markSize
		}
		if err == io.EOF {
			break // A part of a mark at the end will be written over.
		}
	}
	err := m.f.Close()
	m.f = nil
	return err
}

// sync makes the marks so far survive a power cut.
func (m *markFile) sync() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.f == nil {
		return nil
	}
	err := m.f.Sync()
	if err != nil {
		m.f.Close()
		m.f = nil
	}
	return err
}

// remove takes the file away for good.
func (m *markFile) remove() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.gone = true
	if m.f != nil {
		m.f.Close()
		m.f = nil
	}
	if !m.made {
		return nil
	}
	m.made = false
	if err := m.fs.Remove(m.name); err != nil && !isNotExist(err) {
		return err
	}
	return nil
}

// close lets go of the open file.
func (m *markFile) close() {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.f != nil {
		m.f.Close()
		m.f = nil
	}
}

// markSet is the set of a body's done items.
type markSet struct {
	mu   sync.Mutex
	bits bitmap
}

func (m *markSet) set(ordinal int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.bits.set(uint64(ordinal))
}

func (m *markSet) has(ordinal int) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return ordinal >= 0 && m.bits.has(uint64(ordinal))
}

// markSetOf finds or makes the marks of a body. The caller holds s.mu or is
// Open.
func (s *Spool) markSetOf(seq uint64) *markSet {
	m := s.marks[seq]
	if m == nil {
		m = new(markSet)
		s.marks[seq] = m
	}
	return m
}
