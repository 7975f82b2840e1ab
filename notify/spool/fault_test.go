package spool

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
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

	"github.com/garminkit/activityapi/notify"
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
			before := s.Stats().Bytes
			d.fault = nil
			fill(40)
			require.Empty(t, d.abused, "synced again after a sync that failed")
			require.Greater(t, s.Stats().Bytes, before)

			expect := func() {
				t.Helper()
				have := drain(t, s)
				require.Len(t, have, len(want))
				for _, i := range want {
					require.Contains(t, have, i)
				}
				require.Equal(t, len(want), s.Stats().Bodies)
				require.Zero(t, s.Stats().Damaged)
			}
			expect()
			require.NoError(t, s.Close())
			s = openDisk(t, d)
			expect()
			require.NoError(t, s.Close())

			// And after a power cut: what was acknowledged around the fault.
			p := newPlatter()
			for _, o := range d.ops {
				p.apply(o)
			}
			rnd := rand.New(rand.NewPCG(*seed, 3))
			for range 20 {
				s := openDisk(t, p.crash(loseSome, rnd))
				have := drain(t, s)
				for _, i := range want {
					require.Contains(t, have, i)
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
		require.Len(t, have, len(stored))
		for i := range have {
			require.True(t, stored[i])
		}
		require.NoError(t, s.Close())
		d.fault = nil
		s = openDisk(t, d)
	}
	s.Close()
}

func TestMarkFaults(t *testing.T) {
	t.Parallel()
	d := newDisk()
	s := openDisk(t, d)
	ctx := t.Context()
	for i := range 8 { // 7 is a large one
		require.NoError(t, s.Put(ctx, bytes.NewReader(numbered(i))))
	}
	full := errFull
	bodies := drain(t, s)
	for i, part := range map[int]string{0: logDir, 7: largeDir} {
		b := bodies[i]
		for _, err := range []error{full, io.ErrShortWrite} {
			d.fault = faultFor("write", part, 9, err)
			require.ErrorIs(t, b.Mark(ctx, 1), err)
			require.False(t, b.Done(1))
		}
		d.fault = nil
		require.NoError(t, b.Mark(ctx, 2), "written over the torn one")

		for _, kind := range []string{"create", "write", "sync", "rename", "syncdir"} {
			d.fault = faultFor(kind, letterDir, 9, full)
			require.ErrorIs(t, b.Bury(ctx, 3, &notify.Letter{}), full, kind)
			require.False(t, b.Done(3))
		}
		d.fault = faultFor("write", letterDir, 9, io.ErrShortWrite)
		require.ErrorIs(t, b.Bury(ctx, 3, &notify.Letter{}), io.ErrShortWrite)
		d.fault = faultFor("write", markSuffix, 9, full)
		require.ErrorIs(t, b.Finish(ctx), map[int]error{0: full, 7: nil}[i])
		d.fault = nil
	}
	d.fault = faultFor("remove", "", 0, syscall.EIO)
	b := bodies[1]
	require.NoError(t, b.Mark(ctx, 0))
	d.fault = nil
	require.NoError(t, s.Close())
	for _, b := range bodies {
		require.ErrorIs(t, b.Mark(ctx, 0), ErrClosed)
		require.ErrorIs(t, b.Bury(ctx, 0, &notify.Letter{}), ErrClosed)
	}
	s = openDisk(t, d)
	have := drain(t, s)
	require.Len(t, have, 7)
	require.False(t, have[0].Done(1))
	require.True(t, have[0].Done(2))
	require.False(t, have[0].Done(3))
	require.True(t, have[1].Done(0))
	s.Close()
}

// TestUnreadable: what the disk does not give back holds nothing else up, and
// is tried again.
func TestUnreadable(t *testing.T) {
	t.Parallel()
	d := newDisk()
	s := openDisk(t, d)
	for i := range 200 {
		require.NoError(t, s.Put(t.Context(), bytes.NewReader(numbered(i))))
	}
	require.Greater(t, len(s.segments), 3)
	bad := s.segments[1].file
	d.fault = faultFor("read", bad, 0, syscall.EIO)
	have := drain(t, s)
	require.Less(t, len(have), 200)
	require.Greater(t, len(have), 100)
	require.Equal(t, 1, s.Stats().Unreadable)
	d.fault = faultFor("read", bodySuffix, 0, syscall.EIO)
	require.Len(t, drain(t, s), 195)
	d.fault = nil
	require.Len(t, drain(t, s), 200)
	s.Close()
}

