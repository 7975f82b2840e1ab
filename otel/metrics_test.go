package otel_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/attribute"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	"go.opentelemetry.io/otel/semconv/v1.43.0/httpconv"
	"go.opentelemetry.io/otel/semconv/v1.43.0/messagingconv"

	"github.com/garminkit/activityapi/activity/auth"
	"github.com/garminkit/activityapi/backfill"
	"github.com/garminkit/activityapi/notify"
	"github.com/garminkit/activityapi/notify/drift"
	"github.com/garminkit/activityapi/otel"
	"github.com/garminkit/activityapi/types"
)

// TestAPIAlone: what a partner links is the API, and no SDK.
func TestAPIAlone(t *testing.T) {
	out, err := exec.CommandContext(t.Context(), "go", "list", "-deps", ".").Output()
	require.NoError(t, err)
	require.Contains(t, string(out), "go.opentelemetry.io/otel/trace")
	for _, path := range strings.Fields(string(out)) {
		for _, bad := range []string{"go.opentelemetry.io/otel/sdk", "go.opentelemetry.io/otel/exporters", "go.opentelemetry.io/contrib", "google.golang.org"} {
			require.NotContains(t, path, bad)
		}
	}
}

// TestNames: the names are those of the conventions.
func TestNames(t *testing.T) {
	w := newWorld(t, 1, nil)
	w.post(`{"activities":[`+item(1)+`]}`, 1)
	body, _ := w.ping()
	w.post(body, 1)
	w.post(`{"activities":[{"userId":"nobody","summaryId":"1"}]}`, 1)
	all := w.metrics(t)
	for _, name := range []string{
		httpconv.ServerRequestDuration{}.Name(), httpconv.ClientRequestDuration{}.Name(),
		messagingconv.ClientSentMessages{}.Name(), messagingconv.ProcessDuration{}.Name(),
	} {
		require.Contains(t, all, name)
	}
	known := map[attribute.Key]bool{}
	for _, k := range []attribute.Key{
		semconv.HTTPRequestMethodKey, semconv.HTTPResponseStatusCodeKey, semconv.HTTPRouteKey, semconv.URLSchemeKey, semconv.URLTemplateKey,
		semconv.ServerAddressKey, semconv.ServerPortKey, semconv.NetworkProtocolVersionKey, semconv.HTTPRequestBodySizeKey, semconv.ErrorTypeKey,
		semconv.MessagingSystemKey, semconv.MessagingDestinationNameKey, semconv.MessagingOperationNameKey, semconv.MessagingOperationTypeKey,
		semconv.MessagingMessageIDKey, semconv.MessagingMessageBodySizeKey,
	} {
		known[k] = false
	}
	check := func(k attribute.Key) {
		_, ok := known[k]
		require.True(t, ok || strings.HasPrefix(string(k), "garmin."), "%s is no name of the conventions", k)
		if ok {
			known[k] = true
		}
	}
	for _, s := range w.spans.GetSpans() {
		for _, kv := range s.Attributes {
			check(kv.Key)
		}
	}
	for name, m := range all {
		for at := range points(m) {
			for kv := range strings.SplitSeq(at, ",") {
				if k, _, ok := strings.Cut(kv, "="); ok {
					check(attribute.Key(k))
				}
			}
		}
		require.NotEmpty(t, m.Description, name)
	}
	for k, used := range known {
		require.True(t, used, "%s is not used", k)
	}
}

