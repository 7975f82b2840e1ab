// Package notifytest checks an implementation of [notify.Queue] against the
// contract, and has one in memory for tests.
//
// An implementation's test is one call:
//
//	notifytest.Run(t, func(t *testing.T, dir string) notify.Queue {
//		s, err := spool.Open(dir, nil)
//		require.NoError(t, err)
//		return s
//	})
package notifytest

import (
	"context"
	"fmt"
	"io"
	"testing"
	"time"

	"github.com/garminkit/activityapi/notify"
)

// Run checks a queue, clause by clause. open opens the queue that lives in
// dir, an empty directory at first; a second call with the same dir is what a
// restarted process does, and must find all that the first queue promised to
// keep. Before it, the first is closed if it is an [io.Closer]. A queue that
// lives elsewhere may take dir as a name.
//
// With -short the body of 100 MB is left out.
func Run(t *testing.T, open func(t *testing.T, dir string) notify.Queue) {
	for _, c := range clauses {
		t.Run(c.name, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			s := &subject{T: t, ctx: ctx, dir: t.TempDir(), open: open, clause: c.text}
			s.queue = open(t, s.dir)
			defer s.close()
			c.check(s)
		})
	}
}

// clause is one part of the contract and the check of it.
type clause struct {
	name  string
	text  string
	check func(*subject)
}

var clauses = append(storeClauses, workerClauses...)

// subject is the queue under test.
type subject struct {
	*testing.T
	ctx    context.Context
	dir    string
	open   func(t *testing.T, dir string) notify.Queue
	queue  notify.Queue
	clause string
}

// fail ends the test, with the clause that was broken.
func (s *subject) fail(format string, args ...any) {
	s.Helper()
	s.Fatalf("%s\n\tThe contract: %s.", fmt.Sprintf(format, args...), s.clause)
}

func (s *subject) ok(err error, doing string) {
	s.Helper()
	if err != nil {
		s.fail("%s: %v", doing, err)
	}
}

func (s *subject) close() {
	if c, ok := s.queue.(io.Closer); ok {
		if err := c.Close(); err != nil {
			s.Errorf("Close: %v", err)
		}
	}
}

// reopen models a restart of the process.
func (s *subject) reopen() {
	s.Helper()
	s.close()
	s.queue = s.open(s.T, s.dir)
}

// take returns the next n bodies of a new loop.
func (s *subject) take(n int) []notify.Body {
	s.Helper()
	var got []notify.Body
	for b, err := range s.queue.Bodies(s.ctx) {
		s.ok(err, "Bodies")
		if got = append(got, b); len(got) == n {
			return got
		}
	}
	s.fail("Bodies yielded %d bodies and ended, want %d", len(got), n)
	return nil
}

// all returns the unfinished bodies. It puts one at the end to know where that
// is, and finishes it.
func (s *subject) all() []notify.Body {
	s.Helper()
	const end = "the end of the queue"
	s.put(end)
	const patience = 5 * time.Second
	ctx, cancel := context.WithCancel(s.ctx)
	defer cancel()
	idle := time.AfterFunc(patience, cancel)
	var got []notify.Body
	for b, err := range s.queue.Bodies(ctx) {
		s.ok(err, "Bodies")
		idle.Reset(patience)
		if b.Size() == int64(len(end)) && s.read(b) == end {
			s.ok(b.Mark(s.ctx, 0), "Mark")
			s.ok(b.Finish(s.ctx), "Finish")
			return got
		}
		got = append(got, b)
	}
	s.fail("the body %q was stored after all others and did not come, unchanged, within %v", end, patience)
	return nil
}

func (s *subject) put(bodies ...string) {
	s.Helper()
	for _, b := range bodies {
		s.ok(s.queue.Put(s.ctx, stringReader(b)), "Put")
	}
}

// read returns a body's bytes.
func (s *subject) read(b notify.Body) string {
	s.Helper()
	data, err := io.ReadAll(io.NewSectionReader(b, 0, b.Size()))
	s.ok(err, "ReadAt")
	if int64(len(data)) != b.Size() {
		s.fail("Size is %d, and ReadAt gave %d bytes", b.Size(), len(data))
	}
	return string(data)
}

// holds checks what is in the queue, in order.
func (s *subject) holds(want ...string) []notify.Body {
	s.Helper()
	got := s.all()
	for i := range max(len(got), len(want)) {
		switch {
		case i >= len(got):
			s.fail("%d bodies are left, want %d: %s is missing", len(got), len(want), short(want[i]))
		case i >= len(want):
			s.fail("%d bodies are left, want %d: %s is too many", len(got), len(want), short(s.read(got[i])))
		case s.read(got[i]) != want[i]:
			s.fail("body %d is %s, want %s", i, short(s.read(got[i])), short(want[i]))
		}
	}
	return got
}

func (s *subject) letters() []*notify.Letter {
	s.Helper()
	var all []*notify.Letter
	for l, err := range s.queue.Letters(s.ctx) {
		s.ok(err, "Letters")
		all = append(all, l)
	}
	return all
}

func short(s string) string {
	if len(s) > 60 {
		return fmt.Sprintf("%q... (%d bytes)", s[:60], len(s))
	}
	return fmt.Sprintf("%q", s)
}
