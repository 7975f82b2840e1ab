package notify

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/garminkit/activityapi/types"
)

// Files says where a [Processor] puts the files it downloads.
//
// A file appears under its name complete, checked and synced to disk, or not
// at all. Garmin gives each out once, so the processor keeps a note of every
// download in the directory ".downloads" below Dir for two days: a file that
// was in place when the process died is not asked for again, and one whose
// download broke is reported as [ErrSpent].
type Files struct {
	// Dir must exist and be writable. One processor uses it at a time.
	Dir string

	// Name returns the file's path below Dir, with forward slashes. Two files
	// of one name replace each other; a path that leads out of Dir is refused.
	// nil means "<userId>/<summaryId>.<type>", as "4aacafe8/5001-file.fit".
	Name func(f *types.ActivityFile) string

	// Sidecar returns what is stored beside the file under its path plus
	// ".json", before the file appears. nil means that nothing is.
	Sidecar func(f *File) ([]byte, error)

	// SkipCheck leaves out the look into the file: a FIT file's header, length
	// and checksum, or that a TCX or GPX file is well-formed and has the right
	// root. A file that fails it is kept with ".rejected" at the end of its
	// name, and its item becomes a dead letter with [ErrBadFile].
	SkipCheck bool
}

// File is a downloaded file that is in place.
type File struct {
	// Announced is the item that announced it, without the spent callback URL.
	Announced types.ActivityFile
	// Name is the path below Files.Dir, with forward slashes; Path includes
	// Dir.
	Name string
	Path string
	Size int64
	// SHA256 is the hash of the bytes in hexadecimal.
	SHA256 string
}

func (f *Files) check() error {
	info, err := os.Stat(f.Dir)
	if err != nil {
		return fmt.Errorf("notify: Files.Dir: %w", err)
	}
	if !info.IsDir() {
		return fmt.Errorf("notify: Files.Dir: %s is not a directory", f.Dir)
	}
	return nil
}

func (f *Files) open() (*fileStore, error) {
	root, err := os.OpenRoot(f.Dir)
	if err != nil {
		return nil, fmt.Errorf("notify: Files.Dir: %w", err)
	}
	s := &fileStore{Files: f, root: root, sync: (*os.File).Sync, busy: map[string]bool{}}
	if err := root.MkdirAll(claimDir, 0o700); err != nil {
		root.Close()
		return nil, fmt.Errorf("notify: Files.Dir: %w", err)
	}
	return s, nil
}

// fileStore downloads files into a directory.
type fileStore struct {
	*Files
	root *os.Root
	sync func(*os.File) error // a test looks at what is synced, and when

	mu    sync.Mutex
	busy  map[string]bool // claims being worked on
	swept time.Time
}

func (s *fileStore) Close() error { return s.root.Close() }

// fetch puts the announced file in place, unless it is there already. done
// tells that the file was handed over before. fetch never downloads what was
// downloaded before.
func (s *fileStore) fetch(ctx context.Context, client Downloader, f *types.ActivityFile) (file *File, done bool, err error) {
	name, err := s.name(f)
	if err != nil {
		return nil, false, Permanent(err)
	}
	id := claimID(f.CallbackURL)
	if !s.lock(id) {
		return nil, false, errors.New("notify: another item downloads this file")
	}
	defer s.unlock(id)
	s.sweep()
	c, err := s.readClaim(id)
	if err != nil {
		return nil, false, err
	}
	switch {
	case c.State == claimDone:
		return nil, true, nil
	case c.State == claimSpent:
		return nil, false, Permanent(c.spent())
	case c.State == claimBegun && s.partSize(id) > 0:
		// The process died in the download, perhaps at its very end.
		if c, err = s.salvage(id, name, f.FileType); err != nil {
			return nil, false, err
		}
	case c.State != claimStored:
		if c, err = s.download(ctx, client, f, id, name, c); err != nil {
			return nil, false, err
		}
	}
	file = &File{Announced: *f, Name: c.Name, Path: filepath.Join(s.Dir, filepath.FromSlash(c.Name)), Size: c.Size, SHA256: c.SHA256}
	file.Announced.CallbackURL, file.Announced.Raw = "", nil
	return file, false, s.place(id, c, file)
}

// download asks Garmin for the file. An earlier process may have done so, if
// before is a claim that was begun.
func (s *fileStore) download(ctx context.Context, client Downloader, f *types.ActivityFile, id, name string, before claim) (claim, error) {
	// All that can fail on our side does so before Garmin is asked.
	part, err := s.root.OpenFile(partName(id), os.O_CREATE|os.O_TRUNC|os.O_RDWR, 0o600)
	if err != nil {
		return claim{}, err
	}
	defer part.Close()
	asked := time.Now().UTC()
	if err := s.writeClaim(id, claim{State: claimBegun, Asked: asked}); err != nil {
		return claim{}, err
	}
	body, err := client.Download(ctx, f.CallbackURL)
	if err != nil {
		_, again := retryOf(err)
		final := !again && !unauthorized(err)
		why := reasonOf(err)
		begun := before.State == claimBegun
		if final && begun {
			err = Permanent(fmt.Errorf("%w: %w", before.spent(), err))
		}
		switch {
		case errors.Is(ctx.Err(), context.Canceled):
			// The processor stops. The claim stays for the next one to see.
		case final:
			// A ping that comes again does not ask again.
			_ = s.root.Remove(partName(id))
			if e := s.writeClaim(id, claim{State: claimSpent, Asked: asked, Why: why}); e != nil {
				err = Permanent(errors.Join(err, e))
			}
		case begun:
			// Garmin did not say, so the earlier attempt is still in doubt.
			err = errors.Join(err, s.writeClaim(id, before))
		default:
			s.dropClaim(id)
		}
		return claim{}, err
	}
	hash := sha256.New()
	n, err := io.Copy(io.MultiWriter(part, hash), body)
	if e := body.Close(); err == nil {
		err = e
	}
	if err == nil {
		err = s.sync(part)
	}
	if err != nil {
		err = fmt.Errorf("%w: it broke after %d bytes: %w", ErrSpent, n, err)
		return claim{}, s.spend(id, n, err)
	}
	return s.accept(id, name, f.FileType, claim{Size: n, SHA256: hex.EncodeToString(hash.Sum(nil))}, part)
}

