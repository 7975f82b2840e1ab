package spool

import (
	"cmp"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"io/fs"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/garminkit/activityapi/notify"
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
//	<number>.<time of receipt>.<order>.<size>.<crc32c>.<a or d>.body
//
// with a if the body may hold items of an account. Version 0.1 told neither that
// nor the order. If the body is sealed, the file is a stream of package seal, its
// checksum is a part of the stream's id, and it is "as" or "ds". What the name says
// is not authenticated: it is known when the body is sealed already.
type largeBody struct {
	unit     // its counted is an offset, see itemID
	seq      uint64
	received time.Time
	order    uint64
	size     int64
	sum      uint32
	look     string // "a", "d", or "" if nobody looked: version 0.1
	sealed   bool
	file     string // the name within largeDir

	idx      *index // nil if it is not in memory
	mem      *memFile
	building bool

	// swap is held for reading while the body and its index are opened together,
	// and for writing by who replaces both.
	swap sync.RWMutex
}

// name is the name of the body's file.
func (l *largeBody) name() string {
	if l.look == "" {
		return fmt.Sprintf("%016x.%016x.%d.%08x%s", l.seq, l.received.UnixNano(), l.size, l.sum, bodySuffix)
	}
	look := l.look
	if l.sealed {
		look += "s"
	}
	return fmt.Sprintf("%016x.%016x.%016x.%d.%08x.%s%s", l.seq, l.received.UnixNano(), l.order, l.size, l.sum, look, bodySuffix)
}

func parseLargeName(name string) (*largeBody, bool) {
	stem, ok := strings.CutSuffix(name, bodySuffix)
	parts := strings.Split(stem, ".")
	if !ok || len(parts) != 4 && len(parts) != 6 {
		return nil, false
	}
	l := &largeBody{file: name}
	var errs [5]error
	l.seq, errs[0] = strconv.ParseUint(parts[0], 16, 64)
	l.order = oldOrder(l.seq)
	if len(parts) == 6 {
		l.order, errs[1] = strconv.ParseUint(parts[2], 16, 64)
		if l.look, l.sealed = strings.CutSuffix(parts[5], "s"); l.look != "a" && l.look != "d" {
			return nil, false
		}
		parts = slices.Delete(parts, 2, 3)
	}
	nano, err := strconv.ParseInt(parts[1], 16, 64)
	errs[2], l.received = err, time.Unix(0, nano).UTC()
	l.size, errs[3] = strconv.ParseInt(parts[2], 10, 64)
	sum, err := strconv.ParseUint(parts[3], 16, 32)
	errs[4], l.sum = err, uint32(sum)
	if errors.Join(errs[:]...) != nil || l.size < 0 || l.name() != name {
		return nil, false
	}
	return l, true
}

func (l *largeBody) stem() string { return strings.TrimSuffix(l.file, bodySuffix) }

func (l *largeBody) account() bool { return l.look != "d" }

// errTooLarge means that a body has 256 MiB or more.
var errTooLarge = errors.New("spool: the body is too large")

// putLarge writes buf[:have] and the rest of r to a temporary file, splitting the
// body on the way, and gives it its name when all of it is safe.
func (s *spool) putLarge(ctx context.Context, buf *[copySize]byte, have int, r io.Reader, known *repeats, order uint64) (err error) {
	if err := s.takeReserve(); err != nil {
		copyBuffers.Put(buf)
		return err
	}
	temp := s.tempPath(largeDir)
	f, err := s.fs.Create(temp)
	if err != nil {
		copyBuffers.Put(buf)
		return fmt.Errorf("spool: %w", err)
	}
	var size, begun, taken int64
	body := newTextWriter(f, 0, s.box(), aboutBody)
	current := temp // the file's name now
	sp := s.startSplitting()
	defer func() {
		sp.end(errors.New("not stored"))
		if err == nil {
			return
		}
		f.Close()
		s.promise(-taken)
		if rerr := s.fs.Remove(current); rerr != nil {
			s.log.Error("spool: a body that was not acknowledged stays behind", "file", current, "err", rerr)
		}
	}()

	sum := uint32(0)
	var sums []uint32
	look, account := looker{}, looker{plain: true}
	hash := sha256.New()
	n, ended, err := fill(r, buf[have:])
	if err == nil {
		err = ctx.Err()
	}
	if have += n; err != nil {
		copyBuffers.Put(buf)
		return err
	}
	for {
		if have > 0 {
			if size+int64(have) > maxBody {
				copyBuffers.Put(buf)
				return errTooLarge
			}
			more := s.diskSize(size+int64(have), s.keys != nil) - taken
			if err := s.reserve(more); err != nil {
				copyBuffers.Put(buf)
				return err
			}
			p := buf[:have]
			_, werr := body.Write(p)
			size, taken = size+int64(have), taken+more
			if werr != nil {
				copyBuffers.Put(buf)
				return fmt.Errorf("spool: %w", werr)
			}
			sum = crc32.Update(sum, castagnoli, p)
			for i := 0; i < len(p); i += sumStep { // every chunk but the last is whole
				sums = append(sums, crc32.Checksum(p[i:min(i+sumStep, len(p))], castagnoli))
			}
			look.Write(p)
			if known != nil {
				account.Write(p)
				hash.Write(p)
			}
			if size-begun >= beginStep {
				f.Begin(begun, size-begun)
				begun = size
			}
			buf = sp.give(buf, have)
		}
		if ended {
			break
		}
		if have, ended, err = fill(r, buf[:]); err == nil {
			err = ctx.Err()
		}
		if err != nil {
			copyBuffers.Put(buf)
			return err
		}
	}
	copyBuffers.Put(buf)
	// Before the sync, which a repeat need not wait for.
	var whole *bodySum
	if known != nil && !account.yes {
		keyed := s.keys.keyed(bodySum(hash.Sum(nil)))
		whole = &keyed
		if known.has(whole) {
			return errRepeat
		}
	}
	if err := body.end(); err != nil {
		return fmt.Errorf("spool: %w", err)
	}
	sum = body.sum(sum)
	if err := f.Sync(); err != nil {
		return fmt.Errorf("spool: %w", err)
	}
	idx := sp.finish(sums, size, sum)

	// Only here: a sender that takes minutes must not hold Close up.
	if err := s.enter(); err != nil {
		return err
	}
	defer s.leave()
	if err := s.lock.Held(); err != nil {
		return err
	}
	// The number is taken when all bytes are safe. Until seen is called, scans stop
	// before it: a slow body must not hold up the others for longer than its renames.
	now := time.Now().UTC()
	seq, next := s.begin(1, now, size+1)
	defer s.seen(seq)
	if order == 0 {
		order = next
	}
	l := &largeBody{seq: seq, received: now, order: order, size: size, sum: sum, look: "d", sealed: s.keys != nil}
	if look.yes {
		l.look = "a"
	}
	l.file = l.name()
	l.marks = s.newMarkFile(s.path(largeDir, l.stem()+markSuffix), true)
	switch {
	case idx == nil:
	case sp.mem != nil:
		l.idx, l.mem, l.live, l.counted = idx, sp.mem, idx.counts, itemID(seq, wholeBody)
	default:
		// Before the body, so that the index is there when the body is.
		if err := s.fs.Rename(sp.temp, s.indexPath(l)); err == nil {
			sp.temp = s.indexPath(l)
			l.idx, l.live, l.counted = idx, idx.counts, itemID(seq, wholeBody)
		}
	}
	if err := s.fs.Rename(temp, s.path(largeDir, l.file)); err != nil {
		return fmt.Errorf("spool: %w", err)
	}
	current = s.path(largeDir, l.file)
	if err := s.fs.SyncDir(s.path(largeDir)); err != nil {
		return fmt.Errorf("spool: %w", err)
	}
	if err := s.stillThere(f, current); err != nil {
		return err
	}
	if l.idx != nil {
		sp.temp, sp.mem = "", nil // it stays
	}
	f.Close()
	s.promise(-taken)
	s.spend(taken)
	known.add(l.received, whole)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.addLarge(l)
	s.counts.puts++
	notify.StoredAs(ctx, seq)
	return nil
}

// addLarge adds a large body to the spool; s.mu is held, or Open calls it.
func (s *spool) addLarge(l *largeBody) {
	s.large[l.seq] = l
	i, _ := slices.BinarySearchFunc(s.largeOrder, l.seq, compareLarge)
	s.largeOrder = slices.Insert(s.largeOrder, i, l)
	if l.idx != nil {
		s.keepIndex(l)
	}
}

func compareLarge(l *largeBody, seq uint64) int { return cmp.Compare(l.seq, seq) }

// largeAfter returns the first large body whose number is above seq; s.mu is
// held.
func (s *spool) largeAfter(seq uint64) *largeBody {
	i, _ := slices.BinarySearchFunc(s.largeOrder, seq+1, compareLarge)
	if i == len(s.largeOrder) {
		return nil
	}
	return s.largeOrder[i]
}

// removeLarge removes a finished large body. Its marks are not held.
func (s *spool) removeLarge(l *largeBody) error {
	if err := s.fs.Remove(s.path(largeDir, l.file)); err != nil && !isNotExist(err) {
		return fmt.Errorf("spool: %w", err)
	}
	// Without the body the other files are garbage, which the next Open removes
	// if this fails.
	s.forgetLarge(l)
	s.spend(-s.diskSize(l.size, l.sealed))
	return nil
}

func (s *spool) forgetLarge(l *largeBody) {
	s.mu.Lock()
	if s.large[l.seq] == l {
		delete(s.large, l.seq)
		i, _ := slices.BinarySearchFunc(s.largeOrder, l.seq, compareLarge)
		s.largeOrder = slices.Delete(s.largeOrder, i, i+1)
	}
	filed := l.mem == nil
	s.setIndex(l, nil, nil)
	s.mu.Unlock()
	l.marks.mu.Lock()
	err := l.marks.remove()
	l.marks.mu.Unlock()
	s.forgetMarks(l.marks)
	if filed {
		if rerr := s.remove(s.indexPath(l)); err == nil && !isNotExist(rerr) {
			err = rerr
		}
	}
	if err != nil {
		s.log.Warn("spool: litter left behind", "body", l.file, "err", err)
	}
}

// indexPath is where the file of an index is.
func (s *spool) indexPath(l *largeBody) string { return s.path(largeDir, l.stem()+indexSuffix) }

// recoverLarge finds the large bodies, and removes those never acknowledged or
// already finished.
func (s *spool) recoverLarge() error {
	list, err := s.fs.List(s.path(largeDir))
	if err != nil {
		return err
	}
	stems := map[string]*largeBody{}
	for _, e := range list {
		l, ok := parseLargeName(e.name)
		if !ok {
			continue
		}
		if l.sealed && s.keys == nil {
			return fmt.Errorf("%w: %s is sealed, and Options.AEAD is nil", ErrKey, l.file)
		}
		stems[l.stem()] = l
		l.marks = s.newMarkFile(s.path(largeDir, l.stem()+markSuffix), true)
		s.addLarge(l)
		s.seq = max(s.seq, l.seq)
		s.sawOrder(l.order, l.size)
		s.spend(e.size)
	}
	for _, e := range list {
		stem, isMarks := strings.CutSuffix(e.name, markSuffix)
		stem2, isIndex := strings.CutSuffix(e.name, indexSuffix)
		switch {
		case isMarks && stems[stem] != nil:
			m := stems[stem].marks
			m.made, m.size = true, e.size
			s.spend(e.size)
		case isIndex && stems[stem2] != nil:
			s.spend(e.size)
		case isMarks, isIndex, strings.HasSuffix(e.name, tempSuffix):
			if err := s.fs.Remove(s.path(largeDir, e.name)); err != nil && !isNotExist(err) {
				return err
			}
		}
	}
	return nil
}

func isNotExist(err error) bool { return errors.Is(err, fs.ErrNotExist) }