// TestDamageIsToldOnce: a letter about damage does not come back when it was
// dealt with.
func TestDamageIsToldOnce(t *testing.T) {
	t.Parallel()
	d := newDisk()
	s := openDisk(t, d)
	for i := range 12 { // 7 is a large one
		require.NoError(t, s.Put(t.Context(), bytes.NewReader(numbered(i))))
	}
	require.NoError(t, s.Close())
	for name, ino := range d.names {
		switch {
		case strings.HasSuffix(name, segmentSuffix) && len(ino.data) > 0:
			ino.data[headerSize+3] ^= 4 // the first body
			second := recordSize(len(numbered(0)))
			ino.data[second+9] ^= 4 // the number of the second
		case strings.HasSuffix(name, bodySuffix):
			ino.data[60000] ^= 4
		}
	}
	s = openDisk(t, d)
	require.Len(t, drain(t, s), 9)
	require.Equal(t, 3, s.Stats().Damaged)
	require.Zero(t, s.Stats().Bodies-9)
	ids := letterIDs(t, s)
	require.Len(t, ids, 3)
	first := bytes.Clone(numbered(0))
	first[3] ^= 4
	var raws [][]byte
	for l, err := range s.Letters(t.Context()) {
		require.NoError(t, err)
		require.True(t, l.Quarantined)
		raws = append(raws, l.Raw)
	}
	require.Contains(t, raws, first, "the bytes are there for a person to mend")
	require.NoError(t, s.Discard(t.Context(), ids[1]))
	require.NoError(t, s.Redrive(t.Context(), ids[0]))
	for range 2 {
		require.NoError(t, s.Close())
		s = openDisk(t, d)
		require.Len(t, letterIDs(t, s), 1)
	}
	// The large one comes back as it is.
	require.NoError(t, s.Redrive(t.Context(), ids[2]))
	require.Empty(t, letterIDs(t, s))
	f := &feed{wake: make(chan struct{}, 1)}
	require.NoError(t, s.startFeed(f))
	var sizes []int64
	for {
		b, more, err := s.next(t.Context(), f)
		require.NoError(t, err)
		if b != nil {
			sizes = append(sizes, b.Size())
		} else if !more {
			break
		}
	}
	s.endFeed(f)
	require.Len(t, sizes, 11)
	require.Equal(t, int64(len(numbered(7))), sizes[10])
	require.NoError(t, s.Close())
	for name := range d.names {
		require.NotContains(t, name, damagedSuffix)
	}
}

func letterIDs(t *testing.T, s *Spool) (ids []string) {
	for l, err := range s.Letters(t.Context()) {
		require.NoError(t, err)
		ids = append(ids, l.ID)
	}
	return ids
}

func TestDamagedLetter(t *testing.T) {
	t.Parallel()
	d := newDisk()
	s := openDisk(t, d)
	require.NoError(t, s.bury(letterID(1, 2), &notify.Letter{Key: "activities", Raw: []byte("{}")}))
	for _, ino := range d.names {
		if len(ino.data) > 0 {
			ino.data[len(ino.data)-1] ^= 1
		}
	}
	for l, err := range s.Letters(t.Context()) {
		require.NoError(t, err)
		require.True(t, l.Quarantined)
		require.Empty(t, l.Key)
		require.Contains(t, l.Reason, "damaged")
	}
	s.Close()
}

// TestSegmentsGo: what is finished does not stay on the disk.
func TestSegmentsGo(t *testing.T) {
	t.Parallel()
	d := newDisk()
	s := openDisk(t, d)
	for i := range 300 {
		require.NoError(t, s.Put(t.Context(), bytes.NewReader(numbered(i))))
	}
	for _, b := range drain(t, s) {
		require.NoError(t, b.Mark(t.Context(), 0))
		require.NoError(t, b.Finish(t.Context()))
		require.NoError(t, b.Finish(t.Context()), "twice does nothing")
	}
	require.Len(t, s.segments, 1)
	require.Empty(t, s.marks)
	require.Zero(t, s.Stats().Bodies)
	last := s.seq
	require.NoError(t, s.Close())
	s = openDisk(t, d)
	require.Equal(t, last, s.seq, "numbers are not given again")
	require.Zero(t, s.Stats().Bytes)
	require.NoError(t, s.Close())
	require.Len(t, d.names, 2, "FORMAT and an empty segment")
}

