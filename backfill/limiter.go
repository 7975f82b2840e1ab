package backfill

import (
	"context"
	"time"

	"github.com/garminkit/activityapi/types"
)

// Garmin's limits for an evaluation key and for a production key, in days of
// history requested per minute, over all users (Activity API, section 8).
const (
	Evaluation = 100
	Production = 10_000
)

const (
	// minute is the span the server counts over.
	minute = time.Minute
	// margin covers clock drift, coarse clocks and a server that counts both
	// ends of the minute.
	margin = 100 * time.Millisecond
	// lateness is how long after the client has gone a request may still
	// reach the server's counter.
	lateness = 30 * time.Second
	// maxWait is the longest wait after a 429, whatever Garmin says.
	maxWait = time.Hour
)

// Limiter keeps the requests of a consumer key within its days per minute.
//
// Garmin counts a request at some moment between sending and response. So a grant
// holds its days from Acquire until a minute after its response. Then no 60
// seconds at the server exceed the limit, whatever the latency. [NewLimiter]
// returns one for a single process; package backfilltest checks any other
// implementation.
//
// Acquire waits until the days are free, or returns the error of ctx. Waiting
// users take turns, one request each; the requests of one user are served in the
// order of their calls. Acquire returns an error at once if days is less than 1
// or more than DaysPerMinute, or if the limiter fails. A Limiter must be safe
// for concurrent use.
//
// A limiter must also count the grants of earlier processes that still hold their
// days.
type Limiter interface {
	Acquire(ctx context.Context, userID types.UserID, days int) (Grant, error)
	// DaysPerMinute returns the limit. It does not change.
	DaysPerMinute() int
}

// Grant is the permission to send one request. It is safe for concurrent use.
type Grant interface {
	// SendBy is the latest time to send the request. If it has passed, call End
	// with Outcome.NotSent and acquire again. The zero time means no limit. A
	// limiter that processes share sets it, since it gives the days of a
	// process that is silent for some time to others.
	SendBy() time.Time
	// EndBy is the latest time for the request's context to end. The zero time
	// means no limit.
	EndBy() time.Time

	// End reports the result of the request. It must be called once; after a call
	// that returned nil, further calls do nothing. An error means that the
	// limiter could not record the result: the days are held for at least as long
	// as necessary, End may be called again, and other processes may not know of
	// a 429.
	End(ctx context.Context, o Outcome) error
}

// Outcome is the result of the request of a grant. At most one of Answered, Limited
// and NotSent is true. If none is, the request may have been sent, but no response
// will come: the days are held half a minute longer than after a response, since the
// server may see the request late.
type Outcome struct {
	// Answered means that a response has just come. The days are held for a minute.
	Answered bool
	// Limited means that the response was 429: somebody else uses the key, or the
	// server counts differently. The limiter gives no grants for RetryAfter, but
	// at least for a minute and at most for an hour.
	Limited bool
	// NotSent means that nothing was sent. The days are free immediately.
	NotSent bool
	// RetryAfter is how long Garmin asked to wait, if Limited.
	RetryAfter time.Duration
}
