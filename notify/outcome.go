package notify

import (
	"errors"
	"log/slog"
	"strings"
	"time"

	"github.com/garminkit/activityapi/types"
)

// Result is what became of an attempt at an item.
type Result string

// The results. An item comes to exactly one of the first four, and to any
// number of the others before.
const (
	// ResultDone: the callbacks took the item.
	ResultDone Result = "done"
	// ResultBuried: the item was given up on and is a dead letter.
	ResultBuried Result = "buried"
	// ResultQuarantined: the item could not be read and is a dead letter.
	ResultQuarantined Result = "quarantined"
	// ResultUnknownUser: nobody has the Garmin user id. Data is a dead letter;
	// a deregistration or permission change has nobody to tell and is done.
	ResultUnknownUser Result = "unknown user"

	// ResultRetry: the attempt failed and there will be another.
	ResultRetry Result = "retry"
	// ResultParked: Garmin refused the user's token or consent. The user's
	// pings and files wait until one of them gets through or a permission
	// change arrives.
	ResultParked Result = "parked"
	// ResultExpiring: the item is not done and its deadline is near. It comes
	// once for an item.
	ResultExpiring Result = "expiring"
)

// Outcome reports on an item, for metrics and alarms. Nothing in it is secret.
type Outcome struct {
	Result Result
	// BodyID and Ordinal name the item in the queue. Ordinal is -1 if the queue
	// failed at the body as a whole; it is then left to the next Run. Key is
	// the list key, UserID the Garmin user or "".
	BodyID  string
	Ordinal int
	Key     string
	UserID  string
	// Attempt counts from 1, Took is the time of this attempt, Age the time
	// since the notification was stored.
	Attempt int
	Took    time.Duration
	Age     time.Duration
	// Delivered counts the callbacks that returned nil in this attempt.
	Delivered int
	// Wait is the time until the next attempt, after ResultRetry and
	// ResultParked; Left the time until the deadline.
	Wait time.Duration
	Left time.Duration
	Err  error
}

// LogValue gives the fields that are set.
func (o Outcome) LogValue() slog.Value {
	attrs := []slog.Attr{
		slog.String("result", string(o.Result)), slog.String("body", o.BodyID),
		slog.Int("item", o.Ordinal), slog.String("key", o.Key), slog.Int("attempt", o.Attempt),
	}
	if o.UserID != "" {
		attrs = append(attrs, slog.String("user", o.UserID))
	}
	if o.Wait > 0 {
		attrs = append(attrs, slog.Duration("wait", o.Wait))
	}
	if o.Err != nil {
		attrs = append(attrs, slog.String("error", o.Err.Error()))
	}
	return slog.GroupValue(attrs...)
}

// redact returns err itself if its text holds none of the event's secrets, and
// otherwise an error with the text cleaned that still wraps it.
func redact(err error, ev Event) error {
	text := err.Error()
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

// The cause is reachable for Is and As by way of these two, and not by Unwrap,
// so that nothing prints the chain.
func (e *redactedError) Is(target error) bool { return errors.Is(e.err, target) }
func (e *redactedError) As(target any) bool   { return errors.As(e.err, target) }

func secretsOf(ev Event) []types.Secret {
	switch ev := ev.(type) {
	case *Ping:
		return []types.Secret{ev.CallbackURL, ev.UserAccessToken}
	case *FilePing:
		return []types.Secret{ev.File.CallbackURL, ev.UserAccessToken}
	case *Push:
		return []types.Secret{ev.UserAccessToken}
	case *Deregistration:
		return []types.Secret{ev.UserAccessToken}
	case *PermissionChange:
		return []types.Secret{ev.UserAccessToken}
	}
	return nil
}

// hide blanks a secret, and of a URL the query and each of its values alone.
func hide(text, secret string) string {
	if secret == "" {
		return text
	}
	text = strings.ReplaceAll(text, secret, "[REDACTED]")
	if _, query, ok := strings.Cut(secret, "?"); ok {
		text = strings.ReplaceAll(text, query, "[REDACTED]")
		for pair := range strings.SplitSeq(query, "&") {
			if _, value, ok := strings.Cut(pair, "="); ok && len(value) >= 6 {
				text = strings.ReplaceAll(text, value, "[REDACTED]")
			}
		}
	}
	return text
}
