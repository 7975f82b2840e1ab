package spool

import (
	"context"
	"crypto/sha256"
	"errors"
	"io"
	"sync"

	"github.com/garminkit/activityapi/notify"
)

const (
	// maxSmall is the largest body that goes into the log. A file of its own costs
	// two syncs, which bodies of the log share. Half of scanAhead, as a scan holds a
	// record whole.
	maxSmall = copySize - 1
	// firstSize is the size of the first buffer for a body. Most need no other.
	firstSize = 4 << 10
	// copySize is the size of the buffer for a body that is larger than the first one,
	// and for copying a large body to its file.
	copySize = 128 << 10
)

var (
	firstBuffers = sync.Pool{New: func() any { return new([firstSize]byte) }}
	copyBuffers  = sync.Pool{New: func() any { return new([copySize]byte) }}
)

// Put stores what it reads from r; see [notify.Queue]. Bodies of less than 128 KiB
// share a write and a sync; a larger body gets its own file and is split while it
// is received. A body of 256 MiB or more is refused.
//
// A body identical to one received within Options.RepeatTime is acknowledged and
// not stored again. A body that may hold a ping, a deregistration or a permission
// change is always stored: the pulled data may have changed, and a user can
// leave, come back and leave again.
//
// Once r has ended, the end of ctx does not stop Put, so that its result agrees
// with what is on the disk.
func (s *spool) Put(ctx context.Context, r io.Reader) error {
	return s.put(ctx, r, s.repeats, 0)
}

// put stores the body read from r, unless known knows it. The body gets the next
// order, or its former one if it is redriven.
func (s *spool) put(ctx context.Context, r io.Reader, known *repeats, order uint64) error {
	if err := s.usable(ctx); err != nil {
		return err
	}
	first := firstBuffers.Get().(*[firstSize]byte)
	defer firstBuffers.Put(first)
	n, ended, err := fill(r, first[:])
	if err != nil {
		return err
	}
	if ended {
		return s.putSmall(ctx, first[:n], known, order)
	}
	buf := copyBuffers.Get().(*[copySize]byte)
	m, ended, err := fill(r, buf[copy(buf[:], first[:n]):])
	if n += m; err == nil && ended && n <= maxSmall {
		err = s.putSmall(ctx, buf[:n], known, order)
		copyBuffers.Put(buf)
		return err
	}
	if err != nil {
		copyBuffers.Put(buf)
		return err
	}
	if err = s.putLarge(ctx, buf, n, r, known, order); errors.Is(err, errRepeat) {
		return s.acknowledge()
	}
	return err
}

// putSmall stores a small body.
func (s *spool) putSmall(ctx context.Context, body []byte, known *repeats, order uint64) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	var sum *bodySum
	account := accounts(body)
	if known != nil && !account && !callbackURL.in(body) { // see named
		whole := s.keys.keyed(sha256.Sum256(body))
		if sum = &whole; known.has(sum) {
			return s.acknowledge()
		}
	}
	p := pending{header: header{order: order, look: sizeLooked}, body: body, record: int64(recordSize(len(body))), whole: sum}
	if s.keys != nil {
		p.record = int64(recordSize(len(body) + sealedExtra))
	}
	if err := s.reserve(p.record); err != nil {
		return err
	}
	defer s.promise(-p.record)
	if account || escape.in(body) { // see hinted
		p.look |= sizeAccount
	}
	b, place, err := s.gathering.add(p)
	if err == nil {
		// The batch holds the body's buffer, not a copy, and the buffer goes back to
		// its pool when put returns. So this waits even if ctx ends.
		<-b.done
		err = b.err
	}
	if err == nil {
		notify.StoredAs(ctx, b.list[place].seq)
	}
	return err
}

func (s *spool) usable(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return errClosed
	}
	return nil
}

// fill reads into buf until it is full or r ends, and reports whether r ended.
func fill(r io.Reader, buf []byte) (n int, ended bool, err error) {
	for idle := 0; n < len(buf); {
		m, err := r.Read(buf[n:])
		if m < 0 || m > len(buf)-n {
			return n, false, errors.New("spool: the reader returned an impossible count")
		}
		n += m
		if err == io.EOF {
			return n, true, nil
		}
		if err != nil {
			return n, false, err
		}
		if m > 0 {
			idle = 0
		} else if idle++; idle == 100 {
			return n, false, io.ErrNoProgress
		}
	}
	return n, false, nil
}
