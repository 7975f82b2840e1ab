//go:build unix

package postgres

import (
	"bytes"
	"crypto/cipher"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"

	"github.com/garminkit/activityapi/activity/auth"
	"github.com/garminkit/activityapi/activity/join"
	"github.com/garminkit/activityapi/internal/owner"
	"github.com/garminkit/activityapi/notify"
	"github.com/garminkit/activityapi/notify/spool"
	"github.com/garminkit/activityapi/postgres/internal/pgtest"
	"github.com/garminkit/activityapi/types"
)

// texts are of bodies, letters, claims, tokens and activities. Ids of users are not
// among them: they stay in clear.
var texts = []string{"51.4778216", "SECRET-TOKEN-OF-HERS", "PLANTED-REASON", "PLANTED-KEPT", "PLANTED-NAME", "PLANTED-REST"}

// TestSealedShowsNothing: no file of the server, and not its log either, has a text
// of what came in, and without the key all have.
func TestSealedShowsNothing(t *testing.T) {
	t.Parallel()
	for name, aead := range map[string]cipher.AEAD{"plain": nil, "sealed": testSeal(t, "0123456789abcdef")} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ctx := t.Context()
			server, data := ownServer(t)
			h := openAs(t, server.URL(), &Options{Lease: time.Hour, AEAD: aead})
			defer func() { require.NoError(t, h.Close()) }()
			h.db.older = time.Hour
			all := taken(t, h)
			fillMixed(t, h, all, 2)
			fillStores(t, h.db)
			settleAll(t, all, 5, "PLANTED-REASON")
			texts := texts
			for _, size := range []int{10, 2 * small} { // nor is the sum of a body there, by which a guess is confirmed
				body := fmt.Sprintf(`{"activities":[{"userId":"u","summaryId":"1","pad":%q}]}`, strings.Repeat("x", size))
				require.NoError(t, h.Put(ctx, strings.NewReader(body)))
				sum := sha256.Sum256([]byte(body))
				texts = append(texts, string(sum[:sumSize]))
			}
			for i, c := range []notify.Claim{{State: notify.ClaimBegun, Kept: "PLANTED-KEPT"}, {State: notify.ClaimStored, Owner: owner.Of("x"), Name: "PLANTED-NAME"}} {
				id := fmt.Sprintf("%032x", 99+i)
				_, _, err := h.db.Claims().Begin(ctx, id, time.Hour)
				require.NoError(t, err)
				require.NoError(t, h.db.Claims().Settle(ctx, id, c))
			}
			for l, err := range h.Letters(ctx, nil) {
				require.NoError(t, err)
				require.NoError(t, h.Redrive(ctx, l.ID))
				break
			}
			require.NoError(t, h.Put(ctx, strings.NewReader(`no JSON {"userId":"u1"} {"x":"PLANTED-REST"}`)))
			out, err := h.Erase(ctx, "u1") // and the rest of that is written anew
			require.NoError(t, err)
			require.Positive(t, out.Removed["items"])
			pool := newPool(t, server.URL())
			for _, sql := range []string{`ANALYZE`, `CHECKPOINT`} {
				_, err := pool.Exec(ctx, sql)
				require.NoError(t, err)
			}
			found, log := bytesIn(t, data, texts)
			if aead == nil {
				for _, text := range texts {
					require.Contains(t, strings.Join(found, "\n"), strings.Trim(fmt.Sprintf("%q", text), `"`))
				}
				require.NotEmpty(t, log)
				return
			}
			require.Empty(t, found)
			require.Empty(t, log)
		})
	}
}

// settleAll gives up on each of so many items, and puts the next off.
func settleAll(t *testing.T, all map[int16]*share, many int, reason string) {
	t.Helper()
	for i, it := range allItems(t, all) {
		if it.UserID == "" || i/2 > many {
			continue
		}
		v := notify.Verdict{ID: it.ID, Fate: notify.Buried, Letter: &notify.DeadLetter{Key: it.Key, UserID: it.UserID, Reason: reason, Items: 1}}
		if i%2 == 0 {
			v = notify.Verdict{ID: it.ID, Fate: notify.Again, Attempts: 1, Next: time.Now().Add(time.Hour), Reason: reason}
		}
		require.NoError(t, ownerOf(t, all, it).Settle(t.Context(), []notify.Verdict{v}))
	}
}

