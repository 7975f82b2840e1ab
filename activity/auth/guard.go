package auth

import (
	"bytes"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"time"

	"golang.org/x/oauth2"

	"github.com/garminkit/activityapi/internal/retryafter"
)

// maxAnswer bounds the answer of an OAuth server. A real one has 2 to 4 KiB.
const maxAnswer = 64 << 10

// guard is the RoundTripper of every call to an OAuth server. It refuses
// redirects, which would carry the secrets elsewhere, and reads the whole
// answer, up to a limit. The libraries above it have neither guard.
type guard struct {
	base http.RoundTripper
	// called tells that a request was made. status and wait are those of the
	// answer. object tells that its body is a JSON object, page that it is
	// neither empty nor JSON nor a form.
	called       bool
	status       int
	wait         time.Duration
	object, page bool
}

var (
	errRedirect = errors.New("redirect refused")
	errTooLong  = errors.New("answer too long")
	errAnswer   = errors.New("unreadable answer")
)

// RoundTrip implements http.RoundTripper.
func (g *guard) RoundTrip(req *http.Request) (*http.Response, error) {
	g.called = true
	resp, err := g.base.RoundTrip(req)
	if err != nil {
		return nil, cause(err)
	}
	defer resp.Body.Close()
	g.status = resp.StatusCode
	g.wait = retryafter.Of(resp.Header)
	if resp.StatusCode >= 300 && resp.StatusCode < 400 {
		return nil, errRedirect
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer+1))
	body = bytes.TrimPrefix(body, []byte("\ufeff"))
	g.object, g.page = isObject(body), isPage(body)
	// An object that is whole is the answer, however its transfer ended: it may be
	// the only copy of a user's next refresh token.
	if err != nil && !(g.object && resp.StatusCode < 300) {
		return nil, cause(err)
	}
	if len(body) > maxAnswer {
		return nil, errTooLong
	}
	if g.object {
		if resp.StatusCode < 300 {
			body = tidy(body)
		}
		// By its name the library would read an object that is called text as a form.
		resp.Header = resp.Header.Clone()
		resp.Header.Set("Content-Type", "application/json")
	}
	resp.Body = io.NopCloser(bytes.NewReader(body))
	return resp, nil
}

// client returns the http.Client for one call.
func (g *guard) client() *http.Client {
	return &http.Client{
		Transport:     g,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// error turns what a library returned into an Error. It takes over the error
// code if it is a known one, and none of the text: the description may quote
// the token.
func (g *guard) error(op string, err error) *Error {
	e := &Error{Op: op, StatusCode: g.status, Wait: g.wait, remote: true, page: g.page}
	var retrieve *oauth2.RetrieveError
	var u *url.Error
	switch {
	case errors.As(err, &retrieve):
		meaning, known := oauthCodes[retrieve.ErrorCode]
		switch {
		case !g.object:
			// Somebody else's word.
		case known:
			e.Code, e.Err = retrieve.ErrorCode, meaning
		case g.status == http.StatusUnauthorized && retrieve.ErrorCode != "":
			e.Err = ErrInvalidClient
		}
		if !judges(g.status) {
			e.Err = nil
		}
	case errors.As(err, &u):
		e.Err = u.Err
	default:
		e.Err = errAnswer
	}
	return e
}

// newTransport returns the default transport. It is not http.DefaultTransport,
// which others may change, and takes no proxy from the environment.
func newTransport() *http.Transport {
	return &http.Transport{
		DialContext:            (&net.Dialer{Timeout: 10 * time.Second}).DialContext,
		TLSClientConfig:        &tls.Config{MinVersion: tls.VersionTLS12},
		TLSHandshakeTimeout:    10 * time.Second,
		ResponseHeaderTimeout:  time.Minute, // each call has its own, shorter one
		ForceAttemptHTTP2:      true,
		MaxIdleConnsPerHost:    4,
		MaxConnsPerHost:        32,
		IdleConnTimeout:        30 * time.Second,
		MaxResponseHeaderBytes: 64 << 10,
	}
}
