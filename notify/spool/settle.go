package spool

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/garminkit/activityapi/notify"
)

// settlement is what a call of Settle changes in one unit.
type settlement struct {
	u     *unit
	large *largeBody
	g     *segment
	st    *markState

	verdicts []notify.Verdict
	classes  map[notify.ItemID]notify.Class // of those that exist
	cells    []byte
	tried    bool // a write of the cells, also one that failed half way
	written  int
	done     map[notify.ItemID]notify.Class
	again    map[notify.ItemID]again
	buried   bool
	through  uint64
	ended    bool // the body's file is gone
}

// Settle records verdicts, all or none of them: first the letters, and once these
// are safe the marks, with one write for each unit. It leaves out items whose files
// cannot be read: they stay where they are for the next Open.
func (h *share) Settle(ctx context.Context, verdicts []notify.Verdict) error {
	if err := h.enter(); err != nil {
		return err
	}
	defer h.s.leave()
	return h.s.settle(ctx, verdicts)
}

func (s *spool) settle(ctx context.Context, verdicts []notify.Verdict) (err error) {
	s.settling.Lock()
	defer s.settling.Unlock()
	list, err := s.settlements(verdicts)
	if err != nil {
		return err
	}
	list, left, err := s.legible(list)
	if err != nil {
		return err
	}
	if err := s.classify(list); err != nil {
		return err
	}
	// Letters first: after a crash in between, Open marks the items of letters (rule 3
	// in layout.go). The other way round, an item could be done and have no letter.
	letters, err := s.buryAll(ctx, list)
	if err != nil {
		return err
	}
	for i := range list {
		list[i].u.marks.mu.Lock()
	}
	err = s.record(list)
	undone := err == nil || s.undo(list)
	for i := range list {
		list[i].u.marks.mu.Unlock()
	}
	if !undone {
		// Letters whose marks may come back stay: an item then has a letter and is not
		// finished. The other way round it would be lost.
		s.doubt(letters)
		return err
	}
	if err != nil {
		letters.undo()
		return err
	}
	letters.keep()
	s.clearDoubtful(verdicts, list, left)
	for i := range list {
		switch t := &list[i]; {
		case t.ended:
			s.forgetLarge(t.large)
			s.spend(-s.diskSize(t.large.size, t.large.sealed))
		case t.large != nil:
			s.dropIfFinished(t.large)
		}
	}
	s.removeFinished()
	s.wantTidy()
	return nil
}

// doubt leaves letters of a Settle that failed.
func (s *spool) doubt(letters *burial) {
	letters.keep()
	for _, n := range letters.names {
		s.doubtful[itemID(n.seq, int64(n.offset))] = n
	}
}

// clearDoubtful removes the letters that an earlier Settle had to leave, of items that
// are finished now: whoever is buried has another. Items that were left out are not.
func (s *spool) clearDoubtful(verdicts []notify.Verdict, list, left []settlement) {
	if len(s.doubtful) == 0 {
		return
	}
	open := map[notify.ItemID]bool{}
	for _, t := range slices.Concat(list, left) {
		for _, v := range t.verdicts {
			_, known := t.classes[v.ID]
			open[v.ID] = !known
		}
	}
	for _, v := range verdicts {
		if n, ok := s.doubtful[v.ID]; ok && v.Fate != notify.Again && !open[v.ID] {
			_ = s.unlinkLetter(n.String())
			delete(s.doubtful, v.ID)
		}
	}
}

