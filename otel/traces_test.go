package otel_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/contrib/instrumentation/net/http/otelhttp"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"

	"github.com/garminkit/activityapi/notify"
	"github.com/garminkit/activityapi/otel"
	"github.com/garminkit/activityapi/types"
)

// TestTraces: from a POST over the queue to the callbacks and the calls to Garmin.
func TestTraces(t *testing.T) {
	w := newWorld(t, 1, nil)
	w.save = func(ctx context.Context, d *notify.Delivery, _ types.Summary) error {
		require.True(t, trace.SpanFromContext(ctx).IsRecording(), "the partner's code is below the attempt")
		return nil
	}
	w.post(`{"activities":[`+item(1)+`,`+item(2)+`]}`, 2)
	body, _ := w.ping()
	w.post(body, 1)
	body, _ = w.filePing()
	w.post(body, 1)

	const route = "POST /garmin/{secret}"
	require.Eventually(t, func() bool { return len(w.named(route)) == 3 }, time.Minute, time.Millisecond)
	posts, attempts := w.named(route), w.named("process garmin")
	require.Len(t, attempts, 4)
	for _, p := range posts {
		require.Equal(t, trace.SpanKindServer, p.SpanKind())
		require.NotEqual(t, "0af7651916cd43dd8448eb211c80319c", p.SpanContext().TraceID().String(), "a stranger's trace")
		require.Equal(t, "200", attributes(p)["http.response.status_code"])
		require.Equal(t, "/garmin/{secret}", attributes(p)["http.route"])
	}
	calls := append(w.named("GET /wellness-api/rest/activities"), w.named("GET /wellness-api/rest/activityFile")...)
	require.Len(t, calls, 2)
	for _, c := range calls {
		require.Equal(t, trace.SpanKindClient, c.SpanKind())
		require.Equal(t, "200", attributes(c)["http.response.status_code"])
		require.Equal(t, strings.TrimPrefix(c.Name(), "GET "), attributes(c)["url.template"])
		require.Equal(t, "127.0.0.1", attributes(c)["server.address"])
	}
	callbacks := append(w.named("callback save"), w.named("callback file")...)
	require.Len(t, callbacks, 4)
	for i, want := range []struct {
		list  string
		post  int
		below int
	}{{"activities", 0, 1}, {"activities", 0, 1}, {"activities", 1, 2}, {"activityFiles", 2, 2}} {
		a := attempts[i]
		require.Equal(t, trace.SpanKindConsumer, a.SpanKind())
		require.False(t, a.Parent().IsValid())
		require.True(t, linked(a, posts[want.post]), "attempt %d", i)
		require.Equal(t, want.list, attributes(a)["garmin.list"])
		require.Equal(t, attributes(posts[want.post])["garmin.body"], attributes(a)["garmin.body"])
		require.Equal(t, "process", attributes(a)["messaging.operation.type"])
		below := 0
		for _, s := range append(calls, callbacks...) {
			if child(s, a) {
				below++
			}
		}
		require.Equal(t, want.below, below, "attempt %d", i)
	}
}

// TestLinkAfterRestart: who takes an item after a restart, or in another process,
// finds the POST too.
func TestLinkAfterRestart(t *testing.T) {
	receives, works := record(t, 0.5), record(t, 0.5)
	it := &notify.Item{ID: 77}
	it.Key, it.Class = "activities", notify.ClassPush
	both, neither := 0, 0
	for it.Body = 1; it.Body <= 200; it.Body++ {
		receives.spans.Reset()
		works.spans.Reset()
		store := func(ctx context.Context, r io.Reader) error {
			notify.StoredAs(ctx, it.Body)
			_, err := io.Copy(io.Discard, r)
			return err
		}
		h := receives.tel.Intake("/garmin", notify.NewHandler(store, receives.tel.Handler(nil)))
		h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(http.MethodPost, "/garmin", strings.NewReader("{}")))
		ctx, end := works.tel.Processor(nil).Around(t.Context(), it)
		if end != nil {
			end(nil)
		}
		posts, attempts := receives.named("POST /garmin"), works.named("process garmin")
		require.Len(t, attempts, len(posts), "both sides or none")
		if len(posts) == 0 {
			neither++
			require.True(t, trace.SpanContextFromContext(ctx).IsValid() && !trace.SpanContextFromContext(ctx).IsSampled(),
				"what the partner's code does is not traced either")
			continue
		}
		both++
		require.True(t, linked(attempts[0], posts[0]))
	}
	require.Greater(t, both, 60)
	require.Greater(t, neither, 60)
}

