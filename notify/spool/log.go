package spool

import (
	"crypto/rand"
	"encoding/binary"
	"fmt"
	"io"
	"runtime"
	"time"
)

const (
	// zeroStep is how far ahead of the records a segment is filled with zeros:
	// a sync that changes no size and no allocation costs half as much. It
	// begins with zeroFirst.
	zeroStep  = 1 << 20
	zeroFirst = 64 << 10
	// writeSize is the buffer through which a batch goes to the file.
	writeSize = 256 << 10
	// tidyEvery is how often a segment with only finished bodies is replaced by a
	// new one.
	tidyEvery = time.Minute
	// emptySegment is the size from which a segment without unfinished bodies is
	// replaced by a new one, long before it is full.
	emptySegment = 1 << 20
	// maxWait is the longest time that a batch waits for more.
	maxWait = time.Millisecond
)

// writer is the only goroutine that writes to the log. So its fields need no lock.
// What others read of the newest segment is in segment, under spool.mu.
type writer struct {
	s     *spool
	g     *segment // nil if there is none to write to
	f     file
	end   int64 // after the last safe record
	zeros int64 // the file is filled up to here
	buf   []byte
	sums  []*bodySum

	last int           // how many bodies the last batch had
	took time.Duration // how long its sync took
}

func (w *writer) run() {
	defer close(w.s.written)
	// The timer runs while there is something to tidy: an idle spool sleeps. A segment
	// whose bodies are finished goes a minute later, not when it is full: what was
	// delivered should not stay on the disk for days.
	tidy := time.NewTimer(tidyEvery)
	defer tidy.Stop()
	armed := true
	for {
		select {
		case <-w.s.gathering.some:
			w.gather()
			w.commit(w.s.gathering.take())
			if !armed {
				tidy.Reset(tidyEvery)
				armed = true
			}
		case done := <-w.s.turning:
			done <- w.turn()
			if !armed {
				tidy.Reset(tidyEvery)
				armed = true
			}
		case <-tidy.C:
			// A sealed segment cannot be removed while it is the newest.
			if w.leave(1); w.g == nil {
				_ = w.begin() // If it fails the next batch tries again, and says so.
			}
			if armed = w.g == nil || w.end > 0; armed {
				tidy.Reset(tidyEvery)
			}
		case <-w.s.ending:
			// Nothing is added any more.
			if b := w.s.gathering.take(); len(b.list) > 0 {
				w.commit(b)
			}
			w.seal()
			return
		}
	}
}

// gather waits for Puts that are about to join the batch. On a busy machine this
// halves the number of syncs; on an idle one it costs nothing.
//
// Senders that are answered together come back together. If the first few were
// synced at once, the others, and the processors with them, would wait for that
// sync. So the writer waits for most of them, but no longer than a sync takes. A
// lone sender never waits.
func (w *writer) gather() {
	runtime.Gosched()
	w.s.gathering.wait(w.last*3/4, min(w.took, maxWait))
}

// commit writes a batch and tells its Puts.
func (w *writer) commit(b *batch) {
	w.last = len(b.list)
	b.err = w.write(b.list)
	if b.err != nil {
		b.err = fmt.Errorf("spool: %w", b.err)
	} else if known := w.s.repeats; known != nil {
		// After the sync: a body that is lost must not be known. Before the Puts
		// return: who sends it again at once must find it known.
		w.sums = w.sums[:0]
		for _, p := range b.list {
			w.sums = append(w.sums, p.whole)
		}
		known.add(time.Now(), w.sums...)
	}
	close(b.done)
}

func (w *writer) write(list []pending) error {
	if err := w.s.takeReserve(); err != nil {
		return err
	}
	w.leave(emptySegment)
	total := int64(0)
	for _, p := range list {
		total += p.record
	}
	if w.g != nil && w.end > 0 && w.end+total > w.s.segmentSize {
		w.seal()
	}
	if w.g == nil {
		if err := w.begin(); err != nil {
			return err
		}
	}
	s := w.s
	now := time.Now()
	// Each body gets an order for each of its bytes and one more; counting the
	// padding of records too does no harm. The numbers of a batch that fails are
	// not given again: after a power cut its records may be on the disk.
	first, order := s.begin(len(list), now, total)
	defer s.seen(first)
	for i := range list {
		p := &list[i]
		p.seq, p.received = first+uint64(i), now.UnixNano()
		if p.order == 0 {
			p.order = order
			order += uint64(p.record)
		}
	}
	if err := w.store(list, total); err != nil {
		w.poison(err)
		return err
	}
	// Scans read up to g.end, which only now covers the records.
	s.mu.Lock()
	s.named = max(s.named, first+uint64(len(list))-1)
	off := w.end
	if w.g.first.IsZero() {
		w.g.first = now.UTC()
	}
	for i, p := range list {
		w.g.place(first+uint64(i), off, p.look&sizeAccount != 0)
		off += p.record
	}
	w.end += total
	w.g.end = w.end
	w.g.records += len(list)
	s.counts.puts += int64(len(list))
	s.counts.syncs++
	s.mu.Unlock()
	return nil
}

