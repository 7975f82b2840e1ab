package auth_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/garminkit/activityapi/activity"
	"github.com/garminkit/activityapi/activity/activitytest"
	"github.com/garminkit/activityapi/activity/auth"
	"github.com/garminkit/activityapi/types"
)

func TestTokenRefreshesWithin600Seconds(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		server, store := &tokenServer{}, auth.NewMemory()
		users := newUsers(t, server, store)
		old := server.connect(t, store, "u", time.Now().Add(24*time.Hour))

		time.Sleep(24*time.Hour - 601*time.Second)
		got, err := users.Token(t.Context(), "u")
		require.NoError(t, err)
		require.Equal(t, old.AccessToken, got.AccessToken)
		require.Zero(t, server.calls)

		time.Sleep(time.Second)
		got, err = users.Token(t.Context(), "u")
		require.NoError(t, err)
		require.NotEqual(t, old.AccessToken, got.AccessToken)
		require.NotEqual(t, old.RefreshToken, got.RefreshToken)
		require.Contains(t, server.current, string(got.RefreshToken))
		require.Equal(t, time.Now().Add(86400*time.Second).UTC(), got.Expiry)
		require.Equal(t, time.Now().Add(7775998*time.Second).UTC(), got.RefreshExpiry)
		require.Zero(t, got.ClaimedUntil)
		require.Equal(t, 1, server.calls)
		require.Equal(t, auth.Counts{Refreshed: 1}, users.Counts())

		stored, err := store.Token(t.Context(), "u")
		require.NoError(t, err)
		require.Equal(t, got, stored)
	})
}

// TestWrap: what wraps the transport sees the calls to the token server.
func TestWrap(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		server, store := &tokenServer{}, auth.NewMemory()
		var seen []string
		users, err := auth.NewUsers(app, store, &auth.Options{Transport: server, Wrap: func(next http.RoundTripper) http.RoundTripper {
			return recorder(func(r *http.Request) (*http.Response, error) {
				seen = append(seen, r.Method+" "+r.URL.Path)
				return next.RoundTrip(r)
			})
		}})
		require.NoError(t, err)
		server.connect(t, store, "u", time.Now().Add(time.Minute))
		_, err = users.Token(t.Context(), "u")
		require.NoError(t, err)
		require.Equal(t, []string{"POST /di-oauth2-service/oauth/token"}, seen)
		_, err = auth.NewUsers(app, store, &auth.Options{Wrap: func(http.RoundTripper) http.RoundTripper { return nil }})
		require.ErrorContains(t, err, "Options.Wrap returned nil")
	})
}

// F40: one refresh for any number of callers, and one attempt at what cannot
// come right.
func TestOneFlight(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		server, store := &tokenServer{before: func() { time.Sleep(time.Second) }}, auth.NewMemory()
		users := newUsers(t, server, store)
		server.connect(t, store, "u", time.Now().Add(time.Minute))

		var wg sync.WaitGroup
		got := make([]*auth.Token, 100)
		for i := range got {
			wg.Go(func() {
				var err error
				got[i], err = users.Token(t.Context(), "u")
				if err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		require.Equal(t, 1, server.calls)
		for _, tok := range got {
			require.Equal(t, got[0], tok)
		}
		require.NotSame(t, got[0], got[1], "callers share a token that one may change")
	})
}

func TestCallerMayLeaveTheFlight(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		server, store := &tokenServer{before: func() { time.Sleep(5 * time.Second) }}, auth.NewMemory()
		users := newUsers(t, server, store)
		server.connect(t, store, "u", time.Now().Add(-time.Minute))

		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		var wg sync.WaitGroup
		wg.Go(func() {
			time.Sleep(100 * time.Millisecond) // joins the other's flight
			_, err := users.Token(t.Context(), "u")
			if err != nil {
				t.Error("a caller who stayed:", err)
			}
		})
		start := time.Now()
		_, err := users.Token(ctx, "u")
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.Equal(t, time.Second, time.Since(start))
		wg.Wait()
		require.Equal(t, 1, server.calls)
	})
}

