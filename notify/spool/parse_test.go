package spool

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"github.com/garminkit/activityapi/notify"
)

// FuzzScan makes a segment of good records, records with a changed byte, zeros
// and garbage, torn at its end, and wants every good record back, in order.
func FuzzScan(f *testing.F) {
	f.Add([]byte{0, 5, 0, 200, 1, 9, 40, 0, 3, 2, 4, 0, 17, 3, 2, 0, 9}, uint16(0))
	f.Add([]byte{1, 0, 0, 1, 33, 4, 0, 8, 1, 8, 24, 0, 1}, uint16(20))
	f.Add([]byte{0, 0, 2, 255, 0, 255}, uint16(7))
	const name = "0000000000000003-00000000000000ff" + segmentSuffix
	f.Fuzz(func(t *testing.T, program []byte, tear uint16) {
		g := (&Spool{}).newSegment(3, name)
		next := func() int {
			if len(program) == 0 {
				return 0
			}
			c := program[0]
			program = program[1:]
			return int(c)
		}
		type good struct {
			off, end int64
			seq      uint64
			body     []byte
		}
		var log []byte
		var want []good
		for seq := uint64(3); len(program) > 0 && len(log) < 1<<16; seq++ {
			switch op := next(); op % 5 {
			case 0, 1:
				body := bytes.Repeat([]byte{byte(op), byte(seq), 0, 0xff}, next())[:]
				body = body[:len(body)-min(len(body), op>>4&3)]
				record := make([]byte, recordSize(len(body)))
				header{seq: seq, received: int64(seq) << 40, size: uint32(len(body)), sum: crc32.Checksum(body, castagnoli)}.encode(record, g.salt)
				copy(record[headerSize:], body)
				if op%5 == 1 {
					record[(next()*8+op>>5)%(headerSize+len(body))] ^= 1 << (op >> 5)
				} else {
					want = append(want, good{int64(len(log)), int64(len(log) + headerSize + len(body)), seq, body})
				}
				log = append(log, record...)
			case 2:
				log = append(log, make([]byte, 8*next())...)
			default:
				for range next() % 32 {
					log = binary.LittleEndian.AppendUint64(log, recordMagic<<(op%4*8)|uint64(next())<<32)
				}
			}
		}
		log = log[:len(log)-min(len(log), int(tear))]
		c := newScanner(bytes.NewReader(log), g, int64(len(log)))
		at := int64(0)
		for {
			it, ok, err := c.next()
			if err != nil {
				t.Fatal(err)
			}
			if !ok {
				break
			}
			if it.off < at || it.next <= it.off || it.next > int64(len(log)) {
				t.Fatalf("item at %d to %d behind %d of %d", it.off, it.next, at, len(log))
			}
			at = it.next
			if it.damaged {
				if len(want) > 0 && it.off < want[0].end && it.next > want[0].off && want[0].end <= int64(len(log)) {
					t.Fatalf("the record at %d is taken for damage at %d to %d", want[0].off, it.off, it.next)
				}
				continue
			}
			if len(want) == 0 || it.off != want[0].off || it.seq != want[0].seq || !bytes.Equal(it.body, want[0].body) || it.received != int64(it.seq)<<40 {
				t.Fatalf("a record at %d that was not stored: %+v", it.off, it)
			}
			want = want[1:]
		}
		if len(want) > 0 && want[0].end <= int64(len(log)) {
			t.Fatalf("the record at %d is lost", want[0].off)
		}
	})
}

// FuzzLetter reads any bytes as a letter with a good checksum, and what it
// gives again. Without the checksum it is refused.
func FuzzLetter(f *testing.F) {
	data, err := encodeLetter(&notify.Letter{Key: "activities", UserID: "u", Reason: "why", Attempts: 3, Raw: []byte("{}\n{}"),
		Received: time.Unix(1e9, 5).UTC(), Buried: time.Unix(2e9, 0).UTC()})
	if err != nil {
		f.Fatal(err)
	}
	_, rest, _ := bytes.Cut(data, []byte("\n"))
	f.Add(rest)
	f.Add([]byte("{}\n"))
	f.Add([]byte("{}"))
	f.Add([]byte("null\nnull"))
	f.Add([]byte(`{"key":"\ud800","received":"0000-01-01T00:00:00Z"}` + "\n"))
	f.Fuzz(func(t *testing.T, rest []byte) {
		if _, err := decodeLetter(rest); err == nil && !bytes.HasPrefix(rest, []byte(letterMagic)) {
			t.Fatalf("a letter without checksum: %q", rest)
		}
		l, err := decodeLetter(fmt.Appendf(nil, "%s %08x %d\n%s", letterMagic, crc32.Checksum(rest, castagnoli), len(rest), rest))
		if err != nil {
			return
		}
		for _, s := range []string{l.Key, l.UserID, l.Reason} {
			if !utf8.ValidString(s) {
				t.Fatalf("%q", s)
			}
		}
		data, err := encodeLetter(l)
		if err != nil {
			return // a year that RFC 3339 cannot write
		}
		again, err := decodeLetter(data)
		if err != nil || !again.Received.Equal(l.Received) || !again.Buried.Equal(l.Buried) || !bytes.Equal(again.Raw, l.Raw) ||
			again.Key != l.Key || again.UserID != l.UserID || again.Reason != l.Reason || again.Attempts != l.Attempts || again.Quarantined != l.Quarantined {
			t.Fatalf("%+v became %+v, %v", l, again, err)
		}
	})
}

// TestForeignLargeFile: a file that nobody wrote here, with a size below zero
// in its name, is left alone.
func TestForeignLargeFile(t *testing.T) {
	t.Parallel()
	d := newDisk()
	const name = "/spool/large/0000000000000001.0000000000000002.-5.00000000" + bodySuffix
	d.names[name] = &inode{data: []byte("bytes")}
	s := openDisk(t, d)
	require.Empty(t, drain(t, s))
	require.Zero(t, s.Stats().Bodies)
	require.NoError(t, s.Close())
	require.NotNil(t, d.names[name])
}

// FuzzFileNames takes any name for a file of the spool: it is refused, or means
// something of which only this is the name.
func FuzzFileNames(f *testing.F) {
	f.Add(segmentName(1, 2), uint64(1), int64(2), int64(3), uint32(4))
	f.Add(largeName(1, time.Unix(5, 6), 7, 8), uint64(1<<63), int64(-1), int64(1<<62), uint32(0))
	f.Add("0000000000000001.0000000000000002.-5.00000000"+bodySuffix, uint64(0), int64(0), int64(0), uint32(0))
	f.Fuzz(func(t *testing.T, name string, seq uint64, nano, size int64, sum uint32) {
		if l, ok := parseLargeName(name); ok && (l.size < 0 || largeName(l.seq, l.received, l.size, l.sum) != name) {
			t.Fatalf("%q: %+v", name, l)
		}
		if base, ok := parseSegmentName(name); ok && fmt.Sprintf("%016x", base) != name[:16] {
			t.Fatalf("%q: %x", name, base)
		}
		size = max(size, -(size + 1))
		large := largeName(seq, time.Unix(0, nano), size, sum)
		if l, ok := parseLargeName(large); !ok || l.seq != seq || l.received.UnixNano() != nano || l.size != size || l.sum != sum {
			t.Fatalf("%q: %+v", large, l)
		}
		if base, ok := parseSegmentName(segmentName(seq, uint64(nano))); !ok || base != seq {
			t.Fatalf("%x: %x", seq, base)
		}
	})
}
