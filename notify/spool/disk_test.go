package spool

import (
	"crypto/cipher"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"math/rand/v2"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"sync"
)

// What a disk says, on every system.
var (
	errFull     = errors.New("no space left on device")
	errReadOnly = errors.New("read-only file system")
)

// disk is a fileSystem in memory that records all that is done to it, so that a
// test can cut its power after any operation, and that can be told to fail.
type disk struct {
	mu    sync.Mutex
	names map[string]*inode
	dirs  map[string]bool
	ops   []op
	inos  int
	owner bool
	aead  cipher.AEAD // of the spool on it
	// abused is a file that was synced again after a sync that failed.
	abused string

	// fault, if not nil, is asked before each operation. With an error a write
	// keeps the first keep bytes; a sync loses what it should have made safe.
	fault func(o op) (keep int, err error)
}

type inode struct {
	id       int
	data     []byte
	poisoned bool // a sync of it failed
}

// op is one operation, or an event that the test notes between them.
type op struct {
	kind string // create, write, truncate, sync, syncfail, rename, remove, syncdir, event
	name string
	to   string
	ino  *inode
	off  int64
	size int // of a read
	data []byte

	event any
}

func newDisk() *disk { return newDiskOf(defaultAEAD()) }

// newDiskOf makes a disk for a spool that is sealed, or not.
func newDiskOf(aead cipher.AEAD) *disk {
	return &disk{names: map[string]*inode{}, dirs: map[string]bool{}, aead: aead}
}

// options adds how the spool is sealed.
func (d *disk) options(opts *Options) *Options {
	var o Options
	if opts != nil {
		o = *opts
	}
	if o.AEAD == nil {
		o.AEAD = d.aead
	}
	return &o
}

// do asks for a fault; d.mu is held.
func (d *disk) do(o op) (keep int, err error) {
	if d.fault != nil {
		if keep, err = d.fault(o); err != nil {
			return keep, &fs.PathError{Op: o.kind, Path: o.name, Err: err}
		}
	}
	return 0, nil
}

// note records an event.
func (d *disk) note(event any) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.ops = append(d.ops, op{kind: "event", event: event})
}

func (d *disk) Mkdir(name string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if _, err := d.do(op{kind: "mkdir", name: name}); err != nil {
		return err
	}
	d.dirs[name] = true
	return nil
}

func (d *disk) Create(name string) (file, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.names[name] != nil {
		return nil, &fs.PathError{Op: "create", Path: name, Err: fs.ErrExist}
	}
	d.inos++
	o := op{kind: "create", name: name, ino: &inode{id: d.inos}}
	if _, err := d.do(o); err != nil {
		return nil, err
	}
	d.names[name] = o.ino
	d.ops = append(d.ops, o)
	return &handle{d, name, o.ino}, nil
}

func (d *disk) Open(name string) (file, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.names[name] == nil {
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
	}
	if _, err := d.do(op{kind: "open", name: name}); err != nil {
		return nil, err
	}
	return &handle{d, name, d.names[name]}, nil
}

func (d *disk) Rename(old, new string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	o := op{kind: "rename", name: old, to: new, ino: d.names[old]}
	if o.ino == nil {
		return &fs.PathError{Op: "rename", Path: old, Err: fs.ErrNotExist}
	}
	if _, err := d.do(o); err != nil {
		return err
	}
	delete(d.names, old)
	d.names[new] = o.ino
	d.ops = append(d.ops, o)
	return nil
}

func (d *disk) Remove(name string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	o := op{kind: "remove", name: name}
	if d.names[name] == nil {
		return &fs.PathError{Op: "remove", Path: name, Err: fs.ErrNotExist}
	}
	if _, err := d.do(o); err != nil {
		return err
	}
	delete(d.names, name)
	d.ops = append(d.ops, o)
	return nil
}

func (d *disk) List(dir string) ([]entry, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if _, err := d.do(op{kind: "list", name: dir}); err != nil {
		return nil, err
	}
	var list []entry
	for name, ino := range d.names {
		if filepath.Dir(name) == dir {
			list = append(list, entry{filepath.Base(name), int64(len(ino.data))})
		}
	}
	return list, nil
}

