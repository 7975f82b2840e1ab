package backfill

import (
	"errors"
	"time"

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
	refused              // any other answer
)

// answer is a verdict with what the server said.
type answer struct {
	verdict    verdict
	earliest   time.Time    // of minStart
	earlier    types.Window // of duplicate; zero if unknown
	processed  time.Time    // of duplicate: when the earlier request was; zero if unknown
	permission types.Permission
	retryAfter time.Duration
	message    string
	err        error
}

// readAnswer takes an error of [Requester] apart.
func readAnswer(err error) answer {
	if err == nil {
		return answer{verdict: accepted}
	}
	var told interface{ told() answer }
	if errors.As(err, &told) {
		a := told.told()
		a.err = err
		return a
	}
	return answer{verdict: unanswered, err: err}
}
