package activity_test

import (
	"bufio"
	"compress/gzip"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/garminkit/activityapi/activity"
	"github.com/garminkit/activityapi/activity/activitytest"
	"github.com/garminkit/activityapi/types"
)

// rawServer is a server without net/http's manners: serve gets each accepted
// connection and its number.
func rawServer(t *testing.T, serve func(n int, c net.Conn)) (base string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	var (
		wg    sync.WaitGroup
		mu    sync.Mutex
		conns []net.Conn
	)
	wg.Go(func() {
		for n := 0; ; n++ {
			c, err := l.Accept()
			if err != nil {
				return
			}
			mu.Lock()
			conns = append(conns, c)
			mu.Unlock()
			wg.Go(func() {
				defer c.Close()
				serve(n, c)
			})
		}
	})
	t.Cleanup(func() {
		l.Close()
		mu.Lock()
		for _, c := range conns {
			c.Close()
		}
		mu.Unlock()
		wg.Wait()
	})
	return "http://" + l.Addr().String() + standardPath
}

// standardPath is where the API stands.
const standardPath = "/wellness-api/rest"

// request reads one request's head and reports whether there was one.
func request(r *bufio.Reader) bool {
	req, err := http.ReadRequest(r)
	return err == nil && req != nil
}

func overSocket(t *testing.T, base string, opts activity.Options) *activity.Client {
	t.Helper()
	opts.BaseURL = base
	if opts.MinBackoff == 0 {
		opts.MinBackoff = time.Millisecond
	}
	p, err := activity.NewPool(&opts)
	require.NoError(t, err)
	t.Cleanup(func() { p.Close() })
	c, err := p.Client(bearer("token"))
	require.NoError(t, err)
	return c
}

func fileAt(base string) types.Secret {
	return types.Secret(base + "/activityFile?id=1&token=pull-token")
}

