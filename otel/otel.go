package otel

import (
	"cmp"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"sync/atomic"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	nometrics "go.opentelemetry.io/otel/metric/noop"
	"go.opentelemetry.io/otel/trace"

	"github.com/garminkit/activityapi/notify"
)

// Options says where telemetry goes. nil means the zero value.
type Options struct {
	// TracerProvider makes spans. Nil means no spans.
	TracerProvider trace.TracerProvider
	// MeterProvider makes metrics. Nil means no metrics.
	MeterProvider metric.MeterProvider
	// Queue is the name of the queue. Spans have it as messaging.destination.name, and
	// trace ids are made from it. Processes that share a queue must use the same name.
	// Queues whose traces are collected together must have different names. "" means
	// "garmin".
	Queue string
	// Fraction is the share of bodies that are traced, each with all of its items or
	// not at all. Zero means 0.01, a negative value none. This package decides, so that
	// both sides of a queue agree. Keep the default sampler of the SDK, which follows
	// that decision.
	Fraction float64
}

// Telemetry records spans and metrics. It is safe for concurrent use.
type Telemetry struct {
	queue  string
	tracer trace.Tracer // nil if nothing is traced
	meter  metric.Meter
	seed   uint64     // of the queue's name
	below  uint64     // a body whose mark is below is traced
	dark   trace.Span // what is below it is not traced

	served, called, processed metric.Float64Histogram
	sent                      metric.Int64Counter

	consumer []trace.SpanStartOption                 // of each attempt
	marks    []attribute.KeyValue                    // of the same
	times    [notify.Classes][][]metric.RecordOption // by the place in errorTypes
	counts   [notify.Classes][][]atomic.Int64        // by the places in lists and results
	ages     [notify.Classes]atomic.Int64            // the sum of those of done items, in milliseconds
}

// seconds are the buckets that the conventions advise for durations of HTTP requests.
var seconds = metric.WithExplicitBucketBoundaries(0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10)

// New returns a Telemetry. It returns an error if Fraction is more than 1, or if
// the meter fails.
func New(opts *Options) (*Telemetry, error) {
	if opts == nil {
		opts = &Options{}
	}
	t := &Telemetry{queue: cmp.Or(opts.Queue, "garmin")}
	switch f := cmp.Or(opts.Fraction, 0.01); {
	case f > 1 || f != f:
		return nil, fmt.Errorf("otel: Options.Fraction is %v, want 1 at most", f)
	case f > 0 && opts.TracerProvider != nil:
		t.tracer = opts.TracerProvider.Tracer(scope)
		t.below = math.MaxUint64
		if f < 1 {
			t.below = uint64(f * math.MaxUint64)
		}
	}
	if p := opts.MeterProvider; p != nil {
		t.meter = p.Meter(scope)
	} else {
		t.meter = nometrics.NewMeterProvider().Meter(scope)
	}
	t.seed = binary.LittleEndian.Uint64(t.sum(0))
	t.dark = trace.SpanFromContext(trace.ContextWithSpanContext(context.Background(), t.bodySpan(0, 0)))
	var errs [5]error
	t.served, errs[0] = t.meter.Float64Histogram(serverDuration, metric.WithUnit("s"), seconds,
		metric.WithDescription("Time from a notification's headers to the answer."))
	t.called, errs[1] = t.meter.Float64Histogram(clientDuration, metric.WithUnit("s"), seconds,
		metric.WithDescription("Time of a call to Garmin, until the end of its answer's body."))
	t.processed, errs[2] = t.meter.Float64Histogram(processDuration, metric.WithUnit("s"), seconds,
		metric.WithDescription("Time of an attempt at an item."))
	t.sent, errs[3] = t.meter.Int64Counter(sentMessages, metric.WithUnit("{message}"),
		metric.WithDescription("Bodies that were given to the queue."))
	t.prepare()
	errs[4] = t.countResults()
	return t, errors.Join(errs[:]...)
}

// set makes an option of attributes, which is built once and reused.
func set(kv ...attribute.KeyValue) metric.MeasurementOption {
	return metric.WithAttributeSet(attribute.NewSet(kv...))
}
