package activity

import (
	"context"
	"sync/atomic"
	"time"
)

// watchdog ends an attempt that waits too long for the server: for the head of
// the answer, or for the next piece of its body. Time in which nobody waits
// does not count.
//
// The timer is not set for each read, of which a large pull has thousands: a
// timer that becomes the earliest of all wakes the runtime's poller.
type watchdog struct {
	limit  time.Duration
	cancel context.CancelCauseFunc
	began  time.Time
	timer  *time.Timer

	since   atomic.Int64 // when the wait began, as nanoseconds after began
	waiting atomic.Bool
	armed   atomic.Bool // The timer runs.
}

// watch returns a watchdog that begins to wait.
func watch(limit time.Duration, cancel context.CancelCauseFunc) *watchdog {
	w := &watchdog{limit: limit, cancel: cancel, began: time.Now()}
	w.waiting.Store(true)
	w.armed.Store(true)
	w.timer = time.AfterFunc(limit, w.fire)
	return w
}

func (w *watchdog) wait() {
	w.since.Store(int64(time.Since(w.began)))
	w.waiting.Store(true)
	if w.armed.CompareAndSwap(false, true) {
		w.timer.Reset(w.limit)
	}
}

func (w *watchdog) rest() { w.waiting.Store(false) }

func (w *watchdog) stop() {
	w.rest()
	w.timer.Stop()
}

func (w *watchdog) fire() {
	if !w.waiting.Load() {
		w.armed.Store(false)
		// A wait that began before that line has seen the timer run.
		if !w.waiting.Load() || !w.armed.CompareAndSwap(false, true) {
			return
		}
	}
	waited := time.Since(w.began) - time.Duration(w.since.Load())
	if waited >= w.limit {
		w.cancel(errTimeout)
		return
	}
	w.timer.Reset(w.limit - waited)
}
