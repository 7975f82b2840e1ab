//go:build unix

package postgres

import (
	"crypto/aes"
	"crypto/cipher"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/garminkit/activityapi/activity/auth"
	"github.com/garminkit/activityapi/activity/auth/authtest"
	"github.com/garminkit/activityapi/postgres/internal/pgtest"
	"github.com/garminkit/activityapi/types"
)

// tokenHandle is a process of the suite.
type tokenHandle struct {
	auth.TokenStore
	*handle
}

func (h tokenHandle) Close() error { return h.handle.Close() }

// testSeal is the key of sealed tokens.
func testSeal(t testing.TB, key string) cipher.AEAD {
	block, err := aes.NewCipher([]byte(key))
	require.NoError(t, err)
	aead, err := cipher.NewGCM(block)
	require.NoError(t, err)
	return aead
}

func tokenHarness(t *testing.T, seal cipher.AEAD) authtest.Harness {
	pgtest.URL(t)
	at := &schemas{}
	return authtest.Harness{
		Open: func(t *testing.T, state string) auth.TokenStore {
			h := open(t, at.of(t, state))
			t.Cleanup(func() { _ = h.Close() })
			h.db.seal = seal
			return tokenHandle{h.db.Tokens(), h}
		},
		// The process sleeps, and what it had begun goes on later.
		Kill:   func(*testing.T, auth.TokenStore) {},
		Shared: true,
	}
}

func TestTokens(t *testing.T) {
	t.Parallel()
	authtest.Run(t, tokenHarness(t, nil))
}

func TestSealedTokens(t *testing.T) {
	t.Parallel()
	authtest.Run(t, tokenHarness(t, testSeal(t, "0123456789abcdef")))
}

// TestOpenChecksTheKey: tokens that a key does not open are found when the database
// is opened, and not when the first user is needed.
func TestOpenChecksTheKey(t *testing.T) {
	t.Parallel()
	ctx, h := t.Context(), steady(t, pgtest.Schema(t))
	defer func() { require.NoError(t, h.Close()) }()
	with := func(aead cipher.AEAD) error {
		t.Helper()
		db, err := Open(ctx, h.pool, &Options{Schema: h.db.schema, AEAD: aead, Logger: testLog(t)})
		if err == nil {
			require.NoError(t, db.Close())
		}
		return err
	}
	key, other := testSeal(t, "0123456789abcdef"), testSeal(t, "another key 1234")
	require.NoError(t, with(key), "there is no token")
	tok, err := h.db.Tokens().Swap(ctx, nil, &auth.Token{UserID: "u", AccessToken: "a"})
	require.NoError(t, err)
	require.NoError(t, with(key), "what was stored in clear is read")
	h.db.seal = key
	_, err = h.db.Tokens().Swap(ctx, tok, tok)
	require.NoError(t, err)
	require.NoError(t, with(key))
	require.ErrorIs(t, with(other), errSeal)
}

// TestSeal holds that nothing readable is stored, and that what is sealed is good
// with its key and in its row alone.
func TestSeal(t *testing.T) {
	t.Parallel()
	ctx, schema := t.Context(), pgtest.Schema(t)
	h := open(t, schema)
	defer func() { require.NoError(t, h.Close()) }()
	h.db.seal = testSeal(t, "0123456789abcdef")
	s := h.db.Tokens()
	for _, u := range []types.UserID{"u", "v"} {
		_, err := s.Swap(ctx, nil, &auth.Token{UserID: u, AccessToken: "planted-access", RefreshToken: "planted-refresh"})
		require.NoError(t, err)
	}
	var n int
	require.NoError(t, h.pool.QueryRow(ctx, h.db.sql(`SELECT count(*) FROM {s}.token WHERE position('planted'::bytea IN data) > 0`)).Scan(&n))
	require.Zero(t, n)
	fails := func(want error, user types.UserID) {
		t.Helper()
		_, err := s.Token(ctx, user)
		require.ErrorIs(t, err, want)
		for _, err = range s.Tokens(ctx) {
		}
		require.ErrorIs(t, err, want)
	}
	h.db.seal = nil
	fails(errSealed, "u")
	h.db.seal = testSeal(t, "another key 1234")
	fails(errSeal, "u")
	h.db.seal = testSeal(t, "0123456789abcdef")
	_, err := h.pool.Exec(ctx, h.db.sql(`UPDATE {s}.token SET data = (SELECT data FROM {s}.token WHERE user_id = 'u') WHERE user_id = 'v'`))
	require.NoError(t, err)
	fails(errSeal, "v")
	_, err = h.pool.Exec(ctx, h.db.sql(`UPDATE {s}.token SET data = '\x01' WHERE user_id = 'v'`))
	require.NoError(t, err)
	fails(errSeal, "v")
	_, err = h.pool.Exec(ctx, h.db.sql(`UPDATE {s}.token SET data = '{"user_id":"v"}' WHERE user_id = 'v'`))
	require.NoError(t, err)
	_, err = s.Token(ctx, "v")
	require.NoError(t, err, "what was stored in clear is read")
	h.db.seal = nil
	_, err = h.pool.Exec(ctx, h.db.sql(`DELETE FROM {s}.token WHERE user_id = 'u'; UPDATE {s}.token SET data = '{"user_id":"u"}'`))
	require.NoError(t, err)
	_, err = s.Token(ctx, "v")
	require.ErrorContains(t, err, "another's")
}

