package notify

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/garminkit/activityapi/types"
)

const day = 24 * time.Hour

// retained opens a worker whose files and parts have retentions.
func retained(t *testing.T, f *Files) *worker {
	t.Helper()
	if f.Claims == nil {
		f.Claims = &oneClaims{}
	}
	w, err := NewProcessor(nil, func(context.Context, types.UserID) ([]User, error) { return nil, nil }, Callbacks{
		Save:             func(context.Context, *Delivery, types.Summary) error { return nil },
		Deregistration:   func(context.Context, *Delivery, *Deregistration) error { return nil },
		PermissionChange: func(context.Context, *Delivery, *PermissionChange) error { return nil },
	}, &ProcessorOptions{Files: f})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, w.Close()) })
	return w.worker
}

// aged writes a file that is so old.
func aged(t *testing.T, dir, name string, age time.Duration) {
	t.Helper()
	path := filepath.Join(dir, filepath.FromSlash(name))
	require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o700))
	require.NoError(t, os.WriteFile(path, []byte(name), 0o600))
	then := time.Now().Add(-age)
	require.NoError(t, os.Chtimes(path, then, then))
}

func has(t *testing.T, dir, name string) bool {
	t.Helper()
	_, err := os.Lstat(filepath.Join(dir, filepath.FromSlash(name)))
	if err != nil {
		require.ErrorIs(t, err, os.ErrNotExist)
	}
	return err == nil
}

// TestRetention: what is too old goes within hours, and nothing else.
func TestRetention(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		const part = ".downloads/aa11-0123456789abcdef"
		names := map[string]struct {
			age  time.Duration
			goes bool
		}{
			"u1/5001.fit":                  {31 * day, true},
			"u1/5001.fit.json":             {31 * day, true},
			"u1/5001~0123456789abcdef.fit": {31 * day, true},
			"u1/5002-file_1.fit":           {29 * day, false},
			"u2%41/5003.%66":               {31 * day, true},
			"u3/ahead.fit":                 {-31 * day, false},
			"partner.db":                   {99 * day, false}, // somebody else's
			"db/Main.db":                   {99 * day, false},
			"u1/deep/er.fit":               {99 * day, false},
			".git/x.fit":                   {99 * day, false},
			part + "1.part":                {11 * day, true},
			part + "2.broken":              {11 * day, true},
			part + "3.rejected":            {11 * day, true},
			part + "4.answer":              {11 * day, true},
			part + "5.whole":               {11 * day, true},
			part + "6.sidecar":             {11 * day, true},
			".downloads/cc33-0123456789abcdef.broken": {9 * day, false},
			".downloads/bb22-busy.part":               {11 * day, false},
			".downloads/aa11-x.other":                 {99 * day, false},
		}
		for name, n := range names {
			aged(t, dir, name, n.age)
		}
		outside := t.TempDir()
		aged(t, outside, "old.fit", 99*day)
		require.NoError(t, os.Symlink(outside, filepath.Join(dir, "u5")))

		w := retained(t, &Files{Dir: dir, Retention: 30 * day, PartRetention: 10 * day})
		require.True(t, w.files.lock("bb22"))
		_, taken, err := w.files.claims.Begin(t.Context(), "aa11", time.Minute)
		require.True(t, taken && err == nil)
		require.NoError(t, w.files.claims.Settle(t.Context(), "aa11", Claim{State: ClaimSpent, Kept: part + "2.broken"}))
		synctest.Wait()
		require.True(t, has(t, dir, "u1/5001.fit"), "not before the clock was watched")
		time.Sleep(sweepEvery + time.Minute)
		synctest.Wait()
		for name, n := range names {
			require.Equal(t, !n.goes, has(t, dir, name), name)
		}
		require.True(t, has(t, outside, "old.fit"), "a link leads nowhere")
		claim, taken, err := w.files.claims.Begin(t.Context(), "aa11", time.Minute)
		require.False(t, taken)
		require.NoError(t, err)
		require.Empty(t, claim.Kept, "it can be forgotten")
		require.Equal(t, "0123456789abcdef", claim.Owner)
		w.files.unlock("bb22")
		time.Sleep(2 * sweepEvery)
		synctest.Wait()
		require.False(t, has(t, dir, ".downloads/bb22-busy.part"))

		// With names of the application's own, every file is one.
		retained(t, &Files{Dir: dir, Retention: 30 * day, Name: func(*types.ActivityFile) string { return "x" }})
		time.Sleep(sweepEvery + time.Minute)
		synctest.Wait()
		require.False(t, has(t, dir, "partner.db"))
		require.False(t, has(t, dir, "u1/deep/er.fit"))
		require.True(t, has(t, dir, ".downloads/cc33-0123456789abcdef.broken"))
	})
}

