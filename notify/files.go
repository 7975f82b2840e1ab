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
// stored before the process died is not asked for again. A broken download
// becomes a dead letter. The bytes that came are kept in the directory
// ".downloads" below Dir, under a path that the letter names. A redrive of the
// letter tries these bytes first.
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

	// Name returns the file's name, a path with forward slashes. If it leads out
	// of Dir, or is longer than 1,024 bytes, the item fails before Garmin is
	// asked. An element of more than 200 bytes is shortened. nil means
	// "<userId>/<summaryId>_<activityId>.<type>" with upper-case letters and all
	// but a-z, 0-9 and "-" escaped, as "4aacafe8/5001-file_19940666749.fit": a
	// unique name for each file on every system.
	//
	// No file replaces another. If there is a file of that name with other
	// content, the new one gets "~" and 16 digits of its SHA-256 before its
	// extension, and so does its sidecar.
	Name func(f *types.ActivityFile) string

	// Sidecar, if not nil, returns what to store beside the file, under its name
	// plus ".json". It is stored before the file appears.
	Sidecar func(f *File) ([]byte, error)

	// SkipCheck omits the check of the file. The check finds truncated files and
	// content that is not a file, by the lengths in a FIT file and the end of the
	// root element of a TCX or GPX file. It does not validate the file; File.Odd
	// describes oddities. A file without its end, whose transfer does not prove
	// that all of it arrived, becomes a dead letter and is
	// kept. Content that is not a file, such as an error document or nothing, is
	// kept, and the file is asked for again until its deadline.
	//
	// To get such bytes delivered, set SkipCheck and redrive the letter; Garmin
	// is not asked again.
	SkipCheck bool

	// Room is the space in bytes that must be free on the disk of Dir before
	// Garmin is asked for a file; on Linux it is reserved. Zero means 1.25 times
	// the largest file seen, at least 512 KiB and at most 32 MiB.
	Room int64

	// AEAD seals what is written below Dir, for instance AES-GCM from
	// cipher.NewGCM: files, sidecars, and what is left of downloads. What was
	// written without it can still be read. Names are not sealed: unless Name makes
	// others, they show the ids of user, summary and activity, as do the claims.
	// Lengths are not hidden. Somebody who can write to Dir can replace one sealed
	// file by another. Nil means that files are stored plain.
	AEAD cipher.AEAD

	// Retention is how long a file stays in Dir with its sidecar, whether or not a
	// callback has accepted it. It should be at least as long as dead letters are
	// kept. If Name is set, every old file below Dir is removed, so Dir must hold
	// nothing else. Retention cannot be set together with Store. Zero means for ever;
	// less than 8 days is an error, since an item may be tried for that long.
	Retention time.Duration
	// PartRetention is how long the remains of a download that never became a file
	// are kept. Garmin does not send the file again. Zero means for ever; less
	// than 8 days is an error.
	PartRetention time.Duration
}

// File is a downloaded and stored file.
type File struct {
	// Announced is the item that announced the file, without its callback URL,
	// which is used up.
	Announced types.ActivityFile
	// Name is the file's name in the store, a path with forward slashes. Path is its
	// place on disk, or "" if the store is not a directory. If Files.AEAD is set, the
	// bytes there are sealed: read them with Open.
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
	dir, err := OpenFileDir(f.Dir, f.AEAD)
	if err != nil {
		return nil, fmt.Errorf("notify: Files.Dir: %w", err)
	}
	s := &fileStore{opts: *f, dir: dir, store: f.Store, claims: claims, busy: map[string]bool{}, late: map[*course]bool{}}
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
