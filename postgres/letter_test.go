//go:build unix

package postgres

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"io/fs"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/garminkit/activityapi/internal/shareof"
	"github.com/garminkit/activityapi/notify"
	"github.com/garminkit/activityapi/postgres/internal/pgtest"
	"github.com/garminkit/activityapi/types"
)

// TestLongUserID holds that an item of a user whose id is longer than an entry of an
// index may be, and does not become shorter when it is compressed, is buried like all
// others, and found again.
func TestLongUserID(t *testing.T) {
	t.Parallel()
	ctx, h := t.Context(), steady(t, pgtest.Schema(t))
	defer func() { require.NoError(t, h.Close()) }()
	random := make([]byte, 10_000)
	rand.Read(random)
	user := types.UserID(hex.EncodeToString(random))
	require.NoError(t, h.Put(ctx, strings.NewReader(fmt.Sprintf(`{"activities":[{"userId":%q,"summaryId":"1"}]}`, user))))
	s := taken(t, h)[int16(shareof.User(user, shares))]
	items, err := s.Scan(ctx, notify.ClassPush, 0, 10)
	require.NoError(t, err)
	require.Len(t, items, 1)
	l := &notify.DeadLetter{UserID: user, Items: 1, Received: items[0].Received, Buried: time.Now()}
	require.NoError(t, s.Settle(ctx, []notify.Verdict{{ID: items[0].ID, Fate: notify.Buried, Letter: l}}))
	found := 0
	for l, err := range h.Letters(ctx, &notify.LetterFilter{UserID: user}) {
		require.NoError(t, err)
		require.Equal(t, user, l.UserID)
		found++
	}
	require.Equal(t, 1, found)
	done, err := h.Erase(ctx, user)
	require.NoError(t, err)
	require.Equal(t, 1, done.Removed["letters"])
}

// TestRedriveWithoutBytes holds that the redrive of a letter whose bytes the server has
// lost ends with an error, and the letter stays.
func TestRedriveWithoutBytes(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	h := steady(t, pgtest.Schema(t))
	defer func() { require.NoError(t, h.Close()) }()
	require.NoError(t, h.Put(ctx, strings.NewReader(`{"activities":[{"userId":"u","summaryId":"1","pad":"`+strings.Repeat("x", 2*small)+`"}]}`)))
	s := taken(t, h)[int16(shareof.User("u", shares))]
	items, err := s.Scan(ctx, notify.ClassPush, 0, 10)
	require.NoError(t, err)
	require.Len(t, items, 1)
	l := &notify.DeadLetter{UserID: "u", Items: 1, Received: items[0].Received, Buried: time.Now()}
	require.NoError(t, s.Settle(ctx, []notify.Verdict{{ID: items[0].ID, Fate: notify.Buried, Letter: l}}))
	_, err = h.pool.Exec(ctx, h.db.sql(`DELETE FROM {s}.chunk`))
	require.NoError(t, err)
	for l, err := range h.Letters(ctx, nil) {
		require.NoError(t, err)
		err = h.Redrive(ctx, l.ID)
		require.ErrorContains(t, err, "lost bytes")
		require.NotErrorIs(t, err, fs.ErrNotExist, "the letter is there")
		_, err = h.Letter(ctx, l.ID)
		require.NoError(t, err)
	}
}
