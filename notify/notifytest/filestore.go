package notifytest

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"
	"sync"
	"testing"
	"testing/iotest"
	"time"

	"github.com/garminkit/activityapi/notify"
)

// FileStoreHarness opens stores of an implementation for [RunFileStore], and ends
// them like a crash.
type FileStoreHarness struct {
	// Open returns a handle on the store that lives in dir, an empty directory
	// at first. Each handle stands for a process; several are open at a time. A
	// store that lives elsewhere may take dir as a name.
	Open func(t *testing.T, dir string) notify.FileStore
	// Kill ends the process of a handle, which is not closed. nil means that
	// there is nothing to do.
	Kill func(t *testing.T, s notify.FileStore)
}

// RunFileStore checks an implementation of [notify.FileStore], clause by clause.
// It cannot check that a file survives a power cut.
func RunFileStore(t *testing.T, h FileStoreHarness) {
	for _, c := range fileClauses {
		t.Run(c.name, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			s := &fileSubject{T: t, h: h, ctx: ctx, dir: t.TempDir(), duty: c.duty}
			defer s.close()
			s.one, s.two = s.open(), s.open()
			c.check(s)
		})
	}
}

// fileSubject is the store under test, with the handles of two processes.
type fileSubject struct {
	*testing.T
	h        FileStoreHarness
	ctx      context.Context
	dir      string
	duty     string
	one, two notify.FileStore
	opened   []notify.FileStore
}

func (s *fileSubject) open() notify.FileStore {
	c := s.h.Open(s.T, s.dir)
	s.opened = append(s.opened, c)
	return c
}

func (s *fileSubject) close() {
	for _, c := range s.opened {
		if c, ok := c.(io.Closer); ok {
			_ = c.Close()
		}
	}
}

func (s *fileSubject) fail(format string, args ...any) {
	s.Helper()
	s.Fatalf("%s\n\tThe contract: %s.", fmt.Sprintf(format, args...), s.duty)
}

func sumOf(content []byte) string { return fmt.Sprintf("%x", sha256.Sum256(content)) }

func (s *fileSubject) put(to notify.FileStore, name, content string) error {
	return to.Put(s.ctx, name, strings.NewReader(content), int64(len(content)), sumOf([]byte(content)))
}

func (s *fileSubject) mustPut(to notify.FileStore, name, content string) {
	s.Helper()
	if err := s.put(to, name, content); err != nil {
		s.fail("Put of %q: %v", name, err)
	}
}

// holds checks what the other process, and one that begins now, see.
func (s *fileSubject) holds(name, want string) {
	s.Helper()
	for _, from := range []notify.FileStore{s.two, s.open()} {
		r, err := from.Open(s.ctx, name)
		if err != nil {
			s.fail("Open of %q: %v", name, err)
		}
		got, err := io.ReadAll(r)
		if e := r.Close(); err == nil {
			err = e
		}
		if err != nil || string(got) != want {
			s.fail("%q holds %s (%v), want %s", name, short(string(got)), err, short(want))
		}
	}
}

func (s *fileSubject) missing(name string) {
	s.Helper()
	if r, err := s.two.Open(s.ctx, name); !errors.Is(err, fs.ErrNotExist) {
		if err == nil {
			r.Close()
		}
		s.fail("Open of %q gave %v, want fs.ErrNotExist", name, err)
	}
}

