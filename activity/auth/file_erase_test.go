package auth_test

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/garminkit/activityapi/activity/auth"
	"github.com/garminkit/activityapi/internal/powercut"
	"github.com/garminkit/activityapi/types"
)

// TestFileErase: no byte of a user is left in the file, others keep their tokens,
// versions are not given again, and another store on the file goes on.
func TestFileErase(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	path := filepath.Join(t.TempDir(), "tokens")
	s := openFile(t, path, nil)
	defer s.Close()
	other := openFile(t, path, nil)
	defer other.Close()
	var last *auth.Token
	var err error
	for i := range 3 {
		for _, user := range []types.UserID{"victim-id", "b"} {
			old, _ := s.Token(ctx, user)
			last, err = s.Swap(ctx, old, &auth.Token{UserID: user, AccessToken: types.Secret(fmt.Sprint("SECRET-", user, i)), RefreshToken: types.Secret(fmt.Sprint("r", i)), Expiry: time.Now()})
			require.NoError(t, err)
		}
	}
	// A write that a crash cut short, and a record that is damaged.
	require.NoError(t, os.WriteFile(path+".tmp", []byte("victim-id"), 0o600))
	data, err := os.ReadFile(path)
	require.NoError(t, err)
	data = append(data, "00000000 {\"v\":9,\"token\":{\"user\":\"victim-id\"}}\n00000000 {damaged of others}\n"...)
	lines := bytes.SplitAfter(data, []byte("\n"))
	data = append(data, lines[2]...)
	require.NoError(t, os.WriteFile(path, data, 0o600))

	had, err := s.Erase(ctx, "victim-id")
	require.NoError(t, err)
	require.True(t, had)
	files, err := os.ReadDir(filepath.Dir(path))
	require.NoError(t, err)
	for _, f := range files {
		data, err := os.ReadFile(filepath.Join(filepath.Dir(path), f.Name()))
		require.NoError(t, err)
		require.NotContains(t, string(data), "victim")
	}
	data, err = os.ReadFile(path)
	require.NoError(t, err)
	require.Contains(t, string(data), "damaged of others")
	for _, s := range []*auth.FileStore{s, other} {
		_, err = s.Token(ctx, "victim-id")
		require.ErrorIs(t, err, auth.ErrNotConnected)
		got, err := s.Token(ctx, "b")
		require.NoError(t, err)
		require.NotEmpty(t, got.AccessToken)
	}
	had, err = other.Erase(ctx, "victim-id")
	require.NoError(t, err)
	require.False(t, had)
	again, err := other.Swap(ctx, nil, &auth.Token{UserID: "victim-id", AccessToken: "x", RefreshToken: "y"})
	require.NoError(t, err)
	require.Greater(t, again.Version, last.Version-1)
	_, err = s.Erase(ctx, "")
	require.Error(t, err)
}

// TestFileErasePowerCut: whatever a crash leaves at each sync of an Erase, others
// have their tokens, and a repeated one leaves nothing; after it has returned, a
// power cut brings nothing back.
func TestFileErasePowerCut(t *testing.T) {
	t.Parallel()
	for name, opts := range map[string]*auth.FileOptions{"plain": nil, "sealed": {AEAD: newAEAD(t, 1)}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			path := filepath.Join(dir, "tokens")
			s := openFile(t, path, opts)
			defer s.Close()
			disk := powercut.Watch(dir, t.TempDir())
			t.Cleanup(disk.Close)
			s.SetSync(disk.Sync)
			var mine, other *auth.Token
			for i := range 5 {
				mine = put(t, s, mine, "victim-id", fmt.Sprint("SECRET-victim", i))
				other = put(t, s, other, "b", fmt.Sprint("b", i))
			}
			compact(t, s) // The disk has seen all of it.
			mine = put(t, s, mine, "victim-id", "SECRET-victim-last")
			other = put(t, s, other, "b", "b-last")
			disk.Take()
			had, err := s.Erase(t.Context(), "victim-id")
			require.NoError(t, err)
			require.True(t, had)
			moments := disk.Take()
			require.GreaterOrEqual(t, len(moments), 8)
			after := t.TempDir()
			require.NoError(t, disk.Cut(after))
			require.Empty(t, named(t, after, "victim"), "the power was cut behind it")
			for i, dir := range moments {
				s := openFile(t, filepath.Join(dir, "tokens"), opts)
				_, err := s.Erase(t.Context(), "victim-id")
				require.NoError(t, err)
				require.Empty(t, named(t, dir, "victim"), "moment %d", i)
				require.Equal(t, string(other.AccessToken), content(t, s)["b"], "moment %d", i)
				_, err = s.Token(t.Context(), "victim-id")
				require.ErrorIs(t, err, auth.ErrNotConnected)
				require.NoError(t, s.Close())
			}
			_ = mine
		})
	}
}

// named gives the files in a directory that have a text.
func named(t *testing.T, dir, text string) (names []string) {
	t.Helper()
	files, err := os.ReadDir(dir)
	require.NoError(t, err)
	for _, f := range files {
		data, err := os.ReadFile(filepath.Join(dir, f.Name()))
		require.NoError(t, err)
		if bytes.Contains(data, []byte(text)) {
			names = append(names, f.Name())
		}
	}
	return names
}
