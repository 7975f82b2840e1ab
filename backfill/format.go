package backfill

import (
	"encoding/binary"
	"errors"
	"math"
	"time"

	"github.com/garminkit/activityapi/internal/recordlog"
	"github.com/garminkit/activityapi/types"
)

// The log of a fileLedger is a file of records, which are replayed in order.
//
//	log     = "gbledger" version record*     version is the byte 1
//	record  = length checksum payload        length and checksum are 32 bits,
//	                                         little-endian; checksum is the
//	                                         CRC-32C of the payload
//	payload = 1 user kinds                   a Save
//	        | 2 user kind starts             arrivals
//	        | 3 user                         the user is forgotten
//	user    = string
//	string  = uvarint byte*                  as many as the number says
//	kinds   = uvarint chunk*                 as many as the number says
//	chunk   = kind state flags attempts start length
//	          [requested] [answered] [reason detail] [from to] [doubt]
//	starts  = uvarint varint varint*         their number, the first, and the
//	                                         step from each to the next
//
// kind is the place in [Kinds], from 1. kind, state and flags are bytes; attempts and length are uvarints, the other
// numbers varints. start, from and to are Unix seconds, length is in seconds,
// requested, answered and doubt are Unix nanoseconds. The bits of flags tell, from
// the lowest, which of the optional parts are there. A record stands for
// itself: none refers to another, so that damage to one does not spread.
const (
	logHeader  = "gbledger\x01"
	frameSize  = 8
	maxPayload = 4 << 20

	typeSave    = 1
	typeArrived = 2
	typeForget  = 3

	hasRequested = 1 << 0
	hasAnswered  = 1 << 1
	hasReason    = 1 << 2
	hasEarlier   = 1 << 3
	hasDoubt     = 1 << 4
)

var errRecord = errors.New("backfill: malformed record")

// appendFrame appends a record whose payload is written by fill.
func appendFrame(b []byte, fill func([]byte) []byte) []byte {
	at := len(b)
	b = fill(append(b, make([]byte, frameSize)...))
	payload := b[at+frameSize:]
	binary.LittleEndian.PutUint32(b[at:], uint32(len(payload)))
	binary.LittleEndian.PutUint32(b[at+4:], recordlog.Checksum(payload))
	return b
}

func appendString(b []byte, s string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(s))), s...)
}

func appendSave(b []byte, userID types.UserID, n int, chunks func(add func(number, *entry))) []byte {
	b = append(b, typeSave)
	b = appendString(b, string(userID))
	b = binary.AppendUvarint(b, uint64(n))
	chunks(func(k number, e *entry) { b = appendEntry(b, k, e) })
	return b
}

func appendEntry(b []byte, k number, e *entry) []byte {
	var flags byte
	if e.requested != 0 {
		flags |= hasRequested
	}
	if e.answered != 0 {
		flags |= hasAnswered
	}
	if e.more != nil && (e.more.reason != "" || e.more.detail != "") {
		flags |= hasReason
	}
	if e.more != nil && e.more.earlier != (types.Window{}) {
		flags |= hasEarlier
	}
	if e.more != nil && e.more.inDoubt != 0 {
		flags |= hasDoubt
	}
	b = append(b, byte(k)+1, byte(e.state), flags)
	b = binary.AppendUvarint(b, uint64(e.attempts))
	b = binary.AppendVarint(b, e.start)
	b = binary.AppendUvarint(b, uint64(e.end-e.start))
	if flags&hasRequested != 0 {
		b = binary.AppendVarint(b, e.requested)
	}
	if flags&hasAnswered != 0 {
		b = binary.AppendVarint(b, e.answered)
	}
	if flags&hasReason != 0 {
		b = appendString(appendString(b, e.more.reason), e.more.detail)
	}
	if flags&hasEarlier != 0 {
		b = binary.AppendVarint(b, e.more.earlier.Start.Unix())
		b = binary.AppendVarint(b, e.more.earlier.End.Unix())
	}
	if flags&hasDoubt != 0 {
		b = binary.AppendVarint(b, e.more.inDoubt)
	}
	return b
}

