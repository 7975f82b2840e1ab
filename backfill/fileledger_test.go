package backfill_test

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/garminkit/activityapi/backfill"
	"github.com/garminkit/activityapi/internal/powercut"
	"github.com/garminkit/activityapi/types"
)

func openLedger(t testing.TB, dir string) *backfill.FileLedger {
	t.Helper()
	l, err := backfill.OpenLedger(dir, nil)
	require.NoError(t, err)
	t.Cleanup(func() { l.Close() })
	return l.(*backfill.FileLedger)
}

func TestFileLedgerInUse(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	l := openLedger(t, dir)
	_, err := backfill.OpenLedger(dir, nil)
	require.ErrorContains(t, err, "in use")
	require.NoError(t, l.Close())
	require.NoError(t, l.Close())
	require.ErrorIs(t, save(l, planned("u", 0, 1)), os.ErrClosed)
	require.ErrorIs(t, l.Arrived(t.Context(), "u", types.KindActivities, day0), os.ErrClosed)
	openLedger(t, dir)
}

var day0 = date("2024-01-01")

func planned(user types.UserID, a, b int) *backfill.Chunk {
	return &backfill.Chunk{
		UserID: user, Kind: types.KindActivities, State: backfill.StatePlanned,
		Window: types.Window{Start: day0.AddDate(0, 0, a), End: day0.AddDate(0, 0, b)},
	}
}

// save saves chunks under a claim of their own.
func save(l backfill.Ledger, chunks ...*backfill.Chunk) error {
	c, err := l.Claim(context.Background(), chunks[0].UserID)
	if err != nil {
		return err
	}
	defer c.Release()
	return c.Save(context.Background(), chunks...)
}

// lines is all that a ledger holds.
func lines(t testing.TB, l backfill.Ledger) []string {
	t.Helper()
	var out []string
	for u, err := range l.Users(context.Background()) {
		require.NoError(t, err)
		for c, err := range l.Chunks(context.Background(), u) {
			require.NoError(t, err)
			out = append(out, fmt.Sprint(c, " ", c.Arrived))
		}
	}
	return out
}

// steps does things to a ledger and returns, for each, what it holds after.
func steps(t *testing.T, l backfill.Ledger) (after [][]string) {
	t.Helper()
	ctx := t.Context()
	a, b := planned("u", 0, 25), planned("u", 25, 50)
	sent := *b
	sent.State, sent.Requested, sent.Attempts = backfill.StateRequested, day0, 1
	early, rest := sent, sent
	early.State, early.Reason, early.Detail = backfill.StateRefused, backfill.ReasonMinStart, "too early"
	early.Window.End = early.Window.Start.AddDate(0, 0, 5)
	rest.Window.Start = early.Window.End
	for _, step := range []func() error{
		func() error { return save(l, a, b) },
		func() error { return save(l, &sent) },
		func() error { return l.Arrived(ctx, "u", types.KindActivities, day0.AddDate(0, 0, 40)) },
		func() error { return save(l, &early, &rest) },
		func() error { return l.Arrived(ctx, "u", types.KindActivities, day0.AddDate(0, 0, 41)) },
	} {
		require.NoError(t, step())
		after = append(after, lines(t, l))
	}
	return after
}

