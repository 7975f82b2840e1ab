package powercut_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/garminkit/activityapi/internal/powercut"
)

func TestDisk(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := func(name string) string { return filepath.Join(dir, name) }
	var disk powercut.Disk
	defer disk.Close()
	left := func() map[string]string {
		cut := t.TempDir()
		require.NoError(t, disk.Cut(cut))
		entries, err := os.ReadDir(cut)
		require.NoError(t, err)
		texts := map[string]string{}
		for _, e := range entries {
			text, err := os.ReadFile(filepath.Join(cut, e.Name()))
			require.NoError(t, err)
			texts[e.Name()] = string(text)
		}
		return texts
	}
	syncDir := func() {
		f, err := os.Open(dir)
		require.NoError(t, err)
		defer f.Close()
		require.NoError(t, disk.Sync(f))
	}
	f, err := os.Create(path("a"))
	require.NoError(t, err)
	defer f.Close()
	f.WriteString("one")
	require.NoError(t, disk.Sync(f))
	require.Empty(t, left(), "a name that was not synced")
	syncDir()
	require.Equal(t, map[string]string{"a": "one"}, left())
	f.WriteString(" two")
	require.Equal(t, map[string]string{"a": "one"}, left(), "bytes that were not synced")
	require.NoError(t, disk.Sync(f))
	require.Equal(t, map[string]string{"a": "one two"}, left())

	require.NoError(t, os.WriteFile(path("b"), []byte("new"), 0o600))
	require.NoError(t, os.Rename(path("b"), path("a")))
	require.Equal(t, map[string]string{"a": "one two"}, left(), "a rename that was not synced")
	syncDir()
	require.Equal(t, map[string]string{"a": ""}, left(), "a file that was not synced takes a name")
}
