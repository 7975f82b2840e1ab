package notify

import (
	"errors"
	"time"

	"github.com/garminkit/activityapi/types"
)

// Failure is an error that says who caused it. An error of a [Resolver], a
// [Client] or a callback may be a Failure, or wrap one. Its Fault has these
// effects:
//
//   - [types.FaultItem]: another attempt gives the same answer. The item becomes
//     a dead letter at once.
//   - [types.FaultUser]: the user's pings and files wait for the token.
//   - [types.FaultApplication], [types.FaultNetwork]: no call can succeed. All
//     pings and files wait until one succeeds.
//   - [types.FaultGarmin] and "": the item is tried again.
//
// In an error from a callback, or for an item that needs no call to Garmin, only
// FaultItem has an effect. After every other error the item is tried again.
type Failure interface {
	error
	Fault() types.Fault
	// RetryAfter returns the minimum time until the next attempt. Zero leaves it
	// to the processor.
	RetryAfter() time.Duration
}

// Permanent marks err as one that another attempt would not fix: if a callback or
// a [Resolver] returns it, the item becomes a dead letter at once. It returns nil
// for nil.
func Permanent(err error) error { return fail(err, types.FaultItem, 0) }

// RetryAfter marks err so that the item is not tried again before d has passed,
// at most an hour. It returns nil for nil.
func RetryAfter(err error, d time.Duration) error { return fail(err, "", d) }

func fail(err error, f types.Fault, after time.Duration) error {
	if err == nil {
		return nil
	}
	return &failure{err, f, after}
}

type failure struct {
	error
	fault types.Fault
	after time.Duration
}

func (e *failure) Unwrap() error             { return e.error }
func (e *failure) Fault() types.Fault        { return e.fault }
func (e *failure) RetryAfter() time.Duration { return e.after }

// faultOf returns the Failure within err.
func faultOf(err error) (f types.Fault, after time.Duration) {
	if fe, ok := errors.AsType[Failure](err); ok {
		return fe.Fault(), fe.RetryAfter()
	}
	return "", 0
}

// callbackError is an error of the partner's code. It says nothing about Garmin.
type callbackError struct{ error }

func (e *callbackError) Unwrap() error { return e.error }

func fromCallback(err error) bool {
	_, ok := errors.AsType[*callbackError](err)
	return ok
}

// worstOf returns the error that decides: one worth another attempt takes
// precedence.
type worstOf struct {
	err   error
	again bool
}

func (w *worstOf) add(err error) {
	if err == nil {
		return
	}
	f, _ := faultOf(err)
	if again := f != types.FaultItem; w.err == nil || again && !w.again {
		w.err, w.again = err, again
	}
}

// attempted calls f, which may call the partner's code, and turns a panic, or an
// error whose methods panic, into an error.
func attempted(f func() error) (err error) {
	if panicked := guard("a callback", func() { err = f() }); panicked != nil {
		return panicked
	}
	return tame(err)
}

const maxReason = 1024

// reasonOf returns the text of err, cut to a bounded length.
func reasonOf(err error) string {
	text := errorText(err)
	return text[:min(len(text), maxReason)]
}

// maxRetryAfter bounds how long a server can make us wait.
const maxRetryAfter = time.Hour
