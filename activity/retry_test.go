package activity_test

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/oauth2"

	"github.com/garminkit/activityapi/activity"
	"github.com/garminkit/activityapi/types"
)

// script is a transport that gives one answer or error after the other, the
// last for ever, and records when it was asked.
type script struct {
	steps []step
	at    []time.Time
}

type step struct {
	status int
	body   string
	header http.Header
	err    error
}

func (s *script) RoundTrip(r *http.Request) (*http.Response, error) {
	i := min(len(s.at), len(s.steps)-1)
	s.at = append(s.at, time.Now())
	if s.steps[i].err != nil {
		return nil, s.steps[i].err
	}
	return response(s.steps[i].status, s.steps[i].body, s.steps[i].header), nil
}

// waits returns the times between requests.
func (s *script) waits() (waits []time.Duration) {
	for i := 1; i < len(s.at); i++ {
		waits = append(waits, s.at[i].Sub(s.at[i-1]))
	}
	return waits
}

func scripted(t *testing.T, opts activity.Options, steps ...step) (*activity.Client, *script) {
	t.Helper()
	s := &script{steps: steps}
	opts.Transport = s
	c, err := poolClient(bearer("user-token"), &opts)
	require.NoError(t, err)
	return c, s
}

// methods are all calls of a client, with what answers them well.
var methods = []struct {
	op   string
	good step
	call func(context.Context, *activity.Client) error
	// repeats tells that a failure that may pass is repeated.
	repeats bool
}{
	{"Activities", step{status: 200, body: "[]"}, func(ctx context.Context, c *activity.Client) error {
		_, err := collect(c.Activities(ctx, lastHour(), nil))
		return err
	}, true},
	{"ManualActivities", step{status: 200, body: "[]"}, func(ctx context.Context, c *activity.Client) error {
		_, err := collect(c.ManualActivities(ctx, lastHour(), nil))
		return err
	}, true},
	{"Details", step{status: 200, body: "[]"}, func(ctx context.Context, c *activity.Client) error {
		_, err := collect(c.Details(ctx, lastHour(), nil))
		return err
	}, true},
	{"MoveIQ", step{status: 200, body: "[]"}, func(ctx context.Context, c *activity.Client) error {
		_, err := collect(c.MoveIQ(ctx, lastHour(), nil))
		return err
	}, true},
	{"Follow", step{status: 200, body: "[]"}, func(ctx context.Context, c *activity.Client) error {
		_, err := collect(c.Follow(ctx, types.KindActivities, base+"/activities"+goodPull))
		return err
	}, true},
	{"UserID", step{status: 200, body: `{"userId":"u"}`}, func(ctx context.Context, c *activity.Client) error {
		_, err := c.UserID(ctx)
		return err
	}, true},
	{"Permissions", step{status: 200, body: "[]"}, func(ctx context.Context, c *activity.Client) error {
		_, err := c.Permissions(ctx)
		return err
	}, true},
	{"Deregister", step{status: 204}, func(ctx context.Context, c *activity.Client) error {
		return c.Deregister(ctx)
	}, true},
	{"Backfill", step{status: 202}, func(ctx context.Context, c *activity.Client) error {
		return c.Backfill(ctx, types.KindActivities, monthBack)
	}, false},
	{"Download", step{status: 200, body: "file"}, func(ctx context.Context, c *activity.Client) error {
		f, err := c.Download(ctx, base+"/activityFile?id=1&token=t")
		if err != nil {
			return err
		}
		defer f.Close()
		_, err = io.Copy(io.Discard, f)
		return err
	}, false},
}

