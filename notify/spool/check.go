package spool

import (
	"context"
	"fmt"
)

// Check returns nil if the spool would accept a body now. Otherwise it says why
// not: the spool was closed, its directory is gone, Options.MaxBytes is reached,
// or the disk fails to write and sync a few bytes. It costs a sync.
func (s *spool) Check(ctx context.Context) error {
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
