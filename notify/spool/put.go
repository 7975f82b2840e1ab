package spool

import (
	"context"
	"errors"
	"io"
	"sync"
)

const (
	// maxSmall is the largest body that goes into the log.
	maxSmall = 64 << 10
	// copySize is the buffer through which a large body goes to its file.
	copySize = 128 << 10
)

var copyBuffers = sync.Pool{New: func() any { return new([copySize]byte) }}

// Put stores what r gives; see [notify.Store]. A body of up to 64 KiB shares
// one write and one sync with its neighbours; a larger one gets a file of its
// own.
//
// Once r has ended, the end of ctx does not stop Put: its answer is then true
// to what is on the disk.
func (s *Spool) Put(ctx context.Context, r io.Reader) error {
	if err := s.usable(ctx); err != nil {
		return err
	}
	buf := copyBuffers.Get().(*[copySize]byte)
	defer copyBuffers.Put(buf)
	return s.putLarge(ctx, buf[:], 0, r)
}

func (s *Spool) usable(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return ErrClosed
	}
	return nil
}

// fill reads into buf until it is full or r ends, and tells whether r ended.
func fill(r io.Reader, buf []byte) (n int, ended bool, err error) {
	for idle := 0; n < len(buf); {
		m, err := r.Read(buf[n:])
		if m < 0 || m > len(buf)-n {
			return n, false, errors.New("spool: the reader gave an impossible count")
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
