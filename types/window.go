package types

import (
	"errors"
	"fmt"
	"iter"
	"time"
)

// ErrWindow is wrapped by every error of [Window.Check].
var ErrWindow = errors.New("invalid window")

// Window is the half-open range of time from Start up to, but not including, End,
// in whole seconds. It is a range of instants: the time zones of Start and End do
// not matter.
type Window struct {
	Start, End time.Time
}

// Check returns an error that wraps [ErrWindow] unless a request for w is valid:
// Start and End are whole seconds between the years 1970 and 9999, End is after
// Start, and w is no longer than max. It catches milliseconds that were taken for
// seconds.
func (w Window) Check(max time.Duration) error {
	switch {
	case w.Start.IsZero() || w.End.IsZero():
		return fmt.Errorf("%w: start or end is not set", ErrWindow)
	case w.Start.Unix() <= 0:
		return fmt.Errorf("%w: start %s is not after 1970", ErrWindow, stamp(w.Start))
	case w.End.Unix() >= yearTenThousand:
		return fmt.Errorf("%w: end is after the year 9999; milliseconds taken for seconds?", ErrWindow)
	case w.Start.Nanosecond() != 0 || w.End.Nanosecond() != 0:
		return fmt.Errorf("%w: start and end must be whole seconds", ErrWindow)
	case !w.End.After(w.Start):
		return fmt.Errorf("%w: end %s is not after start %s", ErrWindow, stamp(w.End), stamp(w.Start))
	case w.End.Sub(w.Start) > max:
		return fmt.Errorf("%w: %s is longer than %s", ErrWindow, w.End.Sub(w.Start), max)
	}
	return nil
}

// Contains reports whether t lies in w. Start is included, End is not.
func (w Window) Contains(t time.Time) bool {
	return !t.Before(w.Start) && t.Before(w.End)
}

// String formats w in UTC, as "[2026-01-02T00:00:00Z, 2026-01-03T00:00:00Z)".
func (w Window) String() string {
	return "[" + stamp(w.Start) + ", " + stamp(w.End) + ")"
}

// Split yields consecutive windows, each no longer than max, that cover w
// exactly, without overlap or gap. The last may be shorter. Split yields nothing
// if w is empty. It panics if max is less than a second.
func (w Window) Split(max time.Duration) iter.Seq[Window] {
	max = max.Truncate(time.Second)
	if max <= 0 {
		panic("types: Window.Split by less than a second")
	}
	return func(yield func(Window) bool) {
		for start := w.Start; start.Before(w.End); start = start.Add(max) {
			end := start.Add(max)
			if end.After(w.End) {
				end = w.End
			}
			if !yield(Window{start, end}) {
				return
			}
		}
	}
}

const yearTenThousand = 253402300800

func stamp(t time.Time) string { return t.UTC().Format(time.RFC3339Nano) }
