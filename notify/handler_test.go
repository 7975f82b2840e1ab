package notify_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/garminkit/activityapi/notify"
)

// memory keeps what it was given.
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
		opts    notify.HandlerOptions
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
		{name: "at the limit", opts: notify.HandlerOptions{MaxBody: 4}, body: "abcd", want: 200, stored: "abcd"},
		{name: "over the limit", opts: notify.HandlerOptions{MaxBody: 4}, body: "abcde", want: 413},
		{name: "over the limit, length unknown", opts: notify.HandlerOptions{MaxBody: 4}, body: "abcde", length: -1, want: 413},
		{name: "store failed", store: memory{err: full}, body: "x", want: 503},
		{name: "gzip", headers: "Content-Encoding: gzip", body: gzipped("hello"), want: 200, stored: "hello"},
		{name: "x-gzip", headers: "Content-Encoding: X-Gzip", body: gzipped("hello"), want: 200, stored: "hello"},
		{name: "identity", headers: "Content-Encoding: identity", body: "hello", want: 200, stored: "hello"},
		{name: "gzip of two members", headers: "Content-Encoding: gzip", body: gzipped("hel") + gzipped("lo"), want: 200, stored: "hello"},
		{name: "gzip of empty members", headers: "Content-Encoding: gzip", body: strings.Repeat(gzipped(""), 1000) + gzipped("hello"), want: 200, stored: "hello"},
		{name: "gzip of gzip, called so once", headers: "Content-Encoding: gzip", body: gzipped(gzipped("hello")), want: 200, stored: gzipped("hello")},
		{name: "gzip with zeros behind", headers: "Content-Encoding: gzip", body: gzipped("hello") + "\x00\x00\x00\x00", want: 400},
		{name: "gzip cut", headers: "Content-Encoding: gzip", body: gzipped("hello")[:20], want: 400},
		{name: "gzip empty", headers: "Content-Encoding: gzip", body: "", want: 400},
		{name: "gzip with a tail", headers: "Content-Encoding: gzip", body: gzipped("hello") + "tail", want: 400},
		{name: "no gzip", headers: "Content-Encoding: gzip", body: "hello", want: 400},
		{name: "gzip over the limit", opts: notify.HandlerOptions{MaxBody: 100}, headers: "Content-Encoding: gzip", body: gzipped(strings.Repeat("a", 101)), want: 413},
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
			notify.NewHandler(tt.store.Put, &tt.opts).ServeHTTP(w, r)
			require.Equal(t, tt.want, w.Code)
			require.Empty(t, w.Body.String())
			require.Equal(t, tt.want, receipt.Status)
			require.Less(t, receipt.Took, time.Hour)
			if tt.want == 200 {
				require.Equal(t, []string{tt.stored}, tt.store.bodies)
				require.NoError(t, receipt.Err)
				require.EqualValues(t, len(tt.stored), receipt.Bytes)
			} else {
				require.Empty(t, tt.store.bodies)
				require.Error(t, receipt.Err)
			}
			// Each of these two headers goes with its status alone.
			require.Equal(t, tt.want == 405, w.Header().Get("Allow") == http.MethodPost)
			require.Equal(t, tt.want == 415, w.Header().Get("Accept-Encoding") == "gzip")
		})
	}
}

// TestHandlerReadsNothingTooLarge: a body that says it is too large costs nothing.
func TestHandlerReadsNothingTooLarge(t *testing.T) {
	t.Parallel()
	body := &countingReader{Reader: strings.NewReader("abcde")}
	r, w := httptest.NewRequest("POST", "/", body), httptest.NewRecorder()
	r.ContentLength = 5
	notify.NewHandler(new(memory).Put, &notify.HandlerOptions{MaxBody: 4}).ServeHTTP(w, r)
	require.Equal(t, 413, w.Code)
	require.Zero(t, body.reads)
}

// zeros gives as many as it says.
type zeros int64

