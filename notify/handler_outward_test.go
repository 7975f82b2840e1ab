package notify_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"runtime"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/garminkit/activityapi/notify"
)

// faultyError is a store's error whose methods fail.
type faultyError struct{ fail func() }

func (e faultyError) Error() string   { e.fail(); return "" }
func (e faultyError) Is(error) bool   { e.fail(); return false }
func (e faultyError) Unwrap() []error { e.fail(); return nil }

// faultyLog is a handler of slog whose methods fail.
type faultyLog struct {
	slog.Handler
	enabled, handle func()
}

func (h faultyLog) Enabled(context.Context, slog.Level) bool { h.enabled(); return true }
func (h faultyLog) Handle(ctx context.Context, r slog.Record) error {
	h.handle()
	return h.Handler.Handle(ctx, r)
}

// faultyWriter is a middleware's writer whose methods fail.
type faultyWriter struct {
	http.ResponseWriter
	header, deadline func()
}

func (w faultyWriter) WriteHeader(status int)           { w.header(); w.ResponseWriter.WriteHeader(status) }
func (w faultyWriter) SetReadDeadline(time.Time) error  { w.deadline(); return nil }
func (w faultyWriter) SetWriteDeadline(time.Time) error { w.deadline(); return nil }
func (w faultyWriter) FlushError() error                { return http.NewResponseController(w.ResponseWriter).Flush() }

// badBody is a middleware's body.
type badBody struct {
	io.ReadCloser
	fail func()
}

func (b badBody) Read(p []byte) (int, error) { b.fail(); return b.ReadCloser.Read(p) }

// badBodyError is the error of such a body.
type badBodyError struct {
	io.ReadCloser
	err error
}

func (b badBodyError) Read([]byte) (int, error) { return 0, b.err }

// TestHandlerCallsOutward goes through all code that is not the handler's own
// and that it calls. Whatever panics or ends its goroutine there: the process
// lives, the answer is the right one or none, the next request is served, and
// the value of a panic is nowhere to be read.
func TestHandlerCallsOutward(t *testing.T) {
	t.Parallel()
	const none = 0 // the connection ends without an answer
	nothing := func() {}
	type setting struct {
		put      func(context.Context, io.Reader) error
		opts     notify.HandlerOptions
		log      func(slog.Handler) slog.Handler
		wrap     func(http.ResponseWriter, *http.Request) (http.ResponseWriter, *http.Request)
		want     int  // after a panic
		goexit   int  // after a Goexit
		silent   bool // nothing can be logged
		unstored bool
	}
	ok := func(_ context.Context, r io.Reader) error { _, err := io.Copy(io.Discard, r); return err }
	failing := func(err error) func(context.Context, io.Reader) error {
		return func(_ context.Context, r io.Reader) error { _, _ = io.Copy(io.Discard, r); return err }
	}
	hanging := func(_ context.Context, r io.Reader) error {
		_, _ = io.Copy(io.Discard, r)
		time.Sleep(time.Minute)
		return nil
	}
	writer := func(header, deadline func()) func(http.ResponseWriter, *http.Request) (http.ResponseWriter, *http.Request) {
		return func(w http.ResponseWriter, r *http.Request) (http.ResponseWriter, *http.Request) {
			return faultyWriter{w, header, deadline}, r
		}
	}
	body := func(make func(io.ReadCloser) io.ReadCloser) func(http.ResponseWriter, *http.Request) (http.ResponseWriter, *http.Request) {
		return func(w http.ResponseWriter, r *http.Request) (http.ResponseWriter, *http.Request) {
			r.Body = make(r.Body)
			return w, r
		}
	}
	for name, set := range map[string]func(fail func()) setting{
		"OriginCheck": func(fail func()) setting {
			check := func(*http.Request) error { fail(); return nil }
			return setting{opts: notify.HandlerOptions{Origin: []notify.OriginCheck{check}}, want: 404, unstored: true}
		},
		"text of an OriginCheck's error": func(fail func()) setting {
			check := func(*http.Request) error { return faultyError{fail} }
			return setting{opts: notify.HandlerOptions{Origin: []notify.OriginCheck{check}}, want: 404, goexit: none, unstored: true}
		},
		"put": func(fail func()) setting {
			return setting{put: func(context.Context, io.Reader) error { fail(); return nil }, want: 500}
		},
		"methods of the store's error": func(fail func()) setting {
			return setting{put: failing(faultyError{fail}), want: 503}
		},
		"Observe after a 200": func(fail func()) setting {
			return setting{opts: notify.HandlerOptions{Observe: func(context.Context, notify.Receipt) { fail() }}, want: 200}
		},
		"Observe after a refusal": func(fail func()) setting {
			return setting{put: failing(io.ErrShortWrite), opts: notify.HandlerOptions{Observe: func(context.Context, notify.Receipt) { fail() }}, want: 503}
		},
		"Observe in the timer of a late store": func(fail func()) setting {
			return setting{put: hanging, opts: notify.HandlerOptions{Observe: func(context.Context, notify.Receipt) { fail() }}, want: 503, goexit: 503}
		},
		"Logger.Enabled": func(fail func()) setting {
			log := func(h slog.Handler) slog.Handler { return faultyLog{h, fail, nothing} }
			return setting{put: failing(io.ErrShortWrite), log: log, want: 503, silent: true}
		},
		"Logger.Handle": func(fail func()) setting {
			log := func(h slog.Handler) slog.Handler { return faultyLog{h, nothing, fail} }
			return setting{put: failing(io.ErrShortWrite), log: log, want: 503, silent: true}
		},
		"Logger in the timer of a late store": func(fail func()) setting {
			log := func(h slog.Handler) slog.Handler { return faultyLog{h, nothing, fail} }
			return setting{put: hanging, log: log, want: 503, goexit: 503, silent: true}
		},
		"ResponseWriter.WriteHeader": func(fail func()) setting {
			return setting{wrap: writer(fail, nothing), want: none}
		},
		"ResponseWriter.WriteHeader in the timer of a late store": func(fail func()) setting {
			return setting{put: hanging, wrap: writer(fail, nothing), want: none}
		},
		"ResponseWriter.SetReadDeadline": func(fail func()) setting {
			return setting{wrap: writer(nothing, fail), want: 200}
		},
		"the request's body, in the store": func(fail func()) setting {
			return setting{wrap: body(func(b io.ReadCloser) io.ReadCloser { return badBody{b, fail} }), want: 500}
		},
		"the request's body, behind the store": func(fail func()) setting {
			return setting{
				put:  func(context.Context, io.Reader) error { return nil },
				wrap: body(func(b io.ReadCloser) io.ReadCloser { return badBody{b, fail} }), want: 400,
			}
		},
		"the error of the request's body": func(fail func()) setting {
			return setting{wrap: body(func(b io.ReadCloser) io.ReadCloser { return badBodyError{b, faultyError{fail}} }), want: 500}
		},
	} {
		for how, fail := range map[string]func(){
			"panic":  func() { panic("canary") },
			"error":  func() { panic(fmt.Errorf("canary %w", errors.ErrUnsupported)) },
			"abort":  func() { panic(http.ErrAbortHandler) },
			"Goexit": runtime.Goexit,
		} {
			t.Run(name+", "+how, func(t *testing.T) {
				t.Parallel()
				var bad bool
				var failing sync.Mutex // a timer's goroutine looks too
				s := set(func() {
					failing.Lock()
					now := bad
					failing.Unlock()
					if now {
						fail()
					}
				})
				want := s.want
				if how == "Goexit" {
					want = s.goexit
				}
				if s.put == nil {
					s.put = ok
				}
				var said safeBuffer
				text := slog.Handler(slog.NewTextHandler(&said, nil))
				if s.log != nil {
					text = s.log(text)
				}
				s.opts.Logger = slog.New(text)
				synctest.Test(t, func(t *testing.T) {
					h := notify.NewHandler(s.put, &s.opts)
					l := &pipes{conns: make(chan net.Conn), done: make(chan struct{})}
					srv := limitedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
						if s.wrap != nil {
							w, r = s.wrap(w, r)
						}
						h.ServeHTTP(w, r)
					}))
					srv.ErrorLog = slog.NewLogLogger(slog.NewTextHandler(&said, nil), slog.LevelError)
					go srv.Serve(l)
					defer func() {
						srv.Close()
						time.Sleep(2 * time.Minute)
					}()
					request := post + "Content-Length: 2\r\n\r\n{}"
					failing.Lock()
					bad = true
					failing.Unlock()
					require.Equal(t, want, status(l.dial(), request))
					time.Sleep(2 * time.Minute) // a store that hangs
					failing.Lock()
					bad = false
					failing.Unlock()
					require.NotEqual(t, none, status(l.dial(), request), "the next request")
					time.Sleep(2 * time.Minute)
				})
				require.NotContains(t, said.String(), "canary")
				if how != "Goexit" && !s.silent {
					require.Contains(t, said.String(), "panic in", "nobody was told")
				}
			})
		}
	}
}

