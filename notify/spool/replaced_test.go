package spool

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/garminkit/activityapi/notify"
	"github.com/garminkit/activityapi/types"
)

// renamedFS calls a function after the next file has its new name.
type renamedFS struct {
	diskFS
	after func()
}

func (r *renamedFS) Rename(old, new string) error {
	err := r.diskFS.Rename(old, new)
	if after := r.after; after != nil {
		r.after = nil
		after()
	}
	return err
}

// TestReplacedWhileRead: a segment is replaced while something reads it. Whoever
// opens the new file before its places are known must not look for the old ones in
// it: what lies in between would be passed over until the next Open, and a record
// found in its middle would become a letter.
func TestReplacedWhileRead(t *testing.T) {
	t.Parallel()
	for name, reader := range map[string]struct {
		class notify.Class
		times int // that the segment is replaced
		read  func(t *testing.T, s *spool, left []notify.ItemID) (begin func(), rest func() []notify.ItemID)
	}{
		"pass":    {notify.ClassPush, 1, scanOn(notify.ClassPush)},
		"account": {notify.ClassAccount, 1, scanOn(notify.ClassAccount)},
		"load": {notify.ClassPush, 1, func(t *testing.T, s *spool, left []notify.ItemID) (func(), func() []notify.ItemID) {
			return func() {}, func() (ids []notify.ItemID) {
				for _, id := range slices.Backward(left) {
					list, err := s.load(t.Context(), []notify.ItemID{id})
					if err != nil {
						t.Error(err)
					}
					for _, it := range list {
						ids = append(ids, it.ID)
					}
				}
				return ids
			}
		}},
		"erase": {notify.ClassPush, 2, func(t *testing.T, s *spool, left []notify.ItemID) (func(), func() []notify.ItemID) {
			return func() {}, func() []notify.ItemID {
				// The user of the body number one is u0.
				out, err := s.Erase(t.Context(), types.UserID(fmt.Sprint("u", seqOf(left[len(left)-1])-1)))
				if err != nil || out.Removed["items"] == 0 {
					t.Errorf("%+v, %v", out, err)
				}
				return left
			}
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			fs := &renamedFS{}
			s, err := open(t.TempDir(), &Options{RepeatTime: -1}, fs)
			require.NoError(t, err)
			defer s.Close()
			const bodies = 1200
			pad := strings.Repeat("x", 1<<10)
			puts := make([]pending, 0, bodies)
			for i := range bodies {
				body := fmt.Appendf(nil, `{"activities":[{"userId":"u%d","summaryId":"s","activityName":%q}],"deregistrations":[{"userId":"u%d"}]}`, i, pad, i)
				puts = append(puts, pending{header: header{look: sizeLooked | sizeAccount}, body: body, record: int64(recordSize(len(body)))})
			}
			var last *batch
			for _, p := range puts {
				last, _, err = s.gathering.add(p)
				require.NoError(t, err)
			}
			<-last.done
			require.NoError(t, last.err)
			require.NoError(t, s.turn())

			// Two of three bodies are finished.
			begin, rest := scanOn(reader.class)(t, s, nil)
			begin()
			rest()
			var done []notify.Verdict
			var left []notify.ItemID
			for c, more := (&cursor{counts: true}), true; more; {
				more, err = s.walk(t.Context(), c, s.visible(), func(ch *chunk) error {
					return s.found(ch, true, func(it *notify.Item) {
						if seqOf(it.ID)%3 > 0 {
							done = append(done, notify.Verdict{ID: it.ID, Fate: notify.Done})
						} else if it.Class == reader.class {
							left = append(left, it.ID)
						}
					})
				})
				require.NoError(t, err)
			}
			require.Len(t, left, bodies/3)
			require.NoError(t, s.settle(t.Context(), done))

			begin, rest = reader.read(t, s, left)
			begin()
			read := make(chan []notify.ItemID)
			fs.after = func() {
				go func() { read <- rest() }()
				// Long enough for a reader that does not wait for the places. One that
				// waits goes on when compact is done.
				select {
				case ids := <-read:
					go func() { read <- ids }()
				case <-time.After(300 * time.Millisecond):
				}
			}
			g := s.segments[0]
			require.NoError(t, s.compact(g))
			have := <-read
			require.Equal(t, reader.times, g.version)
			slices.Sort(have)
			require.Len(t, slices.Compact(have), len(left))
			require.Zero(t, s.letters.len(), "letters")
		})
	}
}

