package spool

import (
	"context"
	"fmt"
)

// Check reports why the spool would not take a body now, and nil if it would: it
// was closed, its directory is gone, Options.MaxBytes is reached, or the disk
// does not take a few bytes and sync them. It costs a sync.
func (s *Spool) Check(ctx context.Context) error {
	if err := s.usable(ctx); err != nil {
		return err
	}
	if err := s.enter(); err != nil {
		return err
	}
	defer s.leave()
	if err := s.lock.Held(); err != nil {
		return fmt.Errorf("spool: %w", err)
	}
	if err := s.reserve(maxSmall); err != nil {
		return err
	}
	s.promise(-maxSmall)
	if err := s.takeReserve(); err != nil {
		return err
	}
	name := s.tempPath(letterDir)
	if err := writeWhole(s.fs, name, make([]byte, recordAlign)); err != nil {
		return fmt.Errorf("spool: the disk: %w", err)
	}
	return s.fs.Remove(name)
}
