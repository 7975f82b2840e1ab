package spool

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"github.com/garminkit/activityapi/internal/seal"
)

// text is what a file says: its bytes as they are, or what is sealed in them.
type text struct {
	r      io.ReaderAt
	size   int64
	f      file
	sealed *seal.Reader // nil if it is not
	// damage is the error in the place of those of package seal.
	damage error
}

// openText opens a file. Damage of a sealed one is the error given.
func (s *spool) openText(name string, sealed bool, about []byte, damage error) (*text, error) {
	f, err := s.fs.Open(name)
	if err != nil {
		return nil, err
	}
	t := &text{r: f, f: f, damage: damage}
	t.size, err = f.Size()
	if err == nil && sealed {
		err = t.unseal(s.box(), about, false)
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	return t, nil
}

// openBody opens a file with a large body.
func (s *spool) openBody(name string, sealed bool) (*text, error) {
	return s.openText(name, sealed, aboutBody, errChecksum)
}

// openSalvage opens a damaged large body: what does not open are spaces. One of
// which nothing opens is read as it is.
func (s *spool) openSalvage(name string, sealed bool) (*text, error) {
	t, err := s.openText(name, false, nil, errChecksum)
	if err == nil && sealed {
		_ = t.unseal(s.box(), aboutBody, true)
	}
	return t, err
}

// unseal makes the text what is sealed in the file.
func (t *text) unseal(box *seal.Box, about []byte, salvage bool) error {
	open := box.NewReader
	if salvage {
		open = box.NewSalvager
	}
	r, err := open(t.r, t.size, about)
	if err != nil {
		return t.translate(err)
	}
	t.sealed, t.r, t.size = r, r, r.Size()
	return nil
}

func (t *text) translate(err error) error {
	if errors.Is(err, seal.ErrDamaged) || errors.Is(err, seal.ErrKey) || errors.Is(err, seal.ErrNotSealed) {
		return t.damage
	}
	return err
}

func (t *text) ReadAt(p []byte, off int64) (int, error) {
	n, err := t.r.ReadAt(p, off)
	if err != nil && t.sealed != nil {
		err = t.translate(err)
	}
	return n, err
}

// sum is the checksum by which a large body is known: plain if it is not sealed.
func (t *text) sum(plain uint32) uint32 {
	if t.sealed == nil {
		return plain
	}
	return sumOf(t.sealed.ID())
}

// close is Close where its error does not count: the file was read.
func (t *text) close() { _ = t.Close() }

func (t *text) Close() error {
	if t.sealed != nil {
		_ = t.sealed.Close()
	}
	return t.f.Close()
}

// sumOf is the checksum of a sealed body, in its name and elsewhere: a part of
// its stream's random id. The checksum of what was sealed would tell of it.
func sumOf(id seal.ID) uint32 { return binary.LittleEndian.Uint32(id[:]) }

// diskSize is how long a file with so much text is.
func (s *spool) diskSize(n int64, sealed bool) int64 {
	if sealed {
		return s.box().SealedSize(n)
	}
	return n
}

// boxOf is what a large body and its index are sealed with, nil if they are not.
func (l *largeBody) boxOf(s *spool) *seal.Box {
	if l.sealed {
		return s.box()
	}
	return nil
}

// beside is the ending of the body's file in the directory of letters.
func (l *largeBody) beside(suffix string) string {
	if l.sealed {
		return suffix + sealedSuffix
	}
	return suffix
}

// textWriter writes the text of a file, from the start.
type textWriter struct {
	w      io.Writer
	sealed *seal.Writer // nil if it is not
}

// newTextWriter begins. A nil box seals nothing.
func newTextWriter(f io.WriterAt, off int64, box *seal.Box, about []byte) *textWriter {
	w := &textWriter{w: io.NewOffsetWriter(f, off)}
	if box != nil {
		w.sealed = box.NewWriter(w.w, about)
		w.w = w.sealed
	}
	return w
}

func (w *textWriter) Write(p []byte) (int, error) {
	n, err := w.w.Write(p)
	if err == nil && n < len(p) {
		err = io.ErrShortWrite // A file may be silent about it.
	}
	return n, err
}

// end writes what is left.
func (w *textWriter) end() error {
	if w.sealed == nil {
		return nil
	}
	return w.sealed.Close()
}

// sum is the checksum that a large body gets: plain if it is not sealed.
func (w *textWriter) sum(plain uint32) uint32 {
	if w.sealed == nil {
		return plain
	}
	return sumOf(w.sealed.ID())
}

// aboutLetter is what is authenticated with a letter.
func aboutLetter(n letterName) []byte { return []byte("letter " + n.String()) }

// aboutFrame is what is authenticated with an item in the letter of a rest.
func aboutFrame(n letterName, offset uint32) []byte {
	return fmt.Appendf(nil, "item %08x of letter %s", offset, n)
}