func TestRefreshOutlivesItsCaller(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		server, store := &tokenServer{before: func() { time.Sleep(5 * time.Second) }}, auth.NewMemory()
		users := newUsers(t, server, store)
		old := server.connect(t, store, "u", time.Now().Add(-time.Minute))

		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_, err := users.Token(ctx, "u")
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.NoError(t, users.Close())
		stored, err := store.Token(t.Context(), "u")
		require.NoError(t, err)
		require.NotEqual(t, old.RefreshToken, stored.RefreshToken, "Garmin rotated the token and nobody stored it")
		require.Contains(t, server.current, string(stored.RefreshToken))
	})
}

// Processes that share a store but nothing else.
func TestProcessesDoNotRefreshTwice(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		server, store := &tokenServer{before: func() { time.Sleep(time.Second) }}, auth.NewMemory()
		server.connect(t, store, "u", time.Now().Add(-time.Minute))
		var wg sync.WaitGroup
		for range 20 {
			users := newUsers(t, server, store)
			wg.Go(func() {
				if _, err := users.Token(t.Context(), "u"); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		require.Equal(t, 1, server.calls)
		require.Zero(t, server.reused)
	})
}

// A refresh has ended before others take it over, however long a call may take.
func TestLongTimeout(t *testing.T) {
	t.Parallel()
	for _, timeout := range []time.Duration{time.Minute, 90 * time.Second, 2 * time.Minute, time.Hour} {
		synctest.Test(t, func(t *testing.T) {
			var calls, running, most atomic.Int64
			slow := recorder(func(r *http.Request) (*http.Response, error) {
				calls.Add(1)
				if n := running.Add(1); n > most.Load() {
					most.Store(n)
				}
				defer running.Add(-1)
				<-r.Context().Done()
				return nil, r.Context().Err()
			})
			server, store := &tokenServer{}, auth.NewMemory()
			server.connect(t, store, "u", time.Now().Add(-time.Minute))
			var wg sync.WaitGroup
			for range 3 {
				users, err := auth.NewUsers(app, store, &auth.Options{Transport: slow, Timeout: timeout})
				require.NoError(t, err)
				wg.Go(func() {
					if _, err := users.Token(t.Context(), "u"); !errors.Is(err, context.DeadlineExceeded) {
						t.Error(err)
					}
					if err := users.Close(); err != nil {
						t.Error(err)
					}
				})
			}
			wg.Wait()
			require.Greater(t, calls.Load(), int64(1), "%s: nobody took over", timeout)
			require.EqualValues(t, 1, most.Load(), "%s: one refresh token was used by two at once", timeout)
		})
	}
}

func TestInvalidGrantIsOneAttempt(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		server, store := &tokenServer{}, auth.NewMemory()
		users := newUsers(t, server, store)
		server.connect(t, store, "u", time.Now().Add(-time.Minute))
		clear(server.current)
		for range 5 {
			_, err := users.Token(t.Context(), "u")
			require.ErrorIs(t, err, auth.ErrReconnect)
			require.NotErrorIs(t, err, auth.ErrInvalidClient)
			var e *auth.Error
			require.ErrorAs(t, err, &e)
			require.Equal(t, types.FaultUser, e.Fault())
			require.NotContains(t, err.Error(), "canary")
		}
		require.Equal(t, 1, server.calls)
		require.Equal(t, auth.Counts{Reconnect: 1}, users.Counts())
	})
}

func TestInvalidClientLeavesTheUserAlone(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		server, store := &tokenServer{}, auth.NewMemory()
		server.connect(t, store, "u", time.Now().Add(-time.Minute))
		wrong := auth.App{ClientID: clientID, ClientSecret: "canary-wrong"}
		misconfigured, err := auth.NewUsers(wrong, store, &auth.Options{Transport: server})
		require.NoError(t, err)
		_, err = misconfigured.Token(t.Context(), "u")
		require.ErrorIs(t, err, auth.ErrInvalidClient)
		require.NotErrorIs(t, err, auth.ErrReconnect)
		require.NotContains(t, err.Error(), "canary")
		require.Equal(t, 1, server.calls)

		// Mended, the user is still connected and need not wait.
		start := time.Now()
		_, err = newUsers(t, server, store).Token(t.Context(), "u")
		require.NoError(t, err)
		require.Equal(t, start, time.Now())
	})
}

