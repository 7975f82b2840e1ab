package spool

import (
	"cmp"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/garminkit/activityapi/notify"
)

// TestOrderClockBack: a clock that is set back, also while the spool is closed and
// after all has been processed, does not make what comes older than what came.
func TestOrderClockBack(t *testing.T) {
	t.Parallel()
	for name, n := range map[string]int{"small": 1, "large": 7} {
		for _, left := range []bool{true, false} {
			d := newDisk()
			s := openDisk(t, d)
			s.mu.Lock()
			s.order = orderAt(time.Now().Add(1000 * time.Hour)) // by a clock that was wrong
			s.mu.Unlock()
			var last uint64
			for range 3 {
				put(t, s, numbered(n))
				n += 40
				h := only(t, s)
				items := scanAll(t, s, h)
				slices.SortFunc(items, func(a, b *notify.Item) int { return cmp.Compare(a.ID, b.ID) })
				for _, it := range items[len(items)-itemsOf:] {
					require.Greater(t, it.Order, last, name)
					last = it.Order
				}
				if !left {
					for _, it := range items {
						require.NoError(t, h.Settle(t.Context(), done(it.ID)))
					}
				}
				h.Release()
				if left { // and killed
					killed := d.clone()
					require.NoError(t, s.Close())
					d = killed
				} else {
					require.NoError(t, s.Close())
				}
				s = openDisk(t, d)
			}
			require.NoError(t, s.Close())
		}
	}
}

// TestOrderVersion1: what version 0.1 left is older than all that comes, and what
// it buried is too.
func TestOrderVersion1(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "spool")
	require.NoError(t, os.CopyFS(dir, os.DirFS("testdata/v1")))
	s, err := openDir(dir, nil)
	require.NoError(t, err)
	now := orderAt(time.Now())
	require.NoError(t, s.Redrive(t.Context(), "0000000000000003-00000000"))
	put(t, s, numbered(1))
	h := only(t, s)
	fresh, seqs := 0, map[uint64]int{}
	for _, it := range scanAll(t, s, h) {
		if it.Order >= now {
			fresh++
		} else {
			require.Less(t, it.Order, oldOrder(8))
			seqs[it.Order>>offsetBits]++
		}
	}
	require.Equal(t, itemsOf, fresh)
	require.Equal(t, 4, seqs[3], "the one that was buried too")
	require.NoError(t, s.Close())
}