// TestAttempts is the table of what is repeated (rows F22, F23, F24, F31).
func TestAttempts(t *testing.T) {
	reset := &net.OpError{Op: "read", Net: "tcp", Err: errors.New("connection reset by peer")}
	for _, test := range []struct {
		name string
		fail step
		pass bool // may pass
	}{
		{"408", step{status: 408}, true},
		{"425", step{status: 425}, true},
		{"429", step{status: 429}, true},
		{"500", step{status: 500}, true},
		{"502", step{status: 502, body: "<html>"}, true},
		{"503", step{status: 503}, true},
		{"504", step{status: 504}, true},
		{"599", step{status: 599}, true},
		{"reset", step{err: reset}, true},
		{"EOF", step{err: io.EOF}, true},
		{"DNS fails for now", step{err: &net.DNSError{Err: "server misbehaving", Name: "apis.garmin.com", IsTemporary: true}}, true},
		{"no such host", step{err: &net.DNSError{Err: "no such host", Name: "apis.garmin.com", IsNotFound: true}}, false},
		{"certificate of another host", step{err: x509.HostnameError{Certificate: &x509.Certificate{}, Host: "h"}}, false},
		{"unknown authority", step{err: x509.UnknownAuthorityError{}}, false},
		{"expired certificate", step{err: x509.CertificateInvalidError{Reason: x509.Expired, Cert: &x509.Certificate{}}}, false},
		{"203", step{status: 203}, false},
		{"206", step{status: 206}, false},
		{"301", step{status: 301, header: http.Header{"Location": {"https://evil.example/"}}}, false},
		{"302", step{status: 302, header: http.Header{"Location": {"/elsewhere"}}}, false},
		{"304", step{status: 304}, false},
		{"307 with a broken Location", step{status: 307, header: http.Header{"Location": {"https://evil.example/%zz?token=CANARY"}}}, false},
		{"308", step{status: 308, header: http.Header{"Location": {base + "/user/registration"}}}, false},
		{"400", step{status: 400}, false},
		{"401", step{status: 401}, false},
		{"403", step{status: 403}, false},
		{"404", step{status: 404}, false},
		{"409", step{status: 409}, false},
		{"410", step{status: 410}, false},
		{"412", step{status: 412}, false},
		{"501", step{status: 501}, false},
		{"505", step{status: 505}, false},
		{"999", step{status: 999}, false},
	} {
		for _, m := range methods {
			if m.op == "Download" && (test.fail.status == 203 || test.fail.status == 206) {
				continue // They may have the file: TestFileAnswers.
			}
			t.Run(test.name+"/"+m.op, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					// Once, then well.
					c, s := scripted(t, activity.Options{}, test.fail, m.good)
					err := m.call(context.Background(), c)
					if test.pass && m.repeats {
						require.NoError(t, err)
						require.Len(t, s.at, 2)
					} else {
						require.Error(t, err)
						require.Len(t, s.at, 1, "exactly one attempt")
						require.NotContains(t, err.Error(), "CANARY")
					}
					// Always.
					c, s = scripted(t, activity.Options{}, test.fail)
					err = m.call(context.Background(), c)
					want := 1
					if test.pass && m.repeats {
						want = 4
					}
					require.Len(t, s.at, want)
					e := asError(t, err)
					require.Equal(t, want, e.Attempts)
					require.Equal(t, test.fail.status, e.StatusCode)
					require.Equal(t, m.op, e.Op)
					if !m.repeats && test.fail.err != nil {
						require.ErrorIs(t, err, activity.ErrMaybeSpent, "a transport that does not tell may have sent it")
						require.ErrorIs(t, err, test.fail.err)
					}
					// Never, if so chosen.
					c, s = scripted(t, activity.Options{MaxRetries: -1}, test.fail)
					require.Error(t, m.call(context.Background(), c))
					require.Len(t, s.at, 1)
				})
			})
		}
	}
}

// TestEachAttemptIsSignedAfresh is row F23 and the order of the layers: five
// attempts with one nonce would be four replays.
func TestEachAttemptIsSignedAfresh(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n, seen := 0, map[string]bool{}
		s := &script{steps: []step{{status: 503}, {status: 503}, {status: 503}, {status: 200, body: `{"userId":"u"}`}}}
		c, err := poolClient(header(func() string { n++; return fmt.Sprint("OAuth ", n) }), &activity.Options{
			Transport: roundTripper(func(r *http.Request) (*http.Response, error) {
				seen[r.Header.Get("Authorization")] = true
				return s.RoundTrip(r)
			}),
		})
		require.NoError(t, err)
		_, err = c.UserID(t.Context())
		require.NoError(t, err)
		require.Len(t, seen, 4)
	})
}

