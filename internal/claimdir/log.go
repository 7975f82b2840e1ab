package claimdir

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/garminkit/activityapi/internal/atomicfile"
)

const (
	logName = "log"
	logTemp = "log.tmp"
	// claimLogSize is how large the log becomes before the claims that nobody works
	// on any more go to a run.
	claimLogSize = 16 << 20
	// forgetEvery is how often it is looked whether claims can be forgotten.
	forgetEvery = time.Hour
)

// claimLog is the log of claims as it was found last. Its first record names the
// runs, so that a new log and its runs become valid by one rename.
type claimLog struct {
	f      *os.File
	size   int64
	at     map[claimKey]claimAt
	runs   []*claimRun // from the oldest
	limit  int64       // at which it is written anew
	oldest int64       // when the oldest forgettable claim of it was written, or more recently
	broken bool        // what is on the disk cannot be known: it must be written anew

	// pending are the records of the operations that are under way.
	pending []byte
	durable bool
}

// claimAt tells where the record of a claim is.
type claimAt struct {
	off  int64
	kind claimKind
}

func (l *claimLog) close() {
	if l.f != nil {
		_ = l.f.Close() // What must be on the disk was synced.
	}
	for _, r := range l.runs {
		r.close()
	}
	*l = claimLog{broken: l.broken}
}

// refresh reads what others have written. The directory is locked.
func (d *Dir) refresh() error {
	l := &d.log
	if l.f != nil {
		mine, err := l.f.Stat()
		if err != nil {
			return err
		}
		there, err := d.root.Stat(logName)
		if err == nil && os.SameFile(mine, there) && there.Size() >= l.size {
			if !l.broken {
				return d.readLog(there.Size())
			}
		}
		l.close()
	}
	f, err := d.root.OpenFile(logName, os.O_RDWR, 0)
	if errors.Is(err, fs.ErrNotExist) {
		f, err = d.disk.Replace(d.root, logTemp, logName, func(f *os.File) error { return writeRuns(f, d.runNames(nil)) })
	} else if err == nil {
		// Whoever put it in place may have died before the directory was synced, or
		// failed to sync it: a power cut would bring back the one before it.
		err = atomicfile.SyncDir(d.root.Open, ".", d.disk.Sync)
	}
	if err != nil {
		if f != nil {
			f.Close()
		}
		return err
	}
	if err := d.openLog(f); err != nil {
		return err
	}
	if l.broken {
		if err := d.rewrite(nil); err != nil {
			return err
		}
	}
	if d.imported {
		return nil
	}
	err = d.importOld()
	if d.imported = err == nil; err != nil {
		l.close()
	}
	return err
}

// openLog makes f the log.
func (d *Dir) openLog(f *os.File) error {
	l := &d.log
	l.close()
	l.f, l.at, l.limit, l.oldest = f, map[claimKey]claimAt{}, d.logSize, time.Now().UnixNano()
	info, err := f.Stat()
	if err == nil {
		err = d.readLog(info.Size())
	}
	if err == nil {
		err = d.openRuns(d.runNames(f))
	}
	if err != nil {
		l.close()
		return err
	}
	l.limit = max(l.limit, 2*l.size)
	return nil
}

// readLog reads the log from where it was read before.
func (d *Dir) readLog(size int64) error {
	l := &d.log
	if size == l.size {
		return nil
	}
	scan := scanClaims(l.f, l.size, size)
	for {
		ok, err := scan.next()
		if err != nil {
			return err
		}
		if !ok {
			l.size = scan.good
			return nil
		}
		if scan.off == 0 && scan.kind == claimRuns {
			continue
		}
		l.note(keyOfClaim(scan.id), scan.off, scan.kind, scan.at)
	}
}

func (l *claimLog) note(key claimKey, off int64, kind claimKind, at int64) {
	if kind == claimDamaged {
		// The one before it is right, if there is one: this may be the rest of a
		// write that was never acknowledged.
		if _, ok := l.at[key]; ok {
			return
		}
	}
	l.at[key] = claimAt{off, kind}
	if kind == claimForgettable {
		l.oldest = min(l.oldest, at)
	}
}