// TestCardinality: strangers choose nothing of a series' name, so that there are no
// more of them, whatever they send and however much.
func TestCardinality(t *testing.T) {
	series := func(n int) (total int) {
		w := newWorld(t, 1, nil)
		w.save = func(context.Context, *notify.Delivery, types.Summary) error {
			return notify.Permanent(errors.New("no"))
		}
		intake := w.tel.Intake("/garmin/{secret}", w.svc.Intake())
		items := int64(0)
		for i := range n {
			for _, body := range []string{
				fmt.Sprintf(`{"list%d":[{"userId":"u%d"}],"LIST%d":[]}`, i, i, i),
				fmt.Sprintf(`{"activities":[{"userId":"u%d","summaryId":"%d","activityType":"T%d"}]}`, i, i, i),
				fmt.Sprintf(`{"activities":[{"userId":"u%d","callbackURL":"https://h%d.example.com/p%d?token=x%d"}]}`, i, i, i, i),
				fmt.Sprintf(`no JSON %d`, i),
			} {
				r := httptest.NewRequest(http.MethodPost, "/garmin/"+pathSecret, strings.NewReader(body))
				r.Header.Set("User-Agent", fmt.Sprint("agent", i))
				r.Host = fmt.Sprintf("h%d.example.com", i)
				answer := httptest.NewRecorder()
				intake.ServeHTTP(answer, r)
				require.Equal(t, 200, answer.Code)
				items++
			}
			for _, method := range []string{fmt.Sprint("METHOD", i), "GET"} {
				r := httptest.NewRequest(method, fmt.Sprintf("/p%d?q=%d", i, i), nil)
				r.Proto, r.ProtoMajor, r.ProtoMinor = fmt.Sprintf("HTTP/%d.%d", i, i), i, i
				intake.ServeHTTP(httptest.NewRecorder(), r)
			}
		}
		w.settle(items)
		stop, err := w.tel.Watch(&otel.Sources{Queue: w.inbox, Processor: w.svc.Processor()})
		require.NoError(t, err)
		for name, m := range w.metrics(t) {
			t.Logf("%4d bodies: %3d series of %s", items, len(points(m)), name)
			total += len(points(m))
		}
		require.NoError(t, stop())
		names := map[string]bool{}
		for _, s := range w.spans.GetSpans() {
			names[s.Name] = true
		}
		require.LessOrEqual(t, len(names), 10, "%v", names)
		return total
	}
	few, many := series(5), series(150)
	require.Equal(t, few, many)
	require.Less(t, many, 200)
}

// TestResults: what is counted of items.
func TestResults(t *testing.T) {
	r := record(t, -1)
	observe := r.tel.Processor(nil).Observe
	for _, o := range []notify.Outcome{
		{Result: notify.ResultDone, Class: notify.ClassPush, Key: "activities", Took: time.Second, Age: time.Minute},
		{Result: notify.ResultDone, Class: notify.ClassPush, Key: "activities"},
		{Result: notify.ResultBuried, Class: notify.ClassPull, Key: "moveIQActivities", Err: notify.Permanent(errors.New("x"))},
		{Result: notify.ResultUnknownUser, Class: notify.ClassPush, Key: "dailies", Err: notify.ErrUnknownUser},
		{Result: notify.ResultQuarantined, Class: notify.ClassBad, Key: "\x00", Err: &types.DecodeError{Err: errors.New("x")}},
		{Result: notify.ResultRetry, Class: notify.ClassFile, Key: "activityFiles", Err: fmt.Errorf("x: %w", context.DeadlineExceeded)},
		{Result: notify.ResultRetry, Class: notify.ClassFile, Key: "activityFiles", Err: context.Canceled},
		{Result: notify.ResultRetry, Class: notify.ClassAccount, Key: "deregistrations", Err: errors.New("x")},
		{Result: notify.ResultParked, Class: notify.ClassPull, Key: "userPermissionsChange", Err: fault("user")},
		{Result: notify.ResultRetry, Class: notify.ClassPull, Key: "activityDetails", Err: fault("nonsense")},
		{Result: notify.ResultStalled, Class: notify.ClassPull},
		{Result: "a new one", Class: 77, Key: "manuallyUpdatedActivities"},
	} {
		observe(o)
	}
	all := r.metrics(t)
	require.Equal(t, map[string]float64{
		"garmin.class=push,garmin.list=activities,garmin.result=done":                2,
		"garmin.class=pull,garmin.list=moveIQActivities,garmin.result=buried":        1,
		"garmin.class=push,garmin.list=other,garmin.result=unknown user":             1,
		"garmin.class=bad,garmin.list=other,garmin.result=quarantined":               1,
		"garmin.class=file,garmin.list=activityFiles,garmin.result=retry":            2,
		"garmin.class=account,garmin.list=deregistrations,garmin.result=retry":       1,
		"garmin.class=pull,garmin.list=userPermissionsChange,garmin.result=parked":   1,
		"garmin.class=pull,garmin.list=activityDetails,garmin.result=retry":          1,
		"garmin.class=pull,garmin.list=other,garmin.result=stalled":                  1,
		"garmin.class=bad,garmin.list=manuallyUpdatedActivities,garmin.result=other": 1,
	}, points(all["garmin.item.results"]))
	const queue = ",messaging.destination.name=garmin,messaging.operation.name=process,messaging.system=activityapi"
	require.Equal(t, map[string]float64{
		"garmin.class=push" + queue:                         2,
		"error.type=item,garmin.class=pull" + queue:         1,
		"error.type=unknown user,garmin.class=push" + queue: 1,
		"error.type=unreadable,garmin.class=bad" + queue:    1,
		"error.type=timeout,garmin.class=file" + queue:      1,
		"error.type=canceled,garmin.class=file" + queue:     1,
		"error.type=_OTHER,garmin.class=account" + queue:    1,
		"error.type=user,garmin.class=pull" + queue:         1,
		"error.type=_OTHER,garmin.class=pull" + queue:       1,
	}, points(all["messaging.process.duration"]))
	require.Equal(t, map[string]float64{"garmin.class=push": 60}, points(all["garmin.item.age"]))
}

