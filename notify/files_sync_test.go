package notify

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/garminkit/activityapi/types"
)

type downloader struct {
	Client
	file func() (io.ReadCloser, error)
}

func (d downloader) Download(context.Context, types.Secret) (io.ReadCloser, error) { return d.file() }

var syncedID = regexp.MustCompile(`[0-9a-f]{32}-[0-9a-f]+|put-[0-9a-f]+`)

// TestFileIsSynced holds what has to be safe in which order. A sync that fails
// is no file in place; what came is there for the next attempt, and Garmin is
// not asked again.
func TestFileIsSynced(t *testing.T) {
	t.Parallel()
	const content = `<gpx></gpx>`
	f := &types.ActivityFile{UserID: "u", SummaryID: "7-file", FileType: "GPX", CallbackURL: "https://x/?id=7"}
	// fetch fails the sync of that number, from 1, and then tries again.
	sidecar := func(*File) ([]byte, error) { return []byte("{}"), nil }
	fetch := func(left string, fail int) (synced []string, asked int, err, again error) {
		dir := t.TempDir()
		claims := &oneClaims{}
		s, err := (&Files{Dir: dir, Claims: claims, Sidecar: sidecar}).open(nil)
		require.NoError(t, err)
		defer s.Close()
		if left != "" { // A process died at the end of the download.
			require.NoError(t, os.WriteFile(filepath.Join(dir, workDir, claimID("", f.CallbackURL)+"-1"+left), []byte(content), 0o600))
		}
		sync := func(what string) error {
			if synced = append(synced, what); len(synced) == fail {
				return errors.New("the disk is broken")
			}
			return nil
		}
		claims.sync = func(state ClaimState) error { return sync("claim " + string(state)) }
		s.dir.sync = func(f *os.File) error {
			name, err := filepath.Rel(dir, f.Name())
			require.NoError(t, err)
			return errors.Join(sync(syncedID.ReplaceAllString(filepath.ToSlash(name), "ID")), f.Sync())
		}
		client := downloader{file: func() (io.ReadCloser, error) {
			asked++
			return io.NopCloser(strings.NewReader(content)), nil
		}}
		_, _, err = s.fetch(t.Context(), client, f)
		first := synced
		if _, _, again = s.fetch(t.Context(), client, f); again == nil {
			got, err := os.ReadFile(filepath.Join(dir, "u", "7-file.gpx"))
			require.NoError(t, err)
			require.Equal(t, content, string(got))
		}
		return first, asked, err, again
	}
	claim := []string{"claim begun"}
	stored := []string{
		".downloads/ID.sidecar.tmp", ".downloads", ".downloads/ID.tmp", "u", ".", "u", ".",
		"claim stored",
	}
	check := func(left string, want []string) {
		synced, _, err, again := fetch(left, 0)
		require.NoError(t, err)
		require.NoError(t, again)
		require.Equal(t, want, synced, left)
		for n := range want {
			_, asked, err, again := fetch(left, n+1)
			require.Error(t, err, "sync %d", n)
			if want[n] == ".downloads/ID.part" && left == "" {
				// What of the bytes is on disk cannot be known any more.
				require.ErrorIs(t, again, errSpent)
			} else {
				require.NoError(t, again, "sync %d of %v", n, want)
			}
			require.Equal(t, left == "", asked == 1, "asked %d times, after sync %d", asked, n)
		}
	}
	for left, want := range map[string][]string{
		"":       {".downloads/ID.part", ".downloads"},
		".part":  {".downloads/ID.part"},
		".whole": {".downloads/ID.whole"},
	} {
		check(left, slices.Concat(claim, want, stored))
	}
	sidecar = nil // The file gets its name at once.
	check("", slices.Concat(claim, []string{".downloads/ID.part", "u", ".", "claim stored"}))
}
