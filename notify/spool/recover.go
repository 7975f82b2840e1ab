package spool

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// recoverLog finds the segments, with their marks. It reads their headers to know
// what is there; bodies are read when they are handed out.
func (s *spool) recoverLog() error {
	list, err := s.fs.List(s.path(logDir))
	if err != nil {
		return err
	}
	marked := map[string]int64{}
	for _, e := range list {
		if name, ok := strings.CutSuffix(e.name, markSuffix); ok {
			marked[name] = e.size
		} else if strings.HasSuffix(e.name, tempSuffix) {
			if err := s.fs.Remove(s.path(logDir, e.name)); err != nil && !isNotExist(err) {
				return err
			}
		}
	}
	for _, e := range list {
		base, order, ok := parseSegmentName(e.name)
		if !ok {
			continue
		}
		g := s.newSegment(base, e.name)
		stem := strings.TrimSuffix(e.name, segmentSuffix)
		if size, ok := marked[stem]; ok {
			g.marks.made, g.marks.size = true, size
			s.spend(size)
		}
		delete(marked, stem)
		s.segments = append(s.segments, g)
		s.seq, s.order = max(s.seq, base-1), max(s.order, order)
		g.dense = 1 << 62
		g.sealed, g.end, g.size = true, e.size, e.size
		s.spend(e.size)
		if err := s.recoverSegment(g); errors.Is(err, ErrKey) {
			return err
		} else if err != nil {
			// One segment does not stop the others. It stays until it can be
			// read.
			g.pinned = true
			s.unreadable(err, g.file)
		}
	}
	for stem := range marked {
		if err := s.fs.Remove(s.path(logDir, stem+markSuffix)); err != nil && !isNotExist(err) {
			return err
		}
	}
	slices.SortFunc(s.segments, func(a, b *segment) int { return cmp.Compare(a.base, b.base) })
	return nil
}

// recoverSegment notes what is in a segment and cuts off its unused end.
func (s *spool) recoverSegment(g *segment) error {
	st, err := g.marks.load()
	if err != nil {
		return err
	}
	g.marks.st = nil // read again when it is needed
	g.through = st.through
	f, err := s.fs.Open(s.path(logDir, g.file))
	if err != nil {
		return err
	}
	defer f.Close()
	c := g.scanner(f, 0, g.size, scanAhead)
	defer c.close()
	c.lazy = true
	end, open := int64(0), false
	for {
		it, ok, err := c.next()
		if err != nil {
			return err
		}
		if !ok {
			break
		}
		end = it.next
		if it.region {
			if _, dealt := st.dealt[it.off]; !dealt {
				g.regions++
				open = true
			}
			continue
		}
		if it.sealed() && s.keys == nil {
			return fmt.Errorf("%w: %s is sealed, and Options.AEAD is nil", ErrKey, g.file)
		}
		s.seq = max(s.seq, it.seq)
		s.sawOrder(it.order, int64(it.size))
		if g.first.IsZero() {
			g.first = it.receivedAt()
		}
		g.place(it.seq, it.off, it.mayHoldAccount())
		if !st.isFinished(it.seq) {
			g.records++
			open = true
		}
	}
	if c.bad > 0 {
		g.pinned = true
		s.unreadable(c.err, g.file)
	}
	if !open {
		g.counted, g.through = itemID(g.last, wholeBody), g.last
	}
	if g.size > end && !g.pinned {
		if err := f.Truncate(end); err != nil {
			s.log.Error("spool: a segment keeps its unused end", "file", g.file, "err", err)
		} else {
			s.spend(end - g.size)
			g.size = end
		}
	}
	g.end = end
	if !open {
		return nil
	}
	// After a kill the last records may not be safe yet. Sync them: an item that
	// was handed out must not vanish in a power cut and leave its number to
	// another body.
	return f.Sync()
}

// mayHoldAccount reports whether the body may hold items of an account.
func (r *found) mayHoldAccount() bool {
	if r.look&sizeLooked == 0 {
		return hinted(r.body)
	}
	return r.look&sizeAccount != 0
}
