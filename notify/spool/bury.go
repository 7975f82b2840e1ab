package spool

import (
	"bytes"
	"context"
	"fmt"
	"hash/crc32"
	"io"
	"time"

	"github.com/garminkit/activityapi/notify"
)

// burial holds the letters made by one call of Settle.
type burial struct {
	at    map[notify.ItemID]*notify.Item // what was read of the batch
	s     *spool
	names []letterName // new ones
	rests []*restAdder
}

// undo removes the letters, since their items were not marked.
func (b *burial) undo() {
	for _, n := range b.names {
		_ = b.s.unlinkLetter(n.String())
	}
	for _, r := range b.rests {
		r.undo()
	}
}

func (b *burial) keep() {
	for _, r := range b.rests {
		r.f.Close()
	}
}

// buryAll makes the letters of all Buried verdicts safe.
func (s *spool) buryAll(ctx context.Context, list []settlement) (_ *burial, err error) {
	b := &burial{s: s}
	defer func() {
		if err != nil {
			b.undo()
		}
	}()
	seen := map[notify.ItemID]bool{}
	for i := range list {
		// Each run of readAtOnce verdicts is read ahead in one pass over its bodies.
		for j, v := range list[i].verdicts {
			if j%readAtOnce == 0 {
				if err := b.read(ctx, list[i].verdicts[j:]); err != nil {
					return nil, err
				}
			}
			if v.Fate == notify.Again || seen[v.ID] {
				continue
			}
			seen[v.ID] = true // A later verdict of the batch is on a finished item.
			if v.Fate == notify.Done {
				continue
			}
			err := b.bury(&list[i], &v)
			if isNotExist(err) {
				// It is finished already, or nobody can read it now. A mark without
				// a letter would lose it for the next Open, which may read it again.
				delete(list[i].classes, v.ID)
				continue
			}
			if err != nil {
				return nil, err
			}
		}
	}
	for _, r := range b.rests {
		if err := r.commit(); err != nil {
			return nil, fmt.Errorf("spool: %w", err)
		}
	}
	// The names of all letters must be safe before the first mark is written (rule 3
	// in layout.go). One sync of the directory does for the whole call.
	if len(b.names) > 0 {
		if err := s.fs.SyncDir(s.path(letterDir)); err != nil {
			return nil, fmt.Errorf("spool: %w", err)
		}
	}
	return b, nil
}

// readAtOnce is how many items of a batch are read together.
const readAtOnce = 256

// read reads small items that are buried next, since neighbours lie together.
func (b *burial) read(ctx context.Context, verdicts []notify.Verdict) error {
	b.at = map[notify.ItemID]*notify.Item{}
	var ids []notify.ItemID
	for _, v := range verdicts[:min(len(verdicts), readAtOnce)] {
		if v.Fate == notify.Buried && offsetOf(v.ID) != wholeBody {
			ids = append(ids, v.ID)
		}
	}
	if len(ids) < 2 {
		return nil
	}
	items, err := b.s.load(ctx, ids)
	for _, it := range items {
		b.at[it.ID] = it
	}
	return err
}

// open opens an item of the batch.
func (b *burial) open(id notify.ItemID) (io.ReadCloser, *notify.Item, error) {
	if it := b.at[id]; it != nil && it.Raw != nil {
		return io.NopCloser(bytes.NewReader(it.Raw)), it, nil
	}
	return b.s.openItem(id)
}