func (z *zeros) Read(p []byte) (int, error) {
	if *z == 0 {
		return 0, io.EOF
	}
	n := min(int64(len(p)), int64(*z))
	clear(p[:n])
	*z -= zeros(n)
	return int(n), nil
}

// TestHandlerDefaults: 128 MiB are accepted, 1 GiB may be in flight.
func TestHandlerDefaults(t *testing.T) {
	t.Parallel()
	post := func(h http.Handler, size zeros, length int64) int {
		r, w := httptest.NewRequest("POST", "/", &size), httptest.NewRecorder()
		r.ContentLength = length
		h.ServeHTTP(w, r)
		return w.Code
	}
	h := notify.NewHandler(new(memory).Put, nil)
	require.Equal(t, 413, post(h, 1, 128<<20+1))

	// Each request is sent while the one before it is being stored.
	var got []int
	buf := make([]byte, 1<<20)
	h = notify.NewHandler(func(_ context.Context, r io.Reader) error {
		for {
			if _, err := r.Read(buf); err == io.EOF {
				got = append(got, post(h, 128<<20, -1))
				return nil
			} else if err != nil {
				return err
			}
		}
	}, nil)
	got = append(got, post(h, 128<<20, 128<<20))
	require.Equal(t, []int{503, 200, 200, 200, 200, 200, 200, 200, 200}, got)
}

// TestHandlerPanicWithoutLogger: a panic in the store is a 500 for those who do
// not log, too.
func TestHandlerPanicWithoutLogger(t *testing.T) {
	t.Parallel()
	store := func(context.Context, io.Reader) error { panic("broken") }
	w := httptest.NewRecorder()
	notify.NewHandler(store, nil).ServeHTTP(w, httptest.NewRequest("POST", "/", strings.NewReader("x")))
	require.Equal(t, 500, w.Code)
}

// TestHandlerGivesRoomBack: after any number of bodies with any end there is
// room for one that needs all of it.
func TestHandlerGivesRoomBack(t *testing.T) {
	t.Parallel()
	const room = 4 << 10
	var h http.Handler
	stored := 0
	h = notify.NewHandler(func(_ context.Context, r io.Reader) error {
		body, err := io.ReadAll(r)
		switch {
		case err != nil:
			return err
		case strings.HasPrefix(string(body), "fail"):
			return io.ErrShortWrite
		case strings.HasPrefix(string(body), "panic"):
			panic("broken")
		}
		stored++
		return nil
	}, &notify.HandlerOptions{MaxBody: room, MaxInFlight: room})
	post := func(body io.Reader, encoding string) int {
		r, w := httptest.NewRequest("POST", "/", body), httptest.NewRecorder()
		r.ContentLength = -1
		r.Header.Set("Content-Encoding", encoding)
		h.ServeHTTP(w, r)
		return w.Code
	}
	long := strings.Repeat("x", room)
	for range 10 {
		require.Equal(t, 200, post(strings.NewReader("whole"), ""))
		require.Equal(t, 200, post(strings.NewReader(gzipped(long)), "gzip"))
		require.Equal(t, 503, post(strings.NewReader("fail"+long[4:]), ""))
		require.Equal(t, 500, post(strings.NewReader("panic"+long[5:]), ""))
		require.Equal(t, 413, post(strings.NewReader(long+"x"), ""))
		require.Equal(t, 413, post(strings.NewReader(gzipped(long+"x")), "gzip"))
		require.Equal(t, 400, post(strings.NewReader(gzipped(randomText(1000))[:500]), "gzip"))
		require.Equal(t, 400, post(io.MultiReader(strings.NewReader(long[1:]), iotest.ErrReader(io.ErrUnexpectedEOF)), ""))
		require.Equal(t, 408, post(io.MultiReader(strings.NewReader(long[1:]), iotest.ErrReader(os.ErrDeadlineExceeded)), ""))
	}
	require.Equal(t, 200, post(strings.NewReader(long), ""))
	require.Equal(t, 21, stored)
}