// TestTidy: finished bodies do not wait on the disk for the next one to come.
func TestTidy(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := newDisk()
		s := openDisk(t, d)
		for i := range 3 {
			require.NoError(t, s.Put(t.Context(), bytes.NewReader(numbered(i))))
		}
		kept := s.segments[0].file
		for i, b := range drain(t, s) {
			if i > 0 {
				require.NoError(t, b.Finish(t.Context()))
			} else {
				go func() {
					time.Sleep(90 * time.Second)
					b.Finish(t.Context())
				}()
			}
		}
		time.Sleep(80 * time.Second)
		there := func() bool {
			list, err := d.List("/spool/log")
			require.NoError(t, err)
			return slices.ContainsFunc(list, func(e entry) bool { return e.name == kept })
		}
		require.True(t, there(), "one is unfinished")
		time.Sleep(50 * time.Second)
		require.False(t, there())
		require.Zero(t, s.Stats().Bytes)
		require.NoError(t, s.Close())
	})
}

// TestLoneBody: a receiver that hears of something now and then does not fill a
// megabyte with zeros for each body, nor wake up each minute in between.
func TestLoneBody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDisk()
		s, err := open("/spool", nil, d)
		require.NoError(t, err)
		require.NoError(t, s.Put(t.Context(), bytes.NewReader(numbered(0))))
		written := 0
		for _, o := range d.ops {
			written += len(o.data)
		}
		require.Less(t, written, 100<<10)
		for _, b := range drain(t, s) {
			require.NoError(t, b.Finish(t.Context()))
		}
		time.Sleep(100 * 365 * 24 * time.Hour) // 50 million minutes
		require.Zero(t, s.Stats().Bytes)
		require.NoError(t, s.Close())
	})
}

func TestMaxBytes(t *testing.T) {
	t.Parallel()
	d := newDisk()
	s, err := open("/spool", &Options{MaxBytes: 300_000}, d)
	require.NoError(t, err)
	small(s)
	put := func(i int) error { return s.Put(t.Context(), bytes.NewReader(numbered(i))) }
	n := 0
	for ; n < 1000; n++ {
		if err = put(n); err != nil {
			break
		}
	}
	require.ErrorIs(t, err, ErrFull)
	require.ErrorIs(t, put(47), ErrFull, "a large one")
	require.LessOrEqual(t, s.Stats().Bytes, int64(300_000))
	have := drain(t, s)
	require.Len(t, have, n)
	for _, b := range have {
		require.NoError(t, b.Finish(t.Context()))
	}
	for i := range 30 {
		require.NoError(t, put(2000+i))
	}
	require.NoError(t, s.Close())
	for name, ino := range d.names {
		require.NotContains(t, name, tempSuffix)
		_ = ino
	}
	_, err = open("/spool", &Options{MaxBytes: -1}, d)
	require.Error(t, err)
}