// bury writes the letter of one item. Its name becomes safe at the end of the call
// of Settle, by buryAll.
func (b *burial) bury(t *settlement, v *notify.Verdict) error {
	s := b.s
	r, it, err := b.open(v.ID)
	if err != nil {
		return err // not exist: finished already
	}
	defer r.Close()
	h := headOf(v.Letter)
	if h.Buried.IsZero() {
		h.Buried = time.Now().UTC()
	}
	if h.Received.IsZero() {
		h.Received = it.Received
	}
	h.Size = it.Size
	h.Whole = offsetOf(v.ID) == wholeBody
	// A redriven item keeps its order, wherever it is stored. An item's order is that
	// of its body and its offset in it. Redrive stores a body of its own, which begins
	// with the AppLine and the list's key: its order is less by the offset that the
	// item has there.
	switch {
	case h.Whole:
		h.Order = it.Order - uint64(it.Size)
	case v.Rest:
		h.Order = it.Order - uint64(it.Offset)
		return b.rest(v, it, h, r)
	default:
		h.Order = it.Order - uint64(len(notify.AppLine(h.app()))+len(bodyStart(h.Key)))
	}
	n := letterName{seqOf(v.ID), uint32(offsetOf(v.ID)), ofItem, s.stamp()}
	linked := ""
	if h.Whole && t.large != nil {
		// The file gets a second name instead of a copy, where the system can.
		size := s.diskSize(t.large.size, t.large.sealed)
		if err := s.reserveFor(size); err != nil {
			return err
		}
		s.promise(-size)
		name := s.path(letterDir, n.String()+t.large.beside(bytesSuffix))
		_ = s.fs.Remove(name)
		if err := s.fs.Link(s.path(largeDir, t.large.file), name); err == nil {
			// Safe before the letter is, which would be without its bytes.
			if err := s.fs.SyncDir(s.path(letterDir)); err != nil {
				_ = s.fs.Remove(name)
				return fmt.Errorf("spool: %w", err)
			}
			h.Beside, linked = true, name
			s.spend(size)
		}
	}
	if err := s.writeLetter(n, h, r); err != nil {
		if linked != "" && s.fs.Remove(linked) == nil {
			s.spend(-s.diskSize(t.large.size, t.large.sealed))
		}
		return err
	}
	b.names = append(b.names, n)
	return nil
}

// stamp gives the time for the name of a letter, later than the one before.
func (s *spool) stamp() int64 {
	for {
		last := s.stamped.Load()
		if now := max(time.Now().UnixNano(), last+1); s.stamped.CompareAndSwap(last, now) {
			return now
		}
	}
}

// writeLetter writes a letter's file and syncs it, but not its name.
func (s *spool) writeLetter(n letterName, h *letterHead, r io.Reader) (err error) {
	box := s.box()
	head, err := h.encode(box, n)
	if err != nil {
		return fmt.Errorf("spool: %w", err)
	}
	// All of the letter is reserved before the first byte, so that two letters cannot
	// both be written into the last room.
	size := int64(len(head))
	if !h.Beside && box != nil {
		size += box.SealedSize(h.Size)
	} else if !h.Beside {
		size += h.Size + sumSize
	}
	if err := s.reserveFor(size); err != nil {
		return err
	}
	defer s.promise(-size)
	temp := s.tempPath(letterDir)
	f, err := s.fs.Create(temp)
	if err != nil {
		return fmt.Errorf("spool: %w", err)
	}
	defer func() {
		f.Close()
		if err != nil {
			_ = s.fs.Remove(temp)
		}
	}()
	if err := writeFull(f, head, 0); err != nil {
		return fmt.Errorf("spool: %w", err)
	}
	if !h.Beside {
		w := &summing{r: io.LimitReader(r, h.Size)}
		body := newTextWriter(f, int64(len(head)), box, aboutLetter(n))
		err := copyTo(body, w)
		if err == nil && w.size < h.Size {
			err = io.ErrUnexpectedEOF
		}
		if err == nil && box == nil {
			_, err = body.Write([]byte(sumText(w.sum)))
		}
		if err != nil {
			return fmt.Errorf("spool: %w", err)
		}
	}
	if err := f.Sync(); err != nil {
		return fmt.Errorf("spool: %w", err)
	}
	if err := s.fs.Rename(temp, s.letterPath(n.String())); err != nil {
		return fmt.Errorf("spool: %w", err)
	}
	s.spend(size)
	s.letters.add(n)
	return nil
}

// summingWriter writes on in a file and keeps the checksum.
type summingWriter struct {
	f   file
	at  int64
	sum uint32
}

func (w *summingWriter) Write(p []byte) (int, error) {
	if err := writeFull(w.f, p, w.at); err != nil {
		return 0, err
	}
	w.at += int64(len(p))
	w.sum = crc32.Update(w.sum, castagnoli, p)
	return len(p), nil
}

