package spool

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/garminkit/activityapi/notify"
)

// TestDirectoryGone: nothing is acknowledged into a directory, or a file, that is
// there no more, or is another one.
func TestDirectoryGone(t *testing.T) {
	t.Parallel()
	remove := func(pattern string) func(t *testing.T, dir string) {
		return func(t *testing.T, dir string) {
			list, err := filepath.Glob(filepath.Join(dir, pattern))
			require.NoError(t, err)
			for _, name := range list {
				require.NoError(t, os.RemoveAll(name))
			}
		}
	}
	moved := func(t *testing.T, dir string) { require.NoError(t, os.Rename(dir, dir+".old")) }
	for what, change := range map[string]func(t *testing.T, dir string){
		"removed": func(t *testing.T, dir string) { require.NoError(t, os.RemoveAll(dir)) },
		"moved":   moved,
		"swapped": func(t *testing.T, dir string) {
			moved(t, dir)
			s, err := openDir(dir, nil)
			require.NoError(t, err)
			require.NoError(t, s.Close())
		},
		"log removed":      remove(logDir),
		"segments removed": remove(logDir + "/*" + segmentSuffix),
		"large removed":    remove(largeDir),
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			dir := filepath.Join(t.TempDir(), "spool")
			s, err := openDir(dir, nil)
			require.NoError(t, err)
			put(t, s, numbered(0))
			change(t, dir)
			acked := map[int]bool{}
			for i := 1; i < 60; i++ { // 7 and 47 are large
				if err := s.Put(t.Context(), strings.NewReader(string(numbered(i)))); err == nil {
					acked[i] = true
				}
			}
			if what == "swapped" {
				require.Empty(t, acked, "that directory belongs to others")
			}
			_ = s.Close()
			s, err = openDir(dir, nil)
			require.NoError(t, err)
			defer s.Close()
			have := map[string]bool{}
			for n := range drain(t, s) {
				have[n] = true
			}
			for i := range acked {
				require.True(t, have[names(string(numbered(i)))[0]], "body %d was acknowledged and is lost", i)
			}
		})
	}
}

// TestLockRemoved: whoever removes the file LOCK does not let a second owner in.
func TestLockRemoved(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "spool")
	s, err := openDir(dir, nil)
	require.NoError(t, err)
	for _, change := range []func(){
		func() {},
		func() { require.NoError(t, os.Remove(filepath.Join(dir, lockName))) },
		func() { require.NoError(t, os.WriteFile(filepath.Join(dir, lockName), nil, 0o600)) },
	} {
		change()
		_, err = openDir(dir, nil)
		require.ErrorIs(t, err, errLocked)
		require.ErrorIs(t, err, notify.ErrInUse)
	}
	require.NoError(t, s.Close())
	s, err = openDir(dir, nil)
	require.NoError(t, err)
	require.NoError(t, s.Close())
}

// TestSecondLoop: one loop and one share at a time.
func TestSecondLoop(t *testing.T) {
	t.Parallel()
	s, err := openDir(t.TempDir(), nil)
	require.NoError(t, err)
	h := only(t, s)
	for again, err := range s.Shares(t.Context()) {
		require.Nil(t, again)
		require.ErrorIs(t, err, notify.ErrInUse)
	}
	h.Release()
	h = only(t, s)
	require.NoError(t, s.Close())
	require.Error(t, h.Context().Err())
	for _, err := range s.Shares(t.Context()) {
		require.ErrorIs(t, err, errClosed)
	}
	_, err = h.Scan(t.Context(), notify.ClassPush, 0, 1)
	require.True(t, errors.Is(err, notify.ErrLost) && errors.Is(err, errClosed), err)
}
