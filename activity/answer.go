package activity

import (
	"bytes"
	"encoding/json"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"time"

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
	minStart     = regexp.MustCompile(`min start time of\s+([0-9T:.Z+-]+)`)
	earlier      = regexp.MustCompile(`\[\s*([0-9T:.Z+-]+)\s+to\s+([0-9T:.Z+-]+)\s*\]`)
	permission   = regexp.MustCompile(`\brequired:?\s+([A-Z][A-Z0-9_]+)`)
)

// read fills e from the answer's body: message, trace id, the sentinel and
// what belongs to it.
func (e *Error) read(body []byte, scrub func(string) string) {
	body = bytes.TrimPrefix(body, []byte("\ufeff"))
	// One string for all the searches below; the scrubbed form alone is kept.
	all := scrub(oneLine(string(body)))
	message, id, ok := messageOf(body)
	if !ok {
		e.Body = cut(all, excerptLimit)
	}
	message = scrub(oneLine(message))
	if m := traceID.FindStringSubmatch(message); m != nil {
		e.TraceID, message = m[1], message[len(m[0]):]
	} else {
		e.TraceID = cut(scrub(oneLine(id)), 64)
	}
	e.Message = cut(message, messageLimit)
	e.classify(all)
}

// messageOf finds Garmin's message in the shapes it has been seen in.
func messageOf(body []byte) (message, id string, ok bool) {
	var v map[string]any
	if json.Unmarshal(body, &v) == nil {
		for _, key := range []string{"errorMessage", "message", "error_description", "error"} {
			if s, is := v[key].(string); is && s != "" {
				message = s
				break
			}
		}
		id, _ = v["errorId"].(string)
		return message, id, message != ""
	}
	if m := looseMessage.FindSubmatch(body); m != nil {
		return string(m[1]), "", true
	}
	return "", "", len(bytes.TrimSpace(body)) == 0
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
		e.Err = ErrInvalidPullToken
	case e.StatusCode == 400 && has("min start time"):
		e.Err = ErrMinStart
		if m := minStart.FindStringSubmatch(text); m != nil {
			e.MinStart = parseTime(m[1])
		}
	case e.StatusCode == 400 && has("Endpoint not enabled"):
		e.Err = ErrEndpointNotEnabled
	case e.StatusCode == http.StatusUnauthorized,
		(e.StatusCode == 400 || e.StatusCode == 403) && (has("read oAuth header") || has("UserAccessToken")):
		e.Err = ErrUnauthorized
	case e.StatusCode == http.StatusForbidden:
		e.Err = ErrForbidden
	case e.StatusCode < 400:
		e.Err = errStatus
	}
}

// parseTime reads a moment from a message: ISO 8601 with or without a
// fraction, seconds or milliseconds since 1970, or a date. It returns the zero
// time for anything else.
func parseTime(s string) time.Time {
	s = strings.TrimRight(s, ".,;")
	for _, layout := range []string{time.RFC3339Nano, "2006-01-02T15:04:05.999999999", "2006-01-02T15:04Z07:00", time.DateOnly} {
		if t, err := time.Parse(layout, s); err == nil {
			return t.UTC()
		}
	}
	n, err := strconv.ParseFloat(s, 64)
	switch {
	case err != nil || n <= 0 || n >= 1e15:
		return time.Time{}
	case n >= 1e11:
		return time.UnixMilli(int64(n)).UTC()
	}
	return time.UnixMicro(int64(n * 1e6)).UTC()
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
