package spool

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"sync"
	"time"

	"github.com/garminkit/activityapi/internal/redelivery"
)

const (
	repeatsName = "repeats"
	// keyedName is the file of a sealed spool, with sums that are keyed.
	keyedName = "repeats.keyed"
	// repeatsSlack is the least growth of the file of repeats before it is
	// replaced.
	repeatsSlack = 64 << 10
)

// errRepeat ends the Put of a body that was received before.
var errRepeat = errors.New("received before")

type bodySum = [sha256.Size]byte

// repeats knows the recently received bodies. A nil one knows none.
//
// Its file is not synced: a lost record costs a second delivery, and no record
// is written before its body is durable.
type repeats struct {
	s    *spool
	name string
	log  *slog.Logger

	mu   sync.Mutex
	of   *redelivery.Memory
	f    file  // nil if there is none to write to
	size int64 // of the complete records in it
	next int64 // the size at which it is replaced by what is remembered
	buf  []byte
}

// recoverRepeats reads the file of repeats. Damage to it costs nothing but
// repeats.
func (s *spool) recoverRepeats() {
	if s.opts.RepeatTime < 0 {
		return
	}
	limit := 0
	if s.opts.MaxBytes > 0 { // The file takes a 32nd of it and a little.
		limit = int(max(1, min(s.opts.MaxBytes/64/redelivery.RecordSize, redelivery.Most)))
	}
	r := &repeats{s: s, name: s.path(repeatsName), log: s.log, of: redelivery.New(s.opts.RepeatTime, limit)}
	if s.keys != nil {
		r.name = s.path(keyedName)
	}
	s.repeats = r
	_ = s.fs.Remove(r.name + tempSuffix)
	f, err := s.fs.Open(r.name)
	if s.keys != nil {
		plain := s.path(repeatsName)
		if isNotExist(err) {
			r.carry(plain)
		}
		// Its sums tell who guesses a body that it came.
		defer func() { _ = s.fs.Remove(plain) }()
	}
	if err == nil {
		size, serr := f.Size()
		r.size, err = r.of.Load(io.NewSectionReader(f, 0, size))
		if err = errors.Join(serr, err); err == nil {
			r.f = f
			r.next = r.limit()
			s.spend(r.size)
			return
		}
		f.Close()
	}
	if !isNotExist(err) {
		r.log.Warn("spool: the file of repeats cannot be read, and is begun anew", "err", err)
	}
	r.size = 0
	r.replace()
}

// carry takes over the file of a spool that was not sealed.
func (r *repeats) carry(plain string) {
	f, err := r.s.fs.Open(plain)
	if err != nil {
		return
	}
	defer f.Close()
	size, err := f.Size()
	if err == nil {
		_, err = r.of.Load(&keying{r: io.NewSectionReader(f, 0, size), keys: r.s.keys})
	}
	if err != nil {
		r.log.Warn("spool: the file of repeats cannot be read, and is begun anew", "err", err)
	}
}

// keying reads records of plain sums and makes them keyed.
type keying struct {
	r    io.Reader
	keys *keys
	buf  []byte
}

func (k *keying) Read(p []byte) (int, error) {
	for len(k.buf) == 0 {
		var was [redelivery.RecordSize]byte
		if _, err := io.ReadFull(k.r, was[:]); err != nil {
			return 0, io.EOF // of a torn record too
		}
		// A record is half of a sum, the seconds of a time, and a checksum.
		var sum bodySum
		half := copy(sum[:len(sum)/2], was[:])
		at := time.Unix(int64(binary.LittleEndian.Uint32(was[half:])), 0)
		var of redelivery.Memory
		if bytes.Equal(of.AppendRecord(nil, sum, at), was[:]) {
			k.buf = of.AppendRecord(k.buf, k.keys.keyed(sum), at)
		}
	}
	n := copy(p, k.buf)
	k.buf = k.buf[n:]
	return n, nil
}

// limit is the largest size of the file: twice that of its content.
func (r *repeats) limit() int64 {
	return 2*int64(r.of.Len())*redelivery.RecordSize + r.slack()
}

func (r *repeats) slack() int64 {
	if r.s.opts.MaxBytes > 0 {
		return min(repeatsSlack, r.s.opts.MaxBytes/64)
	}
	return repeatsSlack
}

// has reports whether a body was received within the repeat time. Put asks before it
// stores and calls add after: two copies that arrive at once are both stored, which
// costs a second delivery.
func (r *repeats) has(sum *bodySum) bool {
	if r == nil || sum == nil {
		return false
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.of.Has(*sum, time.Now())
}

// add remembers durable bodies. A nil sum is not remembered.
func (r *repeats) add(at time.Time, sums ...*bodySum) {
	if r == nil {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.buf = r.buf[:0]
	for _, sum := range sums {
		if sum != nil {
			r.of.Add(*sum, at)
			r.buf = r.of.AppendRecord(r.buf, *sum, at)
		}
	}
	grown := int64(len(r.buf))
	switch {
	case grown == 0:
	case r.size+grown > r.next:
		r.replace()
	case r.f == nil: // Replace tries again when enough has come.
		r.size += grown
	default:
		if err := writeFull(r.f, r.buf, r.size); err != nil {
			r.log.Warn("spool: a body may be delivered again if it is repeated after a restart", "err", err)
			return // The next record takes its place.
		}
		r.size += grown
		r.s.spend(grown)
	}
}

// replace writes a new file of what is remembered; r.mu is held, or Open calls
// it. If that fails, the old file stays in use and replace is tried again later.
func (r *repeats) replace() {
	if err := r.rewrite(); err != nil {
		r.log.Warn("spool: the file of repeats cannot be replaced", "err", err)
		r.next = r.size + r.slack()
		return
	}
	r.next = r.limit()
}

func (r *repeats) rewrite() error {
	fs, temp := r.s.fs, r.name+tempSuffix
	if err := fs.Remove(temp); err != nil && !isNotExist(err) {
		return err
	}
	f, err := fs.Create(temp)
	if err != nil {
		return err
	}
	size, err := r.of.WriteTo(io.NewOffsetWriter(f, 0))
	err = errors.Join(err, f.Close())
	if err == nil {
		// An open file cannot be replaced everywhere.
		old := int64(0)
		if r.f != nil {
			old = r.size
			r.f.Close()
			r.f = nil
		}
		if err = fs.Rename(temp, r.name); err == nil {
			r.s.spend(size - old)
			r.size = size
		} else {
			_ = fs.Remove(temp)
		}
		var oerr error
		if r.f, oerr = fs.Open(r.name); oerr != nil {
			r.f = nil
			err = errors.Join(err, oerr)
		}
		return err
	}
	_ = fs.Remove(temp)
	return err
}

func (r *repeats) close() {
	if r != nil && r.f != nil {
		r.f.Close()
	}
}

// acknowledge answers for a repeat, after checking that the stored files are
// still there.
func (s *spool) acknowledge() error {
	if err := s.enter(); err != nil {
		return err
	}
	defer s.leave()
	if err := s.lock.Held(); err != nil {
		return fmt.Errorf("spool: %w", err)
	}
	s.mu.Lock()
	s.counts.repeats++
	s.mu.Unlock()
	s.log.Debug("spool: a body came again, and is not stored again")
	return nil
}
