package backfill_test

import (
	"bytes"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"

	"github.com/garminkit/activityapi/backfill"
	"github.com/garminkit/activityapi/internal/powercut"
	"github.com/garminkit/activityapi/internal/recordlog"
	"github.com/garminkit/activityapi/types"
)

// kept returns what a ledger holds that was just opened from a copy of dir.
func kept(t *testing.T, dir string) []string {
	t.Helper()
	log, err := os.ReadFile(filepath.Join(dir, "ledger.log"))
	require.NoError(t, err)
	sub := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(sub, "ledger.log"), log, 0o600))
	return lines(t, openLedger(t, sub))
}

func isDir(f *os.File) bool {
	info, err := f.Stat()
	return err == nil && info.IsDir()
}

// A write that fails, as on a log whose descriptor is bad, is made good in a
// new log: the save returns nil, and what it saved is on disk.
func TestFileLedgerWriteFails(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	var log bytes.Buffer
	l, err := backfill.OpenLedger(dir, &backfill.LedgerOptions{Logger: slog.New(slog.NewTextHandler(&log, nil))})
	require.NoError(t, err)
	require.NoError(t, save(l, planned("u", 0, 1)))
	backfill.BreakDisk(l)
	require.NoError(t, save(l, planned("u", 1, 2)))
	require.Contains(t, log.String(), "written anew")
	require.Len(t, kept(t, dir), 2)
	require.NoError(t, save(l, planned("u", 2, 3)))
	require.NoError(t, l.Close())
	require.Len(t, lines(t, openLedger(t, dir)), 3)
}

// After a failed sync, the kernel may have dropped the pages and say of the next
// sync that it went well. So the file is not trusted again: a new one is
// written. With power cuts after each save.
func TestFileLedgerSyncFails(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	var disk powercut.Disk
	t.Cleanup(disk.Close)
	syncs := 0
	failed := map[*os.File]bool{}
	sync := func(f *os.File) error {
		if isDir(f) {
			return disk.Sync(f)
		}
		if syncs++; syncs%3 == 0 {
			failed[f] = true
			return errStub // and nothing of it is on disk, now or later
		}
		if failed[f] {
			return nil // it lies: the pages are gone
		}
		return disk.Sync(f)
	}
	l, err := backfill.OpenLedgerOn(dir, sync, nil)
	require.NoError(t, err)
	for i := range 60 {
		require.NoError(t, save(l, planned(types.UserID(fmt.Sprint("u", i)), 0, 25)), "save %d", i)
		cut := t.TempDir()
		require.NoError(t, disk.Cut(cut))
		require.Len(t, lines(t, openLedger(t, cut)), i+1, "a save that returned is lost")
	}
	require.NotEmpty(t, failed)
	require.NoError(t, l.Close())
}

// While nothing can be written, saves and arrivals fail; once it can, all of it
// is on disk, what failed meanwhile too, and no user is lost.
func TestFileLedgerHeals(t *testing.T) {
	for name, broken := range map[string]func(sync, syncDir *atomic.Bool){
		"sync":         func(sync, _ *atomic.Bool) { sync.Store(true) },
		"sync of dirs": func(sync, syncDir *atomic.Bool) { syncDir.Store(true) },
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			var failSync, failDir atomic.Bool
			sync := func(f *os.File) error {
				fails := &failSync
				if isDir(f) {
					fails = &failDir
				}
				if fails.Load() {
					return errStub
				}
				return f.Sync()
			}
			l, err := backfill.OpenLedgerOn(dir, sync, nil)
			require.NoError(t, err)
			requested := planned("u", 0, 25)
			requested.State, requested.Requested = backfill.StateRequested, day0
			require.NoError(t, save(l, requested))
			broken(&failSync, &failDir)
			backfill.BreakDisk(l)
			for i := range 5 {
				err := save(l, planned(types.UserID(fmt.Sprint("v", i)), 0, 1))
				require.ErrorIs(t, err, errStub)
				require.Error(t, l.Arrived(t.Context(), "u", types.KindActivities, day0))
				backfill.Heals(l)
			}
			failSync.Store(false)
			failDir.Store(false)
			backfill.Heals(l)
			require.NoError(t, l.Arrived(t.Context(), "u", types.KindActivities, day0), "an arrival that failed is a repeat now")
			require.Len(t, kept(t, dir), 6)
			require.Contains(t, strings.Join(kept(t, dir), "\n"), "u activities [2024-01-01T00:00:00Z, 2024-01-26T00:00:00Z) requested 1")
			require.NoError(t, save(l, planned("w", 0, 1)))
			require.NoError(t, l.Close())
			require.Len(t, lines(t, openLedger(t, dir)), 7)
		})
	}
}

