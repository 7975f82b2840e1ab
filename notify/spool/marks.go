package spool

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"io"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/garminkit/activityapi/notify"
)

// A file of marks is a sequence of cells, each with its own checksum, so that a
// torn write costs only what it tore.
const (
	cellOrdinal = 1 // version 0.1: the item with this ordinal is done
	cellBody    = 2 // the body is finished
	cellDamage  = 3 // the damage at offset seq of the segment is in a letter
	cellDone    = 4 // the item at this offset of the body is done
	cellAgain   = 5 // the item at this offset waits, as the cells behind it say
	cellNext    = 6 // until seq, in nanoseconds of Unix time, after so many attempts
	cellReason  = 7 // twelve bytes of why
	cellThrough = 8 // all bodies up to this number are finished
	cellErased  = 9 // something was taken out of the large body: num is a checksum it may have now

	cellSize = 20 // kind, seq, number, checksum
	// maxReason is how much of a reason is kept.
	maxReason = 10 * 12
)

type cell struct {
	kind uint32
	seq  uint64
	num  uint32
}

// again is what the last Again verdict said.
type again struct {
	next     int64
	attempts uint32
}

// markState is the content of a file of marks. It is read when needed, and
// dropped when others need the memory.
type markState struct {
	done     doneSet
	again    map[notify.ItemID]again
	bodies   map[uint64]struct{}            // finished whole
	ordinals map[uint64]map[uint32]struct{} // version 0.1
	dealt    map[int64]struct{}             // damage that has its letter
	sums     []uint32                       // that a large body may have beside the one in its name
	through  uint64
}

func newMarkState(large bool) *markState {
	return &markState{done: newDoneSet(large), again: map[notify.ItemID]again{},
		bodies: map[uint64]struct{}{}, ordinals: map[uint64]map[uint32]struct{}{}, dealt: map[int64]struct{}{}}
}

// isDone reports whether the item is finished; ordinal counts the items of its
// body, or is negative if unknown.
func (st *markState) isDone(id notify.ItemID, ordinal int) bool {
	if st.done.has(id) || st.isFinished(seqOf(id)) {
		return true
	}
	if len(st.ordinals) > 0 && ordinal >= 0 {
		_, ok := st.ordinals[seqOf(id)][uint32(ordinal)]
		return ok
	}
	return false
}

// isFinished reports whether a whole body is finished.
func (st *markState) isFinished(seq uint64) bool {
	if seq <= st.through {
		return true
	}
	_, ok := st.bodies[seq]
	return ok
}

// size counts what the state takes in memory.
func (st *markState) size() int {
	return st.done.size() + 2*len(st.again) + len(st.bodies) + len(st.sums) + 1
}

// cells estimates how many cells hold all of this.
func (st *markState) cells() int { return st.done.n + 2*len(st.again) + len(st.bodies) + 1 }

// apply adds a cell to the state. An Again consists of two adjacent cells: if one of
// them is torn, neither counts. Of Done and Again for one item, Done wins, whichever
// comes first.
func (st *markState) apply(before, c cell) {
	switch c.kind {
	case cellOrdinal:
		set := st.ordinals[c.seq]
		if set == nil {
			set = map[uint32]struct{}{}
			st.ordinals[c.seq] = set
		}
		set[c.num] = struct{}{}
	case cellBody:
		st.bodies[c.seq] = struct{}{}
	case cellDamage:
		st.dealt[int64(c.seq)] = struct{}{}
	case cellDone:
		id := itemID(c.seq, int64(c.num))
		st.done.add(id)
		delete(st.again, id)
	case cellNext:
		if before.kind == cellAgain {
			id := itemID(before.seq, int64(before.num))
			if !st.done.has(id) {
				st.again[id] = again{int64(c.seq), c.num}
			}
		}
	case cellThrough:
		st.through = max(st.through, c.seq)
	case cellErased:
		if !slices.Contains(st.sums, c.num) {
			st.sums = append(st.sums, c.num)
		}
	}
}