// either seals with one key, and opens with any of some.
type either struct {
	cipher.AEAD
	others []cipher.AEAD
}

func (e either) Open(dst, nonce, text, about []byte) ([]byte, error) {
	for _, a := range e.others {
		if out, err := a.Open(dst, nonce, text, about); err == nil {
			return out, nil
		}
	}
	return e.AEAD.Open(dst, nonce, text, about)
}

// allRows is all that the tables hold, but for who works.
func allRows(t *testing.T, h *handle) string {
	t.Helper()
	var b strings.Builder
	for _, table := range []string{"item", "large", "chunk", "letter", "letter_item", "claim", "token", "joined", "repeat", "sealing"} {
		var text string
		require.NoError(t, h.pool.QueryRow(t.Context(), h.db.sql(`SELECT coalesce(string_agg(t::text, chr(10) ORDER BY t::text), '') FROM {s}.`+table+` t`)).Scan(&text))
		b.WriteString(table + "\n" + text + "\n")
	}
	return b.String()
}

// TestSealedKeys: without the key, or with another one, Open says so and changes
// nothing. A key can be changed.
func TestSealedKeys(t *testing.T) {
	t.Parallel()
	ctx, schema := t.Context(), pgtest.Schema(t)
	h := steadySealed(t, schema)
	all := taken(t, h)
	fillMixed(t, h, all, 1)
	want, _ := heldBy(t, h, all)
	require.NoError(t, h.Close())
	look := openAs(t, pgtest.URL(t), &Options{Schema: pgtest.Schema(t)})
	defer func() { require.NoError(t, look.Close()) }()
	look.db.names = namer(schema)
	before := allRows(t, look)
	one, two := testSeal(t, "0123456789abcdef"), testSeal(t, "another key 1234")
	for _, aead := range []cipher.AEAD{nil, two} {
		_, err := Open(ctx, look.pool, &Options{Schema: schema, AEAD: aead, Logger: testLog(t)})
		require.ErrorIs(t, err, spool.ErrKey)
		require.NotContains(t, err.Error(), "spool")
		require.Equal(t, before, allRows(t, look))
	}
	for _, aead := range []cipher.AEAD{either{two, []cipher.AEAD{one}}, two} {
		h := openAs(t, pgtest.URL(t), &Options{Schema: schema, AEAD: aead, Lease: time.Minute})
		have, _ := heldBy(t, h, taken(t, h))
		same(t, want, have)
		require.NoError(t, h.Close())
	}
	_, err := Open(ctx, look.pool, &Options{Schema: schema, AEAD: one})
	require.ErrorIs(t, err, spool.ErrKey, "it is of no use any more")
	_, err = Open(ctx, look.pool, &Options{Schema: schema, AEAD: shortNonce{one}})
	require.ErrorContains(t, err, "too short")
}

type shortNonce struct{ cipher.AEAD }

func (shortNonce) NonceSize() int { return 8 }

// TestSealedLater: what a database held in clear is read, redriven and erased, and
// what came before is not stored again.
func TestSealedLater(t *testing.T) {
	t.Parallel()
	ctx, schema := t.Context(), pgtest.Schema(t)
	h := steady(t, schema)
	all := taken(t, h)
	fillMixed(t, h, all, 1)
	fillStores(t, h.db)
	const again, large = `{"activities":[{"userId":"a","summaryId":"771","startTimeInSeconds":1}]}`, `{"activities":[{"userId":"a","summaryId":"773","pad":"%s"}]}`
	require.NoError(t, h.Put(ctx, strings.NewReader(again)))
	long := fmt.Sprintf(large, strings.Repeat("x", 2*small))
	require.NoError(t, h.Put(ctx, strings.NewReader(long)))
	want, mine := heldBy(t, h, all)
	require.NoError(t, h.Close())

	h = steadySealed(t, schema)
	defer func() { require.NoError(t, h.Close()) }()
	all = taken(t, h)
	have, hers := heldBy(t, h, all)
	same(t, want, have)
	require.Equal(t, mine, hers)
	before, err := h.Stats(ctx)
	require.NoError(t, err)
	for range 2 {
		for _, body := range []string{again, long, `{"activities":[{"userId":"a","summaryId":"772","startTimeInSeconds":1}]}`, fmt.Sprintf(large, strings.Repeat("y", 2*small))} {
			require.NoError(t, h.Put(ctx, strings.NewReader(body)))
		}
	}
	after, err := h.Stats(ctx)
	require.NoError(t, err)
	require.Equal(t, before.Items[notify.ClassPush]+2, after.Items[notify.ClassPush])
	_, err = h.db.Tokens().Token(ctx, victim)
	require.NoError(t, err)
	rec, err := h.db.Joined().Load(ctx, join.Key{User: victim, ID: "1"})
	require.NoError(t, err)
	require.NotEmpty(t, rec.Details.Samples)

	h.db.older = time.Hour
	r, err := stores(h.db).Erase(ctx, victim, false)
	require.NoError(t, err)
	require.True(t, r.Complete(), "%+v", r)
	have, mine = heldBy(t, h, all)
	require.Zero(t, mine)
	for k := range want {
		require.Contains(t, have, k)
	}
}

