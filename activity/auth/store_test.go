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
	stores := map[string]auth.TokenStore{} // by state
	authtest.Run(t, authtest.Harness{
		Open: func(t *testing.T, state string) auth.TokenStore {
			if stores[state] == nil {
				stores[state] = auth.NewMemory()
			}
			return stores[state]
		},
		Shared: true,
	})
}

func TestFileStore(t *testing.T) {
	t.Parallel()
	authtest.Run(t, fileHarness(nil))
}

func TestFileStoreSealed(t *testing.T) {
	t.Parallel()
	authtest.Run(t, fileHarness(&auth.FileOptions{AEAD: newAEAD(t, 1)}))
}

func fileHarness(opts *auth.FileOptions) authtest.Harness {
	return authtest.Harness{
		Open: func(t *testing.T, state string) auth.TokenStore {
			return openFile(t, filepath.Join(state, "tokens"), opts)
		},
		// What a store has written is the system's: a handle that is no longer
		// used is a process that is dead, or paused.
		Kill:   func(*testing.T, auth.TokenStore) {},
		Shared: true,
	}
}

func tokenPath(t testing.TB) string { return filepath.Join(t.TempDir(), "tokens") }

func openFile(t testing.TB, path string, opts *auth.FileOptions) *auth.FileStore {
	t.Helper()
	s, err := auth.OpenFile(path, opts)
	require.NoError(t, err)
	return s.(*auth.FileStore)
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
