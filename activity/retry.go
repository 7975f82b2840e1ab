package activity

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"math/rand/v2"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/garminkit/activityapi/internal/backoff"
)

// passing tells whether a status may be gone at the next attempt.
func passing(status int) bool {
	switch status {
	case http.StatusRequestTimeout, http.StatusTooEarly, http.StatusTooManyRequests:
		return true
	case http.StatusNotImplemented, http.StatusHTTPVersionNotSupported:
		return false
	}
	return status >= 500 && status <= 599
}

// fleeting tells whether an error of the base transport may be gone at the
// next attempt.
func fleeting(err error) bool {
	var (
		dns  *net.DNSError
		cert *tls.CertificateVerificationError
		head tls.RecordHeaderError
		host x509.HostnameError
		auth x509.UnknownAuthorityError
		bad  x509.CertificateInvalidError
	)
	switch {
	case errors.Is(err, errOrigin), errors.Is(err, errBlocked), errors.Is(err, errHeader):
		return false
	case errors.As(err, &dns):
		return !dns.IsNotFound
	case errors.As(err, &cert), errors.As(err, &head), errors.As(err, &host), errors.As(err, &auth), errors.As(err, &bad):
		return false
	}
	return true
}

// backoff returns the wait before repeat n, counted from 0: between half and
// the whole of an interval that doubles, or what the server asked for and up
// to a tenth more. It is never above MaxBackoff.
func (o *Options) backoff(n int, asked time.Duration) time.Duration {
	switch {
	case asked >= o.MaxBackoff:
		return o.MaxBackoff - jitter(o.MaxBackoff/10)
	case asked > 0:
		return min(asked+jitter(asked/10), o.MaxBackoff)
	}
	return backoff.Wait(n+1, o.MinBackoff, o.MaxBackoff)
}

func jitter(d time.Duration) time.Duration {
	if d <= 0 {
		return 0
	}
	return rand.N(d)
}

// budget limits how many repeats all calls together may make. Each answer that
// is no passing failure adds a share of a repeat, each repeat takes one.
type budget struct {
	mu    sync.Mutex
	share float64
	left  float64
}

// budgetMax bounds what adds up in good times, and with it what an outage
// costs on top of its first attempts.
const budgetMax = 10

func newBudget(share float64) *budget { return &budget{share: share, left: budgetMax} }

func (b *budget) earn() {
	b.mu.Lock()
	b.left = min(b.left+b.share, budgetMax)
	b.mu.Unlock()
}

func (b *budget) spend() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.left < 1 {
		return false
	}
	b.left--
	return true
}
