package jsonscan

import (
	"bytes"
	"encoding/json"
	gohash "hash"
	"io"
	"math"
)

const (
	// firstBlock and block are how much to read at once: first a little, so that
	// a small body costs little, and then what stays in the processor's cache.
	firstBlock = 4 << 10
	block      = 64 << 10
	// keepRaw is about how many bytes of an item are kept after they were read,
	// so that a bad item can be shown. With twice as many, the blocks leave the
	// processor's cache before they are reused, and decoding loses a fifth of its
	// speed.
	keepRaw = 256 << 10
)

// A body is read in blocks, and never held as a whole. What was read of an item is kept
// only as far as Raw may ask for it: the last 256 KiB, or all if KeepRaw is set. If the
// reader can be read again, nothing is kept. A block that is no longer needed is used
// for the bytes to come, so that a stream stays in the processor's cache.

// window is the part of a body in memory: buf[pos:] is still to be read, and the
// bytes before it were read. Indexes into buf are valid until the next call of
// more.
type window struct {
	buf  []byte
	pos  int
	base int64 // the offset of buf[0] in the body
	r    io.Reader
	rerr error // what r said at its end

	// The bytes of the item that were read: what is in old, one block behind
	// another from index oldFrom of the first on, and then buf[mark:pos].
	// Nothing is kept if mark is -1.
	mark    int
	old     [][]byte
	oldFrom int
	oldSize int
	spare   [][]byte
	keepAll bool  // the item is kept whatever its size, up to end
	first   int64 // where the item begins in the body
	end     int64 // where it becomes too large; math.MaxInt64 between items

	// sum, if not nil, hashes the item's bytes; those from buf[fed] on are not
	// hashed yet.
	sum gohash.Hash
	fed int

	// again reads the body again, from origin on. It is nil if the body is a
	// stream that can only be read once.
	again  io.ReaderAt
	origin int64
}

func (w *window) init(r io.Reader) {
	w.r, w.mark, w.end = r, -1, math.MaxInt64
	at, ok1 := r.(io.ReaderAt)
	seek, ok2 := r.(io.Seeker)
	if !ok1 || !ok2 {
		return
	}
	if here, err := seek.Seek(0, io.SeekCurrent); err == nil {
		w.again, w.origin = at, here
	}
}

// offset returns the offset of the window's place in the body.
func (w *window) offset() int64 { return w.base + int64(w.pos) }

// more reads at least one more byte, or returns false, with the reason in rerr.
// It may move the bytes of the window, and pos and mark with them.
func (w *window) more() bool {
	if w.rerr != nil {
		return false
	}
	if free := cap(w.buf) - len(w.buf); free <= cap(w.buf)/8 {
		w.room()
	}
	for range 100 {
		n, err := w.r.Read(w.buf[len(w.buf):cap(w.buf)])
		w.buf = w.buf[:len(w.buf)+n]
		w.rerr = err
		if n > 0 {
			return true
		}
		if err != nil {
			return false
		}
	}
	w.rerr = io.ErrNoProgress
	return false
}

// room makes room after the unread bytes by moving them to the start of a buffer.
// The buffer doubles if they fill half of it, so that the cost of moving a long
// token stays linear in its length.
func (w *window) room() {
	w.feed()
	// If no case fits, nothing of an item is to be kept, and the unread bytes move
	// within the buffer.
	buf, size := w.buf[:0], cap(w.buf)
	from := w.pos // what is moved
	begun := w.mark >= 0 && w.mark < w.pos
	switch {
	case begun && len(w.old) == 0 && len(w.buf)-w.mark < size/4:
		// The item is short so far, and moves as a whole: nothing else is kept of it.
		from = w.mark
		if size < block {
			buf = make([]byte, 0, 2*size)
		}
	case size < block:
		buf = make([]byte, 0, max(2*size, firstBlock))
		w.retire()
	case len(w.buf)-from >= size/2:
		buf = make([]byte, 0, 2*size)
		w.retire()
	case begun:
		// The item keeps this buffer, and a used one takes its place.
		if buf = nil; len(w.spare) > 0 {
			last := len(w.spare) - 1
			buf, w.spare = w.spare[last], w.spare[:last]
		}
		if cap(buf) != size {
			buf = make([]byte, 0, size)
		}
		w.retire()
	}
	w.buf = append(buf, w.buf[from:]...)
	w.base += int64(from)
	w.pos -= from
	w.fed = w.pos
	if w.mark >= 0 {
		w.mark = 0
	}
}

// retire keeps the item's bytes in the buffer, and drops the oldest beyond the
// limit.
func (w *window) retire() {
	if w.mark < 0 {
		return
	}
	if len(w.old) == 0 {
		w.oldFrom = w.mark
	}
	w.old = append(w.old, w.buf[:w.pos])
	w.oldSize += w.pos
	for w.oldSize > keepRaw && (!w.keepAll || w.offset() > w.end) {
		w.oldSize -= len(w.old[0])
		w.spare = append(w.spare, w.old[0][:0])
		w.old, w.oldFrom = w.old[1:], 0
	}
}

// feed hashes the bytes of the item that were read.
func (w *window) feed() {
	if w.sum != nil && w.fed < w.pos {
		w.sum.Write(w.buf[w.fed:w.pos])
		w.fed = w.pos
	}
}

// begin marks the place as the start of an item. The item is too large if it is
// larger than most, unless most is 0.
func (w *window) begin(most int64) {
	for _, b := range w.old {
		w.spare = append(w.spare, b[:0])
	}
	w.old, w.oldFrom, w.oldSize = w.old[:0], 0, 0
	w.first = w.offset()
	if w.sum != nil {
		w.sum.Reset()
		w.fed = w.pos
	}
	w.end = math.MaxInt64
	if most > 0 && most < w.end-w.first {
		w.end = w.first + most
	}
	w.mark = -1
	if w.again == nil {
		w.mark = w.pos
	}
}

// raw appends the item's bytes up to the place to dst, and reports whether they
// are only its end: for an item larger than keepRaw, unless all of it was to be
// kept.
func (w *window) raw(dst []byte, all bool) (raw json.RawMessage, truncated bool) {
	size := w.offset() - w.first
	n := size
	if !all {
		n = min(n, keepRaw)
	}
	switch {
	case n <= int64(w.pos):
		return append(dst, w.buf[w.pos-int(n):w.pos]...), n < size
	case w.again != nil:
		raw = append(dst, make([]byte, n)...)
		if got, _ := w.again.ReadAt(raw[len(dst):], w.origin+w.offset()-n); int64(got) == n {
			return raw, n < size
		}
		// The file has changed meanwhile, or fails. Show what is there.
		return append(dst, w.buf[:w.pos]...), true
	}
	dst = append(dst, bytes.Join(w.old, nil)[w.oldFrom:]...)
	dst = append(dst, w.buf[w.mark:w.pos]...)
	if over := len(dst) - int(n); over > 0 {
		dst = dst[over:]
	}
	return dst, int64(len(dst)) < size
}
