//go:build unix

package postgres

import (
	"bytes"
	"context"
	"crypto/aes"
	"crypto/cipher"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"

	"github.com/garminkit/activityapi/internal/seal"
	"github.com/garminkit/activityapi/internal/shareof"
	"github.com/garminkit/activityapi/notify"
	"github.com/garminkit/activityapi/postgres/internal/pgtest"
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

// theirs is an item of somebody else.
func theirs(key string, n, size int) string {
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

// mixedBody has items of hers among others'.
func mixedBody(seed, items, size int) string {
	rnd := rand.New(rand.NewPCG(uint64(seed), 3))
	var lists []string
	n := seed * 10_000
	for _, key := range []string{"activities", "deregistrations", "odd", "activityFiles"} {
		var list []string
		for range items {
			if n++; rnd.IntN(3) == 0 {
				list = append(list, hers(key, n))
			} else {
				list = append(list, theirs(key, n, size))
			}
		}
		lists = append(lists, fmt.Sprintf("%q:[%s]", key, strings.Join(list, " , ")))
	}
	return "{" + strings.Join(lists, ",") + "}"
}

// allItems are the unfinished items of the shares, in order of ID.
func allItems(t testing.TB, all map[int16]*share) (items []*notify.Item) {
	t.Helper()
	for _, s := range all {
		for class := range notify.Classes {
			for after := notify.ItemID(0); ; {
				s.fresh[class].Store(true)
				list, err := s.Scan(t.Context(), notify.Class(class), after, 1000)
				require.NoError(t, err)
				if len(list) == 0 {
					break
				}
				items, after = append(items, list...), list[len(list)-1].ID
			}
		}
	}
	slices.SortFunc(items, func(a, b *notify.Item) int { return int(int64(a.ID) - int64(b.ID)) })
	return items
}

// ownerOf is the share that an item is in: those of nobody are anywhere.
func ownerOf(t testing.TB, all map[int16]*share, it *notify.Item) *share {
	t.Helper()
	if it.UserID != "" {
		return all[int16(shareof.User(it.UserID, shares))]
	}
	for _, s := range all {
		list, err := s.Load(t.Context(), []notify.ItemID{it.ID})
		require.NoError(t, err)
		if len(list) == 1 {
			return s
		}
	}
	require.Fail(t, "nobody has the item")
	return nil
}

// fillMixed puts bodies of all shapes and works on some: what is done, waits, is
// in letters of items, of the rest of a body, and of whole bodies.
func fillMixed(t testing.TB, h *handle, all map[int16]*share, many int) {
	t.Helper()
	ctx := t.Context()
	put := func(body string) {
		t.Helper()
		require.NoError(t, h.Put(ctx, strings.NewReader(body)))
	}
	for i := range many {
		put(mixedBody(i+1, 4, 30))
		put(fmt.Sprintf(`{"activities":[%s]}`, hers("activities", i)))
	}
	put(fmt.Sprintf(`{"activities":[%s,%s,{"userId":%s,"summaryId":"v","latitude":51.4778216,"samples":[{"a":1},{"token":"SECRET-TOKEN-OF-HERS"},`,
		theirs("activities", 900_000, 10), hers("activities", 90), forms[0]))
	put(mixedBody(40, 6*many, 15_000)) // large
	long := strings.Replace(hers("activities", 1), "HERS", "HERS"+strings.Repeat("y", 120_000/many), 1)
	put(`{"activities":[` + strings.Repeat(long+",", many) + long + `]}`) // large, and hers alone
	put(mixedBody(42, 5*many, 15_000) + "\x00")                           // large, and no JSON
	put(mixedBody(41, 110, 300))                                          // of what cannot be read, many are one piece
	put("garbage that is nobody's")
	for i, it := range allItems(t, all) {
		v := notify.Verdict{ID: it.ID, Fate: notify.Done}
		switch {
		case i%7 == 0 || it.Key == "" && it.Size > small:
			v.Fate, v.Letter = notify.Buried, &notify.DeadLetter{Key: it.Key, UserID: it.UserID, Reason: "given up", Items: 1}
		case i%7 == 1:
			v.Fate, v.Rest, v.Letter = notify.Buried, true, &notify.DeadLetter{Key: it.Key, UserID: it.UserID, Reason: "the rest, for " + string(victim), Items: 1}
		case i%7 == 2:
			v = notify.Verdict{ID: it.ID, Fate: notify.Again, Attempts: 2, Next: time.Now().Add(time.Hour).Truncate(time.Second), Reason: "not yet, for " + string(it.UserID)}
		case i%7 < 5:
			continue
		}
		require.NoError(t, ownerOf(t, all, it).Settle(ctx, []notify.Verdict{v}))
	}
	put(mixedBody(50, 3, 10)) // nobody has looked at it
	put(mixedBody(51, 4*many, 15_000))
}

// heldBy is what the queue holds of others: the items by ID, with what is known of
// them, and the items in letters. mine counts what is hers.
func heldBy(t testing.TB, h *handle, all map[int16]*share) (out map[string]string, mine int) {
	t.Helper()
	ctx := t.Context()
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
	for _, it := range allItems(t, all) {
		s := ownerOf(t, all, it)
		r, err := s.Open(ctx, it.ID)
		require.NoError(t, err)
		raw, err := io.ReadAll(r)
		require.NoError(t, err)
		require.Len(t, raw, int(it.Size))
		if it.Raw != nil {
			require.Equal(t, string(raw), string(it.Raw))
		}
		add(&it.Piece, string(raw), fmt.Sprint("item ", it.ID), fmt.Sprint(it.Order, it.Class, it.Key, it.Index, it.UserID, it.Received.UnixNano(), it.Attempts, it.Next.UnixNano()))
	}
	for l, err := range h.Letters(ctx, nil) {
		require.NoError(t, err)
		r, err := h.OpenLetter(ctx, l.ID)
		require.NoError(t, err)
		text, err := io.ReadAll(r)
		require.NoError(t, err)
		body, size := string(text), int64(0)
		for p, err := range new(notify.Splitter).Split(strings.NewReader(body)) {
			require.NoError(t, err)
			add(&p, body[p.Offset:p.Offset+p.Size], "letter "+l.ID, p.Key)
			size += p.Size
		}
		if l.Key != "" {
			require.Equal(t, l.Size, size, "the size that the letter tells")
		}
	}
	return out, mine
}

func isHers(user types.UserID, raw string) bool {
	for _, f := range forms {
		if strings.Contains(raw, f) {
			return true
		}
	}
	return user == victim
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

// TestErase: others keep all they have, the process goes on with what it had
// scanned before, and its verdicts on what was erased bring nothing back.
func TestErase(t *testing.T) {
	t.Parallel()
	for name, open := range map[string]func(testing.TB, string, ...func(*pgxpool.Config)) *handle{"plain": steady, "sealed": steadySealed} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			testErase(t, open(t, pgtest.Schema(t)))
		})
	}
}

