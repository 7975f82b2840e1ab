package spool

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
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
			if testing.Short() && k%3 != 0 {
				continue
			}
			for _, forGood := range []bool{false, true} {
				at := -1
				live(t, func(o op) (int, error) {
					if at++; at == k || forGood && at > k {
						return 0, fmt.Errorf("operation %d (%s %s): %w", k, o.kind, o.name, syscall.EIO)
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
	acked := map[int]bool{}
	finished, tried := map[string]bool{}, map[string]bool{} // items
	buriedItems, driven := map[string]bool{}, map[string]bool{}
	ctx := context.Background()

	run := func(from int, redrive bool) {
		s, err := openSmall(&Options{LetterRetention: 24 * time.Hour}, d)
		if err != nil {
			require.ErrorIs(t, err, syscall.EIO)
			return
		}
		for i := from; i < from+9; i++ { // number 7 is a large one
			if s.Put(t.Context(), bytes.NewReader(numbered(i))) == nil {
				acked[i] = true
			}
		}
		h := only(t, s)
		for after, fails := notify.ItemID(0), 0; fails < 5; {
			list, err := h.Scan(ctx, notify.ClassPush, after, 7)
			if err != nil || len(list) == 0 {
				fails++
				time.Sleep(time.Second)
				continue
			}
			after = list[len(list)-1].ID
			var verdicts []notify.Verdict
			var end, bury []string
			for _, it := range list {
				raw, err := tryRead(h, it)
				if err != nil {
					continue
				}
				n := name(t, raw)
				switch {
				case strings.HasSuffix(n, ".0"):
					verdicts, end = append(verdicts, done(it.ID)...), append(end, n)
					tried[n] = true
				case strings.HasSuffix(n, ".1") && it.ID%3 > 0:
					v := buried(it.ID)
					v[0].Rest = it.ID%2 == 0
					verdicts, bury = append(verdicts, v...), append(bury, n)
					tried[n] = true
				case strings.HasSuffix(n, ".2"):
					verdicts = append(verdicts, notify.Verdict{ID: it.ID, Fate: notify.Again, Attempts: 1, Next: time.Now()})
				}
			}
			if h.Settle(ctx, verdicts) == nil {
				for _, n := range end {
					finished[n] = true
				}
				for _, n := range bury {
					buriedItems[n] = true
				}
			}
		}
		h.Release()
		for l, err := range s.Letters(t.Context(), nil) {
			if err == nil && redrive && !l.Quarantined {
				if r, err := s.OpenLetter(ctx, l.ID); err == nil {
					var b bytes.Buffer
					_, err = b.ReadFrom(r)
					r.Close()
					if err != nil {
						continue
					}
					for _, n := range names(b.String()) {
						driven[n] = true
					}
					_ = s.Redrive(t.Context(), l.ID)
					break
				}
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
	have := map[string]int{}
	h := only(t, s)
	for _, it := range scanAll(t, s, h) {
		have[name(t, read(t, h, it))]++
	}
	in := map[string]int{}
	for id, body := range lettersOf(t, s) {
		l, err := s.Letter(ctx, id)
		require.NoError(t, err)
		require.False(t, l.Quarantined, l.Reason)
		for _, n := range names(body) {
			in[n]++
		}
	}
	for n, times := range have {
		require.False(t, finished[n], "item %s came back", n)
		require.True(t, times == 1 || driven[n], "item %s is there %d times", n, times)
		require.True(t, in[n] == 0 || driven[n], "item %s is there and in a letter", n)
	}
	for n, times := range in {
		require.Equal(t, 1, times, "item %s is in several letters", n)
	}
	for i := range acked {
		for k := range itemsOf {
			n := fmt.Sprintf("%d.%d", i, k)
			require.True(t, have[n]+in[n] > 0 || tried[n] && !strings.HasSuffix(n, ".1"), "item %s is lost", n)
		}
	}
	for n := range buriedItems {
		require.Positive(t, in[n]+have[n], "letter %s is lost", n)
		require.True(t, in[n] > 0 || driven[n], "the letter of %s is an item again", n)
	}
	require.NoError(t, s.Close())
}

// names gives the summary ids in a body.
func names(body string) (list []string) {
	for _, part := range strings.Split(body, `"summaryId":"`)[1:] {
		n, _, _ := strings.Cut(part, `"`)
		list = append(list, n)
	}
	return list
}

// TestLettersExpire: letters are kept as long as LetterRetention says, and are
// looked through every hour and when the spool is opened, by their names alone.
func TestLettersExpire(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := newDisk()
		opts := &Options{LetterRetention: 48 * time.Hour, RepeatTime: -1}
		s, err := openSmall(opts, d)
		require.NoError(t, err)
		h := only(t, s)
		bury := func(reason string) {
			put(t, s, numbered(1))
			items := scanClass(t, h, notify.ClassPush)
			v := buried(items[0].ID)
			v[0].Letter.Reason = reason
			require.NoError(t, h.Settle(t.Context(), append(v, done(items[1].ID, items[2].ID)...)))
		}
		reasons := func() (list []string) {
			for l, err := range s.Letters(t.Context(), nil) {
				require.NoError(t, err)
				list = append(list, l.Reason)
			}
			return list
		}
		bury("first")
		time.Sleep(48*time.Hour - time.Minute)
		bury("second")
		require.Equal(t, []string{"first", "second"}, reasons(), "48 hours are not over")
		time.Sleep(3 * time.Hour)
		require.Equal(t, []string{"second"}, reasons())
		bury("third")
		time.Sleep(44 * time.Hour)
		require.NoError(t, s.Close())
		time.Sleep(2 * time.Hour)
		reads := 0
		d.fault = func(o op) (int, error) {
			if o.kind == "read" && strings.HasSuffix(o.name, letterSuffix) {
				reads++
			}
			return 0, nil
		}
		s, err = openSmall(opts, d)
		require.NoError(t, err)
		require.Zero(t, reads)
		require.Equal(t, []string{"second", "third"}, reasons(), "the clock may be wrong when a machine starts")
		time.Sleep(time.Hour + time.Minute)
		require.Equal(t, []string{"third"}, reasons())
		st, err := s.Stats(t.Context())
		require.NoError(t, err)
		require.EqualValues(t, 1, st.Letters)
		require.NoError(t, s.Close())
	})
}

// TestRestExpires: an item that is added to the letter of the rest of its body is kept
// for the retention of letters too, and the letter does not go while one is added.
func TestRestExpires(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := newDisk()
		s, err := openSmall(&Options{LetterRetention: 48 * time.Hour}, d)
		require.NoError(t, err)
		put(t, s, numbered(1))
		h := only(t, s)
		items := scanAll(t, s, h)
		bury := func(i int) {
			v := buried(items[i].ID)
			v[0].Rest = true
			require.NoError(t, h.Settle(t.Context(), v))
		}
		in := func() string { return strings.Join(slices.Collect(maps.Values(lettersOf(t, s))), " ") }
		bury(0)
		time.Sleep(29 * time.Minute)
		bury(1)
		require.Len(t, letterIDs(t, s), 1)
		time.Sleep(47*time.Hour + 30*time.Minute)
		bury(2)
		time.Sleep(40 * time.Minute)
		require.Contains(t, in(), string(read(t, h, items[1])), "48 hours are not over")
		d.mu.Lock()
		d.fault = func(o op) (int, error) {
			if o.kind == "remove" && strings.HasSuffix(o.name, letterSuffix) && s.settling.TryLock() {
				s.settling.Unlock()
				t.Error("a Settle may be adding to this letter")
			}
			return 0, nil
		}
		d.mu.Unlock()
		time.Sleep(2 * time.Hour)
		require.NotContains(t, in(), string(read(t, h, items[1])))
		require.Contains(t, in(), string(read(t, h, items[2])), "it was buried three hours ago")
		require.NoError(t, s.Close())
	})
}
