package spool

import (
	"bytes"
	"context"
	"runtime"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/garminkit/activityapi/notify"
	"github.com/garminkit/activityapi/types"
)

// closing begins a Close and returns when it waits for whoever is at work, or
// has ended them all.
func closing(s *spool) (closed chan error) {
	closed = make(chan error, 1)
	go func() { closed <- s.Close() }()
	for s.gate.TryRLock() { // fails while a Close waits
		s.gate.RUnlock()
		select {
		case <-s.ending:
			return closed
		default:
			runtime.Gosched()
		}
	}
	return closed
}

// ends fails if a channel gets nothing: something hangs.
func ends[T any](t *testing.T, what string, c <-chan T) (v T) {
	t.Helper()
	select {
	case v = <-c:
	case <-time.After(time.Minute):
		buf := make([]byte, 1<<20)
		t.Fatalf("%s hangs\n%s", what, buf[:runtime.Stack(buf, true)])
	}
	return v
}

// TestCloseAtEveryOperation closes a spool at each operation on the disk of its
// life, while that operation succeeds and while it fails. Neither the work nor
// Close may hang.
func TestCloseAtEveryOperation(t *testing.T) {
	t.Parallel()
	n := 0
	count := func(op) (int, error) { n++; return 0, nil }
	s := openForClose(t, count)
	liveShortly(s)
	require.NoError(t, s.Close())
	require.Greater(t, n, 100)
	step := 1
	if testing.Short() {
		step = 7
	}
	for k := 0; k < n; k += step {
		for _, fault := range []error{nil, syscall.EIO} {
			var at atomic.Int64
			var s *spool
			closed := make(chan chan error, 1)
			s = openForClose(t, func(op) (int, error) {
				if at.Add(1)-1 != int64(k) {
					return 0, nil
				}
				closed <- closing(s)
				return 0, fault
			})
			lived := make(chan bool, 1)
			go func() {
				liveShortly(s)
				lived <- true
			}()
			ends(t, "the work", lived)
			_ = s.Close()
			select {
			case c := <-closed:
				ends(t, "Close", c)
			default: // the fault changed what is done
			}
		}
	}
}

// openForClose opens a spool on a disk that asks for faults from then on.
func openForClose(t *testing.T, fault func(op) (int, error)) *spool {
	t.Helper()
	d := newDisk()
	s := openDisk(t, d)
	d.mu.Lock()
	d.fault = fault
	d.mu.Unlock()
	return s
}

// liveShortly does everything once that changes the directory. It heeds no error.
func liveShortly(s *spool) {
	ctx := context.Background()
	for _, i := range []int{1, 2, 7} { // number 7 is a large one
		_ = s.Put(ctx, bytes.NewReader(numbered(i)))
	}
	_ = s.Check(ctx)
	h, err := s.newShare()
	if err != nil {
		return
	}
	var items []*notify.Item
	for after := notify.ItemID(0); ; {
		list, err := h.Scan(ctx, notify.ClassPush, after, 100)
		if err != nil || len(list) == 0 {
			break
		}
		items = append(items, list...)
		after = list[len(list)-1].ID
	}
	for i, it := range items {
		v := buried(it.ID)
		v[0].Rest = i%3 == 1
		if i%3 == 2 {
			v = done(it.ID)
		}
		_ = h.Settle(ctx, v)
	}
	i := 0
	for l, err := range s.Letters(ctx, nil) {
		if err != nil {
			continue
		}
		if i++; i%2 == 0 {
			_ = s.Redrive(ctx, l.ID)
		} else {
			_ = s.Discard(ctx, l.ID)
		}
	}
	for holding, err := range s.Holdings(ctx, types.UserID("u1")) {
		_, _ = holding, err
	}
	_, _ = s.Erase(ctx, types.UserID("u1"))
	h.Release()
}

// TestCloseDuringRedrive: a letter with the rest of a body is put back while
// items are settled and the spool is closed.
func TestCloseDuringRedrive(t *testing.T) {
	t.Parallel()
	d := newDisk()
	s := openDisk(t, d)
	put(t, s, largeRest())
	h := only(t, s)
	items := scanClass(t, h, notify.ClassPush)
	last := items[len(items)-1].ID
	for _, it := range items[:len(items)-1] {
		v := buried(it.ID)
		v[0].Rest = true
		require.NoError(t, h.Settle(t.Context(), v))
	}
	id := letterIDs(t, s)[0]

	settled, closed := make(chan error, 1), make(chan chan error, 1)
	d.mu.Lock()
	d.fault = func(o op) (int, error) {
		if o.kind == "create" && strings.HasPrefix(o.name, "/spool/large/") && len(closed) == 0 {
			go func() { settled <- h.Settle(context.Background(), done(last)) }()
			for s.gate.TryLock() { // until Settle is inside
				s.gate.Unlock()
				runtime.Gosched()
			}
			closed <- closing(s)
		}
		return 0, nil
	}
	d.mu.Unlock()
	driven := make(chan error, 1)
	go func() { driven <- s.Redrive(context.Background(), id) }()
	ends(t, "Redrive", driven)
	ends(t, "Settle", settled)
	require.NoError(t, ends(t, "Close", ends(t, "closing", closed)))
}

// largeRest is a body whose items together are a large body again.
func largeRest() []byte {
	var b bytes.Buffer
	b.WriteString(`{"activities":[`)
	for i := range 3 {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString(`{"userId":"user","summaryId":"r`)
		b.WriteByte(byte('0' + i))
		b.WriteString(`","pad":"` + strings.Repeat("x", 80<<10) + `"}`)
	}
	b.WriteString("]}")
	return b.Bytes()
}

// TestRedriveAtOnce: two calls for one letter store one body.
func TestRedriveAtOnce(t *testing.T) {
	t.Parallel()
	s := openDisk(t, newDisk())
	put(t, s, numbered(1))
	h := only(t, s)
	items := scanClass(t, h, notify.ClassPush)
	require.NoError(t, h.Settle(t.Context(), append(buried(items[0].ID), done(items[1].ID, items[2].ID)...)))
	id := letterIDs(t, s)[0]
	errs := make(chan error, 8)
	for range cap(errs) {
		go func() { errs <- s.Redrive(context.Background(), id) }()
	}
	failed := 0
	for range cap(errs) {
		if err := <-errs; err != nil {
			require.ErrorIs(t, err, errNotExist)
			failed++
		}
	}
	require.Equal(t, cap(errs)-1, failed)
	require.Len(t, scanClass(t, h, notify.ClassPush), 1)
	require.NoError(t, s.Close())
}
