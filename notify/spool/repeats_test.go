package spool

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/garminkit/activityapi/internal/claimdir"
	"github.com/garminkit/activityapi/internal/redelivery"
	"github.com/garminkit/activityapi/notify"
	"github.com/garminkit/activityapi/notify/notifytest"
)

// version is a body with one version of an activity, of size bytes and more.
func version(v string, size int) []byte {
	return fmt.Appendf(nil, `{"activities":[{"userId":"u","summaryId":"1","activityName":"%s%s"}]}`, v, strings.Repeat("n", size))
}

// versionsOf gives what a worker is handed, in order, by the first two bytes of
// the name.
func versionsOf(t *testing.T, s *spool) (list []string) {
	t.Helper()
	h := only(t, s)
	defer h.Release()
	for _, it := range scanAll(t, s, h) {
		_, after, _ := bytes.Cut(read(t, h, it), []byte(`"activityName":"`))
		list = append(list, string(after[:2]))
	}
	return list
}

// TestStaleRepeat: an old body that comes again after an edit does not come
// behind the edit.
func TestStaleRepeat(t *testing.T) {
	t.Parallel()
	for _, size := range []int{0, 10 << 10, maxSmall, 3 << 20} {
		t.Run(fmt.Sprint(size), func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			var log bytes.Buffer
			s, err := openDir(dir, &Options{Logger: slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))})
			require.NoError(t, err)
			put(t, s, version("v1", size))
			put(t, s, version("v2", size))
			put(t, s, version("v1", size))
			require.Equal(t, []string{"v1", "v2"}, versionsOf(t, s))
			require.EqualValues(t, 2, s.Counts().Puts)
			require.EqualValues(t, 1, s.Counts().Repeats)
			require.Contains(t, log.String(), "level=DEBUG")
			require.NoError(t, s.Close())

			s, err = openDir(dir, nil)
			require.NoError(t, err)
			put(t, s, version("v1", size))
			put(t, s, version("v2", size))
			require.Equal(t, []string{"v1", "v2"}, versionsOf(t, s), "after a restart")
			put(t, s, version("v3", size))
			require.Equal(t, []string{"v1", "v2", "v3"}, versionsOf(t, s))
			require.ErrorIs(t, s.Put(canceled(t), bytes.NewReader(version("v1", size))), context.Canceled)
			require.NoError(t, s.Close())
			require.ErrorIs(t, s.Put(t.Context(), bytes.NewReader(version("v1", size))), errClosed)
			large, err := os.ReadDir(filepath.Join(dir, largeDir))
			require.NoError(t, err)
			for _, e := range large {
				require.NotEqual(t, tempSuffix, filepath.Ext(e.Name()), "a repeat leaves nothing behind")
			}

			s, err = openDir(dir, &Options{RepeatTime: -1})
			require.NoError(t, err)
			put(t, s, version("v1", size))
			put(t, s, version("v1", size))
			require.Equal(t, []string{"v1", "v2", "v3", "v1", "v1"}, versionsOf(t, s), "off")
			require.Zero(t, s.Counts().Repeats)
			require.NoError(t, s.Close())
		})
	}
}

func canceled(t *testing.T) context.Context {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	return ctx
}

// TestRepeatTime: the time ends, and a repeat does not prolong it.
func TestRepeatTime(t *testing.T) {
	t.Parallel()
	for _, within := range []time.Duration{0, time.Hour} {
		synctest.Test(t, func(t *testing.T) {
			d := newDisk()
			open := func() *spool {
				s, err := openSmall(&Options{RepeatTime: within}, d)
				require.NoError(t, err)
				return s
			}
			s, limit := open(), within
			if limit == 0 {
				limit = redelivery.Time
			}
			put(t, s, version("v1", 0))
			time.Sleep(limit)
			put(t, s, version("v1", 0))
			require.EqualValues(t, 1, s.Counts().Puts)
			require.NoError(t, s.Close())
			s = open()
			put(t, s, version("v1", 0))
			require.EqualValues(t, 0, s.Counts().Puts)
			time.Sleep(time.Second)
			put(t, s, version("v1", 0))
			require.EqualValues(t, 1, s.Counts().Puts)
			require.NoError(t, s.Close())
		})
	}
}

