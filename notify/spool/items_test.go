package spool

import (
	"bytes"
	"context"
	"crypto/cipher"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"testing/iotest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/garminkit/activityapi/notify"
)

// TestFailedPutLeavesNothing, small or large, whatever failed.
func TestFailedPutLeavesNothing(t *testing.T) {
	t.Parallel()
	broken := errors.New("broken")
	for _, n := range []int{0, 10, 64 << 10, 300 << 10} {
		d := newDisk()
		s := openDisk(t, d)
		r := io.MultiReader(bytes.NewReader(make([]byte, n)), iotest.ErrReader(broken))
		require.ErrorIs(t, s.Put(t.Context(), r), broken)
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		require.ErrorIs(t, s.Put(ctx, bytes.NewReader(make([]byte, n))), context.Canceled)
		require.Empty(t, drain(t, s))
		require.Zero(t, s.promised.Load())
		require.NoError(t, s.Close())
		require.ErrorIs(t, s.Put(t.Context(), strings.NewReader("x")), errClosed)
		s = openDisk(t, d)
		require.Empty(t, drain(t, s))
		require.NoError(t, s.Close())
	}
}

// TestReaderThatGoesOn: a reader that failed is not read on, as if the bytes
// after a gap were the body's.
func TestReaderThatGoesOn(t *testing.T) {
	t.Parallel()
	for _, before := range []int{0, 100, 10 << 10, 100 << 10} {
		s := openDisk(t, newDisk())
		broken := errors.New("broken")
		r := &gap{parts: []io.Reader{bytes.NewReader(make([]byte, before)), iotest.ErrReader(broken), strings.NewReader("rest")}}
		require.ErrorIs(t, s.Put(t.Context(), r), broken, "after %d bytes", before)
		require.Empty(t, drain(t, s))
		require.NoError(t, s.Close())
	}
}

// gap reads its parts one after the other, whatever they return.
type gap struct{ parts []io.Reader }

func (g *gap) Read(p []byte) (int, error) {
	if len(g.parts) == 0 {
		return 0, io.EOF
	}
	n, err := g.parts[0].Read(p)
	if err == nil {
		return n, nil
	}
	g.parts = g.parts[1:]
	if err == io.EOF {
		err = nil
	}
	return n, err
}

// TestIndexFails: whatever befalls the index of a large body, the Put is not
// hurt, and the items are found.
func TestIndexFails(t *testing.T) {
	t.Parallel()
	body := func(o op) bool { return strings.Contains(o.name, largeDir) }
	for name, bad := range map[string]func(o op, n int) bool{
		"not made":    func(o op, n int) bool { return body(o) && o.kind == "create" && n == 2 },
		"not written": func(o op, n int) bool { return body(o) && o.kind == "write" && bytes.HasPrefix(o.data, []byte("spix")) },
		"not named":   func(o op, n int) bool { return body(o) && o.kind == "rename" && strings.HasSuffix(o.to, indexSuffix) },
		"cannot be made": func(o op, n int) bool {
			return body(o) && o.kind == "create" && n >= 2 && !strings.HasSuffix(o.name, markSuffix)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := newDisk()
			s := openDisk(t, d)
			s.indexRoom = 0
			creates := 0
			d.fault = func(o op) (int, error) {
				if body(o) && o.kind == "create" {
					creates++
				}
				if bad(o, creates) {
					return 0, errFull
				}
				return 0, nil
			}
			put(t, s, numbered(7))
			put(t, s, numbered(8))
			require.Len(t, drain(t, s), 2*itemsOf)
			d.fault = nil
			require.NoError(t, s.Close())
			s = openDisk(t, d)
			require.Len(t, drain(t, s), 2*itemsOf)
			require.NoError(t, s.Close())
			for _, cut := range []int{0, 1, 5} { // and a torn one is made anew
				for n, ino := range d.names {
					if strings.HasSuffix(n, indexSuffix) {
						ino.data = ino.data[:len(ino.data)*cut/6]
					}
				}
				s = openDisk(t, d)
				require.Len(t, drain(t, s), 2*itemsOf)
				require.NoError(t, s.Close())
			}
		})
	}
}

