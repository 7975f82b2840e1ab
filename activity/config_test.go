package activity_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/garminkit/activityapi/activity"
	"github.com/garminkit/activityapi/types"
)

// A base URL that would have every callback refused is refused at the start,
// with the value.
func TestBaseURLNeedsItsPath(t *testing.T) {
	t.Parallel()
	for base, want := range map[string]string{
		"https://apis.garmin.com":                  `"https://apis.garmin.com" has no path: Garmin's is /wellness-api/rest`,
		"https://apis.garmin.com/":                 `has no path`,
		"https://apis.garmin.com/wellness-api":     `"https://apis.garmin.com/wellness-api" has another path than Garmin's, /wellness-api/rest`,
		"http://127.0.0.1:8080":                    `"http://127.0.0.1:8080" has no path`,
		"http://fake-garmin/wellness-api/rest":     `"http://fake-garmin/wellness-api/rest" is http: that takes a loopback address, or Options.PlainHTTPHost`,
		"http://10.0.0.7:8080/wellness-api/rest":   `PlainHTTPHost`,
		"http://apis.garmin.com/x":                 `is http`,
		"https://u:CANARY@h/wellness-api/rest":     `"https://h/wellness-api/rest" has more than scheme, host and path`,
		"https://h/wellness-api/rest?token=CANARY": `"https://h/wellness-api/rest" has more`,
	} {
		_, err := activity.NewPool(&activity.Options{BaseURL: base})
		require.ErrorContains(t, err, want)
		require.NotContains(t, err.Error(), "CANARY")
	}
}

// http to a host that is not this machine takes an option that names the host.
func TestPlainHTTPHost(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		base, host string
		fine       bool
	}{
		{"http://fake-garmin:8080/wellness-api/rest", "fake-garmin", true},
		{"http://fake.test/wellness-api/rest", "fake.test", true},
		{"http://10.0.0.7/wellness-api/rest", "10.0.0.7", true},
		{"https://fake.test/wellness-api/rest", "fake.test", true},
		{"http://fake.test/wellness-api/rest", "", false},
		{"http://fake.test/wellness-api/rest", "other.test", false},
		{"http://x.fake.test/wellness-api/rest", "fake.test", false},
		{"http://fake.test.evil.example/wellness-api/rest", "fake.test", false},
		{"http://apis.garmin.com/wellness-api/rest", "apis.garmin.com", false},
		{"http://garmin.com/wellness-api/rest", "garmin.com", false},
		{"http://fake.test/wellness-api/rest", "*", false},
		{"http://fake.test/wellness-api/rest", "http://fake.test", false},
		{"http://fake.test:8080/wellness-api/rest", "fake.test:8080", false},
	} {
		_, err := activity.NewPool(&activity.Options{BaseURL: test.base, PlainHTTPHost: test.host})
		require.Equal(t, test.fine, err == nil, "%+v: %v", test, err)
	}
}

// The refusal of a callback says which part differs, and shows it unless it
// may be secret.
func TestRefusalOfACallbackSaysWhy(t *testing.T) {
	t.Parallel()
	const path, query = "/wellness-api/rest/activities", "?uploadStartTimeInSeconds=1&uploadEndTimeInSeconds=2&token=CANARY"
	for _, test := range []struct{ base, callback, want string }{
		{"http://127.0.0.1:8080/wellness-api/rest", "http://localhost:8080" + path, `its host is "localhost", not "127.0.0.1"; see Options.BaseURL and CallbackHosts`},
		{"http://localhost:8080/wellness-api/rest", "http://127.0.0.1:8080" + path, `its host is "127.0.0.1", not "localhost"`},
		{"http://127.0.0.1:8080/wellness-api/rest", "http://127.0.0.1:8081" + path, `its port is "8081", not "8080"`},
		{"http://127.0.0.1:8080/wellness-api/rest", "http://127.0.0.1" + path, `its port is "", not "8080"`},
		{"http://127.0.0.1:8080/wellness-api/rest", "https://127.0.0.1:8080" + path, `its scheme is "https", not "http"`},
		{"http://127.0.0.1:8080/x", "http://127.0.0.1:8080" + path, `its path is "/wellness-api/rest/activities", not "/x/activities"`},
		{"", "https://apis.garmin.com/wellness-api/rest/moveiq", `its path is "/wellness-api/rest/moveiq", not "/wellness-api/rest/activities"`},
		{"", "https://apis.garmin.com:443" + path, `its port is "443", not ""`},
		{"", "https://apis.garmin.com:" + path, `its port is "", not ""`},
		{"", "https://healthapi.garmin.com/x/activities", `its path is "/x/activities", not "/wellness-api/rest/activities"`},
		{"", "http://healthapi.garmin.com" + path, `its scheme is "http", not "https"`},
		{"", "https://user:CANARY@apis.garmin.com" + path, `its host is another than "apis.garmin.com"`},
		{"", "https://apis.garmin.com/CANARY=%41/activities", `its path is another than "/wellness-api/rest/activities"`},
		{"", "apis.garmin.com" + path, "it does not begin with a scheme and a host"},
		{"", "https:" + path, "it does not begin with a scheme and a host"},
	} {
		p, err := activity.NewPool(&activity.Options{BaseURL: test.base, CallbackHosts: []string{"healthapi.garmin.com"}, Transport: &wire{}})
		require.NoError(t, err)
		c, err := p.Client(bearer("token"))
		require.NoError(t, err)
		_, err = collect(c.Follow(t.Context(), types.KindActivities, types.Secret(test.callback+query)))
		require.ErrorIs(t, err, activity.ErrCallback)
		require.ErrorContains(t, err, test.want)
		require.NotContains(t, err.Error(), "CANARY")
		require.Equal(t, types.FaultItem, asError(t, err).Fault())
	}
}

// A base URL is compared with callback URLs byte by byte. One that differs from
// all of them for its spelling would bury each ping, so it is refused or mended.
func TestBaseURLThatNoCallbackCanEqual(t *testing.T) {
	t.Parallel()
	for base, ok := range map[string]bool{
		"https://apis.garmin.com/wellness-api/rest":       true,
		"https://apis.garmin.com/wellness-api/rest/":      true,
		"HTTPS://APIS.Garmin.COM:443/wellness-api/rest":   true,
		"https://apis.garmin.com:/wellness-api/rest":      true,
		"https://apis.garmin.com:8443/wellness-api/rest":  true,
		"https://xn--grmin-gra.example/wellness-api/rest": true,
		"http://[::1]:8080/wellness-api/rest":             true,
		"https://apis.garmin.com./wellness-api/rest":      false,
		"https://g\u00e4rmin.example/wellness-api/rest":   false,
		"https://apis.garmin.com:0/wellness-api/rest":     false,
		"https://apis.garmin.com:0443/wellness-api/rest":  false,
		"https://apis.garmin.com:99999/wellness-api/rest": false,
	} {
		pool, err := activity.NewPool(&activity.Options{BaseURL: base})
		require.Equal(t, ok, err == nil, "%s: %v", base, err)
		if ok {
			require.NoError(t, pool.Close())
		}
	}
}
