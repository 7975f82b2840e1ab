package backfill

import (
	"bufio"
	"encoding/binary"
	"errors"
	"io"
	"slices"

	"github.com/garminkit/activityapi/internal/recordlog"
	"github.com/garminkit/activityapi/types"
)

// replay fills a book from a log.
type replay struct {
	file interface {
		io.ReaderAt
		io.Seeker
	}
	book *book

	good   int64 // where the last good record ends
	lost   int64 // bytes of damage
	lostAt int64 // where that begins
	torn   int64 // bytes at the end that are the beginning of a record, or none
	forgot bool  // users were forgotten, whose bytes are in the log

	whole bool   // the record at good has its length, and is bad
	rest  []byte // the end of the log, once there was damage
}

// run reads the whole log. What is no whole record at its end, as a crash
// leaves it, is counted in torn; what else cannot be read is counted in lost.
func (r *replay) run() error {
	size, err := r.file.Seek(0, io.SeekEnd)
	if err != nil {
		return err
	}
	head := make([]byte, len(logHeader))
	if n, err := r.file.ReadAt(head, 0); err != nil && err != io.EOF {
		return err
	} else if string(head[:n]) != logHeader {
		// rewrite syncs the header before the log has its name.
		return errors.New("not a ledger, or of a later version")
	}
	r.good = int64(len(head))
	var rec record
	for {
		if err := r.records(size, &rec); err != nil {
			return err
		}
		if r.good == size {
			return nil
		}
		whole := r.whole
		next, err := r.resync(size, &rec)
		if err != nil {
			return err
		}
		if next < 0 && !whole {
			r.torn = size - r.good
			return nil
		}
		if r.lost == 0 {
			r.lostAt = r.good
		}
		if next < 0 {
			r.lost += size - r.good
			return nil
		}
		r.lost += next - r.good
		r.good = next
	}
}

// records applies good records up to the first that is not.
func (r *replay) records(size int64, rec *record) error {
	left := size - r.good
	in := bufio.NewReaderSize(io.NewSectionReader(r.file, r.good, left), int(min(left, 1<<20)))
	var buf []byte
	for {
		r.whole = false
		frame, err := in.Peek(frameSize)
		if err != nil {
			return notEOF(err)
		}
		length := binary.LittleEndian.Uint32(frame)
		if length == 0 || length > maxPayload || int64(length) > size-r.good-frameSize {
			return nil
		}
		n := int(length)
		sum := binary.LittleEndian.Uint32(frame[4:])
		if _, err := in.Discard(frameSize); err != nil {
			return err
		}
		buf = slices.Grow(buf[:0], n)[:n]
		if _, err := io.ReadFull(in, buf); err != nil {
			return notEOF(err)
		}
		if recordlog.Checksum(buf) != sum || rec.parse(buf) != nil {
			r.whole = true
			return nil //nolint:nilerr // the good part of the log ends here
		}
		r.forgot = r.forgot || rec.forget
		r.book.apply(rec)
		r.good += frameSize + int64(n)
	}
}

// resync looks for a good record after damage at r.good. It returns where that
// begins, or -1 if there is none.
func (r *replay) resync(size int64, rec *record) (int64, error) {
	if r.rest == nil {
		r.rest = make([]byte, size-r.good)
		if _, err := r.file.ReadAt(r.rest, r.good); err != nil && err != io.EOF {
			return 0, err
		}
	}
	rest := r.rest[int64(len(r.rest))-(size-r.good):]
	for i := 1; i+frameSize < len(rest); i++ {
		b := rest[i:]
		n := binary.LittleEndian.Uint32(b)
		if n == 0 || n > maxPayload || int(n) > len(b)-frameSize {
			continue
		}
		payload := b[frameSize : frameSize+n]
		if payload[0] < typeSave || payload[0] > typeForget {
			continue
		}
		if recordlog.Checksum(payload) == binary.LittleEndian.Uint32(b[4:]) && rec.parse(payload) == nil {
			return r.good + int64(i), nil
		}
	}
	return -1, nil
}

func notEOF(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return nil
	}
	return err
}

// apply does what a record says. Where damage has swallowed a record between,
// chunks may overlap; then the later one stays.
func (b *book) apply(rec *record) {
	a := b.users[types.UserID(rec.userID)]
	if rec.forget {
		b.remove(types.UserID(rec.userID))
		return
	}
	if a == nil {
		if len(rec.entries) == 0 {
			return
		}
		a = b.add(types.UserID(rec.userID))
	}
	for _, s := range rec.starts {
		b.arrive(a.id, rec.kinds[0].kind(), s)
	}
	var stray [len(kinds)][]int64
	for i := range rec.entries {
		k := rec.kinds[i]
		stray[k] = append(stray[k], b.insert(&a.kinds[k], rec.entries[i])...)
	}
	for k, starts := range stray {
		for _, s := range starts {
			b.arrive(a.id, number(k).kind(), s)
		}
	}
}

// writeTo writes a log of the book and returns its size.
func (b *book) writeTo(w io.Writer) (int64, error) {
	out := bufio.NewWriterSize(w, 1<<20)
	size := int64(0)
	buf := append([]byte(nil), logHeader...)
	for _, a := range b.users {
		buf = a.appendTo(buf)
		size += int64(len(buf))
		if _, err := out.Write(buf); err != nil {
			return 0, err
		}
		buf = buf[:0]
	}
	size += int64(len(buf)) // a book without users
	if _, err := out.Write(buf); err != nil {
		return 0, err
	}
	return size, out.Flush()
}

// perRecord keeps records well below maxPayload.
const perRecord = 10_000

// appendTo appends the records of one user.
func (a *account) appendTo(b []byte) []byte {
	for k := range a.kinds {
		kind := number(k)
		for es := range slices.Chunk(a.kinds[k], perRecord) {
			b = appendFrame(b, func(b []byte) []byte {
				return appendSave(b, a.id, len(es), func(add func(number, *entry)) {
					for i := range es {
						add(kind, &es[i])
					}
				})
			})
			var starts []int64
			for i := range es {
				if m := es[i].more; m != nil {
					starts = append(starts, m.arrivals...)
				}
			}
			for part := range slices.Chunk(starts, perRecord) {
				b = appendFrame(b, func(b []byte) []byte { return appendArrivals(b, a.id, kind, part) })
			}
		}
	}
	return b
}

// size estimates the size of the log that writeTo would write.
func (b *book) size() int64 {
	n := int64(0)
	for _, a := range b.users {
		n += int64(frameSize + 3 + len(a.id))
	}
	return n + 33*int64(b.chunks) + 3*int64(b.starts)
}