// spend notes that the file cannot be had any more.
func (s *fileStore) spend(id string, n int64, cause error) error {
	_ = s.root.Remove(partName(id))
	if err := s.writeClaim(id, claim{State: claimSpent, Size: n}); err != nil {
		// The begun claim stays and says the same, less exactly.
		cause = errors.Join(cause, err)
	}
	return Permanent(cause)
}

// accept checks a complete part and notes that it is ours.
func (s *fileStore) accept(id, name, fileType string, c claim, part *os.File) (claim, error) {
	if !s.SkipCheck {
		if err := checkFile(fileType, part); err != nil {
			rejected := name + ".rejected"
			e := s.mkdir(rejected)
			if e == nil {
				e = s.root.Rename(partName(id), rejected)
			}
			if e == nil {
				e = s.syncDirs(rejected)
			}
			return claim{}, s.spend(id, c.Size, errors.Join(fmt.Errorf("%w: %w; kept as %q", ErrBadFile, err, rejected), e))
		}
	}
	c.State, c.Name = claimStored, name
	return c, s.writeClaim(id, c)
}

// salvage takes the part of a process that died, if it is a complete file.
func (s *fileStore) salvage(id, name, fileType string) (claim, error) {
	part, err := s.root.Open(partName(id))
	if err != nil {
		return claim{}, err
	}
	defer part.Close()
	hash := sha256.New()
	n, err := io.Copy(hash, part)
	if err != nil {
		return claim{}, err
	}
	if err := checkFile(fileType, part); err != nil || !checkable(fileType) {
		return claim{}, s.spend(id, n, fmt.Errorf("%w: the process died after %d bytes", ErrSpent, n))
	}
	if err := s.sync(part); err != nil {
		return claim{}, err
	}
	return s.accept(id, name, fileType, claim{Size: n, SHA256: hex.EncodeToString(hash.Sum(nil))}, part)
}

// place gives a stored part its name. It may be repeated.
func (s *fileStore) place(id string, c claim, f *File) error {
	if _, err := s.root.Stat(partName(id)); errors.Is(err, os.ErrNotExist) {
		if info, err := s.root.Stat(c.Name); err != nil || info.Size() != c.Size {
			return Permanent(fmt.Errorf("%w: %q was in place and is gone or changed", ErrSpent, c.Name))
		}
		return nil
	}
	if err := s.mkdir(c.Name); err != nil {
		return err
	}
	if s.Sidecar != nil {
		data, err := s.Sidecar(f)
		if err != nil {
			return err
		}
		if err := s.writeFile(c.Name+".json", data); err != nil {
			return err
		}
	}
	if err := s.root.Rename(partName(id), c.Name); err != nil {
		return err
	}
	return s.syncDirs(c.Name)
}

// name returns the file's path below the root.
func (s *fileStore) name(f *types.ActivityFile) (string, error) {
	var name string
	if s.Name != nil {
		name = s.Name(f)
	} else {
		id := string(f.SummaryID)
		if id == "" {
			id = claimID(f.CallbackURL)
		}
		name = safe(f.UserID) + "/" + safe(id) + "." + safe(strings.ToLower(f.FileType))
	}
	clean := path.Clean(name)
	first, _, _ := strings.Cut(clean, "/")
	if name == "" || clean == "." || first == claimDir || !filepath.IsLocal(filepath.FromSlash(clean)) {
		return "", fmt.Errorf("notify: file name %q is not below the directory", name)
	}
	return clean, nil
}

// safe makes one path element of foreign text.
func safe(s string) string {
	s = url.PathEscape(s)
	if len(s) > 120 {
		sum := sha256.Sum256([]byte(s))
		s = s[:80] + "-" + hex.EncodeToString(sum[:8])
	}
	if s == "" || s[0] == '.' {
		s = "_" + s
	}
	return s
}

// file downloads what a file ping announces and tells every user.
func (a *attempt) file(users []User, ping *FilePing) error {
	if a.files == nil {
		return Permanent(errors.New("notify: a file was announced and ProcessorOptions.Files is nil"))
	}
	a.many = true
	var f *File
	var done bool
	err := fmt.Errorf("notify: no user of %q has a client to download with", ping.File.UserID)
	for _, u := range users {
		if u.Client == nil {
			continue
		}
		if f, done, err = a.files.fetch(a.ctx, u.Client, &ping.File); err == nil || !unauthorized(err) {
			break
		}
	}
	if err != nil || done {
		return err
	}
	if a.call.File != nil {
		var rev revision
		_, _ = hex.Decode(rev[:], []byte(f.SHA256))
		var errs attemptErrors
		for _, u := range users {
			d := newDelivery(a.work, u, types.KindActivityFiles, ping.File.SummaryID, rev)
			d.Pulled = true
			errs.add(a.deliver(d, func(d *Delivery) error { return a.call.File(a.ctx, d, f) }))
		}
		if err := errs.first(); err != nil {
			return err
		}
	}
	return a.files.finish(ping.File.CallbackURL, f)
}