// markFile is the file of marks beside a segment or a large body. Written marks
// survive the process. A power cut may undo marks that were not synced, and their
// items run again. The file is not kept open, since there may be thousands.
type markFile struct {
	fs    fileSystem
	name  string
	salt  uint32
	spent func(int64) // called when the file grows
	large bool        // of a large body

	mu       sync.Mutex
	made     bool // the file exists
	fresh    bool // its name may not be safe yet
	poisoned bool // a sync failed: the file is written anew before the next
	gone     bool // with the unit: what is written from now on is dropped
	size     int64
	written  int        // cells in the file
	st       *markState // nil if it is not in memory
}

func (s *spool) newMarkFile(name string, large bool) *markFile {
	return &markFile{fs: s.fs, name: name, large: large, salt: crc32.Checksum([]byte(filepath.Base(name)), castagnoli), spent: s.spend}
}

func (m *markFile) append(p []byte, c cell) []byte {
	n := len(p)
	p = binary.LittleEndian.AppendUint32(p, c.kind)
	p = binary.LittleEndian.AppendUint64(p, c.seq)
	p = binary.LittleEndian.AppendUint32(p, c.num)
	return binary.LittleEndian.AppendUint32(p, crc32.Update(m.salt, castagnoli, p[n:n+16]))
}

func (m *markFile) appendAgain(p []byte, id notify.ItemID, a again, reason string) []byte {
	p = m.append(p, cell{cellAgain, seqOf(id), uint32(offsetOf(id))})
	p = m.append(p, cell{cellNext, uint64(a.next), a.attempts})
	for reason = reason[:min(len(reason), maxReason)]; reason != ""; {
		var text [12]byte
		reason = reason[copy(text[:], reason):]
		p = m.append(p, cell{cellReason, binary.LittleEndian.Uint64(text[:]), binary.LittleEndian.Uint32(text[8:])})
	}
	return p
}

// parseCells calls f with each good cell, and with the one before it.
func (m *markFile) parseCells(p []byte, before *cell, f func(before, c cell)) {
	for ; len(p) >= cellSize; p = p[cellSize:] {
		c := cell{binary.LittleEndian.Uint32(p), binary.LittleEndian.Uint64(p[4:]), binary.LittleEndian.Uint32(p[12:])}
		if binary.LittleEndian.Uint32(p[16:]) != crc32.Update(m.salt, castagnoli, p[:16]) {
			*before = cell{}
			continue
		}
		f(*before, c)
		*before = c
	}
}

// load reads the marks that are there, if they are not in memory; m.mu is held.
func (m *markFile) load() (*markState, error) {
	if m.st != nil {
		return m.st, nil
	}
	st := newMarkState(m.large)
	if m.made && !m.gone {
		f, err := m.fs.Open(m.name)
		if err != nil {
			return nil, fmt.Errorf("spool: %w", err)
		}
		defer f.Close()
		size, cells := int64(0), 0
		var before cell // also that of the last buffer: an Again may be in two
		for buf := make([]byte, 3000*cellSize); ; {
			n, err := f.ReadAt(buf, size)
			if err != nil && err != io.EOF {
				return nil, fmt.Errorf("spool: %w", err)
			}
			n -= n % cellSize // An incomplete cell at the end will be overwritten.
			m.parseCells(buf[:n], &before, st.apply)
			size, cells = size+int64(n), cells+n/cellSize
			if err == io.EOF {
				break
			}
		}
		m.spent(size - m.size) // Open has counted an incomplete cell too.
		m.size, m.written = size, cells
	}
	m.st = st
	return st, nil
}

// readable fails if the marks are not in memory and cannot be read.
func (m *markFile) readable() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	_, err := m.load()
	return err
}

// write appends cells, and syncs if asked; m.mu is held. The next write
// overwrites one that failed half way. The caller changes the state.
func (m *markFile) write(cells []byte, sync bool) error {
	if m.gone || len(cells) == 0 {
		return nil
	}
	// What need not be safe may go to the file whose sync failed: rule 4 in layout.go.
	if sync && m.poisoned {
		if err := m.rewrite(); err != nil {
			return err
		}
	}
	f, err := m.open()
	if err != nil {
		return fmt.Errorf("spool: %w", err)
	}
	defer f.Close()
	if err := writeFull(f, cells, m.size); err != nil {
		return fmt.Errorf("spool: %w", err)
	}
	if sync {
		if err := m.sync(f); err != nil {
			return fmt.Errorf("spool: %w", err)
		}
	}
	m.size += int64(len(cells))
	m.written += len(cells) / cellSize
	m.spent(int64(len(cells)))
	return nil
}

