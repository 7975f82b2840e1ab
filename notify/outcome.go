package notify

import (
	"errors"
	"log/slog"
	"strings"
	"time"

	"github.com/garminkit/activityapi/internal/redact"
	"github.com/garminkit/activityapi/types"
)

// Result is the result of an attempt at an item.
type Result string

// The results. Each item ends with exactly one of the first four; the others may
// precede it.
const (
	// ResultDone: the callbacks accepted the item.
	ResultDone Result = "done"
	// ResultBuried: the item was given up and is a dead letter.
	ResultBuried Result = "buried"
	// ResultQuarantined: the item could not be read and is a dead letter.
	ResultQuarantined Result = "quarantined"
	// ResultUnknownUser: none of your users has the Garmin user id. Data becomes
	// a dead letter; a deregistration or permission change is finished, since it
	// concerns nobody.
	ResultUnknownUser Result = "unknown user"

	// ResultRetry: the attempt failed and there will be another.
	ResultRetry Result = "retry"
	// ResultParked: Garmin refused the user's token or consent. The user's pings
	// and files wait until one of them succeeds or a permission change arrives.
	ResultParked Result = "parked"
	// ResultExpiring: the deadline of an unfinished item is near, whether or not
	// it was tried yet. It is reported once for each item.
	ResultExpiring Result = "expiring"

	// The others are about no single item.

	// ResultOutage: no call to Garmin can succeed, since the application is
	// refused or Garmin cannot be reached; Err says why. All pings and files
	// wait, each until its own deadline, and are tried one at a time. It is
	// reported at the start, and then once an hour.
	ResultOutage Result = "outage"
	// ResultResumed: Garmin answers again.
	ResultResumed Result = "resumed"
	// ResultStalled: items of a class are due, but none has been finished for
	// ProcessorOptions.StallWarning.
	ResultStalled Result = "stalled"
	// ResultQueueFailed: reading from the queue or recording in it failed, and
	// is tried again after Wait. Items that the callbacks have accepted are
	// recorded then, without calling the callbacks again.
	ResultQueueFailed Result = "queue failed"
)

// Outcome reports what happened to an item, or to the processor, for metrics and
// alarms. Nothing in it is secret.
type Outcome struct {
	Result Result
	// ID identifies the item in the queue, Class and Key say what it is, and
	// UserID is Garmin's id of the user. Unknown values are zero. For an item
	// that is reported without having been read, that may be all but ID and
	// Class.
	ID     ItemID
	Class  Class
	Key    string
	UserID types.UserID
	// Attempt counts from 1. Took is the duration of this attempt, Age the time
	// since the notification was stored.
	Attempt int
	Took    time.Duration
	Age     time.Duration
	// Delivered counts the callbacks that returned nil in this attempt.
	Delivered int
	// Wait is the time until the next attempt, after ResultRetry and
	// ResultParked. Left is the time until the deadline.
	Wait time.Duration
	Left time.Duration
	Err  error
	// Defects are the unreadable values of the item or of the summaries that it
	// announced. They are absent from what was delivered. It is nil if there are
	// none.
	Defects *types.Defects
}

// LogValue returns the fields that are set.
func (o Outcome) LogValue() slog.Value {
	attrs := []slog.Attr{
		slog.String("result", string(o.Result)), slog.String("class", o.Class.String()),
	}
	if o.ID != 0 {
		attrs = append(attrs, slog.Uint64("item", uint64(o.ID)), slog.String("key", o.Key), slog.Int("attempt", o.Attempt))
	}
	if o.UserID != "" {
		attrs = append(attrs, slog.String("user", string(o.UserID)))
	}
	if o.Wait > 0 {
		attrs = append(attrs, slog.Duration("wait", o.Wait))
	}
	if o.Err != nil {
		attrs = append(attrs, slog.String("error", errorText(o.Err)))
	}
	if o.Defects != nil {
		attrs = append(attrs, slog.String("defects", o.Defects.String()))
	}
	return slog.GroupValue(attrs...)
}

// text is the log message for the outcome.
func (o Outcome) text() string {
	switch o.Result {
	case ResultOutage:
		return "nobody's calls to Garmin can succeed; all pings and files wait"
	case ResultResumed:
		return "Garmin answers again"
	case ResultStalled:
		return "the queue does not move"
	case ResultQueueFailed:
		return "the queue failed"
	case ResultDone:
		return "item delivered without values that could not be read"
	}
	return "item not done"
}

// withoutSecrets returns err itself if its text contains none of the event's
// secrets, and otherwise an error with a cleaned text that wraps it.
func withoutSecrets(err error, ev *Event) error {
	text := errorText(err)
	clean := text
	for _, s := range secretsOf(ev) {
		clean = hide(clean, string(s))
	}
	if clean == text {
		return err
	}
	return &redactedError{clean, err}
}

type redactedError struct {
	text string
	err  error
}

func (e *redactedError) Error() string { return e.text }

// Is and As reach the cause through these two methods and not through Unwrap, so
// that nothing prints the chain.
func (e *redactedError) Is(target error) bool { return errors.Is(e.err, target) }
func (e *redactedError) As(target any) bool   { return errors.As(e.err, target) }

func secretsOf(ev *Event) []types.Secret {
	if ev == nil {
		return nil
	}
	switch data := ev.Data.(type) {
	case *Ping:
		return []types.Secret{data.CallbackURL, data.UserAccessToken}
	case *FilePing:
		return []types.Secret{data.File.CallbackURL, data.UserAccessToken}
	case *Push:
		return []types.Secret{data.UserAccessToken}
	case *Deregistration:
		return []types.Secret{data.UserAccessToken}
	case *PermissionChange:
		return []types.Secret{data.UserAccessToken}
	}
	return nil
}

// hide removes a secret, and of a URL also the query and each of its values, in
// any escaping.
func hide(text, secret string) string {
	if secret == "" {
		return text
	}
	text = redact.Text(text, secret)
	if _, query, ok := strings.Cut(secret, "?"); ok {
		text = redact.Text(text, query)
		for pair := range strings.SplitSeq(query, "&") {
			if _, value, ok := strings.Cut(pair, "="); ok && len(value) >= 6 {
				text = redact.Text(text, value)
			}
		}
	}
	return text
}
