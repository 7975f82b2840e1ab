package spool

import (
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
		defer s.endFeed()
		for ctx.Err() == nil {
			b, more, err := s.next(ctx, f)
			switch {
			case ctx.Err() != nil:
				if b != nil {
					b.Close()
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

func (s *Spool) endFeed() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.feed = nil
}

// next gives the next body, or nil and whether to ask again at once.
func (s *Spool) next(ctx context.Context, f *feed) (_ *body, more bool, err error) {
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return nil, false, ErrClosed
	}
	var l *largeBody
	for l == nil && len(f.large) > 0 {
		l = s.large[f.large[0].seq] // nil if it was finished meanwhile
		f.large = f.large[1:]
	}
	s.mu.Unlock()
	if l == nil {
		return nil, false, nil
	}
	b, ok, err := s.openLarge(ctx, l)
	if ok {
		return b, true, nil
	}
	if err != nil && ctx.Err() == nil {
		// One bad file does not hold up the others. It is tried again after
		// the next Open.
		s.unreadable(err, "file", l.file)
	}
	return nil, true, nil
}

// unreadable reports a body that the disk does not give back.
func (s *Spool) unreadable(err error, where ...any) {
	s.mu.Lock()
	s.stats.Unreadable++
	s.mu.Unlock()
	s.log.Error("spool: a body cannot be read and is left for the next Open", append(where, "err", err)...)
}