// safeBuffer is a buffer for several goroutines.
type safeBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *safeBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *safeBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

// TestHandlerSaysWhichCheckFailed: and never what was wrong in it.
func TestHandlerSaysWhichCheckFailed(t *testing.T) {
	t.Parallel()
	secret, err := notify.PathSecret(current, "")
	require.NoError(t, err)
	id, err := notify.ClientID("the-client-id")
	require.NoError(t, err)
	errOwn := errors.New("weekday")
	own := func(*http.Request) error { return errOwn }
	for want, r := range map[string]*http.Request{
		"origin: path secret: no segment of the path is the secret":   httptest.NewRequest("POST", "/canary-path-0123456789", nil),
		"origin: client id: no garmin-client-id":                      httptest.NewRequest("POST", "/"+current, nil),
		"origin: client id: garmin-client-id has another value":       withIDs(httptest.NewRequest("POST", "/"+current, nil), "canary"),
		"origin: client id: garmin-client-id is given more than once": withIDs(httptest.NewRequest("POST", "/"+current, nil), "the-client-id", "canary"),
		"origin: weekday": withIDs(httptest.NewRequest("POST", "/"+current, nil), "the-client-id"),
	} {
		var said bytes.Buffer
		var receipt notify.Receipt
		h := notify.NewHandler(new(memory).Put, &notify.HandlerOptions{
			Origin:  []notify.OriginCheck{secret, id, own},
			Logger:  slog.New(slog.NewTextHandler(&said, nil)),
			Observe: func(_ context.Context, r notify.Receipt) { receipt = r },
		})
		h.ServeHTTP(httptest.NewRecorder(), r)
		require.EqualError(t, receipt.Err, want)
		require.Equal(t, want == "origin: weekday", errors.Is(receipt.Err, errOwn))
		require.Contains(t, said.String(), want)
		require.NotContains(t, said.String(), "canary")
		require.NotContains(t, said.String(), current)
	}
}

func withIDs(r *http.Request, ids ...string) *http.Request {
	for _, id := range ids {
		r.Header.Add("Garmin-Client-Id", id)
	}
	return r
}
