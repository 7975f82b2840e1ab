package spool

import (
	"bytes"
	"io/fs"
	"maps"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestRecoveredIsSafe: a process was killed before its syncs, and the next one
// hands out what it finds. None of that may vanish in a power cut afterwards,
// since its number would be given to another body.
func TestRecoveredIsSafe(t *testing.T) {
	t.Parallel()
	d := newDisk()
	killed := openDisk(t, d)
	for i := 6; i < 8; i++ { // 7 is a large one
		put(t, killed, numbered(i))
	}
	began := len(d.ops)
	d.owner = false
	s := openDisk(t, d)
	require.Len(t, drain(t, s), 2*itemsOf)
	p := newPlatter(d.aead)
	for n, o := range d.ops {
		unsynced := o.kind == "syncdir" || o.kind == "sync" && strings.HasSuffix(o.name, segmentSuffix)
		if n >= began || !unsynced {
			p.apply(o)
		}
	}
	again := openDisk(t, p.crash(loseAll, rand.New(rand.NewPCG(*seed, 4))))
	require.Len(t, drain(t, again), 2*itemsOf)
	for _, s := range []*spool{again, s, killed} {
		require.NoError(t, s.Close())
	}
}

// TestDamageIsToldOnceDespitePowerCut: the letter was dealt with, and then the
// power was cut.
func TestDamageIsToldOnceDespitePowerCut(t *testing.T) {
	t.Parallel()
	d := newDisk()
	s := openDisk(t, d)
	for i := range 3 {
		put(t, s, numbered(i))
	}
	require.NoError(t, s.Close())
	for name, ino := range d.names {
		if strings.HasSuffix(name, segmentSuffix) && len(ino.data) > 0 {
			ino.data[headerSize+3] ^= 4
		}
	}
	d = d.clone()
	p := d.platter()
	s = openDisk(t, d)
	require.Len(t, drain(t, s), 2*itemsOf)
	ids := letterIDs(t, s)
	require.Len(t, ids, 1)
	require.NoError(t, s.Discard(t.Context(), ids[0]))
	for _, o := range d.ops {
		p.apply(o)
	}
	p.apply(op{kind: "syncdir", name: filepath.Join("/spool", letterDir)}) // the letter is gone for good
	require.NoError(t, s.Close())
	s = openDisk(t, p.crash(loseAll, rand.New(rand.NewPCG(*seed, 5))))
	require.Len(t, drain(t, s), 2*itemsOf)
	require.Empty(t, letterIDs(t, s))
	require.NoError(t, s.Close())
}

// clone gives a disk with the same contents and no past.
func (d *disk) clone() *disk {
	c := newDisk()
	for name, ino := range d.names {
		c.inos++
		c.names[name] = &inode{id: c.inos, data: slices.Clone(ino.data)}
	}
	c.dirs = maps.Clone(d.dirs)
	return c
}

// TestDamagedMark: a mark that was hit marks nothing, and those after it count.
func TestDamagedMark(t *testing.T) {
	t.Parallel()
	for byteOfMark := range cellSize {
		d := newDisk()
		s := openDisk(t, d)
		for i := range 2 {
			put(t, s, numbered(i))
		}
		h := only(t, s)
		items := scanAll(t, s, h)
		for _, it := range items[:4] {
			require.NoError(t, h.Settle(t.Context(), done(it.ID)))
		}
		require.NoError(t, s.Close())
		for name, ino := range d.names {
			if strings.HasSuffix(name, markSuffix) {
				require.Len(t, ino.data, 4*cellSize)
				ino.data[byteOfMark] ^= 1
			}
		}
		s = openDisk(t, d)
		have := drain(t, s)
		require.Len(t, have, 3, "byte %d", byteOfMark)
		require.NotNil(t, have["0.0"])
		require.NoError(t, s.Close())
	}
}

// TestForgedRecord: a body made to look like a record is not taken for one, even
// where the record around it is damaged. A sender knows the format, but not the
// name of the segment.
func TestForgedRecord(t *testing.T) {
	t.Parallel()
	forged := []byte("forged")
	inner := make([]byte, recordSize(len(forged)))
	header{seq: 1, size: uint32(len(forged)), sum: 0x7e7a7c64}.encode(inner, 0)
	copy(inner[headerSize:], forged)
	d := newDisk()
	s := openDisk(t, d)
	require.NoError(t, s.Put(t.Context(), bytes.NewReader(inner)))
	require.NoError(t, s.Close())
	for name, ino := range d.names {
		if strings.HasSuffix(name, segmentSuffix) && len(ino.data) > 0 {
			ino.data[5] ^= 1
		}
	}
	s = openDisk(t, d)
	require.Empty(t, drain(t, s))
	require.Len(t, letterIDs(t, s), 1)
	for l, err := range s.Letters(t.Context(), nil) {
		require.NoError(t, err)
		require.Contains(t, l.Reason, "no readable record")
	}
	require.NoError(t, s.Close())
}

// TestLeftoversAreCleared: what a kill left half-made is no body and takes no
// room for ever.
func TestLeftoversAreCleared(t *testing.T) {
	t.Parallel()
	d := newDiskOf(nil)
	for _, name := range []string{
		largeDir + "/7-1" + tempSuffix, letterDir + "/7-2" + tempSuffix,
		logDir + "/0000000000000001-00000000000000ff" + markSuffix,
		largeDir + "/0000000000000001.0000000000000001.5.00000000" + markSuffix,
		largeDir + "/0000000000000001.0000000000000001.5.00000000" + indexSuffix,
		letterDir + "/0000000000000001-0fffffff-0000000000000001" + bytesSuffix,
		repeatsName, repeatsName + tempSuffix,
	} {
		d.names["/spool/"+name] = &inode{data: []byte("half")}
	}
	s := openDisk(t, d)
	require.Empty(t, drain(t, s))
	require.NoError(t, s.Close())
	for name := range d.names {
		base := filepath.Base(name)
		require.True(t, base == formatName || base == reserveName || base == repeatsName || filepath.Dir(name) == "/spool/log" && !strings.Contains(name, "00ff"), name)
	}
}

// TestRealDiskIsSynced: the disk in memory proves when syncs are made, and this
// that they reach the kernel: which refuses to sync what is not open, or not
// there.
func TestRealDiskIsSynced(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	f, err := diskFS{}.Create(filepath.Join(dir, "f"))
	require.NoError(t, err)
	require.NoError(t, f.Sync())
	require.NoError(t, f.Close())
	require.Error(t, f.Sync())
	require.NoError(t, diskFS{}.SyncDir(dir))
	require.Error(t, diskFS{}.SyncDir(filepath.Join(dir, "none")))
}

func TestRealDiskErrors(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	f, err := diskFS{}.Create(filepath.Join(dir, "f"))
	require.NoError(t, err)
	require.NoError(t, f.Close())
	_, err = diskFS{}.Create(filepath.Join(dir, "f"))
	require.ErrorIs(t, err, fs.ErrExist)
	_, err = diskFS{}.Open(filepath.Join(dir, "none"))
	require.ErrorIs(t, err, fs.ErrNotExist)
	_, err = diskFS{}.List(filepath.Join(dir, "none"))
	require.ErrorIs(t, err, fs.ErrNotExist)
}

// TestRedrivenIsGone: the letter of what was driven again, or discarded, does not
// come back in a power cut.
func TestRedrivenIsGone(t *testing.T) {
	t.Parallel()
	d := newDisk()
	s := openDisk(t, d)
	put(t, s, numbered(1))
	h := only(t, s)
	for _, it := range scanAll(t, s, h) {
		require.NoError(t, h.Settle(t.Context(), buried(it.ID)))
	}
	ids := letterIDs(t, s)
	require.NoError(t, s.Redrive(t.Context(), ids[0]))
	require.NoError(t, s.Discard(t.Context(), ids[1]))
	p := newPlatter(d.aead)
	for _, o := range d.ops {
		p.apply(o)
	}
	again := openDisk(t, p.crash(loseAll, rand.New(rand.NewPCG(*seed, 6))))
	require.Equal(t, ids[2:], letterIDs(t, again))
	require.Len(t, drain(t, again), 1)
	require.NoError(t, again.Close())
	require.NoError(t, s.Close())
}
