package auth

import (
	"bytes"
	"context"
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
	// ctx is used if it is not nil: package oauth1 makes requests without one.
	ctx context.Context
	// plain is set for OAuth 1.0a, whose library puts the body of a failed
	// call into its error: only 200 and 201 reach it.
	plain bool
	// confirm adds oauth_callback_confirmed to the answer. Garmin's lack it,
	// and the OAuth 1.0a library insists on it.
	confirm bool
	// status and retryAfter are those of the answer.
	status     int
	retryAfter time.Duration
}

var (
	errRedirect = errors.New("redirect refused")
	errTooLong  = errors.New("answer too long")
	errAnswer   = errors.New("unreadable answer")
)

// RoundTrip implements http.RoundTripper.
func (g *guard) RoundTrip(req *http.Request) (*http.Response, error) {
	if g.ctx != nil {
		req = req.WithContext(g.ctx)
	}
	resp, err := g.base.RoundTrip(req)
	if err != nil {
		return nil, cause(err)
	}
	defer resp.Body.Close()
	g.status = resp.StatusCode
	g.retryAfter = retryafter.Of(resp.Header)
	if resp.StatusCode >= 300 && resp.StatusCode < 400 {
		return nil, errRedirect
	}
	if g.plain && resp.StatusCode != http.StatusOK && resp.StatusCode != http.StatusCreated {
		return nil, errStatus
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer+1))
	if err != nil {
		return nil, cause(err)
	}
	if len(body) > maxAnswer {
		return nil, errTooLong
	}
	if g.confirm {
		body = append(bytes.TrimSpace(body), "&oauth_callback_confirmed=true"...)
	}
	resp.Body = io.NopCloser(bytes.NewReader(body))
	return resp, nil
}

// errStatus stands for an answer whose status says all.
var errStatus = errors.New("refused")

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
	e := &Error{Op: op, StatusCode: g.status, RetryAfter: g.retryAfter, remote: true}
	var retrieve *oauth2.RetrieveError
	var u *url.Error
	switch {
	case errors.As(err, &retrieve):
		var known bool
		if e.Err, known = oauthCodes[retrieve.ErrorCode]; known {
			e.Code = retrieve.ErrorCode
		} else if g.status == http.StatusUnauthorized {
			e.Err = ErrInvalidClient
		}
		if g.status >= 500 || g.status == http.StatusTooManyRequests {
			// A server in trouble is no judge of the token.
			e.Err = nil
		}
	case errors.As(err, &u):
		e.Err = u.Err
		if errors.Is(u.Err, errStatus) {
			e.Err = nil
		}
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