func testErase(t *testing.T, h *handle) {
	ctx := t.Context()
	defer func() { require.NoError(t, h.Close()) }()
	h.db.older = time.Hour
	all := taken(t, h)
	fillMixed(t, h, all, 4)
	want, mine := heldBy(t, h, all)
	require.Greater(t, mine, 50)
	require.Greater(t, len(want), 200)
	before := allItems(t, all)
	count := func() map[string]int {
		n := map[string]int{}
		for g, err := range h.Holdings(ctx, victim) {
			require.NoError(t, err)
			n[g.What]++
			r, err := g.Open()
			require.NoError(t, err)
			text, err := io.ReadAll(r)
			require.NoError(t, err)
			require.NoError(t, r.Close())
			require.True(t, isHers("", string(text)), "%s %s: %.200s", g.What, g.Name, text)
			require.NotContains(t, string(text), `"summaryId":"o`)
		}
		return n
	}
	held := count()

	out, err := h.Erase(ctx, victim)
	require.NoError(t, err)
	require.Empty(t, out.Left)
	for _, what := range []string{"items", "letters", "letter items", "remains"} {
		require.Positive(t, out.Removed[what], what)
	}
	require.Greater(t, held["items"], 30)
	require.GreaterOrEqual(t, held["items"], out.Removed["items"]/2)
	require.Positive(t, held["letters"])
	require.Empty(t, count())

	gone := 0
	for _, it := range before {
		if it.UserID != victim {
			continue
		}
		gone++
		s := ownerOf(t, all, it)
		_, err = s.Open(ctx, it.ID)
		require.ErrorIs(t, err, fs.ErrNotExist)
		items, err := s.Load(ctx, []notify.ItemID{it.ID})
		require.NoError(t, err)
		require.Empty(t, items)
		v := notify.Verdict{ID: it.ID, Fate: notify.Buried, Letter: &notify.DeadLetter{UserID: victim, Reason: "too late"}}
		if gone%2 == 0 {
			v = notify.Verdict{ID: it.ID, Fate: notify.Again, Reason: "for " + string(victim)}
		}
		require.NoError(t, s.Settle(ctx, []notify.Verdict{v}))
	}
	require.Greater(t, gone, 10)
	for l, err := range h.Letters(ctx, nil) {
		require.NoError(t, err)
		require.NotContains(t, l.Reason, string(victim))
	}
	have, mine := heldBy(t, h, all)
	require.Zero(t, mine)
	same(t, want, have)

	out, err = h.Erase(ctx, victim)
	require.NoError(t, err)
	require.Equal(t, &notify.Erasure{}, out)
	// She comes back.
	require.NoError(t, h.Put(ctx, strings.NewReader(fmt.Sprintf(`{"activities":[%s]}`, hers("activities", 77)))))
	have, mine = heldBy(t, h, all)
	require.Equal(t, 1, mine)
	same(t, want, have)
	_, err = h.Erase(ctx, "")
	require.ErrorContains(t, err, "without a user")
	for _, err := range h.Holdings(ctx, "@app") {
		require.ErrorContains(t, err, "without a user")
	}
}

