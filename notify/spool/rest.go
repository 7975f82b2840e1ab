package spool

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"io"
	"time"

	"github.com/garminkit/activityapi/internal/lists"
	"github.com/garminkit/activityapi/internal/seal"
	"github.com/garminkit/activityapi/notify"
	"github.com/garminkit/activityapi/types"
)

// The letter of the rest of a body grows. After its head come two slots and then
// frames, one for each item. A slot says how many frames are valid. The newer
// good slot counts, if the frames that it adds to the other are complete.
//
// So one sync makes added frames valid, whatever a power cut leaves of them: if the
// new slot is torn, or is on the disk without its frames, the older one counts, and
// what it says was not touched. A new file with a rename would be a copy of the letter,
// which may have a million items, for each batch.
//
//	slot    items 8, end of the frames 8, bytes in them 8, generation 4, checksum 4
//	frame   "spfr" 4, offset in the body 4, size of the key 4, size of the item 4; key, item; checksum 4
//
// A sealed frame begins with "spfs", has no key, and in the place of the item a
// stream: size of the key 4, key, item.
const (
	slotSize    = 32
	slotsSize   = 2 * slotSize
	frameHead   = 16
	frameTail   = 4
	frameMagic  = 0x72667073 // "spfr"
	frameSealed = 0x73667073 // "spfs"
)

type slot struct {
	items, end, bytes int64
	gen               uint32
}

func (t slot) encode() []byte {
	le := binary.LittleEndian
	p := le.AppendUint32(le.AppendUint64(le.AppendUint64(le.AppendUint64(nil, uint64(t.items)), uint64(t.end)), uint64(t.bytes)), t.gen)
	return le.AppendUint32(p, crc32.Checksum(p, castagnoli))
}

func decodeSlot(p []byte) (t slot, ok bool) {
	le := binary.LittleEndian
	t = slot{int64(le.Uint64(p)), int64(le.Uint64(p[8:])), int64(le.Uint64(p[16:])), le.Uint32(p[24:])}
	return t, le.Uint32(p[28:]) == crc32.Checksum(p[:28], castagnoli) && t.items >= 0 && t.end >= 0 && t.bytes >= 0
}

// readSlots returns the slots after the head that ends at body, the newer first.
func readSlots(f io.ReaderAt, body int64) (newer, older slot, err error) {
	var p [slotsSize]byte
	if err := readFull(f, p[:], body); err != nil {
		return newer, older, errDamagedLetter
	}
	a, okA := decodeSlot(p[:slotSize])
	b, okB := decodeSlot(p[slotSize:])
	switch {
	case okA && okB && b.gen > a.gen, okB && !okA:
		if !okA {
			a = b
		}
		return b, a, nil
	case okA:
		if !okB {
			b = a
		}
		return a, b, nil
	}
	return newer, older, errDamagedLetter
}

// restAdder adds items to a letter.
type restAdder struct {
	s        *spool
	name     letterName
	f        file
	body     int64
	was, now slot
	temp     string // the file's name until it is complete, if it is new
	made     bool   // it was new
	buf      []byte // frames that end at now.end and are not in the file yet
}

// restBuffer is how much is added to a letter with one write.
const restBuffer = 64 << 10

// rest adds an item to the letter of the rest of its body, and creates the letter
// for the first one.
func (b *burial) rest(v *notify.Verdict, it *notify.Item, h *letterHead, r io.Reader) error {
	a, err := b.adder(seqOf(v.ID), h)
	if err != nil {
		return fmt.Errorf("spool: %w", err)
	}
	size := a.frameSize(it.Key, it.Size)
	if err := b.s.reserveFor(size); err != nil {
		return err
	}
	defer b.s.promise(-size)
	if err := a.frame(uint32(offsetOf(v.ID)), it.Key, r, it.Size); err != nil {
		return fmt.Errorf("spool: %w", err)
	}
	b.s.spend(size)
	return nil
}

// frameSize is what the frame of an item takes.
func (a *restAdder) frameSize(key string, size int64) int64 {
	if box := a.s.box(); box != nil {
		return frameHead + box.SealedSize(4+int64(len(key))+size) + frameTail
	}
	return frameHead + int64(len(key)) + size + frameTail
}

