// Package redelivery recognizes bodies that Garmin sends again. It is for engines.
package redelivery

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
	// Time is how long an identical body counts as a redelivery of
	// the first. Garmin repeats a notification until it gets a 200, and keeps it
	// for up to 7 days while an endpoint fails or is on hold; the eighth day
	// allows for sending the backlog. A longer time would only hide more undone
	// edits, whose bodies can be identical.
	Time = 8 * 24 * time.Hour

	// Most is the default number of bodies to remember. They take
	// about 60 MiB.
	Most = 1 << 20

	// RecordSize is the length of each record that
	// [Memory.AppendRecord] and [Memory.WriteTo] write.
	RecordSize = 24
)

// Memory remembers which bodies were received, so that an engine can
// recognize a body that Garmin sends again. A body is a repeat if the same bytes,
// after decompression, were received within the repeat time. An engine
// acknowledges a repeat and stores nothing: its content has been delivered or
// will be, and delivering it again could overwrite a later edit with an old
// revision. A repeat of an old body and the notification of an undone edit cannot
// be told apart if their bytes are the same; both count as repeats, and the edit
// is not delivered. A body with account notifications is never a repeat: a user
// who leaves, comes back and leaves again has left. Nor is a ping: the pulled
// data may have changed, and is never older than before.
//
// An engine
//
//   - hashes each body with SHA-256 while it reads it, through an
//     [io.TeeReader] for example;
//   - calls Has when it has the whole body, before it stores it;
//   - calls Add and writes the record to its own file only when the body is
//     durable. A sum without its body would make the next copy be lost too, while
//     a lost record only costs a second delivery;
//   - calls Load with its file when it opens, and replaces the file by the output
//     of WriteTo when it has grown to twice that size.
//
// The number of bodies is bounded; the oldest is forgotten first. Two copies
// received at the same time may both count as new.
//
// Memory is not safe for concurrent use.
type Memory struct {
	within int64 // seconds
	limit  int

	// ring holds the bodies in order of addition. Once it has limit entries, next
	// is the oldest, which the next body replaces.
	ring []received
	next int
	// last maps the first half of a body's sum to its latest place in ring. If
	// two bodies share it, the earlier one is forgotten.
	last map[uint64]int32
}

// received is a body with half of its SHA-256: nobody finds another body with the
// same half.
type received struct {
	sum bodySum
	at  uint32 // seconds since 1970, until 2106
}

type bodySum [sha256.Size / 2]byte

func (s *bodySum) half() uint64 { return binary.LittleEndian.Uint64(s[:]) }

// New returns an empty memory of at most limit bodies. 0 means
// [Time] and [Most].
func New(within time.Duration, limit int) *Memory {
	if within <= 0 {
		within = Time
	}
	if limit <= 0 {
		limit = Most
	}
	limit = min(limit, math.MaxInt32)
	return &Memory{within: int64(within / time.Second), limit: limit, last: map[uint64]int32{}}
}

// Has reports whether the body with this sum was received within the repeat time
// before now. A time up to that much after now counts too, since clocks may be
// set back.
func (r *Memory) Has(sum [sha256.Size]byte, now time.Time) bool {
	b := newReceived(sum, now)
	i, ok := r.last[b.sum.half()]
	if !ok || r.ring[i].sum != b.sum {
		return false
	}
	age := now.Unix() - int64(r.ring[i].at)
	return -r.within <= age && age <= r.within
}

// Add remembers that the body with this sum was received. Call it only for
// durable bodies that Has does not know: a repeat does not extend the time.
func (r *Memory) Add(sum [sha256.Size]byte, at time.Time) {
	r.add(newReceived(sum, at))
}

func newReceived(sum [sha256.Size]byte, at time.Time) received {
	return received{bodySum(sum[:len(bodySum{})]), uint32(min(max(at.Unix(), 0), math.MaxUint32))}
}

func (r *Memory) add(b received) {
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

// current reports whether ring's i-th body was not received again later.
func (r *Memory) current(i int) bool {
	at, ok := r.last[r.ring[i].sum.half()]
	return ok && at == int32(i)
}

// Len returns how many bodies are remembered, including expired ones.
func (r *Memory) Len() int { return len(r.last) }

// AppendRecord appends the record of a body to dst: 16 bytes of the sum, 4 of
// the time, 4 of a checksum.
func (r *Memory) AppendRecord(dst []byte, sum [sha256.Size]byte, at time.Time) []byte {
	return newReceived(sum, at).append(dst)
}

var table = crc32.MakeTable(crc32.Castagnoli)

func (b received) append(dst []byte) []byte {
	n := len(dst)
	dst = append(dst, b.sum[:]...)
	dst = binary.LittleEndian.AppendUint32(dst, b.at)
	return binary.LittleEndian.AppendUint32(dst, crc32.Checksum(dst[n:], table))
}

// WriteTo writes the records of all bodies, the oldest first.
func (r *Memory) WriteTo(w io.Writer) (n int64, err error) {
	buf := make([]byte, 0, 1024*RecordSize)
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

func (r *Memory) oldestFirst() iter.Seq[received] {
	return func(yield func(received) bool) {
		for i := range r.ring {
			i = (r.next + i) % len(r.ring)
			if r.current(i) && !yield(r.ring[i]) {
				return
			}
		}
	}
}

// Load reads records from rd until its end and adds their bodies. It skips a
// damaged record, and a truncated one at the end. n counts the bytes of whole
// records; append further records after them.
func (r *Memory) Load(rd io.Reader) (n int64, err error) {
	buf := make([]byte, 1024*RecordSize)
	for have := 0; err == nil; {
		var m int
		m, err = rd.Read(buf[have:])
		have += m
		rest := buf[:have]
		for ; len(rest) >= RecordSize; rest = rest[RecordSize:] {
			if b, ok := parseReceived(rest); ok {
				r.add(b)
			}
			n += RecordSize
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
	sum := binary.LittleEndian.Uint32(rec[RecordSize-4:])
	return b, sum == crc32.Checksum(rec[:RecordSize-4], table)
}
