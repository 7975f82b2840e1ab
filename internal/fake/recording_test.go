package fake

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestRecordAndReplay: one run records what comes to it, and sends what another
// has recorded at a receiver.
func TestRecordAndReplay(t *testing.T) {
	bodies := make(chan string, 1)
	partner := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		bodies <- string(b)
	}))
	defer partner.Close()
	dir := t.TempDir()
	recorded, made := filepath.Join(dir, "recorded.jsonl"), filepath.Join(dir, "made.jsonl")
	require.NoError(t, os.WriteFile(recorded, []byte(`{"recording":"activityapi","version":1}
{"at":0,"method":"POST","status":200,"size":2,"body":"{\"activities\":[{\"userId\":\"bob\",\"callbackURL\":\"https://apis.garmin.com/wellness-api/rest/activities?token=xxx\"}]}"}
{"at":3600000000000,"method":"POST","status":200,"size":17,"body":"{\"activities\":[]}"}
`), 0o600))
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	g := New(0, 1)
	u := g.AddUser(nil)
	ready, done := make(chan struct{}), make(chan error, 1)
	o := &Options{Listen: "127.0.0.1:0", Endpoint: partner.URL, Replay: recorded, AtOnce: true, Record: made, Ready: func() { close(ready) }}
	go func() { done <- Run(ctx, g, o, io.Discard) }()
	<-ready
	require.Contains(t, <-bodies, `{"activities":[{"userId":"bob","callbackURL":"`+g.BaseURL+"/wellness-api/rest/activities?")
	require.Equal(t, `{"activities":[]}`, <-bodies)

	for _, path := range []string{"/wellness-api/rest/user/id", "/control/state", "/" + string(u.ID())} {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, g.BaseURL+path, nil)
		require.NoError(t, err)
		r.Header.Set("Authorization", "Bearer "+u.State().AccessToken)
		res, err := http.DefaultClient.Do(r)
		require.NoError(t, err)
		require.NoError(t, res.Body.Close())
	}
	stop()
	require.NoError(t, <-done)
	b, err := os.ReadFile(made)
	require.NoError(t, err)
	require.Equal(t, 1, strings.Count(string(b), `"path":"/wellness-api/rest/user/id"`))
	require.Equal(t, 3, strings.Count(string(b), "\n"), "the control API is no part of it: %s", b)
	require.NotContains(t, string(b), string(u.ID()))
	require.NotContains(t, string(b), u.State().AccessToken)
}

func TestRecordingsThatAreNone(t *testing.T) {
	file := filepath.Join(t.TempDir(), "none.jsonl")
	require.NoError(t, os.WriteFile(file, []byte("{}\n"), 0o600))
	for _, o := range []*Options{
		{Replay: file}, {Replay: file + "x"}, {Record: filepath.Join(file, "x")},
	} {
		o.Listen, o.Ready = "127.0.0.1:0", func() {}
		require.Error(t, Run(t.Context(), New(0, 1), o, io.Discard))
	}
}
