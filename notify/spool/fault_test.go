package spool

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"github.com/garminkit/activityapi/internal/redelivery"
	"github.com/garminkit/activityapi/notify"
	"io"
	"maps"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// faultFor fails the operations that match, after letting keep bytes of a write
// through.
func faultFor(kind, part string, keep int, err error) func(op) (int, error) {
	return func(o op) (int, error) {
		if o.kind == kind && strings.Contains(o.name, part) {
			return min(keep, len(o.data)), err
		}
		return 0, nil
	}
}

// TestDiskFaults lets the disk fail in every way that a Put can meet. Each time
// the Put fails, what was stored before stays, nothing of the failed body is
// found, now or after a restart, and when the disk is well again the spool goes
// on.
func TestDiskFaults(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, kind, part string
		keep             int
		err              error
		large            bool
	}{
		{"F16 disk full in the log", "write", logDir, 0, errFull, false},
		{"F16 disk full half way through a record", "write", logDir, 50, errFull, false},
		{"F16 write error in the log", "write", logDir, 0, syscall.EIO, false},
		{"F16 short write in the log", "write", logDir, 50, io.ErrShortWrite, false},
		{"F16 sync error in the log", "sync", logDir, 0, syscall.EIO, false},
		{"F16 no new segment", "create", logDir, 0, errFull, false},
		{"F16 no new segment that lasts", "syncdir", logDir, 0, syscall.EIO, false},
		{"F16 disk full in a large body", "write", largeDir, 1000, errFull, true},
		{"F16 write error in a large body", "write", largeDir, 0, syscall.EIO, true},
		{"F16 short write in a large body", "write", largeDir, 1000, io.ErrShortWrite, true},
		{"F16 sync error in a large body", "sync", largeDir, 0, syscall.EIO, true},
		{"F16 large body cannot be made", "create", largeDir, 0, errReadOnly, true},
		{"F16 large body cannot be named", "rename", largeDir, 0, syscall.EIO, true},
		{"F16 large body's name does not last", "syncdir", largeDir, 0, syscall.EIO, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			d := newDisk()
			s := openDisk(t, d)
			var want []int
			put := func(i int) error { return s.Put(t.Context(), bytes.NewReader(numbered(i))) }
			fill := func(from int) {
				for i := from; i < from+20; i++ {
					require.NoError(t, put(i))
					want = append(want, i)
				}
			}
			fill(0)
			bad := 1000
			if tt.large {
				bad = 1007
			} else if tt.kind == "create" || tt.kind == "syncdir" {
				// The next segment is due when this one is poisoned.
				d.fault = faultFor("sync", logDir, 0, syscall.EIO)
				require.ErrorIs(t, put(2000), syscall.EIO)
			}
			d.fault = faultFor(tt.kind, tt.part, tt.keep, tt.err)
			for i := range 3 {
				require.ErrorIs(t, put(bad+40*i), tt.err)
			}
			d.fault = nil
			fill(40)
			require.Empty(t, d.abused, "synced again after a sync that failed")

			expect := func() {
				t.Helper()
				have := drain(t, s)
				require.Len(t, have, len(want)*itemsOf)
				for _, i := range want {
					require.Contains(t, have, fmt.Sprintf("%d.0", i))
				}
				require.Zero(t, s.Counts().Damaged)
			}
			expect()
			require.NoError(t, s.Close())
			s = openDisk(t, d)
			expect()
			require.NoError(t, s.Close())

			// And after a power cut: what was acknowledged around the fault.
			p := newPlatter(d.aead)
			for _, o := range d.ops {
				p.apply(o)
			}
			rnd := rand.New(rand.NewPCG(*seed, 3))
			for range 20 {
				s := openDisk(t, p.crash(loseSome, rnd))
				have := drain(t, s)
				for _, i := range want {
					require.Contains(t, have, fmt.Sprintf("%d.0", i))
				}
				s.Close()
			}
		})
	}
}

