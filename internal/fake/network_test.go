package fake

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/garminkit/activityapi/activity/activitytest"
	"github.com/garminkit/activityapi/activitytype"
	"github.com/garminkit/activityapi/types"
)

func TestBaseURL(t *testing.T) {
	name := nameOfMachine(t.Context())
	for _, tt := range []struct {
		given, listener string
		tls             bool
		want            string
	}{
		{"", "127.0.0.1:9000", false, "http://127.0.0.1:9000"},
		{"", "127.0.0.1:9000", true, "https://127.0.0.1:9000"},
		{"", "[::1]:9000", false, "http://[::1]:9000"},
		{"", "[::]:9000", false, "http://" + net.JoinHostPort(name, "9000")},
		{"", "0.0.0.0:9000", true, "https://" + net.JoinHostPort(name, "9000")},
		{"http://fake:9000", "[::]:9000", false, "http://fake:9000"},
		{"http://fake:9000/", "[::]:9000", false, "http://fake:9000"},
		{"https://fake", "[::]:9000", true, "https://fake"},
		{"https://fake", "[::]:9000", false, "https://fake"}, // a proxy has the certificate
		{"http://fake", "[::]:9000", true, ""},
		{"fake:9000", "[::]:9000", false, ""},
		{"http://fake/api", "[::]:9000", false, ""},
		{"http://fake?x=1", "[::]:9000", false, ""},
		{"http://a:b@fake", "[::]:9000", false, ""},
		{"ftp://fake", "[::]:9000", false, ""},
		{"http://%zz", "[::]:9000", false, ""},
	} {
		addr, err := net.ResolveTCPAddr("tcp", tt.listener)
		require.NoError(t, err)
		got, err := baseURL(t.Context(), tt.given, tt.tls, addr)
		require.Equal(t, tt.want, got, "%q %q", tt.given, tt.listener)
		require.Equal(t, tt.want == "", err != nil)
	}
	all, err := net.ResolveTCPAddr("tcp", "0.0.0.0:9000")
	require.NoError(t, err)
	require.Equal(t, "https://localhost:9000", loopback(true, all))
	require.NotContains(t, hosts("http://fake", all), "0.0.0.0")
}

// start runs a fake until the test ends.
func start(t *testing.T, g *activitytest.Server, o *Options) (address string) {
	t.Helper()
	ctx, stop := context.WithCancel(t.Context())
	ready, done := make(chan struct{}), make(chan error, 1)
	o.Ready = func() { close(ready) }
	o.Listen = "127.0.0.1:0"
	go func() { done <- Run(ctx, g, o, io.Discard) }()
	t.Cleanup(func() {
		stop()
		require.NoError(t, <-done)
	})
	select {
	case <-ready:
	case err := <-done:
		done <- nil
		t.Fatal(err)
	}
	return o.Addr
}

// TestBetweenContainers: a partner that knows the fake by a name of its own
// network, by https, gets pings whose URLs begin with that name, and can follow
// them, with trust in the authority alone that the fake wrote.
func TestBetweenContainers(t *testing.T) {
	bodies := make(chan string, 1)
	partner := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		bodies <- string(b)
	}))
	defer partner.Close()
	g := New(0, 1)
	u := g.AddUser(nil)
	caFile := filepath.Join(t.TempDir(), "ca.pem")
	o := &Options{URL: "https://garmin.test:9000", TLS: true, CAFile: caFile}
	address := start(t, g, o)
	written, err := os.ReadFile(caFile)
	require.NoError(t, err)
	require.Equal(t, string(o.CA), string(written))

	client, err := trusting(o.CA)
	require.NoError(t, err)
	defer client.CloseIdleConnections()
	client.Transport.(*http.Transport).DialContext = func(ctx context.Context, network, name string) (net.Conn, error) {
		require.Equal(t, "garmin.test:9000", name)
		return (&net.Dialer{}).DialContext(ctx, network, address)
	}
	g.SetEndpoints(activitytest.Endpoint{URL: partner.URL, Enabled: true})
	u.Add(&types.Activity{SummaryID: "5001", ActivityType: activitytype.Yoga, StartTimeInSeconds: 1767340800, DurationInSeconds: 1800})
	var ping struct {
		Activities []struct{ CallbackURL string }
	}
	require.NoError(t, json.Unmarshal([]byte(<-bodies), &ping))
	callback := ping.Activities[0].CallbackURL
	require.True(t, strings.HasPrefix(callback, "https://garmin.test:9000/wellness-api/rest/activities?"), callback)
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, callback, nil)
	require.NoError(t, err)
	r.Header.Set("Authorization", "Bearer "+u.State().AccessToken)
	res, err := client.Do(r)
	require.NoError(t, err)
	b, err := io.ReadAll(res.Body)
	require.NoError(t, err)
	require.NoError(t, res.Body.Close())
	require.Contains(t, string(b), `"summaryId":"5001"`)

	// The control API answers to that name and to this machine, and to no other.
	for host, want := range map[string]int{"garmin.test:9000": 200, "attacker.example": 403} {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "https://garmin.test:9000/control/state", nil)
		require.NoError(t, err)
		r.Host = host
		res, err := client.Do(r)
		require.NoError(t, err)
		require.NoError(t, res.Body.Close())
		require.Equal(t, want, res.StatusCode, host)
	}
	require.NoError(t, Healthy(t.Context(), "https://"+address, caFile))
	require.Error(t, Healthy(t.Context(), "https://"+address, ""), "nobody trusts it who was not told to")
	require.Error(t, Healthy(t.Context(), "http://"+address, ""))
	require.Error(t, Healthy(t.Context(), "https://"+address, caFile+"x"))
}

