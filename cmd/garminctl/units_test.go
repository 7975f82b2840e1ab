package main

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/garminkit/activityapi/types"
)

func TestTwoDashes(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ args, want []string }{
		{nil, []string{}},
		{[]string{"-json", "--json", "letters"}, []string{"--json", "--json", "letters"}},
		{[]string{"-least-free=5", "-h"}, []string{"--least-free=5", "-h"}},
		{[]string{"-5", "-", "-X", "a-b", "-a=b"}, []string{"-5", "-", "-X", "a-b", "-a=b"}},
		{[]string{"-yes", "--", "-json"}, []string{"--yes", "--", "-json"}},
	} {
		require.Equal(t, tt.want, twoDashes(tt.args), "%q", tt.args)
	}
}

func TestWhen(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 3, 15, 10, 30, 0, 0, time.UTC)
	for text, want := range map[string]string{
		"2026-01-31":                "2026-01-31T00:00:00Z",
		"2026-01-31T12:00:00Z":      "2026-01-31T12:00:00Z",
		"2026-01-31T12:00:00+02:00": "2026-01-31T10:00:00Z",
		"36h":                       "2026-03-13T22:30:00Z",
		"90m":                       "2026-03-15T09:00:00Z",
		"14d":                       "2026-03-01T00:00:00Z",
		"0d":                        "2026-03-15T00:00:00Z",
		"":                          "0001-01-01T00:00:00Z",
	} {
		got, err := when("-after", text, now)
		require.NoError(t, err, text)
		require.Equal(t, want, got.UTC().Format(time.RFC3339), text)
	}
	for _, text := range []string{"soon", "d", "-1d", "-5h", "1e9d", "999999d", "2026-13-01", "14"} {
		_, err := when("-after", text, now)
		require.EqualError(t, err, "-after is not a time, such as 2026-01-31, 2026-01-31T12:00:00Z, 36h or 14d", text)
	}
}

func TestWithSecret(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		endpoint string
		secret   types.Secret
		want     string
	}{
		{"https://me.example.com/garmin", "", "https://me.example.com/garmin"},
		{"https://me.example.com/garmin", "s", "https://me.example.com/garmin/s"},
		{"https://me.example.com/garmin/", "s", "https://me.example.com/garmin/s"},
		{"https://me.example.com/{secret}/garmin", "s", "https://me.example.com/s/garmin"},
		{"https://me.example.com/{secret}/garmin", "", "https://me.example.com/{secret}/garmin"},
	} {
		require.Equal(t, tt.want, withSecret(tt.endpoint, tt.secret))
	}
}

// Progress is for a terminal, and leaves nothing behind.
func TestProgress(t *testing.T) {
	t.Parallel()
	var stdout, stderr bytes.Buffer
	o := newOutput(&stdout, &stderr, false)
	o.progress("%d", 1)
	require.Empty(t, stderr.String(), "it is no terminal")
	o.terminal = true
	o.progress("%s %d of %d", bar(1, 3), 1, 3)
	o.progress("%s %d of %d", bar(1, 3), 1, 3) // the same is not written again
	require.NoError(t, o.value(1, func(w io.Writer) { io.WriteString(w, "result\n") }))
	require.Equal(t, "\r[##########....................] 1 of 3\x1b[K\r\x1b[K", stderr.String())
	require.Equal(t, "result\n", stdout.String())
	require.Equal(t, bar(0, 0), bar(-1, 5)[:32])
	require.Len(t, bar(9, 3), 32)
}

func TestInterrupted(t *testing.T) {
	t.Parallel()
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan struct{})
	s := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		stop()
		<-r.Context().Done()
		close(ended)
	}))
	defer s.Close()
	var stdout, stderr bytes.Buffer
	require.Equal(t, statusInterrupted, run(ctx, []string{"letters", "list", "-admin", s.URL}, &stdout, &stderr))
	require.Contains(t, stderr.String(), "garminctl: interrupted: ")
	<-ended
}