func TestPassingTroubleUsesTheOldToken(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		server, store := &tokenServer{}, auth.NewMemory()
		users := newUsers(t, server, store)
		old := server.connect(t, store, "u", time.Now().Add(5*time.Minute))
		server.answer = func(w http.ResponseWriter, r *http.Request) bool {
			w.Header().Set("Retry-After", "7")
			w.WriteHeader(http.StatusServiceUnavailable)
			io.WriteString(w, "<html>canary")
			return true
		}
		got, err := users.Token(t.Context(), "u")
		require.NoError(t, err)
		require.Equal(t, old.AccessToken, got.AccessToken)

		time.Sleep(5 * time.Minute)
		_, err = users.Token(t.Context(), "u")
		require.NotErrorIs(t, err, auth.ErrReconnect)
		var e *auth.Error
		require.ErrorAs(t, err, &e)
		require.Equal(t, http.StatusServiceUnavailable, e.StatusCode)
		require.Equal(t, types.FaultGarmin, e.Fault())
		require.Equal(t, 7*time.Second, e.RetryAfter())
		require.NotContains(t, fmt.Sprintf("%v %+v %#v", err, err, err), "canary")

		server.answer = nil
		time.Sleep(8 * time.Second)
		_, err = users.Token(t.Context(), "u")
		require.NoError(t, err)
		require.Equal(t, auth.Counts{Refreshed: 1, Failed: 2}, users.Counts())
	})
}

// An outage is not multiplied by those who ask for the same user's token.
func TestOutageIsNotMultiplied(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		server, store := &tokenServer{}, auth.NewMemory()
		users := newUsers(t, server, store)
		server.connect(t, store, "u", time.Now().Add(time.Hour))
		server.answer = func(w http.ResponseWriter, r *http.Request) bool {
			w.WriteHeader(http.StatusBadGateway)
			return true
		}
		// Six hours, in which somebody asks every second.
		var early, late int
		for range 6 * 3600 {
			if _, err := users.Token(t.Context(), "u"); err == nil {
				early++
			} else {
				late++
			}
			time.Sleep(time.Second)
		}
		require.Equal(t, 3600, early, "the old token still held")
		require.Equal(t, 5*3600, late)
		require.LessOrEqual(t, server.calls, (600+5*3600)/5)

		_, err := users.Token(t.Context(), "u")
		require.Error(t, err)
		server.answer = nil
		_, err = users.Refresh(t.Context(), "u")
		require.NoError(t, err, "who insists is not held up")
		_, err = users.Token(t.Context(), "u")
		require.NoError(t, err)
	})
}

// brokenStore fails swaps while fail returns an error.
type brokenStore struct {
	auth.TokenStore
	fail func(new *auth.Token) error
}

func (s *brokenStore) Swap(ctx context.Context, old, new *auth.Token) (*auth.Token, error) {
	if err := s.fail(new); err != nil {
		return nil, err
	}
	return s.TokenStore.Swap(ctx, old, new)
}

func TestRotatedTokenWaitsForTheStore(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		full := errors.New("disk full")
		broken := false
		store := &brokenStore{TokenStore: auth.NewMemory(), fail: func(new *auth.Token) error {
			if broken && new != nil && new.ClaimedUntil.IsZero() {
				return full
			}
			return nil
		}}
		server := &tokenServer{}
		users := newUsers(t, server, store)
		server.connect(t, store, "u", time.Now().Add(-time.Minute))
		broken = true
		_, err := users.Token(t.Context(), "u")
		require.ErrorIs(t, err, full, "a token that was not stored must not be used")
		require.Equal(t, 1, server.calls)
		require.ErrorIs(t, users.Close(), full)

		broken = false
		got, err := users.Token(t.Context(), "u")
		require.NoError(t, err)
		require.Equal(t, 1, server.calls, "the token was rotated already")
		require.Contains(t, server.current, string(got.RefreshToken))
		require.NoError(t, users.Close())
	})
}

