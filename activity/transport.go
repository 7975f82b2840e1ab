package activity

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"syscall"
	"time"

	"github.com/garminkit/activityapi/internal/secureurl"
)

var (
	errBlocked = errors.New("the host's address is not one on the internet")
	errHeader  = errors.New("the credential returned a header that cannot be sent")
)

// newTransport returns the private transport of a pool for the API at host.
// The addresses of plain are not checked.
func newTransport(host, plain string) *http.Transport {
	dialer := &net.Dialer{Timeout: 10 * time.Second, KeepAlive: 30 * time.Second}
	if !secureurl.Loopback(host) && host != plain && net.ParseIP(host) == nil {
		garmin := secureurl.Garmin(host)
		dialer.Control = func(_, address string, _ syscall.RawConn) error { return checkAddress(address, garmin) }
	}
	return &http.Transport{
		DialContext:            dialer.DialContext,
		TLSClientConfig:        &tls.Config{MinVersion: tls.VersionTLS12},
		TLSHandshakeTimeout:    10 * time.Second,
		ForceAttemptHTTP2:      true,
		MaxIdleConns:           100,
		MaxIdleConnsPerHost:    32,
		IdleConnTimeout:        90 * time.Second,
		MaxResponseHeaderBytes: 64 << 10,
	}
}

// checkAddress refuses what a name must not lead to: DNS that was tampered
// with would otherwise send signed requests to machines near this one.
func checkAddress(address string, public bool) error {
	ap, err := netip.ParseAddrPort(address)
	if err != nil {
		return errBlocked
	}
	ip := ap.Addr().Unmap()
	if ip.IsLoopback() || ip.IsLinkLocalUnicast() || ip.IsMulticast() || ip.IsUnspecified() || public && ip.IsPrivate() {
		return errBlocked
	}
	return nil
}

// oneShot returns a copy of t that makes a new HTTP/1.1 connection for each
// request. Request.Close would not do: it closes the connection afterwards, but
// may take a used one, which may be dying; and net/http sends a GET again when
// it was.
func oneShot(t *http.Transport) *http.Transport {
	t = t.Clone()
	t.DisableKeepAlives = true
	t.ForceAttemptHTTP2 = false
	t.Protocols = new(http.Protocols)
	t.Protocols.SetHTTP1(true)
	t.TLSNextProto = map[string]func(string, *tls.Conn) http.RoundTripper{}
	if t.TLSClientConfig != nil {
		t.TLSClientConfig.NextProtos = []string{"http/1.1"}
	}
	return t
}

// noBody is an empty request body. With a Body that cannot be rewound,
// net/http does not silently send a GET again when a reused connection dies.
// On the wire there is no difference.
type noBody struct{}

func (noBody) Read([]byte) (int, error) { return 0, io.EOF }
func (noBody) Close() error             { return nil }

// pin stands below the credential, which signs whatever it is given: it lets
// only requests to the API pass. It also tells errors of the network from
// those of the credential.
type pin struct {
	base *url.URL
	next http.RoundTripper
}

func (p *pin) RoundTrip(req *http.Request) (*http.Response, error) {
	cl, _ := req.Context().Value(callKey{}).(*call)
	if err := p.check(req, cl); err != nil {
		if req.Body != nil {
			req.Body.Close()
		}
		return nil, &netError{err}
	}
	auth := req.Header.Get("Authorization")
	cl.auth.Store(auth)
	cl.handed.Store(true)
	resp, err := p.next.RoundTrip(req)
	if err != nil {
		return nil, &netError{cl.safe(err)}
	}
	if !cl.good(resp.StatusCode) {
		inflateRefusal(resp)
	}
	return resp, nil
}

func (p *pin) check(req *http.Request, cl *call) error {
	u := req.URL
	switch {
	case cl == nil:
		return errOrigin
	case u.Scheme != p.base.Scheme, u.Host != p.base.Host, req.Host != "" && req.Host != p.base.Host,
		u.User != nil, u.Opaque != "", u.RawPath != "", u.Path != p.base.Path+cl.path,
		u.RawQuery != cl.query, req.Method != cl.verb():
		return errOrigin
	}
	for _, values := range req.Header {
		for _, v := range values {
			if strings.ContainsFunc(v, func(r rune) bool { return r < ' ' && r != '\t' || r == 0x7f }) {
				return errHeader
			}
		}
	}
	return nil
}

// netError marks an error that came from below the credential.
type netError struct{ err error }

func (e *netError) Error() string { return e.err.Error() }
func (e *netError) Unwrap() error { return e.err }

type callKey struct{}

func withCall(ctx context.Context, cl *call) context.Context {
	return context.WithValue(ctx, callKey{}, cl)
}