// TestIndexInMemory: the indexes of bodies that are not so large have no files, as
// long as they take little memory, which is free when the bodies are finished. After
// a restart they are made again.
func TestIndexInMemory(t *testing.T) {
	t.Parallel()
	eachForm(t, func(t *testing.T, aead cipher.AEAD) {
		d := newDiskOf(aead)
		s := openDisk(t, d)
		body := func(i, before int) []byte {
			return fmt.Appendf(nil, `{"activities":[%s{"userId":"u","summaryId":"%d","pad":%q}]}`, strings.Repeat(" ", before), i, strings.Repeat("x", 150<<10))
		}
		files := func() (n int) {
			for name := range d.names {
				if strings.HasSuffix(name, indexSuffix) {
					n++
				}
			}
			return n
		}
		settle := func(want int) {
			h := only(t, s)
			defer h.Release()
			var ids []notify.ItemID
			for _, it := range scanAll(t, s, h) {
				ids = append(ids, it.ID)
			}
			require.Len(t, ids, want)
			require.NoError(t, h.Settle(t.Context(), done(ids...)))
			require.Zero(t, files())
			require.Zero(t, s.indexes, "the room is free")
		}
		put(t, s, body(0, 0))
		require.Zero(t, files())
		for i := range 20 {
			put(t, s, body(1+i, 0))
		}
		require.Greater(t, files(), 10, "the memory has a limit")
		require.LessOrEqual(t, files(), 20, "the first was in memory")
		require.LessOrEqual(t, s.indexes, s.indexRoom)
		require.NoError(t, s.Close())
		s = openDisk(t, d)
		require.Zero(t, s.indexes)
		settle(21)
		put(t, s, body(30, maxIndexedBody))
		require.Equal(t, 1, files())
		settle(1)
		require.NoError(t, s.Close())
	})
}

// TestGarbage: a large body of no JSON at all is one item, and one letter, and
// costs no memory on the way.
func TestGarbage(t *testing.T) {
	size := int64(100 << 20)
	if testing.Short() {
		size = 10 << 20
	}
	s, err := openDir(t.TempDir(), nil)
	require.NoError(t, err)
	defer s.Close()
	before := heap() // collects what earlier tests left, before it is watched
	var most atomic.Uint64
	stop := make(chan struct{})
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for {
			var m runtime.MemStats
			runtime.ReadMemStats(&m)
			most.Store(max(most.Load(), m.HeapAlloc))
			select {
			case <-stop:
				return
			case <-time.After(5 * time.Millisecond):
			}
		}
	}()
	noise := io.LimitReader(rand.NewChaCha8([32]byte{1}), size)
	require.NoError(t, s.Put(t.Context(), noise))
	h := only(t, s)
	items := scanAll(t, s, h)
	require.Len(t, items, 1)
	require.Equal(t, size, items[0].Size)
	require.NoError(t, h.Settle(t.Context(), buried(items[0].ID)))
	require.Empty(t, scanAll(t, s, h))
	ids := letterIDs(t, s)
	require.Len(t, ids, 1)
	r, err := s.OpenLetter(t.Context(), ids[0])
	require.NoError(t, err)
	same := 0
	want := io.LimitReader(rand.NewChaCha8([32]byte{1}), size)
	for a, b := make([]byte, 64<<10), make([]byte, 64<<10); ; same++ {
		n, err := io.ReadFull(r, a)
		m, _ := io.ReadFull(want, b)
		require.True(t, bytes.Equal(a[:n], b[:m]))
		if err != nil {
			break
		}
	}
	require.NoError(t, r.Close())
	require.NoError(t, s.Redrive(t.Context(), ids[0]))
	require.Len(t, scanAll(t, s, h), 1)
	close(stop)
	<-ended
	t.Logf("%d bytes of garbage: %.0f MiB of heap at most, %.0f before", size, float64(most.Load())/(1<<20), before)
	require.Less(t, float64(most.Load())/(1<<20), before+32)
}