// openRuns opens the runs that the log names.
func (d *Dir) openRuns(names []string) error {
	for _, name := range names {
		r, err := d.openRun(name)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return err
		}
		d.log.runs = append(d.log.runs, r)
	}
	return nil
}

// runNames are the names of the runs, from the oldest. If the log does not tell
// them, because it is damaged or gone, they are all that there are.
func (d *Dir) runNames(log *os.File) (names []string) {
	if log != nil {
		r, ok, err := readRecord(log, 0)
		if err == nil && ok && r.kind == claimRuns && json.Unmarshal(r.body, &names) == nil {
			return names
		}
	}
	names, _ = fs.Glob(d.root.FS(), "*"+runEnd) // The pattern is right.
	age := func(name string) (t time.Time) {
		if info, err := d.root.Stat(name); err == nil {
			t = info.ModTime()
		}
		return t
	}
	slices.SortFunc(names, func(a, b string) int { return age(a).Compare(age(b)) })
	return names
}

func writeRuns(f *os.File, names []string) error {
	body, err := json.Marshal(names)
	if err != nil {
		return err
	}
	r := claimRecord{kind: claimRuns, body: body}
	_, err = f.Write(r.append(nil))
	return err
}

// record returns the newest record of a claim, if there is one.
func (d *Dir) record(id string) (claimRecord, bool, error) {
	l, key := &d.log, keyOfClaim(id)
	at, ok := l.at[key]
	if ok && at.kind != claimDamaged {
		var from interface {
			ReadAt(p []byte, off int64) (int, error)
		} = l.f
		off := at.off
		if off >= l.size {
			from, off = bytes.NewReader(l.pending), off-l.size
		}
		r, err := readClaim(from, off, id)
		return r, r.kind != claimGone, err
	}
	for _, r := range slices.Backward(l.runs) {
		rec, found, err := r.find(key, id)
		if found || err != nil {
			return rec, found, err
		}
	}
	return claimRecord{id: id, kind: claimDamaged}, ok, nil
}

// add is part of an operation: it adds a record to the log.
func (d *Dir) add(r *claimRecord, durable bool) {
	l := &d.log
	l.note(keyOfClaim(r.id), l.size+int64(len(l.pending)), r.kind, r.at)
	l.pending = r.append(l.pending)
	l.durable = l.durable || durable
}

// commit puts the records of the operations on the disk.
func (d *Dir) commit() error {
	l := &d.log
	if len(l.pending) == 0 {
		return nil
	}
	sound, err := d.disk.Append(l.f, d.logPath(), l.size, l.pending, l.durable)
	if err != nil {
		l.close()
		l.broken = l.broken || !sound
		return err
	}
	l.size += int64(len(l.pending))
	l.pending, l.durable = l.pending[:0], false
	return nil
}

// tend writes the log anew if that is due. If it fails, what is there stays valid.
func (d *Dir) tend() {
	l := &d.log
	now := time.Now()
	due := l.size > l.limit
	if now.Sub(d.tended).Abs() >= forgetEvery {
		d.tended = now
		due = due || oldClaim(l.oldest, now) || slices.ContainsFunc(l.runs, func(r *claimRun) bool { return r.old(now) })
	}
	if due && d.rewrite(nil) != nil && l.f != nil {
		l.limit = l.size + d.logSize
	}
}

// claimFilter tells which records are left out.
type claimFilter func(*claimRecord) (bool, error)

