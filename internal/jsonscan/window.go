package jsonscan

import (
	"bytes"
	"encoding/json"
	"io"
)

const (
	// firstWindow and readSize are what the window is made with and what is
	// read at once when it has grown: small enough for small bodies to cost
	// little and for large ones to stay in the processor's cache.
	firstWindow = 4 << 10
	readSize    = 64 << 10
	// keepRaw is how much of an item stays in the window behind the place that
	// has been read, so that a bad item can be shown.
	keepRaw = 896 << 10
)

// window is the part of a body that is in memory: buf[pos:] is to be read, and
// what lies before it has been. Indexes into buf are good until the next call
// of more.
type window struct {
	buf  []byte
	pos  int
	base int64 // where buf[0] stands in the body
	r    io.Reader
	rerr error // what r said at its end

	mark    int   // buf[mark:pos] belongs to the item and is kept; -1 if nothing is
	keepAll bool  // the item is kept whatever its size
	first   int64 // where the item begins in the body

	// again reads the body anew, which began at origin. It is nil if the body
	// is a stream that is gone once read.
	again  io.ReaderAt
	origin int64
}

func (w *window) init(r io.Reader) {
	w.r, w.mark = r, -1
	at, ok1 := r.(io.ReaderAt)
	seek, ok2 := r.(io.Seeker)
	if !ok1 || !ok2 {
		return
	}
	if here, err := seek.Seek(0, io.SeekCurrent); err == nil {
		w.again, w.origin = at, here
	}
}

// offset returns where the window's place stands in the body.
func (w *window) offset() int64 { return w.base + int64(w.pos) }

// more reads at least one more byte, or says false, with the reason in rerr.
// It may move the bytes of the window, and pos and mark with them.
func (w *window) more() bool {
	if w.rerr != nil {
		return false
	}
	from := w.pos
	if w.mark >= 0 {
		if !w.keepAll && w.pos-w.mark > keepRaw {
			w.mark = w.pos
		}
		from = w.mark
	}
	if cap(w.buf)-len(w.buf) < min(readSize, cap(w.buf)/2) || cap(w.buf) == 0 {
		w.room(from)
	}
	end := min(cap(w.buf), len(w.buf)+readSize)
	for range 100 {
		n, err := w.r.Read(w.buf[len(w.buf):end])
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

// room makes place behind the bytes from index from on, which stay. A window
// that is more than half full of them doubles, so that a long token is moved
// about as often as it is long.
func (w *window) room(from int) {
	kept := w.buf[from:]
	buf := w.buf[:0]
	if size := cap(w.buf); len(kept) > size/2 || size < 2*readSize {
		// A full small window means that the body is not small.
		size = max(2*size, firstWindow)
		buf = make([]byte, 0, size)
	}
	w.buf = append(buf, kept...)
	w.base += int64(from)
	w.pos -= from
	if w.mark >= 0 {
		w.mark -= from
	}
}

// begin marks the place as the beginning of an item.
func (w *window) begin() {
	w.first = w.offset()
	w.mark = -1
	if w.again == nil {
		w.mark = w.pos
	}
}

// raw returns a copy of the item's bytes up to the place, and whether they are
// only the end of it.
func (w *window) raw() (raw json.RawMessage, truncated bool) {
	if w.mark >= 0 {
		return bytes.Clone(w.buf[w.mark:w.pos]), w.base+int64(w.mark) > w.first
	}
	if w.again != nil {
		raw = make([]byte, w.offset()-w.first)
		if n, _ := w.again.ReadAt(raw, w.origin+w.first); n == len(raw) {
			return raw, false
		}
	}
	// The bytes before the place, as far as they are still there.
	from := max(0, int(max(w.first-w.base, 0)))
	return bytes.Clone(w.buf[from:w.pos]), w.base+int64(from) > w.first
}