// TestAccountsAreNoRepeats: who leaves, comes back and leaves again has left, and
// a ping may announce what has changed.
// The escape that a name of an activity may hold makes no such body.
func TestAccountsAreNoRepeats(t *testing.T) {
	t.Parallel()
	for _, size := range []int{0, maxSmall} {
		s, err := openSmall(nil, newDisk())
		require.NoError(t, err)
		pad := strings.Repeat(" ", size)
		for _, c := range []struct {
			body string
			want int64
		}{
			{`{"deregistrations":[{"userId":"u"}]}` + pad, 2},
			{pad + `{"userPermissionsChange":[{"userId":"u","permissions":[]}]}`, 2},
			{`{"activities":[{"userId":"u","callbackURL":"https://apis.garmin.com/x"}]}` + pad, 2},
			{`{"activities":[{"userId":"u","summaryId":"1","activityName":"Caf\u00e9"}]}` + pad, 1},
		} {
			before := s.Counts().Puts
			put(t, s, []byte(c.body))
			put(t, s, []byte(c.body))
			require.Equal(t, c.want, s.Counts().Puts-before, c.body)
		}
		require.NoError(t, s.Close())
	}
}

// TestRedriveIsNoRepeat: the letter of a single item can have the bytes of the
// body it came in.
func TestRedriveIsNoRepeat(t *testing.T) {
	t.Parallel()
	for _, size := range []int{0, maxSmall} {
		s, err := openSmall(nil, newDisk())
		require.NoError(t, err)
		put(t, s, version("v1", size))
		for range 3 {
			h := only(t, s)
			list := scanAll(t, s, h)
			require.Len(t, list, 1)
			require.NoError(t, h.Settle(t.Context(), buried(list[0].ID)))
			h.Release()
			letters := lettersOf(t, s)
			require.Len(t, letters, 1)
			for id, body := range letters {
				require.Equal(t, string(version("v1", size)), body)
				require.NoError(t, s.Redrive(t.Context(), id))
			}
		}
		require.Equal(t, []string{"v1"}, versionsOf(t, s))
		require.NoError(t, s.Close())
	}
}

// TestRefusedIsNoRepeat: a body that was not stored is stored when it comes again.
func TestRefusedIsNoRepeat(t *testing.T) {
	t.Parallel()
	for _, size := range []int{0, 3 << 20} {
		for _, kind := range []string{"write", "sync", "rename"} {
			d := newDisk()
			s := openDisk(t, d)
			d.mu.Lock()
			d.fault = func(o op) (int, error) {
				if o.kind == kind && filepath.Base(o.name) != repeatsName {
					return 0, syscall.EIO
				}
				return 0, nil
			}
			d.mu.Unlock()
			err := s.Put(t.Context(), bytes.NewReader(version("v1", size)))
			d.mu.Lock()
			d.fault = nil
			d.mu.Unlock()
			require.True(t, err != nil || kind == "rename" && size == 0)
			put(t, s, version("v1", size))
			require.EqualValues(t, 1, s.Counts().Puts)
			require.NoError(t, s.Close())
			s = openDisk(t, d)
			require.Equal(t, []string{"v1"}, versionsOf(t, s))
			require.NoError(t, s.Close())
		}
	}
}

