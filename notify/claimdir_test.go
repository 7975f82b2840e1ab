package notify

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

func openClaims(t *testing.T, dir string) *ClaimDir {
	t.Helper()
	d, err := OpenClaimDir(dir, nil)
	require.NoError(t, err)
	t.Cleanup(func() { d.Close() })
	return d
}

func begin(t *testing.T, d *ClaimDir, id string) (Claim, bool) {
	t.Helper()
	before, taken, err := d.Begin(t.Context(), id, time.Minute)
	require.NoError(t, err)
	return before, taken
}

// TestClaimDirForgets: what nobody can need goes after 30 days, unless it seems
// to come from a time to come.
func TestClaimDirForgets(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		d, err := OpenClaimDir(dir, nil)
		require.NoError(t, err)
		defer d.Close()
		states := map[string]Claim{
			"a0": {State: ClaimDone}, "a1": {State: ClaimSpent}, "a2": {State: ClaimSpent, Kept: "here"}, "a3": {State: ClaimStored}, "a4": {State: ClaimBegun},
		}
		for id, c := range states {
			_, taken := begin(t, d, id)
			require.True(t, taken)
			require.NoError(t, d.Settle(t.Context(), id, c))
		}
		file := func(id string) string { return filepath.Join(dir, "a"+id[1:2], id+".json") }
		// A claim that a clock wrote which was a year ahead.
		data, err := os.ReadFile(file("a0"))
		require.NoError(t, err)
		ahead := filepath.Join(dir, "a0", "a0f.json")
		require.NoError(t, os.WriteFile(ahead, fmt.Appendf(nil, `{"state":"done","at":%q}`, time.Now().AddDate(1, 0, 0).Format(time.RFC3339)), 0o600))
		require.Contains(t, string(data), "done")
		sweepAll := func() {
			for range 256 {
				time.Sleep(10 * time.Second)
				begin(t, d, "ff")
			}
		}
		sweepAll()
		for id := range states {
			require.FileExists(t, file(id))
		}
		time.Sleep(claimAge)
		sweepAll()
		for id, c := range states {
			_, err := os.Stat(file(id))
			require.Equal(t, id == "a0" || id == "a1", os.IsNotExist(err), "%+v", c)
		}
		require.FileExists(t, ahead)
	})
}

func TestClaimDirDeadHolder(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	one, two := openClaims(t, dir), openClaims(t, dir)
	_, taken := begin(t, one, "aa")
	require.True(t, taken)
	_, taken = begin(t, two, "aa")
	require.False(t, taken)
	// Its locks end with a process, which leaves the file behind.
	require.NoError(t, one.life.Close())
	before, taken := begin(t, two, "aa")
	require.True(t, taken)
	require.Equal(t, ClaimBegun, before.State)
	require.NoFileExists(t, filepath.Join(dir, lifeName(one.holder)))
	require.ErrorIs(t, one.Settle(t.Context(), "aa", Claim{State: ClaimStored}), ErrLost)
	require.FileExists(t, filepath.Join(dir, lifeName(two.holder)))
}

// TestClaimDirClockSetBack: a lease that a clock wrote which was ahead does not
// hold for so long.
func TestClaimDirClockSetBack(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	one, two := openClaims(t, dir), openClaims(t, dir)
	begin(t, one, "aa")
	require.NoError(t, one.Renew(t.Context(), "aa", time.Hour))
	_, taken := begin(t, two, "aa")
	require.True(t, taken)
}

func TestClaimDirDamage(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	d := openClaims(t, dir)
	begin(t, d, "aa")
	name := filepath.Join(dir, "aa", "aa.json")
	for _, damage := range []string{"", "{", "null", `{"state":""}`, "\x00\x00"} {
		require.NoError(t, os.WriteFile(name, []byte(damage), 0o600))
		before, taken := begin(t, d, "aa")
		require.True(t, taken)
		require.Equal(t, ClaimBegun, before.State, "%q: Garmin may have been asked", damage)
	}
	for _, id := range []string{"", "a", "AA", "..", "../aa", "a/b", fmt.Sprintf("%065d", 0)} {
		_, _, err := d.Begin(t.Context(), id, time.Minute)
		require.Error(t, err, id)
	}
}

// TestClaimDirLock: a lock file that was swapped locks nobody out and gives no
// two owners.
func TestClaimDirLock(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		d := openClaims(t, dir)
		held, err := d.lockFile(t.Context())
		require.NoError(t, err)
		require.NoError(t, os.Remove(filepath.Join(dir, "lock")))
		other, err := d.lockFile(t.Context())
		require.NoError(t, err)
		third := make(chan error, 1)
		go func() {
			f, err := d.lockFile(t.Context())
			if err == nil {
				f.Close()
			}
			third <- err
		}()
		require.NoError(t, held.Close())
		time.Sleep(time.Second)
		require.Empty(t, third, "two hold the lock")
		require.NoError(t, other.Close())
		require.NoError(t, <-third)
	})
}
