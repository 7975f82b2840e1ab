package claimdir

import (
	"errors"
	"io/fs"
	"strings"
	"time"

	"github.com/garminkit/activityapi/internal/atomicfile"
)

// importOld takes over the claims of version 0.1 and of early 0.2, which had a file
// each, "ab/ab12.json". A crash in between does no harm: a claim that is in the log
// is not taken over again, and nobody changes a claim before all are.
func (d *Dir) importOld() error {
	entries, err := fs.ReadDir(d.root.FS(), ".")
	if err != nil {
		return err
	}
	found := false
	for _, e := range entries {
		dir := e.Name()
		if !e.IsDir() || len(dir) != 2 || strings.Trim(dir, hexDigits) != "" {
			continue
		}
		files, err := fs.ReadDir(d.root.FS(), dir)
		if err != nil {
			return err
		}
		for _, f := range files {
			if err := d.importFile(dir, f.Name()); err != nil {
				return err
			}
		}
		if err := d.commit(); err != nil {
			return err
		}
		if err := d.root.RemoveAll(dir); err != nil {
			return err
		}
		found = true
	}
	if !found {
		return nil
	}
	// Or one that is erased later could come back.
	return atomicfile.SyncDir(d.root.Open, ".", d.disk.Sync)
}

func (d *Dir) importFile(dir, name string) error {
	id, ok := strings.CutSuffix(name, ".json")
	if !ok || id[:min(2, len(id))] != dir || strings.Trim(id, hexDigits) != "" {
		return nil // of a write that a crash cut short
	}
	if _, known, err := d.record(id); known || err != nil {
		return err
	}
	body, err := d.root.ReadFile(dir + "/" + name)
	if err != nil {
		return err
	}
	r := claimRecord{id: id, kind: claimKept, at: time.Now().UnixNano(), body: body}
	c, err := d.decode(id, body)
	if len(body) > maxClaim {
		return errors.New("notify: claims: " + id + " is too large")
	}
	if err == nil {
		if !c.At.IsZero() {
			r.at = c.At.UnixNano()
		}
		if forgettable(&c.Claim) {
			r.kind = claimForgettable
		}
	}
	d.add(&r, true)
	return nil
}