// TestQueues: queues with different names have different traces, and of one without
// a number nothing is linked.
func TestQueues(t *testing.T) {
	ids := map[string]bool{}
	for _, name := range []string{"", "garmin", "evaluation"} {
		r := record(t, 1)
		tel, err := otel.New(&otel.Options{TracerProvider: r.traces, Queue: name, Fraction: 1})
		require.NoError(t, err)
		for body := range uint64(3) {
			_, end := tel.Processor(nil).Around(t.Context(), &notify.Item{Body: body})
			end(nil)
		}
		spans := r.spans.GetSpans()
		require.Empty(t, spans[0].Links)
		for _, s := range spans[1:] {
			ids[s.Links[0].SpanContext.TraceID().String()] = true
		}
	}
	require.Len(t, ids, 4, `"" is "garmin"`)
}

// TestFraction: how many are traced.
func TestFraction(t *testing.T) {
	for _, tt := range []struct {
		fraction float64
		low, up  int
	}{{-1, 0, 0}, {0, 50, 150}, {0.2, 1850, 2150}, {1, 10_000, 10_000}} {
		r := record(t, tt.fraction)
		around := r.tel.Processor(nil).Around
		if tt.fraction < 0 {
			require.Nil(t, around)
			continue
		}
		for body := range uint64(10_000) {
			if _, end := around(t.Context(), &notify.Item{Body: body + 1}); end != nil {
				end(nil)
			}
		}
		n := len(r.spans.GetSpans())
		require.GreaterOrEqual(t, n, tt.low, "%v", tt.fraction)
		require.LessOrEqual(t, n, tt.up, "%v", tt.fraction)
	}
	for _, f := range []float64{1.1, nan()} {
		_, err := otel.New(&otel.Options{Fraction: f})
		require.Error(t, err)
	}
	tel, err := otel.New(nil)
	require.NoError(t, err)
	require.Nil(t, tel.Processor(nil).Around, "nowhere to send them")
	require.Nil(t, tel.Transport(nil))
}

func nan() (zero float64) { return zero / zero }

