package auth_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/garminkit/activityapi/activity/auth"
	"github.com/garminkit/activityapi/types"
)

const (
	clientID     = "client-0001"
	clientSecret = "canary-client-secret"
)

// tokenServer is a stub of Garmin's token server that rotates strictly: a
// refresh token is good once. It is an http.RoundTripper.
type tokenServer struct {
	mu      sync.Mutex
	n       int
	current map[string]types.UserID // user by refresh token
	calls   int
	reused  int
	// answer, if it is set and returns true, answers instead.
	answer func(w http.ResponseWriter, r *http.Request) bool
	// before, if set, runs before the answer, outside the lock.
	before func()
}

func (s *tokenServer) RoundTrip(r *http.Request) (*http.Response, error) {
	if err := r.Context().Err(); err != nil {
		return nil, err
	}
	if s.before != nil {
		s.before()
	}
	w := httptest.NewRecorder()
	s.ServeHTTP(w, r)
	if err := r.Context().Err(); err != nil {
		return nil, err // It had its effect, and nobody hears of it.
	}
	return w.Result(), nil
}

func (s *tokenServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.calls++
	if s.answer != nil && s.answer(w, r) {
		return
	}
	w.Header().Set("Content-Type", "application/json;charset=UTF-8")
	switch {
	case r.Method != http.MethodPost || r.ParseForm() != nil || r.URL.RawQuery != "" || r.Header.Get("Authorization") != "":
		w.WriteHeader(http.StatusBadRequest)
		fmt.Fprint(w, `{"error":"invalid_request"}`)
	case r.PostForm.Get("client_id") != clientID || r.PostForm.Get("client_secret") != clientSecret:
		w.WriteHeader(http.StatusUnauthorized)
		fmt.Fprint(w, `{"error":"invalid_client","error_description":"Bad client credentials"}`)
	default:
		rt := r.PostForm.Get("refresh_token")
		user, ok := s.current[rt]
		if r.PostForm.Get("grant_type") != "refresh_token" || !ok {
			s.reused++
			w.WriteHeader(http.StatusBadRequest)
			fmt.Fprintf(w, `{"error":"invalid_grant","error_description":"Invalid refresh token: %s"}`, rt)
			return
		}
		delete(s.current, rt)
		json.NewEncoder(w).Encode(s.issue(user))
	}
}

// issue makes a user's next pair of tokens. The caller holds the lock.
func (s *tokenServer) issue(user types.UserID) map[string]any {
	s.n++
	refresh := fmt.Sprintf("canary-refresh-%s-%d", user, s.n)
	if s.current == nil {
		s.current = make(map[string]types.UserID)
	}
	s.current[refresh] = user
	return map[string]any{
		"access_token":             fmt.Sprintf("canary-access-%s-%d", user, s.n),
		"token_type":               "bearer",
		"expires_in":               86400,
		"refresh_token":            refresh,
		"refresh_token_expires_in": 7775998,
		"scope":                    "PARTNER_WRITE PARTNER_READ CONNECT_READ CONNECT_WRITE",
		"jti":                      fmt.Sprint(s.n),
	}
}

// connect puts a token into the store as a finished connection does.
func (s *tokenServer) connect(t testing.TB, store auth.TokenStore, user types.UserID, expiry time.Time) *auth.Token {
	t.Helper()
	s.mu.Lock()
	m := s.issue(user)
	s.mu.Unlock()
	tok, err := store.Swap(t.Context(), nil, &auth.Token{
		UserID:        user,
		AccessToken:   types.Secret(m["access_token"].(string)),
		RefreshToken:  types.Secret(m["refresh_token"].(string)),
		Expiry:        expiry,
		RefreshExpiry: expiry.Add(89 * 24 * time.Hour),
	})
	require.NoError(t, err)
	return tok
}

// app is the application that the stub knows.
var app = auth.App{ClientID: clientID, ClientSecret: clientSecret}

func newUsers(t testing.TB, rt http.RoundTripper, store auth.TokenStore) *auth.Users {
	t.Helper()
	users, err := auth.NewUsers(app, store, &auth.Options{Transport: rt})
	require.NoError(t, err)
	return users
}

// recorder is an http.RoundTripper.
type recorder func(*http.Request) (*http.Response, error)

func (f recorder) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// readBody returns a request's body and leaves it to be read again.
func readBody(t testing.TB, r *http.Request) string {
	t.Helper()
	if r.Body == nil {
		return ""
	}
	b, err := io.ReadAll(r.Body)
	require.NoError(t, err)
	r.Body = io.NopCloser(bytes.NewReader(b))
	return string(b)
}

func bodyOf(t testing.TB, resp *http.Response) string {
	t.Helper()
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	return strings.TrimSpace(string(b))
}
