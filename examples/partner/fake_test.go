package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// startFake runs the program with a fake Garmin, as "go run . -fake" does.
func startFake(t *testing.T) (address string) {
	t.Helper()
	ctx, stop := context.WithCancel(t.Context())
	r, w := io.Pipe()
	c := &config{fake: true, listen: "127.0.0.1:0"}
	done := make(chan error, 1)
	go func() {
		done <- run(ctx, c, w, slog.New(slog.DiscardHandler))
		w.Close()
	}()
	t.Cleanup(func() {
		stop()
		require.NoError(t, <-done)
		require.NoDirExists(t, c.dir, "nothing is kept")
	})
	_, err := fmt.Fscanln(r, &address)
	require.NoError(t, err)
	go func() { _, _ = io.Copy(io.Discard, r) }()
	return address
}

// TestFake: one command, and ann has a page with her year. How long it takes is in
// the log.
func TestFake(t *testing.T) {
	begin := time.Now()
	address := startFake(t)
	t.Logf("the address was there after %.1f s", time.Since(begin).Seconds())
	jar, err := cookiejar.New(nil)
	require.NoError(t, err)
	browser := &http.Client{Jar: jar}
	ask := func(method, path string, form url.Values) string {
		t.Helper()
		r, err := http.NewRequest(method, address+path, strings.NewReader(form.Encode()))
		require.NoError(t, err)
		if method == "POST" {
			r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		}
		answer, err := browser.Do(r)
		require.NoError(t, err)
		defer answer.Body.Close()
		require.Equal(t, http.StatusOK, answer.StatusCode)
		page, err := io.ReadAll(answer.Body)
		require.NoError(t, err)
		return string(page)
	}
	require.Contains(t, ask("GET", "/login", nil), "Log in as ann")
	page := ask("POST", "/fake/login", url.Values{"name": {"ann"}})
	t.Logf("she was logged in after %.1f s", time.Since(begin).Seconds())
	for n := 0; n < 200; time.Sleep(20 * time.Millisecond) {
		require.Less(t, time.Since(begin), 2*time.Minute, "her year has not come: %d", n)
		page = ask("GET", "/", nil)
		_, err := fmt.Sscan(regexp.MustCompile(`id="count">(\d+)`).FindStringSubmatch(page)[1], &n)
		require.NoError(t, err)
	}
	t.Logf("200 workouts were on her page after %.1f s", time.Since(begin).Seconds())
	require.NotContains(t, page, `href="/connect"`)
	require.Contains(t, ask("POST", "/fake/workout", nil), "Activities")
}

// What is not kept is kept in memory, or at least somewhere.
func TestScratch(t *testing.T) {
	dir, err := scratch()
	require.NoError(t, err)
	require.DirExists(t, dir)
	require.NoError(t, os.Remove(dir))
}