// store writes the records after the safe ones and syncs.
func (w *writer) store(list []pending, total int64) error {
	if w.buf == nil {
		w.buf = make([]byte, writeSize)
	}
	if need := w.end + total; need > w.zeros {
		clear(w.buf)
		// Twice as far each time, so that a lone body in a segment of its own
		// does not cost a megabyte.
		upTo := need + min(w.s.zeroAhead, max(need, zeroFirst))
		for w.zeros < upTo {
			// Whole blocks only, so that the records can start anywhere.
			p := w.buf[:min(int64(len(w.buf)), upTo-w.zeros)]
			if err := writeFull(w.f, p, w.zeros); err != nil {
				return err
			}
			w.zeros += int64(len(p))
			w.grow(w.zeros)
		}
	}
	// A record is smaller than the buffer, so it is in one write, and append never
	// leaves the buffer.
	off, records := w.end, w.buf[:0]
	for _, p := range list {
		if len(records)+int(p.record) > len(w.buf) {
			if err := writeFull(w.f, records, off); err != nil {
				return err
			}
			off, records = off+int64(len(records)), records[:0]
		}
		records = w.g.appendRecord(records, p.header, p.body)
	}
	if err := writeFull(w.f, records, off); err != nil {
		return err
	}
	start := time.Now()
	err := w.f.Sync()
	w.took = time.Since(start)
	if err != nil {
		return err
	}
	// A file without a name keeps nothing.
	return w.s.stillThere(w.f, w.s.path(logDir, w.g.file))
}

// grow counts what the segment takes on the disk.
func (w *writer) grow(size int64) {
	w.s.mu.Lock()
	before := w.g.size
	w.g.size = size
	w.s.mu.Unlock()
	w.s.spend(size - before)
}

func writeFull(f io.WriterAt, p []byte, off int64) error {
	n, err := f.WriteAt(p, off)
	if err == nil && n < len(p) {
		err = io.ErrShortWrite
	}
	return err
}

// begin makes the next segment, and then removes finished ones that were kept
// only as the newest.
func (w *writer) begin() error {
	g, f, err := w.s.createSegment()
	if err != nil {
		return err
	}
	w.g, w.f, w.end, w.zeros = g, f, 0, 0
	w.s.removeFinished()
	return nil
}

// createSegment makes an empty segment whose name survives a power cut, and its
// file of marks, which a disk that is full later could not create.
func (s *spool) createSegment() (_ *segment, _ file, err error) {
	if err := s.lock.Held(); err != nil {
		return nil, nil, err
	}
	var random [8]byte
	rand.Read(random[:])
	s.mu.Lock()
	// No two segments have one base, even if no record was made in the first, or
	// none of it can be told: a scan goes on by it.
	if n := len(s.segments); n > 0 {
		s.seq = max(s.seq, s.segments[n-1].base)
	}
	base := s.seq + 1
	order := max(s.order, 1) // 0 would be of version 0.1
	s.mu.Unlock()
	g := s.newSegment(base, segmentName(base, order, binary.LittleEndian.Uint64(random[:])))
	f, err := s.fs.Create(s.path(logDir, g.file))
	if err != nil {
		return nil, nil, err
	}
	defer func() {
		if err != nil {
			f.Close()
			_ = s.fs.Remove(s.path(logDir, g.file))
			_ = g.marks.remove()
		}
	}()
	m, err := g.marks.open()
	if err != nil {
		return nil, nil, err
	}
	m.Close()
	g.marks.st = newMarkState(false)
	// One sync is for both names.
	if err := s.fs.SyncDir(s.path(logDir)); err != nil {
		return nil, nil, err
	}
	g.marks.fresh = false
	s.mu.Lock()
	g.dense = 1 << 62 // not looked at yet
	s.segments = append(s.segments, g)
	s.named = base - 1
	s.mu.Unlock()
	return g, f, nil
}

// keepNumbers makes the log tell the next Open which numbers were given out, if
// the newest went to large bodies that are already removed.
func (s *spool) keepNumbers() {
	s.mu.Lock()
	known := s.seq <= s.named
	s.mu.Unlock()
	if known {
		return
	}
	_, f, err := s.createSegment()
	if err != nil {
		s.log.Warn("spool: numbers of finished bodies may be given again", "err", err)
		return
	}
	f.Close()
}

// poison gives up the segment after a failed write or sync: nobody knows what the
// disk has of the batch, and another sync would not tell. The batch is cut off,
// so that a restart does not find it.
func (w *writer) poison(err error) {
	w.s.log.Error("spool: a write failed; its bodies are refused", "file", w.g.file, "err", err)
	w.seal()
}

// leave seals the segment if it holds at least n bytes and nothing unfinished.
func (w *writer) leave(n int64) {
	if w.g == nil || w.end < n {
		return
	}
	w.s.mu.Lock()
	idle := w.g.scanned() && w.g.total() == 0
	w.s.mu.Unlock()
	if idle {
		w.seal()
	}
}

// turn begins a new segment, so that none that holds a body is written to.
func (w *writer) turn() error {
	if w.g != nil && w.end == 0 {
		return nil
	}
	w.seal()
	return w.begin()
}

// turn lets the writer begin a new segment.
func (s *spool) turn() error {
	done := make(chan error, 1)
	select {
	case s.turning <- done:
		return <-done
	case <-s.ending:
		return errClosed
	}
}

// seal ends the present segment at its last safe record.
func (w *writer) seal() {
	if w.g == nil {
		return
	}
	g := w.g
	// The cut is not synced. What a power cut may bring back behind it are zeros, or
	// a batch that was refused, which the package documentation admits.
	if err := w.f.Truncate(w.end); err != nil {
		w.s.log.Error("spool: a segment keeps its unused end", "file", g.file, "err", err)
	} else {
		w.grow(w.end)
	}
	w.f.Close()
	w.g, w.f = nil, nil
	w.s.mu.Lock()
	g.sealed = true
	w.s.mu.Unlock()
	w.s.removeFinished()
}

// beginLog starts the writer, on a new segment if the disk has room for one.
func (s *spool) beginLog() {
	w := &writer{s: s}
	if err := w.begin(); err != nil {
		// Puts will fail for as long as that lasts; what is here can be
		// processed all the same.
		s.log.Error("spool: cannot begin a segment", "err", err)
	}
	go w.run()
}