// TestRetryAfter is row F30: whatever the header says, the wait is between 0
// and the cap.
func TestRetryAfter(t *testing.T) {
	const cap = 20 * time.Second
	for _, test := range []struct {
		name   string
		header func(now time.Time) string
		wait   time.Duration // at least; 0: the ordinary back-off
		after  time.Duration // Error.RetryAfter
	}{
		{"seconds", func(time.Time) string { return "7" }, 7 * time.Second, 7 * time.Second},
		{"blanks", func(time.Time) string { return " 7 " }, 7 * time.Second, 7 * time.Second},
		{"fraction", func(time.Time) string { return "1.5" }, 1500 * time.Millisecond, 1500 * time.Millisecond},
		{"zero", func(time.Time) string { return "0" }, 0, 0},
		{"negative", func(time.Time) string { return "-5" }, 0, 0},
		{"a day", func(time.Time) string { return "86400" }, cap * 9 / 10, time.Hour},
		{"a year", func(time.Time) string { return "31536000" }, cap * 9 / 10, time.Hour},
		{"overflow", func(time.Time) string { return "9223372036854775807" }, cap * 9 / 10, time.Hour},
		{"more digits", func(time.Time) string { return strings.Repeat("9", 400) }, cap * 9 / 10, time.Hour},
		{"negative overflow", func(time.Time) string { return "-" + strings.Repeat("9", 400) }, 0, 0},
		{"not a number", func(time.Time) string { return "NaN" }, 0, 0},
		{"infinite", func(time.Time) string { return "+Inf" }, cap * 9 / 10, time.Hour},
		{"text", func(time.Time) string { return "soon" }, 0, 0},
		{"empty", func(time.Time) string { return "" }, 0, 0},
		{"date", func(now time.Time) string { return now.Add(9 * time.Second).Format(http.TimeFormat) }, 9 * time.Second, 9 * time.Second},
		{"date in RFC 850", func(now time.Time) string { return now.Add(9 * time.Second).Format("Monday, 02-Jan-06 15:04:05 GMT") }, 9 * time.Second, 9 * time.Second},
		{"date in asctime", func(now time.Time) string { return now.Add(9 * time.Second).Format(time.ANSIC) }, 9 * time.Second, 9 * time.Second},
		{"date in the past", func(now time.Time) string { return now.Add(-time.Hour).Format(http.TimeFormat) }, 0, 0},
		{"date in a year", func(now time.Time) string { return now.AddDate(1, 0, 0).Format(http.TimeFormat) }, cap * 9 / 10, time.Hour},
		{"year 1", func(time.Time) string { return "Mon, 01 Jan 0001 00:00:00 GMT" }, 0, 0},
		{"year 9999", func(time.Time) string { return "Fri, 31 Dec 9999 23:59:59 GMT" }, cap * 9 / 10, time.Hour},
	} {
		for _, status := range []int{429, 503} {
			t.Run(fmt.Sprintf("%s/%d", test.name, status), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					h := http.Header{"Retry-After": {test.header(time.Now().UTC())}}
					c, s := scripted(t, activity.Options{MaxBackoff: cap, MaxRetries: 1}, step{status: status, header: h})
					_, err := c.UserID(t.Context())
					wait := s.waits()[0]
					require.GreaterOrEqual(t, wait, test.wait)
					require.LessOrEqual(t, wait, cap)
					if test.wait == 0 {
						require.LessOrEqual(t, wait, 500*time.Millisecond)
						require.GreaterOrEqual(t, wait, 250*time.Millisecond, "no hot loop")
					}
					require.Equal(t, types.FaultGarmin, asError(t, err).Fault())
					after := asError(t, err).RetryAfter()
					// A date counts from now, and the wait has moved that.
					require.InDelta(t, test.after, after, float64(cap))
					require.GreaterOrEqual(t, after, time.Duration(0))
				})
			})
		}
	}
	t.Run("random part", func(t *testing.T) {
		// All who were told the same must not come back at the same moment.
		for _, header := range []string{"7", "86400"} {
			synctest.Test(t, func(t *testing.T) {
				different := map[time.Duration]bool{}
				for range 20 {
					c, s := scripted(t, activity.Options{MaxBackoff: cap, MaxRetries: 1}, step{status: 429, header: http.Header{"Retry-After": {header}}})
					_, err := c.UserID(t.Context())
					require.Error(t, err)
					different[s.waits()[0]] = true
				}
				require.Greater(t, len(different), 15, header)
			})
		}
	})
	t.Run("wrong clock here", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			theirs := time.Now().Add(3 * time.Hour).UTC()
			h := http.Header{"Retry-After": {theirs.Add(5 * time.Second).Format(http.TimeFormat)}, "Date": {theirs.Format(http.TimeFormat)}}
			c, s := scripted(t, activity.Options{MaxRetries: 1}, step{status: 503, header: h})
			_, err := c.UserID(t.Context())
			require.Equal(t, 5*time.Second, asError(t, err).Wait)
			require.InDelta(t, 5*time.Second, s.waits()[0], float64(time.Second))
		})
	})
	t.Run("any bytes", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			r := rand.New(rand.NewPCG(1, 2))
			for range 2000 {
				value := make([]byte, r.IntN(24))
				for i := range value {
					value[i] = "0123456789-+.eE, :GMTJanFbrMonSun"[r.IntN(33)]
				}
				c, s := scripted(t, activity.Options{MaxRetries: 1, MaxBackoff: cap}, step{status: 429, header: http.Header{"Retry-After": {string(value)}}})
				_, err := c.UserID(t.Context())
				require.LessOrEqual(t, s.waits()[0], cap)
				require.Positive(t, s.waits()[0])
				require.GreaterOrEqual(t, asError(t, err).Wait, time.Duration(0))
				require.LessOrEqual(t, asError(t, err).Wait, time.Hour)
			}
		})
	})
}