// TestRepeatsFile: whatever is wrong with the file, the spool opens and stores
// what is new, and knows it after the next restart.
func TestRepeatsFile(t *testing.T) {
	t.Parallel()
	const n = 10
	record := redelivery.RecordSize
	for _, c := range []struct {
		name   string
		damage func(p []byte) []byte // nil removes it
		known  int                   // at least, of n
	}{
		{"whole", func(p []byte) []byte { return p }, n},
		{"missing", nil, 0},
		{"empty", func([]byte) []byte { return []byte{} }, 0},
		{"torn", func(p []byte) []byte { return p[:len(p)-1] }, n - 1},
		{"one byte more", func(p []byte) []byte { return append(p, 1) }, n},
		{"one byte less", func(p []byte) []byte { return p[1:] }, 0},
		{"a bit", func(p []byte) []byte { p[3*record] ^= 1; return p }, n - 1},
		{"zeros", func(p []byte) []byte { return make([]byte, len(p)) }, 0},
		{"noise", func([]byte) []byte { return bytes.Repeat([]byte("noise "), 100_000) }, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			file := filepath.Join(dir, repeatsName)
			open := func() *spool {
				s, err := openDir(dir, nil)
				require.NoError(t, err)
				return s
			}
			known := func(s *spool, from, to int) int {
				before := s.Counts().Repeats
				for i := from; i < to; i++ {
					put(t, s, version(fmt.Sprintf("%02d", i), 0))
				}
				return int(s.Counts().Repeats - before)
			}
			s := open()
			require.Zero(t, known(s, 0, n))
			require.NoError(t, s.Close())
			p, err := os.ReadFile(file)
			require.NoError(t, err)
			require.Len(t, p, n*record)
			if c.damage == nil {
				require.NoError(t, os.Remove(file))
			} else {
				require.NoError(t, os.WriteFile(file, c.damage(p), 0o600))
			}
			s = open()
			require.Equal(t, c.known, known(s, 0, n))
			require.Zero(t, known(s, n, 2*n))
			require.NoError(t, s.Close())
			s = open()
			require.Equal(t, 2*n, known(s, 0, 2*n), "all are known after another restart")
			require.NoError(t, s.Close())
			info, err := os.Stat(file)
			require.NoError(t, err)
			require.Less(t, info.Size(), int64(repeatsSlack+4*n*record))
		})
	}
	t.Run("a directory", func(t *testing.T) {
		dir := t.TempDir()
		require.NoError(t, os.Mkdir(filepath.Join(dir, repeatsName), 0o700))
		s, err := openDir(dir, nil)
		require.NoError(t, err)
		put(t, s, version("v1", 0))
		put(t, s, version("v1", 0))
		require.EqualValues(t, 1, s.Counts().Puts)
		require.NoError(t, s.Close())
	})
}

// TestRepeatsFileIsReplaced: the file stays as short as what is remembered, and
// within MaxBytes.
func TestRepeatsFileIsReplaced(t *testing.T) {
	t.Parallel()
	d := newDisk()
	const most = 1 << 20
	opts := &Options{MaxBytes: most}
	s, err := openSmall(opts, d)
	require.NoError(t, err)
	h := only(t, s)
	const n = 6 * most / 64 / redelivery.RecordSize // more than the limit holds
	for i := range n {
		put(t, s, fmt.Appendf(nil, `{"activities":[{"userId":"u","summaryId":"%d"}]}`, i))
		if i%100 == 99 || i == n-1 {
			for _, it := range scanAll(t, s, h) {
				require.NoError(t, h.Settle(t.Context(), done(it.ID)))
			}
			d.mu.Lock()
			require.LessOrEqual(t, len(d.names[filepath.ToSlash(s.repeats.name)].data), most/16)
			d.mu.Unlock()
		}
	}
	require.NoError(t, s.Close())
	s, err = openSmall(opts, d)
	require.NoError(t, err)
	for i := n - most/64/redelivery.RecordSize; i < n; i++ {
		put(t, s, fmt.Appendf(nil, `{"activities":[{"userId":"u","summaryId":"%d"}]}`, i))
	}
	require.Zero(t, s.Counts().Puts, "the latest are known")
	require.NoError(t, s.Close())
}

