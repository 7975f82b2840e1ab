package seal

import (
	"bytes"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"io"
	"sync"
)

const (
	// ChunkSize is how much text a chunk of a stream holds.
	ChunkSize = 64 << 10

	magic  = "aaseal1\n"
	idSize = 16
)

// IsSealed reports whether r begins like a stream that is sealed with whatever key.
func IsSealed(r io.ReaderAt) bool {
	head := make([]byte, len(magic))
	return readFull(r, head, 0) == nil && string(head) == magic
}

// ID is the random name of a stream: no two are equal.
type ID [idSize]byte

// headSize is how long the head of a stream is.
func (b *Box) headSize() int64 { return int64(len(magic) + idSize + b.Overhead()) }

// SealedSize is how long a stream of so much text is.
func (b *Box) SealedSize(text int64) int64 {
	chunks := max(1, (text+int64(b.chunk)-1)/int64(b.chunk))
	return b.headSize() + text + chunks*int64(b.Overhead())
}

// textSize is how much text a stream of this length holds.
func (b *Box) textSize(sealed int64) (text, chunks int64, ok bool) {
	whole := int64(b.chunk + b.Overhead())
	rest := sealed - b.headSize()
	chunks = (rest + whole - 1) / whole
	text = rest - chunks*int64(b.Overhead())
	ok = chunks > 0 && text >= 0 && b.SealedSize(text) == sealed
	return text, chunks, ok
}

// stream is what all chunks of a stream have in common.
type stream struct {
	box   *Box
	id    ID
	about []byte // what is authenticated with a chunk: kind, id, number, last, and the caller's
	buf   *buffers
}

type buffers struct {
	text, sealed []byte
}

const numberAt = 1 + idSize

func newStream(b *Box, id ID, about []byte) stream {
	a := append([]byte{kindChunk}, id[:]...)
	a = append(a, make([]byte, 9)...)
	return stream{box: b, id: id, about: append(a, about...), buf: b.pool.Get().(*buffers)}
}

// chunk is what is authenticated with a chunk.
func (s *stream) chunk(number int64, last bool) []byte {
	binary.BigEndian.PutUint64(s.about[numberAt:], uint64(number))
	s.about[numberAt+8] = 0
	if last {
		s.about[numberAt+8] = 1
	}
	return s.about
}

func (s *stream) free() {
	if s.buf != nil {
		s.box.pool.Put(s.buf)
		s.buf = nil
	}
}

// headAbout is what is authenticated with a head.
func headAbout(id ID, about []byte) []byte {
	return append(append([]byte{kindHead}, id[:]...), about...)
}

var errClosed = errors.New("seal: closed")

// Writer seals a stream. It is not safe for concurrent use.
type Writer struct {
	stream
	w      io.Writer
	have   int   // text in buf
	number int64 // of the next chunk
	begun  bool  // the head is written
	err    error
}

// NewWriter begins a stream: it is complete when Close has returned nil. The head
// is written with the first chunk, or by Begin.
func (b *Box) NewWriter(w io.Writer, about []byte) *Writer {
	var id ID
	rand.Read(id[:])
	return &Writer{stream: newStream(b, id, about), w: w}
}

// ID returns the stream's name.
func (w *Writer) ID() ID { return w.id }

// Begin writes the head, if it is not written yet: so it shows that the stream was
// begun before there is a whole chunk.
func (w *Writer) Begin() error {
	if w.err == nil && !w.begun {
		b := w.box
		head := append([]byte(magic), w.id[:]...)
		w.write(b.seal(head, nil, headAbout(w.id, w.about[numberAt+9:])))
		w.begun = true
	}
	return w.err
}

// Write adds text to the stream. After an error the stream is of no use.
func (w *Writer) Write(p []byte) (n int, err error) {
	for len(p) > 0 && w.err == nil {
		if w.have == w.box.chunk { // It is not the last one.
			if w.flush(false); w.err != nil {
				break
			}
		}
		m := copy(w.buf.text[w.have:], p)
		w.have, n, p = w.have+m, n+m, p[m:]
	}
	return n, w.err
}

func (w *Writer) flush(last bool) {
	b := w.box
	if w.Begin() != nil {
		return
	}
	w.buf.sealed = b.seal(w.buf.sealed[:0], w.buf.text[:w.have], w.chunk(w.number, last))
	if len(w.buf.sealed) != w.have+b.Overhead() {
		w.err = errors.New("seal: the AEAD's overhead varies")
		return
	}
	w.write(w.buf.sealed)
	w.have = 0
	w.number++
}

func (w *Writer) write(p []byte) {
	n, err := w.w.Write(p)
	if err == nil && n < len(p) {
		err = io.ErrShortWrite // A file may be silent about it.
	}
	w.err = err
}

// Close writes what is left and ends the stream. It does not close the writer
// below. Without Close, what was written does not open as a whole.
func (w *Writer) Close() error {
	if w.err != nil {
		if w.err == errClosed {
			return nil
		}
		w.free()
		return w.err
	}
	w.flush(true)
	w.free()
	if w.err != nil {
		return w.err
	}
	w.err = errClosed
	return nil
}

// Reader reads a stream from any place. It is safe for concurrent use, but one
// reads at a time.
type Reader struct {
	r      io.ReaderAt
	size   int64
	chunks int64
	// salvage makes spaces of what does not open.
	salvage bool

	mu sync.Mutex
	stream
	at int64 // the chunk in buf, -1 if none
}

