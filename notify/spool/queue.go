package spool

import (
	"bytes"
	"cmp"
	"context"
	"iter"
	"slices"

	"github.com/garminkit/activityapi/notify"
)

// feed is what one loop over Bodies has yet to see. Spool.mu guards it.
type feed struct {
	large []*largeBody // by number
	wake  chan struct{}

	// The rest belongs to the loop alone.
	seg   *segment // the one being read, nil before the first
	r     file     // seg, opened
	scan  *scanner
	found *item // read and not yet yielded
}

func (f *feed) addLarge(l *largeBody) {
	i, _ := slices.BinarySearchFunc(f.large, l.seq, func(l *largeBody, seq uint64) int { return cmp.Compare(l.seq, seq) })
	f.large = slices.Insert(f.large, i, l)
	f.ring()
}

// ring tells the loop that there may be something new.
func (f *feed) ring() {
	select {
	case f.wake <- struct{}{}:
	default:
	}
}

// Bodies yields the unfinished bodies; see [notify.Queue].
func (s *Spool) Bodies(ctx context.Context) iter.Seq2[notify.Body, error] {
	return func(yield func(notify.Body, error) bool) {
		f := &feed{wake: make(chan struct{}, 1)}
		if err := s.startFeed(f); err != nil {
			yield(nil, err)
			return
		}
		defer s.endFeed(f)
		for ctx.Err() == nil {
			b, more, err := s.next(ctx, f)
			switch {
			case ctx.Err() != nil:
				if b != nil {
					_ = b.Close()
				}
				return
			case err != nil:
				yield(nil, err)
				return
			case b != nil:
				if !yield(b, nil) {
					return
				}
			case !more:
				select {
				case <-ctx.Done():
				case <-s.ending:
					yield(nil, ErrClosed)
					return
				case <-f.wake:
				}
			}
		}
	}
}

func (s *Spool) startFeed(f *feed) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return ErrClosed
	}
	if s.feed != nil {
		return notify.ErrInUse
	}
	for _, l := range s.large {
		f.large = append(f.large, l)
	}
	slices.SortFunc(f.large, func(a, b *largeBody) int { return cmp.Compare(a.seq, b.seq) })
	s.feed = f
	return nil
}

func (s *Spool) endFeed(f *feed) {
	f.leaveSegment()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.feed = nil
}

func (f *feed) leaveSegment() {
	if f.r != nil {
		f.r.Close()
	}
	f.r, f.scan, f.found = nil, nil, nil
}

// next gives the next body, or nil and whether to ask again at once.
func (s *Spool) next(ctx context.Context, f *feed) (_ *body, more bool, err error) {
	again, err := s.readAhead(f)
	if err != nil || again {
		return nil, again, err
	}
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return nil, false, ErrClosed
	}
	var l *largeBody
	for l == nil && len(f.large) > 0 && (f.found == nil || f.large[0].seq < f.found.seq) {
		l = s.large[f.large[0].seq] // nil if it was finished meanwhile
		f.large = f.large[1:]
	}
	s.mu.Unlock()
	if l == nil && f.found == nil {
		return nil, false, nil
	}
	if l == nil {
		it, g := *f.found, f.seg
		f.found = nil
		if it.damaged {
			return nil, true, s.setAsideRecord(g, it)
		}
		r := bytes.NewReader(slices.Clone(it.body))
		it.body = nil
		return s.newBody(it.seq, it.receivedAt(), r.Size(), r, g.marks, func() error { return s.finishRecord(g, it) }), true, nil
	}
	b, ok, err := s.openLarge(ctx, l)
	if ok {
		return b, true, nil
	}
	if err != nil && ctx.Err() == nil {
		// One bad file does not hold up the others. It is tried again by the
		// next loop.
		s.unreadable(err, l.file)
	}
	return nil, true, nil
}

// readAhead sees to it that f.found is the next unfinished record of the log,
// if there is one. Again tells to call it once more.
func (s *Spool) readAhead(f *feed) (again bool, err error) {
	if f.found != nil {
		return false, nil
	}
	s.mu.Lock()
	if f.scan == nil || f.seg.sealed && f.scan.off >= f.seg.end {
		i := 0
		if f.seg != nil {
			i, _ = slices.BinarySearchFunc(s.segments, f.seg.base+1, func(g *segment, base uint64) int { return cmp.Compare(g.base, base) })
		}
		if i == len(s.segments) {
			s.mu.Unlock()
			return false, nil
		}
		g := s.segments[i]
		s.mu.Unlock()
		f.leaveSegment()
		f.seg = g
		if f.r, err = s.fs.Open(s.path(logDir, g.file)); err != nil {
			return true, s.skipSegment(f, err)
		}
		f.scan = newScanner(f.r, g, 0)
		return true, nil
	}
	f.scan.end = f.seg.end
	s.mu.Unlock()
	for {
		it, ok, err := f.scan.next()
		if err != nil {
			return true, s.skipSegment(f, err)
		}
		if !ok {
			// Other segments may follow if this one was sealed meanwhile.
			s.mu.Lock()
			defer s.mu.Unlock()
			return f.seg.sealed && f.scan.off >= f.seg.end && f.seg != s.segments[len(s.segments)-1], nil
		}
		s.mu.Lock()
		done := f.seg.isDone(it)
		s.mu.Unlock()
		if !done {
			f.found = &it
			return false, nil
		}
	}
}

// skipSegment goes past a segment that the disk does not give back. One bad
// file does not hold up the others; the next loop tries it again.
func (s *Spool) skipSegment(f *feed, err error) error {
	select {
	case <-s.ending:
		return ErrClosed
	default:
	}
	s.unreadable(err, f.seg.file)
	f.leaveSegment()
	return nil
}

// unreadable reports a file that the disk does not give back.
func (s *Spool) unreadable(err error, name string) {
	s.mu.Lock()
	s.stats.Unreadable++
	s.mu.Unlock()
	s.log.Error("spool: a file cannot be read and is left for later", "file", name, "err", err)
}
