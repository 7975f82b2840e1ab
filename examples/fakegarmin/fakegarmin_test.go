package main

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// TestScenario runs the program's inside with a scenario against a receiver.
func TestScenario(t *testing.T) {
	var mu sync.Mutex
	var got []string
	partner := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		mu.Lock()
		defer mu.Unlock()
		got = append(got, string(b))
	}))
	defer partner.Close()

	scenario := filepath.Join(t.TempDir(), "scenario.json")
	require.NoError(t, os.WriteFile(scenario, []byte(`[
		{"method": "POST", "path": "/users", "body": {"id": "alice", "accessToken": "t1"}},
		{"method": "PUT", "path": "/endpoints/all", "body": {"url": "`+partner.URL+`", "enabled": true, "push": true}},
		{"after": "1ms", "method": "POST", "path": "/users/alice/sync", "body": {"sport": "triathlon"}}
	]`), 0o600))
	ctx, stop := context.WithCancel(t.Context())
	out := &buffer{}
	done := make(chan error, 1)
	go func() { done <- run(ctx, newGarmin(1, 1), "127.0.0.1:0", "", scenario, out) }()

	require.Eventually(t, func() bool {
		mu.Lock()
		defer mu.Unlock()
		all := strings.Join(got, "")
		return strings.Contains(all, `"activities"`) && strings.Contains(all, `"activityDetails"`) && strings.Contains(all, "activityFile?id=")
	}, 10*time.Second, 10*time.Millisecond)

	base := regexp.MustCompile(`http://\S+`).FindString(out.String())
	res, err := http.Get(base + "/")
	require.NoError(t, err)
	b, _ := io.ReadAll(res.Body)
	res.Body.Close()
	require.Contains(t, string(b), "<title>Fake Garmin</title>")
	res, err = http.Get(base + "/control/state")
	require.NoError(t, err)
	var state struct{ Users []struct{ ID string } }
	require.NoError(t, json.NewDecoder(res.Body).Decode(&state))
	res.Body.Close()
	require.Len(t, state.Users, 2)
	r, _ := http.NewRequest("GET", base+"/wellness-api/rest/user/id", nil)
	r.Header.Set("Authorization", "Bearer t1")
	res, err = http.DefaultClient.Do(r)
	require.NoError(t, err)
	b, _ = io.ReadAll(res.Body)
	res.Body.Close()
	require.Equal(t, `{"userId":"alice"}`, string(b))

	// Another web page cannot use the control API through the browser.
	r, _ = http.NewRequest("POST", base+"/control/users", nil)
	r.Header.Set("Origin", "https://attacker.example")
	res, err = http.DefaultClient.Do(r)
	require.NoError(t, err)
	res.Body.Close()
	require.Equal(t, http.StatusForbidden, res.StatusCode)

	stop()
	require.NoError(t, <-done)
}

// TestSampleScenario carries out the sample, without its waits.
func TestSampleScenario(t *testing.T) {
	calls, err := readScenario("triathlon.json")
	require.NoError(t, err)
	for i := range calls {
		calls[i].wait = 0
	}
	g := newGarmin(0, 1)
	control := httptest.NewServer(g.Control())
	defer control.Close()
	require.NoError(t, play(t.Context(), control.URL, calls, io.Discard))
	require.Len(t, g.Users(), 1)
	require.Equal(t, 6, g.User("alice").Count("activities"))
}

func TestBadScenario(t *testing.T) {
	for _, text := range []string{`{`, `[{"method":"GET"}]`, `[{"method":"GET","path":"/state","after":"soon"}]`, `[{"unknown":1}]`} {
		name := filepath.Join(t.TempDir(), "scenario.json")
		require.NoError(t, os.WriteFile(name, []byte(text), 0o600))
		_, err := readScenario(name)
		require.Error(t, err, text)
	}
	control := httptest.NewServer(newGarmin(0, 1).Control())
	defer control.Close()
	err := play(t.Context(), control.URL, []call{{Method: "DELETE", Path: "/users/nobody"}}, io.Discard)
	require.ErrorContains(t, err, "step 1: 404")
}

// buffer is a bytes.Buffer for several goroutines.
type buffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}
