package notify

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// watchEvery is how often the queue is checked for stalled items.
const watchEvery = time.Minute

// watch reports items near their deadline and stalled classes, until ctx ends.
func (r *run) watch(ctx context.Context) {
	t := time.NewTicker(watchEvery)
	defer t.Stop()
	var stalls [Classes]stall
	for {
		select {
		case <-ctx.Done():
			return
		case <-t.C:
		}
		for _, o := range r.sched.expiring() {
			r.p.observe(o)
		}
		for _, o := range r.sched.outagesLast() {
			r.p.observe(o)
		}
		stats := r.sched.stats()
		for c := range stalls {
			if o, ok := stalls[c].look(Class(c), stats, r.p.opts.StallWarning); ok {
				r.p.observe(o)
			}
		}
	}
}

// stall remembers since when a class has not moved.
type stall struct {
	finished uint64
	since    time.Duration
	told     time.Duration
}

var errStalled = errors.New("notify: items are due, but none gets finished")

func (s *stall) look(class Class, st ProcessorStats, patience time.Duration) (Outcome, bool) {
	c := st.Classes[class]
	if c.Finished != s.finished || c.Queued+c.Running == 0 {
		s.finished, s.since, s.told = c.Finished, st.at, 0
		return Outcome{}, false
	}
	if st.at-s.since < patience || s.told != 0 && st.at-s.told < 6*patience {
		return Outcome{}, false
	}
	s.told = st.at
	return Outcome{
		Result: ResultStalled, Class: class, Age: c.OldestAge,
		Err: fmt.Errorf("%w for %v: %d %s items queued, %d running, %d of them for long; %d wait, %d are parked, %d held",
			errStalled, st.at-s.since, c.Queued, class, c.Running, c.Slow, c.Waiting, c.Parked, c.Held),
	}, true
}