// TestBackoff shows doubling waits with a random part, under the cap.
func TestBackoff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		different := map[time.Duration]bool{}
		for range 20 {
			c, s := scripted(t, activity.Options{MaxRetries: 8, MinBackoff: time.Second, MaxBackoff: 10 * time.Second}, step{status: 503})
			_, err := c.UserID(t.Context())
			require.Error(t, err)
			for i, seconds := range []int{1, 2, 4, 8, 10, 10, 10, 10} {
				want := time.Duration(seconds) * time.Second
				require.GreaterOrEqual(t, s.waits()[i], want/2)
				require.LessOrEqual(t, s.waits()[i], want)
				different[s.waits()[i]] = true
			}
		}
		require.Greater(t, len(different), 150, "waits are random")
	})
}

// TestOutage is the retry economy (row F43): six hours without Garmin, four
// calls a second before, during and after.
func TestOutage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const rate = 4
		began := time.Now()
		from, to := began.Add(time.Hour), began.Add(7*time.Hour)
		down := func() bool { n := time.Now(); return !n.Before(from) && n.Before(to) }
		calls, requests, failed := [2]int{}, [2]int{}, 0
		at := func() int {
			if down() {
				return 1
			}
			return 0
		}
		pool, err := activity.NewPool(&activity.Options{Transport: roundTripper(func(*http.Request) (*http.Response, error) {
			requests[at()]++
			if down() {
				return response(503, "", nil), nil
			}
			return response(200, `{"userId":"u"}`, nil), nil
		})})
		require.NoError(t, err)
		for time.Now().Before(to.Add(time.Hour)) {
			c, err := pool.Client(bearer("token")) // each call is another user's
			require.NoError(t, err)
			calls[at()]++
			before := time.Now()
			if _, err := c.UserID(t.Context()); err != nil {
				failed++
			}
			time.Sleep(max(0, time.Second/rate-time.Since(before)))
		}
		extra := float64(requests[1]-calls[1]) / float64(calls[1])
		t.Logf("outage: %d calls, %d requests, %.4f%% more; else %d calls, %d requests; %d calls failed",
			calls[1], requests[1], 100*extra, calls[0], requests[0], failed)
		require.Greater(t, calls[1], 80_000)
		require.LessOrEqual(t, extra, 0.10)
		require.LessOrEqual(t, requests[1]-calls[1], 10, "what good times have saved up")
		require.InDelta(t, calls[1], failed, 50, "nothing fails but in the outage")
		require.InDelta(t, calls[0], requests[0], 50, "no storm afterwards")
	})
}

