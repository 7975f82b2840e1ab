//go:build unix

package postgres

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/garminkit/activityapi/activity/activitytest"
	"github.com/garminkit/activityapi/activity/auth"
	"github.com/garminkit/activityapi/postgres/internal/pgtest"
	"github.com/garminkit/activityapi/types"
)

// TestRefreshOnce lets eight processes need the same tokens at once: each is
// refreshed once.
func TestRefreshOnce(t *testing.T) {
	t.Parallel()
	ctx, schema := t.Context(), pgtest.Schema(t)
	const processes, people = 8, 40
	fake := activitytest.NewServer()
	app := auth.App{ClientID: fake.ClientID, ClientSecret: types.Secret(fake.ClientSecret)}
	var all []*auth.Users
	for i := range processes {
		h := open(t, schema)
		defer func() { require.NoError(t, h.Close()) }()
		users, err := auth.NewUsers(app, h.db.Tokens(), &auth.Options{Transport: fake})
		require.NoError(t, err)
		defer func() { require.NoError(t, users.Close()) }()
		all = append(all, users)
		for j := range people {
			if i > 0 {
				break
			}
			u := fake.AddUser(&activitytest.UserOptions{ID: types.UserID(fmt.Sprint("u", j))})
			_, err := h.db.Tokens().Swap(ctx, nil, &auth.Token{
				UserID: u.ID(), AccessToken: types.Secret(u.State().AccessToken), RefreshToken: types.Secret(u.State().RefreshToken),
				Expiry: time.Now().Add(-time.Minute), RefreshExpiry: time.Now().AddDate(0, 0, 80),
			})
			require.NoError(t, err)
		}
	}
	var wg sync.WaitGroup
	for _, users := range all {
		for j := range people {
			wg.Go(func() {
				if _, err := users.Token(ctx, types.UserID(fmt.Sprint("u", j))); err != nil {
					t.Error(err)
				}
			})
		}
	}
	wg.Wait()
	require.Zero(t, fake.State().RefreshReuses)
	refreshes := 0
	for _, r := range fake.Requests(0) {
		if strings.HasSuffix(r.Path, "/oauth/token") {
			refreshes++
		}
	}
	require.Equal(t, people, refreshes)
}
