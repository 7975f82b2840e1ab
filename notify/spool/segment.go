package spool

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"io"
	"strconv"
	"strings"
	"time"
)

const (
	segmentSuffix = ".seg"

	// A record is a header, the body, and zeros up to the next multiple of 8:
	//
	//	 0  magic
	//	 4  size of the body
	//	 8  number of the body
	//	16  time of receipt, in nanoseconds of Unix time
	//	24  CRC-32C of the body
	//	28  CRC-32C of the segment's file name and of the 28 bytes before
	//
	// all little-endian. The name has a random part, so that no sender can
	// write a body that looks like a record.
	headerSize  = 32
	recordAlign = 8
	recordMagic = 0x6c6f7073 // "spol"
)

// recordSize is what a body of n bytes takes in a segment.
func recordSize(n int) int { return (headerSize + n + recordAlign - 1) &^ (recordAlign - 1) }

type header struct {
	seq      uint64
	received int64
	size     uint32
	sum      uint32
}

func (h header) encode(p []byte, salt uint32) {
	binary.LittleEndian.PutUint32(p[0:], recordMagic)
	binary.LittleEndian.PutUint32(p[4:], h.size)
	binary.LittleEndian.PutUint64(p[8:], h.seq)
	binary.LittleEndian.PutUint64(p[16:], uint64(h.received))
	binary.LittleEndian.PutUint32(p[24:], h.sum)
	binary.LittleEndian.PutUint32(p[28:], crc32.Update(salt, castagnoli, p[:28]))
}

func decodeHeader(p []byte, salt uint32) (h header, ok bool) {
	if len(p) < headerSize || binary.LittleEndian.Uint32(p) != recordMagic ||
		binary.LittleEndian.Uint32(p[28:]) != crc32.Update(salt, castagnoli, p[:28]) {
		return h, false
	}
	h.size = binary.LittleEndian.Uint32(p[4:])
	h.seq = binary.LittleEndian.Uint64(p[8:])
	h.received = int64(binary.LittleEndian.Uint64(p[16:]))
	h.sum = binary.LittleEndian.Uint32(p[24:])
	return h, h.size <= maxSmall
}

// segment is one file of the log. Spool.mu guards what is not fixed.
type segment struct {
	base  uint64 // no body in it has a lower number
	file  string // the name within logDir
	salt  uint32
	marks *markFile

	end    int64 // where the safe records end
	live   int   // records not finished, and damage not dealt with
	done   bitmap
	sealed bool           // nothing more is written to it
	dealt  map[int64]bool // offsets of damage that has its letter
}

func segmentName(base, random uint64) string {
	return fmt.Sprintf("%016x-%016x%s", base, random, segmentSuffix)
}

func (s *Spool) newSegment(base uint64, name string) *segment {
	return &segment{
		base: base, file: name, salt: crc32.Checksum([]byte(name), castagnoli),
		marks: s.newMarkFile(s.path(logDir, strings.TrimSuffix(name, segmentSuffix)+markSuffix)),
		dealt: map[int64]bool{},
	}
}

func parseSegmentName(name string) (base uint64, ok bool) {
	stem, ok := strings.CutSuffix(name, segmentSuffix)
	a, b, ok2 := strings.Cut(stem, "-")
	base, err := strconv.ParseUint(a, 16, 64)
	random, err2 := strconv.ParseUint(b, 16, 64)
	return base, ok && ok2 && err == nil && err2 == nil && segmentName(base, random) == name
}

// isDone tells whether the item needs no more work.
func (g *segment) isDone(it item) bool {
	if it.region {
		return g.dealt[it.off]
	}
	return g.done.has(it.seq - g.base)
}

// item is what a scan of a segment finds: a record, whole or damaged, or a
// region in which no record can be told.
type item struct {
	off, next int64
	header
	body    []byte // as far as it is there; valid until the scan goes on
	damaged bool
	region  bool
}

func (it item) receivedAt() time.Time { return time.Unix(0, it.received).UTC() }

// scanner reads the records of a segment in order.
type scanner struct {
	r        io.ReaderAt
	base     uint64
	salt     uint32
	off, end int64

	buf  []byte
	from int64 // offset of buf in the file
}

const scanBuffer = 256 << 10

func newScanner(r io.ReaderAt, g *segment, end int64) *scanner {
	return &scanner{r: r, base: g.base, salt: g.salt, end: end}
}

// view gives the n bytes at off, fewer only at the end.
func (c *scanner) view(off int64, n int) ([]byte, error) {
	n = int(min(int64(n), c.end-off))
	if n <= 0 {
		return nil, nil
	}
	if off < c.from || off+int64(n) > c.from+int64(len(c.buf)) {
		want := int(min(scanBuffer, c.end-off))
		if cap(c.buf) < want {
			c.buf = make([]byte, want)
		}
		whole := c.buf[:cap(c.buf)]
		m, err := c.r.ReadAt(whole[:want], off)
		if err == io.EOF {
			err = nil // The file is shorter than was thought: a torn end.
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

// next finds the next item; ok is false at the end. After an error the scan
// can be tried again.
func (c *scanner) next() (it item, ok bool, err error) {
	p, err := c.view(c.off, headerSize)
	if err != nil || len(p) == 0 {
		return it, false, err
	}
	h, ok := c.header(p)
	if !ok {
		return c.resync()
	}
	it = item{off: c.off, header: h, next: c.off + int64(recordSize(int(h.size)))}
	if it.body, err = c.view(c.off+headerSize, int(h.size)); err != nil {
		return it, false, err
	}
	it.damaged = len(it.body) < int(h.size) || crc32.Checksum(it.body, castagnoli) != h.sum
	it.next = min(it.next, c.end)
	c.off = it.next
	return it, true, nil
}

func (c *scanner) header(p []byte) (header, bool) {
	h, ok := decodeHeader(p, c.salt)
	return h, ok && h.seq >= c.base
}

// resync looks for the next header. What lies before it is a region; zeros
// are none, since nothing was ever written there.
func (c *scanner) resync() (it item, ok bool, err error) {
	it = item{off: c.off, region: true, damaged: true}
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
		return c.next()
	}
	if it.body, err = c.view(it.off, int(min(it.next-it.off, excerpt))); err != nil {
		return it, false, err
	}
	c.off = it.next
	return it, true, nil
}

// bitmap is a set of small numbers.
type bitmap []uint64

// maxBit bounds the memory that a damaged file can ask for.
const maxBit = 1 << 26

func (b *bitmap) set(i uint64) {
	if i >= maxBit {
		return
	}
	for uint64(len(*b)) <= i/64 {
		*b = append(*b, 0)
	}
	(*b)[i/64] |= 1 << (i % 64)
}

func (b bitmap) has(i uint64) bool { return i/64 < uint64(len(b)) && b[i/64]&(1<<(i%64)) != 0 }
