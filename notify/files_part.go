package notify

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/garminkit/activityapi/internal/atomicfile"
	"github.com/garminkit/activityapi/internal/owner"
)

// partKind is the ending of a file that holds the bytes of a download which
// are not in the store. They are removed when the file is there, and never
// before.
type partKind string

const (
	partArriving partKind = ".part"     // arrives, or is complete by its own end, or the process died meanwhile
	partWhole    partKind = ".whole"    // complete, as nothing in it tells, and to be stored
	partRejected partKind = ".rejected" // came to an end, but the file is cut
	partBroken   partKind = ".broken"   // the transfer broke
	partAnswer   partKind = ".answer"   // came instead of a file

	sidecarPart partKind = ".sidecar" // what is stored beside the file
)

// part is such a file, in workDir.
type part struct {
	stem string // the id of the claim, its owner, and what makes it unique
	kind partKind
	size int64
}

func (p part) name() string { return workDir + "/" + p.stem + string(p.kind) }

// partOwner is the middle of the names of a user's parts.
func partOwner(mark string) string { return "-" + mark }

// owner returns the mark of the user whose part it is, or "" if its name has none.
func (p part) owner() string {
	_, rest, _ := strings.Cut(p.stem, partOwner(""))
	if len(rest) <= owner.Size {
		return ""
	}
	return rest[:owner.Size]
}

// newPart makes a file for a download, with room for it.
func (s *fileStore) newPart(id, mark string) (*os.File, part, error) {
	p := part{stem: id + partOwner(mark) + randomName(), kind: partArriving}
	f, err := s.dir.root.OpenFile(p.name(), os.O_CREATE|os.O_EXCL|os.O_RDWR, 0o600)
	if err != nil {
		return nil, p, err
	}
	if err := reserve(f, s.room.Load()); err != nil {
		f.Close()
		s.drop(p)
		return nil, p, err
	}
	return f, p, nil
}

// tryWrite finds out whether an empty file can grow to n bytes.
func tryWrite(f *os.File, n int64) error {
	zeros := make([]byte, 64<<10)
	for left := n; left > 0; left -= int64(len(zeros)) {
		if _, err := f.Write(zeros[:min(left, int64(len(zeros)))]); err != nil {
			return err
		}
	}
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return err
	}
	return f.Truncate(0)
}

// parts lists what is kept of a download. some says that there are files of it, these
// or others.
func (s *fileStore) parts(id string) (parts []part, some bool, err error) {
	dir, err := s.dir.root.Open(workDir)
	if err != nil {
		return nil, false, err
	}
	defer dir.Close()
	// Names only: ReadDir would ask for the type of each file of every download.
	names, err := dir.Readdirnames(-1)
	if err != nil {
		return nil, false, err
	}
	names = slices.DeleteFunc(names, func(name string) bool { return !strings.HasPrefix(name, id) })
	slices.Sort(names)
	for _, name := range names {
		kind := partKind(filepath.Ext(name))
		switch kind {
		case partArriving, partWhole, partRejected, partBroken, partAnswer:
		default:
			continue
		}
		info, err := s.dir.root.Lstat(workDir + "/" + name)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			continue
		case err != nil:
			return nil, false, err
		case !info.Mode().IsRegular():
			continue
		}
		parts = append(parts, part{strings.TrimSuffix(name, string(kind)), kind, info.Size()})
	}
	return parts, len(names) > 0, nil
}

// turn changes the kind of a part, durably.
func (s *fileStore) turn(p *part, kind partKind) error {
	if p.kind == kind {
		return nil
	}
	to := part{stem: p.stem, kind: kind, size: p.size}
	if err := s.dir.root.Rename(p.name(), to.name()); err != nil {
		return err
	}
	*p = to
	return atomicfile.SyncDir(s.dir.root.Open, workDir, s.dir.sync)
}

// drop removes a part that is empty, or whose bytes are in the store.
func (s *fileStore) drop(p part) { _ = s.dir.root.Remove(p.name()) }

// path returns where a person finds the part.
func (s *fileStore) path(p part) string {
	return filepath.Join(s.opts.Dir, filepath.FromSlash(p.name()))
}

// sum returns size and hash of a part.
func sum(f io.ReadSeeker) (n int64, sha string, err error) {
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return 0, "", err
	}
	hash := sha256.New()
	n, err = io.Copy(hash, f)
	return n, hex.EncodeToString(hash.Sum(nil)), err
}
