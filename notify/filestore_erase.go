package notify

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"os"
	"path"
	"strings"

	"github.com/garminkit/activityapi/internal/atomicfile"
	"github.com/garminkit/activityapi/internal/owner"
	"github.com/garminkit/activityapi/types"
)

var _ Eraser = (*FileDir)(nil)

// Erase removes the files of a user, and the user's remains of downloads in
// ".downloads". It finds files by the names that [Files] makes. If Files.Name makes
// other names, remove those files yourself, by File.Name.
func (d *FileDir) Erase(ctx context.Context, user types.UserID) (*Erasure, error) {
	out := &Erasure{}
	if userDir(user) == userDir("") {
		return out, errors.New("notify: files: Erase without a user")
	}
	d.clear() // Nobody can tell whose an unfinished copy is.
	err := d.eraseFiles(ctx, user, out)
	if err != nil {
		err = fmt.Errorf("notify: files: %w", err)
	}
	return out, err
}

func (d *FileDir) eraseFiles(ctx context.Context, user types.UserID, out *Erasure) error {
	dirs := map[string]bool{}
	for h, err := range d.each(ctx, user) {
		if err != nil {
			return err
		}
		if err := d.root.Remove(h.Name); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		dirs[path.Dir(h.Name)] = true
		out.remove(h.What, 1)
	}
	for dir := range dirs {
		if err := atomicfile.SyncDir(d.root.Open, dir, d.sync); err != nil {
			return err
		}
	}
	if err := d.removeDirs(userDir(user)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return atomicfile.SyncDir(d.root.Open, ".", d.sync)
}

// removeDirs removes a directory in which there are directories only.
func (d *FileDir) removeDirs(name string) error {
	entries, err := fs.ReadDir(d.root.FS(), name)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if err := d.removeDirs(name + "/" + e.Name()); err != nil {
			return err
		}
	}
	return d.root.Remove(name)
}

// Holdings yields what Erase would remove.
func (d *FileDir) Holdings(ctx context.Context, user types.UserID) iter.Seq2[*Holding, error] {
	return func(yield func(*Holding, error) bool) {
		if userDir(user) == userDir("") {
			yield(nil, errors.New("notify: files: Holdings without a user"))
			return
		}
		for h, err := range d.each(ctx, user) {
			if !yield(h, err) {
				return
			}
		}
	}
}

// each yields the user's files and parts.
func (d *FileDir) each(ctx context.Context, user types.UserID) iter.Seq2[*Holding, error] {
	return func(yield func(*Holding, error) bool) {
		give := func(what, name string) bool {
			return yield(&Holding{What: what, Name: name, Open: func() (io.ReadCloser, error) { return d.openKept(name) }}, nil)
		}
		entries, err := fs.ReadDir(d.root.FS(), workDir)
		if err != nil {
			yield(nil, err)
			return
		}
		mark := partOwner(owner.Of(user))
		for _, e := range entries {
			if strings.Contains(e.Name(), mark) && !give("parts", workDir+"/"+e.Name()) {
				return
			}
		}
		err = fs.WalkDir(d.root.FS(), userDir(user), func(name string, e os.DirEntry, err error) error {
			switch {
			case err != nil:
				return err
			case ctx.Err() != nil:
				return context.Cause(ctx)
			case !e.IsDir() && !give("files", name):
				return fs.SkipAll
			}
			return nil
		})
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			yield(nil, err)
		}
	}
}
