package notify

import (
	"context"
	"crypto/cipher"
	"crypto/rand"
	"encoding/hex"
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
)

// ClaimDir keeps [Claims] in a directory. Several processes of one machine may use
// it at the same time where the system has locks that end with a process (Unix,
// Windows). If a process dies, its begun claims are free at once. On other systems
// they are when their leases end, and only one process may use the directory.
//
// It serves a queue without claims of its own, and is a building block for an
// engine. In memory it has the places of the claims in its log, which is of 16 MiB or
// of the claims that are under way, and a sixth of a byte for each older claim.
type ClaimDir struct {
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
	logSize  int64
	imported bool
	tended   time.Time
}

var _ Claims = (*ClaimDir)(nil)

// ClaimDirOptions configures a ClaimDir. A nil *ClaimDirOptions means the defaults.
type ClaimDirOptions struct {
	// AEAD seals what is written, since a claim names its file and its user. Ids,
	// hashes of what a file is, and times are not sealed. Claims
	// that were not sealed are still read. Nil means that claims are written as
	// they are, and that sealed ones are errors.
	AEAD cipher.AEAD
}

// OpenClaimDir opens the claims in dir, and creates the directory if necessary.
// The caller closes the result.
func OpenClaimDir(dir string, opts *ClaimDirOptions) (*ClaimDir, error) {
	var box *seal.Box
	if opts != nil && opts.AEAD != nil {
		var err error
		if box, err = seal.New(opts.AEAD); err != nil {
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
	d := newClaimDir(root, dir, box)
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

func newClaimDir(root *os.Root, dir string, box *seal.Box) *ClaimDir {
	return &ClaimDir{root: root, dir: dir, box: box, holder: randomName(), disk: recordlog.NewDisk(),
		turn: make(chan struct{}, 1), logSize: claimLogSize, tended: time.Now()}
}

func (d *ClaimDir) logPath() string { return filepath.Join(d.dir, logName) }

// Close releases the claims that were begun through d.
func (d *ClaimDir) Close() error {
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

func randomName() string {
	var b [8]byte
	_, _ = rand.Read(b[:]) // It does not fail.
	return hex.EncodeToString(b[:])
}

func lifeName(holder string) string { return holder + ".holder" }

const hexDigits = "0123456789abcdef"

func checkClaimID(id string) error {
	if len(id) < 2 || len(id) > 64 || strings.Trim(id, hexDigits) != "" {
		return fmt.Errorf("notify: %.70q is no id of a claim", id)
	}
	return nil
}

// Begin implements [Claims].
func (d *ClaimDir) Begin(ctx context.Context, id string, lease time.Duration) (before Claim, taken bool, err error) {
	err = d.change(ctx, id, func() error {
		var err error
		if before, err = d.read(id); err != nil {
			return err
		}
		now := time.Now().UTC()
		asked := now
		switch {
		case before.State == ClaimNone:
		case before.State != ClaimBegun:
			return nil
		case before.Holder == d.holder || before.over(now, lease) || d.dead(before.Holder):
			if !before.Asked.IsZero() {
				asked = before.Asked
			}
		default:
			return nil
		}
		c := Claim{State: ClaimBegun, Holder: d.holder, Asked: asked, Until: now.Add(lease), Kept: before.Kept}
		err = d.write(id, c, true)
		taken = err == nil
		return err
	})
	return before, taken && err == nil, err
}

// Renew implements [Claims].
func (d *ClaimDir) Renew(ctx context.Context, id string, lease time.Duration) error {
	return d.change(ctx, id, func() error {
		c, err := d.read(id)
		if err != nil {
			return err
		}
		if c.State != ClaimBegun || c.Holder != d.holder {
			return ErrLost
		}
		c.Until = time.Now().UTC().Add(lease)
		return d.write(id, c, false)
	})
}

// Settle implements [Claims].
func (d *ClaimDir) Settle(ctx context.Context, id string, c Claim) error {
	return d.change(ctx, id, func() error {
		before, err := d.read(id)
		switch {
		case err != nil:
			return err
		case !before.MaySettle(c.State, d.holder):
			return ErrLost
		case c.State == ClaimNone:
			if before.State != ClaimNone {
				d.add(&claimRecord{id: id, kind: claimGone, at: time.Now().UnixNano()}, false)
			}
			return nil
		}
		c.Holder, c.Until = "", time.Time{}
		if c.Asked.IsZero() {
			c.Asked = before.Asked
		}
		return d.write(id, c, c.State != ClaimDone)
	})
}

// lockFile takes the lock of the directory. If the file was replaced in the
// meantime, the lock is void and is taken again.
func (d *ClaimDir) lockFile(ctx context.Context) (*os.File, error) {
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
func (d *ClaimDir) dead(holder string) bool {
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
func (d *ClaimDir) read(id string) (Claim, error) {
	r, ok, err := d.record(id)
	if err != nil {
		return Claim{}, fmt.Errorf("notify: reading a claim: %w", err)
	}
	if !ok {
		return Claim{}, nil
	}
	doubt := Claim{State: ClaimBegun}
	if r.kind == claimDamaged {
		return doubt, nil
	}
	c, err := d.decode(id, r.body)
	if errors.Is(err, errSealedClaim) {
		return Claim{}, err
	}
	if err != nil || c.State == ClaimNone {
		return doubt, nil //nolint:nilerr // a torn note is a claim in doubt
	}
	return c.Claim, nil
}

// storedClaim is a claim with the time it was written at.
type storedClaim struct {
	Claim
	At time.Time `json:"at"`
}

// write replaces a claim so that a crash leaves the old or the new one.
func (d *ClaimDir) write(id string, c Claim, durable bool) error {
	now := time.Now()
	body, err := d.encode(id, storedClaim{c, now.UTC()})
	if err != nil {
		return err
	}
	r := claimRecord{id: id, kind: claimKept, at: now.UnixNano(), body: body}
	if c.forgettable() {
		r.kind = claimForgettable
	}
	d.add(&r, durable)
	return nil
}

// forgettable reports whether the claim can be forgotten once it is old.
func (c Claim) forgettable() bool {
	return c.State == ClaimDone || c.State == ClaimSpent && c.Kept == ""
}