func (d *disk) SyncDir(dir string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	o := op{kind: "syncdir", name: dir}
	if _, err := d.do(o); err != nil {
		return err
	}
	d.ops = append(d.ops, o)
	return nil
}

func (d *disk) Link(old, new string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	o := op{kind: "link", name: new, to: new, ino: d.names[old]}
	if o.ino == nil {
		return &fs.PathError{Op: "link", Path: old, Err: fs.ErrNotExist}
	}
	if _, err := d.do(o); err != nil {
		return err
	}
	d.names[new] = o.ino
	d.ops = append(d.ops, o)
	return nil
}

func (d *disk) Lock(string) (lock, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.owner {
		return nil, errLocked
	}
	d.owner = true
	return unlocker{d}, nil
}

type unlocker struct{ d *disk }

func (u unlocker) Held() error { return nil }

func (u unlocker) Close() error {
	u.d.mu.Lock()
	defer u.d.mu.Unlock()
	u.d.owner = false
	return nil
}

type handle struct {
	d    *disk
	name string
	ino  *inode
}

func (h *handle) Close() error       { return nil }
func (h *handle) Begin(off, n int64) {}

func (h *handle) Size() (int64, error) {
	h.d.mu.Lock()
	defer h.d.mu.Unlock()
	return int64(len(h.ino.data)), nil
}

func (h *handle) Is(name string) bool {
	h.d.mu.Lock()
	defer h.d.mu.Unlock()
	return h.d.names[name] == h.ino
}

