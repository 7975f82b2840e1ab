package verification_test

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/garminkit/activityapi/activity/activitytest"
	"github.com/garminkit/activityapi/activity/activitytest/verification"
	"github.com/garminkit/activityapi/types"
)

// discard reads everything, keeps nothing and answers 200.
func discard(w http.ResponseWriter, r *http.Request) { io.Copy(io.Discard, r.Body) }

// verdicts counts the checks of each verdict.
func verdicts(r *verification.Report) map[verification.Verdict]int {
	n := map[verification.Verdict]int{}
	for _, c := range r.Checks {
		n[c.Verdict]++
	}
	return n
}

// Nothing passes that needs an answer and had none.
func TestNobodyThere(t *testing.T) {
	dead := httptest.NewServer(nil)
	dead.Close()
	// https to a server whose certificate nobody trusts, or of another name.
	secure := httptest.NewUnstartedServer(http.HandlerFunc(discard))
	secure.Config.ErrorLog = log.New(io.Discard, "", 0)
	secure.StartTLS()
	defer secure.Close()
	other := &http.Transport{
		TLSClientConfig: secure.Client().Transport.(*http.Transport).TLSClientConfig.Clone(),
		DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, network, secure.Listener.Addr().String())
		},
	}
	defer other.CloseIdleConnections()
	plain := httptest.NewServer(http.HandlerFunc(discard))
	defer plain.Close()
	closes := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }))
	defer closes.Close()

	for name, test := range map[string]struct {
		url       string
		transport http.RoundTripper
	}{
		"nothing listens":                  {dead.URL, nil},
		"no such host":                     {"https://no-such-host.invalid/garmin", nil},
		"a certificate that nobody trusts": {secure.URL, nil},
		"a certificate of another host":    {"https://partner.test/garmin", other},
		"https to a plain port":            {"https" + plain.URL[len("http"):], nil},
		"connections are closed":           {closes.URL, nil},
	} {
		t.Run(name, func(t *testing.T) {
			for _, o := range []*verification.Options{
				{Transport: test.transport},
				{Transport: test.transport, Server: twoUsers(), CallbackWait: time.Millisecond},
			} {
				report, err := verification.Run(t.Context(), test.url, o)
				require.NoError(t, err)
				require.False(t, report.OK())
				require.Zero(t, verdicts(report)[verification.Passed], "%s", report)
				for _, name := range []string{"two-users", "https", "push-activities", "ping-activities", "parallel", "large-body"} {
					require.Equal(t, verification.Failed, report.Check(name).Verdict, "%s", report)
				}
			}
		})
	}
}

func twoUsers() *activitytest.Server {
	s := activitytest.NewServer()
	s.AddUser(nil)
	s.AddUser(nil)
	return s
}

// An endpoint that hangs costs minutes and not a quarter of an hour.
func TestHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		hang := http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
		report, err := verification.Run(t.Context(), "", &verification.Options{Handler: hang})
		require.NoError(t, err)
		require.Zero(t, verdicts(report)[verification.Passed], "%s", report)
		require.LessOrEqual(t, time.Since(start), 2*time.Minute)
		require.Contains(t, report.String(), "not tried: 3 notifications in a row had no answer")
	})
}

// What answers once, or reads the beginning, or is something else at that
// address, passes only what it does.
func TestHalfThere(t *testing.T) {
	for name, test := range map[string]struct {
		handler http.HandlerFunc
		pass    []string
		text    string
	}{
		"answers the first time": {handler: onlyFirst(), pass: nil, text: "answered 503"},
		"another path":           {handler: http.NotFound, text: "answered 404"},
		"does not read": {
			handler: func(http.ResponseWriter, *http.Request) {},
			text:    "bytes were sent: the rest was not received",
		},
		"reads the beginning": {
			handler: func(_ http.ResponseWriter, r *http.Request) { io.CopyN(io.Discard, r.Body, 16) },
			text:    "answered 200 when 16 of",
		},
		"promises more than it answers": {
			handler: func(w http.ResponseWriter, r *http.Request) { discard(w, r); panic(http.ErrAbortHandler) },
			text:    "no answer",
		},
	} {
		t.Run(name, func(t *testing.T) {
			report, err := verification.Run(t.Context(), "", &verification.Options{Handler: test.handler, LargeDetails: -1})
			require.NoError(t, err)
			require.False(t, report.OK())
			require.Zero(t, verdicts(report)[verification.Passed], "%s", report)
			require.Contains(t, report.String(), test.text)
		})
	}
}

