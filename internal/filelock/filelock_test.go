package filelock_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/garminkit/activityapi/internal/filelock"
)

func TestTry(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "lock")
	open := func() *os.File {
		f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
		require.NoError(t, err)
		t.Cleanup(func() { f.Close() })
		return f
	}
	a, b := open(), open()
	ok, err := filelock.Try(a)
	require.NoError(t, err)
	require.True(t, ok)
	ok, err = filelock.Try(b)
	require.NoError(t, err)
	require.False(t, ok, "the lock is held")
	require.NoError(t, a.Close())
	ok, err = filelock.Try(b)
	require.NoError(t, err)
	require.True(t, ok, "closing the file ends the lock")
}
