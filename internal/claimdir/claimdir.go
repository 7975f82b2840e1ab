// Package claimdir keeps the claims of downloads in a directory. It is for queues
// that have no database to keep them in.
package claimdir

import (
	"context"
	"crypto/cipher"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/garminkit/activityapi/internal/filelock"
	"github.com/garminkit/activityapi/internal/recordlog"
	"github.com/garminkit/activityapi/internal/seal"
	"github.com/garminkit/activityapi/notify"
)

// Dir keeps [notify.Claims] in a directory. Several processes of one machine may use
// it at the same time where the system has locks that end with a process (Unix,
// Windows). If a process dies, its begun claims are free at once. On other systems
// they are when their leases end, and only one process may use the directory.
//
// In memory it has the places of the claims in its log, which is of 16 MiB or
// of the claims that are under way, and a sixth of a byte for each older claim.
type Dir struct {
	root   *os.Root
	dir    string
	box    *seal.Box // nil: claims are written as they are
	holder string
	life   *os.File       // locked as long as the holder lives
	disk   recordlog.Disk // a test looks at what is synced, and when
	turn   chan struct{}  // of this handle; the file "lock" is of all

	mu      sync.Mutex
	waiting []*claimOp

	// Whoever has the turn and the lock has these.
	log      claimLog
	last     int           // how many changes were made together last
	took     time.Duration // how long it took to put them on the disk
	logSize  int64
	imported bool
	tended   time.Time
}

var _ notify.Claims = (*Dir)(nil)

// Open opens the claims in dir, and creates the directory if necessary.
// The caller closes the result.
//
// aead seals what is written, since a claim names its file and its user. Ids, hashes
// of what a file is, and times are not sealed. Claims that were not sealed are still
// read. A nil aead means that claims are written as they are, and that sealed ones
// are errors.
func Open(dir string, aead cipher.AEAD) (*Dir, error) {
	var box *seal.Box
	if aead != nil {
		var err error
		if box, err = seal.New(aead); err != nil {
			return nil, fmt.Errorf("notify: claims: %w", err)
		}
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("notify: claims: %w", err)
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, fmt.Errorf("notify: claims: %w", err)
	}
	d := newDir(root, dir, box)
	d.life, err = root.OpenFile(lifeName(d.holder), os.O_CREATE|os.O_EXCL|os.O_RDWR, 0o600)
	if err == nil {
		if _, err = filelock.Try(d.life); errors.Is(err, errors.ErrUnsupported) {
			err = nil // Only leases tell who is alive.
		}
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("notify: claims: %w", err), d.Close())
	}
	return d, nil
}

func newDir(root *os.Root, dir string, box *seal.Box) *Dir {
	return &Dir{root: root, dir: dir, box: box, holder: rand.Text(), disk: recordlog.NewDisk(),
		turn: make(chan struct{}, 1), logSize: claimLogSize, tended: time.Now()}
}

func (d *Dir) logPath() string { return filepath.Join(d.dir, logName) }

// Close releases the claims that were begun through d.
func (d *Dir) Close() error {
	var err error
	if d.life != nil {
		err = errors.Join(d.life.Close(), d.root.Remove(lifeName(d.holder)))
		d.life = nil
	}
	d.turn <- struct{}{}
	d.log.close()
	<-d.turn
	return errors.Join(err, d.root.Close())
}

func lifeName(holder string) string { return holder + ".holder" }

// claimAge is how long a forgettable claim is kept.
const claimAge = 30 * 24 * time.Hour

const hexDigits = "0123456789abcdef"

func checkClaimID(id string) error {
	if len(id) < 2 || len(id) > 64 || strings.Trim(id, hexDigits) != "" {
		return fmt.Errorf("notify: %.70q is no id of a claim", id)
	}
	return nil
}

// Begin implements [notify.Claims].
func (d *Dir) Begin(ctx context.Context, id string, lease time.Duration) (before notify.Claim, taken bool, err error) {
	err = d.change(ctx, id, func() error {
		var err error
		if before, err = d.read(id); err != nil {
			return err
		}
		now := time.Now().UTC()
		asked := now
		switch {
		case before.State == notify.ClaimNone:
		case before.State != notify.ClaimBegun:
			return nil
		case before.Holder == d.holder || over(&before, now, lease) || d.dead(before.Holder):
			if !before.Asked.IsZero() {
				asked = before.Asked
			}
		default:
			return nil
		}
		c := notify.Claim{State: notify.ClaimBegun, Holder: d.holder, Asked: asked, Until: now.Add(lease), Kept: before.Kept}
		err = d.write(id, c, true)
		taken = err == nil
		return err
	})
	return before, taken && err == nil, err
}

