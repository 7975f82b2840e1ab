package notifytest_test

import (
	"crypto/aes"
	"crypto/cipher"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/garminkit/activityapi/internal/memqueue"
	"github.com/garminkit/activityapi/notify"
	"github.com/garminkit/activityapi/notify/notifytest"
)

// openMemory returns handles of claims in memory, one set for each name.
func openMemory() func(t *testing.T, dir string) notify.Claims {
	first := map[string]*memqueue.Claims{}
	return func(_ *testing.T, dir string) notify.Claims {
		if first[dir] == nil {
			first[dir] = memqueue.NewClaims()
		}
		return first[dir].Another()
	}
}

func TestMemoryClaims(t *testing.T) {
	t.Parallel()
	notifytest.RunClaims(t, notifytest.ClaimsHarness{Open: openMemory()})
}

func TestFileDir(t *testing.T) {
	t.Parallel()
	block, err := aes.NewCipher(make([]byte, 16))
	require.NoError(t, err)
	aead, err := cipher.NewGCM(block)
	require.NoError(t, err)
	for name, box := range map[string]cipher.AEAD{"plain": nil, "sealed": aead} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			notifytest.RunFileStore(t, notifytest.FileStoreHarness{Open: func(t *testing.T, dir string) notify.FileStore {
				s, err := notify.OpenFileDir(dir, box)
				require.NoError(t, err)
				return s
			}})
		})
	}
}