// What the store did not take of a user who is forgotten since is not kept, and
// nobody hears of it.
func TestForgetRotatedToken(t *testing.T) {
	t.Parallel()
	for name, forget := range map[string]func(users *auth.Users, store auth.TokenStore) error{
		"Forget": func(users *auth.Users, _ auth.TokenStore) error { return users.Forget(context.Background(), "u") },
		"elsewhere": func(users *auth.Users, store auth.TokenStore) error {
			t, err := store.Token(context.Background(), "u")
			if err == nil {
				_, err = store.Swap(context.Background(), t, nil)
			}
			return err
		},
		"elsewhere, then Forget": func(users *auth.Users, store auth.TokenStore) error {
			t, err := store.Token(context.Background(), "u")
			if err == nil {
				_, err = store.Swap(context.Background(), t, nil)
			}
			return errors.Join(err, users.Forget(context.Background(), "u"))
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				full := errors.New("disk full")
				broken := true
				store := &brokenStore{TokenStore: auth.NewMemory(), fail: func(new *auth.Token) error {
					if broken && new != nil && new.ClaimedUntil.IsZero() {
						return full
					}
					return nil
				}}
				server := &tokenServer{}
				users := newUsers(t, server, store)
				broken = false
				server.connect(t, store, "u", time.Now().Add(24*time.Hour))
				broken = true
				_, err := users.Refresh(t.Context(), "u")
				require.ErrorIs(t, err, full)
				require.Equal(t, 1, users.Unstored())
				require.NoError(t, forget(users, store))
				if name != "elsewhere" {
					require.Zero(t, users.Unstored(), "a token of a forgotten user is in memory")
				}
				broken = false
				require.NoError(t, users.Close())
				_, err = store.Token(t.Context(), "u")
				require.ErrorIs(t, err, auth.ErrNotConnected)
				require.Zero(t, users.Unstored())
			})
		})
	}
}

// A store that fails for a moment costs a moment, and no user, even where the
// refresh itself has run out of time.
func TestRotationOutlastsTheStoresTrouble(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		store := &brokenStore{TokenStore: auth.NewMemory(), fail: func(new *auth.Token) error {
			if at := time.Since(start); new != nil && at > 100*time.Second && at < 125*time.Second {
				return errors.New("disk full")
			}
			return nil
		}}
		server := &tokenServer{before: func() { time.Sleep(14 * time.Second) }}
		users := newUsers(t, server, store)
		tok := server.connect(t, store, "u", time.Now().Add(-time.Minute))
		tok.ClaimedUntil = start.Add(114 * time.Second) // by a process that died
		_, err := store.Swap(t.Context(), tok, tok)
		require.NoError(t, err)

		got, err := users.Token(t.Context(), "u")
		require.NoError(t, err)
		require.GreaterOrEqual(t, time.Since(start), 125*time.Second)
		require.Equal(t, 1, server.calls)
		require.Contains(t, server.current, string(got.RefreshToken))
		stored, err := store.Token(t.Context(), "u")
		require.NoError(t, err)
		require.Equal(t, got, stored)
	})
}

// A store that cannot write must be noticed before the refresh token is spent.
func TestStoreIsTriedFirst(t *testing.T) {
	t.Parallel()
	full := errors.New("disk full")
	store := &brokenStore{TokenStore: auth.NewMemory(), fail: func(new *auth.Token) error { return nil }}
	server := &tokenServer{}
	users := newUsers(t, server, store)
	server.connect(t, store, "u", time.Now().Add(-time.Minute))
	store.fail = func(*auth.Token) error { return full }
	_, err := users.Token(t.Context(), "u")
	require.ErrorIs(t, err, full)
	require.Zero(t, server.calls)
}

// A store that mixes up its users must not show one person's data to another.
func TestForeignTokenIsRefused(t *testing.T) {
	t.Parallel()
	fake := activitytest.NewServer()
	a, b := fake.AddUser(nil), fake.AddUser(nil)
	store := &mixedUp{TokenStore: auth.NewMemory()}
	_, err := store.Swap(t.Context(), nil, &auth.Token{UserID: b.ID(), AccessToken: types.Secret(b.State().AccessToken), Expiry: time.Now().Add(time.Hour)})
	require.NoError(t, err)
	pool, err := activity.NewPool(&activity.Options{Transport: fake})
	require.NoError(t, err)
	users, err := auth.NewUsers(fakeApp(fake), store, &auth.Options{Transport: fake, Pool: pool})
	require.NoError(t, err)
	store.as = b.ID()
	client, err := users.Client(t.Context(), a.ID())
	if err == nil {
		_, err = client.UserID(t.Context())
	}
	require.ErrorContains(t, err, "another user")
	require.Empty(t, fake.Requests(0))
}

type mixedUp struct {
	auth.TokenStore
	as types.UserID
}