// A log cut at any byte opens with the records before the cut, and works.
func TestFileLedgerTornAnywhere(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	l := openLedger(t, dir)
	path := filepath.Join(dir, "ledger.log")
	empty := size(t, path)
	var ends []int
	after := steps(t, &sizer{l, func() { ends = append(ends, size(t, path)) }})
	require.NoError(t, l.Close())
	whole, err := os.ReadFile(path)
	require.NoError(t, err)

	torn := t.TempDir()
	step := 5 // with -long, every byte
	if *long {
		step = 1
	}
	for cut := len(whole); cut >= empty; cut -= step {
		require.NoError(t, os.WriteFile(filepath.Join(torn, "ledger.log"), whole[:cut], 0o600))
		var want []string
		for i, end := range ends {
			if end <= cut {
				want = after[i]
			}
		}
		l := openLedger(t, torn)
		require.Equal(t, want, lines(t, l), "cut at %d of %d", cut, len(whole))
		require.NoError(t, save(l, planned("new", 0, 1)))
		require.NoError(t, l.Close())
		l = openLedger(t, torn)
		require.Len(t, lines(t, l), len(want)+1, "cut at %d: a save after the cut is lost", cut)
		require.NoError(t, l.Close())
	}
	damaged, err := filepath.Glob(filepath.Join(torn, "ledger.damaged-*"))
	require.NoError(t, err)
	require.Empty(t, damaged, "a torn end is taken for damage")
	for cut := range empty {
		require.NoError(t, os.WriteFile(filepath.Join(torn, "ledger.log"), whole[:cut], 0o600))
		_, err := backfill.OpenLedger(torn, nil)
		require.ErrorContains(t, err, "not a ledger", "header cut at %d", cut)
	}
}

func size(t *testing.T, path string) int {
	t.Helper()
	info, err := os.Stat(path)
	require.NoError(t, err)
	return int(info.Size())
}

// sizer calls done after each change.
type sizer struct {
	backfill.Ledger
	done func()
}

func (s *sizer) Claim(ctx context.Context, u types.UserID) (backfill.Claim, error) {
	c, err := s.Ledger.Claim(ctx, u)
	return saving(c, func(next func(context.Context, ...*backfill.Chunk) error, ctx context.Context, chunks []*backfill.Chunk) error {
		defer s.done()
		return next(ctx, chunks...)
	}), err
}

func (s *sizer) Arrived(ctx context.Context, u types.UserID, k types.Kind, at time.Time) error {
	defer s.done()
	return s.Ledger.Arrived(ctx, u, k, at)
}

// A flipped bit costs the record it is in and no other.
func TestFileLedgerBitFlips(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	l := openLedger(t, dir)
	path := filepath.Join(dir, "ledger.log")
	empty := size(t, path)
	const users = 5
	ends := []int{empty}
	for i := range users {
		require.NoError(t, save(l, planned(types.UserID(fmt.Sprint("user", i)), 0, 25)))
		ends = append(ends, size(t, path))
	}
	require.NoError(t, l.Close())
	whole, err := os.ReadFile(path)
	require.NoError(t, err)

	for at := empty; at < len(whole); at += 3 {
		bad := bytes.Clone(whole)
		bad[at] ^= 1 << (at % 8)
		sub := t.TempDir()
		require.NoError(t, os.WriteFile(filepath.Join(sub, "ledger.log"), bad, 0o600))
		var log bytes.Buffer
		l, err := backfill.OpenLedger(sub, &backfill.LedgerOptions{Logger: slog.New(slog.NewTextHandler(&log, nil))})
		require.NoError(t, err)
		require.Len(t, lines(t, l), users-1, "bit flipped at %d", at)
		require.NoError(t, l.Close())
		kept, err := filepath.Glob(filepath.Join(sub, "ledger.damaged-*"))
		require.NoError(t, err)
		if at < ends[users-1] { // not in the last record, which may be torn
			require.Len(t, kept, 1)
			require.Contains(t, log.String(), "damaged")
			saved, err := os.ReadFile(kept[0])
			require.NoError(t, err)
			require.Equal(t, bad, saved)
		} else {
			require.LessOrEqual(t, len(kept), 1)
			require.NotEmpty(t, log.String(), "a record is lost without a word")
		}
		// It opens without damage the next time.
		log.Reset()
		l, err = backfill.OpenLedger(sub, &backfill.LedgerOptions{Logger: slog.New(slog.NewTextHandler(&log, nil))})
		require.NoError(t, err)
		require.Len(t, lines(t, l), users-1)
		require.Empty(t, log.String())
		require.NoError(t, l.Close())
	}
}

