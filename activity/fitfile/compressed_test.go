package fitfile_test

import (
	"bytes"
	"encoding/binary"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/garminkit/activityapi/activity/fitfile"
	"github.com/garminkit/activityapi/types"
)

// fitWriter writes a FIT file message by message, by the protocol's description
// and without a library.
type fitWriter struct {
	data []byte
	ends []int // of each message, in data
}

func (w *fitWriter) message(b ...byte) {
	w.data = append(w.data, b...)
	w.ends = append(w.ends, len(w.data))
}

// file returns header, the first n bytes of the data, and the checksum of a
// header that announces all of them.
func (w *fitWriter) file(n int) []byte {
	b := append([]byte{14, 0x20, 0, 0, 0, 0, 0, 0}, ".FIT"...)
	binary.LittleEndian.PutUint32(b[4:], uint32(len(w.data)))
	b = binary.LittleEndian.AppendUint16(b, crcOf(b))
	b = append(b, w.data[:n]...)
	if n < len(w.data) {
		return b
	}
	return binary.LittleEndian.AppendUint16(b, crcOf(b))
}

func crcOf(b []byte) (crc uint16) {
	for _, c := range b {
		crc ^= uint16(c)
		for range 8 {
			crc = crc>>1 ^ 0xA001*(crc&1)
		}
	}
	return crc
}

// TestCompressedTimestampsAndDeveloperFields: records whose time is in five bits
// of their header, with a field of an app, whole and cut behind each message and
// at each byte. What is before the cut comes, and the cut is told.
func TestCompressedTimestampsAndDeveloperFields(t *testing.T) {
	t.Parallel()
	const epoch, start = 631065600, 1_000_000_017
	w := &fitWriter{}
	w.message(0x40, 0, 0, 0, 0, 1, 0, 1, 0x00) // 0: file_id with a type
	w.message(0x00, 4)
	w.message(0x41, 0, 0, 207, 0, 1, 3, 1, 0x02) // 1: developer_data_id
	w.message(0x01, 0)
	w.message(0x42, 0, 0, 206, 0, 5, 0, 1, 0x02, 1, 1, 0x02, 2, 1, 0x02, 3, 6, 0x07, 8, 3, 0x07) // 2: field_description
	w.message(append([]byte{0x02, 0, 7, 0x84}, "stride"[:5]+"\x00cm\x00"...)...)
	w.message(0x60, 0, 0, 20, 0, 2, 253, 4, 0x86, 3, 1, 0x02, 1, 7, 2, 0) // 0: record with a timestamp, and an app's field
	w.message(0x61, 0, 0, 20, 0, 1, 3, 1, 0x02, 1, 7, 2, 0)               // 1: record without one
	type record struct {
		at     int
		hr     int
		stride float64
	}
	var want []record
	var whole []int // of ends, how many records are before each
	mark := func() {
		for len(whole) < len(w.ends) {
			whole = append(whole, len(want))
		}
	}
	mark()
	for i := range 100 {
		at := start + i*7 // five bits go round every 32 s
		b := []byte{0x80 | 1<<5 | byte(at&31), byte(100 + i)}
		if i%25 == 0 {
			b = append([]byte{0x00}, binary.LittleEndian.AppendUint32(nil, uint32(at))...)
			b = append(b, byte(100+i))
		}
		want = append(want, record{at, 100 + i, float64(1000 + i)})
		w.message(binary.LittleEndian.AppendUint16(b, uint16(1000+i))...)
		mark()
	}
	read := func(file []byte) (got []record, warned []fitfile.Warn, failed error) {
		for m, err := range fitfile.Messages(bytes.NewReader(file)) {
			if err != nil {
				return got, warned, err
			}
			switch m := m.(type) {
			case *fitfile.Warning:
				warned = append(warned, m.Warn)
			case *fitfile.Record:
				require.Len(t, m.Developer, 1)
				require.Equal(t, "strid", m.Developer[0].Name)
				require.Equal(t, "cm", m.Developer[0].Units)
				got = append(got, record{int(m.StartTimeInSeconds) - epoch, *m.HeartRate, *m.Developer[0].Value})
				require.Equal(t, types.Timestamp(got[len(got)-1].at+epoch), m.StartTimeInSeconds)
			}
		}
		return got, warned, nil
	}
	got, warned, err := read(w.file(len(w.data)))
	require.NoError(t, err)
	require.Equal(t, want, got)
	require.Equal(t, []fitfile.Warn{fitfile.WarnNoSession}, warned)
	last := 0
	for i, end := range w.ends {
		for n := last; n < end; n++ { // n == last is the cut behind a message
			got, warned, err := read(w.file(n))
			before := 0
			if i > 0 {
				before = whole[i-1]
			}
			if err != nil {
				require.ErrorIs(t, err, fitfile.ErrFormat, "cut at %d", n)
				require.Zero(t, before)
				continue
			}
			require.Len(t, got, before, "cut at %d", n)
			require.True(t, before == 0 || before > 0 && equal(got, want[:before]), "cut at %d", n)
			require.Contains(t, warned, fitfile.WarnTruncated, "cut at %d", n)
		}
		last = end
	}
	// Without a time to count from, there is none, and the rest is there.
	w = &fitWriter{}
	w.message(0x40, 0, 0, 0, 0, 1, 0, 1, 0x00)
	w.message(0x00, 4)
	w.message(0x41, 0, 0, 20, 0, 1, 3, 1, 0x02)
	w.message(0x80|1<<5|9, 61)
	n := 0
	for m, err := range fitfile.Messages(bytes.NewReader(w.file(len(w.data)))) {
		require.NoError(t, err)
		if r, ok := m.(*fitfile.Record); ok {
			n++
			require.Equal(t, 61, *r.HeartRate)
			require.Less(t, int64(r.StartTimeInSeconds), int64(epoch+32))
		}
	}
	require.Equal(t, 1, n)
}

func equal[T comparable](a, b []T) bool {
	for i := range a {
		if a[i] != b[i] {
			return false
		}
	}
	return len(a) == len(b)
}
