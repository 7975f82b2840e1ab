package silence_test

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/garminkit/activityapi/notify"
	"github.com/garminkit/activityapi/notify/silence"
	"github.com/garminkit/activityapi/types"
)

func newDetector(t *testing.T, opts *silence.Options) *silence.Detector {
	t.Helper()
	d, err := silence.New(opts)
	require.NoError(t, err)
	return d
}

// steady lets users come once a day each, spread over the day, for n days from
// start on, but for those whom skip names. It returns what was said.
func steady(d *silence.Detector, start time.Time, n, users int, skip func(user int) bool) (said []silence.Silence) {
	const every = 30 * time.Minute
	for at := start; at.Before(start.Add(time.Duration(n) * day)); at = at.Add(every) {
		minute := at.Hour()*60 + at.Minute()
		for i := minute * users / 1440; i < users && i*1440/users < minute+30; i++ {
			if i*1440/users >= minute && (skip == nil || !skip(i)) {
				d.Arrived(types.KindActivities, name(i), at.Add(-time.Minute))
				d.Arrived(types.KindActivityFiles, name(i), at)
			}
		}
		said = append(said, d.Check(at)...)
	}
	return said
}

func name(i int) types.UserID { return types.UserID(fmt.Sprintf("u%03d", i)) }

func only(n int) func(int) bool { return func(i int) bool { return i == n } }

func all(int) bool { return true }

func TestUserIsSaidOnce(t *testing.T) {
	t.Parallel()
	d := newDetector(t, &silence.Options{Key: "evaluation"})
	require.Empty(t, steady(d, epoch, 60, 200, nil))
	said := steady(d, epoch.Add(60*day), 60, 200, only(7))
	require.Len(t, said, 1)
	s := said[0]
	require.Equal(t, name(7), s.User)
	require.Equal(t, "evaluation", s.Key)
	require.Empty(t, s.Cause)
	require.WithinDuration(t, epoch.Add(60*day), s.Since, day+time.Hour)
	require.Less(t, s.Interval, 9*day)
	require.Contains(t, s.String(), "user u007: nothing since 2026-03-")
	listed := 0
	for s := range d.All() {
		require.Equal(t, name(7), s.User)
		listed++
	}
	require.Equal(t, 1, listed)

	require.Empty(t, steady(d, epoch.Add(120*day), 30, 200, nil), "heard again")
	for range d.All() {
		t.Fatal("nobody is silent")
	}
	require.Len(t, steady(d, epoch.Add(150*day), 60, 200, only(7)), 1, "said once more after they were heard")
}

func TestToldIsSaidEarly(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name string
		tell func(d *silence.Detector)
		want string
		days int
	}{
		{"token", func(d *silence.Detector) {
			d.Observe(notify.Outcome{Result: notify.ResultParked, UserID: name(7)})
		}, "token", 3},
		{"left", func(d *silence.Detector) { d.Told(name(7), "left") }, "left", 3},
		{"taken back", func(d *silence.Detector) {
			d.Told(name(7), "token")
			d.Told(name(7), "")
		}, "", 20},
		{"forgotten", func(d *silence.Detector) { d.Forget(name(7)) }, "", 60},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			d := newDetector(t, nil)
			steady(d, epoch, 60, 100, nil)
			tt.tell(d)
			said := steady(d, epoch.Add(60*day), tt.days, 100, only(7))
			if tt.want == "" {
				require.Empty(t, said)
				return
			}
			require.Len(t, said, 1)
			require.Equal(t, tt.want, said[0].Cause)
		})
	}
}

// A key that is silent for longer than any user's limit is one silence.
func TestWholeKeyFirst(t *testing.T) {
	t.Parallel()
	for _, users := range []int{1, 3, 20, 300} {
		d := newDetector(t, nil)
		require.Empty(t, steady(d, epoch, 60, users, nil))
		said := steady(d, epoch.Add(60*day), 100, users, all)
		require.Len(t, said, 1, "%d users", users)
		require.Empty(t, said[0].User)
		require.Empty(t, said[0].Kind)
		require.Equal(t, "endpoint", said[0].Cause)
		require.Empty(t, steady(d, epoch.Add(160*day), 60, users, nil), "%d users, the key is back", users)
	}
}

// A small key takes two weeks to be found silent. They are no user's either.
func TestTimeOfSilentKey(t *testing.T) {
	t.Parallel()
	d := newDetector(t, nil)
	steady(d, epoch, 60, 3, nil)
	require.Len(t, steady(d, epoch.Add(60*day), 40, 3, all), 1)
	require.Empty(t, steady(d, epoch.Add(100*day), 14, 3, only(1)))
}

