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
func (d *FileDir) text(f *os.File) (*text, error) {
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
	r, err := d.box.NewReader(f, size, sealedAbout)
	if err != nil {
		return nil, fmt.Errorf("notify: a sealed file: %w", err)
	}
	return &text{io.NewSectionReader(r, 0, r.Size()), r}, nil
}

// open opens a file for reading what it holds.
func (d *FileDir) open(name string) (*openText, error) { return d.openWith(name, d.text) }

// openKept does the same for a part. Of one that a crash has cut short it reads
// what was sealed whole.
func (d *FileDir) openKept(name string) (*openText, error) { return d.openWith(name, d.keptText) }

func (d *FileDir) openWith(name string, read func(*os.File) (*text, error)) (*openText, error) {
	f, err := d.root.Open(name)
	if err != nil {
		return nil, err
	}
	t, err := read(f)
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

func (d *FileDir) keptText(f *os.File) (*text, error) {
	t, err := d.text(f)
	if err == nil && t.sealed != nil && t.Size() > 0 {
		// The last chunk tells whether the stream was ended.
		if _, err = t.ReadAt(make([]byte, 1), t.Size()-1); err != nil {
			t.done()
		}
	}
	if !errors.Is(err, seal.ErrDamaged) {
		return t, err
	}
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	n := d.wholeChunks(info.Size())
	if n == 0 {
		return &text{SectionReader: io.NewSectionReader(f, 0, 0)}, nil
	}
	// As of a stream that goes on, of which nobody reads more.
	r, err := d.box.NewReader(f, d.box.SealedSize(n+1), sealedAbout)
	if err != nil {
		return nil, err
	}
	return &text{io.NewSectionReader(r, 0, n), r}, nil
}

// wholeChunks is how much text the whole chunks of a sealed file of this length
// hold.
func (d *FileDir) wholeChunks(size int64) (n int64) {
	const chunk = seal.ChunkSize
	per := chunk + int64(d.box.Overhead())
	if head := d.box.SealedSize(chunk) - per; size > head {
		n = (size - head) / per * chunk
	}
	return n
}

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
