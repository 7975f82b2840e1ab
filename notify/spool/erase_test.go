package spool

import (
	"bytes"
	"context"
	"crypto/cipher"
	"fmt"
	"io"
	"math/rand/v2"
	"net/url"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/garminkit/activityapi/notify"
	"github.com/garminkit/activityapi/types"
)

// victim is who is erased. Her id needs escapes, and is a part of another's.
const victim = types.UserID(`4a/ce-"é"`)

// needles are what no file may hold of her.
var needles = []string{
	string(victim), `4a/ce-\"é\"`, `4a/ce-\"\u00e9\"`, `4a\/ce-\"\u00E9\"`, url.QueryEscape(string(victim)), url.PathEscape(string(victim)),
	"51.4778216", "SECRET-TOKEN-OF-HERS",
}

// forms are her id as JSON may write it.
var forms = []string{`"4a/ce-\"é\""`, `"4a/ce-\"\u00e9\""`, `"4a\/ce-\"\u00E9\""`}

// hers is an item of hers under key.
func hers(key string, n int) string {
	id := forms[n%len(forms)]
	switch key {
	case "deregistrations":
		return `{"userId":` + id + `}`
	case "activityFiles":
		return fmt.Sprintf(`{"userId":%s,"summaryId":"v%d","fileType":"FIT","callbackURL":"https://apis.garmin.com/f?uid=%s&token=SECRET-TOKEN-OF-HERS","startTimeInSeconds":1}`, id, n, url.QueryEscape(string(victim)))
	case "odd":
		return fmt.Sprintf(`{"whose":%s,"lat":51.4778216}`, id)
	}
	return fmt.Sprintf(`{"userId":%s,"summaryId":"v%d","latitude":51.4778216,"activityName":"SECRET-TOKEN-OF-HERS"}`, id, n)
}

// others is an item of somebody else.
func others(key string, n, size int) string {
	switch key {
	case "deregistrations":
		return fmt.Sprintf(`{"userId":"4a/ce-%d"}`, n)
	case "activityFiles":
		return fmt.Sprintf(`{"userId":"u%d","summaryId":"o%d","fileType":"FIT","callbackURL":"https://apis.garmin.com/f?token=OTHERS%d","startTimeInSeconds":1}`, n%5, n, n)
	case "odd":
		return fmt.Sprintf(`{"whose":"u%d"}`, n)
	}
	return fmt.Sprintf(`{"userId":"u%d","summaryId":"o%d","activityName":"%s"}`, n%5, n, strings.Repeat("x", size))
}

// mixed is a body with items of hers among others'.
func mixed(seed, items, size int) string {
	rnd := rand.New(rand.NewPCG(uint64(seed), 3))
	var lists []string
	n := seed * 10_000
	for _, key := range []string{"activities", "deregistrations", "odd", "activityFiles"} {
		var list []string
		for range items {
			if n++; rnd.IntN(3) == 0 {
				list = append(list, hers(key, n))
			} else {
				list = append(list, others(key, n, size))
			}
		}
		lists = append(lists, fmt.Sprintf("%q:[%s]", key, strings.Join(list, " , ")))
	}
	return "{" + strings.Join(lists, ",") + "}"
}

// cutOff is a body that ends in the middle of an item of hers.
func cutOff(seed int) string {
	return fmt.Sprintf(`{"activities":[%s,%s,{"userId":%s,"summaryId":"v","latitude":51.4778216,"samples":[{"a":1},{"token":"SECRET-TOKEN-OF-HERS"},`,
		others("activities", seed*10_000, 10), hers("activities", seed), forms[seed%3])
}

// fillMixed puts bodies of all shapes and works on some: what is done, waits, is in
// letters of items, of the rest of a body, and of whole bodies.
func fillMixed(t testing.TB, s *spool, many int) {
	t.Helper()
	ctx := context.Background()
	for i := range many {
		put(t, s, []byte(mixed(i+1, 4, 30)))
		put(t, s, []byte(fmt.Sprintf(`{"activities":[%s]}`, hers("activities", i))))
	}
	put(t, s, []byte(cutOff(90)))
	put(t, s, []byte(mixed(40, 6*many, 30_000))) // large
	long := strings.Replace(hers("activities", 1), "HERS", "HERS"+strings.Repeat("y", 180_000/many), 1)
	put(t, s, []byte(`{"activities":[`+strings.Repeat(long+",", many)+long+`]}`))
	put(t, s, []byte(mixed(42, 5*many, 30_000)+"\x00")) // large, and no JSON
	if many > 3 {
		put(t, s, []byte(mixed(41, 150, 300)))
	}
	put(t, s, []byte("garbage that is nobody's"))
	h := only(t, s)
	defer h.Release()
	for i, it := range scanAll(t, s, h) {
		v := notify.Verdict{ID: it.ID, Fate: notify.Done}
		switch {
		case i%7 == 0 || it.Key == "" && it.Size > maxSmall:
			v.Fate, v.Letter = notify.Buried, &notify.DeadLetter{Key: it.Key, UserID: it.UserID, Reason: "given up"}
		case i%7 == 1:
			v.Fate, v.Rest, v.Letter = notify.Buried, true, &notify.DeadLetter{Key: it.Key, UserID: it.UserID, Reason: "the rest"}
		case i%7 == 2:
			v = notify.Verdict{ID: it.ID, Fate: notify.Again, Attempts: 2, Next: time.Now().Add(time.Hour), Reason: "not yet"}
		case i%7 < 5:
			continue
		}
		require.NoError(t, h.Settle(ctx, []notify.Verdict{v}))
	}
	put(t, s, []byte(mixed(50, 3, 10))) // nobody has looked at it
	put(t, s, []byte(mixed(51, 4*many, 30_000)))
}

