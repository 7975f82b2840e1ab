package spool

import (
	"errors"
	"fmt"
)

// compactAll frees the space of finished bodies in segments that only a few
// waiting items keep, and of outdated cells in files of marks.
func (s *spool) compactAll() {
	s.mu.Lock()
	var sparse []*segment
	var files []*markFile
	// The newest segment is left out: the writer appends to it.
	for _, g := range s.segments[:max(len(s.segments)-1, 0)] {
		// Not the small ones, nor those of which not half of the items were finished
		// since compact looked at them last.
		if g.sealed && g.scanned() && !g.pinned && g.total() > 0 && g.end > 4*spotStep && g.total() < g.dense {
			sparse = append(sparse, g)
		}
	}
	for m := range s.marked {
		files = append(files, m)
	}
	s.mu.Unlock()
	for _, g := range sparse {
		if err := s.compact(g); err != nil {
			s.log.Warn("spool: finished bodies still take room", "file", g.file, "err", err)
		}
	}
	for _, m := range files {
		m.mu.Lock()
		if m.bloated() && !m.gone {
			if err := m.rewrite(); err != nil {
				s.log.Warn("spool: marks still take room", "file", m.name, "err", err)
			}
		}
		m.mu.Unlock()
		select {
		case <-s.ending:
			return
		default:
		}
	}
}

// compact writes a segment anew with only the unfinished bodies, if that frees
// half of it.
func (s *spool) compact(g *segment) error {
	m := g.marks
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.gone {
		return nil // finished meanwhile, and removed
	}
	st, err := m.load()
	if err != nil {
		return err
	}
	in, err := s.fs.Open(s.path(logDir, g.file))
	if err != nil {
		return err
	}
	defer in.Close()
	// First find what would stay. The marks are locked all the time, so it still stays
	// when the new file gets its name.
	var stay []kept
	var bytes int64
	scan := g.scanner(in, 0, g.end, scanAhead)
	defer scan.close()
	var c cursor
	for {
		it, ok, err := scan.next()
		if err != nil || scan.bad > 0 {
			return fmt.Errorf("it cannot be read: %w", scan.err)
		}
		if !ok {
			break
		}
		if it.region {
			// A new one: who knows whose bodies are in it? The next Open makes its letter.
			if _, dealt := st.dealt[it.off]; !dealt {
				return errChecksum
			}
			continue
		}
		if st.isFinished(it.seq) {
			continue
		}
		// A damaged body becomes a letter with its bytes, which the new file would lack.
		if it.damaged {
			return errChecksum
		}
		pieces, ordinal := c.pieces(it.body)
		for i := range pieces {
			k := -1
			if ordinal >= 0 {
				k = ordinal + i
			}
			if !st.isDone(pieceID(it.seq, &pieces[i]), k) {
				it.body = nil
				stay = append(stay, kept{found: it})
				bytes += it.next - it.off
				break
			}
		}
	}
	// It is looked at again when half of these items are finished. Otherwise each pass
	// would read the segment only to find that nothing is gained.
	s.mu.Lock()
	g.dense = g.total() / 2
	s.mu.Unlock()
	if bytes > g.end/2 {
		return nil
	}
	replaced := false
	if err = s.rewrite(g, in, stay, func() { replaced = true }); !replaced {
		return err
	}
	// Marks on removed bodies have no meaning.
	left := map[uint64]bool{}
	for i := range stay {
		left[stay[i].seq] = true
	}
	for id := range st.done.all() {
		if !left[seqOf(id)] {
			st.done.remove(id)
		}
	}
	// Reasons in the file may tell of users whose bodies are gone: Erase would not find
	// them by their bodies.
	err = errors.Join(err, m.rewrite())
	clear(st.dealt)
	return err
}