// settlements groups verdicts by unit. It omits those on bodies that are gone.
func (s *spool) settlements(verdicts []notify.Verdict) ([]settlement, error) {
	var list []settlement
	at := map[*unit]int{}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, v := range verdicts {
		if v.Fate < notify.Done || v.Fate > notify.Buried {
			return nil, fmt.Errorf("spool: fate %d", v.Fate)
		}
		if v.Fate == notify.Buried && v.Letter == nil {
			return nil, errors.New("spool: a buried item needs a letter")
		}
		seq := seqOf(v.ID)
		st := settlement{}
		if l := s.large[seq]; l != nil {
			st.u, st.large = &l.unit, l
		} else if g := s.segmentFor(seq); g != nil && seq <= g.last && seq > g.through {
			// Small and large bodies are numbered together, so the number of a large
			// one lies between those of a segment's records.
			if k, ok := s.known.get(v.ID); ok && k.large {
				continue // of a large body that is finished
			}
			st.u, st.g = &g.unit, g
		} else {
			continue
		}
		i, ok := at[st.u]
		if !ok {
			i = len(list)
			at[st.u] = i
			list = append(list, st)
		}
		list[i].verdicts = append(list[i].verdicts, v)
	}
	// Always locked in the same order.
	slices.SortFunc(list, func(a, b settlement) int {
		return cmp.Compare(seqOf(a.verdicts[0].ID), seqOf(b.verdicts[0].ID))
	})
	return list, nil
}

// legible takes out the units whose marks cannot be read, before letters are made. One
// bad file does not hold up the verdicts of the others: whoever offers them again would
// meet it each time. The items in it stay unfinished, and the next Open gives them out
// again if it can read the marks.
func (s *spool) legible(list []settlement) (good, left []settlement, err error) {
	for _, t := range list {
		if err := t.u.marks.readable(); err != nil {
			if err := s.passOver(seqOf(t.verdicts[0].ID), err); err != nil {
				return nil, nil, err
			}
			left = append(left, t)
			continue
		}
		good = append(good, t)
	}
	return good, left, nil
}