// FuzzRecover opens a spool whose segment and marks hold arbitrary bytes: no
// panic, no error, and no body that was not stored.
func FuzzRecover(f *testing.F) {
	d := newDisk()
	s, err := open("/spool", nil, d)
	if err != nil {
		f.Fatal(err)
	}
	for i := range 4 {
		if err := s.Put(context.Background(), bytes.NewReader(numbered(i))); err != nil {
			f.Fatal(err)
		}
	}
	s.Close()
	const name = "0000000000000001-00000000000000ff"
	var good []byte
	for n, ino := range d.names {
		if strings.HasSuffix(n, segmentSuffix) && len(ino.data) > 0 {
			// The records as they are under the fixed name.
			g := s.newSegment(1, filepath.Base(n))
			c := newScanner(bytes.NewReader(ino.data), g, int64(len(ino.data)))
			fixed := s.newSegment(1, name+segmentSuffix)
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
	f.Add(good, make([]byte, 3*markSize), 40, byte(1))
	f.Add(append(slices.Clip(good), make([]byte, 5000)...), []byte("x"), 5, byte(255))
	f.Add(good[:len(good)-9], []byte{}, 1500, byte(3))
	f.Fuzz(func(t *testing.T, segment, marks []byte, at int, flip byte) {
		segment = bytes.Clone(segment)
		if len(segment) > 0 {
			segment[uint(at)%uint(len(segment))] ^= flip
		}
		seen := map[uint64]bool{}
		for c := newScanner(bytes.NewReader(segment), (&Spool{}).newSegment(1, name+segmentSuffix), int64(len(segment))); ; {
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
		d.names["/spool/log/"+name+segmentSuffix] = &inode{data: segment}
		d.names["/spool/log/"+name+markSuffix] = &inode{data: marks}
		for range 2 {
			s := openDisk(t, d)
			drain(t, s) // knows its bodies
			require.NoError(t, s.Put(t.Context(), bytes.NewReader(numbered(9000))))
			found := false
			for i, b := range drain(t, s) {
				if i == 9000 {
					found = true
					require.NoError(t, b.Finish(t.Context()))
				}
			}
			require.True(t, found)
			require.NoError(t, s.Close())
		}
	})
}

func TestFormat(t *testing.T) {
	t.Parallel()
	const name = "/spool/" + formatName
	for text, want := range map[string]error{
		"": nil, "activity": nil, formatText: nil, "activity\x00\x00": nil,
		"activityapi spool 2\n": ErrFormat, "something else": ErrFormat, formatText + "x": ErrFormat,
	} {
		d := newDisk()
		d.names[name] = &inode{data: []byte(text)}
		s, err := open("/spool", nil, d)
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
						if !errors.Is(err, ErrClosed) {
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
			s.Stats()
		}
		require.NoError(t, s.Close())
		wg.Wait()
		s = openDisk(t, d)
		have := drain(t, s)
		require.Len(t, have, len(stored), fmt.Sprint(round))
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
	require.NoError(t, s.Put(t.Context(), strings.NewReader(`{"activities":[{"a":1},{"b":2}]}`)))
	for b, err := range s.Bodies(t.Context()) {
		require.NoError(t, err)
		for i := range 2 {
			require.NoError(t, b.Bury(t.Context(), i, &notify.Letter{Key: "activities", Raw: []byte(`{}`)}))
		}
		require.NoError(t, b.Finish(t.Context()))
		break
	}
	var ids []string
	for l, err := range s.Letters(t.Context()) {
		require.NoError(t, err)
		ids = append(ids, l.ID)
	}
	require.Len(t, ids, 2)
	before := disk.lists
	require.NoError(t, s.Redrive(t.Context(), ids[0]))
	require.NoError(t, s.Discard(t.Context(), ids[1]))
	require.Equal(t, before, disk.lists)
}

// TestNumbersOfLargeBodies: a number is not given again after Close, though the
// body that had it was the newest and has left no trace in the log.
func TestNumbersOfLargeBodies(t *testing.T) {
	t.Parallel()
	d := newDisk()
	ids := map[string]bool{}
	for range 3 {
		s := openDisk(t, d)
		require.NoError(t, s.Put(t.Context(), bytes.NewReader(make([]byte, 1<<20))))
		for b, err := range s.Bodies(t.Context()) {
			require.NoError(t, err)
			require.False(t, ids[b.ID()], b.ID())
			ids[b.ID()] = true
			require.NoError(t, b.Finish(t.Context()))
			break
		}
		require.NoError(t, s.Close())
	}
	require.Len(t, d.names, 3, "FORMAT and two empty segments: they do not add up")
}

// TestBodiesAfterNothingButDamage: a power cut may leave a segment of which no
// record can be told, so that the next one begins with the same number. Its
// bodies are found all the same.
func TestBodiesAfterNothingButDamage(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := newDisk()
		s := openDisk(t, d)
		name := s.path(logDir, s.segments[0].file)
		require.NoError(t, s.Close())
		f, err := d.Open(name)
		require.NoError(t, err)
		_, err = f.WriteAt([]byte("torn"), 512)
		require.NoError(t, err)

		s = openDisk(t, d)
		defer s.Close()
		require.NoError(t, s.Put(t.Context(), bytes.NewReader(numbered(0))))
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		found := 0
		for b, err := range s.Bodies(ctx) {
			require.NoError(t, err)
			require.NoError(t, b.Finish(ctx))
			found++
			cancel()
		}
		require.Equal(t, 1, found)
	})
}
