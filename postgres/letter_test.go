//go:build unix

package postgres

import (
	"crypto/rand"
	"encoding/hex"
	"fmt"
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
