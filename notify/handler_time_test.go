package notify_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/garminkit/activityapi/notify"
)

// stranger is a way to take a server's time.
type stranger struct {
	name  string
	first int           // how many bytes of the body come at once
	pause time.Duration // between further bytes; 0 means that none come
}

var strangers = []stranger{
	{name: "promises and sends nothing"},
	{name: "stops", first: 20},
	{name: "a byte now and then", first: 1, pause: 20 * time.Millisecond},
}

// visit is a request of a stranger. What is to come of it is the status, and
// how soon: at once, or when the handler's time is up.
type visit struct {
	name     string
	method   string
	path     string
	encoding string
	body     string // ends in bytes that may be repeated
	length   int64
	early    int // the status at once, 0 if it must wait
	late     int // the status when time is up
	// The body says what is wrong once that many bytes are there.
	tells int
}

const slowSecret = "kept-out-of-access-logs"

// visits is every way through the handler.
func visits() []visit {
	const large, good = 1 << 20, "/garmin/" + slowSecret
	body, packed := strings.Repeat(`{"activities":[]} `, 1000), gzipped(randomText(20_000))
	name := "\x1f\x8b\x08\x08\x00\x00\x00\x00\x00\x00" + strings.Repeat("n", 1000) // a file name without end
	return []visit{
		{name: "accepted", path: good, body: body, late: 408},
		{name: "accepted, gzip", path: good, encoding: "gzip", body: packed, late: 408},
		{name: "gzip with a name that does not end", path: good, encoding: "gzip", body: name, late: 408},
		{name: "gzip that is none", path: good, encoding: "gzip", body: strings.Repeat("x", 1000), late: 408, early: 400, tells: 10},
		{name: "wrong secret", path: "/garmin/guess", body: body, early: 404},
		{name: "wrong secret, gzip", path: "/garmin/guess", encoding: "gzip", body: packed, early: 404},
		{name: "wrong method", method: "PUT", path: good, body: body, early: 405},
		{name: "wrong method, gzip", method: "PUT", path: good, encoding: "gzip", body: packed, early: 405},
		{name: "unknown encoding", path: good, encoding: "br", body: body, early: 415},
		{name: "too large", path: good, body: body, length: large, early: 413},
		{name: "too large, gzip", path: good, encoding: "gzip", body: packed, length: large, early: 413},
		{name: "store says no at once", path: good + "/full", body: body, early: 503},
		{name: "store panics", path: good + "/panic", body: body, early: 500},
		{name: "store does not read", path: good + "/lazy", body: body, early: 503, late: 408, tells: 1},
	}
}

// randomText does not shrink much.
func randomText(n int) string {
	var b strings.Builder
	for seed := uint32(1); b.Len() < n; {
		seed = seed*1664525 + 1013904223
		fmt.Fprintf(&b, "%08x", seed)
	}
	return b.String()
}

// What would be held without slowDeadline is held for good.
const (
	slowDeadline = 400 * time.Millisecond
	heldFor      = time.Minute
)

type pathKey struct{}

// slowHandler answers as the visits want it.
func slowHandler(t *testing.T) http.Handler {
	secret, err := notify.PathSecret(slowSecret, "")
	require.NoError(t, err)
	store := func(ctx context.Context, r io.Reader) error {
		switch path := ctx.Value(pathKey{}).(string); {
		case strings.HasSuffix(path, "/full"):
			return io.ErrShortWrite
		case strings.HasSuffix(path, "/panic"):
			panic("broken")
		case strings.HasSuffix(path, "/lazy"):
			return nil
		}
		_, err := io.Copy(io.Discard, r)
		return err
	}
	h := notify.NewHandler(store, &notify.HandlerOptions{Deadline: slowDeadline, MaxBody: 1 << 19, Origin: []notify.OriginCheck{secret}})
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), pathKey{}, r.URL.Path)))
	})
}

// slowServer is a server without any limit of its own.
func slowServer(t *testing.T, h http.Handler) *httptest.Server {
	srv := httptest.NewUnstartedServer(h)
	srv.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, 0)
	srv.EnableHTTP2 = true
	srv.StartTLS()
	t.Cleanup(srv.Close)
	return srv
}