// TestWriterFaults lets the writer fail while many wait for it: all of the
// batch hear of it.
func TestWriterFaults(t *testing.T) {
	t.Parallel()
	d := newDisk()
	s := openDisk(t, d)
	var syncs int
	d.fault = func(o op) (int, error) {
		if o.kind == "sync" && strings.HasSuffix(o.name, segmentSuffix) {
			if syncs++; syncs%3 == 0 {
				return 0, syscall.EIO
			}
		}
		return 0, nil
	}
	var wg sync.WaitGroup
	var mu sync.Mutex
	stored := map[int]bool{}
	for w := range 16 {
		wg.Go(func() {
			for i := w * 100; i < w*100+50; i++ {
				err := s.Put(t.Context(), bytes.NewReader(numbered(i)))
				mu.Lock()
				if err == nil {
					stored[i] = true
				} else if !errors.Is(err, syscall.EIO) {
					t.Error(err)
				}
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	require.NotEmpty(t, stored)
	require.Less(t, len(stored), 800)
	for range 2 {
		have := drain(t, s)
		require.Len(t, have, len(stored)*itemsOf)
		for i := range stored {
			require.Contains(t, have, fmt.Sprintf("%d.1", i))
		}
		require.NoError(t, s.Close())
		d.fault = nil
		s = openDisk(t, d)
	}
	s.Close()
}

// TestSettleFaults: a Settle that failed has changed nothing, now or after a
// restart, and can be made again. Then there is one letter.
func TestSettleFaults(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	for _, i := range []int{0, 7} { // 7 is a large one
		for _, kind := range []string{"write", "short", "sync", "create", "rename", "syncdir"} {
			for _, part := range []string{logDir, largeDir, letterDir} {
				for _, rest := range []bool{false, true} {
					d := newDisk()
					s := openDisk(t, d)
					put(t, s, numbered(i))
					h := only(t, s)
					items := scanAll(t, s, h)
					require.Len(t, items, itemsOf)
					verdicts := append(done(items[0].ID), buried(items[1].ID)...)
					verdicts[1].Rest = rest
					d.fault = faultFor(kind, part, 9, errFull)
					if kind == "short" {
						d.fault = faultFor("write", part, 9, io.ErrShortWrite)
					}
					err := h.Settle(ctx, verdicts)
					d.fault = nil
					what := fmt.Sprintf("%s in %s of body %d, rest %v: %v", kind, part, i, rest, err)
					if err != nil {
						require.Len(t, scanAll(t, s, h), itemsOf, what)
						// A letter stays if nobody knows whether its mark is gone.
						if part == letterDir || kind != "sync" && kind != "syncdir" {
							require.Empty(t, letterIDs(t, s), what)
						}
						require.NoError(t, h.Settle(ctx, verdicts), what)
					}
					require.Empty(t, d.abused, what)
					for range 2 {
						require.Len(t, drainOf(t, s, h), 1, what)
						require.Len(t, letterIDs(t, s), 1, what)
						require.NoError(t, s.Close())
						s = openDisk(t, d)
						h = only(t, s)
					}
					require.NoError(t, s.Close())
					require.ErrorIs(t, h.Settle(ctx, verdicts), notify.ErrLost)
					require.ErrorIs(t, h.Settle(ctx, verdicts), errClosed)
				}
			}
		}
	}
}

func drainOf(t testing.TB, s *spool, h notify.Share) (names []string) {
	for _, it := range scanAll(t, s, h) {
		names = append(names, name(t, read(t, h, it)))
	}
	return names
}

func letterIDs(t testing.TB, s *spool) (ids []string) {
	for l, err := range s.Letters(context.Background(), nil) {
		require.NoError(t, err)
		ids = append(ids, l.ID)
	}
	return ids
}

// TestUnreadable: what the disk does not give back holds nothing else up, now or
// when the spool is opened, and is tried again.
func TestUnreadable(t *testing.T) {
	t.Parallel()
	d := newDisk()
	s := openDisk(t, d)
	s.indexRoom = 0
	for i := range 200 {
		put(t, s, numbered(i))
	}
	require.Greater(t, len(s.segments), 3)
	bad := s.segments[1].file
	scan := func(s *spool) int {
		h := only(t, s)
		defer h.Release()
		n := 0
		for range 20 { // Indexes are made meanwhile.
			n = len(scanClass(t, h, notify.ClassPush))
			time.Sleep(time.Millisecond)
		}
		return n
	}
	d.fault = faultFor("read", bad, 0, syscall.EIO)
	n := scan(s)
	require.Less(t, n, 200*itemsOf)
	require.Greater(t, n, 100*itemsOf)
	require.Equal(t, 1, s.Counts().Unreadable)
	require.NoError(t, s.Close())
	s = openDisk(t, d)
	require.Equal(t, n, scan(s), "the same after a restart")
	require.Equal(t, 1, s.Counts().Unreadable)
	require.NoError(t, s.Close())
	d.fault = faultFor("read", bodySuffix, 0, syscall.EIO)
	s = openDisk(t, d)
	require.Equal(t, 200*itemsOf, scan(s), "the items of a body are told by its index")
	require.NoError(t, s.Close())
	d.fault = nil
	s = openDisk(t, d)
	require.Len(t, drain(t, s), 200*itemsOf)
	require.NoError(t, s.Close())
}

// TestUnreadableSector: of a segment with one bad page the other bodies are
// found, and it stays until all of it can be read.
func TestUnreadableSector(t *testing.T) {
	t.Parallel()
	d := newDisk()
	s := openDisk(t, d)
	for i := range 100 {
		put(t, s, numbered(i))
	}
	require.NoError(t, s.Close())
	const bad = 20_000
	d.fault = func(o op) (int, error) {
		if o.kind == "read" && strings.HasSuffix(o.name, segmentSuffix) && o.off <= bad && o.off+int64(o.size) > bad {
			return 0, syscall.EIO
		}
		return 0, nil
	}
	for range 2 {
		s = openDisk(t, d)
		h := only(t, s)
		var n int
		for range 20 {
			n = len(scanClass(t, h, notify.ClassPush))
			time.Sleep(time.Millisecond)
		}
		require.Greater(t, n, 80*itemsOf)
		require.Less(t, n, 100*itemsOf)
		for _, it := range scanClass(t, h, notify.ClassPush) {
			require.NoError(t, h.Settle(context.Background(), done(it.ID)))
		}
		require.NotZero(t, s.Counts().Unreadable)
		require.NoError(t, s.Close())
		d.fault, _ = nil, d.fault
		s = openDisk(t, d)
		require.Len(t, drain(t, s), 100*itemsOf-n, "what could not be read is there when it can be")
		require.NoError(t, s.Close())
		break //nolint:staticcheck // the first file is enough
	}
}

// TestDamageIsToldOnce: a letter about damage does not come back when it was
// dealt with.
func TestDamageIsToldOnce(t *testing.T) {
	t.Parallel()
	d := newDiskOf(nil)
	s := openDisk(t, d)
	for i := range 12 { // 7 is a large one
		put(t, s, numbered(i))
	}
	require.NoError(t, s.Close())
	for name, ino := range d.names {
		switch {
		case strings.HasSuffix(name, segmentSuffix) && len(ino.data) > 0:
			ino.data[headerSize+3] ^= 4 // the first body
			second := recordSize(len(numbered(0)))
			ino.data[second+9] ^= 4 // the number of the second
		case strings.HasSuffix(name, bodySuffix):
			ino.data[100] ^= 4
		}
	}
	s = openDisk(t, d)
	require.Len(t, drain(t, s), 9*itemsOf)
	require.Equal(t, 3, s.Counts().Damaged)
	letters := lettersOf(t, s)
	require.Len(t, letters, 3)
	first := bytes.Clone(numbered(0))
	first[3] ^= 4
	require.Contains(t, slices.Collect(maps.Values(letters)), string(first), "the bytes are there for a person to mend")
	for id, body := range letters {
		if len(body) < 2000 {
			require.NoError(t, s.Discard(t.Context(), id))
		}
	}
	for range 2 {
		require.NoError(t, s.Close())
		s = openDisk(t, d)
		require.Len(t, drain(t, s), 9*itemsOf)
		require.Len(t, letterIDs(t, s), 1)
	}
	// The large one comes back as it is.
	require.NoError(t, s.Redrive(t.Context(), letterIDs(t, s)[0]))
	require.Empty(t, letterIDs(t, s))
	h := only(t, s)
	whole := int64(0)
	for _, it := range scanAll(t, s, h) {
		if offsetOf(it.ID) == wholeBody {
			whole = it.Size
		}
	}
	require.EqualValues(t, len(numbered(7)), whole+int64(len(numbered(7)))*btoi(whole == 0))
	require.NoError(t, s.Close())
	for name := range d.names {
		require.NotContains(t, name, damagedSuffix)
	}
}

func btoi(b bool) int64 {
	if b {
		return 1
	}
	return 0
}

func TestDamagedLetter(t *testing.T) {
	t.Parallel()
	d := newDisk()
	s := openDisk(t, d)
	put(t, s, numbered(1))
	h := only(t, s)
	require.NoError(t, h.Settle(t.Context(), buried(scanAll(t, s, h)[0].ID)))
	for name, ino := range d.names {
		if strings.HasSuffix(name, letterSuffix) {
			ino.data[len(ino.data)-sumSize-2] ^= 1 // in the item
		}
	}
	id := letterIDs(t, s)[0]
	r, err := s.OpenLetter(t.Context(), id)
	require.NoError(t, err)
	_, err = io.ReadAll(r)
	require.ErrorIs(t, err, errDamagedLetter)
	require.ErrorIs(t, s.Redrive(t.Context(), id), errDamagedLetter, "nothing of it is stored")
	for name, ino := range d.names {
		if strings.HasSuffix(name, letterSuffix) {
			ino.data[40] ^= 1 // in the head
		}
	}
	l, err := s.Letter(t.Context(), id)
	require.NoError(t, err)
	require.True(t, l.Quarantined)
	require.Empty(t, l.Key)
	require.Contains(t, l.Reason, "damaged")
	require.NoError(t, s.Close())
}

// TestOneBadLetter does not hide the others.
func TestOneBadLetter(t *testing.T) {
	t.Parallel()
	d := newDisk()
	s := openDisk(t, d)
	put(t, s, numbered(1))
	h := only(t, s)
	for _, it := range scanAll(t, s, h) {
		require.NoError(t, h.Settle(t.Context(), buried(it.ID)))
	}
	bad := letterIDs(t, s)[0]
	d.fault = faultFor("read", bad, 0, syscall.EIO)
	require.Len(t, letterIDs(t, s), itemsOf)
	l, err := s.Letter(t.Context(), bad)
	require.ErrorIs(t, err, syscall.EIO)
	require.Nil(t, l)
	require.NoError(t, s.Close())
}

// TestSegmentsGo: what is finished does not stay on the disk.
func TestSegmentsGo(t *testing.T) {
	t.Parallel()
	d := newDisk()
	s := openDisk(t, d)
	for i := range 300 {
		put(t, s, numbered(i))
	}
	h := only(t, s)
	for _, it := range scanAll(t, s, h) {
		require.NoError(t, h.Settle(t.Context(), done(it.ID)))
		require.NoError(t, h.Settle(t.Context(), done(it.ID)), "twice does nothing")
	}
	require.Len(t, s.segments, 1)
	require.Empty(t, scanAll(t, s, h))
	last := s.seq
	require.NoError(t, s.Close())
	s = openDisk(t, d)
	require.GreaterOrEqual(t, s.seq, last, "numbers are not given again")
	require.NoError(t, s.Close())
	for name := range d.names {
		require.NotContains(t, name, largeDir)
	}
}

// TestMarksGoLast: the marks of a finished segment are removed when a power cut can
// no longer bring the segment back, since its items would run again.
func TestMarksGoLast(t *testing.T) {
	t.Parallel()
	d := newDisk()
	s := openDisk(t, d)
	for i := range 60 {
		put(t, s, numbered(i))
	}
	h := only(t, s)
	for _, it := range scanAll(t, s, h) {
		require.NoError(t, h.Settle(t.Context(), done(it.ID)))
	}
	require.NoError(t, s.Close())
	unsafe, removed := map[string]bool{}, 0
	for _, o := range d.ops {
		switch stem, isMarks := strings.CutSuffix(o.name, markSuffix); {
		case o.kind == "syncdir" && strings.HasSuffix(o.name, logDir):
			clear(unsafe)
		case o.kind == "remove" && strings.HasSuffix(o.name, segmentSuffix):
			unsafe[strings.TrimSuffix(o.name, segmentSuffix)] = true
		case o.kind == "remove" && isMarks:
			require.False(t, unsafe[stem], stem)
			removed++
		}
	}
	require.Positive(t, removed)
}

// TestTidy: finished bodies do not wait on the disk for the next one to come.
func TestTidy(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := newDisk()
		s := openDisk(t, d)
		for i := range 3 {
			put(t, s, numbered(i))
		}
		kept := s.segments[0].file
		h := only(t, s)
		items := scanAll(t, s, h)
		for _, it := range items[1:] {
			require.NoError(t, h.Settle(t.Context(), done(it.ID)))
		}
		there := func() bool {
			list, err := d.List("/spool/log")
			require.NoError(t, err)
			return slices.ContainsFunc(list, func(e entry) bool { return e.name == kept })
		}
		time.Sleep(80 * time.Second)
		require.True(t, there(), "one is unfinished")
		require.NoError(t, h.Settle(t.Context(), done(items[0].ID)))
		time.Sleep(60 * time.Second)
		require.False(t, there())
		require.NoError(t, s.Close())
	})
}

// TestLoneBody: a receiver that hears of something now and then does not fill a
// megabyte with zeros for each body, nor wake up each minute in between.
func TestLoneBody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDisk()
		s, err := open("/spool", d.options(nil), d)
		require.NoError(t, err)
		put(t, s, numbered(0))
		written := 0
		for _, o := range d.ops {
			if !strings.HasSuffix(o.name, reserveName) {
				written += len(o.data)
			}
		}
		require.Less(t, written, 100<<10)
		h := only(t, s)
		for _, it := range scanAll(t, s, h) {
			require.NoError(t, h.Settle(t.Context(), done(it.ID)))
		}
		time.Sleep(100 * 365 * 24 * time.Hour) // 50 million minutes
		st, err := s.Stats(t.Context())
		require.NoError(t, err)
		require.Equal(t, s.reserveSize+redelivery.RecordSize, st.Bytes)
		require.NoError(t, s.Close())
	})
}

