package otel

import (
	"context"
	"errors"
	"strconv"
	"sync/atomic"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/trace"

	"github.com/garminkit/activityapi/notify"
	"github.com/garminkit/activityapi/types"
)

// results are the results of outcomes; the last stands for all others.
var results = []notify.Result{
	notify.ResultDone, notify.ResultBuried, notify.ResultQuarantined, notify.ResultUnknownUser, notify.ResultRetry, notify.ResultParked,
	notify.ResultExpiring, notify.ResultOutage, notify.ResultResumed, notify.ResultStalled, notify.ResultQueueFailed, other,
}

// attempts is how many of results, from the first, mean that an attempt was made.
const attempts = 6

// resultOf returns the index of a result in results.
func resultOf(r notify.Result) int {
	for i := range len(results) - 1 {
		if results[i] == r {
			return i
		}
	}
	return len(results) - 1
}

// prepare builds what is reused for each item.
func (t *Telemetry) prepare() {
	t.consumer = []trace.SpanStartOption{trace.WithNewRoot(), trace.WithSpanKind(trace.SpanKindConsumer)}
	t.marks = t.messaging(opProcess)
	for c := range t.times {
		class := attribute.String(keyClass, notify.Class(c).String())
		t.counts[c] = make([][]atomic.Int64, len(lists))
		for l := range lists {
			t.counts[c][l] = make([]atomic.Int64, len(results))
		}
		for _, e := range errorTypes {
			attrs := append(t.messaging(opProcess)[:3], class)
			if e != "" {
				attrs = append(attrs, attribute.String(keyError, e))
			}
			t.times[c] = append(t.times[c], []metric.RecordOption{set(attrs...)})
		}
	}
}

// countResults reports the counts of items when metrics are read. Adding to them must
// cost almost nothing; a histogram costs more.
func (t *Telemetry) countResults() error {
	_, ages := t.meter.Float64ObservableCounter(itemAge, metric.WithUnit("s"),
		metric.WithDescription("Sum of the times from the arrival of an item until it was done."),
		metric.WithFloat64Callback(func(_ context.Context, o metric.Float64Observer) error {
			for c := range t.ages {
				if n := t.ages[c].Load(); n > 0 {
					o.Observe(float64(n)/1000, set(attribute.String(keyClass, notify.Class(c).String())))
				}
			}
			return nil
		}))
	_, err := t.meter.Int64ObservableCounter(itemResults, metric.WithUnit("{result}"),
		metric.WithDescription("What became of items."),
		metric.WithInt64Callback(func(_ context.Context, o metric.Int64Observer) error {
			for c := range t.counts {
				for l := range lists {
					for r, result := range results {
						if n := t.counts[c][l][r].Load(); n > 0 {
							o.Observe(n, set(attribute.String(keyClass, notify.Class(c).String()),
								attribute.String(keyList, lists[l]), attribute.String(keyResult, string(result))))
						}
					}
				}
			}
			return nil
		}))
	return errors.Join(ages, err)
}

// Processor returns options for notify.NewProcessor that count the results of items and
// make a span of each attempt. It copies o, whose Around and Observe are called too; nil
// means the defaults.
func (t *Telemetry) Processor(o *notify.ProcessorOptions) *notify.ProcessorOptions {
	var clone notify.ProcessorOptions
	if o != nil {
		clone = *o
	}
	around, observe := clone.Around, clone.Observe
	switch {
	case t.tracer == nil:
	case around == nil:
		clone.Around = t.attempt
	default:
		clone.Around = func(ctx context.Context, it *notify.Item) (context.Context, func(error)) {
			ctx, end := t.attempt(ctx, it)
			inner, theirs := around(ctx, it)
			return inner, func(err error) {
				if end != nil {
					defer end(err)
				}
				if theirs != nil {
					theirs(err)
				}
			}
		}
	}
	clone.Observe = func(out notify.Outcome) {
		t.outcome(&out)
		if observe != nil {
			observe(out)
		}
	}
	return &clone
}