// TestDownloadOutcomes tells the four failures of a download apart, on real
// connections (rows F24, F25, F26).
func TestDownloadOutcomes(t *testing.T) {
	t.Run("not sent: nobody listens", func(t *testing.T) {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		require.NoError(t, err)
		l.Close()
		base := "http://" + l.Addr().String() + standardPath
		_, err = overSocket(t, base, activity.Options{}).Download(t.Context(), fileAt(base))
		require.ErrorIs(t, err, types.ErrNotSent)
		require.Equal(t, 4, asError(t, err).Attempts, "repeated, since nothing left")
		require.Equal(t, types.FaultNetwork, asError(t, err).Fault())
	})
	t.Run("not sent: TLS fails", func(t *testing.T) {
		s := httptest.NewUnstartedServer(nil)
		s.Config.ErrorLog = nil
		s.Config.ErrorLog = discardLog()
		s.StartTLS()
		defer s.Close()
		_, err := overSocket(t, s.URL+standardPath, activity.Options{}).Download(t.Context(), fileAt(s.URL+standardPath))
		require.ErrorIs(t, err, types.ErrNotSent)
		require.Equal(t, 1, asError(t, err).Attempts)
		var cert *tls.CertificateVerificationError
		require.ErrorAs(t, err, &cert)
	})
	t.Run("not sent at first, then well", func(t *testing.T) {
		base := rawServer(t, func(_ int, c net.Conn) {
			if request(bufio.NewReader(c)) {
				io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nfile")
			}
		})
		dials := 0
		tr := &http.Transport{DialContext: func(ctx context.Context, network, addr string) (net.Conn, error) {
			if dials++; dials < 3 {
				return nil, errors.New("no route")
			}
			return new(net.Dialer).DialContext(ctx, network, addr)
		}}
		f, err := overSocket(t, base, activity.Options{Transport: tr}).Download(t.Context(), fileAt(base))
		require.NoError(t, err)
		b, err := io.ReadAll(f)
		require.NoError(t, err)
		require.Equal(t, "file", string(b))
		require.NoError(t, f.Close())
		require.Equal(t, 3, dials)
	})
	t.Run("refused", func(t *testing.T) {
		base := rawServer(t, func(_ int, c net.Conn) {
			if request(bufio.NewReader(c)) {
				io.WriteString(c, "HTTP/1.1 410 Gone\r\nContent-Length: 0\r\n\r\n")
			}
		})
		_, err := overSocket(t, base, activity.Options{}).Download(t.Context(), fileAt(base))
		require.ErrorIs(t, err, activity.ErrGone)
		require.NotErrorIs(t, err, activity.ErrMaybeSpent)
	})
	for name, answer := range map[string]string{
		"closed without an answer": "",
		"cut in the head":          "HTTP/1.1 200 OK\r\nContent-Le",
		"no HTTP":                  "SSH-2.0-OpenSSH\r\n",
	} {
		t.Run("maybe spent: "+name, func(t *testing.T) {
			var conns atomic.Int32
			base := rawServer(t, func(_ int, c net.Conn) {
				conns.Add(1)
				if request(bufio.NewReader(c)) {
					io.WriteString(c, answer)
				}
			})
			_, err := overSocket(t, base, activity.Options{}).Download(t.Context(), fileAt(base))
			require.ErrorIs(t, err, activity.ErrMaybeSpent)
			require.NotErrorIs(t, err, types.ErrNotSent)
			require.EqualValues(t, 1, conns.Load(), "one request on the wire")
			require.Equal(t, types.FaultItem, asError(t, err).Fault())
		})
	}
	t.Run("maybe spent: no answer in time", func(t *testing.T) {
		base := rawServer(t, func(_ int, c net.Conn) { io.Copy(io.Discard, c) })
		_, err := overSocket(t, base, activity.Options{Timeout: 50 * time.Millisecond}).Download(t.Context(), fileAt(base))
		require.ErrorIs(t, err, activity.ErrMaybeSpent)
	})

	const size = 256 << 10
	content := strings.Repeat("0123456789abcdef", size/16)
	for sent := 0; sent <= size; sent += 64 << 10 {
		for name, head := range map[string]string{
			"length":  fmt.Sprintf("Content-Length: %d\r\n\r\n%s", size, content[:sent]),
			"chunked": fmt.Sprintf("Transfer-Encoding: chunked\r\n\r\n%x\r\n%s", size, content[:sent]),
		} {
			t.Run(fmt.Sprintf("cut after %d bytes, %s", sent, name), func(t *testing.T) {
				base := rawServer(t, func(_ int, c net.Conn) {
					if request(bufio.NewReader(c)) {
						io.WriteString(c, "HTTP/1.1 200 OK\r\n"+head)
					}
				})
				f, err := overSocket(t, base, activity.Options{}).Download(t.Context(), fileAt(base))
				require.NoError(t, err)
				defer f.Close()
				n, err := io.Copy(io.Discard, f)
				require.EqualValues(t, sent, n)
				if sent == size && name == "length" {
					require.NoError(t, err)
					return
				}
				require.ErrorIs(t, err, activity.ErrCut)
				require.ErrorIs(t, err, io.ErrUnexpectedEOF)
				require.EqualValues(t, sent, asError(t, err).Received)
				require.Equal(t, types.FaultItem, asError(t, err).Fault())
				require.NotErrorIs(t, err, types.ErrNotSent)
			})
		}
	}
	t.Run("cut: length does not fit, transport does not notice", func(t *testing.T) {
		for _, length := range []int64{2, 10} {
			c, err := poolClient(bearer("token"), &activity.Options{Transport: roundTripper(func(*http.Request) (*http.Response, error) {
				res := response(200, "file", nil)
				res.ContentLength = length
				return res, nil
			})})
			require.NoError(t, err)
			f, err := c.Download(t.Context(), fileAt(base))
			require.NoError(t, err)
			_, err = io.ReadAll(f)
			require.ErrorIs(t, err, activity.ErrCut)
			require.NoError(t, f.Close())
		}
	})
	t.Run("cut: context ends in the body", func(t *testing.T) {
		base := rawServer(t, func(_ int, c net.Conn) {
			r := bufio.NewReader(c)
			if request(r) {
				io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nfile")
				io.Copy(io.Discard, r)
			}
		})
		ctx, cancel := context.WithCancel(t.Context())
		f, err := overSocket(t, base, activity.Options{}).Download(ctx, fileAt(base))
		require.NoError(t, err)
		defer f.Close()
		_, err = io.ReadFull(f, make([]byte, 4))
		require.NoError(t, err)
		cancel()
		_, err = io.ReadAll(f)
		require.ErrorIs(t, err, activity.ErrCut)
		require.ErrorIs(t, err, context.Canceled)
		require.EqualValues(t, 4, asError(t, err).Received)
	})
	t.Run("a backfill that is not sent is not repeated either", func(t *testing.T) {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		require.NoError(t, err)
		l.Close()
		c := overSocket(t, "http://"+l.Addr().String()+standardPath, activity.Options{})
		err = c.Backfill(t.Context(), types.KindActivities, monthBack)
		require.ErrorIs(t, err, types.ErrNotSent)
		require.Equal(t, 1, asError(t, err).Attempts)
	})
	t.Run("too large", func(t *testing.T) {
		c, _ := answering(t, 200, "0123456789", nil, activity.Options{MaxResponseBytes: 9})
		f, err := c.Download(t.Context(), fileAt(base))
		require.NoError(t, err)
		b, err := io.ReadAll(f)
		require.ErrorIs(t, err, activity.ErrTooLarge)
		require.Len(t, b, 9)
		c, _ = answering(t, 200, "0123456789", nil, activity.Options{MaxResponseBytes: 10})
		f, err = c.Download(t.Context(), fileAt(base))
		require.NoError(t, err)
		_, err = io.ReadAll(f)
		require.NoError(t, err)
		require.NoError(t, f.Close())
		_, err = f.Read(make([]byte, 1))
		require.Error(t, err, "after Close, or at the end")
	})
}

