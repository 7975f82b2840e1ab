package claimdir

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/garminkit/activityapi/internal/owner"
	"github.com/garminkit/activityapi/internal/powercut"
	"github.com/garminkit/activityapi/notify"
)

// claimSteps takes claims through their states, and calls each with the id and
// state that is acknowledged from now on.
func claimSteps(t *testing.T, d *Dir, n int, each func(id string, state notify.ClaimState)) {
	t.Helper()
	for i := range n {
		id := fmt.Sprintf("%04x", i)
		_, taken := begin(t, d, id)
		require.True(t, taken)
		each(id, notify.ClaimBegun)
		next := notify.Claim{State: notify.ClaimStored, Name: "u/" + id, Owner: owner.Of("u")}
		if i%5 == 1 {
			next = notify.Claim{State: notify.ClaimSpent, Kept: "here"}
		}
		require.NoError(t, d.Settle(t.Context(), id, next))
		each(id, next.State)
		if next.State == notify.ClaimStored && i%5 != 2 {
			require.NoError(t, d.Settle(t.Context(), id, notify.Claim{State: notify.ClaimDone, Name: "u/" + id}))
			each(id, notify.ClaimDone)
		}
	}
}

var claimRank = map[notify.ClaimState]int{notify.ClaimNone: 0, notify.ClaimBegun: 1, notify.ClaimSpent: 2, notify.ClaimStored: 2, notify.ClaimDone: 3}

// TestClaimLogCrash: whatever a kill or a power cut leaves at any sync, what was
// acknowledged is there: a claim that was begun, spent or stored is one. It does so
// too while the log is written anew.
func TestClaimLogCrash(t *testing.T) {
	t.Parallel()
	for _, size := range []int64{claimLogSize, 1500} {
		dir := t.TempDir()
		d := openClaims(t, dir)
		d.logSize = size
		moments := powercut.Watch(dir, t.TempDir())
		defer moments.Close()
		d.disk.Sync = moments.Sync
		known := map[string]notify.ClaimState{}
		before := map[string]notify.ClaimState{}
		check := func(when string) {
			for _, m := range moments.Take() {
				c, err := Open(m, nil)
				require.NoError(t, err)
				for id, state := range before {
					got, err := stateOf(c, id)
					require.NoError(t, err)
					if state == notify.ClaimDone {
						state = notify.ClaimStored // Whoever is told again has been told.
					}
					require.GreaterOrEqual(t, claimRank[got], claimRank[state], "%s: %s is %q, and was %q", when, id, got, state)
				}
				require.NoError(t, c.Close())
			}
		}
		claimSteps(t, d, 7, func(id string, state notify.ClaimState) {
			check(fmt.Sprintf("%s on its way to %s", id, state))
			known[id] = state
			for id, state := range known {
				before[id] = state
			}
		})
		require.Equal(t, size < claimLogSize, len(d.log.runs) > 0)
	}
}

func stateOf(d *Dir, id string) (state notify.ClaimState, err error) {
	err = d.await(context.Background(), &claimOp{do: func() error {
		c, err := d.read(id)
		state = c.State
		return err
	}})
	return state, err
}

