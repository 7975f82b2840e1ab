package spool

import (
	"cmp"
	"crypto/rand"
	"encoding/binary"
	"fmt"
	"io"
	"runtime"
	"slices"
	"strings"
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
	// tidyEvery is how often a segment is left that holds finished bodies only.
	tidyEvery = time.Minute
	// emptySegment is the size from which a segment without unfinished bodies
	// is left for a new one, long before it is full.
	emptySegment = 1 << 20
	// maxWait is how long a batch waits for more at the most.
	maxWait = time.Millisecond
)

// writer is the one goroutine that writes to the log.
type writer struct {
	s     *Spool
	g     *segment // nil if there is none to write to
	f     file
	end   int64 // after the last safe record
	zeros int64 // the file is filled up to here
	buf   []byte

	last int           // how many bodies the last batch had
	took time.Duration // how long its sync took
}

func (w *writer) run() {
	defer close(w.s.written)
	// The timer runs while there is something to tidy: an idle spool sleeps.
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
		case <-tidy.C:
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

// gather lets those join the batch who are about to. On a busy machine that
// makes half as many syncs, on an idle one it costs nothing.
//
// Senders that are answered together come back together. If the first few of
// them were synced at once, the others, and the processors with them, would
// stand still for the time of that sync. So most of them are waited for, but no
// longer than a sync takes; one sender alone waits for nobody.
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
	}
	close(b.done)
}

func (w *writer) write(list []pending) error {
	w.leave(emptySegment)
	total := int64(0)
	for _, p := range list {
		total += int64(len(p.buf))
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
	s.mu.Lock()
	first := s.seq + 1
	s.seq += uint64(len(list))
	s.mu.Unlock()
	now := time.Now().UnixNano()
	for i, p := range list {
		header{first + uint64(i), now, uint32(p.size), p.sum}.encode(p.buf, w.g.salt)
	}
	if err := w.store(list, total); err != nil {
		w.poison(err)
		return err
	}
	w.end += total
	s.mu.Lock()
	s.named = max(s.named, first+uint64(len(list))-1)
	w.g.end = w.end
	w.g.live += len(list)
	s.stats.Bodies += len(list)
	s.stats.Puts += int64(len(list))
	s.stats.Syncs++
	if s.feed != nil {
		s.feed.ring()
	}
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
		}
	}
	off, n := w.end, 0
	for _, p := range list {
		if n+len(p.buf) > len(w.buf) {
			if err := writeFull(w.f, w.buf[:n], off); err != nil {
				return err
			}
			off, n = off+int64(n), 0
		}
		n += copy(w.buf[n:], p.buf)
	}
	if err := writeFull(w.f, w.buf[:n], off); err != nil {
		return err
	}
	start := time.Now()
	err := w.f.Sync()
	w.took = time.Since(start)
	return err
}

func writeFull(f io.WriterAt, p []byte, off int64) error {
	n, err := f.WriteAt(p, off)
	if err == nil && n < len(p) {
		err = io.ErrShortWrite
	}
	return err
}

// begin makes the next segment, and then removes those that were kept for
// being the newest.
func (w *writer) begin() error {
	g, f, err := w.s.createSegment()
	if err != nil {
		return err
	}
	w.g, w.f, w.end, w.zeros = g, f, 0, 0
	w.s.mu.Lock()
	var finished []*segment
	for _, g := range w.s.segments {
		if g.sealed && g.live == 0 {
			finished = append(finished, g)
		}
	}
	w.s.mu.Unlock()
	for _, g := range finished {
		w.s.removeSegment(g)
	}
	return nil
}

// createSegment makes an empty segment whose name survives a power cut.
func (s *Spool) createSegment() (*segment, file, error) {
	var random [8]byte
	rand.Read(random[:])
	s.mu.Lock()
	// No two segments have one base, even if no record was made in the first, or
	// none of it can be told: the loop over Bodies goes on by it.
	if n := len(s.segments); n > 0 {
		s.seq = max(s.seq, s.segments[n-1].base)
	}
	base := s.seq + 1
	s.mu.Unlock()
	g := s.newSegment(base, segmentName(base, binary.LittleEndian.Uint64(random[:])))
	f, err := s.fs.Create(s.path(logDir, g.file))
	if err != nil {
		return nil, nil, err
	}
	if err := s.fs.SyncDir(s.path(logDir)); err != nil {
		f.Close()
		_ = s.fs.Remove(s.path(logDir, g.file))
		return nil, nil, err
	}
	s.mu.Lock()
	s.segments = append(s.segments, g)
	s.named = base - 1
	s.mu.Unlock()
	return g, f, nil
}

// keepNumbers lets the log tell the next Open which numbers were given, if the
// newest went to large bodies that are finished and gone.
func (s *Spool) keepNumbers() {
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

// poison gives up the segment after a failed write or sync: what the disk has
// of the batch is unknown, and the kernel cannot be asked again. The batch is
// cut off, so that it is not found after a restart either.
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
	live := w.g.live
	w.s.mu.Unlock()
	if live == 0 {
		w.seal()
	}
}