// TestInflation is the rest of F25, and F34: what comes compressed although
// nobody asked is inflated, checked to its trailer, and bounded.
func TestInflation(t *testing.T) {
	t.Parallel()
	zip := func(b []byte) string {
		var s strings.Builder
		w := gzip.NewWriter(&s)
		w.Write(b)
		w.Close()
		return s.String()
	}
	good := zip([]byte("a file"))
	bomb := zip(make([]byte, 8<<20))
	header := http.Header{"Content-Encoding": {"gzip"}}
	for name, test := range map[string]struct {
		body     string
		encoding string
		want     error
	}{
		"whole":            {good, "gzip", nil},
		"not packed":       {"a file", "gzip", nil},
		"another encoding": {"a file", "br", nil},
		"bad trailer":      {good[:len(good)-8] + "\x00\x00\x00\x00\x00\x00\x00\x00", "gzip", gzip.ErrChecksum},
		"cut trailer":      {good[:len(good)-3], "gzip", io.ErrUnexpectedEOF},
		"no gzip":          {"\x1f\x8b plain text, long enough", "gzip", gzip.ErrHeader},
		"a head alone":     {"\x1f\x8b", "gzip", io.ErrUnexpectedEOF},
		"bomb":             {bomb, "gzip", activity.ErrTooLarge},
	} {
		t.Run(name, func(t *testing.T) {
			header := header.Clone()
			header.Set("Content-Encoding", test.encoding)
			c, _ := answering(t, 200, test.body, header, activity.Options{MaxResponseBytes: 1 << 20})
			f, err := c.Download(t.Context(), fileAt(base))
			require.NoError(t, err)
			b, err := io.ReadAll(f)
			if test.want == nil {
				require.NoError(t, err)
				require.Equal(t, "a file", string(b))
				return
			}
			require.ErrorIs(t, err, test.want)
			require.ErrorIs(t, err, activity.ErrCut)
			require.LessOrEqual(t, len(b), 1<<20)
		})
	}
	t.Run("bomb over a socket, inflated by net/http", func(t *testing.T) {
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Encoding", "gzip")
			io.WriteString(w, zip([]byte("["+strings.Repeat(" ", 2<<20)+"]")))
		}))
		defer s.Close()
		_, err := collect(overSocket(t, s.URL+standardPath, activity.Options{MaxResponseBytes: 1 << 20}).Activities(t.Context(), lastHour(), nil))
		require.ErrorIs(t, err, activity.ErrTooLarge)
		require.Equal(t, types.FaultItem, asError(t, err).Fault())
	})
	t.Run("nobody asks for it", func(t *testing.T) {
		w := &wire{}
		c, err := poolClient(bearer("token"), &activity.Options{Transport: w})
		require.NoError(t, err)
		f, err := c.Download(t.Context(), fileAt(base))
		require.NoError(t, err)
		require.NoError(t, f.Close())
		require.Equal(t, "identity", w.requests[0].Header.Get("Accept-Encoding"), "an inflated file has no length to check")
	})
	t.Run("small answers", func(t *testing.T) {
		c, _ := answering(t, 200, `{"userId":"u","x":"`+strings.Repeat("x", 1<<20)+`"}`, nil, activity.Options{})
		_, err := c.UserID(t.Context())
		require.ErrorIs(t, err, activity.ErrTooLarge)
		require.Less(t, asError(t, err).Received, int64(100<<10))
	})
	t.Run("endless list", func(t *testing.T) {
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			for item := `[{"summaryId":"1"}`; ; item = `,{"summaryId":"1"}` {
				if _, err := io.WriteString(w, item); err != nil {
					return
				}
			}
		}))
		defer s.Close()
		_, err := collect(overSocket(t, s.URL+standardPath, activity.Options{MaxResponseBytes: 1 << 20}).Activities(t.Context(), lastHour(), nil))
		require.ErrorIs(t, err, activity.ErrTooLarge)
	})
}