// TestHealth without TLS, and after the end.
func TestHealth(t *testing.T) {
	ctx, stop := context.WithCancel(t.Context())
	ready, done := make(chan struct{}), make(chan error, 1)
	g := New(0, 1)
	o := &Options{Listen: "127.0.0.1:0", Ready: func() { close(ready) }}
	go func() { done <- Run(ctx, g, o, io.Discard) }()
	<-ready
	require.NoError(t, Healthy(t.Context(), g.BaseURL, ""))
	stop()
	require.NoError(t, <-done)
	require.Error(t, Healthy(t.Context(), g.BaseURL, ""))
	other := httptest.NewServer(http.NotFoundHandler())
	defer other.Close()
	require.ErrorContains(t, Healthy(t.Context(), other.URL, ""), "404")
}

// TestScenarioByTLS: the program reaches its own control API.
func TestScenarioByTLS(t *testing.T) {
	scenario := filepath.Join(t.TempDir(), "scenario.json")
	require.NoError(t, os.WriteFile(scenario, []byte(`[{"method": "POST", "path": "/users", "body": {"id": "alice"}}]`), 0o600))
	g := New(0, 1)
	start(t, g, &Options{URL: "https://garmin.test", TLS: true, Scenario: scenario})
	require.Eventually(t, func() bool { return g.User("alice") != nil }, time.Minute, 10*time.Millisecond)
}

// TestAuthority: it certifies the hosts it was made for and no others, so that who
// trusts it risks nothing else.
func TestAuthority(t *testing.T) {
	config, ca, err := issue([]string{"localhost", "127.0.0.1", "::1", "garmin.test", "garmin.test", "127.0.0.1", ""})
	require.NoError(t, err)
	block, rest := pem.Decode(ca)
	require.Empty(t, rest)
	require.Equal(t, "CERTIFICATE", block.Type)
	root, err := x509.ParseCertificate(block.Bytes)
	require.NoError(t, err)
	require.True(t, root.IsCA)
	require.True(t, root.PermittedDNSDomainsCritical)
	require.Equal(t, []string{"localhost", "garmin.test"}, root.PermittedDNSDomains)
	require.Len(t, root.PermittedIPRanges, 2)
	leaf, err := x509.ParseCertificate(config.Certificates[0].Certificate[0])
	require.NoError(t, err)
	pool := x509.NewCertPool()
	pool.AddCert(root)
	for host, ok := range map[string]bool{"localhost": true, "127.0.0.1": true, "::1": true, "garmin.test": true, "apis.garmin.com": false, "10.0.0.1": false} {
		_, err := leaf.Verify(x509.VerifyOptions{Roots: pool, DNSName: host})
		require.Equal(t, ok, err == nil, "%s: %v", host, err)
	}
	require.GreaterOrEqual(t, config.MinVersion, uint16(tls.VersionTLS12))
}

// TestRefusedOptions: what does not fit together ends the program.
func TestRefusedOptions(t *testing.T) {
	for _, o := range []*Options{
		{Listen: "127.0.0.1:0", URL: "http://fake", TLS: true},
		{Listen: "127.0.0.1:0", URL: "fake"},
		{Listen: "127.0.0.1:0", TLS: true, CAFile: filepath.Join(t.TempDir(), "none", "ca.pem")},
		{Listen: "nowhere"},
	} {
		o.Ready = func() { t.Error("it runs") }
		require.Error(t, Run(t.Context(), New(0, 1), o, io.Discard))
	}
}
