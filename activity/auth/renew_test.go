package auth_test

import (
	"compress/gzip"
	"errors"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/garminkit/activityapi/activity"
	"github.com/garminkit/activityapi/activity/auth"
	"github.com/garminkit/activityapi/types"
)

// refuser is a Garmin that answers 401 to some tokens.
type refuser struct {
	mu      sync.Mutex
	refuses func(token string) bool
	tokens  []string // of all requests
	zips    bool     // answers as gzip, whatever was asked for
}

func (g *refuser) RoundTrip(r *http.Request) (*http.Response, error) {
	token := strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")
	g.mu.Lock()
	defer g.mu.Unlock()
	g.tokens = append(g.tokens, strings.TrimPrefix(token, "canary-access-"))
	status, body := http.StatusOK, `{"userId":"u"}`
	if g.refuses(token) {
		status, body = http.StatusUnauthorized, `{"errorMessage":"Unknown token `+token+`"}`
	}
	header := http.Header{}
	if g.zips {
		header.Set("Content-Encoding", "gzip")
		var b strings.Builder
		w := gzip.NewWriter(&b)
		if _, err := io.WriteString(w, body); err != nil {
			return nil, err
		}
		if err := w.Close(); err != nil {
			return nil, err
		}
		body = b.String()
	}
	return &http.Response{StatusCode: status, Header: header, ContentLength: int64(len(body)), Body: io.NopCloser(strings.NewReader(body)), Request: r}, nil
}

func (g *refuser) requests() int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return len(g.tokens)
}

// renewing returns n clients of user u, each as of another process, whose
// token looks good for a day and is refused.
func renewing(t *testing.T, n int, server *tokenServer, garmin *refuser) (clients []*activity.Client, store auth.TokenStore) {
	t.Helper()
	pool, err := activity.NewPool(&activity.Options{Transport: garmin, MaxRetries: -1})
	require.NoError(t, err)
	store = auth.NewMemory()
	old := server.connect(t, store, "u", time.Now().Add(24*time.Hour))
	if garmin.refuses == nil {
		garmin.refuses = func(token string) bool { return token == string(old.AccessToken) }
	}
	for range n {
		users, err := auth.NewUsers(app, store, &auth.Options{Transport: server, Pool: pool})
		require.NoError(t, err)
		client, err := users.Client(t.Context(), "u")
		require.NoError(t, err)
		clients = append(clients, client)
	}
	return clients, store
}

// A token that looks good and gets 401 is replaced, and the request made again.
func TestRefusedTokenIsRenewed(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		server, garmin := &tokenServer{}, &refuser{}
		clients, store := renewing(t, 1, server, garmin)
		for range 3 {
			id, err := clients[0].UserID(t.Context())
			require.NoError(t, err)
			require.Equal(t, types.UserID("u"), id)
		}
		require.Equal(t, 1, server.calls)
		require.Equal(t, []string{"u-1", "u-2", "u-2", "u-2"}, garmin.tokens)
		stored, err := store.Token(t.Context(), "u")
		require.NoError(t, err)
		require.EqualValues(t, "canary-access-u-2", stored.AccessToken)
	})
}

// Many requests in several processes cost one refresh, and all are answered.
func TestRefusedTokenIsRenewedOnce(t *testing.T) {
	t.Parallel()
	for _, processes := range []int{1, 2, 5} {
		synctest.Test(t, func(t *testing.T) {
			server, garmin := &tokenServer{before: func() { time.Sleep(time.Second) }}, &refuser{}
			clients, _ := renewing(t, processes, server, garmin)
			var wg sync.WaitGroup
			for i := range 100 {
				wg.Go(func() {
					time.Sleep(time.Duration(i) * 20 * time.Millisecond)
					if _, err := clients[i%processes].UserID(t.Context()); err != nil {
						t.Error(err)
					}
				})
			}
			wg.Wait()
			require.Equal(t, 1, server.calls)
			require.Zero(t, server.reused)
			require.LessOrEqual(t, garmin.requests(), 200)
		})
	}
}