// TestMaxBytes: the directory does not outgrow the bound, letters and marks
// among it, and what is there can be processed.
func TestMaxBytes(t *testing.T) {
	t.Parallel()
	d := newDisk()
	const most = 600_000
	s, err := openSmall(&Options{MaxBytes: most}, d)
	require.NoError(t, err)
	size := func() (n int64) {
		for _, ino := range d.names {
			n += int64(len(ino.data))
		}
		return n
	}
	put := func(i int) error { return s.Put(t.Context(), bytes.NewReader(numbered(i))) }
	n := 0
	for ; n < 1000; n++ {
		if err = put(n); err != nil {
			break
		}
	}
	require.ErrorIs(t, err, errMaxBytes)
	require.ErrorIs(t, put(1047), errMaxBytes, "a large one")
	require.LessOrEqual(t, size(), int64(most))
	st, err := s.Stats(t.Context())
	require.NoError(t, err)
	require.InDelta(t, size(), st.Bytes, 200, "what is counted is there")
	h := only(t, s)
	items := scanAll(t, s, h)
	require.Len(t, items, n*itemsOf)
	full := 0
	for _, it := range items {
		err := h.Settle(t.Context(), buried(it.ID))
		if err != nil {
			require.ErrorIs(t, err, errMaxBytes)
			full++
			require.NoError(t, h.Settle(t.Context(), done(it.ID)))
		}
		require.LessOrEqual(t, size(), int64(most)+40_000, "marks come on top")
	}
	for _, id := range letterIDs(t, s) {
		require.NoError(t, s.Discard(t.Context(), id))
	}
	for i := range 30 {
		require.NoError(t, put(2000+i))
	}
	require.NoError(t, s.Close())
	for name := range d.names {
		require.NotContains(t, name, tempSuffix)
	}
	_, err = open("/spool", &Options{MaxBytes: -1}, d)
	require.Error(t, err)
}

