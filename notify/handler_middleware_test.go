package notify_test

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/garminkit/activityapi/notify"
)

// plainWriter is a middleware's ResponseWriter as they are often written: it
// counts, and has no Unwrap method.
type plainWriter struct{ http.ResponseWriter }

// openWriter has one.
type openWriter struct{ http.ResponseWriter }

func (w openWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// Behind a writer that hides the deadlines a slow body has the server's alone.
// That is said, once.
func TestMiddlewareWithoutUnwrap(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		wrap func(http.Handler) http.Handler
		told int
	}{
		"without Unwrap": {func(h http.Handler) http.Handler {
			return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { h.ServeHTTP(plainWriter{w}, r) })
		}, 1},
		"with Unwrap": {func(h http.Handler) http.Handler {
			return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { h.ServeHTTP(openWriter{w}, r) })
		}, 0},
		"http.TimeoutHandler": {func(h http.Handler) http.Handler { return http.TimeoutHandler(h, time.Minute, "") }, 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var log bytes.Buffer
			store := func(_ context.Context, body io.Reader) error {
				_, err := io.Copy(io.Discard, body)
				return err
			}
			h := notify.NewHandler(store, &notify.HandlerOptions{Logger: slog.New(slog.NewTextHandler(&log, nil))})
			ts := httptest.NewServer(test.wrap(h))
			defer ts.Close()
			for range 3 {
				res, err := http.Post(ts.URL, "application/json", strings.NewReader(`{"activities":[]}`))
				require.NoError(t, err)
				require.NoError(t, res.Body.Close())
				require.Equal(t, http.StatusOK, res.StatusCode)
			}
			ts.Close() // no handler writes to the log any more
			require.Equal(t, test.told, strings.Count(log.String(), "give the middleware's writer an Unwrap method"), log.String())
		})
	}
}