// A token that another process has replaced since is not refreshed again.
func TestReplacedTokenIsNotRenewed(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		server, garmin := &tokenServer{}, &refuser{}
		clients, store := renewing(t, 1, server, garmin)
		refuses := garmin.refuses
		garmin.refuses = func(token string) bool {
			if refuses(token) { // while the request is under way
				old, err := store.Token(t.Context(), "u")
				if err == nil {
					_, err = store.Swap(t.Context(), old, nil)
				}
				if err != nil {
					t.Error(err)
				}
				server.connect(t, store, "u", time.Now().Add(24*time.Hour))
				return true
			}
			return false
		}
		_, err := clients[0].UserID(t.Context())
		require.NoError(t, err)
		require.Zero(t, server.calls)
		require.Equal(t, []string{"u-1", "u-2"}, garmin.tokens)
	})
}

// A user who withdrew consent costs one refresh in all, and then ErrReconnect
// without asking Garmin.
func TestRefusedTokenOfRevokedUser(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		server, garmin := &tokenServer{}, &refuser{}
		clients, _ := renewing(t, 2, server, garmin)
		server.current = nil
		var wg sync.WaitGroup
		for i := range 20 {
			wg.Go(func() {
				_, err := clients[i%2].UserID(t.Context())
				if !errors.Is(err, auth.ErrReconnect) {
					t.Error(err)
				}
				var e *activity.Error
				if !errors.As(err, &e) || e.Fault() != types.FaultUser {
					t.Error("the user's items are not parked")
				}
			})
		}
		wg.Wait()
		require.Equal(t, 1, server.calls)
		sent := garmin.requests()
		_, err := clients[0].UserID(t.Context())
		require.ErrorIs(t, err, auth.ErrReconnect)
		require.Equal(t, sent, garmin.requests())
		require.Equal(t, 1, server.calls)
	})
}

// A Garmin that refuses every token costs one refresh an hour, and a request is
// made twice at most. The answer is Garmin's own.
func TestRefusalOfEveryToken(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		server, garmin := &tokenServer{}, &refuser{refuses: func(string) bool { return true }}
		clients, _ := renewing(t, 1, server, garmin)
		ask := func() {
			_, err := clients[0].UserID(t.Context())
			require.ErrorIs(t, err, activity.ErrUnauthorized)
			require.NotErrorIs(t, err, auth.ErrReconnect)
			require.NotContains(t, err.Error(), "canary")
			var e *activity.Error
			require.ErrorAs(t, err, &e)
			require.Equal(t, http.StatusUnauthorized, e.StatusCode)
		}
		for range 60 {
			ask()
			time.Sleep(time.Minute)
		}
		require.Equal(t, 1, server.calls)
		require.Equal(t, 61, garmin.requests())
		time.Sleep(time.Second)
		ask()
		require.Equal(t, 2, server.calls, "an hour later it may be worth a try")
		require.Equal(t, 63, garmin.requests())
	})
}

// While the OAuth server is down, the 401 is the answer, and the server is not
// asked for each request.
func TestRefusedTokenInAnOutage(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		server := &tokenServer{answer: func(w http.ResponseWriter, _ *http.Request) bool { w.WriteHeader(503); return true }}
		garmin := &refuser{}
		clients, _ := renewing(t, 1, server, garmin)
		for range 10 {
			_, err := clients[0].UserID(t.Context())
			require.ErrorIs(t, err, activity.ErrUnauthorized)
		}
		require.Equal(t, 1, server.calls)
		server.answer = nil
		time.Sleep(10 * time.Second)
		_, err := clients[0].UserID(t.Context())
		require.NoError(t, err)
		require.Equal(t, 2, server.calls)
	})
}

// A download is not sent again, whatever the answer; the next one has the new
// token.
func TestRefusedDownloadIsNotSentAgain(t *testing.T) {
	t.Parallel()
	for name, zips := range map[string]bool{"plain": false, "gzip that nobody asked": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				server, garmin := &tokenServer{}, &refuser{zips: zips}
				clients, _ := renewing(t, 1, server, garmin)
				const file = "https://apis.garmin.com/wellness-api/rest/activityFile?id=7&token=t"
				_, err := clients[0].Download(t.Context(), file)
				require.ErrorIs(t, err, activity.ErrUnauthorized)
				require.ErrorContains(t, err, "Unknown token")
				require.NotErrorIs(t, err, activity.ErrMaybeSpent)
				require.Equal(t, []string{"u-1"}, garmin.tokens)
				body, err := clients[0].Download(t.Context(), file)
				require.NoError(t, err)
				body.Close()
				require.Equal(t, []string{"u-1", "u-2"}, garmin.tokens)
				require.Equal(t, 1, server.calls)
			})
		})
	}
}
