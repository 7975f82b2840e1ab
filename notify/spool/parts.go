package spool

import (
	"errors"
	"hash/crc32"
	"io"
	"sync"
)

// partReader reads a large body and verifies the checksum of each part. It reads a part
// whole even for a few bytes of it, so that no byte is returned unverified. It is not
// safe for concurrent use.
type partReader struct {
	f    io.ReaderAt
	idx  *index
	part int // the one in buf, -1 if none
	buf  []byte
}

func (r *partReader) ReadAt(p []byte, off int64) (n int, err error) {
	for n < len(p) {
		if off >= r.idx.size {
			return n, io.EOF
		}
		if part := int(off / sumStep); part != r.part {
			r.part = -1
			size := min(sumStep, r.idx.size-int64(part)*sumStep)
			if r.buf == nil {
				r.buf = partBuffers.Get().(*[sumStep]byte)[:]
			}
			r.buf = r.buf[:size]
			if err := readFull(r.f, r.buf, int64(part)*sumStep); err == io.ErrUnexpectedEOF {
				return n, errChecksum // it was cut short
			} else if err != nil {
				return n, err
			}
			if crc32.Checksum(r.buf, castagnoli) != r.idx.sums[part] {
				return n, errChecksum
			}
			r.part = part
		}
		m := copy(p[n:], r.buf[off%sumStep:])
		n, off = n+m, off+int64(m)
	}
	return n, nil
}

// parts is an open large body.
type parts struct {
	partReader
	f *text
}

// Close closes the file. No read may still be running.
func (p *parts) Close() error {
	if p.buf != nil {
		partBuffers.Put((*[sumStep]byte)(p.buf[:sumStep]))
		p.buf, p.part = nil, -1
	}
	return p.f.Close()
}

var partBuffers = sync.Pool{New: func() any { return new([sumStep]byte) }}

// openParts opens a large body. It fails with fs.ErrNotExist if it is gone, and
// with errNotYet while its index is made.
func (s *spool) openParts(l *largeBody) (*parts, error) {
	l.swap.RLock()
	defer l.swap.RUnlock()
	idx, err := s.indexNow(l)
	if err != nil {
		return nil, err
	}
	f, err := s.openBody(s.path(largeDir, l.file), l.sealed)
	if err != nil {
		return nil, err
	}
	return &parts{partReader{f: f, idx: idx, part: -1}, f}, nil
}

var errNotYet = errors.New("spool: the body is being split")
