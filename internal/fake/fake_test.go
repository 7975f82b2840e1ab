package fake

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

	"github.com/garminkit/activityapi/activity/activitytest/control"
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
	g := New(1, 1)
	o := &Options{Listen: "127.0.0.1:0", Scenario: scenario, Ready: func() { io.WriteString(out, g.BaseURL+"\n") }}
	go func() { done <- Run(ctx, g, o, out) }()

	require.Eventually(t, func() bool {
		mu.Lock()
		defer mu.Unlock()
		all := strings.Join(got, "")
		return strings.Contains(all, `"activities"`) && strings.Contains(all, `"activityDetails"`) && strings.Contains(all, "activityFile?id=")
	}, time.Minute, 10*time.Millisecond)

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

	// Another web page cannot use it through the browser, not even one whose
	// name leads here.
	for path, change := range map[string]func(*http.Request){
		"/control/users":  func(r *http.Request) { r.Header.Set("Origin", "https://attacker.example") },
		"/control/verify": func(r *http.Request) { r.Host = "attacker.example:9000" },
		"/oauth2Confirm":  func(r *http.Request) { r.Header.Set("Origin", "https://attacker.example") },
	} {
		r, _ = http.NewRequest("POST", base+path, nil)
		change(r)
		res, err = http.DefaultClient.Do(r)
		require.NoError(t, err)
		res.Body.Close()
		require.Equal(t, http.StatusForbidden, res.StatusCode, path)
	}

	stop()
	require.NoError(t, <-done)
}

func TestBadScenario(t *testing.T) {
	for _, text := range []string{`{`, `[{"method":"GET"}]`, `[{"method":"GET","path":"/state","after":"soon"}]`, `[{"unknown":1}]`} {
		name := filepath.Join(t.TempDir(), "scenario.json")
		require.NoError(t, os.WriteFile(name, []byte(text), 0o600))
		_, err := ReadScenario(name)
		require.Error(t, err, text)
	}
	api := httptest.NewServer(control.Handler(New(0, 1), nil))
	defer api.Close()
	err := Play(t.Context(), api.URL, []Step{{Method: "DELETE", Path: "/users/nobody"}}, io.Discard)
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
