package spool

import (
	"errors"
	"hash/crc32"
	"io"
	"slices"

	"github.com/garminkit/activityapi/internal/erasure"
	"github.com/garminkit/activityapi/notify"
)

// large takes what is the user's out of a large body. Its file is replaced by one
// of the same name and size; what checksum it has then is in its marks. The index
// keeps its blocks: who is in the middle of one goes on.
func (e *eraser) large(l *largeBody) error {
	s := e.s
	s.building.Lock() // No index is made meanwhile.
	defer s.building.Unlock()
	found, err := e.lookLarge(l)
	if errors.Is(err, errChecksum) {
		return s.setAsideLarge(l) // The letter of it comes later.
	}
	if err != nil || found == nil {
		return err
	}
	next := &largeWriter{e: e, l: l, cuts: found.Cuts}
	defer next.drop()
	// The copy is written before settling is locked: no verdict waits for it.
	_, left, _, err := e.sortLarge(l, found)
	if err != nil {
		return err
	}
	if left {
		if err := next.make(); err != nil {
			return err
		}
	}
	s.settling.Lock()
	defer s.settling.Unlock()
	// Others' items may have been finished meanwhile.
	remains, left, mine, err := e.sortLarge(l, found)
	if err != nil {
		return err
	}
	if err := next.mark(mine, left); err != nil {
		return err
	}
	if !left {
		err = s.removeLarge(l)
		if err == nil {
			err = s.fs.SyncDir(s.path(largeDir))
		}
	} else {
		err = next.place()
		erasure.Leave(&e.out, "items", found.Naming, othersName)
	}
	if err == nil {
		erasure.Remove(&e.out, "items", len(mine))
		erasure.Remove(&e.out, "remains", remains)
	}
	return err
}

// lookLarge looks through a body that is whole. It finds nil if there is nothing
// of the user.
func (e *eraser) lookLarge(l *largeBody) (*erasure.Found, error) {
	s := e.s
	s.mu.Lock()
	gone := s.large[l.seq] != l
	s.mu.Unlock()
	if gone {
		return nil, nil
	}
	accepted, err := l.sums()
	if err != nil {
		return nil, err
	}
	f, err := s.openBody(s.path(largeDir, l.file), l.sealed)
	if err != nil {
		return nil, err
	}
	defer f.close()
	h := crc32.New(castagnoli)
	named, err := e.user.Names(io.TeeReader(io.NewSectionReader(f, 0, f.size), h))
	if err != nil {
		return nil, err
	}
	if f.size != l.size || !slices.Contains(accepted, f.sum(h.Sum32())) {
		return nil, errChecksum
	}
	if !named {
		return nil, nil
	}
	found, err := e.user.Look(f, l.size)
	if err != nil || len(found.Cuts) > 0 {
		return found, err
	}
	erasure.Leave(&e.out, "items", found.Naming, othersName)
	return nil, nil
}

// sortLarge tells which items of the user are unfinished, how many are not, and
// whether anything unfinished is left of others.
func (e *eraser) sortLarge(l *largeBody, found *erasure.Found) (remains int, left bool, mine map[notify.ItemID]notify.Class, err error) {
	m := l.marks
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.gone {
		return 0, false, nil, errNotExist
	}
	st, err := m.load()
	if err != nil {
		return 0, false, nil, err
	}
	number := numbers(l.seq, found, st)
	mine = map[notify.ItemID]notify.Class{}
	for i := range found.Mine {
		id := pieceID(l.seq, &found.Mine[i])
		if !st.isDone(id, number[id]) {
			mine[id] = found.Mine[i].Class
			continue
		}
		remains++
		if st.ordinals[l.seq] != nil {
			st.done.add(id)
		}
	}
	for i := range found.Others {
		id := pieceID(l.seq, &found.Others[i])
		done := st.isDone(id, number[id])
		left = left || !done
		if done && st.ordinals[l.seq] != nil {
			st.done.add(id)
		}
	}
	delete(st.ordinals, l.seq)
	return remains, left, mine, nil
}

// numbers are the places of items in their body, by which version 0.1 noted
// them. Where they do not count they are -1.
func numbers(seq uint64, found *erasure.Found, st *markState) map[notify.ItemID]int {
	number := map[notify.ItemID]int{}
	bad := 0
	for _, list := range [][]notify.Piece{found.Mine, found.Others} {
		for i := range list {
			number[pieceID(seq, &list[i])] = -1
			if list[i].Class == notify.ClassBad {
				bad++
			}
		}
	}
	if st.ordinals[seq] == nil || bad > 100 {
		return number
	}
	mine, others := found.Mine, found.Others
	for n := 0; len(mine)+len(others) > 0; n++ {
		list := &others
		if len(others) == 0 || len(mine) > 0 && pieceID(seq, &mine[0]) < pieceID(seq, &others[0]) {
			list = &mine
		}
		number[pieceID(seq, &(*list)[0])] = n
		*list = (*list)[1:]
	}
	return number
}

