package claimdir

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/garminkit/activityapi/internal/owner"
	"github.com/garminkit/activityapi/notify"
)

// TestErasePowerCut: whatever a crash leaves of an Erase, a repeated one leaves
// nothing of the user, and others keep all they have. Claims that are torn, and
// those of early versions, go too.
func TestErasePowerCut(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	d := openClaims(t, dir)
	settle := func(id string, c notify.Claim) {
		_, taken := begin(t, d, id)
		require.True(t, taken)
		require.NoError(t, d.Settle(t.Context(), id, c))
	}
	settle("0a0a", notify.Claim{State: notify.ClaimSpent, Owner: owner.Of("other")})
	settle("0a0b", notify.Claim{State: notify.ClaimStored, Owner: owner.Of("u"), Name: "u/1.fit"})
	settle("0a0c", notify.Claim{State: notify.ClaimDone, Owner: owner.Of("u")})
	for id, body := range map[string]string{"0a0d": `{"state":"done","name":"u/whole.gpx"`, "0a0e": `{"owner":"` + owner.Of("u")} {
		r := claimRecord{id: id, kind: claimKept, body: []byte(body)}
		require.NoError(t, d.change(t.Context(), id, func() error { d.add(&r, true); return nil }))
	}
	require.NoError(t, d.Close())
	for name, text := range map[string]string{
		"0b/0b0b.tmp":  `{"name":"u/whole.gpx"}`,
		"0b/0b0c.json": `{"state":"done","name":"u/whole.gpx"`, // torn
		"0b/0b0d.json": `{"state":"stored","owner":"` + owner.Of("u") + `"}`,
	} {
		require.NoError(t, os.MkdirAll(filepath.Join(dir, name[:2]), 0o700))
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600))
	}
	copied := func(from string) string {
		to := filepath.Join(t.TempDir(), "copy")
		require.NoError(t, os.CopyFS(to, os.DirFS(from)))
		return to
	}
	check := func(dir, when string) {
		d := openClaims(t, dir)
		_, err := d.Erase(t.Context(), "u")
		require.NoError(t, err, when)
		require.NoError(t, d.Close())
		all := ""
		require.NoError(t, filepath.WalkDir(dir, func(path string, e os.DirEntry, err error) error {
			if err != nil || e.IsDir() {
				return err
			}
			data, err := os.ReadFile(path)
			all += string(data)
			return err
		}))
		for _, trace := range []string{owner.Of("u"), "u/"} {
			require.NotContains(t, all, trace, when)
		}
		require.Contains(t, all, owner.Of("other"), when)
	}

	// A process that is killed at each sync, and a sync that fails.
	work := copied(dir)
	var moments []string
	d = openClaims(t, work)
	d.disk.Sync = func(f *os.File) error {
		moments = append(moments, copied(work))
		return f.Sync()
	}
	n, err := d.Erase(t.Context(), "u")
	require.NoError(t, err)
	require.Equal(t, 6, n)
	require.NoError(t, d.Close())
	require.GreaterOrEqual(t, len(moments), 3)
	for i, m := range moments {
		check(m, fmt.Sprintf("killed at sync %d", i))
		work := copied(dir)
		d := openClaims(t, work)
		at := 0
		d.disk.Sync = func(f *os.File) error {
			if at++; at == i+1 {
				return errors.New("the disk is broken")
			}
			return f.Sync()
		}
		_, err := d.Erase(t.Context(), "u")
		require.Error(t, err)
		require.NoError(t, d.Close())
		check(work, fmt.Sprintf("sync %d failed", i))
	}
}

// TestSettleIsSynced: what must survive a power cut is on the disk.
func TestSettleIsSynced(t *testing.T) {
	t.Parallel()
	d := openClaims(t, t.TempDir())
	begin(t, d, "ff") // It makes the log.
	syncs := 0
	d.disk.Sync = func(f *os.File) error { syncs++; return f.Sync() }
	for i, state := range []notify.ClaimState{notify.ClaimBegun, notify.ClaimSpent, notify.ClaimStored} {
		id := fmt.Sprintf("aa%02x", i)
		begin(t, d, id)
		require.Equal(t, 1, syncs, "begin")
		require.NoError(t, d.Settle(t.Context(), id, notify.Claim{State: state}))
		require.Equal(t, 2, syncs, state)
		syncs = 0
	}
}
