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
