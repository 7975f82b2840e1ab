package spool

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/garminkit/activityapi/notify"
)

// TestEveryOperationFails counts the operations on the disk in the life of a
// spool, and lives it again for each of them: once with that one failing, and
// once with that and all after it. What was confirmed before and after is found
// when the disk is well again, and nothing else is.
func TestEveryOperationFails(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		n := 0
		live(t, func(op) (int, error) { n++; return 0, nil })
		require.Greater(t, n, 100)
		for k := range n {
			for _, forGood := range []bool{false, true} {
				at := -1
				live(t, func(o op) (int, error) {
					if at++; at == k || forGood && at > k {
						return 0, fmt.Errorf("operation %d: %w", k, syscall.EIO)
					}
					return 0, nil
				})
			}
		}
	})
}

// live puts bodies into a spool, works on them, buries items, reads and drives
// the letters, and restarts on the way, all under fault. Then it checks what is
// there against what it was told.
func live(t *testing.T, fault func(op) (int, error)) {
	t.Helper()
	d := newDisk()
	d.fault = fault
	acked, finished, tried := map[int]bool{}, map[int]bool{}, map[int]bool{}
	marked, buried, driven := map[int]bool{}, map[string]bool{}, map[string]bool{}
	const buriedItem = 1

	run := func(from int, redrive bool) {
		s, err := open("/spool", &Options{LetterRetention: 24 * time.Hour}, d)
		if err != nil {
			require.ErrorIs(t, err, syscall.EIO)
			return
		}
		small(s)
		for i := from; i < from+9; i++ { // number 7 is a large one
			if s.Put(t.Context(), bytes.NewReader(numbered(i))) == nil {
				acked[i] = true
			}
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		for b, err := range s.Bodies(ctx) {
			if err != nil {
				break
			}
			data, err := io.ReadAll(io.NewSectionReader(b, 0, b.Size()))
			if err != nil {
				b.Close()
				continue
			}
			i := int(data[0])
			require.Equal(t, numbered(i), data)
			if b.Mark(ctx, 0) == nil {
				marked[i] = true
			}
			if b.Bury(ctx, buriedItem, &notify.Letter{Key: "activities", Reason: fmt.Sprint(i), Raw: []byte("{}"), Buried: time.Now()}) == nil {
				buried[fmt.Sprint(i)] = true
			}
			if i%2 == 0 {
				tried[i] = true
				if b.Finish(ctx) == nil {
					finished[i] = true
				}
			}
			b.Close()
		}
		cancel()
		for l, err := range s.Letters(t.Context()) {
			if err == nil && redrive && !l.Quarantined {
				driven[l.Reason] = true
				_ = s.Redrive(t.Context(), l.ID)
				break
			}
		}
		_ = s.Close()
		require.Empty(t, d.abused, "synced again after a sync that failed")
	}
	run(0, false)
	for _, ino := range d.names {
		ino.poisoned = false // that is of the handle, and the next spool has its own
	}
	run(10, true)
	d.fault = nil

	s := openDisk(t, d)
	have := map[int]bool{}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	for b, err := range s.Bodies(ctx) {
		if ctx.Err() != nil {
			break
		}
		require.NoError(t, err)
		data, err := io.ReadAll(io.NewSectionReader(b, 0, b.Size()))
		require.NoError(t, err)
		if data[0] != '{' { // else it is a letter that was driven again
			i := numberOf(t, b)
			require.False(t, have[i] || finished[i], "body %d came back", i)
			require.False(t, marked[i] && !b.Done(0), "the mark of body %d is lost", i)
			have[i] = true
		}
		b.Close()
	}
	for i := range acked {
		require.True(t, have[i] || tried[i], "body %d is lost", i)
	}
	letters := map[string]bool{}
	for l, err := range s.Letters(t.Context()) {
		require.NoError(t, err)
		letters[l.Reason] = true
	}
	for reason := range buried {
		require.True(t, letters[reason] || driven[reason], "letter %s is lost", reason)
	}
	require.NoError(t, s.Close())
}

// TestLettersExpire: letters are kept as long as LetterRetention says, and are
// looked through when something is buried and when the spool is opened.
func TestLettersExpire(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := newDisk()
		s, err := open("/spool", &Options{LetterRetention: 48 * time.Hour}, d)
		require.NoError(t, err)
		bury := func(reason string) {
			require.NoError(t, s.Put(t.Context(), bytes.NewReader(numbered(1))))
			for _, b := range drain(t, s) {
				require.NoError(t, b.Bury(t.Context(), 0, &notify.Letter{Reason: reason, Raw: []byte("{}"), Buried: time.Now()}))
				require.NoError(t, b.Finish(t.Context()))
			}
		}
		reasons := func() (list []string) {
			for l, err := range s.Letters(t.Context()) {
				require.NoError(t, err)
				list = append(list, l.Reason)
			}
			return list
		}
		bury("first")
		time.Sleep(48 * time.Hour)
		bury("second")
		require.Equal(t, []string{"first", "second"}, reasons(), "48 hours are not over")
		time.Sleep(time.Hour)
		bury("third")
		require.Equal(t, []string{"second", "third"}, reasons())

		time.Sleep(47*time.Hour + time.Second)
		require.NoError(t, s.Close())
		s, err = open("/spool", &Options{LetterRetention: 48 * time.Hour}, d)
		require.NoError(t, err)
		require.Equal(t, []string{"third"}, reasons())
		require.NoError(t, s.Close())
		_, err = open("/spool", &Options{LetterRetention: -1}, newDisk())
		require.Error(t, err)
	})
}

// TestProcess: a body that fails is tried again after a pause that doubles, and
// those behind it wait.
func TestProcess(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := openDisk(t, newDisk())
		for _, body := range []string{"a", "b"} {
			require.NoError(t, s.Put(t.Context(), bytes.NewReader([]byte(body))))
		}
		var got []string
		start := time.Now()
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() {
			done <- s.Process(ctx, func(_ context.Context, r io.Reader) error {
				data, err := io.ReadAll(r)
				got = append(got, fmt.Sprintf("%s %s", data, time.Since(start)))
				if err == nil && time.Since(start) < 100*time.Second {
					err = errors.New("not yet")
				}
				return err
			})
		}()
		time.Sleep(time.Hour)
		synctest.Wait()
		require.Equal(t, []string{"a 0s", "a 1s", "a 3s", "a 7s", "a 15s", "a 31s", "a 1m3s", "a 2m3s", "b 2m3s"}, got)
		require.Zero(t, s.Stats().Bodies)
		cancel()
		require.ErrorIs(t, <-done, context.Canceled)

		// Whoever closes the spool ends the wait for a body that fails.
		require.NoError(t, s.Put(t.Context(), bytes.NewReader([]byte("c"))))
		go func() {
			done <- s.Process(t.Context(), func(context.Context, io.Reader) error { return errors.New("never") })
		}()
		time.Sleep(time.Minute)
		require.NoError(t, s.Close())
		require.ErrorIs(t, <-done, ErrClosed)
	})
}