// setAsideLarge makes a letter of a damaged large body.
func (s *spool) setAsideLarge(l *largeBody) error {
	s.settling.Lock()
	defer s.settling.Unlock()
	s.mu.Lock()
	gone := s.large[l.seq] != l
	s.mu.Unlock()
	if gone {
		return nil
	}
	f, err := s.openSalvage(s.path(largeDir, l.file), l.sealed)
	if err != nil {
		return err
	}
	defer f.close()
	n := letterName{l.seq, wholeBody, ofItem, s.stamp()}
	h := &letterHead{
		Reason: fmt.Sprintf("spool: checksum mismatch in a body of %d bytes; it is kept as %s", l.size, n.String()+l.beside(damagedSuffix)),
		Items:  1, Quarantined: true, Whole: true, Order: l.order, Received: l.received, Buried: time.Unix(0, n.buried).UTC(),
	}
	h.Size = min(f.size, excerpt)
	if err := s.writeLetter(n, h, io.NewSectionReader(f, 0, h.Size)); err != nil {
		return err
	}
	if err := s.fs.SyncDir(s.path(letterDir)); err != nil {
		return err
	}
	// Last: after a crash before it, the body is found damaged again, and gets another
	// letter. The other way round it could have none.
	if err := s.fs.Rename(s.path(largeDir, l.file), s.path(letterDir, n.String()+l.beside(damagedSuffix))); err != nil {
		return err
	}
	s.forgetLarge(l)
	s.damaged("file", l.file)
	return nil
}

// damagedLarge sets a large body aside that was found damaged while an item of
// it was read.
func (s *spool) damagedLarge(l *largeBody) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed || l.building {
		return
	}
	l.building = true
	// In a goroutine: who reads may be Settle, which holds settling and the gate.
	s.builders.Go(func() {
		if s.enter() != nil {
			return
		}
		defer s.leave()
		if err := s.setAsideLarge(l); err != nil {
			s.log.Error("spool: a damaged body stays where it is", "file", l.file, "err", err)
		}
		// If that failed, who reads the damage next tries again. Otherwise no item of the
		// body could be buried, and the verdicts that come with it would wait too.
		s.mu.Lock()
		l.building = false
		s.mu.Unlock()
		s.ring()
	})
}

// setAsideRecord makes a letter of a damaged record of the log.
func (s *spool) setAsideRecord(g *segment, it *found) error {
	id := itemID(it.seq, wholeBody)
	reason := fmt.Sprintf("spool: checksum mismatch in a body of %d bytes", int(it.size)-it.extra())
	n := letterName{it.seq, wholeBody, ofItem, s.stamp()}
	return s.setAside(g, it, n, reason, it.receivedAt(), it.order, cell{cellBody, it.seq, 0}, func(st *markState) bool {
		return st.isDone(id, -1) || st.isFinished(it.seq)
	})
}

// dealWithRegion makes a letter of a part of the log without readable records,
// unless it has one.
func (s *spool) dealWithRegion(g *segment, it *found) error {
	reason := fmt.Sprintf("spool: %d bytes of the log hold no readable record", it.next-it.off)
	n := letterName{g.base, uint32(it.off), ofDamage, s.stamp()}
	err := s.setAside(g, it, n, reason, time.Time{}, 0, cell{cellDamage, uint64(it.off), 0}, func(st *markState) bool {
		_, dealt := st.dealt[it.off]
		return dealt
	})
	if err == nil {
		s.mu.Lock()
		g.regions = max(g.regions-1, 0)
		s.mu.Unlock()
	}
	return err
}

func (s *spool) setAside(g *segment, it *found, n letterName, reason string, received time.Time, order uint64, c cell, dealt func(*markState) bool) error {
	m := g.marks
	m.mu.Lock()
	defer m.mu.Unlock()
	st, err := m.load()
	if err != nil || dealt(st) {
		return err
	}
	s.mu.Lock()
	if g.end == it.next && g.sealed {
		reason += "; it is the last in its file and may be the rest of a write that a crash cut short and that was never acknowledged"
	}
	s.mu.Unlock()
	h := &letterHead{Reason: reason, Items: 1, Quarantined: true, Whole: true, Order: order, Received: received,
		Buried: time.Unix(0, n.buried).UTC(), Size: int64(len(it.body)), Unopened: it.sealed() || it.region && s.keys != nil}
	if err := s.writeLetter(n, h, bytesReader(it.body)); err != nil {
		return err
	}
	if err := s.fs.SyncDir(s.path(letterDir)); err != nil {
		return err
	}
	// The letter may be removed before a power cut: the damage must not be found
	// again.
	if err := m.write(m.append(nil, c), true); err != nil {
		return err
	}
	st.apply(cell{}, c)
	s.damaged("file", g.file, "offset", it.off)
	return nil
}

func (s *spool) damaged(where ...any) {
	s.mu.Lock()
	s.counts.damaged++
	s.mu.Unlock()
	s.log.Error("spool: a stored body is damaged and was made a letter", where...)
}
