package notify_test

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/garminkit/activityapi/notify"
)

// smallDisk mounts a disk of a megabyte with so much room.
func smallDisk(t *testing.T, room int) (dir, ballast string) {
	dir = t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=1m"); errors.Is(err, syscall.EPERM) {
		t.Skip("needs root, to mount a small disk")
	} else {
		require.NoError(t, err)
	}
	t.Cleanup(func() { require.NoError(t, syscall.Unmount(dir, syscall.MNT_DETACH)) })
	ballast = filepath.Join(dir, "ballast")
	require.NoError(t, os.WriteFile(ballast, make([]byte, 1<<20-room), 0o600))
	return dir, ballast
}

// TestFileDiskNearlyFull: no download is burnt while there is no room, and all
// come when there is.
func TestFileDiskNearlyFull(t *testing.T) {
	dir, ballast := smallDisk(t, 150_000)
	synctest.Test(t, func(t *testing.T) {
		r, calls := fileRig(t, func(int) (io.ReadCloser, error) { return body(fit(100_000)) })
		r.opts.Files.Dir = dir
		r.start()
		for n := range 5 {
			r.put(fitPing("u", strconv.Itoa(n), fileURL+strconv.Itoa(n)))
		}
		pass(time.Hour)
		require.Zero(t, calls.Load())
		r.mu.Lock()
		for _, o := range r.outcomes {
			require.ErrorIs(t, o.Err, syscall.ENOSPC)
		}
		r.mu.Unlock()
		require.NoError(t, os.Remove(ballast))
		pass(time.Hour)
		r.finish()
		require.EqualValues(t, 5, calls.Load())
		require.Len(t, r.files, 5)
		require.Empty(t, r.letters())
		left, err := os.ReadDir(filepath.Join(dir, ".downloads"))
		require.NoError(t, err)
		require.Empty(t, left, "nothing stays reserved")
	})
}

// TestFileFillsDisk: a file that is larger than the room is kept as far as it
// came, and no other is asked for.
func TestFileFillsDisk(t *testing.T) {
	dir, _ := smallDisk(t, 200_000)
	synctest.Test(t, func(t *testing.T) {
		r, calls := fileRig(t, func(int) (io.ReadCloser, error) { return body(fit(300_000)) })
		r.opts.Files.Dir, r.opts.Files.Room = dir, 64<<10
		r.opts.FileWorkers = 1
		r.start()
		for n := range 5 {
			r.put(fitPing("u"+strconv.Itoa(n), "7-file", fileURL+strconv.Itoa(n)))
		}
		pass(time.Hour)
		r.finish()
		require.EqualValues(t, 1, calls.Load())
		require.Empty(t, r.visible()[1:], "the ballast alone")
		kept := r.kept("broken")
		require.NotEmpty(t, kept)
		require.True(t, strings.HasPrefix(string(fit(300_000)), string(kept)))
		require.ErrorIs(t, r.outcomes[0].Err, notify.ErrSpent)
		require.ErrorIs(t, r.outcomes[0].Err, syscall.ENOSPC)
	})
}