// slowly runs f in a bubble of synthetic time with such a server, of both
// protocols, and a client of one.
func slowly(t *testing.T, h http.Handler, http2 bool, f func(t *testing.T, l *pipes, client *http.Client)) {
	synctest.Test(t, func(t *testing.T) {
		l := &pipes{conns: make(chan net.Conn), done: make(chan struct{})}
		srv := &http.Server{Handler: h, ErrorLog: slog.NewLogLogger(slog.DiscardHandler, 0), Protocols: new(http.Protocols)}
		srv.Protocols.SetHTTP1(true)
		srv.Protocols.SetUnencryptedHTTP2(true)
		go srv.Serve(l)
		transport := &http.Transport{Protocols: new(http.Protocols)}
		transport.Protocols.SetHTTP1(!http2)
		transport.Protocols.SetUnencryptedHTTP2(http2)
		transport.DialContext = func(context.Context, string, string) (net.Conn, error) { return l.dial(), nil }
		defer func() { // after a failure too, so that it is told and nothing hangs
			transport.CloseIdleConnections()
			srv.Close()
			time.Sleep(10 * time.Second) // for net/http, which lingers
		}()
		f(t, l, &http.Client{Transport: transport})
	})
}

// seen is what came of a visit.
type seen struct {
	v          visit
	s          stranger
	kind       string
	status     int
	took, held time.Duration
	closes     bool // the answer says that the connection ends
	err        error
}

func (g seen) check(t *testing.T) {
	t.Helper()
	require.NoError(t, g.err)
	// What the handler must know is there at once, or comes in time.
	if told := g.s.first >= g.v.tells || g.s.pause > 0; g.v.early != 0 && told {
		require.Equal(t, g.v.early, g.status)
		require.Equal(t, time.Duration(max(0, g.v.tells-g.s.first))*g.s.pause, g.took, "the answer came late")
	} else {
		require.Equal(t, g.v.late, g.status)
		require.Equal(t, slowDeadline, g.took, "when the answer came")
	}
	require.Less(t, g.held, heldFor, "the stranger was not shown out")
}

// goThrough makes all visits at once.
func goThrough(kind string, visit func(v visit, s stranger) (resp *http.Response, took, held time.Duration, err error)) []seen {
	var all []seen
	var wg sync.WaitGroup
	var mu sync.Mutex
	for _, v := range visits() {
		for _, s := range strangers {
			wg.Go(func() {
				g := seen{v: v, s: s, kind: kind}
				var resp *http.Response
				if resp, g.took, g.held, g.err = visit(v, s); g.err == nil {
					g.status, g.closes = resp.StatusCode, resp.Close
				}
				mu.Lock()
				defer mu.Unlock()
				all = append(all, g)
			})
		}
	}
	wg.Wait()
	return all
}

// TestStrangersTimeHTTP1: whatever a stranger sends and however slowly, the
// connection is closed, by the handler alone: the server has no limit.
func TestStrangersTimeHTTP1(t *testing.T) {
	t.Parallel()
	for _, kind := range []string{"length", "chunked"} {
		send := func(body string) []byte { return []byte(body) }
		if kind == "chunked" {
			send = func(body string) []byte { return fmt.Appendf(nil, "%x\r\n%s\r\n", len(body), body) }
		}
		var all []seen
		slowly(t, slowHandler(t), false, func(t *testing.T, l *pipes, _ *http.Client) {
			all = goThrough(kind, func(v visit, s stranger) (resp *http.Response, took, held time.Duration, err error) {
				return visitHTTP1(l.dial(), v, s, kind == "chunked", send)
			})
		})
		for _, g := range all {
			t.Run(g.kind+", "+g.v.name+", "+g.s.name, func(t *testing.T) {
				g.check(t)
				require.True(t, g.closes, "no Connection: close")
			})
		}
	}
}