// held is what a spool holds of others: the items by ID, with what is known of
// them, and the items in letters. mine counts what is hers.
func held(t testing.TB, s *spool) (out map[string]string, mine int) {
	t.Helper()
	out = map[string]string{}
	// A whole body and neighbours that cannot be read have several in one.
	add := func(p *notify.Piece, raw, name, known string) {
		for i, part := range strings.Split(raw, " , ") {
			switch part = strings.TrimSpace(part); {
			case isHers(p.UserID, part):
				mine++
			case part == "0", p.Key == "" && strings.HasPrefix(raw, "{"):
			default:
				out[fmt.Sprint(name, " ", i, " ", part)] = known
			}
		}
	}
	h := only(t, s)
	defer h.Release()
	for _, it := range scanAll(t, s, h) {
		known := fmt.Sprint(it.Order, it.Class, it.Key, it.Index, it.UserID, it.Received.UnixNano(), it.Attempts, it.Next.UnixNano())
		add(&it.Piece, string(read(t, h, it)), fmt.Sprintf("item %x", uint64(it.ID)), known)
	}
	for id, body := range lettersOf(t, s) {
		for p, err := range new(notify.Splitter).Split(strings.NewReader(body)) {
			require.NoError(t, err)
			add(&p, body[p.Offset:p.Offset+p.Size], "letter "+id, p.Key)
		}
	}
	return out, mine
}

// same compares what is held.
func same(t testing.TB, want, have map[string]string) {
	t.Helper()
	for k, v := range want {
		if have[k] != v {
			t.Fatalf("%.300s: was %q, is %q", k, v, have[k])
		}
	}
	for k := range have {
		if _, ok := want[k]; !ok {
			t.Fatalf("%.300s was not there", k)
		}
	}
}

func isHers(user types.UserID, raw string) bool {
	for _, f := range forms {
		if strings.Contains(raw, f) {
			return true
		}
	}
	return user == victim
}

// traces gives the files that hold something of her, sealed or not.
func traces(t testing.TB, d *disk) (found []string) {
	for name, data := range opened(t, d) {
		for _, n := range needles {
			if i := bytes.Index(data, []byte(n)); i >= 0 {
				found = append(found, fmt.Sprintf("%s has %q at %d of %d", filepath.Base(name), n, i, len(data)))
			}
			if strings.Contains(name, n) {
				found = append(found, name)
			}
		}
	}
	return found
}

// TestErase: nothing of a user is found in any file, others keep all they have,
// and the process goes on, with items that it had scanned before.
func TestErase(t *testing.T) {
	t.Parallel()
	eachForm(t, erase)
}

