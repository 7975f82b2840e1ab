package notifytest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"testing/iotest"
)

// storeClauses are about Put and what it keeps.
var storeClauses = []clause{
	{"BytesUnchanged", "Put stores the bytes unchanged, and they survive a restart", bytesUnchanged},
	{"ReaderFails", "when the reader fails, nothing of the body is left", readerFails},
	{"ContextEnds", "when ctx ends before Put has returned nil, nothing of the body is left", contextEnds},
	{"ConcurrentPuts", "Put is safe for concurrent use and stores each body once", concurrentPuts},
	{"Duplicates", "bodies may repeat; each Put stores one", duplicates},
	{"OddReaders", "Put reads its reader to the end, however it gives its bytes", oddReaders},
	{"LargeBody", "a body may have 100 MB", largeBody},
}

func stringReader(s string) io.Reader { return strings.NewReader(s) }

// noise is n bytes that nothing compresses or interprets.
func noise(n int, seed uint64) string {
	b := make([]byte, n)
	src := rand.NewChaCha8([32]byte{byte(seed), byte(seed >> 8)})
	_, _ = src.Read(b)
	return string(b)
}

func bytesUnchanged(s *subject) {
	want := []string{
		"{}", " ", "\x00", "{\"a\":[]}\r\n", "\xff\xfe not UTF-8 \xc0", "not JSON",
		noise(1<<10, 1), noise(4095, 2), noise(4096, 3), noise(4097, 4),
		noise(64<<10-1, 5), noise(64<<10, 6), noise(64<<10+1, 7), noise(1<<20+1, 8),
	}
	s.put(want...)
	for i, b := range s.take(len(want)) {
		if got := s.read(b); got != want[i] {
			s.fail("body %d is %s, want %s", i, short(got), short(want[i]))
		}
	}
	s.reopen()
	for i, b := range s.holds(want...) {
		checkReaderAt(s, b, want[i])
	}
}

// checkReaderAt checks the corners of io.ReaderAt.
func checkReaderAt(s *subject, b io.ReaderAt, want string) {
	s.Helper()
	tail := len(want) - len(want)/3
	p := make([]byte, len(want)-tail+1)
	n, err := b.ReadAt(p, int64(tail))
	if err != io.EOF || string(p[:n]) != want[tail:] {
		s.fail("ReadAt over the end gave %d bytes and the error %v, want %d and io.EOF", n, err, len(want)-tail)
	}
	if n, err := b.ReadAt(p, int64(len(want))); n != 0 || err != io.EOF {
		s.fail("ReadAt at the end gave %d bytes and the error %v, want 0 and io.EOF", n, err)
	}
	var wg sync.WaitGroup
	var bad sync.Once
	for range 4 {
		wg.Go(func() {
			p := make([]byte, len(want))
			if n, err := b.ReadAt(p, 0); n != len(want) || err != nil && err != io.EOF || string(p) != want {
				bad.Do(func() { s.Errorf("concurrent ReadAt gave %d bytes, error %v", n, err) })
			}
		})
	}
	wg.Wait()
}

func readerFails(s *subject) {
	cause := errors.New("the connection was reset")
	s.put("before")
	for _, n := range []int{0, 1, 1 << 10, 100 << 10, 2 << 20} {
		r := io.MultiReader(stringReader(noise(n, 9)), iotest.ErrReader(cause))
		if err := s.queue.Put(s.ctx, r); err == nil {
			s.fail("Put returned nil for a reader that failed after %d bytes", n)
		} else if !errors.Is(err, cause) {
			s.fail("Put's error %q does not wrap the reader's", err)
		}
	}
	s.put("after")
	s.holds("before", "after")
	s.reopen()
	s.holds("before", "after")
}

func contextEnds(s *subject) {
	s.put("before")
	ended, cancel := context.WithCancel(s.ctx)
	cancel()
	if err := s.queue.Put(ended, stringReader("never")); err == nil {
		s.fail("Put returned nil after its ctx had ended")
	}
	for _, n := range []int{1 << 10, 100 << 10, 2 << 20} {
		ctx, cancel := context.WithCancel(s.ctx)
		// The reader goes on; only ctx tells that nobody waits.
		r := io.MultiReader(stringReader(noise(n, 10)), readerFunc(func(p []byte) (int, error) {
			cancel()
			return 0, io.EOF
		}))
		if err := s.queue.Put(ctx, r); err == nil {
			s.fail("Put returned nil though ctx ended while it read (%d bytes)", n)
		}
	}
	s.put("after")
	s.holds("before", "after")
	s.reopen()
	s.holds("before", "after")
}