// TestBudgetAllowsOrdinaryFailures: one call in twenty fails once, and all are
// mended.
func TestBudgetAllowsOrdinaryFailures(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := 0
		c, err := poolClient(bearer("token"), &activity.Options{Transport: roundTripper(func(*http.Request) (*http.Response, error) {
			if n++; n%20 == 0 {
				return response(502, "", nil), nil
			}
			return response(200, `{"userId":"u"}`, nil), nil
		})})
		require.NoError(t, err)
		for range 5000 {
			_, err := c.UserID(t.Context())
			require.NoError(t, err)
		}
	})
}

// TestContextWins is row F45: the end of the context ends the call at once,
// with its cause, and nothing is left running.
func TestContextWins(t *testing.T) {
	cause := errors.New("shutting down")
	slow := roundTripper(func(r *http.Request) (*http.Response, error) {
		<-r.Context().Done()
		return nil, context.Cause(r.Context())
	})
	for name, test := range map[string]struct {
		opts activity.Options
		cred activity.Credential
	}{
		"in back-off":            {opts: activity.Options{MinBackoff: time.Hour, MaxBackoff: time.Hour, Transport: &script{steps: []step{{status: 503}}}}},
		"in Retry-After":         {opts: activity.Options{MaxBackoff: time.Hour, Transport: &script{steps: []step{{status: 429, header: http.Header{"Retry-After": {"3000"}}}}}}},
		"waiting for the answer": {opts: activity.Options{Transport: slow}},
		"in the body": {opts: activity.Options{Transport: roundTripper(func(r *http.Request) (*http.Response, error) {
			res := response(200, "", nil)
			res.Body, res.ContentLength = stalled{r.Context()}, -1
			return res, nil
		})}},
		"in an error's body": {opts: activity.Options{Transport: roundTripper(func(r *http.Request) (*http.Response, error) {
			res := response(404, "", nil)
			res.Body, res.ContentLength = stalled{r.Context()}, -1
			return res, nil
		})}},
		"waiting for a token": {opts: activity.Options{Transport: slow}, cred: activity.OAuth2(slowSource(2 * time.Hour))},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				test.opts.Timeout = time.Hour
				cred := test.cred
				if cred == nil {
					cred = bearer("token")
				}
				c, err := poolClient(cred, &test.opts)
				require.NoError(t, err)
				for _, m := range methods {
					if !m.repeats && strings.Contains(name, "-") {
						continue // No wait before a repeat: there is none.
					}
					ctx, cancel := context.WithCancelCause(t.Context())
					time.AfterFunc(time.Second, func() { cancel(cause) })
					began := time.Now()
					err := m.call(ctx, c)
					if name == "in an error's body" || name == "in the body" && (m.op == "Deregister" || m.op == "Backfill") {
						// The status has decided.
						require.LessOrEqual(t, time.Since(began), time.Second)
						continue
					}
					require.Equal(t, time.Second, time.Since(began), m.op)
					require.ErrorIs(t, err, context.Canceled)
					require.ErrorIs(t, err, cause)
				}
				time.Sleep(3 * time.Hour) // Sources that nobody waits for end.
			})
		})
	}
	t.Run("before the call", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		for _, m := range methods {
			// This credential asks nobody who would look at the context.
			s := &script{steps: []step{m.good}}
			c, err := poolClient(header(func() string { return "x" }), &activity.Options{Transport: s})
			require.NoError(t, err)
			require.ErrorIs(t, m.call(ctx, c), context.Canceled)
			require.Empty(t, s.at)
		}
	})
	t.Run("a deadline before the repeat", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			c, s := scripted(t, activity.Options{}, step{status: 503, header: http.Header{"Retry-After": {"10"}}})
			began := time.Now()
			_, err := c.UserID(ctx)
			require.Equal(t, 503, asError(t, err).StatusCode, "why it failed, not that time was up")
			require.Equal(t, 10*time.Second, asError(t, err).Wait)
			require.Zero(t, time.Since(began))
			require.Len(t, s.at, 1)
		})
	})
	t.Run("status survives", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			time.AfterFunc(time.Second, cancel)
			c, _ := scripted(t, activity.Options{MinBackoff: time.Minute, MaxBackoff: time.Minute}, step{status: 429})
			_, err := c.UserID(ctx)
			require.ErrorIs(t, err, context.Canceled)
			require.ErrorIs(t, err, activity.ErrRateLimited)
			require.Equal(t, 429, asError(t, err).StatusCode)
		})
	})
}

