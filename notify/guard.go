package notify

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
)

// caughtPanic is the error that guard makes of a panic. Its text names the type
// of the panic's value but not the value, which may contain a token or a body.
type caughtPanic struct {
	what  string // what was called
	value string // the type of the panic's value
	stack string
}

func (e *caughtPanic) Error() string {
	return "panic in " + e.what + " (" + e.value + ")"
}

// guard calls f, which runs foreign code, and returns a panic as an error. what
// names the code in that error's text. A runtime.Goexit is not stopped: it ends
// the goroutine, after the deferred calls.
func guard(what string, f func()) (panicked error) {
	returned := false
	defer func() {
		if returned {
			return
		}
		// After a Goexit there is nothing to recover and nobody to return to.
		if v := recover(); v != nil {
			panicked = &caughtPanic{what: what, value: fmt.Sprintf("%T", v), stack: string(debug.Stack())}
		}
	}()
	f()
	returned = true
	return nil
}

// errorText returns err's text, even if its Error method panics. It is for
// foreign errors: package fmt would print the value of such a panic.
func errorText(err error) (text string) {
	if panicked := guard(fmt.Sprintf("the Error method of %T", err), func() { text = err.Error() }); panicked != nil {
		return panicked.Error()
	}
	return text
}

// tame returns err itself if its methods can be called, and otherwise our own
// error that says that they cannot. It is for errors of foreign code: a nil
// pointer in an error is a common mistake.
func tame(err error) error {
	if err == nil {
		return nil
	}
	endless := false
	panicked := guard(fmt.Sprintf("a method of the error %T", err), func() {
		if endless = causesLeft(err, maxCauses) < 0; endless {
			return
		}
		_ = errors.Is(err, &never{})
		_, _ = errors.AsType[*never](err)
		_ = notSent(err)
		_, _ = faultOf(err)
		_ = err.Error()
	})
	if endless {
		return fmt.Errorf("notify: the causes of the error %T have no end", err)
	}
	return cmp.Or(panicked, err)
}

// maxCauses is how many errors one error may be made of. errors.Is would never
// return from one that is its own cause.
const maxCauses = 1000

// causesLeft takes the errors that err is made of from left. It is less than zero
// if they are more.
func causesLeft(err error, left int) int {
	for err != nil && left >= 0 {
		left--
		switch e := err.(type) {
		case interface{ Unwrap() error }:
			err = e.Unwrap()
		case interface{ Unwrap() []error }:
			for _, cause := range e.Unwrap() {
				left = causesLeft(cause, left)
			}
			return left
		default:
			return left
		}
	}
	return left
}

// never is an error that matches nothing, so that errors.Is visits the whole
// chain.
type never struct{ error }

// foreignError wraps a foreign error: errors.Is and As find it, and its text
// cannot panic.
type foreignError struct {
	prefix string
	err    error
}

func (e *foreignError) Error() string { return e.prefix + errorText(e.err) }
func (e *foreignError) Unwrap() error { return e.err }

// logger is a slog.Logger that never panics, even if its handler or the values
// do. The zero value is silent.
type logger struct{ to *slog.Logger }

// log writes one line. Errors among args are written as their text.
func (l logger) log(ctx context.Context, level slog.Level, msg string, args ...any) {
	if l.to == nil {
		return
	}
	for i, arg := range args {
		if err, ok := arg.(error); ok {
			args[i] = errorText(err)
		}
	}
	// There is nobody left to tell of a logger that panics.
	_ = guard("the Logger", func() { l.to.Log(ctx, level, msg, args...) })
}

// panicked logs the error of a guard, with its stack. It does nothing for nil.
func (l logger) panicked(ctx context.Context, err error) {
	if p, ok := err.(*caughtPanic); ok {
		l.log(ctx, slog.LevelError, "notify: "+p.Error(), "stack", p.stack)
	}
}
