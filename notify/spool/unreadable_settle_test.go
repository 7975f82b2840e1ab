package spool

import (
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/garminkit/activityapi/notify"
)

// TestSettleUnreadable: verdicts on items in a file that cannot be read hold up no
// others, nor does Load. The items are there when the file can be read.
func TestSettleUnreadable(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		first  int
		bad    string
		forget bool // that the items were scanned
		bury   bool
		none   bool // no item of the first body can be settled
		loads  bool // those of the first body too
	}{
		"marks of a segment":             {first: 1, bad: markSuffix, none: true},
		"marks of a segment, buried":     {first: 1, bad: markSuffix, bury: true, none: true},
		"marks of a large body":          {first: 7, bad: markSuffix, none: true},
		"marks of a large body, buried":  {first: 7, bad: markSuffix, bury: true, none: true},
		"a segment":                      {first: 1, bad: segmentSuffix},
		"a segment, forgotten":           {first: 1, bad: segmentSuffix, forget: true, none: true},
		"a segment, buried":              {first: 1, bad: segmentSuffix, bury: true, none: true},
		"the index of a large body":      {first: 7, bad: indexSuffix},
		"a large body, its index is not": {first: 7, bad: bodySuffix, loads: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			file := "/0000000000000001-"
			if test.first == 7 { // a large one
				file = "/0000000000000001."
			}
			d := newDisk()
			s := openDisk(t, d)
			put(t, s, numbered(test.first))
			h := only(t, s)
			first := scanClass(t, h, notify.ClassPush)
			require.NoError(t, h.Settle(t.Context(), done(first[0].ID)))
			require.NoError(t, s.turn())
			put(t, s, numbered(2))
			require.NoError(t, s.Close())

			s = openDisk(t, d)
			h = only(t, s)
			items := scanClass(t, h, notify.ClassPush)
			first, second := items[:len(first)-1], items[len(first)-1:]
			require.Len(t, second, itemsOf)
			if test.forget {
				for _, it := range items {
					s.known.remove(it.ID)
				}
			}
			for m := range s.marked { // as when others need the memory
				m.mu.Lock()
				if m.made {
					m.st = nil
				}
				m.mu.Unlock()
			}
			d.mu.Lock()
			d.fault = func(o op) (int, error) {
				if o.kind == "read" && strings.Contains(filepath.ToSlash(o.name), file) && strings.Contains(o.name, test.bad) {
					return 0, syscall.EIO
				}
				return 0, nil
			}
			d.mu.Unlock()
			loaded, err := h.Load(t.Context(), []notify.ItemID{first[0].ID, second[1].ID})
			require.NoError(t, err)
			if test.loads {
				require.Len(t, loaded, 2)
			} else {
				require.Len(t, loaded, 1)
				require.Equal(t, second[1].ID, loaded[0].ID)
			}
			verdict := done
			if test.bury {
				verdict = buried
			}
			require.NoError(t, h.Settle(t.Context(), verdict(first[0].ID, second[0].ID)))
			d.mu.Lock()
			d.fault = nil
			d.mu.Unlock()
			require.Len(t, letterIDs(t, s), int(btoi(test.bury)))
			require.NoError(t, s.Close())

			s = openDisk(t, d)
			h = only(t, s)
			want := len(items) - 2 + int(btoi(test.none))
			var left []notify.ItemID
			for _, it := range scanClass(t, h, notify.ClassPush) {
				left = append(left, it.ID)
			}
			require.Len(t, left, want)
			require.NotContains(t, left, second[0].ID)
			require.Equal(t, test.none, left[0] == first[0].ID)
			require.NoError(t, s.Close())
		})
	}
}

// TestDoubtfulLetterOfUnreadable: a letter that a failed Settle left stays while its
// item cannot be read: the item may be finished, and would be lost.
func TestDoubtfulLetterOfUnreadable(t *testing.T) {
	t.Parallel()
	d := newDisk()
	s := openDisk(t, d)
	put(t, s, numbered(1))
	h := only(t, s)
	it := scanClass(t, h, notify.ClassPush)[0]
	set := func(f func(o op) (int, error)) {
		d.mu.Lock()
		defer d.mu.Unlock()
		d.fault = f
	}
	set(faultFor("sync", logDir, 9, errFull))
	require.Error(t, h.Settle(t.Context(), buried(it.ID)))
	require.Len(t, letterIDs(t, s), 1)
	for m := range s.marked { // as when others need the memory
		m.mu.Lock()
		m.st = nil
		m.mu.Unlock()
	}
	set(func(o op) (int, error) {
		if o.kind == "read" && strings.Contains(o.name, markSuffix) {
			return 0, syscall.EIO
		}
		return 0, nil
	})
	require.NoError(t, h.Settle(t.Context(), buried(it.ID)))
	set(nil)
	require.Len(t, letterIDs(t, s), 1)
	require.NoError(t, s.Close())
}
