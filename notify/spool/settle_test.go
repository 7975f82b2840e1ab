package spool

import (
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/garminkit/activityapi/notify"
)

// TestLastVerdicts: the verdicts that end a large body are as safe as others:
// its file is gone when they are recorded, or its marks tell them. Marks that
// would be removed a moment later are not written.
func TestLastVerdicts(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name      string
		remove    error // of the body
		write     error // of the marks
		wantErr   bool
		wantMarks int
		wantLeft  int // after a restart
	}{
		{name: "well", write: syscall.EIO},
		{name: "the file stays", remove: syscall.EIO, wantMarks: 1},
		{name: "neither", remove: syscall.EIO, write: syscall.EIO, wantErr: true, wantMarks: 1, wantLeft: itemsOf},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			d := newDisk()
			s := openDisk(t, d)
			defer s.Close()
			put(t, s, numbered(7)) // a large one
			h := only(t, s)
			var ids []notify.ItemID
			for _, it := range scanAll(t, s, h) {
				ids = append(ids, it.ID)
			}
			require.Len(t, ids, itemsOf)
			marks := 0
			d.fault = func(o op) (int, error) {
				switch {
				case o.kind == "remove" && strings.HasSuffix(o.name, bodySuffix):
					return 0, tt.remove
				case o.kind == "write" && strings.HasSuffix(o.name, markSuffix):
					marks++
					return 0, tt.write
				}
				return 0, nil
			}
			err := h.Settle(t.Context(), done(ids...))
			require.Equal(t, tt.wantErr, err != nil, "%v", err)
			require.Equal(t, tt.wantMarks, min(marks, 1))
			d.fault = nil
			again := openDisk(t, d.clone())
			require.Len(t, drain(t, again), tt.wantLeft)
			require.NoError(t, again.Close())

			// Who offers them again is done with it.
			require.NoError(t, h.Settle(t.Context(), done(ids...)))
			require.Empty(t, scanAll(t, s, h))
			again = openDisk(t, d.clone())
			require.Empty(t, drain(t, again))
			require.NoError(t, again.Close())
		})
	}
}

// TestSetAsideWhileRead: who reads items of a large body while it goes away is
// told that it is gone.
func TestSetAsideWhileRead(t *testing.T) {
	t.Parallel()
	d := newDisk()
	s := openDisk(t, d)
	s.indexRoom = 0
	defer s.Close()
	put(t, s, numbered(7))
	h := only(t, s)
	items := scanAll(t, s, h)
	d.fault = func(o op) (int, error) {
		if o.kind != "open" || !strings.HasSuffix(o.name, indexSuffix) {
			return 0, nil
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		delete(s.large, seqOf(items[0].ID))
		return 0, syscall.ENOENT
	}
	_, err := h.Open(t.Context(), items[0].ID)
	require.ErrorIs(t, err, errNotExist)
}
