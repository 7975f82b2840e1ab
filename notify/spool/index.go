package spool

import (
	"bytes"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"io"
	"slices"
	"sort"
	"sync"

	"github.com/garminkit/activityapi/internal/seal"
	"github.com/garminkit/activityapi/notify"
	"github.com/garminkit/activityapi/types"
)

// The index beside a large body lists its items, so that they can be handed out
// in slices and found one by one. It is made while the body is received, is not
// synced, and is rebuilt when it is missing or torn. That of a smaller body is in
// memory, if there is room. Only Erase syncs an index: see largeWriter.index.
//
// It is a sequence of blocks, a footer, and a tail:
//
//	block   "spix", size of what follows, its checksum; items
//	footer  for each block: offset of the first item, place of the block, classes in it;
//	        for each 64 KiB of the body its checksum; the counts; who may have items, see userSet
//	tail    "spiu", size of the footer, its checksum
//
// all numbers little-endian. An item is a sequence of uvarints: offset above the
// one before, size, class, index, and the key, the user and what it touches, each
// with 0 for "as before" or its length and 1 and its bytes. The index of a sealed
// body is all of that, sealed as a stream.
const (
	indexSuffix = ".items"
	blockMagic  = 0x78697073 // "spix"
	tailMagic   = 0x75697073 // "spiu"

	blockItems = 256
	blockBytes = 64 << 10
	sumStep    = 64 << 10 // how much of the body one checksum covers
)

var userSets = sync.Pool{New: func() any { return new([maxUserSet]byte) }}

var errIndex = errors.New("spool: the index is torn")

// blockRef is a block in the footer. Its numbers fit in 32 bits, since a body has less
// than 256 MiB.
type blockRef struct {
	first   uint32 // offset of the first item
	at      uint32 // place of the block
	classes uint32 // a bit for each class in it
	ordinal uint32 // of the first item
}

// index is the footer.
type index struct {
	blocks []blockRef
	sums   []uint32
	counts [notify.Classes]int64
	size   int64 // of the body
	sum    uint32
	users  userSet
}

// indexWriter writes an index. It keeps no error: an index that could not be
// written is not finished.
type indexWriter struct {
	text *textWriter
	box  *seal.Box // nil if the index is not sealed
	err  error
	at   int64
	idx  index
	n    int
	buf  []byte
	ref  blockRef
	in   int
	prev notify.Piece
}

// newIndexWriter begins the index of a body that is sealed if there is a box.
func newIndexWriter(f io.WriterAt, box *seal.Box) *indexWriter {
	return &indexWriter{text: newTextWriter(f, 0, box, aboutIndex), box: box}
}

// put writes p at the end.
func (w *indexWriter) put(p []byte) {
	if w.err == nil {
		_, w.err = w.text.Write(p)
	}
	w.at += int64(len(p))
}

// diskSize is how long the file is.
func (w *indexWriter) diskSize() int64 {
	if w.box != nil {
		return w.box.SealedSize(w.at)
	}
	return w.at
}

func (w *indexWriter) add(p *notify.Piece) {
	if w.in == 0 {
		w.begin(blockRef{first: uint32(p.Offset), at: uint32(w.at), ordinal: uint32(w.n)})
	}
	w.append(p)
	if w.in == blockItems || len(w.buf) >= blockBytes {
		w.flush()
	}
}

// block writes what is left of a block of an earlier index.
func (w *indexWriter) block(was *blockRef, pieces []notify.Piece) {
	w.begin(blockRef{first: was.first, at: uint32(w.at), ordinal: was.ordinal})
	for i := range pieces {
		w.append(&pieces[i])
	}
	w.in = max(w.in, 1)
	w.flush()
}

func (w *indexWriter) begin(ref blockRef) {
	w.ref = ref
	w.prev = notify.Piece{}
	w.buf = append(w.buf[:0], make([]byte, 12)...)
}