func visitHTTP1(c net.Conn, v visit, s stranger, chunked bool, send func(body string) []byte) (resp *http.Response, took, held time.Duration, err error) {
	defer c.Close()
	var head bytes.Buffer
	fmt.Fprintf(&head, "%s %s HTTP/1.1\r\nHost: h\r\n", orPost(v.method), v.path)
	if v.encoding != "" {
		fmt.Fprintf(&head, "Content-Encoding: %s\r\n", v.encoding)
	}
	if chunked && v.length == 0 {
		head.WriteString("Transfer-Encoding: chunked\r\n")
	} else {
		fmt.Fprintf(&head, "Content-Length: %d\r\n", max(v.length, int64(len(v.body))))
	}
	head.WriteString("\r\n")
	if s.first > 0 {
		head.Write(send(v.body[:s.first]))
	}
	start := time.Now()
	if _, err := c.Write(head.Bytes()); err != nil {
		return nil, 0, 0, err
	}
	stop := make(chan struct{})
	defer close(stop)
	go s.drip(v.body[s.first:], stop, func(b string) error { _, err := c.Write(send(b)); return err })

	c.SetReadDeadline(start.Add(heldFor))
	in := bufio.NewReader(c)
	if resp, err = http.ReadResponse(in, nil); err != nil {
		return nil, 0, 0, err
	}
	took = time.Since(start)
	_, _ = io.Copy(io.Discard, in) // until the server hangs up
	return resp, took, time.Since(start), nil
}

func orPost(method string) string {
	if method == "" {
		return http.MethodPost
	}
	return method
}

// drip sends the rest of a body byte by byte.
func (s stranger) drip(rest string, stop chan struct{}, send func(string) error) {
	for i := 0; s.pause > 0 && i < len(rest); i++ {
		select {
		case <-stop:
			return
		case <-time.After(s.pause):
		}
		if send(rest[i:i+1]) != nil {
			return
		}
	}
}

// TestStrangersTimeHTTP2: the same of streams. They end one by one; the
// connection stays for the others.
func TestStrangersTimeHTTP2(t *testing.T) {
	t.Parallel()
	var all []seen
	dials := 0
	slowly(t, slowHandler(t), true, func(t *testing.T, l *pipes, client *http.Client) {
		transport := client.Transport.(*http.Transport)
		transport.MaxConnsPerHost = 1
		transport.DialContext = func(context.Context, string, string) (net.Conn, error) {
			dials++
			return l.dial(), nil
		}
		all = goThrough("stream", func(v visit, s stranger) (resp *http.Response, took, held time.Duration, err error) {
			return visitHTTP2(t.Context(), client, "http://h", v, s)
		})
	})
	for _, g := range all {
		t.Run(g.v.name+", "+g.s.name, g.check)
	}
	require.Equal(t, 1, dials, "a refusal ended the connection of all")
}

func visitHTTP2(ctx context.Context, client *http.Client, url string, v visit, s stranger) (resp *http.Response, took, held time.Duration, err error) {
	ctx, cancel := context.WithTimeout(ctx, heldFor)
	defer cancel()
	body := newOpenBody(v.body[:s.first])
	r, err := http.NewRequestWithContext(ctx, orPost(v.method), url+v.path, body)
	if err != nil {
		return nil, 0, 0, err
	}
	r.ContentLength = max(v.length, int64(len(v.body)))
	if v.encoding != "" {
		r.Header.Set("Content-Encoding", v.encoding)
	}
	stop := make(chan struct{})
	defer close(stop)
	go s.drip(v.body[s.first:], stop, body.send)

	start := time.Now()
	if resp, err = client.Do(r); err != nil {
		return nil, 0, 0, err
	}
	defer resp.Body.Close()
	took = time.Since(start)
	<-body.closed // when the stream is reset, or ctx ends
	return resp, took, time.Since(start), nil
}

