package main

import (
	"bytes"
	"context"
	"io"
	"log"
	"log/slog"
	"net/http"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/garminkit/activityapi/internal/freeport"
)

const secret = "0123456789abcdef0123456789abcdef"

// logs is what the program logs.
type logs struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *logs) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *logs) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// TestReceiver starts the program, sends to it and stops it.
func TestReceiver(t *testing.T) {
	var out logs
	log.SetOutput(&out)
	defer log.SetOutput(os.Stderr)
	slog.SetLogLoggerLevel(slog.LevelInfo)
	address, err := freeport.Address(t.Context())
	require.NoError(t, err)
	dir := t.TempDir()
	require.Error(t, run(t.Context(), dir, address, ""), "no secret, no endpoint")
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- run(ctx, dir, address, secret) }()
	require.Eventually(t, func() bool { return get("http://"+address+"/ready") == http.StatusOK }, time.Minute, 10*time.Millisecond)
	require.Equal(t, http.StatusOK, get("http://"+address+"/live"))
	require.Equal(t, http.StatusNotFound, post(t, "http://"+address+"/garmin/guess"))
	require.Equal(t, http.StatusOK, post(t, "http://"+address+"/garmin/"+secret))
	require.Eventually(t, func() bool { return strings.Contains(out.String(), "user of 4aacafe8 has activities x1") }, time.Minute, 10*time.Millisecond)
	stop()
	require.NoError(t, <-done)
	require.Contains(t, out.String(), "activities[].newKey", "what the version does not know is in the log")
	require.NotContains(t, out.String(), secret)
}

// TestLines: the program is no longer than it says.
func TestLines(t *testing.T) {
	data, err := os.ReadFile("main.go")
	require.NoError(t, err)
	lines := 0
	for line := range strings.Lines(string(data)) {
		if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "//") {
			lines++
		}
	}
	t.Logf("main.go has %d lines of code", lines)
	require.LessOrEqual(t, lines, 40)
}

func get(url string) int {
	resp, err := http.Get(url)
	if err != nil {
		return 0
	}
	resp.Body.Close()
	return resp.StatusCode
}

func post(t *testing.T, url string) int {
	t.Helper()
	body := `{"activities":[{"userId":"4aacafe8","summaryId":"x1","activityId":1,"activityType":"RUNNING","startTimeInSeconds":1700000000,"durationInSeconds":60,"newKey":1}]}`
	resp, err := http.Post(url, "application/json", strings.NewReader(body))
	require.NoError(t, err)
	_, err = io.Copy(io.Discard, resp.Body)
	require.NoError(t, err)
	require.NoError(t, resp.Body.Close())
	return resp.StatusCode
}
