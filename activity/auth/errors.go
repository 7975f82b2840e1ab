package auth

import (
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/garminkit/activityapi/types"
)

// The errors of this package wrap one of these if the caller can act on it.
// ErrNotConnected and ErrConflict are errors of a [TokenStore].
var (
	// ErrReconnect means that Garmin no longer takes this user's token: consent
	// was withdrawn, or the user was idle for 90 days. Only the user can fix it,
	// by connecting again.
	ErrReconnect = errors.New("auth: user must connect again")
	// ErrInvalidClient means that Garmin does not accept the application: its
	// client id, secret or redirect URL. It concerns all users, but none of their
	// tokens.
	ErrInvalidClient = errors.New("auth: client id, secret or redirect URL refused")
	// ErrDenied means that the user refused consent.
	ErrDenied = errors.New("auth: consent refused")
	// ErrState means that a callback does not belong to a connection begun in the
	// same browser and session within ConnectorOptions.Lifetime, or is repeated.
	ErrState = errors.New("auth: callback without an open connection")
)

// Error is a failed call to one of Garmin's OAuth servers or to the store, or a
// failed callback. It holds only the status and a known error code of an answer,
// and no other text.
type Error struct {
	// Op says what was tried, such as "refresh token".
	Op string
	// UserID is Garmin's id of the user, if known.
	UserID types.UserID
	// StatusCode is the HTTP status, or zero if no answer came.
	StatusCode int
	// Code is the error code of RFC 6749, such as "invalid_grant", if the
	// answer had one.
	Code string
	// Wait is what Garmin asked for with Retry-After, at most an hour.
	Wait time.Duration
	// Err is the cause; it may be nil if StatusCode is not zero.
	Err error

	remote bool // Garmin was called.
	page   bool // What answered was no OAuth server: a gateway's page.
}

// Error implements error.
func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString("auth: " + e.Op)
	if e.UserID != "" {
		b.WriteString(" of user " + string(e.UserID))
	}
	if e.StatusCode != 0 {
		fmt.Fprintf(&b, ": status %d", e.StatusCode)
	}
	if e.Code != "" {
		b.WriteString(": " + e.Code)
	}
	if e.Err != nil {
		b.WriteString(": " + strings.TrimPrefix(e.Err.Error(), "auth: "))
	}
	return b.String()
}

// Unwrap returns Err.
func (e *Error) Unwrap() error { return e.Err }

// oauthCodes maps the error codes of RFC 6749 and those of the framework
// behind Garmin's token server to what they mean. A code that is not here is
// not shown: it could be anything.
var oauthCodes = map[string]error{
	"invalid_grant":             ErrReconnect,
	"invalid_token":             ErrReconnect, // an expired refresh token
	"invalid_client":            ErrInvalidClient,
	"unauthorized_client":       ErrInvalidClient,
	"redirect_uri_mismatch":     ErrInvalidClient,
	"unauthorized":              ErrInvalidClient,
	"invalid_request":           nil,
	"invalid_scope":             nil,
	"unsupported_grant_type":    nil,
	"unsupported_response_type": nil,
	"access_denied":             nil,
	"server_error":              nil,
	"temporarily_unavailable":   nil,
}

// cause takes the URL off an error of net/http. What is left names hosts and
// addresses at most.
func cause(err error) error {
	if u, ok := errors.AsType[*url.Error](err); ok {
		return u.Err
	}
	return err
}