// stalled is a body that gives nothing until the context ends.
type stalled struct{ ctx context.Context }

func (s stalled) Read([]byte) (int, error) { <-s.ctx.Done(); return 0, s.ctx.Err() }
func (s stalled) Close() error             { return nil }

type slowSource time.Duration

func (s slowSource) Token() (*oauth2.Token, error) {
	time.Sleep(time.Duration(s))
	return nil, errors.New("too late")
}

// TestTimeout: a server that says nothing, stops in the middle of a body, or
// drips an error's body, is not waited for.
func TestTimeout(t *testing.T) {
	for name, test := range map[string]struct {
		status int
		pieces int
		want   time.Duration
	}{
		"no answer":           {0, 0, 10 * time.Second},
		"body stalls":         {200, 0, 10 * time.Second},
		"body stalls later":   {200, 5, (5*9 + 10) * time.Second},
		"error's body stalls": {404, 0, 5 * time.Second},
		"error's body drips":  {404, 100, 5 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c, err := poolClient(bearer("token"), &activity.Options{
					Timeout: 10 * time.Second, MaxRetries: -1,
					Transport: roundTripper(func(r *http.Request) (*http.Response, error) {
						if test.status == 0 {
							<-r.Context().Done()
							return nil, r.Context().Err()
						}
						res := response(test.status, "", nil)
						res.Body, res.ContentLength = &dripping{r.Context(), test.pieces}, -1
						return res, nil
					}),
				})
				require.NoError(t, err)
				began := time.Now()
				_, err = collect(c.Activities(t.Context(), lastHour(), nil))
				require.Error(t, err)
				require.Equal(t, test.want, time.Since(began))
				if test.status != 404 {
					require.ErrorContains(t, err, "timeout")
					want := types.FaultNetwork
					if test.status == 200 {
						want = ""
					}
					require.Equal(t, want, asError(t, err).Fault())
				} else {
					require.Equal(t, 404, asError(t, err).StatusCode)
				}
			})
		})
	}
}

// TestSlowReader: only the wait for the server counts, and not the time that
// the reader takes for what it has read.
func TestSlowReader(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, err := poolClient(bearer("token"), &activity.Options{
			Timeout: 10 * time.Second, MaxRetries: -1,
			Transport: roundTripper(func(r *http.Request) (*http.Response, error) {
				res := response(200, `[{"summaryId":"1"},`+strings.Repeat(" ", 1<<20)+`{"summaryId":"2"}]`, nil)
				res.Body = &untilDone{res.Body, r.Context()}
				return res, nil
			}),
		})
		require.NoError(t, err)
		n := 0
		for _, err := range c.Activities(t.Context(), lastHour(), nil) {
			require.NoError(t, err)
			n++
			time.Sleep(time.Hour)
		}
		require.Equal(t, 2, n)
	})
}

// untilDone is a body that fails when its request is over, as net/http's does.
type untilDone struct {
	io.ReadCloser
	ctx context.Context
}

func (u *untilDone) Read(p []byte) (int, error) {
	if u.ctx.Err() != nil {
		return 0, u.ctx.Err()
	}
	return u.ReadCloser.Read(p[:min(len(p), 4096)])
}

// dripping gives a byte every nine seconds, and then nothing.
type dripping struct {
	ctx    context.Context
	pieces int
}

func (d *dripping) Read(p []byte) (int, error) {
	wait := 9 * time.Second
	if d.pieces--; d.pieces < 0 {
		wait = 1000 * time.Hour
	}
	select {
	case <-d.ctx.Done():
		return 0, d.ctx.Err()
	case <-time.After(wait):
		p[0] = ' '
		return 1, nil
	}
}

