//go:build unix

package postgres

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/garminkit/activityapi/internal/shareof"
	"github.com/garminkit/activityapi/notify"
	"github.com/garminkit/activityapi/postgres/internal/pgtest"
)

// taken waits for all shares of a process.
func taken(t *testing.T, h *handle) map[int16]*share {
	t.Helper()
	got := map[int16]*share{}
	for s, err := range h.Shares(t.Context()) {
		require.NoError(t, err)
		got[s.(*share).number] = s.(*share)
		if len(got) == shares {
			break
		}
	}
	return got
}

// TestMaxBytes holds that a queue which is full refuses bodies of each size, and
// takes them again when there is room: the tables do not shrink, but their place
// is used again.
func TestMaxBytes(t *testing.T) {
	t.Parallel()
	ctx, h := t.Context(), steady(t, pgtest.Schema(t))
	defer func() { require.NoError(t, h.Close()) }()
	h.db.most = 2 << 20
	body := func(i, size int) *strings.Reader {
		return strings.NewReader(fmt.Sprintf(`{"activities":[{"userId":"u","summaryId":"%d","pad":%q}]}`, i, strings.Repeat("x", size)))
	}
	stored := 0
	for ; ; stored++ {
		require.Less(t, stored, 100, "no bound")
		err := h.Put(ctx, body(stored, 50<<10))
		if errors.Is(err, ErrFull) {
			break
		}
		require.NoError(t, err)
		require.NoError(t, h.measure(ctx))
	}
	require.Greater(t, stored, 30)
	require.ErrorIs(t, h.Put(ctx, body(-1, 100<<10)), ErrFull, "a large body")
	s := taken(t, h)[int16(shareof.User("u", shares))]
	items, err := s.Scan(ctx, notify.ClassPush, 0, 1000)
	require.NoError(t, err)
	require.Len(t, items, stored)
	var done []notify.Verdict
	for _, it := range items[:stored/2] {
		done = append(done, notify.Verdict{ID: it.ID, Fate: notify.Done})
	}
	require.NoError(t, s.Settle(ctx, done))
	require.NoError(t, h.measure(ctx))
	require.NoError(t, h.Put(ctx, body(-2, 1)), "there is room again")
}

// TestLetterRetention holds that letters are removed when they are old enough,
// and none without that.
func TestLetterRetention(t *testing.T) {
	t.Parallel()
	ctx, h := t.Context(), steady(t, pgtest.Schema(t))
	defer func() { require.NoError(t, h.Close()) }()
	for i := range 2 {
		require.NoError(t, h.Put(ctx, strings.NewReader(fmt.Sprintf(`{"activities":[{"userId":"u","summaryId":"%d"}]}`, i))))
	}
	s := taken(t, h)[int16(shareof.User("u", shares))]
	items, err := s.Scan(ctx, notify.ClassPush, 0, 10)
	require.NoError(t, err)
	require.Len(t, items, 2)
	for i, it := range items {
		l := &notify.DeadLetter{UserID: "u", Items: 1, Received: it.Received, Buried: time.Now().Add(-time.Duration(i) * 48 * time.Hour)}
		require.NoError(t, s.Settle(ctx, []notify.Verdict{{ID: it.ID, Fate: notify.Buried, Letter: l}}))
	}
	left := func() (n int) {
		for _, err := range h.Letters(ctx, nil) {
			require.NoError(t, err)
			n++
		}
		return n
	}
	require.NoError(t, h.expire(ctx))
	require.Equal(t, 2, left(), "they are kept for ever")
	h.db.letters = 24 * time.Hour
	require.NoError(t, h.expire(ctx))
	require.Equal(t, 1, left())
}

// TestDoneItemsAreVacuumed holds that the place of what is done is used again
// before autovacuum, which looks once a minute, comes to it.
func TestDoneItemsAreVacuumed(t *testing.T) {
	t.Parallel()
	ctx, h := t.Context(), steady(t, pgtest.Schema(t))
	defer func() { require.NoError(t, h.Close()) }()
	exec := func(text string) {
		t.Helper()
		_, err := h.pool.Exec(ctx, h.db.sql(text))
		require.NoError(t, err)
	}
	vacuumed := func() (n int) {
		require.NoError(t, h.pool.QueryRow(ctx, h.db.sql(`SELECT vacuum_count FROM pg_stat_user_tables WHERE relid = '{s}.item'::regclass`)).Scan(&n))
		return n
	}
	exec(`ALTER TABLE {s}.item SET (autovacuum_enabled = off)`)
	require.NoError(t, h.vacuum(ctx))
	require.Zero(t, vacuumed(), "there is nothing to do")
	exec(`INSERT INTO {s}.item (share, class, id, body, key, idx, off, size, user_id, touch, data) SELECT 1, 0, n, n, '', 0, 0, 1, '', '', 'x' FROM generate_series(1, 25000) n`)
	exec(`DELETE FROM {s}.item`)
	require.Eventually(t, func() bool { // the server hears of it after a moment
		require.NoError(t, h.vacuum(ctx))
		return vacuumed() > 0
	}, time.Minute, 50*time.Millisecond)
}
