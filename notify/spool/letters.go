package spool

import (
	"context"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"strings"
	"time"

	"github.com/garminkit/activityapi/internal/letters"
	"github.com/garminkit/activityapi/notify"
)

var errNotExist = fs.ErrNotExist

// Letters yields the dead letters, oldest burial first. It reads their heads, not
// their bytes.
func (s *spool) Letters(ctx context.Context, f *notify.LetterFilter) iter.Seq2[*notify.DeadLetter, error] {
	return func(yield func(*notify.DeadLetter, error) bool) {
		if err := s.usable(context.Background()); err != nil {
			yield(nil, err)
			return
		}
		var from letterName
		if f != nil && f.From != "" {
			var ok bool
			if from, ok = parseLetterName(f.From); !ok {
				yield(nil, fmt.Errorf("spool: letter %q: %w", f.From, errNotExist))
				return
			}
		}
		// Letters buried from now on are not listed: a loop that redrives letters
		// would never end.
		end, ok := s.letters.last()
		for ok {
			names := s.letters.after(from, end, 256)
			for _, n := range names {
				if err := ctx.Err(); err != nil {
					yield(nil, err)
					return
				}
				l, err := s.Letter(ctx, n.String())
				if isNotExist(err) {
					continue // redriven meanwhile
				}
				if err != nil {
					// An unreadable letter does not hide the others.
					l = &notify.DeadLetter{ID: n.String(), Items: 1, Quarantined: true, Reason: fmt.Sprintf("spool: the letter cannot be read: %v", err)}
				}
				if letters.Match(f, l) && !yield(l, nil) {
					return
				}
			}
			if ok = len(names) > 0; ok {
				from = names[len(names)-1]
			}
		}
	}
}

// Letter returns one letter.
func (s *spool) Letter(ctx context.Context, id string) (*notify.DeadLetter, error) {
	l, err := s.openLetterFile(id)
	if err != nil {
		return nil, err
	}
	defer l.f.Close()
	return l.head.letter(id), nil
}

// OpenLetter reads what Redrive would store.
func (s *spool) OpenLetter(ctx context.Context, id string) (io.ReadCloser, error) {
	l, err := s.openLetterFile(id)
	if err != nil {
		return nil, err
	}
	r, err := s.content(l)
	if err != nil {
		l.f.Close()
		return nil, err
	}
	return r, nil
}

// Redrive makes the letter's items a new body, with the same orders, and removes
// the letter. The letter of a damaged large body puts back the whole body as it
// is now.
func (s *spool) Redrive(ctx context.Context, id string) error {
	s.erasing.RLock()
	defer s.erasing.RUnlock()
	// Two calls for one letter must not store two bodies.
	s.redriving.Lock()
	defer s.redriving.Unlock()
	s.endRest(id)
	l, err := s.openLetterFile(id)
	if err != nil {
		return err
	}
	order := l.order()
	r, err := s.content(l)
	if err != nil {
		l.f.Close()
		return err
	}
	// The body of a redriven letter can equal one that was received. First it is
	// stored, then the letter goes: a crash in between leaves both, and not neither.
	err = s.put(ctx, r, nil, order)
	r.Close()
	if err != nil {
		return err
	}
	return s.takeLetter(id)
}

// Discard removes a letter for good.
func (s *spool) Discard(ctx context.Context, id string) error {
	s.redriving.Lock()
	defer s.redriving.Unlock()
	s.endRest(id)
	l, err := s.openLetterFile(id)
	if err != nil {
		return err
	}
	l.f.Close()
	return s.takeLetter(id)
}

// endRest makes later items of the body go to another letter, if this one is of
// the rest of a body. It waits for those that are being added.
func (s *spool) endRest(id string) {
	n, ok := parseLetterName(id)
	if !ok || n.kind != ofRest {
		return
	}
	s.settling.Lock()
	defer s.settling.Unlock()
	s.forgetRest(n)
}

func (s *spool) forgetRest(n letterName) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.rests[n.seq] == n {
		delete(s.rests, n.seq)
	}
}

// takeLetter removes a letter, between enter and leave.
func (s *spool) takeLetter(id string) error {
	if err := s.enter(); err != nil {
		return err
	}
	defer s.leave()
	return s.removeLetter(id)
}

// removeLetter removes a letter for good. The caller has entered.
func (s *spool) removeLetter(id string) error {
	if err := s.unlinkLetter(id); err != nil {
		return err
	}
	if err := s.fs.SyncDir(s.path(letterDir)); err != nil {
		return fmt.Errorf("spool: %w", err)
	}
	return nil
}

// unlinkLetter removes a letter, which a power cut may undo. The caller has
// entered.
func (s *spool) unlinkLetter(id string) error {
	if err := s.remove(s.letterPath(id)); err != nil {
		return fmt.Errorf("spool: %w", err)
	}
	n, _ := parseLetterName(id)
	s.letters.remove(n)
	if n.kind == ofRest {
		s.forgetRest(n)
	}
	for _, suffix := range besides {
		if err := s.remove(s.path(letterDir, id+suffix)); err != nil && !isNotExist(err) {
			return fmt.Errorf("spool: %w", err)
		}
	}
	return nil
}

