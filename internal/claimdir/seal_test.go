package claimdir

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/garminkit/activityapi/internal/owner"
	"github.com/garminkit/activityapi/notify"
)

// TestClaimsSealed: a sealed claim shows neither its user nor its file, is refused
// with another key and not taken for one in doubt, and is erased like any other. One
// that was not sealed is read.
func TestClaimsSealed(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	aead := func(key byte) cipher.AEAD { return testAEAD(t, key) }
	dir := t.TempDir()
	open := func(aead cipher.AEAD) *Dir {
		d, err := Open(dir, aead)
		require.NoError(t, err)
		t.Cleanup(func() { d.Close() })
		return d
	}
	shown := func() (found bool) {
		mark := owner.Of("planted-user")
		require.NoError(t, filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
			if err != nil || e.IsDir() {
				return err
			}
			data, err := os.ReadFile(path)
			for _, p := range []string{"planted", mark} {
				found = found || bytes.Contains(data, []byte(p))
			}
			return err
		}))
		return found
	}
	claim := func(d *Dir, id string) {
		_, taken, err := d.Begin(ctx, id, time.Minute)
		require.NoError(t, err)
		require.True(t, taken)
		require.NoError(t, d.Settle(ctx, id, notify.Claim{State: notify.ClaimStored, Owner: owner.Of("planted-user"), Name: "planted-user/planted.fit", Why: "planted"}))
	}
	claim(open(nil), "aa00")
	require.True(t, shown())
	require.NoError(t, open(nil).Settle(ctx, "aa00", notify.Claim{State: notify.ClaimDone, Owner: owner.Of("somebody")}))
	n, err := open(nil).Erase(ctx, "planted-user")
	require.NoError(t, err)
	require.Zero(t, n)
	require.False(t, shown(), "an older record of a claim shows its user")

	d := open(aead(1))
	claim(d, "aa01")
	require.False(t, shown())
	for name, other := range map[string]cipher.AEAD{"no key": nil, "another key": aead(2)} {
		_, taken, err := open(other).Begin(ctx, "aa01", time.Minute)
		require.ErrorIs(t, err, errSealedClaim, name)
		require.False(t, taken, name)
		_, err = open(other).Erase(ctx, "planted-user")
		require.ErrorIs(t, err, errSealedClaim, name)
	}
	// What is sealed for another claim is not this one's.
	rec, ok, err := d.record("aa01")
	require.NoError(t, err)
	require.True(t, ok)
	rec.id = "aa02"
	require.NoError(t, d.change(ctx, rec.id, func() error { d.add(&rec, true); return nil }))
	_, _, err = d.Begin(ctx, "aa02", time.Minute)
	require.ErrorIs(t, err, errSealedClaim)
	_, err = d.Erase(ctx, "planted-user")
	require.ErrorIs(t, err, errSealedClaim)
	rec.kind = claimGone
	require.NoError(t, d.change(ctx, rec.id, func() error { d.add(&rec, true); return nil }))

	before, taken, err := d.Begin(ctx, "aa01", time.Minute)
	require.NoError(t, err)
	require.False(t, taken)
	require.Equal(t, notify.ClaimStored, before.State)
	before, _, err = d.Begin(ctx, "aa00", time.Minute)
	require.NoError(t, err)
	require.Equal(t, notify.ClaimDone, before.State)
	n, err = d.Erase(ctx, "planted-user")
	require.NoError(t, err)
	require.Equal(t, 1, n)

	short, err := cipher.NewGCMWithNonceSize(func() cipher.Block { b, _ := aes.NewCipher(make([]byte, 16)); return b }(), 8)
	require.NoError(t, err)
	_, err = Open(t.TempDir(), short)
	require.ErrorContains(t, err, "too short")
}

func testAEAD(t *testing.T, key byte) cipher.AEAD {
	t.Helper()
	block, err := aes.NewCipher(bytes.Repeat([]byte{key}, 32))
	require.NoError(t, err)
	aead, err := cipher.NewGCM(block)
	require.NoError(t, err)
	return aead
}