// TestStrangersTimeByTLS: the same over a network, where nothing is known of when
// the bytes come.
func TestStrangersTimeByTLS(t *testing.T) {
	t.Parallel()
	srv := slowServer(t, slowHandler(t))
	visits := visits()
	for _, v := range []visit{visits[0], visits[4]} {
		for _, s := range strangers {
			want := max(v.early, v.late)
			t.Run("HTTP/1.1, "+v.name+", "+s.name, func(t *testing.T) {
				t.Parallel()
				c, err := tls.Dial("tcp", srv.Listener.Addr().String(), &tls.Config{InsecureSkipVerify: true, NextProtos: []string{"http/1.1"}})
				require.NoError(t, err)
				resp, _, held, err := visitHTTP1(c, v, s, false, func(body string) []byte { return []byte(body) })
				require.NoError(t, err)
				require.Equal(t, want, resp.StatusCode)
				require.True(t, resp.Close)
				require.Less(t, held, heldFor)
			})
			t.Run("HTTP/2, "+v.name+", "+s.name, func(t *testing.T) {
				t.Parallel()
				resp, _, held, err := visitHTTP2(t.Context(), srv.Client(), srv.URL, v, s)
				require.NoError(t, err)
				require.Equal(t, 2, resp.ProtoMajor)
				require.Equal(t, want, resp.StatusCode)
				require.Less(t, held, heldFor)
			})
		}
	}
}

// openBody is a request's body that does not end.
type openBody struct {
	some   chan string
	rest   string
	once   sync.Once
	closed chan struct{}
}

func newOpenBody(first string) *openBody {
	return &openBody{some: make(chan string), rest: first, closed: make(chan struct{})}
}

func (b *openBody) send(s string) error {
	select {
	case b.some <- s:
		return nil
	case <-b.closed:
		return net.ErrClosed
	}
}

func (b *openBody) Read(p []byte) (int, error) {
	if b.rest == "" {
		select {
		case b.rest = <-b.some:
		case <-b.closed:
			return 0, net.ErrClosed
		}
	}
	n := copy(p, b.rest)
	b.rest = b.rest[n:]
	return n, nil
}

func (b *openBody) Close() error { b.once.Do(func() { close(b.closed) }); return nil }

// TestStrangersTakeNoRoom: who promises takes nothing, and who has sent much and
// sends no more gives it back to those who do.
func TestStrangersTakeNoRoom(t *testing.T) {
	t.Parallel()
	const room = 1 << 20
	for name, tt := range map[string]struct {
		sent   int // of each promised room
		gzip   bool
		wait   time.Duration
		honest int // the size of an honest body
	}{
		"promises":                  {honest: 100},
		"gzip promises":             {gzip: true, honest: 100},
		"promises, and a large one": {honest: room},
		"much was sent":             {sent: room - 1, wait: patient, honest: 100},
		"much, and a large one":     {sent: room - 1, wait: patient, honest: room},
	} {
		for _, proto := range []string{"HTTP/1.1", "HTTP/2.0"} {
			t.Run(name+", "+proto, func(t *testing.T) {
				t.Parallel()
				s := &shelf{}
				h := notify.NewHandler(s.Put, &notify.HandlerOptions{MaxBody: room, MaxInFlight: room})
				slowly(t, h, proto == "HTTP/2.0", func(t *testing.T, _ *pipes, client *http.Client) {
					strangers := 8
					if tt.sent > 0 {
						strangers = 1 // the others would find no room
					}
					ctx, cancel := context.WithCancel(t.Context())
					var wg sync.WaitGroup
					defer wg.Wait()
					for range strangers {
						body := newOpenBody(strings.Repeat("x", tt.sent))
						defer body.Close() // a client of HTTP/1.1 waits for that
						r, err := http.NewRequestWithContext(ctx, "POST", "http://h", body)
						require.NoError(t, err)
						r.ContentLength = room
						if tt.gzip {
							r.Header.Set("Content-Encoding", "gzip")
						}
						wg.Go(func() {
							resp, err := client.Do(r)
							if err == nil {
								resp.Body.Close()
							}
							if tt.sent == 0 && ctx.Err() != nil {
								return // shown out by this test, which may read the handler's 400 to half a body
							}
							if err != nil {
								t.Error(err)
								return
							}
							if tt.sent == 0 || resp.StatusCode != 503 || resp.Proto != proto {
								t.Errorf("a stranger got %d over %s", resp.StatusCode, resp.Proto)
							}
						})
					}
					defer cancel() // before the bodies are closed
					synctest.Wait()
					time.Sleep(tt.wait)
					start := time.Now()
					resp, err := client.Post("http://h", "", strings.NewReader(strings.Repeat("y", tt.honest)))
					require.NoError(t, err)
					resp.Body.Close()
					require.Equal(t, 200, resp.StatusCode)
					require.Less(t, time.Since(start), 2*time.Second)
					require.Len(t, s.all(), 1)
					if tt.sent > 0 {
						wg.Wait() // they are told
					}
				})
			})
		}
	}
}