// seal ends the present segment at its last safe record.
func (w *writer) seal() {
	if w.g == nil {
		return
	}
	g := w.g
	if err := w.f.Truncate(w.end); err != nil {
		w.s.log.Error("spool: a segment keeps its unused end", "file", g.file, "err", err)
	}
	w.f.Close()
	w.g, w.f = nil, nil
	w.s.mu.Lock()
	g.sealed = true
	finished := g.live == 0
	w.s.mu.Unlock()
	if finished {
		w.s.removeSegment(g)
	}
}

// removeSegment takes away a sealed segment without unfinished bodies. What
// cannot be removed now is removed by the next Open. The newest segment stays,
// since the next numbers are known by it.
func (s *Spool) removeSegment(g *segment) {
	s.mu.Lock()
	i := slices.Index(s.segments, g)
	if i < 0 || i == len(s.segments)-1 {
		s.mu.Unlock()
		return
	}
	s.segments = slices.Delete(s.segments, i, i+1)
	s.bytes -= g.end
	s.mu.Unlock()
	err := s.fs.Remove(s.path(logDir, g.file))
	if err == nil {
		err = s.fs.SyncDir(s.path(logDir))
	}
	if err == nil {
		err = g.marks.remove()
	}
	g.marks.close()
	if err != nil {
		s.log.Error("spool: a finished segment stays behind", "file", g.file, "err", err)
	}
}

// finishRecord is Finish for a body in the log, or for damage there.
func (s *Spool) finishRecord(g *segment, it item) error {
	m := mark{kind: markFinish, seq: it.seq}
	if it.region {
		m = mark{kind: markDamage, seq: uint64(it.off)}
	}
	if err := g.marks.add(m); err != nil {
		return err
	}
	s.mu.Lock()
	if g.isDone(it) {
		s.mu.Unlock()
		return nil
	}
	g.note(m)
	g.live--
	delete(s.marks, it.seq)
	if !it.region {
		s.stats.Bodies--
	}
	empty := g.sealed && g.live == 0
	s.mu.Unlock()
	if empty {
		s.removeSegment(g)
	}
	return nil
}

// note takes a mark that ends a record or damage into the segment's sets.
func (g *segment) note(m mark) {
	switch m.kind {
	case markFinish:
		g.done.set(m.seq - g.base)
	case markDamage:
		g.dealt[int64(m.seq)] = true
	}
}

// recoverLog reads the segments, with their marks.
func (s *Spool) recoverLog() error {
	list, err := s.fs.List(s.path(logDir))
	if err != nil {
		return err
	}
	marked := map[string]bool{}
	for _, e := range list {
		if name, ok := strings.CutSuffix(e.name, markSuffix); ok {
			marked[name] = true
		}
	}
	for _, e := range list {
		base, ok := parseSegmentName(e.name)
		if !ok {
			continue
		}
		g := s.newSegment(base, e.name)
		stem := strings.TrimSuffix(e.name, segmentSuffix)
		if err := s.recoverSegment(g, e.size, marked[stem]); err != nil {
			return err
		}
		delete(marked, stem)
		s.segments = append(s.segments, g)
		s.seq = max(s.seq, base-1)
	}
	for stem := range marked {
		if err := s.fs.Remove(s.path(logDir, stem+markSuffix)); err != nil && !isNotExist(err) {
			return err
		}
	}
	slices.SortFunc(s.segments, func(a, b *segment) int { return cmp.Compare(a.base, b.base) })
	return nil
}

// recoverSegment counts what is unfinished in a segment and cuts its unused
// end off.
func (s *Spool) recoverSegment(g *segment, size int64, marked bool) error {
	items := map[uint64][]uint32{}
	if marked {
		err := g.marks.load(func(m mark) {
			if m.kind == markItem {
				items[m.seq] = append(items[m.seq], m.ordinal)
			} else {
				g.note(m)
			}
		})
		if err != nil {
			return err
		}
	}
	f, err := s.fs.Open(s.path(logDir, g.file))
	if err != nil {
		return err
	}
	defer f.Close()
	c := newScanner(f, g, size)
	for {
		it, ok, err := c.next()
		if err != nil {
			return err
		}
		if !ok {
			break
		}
		g.end = it.next
		if !it.region {
			s.seq = max(s.seq, it.seq)
		}
		if g.isDone(it) {
			continue
		}
		g.live++
		if !it.region {
			s.stats.Bodies++
		}
		for _, ordinal := range items[it.seq] {
			s.markSetOf(it.seq).set(int(ordinal))
		}
	}
	g.sealed = true
	s.bytes += g.end
	if size > g.end {
		if err := f.Truncate(g.end); err != nil {
			s.log.Error("spool: a segment keeps its unused end", "file", g.file, "err", err)
		}
	}
	if g.live == 0 {
		return nil
	}
	// After a kill the last records may not be safe yet. What is handed out
	// must not vanish in a power cut, its number given to another body.
	return f.Sync()
}

// beginLog starts the writer, on a new segment if the disk has room for one.
func (s *Spool) beginLog() {
	w := &writer{s: s}
	if err := w.begin(); err != nil {
		// Puts will fail for as long as that lasts; what is here can be
		// processed all the same.
		s.log.Error("spool: cannot begin a segment", "err", err)
	}
	go w.run()
}