// TestRepeatsFail: a file of repeats that cannot be written refuses no body.
func TestRepeatsFail(t *testing.T) {
	t.Parallel()
	for _, kind := range []string{"open", "create", "write", "rename", "read", "remove"} {
		d := newDisk()
		var broken atomic.Bool
		d.fault = func(o op) (int, error) {
			if broken.Load() && strings.HasPrefix(filepath.Base(o.name), repeatsName) && o.kind == kind {
				return 3, syscall.EIO
			}
			return 0, nil
		}
		s := openDisk(t, d)
		put(t, s, version("v1", 0))
		require.NoError(t, s.Close())
		broken.Store(true)
		s = openDisk(t, d)
		for i := range 10 {
			put(t, s, version(fmt.Sprintf("%02d", i), 0))
			put(t, s, version(fmt.Sprintf("%02d", i), 0))
		}
		require.EqualValues(t, 10, s.Counts().Puts, kind)
		broken.Store(false)
		put(t, s, version("10", 0))
		require.NoError(t, s.Close())
		s = openDisk(t, d)
		require.LessOrEqual(t, len(versionsOf(t, s)), 12, kind)
		require.NoError(t, s.Close())
	}
}

// TestRepeatAfterKill: what was acknowledged before a kill is known after it.
func TestRepeatAfterKill(t *testing.T) {
	t.Parallel()
	for _, size := range []int{0, 3 << 20} {
		dir := t.TempDir()
		disk := &mortal{dead: new(atomic.Bool)}
		s, err := open(dir, nil, disk)
		require.NoError(t, err)
		put(t, s, version("v1", size))
		put(t, s, version("v2", size))
		disk.kill()
		t.Cleanup(func() { s.Close() })

		again, err := open(dir, nil, diskFS{})
		require.NoError(t, err)
		put(t, again, version("v1", size))
		require.Equal(t, []string{"v1", "v2"}, versionsOf(t, again))
		require.NoError(t, again.Close())
	}
}

// TestNoRecordBeforeItsBody: wherever the power is cut, a body that is known is
// there.
func TestNoRecordBeforeItsBody(t *testing.T) {
	t.Parallel()
	for _, size := range []int{0, maxSmall} {
		if size > 0 && testing.Short() {
			continue
		}
		d := newDisk()
		s := openDisk(t, d)
		for i := range 5 {
			put(t, s, version(fmt.Sprintf("%02d", i), size))
		}
		require.NoError(t, s.Close())
		p := newPlatter(d.aead)
		for cut, o := range d.ops {
			p.apply(o)
			for _, how := range []loss{loseAll, loseNone} {
				after := p.crash(how, rand.New(rand.NewPCG(1, uint64(cut)))).recorded()
				s, err := openSmall(nil, after)
				require.NoError(t, err, "cut %d", cut)
				stored := versionsOf(t, s)
				for i := range 5 {
					before := s.Counts().Repeats
					put(t, s, version(fmt.Sprintf("%02d", i), size))
					if s.Counts().Repeats > before {
						require.Contains(t, stored, fmt.Sprintf("%02d", i), "cut %d", cut)
					}
				}
				require.NoError(t, s.Close())
			}
		}
	}
}

// TestClaims holds the spool's claims to the contract. A second process cannot
// have the spool; it has the claims alone.
func TestClaims(t *testing.T) {
	t.Parallel()
	notifytest.RunClaims(t, notifytest.ClaimsHarness{Open: func(t *testing.T, dir string) notify.Claims {
		s, err := openDir(dir, nil)
		if err == nil {
			return spoolClaims{s.Claims(), s}
		}
		require.ErrorIs(t, err, errLocked)
		c, err := claimdir.Open(filepath.Join(dir, claimDir), nil)
		require.NoError(t, err)
		return c
	}})
}

type spoolClaims struct {
	notify.Claims
	io.Closer
}
