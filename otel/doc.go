// Package otel gives a service traces and metrics by OpenTelemetry. It links only
// the API of OpenTelemetry; your program brings the SDK and its exporters.
//
//	tel, err := otel.New(&otel.Options{TracerProvider: traces, MeterProvider: meters})
//	if err != nil {
//		return err
//	}
//	pool, err := activity.NewPool(&activity.Options{Wrap: tel.Transport})
//	if err != nil {
//		return err
//	}
//	svc, err := service.New(inbox, resolver, tel.Wrap(callbacks), &service.Options{
//		Handler:   tel.Handler(nil),
//		Processor: tel.Processor(nil),
//	})
//	if err != nil {
//		return err
//	}
//	mux.Handle("/garmin/", tel.Intake("/garmin/{secret}", svc.Intake()))
//	stop, err := tel.Watch(&otel.Sources{Queue: inbox, Processor: svc.Processor()})
//
// # Nothing secret
//
// No span and no metric contains the query of a URL, your path secret, a header, a
// body, a user id, or the text of an error. A request is named by its method and
// template, such as "GET /wellness-api/rest/activities", and an error by one of a few
// types. Stock instrumentation of net/http is no substitute: it writes the callback
// URL with its pull token into url.full, and the path secret into url.path. If you
// must keep it, use [Hide].
//
// # Traces
//
// Each POST begins a trace. A trace context in its headers is ignored, because
// anybody can reach the endpoint. Each attempt at an item also begins a trace, which
// contains the callbacks and the calls to Garmin. Between the two, a body may wait in
// the queue for days, for another process. So the attempt links to the trace of its
// POST, as the conventions advise.
//
// No trace context is stored, neither in the body, which stays as Garmin sent it, nor
// beside it. The queue gives each body a number, which both sides know from
// [notify.Receipt] and [notify.Item]. Both compute the ids of the trace, and whether it
// is recorded, from that number and Options.Queue. So links work with every engine,
// after a restart, and in another process. This has two costs: the span of the POST is
// made after its answer, and its parent is a span that is never recorded. A redriven
// letter counts as a new body, and its attempts link to no POST.
//
// One body in a hundred is traced, unless [Options] says otherwise. Recording a
// span takes some microseconds, almost as much as processing an item.
//
// # Metrics
//
// Names for HTTP are those of the stable conventions. Those for messaging are still a
// draft; only the constants in names.go depend on it. Names that neither defines begin
// with "garmin.". The number of series is bounded, whatever strangers send: unknown
// list keys, methods and errors are all "other".
package otel
