package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestExitStatus(t *testing.T) {
	answer := http.StatusOK
	ts := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body)
		w.WriteHeader(answer)
	}))
	defer ts.Close()
	var out, errs bytes.Buffer

	junit := filepath.Join(t.TempDir(), "report.xml")
	require.Equal(t, passed, run(t.Context(), []string{"-small", "-junit", junit, ts.URL}, &out, &errs), "%s%s", &out, &errs)
	require.Contains(t, out.String(), " 0 failed")
	require.FileExists(t, junit)
	b, err := os.ReadFile(junit)
	require.NoError(t, err)
	require.Contains(t, string(b), `name="push-activities"`)

	out.Reset()
	answer = http.StatusCreated
	require.Equal(t, failed, run(t.Context(), []string{"-small", "-json", ts.URL}, &out, &errs))
	require.True(t, json.Valid(out.Bytes()))
	require.Contains(t, out.String(), "answered 201; only 200 counts")

	for _, args := range [][]string{
		{}, {"no url"}, {"-user", "x", ts.URL}, {"-user", "x:y", ts.URL}, {"-user", ":y", "-deliveries", "x", ts.URL},
		{"-user", "x:", "-deliveries", "x", ts.URL}, {"-api", "127.0.0.1:0", ts.URL}, {"-api", "127.0.0.1:0", "-user", "x", ts.URL},
		{"-deliveries", "x", ts.URL}, {"-api", "no address", "-user", "x:y", ts.URL},
	} {
		require.Equal(t, broken, run(t.Context(), args, &out, &errs), "%q", args)
	}
}

// A program that answers 200 and keeps nothing may pass, but never in silence.
func TestSinkIsTold(t *testing.T) {
	ts := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { io.Copy(io.Discard, r.Body) }))
	defer ts.Close()
	for _, form := range [][]string{{}, {"-json"}, {"-junit", filepath.Join(t.TempDir(), "report.xml")}} {
		var out, errs bytes.Buffer
		require.Equal(t, passed, run(t.Context(), append(form, "-small", ts.URL), &out, &errs))
		require.Contains(t, errs.String(), "-deliveries is unverified")
		require.Contains(t, errs.String(), "-api is unverified")
		require.Contains(t, out.String(), "deliveries: whether anything that was answered 200 is stored")
	}
	// It cannot pass with -deliveries.
	stored := filepath.Join(t.TempDir(), "stored")
	args := []string{"-small", "-wait", "10ms", "-user", "ann", "-user", "bob", "-deliveries", stored, ts.URL}
	var out, errs bytes.Buffer
	require.Equal(t, failed, run(t.Context(), args, &out, &errs))
	require.Contains(t, out.String(), "what was stored cannot be seen")
	require.NoError(t, os.WriteFile(stored, nil, 0o600))
	out.Reset()
	require.Equal(t, failed, run(t.Context(), args, &out, &errs))
	require.Contains(t, out.String(), "answered 200, and nothing is stored for the first user")
}

func TestNothingListens(t *testing.T) {
	ts := httptest.NewServer(nil)
	ts.Close()
	var out, errs bytes.Buffer
	require.Equal(t, failed, run(t.Context(), []string{ts.URL}, &out, &errs))
	require.NotContains(t, out.String(), "PASS")
	require.Contains(t, out.String(), "FAIL  two-users")
	require.Contains(t, out.String(), " 0 passed"[1:])
}

// An application that lists what it stores.
func TestDeliveries(t *testing.T) {
	var mu sync.Mutex
	var rows []string
	mux := http.NewServeMux()
	mux.HandleFunc("POST /garmin", func(w http.ResponseWriter, r *http.Request) {
		var body map[string][]struct{ UserID, SummaryID string }
		if json.NewDecoder(r.Body).Decode(&body) != nil {
			return
		}
		mu.Lock()
		defer mu.Unlock()
		for _, items := range body {
			for _, i := range items {
				rows = append(rows, i.UserID+","+i.SummaryID+",2026-11-28")
			}
		}
	})
	mux.HandleFunc("GET /stored", func(w http.ResponseWriter, _ *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		fmt.Fprint(w, strings.Join(rows, "\n"))
	})
	ts := httptest.NewServer(mux)
	defer ts.Close()
	var out, errs bytes.Buffer
	args := []string{"-small", "-user", "ann", "-user", "bob", "-deliveries", ts.URL + "/stored", ts.URL + "/garmin"}
	require.Equal(t, passed, run(t.Context(), args, &out, &errs), "%s%s", &out, &errs)
	require.NotContains(t, errs.String(), "-deliveries")
	require.Contains(t, out.String(), "PASS  two-users")
	require.Contains(t, out.String(), "PASS  delivered-moveIQActivities")

	args[6] = ts.URL + "/elsewhere"
	out.Reset()
	require.Equal(t, failed, run(t.Context(), append([]string{"-wait", "1ms"}, args...), &out, &errs))
	require.Contains(t, out.String(), "-deliveries answered 404")
}