// A refusal that comes as gzip although nobody asked is read like any other, and
// neither more of it nor more of its text than of any other.
func TestInflatedRefusals(t *testing.T) {
	t.Parallel()
	const message = `{"errorMessage":"Unknown UserAccessToken"}`
	good := zipped(message)
	for name, test := range map[string]struct {
		status         int
		body, encoding string
		err            error
		message        string
		excerpt        string
		fault          types.Fault
	}{
		"401":            {401, good, "gzip", activity.ErrUnauthorized, "Unknown UserAccessToken", "", types.FaultUser},
		"409":            {409, good, "x-gzip", activity.ErrDuplicate, "Unknown UserAccessToken", "", types.FaultItem},
		"cut":            {401, good[:len(good)-6], "GZIP ", activity.ErrUnauthorized, "Unknown UserAccessToken", "", types.FaultUser},
		"not packed":     {401, message, "gzip", activity.ErrUnauthorized, "Unknown UserAccessToken", "", types.FaultUser},
		"another's page": {401, zipped("<html>login</html>"), "gzip", activity.ErrUnauthorized, "", "<html>login</html>", types.FaultNetwork},
		"nothing":        {401, "", "gzip", activity.ErrUnauthorized, "", "", ""},
		"no gzip":        {401, "\x1f\x8b plain text, long enough", "gzip", activity.ErrUnauthorized, "", "", ""},
		"bomb":           {401, zipped(message + strings.Repeat(" ", 4<<20)), "gzip", activity.ErrUnauthorized, "Unknown UserAccessToken", "", types.FaultUser},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c, n := answering(t, test.status, test.body, http.Header{"Content-Encoding": {test.encoding}}, activity.Options{})
			_, err := c.Download(t.Context(), fileAt(base))
			for _, err := range []error{err, c.Backfill(t.Context(), types.KindActivities, monthBack)} {
				require.ErrorIs(t, err, test.err)
				e := asError(t, err)
				require.Equal(t, test.message, e.Message)
				require.Equal(t, test.excerpt, e.Body)
				require.Equal(t, test.fault, e.Fault())
			}
			require.Equal(t, 2, *n)
		})
	}
	t.Run("endless", func(t *testing.T) {
		t.Parallel()
		// Streams of nothing, one behind the other: inflated they stay nothing.
		body := strings.NewReader(strings.Repeat(zipped(""), 200_000))
		size := body.Size()
		c, err := poolClient(bearer("token"), &activity.Options{Transport: roundTripper(func(*http.Request) (*http.Response, error) {
			return &http.Response{StatusCode: 401, Header: http.Header{"Content-Encoding": {"gzip"}}, Body: &reader{body}, ContentLength: -1}, nil
		})})
		require.NoError(t, err)
		_, err = c.Download(t.Context(), fileAt(base))
		require.ErrorIs(t, err, activity.ErrUnauthorized)
		require.Less(t, size-int64(body.Len()), int64(100<<10))
	})
}

