package backfill

import (
	"context"
	"time"

	"github.com/garminkit/activityapi/types"
)

// Garmin's limits, in days of history asked for in a minute, over all users
// of a consumer key (Activity API, section 8).
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

// Limiter keeps the requests of one consumer key within its days a minute.
//
// Garmin counts a request at some moment between sending and response. So a
// grant holds its days from Acquire until a minute after its response: then no
// span of 60 seconds at the server holds more than the limit, whatever the
// latency. [NewLimiter] makes one for a single process; package backfilltest
// checks any other, such as one that many processes share.
//
// Acquire waits until the days are free, or returns the error of ctx. Waiting
// users are served in turn, one request each; the requests of one user are
// served in the order of their calls. Acquire returns an error at once if
// days is less than 1 or more than DaysPerMinute, and if the limiter cannot do
// its work. Limiters are safe for concurrent use.
//
// What was granted before the process started, by this process or by others,
// counts too: a limiter sees to that by itself.
type Limiter interface {
	Acquire(ctx context.Context, userID types.UserID, days int) (Grant, error)
	// DaysPerMinute returns the limit. It does not change.
	DaysPerMinute() int
}

// Grant is leave to send one request. It is safe for concurrent use.
type Grant interface {
	// SendBy is when the request must have been sent. If that has passed, call
	// End with [FateNotSent], and acquire again. The zero time means that there is
	// no limit. A limiter that processes share sets it, since it gives the days
	// of a process it does not hear of to others after some time.
	SendBy() time.Time
	// EndBy is when the request must have ended, by its context. The zero time
	// means that there is no limit.
	EndBy() time.Time

	// End says what became of the request. It must be called once; after a call
	// that returned nil, further calls do nothing. An error means that the
	// limiter could not record it: the days are held for at least as long as
	// they must be, End may be called again, and of a [FateLimited] response other
	// processes may not know.
	End(ctx context.Context, o Outcome) error
}

// Outcome is what became of the request that a grant was for.
type Outcome struct {
	Request Fate
	// RetryAfter is how long Garmin asked to wait, for [FateLimited].
	RetryAfter time.Duration
}

// Fate is what became of a request.
type Fate uint8

const (
	// FateAnswered: a response came just now. The days are held for a minute.
	FateAnswered Fate = iota + 1
	// FateLimited: the response was 429. Somebody else uses the key, or the server
	// counts otherwise. No grant is given for Outcome.RetryAfter, but for a
	// minute at least and an hour at most.
	FateLimited
	// FateLost: the request may have been sent, and no response will come. The days
	// are held half a minute longer than after a response, since the server may
	// see the request late. Any other Fate counts as lost.
	FateLost
	// FateNotSent: nothing was sent. The days are free at once.
	FateNotSent
)
