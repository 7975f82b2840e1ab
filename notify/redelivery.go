package notify

import (
	"crypto/sha256"
	"encoding/binary"
	"hash/crc32"
	"io"
	"iter"
	"math"
	"time"
)

const (
	// DefaultRepeatTime is how long after its arrival a body that comes again,
	// byte for byte, is taken for a redelivery. Garmin repeats what it has no
	// 200 for, and keeps it for up to 7 days while an endpoint fails or is on
	// hold; the eighth day is for sending what has piled up by then. A longer
	// time would only hide more of the edits that a user takes back, whose
	// bodies can look the same.
	DefaultRepeatTime = 8 * 24 * time.Hour

	// DefaultRedeliveries is how many bodies are remembered by default. They
	// take about 60 MiB.
	DefaultRedeliveries = 1 << 20

	// RedeliveryRecordSize is the length of each record that
	// [Redeliveries.AppendRecord] and [Redeliveries.WriteTo] write.
	RedeliveryRecordSize = 24
)

// Redeliveries remembers which bodies were received, so that an engine can
// tell a body that Garmin sends again from a new one. It is a repeat if the
// same bytes, after inflation, were received within the repeat time. An engine
// acknowledges a repeat and stores nothing: what was in it has been delivered
// or will be, and delivering it again could overwrite a later edit with an old
// revision. Garmin's repeat of an old body and the notification of an edit that
// was taken back cannot be told apart if they have the same bytes; both count
// as repeats, and the edit is not delivered. What holds a notification of an
// account is no repeat: who leaves, comes back and leaves again has left. Nor is
// a ping: what is pulled may have changed, and is never older than before.
//
// An engine
//
//   - hashes each body with SHA-256 while it reads it, through an
//     [io.TeeReader] for example;
//   - calls Has when it has the whole body, before it stores it;
//   - calls Add and writes the record to its own file only when the body is
//     durable. A sum whose body was lost would get the next copy lost too,
//     while a record that a crash loses costs a second delivery and no more;
//   - calls Load with its file when it opens, and replaces the file by what
//     WriteTo gives when it has grown to twice that.
//
// The number of bodies is bounded; the oldest is forgotten first. Two copies
// that are being received at the same moment may both be taken for new.
//
// Redeliveries is not safe for concurrent use.
type Redeliveries struct {
	within int64 // seconds
	limit  int

	// ring holds the bodies in the order in which they were added. Once it has
	// limit entries, next is the oldest, which the next body replaces.
	ring []received
	next int
	// last says where in ring a body stands that was received last, by the
	// first half of its sum. If two bodies share it, the earlier is forgotten.
	last map[uint64]int32
}

// received is a body. Half of its SHA-256 is kept: nobody finds another body
// with the same one.
type received struct {
	sum bodySum
	at  uint32 // seconds since 1970, until 2106
}

type bodySum [sha256.Size / 2]byte

func (s *bodySum) half() uint64 { return binary.LittleEndian.Uint64(s[:]) }

// NewRedeliveries returns an empty memory of at most limit bodies. 0 means
// [DefaultRepeatTime] and [DefaultRedeliveries].
func NewRedeliveries(within time.Duration, limit int) *Redeliveries {
	if within <= 0 {
		within = DefaultRepeatTime
	}
	if limit <= 0 {
		limit = DefaultRedeliveries
	}
	limit = min(limit, math.MaxInt32)
	return &Redeliveries{within: int64(within / time.Second), limit: limit, last: map[uint64]int32{}}
}

// Has tells whether the body with this sum was received within the repeat time
// before now. Since clocks are set back, a time that lies ahead of now by no
// more than that counts as well.
func (r *Redeliveries) Has(sum [sha256.Size]byte, now time.Time) bool {
	b := newReceived(sum, now)
	i, ok := r.last[b.sum.half()]
	if !ok || r.ring[i].sum != b.sum {
		return false
	}
	age := now.Unix() - int64(r.ring[i].at)
	return -r.within <= age && age <= r.within
}

