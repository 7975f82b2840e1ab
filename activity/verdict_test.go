//go:build !plan9

package activity_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"os"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/garminkit/activityapi/activity"
	"github.com/garminkit/activityapi/types"
)

// bodyKinds are who may have written an answer.
var bodyKinds = map[string]string{
	"Garmin": `{"errorMessage":"no"}`,
	"OAuth":  `{"error":"invalid_token","error_description":"no"}`,
	"list":   `["no"]`,
	"page":   "<!DOCTYPE html><title>no</title>",
	"nobody": "",
}

// verdictOf is whose fault a refusal is, in the words of the table in
// docs/reliability.md.
func verdictOf(status int, author string) types.Fault {
	switch {
	case status < 200, status >= 300 && status < 400, status == 407, status == 511, status >= 600:
		return types.FaultNetwork // Somebody in between, whatever the body.
	case status >= 500, status == 408, status == 425, status == 429:
		return types.FaultGarmin
	case author == "page":
		return types.FaultNetwork
	case status == 410 && author == "nobody":
		return types.FaultItem
	case status < 300, author != "Garmin":
		return "" // It proves nothing.
	case status == 401, status == 403, status == 412:
		return types.FaultUser
	}
	return types.FaultItem
}

// TestEveryStatusHasAVerdict: each status from 100 to 599 and above, with each
// author, to each call that it is no success of.
func TestEveryStatusHasAVerdict(t *testing.T) {
	t.Parallel()
	statuses := []int{600, 999}
	for s := 100; s < 600; s++ {
		statuses = append(statuses, s)
	}
	for _, m := range methods {
		switch m.op {
		case "ManualActivities", "Details", "MoveIQ", "Follow", "Permissions":
			continue // as Activities and UserID
		}
		t.Run(m.op, func(t *testing.T) {
			t.Parallel()
			for _, status := range statuses {
				if status == m.good.status || m.op == "Download" && (status == 203 || status == 206) {
					continue
				}
				for author, body := range bodyKinds {
					c, s := scripted(t, activity.Options{MaxRetries: -1}, step{status: status, body: body})
					err := m.call(context.Background(), c)
					e := asError(t, err)
					require.Equal(t, verdictOf(status, author), e.Fault(), "%d by %s: %v", status, author, err)
					require.Equal(t, status, e.StatusCode)
					require.NotErrorIs(t, err, types.ErrNotSent)
					require.Len(t, s.at, 1)
				}
			}
		})
	}
}