// A disk that fails is not kept busy with new logs: one try a second.
func TestFileLedgerHealsSlowly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tries := 0
		l, err := backfill.OpenLedgerOn(t.TempDir(), func(f *os.File) error {
			if isDir(f) {
				return nil
			}
			if tries++; tries > 1 {
				return errStub
			}
			return nil
		}, nil)
		require.NoError(t, err)
		for range 1000 {
			require.ErrorIs(t, save(l, planned("u", 0, 1)), errStub)
		}
		require.Equal(t, 3, tries, "opened, synced, written anew")
		require.Error(t, l.Close())
	})
}

// A full disk takes part of a record. The part is taken back, so the log stays
// good; when there is room again, all of it is there, and no new log was needed
// for that.
func TestFileLedgerDiskFull(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	l := openLedger(t, dir)
	require.NoError(t, save(l, planned("u", 0, 1)))
	before, err := os.Stat(filepath.Join(dir, "ledger.log"))
	require.NoError(t, err)
	backfill.WriteBy(l, func(f *os.File, b []byte, at int64) (int, error) {
		n, err := f.WriteAt(b[:len(b)/2], at)
		if err == nil {
			err = errStub
		}
		return n, err
	})
	for i := range 3 {
		require.ErrorIs(t, save(l, planned("u", i+1, i+2)), errStub)
		require.Len(t, kept(t, dir), 1, "part of a record stays")
	}
	backfill.WriteBy(l, recordlog.NewDisk().Write)
	require.NoError(t, save(l, planned("u", 4, 5)))
	require.Len(t, kept(t, dir), 5)
	after, err := os.Stat(filepath.Join(dir, "ledger.log"))
	require.NoError(t, err)
	require.True(t, os.SameFile(before, after))
	require.NoError(t, l.Close())
}

// A log that somebody removed is written anew; nothing is acknowledged into a
// file without a name.
func TestFileLedgerRemoved(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	l := openLedger(t, dir)
	require.NoError(t, save(l, planned("u", 0, 1)))
	require.NoError(t, os.Remove(filepath.Join(dir, "ledger.log")))
	require.NoError(t, save(l, planned("u", 1, 2)))
	require.Len(t, kept(t, dir), 2)

	require.NoError(t, os.RemoveAll(dir))
	require.Error(t, save(l, planned("u", 2, 3)), "saved into a directory that is gone")
}

// A lock file that was removed gives the directory two owners; the first one
// stops before it writes over what the second has saved.
func TestFileLedgerLockRemoved(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	first := openLedger(t, dir)
	require.NoError(t, save(first, planned("u", 0, 1)))
	claim, err := first.Claim(t.Context(), "u")
	require.NoError(t, err)
	require.NoError(t, os.Remove(filepath.Join(dir, "lock")))
	second := openLedger(t, dir)
	require.NoError(t, save(second, planned("u", 1, 2)))
	require.ErrorContains(t, claim.Save(t.Context(), planned("u", 2, 3)), "reopen the ledger")
	<-claim.Context().Done()
	require.Error(t, first.Arrived(t.Context(), "u", types.KindActivities, day0))
	require.Error(t, first.Close())
	require.NoError(t, save(second, planned("u", 3, 4)))
	require.Equal(t, []string{"u 0-1 planned", "u 1-2 planned", "u 3-4 planned"}, prefixed("u ", second, t, "u"))
	require.Len(t, kept(t, dir), 3)
}