// TestClaimLogNameNotSynced: a process wrote the log anew and its directory could
// not be synced, or it died before that. Whoever changes a claim next, syncs it: a
// power cut would bring back the old log, without what was acknowledged since.
func TestClaimLogNameNotSynced(t *testing.T) {
	t.Parallel()
	for name, next := range map[string]func(other *Dir, dir string) *Dir{
		"another process": func(other *Dir, _ string) *Dir { return other },
		"opened anew":     func(_ *Dir, dir string) *Dir { return openClaims(t, dir) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			var disk powercut.Disk
			t.Cleanup(disk.Close)
			failing := errors.New("input/output error")
			var fails bool
			syncs := func(f *os.File) error {
				if info, err := f.Stat(); err != nil || fails && info.IsDir() {
					return errors.Join(err, failing)
				}
				return disk.Sync(f)
			}
			d, other := openClaims(t, dir), openClaims(t, dir)
			d.disk.Sync, other.disk.Sync = syncs, syncs
			for _, c := range []*Dir{d, other} {
				_, taken := begin(t, c, "aa01")
				require.Equal(t, c == d, taken)
			}
			fails = true
			_, err := d.Erase(t.Context(), "u")
			require.ErrorIs(t, err, failing)

			d = next(other, dir)
			d.disk.Sync = syncs
			_, _, err = d.Begin(t.Context(), "aa02", time.Minute)
			require.ErrorIs(t, err, failing)
			fails = false
			_, taken := begin(t, d, "aa02")
			require.True(t, taken)
			cut := t.TempDir()
			require.NoError(t, disk.Cut(cut))
			state, err := stateOf(openClaims(t, cut), "aa02")
			require.NoError(t, err)
			require.Equal(t, notify.ClaimBegun, state, "a claim that was acknowledged is lost")
		})
	}
}

// TestClaimLogBrokenDisk: a write or a sync that fails is told, and changes
// nothing; afterwards all goes on, in a file that was not there before if nobody
// can know what the disk has.
func TestClaimLogBrokenDisk(t *testing.T) {
	t.Parallel()
	full := errors.New("no space left on device")
	for name, c := range map[string]struct {
		fail  func(d *Dir, broken *atomic.Bool)
		anew  bool
		count int
	}{
		"full": {fail: func(d *Dir, broken *atomic.Bool) {
			write := d.disk.Write
			d.disk.Write = func(f *os.File, b []byte, at int64) (int, error) {
				if broken.Load() {
					n, _ := write(f, b[:len(b)/2], at)
					return n, full
				}
				return write(f, b, at)
			}
		}},
		"sync": {anew: true, fail: func(d *Dir, broken *atomic.Bool) {
			d.disk.Sync = func(f *os.File) error {
				if broken.Load() {
					return full
				}
				return f.Sync()
			}
		}},
	} {
		dir := t.TempDir()
		d, other := openClaims(t, dir), openClaims(t, dir)
		var broken atomic.Bool
		c.fail(d, &broken)
		begin(t, d, "aa")
		require.NoError(t, d.Settle(t.Context(), "aa", notify.Claim{State: notify.ClaimStored}))
		was, err := os.Stat(d.logPath())
		require.NoError(t, err)
		broken.Store(true)
		_, taken, err := d.Begin(t.Context(), "bb", time.Minute)
		require.ErrorIs(t, err, full, name)
		require.False(t, taken, name)
		broken.Store(false)
		state, err := stateOf(other, "bb")
		require.NoError(t, err)
		require.Equal(t, notify.ClaimNone, state, name)
		_, taken = begin(t, d, "bb")
		require.True(t, taken)
		is, err := os.Stat(d.logPath())
		require.NoError(t, err)
		require.Equal(t, c.anew, !os.SameFile(was, is), name)
		for id, want := range map[string]notify.ClaimState{"aa": notify.ClaimStored, "bb": notify.ClaimBegun} {
			state, err := stateOf(other, id)
			require.NoError(t, err)
			require.Equal(t, want, state, "%s: %s", name, id)
		}
	}
}

// inBubble calls f with a directory, in fake time.
func inBubble(t *testing.T, f func(t *testing.T, d *Dir)) {
	t.Helper()
	dir := t.TempDir() // outside of the bubble: it is removed there
	synctest.Test(t, func(t *testing.T) {
		d, err := Open(dir, nil)
		require.NoError(t, err)
		defer d.Close()
		f(t, d)
	})
}

