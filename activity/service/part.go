package service

import (
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"time"
)

// partError names the part of a service that failed: "processor", "tokens",
// "history", "silence", "server", "intake", "queue", or "close" with the place in
// Options.Close.
type partError struct {
	Part string
	Err  error
}

// Error names the part and the cause.
func (e *partError) Error() string { return "service: " + e.Part + ": " + e.Err.Error() }

// Unwrap returns Err.
func (e *partError) Unwrap() error { return e.Err }

// part is a goroutine that the service watches over.
type part struct {
	name string
	done chan struct{}
	err  error // set when done is closed
}

// start runs f as a part. However f ends, by a panic and by
// [runtime.Goexit] too, the part is done then.
func start(name string, log *slog.Logger, f func() error) *part {
	p := &part{name: name, done: make(chan struct{})}
	go func() {
		defer close(p.done)
		p.err = errExited
		p.err = guard(log, name, f)
	}()
	return p
}

var errExited = errors.New("its goroutine was ended")

// guard calls f and makes an error of a panic. The error names the type of the
// panic's value and not the value, which may quote a token.
func guard(log *slog.Logger, what string, f func() error) (err error) {
	defer func() {
		if v := recover(); v != nil {
			err = fmt.Errorf("panic (%T)", v)
			log.Error("service: a panic was caught", "part", what, "type", fmt.Sprintf("%T", v), "stack", string(debug.Stack()))
		}
	}()
	return f()
}

// within waits for the part until the deadline and returns what it ended with.
func (p *part) within(deadline time.Time) error {
	select {
	case <-p.done:
		return p.failure()
	default:
	}
	t := time.NewTimer(time.Until(deadline))
	defer t.Stop()
	select {
	case <-p.done:
		return p.failure()
	case <-t.C:
		return &partError{p.name, errHangs}
	}
}

var errHangs = errors.New("it did not end in time")

// failure is what a part that is done ended with.
func (p *part) failure() error {
	if p.err == nil {
		return nil
	}
	return &partError{p.name, p.err}
}
