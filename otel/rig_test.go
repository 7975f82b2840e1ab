package otel_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/attribute"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.uber.org/goleak"
	"golang.org/x/oauth2"

	"github.com/garminkit/activityapi/activity"
	"github.com/garminkit/activityapi/activity/activitytest"
	"github.com/garminkit/activityapi/activity/service"
	"github.com/garminkit/activityapi/activitytype"
	"github.com/garminkit/activityapi/notify"
	"github.com/garminkit/activityapi/notify/spool"
	"github.com/garminkit/activityapi/otel"
	"github.com/garminkit/activityapi/types"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// recorded is where telemetry goes in tests.
type recorded struct {
	spans  *tracetest.InMemoryExporter
	traces *sdktrace.TracerProvider
	reader *sdkmetric.ManualReader
	tel    *otel.Telemetry
}

func record(t *testing.T, fraction float64) *recorded {
	t.Helper()
	r := &recorded{spans: tracetest.NewInMemoryExporter(), reader: sdkmetric.NewManualReader()}
	r.traces = sdktrace.NewTracerProvider(sdktrace.WithSyncer(r.spans))
	var err error
	r.tel, err = otel.New(&otel.Options{
		TracerProvider: r.traces,
		MeterProvider:  sdkmetric.NewMeterProvider(sdkmetric.WithReader(r.reader)),
		Fraction:       fraction,
	})
	require.NoError(t, err)
	return r
}

// metrics are all that is read, by name.
func (r *recorded) metrics(t *testing.T) map[string]metricdata.Metrics {
	t.Helper()
	var data metricdata.ResourceMetrics
	require.NoError(t, r.reader.Collect(t.Context(), &data))
	all := map[string]metricdata.Metrics{}
	for _, s := range data.ScopeMetrics {
		for _, m := range s.Metrics {
			all[m.Name] = m
		}
	}
	return all
}

// points are the values of a metric by its attributes; of a histogram, the counts.
func points(m metricdata.Metrics) map[string]float64 {
	out := map[string]float64{}
	add := func(s attribute.Set, v float64) {
		var text []string
		for _, kv := range s.ToSlice() {
			text = append(text, string(kv.Key)+"="+kv.Value.Emit())
		}
		out[strings.Join(text, ",")] += v
	}
	switch d := m.Data.(type) {
	case metricdata.Sum[int64]:
		for _, p := range d.DataPoints {
			add(p.Attributes, float64(p.Value))
		}
	case metricdata.Gauge[int64]:
		for _, p := range d.DataPoints {
			add(p.Attributes, float64(p.Value))
		}
	case metricdata.Sum[float64]:
		for _, p := range d.DataPoints {
			add(p.Attributes, p.Value)
		}
	case metricdata.Gauge[float64]:
		for _, p := range d.DataPoints {
			add(p.Attributes, p.Value)
		}
	case metricdata.Histogram[float64]:
		for _, p := range d.DataPoints {
			add(p.Attributes, float64(p.Count))
		}
	}
	return out
}

// text is all that was exported.
func (r *recorded) text(t *testing.T) string {
	t.Helper()
	var b strings.Builder
	for _, s := range r.spans.GetSpans().Snapshots() {
		fmt.Fprintln(&b, s.Name(), s.SpanKind(), s.Status(), s.Resource())
		for _, kv := range s.Attributes() {
			fmt.Fprintln(&b, "  ", kv.Key, kv.Value.Emit())
		}
		for _, e := range s.Events() {
			fmt.Fprintln(&b, "  event", e.Name, e.Attributes)
		}
		for _, l := range s.Links() {
			fmt.Fprintln(&b, "  link", l.SpanContext.TraceState(), l.Attributes)
		}
	}
	var data metricdata.ResourceMetrics
	require.NoError(t, r.reader.Collect(t.Context(), &data))
	text, err := json.Marshal(data)
	require.NoError(t, err)
	b.Write(text)
	for name, m := range r.metrics(t) {
		fmt.Fprintln(&b, name, m.Description, points(m))
	}
	return b.String()
}

// named are the spans with a name.
func (r *recorded) named(name string) (out []sdktrace.ReadOnlySpan) {
	for _, s := range r.spans.GetSpans().Snapshots() {
		if s.Name() == name {
			out = append(out, s)
		}
	}
	return out
}

func attributes(s sdktrace.ReadOnlySpan) map[string]string {
	out := map[string]string{}
	for _, kv := range s.Attributes() {
		out[string(kv.Key)] = kv.Value.Emit()
	}
	return out
}

const pathSecret = "PATHCANARY0123456789abcdef"

// world is a fake Garmin and a service with telemetry.
type world struct {
	*recorded
	t        *testing.T
	garmin   *activitytest.Server
	user     *activitytest.User
	inbox    notify.Queue
	url      string
	svc      *service.Service
	save     func(context.Context, *notify.Delivery, types.Summary) error
	finished atomic.Int64
	sent     int64
}