func (h *handle) ReadAt(p []byte, off int64) (int, error) {
	h.d.mu.Lock()
	defer h.d.mu.Unlock()
	if _, err := h.d.do(op{kind: "read", name: h.name, off: off, size: len(p)}); err != nil {
		return 0, err
	}
	if off >= int64(len(h.ino.data)) {
		return 0, io.EOF
	}
	n := copy(p, h.ino.data[off:])
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

func (h *handle) WriteAt(p []byte, off int64) (int, error) {
	h.d.mu.Lock()
	defer h.d.mu.Unlock()
	o := op{kind: "write", name: h.name, ino: h.ino, off: off, data: slices.Clone(p)}
	keep, err := h.d.do(o)
	if err != nil {
		o.data = o.data[:keep]
	}
	if len(o.data) > 0 {
		h.ino.data = writeAt(h.ino.data, o.off, o.data)
		h.d.ops = append(h.d.ops, o)
	}
	if errors.Is(err, io.ErrShortWrite) {
		err = nil // A disk that is short and says nothing.
	}
	return len(o.data), err
}

func (h *handle) Truncate(size int64) error {
	h.d.mu.Lock()
	defer h.d.mu.Unlock()
	o := op{kind: "truncate", name: h.name, ino: h.ino, off: size}
	if _, err := h.d.do(o); err != nil {
		return err
	}
	h.ino.data = truncate(h.ino.data, size)
	h.d.ops = append(h.d.ops, o)
	return nil
}

func (h *handle) Sync() error {
	h.d.mu.Lock()
	defer h.d.mu.Unlock()
	o := op{kind: "sync", name: h.name, ino: h.ino}
	if h.ino.poisoned {
		h.d.abused = h.name
	}
	_, err := h.d.do(o)
	if err != nil {
		o.kind = "syncfail"
		h.ino.poisoned = true
	}
	h.d.ops = append(h.d.ops, o)
	return err
}

func writeAt(data []byte, off int64, p []byte) []byte {
	if need := int(off) + len(p); need > len(data) {
		old := len(data)
		if need > cap(data) {
			data = slices.Grow(data, max(need-old, old)) // a file of 100 MB is copied a few times, not twenty
		}
		data = data[:need]
		clear(data[old:max(old, int(off))])
	}
	copy(data[off:], p)
	return data
}

func truncate(data []byte, size int64) []byte {
	if size <= int64(len(data)) {
		return data[:size:size]
	}
	return append(data, make([]byte, size-int64(len(data)))...)
}

// platter is what a disk would hold if the power went now: the safe state, and
// what was done since and may or may not have reached it.
type platter struct {
	files map[*inode]*platterFile
	names map[string]*inode
	loose []op // on names
	aead  cipher.AEAD
}

type platterFile struct {
	safe  []byte
	loose []op // writes and truncates
}

func newPlatter(aead cipher.AEAD) *platter {
	return &platter{files: map[*inode]*platterFile{}, names: map[string]*inode{}, aead: aead}
}

// apply takes the next operation in.
func (p *platter) apply(o op) {
	f := p.files[o.ino]
	if f == nil && o.ino != nil {
		f = &platterFile{}
		p.files[o.ino] = f
	}
	switch o.kind {
	case "write", "truncate":
		f.loose = append(f.loose, o)
	case "sync":
		for _, o := range f.loose {
			f.safe = o.change(f.safe)
		}
		f.loose = nil
	case "syncfail":
		f.loose = nil // The kernel takes the pages for clean.
	case "create", "rename", "remove", "link":
		p.loose = append(p.loose, o)
	case "syncdir":
		p.loose = slices.DeleteFunc(p.loose, func(l op) bool {
			if path.Dir(filepath.ToSlash(l.name)) != filepath.ToSlash(o.name) {
				return false
			}
			l.link(p.names)
			return true
		})
		used := map[*inode]bool{}
		for _, ino := range p.names {
			used[ino] = true
		}
		for _, l := range p.loose {
			used[l.ino] = true
		}
		maps.DeleteFunc(p.files, func(ino *inode, _ *platterFile) bool { return !used[ino] })
	}
}

func (o op) change(data []byte) []byte {
	if o.kind == "truncate" {
		return truncate(data, o.off)
	}
	return writeAt(data, o.off, o.data)
}

func (o op) link(names map[string]*inode) {
	switch o.kind {
	case "create", "link":
		names[o.name] = o.ino
	case "rename":
		if names[o.name] == o.ino {
			delete(names, o.name)
		}
		names[o.to] = o.ino
	case "remove":
		delete(names, o.name)
	}
}

// loss says what becomes of the operations that were not synced.
type loss int

const (
	loseNone   loss = iota // a kill: the kernel lives and writes all of it
	loseAll                // none of it reached the disk
	loseSome               // some of it did, in any order, writes torn at sectors
	lossKinds  = 3
	sectorSize = 512
)

// crash gives the disk as it comes up again.
func (p *platter) crash(how loss, rnd *rand.Rand) *disk {
	d := newDiskOf(p.aead)
	names := maps.Clone(p.names)
	for _, o := range p.loose {
		if how == loseNone || how == loseSome && rnd.IntN(2) == 0 {
			o.link(names)
		}
	}
	clones := map[*inode]*inode{}
	for name, ino := range names {
		c := clones[ino]
		if c == nil {
			d.inos++
			c = &inode{id: d.inos}
			if f := p.files[ino]; f != nil {
				c.data = f.crash(how, rnd)
			}
			clones[ino] = c
		}
		d.names[name] = c
	}
	return d
}

func (f *platterFile) crash(how loss, rnd *rand.Rand) []byte {
	data := slices.Clone(f.safe)
	if how == loseAll {
		return data
	}
	odds := 1 + rnd.IntN(7) // of 8
	for _, o := range f.loose {
		switch {
		case how == loseNone:
			data = o.change(data)
		case o.kind == "truncate":
			if rnd.IntN(8) < odds {
				data = o.change(data)
			}
		default:
			for off := o.off; off < o.off+int64(len(o.data)); {
				next := min((off/sectorSize+1)*sectorSize, o.off+int64(len(o.data)))
				if rnd.IntN(8) < odds {
					data = writeAt(data, off, o.data[off-o.off:next-o.off])
				}
				off = next
			}
		}
	}
	return data
}

// platter gives what the disk holds now as its safe state, for a recovery whose
// operations are recorded from here.
func (d *disk) platter() *platter {
	d.mu.Lock()
	defer d.mu.Unlock()
	p := newPlatter(d.aead)
	for name, ino := range d.names {
		p.names[name] = ino
		p.files[ino] = &platterFile{safe: slices.Clone(ino.data)}
	}
	return p
}

func (o op) String() string {
	return strings.TrimSpace(fmt.Sprintf("%s %s %s %d+%d %v", o.kind, o.name, o.to, o.off, len(o.data), o.event))
}