// Add remembers that the body with this sum was received. It is for bodies that
// are durable and that Has does not know: a repeat does not prolong the time.
func (r *Redeliveries) Add(sum [sha256.Size]byte, at time.Time) {
	r.add(newReceived(sum, at))
}

func newReceived(sum [sha256.Size]byte, at time.Time) received {
	return received{bodySum(sum[:len(bodySum{})]), uint32(min(max(at.Unix(), 0), math.MaxUint32))}
}

func (r *Redeliveries) add(b received) {
	i := r.next
	if len(r.ring) < r.limit {
		i = len(r.ring)
		r.ring = append(r.ring, b)
	} else {
		if r.current(i) {
			delete(r.last, r.ring[i].sum.half())
		}
		r.ring[i] = b
		r.next = (i + 1) % r.limit
	}
	r.last[b.sum.half()] = int32(i)
}

// current tells whether ring's i-th body was not received again later.
func (r *Redeliveries) current(i int) bool {
	at, ok := r.last[r.ring[i].sum.half()]
	return ok && at == int32(i)
}

// Len is how many bodies are remembered, also those whose time is over.
func (r *Redeliveries) Len() int { return len(r.last) }

// AppendRecord appends the record of a body to dst: 16 bytes of the sum, 4 of
// the time, 4 of a checksum.
func (r *Redeliveries) AppendRecord(dst []byte, sum [sha256.Size]byte, at time.Time) []byte {
	return newReceived(sum, at).append(dst)
}

var redeliveryTable = crc32.MakeTable(crc32.Castagnoli)

func (b received) append(dst []byte) []byte {
	n := len(dst)
	dst = append(dst, b.sum[:]...)
	dst = binary.LittleEndian.AppendUint32(dst, b.at)
	return binary.LittleEndian.AppendUint32(dst, crc32.Checksum(dst[n:], redeliveryTable))
}

// WriteTo writes the records of all bodies, the oldest first.
func (r *Redeliveries) WriteTo(w io.Writer) (n int64, err error) {
	buf := make([]byte, 0, 1024*RedeliveryRecordSize)
	for b := range r.oldestFirst() {
		if buf = b.append(buf); len(buf) < cap(buf) {
			continue
		}
		m, err := w.Write(buf)
		n, buf = n+int64(m), buf[:0]
		if err != nil {
			return n, err
		}
	}
	m, err := w.Write(buf)
	return n + int64(m), err
}

func (r *Redeliveries) oldestFirst() iter.Seq[received] {
	return func(yield func(received) bool) {
		for i := range r.ring {
			i = (r.next + i) % len(r.ring)
			if r.current(i) && !yield(r.ring[i]) {
				return
			}
		}
	}
}

// Load adds the bodies whose records rd gives, up to its end. A damaged record
// is left out, and so is the rest of one that was cut off: n counts the bytes
// of whole records, behind which more may be appended.
func (r *Redeliveries) Load(rd io.Reader) (n int64, err error) {
	buf := make([]byte, 1024*RedeliveryRecordSize)
	for have := 0; err == nil; {
		var m int
		m, err = rd.Read(buf[have:])
		have += m
		rest := buf[:have]
		for ; len(rest) >= RedeliveryRecordSize; rest = rest[RedeliveryRecordSize:] {
			if b, ok := parseReceived(rest); ok {
				r.add(b)
			}
			n += RedeliveryRecordSize
		}
		have = copy(buf, rest)
	}
	if err == io.EOF {
		err = nil
	}
	return n, err
}

func parseReceived(rec []byte) (b received, ok bool) {
	copy(b.sum[:], rec)
	b.at = binary.LittleEndian.Uint32(rec[len(b.sum):])
	sum := binary.LittleEndian.Uint32(rec[RedeliveryRecordSize-4:])
	return b, sum == crc32.Checksum(rec[:RedeliveryRecordSize-4], redeliveryTable)
}
