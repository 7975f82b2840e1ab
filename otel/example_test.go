package otel_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"

	"go.opentelemetry.io/contrib/instrumentation/net/http/otelhttp"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"github.com/garminkit/activityapi/activity"
	"github.com/garminkit/activityapi/activity/service"
	"github.com/garminkit/activityapi/notify"
	"github.com/garminkit/activityapi/otel"

	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/trace"
)

// serve joins all of it. The package comment shows it.
func serve(mux *http.ServeMux, inbox notify.Queue, resolver notify.Resolver, callbacks notify.Callbacks, traces trace.TracerProvider, meters metric.MeterProvider) error {
	tel, err := otel.New(&otel.Options{TracerProvider: traces, MeterProvider: meters})
	if err != nil {
		return err
	}
	pool, err := activity.NewPool(&activity.Options{Wrap: tel.Transport})
	if err != nil {
		return err
	}
	svc, err := service.New(inbox, resolver, tel.Wrap(callbacks), &service.Options{
		Handler:   tel.Handler(nil),
		Processor: tel.Processor(nil),
	})
	if err != nil {
		return err
	}
	mux.Handle("/garmin/", tel.Intake("/garmin/{secret}", svc.Intake()))
	stop, err := tel.Watch(&otel.Sources{Queue: inbox, Processor: svc.Processor()})
	_, _ = pool, stop
	return err
}

var _ = serve

// The span of a notification names its route, and not its path.
func ExampleTelemetry_Intake() {
	spans := tracetest.NewInMemoryExporter()
	tel, err := otel.New(&otel.Options{TracerProvider: sdktrace.NewTracerProvider(sdktrace.WithSyncer(spans)), Fraction: 1})
	if err != nil {
		fmt.Println(err)
		return
	}
	store := func(_ context.Context, r io.Reader) error {
		_, err := io.Copy(io.Discard, r)
		return err
	}
	h := tel.Intake("/garmin/{secret}", notify.NewHandler(store, tel.Handler(nil)))
	h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(http.MethodPost, "/garmin/hushhush", strings.NewReader("{}")))
	fmt.Println(spans.GetSpans()[0].Name)
	// Output: POST /garmin/{secret}
}

// A stock instrumentation that is to stay does not see the pull token.
func ExampleHide() {
	spans := tracetest.NewInMemoryExporter()
	traces := sdktrace.NewTracerProvider(sdktrace.WithSyncer(spans))
	garmin := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		fmt.Println("Garmin sees", r.URL.RawQuery)
	}))
	defer garmin.Close()
	client := http.Client{Transport: otel.Hide(http.DefaultTransport, func(hidden http.RoundTripper) http.RoundTripper {
		return otelhttp.NewTransport(hidden, otelhttp.WithTracerProvider(traces))
	})}
	resp, err := client.Get(garmin.URL + "/wellness-api/rest/activities?token=hushhush")
	if err != nil {
		fmt.Println(err)
		return
	}
	resp.Body.Close()
	client.CloseIdleConnections()
	for _, kv := range spans.GetSpans()[0].Attributes {
		if kv.Key == "url.full" {
			fmt.Println("its span has", strings.TrimPrefix(kv.Value.AsString(), garmin.URL))
		}
	}
	// Output:
	// Garmin sees token=hushhush
	// its span has /wellness-api/rest/activities
}