// TestSealingWaits: nobody seals while somebody works who could not open it: a
// program of an earlier version, or one that has no key. Once it has begun, such a
// one gets no share, and buries nothing.
func TestSealingWaits(t *testing.T) {
	t.Parallel()
	ctx, schema := t.Context(), pgtest.Schema(t)
	first, late := steady(t, schema), steady(t, schema)
	defer func() { require.NoError(t, late.Close()) }()
	pool := newPool(t, pgtest.URL(t))
	beat := func(me int64) (int64, error) { // as programs of an earlier version do
		err := pool.QueryRow(ctx, named(schema, `SELECT o_member FROM {s}.beat($1, $2, '1 minute', false, '{}', '{}', '{}')`), lockKey(schema, "member"), me).Scan(&me)
		return me, err
	}
	require.NotEmpty(t, taken(t, first))
	old, err := beat(0)
	require.NoError(t, err)
	first.member.mu.Lock()
	keyless := first.member.id
	first.member.mu.Unlock()

	with := func(key string) *handle {
		t.Helper()
		return openAs(t, pgtest.URL(t), &Options{Schema: schema, Lease: testLease, AEAD: testSeal(t, key)})
	}
	h := with("0123456789abcdef")
	defer func() { require.NoError(t, h.Close()) }()
	put := func(id string) {
		t.Helper()
		require.NoError(t, h.Put(ctx, strings.NewReader(`{"activities":[{"userId":"u","summaryId":"`+id+`"}]}`)))
	}
	plain := func() (n int) {
		t.Helper()
		require.NoError(t, pool.QueryRow(ctx, named(schema, `SELECT count(*) FROM {s}.item WHERE position('summaryId'::bytea IN data) > 0`)).Scan(&n))
		return n
	}
	require.Nil(t, h.db.sealing.sealer())
	put("1")
	require.Equal(t, 1, plain())
	_, err = pool.Exec(ctx, named(schema, `DELETE FROM {s}.member WHERE id = $1`), old)
	require.NoError(t, err)
	require.NoError(t, h.db.beginSealing(ctx))
	require.Nil(t, h.db.sealing.sealer(), "the other has no key")
	again := steady(t, schema) // it may start: nothing is sealed
	require.NoError(t, again.Close())

	first.kill()
	expire := func() {
		_, err := pool.Exec(ctx, named(schema, `UPDATE {s}.member SET expires = clock_timestamp() - interval '1 second' WHERE id = $1`), keyless)
		require.NoError(t, err)
	}
	// Keys that nothing is sealed with yet give way to others, and who has them waits.
	other := with("another key 1234")
	expire()
	require.NoError(t, h.db.beginSealing(ctx))
	require.Nil(t, h.db.sealing.sealer())
	require.NoError(t, other.Close())
	if other.db.sealing.sealer() != nil {
		t.Fatal("it began while the other worked")
	}
	require.NoError(t, h.Close())
	h = with("0123456789abcdef")
	require.Eventually(t, func() bool { // a beat of the other may still have been on its way
		expire()
		require.NoError(t, h.db.beginSealing(ctx))
		return h.db.sealing.sealer() != nil
	}, time.Minute, time.Millisecond)
	put("2")
	require.Equal(t, 1, plain())
	for _, me := range []int64{0, keyless} {
		_, err = beat(me)
		var pg *pgconn.PgError
		require.ErrorAs(t, err, &pg)
		require.Equal(t, "AL004", pg.Code)
		require.Contains(t, pg.Message, "sealed")
	}
	late.member.mu.Lock()
	late.member.looping = true
	late.member.mu.Unlock()
	require.ErrorContains(t, late.member.beat(), "sealed")
	_, err = Open(ctx, pool, &Options{Schema: schema})
	require.ErrorIs(t, err, spool.ErrKey)

	// Who does not work reads nothing of it either, and says why.
	_, err = late.db.bytes(ctx, 1, 0, 5, []byte(strings.Repeat("x", 40)))
	require.ErrorIs(t, err, spool.ErrKey)
	require.Empty(t, errNoKey.Fault(), "nobody gives up an item for it")
	require.Equal(t, 2, drained(t, h.Queue, 2))
	st, err := h.Stats(ctx)
	require.NoError(t, err)
	require.Zero(t, st.Letters)
}

