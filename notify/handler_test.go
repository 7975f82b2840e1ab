package notify_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/garminkit/activityapi/notify"
)

// memory is a Store that keeps what it was given.
type memory struct {
	bodies []string
	err    error
}

func (m *memory) Put(_ context.Context, r io.Reader) error {
	data, err := io.ReadAll(r)
	if err == nil {
		err = m.err
	}
	if err == nil {
		m.bodies = append(m.bodies, string(data))
	}
	return err
}

func gzipped(s string) string {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	io.WriteString(w, s)
	w.Close()
	return b.String()
}

func TestHandlerAnswers(t *testing.T) {
	t.Parallel()
	full := errors.New("full")
	tests := []struct {
		name    string
		opts    notify.Options
		store   memory
		method  string
		body    string
		length  int64
		headers string
		want    int
		stored  string
	}{
		{name: "stored", body: `{"activities":[]}`, want: 200, stored: `{"activities":[]}`},
		{name: "no JSON", body: "hello", want: 200, stored: "hello"},
		{name: "GET", method: "GET", want: 405},
		{name: "PUT", method: "PUT", body: "x", want: 405},
		{name: "at the limit", opts: notify.Options{MaxBody: 4}, body: "abcd", want: 200, stored: "abcd"},
		{name: "over the limit", opts: notify.Options{MaxBody: 4}, body: "abcde", want: 413},
		{name: "over the limit, length unknown", opts: notify.Options{MaxBody: 4}, body: "abcde", length: -1, want: 413},
		{name: "store failed", store: memory{err: full}, body: "x", want: 503},
		{name: "gzip", headers: "Content-Encoding: gzip", body: gzipped("hello"), want: 200, stored: "hello"},
		{name: "x-gzip", headers: "Content-Encoding: X-Gzip", body: gzipped("hello"), want: 200, stored: "hello"},
		{name: "identity", headers: "Content-Encoding: identity", body: "hello", want: 200, stored: "hello"},
		{name: "gzip cut", headers: "Content-Encoding: gzip", body: gzipped("hello")[:20], want: 400},
		{name: "gzip empty", headers: "Content-Encoding: gzip", body: "", want: 400},
		{name: "gzip with a tail", headers: "Content-Encoding: gzip", body: gzipped("hello") + "tail", want: 400},
		{name: "no gzip", headers: "Content-Encoding: gzip", body: "hello", want: 400},
		{name: "gzip over the limit", opts: notify.Options{MaxBody: 100}, headers: "Content-Encoding: gzip", body: gzipped(strings.Repeat("a", 101)), want: 413},
		{name: "gzip bomb", headers: "Content-Encoding: gzip", body: gzipped(strings.Repeat("a", 5<<20)), want: 413},
		{name: "deflate", headers: "Content-Encoding: deflate", body: "x", want: 415},
		{name: "gzip twice", headers: "Content-Encoding: gzip, gzip", body: "x", want: 415},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var receipt notify.Receipt
			tt.opts.Observe = func(_ context.Context, r notify.Receipt) { receipt = r }
			method := tt.method
			if method == "" {
				method = "POST"
			}
			r := httptest.NewRequest(method, "/garmin", strings.NewReader(tt.body))
			if tt.length != 0 {
				r.ContentLength = tt.length
			}
			if name, value, ok := strings.Cut(tt.headers, ": "); ok {
				r.Header.Set(name, value)
			}
			w := httptest.NewRecorder()
			notify.NewHandler(&tt.store, &tt.opts).ServeHTTP(w, r)
			require.Equal(t, tt.want, w.Code)
			require.Empty(t, w.Body.String())
			require.Equal(t, tt.want, receipt.Status)
			if tt.want == 200 {
				require.Equal(t, []string{tt.stored}, tt.store.bodies)
				require.NoError(t, receipt.Err)
			} else {
				require.Empty(t, tt.store.bodies)
				require.Error(t, receipt.Err)
			}
			if tt.want == 405 {
				require.Equal(t, http.MethodPost, w.Header().Get("Allow"))
			}
		})
	}
}

// TestHandlerReadsNothingTooLarge: a body that says it is too large costs nothing.
func TestHandlerReadsNothingTooLarge(t *testing.T) {
	t.Parallel()
	body := &countingReader{Reader: strings.NewReader("abcde")}
	r, w := httptest.NewRequest("POST", "/", body), httptest.NewRecorder()
	r.ContentLength = 5
	notify.NewHandler(&memory{}, &notify.Options{MaxBody: 4}).ServeHTTP(w, r)
	require.Equal(t, 413, w.Code)
	require.Zero(t, body.reads)
}
