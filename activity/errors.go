package activity

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/garminkit/activityapi/types"
)

// Errors that Garmin answered with, for errors.Is.
var (
	// ErrGone (410) means that the file was downloaded before, or that the data of
	// the callback is no longer available. Asking again does not help.
	ErrGone = errors.New("gone")
	// ErrNotPermitted (412, or 403 that names a permission) means that the user has
	// not allowed Error.Permission. The credential is good; wait until the user
	// changes the permissions.
	ErrNotPermitted = errors.New("the user has not permitted it")
	// ErrDuplicate (409) means that the range was backfilled before, and nothing
	// new will be sent. Error.Earlier is the range of the earlier request, if
	// Garmin gives it; it need not cover this one.
	ErrDuplicate = errors.New("duplicate backfill request")
	// ErrMinStart (400) means that a backfill starts before Error.MinStart, the
	// earliest allowed start for this user.
	ErrMinStart = errors.New("start is before the earliest allowed")
	// ErrEndpointNotEnabled (400) means that the kind of summary has no endpoint in
	// Garmin's endpoint configuration tool.
	ErrEndpointNotEnabled = errors.New("no endpoint is configured for the summary type")
	// ErrRateLimited (429) means that too many requests were made.
	ErrRateLimited = errors.New("rate limited")
	// ErrUnauthorized (401, or another status whose message says that the token or
	// signature was refused) means that the user must connect again. A credential
	// that was refused before gives the same error without a request.
	ErrUnauthorized = errors.New("unauthorized")
)

// Errors found by this package, for errors.Is.
var (
	// ErrCallback means that a callback URL is not Garmin's for the given kind.
	// Nothing was sent: the error wraps [types.ErrNotSent] too.
	ErrCallback = errors.New("callback URL refused")
	// ErrMaybeSpent means that a request that must not be repeated was sent and not
	// answered in full: the only download of the file, or the backfill's range, may
	// be used up. If Error.StatusCode is not 0, a file broke off after
	// Error.Received bytes, and its download is used up.
	ErrMaybeSpent = errors.New("maybe spent")
)

var (
	errNoAnswer  = errors.New("sent without an answer")
	errCut       = errors.New("cut in the body")
	errTooLarge  = errors.New("answer too large")   // or an item of it
	errPullToken = errors.New("invalid pull token") // missing, unknown or expired
	errForbidden = errors.New("forbidden")          // Garmin also sends it for unknown tokens
	errTimeout   = errors.New("no answer within the timeout")
	errOrigin    = errors.New("a request other than the call's own was refused")
	errStatus    = errors.New("unexpected status")
	errBase      = errors.New("transport failed")
	errShape     = errors.New("the answer has an unexpected form")
)

// Error describes a failed call.
type Error struct {
	// Op is the method that failed, such as "Activities".
	Op string
	// StatusCode is the last HTTP status, or 0 if no answer came.
	StatusCode int
	// Message is Garmin's error message on one line, without the secrets of the
	// request. TraceID is Garmin's id of the failure, which Garmin's support asks
	// for.
	Message string
	TraceID string
	// Body is the beginning of an answer that is not JSON, without secrets. It is
	// not part of the error's text.
	Body string
	// Attempts counts the requests made.
	Attempts int

	// Wait is what Garmin asked for with Retry-After, at most an hour.
	Wait time.Duration
	// Permission belongs to ErrNotPermitted, MinStart to ErrMinStart, and Earlier
	// to ErrDuplicate. Each is zero if Garmin does not say. Earlier includes its
	// End.
	Permission types.Permission
	MinStart   time.Time
	Earlier    types.Window
	// ClockSkew is how far this machine's clock is ahead of Garmin's, or behind it
	// if negative. It is zero unless the call was unauthorized and the difference
	// is more than a minute. Garmin refuses OAuth 1.0a signatures that are ten
	// minutes off.
	ClockSkew time.Duration
	// Received counts the bytes of the body that were read before it failed.
	Received int64

	// Err is one of the package's errors, or the underlying error.
	Err error

	repeat   bool   // Another attempt by the client itself is sound.
	network  bool   // It came from below the credential.
	author   author // of the body
	withheld bool   // A refusal that does not judge the user.
}

// Error returns the operation, status and cause, and Garmin's message and trace
// id.
func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString("activity: " + e.Op)
	if e.StatusCode != 0 {
		fmt.Fprintf(&b, ": %d", e.StatusCode)
		if t := http.StatusText(e.StatusCode); t != "" {
			b.WriteString(" " + t)
		}
	}
	if e.Err != nil {
		b.WriteString(": " + e.Err.Error())
	}
	if e.Received > 0 {
		fmt.Fprintf(&b, " after %d bytes", e.Received)
	}
	if e.Message != "" {
		b.WriteString(": " + e.Message)
	}
	if e.TraceID != "" {
		b.WriteString(" (trace " + e.TraceID + ")")
	}
	if e.ClockSkew != 0 {
		fmt.Fprintf(&b, " (this clock is %s off Garmin's)", e.ClockSkew)
	}
	return b.String()
}

// Unwrap returns Err.
func (e *Error) Unwrap() error { return e.Err }

// because is an error of this package with what lies behind it.
type because struct{ kind, cause error }

func (b *because) Error() string   { return b.kind.Error() + ": " + b.cause.Error() }
func (b *because) Unwrap() []error { return []error{b.kind, b.cause} }

// unsent is the error of a call that was refused here, before anything was sent. Its
// text is that of its cause.
type unsent struct{ error }

func (u unsent) Unwrap() []error { return []error{types.ErrNotSent, u.error} }

// ctxError returns why ctx ended: its error, and its cause where that differs.
func ctxError(ctx context.Context) error {
	err, cause := ctx.Err(), context.Cause(ctx)
	if cause == nil || errors.Is(cause, err) {
		return err
	}
	return &because{err, cause}
}

// badItems is what a list ends with if items in it could not be read.
type badItems struct {
	count int
	first []error // a few, as *types.DecodeError
}

func (b *badItems) add(err *types.DecodeError) {
	b.count++
	if len(b.first) < 3 {
		b.first = append(b.first, err)
	}
}

func (b *badItems) Error() string {
	texts := make([]string, len(b.first))
	for i, err := range b.first {
		texts[i] = err.Error()
	}
	s := fmt.Sprintf("%d of the items cannot be read: %s", b.count, strings.Join(texts, "; "))
	if b.count > len(b.first) {
		s += "; …"
	}
	return s
}

func (b *badItems) Unwrap() []error { return b.first }