// newWorld starts one; wrap, if not nil, is used in place of our transport.
func newWorld(t *testing.T, fraction float64, wrap func(http.RoundTripper) http.RoundTripper) *world {
	t.Helper()
	w := &world{recorded: record(t, fraction), t: t, garmin: activitytest.NewServer()}
	fake := httptest.NewServer(w.garmin)
	t.Cleanup(fake.Close)
	w.garmin.BaseURL = fake.URL
	w.user = w.garmin.AddUser(nil)
	if wrap == nil {
		wrap = w.tel.Transport
	}
	pool, err := activity.NewPool(&activity.Options{BaseURL: fake.URL + "/wellness-api/rest", Wrap: wrap, MaxRetries: -1})
	require.NoError(t, err)
	t.Cleanup(func() { pool.Close() })
	w.inbox, err = spool.Open(t.TempDir(), nil)
	require.NoError(t, err)
	secret, err := notify.PathSecret(pathSecret, "")
	require.NoError(t, err)
	w.save = func(context.Context, *notify.Delivery, types.Summary) error { return nil }
	resolve := func(_ context.Context, id types.UserID) ([]notify.User, error) {
		if id == "nobody" {
			return nil, nil
		}
		client, err := pool.Client(activity.OAuth2(oauth2.StaticTokenSource(&oauth2.Token{AccessToken: w.user.State().AccessToken})))
		return []notify.User{{ID: string(id), Client: client}}, err
	}
	w.svc, err = service.New(w.inbox, resolve, w.tel.Wrap(notify.Callbacks{
		Save: func(ctx context.Context, d *notify.Delivery, s types.Summary) error { return w.save(ctx, d, s) },
		File: func(context.Context, *notify.Delivery, *notify.File) error { return nil },
		Deregistration: func(context.Context, *notify.Delivery, *notify.Deregistration) error {
			return errors.New("EVENTCANARY")
		},
		PermissionChange: func(context.Context, *notify.Delivery, *notify.PermissionChange) error { panic("EVENTCANARY") },
	}), &service.Options{
		ReadyDelay: -1,
		Handler:    w.tel.Handler(&notify.HandlerOptions{Origin: []notify.OriginCheck{secret}}),
		Processor: w.tel.Processor(&notify.ProcessorOptions{
			Files: &notify.Files{Dir: t.TempDir()}, UnknownUserGrace: -1, RetryMin: time.Hour, RetryMax: time.Hour,
			Observe: func(notify.Outcome) { w.finished.Add(1) },
		}),
	})
	require.NoError(t, err)
	s := httptest.NewServer(w.tel.Intake("/garmin/{secret}", w.svc.Intake()))
	t.Cleanup(s.Close)
	w.url = s.URL + "/garmin/" + pathSecret
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- w.svc.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		require.NoError(t, <-done)
	})
	return w
}

// post sends a body and waits until something became of so many items.
func (w *world) post(body string, items int64) {
	w.t.Helper()
	req, err := http.NewRequestWithContext(w.t.Context(), http.MethodPost, w.url+"?query=QUERYCANARY", strings.NewReader(body))
	require.NoError(w.t, err)
	// A stranger names a trace.
	req.Header.Set("Traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")
	req.Header.Set("User-Agent", "AGENTCANARY")
	resp, err := http.DefaultClient.Do(req)
	require.NoError(w.t, err)
	_, _ = io.Copy(io.Discard, resp.Body)
	resp.Body.Close()
	http.DefaultClient.CloseIdleConnections()
	require.Equal(w.t, http.StatusOK, resp.StatusCode)
	w.settle(items)
}

// settle waits until so many more items came to something.
func (w *world) settle(items int64) {
	w.t.Helper()
	w.sent += items
	require.Eventually(w.t, func() bool { return w.finished.Load() >= w.sent }, time.Minute, time.Millisecond)
}

// ping announces an activity that is at the fake. It returns the pull token too.
func (w *world) ping() (body, token string) {
	g := activitytest.NewGenerator(1)
	made, err := w.user.Upload(activitytest.Upload{Summary: g.Activities(activitytype.Running, time.Now().Add(-time.Hour))[0], Silent: true})
	require.NoError(w.t, err)
	url := made.CallbackURL
	_, token, _ = strings.Cut(url, "token=")
	token, _, _ = strings.Cut(token, "&")
	require.NotEmpty(w.t, token)
	return fmt.Sprintf(`{"activities":[{"userId":%q,"callbackURL":%q}]}`, w.user.ID(), url), token
}

// filePing announces a file.
func (w *world) filePing() (body, token string) {
	g := activitytest.NewGenerator(2)
	file, content := g.File("FIT", g.Details(g.Activities(activitytype.Running, time.Now().Add(-2*time.Hour))[0]))
	made, err := w.user.Upload(activitytest.Upload{File: &file, Content: content, Silent: true})
	require.NoError(w.t, err)
	raw, url := made.JSON, made.CallbackURL
	_, token, _ = strings.Cut(url, "token=")
	token, _, _ = strings.Cut(token, "&")
	require.NotEmpty(w.t, token)
	return fmt.Sprintf(`{"activityFiles":[{"userId":%q,"callbackURL":%q,%s]}`, w.user.ID(), url, raw[1:]), token
}

func item(n int) string {
	return fmt.Sprintf(`{"userId":"USERCANARY","userAccessToken":"TOKENCANARY","summaryId":"s%d","activityId":%d,"activityType":"RUNNING","startTimeInSeconds":1700000000,"startTimeOffsetInSeconds":0,"durationInSeconds":60,"startingLatitudeInDegree":51.053053}`, n, n)
}

// linked tells whether a span has a link into the trace of another.
func linked(from, to sdktrace.ReadOnlySpan) bool {
	for _, l := range from.Links() {
		if l.SpanContext.TraceID() == to.SpanContext().TraceID() && l.SpanContext.SpanID() == to.Parent().SpanID() {
			return true
		}
	}
	return false
}

// child tells whether a span is below another.
func child(s, of sdktrace.ReadOnlySpan) bool {
	return s.SpanContext().TraceID() == of.SpanContext().TraceID() && s.Parent().SpanID() == of.SpanContext().SpanID()
}