// TestEraseSealed: the server cannot search what is sealed, so all of it is opened,
// however short it is. Her id here is one that the server could look for.
func TestEraseSealed(t *testing.T) {
	t.Parallel()
	ctx, h := t.Context(), steadySealed(t, pgtest.Schema(t))
	defer func() { require.NoError(t, h.Close()) }()
	h.db.older = time.Hour
	// The counters in our nonces have zeros, with which the server would take each
	// row for one to look into. Random nonces, of the same length, need not have any.
	block, err := aes.NewCipher(make([]byte, keySize))
	require.NoError(t, err)
	aead, err := cipher.NewGCMWithRandomNonce(block)
	require.NoError(t, err)
	h.db.sealing.keys.box, err = seal.New(aead)
	require.NoError(t, err)
	all := taken(t, h)
	const many, she = 40, "her-id-1"
	for i := range many {
		require.NoError(t, h.Put(ctx, strings.NewReader(fmt.Sprintf(`{"odd":[{"whose":%q,"n":%d}]}`, she, i))))
		require.NoError(t, h.Put(ctx, strings.NewReader(fmt.Sprintf(`{"activities":[%s]}`, theirs("activities", i, 1)))))
	}
	kept := 0
	for _, it := range allItems(t, all) {
		letter := &notify.DeadLetter{Key: it.Key, UserID: it.UserID, Reason: "for " + she, Items: 1}
		if it.Class == notify.ClassBad {
			letter.Reason = "bad"
			if kept++; kept > many/2 { // the others wait
				continue
			}
		}
		require.NoError(t, ownerOf(t, all, it).Settle(ctx, []notify.Verdict{{ID: it.ID, Fate: notify.Buried, Letter: letter}}))
	}
	require.Equal(t, many, kept)
	out, err := h.Erase(ctx, she)
	require.NoError(t, err)
	require.Empty(t, out.Left)
	require.Empty(t, allItems(t, all), "what waits is hers alone")
	letters := 0
	for l, err := range h.Letters(ctx, nil) {
		require.NoError(t, err)
		require.NotContains(t, l.Reason, she)
		letters++
	}
	require.Equal(t, many, letters, "those of others stay")
}