// frame adds the frame of an item: a head, the bytes, and their checksum.
func (a *restAdder) frame(offset uint32, key string, r io.Reader, size int64) (err error) {
	taken := a.frameSize(key, size)
	defer func() {
		if err == nil {
			a.now.end += taken
			a.now.bytes += size
			a.now.items++
		}
	}()
	if size > restBuffer {
		if err := a.flush(); err != nil {
			return err
		}
		w := &summingWriter{f: a.f, at: a.now.end}
		if err := a.writeFrame(w, offset, key, r, size); err != nil {
			return err
		}
		return writeFull(a.f, binary.LittleEndian.AppendUint32(nil, w.sum), w.at)
	}
	start := len(a.buf)
	buf := bytes.NewBuffer(a.buf)
	err = a.writeFrame(buf, offset, key, r, size)
	if a.buf = buf.Bytes(); err != nil {
		a.buf = a.buf[:start]
		return err
	}
	a.buf = binary.LittleEndian.AppendUint32(a.buf, crc32.Checksum(a.buf[start:], castagnoli))
	if start > restBuffer {
		// The new frame is not in now.end yet.
		if err := writeFull(a.f, a.buf[:start], a.now.end-int64(start)); err != nil {
			a.buf = a.buf[:start]
			return err
		}
		a.buf = append(a.buf[:0], a.buf[start:]...)
	}
	return nil
}

// writeFrame writes a frame without its checksum.
func (a *restAdder) writeFrame(w io.Writer, offset uint32, key string, r io.Reader, size int64) error {
	le := binary.LittleEndian
	box, keySize := a.s.box(), uint32(len(key))
	head := le.AppendUint32(nil, frameMagic)
	if box == nil {
		head = le.AppendUint32(le.AppendUint32(le.AppendUint32(head, offset), keySize), uint32(size))
	} else {
		le.PutUint32(head, frameSealed)
		head = le.AppendUint32(le.AppendUint32(le.AppendUint32(head, offset), 0), uint32(box.SealedSize(4+int64(keySize)+size)))
	}
	if _, err := w.Write(head); err != nil {
		return err
	}
	start := []byte(key)
	var sealed *seal.Writer
	if box != nil {
		sealed = box.NewWriter(w, aboutFrame(a.name, offset))
		w, start = sealed, append(le.AppendUint32(nil, keySize), key...)
	}
	if _, err := w.Write(start); err != nil {
		return err
	}
	n, err := io.Copy(w, io.LimitReader(r, size))
	if err == nil && n < size {
		err = io.ErrUnexpectedEOF
	}
	if err == nil && sealed != nil {
		err = sealed.Close()
	}
	return err
}

// flush writes the frames that are not in the file yet.
func (a *restAdder) flush() error {
	err := writeFull(a.f, a.buf, a.now.end-int64(len(a.buf)))
	a.buf = a.buf[:0]
	return err
}

// adder opens the letter of a body, or makes it.
func (b *burial) adder(seq uint64, h *letterHead) (*restAdder, error) {
	s := b.s
	for _, a := range b.rests {
		if a.name.seq == seq {
			return a, nil
		}
	}
	s.mu.Lock()
	name, ok := s.rests[seq]
	s.mu.Unlock()
	// Retention counts from the first item. No letter goes before it was seen expired
	// for half of sweepEvery: so what is added until then is kept for long enough.
	if s.opts.LetterRetention > 0 && time.Since(time.Unix(0, name.buried)) >= sweepEvery/2 {
		ok = false
	}
	a := &restAdder{s: s, name: name}
	if ok {
		l, err := s.openLetterFile(name.String())
		if err == nil {
			a.f, a.body = l.f, l.body
			if a.was, _, err = readSlots(l.f, l.body); err != nil {
				l.f.Close()
			}
		}
		if ok = err == nil; err != nil && !isNotExist(err) {
			s.log.Error("spool: a letter cannot be added to", "letter", name.String(), "err", err)
		}
	}
	if !ok {
		a.name = letterName{seq: seq, kind: ofRest, buried: s.stamp()}
		head := *h
		head.UserID = string(types.UserID("").In(h.app()))
		head.Key, head.Whole, head.Size, head.Items = "", true, 0, 0
		p, err := head.encode(s.box(), a.name)
		if err != nil {
			return nil, err
		}
		temp := s.tempPath(letterDir)
		if a.f, err = s.fs.Create(temp); err != nil {
			return nil, err
		}
		a.body, a.temp = int64(len(p)), temp
		a.was = slot{end: a.body + slotsSize}
		a.now = a.was
		b.rests = append(b.rests, a)
		s.spend(a.body + slotsSize)
		if err := writeFull(a.f, append(append(p, a.was.encode()...), make([]byte, slotSize)...), 0); err != nil {
			return nil, err
		}
		return a, nil
	}
	a.now = a.was
	b.rests = append(b.rests, a)
	return a, nil
}