// TestSilentReplay is row F26: net/http sends a GET again by itself when the
// connection it reused dies. The first part shows that it does; the rest that
// it does not for what must be sent once, even through a transport that is not
// ours to configure.
func TestSilentReplay(t *testing.T) {
	// The first request of a connection is answered, the second is read and
	// the connection closed.
	var hits atomic.Int32
	base := rawServer(t, func(_ int, c net.Conn) {
		r := bufio.NewReader(c)
		for n := 0; request(r); n++ {
			if hits.Add(1); n > 0 {
				return
			}
			io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 16\r\n\r\n{\"userId\":\"12\"}\n")
		}
	})
	t.Run("net/http does", func(t *testing.T) {
		hits.Store(0)
		client := http.Client{Transport: new(http.Transport)}
		defer client.CloseIdleConnections()
		for range 2 {
			res, err := client.Get(base + "/user/id")
			require.NoError(t, err)
			io.Copy(io.Discard, res.Body)
			res.Body.Close()
		}
		require.EqualValues(t, 3, hits.Load(), "two calls, three requests")
	})
	inner := new(http.Transport)
	defer inner.CloseIdleConnections()
	for name, tr := range map[string]http.RoundTripper{
		"private": nil,
		"theirs":  new(http.Transport),
		"wrapped": roundTripper(func(r *http.Request) (*http.Response, error) { return inner.RoundTrip(r) }),
	} {
		for _, m := range methods {
			if m.repeats {
				continue
			}
			t.Run(name+"/"+m.op, func(t *testing.T) {
				c := overSocket(t, base, activity.Options{Transport: tr})
				_, err := c.UserID(t.Context()) // leaves an idle connection
				require.NoError(t, err)
				hits.Store(0)
				if m.op == "Download" {
					var f io.ReadCloser
					if f, err = c.Download(t.Context(), fileAt(base)); err == nil {
						f.Close()
					}
				} else {
					err = m.call(t.Context(), c)
				}
				require.EqualValues(t, 1, hits.Load(), "one request on the wire: %v", err)
				if name == "wrapped" {
					require.ErrorIs(t, err, activity.ErrMaybeSpent)
				}
			})
		}
	}
}

