package spool

import (
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"slices"

	"github.com/garminkit/activityapi/notify"
)

// indexOf returns the index of a large body. It is nil, without an error, while
// it is rebuilt, or if the body is gone.
func (s *spool) indexOf(l *largeBody) (*index, error) {
	s.mu.Lock()
	idx, busy := l.idx, l.building || s.large[l.seq] != l
	if idx != nil {
		s.keepIndex(l)
	}
	s.mu.Unlock()
	if idx != nil || busy {
		return idx, nil
	}
	sums, err := l.sums()
	if err != nil {
		return nil, err
	}
	f, err := s.openText(s.indexPath(l), l.sealed, aboutIndex, errIndex)
	if err == nil {
		idx, err = readIndex(f, f.size, l.size, sums...)
		f.close()
	}
	if err == nil {
		s.haveIndex(l, idx, nil)
		return idx, nil
	}
	if idx := s.splitNow(l); idx != nil {
		return idx, nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if l.building || s.closed {
		return l.idx, nil
	}
	l.building = true
	s.builders.Go(func() { s.rebuild(l) })
	return nil, nil
}

// splitNow makes the index of a body that is small enough not to wait for. It
// returns nil if that fails, or if an index is being made: then rebuild does it. It
// does not wait for building, which must be taken before the locks that a caller has.
func (s *spool) splitNow(l *largeBody) *index {
	if l.size > maxIndexedBody || !s.building.TryLock() {
		return nil
	}
	defer s.building.Unlock()
	idx, mem, err := s.split(l)
	if err != nil {
		return nil
	}
	s.haveIndex(l, idx, mem)
	return idx
}

// sums are the checksums of which the body has one: that in its name, and those
// that it was given when something was taken out of it.
func (l *largeBody) sums() ([]uint32, error) {
	m := l.marks
	m.mu.Lock()
	defer m.mu.Unlock()
	if !m.made {
		return []uint32{l.sum}, nil
	}
	st, err := m.load()
	if err != nil {
		return nil, err
	}
	return append([]uint32{l.sum}, st.sums...), nil
}

// indexAndMarks returns indexOf, and fails if the marks cannot be read either: who
// goes through the items needs both.
func (s *spool) indexAndMarks(l *largeBody) (*index, error) {
	idx, err := s.indexOf(l)
	if err == nil && idx != nil {
		err = l.marks.readable()
	}
	return idx, err
}

// indexNow returns the index of a large body without waiting: it fails with
// errNotYet while the index is rebuilt, and with fs.ErrNotExist if the body is
// gone.
func (s *spool) indexNow(l *largeBody) (*index, error) {
	idx, err := s.indexOf(l)
	if err != nil || idx != nil {
		return idx, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.large[l.seq] != l {
		return nil, errNotExist
	}
	return nil, errNotYet
}

// haveIndex keeps the index of a body, and counts its items if none is done.
func (s *spool) haveIndex(l *largeBody, idx *index, mem *memFile) {
	l.marks.mu.Lock()
	defer l.marks.mu.Unlock()
	s.mu.Lock()
	defer s.mu.Unlock()
	l.building = false
	if mem != nil && s.large[l.seq] != l {
		s.indexes -= mem.counts // It is gone meanwhile.
		return
	}
	if mem == nil {
		mem = l.mem
	}
	s.setIndex(l, idx, mem)
	// Without marks, all items in the index are unfinished, and need not be counted one
	// by one.
	if !l.marks.made && l.counted == 0 {
		l.live, l.counted = idx.counts, itemID(l.seq, wholeBody)
	}
	s.keepIndex(l)
}

const (
	// maxIndexedBody is the size from which the index of a body has a file in any
	// case. That of a smaller one stays in memory if there is room: creating a file
	// costs more than splitting the body again after a restart.
	maxIndexedBody = 1 << 20
	// indexRoom is how much memory such indexes take together, and indexExtra what
	// one takes besides its bytes.
	indexRoom  = 4 << 20
	indexExtra = 512
)

// mostIndex is about what the index of a body takes in memory that is not split yet.
func mostIndex(size int64) int64 { return indexExtra + minUserSet + size/16 }

// roomForIndex reserves memory for an index without a file.
func (s *spool) roomForIndex(n int64) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.indexes+n > s.indexRoom {
		return false
	}
	s.indexes += n
	return true
}

// setIndex sets the index of a body, or forgets it. What it took of the room for
// indexes is free. s.mu is held.
func (s *spool) setIndex(l *largeBody, idx *index, mem *memFile) {
	if l.mem != nil && l.mem != mem {
		s.indexes -= l.mem.counts
	}
	l.idx, l.mem = idx, mem
}

// keptIndexes is how many footers are kept in memory.
const keptIndexes = 64

// keepIndex notes that the index of l was used, and drops another if there are
// too many; s.mu is held.
func (s *spool) keepIndex(l *largeBody) {
	s.indexed[l] = struct{}{}
	for other := range s.indexed {
		if len(s.indexed) <= keptIndexes {
			return
		}
		if other != l {
			delete(s.indexed, other)
			if other.mem == nil {
				other.idx = nil
			}
		}
	}
}

// rebuild makes a new index of a large body. It reads the whole body, so it also
// finds damage. A body that cannot be read is pinned: its files stay for the next
// Open, and passes leave it out.
func (s *spool) rebuild(l *largeBody) {
	s.building.Lock() // one at a time
	defer s.building.Unlock()
	if err := s.enter(); err != nil {
		return
	}
	defer s.leave()
	idx, mem, err := s.split(l)
	switch {
	case err == nil:
		s.haveIndex(l, idx, mem)
	case errors.Is(err, errChecksum):
		if err = s.setAsideLarge(l); err == nil {
			break
		}
		fallthrough
	default:
		s.mu.Lock()
		l.building, l.pinned = false, true
		s.mu.Unlock()
		select {
		case <-s.ending:
			return
		default:
		}
		s.unreadable(err, l.file)
	}
	s.ring()
}

var errChecksum = errors.New("spool: checksum mismatch")

// split reads a large body and makes an index, on the disk if possible.
func (s *spool) split(l *largeBody) (_ *index, mem *memFile, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("spool: %v", p)
		}
	}()
	body, err := s.openBody(s.path(largeDir, l.file), l.sealed)
	if err != nil {
		return nil, nil, err
	}
	defer body.close()
	temp := s.tempPath(largeDir)
	var w *indexWriter
	var f file
	if counts := mostIndex(l.size); l.size <= maxIndexedBody && s.roomForIndex(counts) {
		mem = &memFile{counts: counts}
		defer func() {
			if err != nil {
				s.roomForIndex(-counts)
			}
		}()
	} else if f, err = s.fs.Create(temp); err == nil {
		defer f.Close()
		w = newIndexWriter(f, l.boxOf(s))
	} else {
		f, mem = nil, &memFile{}
	}
	if mem != nil {
		w = newIndexWriter(mem, nil)
	}
	fail := func(err error) error {
		if f != nil {
			_ = s.fs.Remove(temp)
		}
		return err
	}
	// One byte more than there should be: a file that is too long is damaged, too.
	in := &summing{r: io.NewSectionReader(body, 0, l.size+1), ending: s.ending}
	for p, err := range new(notify.Splitter).Split(in) {
		if err != nil {
			return nil, nil, fail(err)
		}
		w.add(&p)
	}
	// The splitter may have stopped before the end, and the checksum is of all bytes.
	if _, err := io.Copy(io.Discard, in); err != nil {
		return nil, nil, fail(err)
	}
	in.flush()
	sums, err := l.sums()
	if err != nil {
		return nil, nil, fail(err)
	}
	sum := body.sum(in.sum)
	if in.size != l.size || !slices.Contains(sums, sum) {
		return nil, nil, fail(errChecksum)
	}
	if err := w.finish(in.sums, l.size, sum); err == nil {
		if f == nil {
			return &w.idx, mem, nil
		}
		name := s.indexPath(l)
		torn := s.sizeOf(name)
		if err := s.fs.Rename(temp, name); err == nil {
			s.spend(w.diskSize() - torn)
			return &w.idx, nil, nil
		}
	}
	if f == nil {
		return nil, nil, fail(errIndex)
	}
	// The disk does not take the index: try again in memory.
	_ = s.fs.Remove(temp)
	mem = &memFile{}
	w = newIndexWriter(mem, nil)
	in = &summing{r: io.NewSectionReader(body, 0, l.size), ending: s.ending}
	for p, err := range new(notify.Splitter).Split(in) {
		if err != nil {
			return nil, nil, err
		}
		w.add(&p)
	}
	if _, err := io.Copy(io.Discard, in); err != nil {
		return nil, nil, err
	}
	in.flush()
	if err := w.finish(in.sums, l.size, sum); err != nil {
		return nil, nil, err
	}
	return &w.idx, mem, nil
}