// TestAccountFirst: items of accounts are found ahead of everything else, wherever
// they are, and after a restart too.
func TestAccountFirst(t *testing.T) {
	t.Parallel()
	d := newDisk()
	s := openDisk(t, d)
	for i := range 300 {
		put(t, s, numbered(i))
	}
	put(t, s, []byte(`{"deregistrations":[{"userId":"small"}]}`))
	var large strings.Builder
	large.WriteString(`{"activities":[`)
	for i := range 3000 {
		fmt.Fprintf(&large, `{"userId":"u","summaryId":"%d","activityName":"deregister nobody"},`, i)
	}
	large.WriteString(`{"userId":"u","summaryId":"last"}],"deregistration\u0073":[{"userId":"large"}],"activities":[]}`)
	put(t, s, []byte(large.String()))
	put(t, s, []byte(`{"dereg\u0069strations":[{"userId":"escaped"}]}`))
	for round := range 2 {
		h := only(t, s)
		var users []string
		for _, it := range scanClass(t, h, notify.ClassAccount) {
			users = append(users, string(it.UserID))
		}
		require.Equal(t, []string{"small", "large", "escaped"}, users, "nothing else was asked for")
		require.Zero(t, h.(*share).pass.seq, "nothing else was read")
		items := scanAll(t, s, h)
		require.Len(t, items, 300*itemsOf+3001+3)
		h.Release()
		if round == 0 {
			require.NoError(t, s.Close())
			s = openDisk(t, d)
		}
	}
	require.NoError(t, s.Close())
}

// TestMarksAreKeptSmall: an item that is tried for days does not fill the disk
// with what was decided about it.
func TestMarksAreKeptSmall(t *testing.T) {
	t.Parallel()
	d := newDisk()
	s := openDisk(t, d)
	for i := range 8 { // 7 is a large one
		put(t, s, numbered(i))
	}
	h := only(t, s)
	items := scanAll(t, s, h)
	for i := range 3000 {
		var list []notify.Verdict
		for _, it := range []*notify.Item{items[0], items[len(items)-1]} {
			list = append(list, notify.Verdict{ID: it.ID, Fate: notify.Again, Attempts: i + 1, Next: time.Unix(int64(i), 0), Reason: "for a reason"})
		}
		require.NoError(t, h.Settle(t.Context(), list))
	}
	require.NoError(t, h.Settle(t.Context(), done(items[1].ID)))
	before := d.size()
	s.compactAll()
	require.Less(t, d.size(), before-200_000)
	require.NoError(t, s.Close())
	s = openDisk(t, d)
	h = only(t, s)
	again := scanAll(t, s, h)
	require.Len(t, again, len(items)-1)
	for _, i := range []int{0, len(again) - 1} {
		require.Equal(t, 3000, again[i].Attempts)
		require.Equal(t, time.Unix(2999, 0).UTC(), again[i].Next)
	}
	require.NoError(t, s.Close())
}

func (d *disk) size() (n int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, ino := range d.names {
		n += len(ino.data)
	}
	return n
}

// TestTooLarge: a body whose items could not be named is refused.
func TestTooLarge(t *testing.T) {
	if testing.Short() {
		t.Skip("writes much")
	}
	s, err := openDir(t.TempDir(), nil)
	require.NoError(t, err)
	defer s.Close()
	require.ErrorIs(t, s.Put(t.Context(), io.LimitReader(zeros{}, maxBody+1)), errTooLarge)
	require.Zero(t, s.promised.Load())
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { return len(p), nil }

// TestGoneIsNotExist: who was about to read a large body's item when the body went
// is told that there is none, and not to come again.
func TestGoneIsNotExist(t *testing.T) {
	t.Parallel()
	s := openDisk(t, newDisk())
	put(t, s, numbered(7))
	h := only(t, s)
	items := scanAll(t, s, h)
	l := s.large[seqOf(items[0].ID)]
	require.NotNil(t, l)
	for _, it := range items {
		require.NoError(t, h.Settle(t.Context(), done(it.ID)))
	}
	_, err := s.openParts(l)
	require.ErrorIs(t, err, errNotExist)
	err = s.newReader().largeChunks(l, []notify.ItemID{items[0].ID}, nil)
	require.ErrorIs(t, err, errNotExist)
	require.NoError(t, s.Close())
}