// FuzzRecover opens a spool whose segment and marks hold arbitrary bytes: no
// panic, no error, and no body that was not stored.
func FuzzRecover(f *testing.F) {
	d := newDisk()
	s, err := open("/spool", d.options(nil), d)
	if err != nil {
		f.Fatal(err)
	}
	for i := range 4 {
		if err := s.Put(context.Background(), bytes.NewReader(numbered(i))); err != nil {
			f.Fatal(err)
		}
	}
	s.Close()
	const file = "0000000000000001-00000000000000ff"
	var good []byte
	for n, ino := range d.names {
		if strings.HasSuffix(n, segmentSuffix) && len(ino.data) > 0 {
			// The records as they are under the fixed name.
			g := s.newSegment(1, filepath.Base(n))
			c := g.scanner(bytes.NewReader(ino.data), 0, int64(len(ino.data)), scanAhead)
			fixed := s.newSegment(1, file+segmentSuffix)
			for {
				it, ok, err := c.next()
				if err != nil {
					f.Fatal(err)
				}
				if !ok {
					break
				}
				record := make([]byte, recordSize(int(it.size)))
				it.encode(record, fixed.salt)
				copy(record[headerSize:], it.body)
				good = append(good, record...)
			}
		}
	}
	f.Add(good, []byte{}, 0, byte(0))
	f.Add(good, make([]byte, 3*cellSize), 40, byte(1))
	f.Add(append(slices.Clip(good), make([]byte, 5000)...), []byte("x"), 5, byte(255))
	f.Add(good[:len(good)-9], []byte{}, 1500, byte(3))
	f.Fuzz(func(t *testing.T, segment, marks []byte, at int, flip byte) {
		segment = bytes.Clone(segment)
		if len(segment) > 0 {
			segment[uint(at)%uint(len(segment))] ^= flip
		}
		seen := map[uint64]bool{}
		for c := (&spool{}).newSegment(1, file+segmentSuffix).scanner(bytes.NewReader(segment), 0, int64(len(segment)), scanAhead); ; {
			it, ok, err := c.next()
			require.NoError(t, err)
			if !ok {
				break
			}
			if !it.region && seen[it.seq] {
				return // nobody writes a record twice; its body would come twice
			}
			seen[it.seq] = seen[it.seq] || !it.region
		}
		d := newDisk()
		d.names["/spool/log/"+file+segmentSuffix] = &inode{data: segment}
		d.names["/spool/log/"+file+markSuffix] = &inode{data: marks}
		for i := range 2 {
			s := openDisk(t, d)
			drain(t, s) // knows its bodies
			put(t, s, append(numbered(9000), strings.Repeat(" ", i)...))
			h := only(t, s)
			found := 0
			for _, it := range scanAll(t, s, h) {
				if strings.HasPrefix(name(t, read(t, h, it)), "9000.") {
					found++
					require.NoError(t, h.Settle(t.Context(), done(it.ID)))
				}
			}
			require.Equal(t, itemsOf, found)
			require.NoError(t, s.Close())
		}
	})
}