func TestKind(t *testing.T) {
	t.Parallel()
	d := newDetector(t, nil)
	steady(d, epoch, 60, 300, nil)
	var said []silence.Silence
	for at := epoch.Add(60 * day); at.Before(epoch.Add(75 * day)); at = at.Add(10 * time.Minute) {
		minute := at.Hour()*60 + at.Minute()
		for i := range 300 {
			if due := i * 1440 / 300; due >= minute && due < minute+10 {
				d.Arrived(types.KindActivities, name(i), at)
			}
		}
		said = append(said, d.Check(at)...)
	}
	require.Len(t, said, 1, "users whose files are missing are not said while all are")
	require.Equal(t, types.KindActivityFiles, said[0].Kind)
	require.Empty(t, said[0].User)
	require.Equal(t, "files", said[0].Cause)
	require.Contains(t, said[0].String(), "no activityFiles since 2026-03-")
}

func TestMinimalHistory(t *testing.T) {
	t.Parallel()
	for _, n := range []int{0, 1, 5, 20, 27} {
		d := newDetector(t, &silence.Options{Holiday: time.Hour})
		steady(d, epoch, 60, 50, only(7))
		require.Empty(t, steady(d, epoch.Add(60*day), n, 50, nil))
		d.Told(name(7), "token")
		if n < 20 {
			require.Empty(t, steady(d, epoch.Add(time.Duration(60+n)*day), 7, 50, only(7)), "known for %d days", n)
		}
	}
	// A new key expects nothing.
	d := newDetector(t, nil)
	steady(d, epoch, 6, 300, nil)
	require.Empty(t, steady(d, epoch.Add(6*day), 7, 300, all))
}

func TestStateIsBounded(t *testing.T) {
	t.Parallel()
	d := newDetector(t, &silence.Options{MaxUsers: 10})
	for i := range 1000 {
		d.Arrived(types.KindActivities, name(i), epoch)
		d.Arrived("somethingElse", name(i), epoch)
		d.Told(types.UserID(fmt.Sprintf("stranger%d", i)), "token")
		d.Observe(notify.Outcome{Result: notify.ResultParked, UserID: types.UserID(fmt.Sprintf("other%d", i))})
	}
	require.Equal(t, 10, d.Users())
	before := size(t, d)
	r := rand.New(rand.NewPCG(1, 1))
	kinds := append(types.Kinds(), "", "odd")
	for i := range 20000 {
		at := epoch.Add(time.Duration(r.Int64N(int64(1000 * day))))
		d.Arrived(kinds[r.IntN(len(kinds))], name(r.IntN(20)), at)
		d.Arrived(types.KindActivities, types.UserID(strings.Repeat("x", 129+i%1000)), at)
		d.Arrived(types.KindActivities, "", at)
		if i%10 == 0 {
			d.Check(at)
		}
	}
	require.Equal(t, before, size(t, d), "no byte more")
	require.Less(t, before, 20_000+10*300)
}

func size(t *testing.T, d *silence.Detector) int {
	t.Helper()
	data, err := d.MarshalBinary()
	require.NoError(t, err)
	return len(data)
}

func TestForgottenAfterLong(t *testing.T) {
	t.Parallel()
	d := newDetector(t, nil)
	steady(d, epoch, 2, 20, nil)
	steady(d, epoch.Add(2*day), 402, 20, only(7))
	require.Equal(t, 19, d.Users())
}

func TestRestartChangesNothing(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("it plays five months, twice")
	}
	w := newWorld(3, 100, 150*day)
	want := w.run(newDetector(t, nil), 10*time.Minute, nil)
	r := rand.New(rand.NewPCG(2, 2))
	got := w.run(newDetector(t, nil), 10*time.Minute, func(_ time.Duration, d *silence.Detector) *silence.Detector {
		if r.IntN(200) > 0 {
			return d
		}
		data, err := d.MarshalBinary()
		require.NoError(t, err)
		next := newDetector(t, nil)
		require.NoError(t, next.UnmarshalBinary(data))
		return next
	})
	require.NotEmpty(t, want.all)
	require.Equal(t, want.all, got.all)
}

func TestClock(t *testing.T) {
	t.Parallel()
	for _, jump := range []time.Duration{-time.Hour, -40 * day, time.Hour, 4000 * day} {
		d := newDetector(t, nil)
		said := steady(d, epoch, 35, 300, nil)
		// The clock is off for an hour.
		for m := range 6 {
			at := epoch.Add(35*day + time.Duration(m)*10*time.Minute)
			for i := range 12 {
				d.Arrived(types.KindActivities, name(2*m+i%2), at.Add(jump))
			}
			said = append(said, d.Check(at.Add(jump))...)
		}
		said = append(said, steady(d, epoch.Add(35*day+time.Hour), 30, 300, nil)...)
		require.Empty(t, said, "a clock that is off by %v", jump)
		require.Len(t, steady(d, epoch.Add(66*day), 40, 300, only(7)), 1, "and goes on after %v", jump)
	}
}

