package notify

import (
	"context"
	"crypto/cipher"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/garminkit/activityapi/types"
)

// Files configures how a [Processor] downloads and stores files.
//
// A file is stored complete, checked and synced, or not at all. Garmin allows one
// download, so received bytes are kept until they are stored. A file that was
// stored before the process died is not asked for again. A broken download is
// buried; its bytes, or those that came in their place, are kept
// in the directory ".downloads" below Dir, under a path that the dead letter
// names. A redrive of the letter tries these bytes first.
type Files struct {
	// Dir must exist and be writable. Downloads are written here, and stay here
	// if Store is nil. Several processes of one machine may share it.
	Dir string

	// Store takes complete files. nil means Dir; see [FileDir]. The caller closes
	// it.
	Store FileStore
	// Claims records what was asked for. It is for a Processor without a queue, and
	// must be nil otherwise: a queue has claims. The caller closes them.
	Claims Claims

	// Name returns the file's name, a path with forward slashes. A name that
	// leads out of Dir, or is longer than 1,024 bytes, is refused before Garmin
	// is asked; an element of more than 200 is shortened. nil means
	// "<userId>/<summaryId>_<activityId>.<type>" with upper-case letters and all
	// but a-z, 0-9 and "-" escaped, as "4aacafe8/5001-file_19940666749.fit": a
	// unique name for each file on every system.
	//
	// No file replaces another: if the name is taken by other bytes, the file
	// gets "~" and 16 digits of its SHA-256 before its extension, and so does its
	// sidecar.
	Name func(f *types.ActivityFile) string

	// Sidecar returns what to store beside the file, under its name plus ".json",
	// before the file appears. It may be nil.
	Sidecar func(f *File) ([]byte, error)

	// SkipCheck omits the check of the file. The check finds truncated files and
	// content that is not a file, by the lengths in a FIT file and the end of the
	// root element of a TCX or GPX file. It does not validate the file; File.Odd
	// describes oddities. A file without its end, whose transfer does not prove
	// that all of it arrived, becomes a dead letter and is
	// kept. Content that is not a file, such as an error document or nothing, is
	// kept, and the file is asked for again until its deadline.
	//
	// To have such bytes delivered, set SkipCheck and redrive the letter: Garmin
	// is not asked.
	SkipCheck bool

	// Room is the space in bytes that must be free on the disk of Dir before
	// Garmin is asked for a file. On Linux it is reserved. Zero means 512 KiB, or
	// 1.25 times the largest file seen if that is more, up to 32 MiB.
	Room int64

	// AEAD seals what is written below Dir, for instance AES-GCM from
	// cipher.NewGCM: files, sidecars, and what came of downloads. What was written
	// without it stays readable. Names are not sealed: unless Name makes others,
	// they show the user's id and those of the summary and the activity, as do the
	// claims. Lengths show too, and who can write to Dir can put one sealed file in
	// the place of another. Nil means that files are stored as they are.
	AEAD cipher.AEAD

	// Retention is how long a file stays in Dir after it was stored, with its
	// sidecar, whether or not a callback has accepted it: it should not be shorter
	// than dead letters are kept. With Name, every file below Dir is one, so that Dir
	// must hold nothing else. It cannot be set with Store. Zero means for ever; less
	// than 8 days is refused, since that long an item may be tried.
	Retention time.Duration
	// PartRetention is how long what came of a download is kept that never became
	// a file. Garmin does not send it again. Zero means for ever; less than 8 days
	// is refused.
	PartRetention time.Duration
}

// File is a downloaded and stored file.
type File struct {
	// Announced is the announcing item without its spent callback URL.
	Announced types.ActivityFile
	// Name is its name in the store, a path with forward slashes. Path is its
	// place on disk, or "" if the store is not a directory. With Files.AEAD the bytes
	// there are sealed, and Open reads them.
	Name string
	Path string
	Size int64
	// SHA256 is the hash of the bytes in hexadecimal.
	SHA256 string
	// Odd describes what may trouble a reader of the file: a wrong checksum,
	// bytes after its end, an encoding other than UTF-8. It is empty for nearly
	// all files.
	Odd []string

	store FileStore
}

// Open reads the file from its start. The caller closes it.
func (f *File) Open(ctx context.Context) (io.ReadCloser, error) {
	if d, ok := f.store.(*FileDir); f.Path != "" && (!ok || d.box == nil) {
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
	for _, r := range []time.Duration{f.Retention, f.PartRetention} {
		if r != 0 && r < leastRetention {
			return fmt.Errorf("notify: Files: a retention of %v is shorter than %v, the time that an item may be tried", r, leastRetention)
		}
	}
	if f.Retention != 0 && f.Store != nil {
		return errors.New("notify: Files.Retention with Files.Store: the files are not in Dir")
	}
	return nil
}

// open opens what a run over q needs, which may be nil.
func (f *Files) open(q Queue) (*fileStore, error) {
	claims := f.Claims
	switch {
	case q == nil && claims == nil:
		return nil, errors.New("notify: Files.Claims is nil, and there is no queue that has claims")
	case q != nil && claims != nil:
		return nil, errors.New("notify: Files.Claims is set, and the queue has claims")
	case q != nil:
		if claims = q.Claims(); claims == nil {
			return nil, errors.New("notify: the queue has no claims, which Files needs")
		}
	}
	dir, err := OpenFileDir(f.Dir, &FileDirOptions{AEAD: f.AEAD})
	if err != nil {
		return nil, fmt.Errorf("notify: Files.Dir: %w", err)
	}
	s := &fileStore{opts: *f, dir: dir, store: f.Store, claims: claims, busy: map[string]bool{}}
	s.room.Store(f.Room)
	if f.Room == 0 {
		s.room.Store(leastRoom)
	}
	if s.store == nil {
		s.store = dir
	}
	s.keep()
	return s, nil
}
