package spool

import (
	"bytes"
	"context"
	"errors"
	"io"
	"syscall"
	"time"

	"github.com/garminkit/activityapi/notify"
)

// cursor is the position of a pass over all bodies, in order of their numbers.
type cursor struct {
	seq     uint64   // all bodies up to this number were passed
	g       *segment // the segment that is read, nil before the first
	off     int64
	version int
	in      *largeBody // the large body that is read
	block   int        // the next one of it
	counts  bool       // this pass counts live items

	split notify.Splitter
	pad   []notify.Piece
}

// chunk is a small body, or a part of a large one, split into items.
type chunk struct {
	seq      uint64
	order    uint64
	received time.Time
	unit     *unit
	large    *largeBody
	body     []byte // of a small one; valid until the pass goes on
	pieces   []notify.Piece
	ordinal  int           // of the first piece, or negative if it is not certain
	account  bool          // the body's account items are found by a pass of their own
	last     bool          // it ends its body
	bare     bool          // the items' bytes are not wanted
	open     func() *parts // gives the large body opened, or nil; it is not to be closed
}

// errEnough ends a pass early.
var errEnough = errors.New("enough")

// walk continues a pass and calls f for each chunk until f fails, there are no
// more, or a bounded amount of work is done. more reports whether to call it
// again at once. Bodies after visible are left for later. Small and large bodies are
// numbered together and come in that order: so the log is read only up to the number
// of the next large body.
func (s *spool) walk(ctx context.Context, c *cursor, visible uint64, f func(*chunk) error) (more bool, err error) {
	if c.in != nil {
		return s.walkLarge(c, f)
	}
	s.mu.Lock()
	l := s.largeAfter(c.seq)
	if l != nil && l.seq > visible {
		l = nil
	}
	// In a segment that was replaced, offsets have changed and numbers have not.
	if c.g == nil || c.g.version != c.version {
		if g := s.segmentFor(c.seq); g != nil {
			c.enter(g)
			if len(g.spots) > 0 {
				c.off = g.spots[g.spotOf(c.seq)].at()
			}
		} else if len(s.segments) > 0 {
			c.enter(s.segments[0])
		}
	}
	for c.g != nil && c.off >= c.g.end {
		i := s.segmentAfter(c.g.base)
		if i == len(s.segments) {
			break
		}
		c.enter(s.segments[i])
	}
	g := c.g
	var end int64
	if g != nil {
		end = g.end
		if g.scanned() && g.last <= g.through {
			c.off = end // nothing in it is unfinished
		}
	}
	s.mu.Unlock()
	if g == nil || c.off >= end {
		if l == nil {
			return false, nil
		}
		c.in, c.block = l, 0
		return true, nil
	}
	return s.walkSegment(ctx, c, g, end, l, visible, f)
}

func (c *cursor) enter(g *segment) { c.g, c.off, c.version = g, 0, g.version }

// walkSegment reads a bounded part of a segment, up to the large body l.
func (s *spool) walkSegment(ctx context.Context, c *cursor, g *segment, end int64, l *largeBody, visible uint64, f func(*chunk) error) (more bool, err error) {
	r, same, err := s.openSegment(g, c.version)
	if isNotExist(err) {
		c.off = end // finished meanwhile
		return true, nil
	}
	if err != nil {
		return true, s.leaveBehind(c, g, end, err)
	}
	if !same {
		return true, nil // walk finds the place again
	}
	defer r.Close()
	if err := g.marks.readable(); err != nil {
		return true, s.leaveBehind(c, g, end, err)
	}
	scan := g.scanner(r, c.off, end, scanAhead)
	defer scan.close()
	for read := c.off; scan.off-read < scanAhead; {
		if err := ctx.Err(); err != nil {
			return false, err
		}
		it, ok, err := scan.next()
		if scan.bad > 0 {
			s.pin(g, scan.err)
			scan.bad = min(scan.bad, maxBadPages) // counted once
		}
		if err != nil {
			return true, s.leaveBehind(c, g, end, err)
		}
		if !ok {
			c.off = end
			return true, nil
		}
		switch {
		case it.region:
			if err := s.dealWithRegion(g, &it); err != nil {
				s.pin(g, err)
			}
		case it.seq <= c.seq:
			// Before the place where the pass began.
		case l != nil && l.seq < it.seq:
			c.in, c.block = l, 0
			return true, nil
		case it.seq > visible:
			return false, nil
		default:
			if err := s.walkRecord(c, g, &it, f); err != nil {
				return false, err
			}
			c.seq = it.seq
		}
		c.off = it.next
	}
	return true, nil
}

