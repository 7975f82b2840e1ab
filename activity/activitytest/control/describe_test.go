package control_test

import (
	"bytes"
	"io"
	"net/http"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/garminkit/activityapi/internal/openapi"
)

// described reads one of the documents.
func described(t testing.TB, name string) *openapi.Document {
	t.Helper()
	b, err := os.ReadFile("openapi/" + name + ".json")
	require.NoError(t, err)
	d, err := openapi.Read(b)
	require.NoError(t, err)
	return d
}

// checked holds every answer of the control API, and every request that it takes,
// against the document.
func checked(t *testing.T, h http.Handler) http.Handler {
	t.Helper()
	d := described(t, "control")
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		r.Body = io.NopCloser(bytes.NewReader(body))
		if r.URL.Path == "/events" { // it has no end; the events are checked one by one
			h.ServeHTTP(w, r)
			return
		}
		rec := &recorder{ResponseWriter: w, status: http.StatusOK}
		h.ServeHTTP(rec, r)
		if err := d.Answer(r.Method, r.URL.Path, rec.status, w.Header().Get("Content-Type"), rec.body.Bytes()); err != nil {
			t.Errorf("%v: %s", err, rec.body.Bytes())
		}
		if rec.status == http.StatusOK && r.Method != http.MethodGet {
			if err := d.Request(r.Method, r.URL.Path, body); err != nil {
				t.Error(err)
			}
		}
	})
}

type recorder struct {
	http.ResponseWriter
	status int
	body   bytes.Buffer
}

func (r *recorder) WriteHeader(status int) {
	r.status = status
	r.ResponseWriter.WriteHeader(status)
}

func (r *recorder) Write(b []byte) (int, error) {
	r.body.Write(b)
	return r.ResponseWriter.Write(b)
}

// TestDocuments: the documents can be read, and they are what is served.
func TestDocuments(t *testing.T) {
	c := newCaller(t, nil)
	for path, name := range map[string]string{"/openapi.json": "control", "/garmin.json": "garmin", "/notifications.json": "notifications"} {
		described(t, name)
		want, err := os.ReadFile("openapi/" + name + ".json")
		require.NoError(t, err)
		require.Equal(t, string(want), c.ok("GET", path, "", nil))
		require.NotContains(t, strings.ToLower(string(want)), "confidential")
	}
}