// TestEraseRedrive: a letter that was read before an Erase, and is redriven after
// it, brings nothing back, also if its size is the same.
func TestEraseRedrive(t *testing.T) {
	t.Parallel()
	ctx, h := t.Context(), steady(t, pgtest.Schema(t))
	defer func() { require.NoError(t, h.Close()) }()
	h.db.older = time.Hour
	all := taken(t, h)
	// What is no JSON keeps its size when she is taken out of it.
	for _, pad := range []int{1, 2 * small} {
		require.NoError(t, h.Put(ctx, strings.NewReader(fmt.Sprintf(`{"activities":[%s,{"userId":"b","summaryId":"2"},{"userId":"pad%s`, hers("activities", 1), strings.Repeat("x", pad)))))
	}
	for _, it := range allItems(t, all) {
		require.NoError(t, ownerOf(t, all, it).Settle(ctx, []notify.Verdict{{ID: it.ID, Fate: notify.Buried, Letter: &notify.DeadLetter{Key: it.Key, UserID: it.UserID, Items: 1}}}))
	}
	type read struct {
		seen *seen
		text []byte
	}
	var old []read
	for l, err := range h.Letters(ctx, nil) {
		require.NoError(t, err)
		_, s, err := h.letter(ctx, l.ID)
		require.NoError(t, err)
		r, err := h.OpenLetter(ctx, l.ID)
		require.NoError(t, err)
		text, err := io.ReadAll(r)
		require.NoError(t, err)
		old = append(old, read{s, text})
	}
	_, err := h.Erase(ctx, victim)
	require.NoError(t, err)
	for _, r := range old {
		err := h.putLarge(ctx, bytes.NewReader(r.text), r.seen)
		if isHers("", string(r.text)) {
			require.ErrorIs(t, err, fs.ErrNotExist, "%.100s", r.text)
		} else {
			require.NoError(t, err)
		}
	}
	_, mine := heldBy(t, h, all)
	require.Zero(t, mine)
	for l, err := range h.Letters(ctx, nil) {
		require.NoError(t, err)
		require.NoError(t, h.Redrive(ctx, l.ID))
	}
	have, mine := heldBy(t, h, all)
	require.Zero(t, mine)
	require.NotEmpty(t, have)
}

