package atomicfile_test

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/garminkit/activityapi/internal/atomicfile"
	"github.com/garminkit/activityapi/internal/powercut"
)

var errDisk = errors.New("no space left on device")

func isDir(f *os.File) bool {
	info, err := f.Stat()
	return err == nil && info.IsDir()
}

// open returns a directory with a file "name" that has "old" in it, and its root.
func open(t *testing.T) (string, *os.Root) {
	t.Helper()
	dir := t.TempDir()
	root, err := os.OpenRoot(dir)
	require.NoError(t, err)
	t.Cleanup(func() { root.Close() })
	require.NoError(t, os.WriteFile(filepath.Join(dir, "name"), []byte("old"), 0o644))
	return dir, root
}

// texts returns the content of the files of a directory.
func texts(t *testing.T, dir string) map[string]string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	m := map[string]string{}
	for _, e := range entries {
		if e.IsDir() {
			m[e.Name()] = "a directory"
			continue
		}
		text, err := os.ReadFile(filepath.Join(dir, e.Name()))
		require.NoError(t, err)
		m[e.Name()] = string(text)
	}
	return m
}

func TestReplace(t *testing.T) {
	t.Parallel()
	dir, root := open(t)
	f, err := atomicfile.Replace(root, "temp", "name", (*os.File).Sync, func(f *os.File) error {
		_, err := f.WriteString("new")
		return err
	})
	require.NoError(t, err)
	defer f.Close()
	require.Equal(t, map[string]string{"name": "new"}, texts(t, dir))
	_, err = f.WriteString(", and more")
	require.NoError(t, err)
	require.Equal(t, map[string]string{"name": "new, and more"}, texts(t, dir), "the file that comes back is another")
	_, err = f.Seek(0, io.SeekStart)
	require.NoError(t, err)
	text, err := io.ReadAll(f)
	require.NoError(t, err)
	require.Equal(t, "new, and more", string(text))
	if runtime.GOOS != "windows" {
		info, err := f.Stat()
		require.NoError(t, err)
		require.Equal(t, os.FileMode(0o600), info.Mode(), "the old one's mode stays, or another")
	}
	require.NoError(t, root.Mkdir("below", 0o700))
	require.NoError(t, atomicfile.Write(root, "below/temp", "below/name", (*os.File).Sync, []byte("first")))
	require.Equal(t, map[string]string{"name": "first"}, texts(t, filepath.Join(dir, "below")))
}

// What fails leaves the old file, and nothing beside it. A sync of the directory
// comes behind the rename.
func TestReplaceFails(t *testing.T) {
	t.Parallel()
	half := func(f *os.File) error {
		_, err := f.WriteString("ne")
		return errors.Join(err, errDisk)
	}
	whole := func(f *os.File) error {
		_, err := f.WriteString("new")
		return err
	}
	for name, tt := range map[string]struct {
		sync, write func(*os.File) error
		busy        bool // a directory has the name
		want        string
	}{
		"write":    {(*os.File).Sync, half, false, "old"},
		"sync":     {func(*os.File) error { return errDisk }, whole, false, "old"},
		"rename":   {(*os.File).Sync, whole, true, "a directory"},
		"sync dir": {func(f *os.File) error { return map[bool]error{true: errDisk}[isDir(f)] }, whole, false, "new"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir, root := open(t)
			if tt.busy {
				require.NoError(t, root.Remove("name"))
				require.NoError(t, root.MkdirAll("name/below", 0o700))
			}
			f, err := atomicfile.Replace(root, "temp", "name", tt.sync, tt.write)
			require.Error(t, err)
			if !tt.busy {
				require.ErrorIs(t, err, errDisk)
			}
			require.Equal(t, map[string]string{"name": tt.want}, texts(t, dir))
			require.Equal(t, tt.want == "new", f != nil, "the file tells whether it is in place")
			if f != nil {
				f.Close()
			}
			if !tt.busy {
				require.NoError(t, atomicfile.Write(root, "temp", "name", (*os.File).Sync, []byte("newer")))
				require.Equal(t, map[string]string{"name": "newer"}, texts(t, dir))
			}
		})
	}
}

// At each step, what a power cut leaves under the name is the old file or the
// new one, whole. Once Replace has returned, it is the new one.
func TestReplacePowerCut(t *testing.T) {
	t.Parallel()
	old, text := "old", strings.Repeat("new", 10_000)
	dir, root := open(t)
	var disk powercut.Disk
	defer disk.Close()
	for _, name := range []string{"name", "."} {
		f, err := root.Open(name)
		require.NoError(t, err)
		require.NoError(t, disk.Sync(f))
		f.Close()
	}
	steps := 0
	cut := func(want ...string) {
		steps++
		left := t.TempDir()
		require.NoError(t, disk.Cut(left))
		require.Contains(t, want, texts(t, left)["name"], "step %d", steps)
		require.Contains(t, []string{old, text}, texts(t, dir)["name"], "step %d, of a crash", steps)
	}
	sync := func(f *os.File) error {
		cut(old)
		err := disk.Sync(f)
		cut(old, text)
		return err
	}
	f, err := atomicfile.Replace(root, "temp", "name", sync, func(f *os.File) error {
		for i := 0; i < len(text); i += 10_000 {
			if _, err := f.WriteString(text[i : i+10_000]); err != nil {
				return err
			}
			require.NoError(t, disk.Sync(f)) // the system may write when it likes, names too
			d, err := root.Open(".")
			require.NoError(t, err)
			require.NoError(t, disk.Sync(d))
			d.Close()
			cut(old)
		}
		return nil
	})
	require.NoError(t, err)
	f.Close()
	cut(text)
	require.Greater(t, steps, 5)
}

// What a crash left under the temporary name is no part of the new file, nor is
// its mode, nor what a link there leads to.
func TestReplaceLeftover(t *testing.T) {
	t.Parallel()
	for name, leave := range map[string]func(dir string) error{
		"file": func(dir string) error {
			return os.WriteFile(filepath.Join(dir, "temp"), []byte("longer than the new one"), 0o644)
		},
		"link": func(dir string) error { return os.Symlink("other", filepath.Join(dir, "temp")) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir, root := open(t)
			require.NoError(t, os.WriteFile(filepath.Join(dir, "other"), []byte("other"), 0o600))
			if err := leave(dir); err != nil && runtime.GOOS == "windows" {
				t.Skip(err)
			}
			require.NoError(t, atomicfile.Write(root, "temp", "name", (*os.File).Sync, []byte("new")))
			require.Equal(t, map[string]string{"name": "new", "other": "other"}, texts(t, dir))
			info, err := root.Lstat("name")
			require.NoError(t, err)
			require.True(t, info.Mode().IsRegular())
			if runtime.GOOS != "windows" {
				require.Equal(t, os.FileMode(0o600), info.Mode())
			}
		})
	}
}

func TestSyncDir(t *testing.T) {
	t.Parallel()
	dir, _ := open(t)
	require.NoError(t, atomicfile.SyncDir(os.Open, dir, (*os.File).Sync))
	if runtime.GOOS == "linux" {
		require.ErrorIs(t, atomicfile.SyncDir(os.Open, filepath.Join(dir, "none"), (*os.File).Sync), os.ErrNotExist)
		require.ErrorIs(t, atomicfile.SyncDir(os.Open, dir, func(*os.File) error { return errDisk }), errDisk)
	}
}
