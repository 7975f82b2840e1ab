package spool

import (
	"fmt"
	"io"
	"sync"

	"github.com/garminkit/activityapi/notify"
)

// splitting splits a large body while it is received, in a goroutine of its own: so
// splitting and writing take the time of the longer one, and the bytes are not read
// back from the disk. Three buffers go round: Put fills one, one is in full, and the
// splitter reads one. If it fails, the body is still stored and is split later.
type splitting struct {
	s    *spool
	temp string // the index on the way, "" if there is no file, or it is no longer ours to remove
	f    file
	mem  *memFile // the index, as long as it has no file
	w    *indexWriter

	full  chan []byte // to the splitter
	empty chan *[copySize]byte
	stop  chan struct{}
	once  sync.Once
	err   error // why there is no more; set before stop is closed
	done  chan struct{}

	now []byte // what the splitter reads
	buf *[copySize]byte
	ok  bool // the splitter reached the end
}

// startSplitting begins. The body is given in chunks, and end must be called.
func (s *spool) startSplitting() *splitting {
	sp := &splitting{s: s, mem: &memFile{},
		full: make(chan []byte, 1), empty: make(chan *[copySize]byte, 3), stop: make(chan struct{}), done: make(chan struct{})}
	sp.w = newIndexWriter(sp.mem, nil)
	go sp.run()
	return sp
}

func (sp *splitting) run() {
	defer close(sp.done)
	// A body that the splitter cannot stand must be stored all the same: Garmin
	// would send it again and again.
	defer func() {
		if p := recover(); p != nil {
			sp.s.log.Error("spool: a body could not be taken apart yet", "err", fmt.Sprint(p))
		}
	}()
	for p, err := range new(notify.Splitter).Split(sp) {
		if err != nil {
			return
		}
		sp.w.add(&p)
		if sp.mem != nil && (p.Offset > maxIndexedBody || sp.w.at > blockBytes) {
			if sp.w.err = sp.spill(); sp.w.err != nil {
				return
			}
		}
	}
	sp.ok = true
}

// spill puts the index into a file.
func (sp *splitting) spill() error {
	s := sp.s
	temp := s.tempPath(largeDir)
	f, err := s.fs.Create(temp)
	if err != nil {
		return err
	}
	sp.temp, sp.f = temp, f
	text := newTextWriter(f, 0, s.box(), aboutIndex)
	_, err = text.Write(sp.mem.p)
	sp.w.text, sp.w.box, sp.mem = text, s.box(), nil
	return err
}

// Read is the splitter's.
func (sp *splitting) Read(p []byte) (int, error) {
	for len(sp.now) == 0 {
		if sp.buf != nil {
			sp.empty <- sp.buf // has room
			sp.buf = nil
		}
		select {
		case b, ok := <-sp.full:
			if !ok {
				return 0, io.EOF
			}
			sp.now, sp.buf = b, (*[copySize]byte)(b[:copySize:copySize])
		case <-sp.stop:
			return 0, sp.err
		}
	}
	n := copy(p, sp.now)
	sp.now = sp.now[n:]
	return n, nil
}

// give passes on a buffer with n bytes and returns an empty one. It waits for a
// splitter that is behind; one that has given up no longer takes any.
func (sp *splitting) give(buf *[copySize]byte, n int) *[copySize]byte {
	select {
	case sp.full <- buf[:n:copySize]:
	case <-sp.done:
		return buf
	}
	select {
	case buf = <-sp.empty:
	default:
		buf = copyBuffers.Get().(*[copySize]byte)
	}
	return buf
}

// finish waits for the splitter and completes the index, or returns nil.
func (sp *splitting) finish(sums []uint32, size int64, sum uint32) *index {
	close(sp.full)
	<-sp.done
	if !sp.ok || sp.w.finish(sums, size, sum) != nil {
		return nil
	}
	if sp.mem != nil {
		if sp.mem.counts = sp.w.at + int64(len(sp.w.idx.users)) + indexExtra; sp.s.roomForIndex(sp.mem.counts) {
			return &sp.w.idx
		}
		sp.mem.counts = 0
		if sp.spill() != nil || sp.w.text.end() != nil {
			return nil
		}
	}
	sp.s.spend(sp.w.diskSize())
	return &sp.w.idx
}

// end clears up.
func (sp *splitting) end(why error) {
	sp.once.Do(func() {
		sp.err = why
		close(sp.stop)
	})
	<-sp.done
	if sp.buf != nil {
		copyBuffers.Put(sp.buf)
		sp.buf = nil
	}
	for len(sp.empty) > 0 {
		copyBuffers.Put(<-sp.empty)
	}
	if sp.f != nil {
		sp.f.Close()
	}
	if sp.mem != nil {
		sp.s.mu.Lock()
		sp.s.indexes -= sp.mem.counts
		sp.s.mu.Unlock()
	}
	if sp.temp != "" && sp.f != nil {
		if sp.ok && sp.w.err == nil && len(sp.w.idx.sums) > 0 {
			sp.s.spend(-sp.w.diskSize())
		}
		_ = sp.s.fs.Remove(sp.temp)
	}
}