func appendArrivals(b []byte, userID types.UserID, k number, starts []int64) []byte {
	b = append(b, typeArrived)
	b = appendString(b, string(userID))
	b = append(b, byte(k)+1)
	b = binary.AppendUvarint(b, uint64(len(starts)))
	last := int64(0)
	for _, s := range starts {
		b = binary.AppendVarint(b, s-last)
		last = s
	}
	return b
}

func appendForget(b []byte, userID types.UserID) []byte {
	return appendString(append(b, typeForget), string(userID))
}

// record is a payload taken apart.
type record struct {
	userID  []byte
	forget  bool
	kinds   []number // of entries; of a record of arrivals, the one kind
	entries []entry
	starts  []int64
}

// parse reads a payload into r, using its memory again. It accepts nothing but
// what the append functions write, with values that a ledger can hold.
func (r *record) parse(b []byte) error {
	p := parser{b: b}
	r.forget, r.kinds, r.entries, r.starts = false, r.kinds[:0], r.entries[:0], r.starts[:0]
	typ := p.byte()
	r.userID = p.bytes()
	if len(r.userID) == 0 {
		return errRecord
	}
	switch typ {
	case typeSave:
		for n := p.uvarint(); n > 0 && !p.bad; n-- {
			r.kinds = append(r.kinds, number(p.byte()-1))
			r.entries = append(r.entries, p.entry())
			if !r.kinds[len(r.kinds)-1].valid() {
				return errRecord
			}
		}
	case typeArrived:
		r.kinds = append(r.kinds, number(p.byte()-1))
		if !r.kinds[0].valid() {
			return errRecord
		}
		last := int64(0)
		for n := p.uvarint(); n > 0 && !p.bad; n-- {
			last += p.varint()
			r.starts = append(r.starts, last)
		}
	case typeForget:
		r.forget = true
	default:
		return errRecord
	}
	if p.bad || len(p.b) != 0 {
		return errRecord
	}
	return nil
}

// parser reads from b; once something is wrong, bad stays set.
type parser struct {
	b   []byte
	bad bool
}

func (p *parser) byte() byte {
	if len(p.b) == 0 {
		p.bad = true
		return 0
	}
	c := p.b[0]
	p.b = p.b[1:]
	return c
}

func (p *parser) uvarint() uint64 {
	v, n := binary.Uvarint(p.b)
	if n <= 0 {
		p.bad = true
		return 0
	}
	p.b = p.b[n:]
	return v
}

func (p *parser) varint() int64 {
	v, n := binary.Varint(p.b)
	if n <= 0 {
		p.bad = true
		return 0
	}
	p.b = p.b[n:]
	return v
}

func (p *parser) bytes() []byte {
	n := p.uvarint()
	if p.bad || n > uint64(len(p.b)) {
		p.bad = true
		return nil
	}
	s := p.b[:n]
	p.b = p.b[n:]
	return s
}

func (p *parser) entry() entry {
	var e entry
	e.state = State(p.byte())
	flags := p.byte()
	attempts := p.uvarint()
	e.start = p.varint()
	length := p.uvarint()
	if !e.state.valid() || flags >= hasDoubt<<1 || attempts > math.MaxUint8 ||
		length > 1<<40 || (types.Window{Start: time.Unix(e.start, 0), End: time.Unix(e.start+int64(length), 0)}).Check(math.MaxInt64) != nil {
		p.bad = true
	}
	e.attempts = uint8(attempts)
	e.end = e.start + int64(length)
	if flags&hasRequested != 0 {
		e.requested = p.varint()
	}
	if flags&hasAnswered != 0 {
		e.answered = p.varint()
	}
	if flags&(hasReason|hasEarlier|hasDoubt) != 0 {
		e.more = &more{}
	}
	if flags&hasReason != 0 {
		e.more.reason = string(p.bytes())
		e.more.detail = string(p.bytes())
	}
	if flags&hasEarlier != 0 {
		from, to := p.varint(), p.varint()
		e.more.earlier = types.Window{Start: time.Unix(from, 0).UTC(), End: time.Unix(to, 0).UTC()}
	}
	if flags&hasDoubt != 0 {
		e.more.inDoubt = p.varint()
	}
	return e
}