// TestClaimLogTogether: claims that are begun at once share a sync.
func TestClaimLogTogether(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T, d *Dir) {
		begin(t, d, "ff")
		var syncs atomic.Int32
		wait := make(chan struct{})
		d.disk.Sync = func(f *os.File) error {
			syncs.Add(1)
			<-wait
			return f.Sync()
		}
		for i := range 20 {
			go func() {
				_, taken, err := d.Begin(t.Context(), fmt.Sprintf("%04x", i), time.Minute)
				assert.True(t, taken && err == nil)
			}()
			synctest.Wait()
		}
		require.EqualValues(t, 1, syncs.Load())
		close(wait)
		synctest.Wait()
		require.EqualValues(t, 2, syncs.Load())
	})
}

// TestClaimLogGathers: downloads that end together and come back together share one
// sync each time, and who is alone waits for nobody.
func TestClaimLogGathers(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T, d *Dir) {
		begin(t, d, "ff") // makes the log
		const takes = time.Millisecond
		syncs := 0
		d.disk.Sync = func(f *os.File) error {
			syncs++
			time.Sleep(takes)
			return f.Sync()
		}
		begun := time.Now()
		for i := range 5 {
			begin(t, d, fmt.Sprintf("aa%02x", i))
		}
		require.Equal(t, 5*takes, time.Since(begun))
		const rounds = 20
		syncs = 0
		var all sync.WaitGroup
		for n := range 10 {
			all.Go(func() {
				for i := range rounds {
					_, taken, err := d.Begin(t.Context(), fmt.Sprintf("%02x%02x", n, i), time.Minute)
					assert.True(t, taken && err == nil)
					time.Sleep(takes / 2) // the download
				}
			})
		}
		all.Wait()
		require.LessOrEqual(t, syncs, rounds+1)
	})
}

// TestClaimLogWaiting: who waits and gives up has changed nothing.
func TestClaimLogWaiting(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T, d *Dir) {
		held, err := d.lockFile(t.Context())
		require.NoError(t, err)
		gave := make(chan error, 2)
		for range 2 {
			go func() {
				ctx, cancel := context.WithTimeout(context.Background(), time.Second)
				defer cancel()
				_, _, err := d.Begin(ctx, "aa", time.Minute)
				gave <- err
			}()
		}
		time.Sleep(2 * time.Second)
		require.Error(t, <-gave)
		require.Error(t, <-gave)
		require.NoError(t, held.Close())
		before, taken := begin(t, d, "aa")
		require.True(t, taken)
		require.Equal(t, notify.ClaimNone, before.State)
	})
}

// TestClaimRuns: claims that nobody works on go to runs. They are found there, by
// another process too, whatever of a run's end is damaged, and take no memory.
func TestClaimRuns(t *testing.T) {
	t.Parallel()
	const n = 900
	dir := t.TempDir()
	d, other := openClaims(t, dir), openClaims(t, dir)
	nosync := func(*os.File) error { return nil }
	d.disk.Sync, d.logSize = nosync, 3<<10
	most, runs := 0, 0
	id := func(i int) string { return fmt.Sprintf("%04x", i) }
	want := map[string]notify.ClaimState{}
	claimSteps(t, d, n, func(id string, state notify.ClaimState) {
		want[id] = state
		cold := 0
		for _, at := range d.log.at {
			if at.kind == claimForgettable {
				cold++
			}
		}
		most, runs = max(most, cold), max(runs, len(d.log.runs))
	})
	require.Less(t, most, n/4, "claims that are done stay in memory")
	require.LessOrEqual(t, runs, mergeRuns+1)
	require.Greater(t, runs, 3)
	check := func(d *Dir) {
		t.Helper()
		for i := range n {
			state, err := stateOf(d, id(i))
			require.NoError(t, err)
			require.Equal(t, want[id(i)], state, id(i))
		}
		state, err := stateOf(d, "ffff")
		require.NoError(t, err)
		require.Equal(t, notify.ClaimNone, state)
	}
	check(d)
	check(other)
	// What is done is settled again. The newest counts, also when runs are merged.
	d.logSize = 1
	for i := range mergeRuns {
		name := fmt.Sprint(i)
		require.NoError(t, other.Settle(t.Context(), id(3), notify.Claim{State: notify.ClaimDone, Name: name}))
		require.NoError(t, d.await(t.Context(), &claimOp{after: func() error {
			err := d.rewrite(nil)
			require.NoError(t, err)
			c, err := d.read(id(3))
			require.Equal(t, name, c.Name)
			return err
		}}))
		require.LessOrEqual(t, len(d.log.runs), mergeRuns)
	}
	r := d.log.runs[0]
	info, err := r.f.Stat()
	require.NoError(t, err)
	for _, at := range []int64{r.data + 3, info.Size() - 1, info.Size() - runTail - 1, info.Size() - 18} {
		damage(t, filepath.Join(dir, r.name), at)
		check(openClaims(t, dir))
		damage(t, filepath.Join(dir, r.name), at)
	}
	// The names of the runs are damaged.
	damage(t, d.logPath(), claimHeader)
	check(openClaims(t, dir))
}