// TestPlanted: no secret, no user, no place and no error's text is in what is
// exported, whatever fails.
func TestPlanted(t *testing.T) {
	w := newWorld(t, 1, nil)
	w.post(`{"activities":[`+item(1)+`]}`, 1)
	secrets := []string{pathSecret, "QUERYCANARY", "AGENTCANARY", "0af7651916cd43dd8448eb211c80319c",
		"USERCANARY", "TOKENCANARY", "51.053", "EVENTCANARY", "SAVECANARY", "LISTCANARY", "METHODCANARY",
		string(w.user.ID()), w.user.State().AccessToken, w.user.State().RefreshToken}
	for _, make := range []func() (string, string){w.ping, w.filePing} {
		body, token := make()
		secrets = append(secrets, token)
		w.post(body, 1)
	}
	// What fails: callbacks, which panic too, URLs, items, answers.
	w.save = func(context.Context, *notify.Delivery, types.Summary) error {
		return notify.Permanent(errors.New("SAVECANARY of USERCANARY"))
	}
	w.post(`{"activities":[`+item(2)+`]}`, 1)
	body, token := w.ping()
	secrets = append(secrets, token)
	w.post(strings.Replace(body, "token=", "token=EVENTCANARY", 1), 1)
	w.garmin.Use(func(http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("X-Canary", "EVENTCANARY")
			http.Error(w, `{"errorMessage":"EVENTCANARY"}`, http.StatusServiceUnavailable)
		})
	})
	body, token = w.ping()
	secrets = append(secrets, token)
	w.post(body, 1)
	w.post(strings.Replace(body, "127.0.0.1", "evil-EVENTCANARY.example.com", 1), 1)
	w.post(`{"LISTCANARY":[{"userId":"USERCANARY"}],"activities":["EVENTCANARY"]}`, 2)
	w.post(`{"deregistrations":[{"userId":"USERCANARY"}]}`, 1)
	w.post(`{"userPermissionsChange":[{"userId":"USERCANARY2","permissions":["EVENTCANARY"],"changeTimeInSeconds":1}]}`, 1)
	w.post(`{"activities":[{"userId":"nobody","summaryId":"EVENTCANARY"}]}`, 1)
	w.post("EVENTCANARY", 1)
	for _, tt := range []struct{ method, path string }{
		{"METHODCANARY", "/garmin/" + pathSecret}, {"POST", "/garmin/EVENTCANARY"}, {"GET", "/"},
	} {
		r := httptest.NewRequest(tt.method, tt.path+"?token=QUERYCANARY", strings.NewReader("EVENTCANARY"))
		w.tel.Intake("/garmin/{secret}", w.svc.Intake()).ServeHTTP(httptest.NewRecorder(), r)
	}
	// Calls that are of no attempt.
	broken := w.tel.Transport(transport(func(*http.Request) (*http.Response, error) { return nil, errors.New("EVENTCANARY") }))
	for _, path := range []string{"/EVENTCANARY", "/wellness-api/rest/activities", "/di-oauth2-service/oauth/token"} {
		req := httptest.NewRequest("GET", "https://apis.garmin.com"+path+"?token=QUERYCANARY", nil)
		req.Header.Set("Authorization", "Bearer TOKENCANARY")
		_, err := broken.RoundTrip(req) //nolint:bodyclose // there is none
		require.Error(t, err)
	}
	stop, err := w.tel.Watch(&otel.Sources{Queue: w.inbox, Processor: w.svc.Processor()})
	require.NoError(t, err)
	text := w.text(t)
	require.NoError(t, stop())
	require.Contains(t, text, "process garmin")
	require.Contains(t, text, "garmin.item.results")
	found := 0
	for _, s := range secrets {
		if strings.Contains(strings.ToUpper(text), strings.ToUpper(s)) {
			found++
			t.Errorf("%s is in what was exported", s)
		}
	}
	t.Logf("%d secrets planted in %d spans, %d found", len(secrets), len(w.spans.GetSpans()), found)
}

type transport func(*http.Request) (*http.Response, error)

