package spool

import (
	"hash/crc32"
	"io"
	"sync"
	"time"

	"github.com/garminkit/activityapi/internal/seal"
)

// found is what a scan of a segment finds: a record, intact or damaged, or a
// region without readable records.
type found struct {
	off, next int64
	header
	body    []byte // as far as it is there; valid until the scan continues. Still sealed if it is damaged
	damaged bool
	region  bool
}

func (r *found) receivedAt() time.Time { return time.Unix(0, r.received).UTC() }

// scanner reads the records of a segment in order.
type scanner struct {
	r        io.ReaderAt
	base     uint64
	salt     uint32
	file     string    // the name of the segment
	box      *seal.Box // opens sealed bodies
	off, end int64

	// lazy leaves bodies unread unless they need a look, as those of version 0.1
	// do.
	lazy bool
	// bad counts the unreadable pages. They are skipped, and the records after
	// them are still found.
	bad int
	err error // the first such failure

	ahead int // how much to read at a time, at most scanAhead
	room  *[scanAhead]byte
	buf   []byte          // what was read, in room
	from  int64           // offset of buf in the file
	text  *[copySize]byte // of the body that was opened last
}

const (
	scanAhead = 256 << 10
	// badPage is how much is skipped after a failed read, and maxBadPages how
	// often in one segment: a dying disk takes seconds for each.
	badPage     = 4 << 10
	maxBadPages = 16
)

var scanBuffers = sync.Pool{New: func() any { return new([scanAhead]byte) }}

// close ends the scan; what it found is not valid any more.
func (c *scanner) close() {
	if c.room != nil {
		scanBuffers.Put(c.room)
		c.room, c.buf = nil, nil
	}
	if c.text != nil {
		copyBuffers.Put(c.text)
		c.text = nil
	}
}

// view returns the n bytes at off, fewer only at the end.
func (c *scanner) view(off int64, n int) ([]byte, error) {
	n = int(min(int64(n), c.end-off))
	if n <= 0 {
		return nil, nil
	}
	if off < c.from || off+int64(n) > c.from+int64(len(c.buf)) {
		ahead := max(n, c.ahead)
		if c.bad > 0 {
			ahead = n // not into the bad page again
		}
		want := int(min(int64(ahead), c.end-off))
		if c.room == nil {
			c.room = scanBuffers.Get().(*[scanAhead]byte)
		}
		whole := c.room[:]
		m, err := c.r.ReadAt(whole[:want], off)
		if err != nil && err != io.EOF && want > n {
			// The wanted bytes may be readable and only the following ones not.
			m, err = c.r.ReadAt(whole[:n], off)
		}
		if err == io.EOF {
			err = nil // The file is shorter than expected: a torn end.
		}
		c.buf, c.from = whole[:m], off
		if err != nil {
			c.buf = c.buf[:0]
			return nil, err
		}
		n = min(n, m)
	}
	return c.buf[off-c.from:][:n], nil
}

// next finds the next record or region; ok is false at the end. It fails only
// when too many pages cannot be read.
func (c *scanner) next() (it found, ok bool, err error) {
	for {
		it, ok, err = c.try()
		if err == nil {
			return it, ok, nil
		}
		if c.err == nil {
			c.err = err
		}
		if c.bad++; c.bad > maxBadPages {
			return it, false, c.err
		}
		// Continue at the next good header after the page. Its records stay until
		// they can be read.
		c.off = min((c.off/badPage+1)*badPage, c.end)
		if err := c.seek(); err != nil {
			continue
		}
	}
}

// seek advances to the next good header.
func (c *scanner) seek() error {
	for ; c.off < c.end; c.off += recordAlign {
		p, err := c.view(c.off, headerSize)
		if err != nil {
			return err
		}
		if _, ok := c.header(p); ok || len(p) == 0 {
			return nil
		}
	}
	return nil
}

func (c *scanner) try() (it found, ok bool, err error) {
	p, err := c.view(c.off, headerSize)
	if err != nil || len(p) == 0 {
		return it, false, err
	}
	h, ok := c.header(p)
	if !ok {
		return c.resync()
	}
	it = found{off: c.off, header: h, next: c.off + int64(h.recordSize())}
	if !c.lazy || h.look&sizeLooked == 0 {
		if it.body, err = c.view(c.off+int64(h.bodyAt()), int(h.size)); err != nil {
			return it, false, err
		}
		it.damaged = len(it.body) < int(h.size) || crc32.Checksum(it.body, castagnoli) != h.sum
		if !it.damaged && h.sealed() {
			if c.text == nil {
				c.text = copyBuffers.Get().(*[copySize]byte)
			}
			it.body, ok = c.open(c.text[:0], h, it.body)
			it.damaged = !ok
		}
	}
	it.next = min(it.next, c.end)
	c.off = it.next
	return it, true, nil
}

func (c *scanner) header(p []byte) (header, bool) {
	h, ok := decodeHeader(p, c.salt)
	return h, ok && h.seq >= c.base
}

// resync looks for the next header. Everything before it is a region, except
// zeros, where nothing was ever written. It looks at each multiple of 8, since the
// size in a damaged header says nothing about where the next record is. The magic is
// compared first, so few places cost a checksum.
func (c *scanner) resync() (it found, ok bool, err error) {
	it = found{off: c.off, region: true, damaged: true}
	zero := true
	off := c.off
	for ; off < c.end; off += recordAlign {
		p, err := c.view(off, headerSize)
		if err != nil {
			return it, false, err
		}
		if len(p) == 0 {
			break
		}
		if _, ok := c.header(p); ok {
			break
		}
		for _, b := range p[:min(len(p), recordAlign)] {
			zero = zero && b == 0
		}
	}
	it.next = min(off, c.end)
	if zero {
		c.off = it.next
		if it.next == c.end {
			return it, false, nil
		}
		return c.try()
	}
	if it.body, err = c.view(it.off, int(min(it.next-it.off, excerpt))); err != nil {
		return it, false, err
	}
	c.off = it.next
	return it, true, nil
}