// damage changes a byte; a second call changes it back.
func damage(t *testing.T, path string, at int64) {
	t.Helper()
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	require.NoError(t, err)
	defer f.Close()
	var b [1]byte
	_, err = f.ReadAt(b[:], at)
	require.NoError(t, err)
	b[0] ^= 0x55
	_, err = f.WriteAt(b[:], at)
	require.NoError(t, err)
}

// TestClaimLogDamage: a damaged record takes no other with it. Its claim is in
// doubt, or as it was before.
func TestClaimLogDamage(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	d := openClaims(t, dir)
	places := map[string]int64{}
	for _, id := range []string{"aa", "bb", "cc"} {
		begin(t, d, id)
		places[id] = d.log.at[keyOfClaim(id)].off
		require.NoError(t, d.Settle(t.Context(), id, notify.Claim{State: notify.ClaimStored}))
		places[id+" stored"] = d.log.at[keyOfClaim(id)].off
	}
	require.NoError(t, d.rewrite(nil))
	for _, c := range []struct {
		at   int64 // in the record of bb
		want notify.ClaimState
	}{{claimHeader + 2 + 12, notify.ClaimBegun}, {claimHeader, notify.ClaimNone}, {1, notify.ClaimNone}, {5, notify.ClaimNone}} {
		at := d.log.at[keyOfClaim("bb")].off + c.at
		damage(t, d.logPath(), at)
		fresh := openClaims(t, dir)
		for id, want := range map[string]notify.ClaimState{"aa": notify.ClaimStored, "bb": c.want, "cc": notify.ClaimStored} {
			state, err := stateOf(fresh, id)
			require.NoError(t, err)
			require.Equal(t, want, state, "%d: %s", c.at, id)
		}
		damage(t, d.logPath(), at)
	}
	// The log's end is torn, behind what was acknowledged.
	f, err := os.OpenFile(d.logPath(), os.O_RDWR|os.O_APPEND, 0)
	require.NoError(t, err)
	defer f.Close()
	r := claimRecord{id: "bb", kind: claimForgettable, body: []byte(`{"state":"done"}`)}
	torn := r.append(nil)
	for n := range torn {
		size := d.log.size
		require.NoError(t, f.Truncate(size))
		_, err := f.Write(append(torn[:n:n], make([]byte, n%3*(len(torn)-n)/2)...))
		require.NoError(t, err)
		state, err := stateOf(openClaims(t, dir), "bb")
		require.NoError(t, err)
		require.Equal(t, notify.ClaimStored, state, "%d bytes", n)
	}
	require.NoError(t, d.Settle(t.Context(), "aa", notify.Claim{State: notify.ClaimDone}))
	state, err := stateOf(openClaims(t, dir), "aa")
	require.NoError(t, err)
	require.Equal(t, notify.ClaimDone, state)
}

