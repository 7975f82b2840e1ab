package otel

import (
	"cmp"
	"context"
	"net/http"
	"strconv"
	"sync/atomic"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/trace"

	"github.com/garminkit/activityapi/notify"
)

// Intake returns a handler that records a span and the duration of each request, and
// calls next, the handler of notifications. It records route, such as
// "/garmin/{secret}", instead of the path, which may contain your secret.
func (t *Telemetry) Intake(route string, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		x := &exchange{ResponseWriter: w}
		start := time.Now()
		returned := false
		defer func() { t.answered(route, r, x, start, returned) }()
		next.ServeHTTP(x, r.WithContext(context.WithValue(r.Context(), exchangeKey{}, x)))
		returned = true
	})
}

// answered records a request. It makes the span only now, because the number of the
// body determines the trace.
func (t *Telemetry) answered(route string, r *http.Request, x *exchange, start time.Time, returned bool) {
	end := time.Now()
	method, scheme := methodOf(r.Method), "http"
	if r.TLS != nil {
		scheme = "https"
	}
	attrs := []attribute.KeyValue{
		attribute.String(keyMethod, method), attribute.String(keyRoute, route),
		attribute.String(keyScheme, scheme), attribute.String(keyProtocol, protocolOf(r.ProtoMajor, r.ProtoMinor)),
	}
	what := ""
	if !returned {
		what = "panic"
	} else {
		status := cmp.Or(int(x.status.Load()), http.StatusOK)
		attrs = append(attrs, attribute.Int(keyStatus, status))
		if status >= 500 {
			what = strconv.Itoa(status)
		}
	}
	if what != "" {
		attrs = append(attrs, attribute.String(keyError, what))
	}
	// The request's ctx is not used: a stranger may have named a trace in it.
	ctx := context.Background()
	t.served.Record(ctx, end.Sub(start).Seconds(), metric.WithAttributes(attrs...))
	receipt := x.receipt.Load()
	if receipt == nil {
		receipt = &notify.Receipt{}
	}
	if !t.traces(receipt.Body) {
		return
	}
	opts := []trace.SpanStartOption{
		trace.WithTimestamp(start), trace.WithSpanKind(trace.SpanKindServer), trace.WithAttributes(attrs...),
		trace.WithAttributes(attribute.Int64(keyBodySize, receipt.Bytes)),
	}
	if receipt.Body == 0 {
		opts = append(opts, trace.WithNewRoot())
	} else {
		ctx = trace.ContextWithRemoteSpanContext(ctx, t.bodySpan(receipt.Body, trace.FlagsSampled))
		opts = append(opts, trace.WithAttributes(attribute.Int64(keyBody, int64(receipt.Body))))
	}
	name := method
	if name == otherType {
		name = "HTTP"
	}
	_, span := t.tracer.Start(ctx, name+" "+route, opts...)
	if what != "" {
		span.SetStatus(codes.Error, "")
	}
	span.End(trace.WithTimestamp(end))
}

type exchangeKey struct{}

// exchange remembers the status and the receipt. Unwrap gives access to the other
// methods of the ResponseWriter.
type exchange struct {
	http.ResponseWriter
	status  atomic.Int32
	receipt atomic.Pointer[notify.Receipt]
}

func (x *exchange) WriteHeader(status int) {
	if status >= 200 {
		x.status.CompareAndSwap(0, int32(status))
	}
	x.ResponseWriter.WriteHeader(status)
}

// Unwrap is for [http.ResponseController].
func (x *exchange) Unwrap() http.ResponseWriter { return x.ResponseWriter }

// Handler returns options for notify.NewHandler that count the stored bodies. It copies
// o, whose Observe is called too; nil means the defaults.
func (t *Telemetry) Handler(o *notify.HandlerOptions) *notify.HandlerOptions {
	var clone notify.HandlerOptions
	if o != nil {
		clone = *o
	}
	observe := clone.Observe
	clone.Observe = func(ctx context.Context, r notify.Receipt) {
		t.received(ctx, &r)
		if observe != nil {
			observe(ctx, r)
		}
	}
	return &clone
}

// received counts a body that was given to the queue.
func (t *Telemetry) received(ctx context.Context, r *notify.Receipt) {
	if x, ok := ctx.Value(exchangeKey{}).(*exchange); ok {
		x.receipt.Store(r)
	}
	switch {
	case r.Status == http.StatusOK:
		t.sent.Add(ctx, 1, t.sending(""))
	case r.Status >= 500:
		t.sent.Add(ctx, 1, t.sending(strconv.Itoa(r.Status)))
	}
}

// messaging are the attributes of an operation of the queue.
func (t *Telemetry) messaging(op string) []attribute.KeyValue {
	return []attribute.KeyValue{
		attribute.String(keySystem, system), attribute.String(keyDestination, t.queue),
		attribute.String(keyOperation, op), attribute.String(keyOperationType, op),
	}
}

func (t *Telemetry) sending(failure string) metric.MeasurementOption {
	attrs := t.messaging(opSend)[:3]
	if failure != "" {
		attrs = append(attrs, attribute.String(keyError, failure))
	}
	return set(attrs...)
}