func (w *indexWriter) append(p *notify.Piece) {
	b := w.buf
	b = binary.AppendVarint(b, p.Offset-w.prev.Offset) // the whole body comes last and begins at 0
	b = binary.AppendUvarint(b, uint64(p.Size))
	b = append(b, byte(p.Class))
	b = binary.AppendUvarint(b, uint64(p.Index))
	b = appendText(b, p.Key, w.prev.Key, w.in == 0)
	b = appendText(b, string(p.UserID), string(w.prev.UserID), w.in == 0)
	if p.Touch == w.prev.Touch {
		b = append(b, 0)
	} else {
		b = append(append(b, 1), p.Touch[:]...)
	}
	w.buf, w.prev = b, *p
	w.ref.classes |= 1 << p.Class
	if w.idx.users == nil {
		w.idx.users = userSets.Get().(*[maxUserSet]byte)[:]
	}
	if p.Class != notify.ClassBad {
		w.idx.users.add(p.UserID)
	}
	w.idx.counts[p.Class]++
	w.n++
	w.in++
}

func appendText(b []byte, s, before string, first bool) []byte {
	if s == before && !first {
		return append(b, 0)
	}
	return append(binary.AppendUvarint(b, uint64(len(s))+1), s...)
}

func (w *indexWriter) flush() {
	if w.in == 0 {
		return
	}
	w.write(blockMagic, w.buf)
	w.idx.blocks = append(w.idx.blocks, w.ref)
	w.in = 0
}

// write writes what stands in p behind room for a head.
func (w *indexWriter) write(magic uint32, p []byte) {
	binary.LittleEndian.PutUint32(p, magic)
	binary.LittleEndian.PutUint32(p[4:], uint32(len(p)-12))
	binary.LittleEndian.PutUint32(p[8:], crc32.Checksum(p[12:], castagnoli))
	w.put(p)
}

// finish writes the footer.
func (w *indexWriter) finish(sums []uint32, size int64, sum uint32) error {
	w.flush()
	w.idx.sums, w.idx.size, w.idx.sum = sums, size, sum
	wide := w.idx.users
	w.idx.users = wide.fold(size)
	if wide != nil {
		clear(wide)
		userSets.Put((*[maxUserSet]byte)(wide))
	}
	le := binary.LittleEndian
	var b []byte
	b = le.AppendUint32(b, uint32(len(w.idx.blocks)))
	for _, r := range w.idx.blocks {
		b = le.AppendUint32(le.AppendUint32(le.AppendUint32(le.AppendUint32(b, r.first), r.at), r.classes), r.ordinal)
	}
	b = le.AppendUint32(b, uint32(len(sums)))
	for _, s := range sums {
		b = le.AppendUint32(b, s)
	}
	for _, n := range w.idx.counts {
		b = le.AppendUint32(b, uint32(n))
	}
	b = le.AppendUint32(le.AppendUint64(b, uint64(size)), sum)
	b = append(le.AppendUint32(b, uint32(len(w.idx.users))), w.idx.users...)
	tail := le.AppendUint32(le.AppendUint32(le.AppendUint32(nil, tailMagic), uint32(len(b))), crc32.Checksum(b, castagnoli))
	w.put(append(b, tail...))
	if w.err == nil {
		w.err = w.text.end()
	}
	return w.err
}

// readIndex reads the footer of an index of this size and checks that it belongs
// to the body, which has one of the checksums.
func readIndex(f io.ReaderAt, fileSize, size int64, sums ...uint32) (*index, error) {
	var tail [12]byte
	if fileSize < int64(len(tail)) {
		return nil, errIndex
	}
	if err := readFull(f, tail[:], fileSize-int64(len(tail))); err != nil {
		return nil, err
	}
	le := binary.LittleEndian
	n := int64(le.Uint32(tail[4:]))
	if le.Uint32(tail[:]) != tailMagic || n > fileSize-int64(len(tail)) {
		return nil, errIndex
	}
	b := make([]byte, n)
	if err := readFull(f, b, fileSize-int64(len(tail))-n); err != nil {
		return nil, err
	}
	if crc32.Checksum(b, castagnoli) != le.Uint32(tail[8:]) || n < 4 {
		return nil, errIndex
	}
	idx := &index{}
	// The checksum is right, so this code wrote it; the lengths are checked
	// nevertheless.
	take := func(n int) []byte {
		if len(b) < n {
			b = make([]byte, n)
		}
		p := b[:n]
		b = b[n:]
		return p
	}
	for range min(int(le.Uint32(take(4))), len(b)/16) {
		p := take(16)
		idx.blocks = append(idx.blocks, blockRef{le.Uint32(p), le.Uint32(p[4:]), le.Uint32(p[8:]), le.Uint32(p[12:])})
	}
	for range min(int(le.Uint32(take(4))), len(b)/4) {
		idx.sums = append(idx.sums, le.Uint32(take(4)))
	}
	for i := range idx.counts {
		idx.counts[i] = int64(le.Uint32(take(4)))
	}
	idx.size, idx.sum = int64(le.Uint64(take(8))), le.Uint32(take(4))
	idx.users = userSet(take(min(int(le.Uint32(take(4))), maxUserSet)))
	if idx.size != size || !slices.Contains(sums, idx.sum) || len(idx.sums) != int((size+sumStep-1)/sumStep) {
		return nil, errIndex
	}
	return idx, nil
}

