package auth_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"os"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/garminkit/activityapi/activity"
	"github.com/garminkit/activityapi/activity/activitytest"
	"github.com/garminkit/activityapi/activity/auth"
	"github.com/garminkit/activityapi/types"
)

// manyUsers is 10,000 in the long form, which AUTH_USERS=10000 asks for.
func manyUsers() int {
	if n, err := strconv.Atoi(os.Getenv("AUTH_USERS")); err == nil {
		return n
	}
	return 2000
}

// connected returns an application with n users whose access tokens have
// expired.
func connected(t testing.TB, n int, store auth.TokenStore) (*activitytest.Server, *auth.Users) {
	t.Helper()
	fake := activitytest.NewServer()
	for i := range n {
		u := fake.AddUser(&activitytest.UserOptions{ID: userID(i)})
		_, err := store.Swap(t.Context(), nil, &auth.Token{
			UserID:        u.ID(),
			AccessToken:   types.Secret(u.State().AccessToken),
			RefreshToken:  types.Secret(u.State().RefreshToken),
			Expiry:        time.Now().Add(-time.Minute),
			RefreshExpiry: time.Now().Add(80 * day),
		})
		require.NoError(t, err)
	}
	pool, err := activity.NewPool(&activity.Options{Transport: fake})
	require.NoError(t, err)
	users, err := auth.NewUsers(fakeApp(fake), store, &auth.Options{Transport: fake, Pool: pool})
	require.NoError(t, err)
	return fake, users
}

// Thousands of users at once, each from two processes: nobody is refreshed
// twice, and everybody gets the own data.
func TestManyUsers(t *testing.T) {
	t.Parallel()
	n := manyUsers()
	store := auth.NewMemory()
	fake, one := connected(t, n, store)
	pool, err := activity.NewPool(&activity.Options{Transport: fake})
	require.NoError(t, err)
	two, err := auth.NewUsers(fakeApp(fake), store, &auth.Options{Transport: fake, Pool: pool})
	require.NoError(t, err)

	order := rand.Perm(2 * n)
	var next, failed atomic.Int64
	var wg sync.WaitGroup
	for range 64 {
		wg.Go(func() {
			for {
				i := int(next.Add(1)) - 1
				if i >= len(order) {
					return
				}
				users := one
				if i%2 == 1 {
					users = two
				}
				id := userID(order[i] / 2)
				client, err := users.Client(t.Context(), id)
				var got types.UserID
				if err == nil {
					got, err = client.UserID(t.Context())
				}
				if (err != nil || got != id) && failed.Add(1) < 5 {
					t.Errorf("user %s got %q, %v", id, got, err)
				}
			}
		})
	}
	wg.Wait()
	require.Zero(t, failed.Load())
	require.Zero(t, fake.State().RefreshReuses)
	refreshes := 0
	for _, r := range fake.Requests(0) {
		if strings.HasSuffix(r.Path, "/oauth/token") {
			refreshes++
		}
	}
	require.Equal(t, n, refreshes)
}

// What a connected user costs in memory beside the token.
func TestClientsAreSmall(t *testing.T) {
	if testing.Short() {
		t.Skip("measures memory")
	}
	store := auth.NewMemory()
	n := manyUsers()
	_, users := connected(t, n, store)
	clients := make([]*activity.Client, n)
	before := heap()
	for i := range clients {
		var err error
		clients[i], err = users.Client(t.Context(), userID(i))
		require.NoError(t, err)
	}
	after := heap()
	perUser := float64(after-before) / float64(n)
	t.Logf("%.0f bytes for each client", perUser)
	require.Less(t, perUser, 2048.0)
	runtime.KeepAlive(clients)
}

func heap() int64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// F41: a token that is revoked in the middle of a batch concerns that user
// alone, and tells so.
func TestRevokedDuringABatch(t *testing.T) {
	t.Parallel()
	store := auth.NewMemory()
	fake, users := connected(t, 3, store)
	clients := make([]*activity.Client, 3)
	for i := range clients {
		var err error
		clients[i], err = users.Client(t.Context(), userID(i))
		require.NoError(t, err)
		if i == 1 {
			fake.User(userID(1)).Deregister()
		}
	}
	for range 3 {
		for i, c := range clients {
			_, err := c.Permissions(t.Context())
			if i != 1 {
				require.NoError(t, err)
				continue
			}
			require.ErrorIs(t, err, auth.ErrReconnect)
			var e interface {
				Fault() types.Fault
				RetryAfter() time.Duration
			}
			require.ErrorAs(t, err, &e)
			require.Equal(t, types.FaultUser, e.Fault(), "the items of the user are not parked")
		}
	}
	calls := 0
	for _, r := range fake.Requests(0) {
		if strings.HasSuffix(r.Path, "/oauth/token") && r.Status != 200 {
			calls++
		}
	}
	require.Equal(t, 1, calls, "attempts at what cannot come right")
	client, err := users.Client(t.Context(), userID(1))
	require.NoError(t, err)
	_, err = client.UserID(t.Context())
	require.ErrorIs(t, err, auth.ErrReconnect)
	_, err = users.Client(t.Context(), "nobody")
	require.ErrorIs(t, err, auth.ErrNotConnected)

	require.NoError(t, users.Forget(t.Context(), userID(1)))
	require.NoError(t, users.Forget(t.Context(), userID(1)))
	_, err = store.Token(t.Context(), userID(1))
	require.ErrorIs(t, err, auth.ErrNotConnected)
}

// The context of a request ends its wait for a refresh.
func TestClientWaitsNoLongerThanItsContext(t *testing.T) {
	t.Parallel()
	store := auth.NewMemory()
	_, users := connected(t, 1, store)
	client, err := users.Client(t.Context(), userID(0))
	require.NoError(t, err)
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(errors.New("user went away"))
	_, err = client.UserID(ctx)
	require.ErrorIs(t, err, context.Canceled)
}

func BenchmarkUsersToken(b *testing.B) {
	store := auth.NewMemory()
	_, users := connected(b, 1000, store)
	for i := range 1000 {
		_, err := users.Token(b.Context(), userID(i))
		require.NoError(b, err)
	}
	b.RunParallel(func(pb *testing.PB) {
		for i := 0; pb.Next(); i++ {
			if _, err := users.Token(b.Context(), userID(i%1000)); err != nil {
				b.Error(err)
			}
		}
	})
}