func TestFormat(t *testing.T) {
	t.Parallel()
	const name = "/spool/" + formatName
	for text, want := range map[string]error{
		"": nil, "activity": nil, formatText: nil, "activity\x00\x00": nil,
		"activityapi spool 4\n": errFormat, formatText1: nil, "something else": errFormat, formatText + "x": errFormat,
	} {
		d := newDiskOf(nil)
		d.names[name] = &inode{data: []byte(text)}
		s, err := open("/spool", d.options(nil), d)
		require.ErrorIs(t, err, want, "%q", text)
		require.Equal(t, want == nil, d.owner, "%q: the lock", text)
		if err == nil {
			require.NoError(t, s.Close())
			require.Equal(t, formatText, string(d.names[name].data))
		}
	}
}

// TestCloseWhilePutting: a Put either stores its body or says that it did not.
func TestCloseWhilePutting(t *testing.T) {
	t.Parallel()
	for round := range 20 {
		d := newDisk()
		s := openDisk(t, d)
		var wg sync.WaitGroup
		var mu sync.Mutex
		stored := map[int]bool{}
		for w := range 8 {
			wg.Go(func() {
				for i := w * 100; ; i++ {
					err := s.Put(t.Context(), io.LimitReader(bytes.NewReader(numbered(i)), 1<<20))
					if err != nil {
						if !errors.Is(err, errClosed) {
							t.Error(err)
						}
						return
					}
					mu.Lock()
					stored[i] = true
					mu.Unlock()
				}
			})
		}
		for range 1 << (round % 12) {
			s.Counts()
		}
		require.NoError(t, s.Close())
		wg.Wait()
		s = openDisk(t, d)
		have := drain(t, s)
		require.Len(t, have, len(stored)*itemsOf, fmt.Sprint(round))
		s.Close()
	}
}

