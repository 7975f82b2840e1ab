package activity_test

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/garminkit/activityapi/activity"
)

// TestDownloadIsWhole: only an answer with a length or an end of its own proves
// that nothing is missing.
func TestDownloadIsWhole(t *testing.T) {
	t.Parallel()
	whole := func(t *testing.T, base string, opts activity.Options) bool {
		f, err := overSocket(t, base, opts).Download(t.Context(), fileAt(base))
		require.NoError(t, err)
		w := f.(interface{ Whole() bool })
		require.False(t, w.Whole(), "before the end")
		b, err := io.ReadAll(f)
		require.NoError(t, err)
		require.Equal(t, "file", string(b))
		require.NoError(t, f.Close())
		return w.Whole()
	}
	for name, test := range map[string]struct {
		answer string
		want   bool
	}{
		"length":          {"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nfile", true},
		"chunks":          {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nfile\r\n0\r\n\r\n", true},
		"until it closes": {"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nfile", false},
		"HTTP/1.0":        {"HTTP/1.0 200 OK\r\n\r\nfile", false},
	} {
		t.Run(name, func(t *testing.T) {
			base := rawServer(t, func(_ int, c net.Conn) {
				if request(bufio.NewReader(c)) {
					io.WriteString(c, test.answer)
				}
			})
			require.Equal(t, test.want, whole(t, base, activity.Options{}))
		})
	}
	t.Run("HTTP/2", func(t *testing.T) {
		s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.(http.Flusher).Flush()
			io.WriteString(w, "file")
		}))
		s.EnableHTTP2 = true
		s.StartTLS()
		defer s.Close()
		require.True(t, whole(t, s.URL+standardPath, activity.Options{Transport: s.Client().Transport}))
	})
}
