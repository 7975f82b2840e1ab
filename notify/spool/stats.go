package spool

import (
	"context"
	"sync"
	"time"

	"github.com/garminkit/activityapi/notify"
)

// counts are the figures of [notify.QueueStats] since the spool was opened.
type counts struct {
	puts, syncs, repeats int64
	damaged, unreadable  int
}

// Stats returns what the spool holds. It searches for the oldest item from where
// it was found before.
func (s *spool) Stats(ctx context.Context) (st notify.QueueStats, err error) {
	s.oldest.mu.Lock()
	defer s.oldest.mu.Unlock()
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return st, errClosed
	}
	var in [notify.Classes]*segment
	for _, g := range s.segments {
		st.Bodies += int64(g.records)
		for class, n := range g.live {
			st.Items[class] += n
			if n > 0 && in[class] == nil {
				in[class], st.Oldest[class] = g, g.first
			}
		}
	}
	for _, l := range s.largeOrder {
		if l.counted < itemID(l.seq, wholeBody) {
			st.Bodies++
		}
		for class, n := range l.live {
			st.Items[class] += n
			if n > 0 && (st.Oldest[class].IsZero() || l.received.Before(st.Oldest[class])) {
				in[class], st.Oldest[class] = nil, l.received
			}
		}
	}
	c := s.counts
	s.mu.Unlock()
	st.Puts, st.Syncs, st.Repeats, st.Damaged, st.Unreadable = c.puts, c.syncs, c.repeats, c.damaged, c.unreadable
	until := time.Now().Add(scanTime)
	for class, g := range in {
		if g != nil {
			at, err := s.oldest.find(ctx, s, notify.Class(class), g, until)
			if err != nil {
				return st, err
			}
			if at.After(st.Oldest[class]) {
				st.Oldest[class] = at
			}
		}
	}
	st.Letters, st.Bytes = s.letters.len(), s.bytes.Load()
	return st, nil
}

// oldest remembers, for each class, up to where all items are finished. What is
// finished stays so, and a later search goes on from there.
type oldest struct {
	mu  sync.Mutex
	at  [notify.Classes]cursor
	was [notify.Classes]time.Time
}

// find returns when the oldest item of a class in a segment was received. If the
// time is up before, it returns a bound: the item is not older.
func (o *oldest) find(ctx context.Context, s *spool, class notify.Class, g *segment, until time.Time) (time.Time, error) {
	c := &o.at[class]
	if c.seq < g.base-1 {
		*c = cursor{seq: g.base - 1}
	}
	s.mu.Lock()
	visible := seqOf(g.counted)
	s.mu.Unlock()
	for more := true; more && time.Now().Before(until); {
		var err error
		more, err = s.walk(ctx, c, visible, func(ch *chunk) error {
			if ch.large != nil {
				return nil
			}
			found := false
			o.was[class] = ch.received
			err := s.found(ch, false, func(it *notify.Item) { found = found || it.Class == class })
			if err == nil && found {
				err = errEnough
			}
			return err
		})
		if err == errEnough {
			break
		}
		if err != nil {
			return o.was[class], err
		}
	}
	return o.was[class], nil
}