// TestOneShotConnection: requests that must not be repeated never share a
// connection, and Request.Close alone would not see to that.
func TestOneShotConnection(t *testing.T) {
	var conns atomic.Int32
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.ProtoMajor != 1 && strings.HasSuffix(r.URL.Path, "activityFile") {
			w.WriteHeader(505)
		}
		io.WriteString(w, `{"userId":"u"}`)
	}))
	s.EnableHTTP2 = true
	s.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			conns.Add(1)
		}
	}
	s.StartTLS()
	defer s.Close()
	tr := s.Client().Transport.(*http.Transport)
	c := overSocket(t, s.URL+standardPath, activity.Options{Transport: tr})
	for range 3 {
		_, err := c.UserID(t.Context())
		require.NoError(t, err)
	}
	require.EqualValues(t, 1, conns.Load())
	for range 3 {
		f, err := c.Download(t.Context(), fileAt(s.URL+standardPath))
		require.NoError(t, err)
		_, err = io.ReadAll(f)
		require.NoError(t, err)
		f.Close()
	}
	require.EqualValues(t, 4, conns.Load())

	t.Run("wrapped", func(t *testing.T) {
		before := conns.Load()
		var wrapped atomic.Int32
		c := overSocket(t, s.URL+standardPath, activity.Options{Transport: tr, Wrap: func(next http.RoundTripper) http.RoundTripper {
			return roundTripper(func(r *http.Request) (*http.Response, error) {
				wrapped.Add(1)
				return next.RoundTrip(r)
			})
		}})
		_, err := c.UserID(t.Context())
		require.NoError(t, err)
		for range 2 {
			f, err := c.Download(t.Context(), fileAt(s.URL+standardPath))
			require.NoError(t, err)
			f.Close()
		}
		require.EqualValues(t, 3, wrapped.Load())
		require.EqualValues(t, 2, conns.Load()-before, "a new one for each download")
		_, err = activity.NewPool(&activity.Options{Wrap: func(http.RoundTripper) http.RoundTripper { return nil }})
		require.ErrorContains(t, err, "Options.Wrap returned nil")
	})

	t.Run("Request.Close takes a used connection", func(t *testing.T) {
		before := conns.Load()
		req, err := http.NewRequest("GET", s.URL+"/user/id", nil)
		require.NoError(t, err)
		req.Close = true
		res, err := tr.RoundTrip(req)
		require.NoError(t, err)
		res.Body.Close()
		require.Equal(t, before, conns.Load())
	})
}

// TestDialFailures are rows F21 and F22.
func TestDialFailures(t *testing.T) {
	t.Run("private addresses are not dialled", func(t *testing.T) {
		for address, public := range map[string]bool{
			"127.0.0.1:443": false, "[::1]:443": false, "169.254.169.254:80": false, "[fe80::1]:443": false,
			"0.0.0.0:443": false, "224.0.0.1:443": false, "[::ffff:127.0.0.1]:443": false, "[::]:443": false, "x": false,
			"10.0.0.1:443": true, "192.168.1.1:443": true, "172.16.0.1:443": true, "[fd00::1]:443": true,
		} {
			require.Error(t, activity.CheckAddress(address, true), address)
			require.Equal(t, public, activity.CheckAddress(address, false) == nil, address)
		}
		require.NoError(t, activity.CheckAddress("204.77.163.244:443", true))
		require.NoError(t, activity.CheckAddress("[2606:4700::1]:443", true))
	})
	t.Run("and the private transport asks", func(t *testing.T) {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		require.NoError(t, err)
		defer l.Close()
		for host, dialled := range map[string]bool{"apis.garmin.com": false, "gateway.example.com": false, "localhost": true, "127.0.0.1": true, "fake.test": true} {
			c, err := activity.NewTransport(host, "fake.test").DialContext(t.Context(), "tcp", l.Addr().String())
			require.Equal(t, dialled, err == nil, "%s: %v", host, err)
			if c != nil {
				c.Close()
			}
		}
	})
	t.Run("http to a TLS client", func(t *testing.T) {
		base := rawServer(t, func(_ int, c net.Conn) { io.WriteString(c, "HTTP/1.1 400 Bad Request\r\n\r\n") })
		c := overSocket(t, strings.Replace(base, "http", "https", 1), activity.Options{})
		_, err := c.UserID(t.Context())
		require.Equal(t, 1, asError(t, err).Attempts)
	})
	t.Run("wrong certificate", func(t *testing.T) {
		s := httptest.NewUnstartedServer(nil)
		s.Config.ErrorLog = discardLog()
		s.StartTLS()
		defer s.Close()
		_, err := overSocket(t, s.URL+standardPath, activity.Options{}).UserID(t.Context())
		require.Equal(t, 1, asError(t, err).Attempts, "not repeated: %v", err)
	})
	t.Run("TLS 1.1", func(t *testing.T) {
		s := httptest.NewUnstartedServer(nil)
		s.Config.ErrorLog = discardLog()
		s.TLS = &tls.Config{MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS11}
		s.StartTLS()
		defer s.Close()
		_, err := overSocket(t, s.URL+standardPath, activity.Options{MaxRetries: -1}).UserID(t.Context())
		require.ErrorContains(t, err, "protocol version")
	})
	t.Run("refused, within the budget", func(t *testing.T) {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		require.NoError(t, err)
		l.Close()
		_, err = overSocket(t, "http://"+l.Addr().String()+standardPath, activity.Options{}).UserID(t.Context())
		require.Equal(t, 4, asError(t, err).Attempts)
	})
}