var fileClauses = []struct {
	name, duty string
	check      func(*fileSubject)
}{
	{"a file is stored", "what Put has taken, Open gives to every process", func(s *fileSubject) {
		s.missing("u/7.fit")
		for _, name := range []string{"u/7.fit", "u/8~0123456789abcdef.fit.json", "_/_", "a", "deep/er/and/deeper/%2e%2e", strings.Repeat("e", 120) + "/" + strings.Repeat("f", 120), "Größe/naïve file.fit"} {
			s.mustPut(s.one, name, "the bytes of "+name)
			s.holds(name, "the bytes of "+name)
		}
	}},
	{"an empty and a large file", "size is the file's", func(s *fileSubject) {
		s.mustPut(s.one, "empty", "")
		s.holds("empty", "")
		large := strings.Repeat("0123456789abcdef", 1<<19)
		s.mustPut(s.one, "large", large)
		s.holds("large", large)
	}},
	{"what is not whole is not stored", "bytes of another size or sum, or that cannot be read, are not stored", func(s *fileSubject) {
		content := []byte("the whole file")
		for name, r := range map[string]io.Reader{
			"short":   bytes.NewReader(content[:5]),
			"long":    bytes.NewReader(append(content, '!')),
			"flipped": bytes.NewReader(bytes.ToUpper(content)),
			"broken":  io.MultiReader(bytes.NewReader(content[:5]), iotest.ErrReader(errors.New("broken"))),
			"late":    io.MultiReader(bytes.NewReader(content), iotest.ErrReader(errors.New("broken"))),
		} {
			if err := s.one.Put(s.ctx, name, r, int64(len(content)), sumOf(content)); err == nil {
				s.fail("Put took a file that is %s", name)
			}
			s.missing(name)
			// It may be repeated.
			s.mustPut(s.one, name, string(content))
			s.holds(name, string(content))
		}
	}},
	{"nothing is seen before", "nothing is to be seen of the file before it is complete", func(s *fileSubject) {
		content := []byte("the whole file")
		r := io.MultiReader(bytes.NewReader(content[:5]), &hook{func() { s.missing("f") }}, bytes.NewReader(content[5:]))
		if err := s.one.Put(s.ctx, "f", r, int64(len(content)), sumOf(content)); err != nil {
			s.fail("Put: %v", err)
		}
		s.holds("f", string(content))
	}},
	{"a file is put again", "a Put of the same bytes is nil", func(s *fileSubject) {
		s.mustPut(s.one, "u/f", "the bytes")
		s.mustPut(s.one, "u/f", "the bytes")
		s.mustPut(s.two, "u/f", "the bytes")
		s.holds("u/f", "the bytes")
	}},
	{"a file is not replaced", "a Put of other bytes is fs.ErrExist and changes nothing", func(s *fileSubject) {
		s.mustPut(s.one, "u/f", "the bytes")
		for _, other := range []string{"other bytes", "the bytez", ""} {
			for _, to := range []notify.FileStore{s.one, s.two} {
				if err := s.put(to, "u/f", other); !errors.Is(err, fs.ErrExist) {
					s.fail("Put of %q gave %v", other, err)
				}
			}
			s.holds("u/f", "the bytes")
		}
	}},
	{"two put at once", "of two Puts at once one wins", func(s *fileSubject) {
		for n := range 20 {
			name := fmt.Sprint("u/", n)
			var wg sync.WaitGroup
			var errs [2]error
			for i, to := range []notify.FileStore{s.one, s.two} {
				wg.Go(func() { errs[i] = s.put(to, name, strings.Repeat(fmt.Sprint(i), 10_000)) })
			}
			wg.Wait()
			for i, err := range errs {
				switch {
				case err == nil && errs[1-i] == nil:
					s.fail("both won")
				case err == nil:
					s.holds(name, strings.Repeat(fmt.Sprint(i), 10_000))
				case !errors.Is(err, fs.ErrExist):
					s.fail("Put: %v", err)
				case errs[1-i] != nil:
					s.fail("nobody won: %v and %v", err, errs[1-i])
				}
			}
		}
	}},
	{"a process is killed", "what Put has taken survives the process, and what it has not can be put again", func(s *fileSubject) {
		s.mustPut(s.one, "u/f", "the bytes")
		dying := s.open()
		_ = dying.Put(s.ctx, "u/g", iotest.ErrReader(errors.New("the process dies")), 9, sumOf([]byte("the bytes")))
		for _, c := range []notify.FileStore{s.one, dying} {
			if s.h.Kill != nil {
				s.h.Kill(s.T, c)
			}
		}
		s.holds("u/f", "the bytes")
		s.missing("u/g")
		s.mustPut(s.two, "u/g", "the bytes")
		s.holds("u/g", "the bytes")
	}},
	{"ctx ends", "an ended ctx is an error, and nothing is stored", func(s *fileSubject) {
		ctx, cancel := context.WithCancel(s.ctx)
		cancel()
		if err := s.one.Put(ctx, "u/f", strings.NewReader("bytes"), 5, sumOf([]byte("bytes"))); err == nil {
			s.fail("Put gave nil")
		}
		s.missing("u/f")
	}},
}

// hook is an empty reader that calls f.
type hook struct{ f func() }

func (h *hook) Read([]byte) (int, error) {
	h.f()
	return 0, io.EOF
}
