package main

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestExitStatus(t *testing.T) {
	answer := http.StatusOK
	ts := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(answer) }))
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

	for _, args := range [][]string{{}, {"no url"}, {"-user", "x", ts.URL}, {"-api", "127.0.0.1:0", ts.URL}} {
		require.Equal(t, broken, run(t.Context(), args, &out, &errs), "%q", args)
	}
}
