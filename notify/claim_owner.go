package notify

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"github.com/garminkit/activityapi/internal/atomicfile"
	"github.com/garminkit/activityapi/internal/owner"
	"github.com/garminkit/activityapi/types"
)

// OwnedBy reports whether a claim is about a file of the user. It is for engines.
func (c *Claim) OwnedBy(user types.UserID) bool {
	mark := owner.Of(user)
	return c.Owner == mark || strings.Contains(c.Kept, partOwner(mark)) || strings.HasPrefix(c.Name, userDir(user)+"/")
}

// Erase forgets the claims of a user's files, in whatever state they are, and
// tells how many there were. A file that is announced again is asked for again.
func (d *ClaimDir) Erase(ctx context.Context, user types.UserID) (n int, err error) {
	entries, err := fs.ReadDir(d.root.FS(), ".")
	if err != nil {
		return 0, fmt.Errorf("notify: claims: %w", err)
	}
	for _, e := range entries {
		if !e.IsDir() || len(e.Name()) != 2 {
			continue
		}
		err := d.locked(ctx, e.Name()+"00", func(string) error {
			m, err := d.eraseIn(e.Name(), user)
			n += m
			return err
		})
		if err != nil {
			return n, err
		}
	}
	return n, nil
}

// eraseIn removes a user's claims in one directory; nobody else writes in it.
func (d *ClaimDir) eraseIn(dir string, user types.UserID) (n int, err error) {
	entries, err := fs.ReadDir(d.root.FS(), dir)
	if err != nil {
		return 0, fmt.Errorf("notify: claims: %w", err)
	}
	torn := 0
	for _, e := range entries {
		name := dir + "/" + e.Name()
		if strings.HasSuffix(name, ".tmp") { // of a write that a crash cut short
			torn++
		} else {
			data, err := d.root.ReadFile(name)
			if err != nil {
				continue
			}
			c, err := d.decode(name, data)
			if errors.Is(err, errSealedClaim) {
				return n, fmt.Errorf("notify: claims: %w", err)
			}
			if err != nil { // torn
				if !bytes.Contains(data, []byte(owner.Of(user))) && !bytes.Contains(data, []byte(`"`+userDir(user)+"/")) {
					continue
				}
			} else if !c.OwnedBy(user) {
				continue
			}
			n++
		}
		if err := d.root.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return n, fmt.Errorf("notify: claims: %w", err)
		}
	}
	if n+torn == 0 {
		return 0, nil
	}
	return n, atomicfile.SyncDir(d.root.Open, dir, d.sync)
}
