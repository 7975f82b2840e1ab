package spool

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"io/fs"
	"strings"

	"github.com/garminkit/activityapi/notify"
	"github.com/garminkit/activityapi/types"
)

// found passes the unfinished items of a chunk to emit, and counts them if the
// chunk was not counted before. A chunk is read several times, by scans, by Load and
// by Open: unit.counted says up to which item it was counted, and those after it are
// new.
func (s *spool) found(ch *chunk, count bool, emit func(*notify.Item)) error {
	raws := s.raws(ch)
	defer raws.close()
	m := ch.unit.marks
	m.mu.Lock()
	defer m.mu.Unlock()
	// The marks are locked until emit has seen all: what Settle finishes meanwhile is
	// either left out here or counted here.
	if m.gone {
		return nil // finished since it was read
	}
	st, err := m.load()
	if err != nil {
		return err
	}
	s.keepMarks(m)
	var live [notify.Classes]int64
	s.mu.Lock()
	counted := ch.unit.counted
	s.mu.Unlock()
	key := ""
	for i := range ch.pieces {
		p := &ch.pieces[i]
		id := pieceID(ch.seq, p)
		ordinal := -1
		if ch.ordinal >= 0 {
			ordinal = ch.ordinal + i
		}
		if st.isDone(id, ordinal) {
			continue
		}
		if id > counted {
			live[p.Class]++
		}
		if emit == nil {
			continue
		}
		it := &notify.Item{ID: id, Order: orderOf(ch.order, p), Piece: *p, Body: ch.seq, Received: ch.received}
		if ch.large != nil {
			// A kept item must not hold the block of the index.
			if it.UserID = types.UserID(strings.Clone(string(p.UserID))); p.Key != key {
				key = strings.Clone(p.Key)
			}
			it.Key = key
		}
		if a, ok := st.again[id]; ok {
			it.Attempts, it.Next = int(a.attempts), a.at()
		}
		if p.Size <= maxRaw {
			it.Raw = raws.of(p)
		}
		s.known.add(id, p.Class, ch.large != nil)
		emit(it)
	}
	// Only passes that come to all chunks in order count. A later one leaves out what
	// an earlier one has counted.
	if !count || len(ch.pieces) == 0 && !ch.last {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	upTo := itemID(ch.seq, wholeBody)
	if !ch.last {
		upTo = pieceID(ch.seq, &ch.pieces[len(ch.pieces)-1])
	}
	if upTo > ch.unit.counted {
		ch.unit.counted = upTo
		for class, n := range live {
			ch.unit.live[class] += n
		}
	}
	return nil
}

// raws holds the bytes of a chunk's items.
type raws struct {
	body  []byte
	parts *parts
	own   bool // parts is closed with it
}

// raws gives what reads the items of a chunk.
func (s *spool) raws(ch *chunk) *raws {
	switch {
	case ch.large == nil:
		return &raws{body: ch.body}
	case ch.bare || len(ch.pieces) == 0:
		return &raws{}
	case ch.open != nil:
		return &raws{parts: ch.open()}
	}
	r, err := s.openParts(ch.large)
	if err != nil {
		return &raws{}
	}
	return &raws{parts: r, own: true}
}

// of returns a copy of an item's bytes, so that keeping them does not keep the
// body. It is nil if they are not at hand; Open finds out why.
func (r *raws) of(p *notify.Piece) []byte {
	switch {
	case r.parts != nil:
		b := make([]byte, p.Size)
		if readFull(r.parts, b, p.Offset) != nil {
			return nil
		}
		return b
	case p.Offset+p.Size <= int64(len(r.body)):
		return bytes.Clone(r.body[p.Offset : p.Offset+p.Size])
	}
	return nil
}

func (r *raws) close() {
	if r.own {
		_ = r.parts.Close()
	}
}

// Load returns items by ID. Like Scan, it leaves out those that cannot be read.
func (h *share) Load(ctx context.Context, ids []notify.ItemID) ([]*notify.Item, error) {
	if err := h.enter(); err != nil {
		return nil, err
	}
	defer h.s.leave()
	return h.s.load(ctx, ids)
}

// load reads items by ID, with their bytes where they are small.
func (s *spool) load(ctx context.Context, ids []notify.ItemID) ([]*notify.Item, error) {
	out := make([]*notify.Item, 0, len(ids))
	r := s.newReader()
	defer r.close()
	err := r.all(ids, func(ch *chunk) error {
		if err := ctx.Err(); err != nil {
			return err
		}
		return s.found(ch, false, func(it *notify.Item) { out = append(out, it) })
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// Open reads an item's bytes.
func (h *share) Open(ctx context.Context, id notify.ItemID) (io.ReadCloser, error) {
	if err := h.enter(); err != nil {
		return nil, err
	}
	defer h.s.leave()
	r, _, err := h.s.openItem(id)
	if err != nil {
		return nil, fmt.Errorf("spool: item %d: %w", id, err)
	}
	return r, nil
}

// openItem opens an unfinished item, and tells what it is.
func (s *spool) openItem(id notify.ItemID) (io.ReadCloser, *notify.Item, error) {
	r := s.newReader()
	defer r.close()
	var it *notify.Item
	var body []byte
	var l *largeBody
	err := r.chunks([]notify.ItemID{id}, func(ch *chunk) error {
		return s.found(ch, false, func(i *notify.Item) { it, body, l = i, ch.body, ch.large })
	})
	if err == nil && it == nil {
		err = fs.ErrNotExist
	}
	if err != nil {
		return nil, nil, err
	}
	if l == nil {
		p := bytes.Clone(body[it.Offset : it.Offset+it.Size])
		return io.NopCloser(bytes.NewReader(p)), it, nil
	}
	f, err := s.openParts(l)
	if err != nil {
		return nil, nil, err
	}
	return &itemReader{io.NewSectionReader(f, it.Offset, it.Size), s, l, f}, it, nil
}

// itemReader reads a large body's item, and sets the body aside if it is damaged. That
// is found at the part that is read, so the item may have been read in part by then.
type itemReader struct {
	io.Reader
	s *spool
	l *largeBody
	f *parts
}

func (r *itemReader) Read(p []byte) (int, error) {
	n, err := r.Reader.Read(p)
	if err == errChecksum {
		r.s.damagedLarge(r.l)
	}
	return n, err
}

func (r *itemReader) Close() error { return r.f.Close() }
