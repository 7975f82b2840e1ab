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
	"strings"
	"time"

	"github.com/garminkit/activityapi/internal/atomicfile"
	"github.com/garminkit/activityapi/internal/filelock"
	"github.com/garminkit/activityapi/internal/seal"
)

// ClaimDir keeps [Claims] in a directory, one file each. Several processes of one
// machine may use it at the same time. If a process dies, its begun claims are
// free at once where the system has locks that end with a process (Unix,
// Windows), and otherwise when their leases end.
//
// It serves a queue without claims of its own, and is a building block for an
// engine.
type ClaimDir struct {
	root   *os.Root
	box    *seal.Box // nil: claims are written as they are
	holder string
	life   *os.File               // locked as long as the holder lives
	sync   func(f *os.File) error // a test looks at what is synced, and when
	turn   chan struct{}          // of this handle; the file "lock" is of all
	swept  time.Time
	shard  int
}

var _ Claims = (*ClaimDir)(nil)

// ClaimDirOptions configures a ClaimDir. A nil *ClaimDirOptions means the defaults.
type ClaimDirOptions struct {
	// AEAD seals what is written, since a claim names its file and its user. The
	// names of the claims' files, hashes of what a file is, are not sealed. Claims
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
	d := &ClaimDir{root: root, box: box, holder: randomName(), sync: (*os.File).Sync, turn: make(chan struct{}, 1)}
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

// Close releases the claims that were begun through d.
func (d *ClaimDir) Close() error {
	var err error
	if d.life != nil {
		err = errors.Join(d.life.Close(), d.root.Remove(lifeName(d.holder)))
		d.life = nil
	}
	return errors.Join(err, d.root.Close())
}

func randomName() string {
	var b [8]byte
	_, _ = rand.Read(b[:]) // It does not fail.
	return hex.EncodeToString(b[:])
}

func lifeName(holder string) string { return holder + ".holder" }

// claimFile is the name of a claim's file, in one of 256 directories.
func claimFile(id string) (string, error) {
	if len(id) < 2 || len(id) > 64 || strings.Trim(id, "0123456789abcdef") != "" {
		return "", fmt.Errorf("notify: %.70q is no id of a claim", id)
	}
	return id[:2] + "/" + id + ".json", nil
}

// Begin implements [Claims].
func (d *ClaimDir) Begin(ctx context.Context, id string, lease time.Duration) (before Claim, taken bool, err error) {
	err = d.locked(ctx, id, func(name string) error {
		d.sweep()
		var err error
		if before, err = d.read(name); err != nil {
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
		err = d.write(name, c, true)
		taken = err == nil
		return err
	})
	return before, taken, err
}

// Renew implements [Claims].
func (d *ClaimDir) Renew(ctx context.Context, id string, lease time.Duration) error {
	return d.locked(ctx, id, func(name string) error {
		c, err := d.read(name)
		if err != nil {
			return err
		}
		if c.State != ClaimBegun || c.Holder != d.holder {
			return ErrLost
		}
		c.Until = time.Now().UTC().Add(lease)
		return d.write(name, c, false)
	})
}

// Settle implements [Claims].
func (d *ClaimDir) Settle(ctx context.Context, id string, c Claim) error {
	return d.locked(ctx, id, func(name string) error {
		before, err := d.read(name)
		switch {
		case err != nil:
			return err
		case !before.MaySettle(c.State, d.holder):
			return ErrLost
		case c.State == ClaimNone:
			if err := d.root.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
				return err
			}
			return nil
		}
		c.Holder, c.Until = "", time.Time{}
		if c.Asked.IsZero() {
			c.Asked = before.Asked
		}
		return d.write(name, c, c.State != ClaimDone)
	})
}

// locked calls f while no other handle uses the directory.
func (d *ClaimDir) locked(ctx context.Context, id string, f func(name string) error) error {
	name, err := claimFile(id)
	if err != nil {
		return err
	}
	select {
	case d.turn <- struct{}{}:
		defer func() { <-d.turn }()
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	l, err := d.lockFile(ctx)
	if err != nil {
		return fmt.Errorf("notify: claims: %w", err)
	}
	defer l.Close()
	return f(name)
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
func (d *ClaimDir) read(name string) (Claim, error) {
	data, err := d.root.ReadFile(name)
	if errors.Is(err, fs.ErrNotExist) {
		return Claim{}, nil
	}
	if err != nil {
		return Claim{}, fmt.Errorf("notify: reading a claim: %w", err)
	}
	c, err := d.decode(name, data)
	if errors.Is(err, errSealedClaim) {
		return Claim{}, err
	}
	if err != nil || c.State == ClaimNone {
		return Claim{State: ClaimBegun}, nil //nolint:nilerr // a torn note is a claim in doubt
	}
	return c.Claim, nil
}

// storedClaim is a claim with the time it was written at.
type storedClaim struct {
	Claim
	At time.Time `json:"at"`
}

// write replaces a claim so that a crash leaves the old or the new one.
func (d *ClaimDir) write(name string, c Claim, durable bool) error {
	data, err := d.encode(name, storedClaim{c, time.Now().UTC()})
	if err != nil {
		return err
	}
	dir := name[:2]
	made := d.root.Mkdir(dir, 0o700)
	if made != nil && !errors.Is(made, fs.ErrExist) {
		return made
	}
	sync := d.sync
	if !durable {
		sync = func(*os.File) error { return nil }
	}
	if err := atomicfile.Write(d.root, strings.TrimSuffix(name, ".json")+".tmp", name, sync, data); err != nil || made != nil {
		return err
	}
	return atomicfile.SyncDir(d.root.Open, ".", sync)
}

// sweep forgets old claims, of one of the 256 directories at a time. A claim with
// a future time, from a clock that was ahead, stays.
func (d *ClaimDir) sweep() {
	if time.Since(d.swept).Abs() < 10*time.Second {
		return
	}
	d.swept = time.Now()
	dir := fmt.Sprintf("%02x", d.shard)
	d.shard = (d.shard + 1) % 256
	f, err := d.root.Open(dir)
	if err != nil {
		return
	}
	defer f.Close()
	names, _ := f.Readdirnames(-1)
	for _, name := range names {
		name := dir + "/" + name
		data, err := d.root.ReadFile(name)
		if err != nil {
			continue
		}
		c, err := d.decode(name, data)
		if err != nil || !c.forgettable() {
			continue
		}
		if time.Since(c.At) > claimAge {
			_ = d.root.Remove(name)
		}
	}
}

// forgettable reports whether the claim can be forgotten once it is old.
func (c Claim) forgettable() bool {
	return c.State == ClaimDone || c.State == ClaimSpent && c.Kept == ""
}