// TestDueIsByIndex holds that what is not due costs nothing.
func TestDueIsByIndex(t *testing.T) {
	t.Parallel()
	ctx, schema := t.Context(), pgtest.Schema(t)
	h := open(t, schema)
	defer func() { require.NoError(t, h.Close()) }()
	_, err := h.pool.Exec(ctx, h.db.sql(`INSERT INTO {s}.token SELECT convert_to('u' || i, 'UTF8'), i, '2027-01-01'::timestamptz + make_interval(secs => i), 0,
convert_to('{"user_id":"u' || i || '","refresh_token":"r"}', 'UTF8') FROM generate_series(1, 20000) i; ANALYZE {s}.token`))
	require.NoError(t, err)
	var plan []string
	rows, err := h.pool.Query(ctx, h.db.sql(`EXPLAIN SELECT user_id FROM {s}.token WHERE due IS NOT NULL AND (due, due_ns) < ('2027-01-01 00:10:00+00'::timestamptz, 0::smallint) ORDER BY due, due_ns, user_id`))
	require.NoError(t, err)
	for rows.Next() {
		var line string
		require.NoError(t, rows.Scan(&line))
		plan = append(plan, line)
	}
	require.Contains(t, strings.Join(plan, "\n"), "token_due")
	n := 0
	for tok, err := range h.db.Tokens().Due(ctx, time.Date(2027, 1, 1, 0, 30, 0, 0, time.UTC)) {
		require.NoError(t, err)
		n++
		require.Equal(t, types.UserID(fmt.Sprint("u", n)), tok.UserID, "over several pages")
	}
	require.Equal(t, 1799, n)
	n = 0
	for _, err := range h.db.Tokens().Tokens(ctx) {
		require.NoError(t, err)
		n++
	}
	require.Equal(t, 20000, n)
}

// TestOnce holds that of all processes one is the first.
func TestOnce(t *testing.T) {
	t.Parallel()
	ctx, schema := t.Context(), pgtest.Schema(t)
	a, b := open(t, schema), open(t, schema)
	defer func() { require.NoError(t, a.Close()); require.NoError(t, b.Close()) }()
	var mu sync.Mutex
	firsts := map[string]int{}
	var all sync.WaitGroup
	for i := range 40 {
		id := fmt.Sprint("id\x00\xff", i/8)
		all.Go(func() {
			first, err := []*handle{a, b}[i%2].db.Once(ctx, id, time.Now().Add(time.Minute))
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				t.Error(err)
			}
			if first {
				firsts[id]++
			}
		})
	}
	all.Wait()
	require.Len(t, firsts, 5)
	for id, n := range firsts {
		require.Equal(t, 1, n, id)
	}
	require.NoError(t, a.db.sweepConsents(ctx))
	first, err := b.db.Once(ctx, "id\x00\xff0", time.Now())
	require.NoError(t, err)
	require.False(t, first, "it is remembered until its time")
	_, err = a.pool.Exec(ctx, a.db.sql(`UPDATE {s}.consent SET until = until - interval '2 hours'`))
	require.NoError(t, err)
	require.NoError(t, a.db.sweepConsents(ctx))
	var n int
	require.NoError(t, a.pool.QueryRow(ctx, a.db.sql(`SELECT count(*) FROM {s}.consent`)).Scan(&n))
	require.Zero(t, n)
}
