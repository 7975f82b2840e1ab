package notify

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/garminkit/activityapi/types"
)

type downloaderFunc func() (io.ReadCloser, error)

func (f downloaderFunc) Download(context.Context, types.Secret) (io.ReadCloser, error) { return f() }

// TestFileIsSynced holds what has to be safe in which order, and that a sync
// that fails is no file in place.
func TestFileIsSynced(t *testing.T) {
	t.Parallel()
	const content = `<gpx></gpx>`
	f := &types.ActivityFile{UserID: "u", SummaryID: "7-file", FileType: "GPX", CallbackURL: "https://x/?id=7"}
	id := claimID(f.CallbackURL)
	// fetch fails the sync of that number, from 1.
	fetch := func(salvaged bool, fail int) (synced []string, err error) {
		dir := t.TempDir()
		s, err := (&Files{Dir: dir, Sidecar: func(*File) ([]byte, error) { return []byte("{}"), nil }}).open()
		require.NoError(t, err)
		defer s.Close()
		if salvaged { // A process died at the end of the download.
			require.NoError(t, s.writeClaim(id, claim{State: claimBegun}))
			require.NoError(t, s.root.WriteFile(partName(id), []byte(content), 0o600))
		}
		s.sync = func(f *os.File) error {
			name, err := filepath.Rel(dir, f.Name())
			require.NoError(t, err)
			synced = append(synced, strings.ReplaceAll(filepath.ToSlash(name), id, "ID"))
			if len(synced) == fail {
				return errors.New("the disk is broken")
			}
			return f.Sync()
		}
		_, _, err = s.fetch(t.Context(), downloaderFunc(func() (io.ReadCloser, error) {
			return io.NopCloser(strings.NewReader(content)), nil
		}), f)
		return synced, err
	}
	claimed := []string{".downloads/.downloads_ID.json.tmp", ".downloads"}
	placed := []string{".downloads/u_7-file.gpx.json.tmp", "u", "u", "."}
	for _, salvaged := range []bool{false, true} {
		var want []string
		if !salvaged {
			want = append(want, claimed...)
		}
		want = append(append(append(want, ".downloads/ID.part"), claimed...), placed...)
		synced, err := fetch(salvaged, 0)
		require.NoError(t, err)
		require.Equal(t, want, synced)
		for n := range want {
			_, err := fetch(salvaged, n+1)
			require.Error(t, err, "sync %d", n)
		}
	}
}