// TestCloseLeavesNothing: after Close no connection and no goroutine is left,
// whatever went wrong before.
func TestCloseLeavesNothing(t *testing.T) {
	before := goleak.IgnoreCurrent()
	fake := activitytest.NewServer()
	s := httptest.NewUnstartedServer(fake)
	var open atomic.Int32
	shut := make(chan struct{}, 1)
	s.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		switch state {
		case http.StateNew:
			open.Add(1)
		case http.StateClosed:
			open.Add(-1)
			select {
			case shut <- struct{}{}:
			default:
			}
		}
	}
	s.Start()
	fake.BaseURL = s.URL
	u := fake.AddUser(nil)
	p, err := activity.NewPool(&activity.Options{BaseURL: s.URL + "/wellness-api/rest", MinBackoff: time.Millisecond})
	require.NoError(t, err)
	c, err := p.Client(bearer(u.State().AccessToken))
	require.NoError(t, err)
	for i := range 40 {
		fake.SetFaults([]activitytest.Fault{{}, {Status: 503}, {Refuse: true}, {CutAfter: 3}, {Lose: true}}[i%5])
		c.UserID(t.Context())
		for range c.Activities(t.Context(), lastHour(), &activity.PullOptions{Token: types.Secret(u.State().PullToken)}) {
			break
		}
	}
	require.NotZero(t, open.Load(), "no connection was kept")
	p.Close()
	// The server would close its side, and hide what the client has left.
	for patience := time.After(time.Minute); open.Load() > 0; {
		select {
		case <-shut:
		case <-patience:
			t.Fatalf("%d connections are left", open.Load())
		}
	}
	s.Close()
	goleak.VerifyNone(t, before)
}

// TestPoolSharesConnections: a connection for each user would be thousands.
func TestPoolSharesConnections(t *testing.T) {
	var conns atomic.Int32
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		io.WriteString(w, `{"userId":"u"}`)
	}))
	s.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			conns.Add(1)
		}
	}
	s.Start()
	defer s.Close()
	pool, err := activity.NewPool(&activity.Options{BaseURL: s.URL + standardPath})
	require.NoError(t, err)
	defer pool.Close()
	for range 20 {
		c, err := pool.Client(bearer("token"))
		require.NoError(t, err)
		_, err = c.UserID(t.Context())
		require.NoError(t, err)
	}
	require.EqualValues(t, 1, conns.Load())
}

// TestNoProxy: what the environment says of proxies is not for requests that
// are signed.
func TestNoProxy(t *testing.T) {
	require.Nil(t, activity.NewTransport("apis.garmin.com", "").Proxy)
}

// TestBreakReleases: leaving a list early gives the connection up.
func TestBreakReleases(t *testing.T) {
	gone := make(chan struct{})
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		io.WriteString(w, `[{"summaryId":"1"},{"summaryId":"2"},`+strings.Repeat(" ", 4096))
		w.(http.Flusher).Flush()
		<-r.Context().Done()
		close(gone)
	}))
	defer s.Close()
	for a, err := range overSocket(t, s.URL+standardPath, activity.Options{}).Activities(t.Context(), lastHour(), nil) {
		require.NoError(t, err)
		require.Equal(t, types.ID("1"), a.SummaryID, "the first item comes before the body ends")
		break
	}
	<-gone
}
