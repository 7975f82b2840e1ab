//go:build unix

package postgres

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

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
	s := taken(t, h)[int16(notify.ShareOf("u", shares))]
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
	s := taken(t, h)[int16(notify.ShareOf("u", shares))]
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
