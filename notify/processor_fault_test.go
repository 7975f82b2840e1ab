package notify_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"log/slog"
	"net/url"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/garminkit/activityapi/notify"
	"github.com/garminkit/activityapi/types"
)

// fault is one row of the matrix: what goes wrong, and what holds after.
type fault struct {
	name  string
	holds string
	run   func(t *testing.T)
}

func runFaults(t *testing.T, faults []fault) {
	for _, f := range faults {
		t.Run(f.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				defer func() {
					if t.Failed() {
						t.Logf("what must hold: %s", f.holds)
					}
				}()
				f.run(t)
			})
		})
	}
}

// pass lets time go by and everything that was due come to rest.
func pass(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

func TestProcessorFaults(t *testing.T) {
	runFaults(t, []fault{
		{"callback error", "the item is tried again until it is taken; its neighbours run once; the body ends", callbackError},
		{"callback blocks", "its attempt is ended and repeated; other users do not wait", callbackBlocks},
		{"callback panics", "a failed attempt; the process lives; the panic's value is nowhere", callbackPanics},
		{"callback ends its goroutine", "a failed attempt; the worker is replaced", callbackGoexit},
		{"callback refuses for good", "a letter at once; the item does not run again", callbackPermanent},
		{"one of two local users fails", "the other is not called again", oneLocalUserFails},
		{"resolver error", "tried again, not taken for an unknown user", resolverError},
		{"unknown user", "data is a letter after the grace, nobody is called, account events are done", unknownUser},
		{"user known late", "delivered", userKnownLate},
		{"pull 500", "retried with growing, jittered waits; delivered once", pull500},
		{"pull 429", "not before Retry-After, and never later than an hour and a bit", pull429},
		{"pull 410", "one request, then a letter", pull410},
		{"pull 401 in a batch", "the user's pulls are parked, nothing is dropped, others go on", tokenRevoked},
		{"pull 412", "parked; a permission change revives them at once", consentMissing},
		{"pull 403 for one forged ping", "the user's other pings get through", forgedPing},
		{"pull breaks half-way", "nothing of it is delivered twice", pullBreaks},
		{"pull ends with an item that cannot be read", "the others are delivered, once; a letter tells", pullBadItem},
		{"pull breaks until the deadline", "what came at last is delivered", pullBreaksForEver},
		{"pull gives another user's data", "nothing is delivered; a letter says so", pullWrongUser},
		{"ping without client", "tried again, delivered when there is one", noClient},
		{"Garmin down for six hours", "few calls, everything delivered after", garminDown},
		{"error text with the callback URL", "no secret in letters, outcomes or the log", secretsInErrors},
		{"poison item", "its neighbours and the user's later items run; its own later edits wait; it ends as a letter", poisonItem},
		{"duplicate delivery", "same key, so that it can be dropped", duplicateDelivery},
		{"edited activity", "another key, after the first even if that failed", editedActivity},
		{"reordered delivery", "the keys do not depend on the order", reorderedDelivery},
		{"bad item among a thousand", "999 delivered, one quarantined", badItem},
		{"body breaks after good items", "those are delivered, the whole body is a letter", brokenBody},
		{"huge items", "small ones of other users do not wait for them", hugeItems},
		{"slow pulls", "pushes and deregistrations do not wait for them", slowPulls},
		{"slow pulls of details", "other pulls do not wait for them", slowDetails},
		{"slow callbacks", "deregistrations and permission changes do not wait for them", slowCallbacks},
		{"clock jumps", "no wait or deadline moves; a Received in the future is no extra time", clockJump},
		{"deadline", "a warning, one last attempt, a letter", deadline},
		{"stop in back-off", "Run returns at once; the item stays", stopInBackoff},
		{"stop in a callback", "the callback's ctx ends with the cause; Run returns at once; the item stays", stopInCallback},
		{"stop with work in flight", "what ends in the drain is marked and does not run again", stopInFlight},
		{"callback hangs at stop", "Run returns and says so", hangAtStop},
	})
}

func callbackError(t *testing.T) {
	r := newRig(t, nil)
	fails := 3
	save := r.calls.Save
	r.calls.Save = func(ctx context.Context, d *notify.Delivery, s types.Summary) error {
		if s.ID() == "2" && fails > 0 {
			fails--
			require.Equal(t, 3-fails, d.Attempt)
			return errBoom
		}
		return save(ctx, d, s)
	}
	r.start()
	r.put(`{"activities":[{"userId":"u","summaryId":"1"},{"userId":"u","summaryId":"2"},{"userId":"v","summaryId":"3"}]}`)
	pass(time.Minute)
	r.finish()
	require.Equal(t, []string{"local-u activities 1", "local-u activities 2", "local-v activities 3"}, r.sorted())
	require.Equal(t, 3, r.count(notify.ResultRetry))
	require.Equal(t, 0, r.left())
}

func callbackBlocks(t *testing.T) {
	r := newRig(t, nil)
	r.opts.AttemptTimeout = 31 * time.Second
	save, blocked := r.calls.Save, false
	r.calls.Save = func(ctx context.Context, d *notify.Delivery, s types.Summary) error {
		if s.ID() == "1" && !blocked {
			blocked = true
			<-ctx.Done()
			return ctx.Err()
		}
		return save(ctx, d, s)
	}
	r.start()
	r.put(push("u", "1"), push("v", "2"))
	pass(time.Second)
	require.Equal(t, []string{"local-v activities 2"}, r.got())
	pass(time.Minute)
	r.finish()
	require.Equal(t, []string{"local-v activities 2", "local-u activities 1"}, r.got())
}

func callbackPanics(t *testing.T) {
	r := newRig(t, nil)
	var log bytes.Buffer
	r.opts.Logger = slog.New(slog.NewTextHandler(&log, nil))
	save, panics := r.calls.Save, []func(){
		func() { panic("CANARY") },
		func() { panic(fmt.Errorf("CANARY")) },
		func() { var m map[string]int; m["CANARY"] = 1 }, //nolint:staticcheck // the panic of the runtime is what is wanted
	}
	r.calls.Save = func(ctx context.Context, d *notify.Delivery, s types.Summary) error {
		if len(panics) > 0 {
			p := panics[0]
			panics = panics[1:]
			p()
		}
		return save(ctx, d, s)
	}
	r.start()
	r.put(push("u", "1"))
	pass(time.Minute)
	r.finish()
	require.Equal(t, []string{"local-u activities 1"}, r.got())
	require.Equal(t, 3, r.count(notify.ResultRetry))
	require.Contains(t, log.String(), "panic in a callback (string)")
	require.NotContains(t, log.String(), "CANARY")
}

func callbackGoexit(t *testing.T) {
	r := newRig(t, nil)
	r.opts.Workers = 1
	save, exits := r.calls.Save, 1
	r.calls.Save = func(ctx context.Context, d *notify.Delivery, s types.Summary) error {
		if exits > 0 {
			exits--
			runtime.Goexit()
		}
		return save(ctx, d, s)
	}
	r.start()
	r.put(push("u", "1"), push("v", "2"))
	pass(time.Hour)
	r.finish()
	require.Equal(t, []string{"local-v activities 2", "local-u activities 1"}, r.got())
	require.Equal(t, 1, r.count(notify.ResultRetry))
}

func callbackPermanent(t *testing.T) {
	r := newRig(t, nil)
	calls := 0
	r.calls.Save = func(context.Context, *notify.Delivery, types.Summary) error {
		calls++
		return fmt.Errorf("storing: %w", notify.Permanent(errBoom))
	}
	r.start()
	r.put(push("u", "1"))
	pass(time.Hour)
	r.finish()
	require.Equal(t, 1, calls)
	l := r.letters()
	require.Len(t, l, 1)
	require.Equal(t, "storing: boom", l[0].Reason)
	require.Equal(t, push("u", "1"), l[0].body)
	require.Equal(t, 1, l[0].Attempts)
	require.False(t, l[0].Quarantined)
	require.Equal(t, 0, r.left())
}

func oneLocalUserFails(t *testing.T) {
	r := newRig(t, nil)
	r.users = func(context.Context, types.UserID) ([]notify.User, error) {
		return []notify.User{{ID: "a"}, {ID: "b"}}, nil
	}
	save, fails := r.calls.Save, 2
	r.calls.Save = func(ctx context.Context, d *notify.Delivery, s types.Summary) error {
		if d.User.ID == "a" && fails > 0 {
			fails--
			return errBoom
		}
		return save(ctx, d, s)
	}
	r.start()
	r.put(push("u", "1"))
	pass(time.Minute)
	r.finish()
	require.Equal(t, []string{"b activities 1", "a activities 1"}, r.got())
	require.NotEqual(t, r.keys[0], r.keys[1], "one must not be dropped for the other")
}

func resolverError(t *testing.T) {
	r := newRig(t, nil)
	users, fails := r.users, 8
	r.users = func(ctx context.Context, id types.UserID) ([]notify.User, error) {
		if fails > 0 {
			fails--
			return nil, errBoom
		}
		return users(ctx, id)
	}
	r.start()
	r.put(push("u", "1"))
	pass(time.Hour)
	r.finish()
	require.Len(t, r.got(), 1)
	require.Empty(t, r.letters())
}

func unknownUser(t *testing.T) {
	r := newRig(t, nil)
	r.users = func(context.Context, types.UserID) ([]notify.User, error) {
		return nil, fmt.Errorf("users: %w", notify.ErrUnknownUser)
	}
	r.start()
	r.put(push("u", "1"), ping("u", callback), `{"deregistrations":[{"userId":"u"}]}`)
	pass(30 * time.Second)
	require.Empty(t, r.letters(), "the grace has not passed")
	pass(2 * time.Minute)
	r.users = func(context.Context, types.UserID) ([]notify.User, error) { return nil, nil }
	r.finish()
	require.Empty(t, r.got())
	require.Empty(t, r.told())
	require.Len(t, r.letters(), 2)
	require.Equal(t, 3, r.count(notify.ResultUnknownUser))
	require.Equal(t, 0, r.left())
}

func userKnownLate(t *testing.T) {
	r := newRig(t, nil)
	users, start := r.users, time.Now()
	r.users = func(ctx context.Context, id types.UserID) ([]notify.User, error) {
		if time.Since(start) < 5*time.Second {
			return nil, nil
		}
		return users(ctx, id)
	}
	r.start()
	r.put(push("u", "1"))
	pass(2 * time.Minute)
	r.finish()
	require.Len(t, r.got(), 1)
	require.Empty(t, r.letters())
}

// pullRig answers the n-th call of Follow by answer(n), from 1.
func pullRig(t *testing.T, answer func(n int, u types.Secret) iter.Seq2[types.Summary, error]) (*rig, *atomic.Int64) {
	calls := new(atomic.Int64)
	return newRig(t, garmin{follow: func(_ context.Context, _ types.Kind, u types.Secret) iter.Seq2[types.Summary, error] {
		return answer(int(calls.Add(1)), u)
	}}), calls
}

func pull500(t *testing.T) {
	r, calls := pullRig(t, func(n int, _ types.Secret) iter.Seq2[types.Summary, error] {
		if n <= 6 {
			return yields(&statusError{status: 500})
		}
		return yields(nil, &types.Activity{UserID: "u", SummaryID: "1"})
	})
	r.start()
	r.put(ping("u", callback))
	pass(time.Hour)
	r.finish()
	require.EqualValues(t, 7, calls.Load())
	require.Len(t, r.got(), 1)
	want := time.Second
	for _, o := range r.outcomes[:6] {
		require.Equal(t, notify.ResultRetry, o.Result)
		require.GreaterOrEqual(t, o.Wait, want/2)
		require.LessOrEqual(t, o.Wait, want)
		want *= 2
	}
}

func pull429(t *testing.T) {
	for after, most := range map[time.Duration]time.Duration{
		90 * time.Second:     100 * time.Second,
		365 * 24 * time.Hour: 67 * time.Minute,
		-time.Hour:           time.Second,
	} {
		r, calls := pullRig(t, func(n int, _ types.Secret) iter.Seq2[types.Summary, error] {
			if n == 1 {
				return yields(&statusError{status: 429, after: after})
			}
			return yields(nil, &types.Activity{SummaryID: "1"})
		})
		r.start()
		r.put(ping("u", callback))
		pass(min(max(0, after), time.Hour))
		synctest.Wait()
		require.EqualValues(t, 1, calls.Load(), "asked before Retry-After")
		pass(most)
		require.EqualValues(t, 2, calls.Load(), "after %v", after)
		r.finish()
		require.Len(t, r.got(), 1)
	}
}

func pull410(t *testing.T) {
	r, calls := pullRig(t, func(int, types.Secret) iter.Seq2[types.Summary, error] {
		return yields(&statusError{status: 410})
	})
	r.start()
	r.put(ping("u", callback))
	pass(time.Hour)
	r.finish()
	require.EqualValues(t, 1, calls.Load())
	require.Len(t, r.letters(), 1)
}

func tokenRevoked(t *testing.T) {
	var revoked atomic.Bool
	revoked.Store(true)
	r, calls := pullRig(t, func(_ int, u types.Secret) iter.Seq2[types.Summary, error] {
		if revoked.Load() && strings.Contains(string(u), "bad") {
			return yields(&statusError{status: 401})
		}
		return yields(nil, &types.Activity{SummaryID: types.ID(u[len(u)-1:])})
	})
	r.start()
	for i := range 9 {
		r.put(ping("u", fmt.Sprint("https://bad/", i)))
	}
	r.put(ping("v", "https://good/0"), push("u", "pushed"))
	synctest.Wait()
	require.Equal(t, []string{"local-u activities pushed", "local-v activities 0"}, r.sorted())
	require.EqualValues(t, 10, calls.Load(), "each asks once")
	pass(3 * time.Hour)
	require.Less(t, calls.Load(), int64(38), "a parked user costs few calls")
	revoked.Store(false)
	pass(time.Hour)
	r.finish()
	require.Len(t, r.got(), 11)
	require.Empty(t, r.letters())
	require.Equal(t, 0, r.left())
}

func consentMissing(t *testing.T) {
	missing := true
	r, _ := pullRig(t, func(_ int, u types.Secret) iter.Seq2[types.Summary, error] {
		if missing {
			return yields(&statusError{status: 412})
		}
		return yields(nil, &types.Activity{SummaryID: "1"})
	})
	r.start()
	r.put(ping("u", callback), ping("u", callback+"2"))
	pass(5 * time.Hour)
	synctest.Wait()
	missing = false
	r.put(`{"userPermissionsChange":[{"userId":"u","permissions":["ACTIVITY_EXPORT"]}]}`)
	synctest.Wait() // no time passes
	require.Len(t, r.got(), 2)
	r.finish()
	require.Len(t, r.told(), 1)
}

func forgedPing(t *testing.T) {
	r, _ := pullRig(t, func(_ int, u types.Secret) iter.Seq2[types.Summary, error] {
		if strings.HasSuffix(string(u), "forged") {
			return yields(&statusError{status: 403})
		}
		return yields(nil, &types.Activity{SummaryID: types.ID(u)})
	})
	r.start()
	r.put(ping("u", "https://forged"))
	for i := range 200 {
		r.put(ping("u", fmt.Sprint("https://good/", i)))
	}
	pass(30 * time.Second)
	require.Len(t, r.got(), 200)
	r.put(ping("u", "https://good/later"))
	pass(2 * time.Minute)
	require.Len(t, r.got(), 201)
	pass(24 * time.Hour)
	r.put(ping("u", "https://good/much-later"))
	pass(2 * time.Minute)
	require.Len(t, r.got(), 202, "it does not wait for the forged one's next turn")
	for i := range 100 {
		// In a steady stream none waits at all.
		r.put(ping("u", fmt.Sprint("https://stream/", i)))
		pass(time.Minute)
		require.Len(t, r.got(), 203+i)
	}
	pass(8 * 24 * time.Hour)
	r.finish()
	require.Len(t, r.letters(), 1)
}

func pullBreaks(t *testing.T) {
	r, calls := pullRig(t, func(n int, _ types.Secret) iter.Seq2[types.Summary, error] {
		all := []types.Summary{&types.Activity{SummaryID: "1"}, &types.Activity{SummaryID: "2"}, &types.Activity{SummaryID: "3"}}
		if n < 3 {
			return yields(io.ErrUnexpectedEOF, all[:n]...)
		}
		return yields(nil, all...)
	})
	save, fails := r.calls.Save, 1
	r.calls.Save = func(ctx context.Context, d *notify.Delivery, s types.Summary) error {
		require.True(t, d.Pulled)
		if s.ID() == "2" && fails > 0 {
			fails--
			return errBoom
		}
		return save(ctx, d, s)
	}
	r.start()
	r.put(ping("u", callback))
	pass(time.Minute)
	r.finish()
	require.EqualValues(t, 4, calls.Load())
	require.Equal(t, []string{"local-u activities 1", "local-u activities 3", "local-u activities 2"}, r.got())
}

func pullBadItem(t *testing.T) {
	r, calls := pullRig(t, func(int, types.Secret) iter.Seq2[types.Summary, error] {
		return yields(notify.Permanent(errors.New("1 of the items cannot be read")), &types.Activity{SummaryID: "1"}, &types.Activity{SummaryID: "3"})
	})
	save, fails := r.calls.Save, 1
	r.calls.Save = func(ctx context.Context, d *notify.Delivery, s types.Summary) error {
		if s.ID() == "3" && fails > 0 {
			fails--
			return errBoom
		}
		return save(ctx, d, s)
	}
	r.start()
	r.put(ping("u", callback))
	pass(time.Hour)
	r.finish()
	require.Equal(t, []string{"local-u activities 1", "local-u activities 3"}, r.got())
	require.EqualValues(t, 2, calls.Load())
	require.Len(t, r.letters(), 1)
	require.Equal(t, "1 of the items cannot be read", r.letters()[0].Reason)
}

func pullBreaksForEver(t *testing.T) {
	r, _ := pullRig(t, func(int, types.Secret) iter.Seq2[types.Summary, error] {
		return yields(io.ErrUnexpectedEOF, &types.Activity{SummaryID: "1"})
	})
	r.start()
	r.put(ping("u", callback))
	pass(6 * 24 * time.Hour)
	require.Empty(t, r.got())
	pass(2 * 24 * time.Hour)
	r.finish()
	require.Len(t, r.got(), 1)
	require.Len(t, r.letters(), 1)
}

func pullWrongUser(t *testing.T) {
	for own, want := range map[int]int{2: 0, 2100: 2001} { // a pull beyond maxPull is delivered in parts
		r, calls := pullRig(t, func(int, types.Secret) iter.Seq2[types.Summary, error] {
			all := make([]types.Summary, own, own+1)
			for i := range all {
				all[i] = &types.Activity{UserID: []types.UserID{"", "u"}[i%2], SummaryID: types.ID(fmt.Sprint(i))}
			}
			return yields(nil, append(all, &types.Activity{UserID: "victim", SummaryID: "3"})...)
		})
		var got error
		observe := r.opts.Observe
		r.opts.Observe = func(o notify.Outcome) { got = o.Err; observe(o) }
		r.start()
		r.put(ping("u", callback))
		pass(time.Hour)
		r.finish()
		require.Len(t, r.got(), want)
		require.ErrorIs(t, got, notify.ErrWrongUser)
		require.EqualValues(t, 1, calls.Load())
		require.Len(t, r.letters(), 1)
		require.Contains(t, r.letters()[0].Reason, "another user")
	}
}

func noClient(t *testing.T) {
	r, _ := pullRig(t, func(int, types.Secret) iter.Seq2[types.Summary, error] {
		return yields(nil, &types.Activity{SummaryID: "1"})
	})
	users, start := r.users, time.Now()
	r.users = func(ctx context.Context, id types.UserID) ([]notify.User, error) {
		if time.Since(start) < time.Hour {
			return []notify.User{{ID: string(id)}}, nil
		}
		return users(ctx, id)
	}
	r.start()
	r.put(ping("u", callback))
	pass(2 * time.Hour)
	r.finish()
	require.Len(t, r.got(), 1)
}

func garminDown(t *testing.T) {
	const pings = 200
	start := time.Now()
	r, calls := pullRig(t, func(_ int, u types.Secret) iter.Seq2[types.Summary, error] {
		if time.Since(start) < 6*time.Hour {
			return yields(&statusError{status: 503})
		}
		return yields(nil, &types.Activity{SummaryID: types.ID(u)})
	})
	r.start()
	for i := range pings {
		r.put(ping(fmt.Sprint("user", i), fmt.Sprint("https://x/", i)))
	}
	pass(6*time.Hour + 20*time.Minute)
	r.finish()
	require.Len(t, r.got(), pings)
	require.Empty(t, r.letters())
	// Ten to reach the cap of 15 minutes, then one every 7.5 to 15 minutes.
	require.Less(t, calls.Load(), int64(pings*(11+6*8+1)))
}

func secretsInErrors(t *testing.T) {
	const token = "SECRET-CANARY-1"
	leak := func(u types.Secret, cause error) error {
		return &url.Error{Op: "Get", URL: string(u), Err: cause}
	}
	r := newRig(t, garmin{
		follow: func(_ context.Context, _ types.Kind, u types.Secret) iter.Seq2[types.Summary, error] {
			if strings.Contains(string(u), "moveiq") {
				return yields(notify.Permanent(leak(u, errBoom)))
			}
			return yields(leak(u, &statusError{status: 401}))
		},
		download: func(_ context.Context, u types.Secret) (io.ReadCloser, error) {
			_, query, _ := strings.Cut(string(u), "?")
			return nil, fmt.Errorf("query %s refused: %w", query, errBoom)
		},
	})
	var log bytes.Buffer
	r.opts.Logger = slog.New(slog.NewJSONHandler(&log, nil))
	r.opts.Files = &notify.Files{Dir: t.TempDir()}
	var lasting []error
	observe := r.opts.Observe
	r.opts.Observe = func(o notify.Outcome) {
		observe(o)
		r.mu.Lock()
		defer r.mu.Unlock()
		lasting = append(lasting, o.Err)
	}
	r.start()
	r.put(
		ping("u", callback),
		`{"moveIQActivities":[{"userId":"v","callbackURL":"https://x/moveiq?uploadStartTimeInSeconds=1&token=SECRET-CANARY-1"}]}`,
		filePing("w", "1-file", "https://x/activityFile?id=1&token=SECRET-CANARY-1"),
		`{"activities":[{"userId":17,"userAccessToken":"SECRET-CANARY-1"}]}`,
	)
	pass(8 * 24 * time.Hour)
	r.finish()
	letters := r.letters()
	require.Len(t, letters, 4)
	seen := log.String()
	for _, o := range r.outcomes {
		seen += fmt.Sprintf("%v %+v %s\n", o, o, o.LogValue())
	}
	for _, l := range letters {
		seen += l.Reason + fmt.Sprintf("%+v", *l.DeadLetter)
		require.Contains(t, l.raw(), token, "the letter keeps the item whole")
	}
	require.NotContains(t, seen, token)
	require.Contains(t, seen, "[REDACTED]")
	require.True(t, slices.ContainsFunc(lasting, func(err error) bool { return errors.Is(err, errBoom) }), "the cause can be had")
}

func poisonItem(t *testing.T) {
	r := newRig(t, garmin{download: func(context.Context, types.Secret) (io.ReadCloser, error) {
		return io.NopCloser(strings.NewReader(tcx)), nil
	}})
	r.opts.Files = &notify.Files{Dir: t.TempDir()}
	save := r.calls.Save
	r.calls.Save = func(ctx context.Context, d *notify.Delivery, s types.Summary) error {
		if a, ok := s.(*types.Activity); ok && a.ActivityName == "poison" {
			return errBoom
		}
		return save(ctx, d, s)
	}
	r.start()
	r.put(
		`{"activities":[{"userId":"u","summaryId":"1"},{"userId":"u","summaryId":"2","activityName":"poison"},{"userId":"u","summaryId":"3"}]}`,
		`{"activities":[{"userId":"u","summaryId":"2","activityName":"edited"}]}`,
		filePing("u", "2-file", "https://x/activityFile?id=1&token=abcdef"),
		`{"deregistrations":[{"userId":"u"}]}`,
	)
	pass(time.Hour)
	require.Equal(t, []string{"local-u activities 1", "local-u activities 3"}, r.got())
	require.Len(t, r.files, 1)
	require.Len(t, r.told(), 1)
	pass(7 * 24 * time.Hour)
	r.finish()
	require.Equal(t, "local-u activities 2", r.got()[2], "the edit runs when the poison is out of the way")
	l := r.letters()
	require.Len(t, l, 1)
	require.Equal(t, "notify: deadline passed: boom", l[0].Reason)
	require.Equal(t, 0, r.left())
}

func duplicateDelivery(t *testing.T) {
	r := newRig(t, nil)
	r.start()
	var wg sync.WaitGroup
	for range 3 {
		wg.Go(func() { r.put(push("u", "1")) })
	}
	wg.Wait()
	synctest.Wait()
	r.finish()
	require.Len(t, r.keys, 3)
	require.Len(t, slices.Compact(r.keys), 1)
}

func editedActivity(t *testing.T) {
	r := newRig(t, nil)
	var names, keys []string
	fails := 4
	r.calls.Save = func(_ context.Context, d *notify.Delivery, s types.Summary) error {
		name := s.(*types.Activity).ActivityName
		if fails > 0 && name == "a" { // b alone would get through
			fails--
			return errBoom
		}
		names = append(names, name)
		keys = append(keys, d.Key)
		return nil
	}
	r.start()
	r.put(`{"activities":[{"userId":"u","summaryId":"1","activityName":"a"}]}`,
		`{"activities":[{"userId":"u","summaryId":"1","activityName":"b"}]}`)
	pass(time.Hour)
	r.finish()
	require.Equal(t, []string{"a", "b"}, names)
	require.NotEqual(t, keys[0], keys[1])
	require.Equal(t, keys[0][:len("activities/u/1/")], keys[1][:len("activities/u/1/")])
}

func reorderedDelivery(t *testing.T) {
	bodies := []string{
		push("u", "1"), push("u", "2"), push("v", "1"),
		`{"userPermissionsChange":[{"userId":"u","permissions":[],"changeTimeInSeconds":2}]}`,
		`{"userPermissionsChange":[{"userId":"u","permissions":["ACTIVITY_EXPORT"],"changeTimeInSeconds":1}]}`,
	}
	keys := func(order []string) []string {
		r := newRig(t, nil)
		change := r.calls.PermissionChange
		r.calls.PermissionChange = func(ctx context.Context, d *notify.Delivery, e *notify.PermissionChange) error {
			r.mu.Lock()
			r.keys = append(r.keys, fmt.Sprint(d.Key, e.ChangeTimeInSeconds))
			r.mu.Unlock()
			return change(ctx, d, e)
		}
		r.start()
		r.put(order...)
		synctest.Wait()
		r.finish()
		slices.Sort(r.keys)
		return r.keys
	}
	want := keys(bodies)
	require.Len(t, want, 5)
	slices.Reverse(bodies)
	require.Equal(t, want, keys(bodies))
}

func badItem(t *testing.T) {
	r := newRig(t, nil)
	r.start()
	items := make([]string, 1000)
	for i := range items {
		items[i] = fmt.Sprintf(`{"userId":"u%d","summaryId":"%d"}`, i%10, i)
	}
	items[500] = `{"userId":"u","summaryId":{"id":500}}`
	r.put(`{"activities":[` + strings.Join(items, ",") + `]}`)
	synctest.Wait()
	r.finish()
	require.Len(t, r.got(), 999)
	l := r.letters()
	require.Len(t, l, 1)
	require.True(t, l[0].Quarantined)
	require.Equal(t, items[500], l[0].raw())
	require.Contains(t, l[0].Reason, "activities[500]")
	require.Equal(t, 0, r.left())
}

func brokenBody(t *testing.T) {
	r := newRig(t, nil)
	body := `{"activities":[{"userId":"u","summaryId":"1"}],"moveIQActivities":[{"userId":"u","summaryId":"2"}]} trailing`
	r.start()
	r.put(body)
	synctest.Wait()
	r.finish()
	require.Equal(t, []string{"local-u activities 1", "local-u moveIQActivities 2"}, r.got())
	l := r.letters()
	require.Len(t, l, 1)
	require.Empty(t, l[0].Key)
	require.Equal(t, body, l[0].body)
	require.Equal(t, 0, r.left())
}

// details is a body of at least n bytes.
func details(user, id string, n int) string {
	sample := `{"startTimeInSeconds":1700000000,"heartRate":140,"speedMetersPerSecond":3.1}`
	samples := strings.TrimSuffix(strings.Repeat(sample+",", n/len(sample)+1), ",")
	return fmt.Sprintf(`{"activityDetails":[{"userId":%q,"summaryId":%q,"summary":{},"samples":[%s]}]}`, user, id, samples)
}

func hugeItems(t *testing.T) {
	r := newRig(t, nil)
	save, gate := r.calls.Save, make(chan struct{})
	samples := 0
	r.calls.Save = func(ctx context.Context, d *notify.Delivery, s types.Summary) error {
		if det, ok := s.(*types.ActivityDetails); ok {
			<-gate
			r.mu.Lock()
			samples += len(det.Samples)
			r.mu.Unlock()
		}
		return save(ctx, d, s)
	}
	r.start()
	for i := range 20 { // more than there are workers for pushes
		r.put(details(fmt.Sprint("tenant", i), "1-detail", 300<<10))
	}
	synctest.Wait() // the places are taken
	r.put(push("small", "1"), `{"deregistrations":[{"userId":"small"}]}`)
	synctest.Wait()
	require.Equal(t, []string{"local-small activities 1"}, r.got())
	require.Len(t, r.told(), 1)
	close(gate)
	synctest.Wait()
	r.finish()
	require.Len(t, r.got(), 21)
	require.Greater(t, samples, 20*3000)
}

func slowPulls(t *testing.T) {
	gate := make(chan struct{})
	r, _ := pullRig(t, func(int, types.Secret) iter.Seq2[types.Summary, error] {
		<-gate
		return yields(nil, &types.Activity{SummaryID: "pulled"})
	})
	r.start()
	for i := range 100 {
		r.put(ping(fmt.Sprint("u", i), callback))
	}
	synctest.Wait() // the places are taken
	r.put(push("v", "1"), `{"deregistrations":[{"userId":"v"}]}`)
	synctest.Wait()
	require.Equal(t, []string{"local-v activities 1"}, r.got())
	require.Len(t, r.told(), 1)
	close(gate)
	synctest.Wait()
	r.finish()
	require.Len(t, r.got(), 101)
}

func slowDetails(t *testing.T) {
	gate := make(chan struct{})
	r := newRig(t, garmin{follow: func(_ context.Context, kind types.Kind, _ types.Secret) iter.Seq2[types.Summary, error] {
		if kind == types.KindActivityDetails {
			<-gate
		}
		return yields(nil, &types.Activity{SummaryID: "pulled"})
	}})
	r.start()
	for i := range 100 {
		r.put(strings.Replace(ping(fmt.Sprint("u", i), callback), "activities", "activityDetails", 1))
	}
	synctest.Wait() // the places are taken
	r.put(ping("v", callback))
	synctest.Wait()
	require.Equal(t, []string{"local-v activities pulled"}, r.got())
	close(gate)
	synctest.Wait()
	r.finish()
	require.Len(t, r.got(), 101)
}

func slowCallbacks(t *testing.T) {
	r := newRig(t, nil)
	save, gate := r.calls.Save, make(chan struct{})
	r.calls.Save = func(ctx context.Context, d *notify.Delivery, s types.Summary) error {
		<-gate
		return save(ctx, d, s)
	}
	r.start()
	for i := range 100 {
		r.put(push(fmt.Sprint("u", i), "1"))
	}
	synctest.Wait() // the places are taken
	r.put(`{"deregistrations":[{"userId":"v"}],"userPermissionsChange":[{"userId":"w","permissions":[]}]}`)
	synctest.Wait()
	require.Len(t, r.told(), 2)
	close(gate)
	synctest.Wait()
	r.finish()
	require.Len(t, r.got(), 100)
}

func stopInBackoff(t *testing.T) {
	r := newRig(t, nil)
	r.calls.Save = func(context.Context, *notify.Delivery, types.Summary) error { return errBoom }
	r.start()
	r.put(push("u", "1"))
	pass(time.Hour)
	begun := time.Now()
	r.finish()
	require.Less(t, time.Since(begun), 100*time.Millisecond)
	require.Equal(t, 1, r.left())
	require.Empty(t, r.letters())
}

func stopInCallback(t *testing.T) {
	r := newRig(t, nil)
	r.opts.DrainTimeout = -1
	var cause error
	r.calls.Save = func(ctx context.Context, _ *notify.Delivery, _ types.Summary) error {
		<-ctx.Done()
		cause = context.Cause(ctx)
		return ctx.Err()
	}
	r.calls.File = nil
	p, err := notify.NewProcessor(r.queue, r.users, r.calls, &r.opts)
	require.NoError(t, err)
	ctx, cancel := context.WithCancelCause(t.Context())
	ended := make(chan error)
	go func() { ended <- p.Run(ctx) }()
	r.put(push("u", "1"))
	synctest.Wait()
	begun := time.Now()
	cancel(errBoom)
	require.NoError(t, <-ended)
	require.Less(t, time.Since(begun), 100*time.Millisecond)
	require.ErrorIs(t, cause, errBoom)
	require.Equal(t, 1, r.left())
	require.Empty(t, r.outcomes, "a stop is no failed attempt")
}

func stopInFlight(t *testing.T) {
	r := newRig(t, nil)
	save := r.calls.Save
	r.calls.Save = func(ctx context.Context, d *notify.Delivery, s types.Summary) error {
		time.Sleep(5 * time.Second)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		return save(ctx, d, s)
	}
	r.start()
	r.put(push("u", "1"), push("u", "2"), push("v", "3"))
	pass(time.Second)
	begun := time.Now()
	r.finish()
	require.Equal(t, 4*time.Second, time.Since(begun))
	require.Equal(t, []string{"local-u activities 1", "local-v activities 3"}, r.sorted())
	require.Equal(t, 1, r.left(), "what had not begun stays")
	r.start()
	pass(time.Minute)
	r.finish()
	require.Len(t, r.got(), 3)
}

func hangAtStop(t *testing.T) {
	r := newRig(t, nil)
	gate := make(chan struct{})
	r.calls.Save = func(context.Context, *notify.Delivery, types.Summary) error { <-gate; return nil }
	r.start()
	r.put(push("u", "1"))
	synctest.Wait()
	begun := time.Now()
	r.stop()
	require.ErrorContains(t, <-r.ended, "1 attempts")
	require.Equal(t, 11*time.Second, time.Since(begun))
	close(gate)
}

func clockJump(t *testing.T) {
	r := newRig(t, nil)
	r.queue = &skewed{Queue: r.queue, by: 365 * 24 * time.Hour}
	r.calls.Save = func(context.Context, *notify.Delivery, types.Summary) error { return errBoom }
	r.start()
	r.put(push("u", "1")) // seems to come from next year
	pass(7*24*time.Hour + time.Minute)
	require.Len(t, r.letters(), 1, "it had its seven days and no more")
	r.finish()

	r = newRig(t, nil)
	r.queue = &skewed{Queue: r.queue, by: -365 * 24 * time.Hour}
	r.start()
	r.put(push("u", "1")) // seems a year old
	synctest.Wait()
	r.finish()
	require.Len(t, r.got(), 1, "nothing is given up on untried")
}

// skewed is a queue whose clock was wrong when it stored.
type skewed struct {
	notify.Queue
	by time.Duration
}

func (q *skewed) Shares(ctx context.Context) iter.Seq2[notify.Share, error] {
	return func(yield func(notify.Share, error) bool) {
		for s, err := range q.Queue.Shares(ctx) {
			if !yield(&skewedShare{s, q.by}, err) {
				return
			}
		}
	}
}

type skewedShare struct {
	notify.Share
	by time.Duration
}

func (s *skewedShare) skew(items []*notify.Item, err error) ([]*notify.Item, error) {
	for _, it := range items {
		it.Received = it.Received.Add(s.by)
	}
	return items, err
}

func (s *skewedShare) Scan(ctx context.Context, c notify.Class, after notify.ItemID, n int) ([]*notify.Item, error) {
	return s.skew(s.Share.Scan(ctx, c, after, n))
}

func (s *skewedShare) Load(ctx context.Context, ids []notify.ItemID) ([]*notify.Item, error) {
	return s.skew(s.Share.Load(ctx, ids))
}

func deadline(t *testing.T) {
	r, calls := pullRig(t, func(int, types.Secret) iter.Seq2[types.Summary, error] {
		return yields(&statusError{status: 500})
	})
	var last time.Duration
	observe := r.opts.Observe
	r.opts.Observe = func(o notify.Outcome) {
		observe(o)
		switch o.Result {
		case notify.ResultExpiring:
			require.LessOrEqual(t, o.Left, 4*time.Hour)
			require.Greater(t, o.Left, 3*time.Hour)
		case notify.ResultRetry:
			last = o.Left
		}
	}
	r.start()
	r.put(ping("u", callback))
	pass(7 * 24 * time.Hour)
	synctest.Wait()
	require.Equal(t, 1, r.count(notify.ResultExpiring))
	require.Len(t, r.letters(), 1)
	require.Equal(t, time.Minute, last, "the last attempt but one is a minute before the end")
	n := calls.Load()
	pass(time.Hour)
	r.finish()
	require.Equal(t, n, calls.Load())
}