// listless counts how often a directory is read.
type listless struct {
	fileSystem
	lists int
}

func (l *listless) List(dir string) ([]entry, error) {
	l.lists++
	return l.fileSystem.List(dir)
}

// TestLetterByID: one letter of many thousands costs one file, and not a look at
// all of them.
func TestLetterByID(t *testing.T) {
	t.Parallel()
	disk := &listless{fileSystem: diskFS{}}
	s, err := open(t.TempDir(), nil, disk)
	require.NoError(t, err)
	defer s.Close()
	put(t, s, numbered(0))
	h := only(t, s)
	for _, it := range scanAll(t, s, h) {
		require.NoError(t, h.Settle(t.Context(), buried(it.ID)))
	}
	ids := letterIDs(t, s)
	require.Len(t, ids, 3)
	before := disk.lists
	_, err = s.Letter(t.Context(), ids[2])
	require.NoError(t, err)
	require.NoError(t, s.Redrive(t.Context(), ids[0]))
	require.NoError(t, s.Discard(t.Context(), ids[1]))
	require.Equal(t, before, disk.lists)
}

// TestNumbersOfLargeBodies: a number is not given again after Close, though the
// body that had it was the newest and has left no trace in the log.
func TestNumbersOfLargeBodies(t *testing.T) {
	t.Parallel()
	d := newDisk()
	ids := map[notify.ItemID]bool{}
	for range 3 {
		s := openDisk(t, d)
		put(t, s, numbered(7))
		h := only(t, s)
		for _, it := range scanAll(t, s, h) {
			require.False(t, ids[it.ID], it.ID)
			ids[it.ID] = true
			require.NoError(t, h.Settle(t.Context(), done(it.ID)))
		}
		require.NoError(t, s.Close())
	}
	require.LessOrEqual(t, len(d.names), 6, "FORMAT, RESERVE and two empty segments with their marks: they do not add up")
}