// TestDirOld: claims that had a file each are taken over, once, whatever a
// crash leaves in between.
func TestDirOld(t *testing.T) {
	t.Parallel()
	aead := testAEAD(t, 1)
	at := time.Now().UTC().Format(time.RFC3339)
	old := func(t *testing.T) string {
		dir := t.TempDir()
		sealed, err := Open(t.TempDir(), aead)
		require.NoError(t, err)
		defer sealed.Close()
		body, err := sealed.encode("ab03", storedClaim{Claim: notify.Claim{State: notify.ClaimStored}})
		require.NoError(t, err)
		for name, text := range map[string]string{
			"aa/aa01.json": `{"state":"done","at":"` + at + `"}`, "aa/aa02.json": `{"state":"stored","name":"u/7.fit"}`,
			"ab/ab03.json": string(body), "ab/ab04.json": `{"state":"sto`, "ab/ab05.tmp": "x", "ab/ff06.json": `{"state":"done"}`,
		} {
			require.NoError(t, os.MkdirAll(filepath.Join(dir, name[:2]), 0o700))
			require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600))
		}
		return dir
	}
	check := func(t *testing.T, dir string) {
		d, err := Open(dir, aead)
		require.NoError(t, err)
		defer d.Close()
		for id, want := range map[string]notify.ClaimState{"aa01": notify.ClaimDone, "aa02": notify.ClaimStored, "ab03": notify.ClaimStored, "ab04": notify.ClaimBegun, "ab05": notify.ClaimNone, "ff06": notify.ClaimNone} {
			state, err := stateOf(d, id)
			require.NoError(t, err)
			require.Equal(t, want, state, id)
		}
		require.NoDirExists(t, filepath.Join(dir, "aa"))
		require.NoDirExists(t, filepath.Join(dir, "ab"))
	}
	check(t, old(t))

	dir := old(t)
	d, err := Open(dir, aead)
	require.NoError(t, err)
	defer d.Close()
	var moments []string
	d.disk.Sync = func(*os.File) error {
		to := filepath.Join(t.TempDir(), "copy")
		moments = append(moments, to)
		return os.CopyFS(to, os.DirFS(dir))
	}
	_, err = stateOf(d, "aa01")
	require.NoError(t, err)
	require.Greater(t, len(moments), 3)
	for _, m := range moments {
		check(t, m)
	}
	// With another key, what is sealed is not lost.
	wrong := old(t)
	d2, err := Open(wrong, nil)
	require.NoError(t, err)
	defer d2.Close()
	_, err = stateOf(d2, "ab03")
	require.ErrorIs(t, err, errSealedClaim)
	check(t, wrong)
}

// FuzzClaimScan: whatever stands between records, each is found, and what is found
// is what was written.
func FuzzClaimScan(f *testing.F) {
	f.Add([]byte("x"), uint64(1))
	f.Add([]byte("clm1\x01\x00\x00\x00"), uint64(2))
	f.Fuzz(func(t *testing.T, junk []byte, seed uint64) {
		rnd := rand.New(rand.NewPCG(seed, 1))
		var file []byte
		var want []string
		for range 5 {
			file = append(file, junk[:rnd.IntN(len(junk)+1)]...)
			r := claimRecord{id: fmt.Sprintf("%08x", rnd.Uint32()), kind: claimKept, body: junk}
			want = append(want, r.id)
			file = r.append(file)
		}
		scan := scanClaims(bytes.NewReader(file), 0, int64(len(file)))
		var got []string
		for {
			ok, err := scan.next()
			require.NoError(t, err)
			if !ok {
				break
			}
			if len(scan.id) == 8 && bytes.Equal(scan.body, junk) {
				got = append(got, scan.id)
			}
			r, ok, err := readRecord(bytes.NewReader(file), scan.off)
			require.NoError(t, err)
			require.True(t, ok)
			require.Equal(t, scan.id, r.id)
		}
		require.Equal(t, want, got)
		_, _, err := readRecord(bytes.NewReader(junk), 0)
		require.True(t, err == nil || errors.Is(err, io.EOF))
	})
}