func (s *mixedUp) Token(ctx context.Context, userID types.UserID) (*auth.Token, error) {
	return s.TokenStore.Token(ctx, s.as)
}

// A process that died with a claim holds up nobody longer than the claim lives,
// and nobody at all whose token still holds.
func TestClaimOfTheDeadRunsOut(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		server, store := &tokenServer{}, auth.NewMemory()
		users := newUsers(t, server, store)
		for user, expiry := range map[types.UserID]time.Duration{"expired": -time.Minute, "holds": 5 * time.Minute} {
			tok := server.connect(t, store, user, time.Now().Add(expiry))
			tok.ClaimedUntil = time.Now().Add(45 * time.Second)
			_, err := store.Swap(t.Context(), tok, tok)
			require.NoError(t, err)
		}
		start := time.Now()
		_, err := users.Token(t.Context(), "holds")
		require.NoError(t, err)
		require.Equal(t, start, time.Now())
		require.Zero(t, server.calls)

		_, err = users.Token(t.Context(), "expired")
		require.NoError(t, err)
		require.GreaterOrEqual(t, time.Since(start), 45*time.Second)
		require.Less(t, time.Since(start), 48*time.Second)
		require.Equal(t, 1, server.calls)
	})
}

// A clock that was set while a claim stood: the claim is neither waited for
// for an hour, nor taken for over while its holder may still be at work.
func TestClaimsWhenTheClockIsSet(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct{ until, least, most time.Duration }{
		"set back":    {time.Hour, 90 * time.Second, 92 * time.Second},
		"a year back": {365 * 24 * time.Hour, 90 * time.Second, 92 * time.Second},
		"set forward": {-time.Hour, 45 * time.Second, 47 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				server, store := &tokenServer{}, auth.NewMemory()
				users := newUsers(t, server, store)
				tok := server.connect(t, store, "u", time.Now().Add(-time.Minute))
				tok.ClaimedUntil = time.Now().Add(test.until)
				_, err := store.Swap(t.Context(), tok, tok)
				require.NoError(t, err)
				start := time.Now()
				_, err = users.Token(t.Context(), "u")
				require.NoError(t, err)
				require.GreaterOrEqual(t, time.Since(start), test.least)
				require.LessOrEqual(t, time.Since(start), test.most)
				require.Equal(t, 1, server.calls)
			})
		})
	}
}

// Where claims fail, as with clocks that differ by a minute, the process that
// comes second reads again and does not log the user out.
func TestLoserReadsAgain(t *testing.T) {
	t.Parallel()
	const ms = time.Millisecond
	for _, tt := range []struct{ delay, store time.Duration }{
		{100 * ms, 0}, {500 * ms, 0}, {900 * ms, 0}, {990 * ms, 0},
		{100 * ms, 200 * ms}, // the winner is still storing when the loser is refused
	} {
		synctest.Test(t, func(t *testing.T) {
			server := &tokenServer{before: func() { time.Sleep(time.Second) }}
			store := &brokenStore{TokenStore: auth.NewMemory(), fail: func(new *auth.Token) error {
				if new.ClaimedUntil.IsZero() && new.Version == 0 { // a token that Garmin gave
					time.Sleep(tt.store)
				}
				return nil
			}}
			server.connect(t, store, "u", time.Now().Add(-time.Minute))
			var wg sync.WaitGroup
			got := make([]*auth.Token, 2)
			for i := range got {
				users := newUsers(t, server, store)
				if i == 1 {
					time.Sleep(tt.delay)
					tok, err := store.Token(t.Context(), "u")
					require.NoError(t, err)
					tok.ClaimedUntil = time.Time{}
					_, err = store.Swap(t.Context(), tok, tok)
					require.NoError(t, err)
				}
				wg.Go(func() {
					var err error
					got[i], err = users.Token(t.Context(), "u")
					if err != nil {
						t.Error(err)
					}
				})
				synctest.Wait()
			}
			wg.Wait()
			if t.Failed() {
				return // The error says more.
			}
			require.Equal(t, 1, server.reused, "the case did not arise")
			require.Equal(t, got[0].AccessToken, got[1].AccessToken)
			stored, err := store.Token(t.Context(), "u")
			require.NoError(t, err)
			require.False(t, stored.Revoked)
			require.Contains(t, server.current, string(stored.RefreshToken))
		})
	}
}