// TestBodiesAfterNothingButDamage: a power cut may leave a segment of which no
// record can be told, so that the next one begins with the same number. Its
// bodies are found all the same.
func TestBodiesAfterNothingButDamage(t *testing.T) {
	t.Parallel()
	d := newDisk()
	s := openDisk(t, d)
	torn := s.path(logDir, s.segments[0].file)
	require.NoError(t, s.Close())
	f, err := d.Open(torn)
	require.NoError(t, err)
	_, err = f.WriteAt([]byte("torn"), 512)
	require.NoError(t, err)

	s = openDisk(t, d)
	defer s.Close()
	put(t, s, numbered(0))
	require.Len(t, drain(t, s), itemsOf)
	require.Len(t, letterIDs(t, s), 1)
}

// TestSettleAllOrNone: verdicts on items of several segments and large bodies are
// recorded all or not at all, also for who starts the process again.
func TestSettleAllOrNone(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	for _, bad := range []string{logDir, largeDir} {
		d := newDisk()
		s := openDisk(t, d)
		for i := range 120 { // 7, 47 and 87 are large
			put(t, s, numbered(i))
		}
		h := only(t, s)
		items := scanAll(t, s, h)
		var verdicts []notify.Verdict
		for i, it := range items {
			if i%2 == 0 {
				verdicts = append(verdicts, done(it.ID)...)
			}
		}
		writes := 0
		d.fault = func(o op) (int, error) {
			if o.kind == "write" && strings.HasSuffix(o.name, markSuffix) && strings.Contains(o.name, bad) {
				if writes++; writes >= 2 {
					return 0, errFull
				}
			}
			return 0, nil
		}
		require.ErrorIs(t, h.Settle(ctx, verdicts), errFull)
		require.Greater(t, writes, 1)
		d.fault = nil
		require.Len(t, scanAll(t, s, h), len(items))
		again := openDisk(t, d.clone())
		require.Len(t, drain(t, again), len(items))
		require.NoError(t, again.Close())
		require.NoError(t, h.Settle(ctx, verdicts))
		require.Len(t, scanAll(t, s, h), len(items)/2)
		require.NoError(t, s.Close())
	}
}