// TestSealedPlaces: what is put into another row does not open. Such an item is
// given up at once, and the rest goes on.
func TestSealedPlaces(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	h := steadySealed(t, pgtest.Schema(t))
	defer func() { require.NoError(t, h.Close()) }()
	exec := func(sql string, args ...any) {
		t.Helper()
		tag, err := h.pool.Exec(ctx, h.db.sql(sql), append([]any{pgx.QueryExecModeSimpleProtocol}, args...)...)
		require.NoError(t, err)
		require.Positive(t, tag.RowsAffected())
	}
	all := taken(t, h)
	for i, size := range []int{1, 1, 4 * small, 6 * small, 1} {
		list := make([]string, 1+size/5000)
		for j := range list {
			list[j] = fmt.Sprintf(`{"userId":"u","summaryId":"%d.%d","pad":%q}`, i, j, strings.Repeat("x", min(size, 5000)))
		}
		require.NoError(t, h.Put(ctx, strings.NewReader(`{"activities":[`+strings.Join(list, ",")+`]}`)))
	}
	read := func(it *notify.Item) error {
		r, err := ownerOf(t, all, it).Open(ctx, it.ID)
		if err == nil {
			_, err = io.ReadAll(r)
		}
		return err
	}
	items := allItems(t, all)
	for _, it := range items {
		require.NoError(t, read(it))
		require.NotNil(t, it.Raw)
		require.Less(t, cap(it.Raw), int(it.Size)+1024, "it is kept, and what it stood in is not")
	}
	// One has another's bytes; and a chunk those of another body, or of another place.
	exec(`UPDATE {s}.item SET data = (SELECT data FROM {s}.item WHERE id = $1) WHERE id = $2`, int64(items[0].ID), int64(items[1].ID))
	exec(`UPDATE {s}.chunk SET data = (SELECT data FROM {s}.chunk WHERE body = $1 AND n = 0) WHERE body = $2 AND n = 0`, int64(items[2].Body), int64(items[len(items)-2].Body))
	exec(`UPDATE {s}.chunk SET data = overlay(data PLACING substring(data FROM 1 FOR $2) FROM 1 + $2 FOR $2) WHERE body = $1 AND n = 0`, int64(items[2].Body), segmentSealed)
	damaged := 0
	for _, it := range allItems(t, all) {
		err := read(it)
		if err == nil {
			require.NotNil(t, it.Raw)
			continue
		}
		damaged++
		require.Nil(t, it.Raw)
		require.ErrorIs(t, err, errDamaged)
		require.NotErrorIs(t, err, spool.ErrKey, "the key is right")
		f, ok := errors.AsType[notify.Failure](err)
		require.True(t, ok)
		require.Equal(t, types.FaultItem, f.Fault())
		require.NoError(t, ownerOf(t, all, it).Settle(ctx, []notify.Verdict{{ID: it.ID, Fate: notify.Buried, Letter: &notify.DeadLetter{Key: it.Key, UserID: it.UserID, Reason: "damaged", Items: 1}}}))
	}
	require.Greater(t, damaged, 40)
	require.Less(t, damaged, len(items)-10)
	exec(`UPDATE {s}.letter SET reason = reason || 'x' WHERE id = (SELECT min(id) FROM {s}.letter)`)
	for l, err := range h.Letters(ctx, nil) {
		require.NoError(t, err)
		require.Contains(t, l.Reason, "damaged")
	}

	// Nobody can tell what is in it: an Erase says so, and does the rest.
	h.db.older = time.Hour
	out, err := h.Erase(ctx, "other")
	require.NoError(t, err)
	what := map[string]bool{}
	for _, l := range out.Left {
		require.Equal(t, damagedWhy, l.Why)
		what[l.What] = true
	}
	require.Equal(t, map[string]bool{"bodies": true, "letters": true, "letter items": true}, what)
	for _, err := range h.Holdings(ctx, "other") {
		require.NoError(t, err)
	}

	fillStores(t, h.db)
	exec(`UPDATE {s}.claim SET note = (SELECT note FROM {s}.claim ORDER BY id LIMIT 1)`)
	exec(`UPDATE {s}.joined SET details = (SELECT details FROM {s}.joined ORDER BY user_id LIMIT 1)`)
	failed := 0
	for _, user := range []types.UserID{victim, "4a/ce-1"} {
		if _, err := h.db.Joined().Load(ctx, join.Key{User: user, ID: "1"}); err != nil {
			require.ErrorIs(t, err, errDamaged)
			failed++
		}
		if _, _, err := h.db.Claims().Begin(ctx, fmt.Sprintf("%032x", len(user)), time.Hour); err != nil {
			require.ErrorIs(t, err, errDamaged)
			failed++
		}
	}
	require.Equal(t, 2, failed, "of each, one is in its place")
}

