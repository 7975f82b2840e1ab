//go:build darwin || dragonfly || freebsd || illumos || linux || netbsd || openbsd

package filelock_test

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/garminkit/activityapi/internal/filelock"
)

// TestClose ends the lock although there is a copy of the file, as in a child process
// between fork and exec.
func TestClose(t *testing.T) {
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
	child, err := syscall.Dup(int(a.Fd()))
	require.NoError(t, err)
	defer syscall.Close(child)
	require.NoError(t, filelock.Close(a))
	ok, err = filelock.Try(b)
	require.NoError(t, err)
	require.True(t, ok, "the copy holds the lock")
	require.ErrorIs(t, filelock.Close(a), os.ErrClosed)
}
