package spool

// Stats are figures for metrics.
type Stats struct {
	// Bodies counts the unfinished bodies.
	Bodies int
	// Bytes is what the bodies' files take on the disk, finished bodies that
	// still share a file with others among them.
	Bytes int64
	// Puts counts the bodies stored since Open.
	Puts int64
	// Syncs counts the writes that they shared, large ones not counted.
	Syncs int64
	// Damaged counts what was found damaged since Open and made a letter.
	Damaged int
	// Unreadable counts the bodies that the disk failed to give back since
	// Open. They are left where they are and tried again after the next Open.
	Unreadable int
}

// Stats returns the present figures.
func (s *Spool) Stats() Stats {
	s.mu.Lock()
	defer s.mu.Unlock()
	st := s.stats
	st.Bytes = s.bytes
	return st
}
