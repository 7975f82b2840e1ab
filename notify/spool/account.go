package spool

import (
	"context"

	"github.com/garminkit/activityapi/notify"
)

// stepAccount goes on to the next body that may hold items of an account. Small
// bodies are in segments and large ones have files, and both must come in order of
// their numbers, as Scan returns items: so a part of a segment is read only up to
// the next large body. It has its own position, since these items must be found
// before the scan of all others gets to them.
func (h *share) stepAccount(ctx context.Context) (more bool, err error) {
	s := h.s
	visible := s.visible()
	s.mu.Lock()
	var l *largeBody
	for at := h.accountSeq; ; {
		if l = s.largeAfter(at); l == nil || l.account() && !l.pinned {
			break
		}
		at = l.seq
	}
	if l != nil && l.seq > visible {
		l = nil
	}
	part := s.accountPart(h.accountSeq)
	s.mu.Unlock()
	// What has no account items is passed over without being read: of a segment the
	// spots say it, of a large body its name and the blocks of its index.
	if part.g != nil {
		stop := visible
		if l != nil {
			stop = l.seq - 1
		}
		if more, err = h.accountRecords(part, stop); more || err != nil {
			return more, err
		}
	}
	switch {
	case l != nil:
		return h.accountLarge(l)
	case part.g == nil:
		h.accountSeq = max(h.accountSeq, visible)
	}
	return false, nil
}

// part is the part of a segment from one spot to the next.
type part struct {
	g        *segment
	version  int
	from, to int64
	last     uint64 // no record in it has a higher number
}

// accountPart finds the next part of a segment in which a body after seq may hold
// items of an account; s.mu is held.
func (s *spool) accountPart(seq uint64) part {
	for i := max(s.segmentAfter(seq)-1, 0); i < len(s.segments); i++ {
		g := s.segments[i]
		if g.last <= seq || g.last <= g.through {
			continue
		}
		for k := g.spotOf(seq + 1); k < len(g.spots); k++ {
			p := part{g, g.version, g.spots[k].at(), g.end, g.last}
			if k+1 < len(g.spots) {
				p.to, p.last = g.spots[k+1].at(), g.base+uint64(g.spots[k+1].seq)-1
			}
			if g.spots[k].account() && p.last > seq {
				return p
			}
		}
	}
	return part{}
}

// accountRecords splits the bodies of a part that may hold items of an account,
// up to number stop. It reports whether to continue at once.
func (h *share) accountRecords(p part, stop uint64) (more bool, err error) {
	s, before := h.s, h.accountSeq
	r, same, err := s.openSegment(p.g, p.version)
	if err == nil && !same {
		return true, nil // its parts are others now
	}
	if err == nil {
		defer r.Close()
		err = p.g.marks.readable()
	}
	if isNotExist(err) {
		err = nil // finished meanwhile
	} else if err == nil {
		// Damage in it is left alone here: the scan of all items makes its letter.
		scan := p.g.scanner(r, p.from, p.to, 2*spotStep)
		defer scan.close()
		for {
			var it found
			var ok bool
			if it, ok, err = scan.next(); err != nil || !ok {
				break
			}
			if it.region || it.seq <= h.accountSeq {
				continue
			}
			if it.seq > stop {
				return false, nil
			}
			if it.mayHoldAccount() && !it.damaged {
				ch := chunk{seq: it.seq, order: it.order, received: it.receivedAt(), unit: &p.g.unit, body: it.body}
				ch.pieces, ch.ordinal = h.accountPass.pieces(it.body)
				if err := h.accountItems(&ch); err != nil {
					return false, err
				}
			}
			h.accountSeq = it.seq
		}
	}
	// What cannot be read is passed over, or nothing behind it would be found. The
	// pin keeps the segment for the next Open.
	if err != nil {
		if err := s.noDamage(err); err != nil {
			return false, err
		}
		s.pin(p.g, err)
	}
	// The rest of this part has none, or a large body comes before it.
	h.accountSeq = max(h.accountSeq, min(p.last, stop))
	return h.accountSeq > before, nil
}

func (h *share) accountItems(ch *chunk) error {
	return h.s.found(ch, false, func(it *notify.Item) {
		if it.Class == notify.ClassAccount {
			h.lines[it.Class].put(it)
		}
	})
}

// accountLarge finds the account items of a large body by its index, block by
// block.
func (h *share) accountLarge(l *largeBody) (more bool, err error) {
	s := h.s
	idx, err := s.indexAndMarks(l)
	if err != nil {
		return true, s.leaveLarge(l, err)
	}
	if idx == nil {
		s.mu.Lock()
		defer s.mu.Unlock()
		return s.large[l.seq] != l || l.pinned, nil
	}
	for h.accountBlock < len(idx.blocks) && idx.blocks[h.accountBlock].classes&(1<<notify.ClassAccount) == 0 {
		h.accountBlock++
	}
	if h.accountBlock < len(idx.blocks) {
		ch := s.blockChunk(l, idx, h.accountBlock)
		if ch == nil {
			return true, nil
		}
		if err := h.accountItems(ch); err != nil {
			return false, err
		}
		h.accountBlock++
		return true, nil
	}
	h.accountSeq, h.accountBlock = l.seq, 0
	return true, nil
}