// classify finds the classes of the items that are unfinished. That may read an index,
// which locks the body's marks, so call it before these are locked.
func (s *spool) classify(list []settlement) error {
	r := s.newReader()
	defer r.close()
	for i := range list {
		t := &list[i]
		t.classes = make(map[notify.ItemID]notify.Class, len(t.verdicts))
		var forgotten []notify.ItemID
		for _, v := range t.verdicts {
			if k, ok := s.known.get(v.ID); ok {
				t.classes[v.ID] = k.class
			} else {
				forgotten = append(forgotten, v.ID)
			}
		}
		err := r.all(forgotten, func(ch *chunk) error {
			for i := range ch.pieces {
				t.classes[pieceID(ch.seq, &ch.pieces[i])] = ch.pieces[i].Class
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// record writes the marks and then applies them; the marks are locked. All units or
// none must change. A written mark can be undone, and the removal of a body's file
// cannot: so the marks of all other units come first, and the removals last.
func (s *spool) record(list []settlement) (err error) {
	for i := range list {
		if err := s.prepare(&list[i]); err != nil {
			return err
		}
	}
	var ending []*settlement
	for i := range list {
		t := &list[i]
		if len(t.cells) == 0 {
			continue
		}
		if t.large != nil && s.endsWith(t) {
			ending = append(ending, t)
			continue
		}
		if err := s.mark(t); err != nil && !s.endsWith(t) { // else the files go away instead
			return err
		}
	}
	for _, t := range ending {
		// The removal of its file has the same effect as its marks.
		err := s.fs.Remove(s.path(largeDir, t.large.file))
		if t.ended = err == nil || isNotExist(err); t.ended {
			continue
		}
		if err := s.mark(t); err != nil {
			return err
		}
	}
	// Nothing can fail from here on, so memory agrees with the files.
	for i := range list {
		t := &list[i]
		for id := range t.done {
			t.st.done.add(id)
			delete(t.st.again, id)
		}
		maps.Copy(t.st.again, t.again)
		t.st.through = max(t.st.through, t.through)
		s.keepMarks(t.u.marks)
		s.mu.Lock()
		if t.g != nil {
			t.g.through = max(t.g.through, t.through)
		}
		for id, class := range t.done {
			if id <= t.u.counted {
				t.u.live[class]--
			}
		}
		s.mu.Unlock()
	}
	return nil
}

// mark writes the cells of one unit. On a full disk it gives the reserve away:
// finishing items is what makes room again.
func (s *spool) mark(t *settlement) error {
	m := t.u.marks
	t.tried = true
	err := m.write(t.cells, t.buried)
	if err != nil && s.giveReserve() {
		err = m.write(t.cells, t.buried)
	}
	if err == nil {
		t.written = len(t.cells)
	}
	return err
}

// undo removes marks that were written together with something that failed; the marks
// are locked. It reports whether no mark of an item with a letter is left.
func (s *spool) undo(list []settlement) bool {
	ok := true
	for i := range list {
		t := &list[i]
		if t.tried && t.u.marks.undo(t.written, t.buried) != nil && t.buried {
			ok = false
		}
	}
	return ok
}

// prepare makes the cells of one unit, without those verdicts that are on
// finished items.
func (s *spool) prepare(t *settlement) (err error) {
	m := t.u.marks
	if m.gone {
		return nil
	}
	if t.st, err = m.load(); err != nil {
		return err
	}
	t.done, t.again = map[notify.ItemID]notify.Class{}, map[notify.ItemID]again{}
	for _, v := range t.verdicts {
		if _, ok := t.done[v.ID]; ok || t.st.isDone(v.ID, -1) {
			continue
		}
		class, ok := t.classes[v.ID]
		if !ok {
			continue
		}
		if v.Fate == notify.Again {
			a := again{v.Next.UnixNano(), uint32(max(v.Attempts, 0))}
			t.again[v.ID] = a
			reason := v.Reason
			if s.keys != nil {
				reason = "" // It may tell of the user, and nobody but a person reads it.
			}
			t.cells = m.appendAgain(t.cells, v.ID, a, reason)
			continue
		}
		t.buried = t.buried || v.Fate == notify.Buried
		t.done[v.ID] = class
		delete(t.again, v.ID)
		t.cells = m.append(t.cells, cell{cellDone, seqOf(v.ID), uint32(offsetOf(v.ID))})
	}
	// If these are the last items of the segment, one cell says so: whoever opens the
	// spool need not read the segment to know that it is finished.
	if g := t.g; g != nil && len(t.done) > 0 {
		s.mu.Lock()
		if g.scanned() && !g.pinned && g.last > g.through && g.total() == s.counted(t) {
			t.through = g.last
		}
		s.mu.Unlock()
		if t.through > 0 {
			t.cells = m.append(t.cells, cell{cellThrough, t.through, 0})
		}
	}
	return nil
}

// counted returns how many of the ending items were counted as live; s.mu is
// held.
func (s *spool) counted(t *settlement) (n int64) {
	for id := range t.done {
		if id <= t.u.counted {
			n++
		}
	}
	return n
}

// endsWith reports whether this finishes the unit, so that its files are removed
// and need no marks. Buried items still need them: until the removal is safe, the
// marks say that there is a letter.
func (s *spool) endsWith(t *settlement) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if t.buried || t.u.pinned || t.u.total() != s.counted(t) {
		return false
	}
	if t.large != nil {
		return t.large.counted == itemID(t.large.seq, wholeBody)
	}
	g := t.g
	return g.sealed && g.scanned() && g != s.segments[len(s.segments)-1]
}

// maxMarks bounds the marks kept in memory, over all files.
const maxMarks = 1 << 20

// keepMarks notes that the marks of m were used, and drops others if there are
// too many in memory; m.mu is held. Marks can be read again from their file, so only
// those that have one may go. Others are only tried to be locked: whoever holds one
// may wait for s.mu.
func (s *spool) keepMarks(m *markFile) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if m.gone || m.st == nil {
		return
	}
	size := m.st.size()
	s.marksKept += size - s.marked[m]
	s.marked[m] = size
	for other := range s.marked {
		if s.marksKept <= maxMarks {
			return
		}
		if other == m || !other.mu.TryLock() {
			continue
		}
		if other.made {
			other.st = nil
			s.marksKept -= s.marked[other]
			delete(s.marked, other)
		}
		other.mu.Unlock()
	}
}

func (s *spool) forgetMarks(m *markFile) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.marksKept -= s.marked[m]
	delete(s.marked, m)
}
