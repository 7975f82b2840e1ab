package backfill

import (
	"context"
	"time"
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
)

// Limiter keeps the requests of one consumer key within its days a minute.
//
// What counts is when the server counts, which is some moment between sending
// a request and its response. So a grant holds its days from Acquire until a
// minute after Done: then no span of 60 seconds at the server can hold more
// than the limit, whatever the latency. [NewLimiter] makes one for a single
// process; package backfilltest checks any other, such as one that many
// processes share.
//
// Acquire waits until the days are free, or returns the error of ctx. Users
// who wait are served in turn, one request each; the requests of one user are
// served in the order of their calls. Acquire returns an error at once if
// days is less than 1 or more than DaysPerMinute. Limiters are safe for
// concurrent use.
type Limiter interface {
	Acquire(ctx context.Context, userID string, days int) (Grant, error)
	// DaysPerMinute returns the limit. It does not change.
	DaysPerMinute() int
}

// Grant is leave to send one request. Exactly one of its methods must be
// called, once; later calls do nothing. They do not block.
type Grant interface {
	// Done says that a response came back just now.
	Done()
	// Lost says that the request may have been sent and no response will
	// come. The days are held half a minute longer than after Done, since the
	// server may be slow to see the request.
	Lost()
	// Limited says that the response was 429: somebody else uses the key, or
	// the server counts otherwise. No grant is given for retryAfter, or a
	// minute if that is longer.
	Limited(retryAfter time.Duration)
	// Cancel says that nothing was sent.
	Cancel()
}

// Restorer is a [Limiter] that lives in one process and so forgets its grants
// when the process ends. [Run] calls Restore before its first request; after
// the first call with a ledger, further ones do nothing.
type Restorer interface {
	Restore(ctx context.Context, ledger Ledger) error
}