// TestEraseWhileTwoWork: two processes work on her items while a third erases her.
// What they give up on later does not become a letter, and nobody else's item is
// done twice or not at all.
func TestEraseWhileTwoWork(t *testing.T) {
	t.Parallel()
	ctx, schema := t.Context(), pgtest.Schema(t)
	h := steady(t, schema)
	defer func() { require.NoError(t, h.Close()) }()
	h.db.older = time.Hour
	const others, each = 8, 20
	for i := range each {
		for u := range others {
			require.NoError(t, h.Put(ctx, strings.NewReader(fmt.Sprintf(`{"activities":[{"userId":"u%d","summaryId":"%d"},%s]}`, u, i, hers("activities", 100*i+u)))))
		}
	}
	gate, begun := make(chan struct{}), make(chan struct{})
	var mu sync.Mutex
	var once sync.Once
	done, late := map[string]int{}, 0
	run, cancel := context.WithCancel(ctx)
	var all sync.WaitGroup
	for range 2 {
		p := steady(t, schema)
		save := func(ctx context.Context, d *notify.Delivery, s types.Summary) error {
			if d.User.ID != "hers" {
				mu.Lock()
				defer mu.Unlock()
				done[d.User.ID+"/"+string(s.ID())]++
				return nil
			}
			once.Do(func() { close(begun) })
			select {
			case <-gate:
			case <-ctx.Done():
			}
			mu.Lock()
			defer mu.Unlock()
			late++
			return notify.Permanent(fmt.Errorf("nobody wants it of %s", victim))
		}
		none := func(context.Context, *notify.Delivery, *notify.Deregistration) error { return nil }
		processor, err := notify.NewProcessor(p.Queue, func(_ context.Context, id types.UserID) ([]notify.User, error) {
			if id == victim {
				id = "hers"
			}
			return []notify.User{{ID: string(id)}}, nil
		}, notify.Callbacks{Save: save, Deregistration: none,
			PermissionChange: func(context.Context, *notify.Delivery, *notify.PermissionChange) error { return nil }}, nil)
		require.NoError(t, err)
		all.Go(func() {
			if err := processor.Run(run); err != nil {
				t.Error(err)
			}
			if err := p.Close(); err != nil {
				t.Error(err)
			}
		})
	}
	<-begun
	out, err := h.Erase(ctx, victim)
	require.NoError(t, err)
	require.Empty(t, out.Left)
	require.Positive(t, out.Removed["items"])
	close(gate)
	require.Eventually(t, func() bool {
		mu.Lock()
		defer mu.Unlock()
		return len(done) == others*each && late > 0
	}, time.Minute, 5*time.Millisecond)
	cancel()
	all.Wait()
	for what, n := range done {
		require.Equal(t, 1, n, what)
	}
	have, mine := heldBy(t, h, taken(t, h))
	require.Zero(t, mine)
	require.Empty(t, have)
	for l, err := range h.Letters(ctx, nil) {
		require.NoError(t, err)
		require.Fail(t, "a letter", l.Reason)
	}
}

// TestEraseTellsOfTables: what keeps the bytes of deleted rows in the files is told:
// a transaction that may still see them.
func TestEraseTellsOfTables(t *testing.T) {
	t.Parallel()
	ctx, h := t.Context(), steady(t, pgtest.Schema(t))
	defer func() { require.NoError(t, h.Close()) }()
	h.db.older = 0
	tx, err := newPool(t, pgtest.URL(t)).Begin(ctx)
	require.NoError(t, err)
	_, err = tx.Exec(ctx, `SELECT txid_current()`)
	require.NoError(t, err)
	out, err := h.Erase(ctx, victim)
	require.NoError(t, err)
	require.Len(t, out.Left, 1)
	require.Equal(t, "tables", out.Left[0].What)
	require.Contains(t, out.Left[0].Why, "VACUUM FULL")
	require.NoError(t, tx.Rollback(ctx))
	h.db.older = time.Hour // of other tests
	out, err = h.Erase(ctx, victim)
	require.NoError(t, err)
	require.Empty(t, out.Left)
}

// TestEraseIsRepeated has the server undo the erasing of a large body in favour of a
// Settle, as it does when each waits for the other: it is done again.
func TestEraseIsRepeated(t *testing.T) {
	t.Parallel()
	ctx, h := t.Context(), steady(t, pgtest.Schema(t))
	defer func() { require.NoError(t, h.Close()) }()
	require.NoError(t, h.Put(ctx, strings.NewReader(fmt.Sprintf(`{"activities":[{"userId":"other","summaryId":"1"},{"userId":"gone","summaryId":"2","pad":%q}]}`, strings.Repeat("x", 2*small)))))
	for _, text := range []string{
		`CREATE SEQUENCE {s}.undone`, // it goes on when a transaction is undone
		`CREATE FUNCTION {s}.undo() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
  IF nextval('{s}.undone') <= 2 THEN RAISE EXCEPTION 'deadlock' USING ERRCODE = '40P01'; END IF;
  RETURN OLD;
END $$`,
		`CREATE TRIGGER undo BEFORE DELETE ON {s}.item FOR EACH ROW EXECUTE FUNCTION {s}.undo()`,
	} {
		_, err := h.pool.Exec(ctx, named(h.db.schema, text))
		require.NoError(t, err)
	}
	h.db.older = time.Hour
	out, err := h.Erase(ctx, "gone")
	require.NoError(t, err)
	require.Equal(t, map[string]int{"items": 1}, out.Removed)
}