// summing reads a body and makes the checksums of its parts.
type summing struct {
	r      io.Reader
	ending <-chan struct{}
	sums   []uint32
	part   uint32
	in     int
	size   int64
	sum    uint32
}

func (r *summing) Read(p []byte) (int, error) {
	select {
	case <-r.ending:
		return 0, errClosed
	default:
	}
	n, err := r.r.Read(p[:min(len(p), sumStep-r.in)])
	r.sum = crc32.Update(r.sum, castagnoli, p[:n])
	r.part = crc32.Update(r.part, castagnoli, p[:n])
	r.size += int64(n)
	if r.in += n; r.in == sumStep {
		r.flush()
	}
	return n, err
}

func (r *summing) flush() {
	if r.in > 0 {
		r.sums = append(r.sums, r.part)
	}
	r.part, r.in = 0, 0
}

// openIndex opens the file of an index, for reading blocks.
func (s *spool) openIndex(l *largeBody) (io.ReaderAt, func(), error) {
	s.mu.Lock()
	mem := l.mem
	s.mu.Unlock()
	if mem != nil {
		return mem, func() {}, nil
	}
	f, err := s.openText(s.indexPath(l), l.sealed, aboutIndex, errIndex)
	if err != nil {
		return nil, nil, err
	}
	return f, f.close, nil
}

// dropIndex removes a torn index, so that it is rebuilt.
func (s *spool) dropIndex(l *largeBody) {
	s.mu.Lock()
	s.setIndex(l, nil, nil)
	s.mu.Unlock()
	_ = s.remove(s.indexPath(l))
}

// memFile is a file in memory, for an index that needs none on the disk, or that the
// disk does not take.
type memFile struct {
	p      []byte
	counts int64 // what it takes of the room for indexes
}

func (m *memFile) WriteAt(p []byte, off int64) (int, error) {
	if need := int(off) + len(p); need > len(m.p) {
		m.p = append(m.p, make([]byte, need-len(m.p))...)
	}
	return copy(m.p[off:], p), nil
}

func (m *memFile) ReadAt(p []byte, off int64) (int, error) {
	if off >= int64(len(m.p)) {
		return 0, io.EOF
	}
	n := copy(p, m.p[off:])
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}