// attempt begins the span of an attempt.
func (t *Telemetry) attempt(ctx context.Context, it *notify.Item) (context.Context, func(error)) {
	if !t.traces(it.Body) {
		return t.untraced(ctx), nil
	}
	ctx, span := t.tracer.Start(ctx, opProcess+" "+t.queue, t.consumer...)
	if !span.IsRecording() {
		return ctx, func(error) { span.End() }
	}
	if it.Body != 0 {
		span.AddLink(trace.Link{SpanContext: t.bodySpan(it.Body, trace.FlagsSampled)})
	}
	span.SetAttributes(t.marks...)
	span.SetAttributes(
		attribute.String(keyMessage, strconv.FormatUint(uint64(it.ID), 10)),
		attribute.Int64(keyMessageSize, it.Size),
		attribute.Int64(keyBody, int64(it.Body)),
		attribute.String(keyClass, classOf(it.Class).String()),
		attribute.String(keyList, lists[listOf(it.Key)]),
		attribute.Int(keyAttempt, it.Attempts+1),
	)
	return ctx, func(err error) {
		if err != nil {
			failed(span, errorTypes[errorTypeOf(err)])
		}
		span.End()
	}
}

// failed marks a span as failed, without the text of the error, which may quote
// anything.
func failed(span trace.Span, what string) {
	span.SetAttributes(attribute.String(keyError, what))
	span.SetStatus(codes.Error, "")
}

// classOf maps an unknown class to the last.
func classOf(c notify.Class) notify.Class { return min(c, notify.Classes-1) }

// outcome counts a result.
func (t *Telemetry) outcome(o *notify.Outcome) {
	ctx, class, result := context.Background(), classOf(o.Class), resultOf(o.Result)
	t.counts[class][listOf(o.Key)][result].Add(1)
	if result < attempts {
		t.processed.Record(ctx, o.Took.Seconds(), t.times[class][errorTypeOf(o.Err)]...)
	}
	if result == 0 {
		t.ages[class].Add(o.Age.Milliseconds())
	}
}

// Wrap returns callbacks that call those of c, each in a child span of the
// attempt's span.
func (t *Telemetry) Wrap(c notify.Callbacks) notify.Callbacks {
	if save := c.Save; save != nil {
		c.Save = func(ctx context.Context, d *notify.Delivery, s types.Summary) error {
			return t.callback(ctx, "save", d, func(ctx context.Context) error { return save(ctx, d, s) })
		}
	}
	if file := c.File; file != nil {
		c.File = func(ctx context.Context, d *notify.Delivery, f *notify.File) error {
			return t.callback(ctx, "file", d, func(ctx context.Context) error { return file(ctx, d, f) })
		}
	}
	if left := c.Deregistration; left != nil {
		c.Deregistration = func(ctx context.Context, d *notify.Delivery, e *notify.Deregistration) error {
			return t.callback(ctx, "deregistration", d, func(ctx context.Context) error { return left(ctx, d, e) })
		}
	}
	if change := c.PermissionChange; change != nil {
		c.PermissionChange = func(ctx context.Context, d *notify.Delivery, e *notify.PermissionChange) error {
			return t.callback(ctx, "permission change", d, func(ctx context.Context) error { return change(ctx, d, e) })
		}
	}
	return c
}

// callback calls f in a span, if the attempt has one that is recorded.
func (t *Telemetry) callback(ctx context.Context, name string, d *notify.Delivery, f func(context.Context) error) (err error) {
	if t.tracer == nil || !trace.SpanFromContext(ctx).IsRecording() {
		return f(ctx)
	}
	ctx, span := t.tracer.Start(ctx, "callback "+name)
	span.SetAttributes(attribute.String(keyCallback, name), attribute.Bool(keyPulled, d.Pulled))
	returned := false
	defer func() {
		switch {
		case !returned:
			failed(span, "panic")
		case err != nil:
			failed(span, errorTypes[errorTypeOf(err)])
		}
		span.End()
	}()
	err = f(ctx)
	returned = true
	return err
}
