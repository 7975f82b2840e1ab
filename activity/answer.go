package activity

import (
	"bytes"
	"encoding/json"
	"net/http"
	"regexp"
	"strings"

	"github.com/garminkit/activityapi/types"
)

const (
	answerLimit  = 64 << 10 // of an error's body that is read
	excerptLimit = 1 << 10  // of Error.Body
	messageLimit = 512      // of Error.Message
)

var (
	traceID = regexp.MustCompile(`^\s*\[([0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12})\]\s*`)
	// looseMessage finds the message in text that is nearly JSON: Garmin's
	// document shows a body with the key unquoted and a quote missing.
	looseMessage = regexp.MustCompile(`["']?errorMessage["']?\s*:\s*["']?([^"}]*)`)
	earlier      = regexp.MustCompile(`\[\s*([0-9T:.Z+-]+)\s+to\s+([0-9T:.Z+-]+)\s*\]`)
	permission   = regexp.MustCompile(`\brequired:?\s+([A-Z][A-Z0-9_]+)`)
)

// read fills e from the answer's body: message, trace id, the sentinel and
// what belongs to it.
func (e *Error) read(body []byte, scrub func(string) string) {
	body = bytes.TrimPrefix(body, []byte("\ufeff"))
	// One string for all the searches below; the scrubbed form alone is kept.
	all := scrub(oneLine(string(body)))
	message, id, own := messageOf(body)
	if message == "" && len(bytes.TrimSpace(body)) > 0 {
		e.Body = cut(all, excerptLimit)
	}
	e.author = authorOf(body, own)
	e.say(message, id, scrub)
	if e.author == another {
		all = "" // A page may say anything.
	}
	e.classify(all)
}

// say sets message and trace id.
func (e *Error) say(message, id string, scrub func(string) string) {
	message = scrub(oneLine(message))
	if m := traceID.FindStringSubmatch(message); m != nil {
		e.TraceID, message = m[1], message[len(m[0]):]
	} else {
		e.TraceID = cut(scrub(oneLine(id)), 64)
	}
	e.Message = cut(message, messageLimit)
}

// messageOf finds the message in the shapes it has been seen in. It is
// Garmin's own if its key is errorMessage.
func messageOf(body []byte) (message, id string, own bool) {
	var v map[string]any
	if json.Unmarshal(body, &v) == nil {
		for _, key := range []string{"errorMessage", "message", "error_description", "error"} {
			if s, is := v[key].(string); is && s != "" {
				message, own = s, key == "errorMessage"
				break
			}
		}
		id, _ = v["errorId"].(string)
		return message, id, own
	}
	if !bytes.HasPrefix(bytes.TrimSpace(body), []byte("{")) {
		return "", "", false
	}
	if m := looseMessage.FindSubmatch(body); m != nil {
		return string(m[1]), "", true
	}
	return "", "", false
}

// classify sets Err and its details from the status and the body's text.
func (e *Error) classify(text string) {
	has := func(s string) bool { return strings.Contains(text, s) }
	switch {
	case e.StatusCode == http.StatusGone:
		e.Err = ErrGone
	case e.StatusCode == http.StatusTooManyRequests:
		e.Err = ErrRateLimited
	case e.StatusCode == http.StatusConflict, e.StatusCode == 400 && has("duplicate backfill"):
		e.Err = ErrDuplicate
		if m := earlier.FindStringSubmatch(text); m != nil {
			from, to := parseTime(m[1]), parseTime(m[2])
			if !from.IsZero() && !to.IsZero() {
				e.Earlier = types.Window{Start: from, End: to}
			}
		}
	case e.StatusCode == http.StatusPreconditionFailed, e.StatusCode == 403 && permission.MatchString(text):
		e.Err = ErrNotPermitted
		if m := permission.FindStringSubmatch(text); m != nil {
			e.Permission = types.Permission(m[1])
		}
	case e.StatusCode == 400 && (has("InvalidPullToken") || has("Invalid download token")):
		e.Err = errPullToken
	case e.StatusCode == 400 && minStart.MatchString(text):
		e.Err = ErrMinStart
		e.MinStart = minStartOf(text)
	case e.StatusCode == 400 && has("Endpoint not enabled"):
		e.Err = ErrEndpointNotEnabled
	case e.StatusCode == http.StatusUnauthorized,
		(e.StatusCode == 400 || e.StatusCode == 403) && (has(errUnread) || has(errToken)):
		e.Err = ErrUnauthorized
	case e.StatusCode == http.StatusForbidden:
		e.Err = errForbidden
	case e.StatusCode < 400:
		e.Err = errStatus
	}
}

// oneLine replaces runs of white space and control characters by one blank.
func oneLine(s string) string {
	return strings.Join(strings.FieldsFunc(strings.ToValidUTF8(s, "\ufffd"), func(r rune) bool {
		return r <= ' ' || r == 0x7f
	}), " ")
}

// cut shortens s to at most n bytes without breaking a character.
func cut(s string, n int) string {
	if len(s) <= n {
		return s
	}
	return strings.ToValidUTF8(s[:n-len("…")], "") + "…"
}