// onlyFirst answers 200 once.
func onlyFirst() http.HandlerFunc {
	var n atomic.Int64
	return func(w http.ResponseWriter, r *http.Request) {
		discard(w, r)
		if n.Add(1) > 1 {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
	}
}

// A sink passes what can be seen of it, and the report says what cannot.
func TestSink(t *testing.T) {
	ts := httptest.NewServer(http.HandlerFunc(discard))
	defer ts.Close()
	report, err := verification.Run(t.Context(), ts.URL+"/secret-path?token=secret-query", &verification.Options{LargeDetails: -1})
	require.NoError(t, err)
	require.True(t, report.OK(), "%s", report)
	for _, name := range []string{"two-users", "https", "callback-activities", "delivered-activities", "delivered-large-body"} {
		require.Equal(t, verification.Skipped, report.Check(name).Verdict, "%s", report)
	}
	require.Contains(t, report.String(), "NOT VERIFIED  deliveries: ")
	require.Contains(t, report.String(), "NOT VERIFIED  callbacks: ")
	require.Contains(t, report.String(), "NOT VERIFIED  users: ")
	require.Len(t, report.Unverified, 5)
	require.NotContains(t, report.Endpoint+report.String(), "secret")

	require.False(t, new(verification.Report).OK(), "nothing was seen")
}

// TestVerifyDelivered has applications that answer 200 and store too little.
func TestDelivered(t *testing.T) {
	pushed := []string{"delivered-activities", "delivered-manuallyUpdatedActivities", "delivered-activityDetails", "delivered-moveIQActivities"}
	all := append([]string{"delivered-activityFiles", "delivered-ping"}, pushed...)
	for name, test := range map[string]struct {
		rc        *receiver
		delivered func(context.Context, types.UserID, types.ID) (bool, error)
		fail      []string
		text      string
	}{
		"right":                 {rc: &receiver{}},
		"stores nothing":        {rc: &receiver{storesNothing: true}, fail: all, text: "answered 200, and nothing is stored for the first user"},
		"stores the first":      {rc: &receiver{storesFirst: true}, fail: pushed, text: "answered 200, and nothing is stored for the second user"},
		"says yes to all":       {rc: &receiver{}, delivered: func(context.Context, types.UserID, types.ID) (bool, error) { return true, nil }, fail: []string{"deliveries"}, text: "never sent"},
		"cannot say":            {rc: &receiver{}, delivered: func(context.Context, types.UserID, types.ID) (bool, error) { return false, errors.New("gone") }, fail: append([]string{"deliveries"}, all...), text: "cannot be seen: gone"},
		"downloads and forgets": {rc: &receiver{noFileToken: true}, fail: []string{"delivered-activityFiles", "file-token"}, text: "nothing is stored"},
	} {
		t.Run(name, func(t *testing.T) {
			o := &verification.Options{LargeBody: -1, LargeDetails: -1, Delivered: test.rc.delivered}
			if test.delivered != nil {
				o.Delivered = test.delivered
			}
			report := verify(t, test.rc, o)
			var got []string
			for _, c := range report.Checks {
				if c.Verdict == verification.Failed {
					got = append(got, c.Name)
				}
			}
			require.ElementsMatch(t, test.fail, got, "%s", report)
			require.Contains(t, report.String(), test.text)
			require.NotContains(t, report.String(), "NOT VERIFIED  deliveries")
		})
	}
}

// Pushes alone, to an application that knows the users: no server is needed.
func TestUsers(t *testing.T) {
	for _, ids := range [][]types.UserID{{"ann", "bob"}, {"ann"}, {"ann", "ann"}} {
		rc := &receiver{}
		o := &verification.Options{Handler: rc, Users: ids, Delivered: rc.delivered, LargeDetails: -1, LargeBody: 1000, CallbackWait: time.Second}
		rc.fake, rc.followsNothing = activitytest.NewServer(), true
		report, err := verification.Run(t.Context(), "", o)
		require.NoError(t, err)
		rc.wg.Wait()
		if ids[0] == ids[len(ids)-1] {
			require.Equal(t, verification.Failed, report.Check("two-users").Verdict)
			continue
		}
		require.True(t, report.OK(), "%s", report)
		require.Equal(t, verification.Passed, report.Check("two-users").Verdict)
		require.Equal(t, verification.Passed, report.Check("delivered-large-body").Verdict)
		require.Equal(t, verification.Skipped, report.Check("delivered-ping").Verdict)
	}
}

func TestRefuses(t *testing.T) {
	yes := func(context.Context, types.UserID, types.ID) (bool, error) { return true, nil }
	for endpoint, o := range map[string]*verification.Options{
		"not a url":           nil,
		"ftp://example.com":   nil,
		"https://":            nil,
		"":                    nil,
		"https://example.com": {Delivered: yes},
	} {
		_, err := verification.Run(t.Context(), endpoint, o)
		require.Error(t, err, endpoint)
	}
}

// The certificate counts only if somebody has looked at it.
func TestUncheckedCertificate(t *testing.T) {
	ts := httptest.NewTLSServer(http.HandlerFunc(discard))
	defer ts.Close()
	transport := func(config *tls.Config) *http.Transport {
		return &http.Transport{TLSClientConfig: config, DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, network, ts.Listener.Addr().String())
		}}
	}
	trusting := ts.Client().Transport.(*http.Transport).TLSClientConfig.Clone()
	for want, config := range map[verification.Verdict]*tls.Config{
		verification.Passed:  trusting,
		verification.Skipped: {InsecureSkipVerify: true},
	} {
		tr := transport(config)
		report, err := verification.Run(t.Context(), "https://example.com/garmin", &verification.Options{Transport: tr, LargeBody: -1, LargeDetails: -1})
		tr.CloseIdleConnections()
		require.NoError(t, err)
		require.Equal(t, want, report.Check("https").Verdict, "%s", report)
	}
}
