package spool

import (
	"bytes"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/garminkit/activityapi/notify"
)

// TestUnreadableMarks: a file of marks that cannot be read holds up the bodies whose
// marks it has, and no others. They are there when it can be read.
func TestUnreadableMarks(t *testing.T) {
	t.Parallel()
	account := []byte(`{"deregistrations":[{"userId":"u1"},{"userId":"u2"}]}`)
	largeAccount := slices.Concat([]byte(`{"x":"`), bytes.Repeat([]byte("y"), maxSmall), []byte(`","deregistrations":[{"userId":"u3"},{"userId":"u4"}]}`))
	tests := map[string]struct {
		first []byte
		class notify.Class
		room  int64 // for indexes
	}{
		"of a segment":                       {first: numbered(1), class: notify.ClassPush},
		"of a large body":                    {first: numbered(7), class: notify.ClassPush, room: indexRoom},
		"of a large body with an index file": {first: numbered(7), class: notify.ClassPush},
		"of a segment, for accounts":         {first: account, class: notify.ClassAccount},
		"of a large body, for accounts":      {first: largeAccount, class: notify.ClassAccount, room: indexRoom},
		"of a large body that gave way":      {first: []byte(mixed(1, 3000, 100)), class: notify.ClassPush, room: indexRoom},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := newDisk()
			s := openDisk(t, d)
			put(t, s, test.first)
			h := only(t, s)
			first := scanClass(t, h, test.class)
			require.NoError(t, h.Settle(t.Context(), done(first[0].ID)))
			require.NoError(t, s.turn())
			if test.class == notify.ClassAccount {
				put(t, s, []byte(`{"deregistrations":[{"userId":"u5"}]}`))
			} else {
				put(t, s, numbered(2))
			}
			require.NoError(t, s.Close())

			bad := "/0000000000000001-"
			if len(test.first) > maxSmall {
				bad = "/0000000000000001."
			}
			s = openDisk(t, d)
			s.indexRoom = test.room
			d.fault = func(o op) (int, error) {
				if o.kind == "read" && strings.Contains(o.name, bad) && strings.HasSuffix(o.name, markSuffix) {
					return 0, syscall.EIO
				}
				return 0, nil
			}
			h = only(t, s)
			var found []*notify.Item
			for after := notify.ItemID(0); ; {
				s.builders.Wait()
				list, err := h.Scan(t.Context(), test.class, after, 100)
				require.NoError(t, err)
				if len(list) > 0 {
					found, after = append(found, list...), list[len(list)-1].ID
					continue
				}
				select {
				case <-h.Changed():
					continue
				default:
				}
				break
			}
			require.NotEmpty(t, found)
			for _, it := range found {
				require.NotEqual(t, first[0].Body, it.Body)
			}
			require.NotZero(t, s.Counts().Unreadable)
			require.NoError(t, s.Close())

			d.fault = nil
			s = openDisk(t, d)
			h = only(t, s)
			require.Len(t, scanClass(t, h, test.class), len(first)-1+len(found))
			require.NoError(t, s.Close())
		})
	}
}

// TestNoDescriptor: a process that can open no file for a while passes over nothing.
func TestNoDescriptor(t *testing.T) {
	t.Parallel()
	for _, file := range []string{segmentSuffix, markSuffix} {
		for class, body := range map[notify.Class][]byte{
			notify.ClassPush:    numbered(1),
			notify.ClassAccount: []byte(`{"deregistrations":[{"userId":"u1"},{"userId":"u2"},{"userId":"u3"}]}`),
		} {
			d := newDisk()
			s := openDisk(t, d)
			put(t, s, body)
			h := only(t, s)
			require.NoError(t, h.Settle(t.Context(), done(scanClass(t, h, class)[0].ID)))
			require.NoError(t, s.Close())
			s = openDisk(t, d)
			h = only(t, s)
			d.fault = faultFor("open", file, 0, syscall.EMFILE)
			_, err := h.Scan(t.Context(), class, 0, 100)
			require.ErrorIs(t, err, syscall.EMFILE)
			d.fault = nil
			require.Len(t, scanClass(t, h, class), 2)
			require.Zero(t, s.Counts().Unreadable)
			require.NoError(t, s.Close())
		}
	}
}
