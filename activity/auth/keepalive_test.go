package auth_test

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/garminkit/activityapi/activity/auth"
	"github.com/garminkit/activityapi/types"
)

const day = 24 * time.Hour

// A user who is idle for two years stays connected.
func TestKeepAliveForYears(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		server, store := &tokenServer{}, auth.NewMemory()
		users := newUsers(t, server, store)
		start := time.Now()
		for i := range 3 {
			server.connect(t, store, types.UserID(fmt.Sprint("idle", i)), time.Now().Add(day))
		}
		_, err := store.Swap(t.Context(), nil, &auth.Token{UserID: "old", AccessToken: "x", TokenSecret: "y"})
		require.NoError(t, err)
		server.before = func() {
			for tok, err := range store.Tokens(t.Context()) {
				require.NoError(t, err)
				if tok.OAuth2() {
					require.Greater(t, time.Until(tok.RefreshExpiry), 29*day)
				}
			}
		}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- users.KeepAlive(ctx, nil) }()

		time.Sleep(730 * day)
		cancel()
		require.ErrorIs(t, <-done, context.Canceled)
		require.Zero(t, server.reused)
		// Every 60 days, three users.
		require.InDelta(t, 3*730/60, server.calls, 3)
		for i := range 3 {
			_, err := users.Token(t.Context(), types.UserID(fmt.Sprint("idle", i)))
			require.NoError(t, err)
		}
		require.Equal(t, 730*day, time.Since(start))
	})
}

func TestKeepAliveIsPaced(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		server, store := &tokenServer{}, auth.NewMemory()
		users := newUsers(t, server, store)
		for i := range 100 {
			tok := server.connect(t, store, types.UserID(fmt.Sprint("u", i)), time.Now().Add(day))
			tok.RefreshExpiry = time.Now().Add(10 * day)
			_, err := store.Swap(t.Context(), tok, tok)
			require.NoError(t, err)
		}
		var last time.Time
		server.before = func() {
			if !last.IsZero() {
				require.Equal(t, time.Second, time.Since(last))
			}
			last = time.Now()
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		require.ErrorIs(t, users.KeepAlive(ctx, nil), context.DeadlineExceeded)
		require.Equal(t, 100, server.calls)
	})
}

func TestKeepAliveGoesOnAfterFailures(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		server, store := &tokenServer{}, auth.NewMemory()
		users := newUsers(t, server, store)
		for i := range 10 {
			tok := server.connect(t, store, types.UserID(fmt.Sprint("u", i)), time.Now().Add(day))
			if i == 3 || i == 7 {
				delete(server.current, string(tok.RefreshToken))
			}
		}
		var failed []types.UserID
		ctx, cancel := context.WithTimeout(t.Context(), 70*day)
		defer cancel()
		err := users.KeepAlive(ctx, &auth.KeepAliveOptions{Every: 61 * day, Failed: func(userID types.UserID, err error) {
			require.ErrorIs(t, err, auth.ErrReconnect)
			failed = append(failed, userID)
		}})
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.ElementsMatch(t, []types.UserID{"u3", "u7"}, failed, "told once, and tried once")
		require.Equal(t, 10, server.calls)
	})
}

// A wrong secret is the operator's: asking once a look is enough.
func TestKeepAliveStopsAtInvalidClient(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		server, store := &tokenServer{}, auth.NewMemory()
		for i := range 10 {
			server.connect(t, store, types.UserID(fmt.Sprint("u", i)), time.Now().Add(day))
		}
		users, err := auth.NewUsers(auth.App{ClientID: clientID, ClientSecret: "wrong"}, store, &auth.Options{Transport: server})
		require.NoError(t, err)
		ctx, cancel := context.WithTimeout(t.Context(), 62*day+time.Hour)
		defer cancel()
		var last error
		users.KeepAlive(ctx, &auth.KeepAliveOptions{Every: day, Failed: func(_ types.UserID, err error) { last = err }})
		require.ErrorIs(t, last, auth.ErrInvalidClient)
		require.LessOrEqual(t, server.calls, 2)
	})
}

// A look for who has a scheduler: what is due once, and an error only if it could
// not come to the end.
func TestRefreshDue(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		server, store := &tokenServer{}, auth.NewMemory()
		users := newUsers(t, server, store)
		for i := range 10 {
			tok := server.connect(t, store, types.UserID(fmt.Sprint("u", i)), time.Now().Add(day))
			if i == 3 {
				delete(server.current, string(tok.RefreshToken))
			}
		}
		require.NoError(t, users.RefreshDue(t.Context(), nil))
		require.Zero(t, server.calls, "nothing is due")
		time.Sleep(61 * day)
		var failed []types.UserID
		opts := &auth.KeepAliveOptions{Failed: func(userID types.UserID, _ error) { failed = append(failed, userID) }}
		require.NoError(t, users.RefreshDue(t.Context(), opts))
		require.Equal(t, []types.UserID{"u3"}, failed)
		require.Equal(t, 10, server.calls)
		require.NoError(t, users.RefreshDue(t.Context(), opts))
		require.Equal(t, 10, server.calls, "what was refreshed is due no more")

		time.Sleep(61 * day)
		ctx, cancel := context.WithTimeout(t.Context(), 4*time.Second+time.Second/2)
		defer cancel()
		require.ErrorIs(t, users.RefreshDue(ctx, opts), context.DeadlineExceeded)
		require.Equal(t, 15, server.calls)
		wrong, err := auth.NewUsers(auth.App{ClientID: clientID, ClientSecret: "wrong"}, store, &auth.Options{Transport: server})
		require.NoError(t, err)
		require.ErrorIs(t, wrong.RefreshDue(t.Context(), nil), auth.ErrInvalidClient)
		require.ErrorContains(t, users.RefreshDue(t.Context(), &auth.KeepAliveOptions{Before: -1}), "negative")
	})
}

// Two processes keep the same users alive without refreshing one twice.
func TestKeepAliveTwice(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		server, store := &tokenServer{before: func() { time.Sleep(300 * time.Millisecond) }}, auth.NewMemory()
		for i := range 20 {
			server.connect(t, store, types.UserID(fmt.Sprint("u", i)), time.Now().Add(day))
		}
		ctx, cancel := context.WithTimeout(t.Context(), 70*day)
		defer cancel()
		done := make(chan error)
		for range 2 {
			users := newUsers(t, server, store)
			go func() { done <- users.KeepAlive(ctx, nil) }()
		}
		<-done
		<-done
		require.Zero(t, server.reused)
		require.LessOrEqual(t, server.calls, 40)
	})
}

func TestKeepAliveRefusesNegativeOptions(t *testing.T) {
	t.Parallel()
	users := newUsers(t, &tokenServer{}, auth.NewMemory())
	err := users.KeepAlive(t.Context(), &auth.KeepAliveOptions{Pace: -1})
	require.Error(t, err)
	require.NotErrorIs(t, err, context.Canceled)
}
