package notify_test

import (
	"context"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/require"

	"github.com/garminkit/activityapi/internal/memqueue"
	"github.com/garminkit/activityapi/notify"
	"github.com/garminkit/activityapi/types"
)

// TestFileDirErase: files and parts of a user go, whatever the id looks
// like, and those of others stay.
func TestFileDirErase(t *testing.T) {
	t.Parallel()
	for _, victim := range []types.UserID{"victim", `Vic"tim/é@production`, types.UserID(strings.Repeat("victim", 40))} {
		dir := t.TempDir()
		keep := map[string]string{}
		w := filesWorld{t: t, dir: dir}
		w.store(victim, "1")
		w.store("other", "2")
		before := tree(t, dir)
		require.NotEmpty(t, before)
		for name, text := range before {
			if strings.Contains(text, "other") {
				keep[name] = text
			}
		}
		d, err := notify.OpenFileDir(dir, nil)
		require.NoError(t, err)
		n := 0
		for h, err := range d.Holdings(t.Context(), victim) {
			require.NoError(t, err)
			r, err := h.Open()
			require.NoError(t, err)
			data, err := io.ReadAll(r)
			require.NoError(t, err)
			require.NoError(t, r.Close())
			require.Contains(t, string(data), "mine")
			n++
		}
		require.Equal(t, 2, n)
		out, err := d.Erase(t.Context(), victim)
		require.NoError(t, err)
		require.Equal(t, map[string]int{"files": 1, "parts": 1}, out.Removed)
		after := tree(t, dir)
		for name, text := range after {
			require.NotContains(t, text, "mine", name)
		}
		for name, text := range keep {
			require.Equal(t, text, after[name], name)
		}
		out, err = d.Erase(t.Context(), victim)
		require.NoError(t, err)
		require.Empty(t, out.Removed)
		_, err = d.Erase(t.Context(), "")
		require.Error(t, err)
		require.NoError(t, d.Close())
	}
}

// TestOldClaims: claims that an earlier version kept below Dir are not passed over,
// which would have files asked for twice.
func TestOldClaims(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	require.NoError(t, os.MkdirAll(filepath.Join(dir, ".downloads", "claims"), 0o700))
	_, err := notify.OpenFileDir(dir, nil)
	require.ErrorContains(t, err, "move it to where the queue has its claims")
}

// tree gives the files below a directory.
func tree(t *testing.T, dir string) map[string]string {
	t.Helper()
	out := map[string]string{}
	require.NoError(t, filepath.WalkDir(dir, func(name string, e os.DirEntry, err error) error {
		if err == nil && !e.IsDir() {
			data, err := os.ReadFile(name)
			if err != nil {
				return err
			}
			out[name] = name + string(data)
		}
		return err
	}))
	return out
}

// filesWorld downloads files of users into a directory: one that is stored, and one
// that breaks and is kept.
type filesWorld struct {
	t   *testing.T
	dir string
}

type fileClient struct {
	notify.Client
	text string
}

func (c fileClient) Download(_ context.Context, url types.Secret) (io.ReadCloser, error) {
	if strings.HasSuffix(string(url), "good") {
		return io.NopCloser(strings.NewReader(c.text)), nil
	}
	return io.NopCloser(io.MultiReader(strings.NewReader(c.text), iotest.ErrReader(io.ErrUnexpectedEOF))), nil
}

func (w *filesWorld) store(user types.UserID, id string) {
	t := w.t
	t.Helper()
	text := "mine"
	if user == "other" {
		text = "other"
	}
	worker, err := notify.NewProcessor(nil, func(context.Context, types.UserID) ([]notify.User, error) {
		return []notify.User{{ID: "x", Client: fileClient{text: text}}}, nil
	}, notify.Callbacks{
		Save:             func(context.Context, *notify.Delivery, types.Summary) error { return nil },
		File:             func(context.Context, *notify.Delivery, *notify.File) error { return nil },
		Deregistration:   func(context.Context, *notify.Delivery, *notify.Deregistration) error { return nil },
		PermissionChange: func(context.Context, *notify.Delivery, *notify.PermissionChange) error { return nil },
	}, &notify.ProcessorOptions{Files: &notify.Files{Dir: w.dir, Claims: memqueue.NewClaims(), SkipCheck: true}})
	require.NoError(t, err)
	garmin := user
	if app := user.App(); app != "" || strings.HasSuffix(string(user), "@") {
		garmin = types.UserID(strings.TrimSuffix(string(user), "@"+app))
	}
	for _, kind := range []string{"good", "bad"} {
		raw, err := json.Marshal(map[string]any{"userId": garmin, "summaryId": id + kind, "fileType": "FIT", "startTimeInSeconds": 1, "callbackURL": "https://apis.garmin.com/f?id=" + id + kind})
		require.NoError(t, err)
		it := &notify.Item{Piece: notify.Piece{Key: "activityFiles", UserID: user, Class: notify.ClassFile}, Raw: raw}
		if err := worker.Attempt(t.Context(), it); kind == "good" {
			require.NoError(t, err)
		} else {
			require.ErrorIs(t, err, notify.ErrSpent)
		}
	}
	require.NoError(t, worker.Close())
}