func erase(t *testing.T, aead cipher.AEAD) {
	ctx := context.Background()
	d := newDiskOf(aead)
	s := openDisk(t, d)
	fillMixed(t, s, 4)
	want, mine := held(t, s)
	require.NotEmpty(t, traces(t, d))
	require.Greater(t, mine, 50)
	require.Greater(t, len(want), 200)

	h := only(t, s)
	before, err := h.Scan(ctx, notify.ClassPush, 0, 50)
	require.NoError(t, err)
	var hadHers notify.ItemID
	for _, it := range before {
		if it.UserID == victim {
			hadHers = it.ID
		}
	}
	require.NotZero(t, hadHers)
	out, err := s.Erase(ctx, victim)
	require.NoError(t, err)
	require.Empty(t, out.Left)
	require.Greater(t, out.Removed["items"], 30)
	require.Positive(t, out.Removed["letters"])
	require.Positive(t, out.Removed["letter items"])
	require.Positive(t, out.Removed["remains"])
	require.Empty(t, traces(t, d))

	// Who had it in hand finds that it is finished, and can bury it no more.
	_, err = h.Open(ctx, hadHers)
	require.ErrorIs(t, err, errNotExist)
	items, err := h.Load(ctx, []notify.ItemID{hadHers})
	require.NoError(t, err)
	require.Empty(t, items)
	require.NoError(t, h.Settle(ctx, []notify.Verdict{
		{ID: hadHers, Fate: notify.Buried, Letter: &notify.DeadLetter{UserID: victim, Reason: "too late"}},
	}))
	// The scan goes on behind what it had given.
	got := map[notify.ItemID]int{}
	for after, more := before[len(before)-1].ID, true; more; {
		list, err := h.Scan(ctx, notify.ClassPush, after, 70)
		require.NoError(t, err)
		for _, it := range list {
			require.NotEqual(t, victim, it.UserID)
			require.Zero(t, got[it.ID])
			got[it.ID]++
			after = it.ID
		}
		if len(list) == 0 {
			select {
			case <-h.Changed():
			default:
				more = false
			}
		}
	}
	for _, it := range before {
		if it.UserID != victim {
			got[it.ID]++
		}
	}
	st, err := s.Stats(ctx)
	require.NoError(t, err)
	require.Len(t, got, int(st.Items[notify.ClassPush]))
	h.Release()
	have, mine := held(t, s)
	require.Zero(t, mine)
	same(t, want, have)
	require.Empty(t, traces(t, d))

	again, err := s.Erase(ctx, victim)
	require.NoError(t, err)
	require.Equal(t, &notify.Erasure{}, again)
	// She comes back.
	put(t, s, []byte(fmt.Sprintf(`{"activities":[%s]}`, hers("activities", 77))))
	require.NoError(t, s.Close())
	s = openDisk(t, d)
	have, mine = held(t, s)
	require.Equal(t, 1, mine)
	same(t, want, have)
	require.NoError(t, s.Close())
	require.Empty(t, s.Counts().Damaged)
}

// TestEraseHoldings: what is yielded is what an Erase removes.
func TestEraseHoldings(t *testing.T) {
	t.Parallel()
	eachForm(t, eraseHoldings)
}

func eraseHoldings(t *testing.T, aead cipher.AEAD) {
	ctx := context.Background()
	d := newDiskOf(aead)
	s := openDisk(t, d)
	defer s.Close()
	fillMixed(t, s, 4)
	count := func() map[string]int {
		n := map[string]int{}
		for h, err := range s.Holdings(ctx, victim) {
			require.NoError(t, err)
			n[h.What]++
			r, err := h.Open()
			require.NoError(t, err)
			text, err := io.ReadAll(r)
			require.NoError(t, err)
			require.NoError(t, r.Close())
			require.True(t, isHers("", string(text)), "%s %s: %.200s", h.What, h.Name, text)
			require.NotContains(t, string(text), `"summaryId":"o`)
		}
		return n
	}
	before := count()
	out, err := s.Erase(ctx, victim)
	require.NoError(t, err)
	require.GreaterOrEqual(t, before["items"], out.Removed["items"])
	require.Positive(t, before["letters"])
	require.Empty(t, count())
}

// TestErasePowerCut cuts the power after every operation of an Erase. What is
// there then is all of others', and a repeated Erase leaves nothing of hers.
func TestErasePowerCut(t *testing.T) {
	t.Parallel()
	eachForm(t, erasePowerCut)
}

func erasePowerCut(t *testing.T, aead cipher.AEAD) {
	synctest.Test(t, func(t *testing.T) {
		ctx := context.Background()
		d := newDiskOf(aead)
		s := openDisk(t, d)
		fillMixed(t, s, 2)
		want, _ := held(t, s)
		require.NoError(t, s.Close())
		s = openDisk(t, d)
		p := d.platter()
		begin := len(d.ops)
		_, err := s.Erase(ctx, victim)
		require.NoError(t, err)
		ops := d.ops[begin:]
		require.NoError(t, s.Close())
		require.Greater(t, len(ops), 100)

		rnd := rand.New(rand.NewPCG(*seed, 5))
		for n, o := range ops {
			p.apply(o)
			if (n%3 > 0 || aead != nil && n%12 > 0) && *cuts < 10_000 || n%21 > 0 && testing.Short() {
				continue
			}
			how := loss(n / 3 % lossKinds)
			if !crashAndCheck(t, fmt.Sprintf("after operation %d (%v), %d", n, o, how), func(t testing.TB) {
				d := p.crash(how, rnd)
				s := openDisk(t, d)
				defer s.Close()
				if n%5 == 0 {
					have, _ := held(t, s)
					same(t, want, have)
				}
				out, err := s.Erase(ctx, victim)
				require.NoError(t, err)
				require.Empty(t, out.Left)
				require.Empty(t, traces(t, d))
				have, mine := held(t, s)
				require.Zero(t, mine)
				same(t, want, have)
				require.Zero(t, s.Counts().Damaged)
			}) {
				return
			}
		}
		t.Logf("%d operations", len(ops))
	})
}