// TestDamagedBodyWithoutIndex: who makes the index anew compares the body with
// its checksum.
func TestDamagedBodyWithoutIndex(t *testing.T) {
	t.Parallel()
	d := newDisk()
	s := openDisk(t, d)
	put(t, s, numbered(7))
	require.NoError(t, s.Close())
	for name, ino := range d.names {
		switch {
		case strings.HasSuffix(name, bodySuffix):
			at := bytes.Index(ino.data, []byte(`"activityName":"`)) + 30
			ino.data[at] ^= 1 // still JSON
		case strings.HasSuffix(name, indexSuffix):
			delete(d.names, name)
		}
	}
	s = openDisk(t, d)
	require.Empty(t, drain(t, s))
	require.Len(t, letterIDs(t, s), 1)
	require.Equal(t, 1, s.Counts().Damaged)
	require.NoError(t, s.Close())
}

// TestDamagedBodyWhileFull: a damaged body for whose letter there was no room is set
// aside when there is, and holds up no verdict for longer than that.
func TestDamagedBodyWhileFull(t *testing.T) {
	t.Parallel()
	d := newDisk()
	s := openDisk(t, d)
	put(t, s, numbered(7))
	put(t, s, numbered(1))
	h := only(t, s)
	items := scanAll(t, s, h)
	at := slices.IndexFunc(items, func(it *notify.Item) bool { return it.Size > maxRaw })
	for name, ino := range d.names {
		if strings.HasSuffix(name, bodySuffix) {
			ino.data[len(ino.data)/2] ^= 1
		}
	}
	d.fault = faultFor("create", letterDir, 0, errFull)
	_, err := tryRead(h, items[at])
	require.ErrorIs(t, err, errChecksum)
	s.builders.Wait()
	require.Empty(t, letterIDs(t, s))
	d.fault = nil
	verdicts := append(buried(items[at].ID), done(items[itemsOf].ID)...)
	if err := h.Settle(t.Context(), verdicts); err != nil { // It finds the damage.
		s.builders.Wait()
		require.NoError(t, h.Settle(t.Context(), verdicts))
	}
	require.Len(t, letterIDs(t, s), 1)
	require.Equal(t, 1, s.Counts().Damaged)
	require.NoError(t, s.Close())
}

// TestBytesOfIndexes: what an index takes of MaxBytes is free again when it is gone,
// or was made anew.
func TestBytesOfIndexes(t *testing.T) {
	t.Parallel()
	d := newDisk()
	s := openDisk(t, d)
	s.indexRoom = 0
	counts := func() {
		t.Helper()
		size := 0
		for _, ino := range d.names {
			size += len(ino.data)
		}
		st, err := s.Stats(t.Context())
		require.NoError(t, err)
		require.InDelta(t, size, st.Bytes, 200)
	}
	for i := range 10 {
		put(t, s, numbered(7+40*i))
	}
	counts()
	require.NoError(t, s.Close())
	for name, ino := range d.names {
		if strings.HasSuffix(name, indexSuffix) {
			ino.data[len(ino.data)-1] ^= 1
		}
	}
	s = openDisk(t, d)
	s.indexRoom = 0
	h := only(t, s)
	items := scanAll(t, s, h)
	require.Len(t, items, 10*itemsOf)
	counts()
	for _, it := range items {
		require.NoError(t, h.Settle(t.Context(), done(it.ID)))
	}
	counts()
	require.NoError(t, s.Close())
}