func TestWhatIsRepeatedCountsOnce(t *testing.T) {
	t.Parallel()
	d := newDetector(t, nil)
	steady(d, epoch, 60, 300, nil)
	var said []silence.Silence
	for at := epoch.Add(60 * day); at.Before(epoch.Add(62 * day)); at = at.Add(10 * time.Minute) {
		for i := range 300 { // attempts at what came before
			d.Arrived(types.KindActivities, name(i), epoch.Add(59*day))
		}
		said = append(said, d.Check(at)...)
	}
	require.Len(t, said, 1, "the key is silent all the same")

	// Nor is a user heard by it.
	d = newDetector(t, nil)
	steady(d, epoch, 60, 200, nil)
	require.Len(t, steady(d, epoch.Add(60*day), 40, 200, only(7)), 1)
	d.Arrived(types.KindActivities, name(7), epoch.Add(59*day))
	require.Empty(t, steady(d, epoch.Add(100*day), 2, 200, only(7)))
}

func TestWrap(t *testing.T) {
	t.Parallel()
	d := newDetector(t, nil)
	failed := errors.New("failed")
	c := d.Wrap(notify.Callbacks{
		Save:             func(context.Context, *notify.Delivery, types.Summary) error { return failed },
		File:             func(context.Context, *notify.Delivery, *notify.File) error { return nil },
		Deregistration:   func(context.Context, *notify.Delivery, *notify.Deregistration) error { return nil },
		PermissionChange: func(context.Context, *notify.Delivery, *notify.PermissionChange) error { return nil },
	})
	ctx := t.Context()
	v := &notify.Delivery{Kind: types.KindActivities, UserID: "a", Received: epoch}
	require.ErrorIs(t, c.Save(ctx, v, &types.Activity{}), failed)
	require.NoError(t, c.File(ctx, &notify.Delivery{UserID: "b", Received: epoch}, &notify.File{}))
	require.Equal(t, 2, d.Users())
	d.Check(epoch)
	d.Observe(notify.Outcome{Result: notify.ResultDone, Key: "activityFiles", UserID: "d"})
	d.Observe(notify.Outcome{Result: notify.ResultUnknownUser, Key: "activityFiles", UserID: "e"})
	require.Equal(t, 3, d.Users())
	stranger := &notify.Delivery{UserID: "c"}
	require.NoError(t, c.Deregistration(ctx, stranger, &notify.Deregistration{}))
	require.NoError(t, c.PermissionChange(ctx, stranger, &notify.PermissionChange{}))
	require.Equal(t, 3, d.Users())
}

func TestPermission(t *testing.T) {
	t.Parallel()
	none, all := []types.Permission{}, []types.Permission{types.PermissionActivityExport}
	for _, tt := range []struct {
		name    string
		changes [][]types.Permission // nil is a change whose list Garmin left out
		said    bool
	}{
		{"taken back", [][]types.Permission{none}, true},
		{"granted again", [][]types.Permission{none, all}, false},
		{"not told", [][]types.Permission{nil}, false},
		{"not told after taken back", [][]types.Permission{none, nil}, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			d := newDetector(t, nil)
			told := 0
			c := d.Wrap(notify.Callbacks{
				PermissionChange: func(context.Context, *notify.Delivery, *notify.PermissionChange) error { told++; return nil },
			})
			steady(d, epoch, 60, 50, nil)
			for _, p := range tt.changes {
				require.NoError(t, c.PermissionChange(t.Context(), &notify.Delivery{UserID: name(7)}, &notify.PermissionChange{Permissions: p}))
			}
			require.Equal(t, len(tt.changes), told)
			said := steady(d, epoch.Add(60*day), 5, 50, only(7))
			if !tt.said {
				require.Empty(t, said)
				return
			}
			require.Len(t, said, 1)
			require.Equal(t, "permission", said[0].Cause)
		})
	}
}

func TestCausesOfTheKey(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		results []notify.Result
		want    string
	}{
		{nil, "endpoint"},
		{[]notify.Result{notify.ResultOutage, notify.ResultDone}, "outage"},
		{[]notify.Result{notify.ResultOutage, notify.ResultResumed}, "endpoint"},
		{[]notify.Result{notify.ResultStalled}, "queue"},
		{[]notify.Result{notify.ResultQueueFailed, notify.ResultDone}, "endpoint"},
	} {
		d := newDetector(t, nil)
		steady(d, epoch, 21, 300, nil)
		for _, r := range tt.results {
			d.Observe(notify.Outcome{Result: r})
		}
		said := steady(d, epoch.Add(21*day), 2, 300, all)
		require.Len(t, said, 1)
		require.Equal(t, tt.want, said[0].Cause, tt.results)
	}
}

