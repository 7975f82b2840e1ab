package claimdir

import (
	"bytes"
	"crypto/rand"
	"encoding/binary"
	"io"
	"os"
	"slices"
	"sort"
	"time"

	"github.com/garminkit/activityapi/internal/recordlog"
)

// claimRun is a file of claims that nobody is working on, by their keys. It is never
// changed. Behind the records stand
//
//	the table: for each record its key and its offset, 24 bytes
//	the fences: the first key of each block of the table, and the checksum of the
//	  block, 20 bytes
//	8  when its newest claim was written
//	4  how many records there are
//	4  checksum of the fences and the 12 bytes before
//	4  "clmr"
//
// Of a run only the fences are in memory: a sixth of a byte for each claim.
type claimRun struct {
	name   string
	f      *os.File
	data   int64 // the size of the records
	n      int
	newest int64
	fences []byte
	table  []byte // if that in the file is damaged
}

const (
	runMagic = 0x726d6c63
	runEntry = 24
	runBlock = 128 // entries
	runFence = 20
	runTail  = 20
	runEnd   = ".claims"
	// A run that has fewer claims than smallRun is merged with others, when there
	// are mergeRuns of them.
	smallRun  = 64 << 10
	mergeRuns = 16

	runTemp = "run.tmp"
)

// openRun opens a run. If the end of it is damaged, the records tell what was there.
func (d *Dir) openRun(name string) (_ *claimRun, err error) {
	f, err := d.root.Open(name)
	if err != nil {
		return nil, err
	}
	r := &claimRun{name: name, f: f}
	defer func() {
		if err != nil {
			f.Close()
		}
	}()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	le := binary.LittleEndian
	tail := make([]byte, runTail)
	at := info.Size() - runTail
	if at >= 0 {
		if _, err := f.ReadAt(tail, at); err != nil {
			return nil, err
		}
		n := int64(le.Uint32(tail[8:]))
		fences := (n + runBlock - 1) / runBlock * runFence
		r.newest, r.n = int64(le.Uint64(tail)), int(n)
		r.data = at - fences - n*runEntry
		if le.Uint32(tail[16:]) == runMagic && r.data >= 0 {
			r.fences = make([]byte, fences)
			if _, err := f.ReadAt(r.fences, at-fences); err != nil {
				return nil, err
			}
			if recordlog.Checksum(slices.Concat(r.fences, tail[:12])) == le.Uint32(tail[12:]) {
				return r, nil
			}
		}
	}
	r.data = info.Size()
	return r, r.rebuild()
}

// rebuild makes the table in memory.
func (r *claimRun) rebuild() error {
	type entry struct {
		key claimKey
		off int64
	}
	var list []entry
	r.newest = 0
	scan := scanClaims(r.f, 0, r.data)
	for {
		ok, err := scan.next()
		if err != nil {
			return err
		}
		if !ok {
			break
		}
		list = append(list, entry{keyOfClaim(scan.id), scan.off})
		r.newest = max(r.newest, scan.at)
	}
	slices.SortStableFunc(list, func(a, b entry) int { return bytes.Compare(a.key[:], b.key[:]) })
	r.n, r.data, r.fences = len(list), scan.good, nil
	r.table = make([]byte, 0, len(list)*runEntry)
	for _, e := range list {
		r.table = binary.LittleEndian.AppendUint64(append(r.table, e.key[:]...), uint64(e.off))
	}
	return nil
}

// find returns a claim, if it is there.
func (r *claimRun) find(key claimKey, id string) (claimRecord, bool, error) {
	block, err := r.block(key)
	if err != nil {
		return claimRecord{}, false, err
	}
	n := len(block) / runEntry
	i := sort.Search(n, func(i int) bool { return bytes.Compare(block[i*runEntry:][:len(key)], key[:]) >= 0 })
	if i == n || claimKey(block[i*runEntry:]) != key {
		return claimRecord{}, false, nil
	}
	rec, err := readClaim(r.f, int64(binary.LittleEndian.Uint64(block[i*runEntry+len(key):])), id)
	return rec, err == nil, err
}

// block returns that part of the table in which a key would be.
func (r *claimRun) block(key claimKey) ([]byte, error) {
	if r.table != nil {
		return r.table, nil
	}
	i := sort.Search(len(r.fences)/runFence, func(i int) bool {
		return bytes.Compare(r.fences[i*runFence:][:len(key)], key[:]) > 0
	}) - 1
	if i < 0 {
		return nil, nil
	}
	size := min(runBlock, r.n-i*runBlock) * runEntry
	b := make([]byte, size)
	if _, err := r.f.ReadAt(b, r.data+int64(i*runBlock*runEntry)); err != nil && err != io.EOF {
		return nil, err
	}
	if recordlog.Checksum(b) != binary.LittleEndian.Uint32(r.fences[i*runFence+len(key):]) {
		err := r.rebuild()
		return r.table, err
	}
	return b, nil
}