// patient is longer than the handler is with a sender who sends nothing.
const patient = 1100 * time.Millisecond

// TestStrangersTimeElsewhere: on a path that is not the handler's, a server with
// a ReadTimeout shows a slow sender out; the one without it is the reason for
// the advice in the comment of Handler.
func TestStrangersTimeElsewhere(t *testing.T) {
	t.Parallel()
	for _, limited := range []bool{true, false} {
		mux := http.NewServeMux()
		mux.Handle("/garmin/", notify.NewHandler(new(shelf).Put, nil))
		srv := httptest.NewUnstartedServer(mux)
		if limited {
			srv.Config.ReadTimeout = slowDeadline
		}
		srv.Start()
		c, err := net.Dial("tcp", srv.Listener.Addr().String())
		require.NoError(t, err)
		_, err = io.WriteString(c, "POST /other HTTP/1.1\r\nHost: h\r\nContent-Length: 1000\r\n\r\n")
		require.NoError(t, err)
		held := heldFor
		if !limited {
			held = 2 * slowDeadline
		}
		c.SetReadDeadline(time.Now().Add(held))
		_, err = io.Copy(io.Discard, c)
		require.Equal(t, limited, err == nil, "limited %t: %v", limited, err)
		c.Close()
		srv.Close()
	}
}

// TestRefusedAtOnce: a refusal waits for nothing of the body, which may still
// arrive for a moment so that its sender sees the answer.
func TestRefusedAtOnce(t *testing.T) {
	t.Parallel()
	no := func(*http.Request) error { return io.ErrNoProgress }
	for name, tt := range map[string]struct {
		opts    notify.HandlerOptions
		request string
		want    int
	}{
		"origin":              {notify.HandlerOptions{Origin: []notify.OriginCheck{no}}, post, 404},
		"method":              {notify.HandlerOptions{}, strings.Replace(post, "POST", "PUT", 1), 405},
		"encoding":            {notify.HandlerOptions{}, post + "Content-Encoding: br\r\n", 415},
		"too large":           {notify.HandlerOptions{MaxBody: 10}, post, 413},
		"origin, no body":     {notify.HandlerOptions{Origin: []notify.OriginCheck{no}}, "GET / HTTP/1.1\r\nHost: h\r\nX-No-", 404},
		"origin, 1.0":         {notify.HandlerOptions{Origin: []notify.OriginCheck{no}}, strings.Replace(post, "HTTP/1.1", "HTTP/1.0\r\nConnection: keep-alive", 1), 404},
		"expects to be asked": {notify.HandlerOptions{Origin: []notify.OriginCheck{no}}, post + "Expect: 100-continue\r\n", 404},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			serve(t, new(shelf).Put, &tt.opts, func(t *testing.T, l *pipes, _ *http.Server) {
				c, start := l.dial(), time.Now()
				go io.WriteString(c, tt.request+"Content-Length: 1000\r\n\r\nabc")
				in := bufio.NewReader(c)
				resp, err := http.ReadResponse(in, nil)
				require.NoError(t, err)
				require.Equal(t, tt.want, resp.StatusCode)
				require.Zero(t, time.Since(start), "when it was answered")
				_, _ = io.Copy(io.Discard, in)
				require.LessOrEqual(t, time.Since(start), time.Second, "when the connection was closed")
				c.Close()
			})
		})
	}
}