type fault types.Fault

func (f fault) Error() string             { return "x" }
func (f fault) Fault() types.Fault        { return types.Fault(f) }
func (f fault) RetryAfter() time.Duration { return 0 }

// TestChained: hooks that were there before are called too.
func TestChained(t *testing.T) {
	for _, fraction := range []float64{1, 1e-9} {
		r := record(t, fraction)
		var heard []string
		opts := r.tel.Processor(&notify.ProcessorOptions{
			Workers: 3,
			Observe: func(notify.Outcome) { heard = append(heard, "observe") },
			Around: func(ctx context.Context, _ *notify.Item) (context.Context, func(error)) {
				heard = append(heard, "around")
				return ctx, func(error) { heard = append(heard, "end") }
			},
		})
		_, end := opts.Around(t.Context(), &notify.Item{Body: 1})
		end(errors.New("x"))
		opts.Observe(notify.Outcome{})
		require.Equal(t, 3, opts.Workers)
		handler := r.tel.Handler(&notify.HandlerOptions{MaxBody: 5, Observe: func(context.Context, notify.Receipt) { heard = append(heard, "receipt") }})
		handler.Observe(t.Context(), notify.Receipt{Status: 503})
		require.EqualValues(t, 5, handler.MaxBody)
		require.Equal(t, []string{"around", "end", "observe", "receipt"}, heard)
		require.Equal(t, map[string]float64{
			"error.type=503,messaging.destination.name=garmin,messaging.operation.name=send,messaging.system=activityapi": 1,
		}, points(r.metrics(t)["messaging.client.sent.messages"]))
	}
}

// source is all that can be watched.
type source struct {
	stats func(ctx context.Context) (notify.QueueStats, error)
	free  func(ctx context.Context) (int, error)
}

func (s *source) Stats(ctx context.Context) (notify.QueueStats, error) { return s.stats(ctx) }
func (s *source) DaysPerMinute() int                                   { return 100 }
func (s *source) Free(ctx context.Context) (int, error)                { return s.free(ctx) }
func (s *source) Counts() auth.Counts                                  { return auth.Counts{Refreshed: 5, Failed: 2, Reconnect: 1} }

