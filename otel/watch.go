package otel

import (
	"context"
	"errors"
	"sync/atomic"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"

	"github.com/garminkit/activityapi/activity/auth"
	"github.com/garminkit/activityapi/notify"
	"github.com/garminkit/activityapi/notify/drift"
	"github.com/garminkit/activityapi/types"
)

// Sources are asked for their figures whenever metrics are read. A nil source is left
// out.
type Sources struct {
	// Queue reports its depth. That of package spool also reports its syncs.
	Queue interface {
		Stats(ctx context.Context) (notify.QueueStats, error)
	}
	// Processor reports what runs in this process.
	Processor *notify.Processor
	// Limiter reports its limit. If it has a method Free(ctx) (int, error), like
	// those of package backfill and module postgres, it also reports how much of
	// the limit is free.
	Limiter interface{ DaysPerMinute() int }
	// Tokens is normally an [*auth.Users].
	Tokens interface{ Counts() auth.Counts }
	// Drift is the report of a service.
	Drift *drift.Report
}

// patience is how long a source may take to answer.
const patience = 2 * time.Second

// Watch reports the sources as gauges and counters until stop is called.
func (t *Telemetry) Watch(s *Sources) (stop func() error, err error) {
	w := &watch{Sources: *s}
	var all []metric.Observable
	var errs []error
	gauge := func(name, unit, text string) metric.Int64Observable {
		g, err := t.meter.Int64ObservableGauge(name, metric.WithUnit(unit), metric.WithDescription(text))
		all, errs = append(all, g), append(errs, err)
		return g
	}
	age := func(name, text string) metric.Float64Observable {
		g, err := t.meter.Float64ObservableGauge(name, metric.WithUnit("s"), metric.WithDescription(text))
		all, errs = append(all, g), append(errs, err)
		return g
	}
	count := func(name, unit, text string) metric.Int64Observable {
		c, err := t.meter.Int64ObservableCounter(name, metric.WithUnit(unit), metric.WithDescription(text))
		all, errs = append(all, c), append(errs, err)
		return c
	}
	if s.Queue != nil {
		w.up = gauge(queueUp, "", "1 if the queue tells its figures, and 0 if not.")
		w.items = gauge(queueItems, "{item}", "Items that are not finished.")
		w.oldest = age(queueOldest, "Age of the oldest item.")
		w.bodies = gauge(queueBodies, "{body}", "Bodies that were not taken apart yet.")
		w.letters = gauge(queueLetters, "{letter}", "Dead letters.")
		w.size = gauge(queueSize, "By", "What the queue takes where it is stored.")
	}
	if s.Queue != nil {
		w.syncs = count(spoolSyncs, "{sync}", "Writes of small bodies, each synced to the disk.")
		w.puts = count(spoolPuts, "{body}", "Bodies that were stored.")
		w.repeats = count(spoolRepeats, "{body}", "Bodies that had come before, and were not stored again.")
		w.damaged = count(spoolDamaged, "{record}", "What was found damaged, and became a letter.")
		w.unread = count(spoolUnread, "{file}", "Files that the disk did not give back.")
	}
	if s.Processor != nil {
		w.work = gauge(workItems, "{item}", "Items that this process knows, by what they wait for.")
		w.slow = gauge(workSlow, "{attempt}", "Attempts that take too long to hold a place.")
		w.hung = gauge(workHung, "{attempt}", "Attempts that go on though their time is over.")
		w.left = age(workLeft, "Time until the first deadline.")
		w.parked = gauge(workParked, "{user}", "Users whose token is refused.")
		w.shares = gauge(workShares, "{share}", "Shares that this process works on.")
		w.outage = age(workOutage, "For how long no call to Garmin can succeed.")
	}
	if s.Limiter != nil {
		w.free = gauge(limiterFree, "{day}", "Days of history that could be asked for now.")
		w.limit = gauge(limiterLimit, "{day}", "Days of history that may be asked for in a minute.")
	}
	if s.Tokens != nil {
		w.refreshes = count(tokenRefresh, "{refresh}", "Refreshes of tokens, by what came of them.")
	}
	if s.Drift != nil {
		w.findings = gauge(driftFindings, "{finding}", "Things that Garmin sends and this version does not know.")
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	registered, err := t.meter.RegisterCallback(w.observe, all...)
	if err != nil {
		return nil, err
	}
	return registered.Unregister, nil
}

// watch observes the sources of a Watch.
type watch struct {
	Sources
	up, items, bodies, letters, size      metric.Int64Observable
	syncs, puts, repeats, damaged, unread metric.Int64Observable
	work, slow, hung, parked, shares      metric.Int64Observable
	free, limit, refreshes, findings      metric.Int64Observable
	oldest, left, outage                  metric.Float64Observable
	asked, counted                        one
}

// observe is called whenever metrics are read. A source that does not answer is left
// out.
func (w *watch) observe(ctx context.Context, o metric.Observer) error {
	if w.Queue != nil {
		w.observeQueue(ctx, o)
	}
	if w.Processor != nil {
		w.observeWork(o)
	}
	if w.Limiter != nil {
		o.ObserveInt64(w.limit, int64(w.Limiter.DaysPerMinute()))
		if l, ok := w.Limiter.(interface {
			Free(ctx context.Context) (int, error)
		}); !ok {
			// It cannot tell.
		} else if n, err := ask(ctx, &w.counted, l.Free); err == nil {
			o.ObserveInt64(w.free, int64(n))
		}
	}
	if w.Tokens != nil {
		c := w.Tokens.Counts()
		for outcome, n := range map[string]int64{"refreshed": c.Refreshed, "failed": c.Failed, "reconnect": c.Reconnect} {
			o.ObserveInt64(w.refreshes, n, set(attribute.String(keyOutcome, outcome)))
		}
	}
	if w.Drift != nil {
		o.ObserveInt64(w.findings, int64(w.Drift.Len()))
	}
	return nil
}

func (w *watch) observeQueue(ctx context.Context, o metric.Observer) {
	st, err := ask(ctx, &w.asked, w.Queue.Stats)
	if err != nil {
		o.ObserveInt64(w.up, 0)
		return
	}
	o.ObserveInt64(w.up, 1)
	now := time.Now()
	for c, n := range st.Items {
		class := set(attribute.String(keyClass, notify.Class(c).String()))
		o.ObserveInt64(w.items, n, class)
		old := time.Duration(0)
		if at := st.Oldest[c]; !at.IsZero() {
			old = max(now.Sub(at), 0)
		}
		o.ObserveFloat64(w.oldest, old.Seconds(), class)
	}
	o.ObserveInt64(w.bodies, st.Bodies)
	o.ObserveInt64(w.letters, st.Letters)
	o.ObserveInt64(w.size, st.Bytes)
	if st.Puts+st.Repeats == 0 && st.Damaged+st.Unreadable == 0 {
		return // an engine that does not count, or has nothing to tell yet
	}
	o.ObserveInt64(w.syncs, st.Syncs)
	o.ObserveInt64(w.puts, st.Puts)
	o.ObserveInt64(w.repeats, st.Repeats)
	o.ObserveInt64(w.damaged, int64(st.Damaged))
	o.ObserveInt64(w.unread, int64(st.Unreadable))
}

func (w *watch) observeWork(o metric.Observer) {
	st := w.Processor.Stats()
	for c, k := range st.Classes {
		class := attribute.String(keyClass, notify.Class(c).String())
		known := 0
		for _, s := range []struct {
			name string
			n    int
		}{
			{"queued", k.Queued}, {"running", k.Running}, {"waiting", k.Waiting},
			{"behind", k.Behind}, {"parked", k.Parked}, {"held", k.Held},
		} {
			known += s.n
			o.ObserveInt64(w.work, int64(s.n), set(class, attribute.String(keyState, s.name)))
		}
		o.ObserveInt64(w.slow, int64(k.Slow), set(class))
		o.ObserveInt64(w.hung, int64(k.Hung), set(class))
		if known > 0 { // else there is no deadline
			o.ObserveFloat64(w.left, k.Left.Seconds(), set(class))
		}
	}
	o.ObserveInt64(w.parked, int64(st.ParkedUsers))
	o.ObserveInt64(w.shares, int64(st.Shares))
	for _, f := range []types.Fault{types.FaultApplication, types.FaultNetwork} {
		since := time.Duration(0)
		if st.Outage == f {
			since = st.OutageAge
		}
		o.ObserveFloat64(w.outage, since.Seconds(), set(attribute.String(keyFault, string(f))))
	}
}

// one allows one question at a time.
type one struct{ busy atomic.Bool }

var errBusy = errors.New("otel: the question before has no answer yet")

// ask calls f and waits for it no longer than patience. It does not call f again while
// an earlier call has not returned: a queue that hangs must not block those who read
// metrics.
func ask[T any](ctx context.Context, only *one, f func(context.Context) (T, error)) (v T, err error) {
	if !only.busy.CompareAndSwap(false, true) {
		return v, errBusy
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	type answer struct {
		v   T
		err error
	}
	done := make(chan answer, 1)
	go func() {
		a := answer{err: errors.New("otel: a source panicked")}
		defer func() {
			// A panic counts as no answer. The next reading asks again.
			_ = recover()
			only.busy.Store(false)
			done <- a
		}()
		v, err := f(ctx)
		a = answer{v, err}
	}()
	select {
	case a := <-done:
		return a.v, a.err
	case <-ctx.Done():
		return v, ctx.Err()
	}
}