type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }

func concurrentPuts(s *subject) {
	const producers, each = 32, 16
	var wg sync.WaitGroup
	errs := make(chan error, producers*each)
	for p := range producers {
		wg.Go(func() {
			for i := range each {
				// A few are larger, so that small ones finish around them.
				body := fmt.Sprintf("%d/%d ", p, i) + noise(100+(i%4)/3*(80<<10), uint64(p*each+i))
				errs <- s.queue.Put(s.ctx, stringReader(body))
			}
		})
	}
	wg.Wait()
	for range producers * each {
		s.ok(<-errs, "Put")
	}
	check := func() {
		s.Helper()
		seen, ids := map[string]bool{}, map[string]bool{}
		for _, b := range s.all() {
			place, rest, _ := strings.Cut(s.read(b), " ")
			var p, i int
			_, _ = fmt.Sscanf(place, "%d/%d", &p, &i)
			if seen[place] {
				s.fail("body %s is there twice", place)
			}
			if ids[b.ID()] {
				s.fail("two bodies have the ID %q", b.ID())
			}
			if rest != noise(100+(i%4)/3*(80<<10), uint64(p*each+i)) {
				s.fail("body %s was changed", place)
			}
			seen[place], ids[b.ID()] = true, true
		}
		if len(seen) != producers*each {
			s.fail("%d bodies are left, want %d", len(seen), producers*each)
		}
	}
	check()
	s.reopen()
	check()
}

func duplicates(s *subject) {
	s.put("same", "same", "other", "same")
	got := s.holds("same", "same", "other", "same")
	if got[0].ID() == got[1].ID() {
		s.fail("two bodies have the ID %q", got[0].ID())
	}
	s.ok(got[0].Mark(s.ctx, 0), "Mark")
	s.ok(got[0].Finish(s.ctx), "Finish")
	s.reopen()
	for _, b := range s.holds("same", "other", "same") {
		if b.Done(0) {
			s.fail("a mark on one body shows on its twin")
		}
	}
}

func oddReaders(s *subject) {
	want := noise(70<<10, 11)
	for _, r := range []io.Reader{
		iotest.OneByteReader(stringReader(want)),
		iotest.HalfReader(stringReader(want)),
		iotest.DataErrReader(stringReader(want)),
		&emptyReads{r: stringReader(want)},
		struct{ io.Reader }{bytes.NewBufferString(want)},
	} {
		s.ok(s.queue.Put(s.ctx, r), fmt.Sprintf("Put of a %T", r))
	}
	s.holds(want, want, want, want, want)
}

// emptyReads gives no byte at every other call, as io.Reader may.
type emptyReads struct {
	r    io.Reader
	turn bool
}

func (e *emptyReads) Read(p []byte) (int, error) {
	if e.turn = !e.turn; e.turn {
		return 0, nil
	}
	return e.r.Read(p)
}

func largeBody(s *subject) {
	if testing.Short() {
		s.Skip("100 MB are left out with -short")
	}
	const size = 100 << 20
	content := func() io.Reader { return io.LimitReader(rand.NewChaCha8([32]byte{12}), size) }
	hash := func(r io.Reader) uint64 {
		h := fnv.New64a()
		if n, err := io.Copy(h, r); n != size || err != nil {
			s.fail("%d bytes of %d came back, error %v", n, size, err)
		}
		return h.Sum64()
	}
	s.put("before")
	s.ok(s.queue.Put(s.ctx, content()), "Put")
	s.put("after")
	s.reopen()
	got := s.all()
	if len(got) != 3 || got[1].Size() != size {
		s.fail("the bodies around it or its size changed")
	}
	if hash(io.NewSectionReader(got[1], 0, size)) != hash(content()) {
		s.fail("its bytes changed")
	}
}
