package notify_test

import (
	"bufio"
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
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/garminkit/activityapi/notify"
)

type countingReader struct {
	io.Reader
	reads int
}

func (c *countingReader) Read(p []byte) (int, error) { c.reads++; return c.Reader.Read(p) }

// shelf keeps bodies, for concurrent use.
type shelf struct {
	mu     sync.Mutex
	bodies []string
}

func (s *shelf) Put(_ context.Context, r io.Reader) error {
	data, err := io.ReadAll(r)
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.bodies = append(s.bodies, string(data))
	return nil
}

func (s *shelf) all() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.bodies
}

// pipes is a listener without a network, so that time can be synthetic.
type pipes struct {
	conns chan net.Conn
	once  sync.Once
	done  chan struct{}
}

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.conns:
		return c, nil
	case <-p.done:
		return nil, net.ErrClosed
	}
}
func (p *pipes) Close() error   { p.once.Do(func() { close(p.done) }); return nil }
func (p *pipes) Addr() net.Addr { return &net.TCPAddr{} }

func (p *pipes) dial() net.Conn {
	a, b := net.Pipe()
	p.conns <- b
	return a
}

// limitedServer is the server that Handler's comment advises.
func limitedServer(h http.Handler) *http.Server {
	return &http.Server{
		Handler:           h,
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       30 * time.Second,
		WriteTimeout:      60 * time.Second,
		IdleTimeout:       60 * time.Second,
		MaxHeaderBytes:    64 << 10,
	}
}

// serve runs f in a bubble of synthetic time with a server around a handler.
// The bubble ends only when no goroutine is left.
func serve(t *testing.T, put func(context.Context, io.Reader) error, opts *notify.HandlerOptions, f func(t *testing.T, l *pipes, srv *http.Server)) {
	synctest.Test(t, func(t *testing.T) {
		l := &pipes{conns: make(chan net.Conn), done: make(chan struct{})}
		srv := limitedServer(notify.NewHandler(put, opts))
		srv.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, 0)
		go srv.Serve(l)
		defer func() { // after a failure too, so that it is told and nothing hangs
			srv.Close()
			time.Sleep(10 * time.Second) // for net/http, which lingers, and for the slow
		}()
		f(t, l, srv)
	})
}

const post = "POST /garmin HTTP/1.1\r\nHost: h\r\n"

// status sends raw bytes and gives the status of the answer, 0 if there is none.
func status(c net.Conn, raw string) int {
	go io.WriteString(c, raw)
	resp, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		return 0
	}
	return resp.StatusCode
}

// truncated sends raw and hangs up.
func truncated(l *pipes, raw string) {
	c := l.dial()
	io.WriteString(c, raw)
	c.Close()
}

