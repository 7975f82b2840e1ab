package spool_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"math/rand/v2"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/require"

	"github.com/garminkit/activityapi/notify"
	"github.com/garminkit/activityapi/notify/spool"
)

func open(t *testing.T, dir string) *spool.Spool {
	t.Helper()
	s, err := spool.Open(dir, nil)
	require.NoError(t, err)
	t.Cleanup(func() { s.Close() })
	return s
}

// take gives the next n bodies and stops the loop.
func take(t *testing.T, q notify.Queue, n int) []notify.Body {
	t.Helper()
	var out []notify.Body
	if n == 0 {
		return nil
	}
	for b, err := range q.Bodies(t.Context()) {
		require.NoError(t, err)
		if out = append(out, b); len(out) == n {
			break
		}
	}
	return out
}

func text(t *testing.T, b notify.Body) string {
	t.Helper()
	data, err := io.ReadAll(io.NewSectionReader(b, 0, b.Size()))
	require.NoError(t, err)
	return string(data)
}

func noise(n int) []byte {
	p := make([]byte, n)
	rnd := rand.NewChaCha8([32]byte{byte(n)})
	rnd.Read(p)
	return p
}

// TestMarkAfterClose: a body that was closed and is yielded again is marked
// where it was left.
func TestMarkAfterClose(t *testing.T) {
	t.Parallel()
	for _, size := range []int{100, 100 << 10} {
		dir := t.TempDir()
		s := open(t, dir)
		require.NoError(t, s.Put(t.Context(), bytes.NewReader(noise(size))))
		for n := range 3 {
			b := take(t, s, 1)[0]
			require.NoError(t, b.Mark(t.Context(), n))
			require.NoError(t, b.Close())
		}
		require.NoError(t, s.Close())
		b := take(t, open(t, dir), 1)[0]
		require.Equal(t, []bool{true, true, true, false}, []bool{b.Done(0), b.Done(1), b.Done(2), b.Done(3)})
	}
}

// TestReaderThatGoesOn: a reader that failed is not read on, as if the bytes
// after a gap were the body's.
func TestReaderThatGoesOn(t *testing.T) {
	t.Parallel()
	for _, before := range []int{0, 100, 10 << 10, 100 << 10} {
		s := open(t, t.TempDir())
		broken := errors.New("broken")
		r := &gap{parts: []io.Reader{bytes.NewReader(noise(before)), iotest.ErrReader(broken), strings.NewReader("rest")}}
		require.ErrorIs(t, s.Put(t.Context(), r), broken, "after %d bytes", before)
		require.Zero(t, s.Stats().Bodies)
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

func TestBodiesSurviveReopen(t *testing.T) {
	t.Parallel()
	dir, ctx := t.TempDir(), t.Context()
	s := open(t, dir)
	sizes := []int{0, 1, 1000, 64<<10 - 1, 64 << 10, 64<<10 + 1, 1 << 20, 3}
	for _, n := range sizes {
		require.NoError(t, s.Put(ctx, iotest.HalfReader(bytes.NewReader(noise(n)))))
	}
	require.Equal(t, len(sizes), s.Stats().Bodies)
	require.NoError(t, s.Close())

	s = open(t, dir)
	ids := map[string]bool{}
	for i, b := range take(t, s, len(sizes)) {
		require.Equal(t, int64(sizes[i]), b.Size())
		require.Equal(t, string(noise(sizes[i])), text(t, b), "size %d", sizes[i])
		ids[b.ID()] = true
		require.NoError(t, b.Mark(ctx, 70))
		if i%2 == 0 {
			require.NoError(t, b.Finish(ctx))
		} else {
			require.NoError(t, b.Close())
		}
	}
	require.Len(t, ids, len(sizes))
	require.NoError(t, s.Close())

	s = open(t, dir)
	require.Equal(t, len(sizes)/2, s.Stats().Bodies)
	for i, b := range take(t, s, len(sizes)/2) {
		require.True(t, ids[b.ID()])
		require.Equal(t, string(noise(sizes[2*i+1])), text(t, b))
		require.True(t, b.Done(70))
		require.False(t, b.Done(69))
		require.NoError(t, b.Finish(ctx))
	}
	require.Zero(t, s.Stats().Bodies)
}

func TestFailedPutLeavesNothing(t *testing.T) {
	t.Parallel()
	broken := errors.New("broken")
	for _, n := range []int{0, 10, 64 << 10, 300 << 10} {
		dir := t.TempDir()
		s := open(t, dir)
		r := io.MultiReader(bytes.NewReader(noise(n)), iotest.ErrReader(broken))
		require.ErrorIs(t, s.Put(t.Context(), r), broken)
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		require.ErrorIs(t, s.Put(ctx, bytes.NewReader(noise(n))), context.Canceled)
		require.Zero(t, s.Stats().Bodies)
		require.NoError(t, s.Close())
		require.ErrorIs(t, s.Put(t.Context(), strings.NewReader("x")), spool.ErrClosed)
		require.Zero(t, open(t, dir).Stats().Bodies)
	}
}

func TestSecondOwner(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := open(t, dir)
	_, err := spool.Open(dir, nil)
	require.ErrorIs(t, err, spool.ErrLocked)
	require.ErrorIs(t, err, notify.ErrInUse)
	require.NoError(t, s.Close())
	open(t, dir)
}

func TestLetters(t *testing.T) {
	t.Parallel()
	dir, ctx := t.TempDir(), t.Context()
	s := open(t, dir)
	require.NoError(t, s.Put(ctx, strings.NewReader(`{"activities":[{"a":1},{"b":2}]}`)))
	b := take(t, s, 1)[0]
	want := notify.Letter{Key: "activities", UserID: "u1", Reason: "no\nluck", Attempts: 3,
		Received: b.Received(), Buried: b.Received(), Raw: []byte(`{"b":2}`)}
	require.NoError(t, b.Bury(ctx, 1, &want))
	require.True(t, b.Done(1))
	require.NoError(t, b.Finish(ctx))
	require.NoError(t, s.Close())

	s = open(t, dir)
	var got []*notify.Letter
	for l, err := range s.Letters(ctx) {
		require.NoError(t, err)
		got = append(got, l)
	}
	require.Len(t, got, 1)
	want.ID = got[0].ID
	require.Equal(t, &want, got[0])
	for _, id := range []string{"", "none", "../SPOOL", want.ID + "x"} {
		require.ErrorIs(t, s.Redrive(ctx, id), fs.ErrNotExist)
		require.ErrorIs(t, s.Discard(ctx, id), fs.ErrNotExist)
	}
	require.NoError(t, s.Redrive(ctx, want.ID))
	require.ErrorIs(t, s.Redrive(ctx, want.ID), fs.ErrNotExist)
	require.Equal(t, `{"activities":[{"b":2}]}`, text(t, take(t, s, 1)[0]))
}

func TestOneLoop(t *testing.T) {
	t.Parallel()
	s := open(t, t.TempDir())
	require.NoError(t, s.Put(t.Context(), strings.NewReader("x")))
	for _, err := range s.Bodies(t.Context()) {
		require.NoError(t, err)
		for _, err := range s.Bodies(t.Context()) {
			require.ErrorIs(t, err, notify.ErrInUse)
		}
		break
	}
	require.Equal(t, "x", text(t, take(t, s, 1)[0]))
}
