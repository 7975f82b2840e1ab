package notify

import (
	"errors"
	"io/fs"
	"math/rand/v2"
	"os"
	"path"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/garminkit/activityapi/internal/owner"
)

// filesIn gives the files below dir with what is in them.
func filesIn(t *testing.T, dir string) map[string]string {
	t.Helper()
	all := map[string]string{}
	require.NoError(t, filepath.WalkDir(dir, func(name string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		data, err := os.ReadFile(name)
		rel, _ := filepath.Rel(dir, name)
		all[filepath.ToSlash(rel)] = string(data)
		return err
	}))
	return all
}

// TestFileDirErasePowerCut: whatever a crash leaves of an Erase, a repeated one
// leaves nothing of the user, and others keep all they have. Before the directory
// of a file is synced, a power cut may bring it back: each is synced afterwards.
func TestFileDirErasePowerCut(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	keepAll(t, dir, nil) // of user u
	keepOther := map[string]string{
		"other/1.fit": "other", ".downloads/0a0a-" + owner.Of("other") + "1.broken": "other",
	}
	left := map[string]string{
		// What crashes have left in the middle of writes.
		".downloads/put-0123.tmp":                            canary,
		".downloads/aa11-" + owner.Of("u") + "1.sidecar.tmp": canary,
	}
	write := func(files map[string]string) {
		for name, text := range files {
			require.NoError(t, os.MkdirAll(filepath.Join(dir, path.Dir(name)), 0o700))
			require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600))
		}
	}
	write(keepOther)
	write(left)
	before := filesIn(t, dir)
	copied := func(from string) string {
		to := filepath.Join(t.TempDir(), "copy")
		require.NoError(t, os.CopyFS(to, os.DirFS(from)))
		return to
	}
	mark := owner.Of("u")
	// check erases what is in a directory, and looks at what stays.
	check := func(dir, when string) {
		d, err := OpenFileDir(dir, nil)
		require.NoError(t, err)
		_, err = d.Erase(t.Context(), "u")
		require.NoError(t, err, when)
		require.NoError(t, d.Close())
		after := filesIn(t, dir)
		for name, text := range after {
			require.NotContains(t, text, canary, "%s: %s", when, name)
			for _, trace := range []string{mark, "u/"} {
				require.False(t, strings.Contains(text, trace) || strings.HasPrefix(name, trace) || strings.Contains(name, "-"+trace), "%s: %s", when, name)
			}
		}
		for name, text := range keepOther {
			require.Equal(t, text, after[name], "%s: %s", when, name)
		}
	}

	// A process that is killed at each sync, and a sync that fails.
	work := copied(dir)
	d, err := OpenFileDir(work, nil)
	require.NoError(t, err)
	var moments, synced []string
	d.sync = func(f *os.File) error {
		rel, err := filepath.Rel(work, f.Name())
		synced = append(synced, filepath.ToSlash(rel))
		moments = append(moments, copied(work))
		return err
	}
	_, err = d.Erase(t.Context(), "u")
	require.NoError(t, err)
	require.NoError(t, d.Close())
	require.GreaterOrEqual(t, len(moments), 3)
	for _, m := range moments {
		check(m, "killed")
	}
	for n := range synced {
		work := copied(dir)
		d, err := OpenFileDir(work, nil)
		require.NoError(t, err)
		i := 0
		d.sync = func(*os.File) error {
			if i++; i == n+1 {
				return errors.New("the disk is broken")
			}
			return nil
		}
		_, err = d.Erase(t.Context(), "u")
		require.Error(t, err, "sync %d of %v", n, synced)
		require.NoError(t, d.Close())
		check(work, "a sync failed")
	}

	// Whatever a power cut leaves is some of what was removed: any of it, behind
	// which the place where it was is synced.
	after := filesIn(t, work)
	var removed []string
	for name := range before {
		if _, stays := after[name]; !stays {
			removed = append(removed, name)
			place := path.Dir(name)
			for {
				if _, err := os.Stat(filepath.Join(work, place)); err == nil {
					break
				}
				place = path.Dir(place) // It went with the file.
			}
			if !strings.HasPrefix(path.Base(name), "put-") { // Opening the directory removed it.
				require.Contains(t, synced, place, name)
			}
		}
	}
	require.GreaterOrEqual(t, len(removed), 7)
	rnd := rand.New(rand.NewPCG(1, 2))
	for range 40 {
		work := copied(dir)
		for _, name := range removed {
			if rnd.IntN(2) == 0 {
				require.NoError(t, os.Remove(filepath.Join(work, name)))
			}
		}
		check(work, "the power was cut")
	}
}
