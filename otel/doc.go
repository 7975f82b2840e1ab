// Package otel gives a service traces and metrics by OpenTelemetry. It links the
// API alone; your program brings the SDK and its exporters.
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
// No span and no metric has a URL with its query, a path with your path secret, a
// header, a body, a user id, or the text of an error. A request is told by its
// method and its template, such as "GET /wellness-api/rest/activities", an error by
// one of a few types. Stock instrumentation of net/http is no substitute: it writes
// the callback URL with its pull token into url.full, and the path secret into
// url.path. Where it has to be there, put [Hide] around it.
//
// # Traces
//
// A POST is a trace of its own, whatever it says of a trace that it belongs to:
// anybody can reach the endpoint. Each attempt at an item is one too, with the
// callbacks and the calls to Garmin below it. A queue lies between the two, in which a
// body may wait for days, for another process: so an attempt has a link to the trace
// of its POST, as the conventions have it.
//
// Nothing of a trace is stored for that, neither in a body, which stays as Garmin
// sent it, nor beside it. A queue gives each body a number, and tells it to who put
// the body there and to who takes its items: [notify.Receipt] and [notify.Item]. The
// ids of the trace are made of that number and of Options.Queue, by both sides, and so
// is the decision whether there is one. So the way is found in any engine, after a
// restart, and in another process. What it costs: the span of the POST is made when
// its answer is out, and has a parent that is nobody's span. A letter that is driven
// again is another body, of which no POST is known.
//
// One body in a hundred is traced: see [Options]. A span that is recorded takes some
// microseconds, and an item takes not many more.
//
// # Metrics
//
// The names of HTTP are those of the stable conventions. Those of messaging are a
// draft: the constants of names.go are all that changes with it. What neither knows
// begins with "garmin.". The number of series is bounded, whatever strangers send: list
// keys that are not Garmin's are "other", and so are methods and errors.
package otel