// walkRecord splits a small body.
func (s *spool) walkRecord(c *cursor, g *segment, it *found, f func(*chunk) error) error {
	g.marks.mu.Lock()
	st, err := g.marks.load()
	finished := err == nil && st.isFinished(it.seq)
	g.marks.mu.Unlock()
	if err != nil {
		return err
	}
	if finished {
		s.countRecord(c, g, it.seq)
		return nil
	}
	if it.damaged {
		if err := s.setAsideRecord(g, it); err != nil {
			s.pin(g, err)
			s.log.Error("spool: a damaged body stays where it is", "file", g.file, "err", err)
		}
		s.countRecord(c, g, it.seq)
		return nil
	}
	ch := chunk{seq: it.seq, order: it.order, received: it.receivedAt(), unit: &g.unit, body: it.body, account: it.mayHoldAccount(), last: true}
	ch.pieces, ch.ordinal = c.pieces(it.body)
	if err := f(&ch); err != nil {
		return err
	}
	s.countRecord(c, g, it.seq)
	return nil
}

// pieces splits a body in memory.
func (c *cursor) pieces(body []byte) (list []notify.Piece, ordinal int) {
	list, bad := c.pad[:0], 0
	defer func() {
		c.pad = list
		if p := recover(); p != nil {
			// If the splitter fails, the body as a whole is an item.
			c.split = notify.Splitter{}
			list = append(list[:0], notify.Piece{Class: notify.ClassBad, Size: int64(len(body))})
			ordinal = -1
		}
	}()
	for p, err := range c.split.Split(bytes.NewReader(body)) {
		if err != nil {
			break // bytes in memory do not fail
		}
		if p.Class == notify.ClassBad {
			bad++
		}
		list = append(list, p)
	}
	if bad > 100 {
		ordinal = -1 // pieces stand for several items
	}
	return list, ordinal
}