// largeWriter makes the files that take the place of a large body's.
type largeWriter struct {
	e     *eraser
	l     *largeBody
	cuts  []erasure.Cut
	sum   uint32 // that the new one has
	temps [2]string
	idx   *index
	mem   *memFile
}

// drop removes what was made and not put in place.
func (w *largeWriter) drop() {
	for _, name := range w.temps {
		if name != "" {
			_ = w.e.s.fs.Remove(name)
		}
	}
}

// make writes the new body, and its index if there is one.
func (w *largeWriter) make() error {
	s, l := w.e.s, w.l
	idx, err := s.indexOf(l)
	if err != nil {
		return err
	}
	in, err := s.openBody(s.path(largeDir, l.file), l.sealed)
	if err != nil {
		return err
	}
	defer in.close()
	temp := s.tempPath(largeDir)
	out, err := s.fs.Create(temp)
	if err != nil {
		return err
	}
	defer out.Close()
	w.temps[0] = temp
	r := &summing{r: erasure.Reader(in, l.size, w.cuts), ending: s.ending}
	body := newTextWriter(out, 0, l.boxOf(s), aboutBody)
	if err := copyTo(body, r); err != nil {
		return err
	}
	r.flush()
	if w.sum = body.sum(r.sum); r.size != l.size {
		return io.ErrUnexpectedEOF
	}
	if err := out.Sync(); err != nil {
		return err
	}
	if idx == nil {
		return nil
	}
	return w.index(idx, r.sums)
}

// copyTo writes what r gives, and ends the text.
func copyTo(w *textWriter, r io.Reader) error {
	buf := copyBuffers.Get().(*[copySize]byte)
	defer copyBuffers.Put(buf)
	for {
		n, ended, err := fill(r, buf[:])
		if err == nil {
			_, err = w.Write(buf[:n])
		}
		if err != nil {
			return err
		}
		if ended {
			return w.end()
		}
	}
}

// index makes the index without the user's items, block by block.
func (w *largeWriter) index(old *index, sums []uint32) error {
	s := w.e.s
	temp := s.tempPath(largeDir)
	var iw *indexWriter
	f, err := s.fs.Create(temp)
	if err == nil {
		defer f.Close()
		w.temps[1], iw = temp, newIndexWriter(f, w.l.boxOf(s))
	} else {
		w.mem = &memFile{}
		iw = newIndexWriter(w.mem, nil)
	}
	for i := range old.blocks {
		pieces, err := s.readBlock(w.l, old, i)
		if err != nil {
			return err
		}
		stay := pieces[:0]
		for _, p := range pieces {
			if !w.isCut(&p) {
				stay = append(stay, p)
			}
		}
		iw.block(&old.blocks[i], stay)
	}
	if err := iw.finish(sums, old.size, w.sum); err != nil {
		return err
	}
	// A torn one would be made anew with other blocks, and who is in the middle
	// of one would miss some.
	if w.mem == nil {
		if err := f.Sync(); err != nil {
			return err
		}
	}
	w.idx = &iw.idx
	return nil
}

// isCut tells whether an item becomes null, and so is none.
func (w *largeWriter) isCut(p *notify.Piece) bool {
	return p.Class != notify.ClassBad && p.UserID == w.e.id
}

// mark notes what is done, and the checksum that the body is going to have. This must
// be safe before the new body has its name: until then, and after a crash, the body has
// the old checksum or the new one, and both are accepted. Otherwise a crash would make
// the new body a damaged one.
func (w *largeWriter) mark(mine map[notify.ItemID]notify.Class, left bool) error {
	m := w.l.marks
	m.mu.Lock()
	defer m.mu.Unlock()
	st, err := m.load()
	if err != nil {
		return err
	}
	if left {
		st.apply(cell{}, cell{cellErased, 0, w.sum})
	}
	return w.e.settle(&w.l.unit, st, mine)
}

// place puts the new files in the place of the old ones. The index goes first:
// it is not true of the new body.
func (w *largeWriter) place() error {
	s, l := w.e.s, w.l
	l.swap.Lock()
	defer l.swap.Unlock()
	index := s.indexPath(l)
	if err := s.remove(index); err != nil && !isNotExist(err) {
		return err
	}
	s.mu.Lock()
	s.setIndex(l, nil, nil)
	s.mu.Unlock()
	if err := s.fs.SyncDir(s.path(largeDir)); err != nil {
		return err
	}
	if err := s.fs.Rename(w.temps[0], s.path(largeDir, l.file)); err != nil {
		return err
	}
	w.temps[0] = ""
	if err := s.fs.SyncDir(s.path(largeDir)); err != nil {
		return err
	}
	if w.idx == nil {
		return nil
	}
	if w.temps[1] != "" {
		if err := s.fs.Rename(w.temps[1], index); err != nil {
			return nil // It is made anew.
		}
		w.temps[1] = ""
		s.spend(s.sizeOf(index))
	}
	s.mu.Lock()
	s.setIndex(l, w.idx, w.mem)
	s.keepIndex(l)
	s.mu.Unlock()
	return nil
}