func TestOptions(t *testing.T) {
	t.Parallel()
	for _, opts := range []*silence.Options{{Holiday: -1}, {Holiday: 366 * day}, {MaxUsers: -1}} {
		_, err := silence.New(opts)
		require.Error(t, err)
	}
}

func TestFile(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "silence")
	d, err := silence.Load(path, nil)
	require.NoError(t, err)
	d.Arrived(types.KindActivities, "a", epoch)
	require.NoError(t, d.Save(path))
	require.NoError(t, d.Save(path), "in place of the first")
	d, err = silence.Load(path, nil)
	require.NoError(t, err)
	require.Equal(t, 1, d.Users())
	// What a crash left has users that may be forgotten.
	require.NoError(t, os.WriteFile(filepath.Join(filepath.Dir(path), ".silence-"+filepath.Base(path)+"-123"), nil, 0o600))
	require.NoError(t, d.Save(path))
	left, err := os.ReadDir(filepath.Dir(path))
	require.NoError(t, err)
	require.Len(t, left, 1)

	require.NoError(t, os.WriteFile(path, []byte("something else"), 0o600))
	_, err = silence.Load(path, nil)
	require.ErrorIs(t, err, silence.ErrSnapshot)
}

// A snapshot with a number that no arithmetic holds, or that ends early, is
// refused.
func TestDamaged(t *testing.T) {
	t.Parallel()
	d := newDetector(t, nil)
	d.Arrived(types.KindActivities, "a", epoch)
	data, err := d.MarshalBinary()
	require.NoError(t, err)
	data = data[:len(data)-4]
	require.NoError(t, d.UnmarshalBinary(withSum(data)))
	refused := 0
	for i := 9; i+4 <= len(data); i += 7 {
		odd := slices.Clone(data)
		binary.LittleEndian.PutUint32(odd[i:], 0x7fc00000) // not a number
		if d.UnmarshalBinary(withSum(odd)) != nil {
			refused++
		}
	}
	require.Greater(t, refused, 300)
	for n := 0; n < len(data); n += 13 {
		require.ErrorIs(t, d.UnmarshalBinary(withSum(data[:n])), silence.ErrSnapshot)
	}
	require.ErrorIs(t, d.UnmarshalBinary(withSum(append(data, 0))), silence.ErrSnapshot)
}

func withSum(data []byte) []byte {
	return binary.LittleEndian.AppendUint32(slices.Clip(data), crc32.ChecksumIEEE(data))
}

// FuzzSnapshot changes a snapshot anywhere, with a checksum that is right: what is
// taken can be written and worked with, and what is refused changes nothing.
func FuzzSnapshot(f *testing.F) {
	d, err := silence.New(nil)
	if err != nil {
		f.Fatal(err)
	}
	steady(d, epoch, 20, 2, nil)
	whole, err := d.MarshalBinary()
	if err != nil {
		f.Fatal(err)
	}
	whole = whole[:len(whole)-4]
	f.Add(uint16(0), []byte(nil), false)
	f.Add(uint16(10), []byte{0, 0, 0, 0, 0, 0, 0, 0x80}, false)
	f.Add(uint16(len(whole)-200), []byte{255, 255, 255, 255}, true)
	f.Fuzz(func(t *testing.T, at uint16, patch []byte, cut bool) {
		data := slices.Clone(whole)
		end := min(int(at), len(data)) + copy(data[min(int(at), len(data)):], patch)
		if cut {
			data = data[:end]
		}
		d := newDetector(t, &silence.Options{MaxUsers: 100})
		d.Arrived(types.KindActivities, "a", epoch)
		before, err := d.MarshalBinary()
		require.NoError(t, err)
		if err := d.UnmarshalBinary(withSum(data)); err != nil {
			require.ErrorIs(t, err, silence.ErrSnapshot)
			after, err := d.MarshalBinary()
			require.NoError(t, err)
			require.Equal(t, before, after)
			return
		}
		again, err := d.MarshalBinary()
		require.NoError(t, err)
		require.NoError(t, d.UnmarshalBinary(again))
		for i := range 20 {
			now := epoch.Add(20*day + time.Duration(i)*time.Minute)
			d.Arrived(types.KindActivities, name(i%3), now)
			d.Check(now)
		}
		for range d.All() {
			continue
		}
		last, err := d.MarshalBinary()
		require.NoError(t, err)
		require.NoError(t, d.UnmarshalBinary(last), "what was worked with can be read again")
	})
}
