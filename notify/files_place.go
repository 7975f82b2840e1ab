package notify

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"

	"github.com/garminkit/activityapi/internal/atomicfile"
	"github.com/garminkit/activityapi/internal/owner"
)

// put stores a part and records that. The part stays until then. If the store
// fails, put may be repeated.
func (d *download) put(ctx context.Context, p *part, c Claim) (Claim, error) {
	c.State = ClaimStored
	if err := d.place(ctx, *p, &c); err != nil {
		err = fmt.Errorf("notify: storing a file, kept as %q: %w", d.s.path(*p), err)
		// What is kept has to have its name after a power cut.
		err = join(err, atomicfile.SyncDir(d.s.dir.root.Open, workDir, d.s.dir.sync))
		if d.before.State != ClaimSpent {
			err = join(err, d.settle(ctx, Claim{State: ClaimBegun, Asked: d.before.Asked, Size: p.size, Kept: d.s.path(*p)}))
		}
		return Claim{}, err
	}
	if err := d.settle(ctx, c); err != nil {
		return Claim{}, fmt.Errorf("notify: noting that a file is stored: %w", err)
	}
	d.clean(*p)
	return c, nil
}

// clean removes parts that are in the store, and answers that the file has made
// obsolete. The part of a download that had none before is the only one.
func (d *download) clean(p part) {
	names := []string{p.name()}
	if !d.fresh || d.others || d.s.opts.Sidecar != nil {
		names, _ = fs.Glob(d.s.dir.root.FS(), workDir+"/"+d.id+"-*")
	}
	for _, name := range names {
		_ = d.s.dir.root.Remove(name)
	}
}

// place stores the part and its sidecar under the first of two names that is
// free, or has the same bytes.
func (d *download) place(ctx context.Context, p part, c *Claim) error {
	d.s.placing.RLock()
	defer d.s.placing.RUnlock() // Sidecar may panic, and the next sweep would wait for ever.
	var err error
	for _, name := range []string{d.name, revised(d.name, c.SHA256)} {
		c.Name = name
		if err = d.putSidecar(ctx, *c); err == nil {
			err = d.putFile(ctx, p, *c)
		}
		if err == nil || !errors.Is(err, fs.ErrExist) {
			return err
		}
	}
	return err
}

func (d *download) putFile(ctx context.Context, p part, c Claim) error {
	if d.fresh && d.s.opts.Store == nil {
		linked, err := d.s.dir.link(p.name(), c.Name, c.Size, c.SHA256)
		if linked || errors.Is(err, fs.ErrExist) {
			return err
		}
	}
	f, err := d.s.dir.open(p.name())
	if err != nil {
		return err
	}
	defer f.done()
	if d.s.opts.Store == nil && (f.sealed != nil) == (d.s.dir.box != nil) {
		// A second name for the same bytes, where the file system can.
		linked, err := d.s.dir.link(p.name(), c.Name, c.Size, c.SHA256)
		if linked || errors.Is(err, fs.ErrExist) {
			return err
		}
	}
	return d.s.store.Put(ctx, c.Name, f, c.Size, c.SHA256)
}

// putSidecar stores the sidecar. Its bytes are made once and kept, so that a
// repetition stores the same.
func (d *download) putSidecar(ctx context.Context, c Claim) error {
	if d.s.opts.Sidecar == nil {
		return nil
	}
	nameSum := sha256.Sum256([]byte(c.Name))
	kept := workDir + "/" + d.id + partOwner(owner.Of(d.file.UserID)) + hex.EncodeToString(nameSum[:4]) + string(sidecarPart)
	data, err := d.s.dir.readSmall(kept)
	if errors.Is(err, fs.ErrNotExist) {
		if data, err = d.s.opts.Sidecar(d.stored(c)); err != nil {
			return err
		}
		err = d.s.dir.writeSmall(kept, data)
	}
	if err != nil {
		return err
	}
	hash := sha256.Sum256(data)
	return d.s.store.Put(ctx, c.Name+sidecarEnd, bytes.NewReader(data), int64(len(data)), hex.EncodeToString(hash[:]))
}

// stored makes the File of a claim.
func (d *download) stored(c Claim) *File {
	f := &File{Announced: *d.file, Name: c.Name, Size: c.Size, SHA256: c.SHA256, Odd: c.Odd, store: d.s.store}
	if dir, ok := d.s.store.(*FileDir); ok {
		f.Path = dir.path(c.Name)
	}
	f.Announced.CallbackURL, f.Announced.Raw = "", nil
	return f
}

// inPlace reports an error if a stored file is gone.
func (d *download) inPlace(ctx context.Context) error {
	gone := Permanent(fmt.Errorf("%w: %q was in place and is gone or changed", errSpent, d.before.Name))
	r, err := d.s.store.Open(ctx, d.before.Name)
	if errors.Is(err, fs.ErrNotExist) {
		return gone
	}
	if err != nil {
		return err
	}
	defer r.Close()
	switch f := r.(type) {
	case interface{ Size() int64 }:
		if f.Size() != d.before.Size {
			return gone
		}
	case fs.File:
		if info, err := f.Stat(); err == nil && info.Size() != d.before.Size {
			return gone
		}
	}
	return nil
}
