package notify

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"runtime"
	"testing"

	"github.com/stretchr/testify/require"
)

// badError is an error whose text cannot be had.
type badError struct{ value any }

func (e badError) Error() string { panic(e.value) }

// ownRuntimeError shows that the text of a runtime.Error may be anybody's.
type ownRuntimeError struct{ error }

func (ownRuntimeError) RuntimeError() {}

type badHandler struct {
	slog.Handler
	enabled, handle func()
}

func (h badHandler) Enabled(context.Context, slog.Level) bool { h.enabled(); return true }

func (h badHandler) Handle(context.Context, slog.Record) error { h.handle(); return nil }

func TestGuard(t *testing.T) {
	t.Parallel()
	ran := false
	require.NoError(t, guard("it", func() { ran = true }))
	require.True(t, ran)

	const canary = "canary"
	var none []int
	for name, tt := range map[string]struct {
		f    func()
		want string
	}{
		"text":          {func() { panic(canary) }, "panic in it (string)"},
		"error":         {func() { panic(errors.New(canary)) }, "panic in it (*errors.errorString)"},
		"runtime error": {func() { none[0]++ }, "panic in it (runtime.boundsError)"},
		"their own":     {func() { panic(ownRuntimeError{errors.New(canary)}) }, "panic in it (notify.ownRuntimeError)"},
		"nil":           {func() { panic(any(nil)) }, "panic in it (*runtime.PanicNilError)"},
		"bad error":     {func() { panic(badError{canary}) }, "panic in it (notify.badError)"},
	} {
		err := guard("it", tt.f)
		require.EqualError(t, err, tt.want, name)
		var p *caughtPanic
		require.ErrorAs(t, err, &p)
		require.Contains(t, p.stack, "TestGuard", name)
		require.NotContains(t, p.stack, canary, name)
	}
}

// TestGuardGoexit: a Goexit ends the goroutine, after the deferred calls.
func TestGuardGoexit(t *testing.T) {
	t.Parallel()
	ended, after := make(chan struct{}), false
	go func() {
		defer close(ended)
		_ = guard("it", runtime.Goexit)
		after = true
	}()
	<-ended
	require.False(t, after)
}

// ownCause is an error that is its own cause, alone or among others.
type ownCause struct{ error }

func (e ownCause) Unwrap() error { return e }

type ownCauses struct{ error }

func (e ownCauses) Unwrap() []error { return []error{io.EOF, e, e} }

// TestEndlessError: an error whose causes have no end stops no worker.
func TestEndlessError(t *testing.T) {
	t.Parallel()
	for _, err := range []error{ownCause{io.EOF}, ownCauses{io.EOF}, fmt.Errorf("x: %w", ownCause{io.EOF})} {
		require.EqualError(t, tame(err), fmt.Sprintf("notify: the causes of the error %T have no end", err))
	}
	long := io.EOF
	for range 900 {
		long = errors.Join(long)
	}
	require.Equal(t, long, tame(long))
}

func TestErrorText(t *testing.T) {
	t.Parallel()
	require.Equal(t, "EOF", errorText(io.EOF))
	require.Equal(t, "panic in the Error method of notify.badError (string)", errorText(badError{"canary"}))
	require.Contains(t, errorText((*caughtPanic)(nil)), "panic in the Error method of *notify.caughtPanic")

	err := error(&foreignError{"store: ", badError{"canary"}})
	require.Equal(t, "store: panic in the Error method of notify.badError (string)", err.Error())
	require.ErrorAs(t, err, new(badError))
	require.EqualError(t, &foreignError{"store: ", io.EOF}, "store: EOF")
	require.ErrorIs(t, &foreignError{"store: ", io.EOF}, io.EOF)
}

func TestLoggerCannotPanic(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	logger{}.log(ctx, slog.LevelError, "to nobody")

	var said bytes.Buffer
	to := slog.NewTextHandler(&said, nil)
	nothing, bad := func() {}, func() { panic("canary") }
	logger{slog.New(badHandler{to, bad, nothing})}.log(ctx, slog.LevelError, "x")
	logger{slog.New(badHandler{to, nothing, bad})}.log(ctx, slog.LevelError, "x")

	l := logger{slog.New(to)}
	l.log(ctx, slog.LevelError, "x", "err", badError{"canary"})
	l.panicked(ctx, nil)
	l.panicked(ctx, guard("it", bad))
	require.Contains(t, said.String(), "panic in the Error method of notify.badError (string)")
	require.Contains(t, said.String(), "panic in it (string)")
	require.Contains(t, said.String(), "stack=")
	require.NotContains(t, said.String(), "canary")
}