// commit makes the added items valid.
func (a *restAdder) commit() error {
	if err := a.flush(); err != nil {
		return err
	}
	a.now.gen = a.was.gen + 1 // in the place of the older slot
	if err := writeFull(a.f, a.now.encode(), a.body+int64(a.now.gen%2)*slotSize); err != nil {
		return err
	}
	if err := a.f.Sync(); err != nil {
		return err
	}
	s := a.s
	if a.temp != "" {
		if err := s.fs.Rename(a.temp, s.letterPath(a.name.String())); err != nil {
			return err
		}
		a.made, a.temp = true, ""
		s.letters.add(a.name)
		if err := s.fs.SyncDir(s.path(letterDir)); err != nil {
			return err
		}
	}
	s.mu.Lock()
	s.rests[a.name.seq] = a.name
	s.mu.Unlock()
	return nil
}

// undo removes the added items.
func (a *restAdder) undo() {
	defer a.f.Close()
	s := a.s
	switch {
	case a.temp != "":
		s.spend(-a.now.end)
		_ = s.fs.Remove(a.temp)
	case a.made:
		_ = s.unlinkLetter(a.name.String())
	default:
		s.spend(a.was.end - a.now.end)
		back := a.was
		back.gen += 2 // newer than the slot that was added, and in the place of the one before
		_ = writeFull(a.f, back.encode(), a.body+int64(back.gen%2)*slotSize)
	}
}

// recoverRest makes sure that the newest slot is valid, and returns the offsets
// of the items. Only the frames that the newest slot added can be incomplete: those of
// the older one were synced before.
func (s *spool) recoverRest(n letterName) ([]uint32, error) {
	l, err := s.openLetterFile(n.String())
	if err != nil {
		return nil, err
	}
	defer l.f.Close()
	newer, older, err := readSlots(l.f, l.body)
	if err != nil {
		return nil, nil // a letter that is damaged
	}
	offsets, good := frames(l.f, l.body+slotsSize, newer.end, older.end)
	if good {
		return offsets, nil
	}
	older.gen = newer.gen + 1
	if err := writeFull(l.f, older.encode(), l.body+int64(older.gen%2)*slotSize); err != nil {
		return nil, err
	}
	if err := l.f.Sync(); err != nil {
		return nil, err
	}
	offsets, _ = frames(l.f, l.body+slotsSize, older.end, older.end)
	return offsets, nil
}

// frames returns the offsets of the items from one place in a letter to another.
// It verifies the checksums of frames after check.
func frames(f io.ReaderAt, at, end, check int64) (offsets []uint32, good bool) {
	le := binary.LittleEndian
	for at < end {
		var p [frameHead]byte
		if readFull(f, p[:], at) != nil || !isFrame(p[:]) {
			return offsets, false
		}
		size := frameHead + int64(le.Uint32(p[8:])) + int64(le.Uint32(p[12:]))
		if at+size+frameTail > end {
			return offsets, false
		}
		if at >= check {
			h := crc32.New(castagnoli)
			var tail [frameTail]byte
			if _, err := io.Copy(h, io.NewSectionReader(f, at, size)); err != nil || readFull(f, tail[:], at+size) != nil || h.Sum32() != le.Uint32(tail[:]) {
				return offsets, false
			}
		}
		offsets = append(offsets, le.Uint32(p[4:]))
		at += size + frameTail
	}
	return offsets, at == end
}

func isFrame(p []byte) bool {
	magic := binary.LittleEndian.Uint32(p)
	return magic == frameMagic || magic == frameSealed
}

// restFrame is a frame that was read, and is whole.
type restFrame struct {
	offset uint32
	key    string
	item   []byte
	next   int64
}

// readFrame reads the frame at a place before end.
func (l *openedLetter) readFrame(at, end int64) (*restFrame, error) {
	f := l.f
	le := binary.LittleEndian
	var p [frameHead]byte
	if err := readFull(f, p[:], at); err != nil {
		return nil, err
	}
	keySize, size := int64(le.Uint32(p[8:])), int64(le.Uint32(p[12:]))
	next := at + frameHead + keySize + size + frameTail
	if !isFrame(p[:]) || next > end {
		return nil, errDamagedLetter
	}
	all := make([]byte, next-at)
	if err := readFull(f, all, at); err != nil {
		return nil, err
	}
	text := all[:len(all)-frameTail]
	if crc32.Checksum(text, castagnoli) != le.Uint32(all[len(text):]) {
		return nil, errDamagedLetter
	}
	offset := le.Uint32(p[4:])
	if le.Uint32(p[:]) == frameSealed {
		key, item, err := l.openFrame(offset, io.NewSectionReader(f, at+frameHead+keySize, size))
		if err != nil {
			return nil, err
		}
		defer item.Close()
		text, err := io.ReadAll(item)
		return &restFrame{offset, key, text, next}, err
	}
	return &restFrame{offset, string(text[frameHead:][:keySize]), text[frameHead+keySize:], next}, nil
}