// countRecord notes that a body of the log was counted, if it was not before.
func (s *spool) countRecord(c *cursor, g *segment, seq uint64) {
	if !c.counts {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if id := itemID(seq, wholeBody); id > g.counted {
		g.counted = id
	}
	if seq > g.recorded {
		g.recorded = seq
		if g.records > 0 && seq > g.through {
			g.records--
		}
	}
}

// walkLarge reads the next block of a large body.
func (s *spool) walkLarge(c *cursor, f func(*chunk) error) (more bool, err error) {
	l := c.in
	s.mu.Lock()
	gone := s.large[l.seq] != l || l.pinned
	s.mu.Unlock()
	if gone {
		c.seq, c.in = l.seq, nil
		return true, nil
	}
	idx, err := s.indexAndMarks(l)
	if err != nil {
		return true, s.leaveLarge(l, err)
	}
	if idx == nil {
		return false, nil // The builder rings when it is ready.
	}
	if c.block < len(idx.blocks) {
		ch := s.blockChunk(l, idx, c.block)
		if ch == nil {
			return true, nil
		}
		if err := f(ch); err != nil {
			return false, err
		}
		c.block++
	}
	if c.block >= len(idx.blocks) {
		c.seq, c.in = l.seq, nil
		if c.counts {
			s.mu.Lock()
			l.counted = itemID(l.seq, wholeBody) // of an empty one too
			s.mu.Unlock()
			s.dropIfFinished(l)
		}
	}
	return true, nil
}

// blockChunk reads a block of a large body. It returns nil if that failed, after
// handling the failure.
func (s *spool) blockChunk(l *largeBody, idx *index, block int) *chunk {
	pieces, err := s.readBlock(l, idx, block)
	if err == errIndex {
		s.dropIndex(l)
		return nil
	}
	if err != nil {
		s.pinLarge(l, err)
		return nil
	}
	ch := &chunk{seq: l.seq, order: l.order, received: l.received, unit: &l.unit, large: l, pieces: pieces,
		ordinal: int(idx.blocks[block].ordinal), account: l.account(), last: block == len(idx.blocks)-1}
	if idx.counts[notify.ClassBad] > 100 {
		ch.ordinal = -1
	}
	return ch
}

func (s *spool) readBlock(l *largeBody, idx *index, block int) ([]notify.Piece, error) {
	l.swap.RLock()
	defer l.swap.RUnlock()
	s.mu.Lock()
	if l.idx != nil && len(l.idx.blocks) == len(idx.blocks) {
		idx = l.idx // Something may have been taken out: the blocks are the same.
	}
	s.mu.Unlock()
	f, done, err := s.openIndex(l)
	if err != nil {
		return nil, errIndex
	}
	defer done()
	pieces, err := idx.block(f, block)
	if err == io.ErrUnexpectedEOF {
		err = errIndex
	}
	return pieces, err
}

// dropIfFinished removes a large body without unfinished items.
func (s *spool) dropIfFinished(l *largeBody) {
	s.mu.Lock()
	finished := s.large[l.seq] == l && l.counted == itemID(l.seq, wholeBody) && l.total() == 0 && !l.pinned
	s.mu.Unlock()
	if finished {
		if err := s.removeLarge(l); err != nil {
			s.log.Error("spool: a finished body stays behind", "file", l.file, "err", err)
		}
	}
}

// pin keeps a segment of which something could not be read.
func (s *spool) pin(g *segment, err error) {
	s.mu.Lock()
	first := !g.pinned
	g.pinned = true
	s.mu.Unlock()
	if first {
		s.unreadable(err, g.file)
	}
}

func (s *spool) pinLarge(l *largeBody, err error) {
	s.mu.Lock()
	l.pinned = true
	s.mu.Unlock()
	s.unreadable(err, l.file)
}

// leaveBehind skips the unreadable part of a segment. One bad file does not delay
// the others; the next Open tries it again.
func (s *spool) leaveBehind(c *cursor, g *segment, end int64, err error) error {
	if err := s.noDamage(err); err != nil {
		return err
	}
	s.pin(g, err)
	c.off = end
	return nil
}

// leaveLarge does the same with a large body whose marks cannot be read.
func (s *spool) leaveLarge(l *largeBody, err error) error {
	if err := s.noDamage(err); err != nil {
		return err
	}
	s.pinLarge(l, err)
	return nil
}

// passOver notes that a body cannot be read, for who goes on with others. An error that
// says nothing of the body comes back: that is no reason to leave it out.
func (s *spool) passOver(seq uint64, err error) error {
	if err := s.noDamage(err); err != nil {
		return err
	}
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	s.mu.Lock()
	l, g := s.large[seq], s.segmentFor(seq)
	pinned := l != nil && l.pinned
	s.mu.Unlock()
	switch {
	case l != nil && pinned:
	case errors.Is(err, errNotYet), errors.Is(err, errIndex): // It is made anew.
		return err
	case l != nil:
		s.pinLarge(l, err)
	case g != nil:
		s.pin(g, err)
	}
	return nil
}

// noDamage returns the error of a read that says nothing of the file: the spool is
// closed, or the process has no descriptor left. The next scan reads it again.
func (s *spool) noDamage(err error) error {
	select {
	case <-s.ending:
		return errClosed
	default:
	}
	if errors.Is(err, syscall.EMFILE) {
		return err
	}
	return nil
}

// unreadable reports a file that cannot be read.
func (s *spool) unreadable(err error, name string) {
	s.mu.Lock()
	s.counts.unreadable++
	s.mu.Unlock()
	s.log.Error("spool: a file cannot be read and is left for later", "file", name, "err", err)
}