// scanOn scans a class: at first only a part of the first items, and then the rest.
func scanOn(class notify.Class) func(*testing.T, *spool, []notify.ItemID) (begin func(), rest func() []notify.ItemID) {
	return func(t *testing.T, s *spool, _ []notify.ItemID) (func(), func() []notify.ItemID) {
		h, err := s.newShare()
		require.NoError(t, err)
		after := notify.ItemID(0)
		var ids []notify.ItemID
		scan := func(most int) bool {
			list, err := h.Scan(t.Context(), class, after, most)
			if err != nil {
				t.Error(err)
			}
			for _, it := range list {
				after = it.ID
				ids = append(ids, it.ID)
			}
			return len(list) > 0
		}
		return func() { scan(50) }, func() []notify.ItemID {
			for {
				for scan(500) {
				}
				select {
				case <-h.Changed():
				default:
					return ids
				}
			}
		}
	}
}

// TestCompactGone: a segment that is finished before its turn to be compacted is no
// trouble.
func TestCompactGone(t *testing.T) {
	t.Parallel()
	d := newDisk()
	s := openDisk(t, d)
	h := only(t, s)
	pad := strings.Repeat("x", 2<<10)
	for i := range 60 {
		require.NoError(t, s.Put(t.Context(), strings.NewReader(fmt.Sprintf(`{"activities":[{"userId":"u","summaryId":"%d","activityName":%q}]}`, i, pad))))
	}
	s.mu.Lock()
	g := s.segments[0]
	require.Greater(t, len(s.segments), 2)
	s.mu.Unlock()
	var verdicts []notify.Verdict
	for _, it := range scanAll(t, s, h) {
		verdicts = append(verdicts, notify.Verdict{ID: it.ID, Fate: notify.Done})
	}
	require.NoError(t, h.Settle(t.Context(), verdicts))
	d.mu.Lock()
	require.Nil(t, d.names[s.path(logDir, g.file)])
	d.mu.Unlock()
	require.NoError(t, s.compact(g))
	require.NoError(t, s.Close())
}

// sparse gives a spool with a segment whose first and last item wait. All others are
// finished, and each had waited for a reason.
func sparse(t *testing.T, d *disk, reason string) *spool {
	s := openDisk(t, d)
	s.segmentSize = 1 << 20
	put(t, s, []byte(`{"activities":[`+others("activities", 1, 10)+`]}`))
	for n := range 100 {
		put(t, s, []byte(`{"activities":[`+hers("activities", n)+`,`+others("activities", n, 2000)+`]}`))
	}
	put(t, s, []byte(`{"activities":[`+others("activities", 2, 10)+`]}`))
	require.NoError(t, s.turn())
	h := only(t, s)
	items := scanAll(t, s, h)
	require.Len(t, items, 202)
	for _, it := range items[1:201] {
		require.NoError(t, h.Settle(t.Context(), []notify.Verdict{{ID: it.ID, Fate: notify.Again, Attempts: 1, Reason: reason}}))
		require.NoError(t, h.Settle(t.Context(), done(it.ID)))
	}
	h.Release()
	return s
}

// TestCompactDamage: a segment with damage of which there is no letter yet is not
// replaced: whose bodies are in it is not known.
func TestCompactDamage(t *testing.T) {
	t.Parallel()
	d := newDiskOf(nil)
	s := sparse(t, d, "")
	g := s.segments[0]
	d.names[s.path(logDir, g.file)].data[9] ^= 4 // the number of the first body, which waits
	require.ErrorIs(t, s.compact(g), errChecksum)
	require.NoError(t, s.Close())
	s = openDisk(t, d)
	h := only(t, s)
	require.Len(t, scanAll(t, s, h), 1)
	letters := lettersOf(t, s)
	require.Len(t, letters, 1)
	for _, body := range letters {
		require.Contains(t, body, `"summaryId":"o1"`)
	}
	require.NoError(t, s.Close())
}

// TestEraseReasons: why an item of hers once had to wait goes with her, also if a
// segment was replaced since then by one without her.
func TestEraseReasons(t *testing.T) {
	t.Parallel()
	d := newDiskOf(nil)
	s := sparse(t, d, "SECRET-TOKEN")
	g := s.segments[0]
	require.NoError(t, s.compact(g))
	require.NotZero(t, g.version)
	out, err := s.Erase(t.Context(), victim)
	require.NoError(t, err)
	require.Empty(t, out.Left)
	for name, ino := range d.names {
		require.NotContains(t, string(ino.data), "SECRET-TOKEN", name)
	}
	h := only(t, s)
	require.Len(t, scanAll(t, s, h), 2)
	require.NoError(t, s.Close())
}
