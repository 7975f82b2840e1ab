package activity_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/garminkit/activityapi/activity"
	"github.com/garminkit/activityapi/types"
)

// TestRedirects is the two-server test (threats T1 and T2): Garmin's side
// answers every request with a redirect to the attacker's server, in all
// forms, and the attacker's server never sees one byte.
func TestRedirects(t *testing.T) {
	t.Parallel()
	for _, http2 := range []bool{false, true} {
		var attacked, asked atomic.Int32
		attacker := httptest.NewUnstartedServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { attacked.Add(1) }))
		var location func(r *http.Request) string
		var status atomic.Int32
		garmin := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			asked.Add(1)
			w.Header().Set("Location", location(r))
			w.WriteHeader(int(status.Load()))
		}))
		roots := x509.NewCertPool()
		for _, s := range []*httptest.Server{attacker, garmin} {
			s.EnableHTTP2 = http2
			s.StartTLS()
			defer s.Close()
			roots.AddCert(s.Certificate())
		}
		tr := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}, ForceAttemptHTTP2: http2}
		defer tr.CloseIdleConnections()
		locations := map[string]func(*http.Request) string{
			"other host":         func(*http.Request) string { return attacker.URL + "/steal" },
			"same host, then on": func(r *http.Request) string { return garmin.URL + r.URL.Path + "/x" },
			"another resource":   func(*http.Request) string { return garmin.URL + "/user/registration" },
			"scheme-relative":    func(*http.Request) string { return attacker.URL[len("https:"):] },
			"down to plain http": func(*http.Request) string { return "http" + attacker.URL[len("https"):] },
		}
		creds := map[string]activity.Credential{
			"OAuth2": bearer("token"),
		}
		for name, loc := range locations {
			location = loc
			for oauth, cred := range creds {
				c, err := poolClient(cred, &activity.Options{BaseURL: garmin.URL + standardPath, Transport: tr, MinBackoff: time.Millisecond})
				require.NoError(t, err)
				for _, code := range []int{301, 302, 303, 307, 308} {
					status.Store(int32(code))
					for _, m := range methods {
						call := m.call
						switch m.op { // these need URLs of this server
						case "Follow":
							call = func(ctx context.Context, c *activity.Client) error {
								_, err := collect(c.Follow(ctx, types.KindActivities, types.Secret(garmin.URL+standardPath+"/activities"+goodPull)))
								return err
							}
						case "Download":
							call = func(ctx context.Context, c *activity.Client) error {
								_, err := c.Download(ctx, fileAt(garmin.URL+standardPath))
								return err
							}
						}
						asked.Store(0)
						err := call(t.Context(), c)
						what := fmt.Sprintf("%s %s %s %d http2=%v", m.op, name, oauth, code, http2)
						require.Equal(t, code, asError(t, err).StatusCode, what)
						require.EqualValues(t, 1, asked.Load(), what)
						require.NotContains(t, err.Error(), attacker.URL, what)
						require.Equal(t, types.FaultNetwork, asError(t, err).Fault(), what)
					}
				}
			}
		}
		require.Zero(t, attacked.Load())
	}
}

// straying is a credential with a fault: it sends the signed request
// somewhere else.
func straying(change func(*http.Request)) activity.Credential {
	return func(base http.RoundTripper) (http.RoundTripper, error) {
		return roundTripper(func(r *http.Request) (*http.Response, error) {
			r = r.Clone(r.Context())
			r.Header.Set("Authorization", "Bearer token")
			change(r)
			return base.RoundTrip(r)
		}), nil
	}
}

// TestPin: below the credential only the request passes that the call is
// about.
func TestPin(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*http.Request){
		"host":         func(r *http.Request) { r.URL.Host = "evil.example" },
		"host header":  func(r *http.Request) { r.Host = "evil.example" },
		"port":         func(r *http.Request) { r.URL.Host += ":443" },
		"scheme":       func(r *http.Request) { r.URL.Scheme = "http" },
		"path":         func(r *http.Request) { r.URL.Path = "/wellness-api/rest/user/registration" },
		"more path":    func(r *http.Request) { r.URL.Path += "/x" },
		"raw path":     func(r *http.Request) { r.URL.RawPath = "/wellness-api/rest/user%2fregistration" },
		"method":       func(r *http.Request) { r.Method = "DELETE" },
		"query":        func(r *http.Request) { r.URL.RawQuery += "&x=1" },
		"userinfo":     func(r *http.Request) { r.URL.User = nil; r.URL.Opaque = "//evil.example/" },
		"line break":   func(r *http.Request) { r.Header.Set("Authorization", "Bearer a\r\nX: y") },
		"lost context": func(r *http.Request) { *r = *r.WithContext(context.Background()) },
	} {
		t.Run(name, func(t *testing.T) {
			w := &wire{}
			c, err := poolClient(straying(change), &activity.Options{Transport: w})
			require.NoError(t, err)
			_, err = collect(c.Follow(t.Context(), types.KindActivities, types.Secret(base+"/activities"+goodPull)))
			require.Error(t, err)
			require.Empty(t, w.requests)
			_, err = c.Download(t.Context(), fileAt(base))
			require.ErrorIs(t, err, types.ErrNotSent)
			require.Empty(t, w.requests)
			if name == "line break" {
				require.Equal(t, types.FaultUser, asError(t, err).Fault())
			} else {
				require.Equal(t, types.FaultApplication, asError(t, err).Fault())
			}
		})
	}
	w := &wire{}
	c, err := poolClient(straying(func(*http.Request) {}), &activity.Options{Transport: w})
	require.NoError(t, err)
	_, err = collect(c.Follow(t.Context(), types.KindActivities, types.Secret(base+"/activities"+goodPull)))
	require.NoError(t, err)
	require.Len(t, w.requests, 1)
}
