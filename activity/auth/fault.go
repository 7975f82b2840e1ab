package auth

import (
	"bytes"
	"encoding/json"
	"errors"
	"net/http"
	"regexp"
	"time"

	"github.com/garminkit/activityapi/types"
)

// failure is what errors of this package and of package activity have in
// common.
type failure interface {
	error
	Fault() types.Fault
	RetryAfter() time.Duration
}

// Fault says who caused the failure; see [types.Fault]. Only an error code of RFC
// 6749 in a JSON object counts against the user or the application.
//
//   - Garmin: 429, 5xx, 408 and 425, with any body; server_error and
//     temporarily_unavailable.
//   - Network: 1xx, 3xx, 407 and 511; any answer whose body is a page or other
//     text; no answer.
//   - User: invalid_grant and invalid_token.
//   - Application: invalid_client, unauthorized_client, redirect_uri_mismatch,
//     invalid_scope and unsupported_grant_type; 401 with any other code.
//   - Unknown: any other answer.
//
// A missing token, or one that was refused before, is the user's fault. A refused
// consent and a callback without a connection are the item's. The failure of a
// store is nobody's.
func (e *Error) Fault() types.Fault {
	var own failure
	switch s := e.StatusCode; {
	case errors.Is(e.Err, ErrReconnect), errors.Is(e.Err, ErrNotConnected):
		return types.FaultUser
	case errors.Is(e.Err, ErrInvalidClient), errors.Is(e.Err, errNoScheme):
		return types.FaultApplication
	case errors.Is(e.Err, ErrDenied), errors.Is(e.Err, ErrState):
		return types.FaultItem
	case errors.As(e.Err, &own):
		return own.Fault()
	case s != 0 && between(s):
		return types.FaultNetwork
	case passing(s), e.Code == "server_error", e.Code == "temporarily_unavailable":
		return types.FaultGarmin
	case e.Code == "invalid_scope", e.Code == "unsupported_grant_type":
		return types.FaultApplication
	case e.page, s == 0 && e.remote:
		return types.FaultNetwork
	}
	return ""
}

// passing tells that the server of an answer cannot answer now.
func passing(status int) bool {
	return status == http.StatusRequestTimeout || status == http.StatusTooEarly || status == http.StatusTooManyRequests || status >= 500
}

// between tells that a status is the word of somebody between the server and us.
func between(status int) bool {
	return status < 200 || status >= 300 && status < 400 || status >= 600 ||
		status == http.StatusProxyAuthRequired || status == http.StatusNetworkAuthenticationRequired
}

// judges tells whether an answer with this status can judge a token at all.
func judges(status int) bool { return !passing(status) && !between(status) }

// RetryAfter returns the minimum time to wait before another attempt, or zero if
// none was requested.
func (e *Error) RetryAfter() time.Duration {
	if own := failure(nil); e.Wait == 0 && errors.As(e.Err, &own) {
		return own.RetryAfter()
	}
	return e.Wait
}

// isObject reports whether the body of an answer is a JSON object, which a
// gateway's page is not.
func isObject(body []byte) bool {
	body = bytes.TrimSpace(body)
	return len(body) > 0 && body[0] == '{' && json.Valid(body)
}

// isPage reports whether a body is text that is neither JSON, whole or cut
// off, nor a form, as some OAuth servers answer.
func isPage(body []byte) bool {
	body = bytes.TrimSpace(body)
	return len(body) > 0 && body[0] != '{' && body[0] != '[' && !form.Match(body) && !json.Valid(body)
}

// form matches the start of a form.
var form = regexp.MustCompile(`^[A-Za-z_]+=`)