// readClaim reads the record of a claim, which may be damaged.
func readClaim(f io.ReaderAt, off int64, id string) (claimRecord, error) {
	r, ok, err := readRecord(f, off)
	if err == nil && (!ok || r.id != id) {
		r = claimRecord{id: id, kind: claimDamaged}
	}
	return r, err
}

// readRecord reads what stands at a place. ok is false if that is no record.
func readRecord(f io.ReaderAt, off int64) (r claimRecord, ok bool, err error) {
	b := make([]byte, 512) // Most are smaller.
	n, err := f.ReadAt(b, off)
	if err != nil && err != io.EOF {
		return r, false, err
	}
	if _, size := decodeClaimHead(b[:n]); size > n {
		b = make([]byte, size)
		if n, err = f.ReadAt(b, off); err != nil && err != io.EOF {
			return r, false, err
		}
	}
	r, ok = decodeClaimRecord(b[:n])
	return r, ok, nil
}

// oldClaim reports whether a forgettable claim that was written at that time can be
// forgotten. One with a future time, from a clock that was ahead, stays.
func oldClaim(at int64, now time.Time) bool { return now.Sub(time.Unix(0, at)) > claimAge }

// runWriter writes a run. Records come by their keys.
type runWriter struct {
	f      *os.File
	buf    []byte
	size   int64
	table  []byte
	newest int64
}

func (w *runWriter) add(key claimKey, r *claimRecord) error {
	w.table = binary.LittleEndian.AppendUint64(append(w.table, key[:]...), uint64(w.size)+uint64(len(w.buf)))
	w.newest = max(w.newest, r.at)
	w.buf = r.append(w.buf)
	if len(w.buf) < 64<<10 {
		return nil
	}
	return w.flush()
}

func (w *runWriter) flush() error {
	n, err := w.f.Write(w.buf)
	w.size += int64(n)
	w.buf = w.buf[:0]
	return err
}

func (w *runWriter) end() error {
	if err := w.flush(); err != nil {
		return err
	}
	le := binary.LittleEndian
	var fences []byte
	for at := 0; at < len(w.table); at += runBlock * runEntry {
		block := w.table[at:min(at+runBlock*runEntry, len(w.table))]
		fences = le.AppendUint32(append(fences, block[:len(claimKey{})]...), recordlog.Checksum(block))
	}
	tail := le.AppendUint32(le.AppendUint64(nil, uint64(w.newest)), uint32(len(w.table)/runEntry))
	sum := recordlog.Checksum(slices.Concat(fences, tail))
	tail = le.AppendUint32(le.AppendUint32(tail, sum), runMagic)
	_, err := w.f.Write(slices.Concat(w.table, fences, tail))
	return err
}

// claimSource gives records by their keys.
type claimSource struct {
	take func() (claimRecord, bool, error)
	claimRecord
	key  claimKey
	more bool
}

func (s *claimSource) next() (err error) {
	if s.claimRecord, s.more, err = s.take(); s.more {
		s.key = keyOfClaim(s.id)
	}
	return err
}

// source gives what a run has.
func (r *claimRun) source() *claimSource {
	scan := scanClaims(r.f, 0, r.data)
	return &claimSource{take: func() (claimRecord, bool, error) {
		ok, err := scan.next()
		return scan.claimRecord, ok, err
	}}
}

// writeRun makes a run of what comes from the sources, but what leave tells to leave
// out. Of two records with one key the source that is later in the list has the
// newer one. It returns "" if there is nothing.
func (d *Dir) writeRun(from []*claimSource, leave claimFilter) (string, error) {
	name, none := rand.Text()+runEnd, false
	f, err := d.disk.Replace(d.root, runTemp, name, func(f *os.File) error {
		w := runWriter{f: f}
		for _, s := range from {
			if err := s.next(); err != nil {
				return err
			}
		}
		for {
			var least *claimSource
			for _, s := range from {
				if s.more && (least == nil || bytes.Compare(s.key[:], least.key[:]) <= 0) {
					least = s
				}
			}
			if least == nil {
				none = len(w.table) == 0
				return w.end()
			}
			key := least.key
			out, err := leave(&least.claimRecord)
			if err != nil {
				return err
			}
			if !out {
				least.doubt(claimForgettable)
				if err := w.add(key, &least.claimRecord); err != nil {
					return err
				}
			}
			for _, s := range from {
				if s.more && s.key == key {
					if err := s.next(); err != nil {
						return err
					}
				}
			}
		}
	})
	if f != nil {
		f.Close()
	}
	if err == nil && none {
		name, err = "", d.root.Remove(name)
	}
	return name, err
}

func (r *claimRun) close() { _ = r.f.Close() } // It was only read.

// old reports whether all its claims can be forgotten.
func (r *claimRun) old(now time.Time) bool { return oldClaim(r.newest, now) }