// TestEraseFails lets every operation of an Erase fail, once that one and once
// all after it. What was not removed is told, others keep what they have, and a
// repeated Erase leaves nothing.
func TestEraseFails(t *testing.T) {
	t.Parallel()
	eachForm(t, eraseFails)
}

func eraseFails(t *testing.T, aead cipher.AEAD) {
	synctest.Test(t, func(t *testing.T) {
		ctx := context.Background()
		first := newDiskOf(aead)
		s := openDisk(t, first)
		fillMixed(t, s, 2)
		want, _ := held(t, s)
		require.NoError(t, s.Close())
		p := first.platter()
		total := 0
		rnd := rand.New(rand.NewPCG(*seed, 6))
		for k := -1; k < total; k++ {
			if (k%4 > 0 || aead != nil && k%16 > 0) && *cuts < 10_000 || k%28 > 0 && testing.Short() {
				continue
			}
			d := p.crash(loseNone, rnd)
			s := openDisk(t, d)
			n, read, last := 0, 0, op{}
			forGood := k%8 == 0
			d.fault = func(o op) (int, error) {
				if reads(o, &read) {
					return 0, nil
				}
				if n++; n-1 == k || forGood && n-1 > k {
					last = o
					return 0, syscall.EIO
				}
				return 0, nil
			}
			if k < 0 {
				d.fault = func(o op) (int, error) {
					if !reads(o, &read) {
						total++
					}
					return 0, nil
				}
			}
			out, err := s.Erase(ctx, victim)
			d.mu.Lock()
			d.fault = nil
			d.mu.Unlock()
			if err == nil && len(out.Left) == 0 {
				require.Empty(t, traces(t, d), "operation %d, %v", k, last)
			}
			synctest.Wait()
			if s.Counts().Unreadable == 0 {
				have, _ := held(t, s)
				same(t, want, have)
			}
			require.NoError(t, s.Close())
			for _, ino := range d.names {
				ino.poisoned = false
			}
			s = openDisk(t, d)
			out, err = s.Erase(ctx, victim)
			require.NoError(t, err)
			require.Empty(t, out.Left)
			require.Empty(t, traces(t, d), "operation %d, %v", k, last)
			have, mine := held(t, s)
			require.Zero(t, mine)
			same(t, want, have)
			require.NoError(t, s.Close())
		}
		t.Logf("%d operations", total)
	})
}

// reads leaves most of the reads out.
func reads(o op, n *int) bool {
	if o.kind != "read" && o.kind != "open" {
		return false
	}
	*n++
	return *n%16 > 0
}

// TestEraseKeepsBytes: a letter that cannot be written anew keeps the file with its
// bytes.
func TestEraseKeepsBytes(t *testing.T) {
	t.Parallel()
	eachForm(t, func(t *testing.T, aead cipher.AEAD) {
		d := newDiskOf(aead)
		s := openDisk(t, d)
		defer s.Close()
		put(t, s, bytes.Repeat([]byte("no JSON "), 20_000))
		h := only(t, s)
		items := scanAll(t, s, h)
		require.Len(t, items, 1)
		require.NoError(t, h.Settle(t.Context(), []notify.Verdict{
			{ID: items[0].ID, Fate: notify.Buried, Letter: &notify.DeadLetter{Reason: "not of " + string(victim)}},
		}))
		h.Release()
		before := lettersOf(t, s)
		require.Len(t, before, 1)
		d.mu.Lock()
		d.fault = faultFor("create", letterDir, 0, errFull)
		d.mu.Unlock()
		out, err := s.Erase(t.Context(), victim)
		require.NoError(t, err)
		require.Len(t, out.Left, 1)
		require.Equal(t, before, lettersOf(t, s))
		d.mu.Lock()
		d.fault = faultFor("sync", letterDir, 0, errFull)
		d.mu.Unlock()
		out, err = s.Erase(t.Context(), victim)
		require.NoError(t, err)
		require.Len(t, out.Left, 1)
		require.Equal(t, before, lettersOf(t, s))
		d.mu.Lock()
		d.fault = nil
		d.mu.Unlock()
		out, err = s.Erase(t.Context(), victim)
		require.NoError(t, err)
		require.Empty(t, out.Left)
		require.Equal(t, before, lettersOf(t, s))
		require.Empty(t, traces(t, d))
	})
}
