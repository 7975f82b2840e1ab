package service

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"sync"
	"time"

	"github.com/garminkit/activityapi/notify"
)

const (
	// checkTimeout is how long a check of the queue may take before the service
	// is not ready, and stuckTime how long one that does not heed its ctx may go
	// on before the service is not alive.
	checkTimeout = 5 * time.Second
	stuckTime    = 2 * time.Minute
	// patience is how long an answer waits for a check. Probes wait a second.
	patience = 500 * time.Millisecond
)

// health is what the latest checks have found. One is made when somebody asks:
// nobody pays for what nobody reads.
type health struct {
	mu      sync.Mutex
	begun   time.Time     // of the check that goes on, or zero
	done    chan struct{} // closed when that ends
	checked time.Time     // when the latest ended, or zero
	err     error         // of the latest
	queue   notify.QueueStats
	work    notify.ProcessorStats
	history error
}

// check begins a check unless one goes on or was made a moment ago, and waits for
// it a little. What hangs is not waited for again.
func (s *Service) check() {
	h := &s.health
	h.mu.Lock()
	now := time.Now()
	if h.begun.IsZero() && (h.checked.IsZero() || now.Sub(h.checked) >= s.opts.CheckEvery) {
		h.begun, h.done = now, make(chan struct{})
		go s.look(h.done)
	}
	young := !h.begun.IsZero() && now.Sub(h.begun) < patience
	done := h.done
	h.mu.Unlock()
	if !young {
		return
	}
	t := time.NewTimer(patience)
	defer t.Stop()
	select {
	case <-done:
	case <-t.C:
	}
}

// look makes one check.
func (s *Service) look(done chan struct{}) {
	defer close(done)
	h := &s.health
	ctx, cancel := context.WithTimeout(context.Background(), checkTimeout)
	defer cancel()
	var queue notify.QueueStats
	var work notify.ProcessorStats
	err := guard(s.opts.Logger, "health", func() (err error) {
		work = s.processor.Stats()
		if queue, err = s.queue.Stats(ctx); err != nil {
			return err
		}
		return s.queue.Check(ctx)
	})
	h.mu.Lock()
	defer h.mu.Unlock()
	h.begun, h.checked, h.err = time.Time{}, time.Now(), err
	if err == nil {
		h.queue = queue
	}
	h.work = work
}

func (h *health) historyFailed(err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.history = err
}

// status is what Ready and Live answer.
type status struct {
	OK bool `json:"ok"`
	// Reasons say why not, Warnings what is to be looked at.
	Reasons  []string `json:"reasons,omitempty"`
	Warnings []string `json:"warnings,omitempty"`
	// OldestSeconds is the age of the oldest item by class.
	OldestSeconds map[string]int64 `json:"oldest_seconds,omitempty"`
	Waiting       int64            `json:"waiting"`
	Bodies        int64            `json:"bodies"`
	Letters       int64            `json:"letters"`
	Hung          int              `json:"hung"`
}

// Ready returns a handler for a readiness probe. It answers 200 while the process
// can take notifications, and otherwise 503 with the reasons: the service was not
// started or is stopping, a part has failed, the queue does not answer or has no
// room, or the oldest item is older than Options.MaxAge. It answers within half a
// second; if a check hangs, with the result of the one before.
func (s *Service) Ready() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		s.check()
		s.ready(time.Now()).write(w)
	})
}

// Live returns a handler for a liveness probe. It answers 200, or 503 with the
// reasons if only a restart helps: a part has failed, Options.MaxHung callbacks
// hang, or a call of the queue takes more than two minutes.
func (s *Service) Live() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		s.check()
		s.live(time.Now()).write(w)
	})
}

func (st *status) write(w http.ResponseWriter) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	if st.OK = len(st.Reasons) == 0; !st.OK {
		w.WriteHeader(http.StatusServiceUnavailable)
	}
	_ = json.NewEncoder(w).Encode(st)
}

func (st *status) fail(format string, args ...any) {
	st.Reasons = append(st.Reasons, fmt.Sprintf(format, args...))
}

func (st *status) warn(format string, args ...any) {
	st.Warnings = append(st.Warnings, fmt.Sprintf(format, args...))
}

func (s *Service) ready(now time.Time) *status {
	st := s.figures(now)
	switch state, cause := s.state(); state {
	case stateNew:
		st.fail("the service was not started")
	case stateStopping:
		st.fail("the service is stopping")
	case stateFailed:
		st.fail("%v", cause)
	}
	h := &s.health
	h.mu.Lock()
	defer h.mu.Unlock()
	switch {
	case !h.begun.IsZero() && now.Sub(h.begun) > checkTimeout:
		st.fail("queue: no answer for %v", now.Sub(h.begun).Round(time.Second))
	case h.checked.IsZero():
		st.fail("queue: not checked yet")
	case h.err != nil:
		st.fail("queue: %v", h.err)
	}
	if s.opts.MaxAge > 0 {
		for class, at := range h.queue.Oldest {
			if age := now.Sub(at); !at.IsZero() && age > s.opts.MaxAge {
				st.fail("the oldest %s item has waited for %v", notify.Class(class), age.Round(time.Second))
			}
		}
	}
	return st
}

func (s *Service) live(now time.Time) *status {
	st := s.figures(now)
	if state, cause := s.state(); state == stateFailed {
		st.fail("%v", cause)
	}
	if st.Hung >= s.opts.MaxHung {
		st.fail("%d attempts do not end though their time is over", st.Hung)
	}
	h := &s.health
	h.mu.Lock()
	defer h.mu.Unlock()
	if !h.begun.IsZero() && now.Sub(h.begun) > stuckTime {
		st.fail("queue: a call has not come back for %v", now.Sub(h.begun).Round(time.Second))
	}
	return st
}

// figures is what both tell.
func (s *Service) figures(now time.Time) *status {
	h := &s.health
	h.mu.Lock()
	defer h.mu.Unlock()
	st := &status{Bodies: h.queue.Bodies, Letters: h.queue.Letters, OldestSeconds: map[string]int64{}}
	for class, at := range h.queue.Oldest {
		st.Waiting += h.queue.Items[class]
		if !at.IsZero() {
			st.OldestSeconds[notify.Class(class).String()] = int64(now.Sub(at).Seconds())
		}
	}
	for _, c := range h.work.Classes {
		st.Hung += c.Hung
	}
	if st.Hung > 0 {
		st.warn("%d attempts do not end though their time is over", st.Hung)
	}
	if h.work.Outage != "" {
		st.warn("no call to Garmin can succeed for %v: %s", h.work.OutageAge.Round(time.Second), h.work.Outage)
	}
	if h.history != nil {
		st.warn("history: %v", h.history)
	}
	return st
}