// TestEveryErrorHasAVerdict: each way in which no answer comes. None of them
// judges a user or an item, but for a download that may have been spent.
func TestEveryErrorHasAVerdict(t *testing.T) {
	t.Parallel()
	opError := func(op string, err error) error {
		return &net.OpError{Op: op, Net: "tcp", Err: os.NewSyscallError(op, err)}
	}
	for name, err := range map[string]error{
		"no such host":         &net.DNSError{Err: "no such host", Name: "apis.garmin.com", IsNotFound: true},
		"name server down":     &net.DNSError{Err: "server misbehaving", Name: "apis.garmin.com", IsTemporary: true},
		"name server late":     &net.DNSError{Err: "i/o timeout", Name: "apis.garmin.com", IsTimeout: true},
		"refused":              opError("connect", syscall.ECONNREFUSED),
		"unreachable host":     opError("connect", syscall.EHOSTUNREACH),
		"unreachable network":  opError("connect", syscall.ENETUNREACH),
		"no descriptor":        opError("socket", syscall.EMFILE),
		"no port":              opError("connect", syscall.EADDRNOTAVAIL),
		"time-out to connect":  opError("connect", syscall.ETIMEDOUT),
		"reset":                opError("read", syscall.ECONNRESET),
		"broken pipe":          opError("write", syscall.EPIPE),
		"time-out to read":     &net.OpError{Op: "read", Net: "tcp", Err: os.ErrDeadlineExceeded},
		"end":                  io.EOF,
		"end in the head":      io.ErrUnexpectedEOF,
		"no HTTP":              errors.New("net/http: HTTP/1.x transport connection broken: malformed HTTP response"),
		"a head too large":     errors.New("net/http: server response headers exceeded 65536 bytes; aborted"),
		"a proxy's password":   errors.New("Proxy Authentication Required"),
		"an HTTP/2 stream":     errors.New("stream error: stream ID 1; INTERNAL_ERROR; received from peer"),
		"no TLS":               tls.RecordHeaderError{Msg: "first record does not look like a TLS handshake"},
		"TLS alert":            tls.AlertError(40),
		"certificate expired":  &tls.CertificateVerificationError{Err: x509.CertificateInvalidError{Reason: x509.Expired, Cert: &x509.Certificate{}}},
		"certificate not ours": &tls.CertificateVerificationError{Err: x509.HostnameError{Certificate: &x509.Certificate{}, Host: "h"}},
		"unknown authority":    &tls.CertificateVerificationError{Err: x509.UnknownAuthorityError{}},
		"no roots":             x509.SystemRootsError{Err: errors.New("x")},
		"wrapped in a URL":     &url.Error{Op: "Get", URL: "https://apis.garmin.com", Err: io.EOF},
		"anything":             errors.New("something new"),
	} {
		text := err.Error()
		if u, ok := errors.AsType[*url.Error](err); ok {
			text = u.Err.Error() // A URL is never shown.
		}
		for _, m := range methods {
			c, _ := scripted(t, activity.Options{MaxRetries: -1}, step{err: err})
			e := asError(t, m.call(context.Background(), c))
			want := types.FaultNetwork
			switch m.op {
			case "Download": // A transport of somebody else's does not tell whether it was sent.
				require.ErrorIs(t, e, activity.ErrMaybeSpent, name)
				want = types.FaultItem
			case "Backfill":
				require.ErrorIs(t, e, activity.ErrMaybeSpent, name)
			}
			require.Equal(t, want, e.Fault(), "%s of %s: %v", name, m.op, e)
			require.ErrorContains(t, e, text)
		}
	}
	// The caller's own end is nobody's fault.
	for _, m := range methods {
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		c, s := scripted(t, activity.Options{}, m.good)
		e := asError(t, m.call(ctx, c))
		require.Equal(t, types.Fault(""), e.Fault(), m.op)
		require.Empty(t, s.at)
	}
}

// TestErrorsCalledSuccess: 200 with an error in it judges nobody, and says what
// it says.
func TestErrorsCalledSuccess(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ body, message, trace string }{
		{`{"errorMessage":"[` + trace + `] InvalidPullTokenException failure"}`, "InvalidPullTokenException failure", trace},
		{"\ufeff" + `{"errorMessage":"no","errorId":"id-1"}`, "no", "id-1"},
		{`{"error":"invalid_token","error_description":"expired user-token"}`, "expired [REDACTED]", ""},
		{`{"message":"Forbidden"}`, "Forbidden", ""},
		{`{"status":"UP"}`, "", ""},
		{`{"activities":[{"summaryId":"1","activityName":"private"}]}`, "", ""},
	} {
		for _, m := range methods {
			if m.good.status != 200 || m.op == "Download" || m.op == "Permissions" && tt.message == "" {
				continue
			}
			c, s := scripted(t, activity.Options{}, step{status: 200, body: tt.body})
			err := m.call(context.Background(), c)
			e := asError(t, err)
			require.Equal(t, types.Fault(""), e.Fault(), "%s: %v", m.op, err)
			require.Len(t, s.at, 1, fmt.Sprint(m.op, tt.body))
			require.Equal(t, tt.message, e.Message, m.op)
			require.Equal(t, tt.trace, e.TraceID, m.op)
			require.NotContains(t, err.Error(), "private")
			require.NotContains(t, err.Error(), "user-token")
		}
	}
}
