package spool

import (
	"bytes"
	"path/filepath"

	"github.com/garminkit/activityapi/internal/erasure"
	"github.com/garminkit/activityapi/notify"
)

func dirOf(name string) string { return filepath.Dir(name) }

// segment takes what is the user's out of a segment.
func (e *eraser) segment(g *segment) error {
	named, err := e.prepare(g)
	if err != nil || !named {
		return err
	}
	s := e.s
	s.settling.Lock()
	defer s.settling.Unlock()
	m := g.marks
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.gone {
		return nil
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
	w := &segmentWriter{e: e, g: g, st: st, mine: map[notify.ItemID]notify.Class{}}
	scan := g.scanner(in, 0, g.end, scanAhead)
	defer scan.close()
	for {
		it, ok, err := scan.next()
		if err != nil {
			return err
		}
		if !ok {
			break
		}
		if !it.region {
			if err := w.look(&it); err != nil {
				return err
			}
		}
	}
	if scan.bad > 0 { // What is not read must not be taken for gone.
		return scan.err
	}
	if w.numbered {
		clear(st.ordinals)
	}
	if len(w.stay) == 0 {
		st.through = max(st.through, g.last)
	}
	if err := e.settle(&g.unit, st, w.mine); err != nil {
		return err
	}
	if err := w.write(in); err != nil {
		return err
	}
	erasure.Remove(&e.out, "items", len(w.mine))
	erasure.Remove(&e.out, "remains", w.remains)
	erasure.Leave(&e.out, "items", w.naming, othersName)
	return nil
}

const othersName = "they are others' and name the user"

// prepare tells whether a segment has something of the user. If it has, damage in
// it is made letters first, as a scan would do it: the new segment will lack its bytes.
// settling is not held yet: segments without the user, most of them, delay no verdict.
func (e *eraser) prepare(g *segment) (named bool, err error) {
	s := e.s
	var in file
	var end int64
	for same := false; !same; {
		s.mu.Lock()
		version := g.version
		end = g.end
		s.mu.Unlock()
		if in, same, err = s.openSegment(g, version); err != nil {
			return false, err
		}
	}
	defer in.Close()
	scan := g.scanner(in, 0, end, scanAhead)
	defer scan.close()
	var damaged []found
	for {
		it, ok, err := scan.next()
		if err != nil {
			return false, err
		}
		if !ok {
			break
		}
		named = named || e.user.MayBeIn(it.body)
		if it.region || it.damaged {
			it.body = bytes.Clone(it.body)
			damaged = append(damaged, it)
		}
	}
	if scan.bad > 0 {
		return false, scan.err
	}
	if !named {
		return false, nil
	}
	for i := range damaged {
		it := &damaged[i]
		if err := e.setAside(g, it); err != nil {
			return true, err
		}
	}
	return true, nil
}

func (e *eraser) setAside(g *segment, it *found) error {
	if !it.region {
		return e.s.setAsideRecord(g, it)
	}
	m := g.marks
	m.mu.Lock()
	st, err := m.load()
	dealt := false
	if err == nil {
		_, dealt = st.dealt[it.off]
	}
	m.mu.Unlock()
	if err != nil || dealt {
		return err
	}
	return e.s.dealWithRegion(g, it)
}

// segmentWriter writes a segment anew, without what is the user's.
type segmentWriter struct {
	e  *eraser
	g  *segment
	st *markState

	stay    []kept
	mine    map[notify.ItemID]notify.Class // items that were unfinished
	remains int
	naming  int
	dropped []uint64 // bodies that were unfinished
	cursor  cursor
	// numbered tells that version 0.1 noted items by their numbers, which change.
	numbered bool
}

// look decides what becomes of a record.
func (w *segmentWriter) look(it *found) error {
	finished := w.st.isFinished(it.seq)
	if it.damaged && !finished {
		return errChecksum
	}
	mayBe := w.e.user.MayBeIn(it.body)
	if finished {
		if mayBe {
			w.remains++
		}
		return nil
	}
	found := &erasure.Found{}
	if mayBe {
		var err error
		if found, err = w.e.user.Look(bytes.NewReader(it.body), int64(len(it.body))); err != nil {
			return err
		}
	}
	mine := map[notify.ItemID]bool{}
	for i := range found.Mine {
		mine[pieceID(it.seq, &found.Mine[i])] = true
	}
	pieces, ordinal := w.cursor.pieces(it.body)
	left := false
	for i := range pieces {
		id, k := pieceID(it.seq, &pieces[i]), -1
		if ordinal >= 0 {
			k = ordinal + i
		}
		done := w.st.isDone(id, k)
		switch {
		case mine[id] && done:
			w.remains++
		case mine[id]:
			w.mine[id] = pieces[i].Class
		case !done:
			left = true
		}
		if done && w.st.ordinals[it.seq] != nil {
			w.st.done.add(id)
		}
	}
	if w.st.ordinals[it.seq] != nil {
		w.numbered = true
	}
	if !left {
		w.dropped = append(w.dropped, it.seq)
		return nil
	}
	w.naming += found.Naming
	r := *it
	r.body = nil
	w.stay = append(w.stay, kept{r, found.Cuts})
	return nil
}

// write puts the new segment in the place of the old one.
func (w *segmentWriter) write(in file) error {
	g := w.g
	return w.e.s.rewrite(g, in, w.stay, func() {
		for _, seq := range w.dropped {
			if seq > g.recorded && seq > g.through {
				g.records = max(g.records-1, 0)
			}
		}
		if len(w.stay) == 0 {
			g.through, g.recorded, g.records = g.last, g.last, 0
			g.counted = itemID(g.last, wholeBody)
		} else {
			g.last = w.stay[len(w.stay)-1].seq
		}
	})
}