func (f transport) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// TestStockLeaks: the stock instrumentation writes the callback URL down, with its
// pull token, and the path secret. Within Hide it does not; nor does ours.
func TestStockLeaks(t *testing.T) {
	for name, tt := range map[string]struct {
		wrap  func(*recorded) func(http.RoundTripper) http.RoundTripper
		leaks bool
	}{
		"stock": {func(r *recorded) func(http.RoundTripper) http.RoundTripper {
			return func(base http.RoundTripper) http.RoundTripper {
				return otelhttp.NewTransport(base, otelhttp.WithTracerProvider(r.traces))
			}
		}, true},
		"stock around ours": {func(r *recorded) func(http.RoundTripper) http.RoundTripper {
			return func(base http.RoundTripper) http.RoundTripper {
				return otelhttp.NewTransport(r.tel.Transport(base), otelhttp.WithTracerProvider(r.traces))
			}
		}, true},
		"stock within Hide": {func(r *recorded) func(http.RoundTripper) http.RoundTripper {
			return func(base http.RoundTripper) http.RoundTripper {
				return otel.Hide(base, func(hidden http.RoundTripper) http.RoundTripper {
					return otelhttp.NewTransport(hidden, otelhttp.WithTracerProvider(r.traces))
				})
			}
		}, false},
		"ours": {func(r *recorded) func(http.RoundTripper) http.RoundTripper { return r.tel.Transport }, false},
	} {
		t.Run(name, func(t *testing.T) {
			var w *world
			w = newWorld(t, 1, func(base http.RoundTripper) http.RoundTripper {
				return transport(func(r *http.Request) (*http.Response, error) { return tt.wrap(w.recorded)(base).RoundTrip(r) })
			})
			saved := 0
			w.save = func(context.Context, *notify.Delivery, types.Summary) error { saved++; return nil }
			body, token := w.ping()
			w.post(body, 1)
			require.Equal(t, 1, saved, "the whole request reached Garmin")
			text := w.text(t)
			require.Equal(t, tt.leaks, strings.Contains(text, token), "the pull token")
			require.Equal(t, tt.leaks, strings.Contains(text, "url.full") && strings.Contains(text, token))
		})
	}
	t.Run("the path secret", func(t *testing.T) {
		r := record(t, 1)
		h := notify.NewHandler(func(_ context.Context, r io.Reader) error {
			_, err := io.Copy(io.Discard, r)
			return err
		}, r.tel.Handler(nil))
		for _, stock := range []bool{true, false} {
			r.spans.Reset()
			served := r.tel.Intake("/garmin/{secret}", h)
			if stock {
				served = otelhttp.NewHandler(h, "garmin", otelhttp.WithTracerProvider(r.traces))
			}
			served.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("POST", "/garmin/"+pathSecret, strings.NewReader("{}")))
			require.NotEmpty(t, r.spans.GetSpans())
			require.Equal(t, stock, strings.Contains(r.text(t), pathSecret))
		}
	})
}

// TestHide: base sends what was to be sent, with what the instrumentation added.
func TestHide(t *testing.T) {
	var shown, sent *http.Request
	h := otel.Hide(transport(func(r *http.Request) (*http.Response, error) {
		sent = r
		return &http.Response{StatusCode: 200, Body: http.NoBody, Request: r}, nil
	}), func(next http.RoundTripper) http.RoundTripper {
		return transport(func(r *http.Request) (*http.Response, error) {
			shown = r
			r = r.Clone(r.Context())
			r.Header.Set("Traceparent", "added")
			resp, err := next.RoundTrip(r)
			require.NotContains(t, resp.Request.URL.String(), "CANARY")
			return resp, err
		})
	})
	req := httptest.NewRequest("POST", "https://me:CANARY@apis.garmin.com/wellness-api/rest/activities?token=CANARY", strings.NewReader("body"))
	req.Header.Set("Authorization", "Bearer CANARY")
	req.Header.Set("Cookie", "CANARY")
	req.Header.Set("X-Other", "kept")
	resp, err := h.RoundTrip(req)
	require.NoError(t, err)
	resp.Body.Close()
	require.Same(t, req, resp.Request)
	require.NotContains(t, fmt.Sprint(shown.URL, shown.Header), "CANARY")
	require.Equal(t, "https://me:CANARY@apis.garmin.com/wellness-api/rest/activities?token=CANARY", sent.URL.String())
	require.Equal(t, []string{"Bearer CANARY"}, sent.Header["Authorization"])
	require.Equal(t, []string{"CANARY"}, sent.Header["Cookie"])
	require.Equal(t, []string{"kept"}, sent.Header["X-Other"])
	require.Equal(t, []string{"added"}, sent.Header["Traceparent"])
	require.Equal(t, []string{"Bearer CANARY"}, req.Header["Authorization"], "the caller's request is as it was")
	body, err := io.ReadAll(sent.Body)
	require.NoError(t, err)
	require.Equal(t, "body", string(body))
}

