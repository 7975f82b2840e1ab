package spool

import (
	"bytes"

	"github.com/garminkit/activityapi/internal/erasure"
)

// kept is a record that stays when its segment is written anew, with what is cut
// out of it.
type kept struct {
	found
	cuts []erasure.Cut
}

// rewrite replaces a segment by one of the same name with only these records,
// read from in. Its marks remain valid, since they name bodies by number. A crash
// leaves the old or the new one. When the new one has its name, replaced is called
// with s.mu held; the marks are locked all the time.
func (s *spool) rewrite(g *segment, in file, stay []kept, replaced func()) (err error) {
	temp := s.tempPath(logDir)
	out, err := s.fs.Create(temp)
	if err != nil {
		return err
	}
	defer func() {
		out.Close()
		if err != nil {
			_ = s.fs.Remove(temp)
		}
	}()
	next := segment{base: g.base}
	scan := g.scanner(in, 0, g.end, 0)
	buf := make([]byte, recordSize(maxSmall+sealedExtra))
	for i := range stay {
		it := &stay[i]
		p := buf[:it.next-it.off]
		if err = readFull(in, p, it.off); err != nil {
			return err
		}
		// A body that is not sealed yet gets sealed here.
		if len(it.cuts) > 0 || g.box != nil && !it.sealed() {
			body, ok := scan.open(nil, it.header, p[it.bodyAt():][:it.size])
			if !ok {
				return errChecksum
			}
			body = bytes.Clone(body)
			erasure.Apply(body, it.cuts)
			p = g.appendRecord(buf[:0], it.header, body)
		}
		if err = writeFull(out, p, next.end); err != nil {
			return err
		}
		// Where nobody looked at a body, version 0.1, it may hold anything.
		next.place(it.seq, next.end, it.look&sizeAccount != 0 || it.look&sizeLooked == 0)
		next.end += int64(len(p))
	}
	if err = out.Sync(); err != nil {
		return err
	}
	if err = s.fs.Rename(temp, s.path(logDir, g.file)); err != nil {
		return err
	}
	// Who has the old file open reads on in it. Who opens the new one finds by version
	// that the places have changed.
	s.mu.Lock()
	s.spend(next.end - g.size)
	g.end, g.size, g.spots = next.end, next.end, next.spots
	g.version++
	replaced()
	s.mu.Unlock()
	return s.fs.SyncDir(s.path(logDir))
}