// TestHandlerFaults goes through what can happen between Garmin and the store.
// Whatever it is: no 200 without a stored body, and the handler lives.
func TestHandlerFaults(t *testing.T) {
	t.Parallel()
	const body = `{"activities":[{"userId":"u","summaryId":"s"}]}`
	whole := fmt.Sprintf("%sContent-Length: %d\r\n\r\n%s", post, len(body), body)

	t.Run("F1 cut before and inside the headers", func(t *testing.T) {
		t.Parallel()
		s := &shelf{}
		serve(t, s.Put, nil, func(t *testing.T, l *pipes, _ *http.Server) {
			for n := range strings.Index(whole, body) {
				truncated(l, whole[:n])
			}
			synctest.Wait()
			require.Empty(t, s.all())
			require.Equal(t, 200, status(l.dial(), whole))
		})
	})
	t.Run("F2 F3 cut at every byte of the body", func(t *testing.T) {
		t.Parallel()
		s := &shelf{}
		var receipts []notify.Receipt
		var mu sync.Mutex
		observe := func(_ context.Context, r notify.Receipt) { mu.Lock(); receipts = append(receipts, r); mu.Unlock() }
		serve(t, s.Put, &notify.HandlerOptions{Observe: observe}, func(t *testing.T, l *pipes, _ *http.Server) {
			for n := strings.Index(whole, body); n < len(whole); n++ {
				truncated(l, whole[:n])
			}
			synctest.Wait()
			require.Empty(t, s.all())
			require.Len(t, receipts, len(body))
			for _, r := range receipts {
				require.Equal(t, 400, r.Status)
				require.Error(t, r.Err)
			}
		})
	})
	t.Run("F2 chunked without the last chunk", func(t *testing.T) {
		t.Parallel()
		s := &shelf{}
		serve(t, s.Put, nil, func(t *testing.T, l *pipes, _ *http.Server) {
			chunked := fmt.Sprintf("%sTransfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n", post, len(body), body)
			truncated(l, chunked)
			truncated(l, chunked+"0\r\n")
			require.Equal(t, 400, status(l.dial(), chunked+"no chunk\r\n"))
			synctest.Wait()
			require.Empty(t, s.all())
			require.Equal(t, 200, status(l.dial(), chunked+"0\r\n\r\n"))
			require.Equal(t, []string{body}, s.all())
		})
	})
	t.Run("F4 T11 larger than the limit", func(t *testing.T) {
		t.Parallel()
		s := &shelf{}
		serve(t, s.Put, &notify.HandlerOptions{MaxBody: 1 << 10}, func(t *testing.T, l *pipes, _ *http.Server) {
			big := strings.Repeat("x", 2<<10)
			require.Equal(t, 413, status(l.dial(), fmt.Sprintf("%sContent-Length: %d\r\n\r\n%s", post, 100<<20, big)))
			require.Equal(t, 413, status(l.dial(), fmt.Sprintf("%sTransfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n0\r\n\r\n", post, len(big), big)))
			require.Empty(t, s.all())
		})
	})
	t.Run("F5 T10 a byte a second", func(t *testing.T) {
		t.Parallel()
		s := &shelf{}
		serve(t, s.Put, nil, func(t *testing.T, l *pipes, _ *http.Server) {
			c, start := l.dial(), time.Now()
			go func() {
				io.WriteString(c, post+"Content-Length: 1000\r\n\r\n")
				for {
					if _, err := io.WriteString(c, "x"); err != nil {
						return
					}
					time.Sleep(time.Second)
				}
			}()
			time.Sleep(10 * time.Second)
			require.Equal(t, 200, status(l.dial(), whole), "others are not affected")
			resp, err := http.ReadResponse(bufio.NewReader(c), nil)
			require.NoError(t, err)
			require.Equal(t, 408, resp.StatusCode)
			require.Equal(t, 25*time.Second, time.Since(start))
			require.Equal(t, []string{body}, s.all())
			c.Close()
		})
	})
	t.Run("F6 sender gone after the body", func(t *testing.T) {
		t.Parallel()
		s := &shelf{}
		serve(t, s.Put, nil, func(t *testing.T, l *pipes, _ *http.Server) {
			truncated(l, whole)
			synctest.Wait()
			require.Equal(t, []string{body}, s.all())
		})
	})
	t.Run("F7 F8 repeats and edits are all stored", func(t *testing.T) {
		t.Parallel()
		s := &shelf{}
		serve(t, s.Put, nil, func(t *testing.T, l *pipes, _ *http.Server) {
			var wg sync.WaitGroup
			for range 2 {
				wg.Go(func() {
					if got := status(l.dial(), whole); got != 200 {
						t.Errorf("status %d", got)
					}
				})
			}
			wg.Wait()
			require.Equal(t, 200, status(l.dial(), strings.Replace(whole, `"s"`, `"e"`, 1)))
			require.Equal(t, []string{body, body, strings.Replace(body, `"s"`, `"e"`, 1)}, s.all())
		})
	})
	for _, tt := range []struct {
		name, said string
		fail       func()
	}{
		{"F11 panic in the store", "panic in put", func() { panic("the store is broken: secret") }},
		{"F11 Goexit in the store", "ended the goroutine", runtime.Goexit},
		{"F11 abort in the store", "panic in put", func() { panic(http.ErrAbortHandler) }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var log bytes.Buffer
			bad := true
			s := &shelf{}
			store := func(ctx context.Context, r io.Reader) error {
				if bad {
					tt.fail()
				}
				return s.Put(ctx, r)
			}
			opts := &notify.HandlerOptions{Logger: slog.New(slog.NewTextHandler(&log, nil))}
			serve(t, store, opts, func(t *testing.T, l *pipes, _ *http.Server) {
				// After a Goexit net/http ends the connection; either way it is no 200.
				require.Contains(t, []int{500, 0}, status(l.dial(), whole))
				synctest.Wait()
				bad = false
				require.Equal(t, 200, status(l.dial(), whole))
				require.NotContains(t, log.String(), "secret")
				require.Contains(t, log.String(), tt.said)
			})
		})
	}
	t.Run("F12 store fails", func(t *testing.T) {
		t.Parallel()
		store := func(_ context.Context, r io.Reader) error {
			io.Copy(io.Discard, r) // else its being unread is enough for a no
			return errors.New("disk full")
		}
		serve(t, store, nil, func(t *testing.T, l *pipes, _ *http.Server) {
			require.Equal(t, 503, status(l.dial(), whole))
		})
	})
	t.Run("F12 store waits for its context", func(t *testing.T) {
		t.Parallel()
		store := func(ctx context.Context, r io.Reader) error { <-ctx.Done(); return ctx.Err() }
		serve(t, store, nil, func(t *testing.T, l *pipes, _ *http.Server) {
			start := time.Now()
			require.Equal(t, 503, status(l.dial(), whole))
			require.Equal(t, 25*time.Second, time.Since(start))
		})
	})
	t.Run("F12 store hangs for 31 s", func(t *testing.T) {
		t.Parallel()
		store := func(_ context.Context, r io.Reader) error {
			io.Copy(io.Discard, r)
			time.Sleep(31 * time.Second)
			return nil
		}
		receipts := 0
		opts := &notify.HandlerOptions{Observe: func(context.Context, notify.Receipt) { receipts++ }}
		serve(t, store, opts, func(t *testing.T, l *pipes, _ *http.Server) {
			start := time.Now()
			require.Equal(t, 503, status(l.dial(), whole))
			require.Equal(t, 26*time.Second, time.Since(start))
			time.Sleep(10 * time.Second) // until the store has returned
			synctest.Wait()
			require.Equal(t, 1, receipts)
		})
	})
	t.Run("F12 store is a moment late", func(t *testing.T) {
		t.Parallel()
		store := func(_ context.Context, r io.Reader) error {
			io.Copy(io.Discard, r)
			time.Sleep(25 * time.Second)
			return nil
		}
		serve(t, store, nil, func(t *testing.T, l *pipes, _ *http.Server) {
			require.Equal(t, 503, status(l.dial(), whole))
		})
	})
	t.Run("a store that drops errors or the rest of the body", func(t *testing.T) {
		t.Parallel()
		careless := func(_ context.Context, r io.Reader) error { io.Copy(io.Discard, r); return nil }
		lazy := func(_ context.Context, r io.Reader) error { r.Read(make([]byte, 1)); return nil }
		serve(t, careless, nil, func(t *testing.T, l *pipes, _ *http.Server) {
			require.Equal(t, 400, status(l.dial(), post+"Transfer-Encoding: chunked\r\n\r\n1\r\nx\r\nno chunk\r\n"))
		})
		serve(t, lazy, nil, func(t *testing.T, l *pipes, _ *http.Server) {
			require.Equal(t, 503, status(l.dial(), whole))
		})
	})
	t.Run("F15 shutdown with a body on its way", func(t *testing.T) {
		t.Parallel()
		s := &shelf{}
		serve(t, s.Put, nil, func(t *testing.T, l *pipes, srv *http.Server) {
			c := l.dial()
			io.WriteString(c, whole[:len(whole)-5])
			synctest.Wait()
			down := make(chan error)
			go func() { down <- srv.Shutdown(t.Context()) }()
			synctest.Wait()
			require.Equal(t, 200, status(c, whole[len(whole)-5:]))
			require.NoError(t, <-down)
			require.Equal(t, []string{body}, s.all())
			c.Close()
		})
	})
	t.Run("T9 slow headers", func(t *testing.T) {
		t.Parallel()
		serve(t, new(shelf).Put, nil, func(t *testing.T, l *pipes, _ *http.Server) {
			var wg sync.WaitGroup
			start := time.Now()
			for range 1000 {
				wg.Go(func() {
					c := l.dial()
					go func() {
						for {
							if _, err := io.WriteString(c, "P"); err != nil {
								return
							}
							time.Sleep(time.Second)
						}
					}()
					io.Copy(io.Discard, c)
					c.Close()
				})
			}
			wg.Wait()
			require.LessOrEqual(t, time.Since(start), 6*time.Second)
		})
	})
	t.Run("T9 large headers", func(t *testing.T) {
		t.Parallel()
		serve(t, new(shelf).Put, nil, func(t *testing.T, l *pipes, _ *http.Server) {
			large := strings.Repeat("X-Padding: "+strings.Repeat("x", 1000)+"\r\n", 100)
			require.Equal(t, 431, status(l.dial(), strings.Replace(whole, "\r\n\r\n", "\r\n"+large+"\r\n", 1)))
		})
	})
	t.Run("T9 idle connection", func(t *testing.T) {
		t.Parallel()
		serve(t, new(shelf).Put, nil, func(t *testing.T, l *pipes, _ *http.Server) {
			c, start := l.dial(), time.Now()
			require.Equal(t, 200, status(c, whole))
			c.Read(make([]byte, 1)) // until the server hangs up
			require.Equal(t, time.Minute, time.Since(start))
		})
	})
	t.Run("T14 gzip without end and without contents", func(t *testing.T) {
		t.Parallel()
		empty := gzipped("")
		r := httptest.NewRequest("POST", "/", strings.NewReader(strings.Repeat(empty, 2000)))
		r.ContentLength = -1
		r.Header.Set("Content-Encoding", "gzip")
		w := httptest.NewRecorder()
		notify.NewHandler(new(shelf).Put, &notify.HandlerOptions{MaxBody: 1 << 10}).ServeHTTP(w, r)
		require.Equal(t, 413, w.Code)
	})
	t.Run("T14 a bomb", func(t *testing.T) {
		t.Parallel()
		bomb := gzipped(strings.Repeat(" ", 5<<20))
		s := &shelf{}
		serve(t, s.Put, nil, func(t *testing.T, l *pipes, _ *http.Server) {
			require.Equal(t, 413, status(l.dial(), fmt.Sprintf("%sContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n%s", post, len(bomb), bomb)))
			require.Empty(t, s.all())
		})
	})
}

