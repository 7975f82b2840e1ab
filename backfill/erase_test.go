package backfill_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/garminkit/activityapi/backfill"
)

// TestFileLedgerErase: no byte of a user is left in the directory, in the log and
// in what was kept of damaged ones, and others keep their chunks.
func TestFileLedgerErase(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
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