// The log is rewritten as it grows, and holds the same after.
func TestFileLedgerRewrites(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	l := openLedger(t, dir)
	c := planned("u", 0, 25)
	c.Detail, c.Reason = string(bytes.Repeat([]byte("x"), 100_000)), backfill.ReasonOther
	for range 100 {
		require.NoError(t, save(l, c))
	}
	want := lines(t, l)
	require.NoError(t, l.Close())
	require.Less(t, size(t, filepath.Join(dir, "ledger.log")), 2<<20)
	l = openLedger(t, dir)
	require.Equal(t, want, lines(t, l))
	require.NoError(t, save(l, planned("u", 25, 50)))
	require.NoError(t, l.Close())
	require.Len(t, lines(t, openLedger(t, dir)), 2)
}

// A rewrite that was cut off by a crash leaves the log as it was.
func TestFileLedgerIgnoresHalfRewrite(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	l := openLedger(t, dir)
	require.NoError(t, save(l, planned("u", 0, 1)))
	require.NoError(t, l.Close())
	half := backfill.LogOf(func(l backfill.Ledger) {
		for i := range 50_000 {
			require.NoError(t, save(l, planned(types.UserID(fmt.Sprint("stale", i)), 0, 1)))
		}
	})
	require.NoError(t, os.WriteFile(filepath.Join(dir, "ledger.new"), half[:len(half)-5], 0o600))
	l = openLedger(t, dir)
	require.Len(t, lines(t, l), 1)

	// Nor is any of it in the next one.
	c := planned("u", 0, 1)
	c.Detail, c.Reason = strings.Repeat("x", 100_000), backfill.ReasonOther
	for range 20 {
		require.NoError(t, save(l, c))
	}
	require.NoError(t, l.Close())
	require.Less(t, size(t, filepath.Join(dir, "ledger.log")), 1<<20+200_000, "the log was not written anew")
	require.Len(t, lines(t, openLedger(t, dir)), 1)
}

func TestFileLedgerTooManyAtOnce(t *testing.T) {
	t.Parallel()
	l := openLedger(t, t.TempDir())
	c := planned("u", 0, 1)
	c.Reason, c.Detail = backfill.ReasonOther, string(make([]byte, 5<<20))
	require.Error(t, save(l, c))
	require.Empty(t, lines(t, l))
	require.NoError(t, save(l, planned("u", 0, 1)))
}

// A save that returned survives a power cut, also when the log was written
// anew, and so does what a process read of a log that it found.
func TestFileLedgerPowerCut(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	var disk powercut.Disk
	t.Cleanup(disk.Close)
	left := func() []string {
		cut := t.TempDir()
		require.NoError(t, disk.Cut(cut))
		return lines(t, openLedger(t, cut))
	}
	l, err := backfill.OpenLedgerOn(dir, disk.Sync, nil)
	require.NoError(t, err)
	before, err := os.Stat(filepath.Join(dir, "ledger.log"))
	require.NoError(t, err)
	c := planned("u", 0, 25)
	for i := range 40 {
		c.Detail, c.Reason = fmt.Sprint(i)+strings.Repeat("x", 50_000), backfill.ReasonOther
		c.Attempts = i
		require.NoError(t, save(l, c))
		cut := t.TempDir()
		require.NoError(t, disk.Cut(cut))
		for got, err := range openLedger(t, cut).Chunks(t.Context(), "u") {
			require.NoError(t, err)
			require.Equal(t, i, got.Attempts, "save %d", i)
		}
		require.Len(t, left(), 1)
	}
	after, err := os.Stat(filepath.Join(dir, "ledger.log"))
	require.NoError(t, err)
	require.False(t, os.SameFile(before, after), "the log was not written anew")
	require.NoError(t, l.Close())

	// A process was killed between write and sync, and the next one goes by
	// what it finds.
	log, err := os.ReadFile(filepath.Join(dir, "ledger.log"))
	require.NoError(t, err)
	whole := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(whole, "ledger.log"), log, 0o600))
	more := openLedger(t, whole)
	require.NoError(t, save(more, planned("late", 0, 25)))
	require.NoError(t, more.Close())
	tail, err := os.ReadFile(filepath.Join(whole, "ledger.log"))
	require.NoError(t, err)
	f, err := os.OpenFile(filepath.Join(dir, "ledger.log"), os.O_WRONLY|os.O_APPEND, 0)
	require.NoError(t, err)
	_, err = f.Write(tail[len(log):])
	require.NoError(t, err)
	require.NoError(t, f.Close())
	require.Len(t, left(), 1)
	l, err = backfill.OpenLedgerOn(dir, disk.Sync, nil)
	require.NoError(t, err)
	require.Len(t, lines(t, l), 2)
	require.Len(t, left(), 2, "what was read is not on disk")
	require.NoError(t, l.Close())
}

