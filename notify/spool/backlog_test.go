package spool

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/garminkit/activityapi/notify"
	"github.com/garminkit/activityapi/types"
)

// drawnBody is a body of n items whose users are drawn from some.
func drawnBody(rng *rand.Rand, n, users int) string {
	var b strings.Builder
	b.WriteString(`{"activities":[`)
	for i := range n {
		if i > 0 {
			b.WriteByte(',')
		}
		user := fmt.Sprint("u", rng.IntN(users))
		switch rng.IntN(20) {
		case 0:
			fmt.Fprintf(&b, `{"userId":%q,"callbackURL":"https://x/%d"}`, user, i)
		case 1:
			b.WriteByte('0')
		default:
			fmt.Fprintf(&b, `{"userId":%q,"summaryId":"%d"}`, user, i)
		}
	}
	if rng.IntN(10) == 0 {
		return b.String() // cut
	}
	b.WriteString(`],"deregistrations":[{"userId":"u1"}]}`)
	return b.String()
}

// TestBacklogOrder: whatever bodies there are, a scan finds each item once, those
// of one user in order; also behind those that a scan found before, after a
// part of them was settled, and after a restart.
func TestBacklogOrder(t *testing.T) {
	seeds := uint64(3)
	if testing.Short() {
		seeds = 1
	}
	for seed := range seeds {
		rng := rand.New(rand.NewPCG(seed, 1))
		dir := t.TempDir()
		s, err := openDir(dir, nil)
		require.NoError(t, err)
		h := only(t, s)
		put := func(n int) {
			for range n {
				items := 1 + rng.IntN(4)
				if rng.IntN(4) == 0 {
					items = 1400 + rng.IntN(3000)
				}
				require.NoError(t, s.Put(t.Context(), strings.NewReader(drawnBody(rng, items, 1+rng.IntN(300)))))
			}
		}
		seen := map[notify.ItemID]bool{}
		var after [notify.Classes]notify.ItemID
		last := map[string]notify.ItemID{}
		scan := func(class notify.Class) (found int) {
			list, err := h.Scan(t.Context(), class, after[class], 1+rng.IntN(300))
			require.NoError(t, err)
			for _, it := range list {
				require.False(t, seen[it.ID], "item %d was found twice", it.ID)
				seen[it.ID] = true
				after[class] = it.ID
				if user := fmt.Sprint(class, it.UserID); class != notify.ClassBad {
					require.Less(t, last[user], it.ID, "user %s", user)
					last[user] = it.ID
				}
			}
			return len(list)
		}
		drain := func() {
			for found := true; found; {
				select {
				case <-h.Changed():
				default:
					found = false
				}
				for class := range notify.Class(notify.Classes) {
					for scan(class) > 0 {
						found = true
					}
				}
			}
		}
		total := func() (n int) {
			st, err := s.Stats(t.Context())
			require.NoError(t, err)
			require.Zero(t, st.Bodies)
			for _, c := range st.Items {
				n += int(c)
			}
			return n
		}
		put(20)
		for range 60 { // bodies come while others are scanned
			scan(notify.Class(rng.IntN(notify.Classes)))
			if rng.IntN(3) == 0 {
				put(1)
			}
		}
		drain()
		require.Equal(t, len(seen), total())
		require.Zero(t, h.(*share).lines[notify.ClassPush].hidden)
		require.Empty(t, h.(*share).lines[notify.ClassPush].backlogs)

		var verdicts []notify.Verdict
		for id := range seen {
			if rng.IntN(3) > 0 {
				verdicts = append(verdicts, notify.Verdict{ID: id, Fate: notify.Done})
			}
		}
		require.NoError(t, h.Settle(t.Context(), verdicts))
		left := len(seen) - len(verdicts)
		for _, restart := range []bool{false, true} {
			if restart {
				require.NoError(t, s.Close())
				s, err = openDir(dir, nil)
				require.NoError(t, err)
				h = only(t, s)
			}
			clear(seen)
			clear(last)
			after = [notify.Classes]notify.ItemID{}
			for range 5 {
				scan(notify.ClassPush)
			}
			drain()
			require.Len(t, seen, left)
			require.Equal(t, left, total())
		}
		require.NoError(t, s.Close())
	}
}

// TestBacklogGivesWay: what comes after a body of many items is found at once,
// unless it is of a user who may have items in it.
func TestBacklogGivesWay(t *testing.T) {
	s, err := openDir(t.TempDir(), nil)
	require.NoError(t, err)
	defer s.Close()
	h := only(t, s)
	const n = 50_000
	rng := rand.New(rand.NewPCG(1, 1))
	require.NoError(t, s.Put(t.Context(), strings.NewReader(drawnBody(rng, n, 1))))
	require.NoError(t, s.Put(t.Context(), strings.NewReader(`{"activities":[{"userId":"good","summaryId":"1"},{"userId":"u0","summaryId":"last"}]}`)))
	place := map[types.UserID]int{}
	count := 0
	for after := notify.ItemID(0); ; {
		list, err := h.Scan(t.Context(), notify.ClassPush, after, 256)
		require.NoError(t, err)
		if len(list) == 0 {
			select {
			case <-h.Changed(): // It was slow.
				continue
			default:
			}
			break
		}
		for _, it := range list {
			count++
			after = it.ID
			place[it.UserID] = count
		}
	}
	require.LessOrEqual(t, place["good"], 256)
	require.Equal(t, count, place["u0"], "the last of them is the last of all")
	require.Greater(t, count, n*8/10)
}

func TestUserSet(t *testing.T) {
	set := make(userSet, maxUserSet)
	for i := range 500 {
		set.add(types.UserID(fmt.Sprint("user", i)))
	}
	for _, size := range []int64{1, 64 << 10, 1 << 20, 100 << 20} {
		folded := set.fold(size)
		others := 0
		for i := range 1000 {
			has := folded.has(userHash(types.UserID(fmt.Sprint("user", i))))
			if i < 500 {
				require.True(t, has)
			} else if has {
				others++
			}
		}
		t.Logf("a body of %d bytes: %d bytes, %d of 500 others may be in it", size, len(folded), others)
		require.Less(t, others, 60)
	}
	require.False(t, userSet(nil).has(1))
}
