package spool

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/garminkit/activityapi/notify"
)

// errBodyClosed is what the methods of a closed or finished body give.
var errBodyClosed = errors.New("spool: the body is closed")

// body is a handle on one stored body.
type body struct {
	s        *Spool
	seq      uint64
	received time.Time
	size     int64
	marks    *markFile
	done     *markSet
	remove   func() error

	mu       sync.RWMutex
	r        io.ReaderAt // nil when closed
	finished bool
}

var _ notify.Body = (*body)(nil)

func (s *Spool) newBody(seq uint64, received time.Time, size int64, r io.ReaderAt, marks *markFile, remove func() error) *body {
	s.mu.Lock()
	defer s.mu.Unlock()
	return &body{s: s, seq: seq, received: received, size: size, marks: marks,
		done: s.markSetOf(seq), remove: remove, r: r}
}

func (b *body) ID() string          { return fmt.Sprintf("%016x", b.seq) }
func (b *body) Received() time.Time { return b.received }
func (b *body) Size() int64         { return b.size }

func (b *body) ReadAt(p []byte, off int64) (int, error) {
	b.mu.RLock()
	defer b.mu.RUnlock()
	if b.r == nil {
		return 0, errBodyClosed
	}
	return b.r.ReadAt(p, off)
}

func (b *body) Done(ordinal int) bool { return b.done.has(ordinal) }

func (b *body) Mark(_ context.Context, ordinal int) error {
	if err := b.s.enter(); err != nil {
		return err
	}
	defer b.s.leave()
	return b.mark(ordinal)
}

func (b *body) Bury(_ context.Context, ordinal int, l *notify.Letter) error {
	if err := b.s.enter(); err != nil {
		return err
	}
	defer b.s.leave()
	if err := b.s.bury(letterID(b.seq, uint32(ordinal)), l); err != nil {
		return err
	}
	return b.mark(ordinal)
}

func (b *body) mark(ordinal int) error {
	if ordinal < 0 || ordinal >= maxBit {
		return fmt.Errorf("spool: ordinal %d", ordinal)
	}
	b.mu.RLock()
	defer b.mu.RUnlock()
	if b.finished {
		return errBodyClosed
	}
	if err := b.marks.add(mark{markItem, b.seq, uint32(ordinal)}); err != nil {
		return err
	}
	b.done.set(ordinal)
	return nil
}

func (b *body) Finish(context.Context) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.finished {
		return nil
	}
	if err := b.s.enter(); err != nil {
		return err
	}
	defer b.s.leave()
	_ = b.let()
	if err := b.remove(); err != nil {
		return err
	}
	b.finished = true
	return nil
}

func (b *body) Close() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.let()
}

func (b *body) let() error {
	if b.r == nil {
		return nil
	}
	c, ok := b.r.(io.Closer)
	b.r = nil
	if ok { // A large body, which has its file of marks for itself.
		b.marks.close()
		return c.Close()
	}
	return nil
}