// A process wrote the log anew and died before the directory was synced. Whoever
// opens the ledger next syncs it: a power cut would bring back the old log, without
// what was saved since.
func TestFileLedgerNameNotSynced(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	var disk powercut.Disk
	t.Cleanup(disk.Close)
	var fails bool
	sync := func(f *os.File) error {
		if fails && isDir(f) {
			return errStub
		}
		return disk.Sync(f)
	}
	l, err := backfill.OpenLedgerOn(dir, sync, nil)
	require.NoError(t, err)
	require.NoError(t, save(l, planned("u", 0, 25)))
	fails = true
	backfill.BreakDisk(l)
	require.ErrorIs(t, save(l, planned("v", 0, 25)), errStub)
	backfill.Abandon(l)

	_, err = backfill.OpenLedgerOn(dir, sync, nil)
	require.ErrorIs(t, err, errStub)
	fails = false
	l, err = backfill.OpenLedgerOn(dir, sync, nil)
	require.NoError(t, err)
	require.NoError(t, save(l, planned("w", 0, 25)))
	cut := t.TempDir()
	require.NoError(t, disk.Cut(cut))
	require.ElementsMatch(t, lines(t, l), lines(t, openLedger(t, cut)), "a save that returned is lost")
	require.NoError(t, l.Close())
}

// FuzzReplay opens any bytes as a log. What it makes of them is a ledger that
// keeps its rules, and the same again after it was written and read.
func FuzzReplay(f *testing.F) {
	dir := f.TempDir()
	l := openLedger(f, dir)
	c := planned("u", 0, 25)
	c.Requested, c.Answered, c.Attempts = day0, day0, 3
	c.Reason, c.Detail, c.Earlier = backfill.ReasonOther, "why", c.Window
	require.NoError(f, save(l, c, planned("u", 25, 50)))
	require.NoError(f, l.Arrived(f.Context(), "u", types.KindActivities, day0))
	require.NoError(f, save(l, c)) // displaces a chunk with an arrival
	require.NoError(f, l.Close())
	log, err := os.ReadFile(filepath.Join(dir, "ledger.log"))
	require.NoError(f, err)
	f.Add(log)
	for i := range log {
		f.Add(append(bytes.Clone(log[:i]), log...))
	}
	f.Fuzz(func(t *testing.T, log []byte) {
		out, err := backfill.Replay(log)
		if err != nil {
			return
		}
		again, err := backfill.Replay(out)
		if err != nil || !bytes.Equal(out, again) {
			t.Fatalf("written %x, read and written again %x, %v", out, again, err)
		}
	})
}

// FuzzPayload reads any bytes as a record with a good checksum.
func FuzzPayload(f *testing.F) {
	for _, seed := range backfill.SeedPayloads() {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, payload []byte) {
		out, err := backfill.Replay(backfill.Frame(payload))
		if err != nil {
			t.Fatal(err)
		}
		again, err := backfill.Replay(out)
		if err != nil || !bytes.Equal(out, again) {
			t.Fatalf("written %x, read and written again %x, %v", out, again, err)
		}
	})
}

func TestOpenLedgerErrors(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	require.NoError(t, os.WriteFile(file, nil, 0o600))
	_, err := backfill.OpenLedger(file, nil)
	require.Error(t, err, "a file is not a directory")
	require.NoError(t, os.WriteFile(filepath.Join(dir, "ledger.log"), []byte("something else"), 0o600))
	_, err = backfill.OpenLedger(dir, nil)
	require.ErrorContains(t, err, "not a ledger")
	_, err = backfill.OpenLedger(dir, nil)
	require.NotContains(t, err.Error(), "in use", "a failed open leaves the directory locked")
}
