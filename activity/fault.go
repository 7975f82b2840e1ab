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

// Fault tells whose fault the failure is: see [types.Fault]. A refusal judges
// the item or the user only if Garmin itself wrote it.
//
//   - Garmin: 429, 5xx, 408 and 425, whatever the body.
//   - Network: 1xx, 3xx, 407 and 511; any other refusal, and a 200, that is a page
//     or other text; no answer.
//   - User: Garmin's own 401, 403 and 412.
//   - Application: Garmin's own 400 that says that no endpoint is configured.
//   - Item: any other refusal that is Garmin's own; 410 without a body; a list
//     with items that cannot be read, or that is too large.
//   - Not known: a refusal without body, or with JSON of another form; an
//     answer that broke off; ctx that ended.
//
// A 401 judges nobody if this machine's clock is off (then it is the
// application's fault), if it only says that the header could not be read, if
// it refuses a signature of OAuth 1.0a without naming the token, since a wrong
// consumer secret gives the same, or if it comes right after a refresh that
// succeeded. A refused callback, a download that is spent and a window that is
// too long are the item's. A token that no header can hold is the user's. An
// error of the credential tells for itself.
func (e *Error) Fault() types.Fault {
	var list *badItems
	var own failure
	switch {
	case errors.Is(e.Err, ErrCallback), errors.Is(e.Err, types.ErrWindow), errors.Is(e.Err, errKind),
		errors.Is(e.Err, ErrTooLarge), errors.Is(e.Err, ErrCut), errors.As(e.Err, &list),
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
	case !errors.Is(e.Err, ErrUnauthorized) && !errors.Is(e.Err, ErrForbidden):
		return types.FaultItem
	case e.ClockSkew != 0:
		return types.FaultApplication
	case e.withheld:
		return ""
	}
	return types.FaultUser
}

// RetryAfter returns the least time to wait before another attempt, zero if
// nobody has asked for one.
func (e *Error) RetryAfter() time.Duration {
	if own := failure(nil); e.Wait == 0 && errors.As(e.Err, &own) {
		return own.RetryAfter()
	}
	return e.Wait
}

// NotSent tells that nothing of the call has left this machine for the API: a
// download or a backfill is not spent. It is false if that is not known.
func (e *Error) NotSent() bool {
	return errors.Is(e.Err, ErrNotSent) || errors.Is(e.Err, ErrCallback) || errors.Is(e.Err, types.ErrWindow) || errors.Is(e.Err, errKind)
}
