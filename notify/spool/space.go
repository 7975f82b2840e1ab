package spool

import (
	"fmt"
	"time"
)

// reserveSize is the size of the file RESERVE. The file is deleted when a mark
// finds no room, so that a full spool can drain: finished items can be recorded
// and then removed. No body is stored until the reserve is restored.
const reserveSize = 1 << 20

// spend counts n more bytes on the disk.
func (s *spool) spend(n int64) { s.bytes.Add(n) }

// promise counts n bytes that a Put is going to take. Without it, Puts that run at once
// would each see the same room.
func (s *spool) promise(n int64) { s.promised.Add(n) }

// reserve promises n bytes to a Put, if the spool may grow that much. Some of
// MaxBytes is left for marks and letters.
func (s *spool) reserve(n int64) error {
	return s.reserveUpTo(n, s.opts.MaxBytes-min(s.opts.MaxBytes/8, 16<<20))
}

// reserveFor promises n bytes to a letter.
func (s *spool) reserveFor(n int64) error { return s.reserveUpTo(n, s.opts.MaxBytes) }

func (s *spool) reserveUpTo(n, limit int64) error {
	// First it adds and then it compares: of two that come at once, both may be refused,
	// but they never both get the last room.
	if s.promised.Add(n)+s.bytes.Load() > limit && s.opts.MaxBytes > 0 {
		s.promised.Add(-n)
		return errMaxBytes
	}
	return nil
}

// takeReserve restores the reserve. It fails while the disk has no room.
func (s *spool) takeReserve() error {
	if s.reserved.Load() { // almost always, and each Put asks
		return nil
	}
	s.reserving.Lock()
	defer s.reserving.Unlock()
	if s.reserved.Load() {
		return nil
	}
	name := s.path(reserveName)
	_ = s.fs.Remove(name)
	if err := writeWhole(s.fs, name, make([]byte, s.reserveSize)); err != nil {
		return fmt.Errorf("spool: the reserve for results: %w", err)
	}
	s.spend(s.reserveSize)
	s.reserved.Store(true)
	return nil
}

// giveReserve deletes the reserve, and reports whether there was one.
func (s *spool) giveReserve() bool {
	s.reserving.Lock()
	defer s.reserving.Unlock()
	if !s.reserved.Load() || s.fs.Remove(s.path(reserveName)) != nil {
		return false
	}
	s.reserved.Store(false)
	s.spend(-s.reserveSize)
	s.wantTidy()
	s.log.Warn("spool: the disk takes no marks; the reserve is used and nothing is stored until there is room")
	return true
}

// recoverReserve finds or creates the reserve.
func (s *spool) recoverReserve() {
	if s.sizeOf(s.path(reserveName)) == s.reserveSize {
		s.spend(s.reserveSize)
		s.reserved.Store(true)
		return
	}
	if err := s.takeReserve(); err != nil {
		// Puts will fail for as long as that lasts; what is here can be
		// processed all the same.
		s.log.Error("spool: cannot make the reserve", "err", err)
	}
}

// writeWhole creates a file with the data and syncs it, or leaves none.
func writeWhole(fs fileSystem, name string, data []byte) error {
	f, err := fs.Create(name)
	if err != nil {
		return err
	}
	if err = writeFull(f, data, 0); err == nil {
		err = f.Sync()
	}
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	if err != nil {
		_ = fs.Remove(name)
	}
	return err
}

const (
	// keepEvery is the least time between two runs of the keeper, and sweepEvery
	// between two searches for expired letters.
	keepEvery  = 30 * time.Second
	sweepEvery = time.Hour
)

// keep is the goroutine that tidies up, some time after a change. An idle spool
// sleeps.
func (s *spool) keep() {
	defer close(s.kept)
	sweep := make(<-chan time.Time)
	if s.opts.LetterRetention > 0 {
		ticker := time.NewTicker(sweepEvery)
		defer ticker.Stop()
		sweep = ticker.C
	}
	tidy := time.NewTimer(0)
	tidy.Stop()
	defer tidy.Stop()
	work := s.untidy
	for {
		select {
		case <-s.ending:
			return
		case <-work:
			work = nil // One signal is enough until the timer ends.
			tidy.Reset(keepEvery)
			continue
		case <-sweep:
			if s.enter() != nil {
				return
			}
			s.sweepLetters(s.letters.all())
			s.leave()
			continue
		case <-tidy.C:
			work = s.untidy
		}
		if s.enter() != nil {
			return
		}
		if s.takeReserve() != nil {
			s.wantTidy()
		}
		s.removeFinished()
		s.compactAll()
		s.leave()
	}
}

// wantTidy tells the keeper that there may be something to tidy up.
func (s *spool) wantTidy() {
	select {
	case s.untidy <- struct{}{}:
	default:
	}
}