// rewrite writes the log anew, with the newest record of each claim. If it has
// become large, those that can be forgotten one day go to a run. What leave tells
// to leave out is in neither afterwards. A crash leaves the old log with its runs,
// or the new one.
func (d *Dir) rewrite(leave claimFilter) error {
	l, now := &d.log, time.Now()
	skip := func(r *claimRecord) (bool, error) {
		if old := r.kind == claimForgettable && oldClaim(r.at, now); old || leave == nil {
			return old, nil
		}
		return leave(r)
	}
	type place struct {
		key claimKey
		claimAt
	}
	var stay, cold []place
	for key, at := range l.at {
		switch {
		case at.kind == claimGone:
		case at.kind == claimForgettable && l.size > d.logSize:
			cold = append(cold, place{key, at})
		default:
			stay = append(stay, place{key, at})
		}
	}
	slices.SortFunc(stay, func(a, b place) int { return cmp.Compare(a.off, b.off) })
	slices.SortFunc(cold, func(a, b place) int { return bytes.Compare(a.key[:], b.key[:]) })

	var names []string
	var merged []*claimSource
	small := 0
	for _, r := range l.runs {
		if r.n < smallRun {
			small++
		}
	}
	for _, r := range l.runs {
		switch {
		case r.old(now):
		case len(cold) > 0 && small >= mergeRuns && r.n < smallRun:
			merged = append(merged, r.source())
		case leave != nil:
			has, err := r.any(leave)
			if err != nil {
				return err
			}
			name := r.name
			if has {
				if name, err = d.writeRun([]*claimSource{r.source()}, skip); err != nil {
					return err
				}
			}
			if name != "" {
				names = append(names, name)
			}
		default:
			names = append(names, r.name)
		}
	}
	if len(cold) > 0 {
		name, err := d.writeRun(append(merged, &claimSource{take: func() (claimRecord, bool, error) {
			if len(cold) == 0 {
				return claimRecord{}, false, nil
			}
			r, err := l.whole(cold[0].off)
			cold = cold[1:]
			return r, err == nil, err
		}}), skip)
		if err != nil {
			return err
		}
		if name != "" {
			names = append(names, name)
		}
	}
	f, err := d.disk.Replace(d.root, logTemp, logName, func(f *os.File) error {
		if err := writeRuns(f, names); err != nil {
			return err
		}
		var buf []byte
		for i, p := range stay {
			r, err := l.whole(p.off)
			if err != nil {
				return err
			}
			out, err := skip(&r)
			if err != nil {
				return err
			}
			if !out {
				r.doubt(claimKept)
				buf = r.append(buf)
			}
			if len(buf) > 64<<10 || i == len(stay)-1 {
				if _, err := f.Write(buf); err != nil {
					return err
				}
				buf = buf[:0]
			}
		}
		return nil
	})
	if f == nil {
		return err
	}
	l.broken = err != nil // A power cut may bring the old one back.
	if e := d.openLog(f); e != nil || err != nil {
		return errors.Join(err, e)
	}
	return d.clearRuns(names)
}

// whole reads the record at a place.
func (l *claimLog) whole(off int64) (claimRecord, error) {
	r, ok, err := readRecord(l.f, off)
	if err == nil && !ok {
		err = errors.New("notify: claims: the log has changed")
	}
	return r, err
}

// any reports whether f is true for a record.
func (r *claimRun) any(f claimFilter) (bool, error) {
	s := r.source()
	for {
		if err := s.next(); err != nil || !s.more {
			return false, err
		}
		if yes, err := f(&s.claimRecord); yes || err != nil {
			return yes, err
		}
	}
}

// clearRuns removes the runs that the log does not name: a crash left them, or they
// were replaced.
func (d *Dir) clearRuns(names []string) error {
	entries, err := fs.ReadDir(d.root.FS(), ".")
	if err != nil {
		return err
	}
	n := 0
	for _, e := range entries {
		if name := e.Name(); name == runTemp || strings.HasSuffix(name, runEnd) && !slices.Contains(names, name) {
			if err := d.root.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
				return err
			}
			n++
		}
	}
	if n == 0 {
		return nil
	}
	return atomicfile.SyncDir(d.root.Open, ".", d.disk.Sync)
}
