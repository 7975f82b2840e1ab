package main

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/garminkit/activityapi/activity/activitytest"
	"github.com/garminkit/activityapi/activity/auth"
	"github.com/garminkit/activityapi/internal/adminapi"
	"github.com/garminkit/activityapi/notify/spool"
	"github.com/garminkit/activityapi/types"
)

// TestPlanted spoils a set-up that is well, a way at a time: doctor names what is
// wrong, says what to do, and blames nothing else.
func TestPlanted(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name  string
		plant func(*setup)
		// want are the checks that fail, each with words of what is seen.
		want map[string]string
	}{
		{"nothing", func(*setup) {}, nil},
		{"wrong secret", func(s *setup) { s.env[clientSecret] = wrongSecret }, map[string]string{"client": "refuses the client id or secret"}},
		{"swapped evaluation and production keys", func(s *setup) {
			s.env[clientSecret] = evalSecret
			s.env["GARMIN_EVALUATION_CLIENT_ID"] = "evaluation-key"
			s.env[evaluationSecret] = goodClientSecret
		}, map[string]string{"client": "the keys are swapped"}},
		{"swapped client ids", func(s *setup) {
			s.env["GARMIN_CLIENT_ID"] = "evaluation-key"
			s.env["GARMIN_EVALUATION_CLIENT_ID"] = "production-key"
			s.env[evaluationSecret] = evalSecret
		}, map[string]string{"client": "the keys are swapped"}},
		{"secret with a line's end", func(s *setup) { s.env[clientSecret] = goodClientSecret + "\n" }, map[string]string{"client": "white space"}},
		{"clock behind", func(s *setup) { s.skew.Store(int64(time.Hour)) }, map[string]string{"clock": "s behind"}},
		{"clock ahead", func(s *setup) { s.skew.Store(int64(-11 * time.Minute)) }, map[string]string{"clock": "ahead of"}},
		{"endpoint behind a redirect", func(s *setup) {
			s.mux.Handle("/", http.RedirectHandler("https://www.example.com/garmin/"+goodPathSecret, http.StatusMovedPermanently))
			s.replace("-endpoint", s.partner.URL+"/old")
		}, map[string]string{"endpoint": "behind a redirect (301) to https://www.example.com,"}},
		{"self-signed certificate", func(s *setup) { s.drop("-roots") }, map[string]string{"tls": "self-signed"}},
		{"certificate for another name", func(s *setup) {
			s.replace("-endpoint", strings.Replace(s.partner.URL, "127.0.0.1", "localhost", 1)+"/garmin")
		}, map[string]string{"tls": "another name"}},
		{"endpoint not enabled", func(s *setup) {
			s.fake.SetEndpoints(activitytest.Endpoint{}, types.KindMoveIQ)
		}, map[string]string{"enabled": "the endpoint for moveIQActivities is not enabled"}},
		{"path secret missing", func(s *setup) {
			s.env[pathSecret] = ""
			s.mux.HandleFunc("/open", func(http.ResponseWriter, *http.Request) {})
			s.replace("-endpoint", s.partner.URL+"/open")
		}, map[string]string{"secret": "the path secret is missing"}},
		{"path secret too short", func(s *setup) { s.env[pathSecret] = "short" }, map[string]string{"secret": "cannot be one", "endpoint": "404"}},
		{"path secret of another program", func(s *setup) {
			s.env[pathSecret] = strings.Repeat("z", 32)
		}, map[string]string{"endpoint": "another path secret"}},
		{"path secret that nobody looks at", func(s *setup) {
			s.mux.HandleFunc("/open/", func(http.ResponseWriter, *http.Request) {})
			s.replace("-endpoint", s.partner.URL+"/open")
		}, map[string]string{"secret": "takes a wrong path secret too"}},
		{"full disk", func(s *setup) { s.replace("-spool", fullDisk(s.t)) }, map[string]string{"disk": "the disk is full", "lock": "does not have the spool"}},
		{"disk about to be full", func(s *setup) { s.replace("-least-free", "1000000000000") }, map[string]string{"disk": "the disk is full"}},
		{"stale lock", func(s *setup) { s.panel.Close() }, map[string]string{"service": "does not answer", "lock": "a stale lock"}},
		{"another directory than the service's", func(s *setup) {
			other, err := spool.Open(s.path("other"), nil)
			require.NoError(s.t, err)
			require.NoError(s.t, other.Close())
			s.replace("-spool", s.path("other"))
		}, map[string]string{"lock": "does not have the spool"}},
		{"service that reaches nobody", func(s *setup) {
			s.answer("overview", &adminapi.Overview{Outage: types.FaultNetwork, OutageSeconds: 60})
		}, map[string]string{"service": "no call to Garmin has succeeded for 1m0s (network)"}},
		{"service that is refused", func(s *setup) {
			s.answer("overview", &adminapi.Overview{Outage: types.FaultApplication, OutageSeconds: 60})
		}, map[string]string{"service": "(application)"}},
		{"callbacks that hang", func(s *setup) {
			s.answer("overview", &adminapi.Overview{Classes: []adminapi.Class{{Class: "push", Hung: 3}}})
		}, map[string]string{"service": "3 attempts hang"}},
		{"dead tokens of a service", func(s *setup) {
			s.answer("parked", &adminapi.Parked{Total: 1, Users: []adminapi.ParkedUser{{User: "bob", Reason: "401"}}})
		}, map[string]string{"service": "Garmin refuses the token of 1 users: bob"}},
		{"dead token at Garmin", func(s *setup) { s.fake.User("ann").Deregister() }, map[string]string{"user": "dead"}},
		{"dead token in the store", func(s *setup) {
			s.token(&auth.Token{UserID: "bob", AccessToken: "a", RefreshToken: "r", Revoked: true, Expiry: time.Now()})
		}, map[string]string{"tokens": "1 of 2 tokens are dead: bob"}},
		{"token that ended", func(s *setup) {
			s.token(&auth.Token{UserID: "bob", AccessToken: "a", RefreshToken: "r", Expiry: time.Now(), RefreshExpiry: time.Now().Add(-time.Hour)})
		}, map[string]string{"tokens": "1 of 2 tokens are dead: bob"}},
		{"no such user", func(s *setup) { s.replace("-user", "carl") }, map[string]string{"user": "no such user"}},
		{"intake stopped", func(s *setup) { s.inbox.Close() }, map[string]string{"endpoint": "503", "service": "does not answer"}},
		{"answers 202", func(s *setup) {
			s.mux.HandleFunc("/early/"+goodPathSecret, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusAccepted) })
			s.replace("-endpoint", s.partner.URL+"/early")
		}, map[string]string{"endpoint": "only 200 counts"}},
		{"wants a log-in", func(s *setup) {
			s.mux.HandleFunc("/private/", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusUnauthorized) })
			s.replace("-endpoint", s.partner.URL+"/private")
		}, map[string]string{"endpoint": "log-in"}},
		{"nothing listens", func(s *setup) { s.partner.Close() }, map[string]string{"tls": "nothing listens"}},
		{"plain http", func(s *setup) {
			plain := httptest.NewServer(s.mux)
			s.t.Cleanup(plain.Close)
			s.replace("-endpoint", plain.URL+"/garmin")
		}, map[string]string{"tls": "the endpoint is http"}},
		{"no such host", func(s *setup) { s.replace("-endpoint", "https://garmin.invalid/garmin") }, map[string]string{"dns": "has no address"}},
		{"token server in trouble", func(s *setup) {
			s.fake.SetFaults(activitytest.Fault{Path: "/oauth/token", Status: http.StatusBadGateway})
		}, nil},
		{"Garmin is not reached", func(s *setup) { s.garmin.Close() }, map[string]string{"clock": "refuses the connection", "client": "refuses the connection", "user": "refuses the connection"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := newSetup(t)
			tt.plant(s)
			d, r := s.diagnose()
			got := map[string]string{}
			for _, f := range d.Findings {
				if f.Verdict == fault || f.Verdict == warning {
					require.NotEmpty(t, f.Do, f.Seen)
				}
				if f.Verdict == fault {
					got[f.Check] = f.Seen
				}
			}
			require.Len(t, got, len(tt.want), "%v", got)
			for check, words := range tt.want {
				require.Contains(t, got[check], words)
			}
			want := statusFine
			if len(tt.want) > 0 {
				want = statusFound
			}
			require.Equal(t, want, r.status)
			var text strings.Builder
			d.write(&text)
			for check := range tt.want {
				require.Contains(t, text.String(), "FAIL  "+check)
			}
		})
	}
}