// openFrame opens what is sealed in a frame. The item's reader fails with
// errDamagedLetter.
func (l *openedLetter) openFrame(offset uint32, r *io.SectionReader) (key string, item io.ReadCloser, err error) {
	if l.box == nil {
		return "", nil, errDamagedLetter
	}
	t := &text{r: r, size: r.Size(), damage: errDamagedLetter}
	if err := t.unseal(l.box, aboutFrame(l.name, offset), false); err != nil {
		return "", nil, err
	}
	defer func() {
		if err != nil {
			_ = t.sealed.Close()
		}
	}()
	var p [4]byte
	if err := readFull(t, p[:], 0); err != nil {
		return "", nil, err
	}
	keySize := int64(binary.LittleEndian.Uint32(p[:]))
	if keySize > t.size-4 {
		return "", nil, errDamagedLetter
	}
	name := make([]byte, keySize)
	if err := readFull(t, name, 4); err != nil {
		return "", nil, err
	}
	return string(name), letterReader{io.NewSectionReader(t, 4+keySize, t.size-4-keySize), t.sealed}, nil
}

// restReader reads the frames as one body.
type restReader struct {
	lists.Reader
	l       *openedLetter
	at, end int64
	item    io.Closer // the one that is read, if it is sealed
}

func newRestReader(l *openedLetter, at, end int64) *restReader {
	r := &restReader{l: l, at: at, end: end}
	r.Next = r.next
	return r
}

func (r *restReader) Close() error {
	if r.item != nil {
		_ = r.item.Close()
		r.item = nil
	}
	return r.l.f.Close()
}

func (r *restReader) next() (*lists.Item, error) {
	if r.at >= r.end {
		return nil, io.EOF
	}
	le := binary.LittleEndian
	var head [frameHead]byte
	if err := readFull(r.l.f, head[:], r.at); err != nil {
		return nil, err
	}
	keySize, size := int64(le.Uint32(head[8:])), int64(le.Uint32(head[12:]))
	if !isFrame(head[:]) || r.at+frameHead+keySize+size+frameTail > r.end {
		return nil, fmt.Errorf("spool: %w", errDamagedLetter)
	}
	key, item, err := r.frame(head[:], keySize, size)
	if err != nil {
		return nil, fmt.Errorf("spool: %w", err)
	}
	r.at += frameHead + keySize + size + frameTail
	return &lists.Item{Key: key, Text: item}, nil
}

// frame opens the frame with this head.
func (r *restReader) frame(head []byte, keySize, size int64) (key string, item io.Reader, err error) {
	if r.item != nil {
		_ = r.item.Close()
		r.item = nil
	}
	f := r.l.f
	bytes := io.NewSectionReader(f, r.at+frameHead+keySize, size)
	if binary.LittleEndian.Uint32(head) == frameSealed {
		key, text, err := r.l.openFrame(binary.LittleEndian.Uint32(head[4:]), bytes)
		if err == nil {
			r.item = text
		}
		return key, text, err
	}
	text, err := io.ReadAll(io.NewSectionReader(f, r.at+frameHead, keySize))
	if err != nil {
		return "", nil, err
	}
	sum := crc32.Checksum(append(head, text...), castagnoli)
	return string(text), &frameReader{r: bytes, f: f, at: r.at + frameHead + keySize + size, sum: sum}, nil
}

// frameReader reads an item and verifies the checksum of its frame.
type frameReader struct {
	r   io.Reader
	f   io.ReaderAt
	at  int64
	sum uint32
}

func (r *frameReader) Read(p []byte) (int, error) {
	n, err := r.r.Read(p)
	r.sum = crc32.Update(r.sum, castagnoli, p[:n])
	if err == io.EOF {
		var tail [frameTail]byte
		if rerr := readFull(r.f, tail[:], r.at); rerr != nil || binary.LittleEndian.Uint32(tail[:]) != r.sum {
			return n, fmt.Errorf("spool: %w", errDamagedLetter)
		}
	}
	return n, err
}

func bytesReader(p []byte) io.Reader { return bytes.NewReader(p) }
