package backfill

import (
	"errors"
	"net/http"
	"regexp"
	"time"

	"github.com/garminkit/activityapi/activity"
	"github.com/garminkit/activityapi/types"
)

// verdict is what the answer to a request means for its chunk.
type verdict uint8

const (
	accepted     verdict = iota
	duplicate            // 409
	minStart             // 400, the range begins too early
	notPermitted         // 412
	notEnabled           // 400, the type is off in Garmin's tool
	unauthorized         // 401 and 403
	limited              // 429
	failed               // 5xx: the request may have been taken all the same
	unanswered           // no response: the same
	unsent               // Garmin has not seen the request
	refused              // any other answer
)

// answer is a verdict with what the server said.
type answer struct {
	verdict    verdict
	earliest   time.Time    // of minStart, in whole seconds; zero if unknown
	earlier    types.Window // of duplicate; zero if unknown
	processed  time.Time    // of duplicate: when the earlier request was; zero if unknown
	permission types.Permission
	retryAfter time.Duration
	message    string
	err        error
}

// readAnswer takes an error of a [Requester] apart.
func readAnswer(err error) answer {
	if err == nil {
		return answer{verdict: accepted}
	}
	e, ok := errors.AsType[*activity.Error](err)
	if !ok {
		return answer{verdict: unanswered, err: err}
	}
	a := answer{retryAfter: e.RetryAfter, message: e.Message, err: err}
	switch {
	case errors.Is(e, activity.ErrDuplicate):
		a.verdict, a.earlier, a.processed = duplicate, halfOpen(e.Earlier), processedAt(e.Message)
	case errors.Is(e, activity.ErrMinStart):
		a.verdict, a.earliest = minStart, ceilSecond(e.MinStart)
	case errors.Is(e, activity.ErrNotPermitted):
		a.verdict, a.permission = notPermitted, e.Permission
	case errors.Is(e, activity.ErrEndpointNotEnabled):
		a.verdict = notEnabled
	case errors.Is(e, activity.ErrRateLimited):
		a.verdict = limited
	case e.Unauthorized():
		a.verdict = unauthorized
	case errors.Is(e, activity.ErrNotSent):
		a.verdict = unsent
	case errors.Is(e, types.ErrWindow):
		a.verdict, a.message = refused, err.Error()
	case e.StatusCode == 0:
		a.verdict = unanswered
	case e.StatusCode >= 400 && e.StatusCode < 500 && e.StatusCode != http.StatusRequestTimeout:
		a.verdict = refused
	default:
		a.verdict = failed
	}
	return a
}

// halfOpen turns a range whose end Garmin includes into a window. An end at
// midnight is taken as it is: that is how others ask for whole days, and it
// makes a hole too long by a second rather than too short.
func halfOpen(w types.Window) types.Window {
	if !w.End.Equal(floorDay(w.End)) {
		w.End = w.End.Add(time.Second)
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
