package auth_test

import (
	"crypto/aes"
	"crypto/cipher"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/garminkit/activityapi/activity/auth"
	"github.com/garminkit/activityapi/activity/auth/authtest"
)

func TestMemoryStore(t *testing.T) {
	t.Parallel()
	authtest.Run(t, func(t *testing.T) auth.TokenStore { return &auth.MemoryStore{} })
}

func TestFileStore(t *testing.T) {
	t.Parallel()
	authtest.Run(t, func(t *testing.T) auth.TokenStore { return openFile(t, tokenPath(t), nil) })
}

func TestFileStoreSealed(t *testing.T) {
	t.Parallel()
	authtest.Run(t, func(t *testing.T) auth.TokenStore {
		return openFile(t, tokenPath(t), &auth.FileOptions{AEAD: newAEAD(t, 1)})
	})
}

func TestFileStoreOfTwoProcesses(t *testing.T) {
	t.Parallel()
	authtest.RunShared(t, func(t *testing.T) (a, b auth.TokenStore) {
		path := tokenPath(t)
		return openFile(t, path, nil), openFile(t, path, nil)
	})
}

func tokenPath(t testing.TB) string { return filepath.Join(t.TempDir(), "tokens") }

func openFile(t testing.TB, path string, opts *auth.FileOptions) *auth.FileStore {
	t.Helper()
	s, err := auth.OpenFile(path, opts)
	require.NoError(t, err)
	return s
}

func newAEAD(t testing.TB, seed byte) cipher.AEAD {
	t.Helper()
	key := make([]byte, 32)
	key[0] = seed
	block, err := aes.NewCipher(key)
	require.NoError(t, err)
	aead, err := cipher.NewGCM(block)
	require.NoError(t, err)
	return aead
}
