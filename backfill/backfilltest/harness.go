// Package backfilltest checks implementations of the interfaces of package
// backfill against their contracts.
package backfilltest

import (
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"
)

// Harness opens handles of an implementation, ends them like a crash, and moves
// its clock. T is backfill.Ledger or backfill.Limiter.
type Harness[T any] struct {
	// Open returns a new handle, like that of a separate process, on the given
	// state: the path of an empty directory, which the handle may use or take as
	// a name. Handles on one state share it. Open fails the test if it cannot
	// open, and closes the handle at the end of the test.
	Open func(t *testing.T, state string) T

	// Kill ends a handle like a killed process: without closing it properly, and
	// so that it writes nothing more by itself. Calls on the handle that still
	// work represent a process that was paused for long and continues. nil means
	// that the state is lost with its process; clauses about that are skipped.
	Kill func(t *testing.T, handle T)

	// Advance moves the clock of the state and its handles by d, beside the time
	// that this takes. Live handles renew their leases meanwhile, so the clock may
	// have to be moved in steps. nil runs the clauses in bubbles of
	// testing/synctest, where time.Sleep costs nothing; the implementation must
	// then block only on channels, timers and the like.
	Advance func(t *testing.T, d time.Duration)

	// Shared means that several handles on one state may be open at the same
	// time. If false, clauses about that are skipped.
	Shared bool
}

// clause is one duty of a contract, and its check.
type clause[C any] struct {
	name  string
	needs need
	check func(C)
}

// need is what a clause needs of the harness.
type need uint8

const (
	kills need = 1 << iota
	sharing
)

// run runs the clauses that the harness can serve, each on a state of its own.
func run[T, C any](t *testing.T, h Harness[T], clauses []clause[C], make func(*testing.T, *bench[T]) C) {
	t.Helper()
	if h.Open == nil {
		t.Fatal("backfilltest: Harness.Open is nil")
	}
	for _, c := range clauses {
		if c.needs&kills != 0 && h.Kill == nil || c.needs&sharing != 0 && !h.Shared {
			continue
		}
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			check := func(t *testing.T) {
				c.check(make(t, &bench[T]{t: t, h: h, state: filepath.Join(dir, "state"), start: time.Now()}))
			}
			if h.Advance == nil {
				synctest.Test(t, check)
				return
			}
			t.Parallel()
			check(t)
		})
	}
}

// bench is a harness at work on one state.
type bench[T any] struct {
	t     *testing.T
	h     Harness[T]
	state string

	start   time.Time
	skipped time.Duration
}

func (b *bench[T]) open() T { return b.h.Open(b.t, b.state) }

// again replaces a handle by a new one, as after a kill. It does nothing if the
// harness cannot kill.
func (b *bench[T]) again(old T) T {
	if b.h.Kill == nil {
		return old
	}
	b.h.Kill(b.t, old)
	return b.open()
}

// virtual reports whether time costs nothing.
func (b *bench[T]) virtual() bool { return b.h.Advance == nil }

func (b *bench[T]) advance(d time.Duration) {
	if b.virtual() {
		time.Sleep(d)
		return
	}
	// What this takes is a part of d.
	end := b.now() + d
	for left := d; left > 0; left = end - b.now() {
		step := min(left, 10*time.Second)
		b.h.Advance(b.t, step)
		b.skipped += step
	}
}

// now is the time that has passed for the state.
func (b *bench[T]) now() time.Duration { return time.Since(b.start) + b.skipped }

// settle lets goroutines that were just started reach the handle.
func (b *bench[T]) settle() {
	if b.virtual() {
		synctest.Wait()
		return
	}
	time.Sleep(200 * time.Millisecond)
}