// NewReader opens a stream of the given length. It reads the head, and fails with
// ErrNotSealed if it is none, with ErrKey if it does not open, and with ErrDamaged
// if no stream has this length.
func (b *Box) NewReader(r io.ReaderAt, size int64, about []byte) (*Reader, error) {
	return b.newReader(r, size, about, false)
}

// NewSalvager opens a damaged stream: in the place of a chunk that does not open
// are spaces. It fails as NewReader does if the head does not open.
func (b *Box) NewSalvager(r io.ReaderAt, size int64, about []byte) (*Reader, error) {
	return b.newReader(r, size, about, true)
}

// NewPrefixReader opens a stream that may have been cut short, as by a crash, and
// then holds the text of the chunks before the cut. An empty prefix needs no head.
func (b *Box) NewPrefixReader(r io.ReaderAt, size int64, about []byte) (*Reader, error) {
	s, err := b.NewReader(r, size, about)
	if err == nil && s.size > 0 {
		// The last chunk tells whether the stream was ended.
		if _, err = s.ReadAt(make([]byte, 1), s.size-1); err != nil {
			s.free()
		}
	}
	if !errors.Is(err, ErrDamaged) {
		return s, err
	}
	whole := max(0, size-b.headSize()) / int64(b.chunk+b.Overhead())
	if whole == 0 {
		return &Reader{r: r, stream: newStream(b, ID{}, about), at: -1}, nil
	}
	// As of a stream that goes on, of which nobody reads more.
	text := whole * int64(b.chunk)
	s, err = b.NewReader(r, b.SealedSize(text+1), about)
	if err != nil {
		return nil, err
	}
	s.size = text
	return s, nil
}

func (b *Box) newReader(r io.ReaderAt, size int64, about []byte, salvage bool) (*Reader, error) {
	if size < int64(len(magic)) {
		return nil, ErrNotSealed
	}
	head := make([]byte, min(size, b.headSize()))
	if err := readFull(r, head, 0); err != nil {
		return nil, err
	}
	if !bytes.HasPrefix(head, []byte(magic)) {
		return nil, ErrNotSealed
	}
	text, chunks, ok := b.textSize(size)
	if !ok && salvage {
		text, chunks = max(0, text), max(0, chunks)
	} else if !ok {
		return nil, ErrDamaged
	}
	id := ID(head[len(magic):])
	if _, err := b.open(nil, head[len(magic)+idSize:], headAbout(id, about)); err != nil {
		return nil, ErrKey
	}
	s := &Reader{r: r, size: text, chunks: chunks, salvage: salvage, stream: newStream(b, id, about), at: -1}
	if text == 0 && !salvage {
		// Nobody is going to read the chunk, and any stream could be cut to this.
		if err := s.load(nil, 0, 0); err != nil {
			s.free()
			return nil, err
		}
	}
	return s, nil
}

// Size is how much text the stream holds, if it is whole.
func (r *Reader) Size() int64 { return r.size }

// ID returns the stream's name.
func (r *Reader) ID() ID { return r.id }

// ReadAt reads text. What it returns is what was sealed; the error is ErrDamaged
// where that cannot be told.
func (r *Reader) ReadAt(p []byte, off int64) (n int, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if off < 0 {
		return 0, errors.New("seal: negative offset")
	}
	if r.buf == nil {
		return 0, errClosed
	}
	chunk := int64(r.box.chunk)
	for n < len(p) {
		if off >= r.size {
			return n, io.EOF
		}
		number, skip := off/chunk, int(off%chunk)
		size := int(min(chunk, r.size-number*chunk))
		if skip == 0 && len(p)-n >= size && r.at != number {
			// All of it is wanted.
			if err := r.load(p[n:n], number, size); err != nil {
				return n, err
			}
			n, off = n+size, off+int64(size)
			continue
		}
		if r.at != number {
			r.at = -1
			if err := r.load(r.buf.text[:0], number, size); err != nil {
				return n, err
			}
			r.at = number
		}
		m := copy(p[n:], r.buf.text[skip:size])
		n, off = n+m, off+int64(m)
	}
	return n, nil
}

// load opens a chunk with so much text into dst, which has room for it.
func (r *Reader) load(dst []byte, number int64, size int) error {
	b := r.box
	sealed := r.buf.sealed[:size+b.Overhead()]
	if err := readFull(r.r, sealed, b.headSize()+number*int64(b.chunk+b.Overhead())); err != nil {
		if err == io.ErrUnexpectedEOF {
			return ErrDamaged
		}
		return err
	}
	last := number == r.chunks-1
	out, err := b.open(dst, sealed, r.chunk(number, last))
	if err != nil && r.salvage {
		// The stream may have been cut after a whole chunk, or something follows it.
		if out, err = b.open(dst, sealed, r.chunk(number, !last)); err != nil {
			out, err = bytes.Repeat([]byte(" "), size), nil
		}
	}
	if err != nil {
		return err
	}
	if len(out) != size {
		return ErrDamaged
	}
	copy(dst[:size], out) // It is there already, unless the AEAD wanted more room.
	return nil
}

// Close makes the reader's room free. It does not close the reader below.
func (r *Reader) Close() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.free()
	return nil
}

func readFull(r io.ReaderAt, p []byte, off int64) error {
	n, err := r.ReadAt(p, off)
	if n == len(p) {
		return nil
	}
	if err == nil || err == io.EOF {
		err = io.ErrUnexpectedEOF
	}
	return err
}