// TestHandlerKeepsSecrets looks for the path secret and the body in all that
// the handler says.
func TestHandlerKeepsSecrets(t *testing.T) {
	t.Parallel()
	check, err := notify.PathSecret(current, previous)
	require.NoError(t, err)
	var said bytes.Buffer
	opts := &notify.HandlerOptions{
		Origin:  []notify.OriginCheck{check},
		Logger:  slog.New(slog.NewTextHandler(&said, &slog.HandlerOptions{Level: slog.LevelDebug})),
		Observe: func(_ context.Context, r notify.Receipt) { fmt.Fprintf(&said, "%+v\n", r) },
		MaxBody: 1000,
	}
	store := &memory{err: errors.New("no")}
	h := notify.NewHandler(store.Put, opts)
	for _, size := range []int{10, 2000} {
		for _, path := range []string{"/" + current, "/" + previous, "/" + current + "x"} {
			for _, encoding := range []string{"", "gzip", "canary-encoding"} {
				r := httptest.NewRequest("POST", path+"?canary-query", strings.NewReader("canary-body"+strings.Repeat("x", size)))
				r.Header.Set("Content-Encoding", encoding)
				r.Header.Set("Garmin-Client-Id", "canary-client")
				h.ServeHTTP(httptest.NewRecorder(), r)
			}
		}
	}
	require.Contains(t, said.String(), "status=503")
	for _, secret := range []string{current, previous, "canary"} {
		require.NotContains(t, said.String(), secret)
	}
}