// TestTransport: how calls end.
func TestTransport(t *testing.T) {
	r := record(t, 1)
	var answer *http.Response
	var failure error
	tr := r.tel.Transport(transport(func(*http.Request) (*http.Response, error) { return answer, failure }))
	call := func(method string, read func(*http.Response)) map[string]string {
		r.spans.Reset()
		req := httptest.NewRequest(method, "https://apis.garmin.com/wellness-api/rest/backfill/moveiq?x=1", nil)
		resp, err := tr.RoundTrip(req)
		require.Equal(t, failure, err)
		if read != nil {
			require.Empty(t, r.spans.GetSpans(), "the answer goes on")
			read(resp)
			resp.Body.Close()
		}
		spans := r.spans.GetSpans().Snapshots()
		require.Len(t, spans, 1)
		out := attributes(spans[0])
		out["name"], out["status"] = spans[0].Name(), spans[0].Status().Code.String()
		return out
	}
	answer = &http.Response{StatusCode: 202, ProtoMajor: 2, Body: io.NopCloser(strings.NewReader("x"))}
	got := call("GET", func(resp *http.Response) { _, _ = io.ReadAll(resp.Body) })
	require.Equal(t, "GET /wellness-api/rest/backfill/moveiq", got["name"])
	require.Equal(t, "202", got["http.response.status_code"])
	require.Equal(t, "2", got["network.protocol.version"])
	require.Equal(t, "443", got["server.port"])
	require.Equal(t, codes.Unset.String(), got["status"])

	answer = &http.Response{StatusCode: 429, ProtoMajor: 1, ProtoMinor: 1, Body: http.NoBody}
	got = call("ODD", func(*http.Response) {})
	require.Equal(t, "429", got["error.type"])
	require.Equal(t, "_OTHER", got["http.request.method"])
	require.Equal(t, codes.Error.String(), got["status"])

	answer = &http.Response{StatusCode: 200, Body: io.NopCloser(io.MultiReader(strings.NewReader("x"), broken{}))}
	got = call("GET", func(resp *http.Response) { _, _ = io.ReadAll(resp.Body) })
	require.Equal(t, "timeout", got["error.type"])
	answer = &http.Response{StatusCode: 204}
	require.Equal(t, "204", call("DELETE", nil)["http.response.status_code"])

	answer = nil
	for want, err := range map[string]error{"canceled": context.Canceled, "timeout": context.DeadlineExceeded, "_OTHER": errors.New("x")} {
		failure = err
		require.Equal(t, want, call("GET", nil)["error.type"])
	}
	require.Len(t, points(r.metrics(t)["http.client.request.duration"]), 7)
}

type broken struct{}

func (broken) Read([]byte) (int, error) { return 0, context.DeadlineExceeded }

// TestIntake: how requests end that are no notification, and what the handler must
// still be able to do.
func TestIntake(t *testing.T) {
	r := record(t, 1)
	for name, tt := range map[string]struct {
		h    http.HandlerFunc
		want string // status, error
	}{
		"nothing written": {func(http.ResponseWriter, *http.Request) {}, "200 "},
		"refused":         {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(404) }, "404 "},
		"twice":           {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(503); w.WriteHeader(200) }, "503 503"},
		"an early one":    {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(103); w.WriteHeader(500) }, "500 500"},
		"panics":          {func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, " panic"},
		"deadlines": {func(w http.ResponseWriter, _ *http.Request) {
			if errors.Is(http.NewResponseController(w).Flush(), http.ErrNotSupported) {
				w.WriteHeader(500)
			}
		}, "200 "},
	} {
		t.Run(name, func(t *testing.T) {
			r.spans.Reset()
			func() {
				defer func() { _ = recover() }()
				r.tel.Intake("/garmin", tt.h).ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("POST", "/garmin", bytes.NewReader(nil)))
			}()
			spans := r.named("POST /garmin")
			require.Len(t, spans, 1)
			got := attributes(spans[0])
			require.Equal(t, tt.want, got["http.response.status_code"]+" "+got["error.type"])
			require.False(t, spans[0].Parent().IsValid())
		})
	}
}