// find returns the block in which an item with this offset would be.
func (x *index) find(offset int64) int {
	if offset == wholeBody {
		return len(x.blocks) - 1
	}
	n := len(x.blocks)
	if n > 0 && x.blocks[n-1].first == 0 {
		n-- // It holds the whole body alone.
	}
	return sort.Search(n, func(i int) bool { return int64(x.blocks[i].first) > offset }) - 1
}

// block reads the items of one block.
func (x *index) block(f io.ReaderAt, i int) ([]notify.Piece, error) {
	var head [12]byte
	at := int64(x.blocks[i].at)
	if err := readFull(f, head[:], at); err != nil {
		return nil, err
	}
	le := binary.LittleEndian
	n := le.Uint32(head[4:])
	if le.Uint32(head[:]) != blockMagic || n > 1<<30 {
		return nil, errIndex
	}
	// A torn index may claim any size: allocate for a usual block, so that one
	// read suffices, and more only for bytes that exist.
	buf := bytes.NewBuffer(make([]byte, 0, min(n, 2*blockBytes)+bytes.MinRead))
	if _, err := buf.ReadFrom(io.NewSectionReader(f, at+12, int64(n))); err != nil {
		return nil, err
	}
	b := buf.Bytes()
	if len(b) != int(n) || crc32.Checksum(b, castagnoli) != le.Uint32(head[8:]) {
		return nil, errIndex
	}
	return decodeBlock(b)
}

// decodeBlock reads the items of a block. Their texts are parts of one string:
// clone them to keep an item for long.
func decodeBlock(b []byte) ([]notify.Piece, error) {
	d := blockDecoder{rest: string(b)}
	list := make([]notify.Piece, 0, blockItems)
	var p notify.Piece
	for d.rest != "" {
		p.Offset += d.signed()
		p.Size = int64(d.number())
		p.Class = notify.Class(d.byte())
		p.Index = int(d.number())
		p.Key, p.UserID = d.text(p.Key), types.UserID(d.text(string(p.UserID)))
		switch d.byte() {
		case 0:
		case 1:
			copy(p.Touch[:], d.bytes(uint64(len(p.Touch))))
		default:
			d.bad = true
		}
		if d.bad || p.Class >= notify.Classes || p.Offset < 0 || p.Size < 0 {
			return nil, errIndex
		}
		list = append(list, p)
	}
	return list, nil
}

// blockDecoder takes what makes an item from the front of a block.
type blockDecoder struct {
	rest string
	bad  bool // the block ended too early
}

func (d *blockDecoder) bytes(n uint64) string {
	if n > uint64(len(d.rest)) {
		d.bad, d.rest = true, ""
		return ""
	}
	s := d.rest[:n]
	d.rest = d.rest[n:]
	return s
}

func (d *blockDecoder) byte() byte {
	if s := d.bytes(1); s != "" {
		return s[0]
	}
	return 0
}

func (d *blockDecoder) number() (n uint64) {
	for shift := 0; shift < 64; shift += 7 {
		c := d.byte()
		n |= uint64(c&0x7f) << shift
		if c < 0x80 {
			return n
		}
	}
	d.bad = true
	return 0
}

func (d *blockDecoder) signed() int64 {
	n := d.number()
	return int64(n>>1) ^ -int64(n&1)
}

func (d *blockDecoder) text(before string) string {
	if n := d.number(); n > 0 {
		return d.bytes(n - 1)
	}
	return before
}

func readFull(f io.ReaderAt, p []byte, off int64) error {
	n, err := f.ReadAt(p, off)
	if n == len(p) {
		return nil
	}
	if err == nil || err == io.EOF {
		err = io.ErrUnexpectedEOF
	}
	return err
}
