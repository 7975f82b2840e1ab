package backfill

import (
	"errors"
	"regexp"
	"time"

	"github.com/garminkit/activityapi/activity"
	"github.com/garminkit/activityapi/types"
)

// verdict is what the answer to a request means for its chunk.
type verdict uint8

const (
	accepted      verdict = iota
	duplicate             // 409
	minStart              // 400, the range begins too early
	notPermitted          // 412
	notEnabled            // 400, the type is off in Garmin's tool
	unauthorized          // the user's token is refused, or there is none
	limited               // 429
	misconfigured         // the application is at fault: nobody's requests can succeed
	failed                // nobody has judged the range: 5xx, no answer, somebody else's answer, not sent
	refused               // any other answer of Garmin's
)

// fate is what became of a request.
type fate uint8

const (
	fateAnswered fate = iota + 1
	fateLimited       // answered with 429
	fateLost          // maybe sent, and not answered
	fateNotSent
)

func (f fate) outcome(retryAfter time.Duration) Outcome {
	return Outcome{Answered: f == fateAnswered, Limited: f == fateLimited, NotSent: f == fateNotSent, RetryAfter: retryAfter}
}

// answer is a verdict with what the server said.
type answer struct {
	verdict    verdict
	request    fate
	earliest   time.Time    // of minStart, in whole seconds; zero if unknown
	earlier    types.Window // of duplicate; zero if unknown
	processed  time.Time    // of duplicate: when the earlier request was; zero if unknown
	permission types.Permission
	retryAfter time.Duration
	message    string
	err        error
}

// readAnswer takes an error of a [Requester] apart. A chunk is judged only by an
// answer that is Garmin's own, and a user only by one that names the user: see
// [types.Fault]. Whatever may come from somebody in between, or from a mistake
// of the application's, is asked again.
func readAnswer(err error) answer {
	if err == nil {
		return answer{verdict: accepted, request: fateAnswered}
	}
	a := answer{verdict: failed, request: fateLost, err: err}
	var fault types.Fault
	var f interface{ Fault() types.Fault }
	if errors.As(err, &f) {
		fault = f.Fault()
	}
	e, ok := errors.AsType[*activity.Error](err)
	if ok {
		a.retryAfter, a.message = e.RetryAfter(), e.Message
		a.earlier, a.processed, a.earliest = halfOpen(e.Earlier), processedAt(e.Message), ceilSecond(e.MinStart)
		a.permission = e.Permission
	}
	switch {
	case errors.Is(err, types.ErrNotSent):
		a.request = fateNotSent
	case errors.Is(err, activity.ErrRateLimited):
		a.request = fateLimited
	case ok && e.StatusCode != 0:
		a.request = fateAnswered
	}
	switch {
	case a.request == fateLimited:
		a.verdict = limited
	case errors.Is(err, activity.ErrEndpointNotEnabled):
		a.verdict = notEnabled
	case fault == types.FaultApplication:
		a.verdict = misconfigured
	case fault == types.FaultNetwork, fault == types.FaultGarmin:
		// failed, whatever it looks like
	case errors.Is(err, activity.ErrDuplicate) && (fault == types.FaultItem || !e.Earlier.Start.IsZero()):
		a.verdict = duplicate
	case errors.Is(err, activity.ErrMinStart) && (fault == types.FaultItem || !e.MinStart.IsZero()):
		a.verdict = minStart
	case fault == types.FaultUser && errors.Is(err, activity.ErrNotPermitted):
		a.verdict = notPermitted
	case fault == types.FaultUser:
		a.verdict = unauthorized
	case fault == types.FaultItem:
		a.verdict = refused
		if a.message == "" {
			a.message = err.Error()
		}
	}
	return a
}

// halfOpen turns a range whose end Garmin includes into a window of whole seconds,
// since a chunk has no others. An end at midnight is taken as it is: that is how
// others ask for whole days, and it makes a hole too long by a second rather than
// too short.
func halfOpen(w types.Window) types.Window {
	w.Start = ceilSecond(w.Start)
	if !w.End.Equal(floorDay(w.End)) {
		w.End = w.End.Truncate(time.Second).Add(time.Second)
	}
	return w
}

// processedAt reads from Garmin's message when a duplicate's first request
// was, or returns the zero time.
func processedAt(message string) time.Time {
	m := regexp.MustCompile(`processed at ([0-9][0-9T:.Z+-]+)`).FindStringSubmatch(message)
	if m == nil {
		return time.Time{}
	}
	t, err := time.Parse(time.RFC3339, m[1])
	if err != nil {
		return time.Time{}
	}
	return t
}

func ceilSecond(t time.Time) time.Time {
	if t.IsZero() || t.Nanosecond() == 0 {
		return t
	}
	return t.Truncate(time.Second).Add(time.Second)
}
