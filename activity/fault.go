package activity

import (
	"bytes"
	"encoding/json"
	"errors"
	"net/http"
	"time"

	"github.com/garminkit/activityapi/types"
)

// failure is what errors of this package and of credentials have in common.
type failure interface {
	error
	Fault() types.Fault
	RetryAfter() time.Duration
}

// author says who wrote the body of an answer that refuses a call. Garmin's
// document promises a JSON object with "errorMessage" for 400, 401, 403, 409
// and 412, and every refusal of Garmin's that is on record has one. So a page
// is the word of somebody in between, and a body of another form proves
// nothing.
type author uint8

const (
	anyAuthor author = iota // An Error that was not made here means what it says.
	garmin                  // JSON, or nearly, with errorMessage
	another                 // text that is no JSON: a gateway's page
	nobody                  // no body
	unproven                // JSON of another form
)

// authorOf tells by the body who wrote it.
func authorOf(body []byte, own bool) author {
	body = bytes.TrimSpace(body)
	switch {
	case len(body) == 0:
		return nobody
	case own && body[0] == '{':
		return garmin
	case body[0] != '{' && body[0] != '[' && !json.Valid(body):
		return another
	}
	return unproven
}

// Fault says who caused the failure; see [types.Fault]. A refusal counts against
// the item or the user only if Garmin itself wrote it.
//
//   - Garmin: 429, 5xx, 408 and 425, with any body.
//   - Network: 1xx, 3xx, 407 and 511; any other refusal, or a 200, whose body is
//     a page or other text; no answer.
//   - User: Garmin's own 401, 403 and 412.
//   - Application: Garmin's own 400 that says that no endpoint is configured.
//   - Item: any other refusal by Garmin itself; 410 without a body; a list that
//     is too large or has unreadable items.
//   - Unknown: a refusal without a body, or with JSON of another form; an answer
//     that broke off; a ctx that ended.
//
// Four sorts of 401 are not the user's fault: this machine's clock is wrong (then it
// is the application's fault); the answer only says that the header could not be
// read; it refuses an OAuth 1.0a signature without naming the token, as it would
// with a wrong consumer secret; it comes right after a successful refresh.
//
// A refused callback, a used-up download and a window that is too long are the
// item's fault. A token that does not fit in a header is the user's fault. For an
// error of the credential see [Credential].
func (e *Error) Fault() types.Fault {
	var list *badItems
	var own failure
	switch {
	case errors.Is(e.Err, ErrCallback), errors.Is(e.Err, types.ErrWindow), errors.Is(e.Err, errKind),
		errors.Is(e.Err, errTooLarge), errors.As(e.Err, &list),
		errors.Is(e.Err, ErrMaybeSpent) && e.Op != opBackfill:
		return types.FaultItem
	case errors.Is(e.Err, errOrigin):
		return types.FaultApplication
	case errors.As(e.Err, &own):
		return own.Fault()
	case e.StatusCode >= 300, e.StatusCode != 0 && e.StatusCode < 200:
		return e.refused()
	case e.StatusCode != 0 && e.author == another:
		return types.FaultNetwork
	case e.StatusCode == 0 && (errors.Is(e.Err, ErrUnauthorized) || errors.Is(e.Err, errHeader)):
		return types.FaultUser
	case e.StatusCode == 0 && e.network:
		return types.FaultNetwork
	}
	return ""
}

// refused is the fault of an answer that refuses the call.
func (e *Error) refused() types.Fault {
	switch s := e.StatusCode; {
	case s < 400, s >= 600, s == http.StatusProxyAuthRequired, s == http.StatusNetworkAuthenticationRequired:
		return types.FaultNetwork
	case passing(s), s >= 500:
		return types.FaultGarmin
	case e.author == another:
		return types.FaultNetwork
	case e.author == nobody && s == http.StatusGone:
		// The document has 410 for a second download and promises no body;
		// nothing in between is known to say it.
		return types.FaultItem
	case e.author == nobody, e.author == unproven:
		return ""
	}
	switch {
	case errors.Is(e.Err, ErrNotPermitted):
		return types.FaultUser
	case errors.Is(e.Err, ErrEndpointNotEnabled):
		return types.FaultApplication
	case !errors.Is(e.Err, ErrUnauthorized) && e.StatusCode != http.StatusForbidden:
		return types.FaultItem
	case e.ClockSkew != 0:
		return types.FaultApplication
	case e.withheld:
		return ""
	}
	return types.FaultUser
}

// RetryAfter returns the minimum time to wait before another attempt, or zero if
// none was requested.
func (e *Error) RetryAfter() time.Duration {
	if own := failure(nil); e.Wait == 0 && errors.As(e.Err, &own) {
		return own.RetryAfter()
	}
	return e.Wait
}
