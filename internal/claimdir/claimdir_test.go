package claimdir

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/garminkit/activityapi/notify"
)

func openClaims(t *testing.T, dir string) *Dir {
	t.Helper()
	d, err := Open(dir, nil)
	require.NoError(t, err)
	t.Cleanup(func() { d.Close() })
	return d
}

func begin(t *testing.T, d *Dir, id string) (notify.Claim, bool) {
	t.Helper()
	before, taken, err := d.Begin(t.Context(), id, time.Minute)
	require.NoError(t, err)
	return before, taken
}

// TestDirForgets: what nobody can need goes after 30 days, unless it seems
// to come from a time to come. It does not matter whether it is in the log or in a
// run.
func TestDirForgets(t *testing.T) {
	t.Parallel()
	for _, size := range []int64{claimLogSize, 1} {
		dir := t.TempDir()
		synctest.Test(t, func(t *testing.T) {
			d, err := Open(dir, nil)
			require.NoError(t, err)
			defer d.Close()
			d.logSize = size
			states := map[string]notify.Claim{
				"a0": {State: notify.ClaimDone}, "a1": {State: notify.ClaimSpent}, "a2": {State: notify.ClaimSpent, Kept: "here"}, "a3": {State: notify.ClaimStored}, "a4": {State: notify.ClaimBegun},
			}
			settle := func(id string, c notify.Claim) {
				_, taken := begin(t, d, id)
				require.True(t, taken)
				require.NoError(t, d.Settle(t.Context(), id, c))
			}
			// A claim that a clock wrote which was a year ahead.
			r := claimRecord{id: "a0f", kind: claimForgettable, at: time.Now().AddDate(1, 0, 0).UnixNano(), body: []byte(`{"state":"done"}`)}
			require.NoError(t, d.change(t.Context(), r.id, func() error { d.add(&r, true); return nil }))
			for id, c := range states {
				settle(id, c)
			}
			use := func() {
				for range 3 {
					time.Sleep(time.Hour)
					begin(t, d, "ff")
				}
			}
			there := func(id string) bool {
				_, ok, err := d.record(id)
				require.NoError(t, err)
				return ok
			}
			use()
			for id := range states {
				require.True(t, there(id), id)
			}
			time.Sleep(claimAge)
			use()
			for id, c := range states {
				require.Equal(t, id != "a0" && id != "a1", there(id), "%+v", c)
			}
			require.True(t, there("a0f"))
			time.Sleep(400 * 24 * time.Hour)
			use()
			require.False(t, there("a0f"))
			require.Empty(t, d.log.runs)
		})
	}
}

func TestDirDeadHolder(t *testing.T) {
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
	require.Equal(t, notify.ClaimBegun, before.State)
	require.NoFileExists(t, filepath.Join(dir, lifeName(one.holder)))
	require.ErrorIs(t, one.Settle(t.Context(), "aa", notify.Claim{State: notify.ClaimStored}), notify.ErrLost)
	require.FileExists(t, filepath.Join(dir, lifeName(two.holder)))
}

// TestDirClockSetBack: a lease that a clock wrote which was ahead does not
// hold for so long.
func TestDirClockSetBack(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	one, two := openClaims(t, dir), openClaims(t, dir)
	begin(t, one, "aa")
	require.NoError(t, one.Renew(t.Context(), "aa", time.Hour))
	_, taken := begin(t, two, "aa")
	require.True(t, taken)
}

func TestDirDamage(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	d := openClaims(t, dir)
	begin(t, d, "aa")
	body := func(b string) {
		r := claimRecord{id: "aa", kind: claimKept, body: []byte(b)}
		require.NoError(t, d.change(t.Context(), r.id, func() error { d.add(&r, true); return nil }))
	}
	for _, damage := range []string{"", "{", "null", `{"state":""}`, "\x00\x00"} {
		body(damage)
		before, taken := begin(t, d, "aa")
		require.True(t, taken)
		require.Equal(t, notify.ClaimBegun, before.State, "%q: Garmin may have been asked", damage)
	}
	for _, id := range []string{"", "a", "AA", "..", "../aa", "a/b", fmt.Sprintf("%065d", 0)} {
		_, _, err := d.Begin(t.Context(), id, time.Minute)
		require.Error(t, err, id)
	}
}

// TestDirLock: a lock file that was swapped locks nobody out and gives no
// two owners.
func TestDirLock(t *testing.T) {
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
