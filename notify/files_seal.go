package notify

import (
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/garminkit/activityapi/internal/atomicfile"
	"github.com/garminkit/activityapi/internal/seal"
)

// errSealed is the error of a file that nobody can read without the key.
var errSealed = errors.New("notify: the file is sealed: set the AEAD that it was sealed with")

// sealedAbout is authenticated with every file and part. It names no user and no
// file: a part becomes a file by getting a second name.
var sealedAbout = []byte("notify file")

// writer returns what writes into f, and is closed before f is synced.
func (d *FileDir) writer(f *os.File) io.WriteCloser {
	if d.box == nil {
		return openWriter{f}
	}
	return sealingWriter{d.box.NewWriter(f, sealedAbout)}
}

// sealingWriter writes the head of a stream with the first byte. It shows after a
// crash that something came.
type sealingWriter struct{ *seal.Writer }

func (w sealingWriter) Write(p []byte) (int, error) {
	if err := w.Begin(); err != nil {
		return 0, err
	}
	return w.Writer.Write(p)
}

type openWriter struct{ io.Writer }

func (openWriter) Close() error { return nil }

// sizeOnDisk is how long a file of n bytes is there.
func (d *FileDir) sizeOnDisk(n int64) int64 {
	if d.box == nil {
		return n
	}
	return d.box.SealedSize(n)
}

// text reads what a file holds, sealed or not. Call done behind it; the file below
// stays open.
type text struct {
	*io.SectionReader
	sealed *seal.Reader // nil if it is not sealed
}

func (t *text) done() {
	if t.sealed != nil {
		_ = t.sealed.Close() // It does not fail.
	}
}

// text opens what f holds. What was written without a key stays readable with one.
func (d *FileDir) text(f *os.File) (*text, error) { return d.textBy(f, (*seal.Box).NewReader) }

// unsealing opens a stream that is whole, or one that may be cut.
type unsealing func(b *seal.Box, r io.ReaderAt, size int64, about []byte) (*seal.Reader, error)

func (d *FileDir) textBy(f *os.File, open unsealing) (*text, error) {
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	size := info.Size()
	if !seal.IsSealed(f) {
		return &text{SectionReader: io.NewSectionReader(f, 0, size)}, nil
	}
	if d.box == nil {
		return nil, errSealed
	}
	r, err := open(d.box, f, size, sealedAbout)
	if err != nil {
		return nil, fmt.Errorf("notify: a sealed file: %w", err)
	}
	return &text{io.NewSectionReader(r, 0, r.Size()), r}, nil
}

// open opens a file for reading what it holds.
func (d *FileDir) open(name string) (*openText, error) {
	return d.openWith(name, (*seal.Box).NewReader)
}

// openKept does the same for a part. Of one that a crash has cut short it reads
// what was sealed whole.
func (d *FileDir) openKept(name string) (*openText, error) {
	return d.openWith(name, (*seal.Box).NewPrefixReader)
}

func (d *FileDir) openWith(name string, open unsealing) (*openText, error) {
	f, err := d.root.Open(name)
	if err != nil {
		return nil, err
	}
	t, err := d.textBy(f, open)
	if err != nil {
		f.Close()
		return nil, err
	}
	return &openText{t, f}, nil
}

// openText is a file that is open for reading what it holds.
type openText struct {
	*text
	f *os.File
}

func (t *openText) Close() error {
	t.text.done()
	return t.f.Close()
}

func (t *openText) done() { _ = t.Close() } // It was only read.

// readSmall and writeSmall are for what is kept in memory as a whole.
func (d *FileDir) readSmall(name string) ([]byte, error) {
	f, err := d.open(name)
	if err != nil {
		return nil, err
	}
	defer f.done()
	return io.ReadAll(f)
}

func (d *FileDir) writeSmall(name string, data []byte) error {
	f, err := atomicfile.Replace(d.root, name+".tmp", name, d.sync, func(f *os.File) error {
		w := d.writer(f)
		_, err := w.Write(data)
		return errors.Join(err, w.Close())
	})
	if f != nil {
		err = errors.Join(err, f.Close())
	}
	return err
}