// TestSealedTouches: what hides what an item changes leaves equal ones equal.
func TestSealedTouches(t *testing.T) {
	t.Parallel()
	k, err := newKeys(bytes.Repeat([]byte("0123456789abcdef"), 6))
	require.NoError(t, err)
	s := &sealing{keys: k}
	one, two := [16]byte{1}, [16]byte{2}
	again := k.appendTouch(nil, one)
	require.Equal(t, again, k.appendTouch(nil, one))
	require.NotContains(t, string(k.appendTouch(nil, one)), string(one[:]))
	for _, touch := range [][16]byte{one, two, {}} {
		for _, k := range []*keys{k, nil} {
			got, err := s.openTouch(k.appendTouch([]byte("before"), touch)[len("before"):])
			require.NoError(t, err)
			require.Equal(t, touch, got)
		}
	}
	_, err = new(sealing).openTouch(k.appendTouch(nil, one))
	require.ErrorIs(t, err, spool.ErrKey)
}

// TestSealingGrants: a role that seals nothing but tokens has no right to change the
// keys, and opens all the same.
func TestSealingGrants(t *testing.T) {
	t.Parallel()
	ctx, schema := t.Context(), pgtest.Schema(t)
	tokensRole, asTokens := newRole(t)
	queueRole, asQueue := newRole(t)
	granted(t, schema, tokensRole, PartTokens)
	granted(t, schema, queueRole, PartQueue)
	as := func(with func(*pgxpool.Config)) *pgxpool.Pool {
		cfg, err := pgxpool.ParseConfig(pgtest.URL(t))
		require.NoError(t, err)
		with(cfg)
		pool, err := pgxpool.NewWithConfig(ctx, cfg)
		require.NoError(t, err)
		t.Cleanup(pool.Close)
		return pool
	}
	aead := testSeal(t, "0123456789abcdef")
	for i, pool := range []*pgxpool.Pool{as(asTokens), as(asQueue), as(asTokens)} {
		db, err := Open(ctx, pool, &Options{Schema: schema, AEAD: aead, Logger: testLog(t)})
		require.NoError(t, err)
		require.Equal(t, i > 0, db.sealing.sealer() != nil)
		if i != 1 {
			_, err = db.Tokens().Swap(ctx, nil, &auth.Token{UserID: types.UserID(fmt.Sprint(i)), AccessToken: "a"})
			require.NoError(t, err)
			_, err = pool.Exec(ctx, named(schema, `UPDATE {s}.sealing SET keys = ''`))
			require.True(t, isDenied(err))
		} else {
			require.NoError(t, db.Queue().Put(ctx, strings.NewReader(`{"activities":[{"userId":"u","summaryId":"1"}]}`)))
		}
		require.NoError(t, db.Close())
	}
}