// FuzzHandler: no input makes the handler panic, and a 200 means that exactly
// the inflated body was stored.
func FuzzHandler(f *testing.F) {
	f.Add([]byte(`{"activities":[]}`), "", int64(-1), false)
	f.Add([]byte(gzipped(`{"deregistrations":[]}`)), "gzip", int64(-1), true)
	f.Add([]byte(gzipped("x"))[:10], "x-gzip", int64(10), true)
	f.Add([]byte("{"), "identity", int64(5), true)
	f.Add([]byte("\"x\"\n{}"), "", int64(-1), true)
	f.Add([]byte("\"\"\n{}"), "", int64(-1), true)
	f.Fuzz(func(t *testing.T, body []byte, encoding string, length int64, _ bool) {
		store := &memory{}
		h := notify.NewHandler(store.Put, &notify.HandlerOptions{MaxBody: 4096})
		r, w := httptest.NewRequest("POST", "/", bytes.NewReader(body)), httptest.NewRecorder()
		r.ContentLength = length
		r.Header["Content-Encoding"] = []string{encoding}
		h.ServeHTTP(w, r)
		if w.Code != 200 {
			require.Empty(t, store.bodies)
			return
		}
		require.Len(t, store.bodies, 1)
		// What looks like an AppLine stands behind an empty one.
		kept, escaped := strings.CutPrefix(store.bodies[0], "\"\"\n")
		if escaped && !strings.HasPrefix(kept, `"`) {
			kept = store.bodies[0]
		}
		require.LessOrEqual(t, len(kept), 4096)
		if !strings.Contains(strings.ToLower(encoding), "gzip") {
			require.Equal(t, string(body), kept)
		}
	})
}