func (d *dripping) Close() error { return nil }

// TestCredentialErrors is row F40: a credential that fails costs no request
// and no repeat.
func TestCredentialErrors(t *testing.T) {
	for _, test := range []struct {
		name  string
		err   error
		fault types.Fault
	}{
		{"refresh token refused", refused(400, "invalid_grant", `{"error":"invalid_grant","x":"CANARY"}`), types.FaultUser},
		{"client refused", refused(401, "invalid_client", `{"error":"invalid_client","x":"CANARY"}`), types.FaultApplication},
		{"another client", refused(400, "unauthorized_client", `{"error":"unauthorized_client","x":"CANARY"}`), types.FaultApplication},
		{"odd request", refused(400, "invalid_request", `{"error":"invalid_request","x":"CANARY"}`), ""},
		{"code in a page", refused(400, "invalid_grant", "<html>CANARY"), types.FaultNetwork},
		{"token server's wall", refused(403, "", "<html>CANARY"), types.FaultNetwork},
		{"token server says nothing", refused(401, "", ""), ""},
		{"token server down", refused(503, "", "<html>CANARY"), types.FaultGarmin},
		{"token server down with a code", refused(503, "invalid_grant", `{"error":"invalid_grant","x":"CANARY"}`), types.FaultGarmin},
		{"no answer", &oauth2.RetrieveError{Body: []byte("CANARY")}, types.FaultNetwork},
		{"its own word", &needsReconnect{}, types.FaultUser},
		{"wraps ours", fmt.Errorf("refresh: %w", activity.ErrUnauthorized), types.FaultUser},
		{"network", &net.OpError{Op: "dial", Err: errors.New("connection refused")}, types.FaultNetwork},
	} {
		for _, m := range methods {
			t.Run(test.name+"/"+m.op, func(t *testing.T) {
				s := &script{steps: []step{m.good}}
				asked := 0
				c, err := poolClient(activity.OAuth2(source(func() (*oauth2.Token, error) {
					asked++
					return nil, test.err
				})), &activity.Options{Transport: s})
				require.NoError(t, err)
				err = m.call(context.Background(), c)
				require.Error(t, err)
				require.Equal(t, 1, asked, "exactly one attempt")
				require.Empty(t, s.at)
				require.NotContains(t, err.Error(), "CANARY")
				require.Equal(t, test.fault, asError(t, err).Fault())
				require.Equal(t, !m.repeats, errors.Is(err, types.ErrNotSent))
				if _, ok := test.err.(*oauth2.RetrieveError); !ok {
					require.ErrorIs(t, err, test.err)
				}
			})
		}
	}
}

type source func() (*oauth2.Token, error)

func (s source) Token() (*oauth2.Token, error) { return s() }

type needsReconnect struct{}

func (*needsReconnect) Error() string             { return "connect again" }
func (*needsReconnect) Fault() types.Fault        { return types.FaultUser }
func (*needsReconnect) RetryAfter() time.Duration { return 0 }

func refused(status int, code, body string) error {
	return &oauth2.RetrieveError{Response: response(status, body, nil), ErrorCode: code, Body: []byte(body), ErrorDescription: "CANARY"}
}

// TestLogger: a record for each attempt and each repeat.
func TestLogger(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var b strings.Builder
		logger := slog.New(slog.NewTextHandler(&b, &slog.HandlerOptions{Level: slog.LevelDebug}))
		c, _ := scripted(t, activity.Options{Logger: logger}, step{status: 503}, step{status: 200, body: `{"userId":"u"}`})
		_, err := c.UserID(t.Context())
		require.NoError(t, err)
		require.Equal(t, 2, strings.Count(b.String(), `msg="activity: attempt" op=UserID attempt=`), b.String())
		require.Equal(t, 1, strings.Count(b.String(), `level=WARN msg="activity: repeating" op=UserID attempt=1 status=503`))
		require.NotContains(t, b.String(), strconv.Quote(base))
	})
}
