package claimdir

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"hash/crc32"
	"io"

	"github.com/garminkit/activityapi/internal/recordlog"
)

// A record of a claim, in the log and in the runs:
//
//	 0  4  "clm1"
//	 4  4  size of the body
//	 8  8  when the claim was written, in nanoseconds of Unix time
//	16  1  kind
//	17  1  length of the id
//	18  2  zero
//	20  4  checksum of the body
//	24  4  checksum of the 24 bytes before and of the id
//	28     the id, and the body: the claim as encode makes it
//
// Numbers are little-endian. The id has a checksum that is not the body's, so that
// a damaged claim is known to be one in doubt, and is not forgotten.
const (
	claimMagic  = 0x316d6c63
	claimHeader = 28
	// maxClaim is far more than a claim takes.
	maxClaim = 16 << 20
)

type claimKind byte

const (
	claimKept        claimKind = iota + 1 // never forgotten
	claimForgettable                      // forgotten when it is old
	claimGone                             // given back: there is none
	claimRuns                             // no claim: names the runs
	claimDamaged                          // only in memory
)

type claimRecord struct {
	id   string
	kind claimKind
	at   int64
	body []byte // valid until the next one is read
}

// claimKey stands for an id. Keys are spread evenly.
type claimKey [16]byte

func keyOfClaim(id string) claimKey {
	sum := sha256.Sum256([]byte(id))
	return claimKey(sum[:len(claimKey{})])
}

func (r *claimRecord) append(b []byte) []byte {
	le, at := binary.LittleEndian, len(b)
	b = le.AppendUint32(b, claimMagic)
	b = le.AppendUint32(b, uint32(len(r.body)))
	b = le.AppendUint64(b, uint64(r.at))
	b = append(b, byte(r.kind), byte(len(r.id)), 0, 0)
	b = le.AppendUint32(b, recordlog.Checksum(r.body))
	b = le.AppendUint32(b, headSum(b[at:], []byte(r.id)))
	b = append(b, r.id...)
	return append(b, r.body...)
}

func headSum(head, id []byte) uint32 {
	return crc32.Update(recordlog.Checksum(head), crc32.MakeTable(crc32.Castagnoli), id)
}

// doubt makes a claim that is damaged one that is in doubt.
func (r *claimRecord) doubt(kind claimKind) {
	if r.kind == claimDamaged {
		r.kind, r.body = kind, nil
	}
}

// decodeClaimHead reads a header with the id behind it, and tells how large the
// record is. size is 0 if there is none.
func decodeClaimHead(p []byte) (r claimRecord, size int) {
	le := binary.LittleEndian
	if len(p) < claimHeader || le.Uint32(p) != claimMagic {
		return r, 0
	}
	body, n := le.Uint32(p[4:]), int(p[17])
	if body > maxClaim || len(p) < claimHeader+n {
		return r, 0
	}
	id := p[claimHeader : claimHeader+n]
	if le.Uint32(p[24:]) != headSum(p[:24], id) {
		return r, 0
	}
	r = claimRecord{id: string(id), kind: claimKind(p[16]), at: int64(le.Uint64(p[8:]))}
	return r, claimHeader + n + int(body)
}

// decodeClaimRecord reads one whole record. Without its body the kind is
// claimDamaged.
func decodeClaimRecord(p []byte) (r claimRecord, ok bool) {
	r, size := decodeClaimHead(p)
	if size == 0 || size > len(p) {
		return r, false
	}
	if r.body = p[claimHeader+len(r.id) : size]; recordlog.Checksum(r.body) != binary.LittleEndian.Uint32(p[20:]) {
		r.kind = claimDamaged
	}
	return r, true
}

// claimScan reads the records of a file in order. Behind what is damaged it goes on
// with the next one.
type claimScan struct {
	r        io.ReaderAt
	pos, end int64 // where the next record is looked for, and where the file ends
	good     int64 // the end of the last record

	claimRecord
	off  int64 // of the record
	size int   // of all of it

	buf  []byte
	from int64
}

func scanClaims(r io.ReaderAt, from, end int64) *claimScan {
	return &claimScan{r: r, pos: from, end: end, good: from}
}

// next finds the next record. It is false at the end.
func (s *claimScan) next() (bool, error) {
	for s.pos < s.end {
		p, err := s.view(claimHeader + 255)
		if err != nil {
			return false, err
		}
		if _, size := decodeClaimHead(p); size > 0 && s.pos+int64(size) <= s.end {
			if p, err = s.view(size); err != nil {
				return false, err
			}
			s.claimRecord, _ = decodeClaimRecord(p)
			s.off, s.size = s.pos, size
			s.pos += int64(size)
			s.good = s.pos
			return true, nil
		}
		s.pos++
		if p, err = s.view(64 << 10); err != nil {
			return false, err
		}
		var magic [4]byte
		binary.LittleEndian.PutUint32(magic[:], claimMagic)
		if i := bytes.Index(p, magic[:]); i >= 0 {
			s.pos += int64(i)
		} else {
			s.pos += int64(max(1, len(p)-len(magic)))
		}
	}
	return false, nil
}

// view returns n bytes, or fewer at the end.
func (s *claimScan) view(n int) ([]byte, error) {
	n = int(min(int64(n), s.end-s.pos))
	if s.pos < s.from || s.pos+int64(n) > s.from+int64(len(s.buf)) {
		want := int(min(int64(max(n, 256<<10)), s.end-s.pos))
		if cap(s.buf) < want {
			s.buf = make([]byte, want)
		}
		s.buf, s.from = s.buf[:want], s.pos
		m, err := s.r.ReadAt(s.buf, s.pos)
		if s.buf = s.buf[:m]; err != nil && err != io.EOF {
			s.buf = s.buf[:0]
			return nil, err
		}
		n = min(n, m)
	}
	return s.buf[s.pos-s.from:][:n], nil
}