// remove removes a file and gives back its room.
func (s *spool) remove(name string) error {
	size := s.sizeOf(name)
	err := s.fs.Remove(name)
	if err == nil {
		s.spend(-size)
	}
	return err
}

// sizeOf gives the size of a file, or 0.
func (s *spool) sizeOf(name string) int64 {
	f, err := s.fs.Open(name)
	if err != nil {
		return 0
	}
	defer f.Close()
	n, _ := f.Size()
	return n
}

// recoverLetters counts the letters, removes unfinished ones, and marks the items
// that have a letter, since a crash may have come before the mark. A file of bytes
// without its letter goes: the crash came before the letter, and the body is where it
// was. A damaged body without its letter stays: it may be the only copy.
func (s *spool) recoverLetters() error {
	list, err := s.fs.List(s.path(letterDir))
	if err != nil {
		return err
	}
	ids := map[string]bool{}
	var names []letterName
	for _, e := range list {
		id, ok := strings.CutSuffix(e.name, letterSuffix)
		if !ok {
			continue
		}
		n, ok := parseLetterName(id)
		if !ok {
			continue
		}
		s.spend(e.size)
		// A number is not given twice while a letter has it.
		s.seq = max(s.seq, n.seq)
		if n.buried > s.stamped.Load() && n.buried < time.Now().Add(time.Hour).UnixNano() {
			s.stamped.Store(n.buried)
		}
		if err := s.markBuried(n); err != nil {
			s.log.Error("spool: a buried item may run again", "letter", id, "err", err)
		}
		ids[id] = true
		names = append(names, n)
	}
	for _, e := range list {
		plain := strings.TrimSuffix(e.name, sealedSuffix)
		id, isBytes := strings.CutSuffix(plain, bytesSuffix)
		switch {
		case strings.HasSuffix(e.name, tempSuffix), isBytes && !ids[id]:
			if err := s.fs.Remove(s.path(letterDir, e.name)); err != nil && !isNotExist(err) {
				return err
			}
		case isBytes, strings.HasSuffix(plain, damagedSuffix):
			s.spend(e.size)
		}
	}
	s.letters.addAll(names)
	s.sweepLetters(names)
	return nil
}

// markBuried marks what a letter stands for, unless it is marked already.
func (s *spool) markBuried(n letterName) error {
	var m *markFile
	var g *segment
	if l := s.large[n.seq]; l != nil && n.kind != ofDamage && n.kind != ofDamage1 {
		m = l.marks
	} else if g = s.segmentFor(n.seq); g != nil && n.seq <= max(g.last, g.base) && n.seq > g.through {
		m = g.marks
	} else {
		return nil
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	st, err := m.load()
	if err != nil {
		return err
	}
	defer s.keepMarks(m)
	var cells []byte
	add := func(c cell) {
		cells = m.append(cells, c)
		st.apply(cell{}, c)
	}
	switch n.kind {
	case ofItem:
		if !st.isDone(itemID(n.seq, int64(n.offset)), -1) {
			add(cell{cellDone, n.seq, n.offset})
		}
	case ofOrdinal:
		if _, ok := st.ordinals[n.seq][n.offset]; !ok && !st.isFinished(n.seq) {
			if n.offset == 1<<32-1 {
				add(cell{cellDone, n.seq, wholeBody})
			} else {
				add(cell{cellOrdinal, n.seq, n.offset})
			}
		}
	case ofDamage, ofDamage1:
		if g == nil || g.base != n.seq {
			return nil
		}
		if _, ok := st.dealt[int64(n.offset)]; !ok {
			add(cell{cellDamage, uint64(n.offset), 0})
			g.regions = max(g.regions-1, 0)
		}
	case ofRest:
		offsets, err := s.recoverRest(n)
		if err != nil {
			return err
		}
		s.rests[n.seq] = n
		for _, offset := range offsets {
			if !st.isDone(itemID(n.seq, int64(offset)), -1) {
				add(cell{cellDone, n.seq, offset})
			}
		}
	}
	return m.write(cells, len(cells) > 0)
}

// sweepLetters removes letters that are expired and already were in the call
// before; the caller has entered. So a clock that is wrong for a moment, as when a machine starts,
// expires nothing. Failures are tried again.
func (s *spool) sweepLetters(names []letterName) {
	if s.opts.LetterRetention == 0 {
		return
	}
	now := time.Now()
	expired := make(map[letterName]time.Time)
	for _, n := range names {
		buried := time.Unix(0, n.buried)
		if n.kind == ofOrdinal || n.kind == ofDamage1 { // The name does not tell.
			l, err := s.Letter(context.Background(), n.String())
			if err != nil || l.Buried.IsZero() {
				continue
			}
			buried = l.Buried
		}
		if now.Sub(buried) <= s.opts.LetterRetention {
			continue
		}
		first, seen := s.expired[n]
		if !seen {
			first = now
		}
		// The time between is that of the monotonic clock.
		if now.Sub(first) < sweepEvery/2 || s.sweepLetter(n) != nil {
			expired[n] = first
		}
	}
	s.expired = expired
}

// sweepLetter removes an expired letter. That of a rest goes while no Settle adds to
// it: what was added to a removed file would be lost.
func (s *spool) sweepLetter(n letterName) error {
	if n.kind == ofRest {
		s.settling.Lock()
		defer s.settling.Unlock()
	}
	return s.unlinkLetter(n.String())
}
