package spool

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"slices"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"github.com/garminkit/activityapi/notify"
	"github.com/garminkit/activityapi/types"
)

// FuzzScan makes a segment of good records, records with a changed byte, zeros
// and garbage, torn at its end, and wants every good record back, in order.
func FuzzScan(f *testing.F) {
	f.Add([]byte{0, 5, 0, 200, 1, 9, 40, 0, 3, 2, 4, 0, 17, 3, 2, 0, 9}, uint16(0))
	f.Add([]byte{1, 0, 0, 1, 33, 4, 0, 8, 1, 8, 24, 0, 1}, uint16(20))
	f.Add([]byte{0, 0, 2, 255, 0, 255}, uint16(7))
	const name = "0000000000000003-00000000000000ff" + segmentSuffix
	f.Fuzz(func(t *testing.T, program []byte, tear uint16) {
		g := (&spool{}).newSegment(3, name)
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
		c := g.scanner(bytes.NewReader(log), 0, int64(len(log)), scanAhead)
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

// FuzzLetterHead writes any head and reads it again, and reads any bytes as a
// letter's file: without the right checksum they are none.
func FuzzLetterHead(f *testing.F) {
	f.Add([]byte("spool letter 2 00000000 2\n{}\n"), "activities", "u", "why", 3)
	f.Add([]byte("spool letter 1 00000000 2\n{}"), "", "", "", -1)
	f.Add([]byte("spool letter 2"), "\x00", "\xff", "a\nb", 0)
	f.Fuzz(func(t *testing.T, data []byte, key, user, reason string, attempts int) {
		read := func(data []byte) *openedLetter {
			d := newDisk()
			d.names["/l"] = &inode{data: data}
			file, err := d.Open("/l")
			require.NoError(t, err)
			l := &openedLetter{f: file, size: int64(len(data)), name: letterName{kind: ofItem}}
			if err := l.readHead(); err != nil {
				require.ErrorIs(t, err, errDamagedLetter)
				return nil
			}
			return l
		}
		if l := read(data); l != nil && !bytes.HasPrefix(data, []byte("spool letter ")) {
			t.Fatalf("a letter without checksum: %q", data)
		}
		h := letterHead{Key: key, UserID: user, Reason: reason, Attempts: attempts, Size: 2}
		p, err := h.encode(nil, letterName{})
		require.NoError(t, err)
		l := read(append(p, "{}"...))
		require.NotNil(t, l)
		require.Equal(t, attempts, l.head.Attempts)
		if utf8.ValidString(key) && utf8.ValidString(user) && utf8.ValidString(reason) {
			require.Equal(t, h, l.head)
		}
		p[len(p)/2] ^= 1
		require.Nil(t, read(append(p, "{}"...)), "a flipped bit")
	})
}

// FuzzIndex makes an index of drawn items and wants them back, in order and one by
// one, and takes any bytes for an index without a panic.
func FuzzIndex(f *testing.F) {
	f.Add([]byte{1, 2, 3, 4, 5}, uint16(700), uint16(3))
	f.Add([]byte{0, 255, 0, 9, 9, 9}, uint16(257), uint16(90))
	f.Fuzz(func(t *testing.T, p []byte, n, flip uint16) {
		m := &memFile{}
		w := newIndexWriter(m, nil)
		var want []notify.Piece
		at := int64(1)
		for i := range int(n % 2000) {
			c := byte(i)
			if len(p) > 0 {
				c = p[i%len(p)]
			}
			q := notify.Piece{Class: notify.Class(c % notify.Classes), Key: string(p[:min(len(p), int(c%3))]), Index: i,
				Offset: at, Size: int64(c) + 1, UserID: types.UserID(p[len(p)-min(len(p), int(c%5)):])}
			q.Touch[c%16] = c
			at += q.Size + 1
			want = append(want, q)
			w.add(&q)
		}
		if n%2 == 1 {
			want = append(want, notify.Piece{Class: notify.ClassBad, Size: at})
			w.add(&want[len(want)-1])
		}
		require.NoError(t, w.finish(make([]uint32, (at+sumStep-1)/sumStep), at, 7))
		idx, err := readIndex(m, int64(len(m.p)), at, 7)
		require.NoError(t, err)
		var got []notify.Piece
		for i := range idx.blocks {
			list, err := idx.block(m, i)
			require.NoError(t, err)
			for _, q := range list {
				require.Equal(t, i, idx.find(offsetOf(pieceID(1, &q))))
			}
			got = append(got, list...)
		}
		require.Equal(t, want, got)
		_, err = readIndex(m, int64(len(m.p)), at, 8)
		require.Error(t, err, "of another body")
		if len(m.p) > 0 {
			m.p[int(flip)%len(m.p)] ^= 1
			if torn, err := readIndex(m, int64(len(m.p)), at, 7); err == nil {
				require.Equal(t, idx, torn)
				for i := range idx.blocks {
					if list, err := idx.block(m, i); err == nil {
						require.Equal(t, list, want[:len(list)])
						want = want[len(list):]
					} else {
						want = want[min(blockItems, len(want)):]
					}
				}
			}
		}
		_, _ = decodeBlock(p)
	})
}

// FuzzLooker: whatever way a body comes in pieces, a name is seen, and nothing else
// is taken for one.
func FuzzLooker(f *testing.F) {
	f.Add([]byte(`{"deregistrations":[]}`), uint16(5), uint16(3))
	f.Add([]byte(`{"userPermissionsChange":[]}`), uint16(9), uint16(1))
	f.Add([]byte(`{"dereg\u0069strations":[]}`), uint16(10), uint16(100))
	f.Add([]byte(`{"a":[{"userId":"Change","callbackURL":"URL"}]}`), uint16(10), uint16(100))
	f.Add([]byte(`Change userPermissionsChange`), uint16(30), uint16(2))
	f.Add([]byte(`gistrations, rederegistrationderegistrations`), uint16(30), uint16(2))
	oracle := func(p []byte, texts ...string) bool {
		return slices.ContainsFunc(texts, func(text string) bool { return bytes.Contains(p, []byte(text)) })
	}
	f.Fuzz(func(t *testing.T, p []byte, a, b uint16) {
		var l looker
		for rest := p; len(rest) > 0; a, b = b, a {
			n := min(len(rest), int(a)%40+1)
			l.Write(rest[:n])
			rest = rest[n:]
		}
		require.Equal(t, oracle(p, "deregistrations", "userPermissionsChange", `\u00`), l.yes)
		require.Equal(t, l.yes, hinted(p))
		require.Equal(t, oracle(p, "deregistrations", "userPermissionsChange", "callbackURL"), named(p))
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
	require.NoError(t, s.Close())
	require.NotNil(t, d.names[name])
}

// FuzzFileNames takes any name for a file of the spool: it is refused, or means
// something of which only this is the name.
func FuzzFileNames(f *testing.F) {
	f.Add(segmentName(1, 0, 2), uint64(1), int64(2), int64(3), uint32(4))
	f.Add((&largeBody{seq: 1, received: time.Unix(5, 6), order: 9, size: 7, sum: 8, look: "a"}).name(), uint64(1<<63), int64(-1), int64(1<<62), uint32(0))
	f.Add("0000000000000001.0000000000000002.-5.00000000"+bodySuffix, uint64(0), int64(0), int64(0), uint32(0))
	f.Fuzz(func(t *testing.T, name string, seq uint64, nano, size int64, sum uint32) {
		if l, ok := parseLargeName(name); ok && (l.size < 0 || l.name() != name) {
			t.Fatalf("%q: %+v", name, l)
		}
		if n, ok := parseLetterName(name); ok && n.String() != name {
			t.Fatalf("%q: %+v", name, n)
		}
		if base, _, ok := parseSegmentName(name); ok && fmt.Sprintf("%016x", base) != name[:16] {
			t.Fatalf("%q: %x", name, base)
		}
		size = max(size, -(size + 1))
		want := &largeBody{seq: seq, received: time.Unix(0, nano).UTC(), order: seq ^ uint64(size), size: size, sum: sum, look: [...]string{"", "a", "d"}[sum%3]}
		if want.look == "" {
			want.order = oldOrder(seq)
		}
		want.file = want.name()
		if l, ok := parseLargeName(want.file); !ok || *l != *want {
			t.Fatalf("%q: %+v", want.file, l)
		}
		order := uint64(max(nano, 0))
		if base, o, ok := parseSegmentName(segmentName(seq, order, uint64(nano))); !ok || base != seq || o != order {
			t.Fatalf("%x: %x", seq, base)
		}
	})
}