// Renew implements [notify.Claims].
func (d *Dir) Renew(ctx context.Context, id string, lease time.Duration) error {
	return d.change(ctx, id, func() error {
		c, err := d.read(id)
		if err != nil {
			return err
		}
		if c.State != notify.ClaimBegun || c.Holder != d.holder {
			return notify.ErrLost
		}
		c.Until = time.Now().UTC().Add(lease)
		return d.write(id, c, false)
	})
}

// Settle implements [notify.Claims].
func (d *Dir) Settle(ctx context.Context, id string, c notify.Claim) error {
	return d.change(ctx, id, func() error {
		before, err := d.read(id)
		switch {
		case err != nil:
			return err
		case !MaySettle(&before, c.State, d.holder):
			return notify.ErrLost
		case c.State == notify.ClaimNone:
			if before.State != notify.ClaimNone {
				d.add(&claimRecord{id: id, kind: claimGone, at: time.Now().UnixNano()}, false)
			}
			return nil
		}
		c.Holder, c.Until = "", time.Time{}
		if c.Asked.IsZero() {
			c.Asked = before.Asked
		}
		return d.write(id, c, c.State != notify.ClaimDone)
	})
}

// lockFile takes the lock of the directory. If the file was replaced in the
// meantime, the lock is void and is taken again.
func (d *Dir) lockFile(ctx context.Context) (*os.File, error) {
	const name = "lock"
	for {
		f, err := d.root.OpenFile(name, os.O_CREATE|os.O_RDWR, 0o600)
		if err != nil {
			return nil, err
		}
		ok, err := filelock.Try(f)
		if errors.Is(err, errors.ErrUnsupported) {
			return f, nil
		}
		if err == nil && ok {
			mine, err := f.Stat()
			if err == nil {
				there, err := d.root.Stat(name)
				if err == nil && os.SameFile(mine, there) {
					return f, nil
				}
			}
		}
		f.Close()
		if err != nil {
			return nil, err
		}
		select {
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		case <-time.After(time.Millisecond):
		}
	}
}

// dead reports whether the holder's process is known to have ended.
func (d *Dir) dead(holder string) bool {
	name := lifeName(holder)
	f, err := d.root.OpenFile(name, os.O_RDWR, 0)
	if err != nil {
		return errors.Is(err, fs.ErrNotExist)
	}
	defer f.Close()
	if ok, err := filelock.Try(f); err != nil || !ok {
		return false
	}
	_ = d.root.Remove(name)
	return true
}

// read returns the zero claim if there is none. An unreadable one counts as begun
// by a dead holder, the most cautious state.
func (d *Dir) read(id string) (notify.Claim, error) {
	r, ok, err := d.record(id)
	if err != nil {
		return notify.Claim{}, fmt.Errorf("notify: reading a claim: %w", err)
	}
	if !ok {
		return notify.Claim{}, nil
	}
	doubt := notify.Claim{State: notify.ClaimBegun}
	if r.kind == claimDamaged {
		return doubt, nil
	}
	c, err := d.decode(id, r.body)
	if errors.Is(err, errSealedClaim) {
		return notify.Claim{}, err
	}
	if err != nil || c.State == notify.ClaimNone {
		return doubt, nil //nolint:nilerr // a torn note is a claim in doubt
	}
	return c.Claim, nil
}

// storedClaim is a claim with the time it was written at.
type storedClaim struct {
	notify.Claim
	At time.Time `json:"at"`
}

// write replaces a claim so that a crash leaves the old or the new one.
func (d *Dir) write(id string, c notify.Claim, durable bool) error {
	now := time.Now()
	body, err := d.encode(id, storedClaim{c, now.UTC()})
	if err != nil {
		return err
	}
	r := claimRecord{id: id, kind: claimKept, at: now.UnixNano(), body: body}
	if forgettable(&c) {
		r.kind = claimForgettable
	}
	d.add(&r, durable)
	return nil
}

// forgettable reports whether the claim can be forgotten once it is old.
func forgettable(c *notify.Claim) bool {
	return c.State == notify.ClaimDone || c.State == notify.ClaimSpent && c.Kept == ""
}

// MaySettle reports whether [notify.Claims.Settle] may change the claim c to the state
// next. holder is the caller.
func MaySettle(c *notify.Claim, next notify.ClaimState, holder string) bool {
	switch c.State {
	case notify.ClaimNone:
		return next == notify.ClaimNone
	case notify.ClaimBegun:
		return c.Holder == holder
	case notify.ClaimSpent:
		return next == notify.ClaimSpent || next == notify.ClaimStored
	case notify.ClaimStored:
		return next == notify.ClaimStored || next == notify.ClaimDone
	case notify.ClaimDone:
		return next == notify.ClaimDone
	}
	return false
}

// over reports whether a begun claim may be taken at now, for a lease of this
// length.
func over(c *notify.Claim, now time.Time, lease time.Duration) bool {
	return !now.Before(c.Until) || c.Until.After(now.Add(lease))
}