func (m *markFile) sync(f file) error {
	if err := f.Sync(); err != nil {
		m.poisoned = true
		return err
	}
	if m.fresh {
		if err := m.fs.SyncDir(filepath.Dir(m.name)); err != nil {
			return err
		}
		m.fresh = false
	}
	return nil
}

func (m *markFile) open() (file, error) {
	if m.made {
		return m.fs.Open(m.name)
	}
	f, err := m.fs.Create(m.name)
	m.made = m.made || err == nil
	m.fresh = m.made
	return f, err
}

// undo removes what a write appended, of which n bytes are taken for written; m.mu is
// held. It is for marks recorded together with something that failed. safe is whether
// their letters go too: then neither a kill nor a power cut may bring the marks back
// (rule 3 in layout.go). With an error the file may still have them.
func (m *markFile) undo(n int, safe bool) error {
	if m.gone || !m.made {
		return nil
	}
	m.size -= int64(n)
	m.written -= n / cellSize
	m.spent(-int64(n))
	if safe && m.poisoned {
		if err := m.rewrite(); err != nil {
			return err
		}
	}
	f, err := m.fs.Open(m.name)
	if err != nil {
		return err
	}
	defer f.Close()
	if err := f.Truncate(m.size); err != nil || !safe {
		return err
	}
	return m.sync(f)
}

// rewrite replaces the file by one with only the current marks; m.mu is held. Its name
// is not synced here but with the next write that is. Until then a power cut may bring
// the old file back. The marks that it lacks were never said to be safe. Reasons are
// left out: they are only for people who look into the file, and not in memory.
func (m *markFile) rewrite() error {
	st, err := m.load()
	if err != nil {
		return err
	}
	var p []byte
	for seq := range st.bodies {
		p = m.append(p, cell{cellBody, seq, 0})
	}
	for seq, set := range st.ordinals {
		for num := range set {
			p = m.append(p, cell{cellOrdinal, seq, num})
		}
	}
	for off := range st.dealt {
		p = m.append(p, cell{cellDamage, uint64(off), 0})
	}
	for id := range st.done.all() {
		if seqOf(id) > st.through {
			p = m.append(p, cell{cellDone, seqOf(id), uint32(offsetOf(id))})
		}
	}
	for id, a := range st.again {
		p = m.appendAgain(p, id, a, "")
	}
	for _, sum := range st.sums {
		p = m.append(p, cell{cellErased, 0, sum})
	}
	if st.through > 0 {
		p = m.append(p, cell{cellThrough, st.through, 0})
	}
	temp := m.name + tempSuffix
	_ = m.fs.Remove(temp) // of an attempt that failed
	if err := writeWhole(m.fs, temp, p); err != nil {
		return fmt.Errorf("spool: %w", err)
	}
	if err := m.fs.Rename(temp, m.name); err != nil {
		_ = m.fs.Remove(temp)
		return fmt.Errorf("spool: %w", err)
	}
	m.spent(int64(len(p)) - m.size)
	m.made, m.fresh, m.poisoned = true, true, false
	m.size, m.written = int64(len(p)), len(p)/cellSize
	return nil
}

// bloated reports whether most of the file is outdated.
func (m *markFile) bloated() bool {
	return m.st != nil && m.written > 4096 && m.written > 4*m.st.cells()
}

// remove removes the file for good; m.mu is held.
func (m *markFile) remove() error {
	m.gone, m.st = true, nil
	if !m.made {
		return nil
	}
	m.made = false
	m.spent(-m.size)
	m.size = 0
	if err := m.fs.Remove(m.name); err != nil && !isNotExist(err) {
		return err
	}
	return nil
}

func (a again) at() time.Time { return time.Unix(0, a.next).UTC() }
