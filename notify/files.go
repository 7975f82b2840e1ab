package notify

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/garminkit/activityapi/types"
)

// Files says where a [Processor] puts the files it downloads.
//
// A file is stored complete, checked and synced, or not at all. Garmin gives
// each out once, so nothing that came is removed before it is stored: a file
// that was stored when the process died is not asked for again, one whose
// download broke is reported as [ErrSpent], and the bytes that came of it, or
// came instead, are kept in the directory ".downloads" below Dir, under a path
// that the dead letter names. What was kept is tried first when the letter is
// driven again.
type Files struct {
	// Dir must exist and be writable. Files arrive here, and stay here if Store
	// is nil. Several processes of one machine may share it.
	Dir string

	// Store is where files go when they are complete. nil means Dir: see
	// [FileDir]. The caller closes it.
	Store FileStore
	// Claims are the notes of what was asked for. nil means those of the queue
	// if it has a method Claims() Claims, else a directory below Dir: see
	// [ClaimDir]. The caller closes them.
	Claims Claims

	// Name returns the file's name, a path with forward slashes. One that leads
	// out of Dir, or is longer than 1,024 bytes, is refused before Garmin is
	// asked; an element of more than 200 is shortened. nil means
	// "<userId>/<summaryId>_<activityId>.<type>" with upper-case letters and
	// all but a-z, 0-9 and "-" escaped, as "4aacafe8/5001-file_19940666749.fit":
	// a name of its own for each file, everywhere.
	//
	// No file replaces another: one whose name holds other bytes gets "~" and 16
	// digits of its SHA-256 before its ending, and so does its sidecar.
	Name func(f *types.ActivityFile) string

	// Sidecar returns what is stored beside the file under its name plus
	// ".json", before the file appears. nil means that nothing is.
	Sidecar func(f *File) ([]byte, error)

	// SkipCheck leaves out the look into the file. The look tells a whole file
	// from a cut one and from what is none, by the lengths in a FIT file and the
	// end of the root element of a TCX or GPX file; whether it is valid is not
	// its business, and what is odd is said in File.Odd. A file whose end is
	// missing, and whose transfer does not prove that all of it came, is a dead
	// letter with [ErrBadFile], and is kept. What is no file, as an error
	// document or nothing, is kept, and the file asked for again until its
	// deadline.
	//
	// To have such bytes delivered after all, set SkipCheck and drive the letter
	// again: Garmin is not asked.
	SkipCheck bool

	// Room is what must be free on the disk of Dir, in bytes, before Garmin is
	// asked for a file. On Linux it is reserved. Zero means 512 KiB, and more
	// once a larger file was seen: a quarter more than it, up to 32 MiB.
	Room int64
}

// File is a downloaded file that is stored.
type File struct {
	// Announced is the item that announced it, without the spent callback URL.
	Announced types.ActivityFile
	// Name is its name in the store, a path with forward slashes. Path is where
	// it is on disk, or "" if the store is no directory.
	Name string
	Path string
	Size int64
	// SHA256 is the hash of the bytes in hexadecimal.
	SHA256 string
	// Odd says in plain words what a reader of the file may stumble over: a
	// checksum that does not match, bytes behind its end, an encoding other than
	// UTF-8. It is empty for nearly all files.
	Odd []string

	store FileStore
}

// Open reads the file from its start. The caller closes it.
func (f *File) Open(ctx context.Context) (io.ReadCloser, error) {
	if f.Path != "" {
		return os.Open(f.Path)
	}
	return f.store.Open(ctx, f.Name)
}

func (f *Files) check() error {
	info, err := os.Stat(f.Dir)
	if err != nil {
		return fmt.Errorf("notify: Files.Dir: %w", err)
	}
	if !info.IsDir() {
		return fmt.Errorf("notify: Files.Dir: %s is not a directory", f.Dir)
	}
	if f.Room < 0 {
		return errors.New("notify: Files.Room is negative")
	}
	return nil
}

// open opens what a run over q needs.
func (f *Files) open(q Store) (*fileStore, error) {
	dir, err := OpenFileDir(f.Dir)
	if err != nil {
		return nil, fmt.Errorf("notify: Files.Dir: %w", err)
	}
	s := &fileStore{opts: *f, dir: dir, store: f.Store, claims: f.Claims, busy: map[string]bool{}}
	s.room.Store(f.Room)
	if f.Room == 0 {
		s.room.Store(leastRoom)
	}
	if s.store == nil {
		s.store = dir
	}
	if s.claims != nil {
		return s, nil
	}
	if q, ok := q.(interface{ Claims() Claims }); ok {
		s.claims = q.Claims()
		return s, nil
	}
	own, err := OpenClaimDir(filepath.Join(f.Dir, workDir, "claims"))
	if err != nil {
		return nil, errors.Join(err, dir.Close())
	}
	s.claims, s.own = own, own
	return s, nil
}
