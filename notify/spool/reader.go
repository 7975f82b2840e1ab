package spool

import (
	"io/fs"
	"slices"
	"sort"

	"github.com/garminkit/activityapi/notify"
)

// reader finds bodies by their numbers. It is fastest with growing numbers.
type reader struct {
	s       *spool
	g       *segment
	version int
	f       file
	scan    *scanner
	cursor  cursor

	found found

	// The body that was split last: a caller often asks for adjacent items.
	body    uint64
	ordinal int // and pieces in cursor.pad
	large   *largeBody
	idx     *index
	block   int
	pieces  []notify.Piece
	parts   *parts // of large, opened when they are needed
}

func (s *spool) newReader() *reader { return &reader{s: s} }

func (r *reader) close() {
	if r.f != nil {
		r.f.Close()
		r.scan.close()
	}
	r.f, r.g = nil, nil
	r.closeParts()
}

func (r *reader) closeParts() {
	if r.parts != nil {
		_ = r.parts.Close()
		r.parts = nil
	}
}

// open opens the large body that was looked at last.
func (r *reader) open() *parts {
	if r.parts == nil {
		r.parts, _ = r.s.openParts(r.large) // Open of the item finds out why.
	}
	return r.parts
}

// all calls f with the pieces that have one of the IDs, in the order of the queue: so
// each body is read and split once. It leaves out bodies that are gone, and those that
// cannot be read: one bad file does not hold up the others.
func (r *reader) all(ids []notify.ItemID, f func(*chunk) error) error {
	ids = slices.Clone(ids)
	slices.Sort(ids)
	ids = slices.Compact(ids)
	for len(ids) > 0 {
		n := 1
		for n < len(ids) && seqOf(ids[n]) == seqOf(ids[0]) {
			n++
		}
		if err := r.chunks(ids[:n], f); err != nil && !isNotExist(err) {
			if err := r.s.passOver(seqOf(ids[0]), err); err != nil {
				return err
			}
			r.close()
		}
		ids = ids[n:]
	}
	return nil
}

// chunks calls f with the pieces of a body that have one of the IDs.
func (r *reader) chunks(ids []notify.ItemID, f func(*chunk) error) error {
	s, seq := r.s, seqOf(ids[0])
	s.mu.Lock()
	l := s.large[seq]
	s.mu.Unlock()
	if l != nil {
		return r.largeChunks(l, ids, f)
	}
	it, g, err := r.record(seq)
	if err == errChecksum {
		// It was intact when it was scanned.
		s.pin(g, err)
		if err = s.setAsideRecord(g, it); err == nil {
			err = fs.ErrNotExist
		}
	}
	if err != nil {
		return err
	}
	ch := chunk{seq: seq, order: it.order, received: it.receivedAt(), unit: &g.unit, body: it.body}
	if r.body != seq {
		_, r.ordinal = r.cursor.pieces(it.body)
		r.body = seq
	}
	return some(&ch, r.cursor.pad, r.ordinal, ids, f)
}

// some calls f for the pieces that have one of the IDs. Both are in order of ID.
// Ordinals stay right, since only adjacent pieces are passed at once.
func some(ch *chunk, all []notify.Piece, ordinal int, ids []notify.ItemID, f func(*chunk) error) error {
	for i := 0; len(ids) > 0; {
		i += sort.Search(len(all)-i, func(k int) bool { return pieceID(ch.seq, &all[i+k]) >= ids[0] })
		n := 0
		for i+n < len(all) && len(ids) > 0 && pieceID(ch.seq, &all[i+n]) == ids[0] {
			n, ids = n+1, ids[1:]
		}
		if n == 0 {
			ids = ids[1:]
			continue
		}
		ch.pieces, ch.ordinal = all[i:i+n], -1
		if ordinal >= 0 {
			ch.ordinal = ordinal + i
		}
		if err := f(ch); err != nil {
			return err
		}
		i += n
	}
	return nil
}

func (r *reader) largeChunks(l *largeBody, ids []notify.ItemID, f func(*chunk) error) error {
	idx, err := r.s.indexNow(l)
	if err != nil {
		return err
	}
	for len(ids) > 0 {
		block := idx.find(offsetOf(ids[0]))
		n := 1
		for n < len(ids) && idx.find(offsetOf(ids[n])) == block {
			n++
		}
		if block >= 0 {
			if r.large != l || r.idx != idx || r.block != block {
				all, err := r.s.readBlock(l, idx, block)
				if err == errIndex {
					r.s.dropIndex(l)
					// The body may be gone; otherwise it is split again.
					if _, now := r.s.indexNow(l); now != nil {
						err = now
					}
				}
				if err != nil {
					return err
				}
				if r.large != l {
					r.closeParts()
				}
				r.large, r.idx, r.block, r.pieces = l, idx, block, all
			}
			ordinal := int(idx.blocks[block].ordinal)
			if idx.counts[notify.ClassBad] > 100 {
				ordinal = -1
			}
			ch := chunk{seq: l.seq, order: l.order, received: l.received, unit: &l.unit, large: l, open: r.open}
			if err := some(&ch, r.pieces, ordinal, ids[:n], f); err != nil {
				return err
			}
		}
		ids = ids[n:]
	}
	return nil
}

// record finds a body of the log. It fails with fs.ErrNotExist if there is none. It goes
// on from where it stands if the body is behind that, so that IDs in order cost one pass.
func (r *reader) record(seq uint64) (*found, *segment, error) {
	s := r.s
	for range 3 { // A segment may be replaced meanwhile, and again.
		s.mu.Lock()
		g := s.segmentFor(seq)
		if g == nil || seq > g.last || seq <= g.through {
			s.mu.Unlock()
			return nil, nil, fs.ErrNotExist
		}
		off, end, version := g.spots[g.spotOf(seq)].at(), g.end, g.version
		s.mu.Unlock()
		if r.g != g || r.version != version {
			r.close()
			f, same, err := s.openSegment(g, version)
			if isNotExist(err) {
				return nil, nil, fs.ErrNotExist
			}
			if err != nil {
				return nil, nil, err
			}
			if !same {
				continue
			}
			r.g, r.version, r.f = g, version, f
			r.scan = g.scanner(f, off, end, 2*spotStep)
			r.found = found{}
		}
		r.scan.end = end
		if r.found.seq == seq && r.found.body != nil {
			return &r.found, g, nil
		}
		if off > r.scan.off || r.found.seq > seq {
			r.scan.off = off
		}
		for {
			it, ok, err := r.scan.next()
			if err != nil {
				return nil, nil, err
			}
			r.found = it
			if !ok || !it.region && it.seq > seq {
				break
			}
			if !it.region && it.seq == seq {
				if it.damaged {
					return &r.found, g, errChecksum
				}
				return &r.found, g, nil
			}
		}
		s.mu.Lock()
		same := g.version == version
		s.mu.Unlock()
		if same {
			break
		}
		r.close()
	}
	return nil, nil, fs.ErrNotExist
}
