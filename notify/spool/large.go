package spool

import (
	"context"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"io/fs"
	"strconv"
	"strings"
	"time"
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

const (
	bodySuffix = ".body"
	markSuffix = ".marks"
	// beginStep is how much of a large body goes to the disk at a time while
	// the rest is received.
	beginStep = 2 << 20
)

// largeBody is a body with a file of its own. The file holds the bytes as they
// came; all else stands in its name:
//
//	<number>.<time of receipt>.<size>.<crc32c>.body
type largeBody struct {
	seq      uint64
	received time.Time
	size     int64
	sum      uint32
	file     string // the name within largeDir
	marks    *markFile
}

func largeName(seq uint64, received time.Time, size int64, sum uint32) string {
	return fmt.Sprintf("%016x.%016x.%d.%08x%s", seq, received.UnixNano(), size, sum, bodySuffix)
}

func parseLargeName(name string) (*largeBody, bool) {
	stem, ok := strings.CutSuffix(name, bodySuffix)
	parts := strings.Split(stem, ".")
	if !ok || len(parts) != 4 {
		return nil, false
	}
	seq, err1 := strconv.ParseUint(parts[0], 16, 64)
	nano, err2 := strconv.ParseInt(parts[1], 16, 64)
	size, err3 := strconv.ParseInt(parts[2], 10, 64)
	sum, err4 := strconv.ParseUint(parts[3], 16, 32)
	l := &largeBody{seq, time.Unix(0, nano).UTC(), size, uint32(sum), name, nil}
	if err1 != nil || err2 != nil || err3 != nil || err4 != nil || size < 0 || largeName(l.seq, l.received, l.size, l.sum) != name {
		return nil, false
	}
	return l, true
}

// putLarge writes buf[:have] and the rest of r to a temporary file and gives it
// its name when all of it is safe.
func (s *Spool) putLarge(ctx context.Context, buf []byte, have int, r io.Reader) (err error) {
	temp := s.tempPath(largeDir)
	f, err := s.fs.Create(temp)
	if err != nil {
		return fmt.Errorf("spool: %w", err)
	}
	var size, begun int64
	current := temp // the file's name, "" when it is no longer ours to remove
	defer func() {
		if err == nil {
			return
		}
		if f != nil {
			f.Close()
		}
		_ = s.reserve(-size)
		if rerr := s.fs.Remove(current); rerr != nil {
			s.log.Error("spool: a body that was not acknowledged stays behind", "file", current, "err", rerr)
		}
	}()

	sum := uint32(0)
	for ended := false; ; {
		if have > 0 {
			if err := s.reserve(int64(have)); err != nil {
				return err
			}
			n, err := f.WriteAt(buf[:have], size)
			size += int64(have)
			if err == nil && n < have {
				err = io.ErrShortWrite
			}
			if err != nil {
				return fmt.Errorf("spool: %w", err)
			}
			sum = crc32.Update(sum, castagnoli, buf[:have])
			if size-begun >= beginStep {
				f.Begin(begun, size-begun)
				begun = size
			}
		}
		if ended {
			break
		}
		if have, ended, err = fill(r, buf); err != nil {
			return err
		}
		if err := ctx.Err(); err != nil {
			return err
		}
	}
	if err := f.Sync(); err != nil {
		return fmt.Errorf("spool: %w", err)
	}
	err, f = f.Close(), nil
	if err != nil {
		return fmt.Errorf("spool: %w", err)
	}

	if err := s.enter(); err != nil {
		return err
	}
	defer s.leave()
	received := time.Now().UTC()
	l := &largeBody{seq: s.nextSeq(), received: received, size: size, sum: sum}
	l.file = largeName(l.seq, received, size, sum)
	l.marks = s.newMarkFile(s.path(largeDir, strings.TrimSuffix(l.file, bodySuffix)+markSuffix))
	if err := s.fs.Rename(temp, s.path(largeDir, l.file)); err != nil {
		return fmt.Errorf("spool: %w", err)
	}
	current = s.path(largeDir, l.file)
	if err := s.fs.SyncDir(s.path(largeDir)); err != nil {
		return fmt.Errorf("spool: %w", err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.large[l.seq] = l
	s.stats.Bodies++
	s.stats.Puts++
	if s.feed != nil {
		s.feed.addLarge(l)
	}
	return nil
}

// reserve counts n more bytes on the disk.
func (s *Spool) reserve(n int64) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if n > 0 && s.opts.MaxBytes > 0 && s.bytes+n > s.opts.MaxBytes {
		return ErrFull
	}
	s.bytes += n
	return nil
}

// recoverLarge finds the large bodies, with their marks, and clears away what
// was never acknowledged or is already finished.
func (s *Spool) recoverLarge() error {
	list, err := s.fs.List(s.path(largeDir))
	if err != nil {
		return err
	}
	stems := map[string]bool{}
	for _, e := range list {
		l, ok := parseLargeName(e.name)
		if !ok {
			continue
		}
		stem := strings.TrimSuffix(e.name, bodySuffix)
		stems[stem] = true
		l.marks = s.newMarkFile(s.path(largeDir, stem+markSuffix))
		s.large[l.seq] = l
		s.seq = max(s.seq, l.seq)
		s.bytes += e.size
		s.stats.Bodies++
	}
	for _, e := range list {
		stem, isMarks := strings.CutSuffix(e.name, markSuffix)
		switch {
		case isMarks && stems[stem]:
			l, _ := parseLargeName(stem + bodySuffix)
			l = s.large[l.seq]
			err := l.marks.load(func(m mark) {
				if m.kind == markItem && m.seq == l.seq {
					s.markSetOf(l.seq).set(int(m.ordinal))
				}
			})
			if err != nil {
				return err
			}
		case isMarks, strings.HasSuffix(e.name, tempSuffix):
			if err := s.fs.Remove(s.path(largeDir, e.name)); err != nil {
				return err
			}
		}
	}
	return nil
}

// openLarge opens a large body after it has proved whole. A damaged one is set
// aside as a letter, and ok is false.
func (s *Spool) openLarge(ctx context.Context, l *largeBody) (_ *body, ok bool, err error) {
	f, err := s.fs.Open(s.path(largeDir, l.file))
	if err != nil {
		return nil, false, err
	}
	defer func() {
		if !ok {
			f.Close()
		}
	}()
	buf := copyBuffers.Get().(*[copySize]byte)
	defer copyBuffers.Put(buf)
	sum, size := uint32(0), int64(0)
	for size <= l.size {
		if err := ctx.Err(); err != nil {
			return nil, false, err
		}
		n, err := f.ReadAt(buf[:], size)
		sum = crc32.Update(sum, castagnoli, buf[:n])
		size += int64(n)
		if err == io.EOF {
			break
		}
		if err != nil {
			return nil, false, err
		}
	}
	if size != l.size || sum != l.sum {
		f.Close()
		return nil, false, s.setAsideLarge(l)
	}
	return s.newBody(l.seq, l.received, l.size, f, l.marks, func() error { return s.removeLarge(l) }), true, nil
}

// removeLarge is Finish for a large body.
func (s *Spool) removeLarge(l *largeBody) error {
	if err := s.fs.Remove(s.path(largeDir, l.file)); err != nil && !isNotExist(err) {
		return fmt.Errorf("spool: %w", err)
	}
	// Without its body the file of marks is litter, which the next Open takes
	// away if this does not.
	if err := l.marks.remove(); err != nil {
		s.log.Warn("spool: marks left behind", "err", err)
	}
	s.forgetLarge(l)
	return nil
}

func (s *Spool) forgetLarge(l *largeBody) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.large[l.seq] != l {
		return
	}
	delete(s.large, l.seq)
	delete(s.marks, l.seq)
	s.bytes -= l.size
	s.stats.Bodies--
}

func isNotExist(err error) bool { return errors.Is(err, fs.ErrNotExist) }