// TestRetentionRefuses: what would remove files that are still tried.
func TestRetentionRefuses(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for _, f := range []*Files{
		{Dir: dir, Retention: day}, {Dir: dir, PartRetention: -1}, {Dir: dir, Retention: 8*day - 1},
		{Dir: dir, Retention: 30 * day, Store: &FileDir{}},
	} {
		require.Error(t, f.check(), "%+v", f)
	}
	require.NoError(t, (&Files{Dir: dir, Retention: 8 * day, PartRetention: 8 * day}).check())
}

// TestSteady: a clock that was set meanwhile removes nothing.
func TestSteady(t *testing.T) {
	t.Parallel()
	now := time.Now()
	require.True(t, steady(now, now.Add(time.Hour)))
	for _, jump := range []time.Duration{day, -day, 2 * time.Minute} {
		require.False(t, steadyBy(time.Hour, time.Hour+jump), jump)
	}
}

// TestStoredAgain: a file that comes again has its retention anew.
func TestStoredAgain(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	d, err := OpenFileDir(dir, nil)
	require.NoError(t, err)
	defer d.Close()
	put := func() {
		sum := sha256.Sum256([]byte("text"))
		require.NoError(t, d.Put(t.Context(), "u/1.fit", strings.NewReader("text"), 4, hex.EncodeToString(sum[:])))
	}
	put()
	then := time.Now().Add(-40 * day)
	require.NoError(t, os.Chtimes(d.path("u/1.fit"), then, then))
	put()
	info, err := os.Stat(d.path("u/1.fit"))
	require.NoError(t, err)
	require.WithinDuration(t, time.Now(), info.ModTime(), time.Hour)
}

// TestRetentionMany: a sweep of many files has few of their names at once.
func TestRetentionMany(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		for i := range 3*sweepBatch + 1 {
			aged(t, dir, fmt.Sprintf("u/%d.fit", i), 31*day)
		}
		retained(t, &Files{Dir: dir, Retention: 30 * day})
		time.Sleep(sweepEvery + time.Minute)
		synctest.Wait()
		left, err := os.ReadDir(filepath.Join(dir, "u"))
		require.NoError(t, err)
		require.Empty(t, left)
		then := time.Now().Add(-2 * sweepEvery)
		require.NoError(t, os.Chtimes(filepath.Join(dir, "u"), then, then))
		time.Sleep(sweepEvery)
		synctest.Wait()
		require.False(t, has(t, dir, "u"), "nor is the directory with the user's id left")
	})
}

// TestSidecarPanics: what the application's code throws while a file gets its place
// does not keep the sweep, and so all downloads, waiting.
func TestSidecarPanics(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := retained(t, &Files{Dir: t.TempDir(), Retention: 30 * day, Sidecar: func(*File) ([]byte, error) { panic("once") }})
		d := &download{s: w.files, file: &types.ActivityFile{UserID: "u"}, id: "aa11", name: "u/1.fit"}
		require.Panics(t, func() { _ = d.place(t.Context(), part{}, &Claim{}) })
		require.True(t, w.files.placing.TryLock())
		w.files.placing.Unlock()
	})
}
