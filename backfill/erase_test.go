package backfill_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/garminkit/activityapi/backfill"
	"github.com/garminkit/activityapi/internal/powercut"
)

// TestFileLedgerErase: no byte of a user is left in the directory, in the log and
// in what was kept of damaged ones, and others keep their chunks.
func TestFileLedgerErase(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "a[b]") // which is no pattern
	l := openLedger(t, dir)
	require.NoError(t, save(l, planned("victim-id", 0, 2)))
	require.NoError(t, save(l, planned("b", 0, 2)))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "ledger.damaged-1"), []byte("xxvictim-idxx"), 0o600))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "ledger.damaged-2"), []byte("others"), 0o600))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "ledger.new"), []byte("victim-id"), 0o600))
	n, err := l.Erase(t.Context(), "victim-id")
	require.NoError(t, err)
	require.Positive(t, n)
	check := func() {
		files, err := os.ReadDir(dir)
		require.NoError(t, err)
		for _, f := range files {
			data, err := os.ReadFile(filepath.Join(dir, f.Name()))
			require.NoError(t, err)
			require.NotContains(t, string(data), "victim", f.Name())
		}
	}
	check()
	require.FileExists(t, filepath.Join(dir, "ledger.damaged-2"))
	n, err = l.Erase(t.Context(), "victim-id")
	require.NoError(t, err)
	require.Zero(t, n)
	require.NoError(t, save(l, planned("c", 0, 1)))
	require.NoError(t, l.Close())
	l = openLedger(t, dir)
	require.Len(t, lines(t, l), 2)
	check()
	_, err = l.Erase(t.Context(), "")
	require.Error(t, err)
}

// TestFileLedgerEraseHeals: a log that had to be written twice keeps no damaged log
// of the user's either.
func TestFileLedgerEraseHeals(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	fails := 0
	l, err := backfill.OpenLedgerOn(dir, func(f *os.File) error {
		if isDir(f) && fails > 0 {
			fails--
			return errStub
		}
		return f.Sync()
	}, nil)
	require.NoError(t, err)
	require.NoError(t, save(l, planned("victim-id", 0, 2)))
	damaged := filepath.Join(dir, "ledger.damaged-1")
	require.NoError(t, os.WriteFile(damaged, []byte("xxvictim-idxx"), 0o600))
	fails = 1 // the directory's sync behind the rename
	n, err := l.Erase(t.Context(), "victim-id")
	require.NoError(t, err)
	require.Positive(t, n)
	require.Zero(t, fails)
	require.NoFileExists(t, damaged)
	require.NoError(t, l.Close())
}

// TestFileLedgerErasePowerCut: whatever a crash leaves at each sync of an Erase,
// others have their chunks, and a repeated one leaves nothing; after it has returned,
// a power cut brings nothing back.
func TestFileLedgerErasePowerCut(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	disk := powercut.Watch(dir, t.TempDir())
	t.Cleanup(disk.Close)
	l, err := backfill.OpenLedgerOn(dir, disk.Sync, nil)
	require.NoError(t, err)
	for i := range 3 {
		require.NoError(t, save(l, planned("victim-id", i, i+1)))
		require.NoError(t, save(l, planned("b", i, i+1)))
	}
	disk.Take()
	n, err := l.Erase(t.Context(), "victim-id")
	require.NoError(t, err)
	require.Positive(t, n)
	moments := disk.Take()
	require.GreaterOrEqual(t, len(moments), 8)
	named := func(dir string) (names []string) {
		files, err := os.ReadDir(dir)
		require.NoError(t, err)
		for _, f := range files {
			data, err := os.ReadFile(filepath.Join(dir, f.Name()))
			require.NoError(t, err)
			if strings.Contains(string(data), "victim") {
				names = append(names, f.Name())
			}
		}
		return names
	}
	after := t.TempDir()
	require.NoError(t, disk.Cut(after))
	require.Empty(t, named(after), "the power was cut behind it")
	for i, dir := range moments {
		l := openLedger(t, dir)
		_, err := l.Erase(t.Context(), "victim-id")
		require.NoError(t, err)
		require.Empty(t, named(dir), "moment %d", i)
		require.Len(t, lines(t, l), 3, "moment %d", i)
		require.NoError(t, l.Close())
	}
	require.NoError(t, l.Close())
}