// Random damage costs the users it hit, and is told.
func TestFileLedgerDamage(t *testing.T) {
	t.Parallel()
	const users = 40
	dir := t.TempDir()
	l := openLedger(t, dir)
	for u := range users {
		require.NoError(t, save(l, planned(types.UserID(fmt.Sprint("u", u)), 0, 10)))
	}
	require.NoError(t, l.Close())
	whole, err := os.ReadFile(filepath.Join(dir, "ledger.log"))
	require.NoError(t, err)
	for seed := range uint64(200) {
		rng := rand.New(rand.NewPCG(seed, 3))
		bad := bytes.Clone(whole)
		at := len("gbledger\x01") + rng.IntN(len(bad)-len("gbledger\x01"))
		most := 1
		switch seed % 5 {
		case 0:
			bad[at] ^= 1 << rng.IntN(8)
		case 1: // a torn end
			bad, most = bad[:at], users
		case 2:
			bad, most = append(bad, make([]byte, 5000)...), 0
		case 3:
			n := copy(bad[at:], make([]byte, 20))
			most = 2 + n/20
		case 4: // many damages
			for i := at % 500; i < len(bad); i += 500 {
				if i >= len("gbledger\x01") {
					bad[i] ^= 0x40
				}
			}
			most = len(bad)/500 + 1
		}
		sub := t.TempDir()
		require.NoError(t, os.WriteFile(filepath.Join(sub, "ledger.log"), bad, 0o600))
		var log bytes.Buffer
		l, err := backfill.OpenLedger(sub, &backfill.LedgerOptions{Logger: slog.New(slog.NewTextHandler(&log, nil))})
		require.NoError(t, err, "seed %d", seed)
		lost := users - len(lines(t, l))
		require.LessOrEqual(t, lost, most, "seed %d", seed)
		if lost > 0 && seed%5 != 1 {
			require.Contains(t, log.String(), "ledger", "seed %d: users lost without a word", seed)
		}
		require.NoError(t, save(l, planned("new", 0, 1)))
		require.NoError(t, l.Close())
		require.Len(t, lines(t, openLedger(t, sub)), users-lost+1)
	}
}

// Who is forgotten leaves the disk when the ledger is opened next.
func TestFileLedgerForgets(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	l := openLedger(t, dir)
	require.NoError(t, save(l, planned("somebody-gone", 0, 1)))
	require.NoError(t, save(l, planned("somebody-else", 0, 1)))
	require.NoError(t, l.Forget(t.Context(), "somebody-gone"))
	require.NoError(t, l.Close())
	l = openLedger(t, dir)
	log, err := os.ReadFile(filepath.Join(dir, "ledger.log"))
	require.NoError(t, err)
	require.NotContains(t, string(log), "somebody-gone")
	require.Contains(t, string(log), "somebody-else")
	require.Len(t, lines(t, l), 1)
}

// Saves of many goroutines, a disk that fails now and then: whoever was told
// nil is on disk.
func TestFileLedgerFailingDiskInParallel(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	var n atomic.Int64
	sync1 := func(f *os.File) error {
		if n.Add(1)%5 == 0 {
			return errStub
		}
		return f.Sync()
	}
	l, err := backfill.OpenLedgerOn(dir, sync1, nil)
	require.NoError(t, err)
	var mu sync.Mutex
	saved := map[string]bool{}
	var wg sync.WaitGroup
	for g := range 8 {
		wg.Go(func() {
			for i := range 50 {
				c := planned(types.UserID(fmt.Sprint(g, "-", i)), 0, 1)
				if save(l, c) == nil {
					mu.Lock()
					saved[c.String()+" 0"] = true
					mu.Unlock()
				}
			}
		})
	}
	wg.Wait()
	have := kept(t, dir)
	for line := range saved {
		require.Contains(t, have, line)
	}
	require.Greater(t, len(saved), 300)
	_ = l.Close() // its sync may be one that fails
}
