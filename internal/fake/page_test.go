package fake

import (
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/garminkit/activityapi/activity/activitytest"
)

// TestPage: the page has no script and no style of its own, and no secret, which
// anybody could read whose name leads here.
func TestPage(t *testing.T) {
	g := activitytest.NewServer()
	g.ClientSecret = "s3cr3t"
	h := Handler(g, nil)
	for path, contentType := range map[string]string{"/": "text/html", "/fake.css": "text/css", "/fake.js": "text/javascript"} {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest("GET", "http://anybody.example"+path, nil))
		require.Equal(t, 200, w.Code)
		require.True(t, strings.HasPrefix(w.Header().Get("Content-Type"), contentType), path)
		require.NotContains(t, w.Header().Get("Content-Security-Policy"), "unsafe")
		require.NotContains(t, w.Body.String(), "s3cr3t")
		if path == "/" {
			require.NotRegexp(t, `(?i)<style|<script[^>]*>[^<]|\son[a-z]+=|\sstyle=|javascript:`, w.Body.String())
			for _, q := range activitytest.Quirks() {
				require.Contains(t, w.Body.String(), `name="`+string(q)+`"`)
			}
		}
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest("GET", "http://localhost/control/app", nil))
	require.Contains(t, w.Body.String(), "s3cr3t")
	w = httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest("GET", "http://anybody.example/control/app", nil))
	require.Equal(t, 403, w.Code)
}
