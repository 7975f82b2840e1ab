package otel

import (
	"context"
	"io"
	"net/http"
	"strconv"
	"sync"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/trace"
)

// Transport returns a RoundTripper that records a span and the duration of each
// request that base sends. Use it as Wrap of [activity.Options] and [auth.Options],
// where it sees each attempt of a call. It returns nil if base is nil.
func (t *Telemetry) Transport(base http.RoundTripper) http.RoundTripper {
	if base == nil {
		return nil
	}
	return &transport{t, base}
}

type transport struct {
	t    *Telemetry
	base http.RoundTripper
}

// RoundTrip sends a request. Its span ends with the answer's body.
func (tr *transport) RoundTrip(r *http.Request) (*http.Response, error) {
	method, template := methodOf(r.Method), templateOf(r.URL.Path)
	attrs := make([]attribute.KeyValue, 0, 8)
	attrs = append(attrs, attribute.String(keyMethod, method), attribute.String(keyTemplate, template),
		attribute.String(keyAddress, r.URL.Hostname()), attribute.Int(keyPort, portOf(r.URL.Scheme, r.URL.Port())))
	start := time.Now()
	ctx, span := tr.t.calling(r.Context(), method+" "+template, attrs)
	end := func(what string, more ...attribute.KeyValue) {
		attrs = append(attrs, more...)
		if what != "" {
			attrs = append(attrs, attribute.String(keyError, what))
		}
		tr.t.called.Record(ctx, time.Since(start).Seconds(), metric.WithAttributes(attrs...))
		if span.IsRecording() {
			span.SetAttributes(more...)
			if what != "" {
				failed(span, what)
			}
		}
		span.End()
	}
	resp, err := tr.base.RoundTrip(r.WithContext(ctx))
	if err != nil {
		end(failureOf(err))
		return resp, err
	}
	status := []attribute.KeyValue{
		attribute.Int(keyStatus, resp.StatusCode), attribute.String(keyProtocol, protocolOf(resp.ProtoMajor, resp.ProtoMinor)),
	}
	what := ""
	if resp.StatusCode >= 400 {
		what = strconv.Itoa(resp.StatusCode)
	}
	if resp.Body == nil {
		end(what, status...)
		return resp, nil
	}
	resp.Body = &tracedBody{ReadCloser: resp.Body, end: func(err error) {
		if err != nil && what == "" {
			what = failureOf(err)
		}
		end(what, status...)
	}}
	return resp, nil
}

// calling begins the span of a call, as a child of its attempt's. A call outside of an
// attempt, such as a request for history, is treated like a body without a number.
func (t *Telemetry) calling(ctx context.Context, name string, attrs []attribute.KeyValue) (context.Context, trace.Span) {
	above := trace.SpanFromContext(ctx)
	if t.tracer == nil || above.SpanContext().IsValid() && !above.IsRecording() || !above.SpanContext().IsValid() && !t.traces(0) {
		return ctx, t.dark
	}
	return t.tracer.Start(ctx, name, trace.WithSpanKind(trace.SpanKindClient), trace.WithAttributes(attrs...))
}

func portOf(scheme, port string) int {
	n, err := strconv.Atoi(port)
	switch {
	case err == nil:
		return n
	case scheme == "http":
		return 80
	}
	return 443
}

// tracedBody calls its function once, at its end.
type tracedBody struct {
	io.ReadCloser
	once sync.Once
	end  func(error)
}

func (b *tracedBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	switch err {
	case nil:
	case io.EOF:
		b.once.Do(func() { b.end(nil) })
	default:
		b.once.Do(func() { b.end(err) })
	}
	return n, err
}

func (b *tracedBody) Close() error {
	err := b.ReadCloser.Close()
	b.once.Do(func() { b.end(nil) })
	return err
}

// Hide returns a RoundTripper with which instrument, such as otelhttp.NewTransport,
// does not see the secrets of requests: the query of the URL, which holds the token of
// a callback URL, and the headers Authorization and Cookie. base sends the original
// request, with the headers that instrument has added. Use it as Wrap of
// [activity.Options] to keep stock instrumentation:
//
//	Wrap: func(base http.RoundTripper) http.RoundTripper {
//		return otel.Hide(base, func(hidden http.RoundTripper) http.RoundTripper { return otelhttp.NewTransport(hidden) })
//	},
func Hide(base http.RoundTripper, instrument func(http.RoundTripper) http.RoundTripper) http.RoundTripper {
	return &hiding{instrument(revealing{base})}
}

// hidden is the context key of the original request.
type hidden struct{}

// hiding is the transport above the instrumentation.
type hiding struct{ next http.RoundTripper }

func (h *hiding) RoundTrip(r *http.Request) (*http.Response, error) {
	shown := r.Clone(context.WithValue(r.Context(), hidden{}, r))
	shown.URL.RawQuery, shown.URL.ForceQuery, shown.URL.User, shown.URL.Fragment = "", false, nil, ""
	shown.Header.Del("Authorization")
	shown.Header.Del("Cookie")
	resp, err := h.next.RoundTrip(shown)
	if resp != nil {
		resp.Request = r
	}
	return resp, err
}

// revealing is the transport below it.
type revealing struct{ base http.RoundTripper }

func (v revealing) RoundTrip(shown *http.Request) (*http.Response, error) {
	r, ok := shown.Context().Value(hidden{}).(*http.Request)
	if !ok {
		return v.base.RoundTrip(shown)
	}
	whole := shown.Clone(shown.Context())
	whole.URL = r.URL
	for _, name := range []string{"Authorization", "Cookie"} {
		if values := r.Header.Values(name); values != nil {
			whole.Header[name] = values
		}
	}
	resp, err := v.base.RoundTrip(whole)
	if resp != nil {
		resp.Request = shown
	}
	return resp, err
}