// TestWatch: the gauges, and a source that fails, panics or hangs, and comes back.
func TestWatch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := record(t, -1)
		good := func(context.Context) (notify.QueueStats, error) {
			return notify.QueueStats{
				Items: [notify.Classes]int64{notify.ClassPush: 7, notify.ClassFile: 2}, Bodies: 3, Letters: 4, Bytes: 5,
				Oldest: [notify.Classes]time.Time{notify.ClassPush: time.Now().Add(-time.Minute), notify.ClassFile: time.Now().Add(time.Hour)},
			}, nil
		}
		s := &source{stats: good, free: func(context.Context) (int, error) { return 40, nil }}
		report := drift.New()
		report.UnknownKey("x")
		stop, err := r.tel.Watch(&otel.Sources{Queue: s, Limiter: s, Tokens: s, Drift: report})
		require.NoError(t, err)
		read := func() map[string]map[string]float64 {
			out := map[string]map[string]float64{}
			for name, m := range r.metrics(t) {
				out[name] = points(m)
			}
			return out
		}
		require.Equal(t, map[string]map[string]float64{
			"garmin.queue.up":         {"": 1},
			"garmin.queue.items":      {"garmin.class=account": 0, "garmin.class=push": 7, "garmin.class=pull": 0, "garmin.class=file": 2, "garmin.class=bad": 0},
			"garmin.queue.oldest.age": {"garmin.class=account": 0, "garmin.class=push": 60, "garmin.class=pull": 0, "garmin.class=file": 0, "garmin.class=bad": 0},
			"garmin.queue.bodies":     {"": 3},
			"garmin.queue.letters":    {"": 4},
			"garmin.queue.size":       {"": 5},
			"garmin.limiter.limit":    {"": 100},
			"garmin.limiter.free":     {"": 40},
			"garmin.token.refreshes":  {"garmin.outcome=refreshed": 5, "garmin.outcome=failed": 2, "garmin.outcome=reconnect": 1},
			"garmin.drift.findings":   {"": 1},
		}, read())

		over := make(chan struct{})
		for how, stats := range map[string]func(context.Context) (notify.QueueStats, error){
			"fails":  func(context.Context) (notify.QueueStats, error) { return notify.QueueStats{}, errors.New("CANARY") },
			"panics": func(context.Context) (notify.QueueStats, error) { panic("CANARY") },
			"heeds its ctx": func(ctx context.Context) (notify.QueueStats, error) {
				<-ctx.Done()
				return notify.QueueStats{}, ctx.Err()
			},
			"hangs": func(context.Context) (notify.QueueStats, error) { <-over; return notify.QueueStats{}, nil },
		} {
			s.stats = stats
			before := time.Now()
			got := read()
			require.Equal(t, map[string]float64{"": 0}, got["garmin.queue.up"], how)
			require.NotContains(t, got, "garmin.queue.items", how)
			require.Equal(t, map[string]float64{"": 40}, got["garmin.limiter.free"], "%s: the others tell", how)
			require.LessOrEqual(t, time.Since(before), 2*time.Second)
			if how == "hangs" {
				before := time.Now()
				read()
				require.Equal(t, before, time.Now(), "it is not waited for again")
				close(over)
				synctest.Wait()
			}
			synctest.Wait()
			s.stats = good
			require.Equal(t, map[string]float64{"": 1}, read()["garmin.queue.up"], "after it %s", how)
		}
		s.free = func(context.Context) (int, error) { return 0, errors.New("CANARY") }
		require.NotContains(t, read(), "garmin.limiter.free")
		require.NoError(t, stop())
		require.Empty(t, read())
	})
}

// TestWatchWork: what a processor tells, and the limiter and the tokens of this module.
func TestWatchWork(t *testing.T) {
	w := newWorld(t, 1, nil)
	w.save = func(context.Context, *notify.Delivery, types.Summary) error { return errors.New("later") }
	w.post(`{"activities":[`+item(1)+`]}`, 1)
	limiter := backfill.NewLimiter(backfill.Evaluation, nil)
	_, err := limiter.Acquire(t.Context(), "u", 30)
	require.NoError(t, err)
	users, err := auth.NewUsers(auth.App{ClientID: "x", ClientSecret: "y"}, auth.NewMemory(), nil)
	require.NoError(t, err)
	defer users.Close()
	stop, err := w.tel.Watch(&otel.Sources{Queue: w.inbox, Processor: w.svc.Processor(), Limiter: limiter, Tokens: users})
	require.NoError(t, err)
	defer stop()
	var all map[string]map[string]float64
	require.Eventually(t, func() bool {
		all = map[string]map[string]float64{}
		for name, m := range w.metrics(t) {
			all[name] = points(m)
		}
		return all["garmin.processor.items"]["garmin.class=push,garmin.state=waiting"] == 1
	}, time.Minute, time.Millisecond)
	require.Equal(t, map[string]float64{"": 70}, all["garmin.limiter.free"])
	require.InDelta(t, (7 * 24 * time.Hour).Seconds(), all["garmin.processor.deadline.left"]["garmin.class=push"], 60)
	require.Len(t, all["garmin.processor.deadline.left"], 1, "of the others there is no deadline")
	require.Equal(t, map[string]float64{"": 0}, all["garmin.processor.parked.users"])
	require.Equal(t, map[string]float64{"": 1}, all["garmin.processor.shares"])
	require.Equal(t, map[string]float64{"garmin.fault=application": 0, "garmin.fault=network": 0}, all["garmin.processor.outage.age"])
	require.Equal(t, map[string]float64{"": 1}, all["garmin.spool.syncs"])
	require.Equal(t, map[string]float64{"": 1}, all["garmin.spool.puts"])
	for _, name := range []string{"garmin.spool.repeats", "garmin.spool.damaged", "garmin.spool.unreadable"} {
		require.Equal(t, map[string]float64{"": 0}, all[name])
	}
	require.Len(t, all["garmin.processor.hung"], notify.Classes)
	require.Equal(t, []float64{0, 0, 0}, slices.Collect(func(yield func(float64) bool) {
		for _, n := range all["garmin.token.refreshes"] {
			if !yield(n) {
				return
			}
		}
	}))
}
