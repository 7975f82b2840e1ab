package main

import (
	"archive/zip"
	"bytes"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestExportNotComplete: who erases after an export must see by its status that it lacks
// something. What there is is kept.
func TestExportNotComplete(t *testing.T) {
	for manifest, want := range map[string]int{
		`{"user":"u"}`: statusFine,
		`{"user":"u","missing":["queue: the disk cannot be read"]}`: statusFound,
	} {
		service := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/zip")
			z := zip.NewWriter(w)
			f, _ := z.Create("manifest.json")
			_, _ = f.Write([]byte(manifest))
			_ = z.Close()
		}))
		defer service.Close()
		name := filepath.Join(t.TempDir(), "u.zip")
		var out, errs bytes.Buffer
		require.Equal(t, want, run(t.Context(), []string{"export-user", "u", "-admin", service.URL, "-out", name}, &out, &errs), errs.String())
		require.FileExists(t, name)
	}
}
