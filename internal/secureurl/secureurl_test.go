package secureurl_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/garminkit/activityapi/internal/secureurl"
)

func TestCheck(t *testing.T) {
	t.Parallel()
	for url, want := range map[string]string{
		"https://garmin.com/a?b=c":     "",
		"http://localhost:8080/":       "",
		"http://127.0.0.2/":            "",
		"http://[::1]:1/":              "",
		"http://fake:8080/":            "",
		"https://%zz":                  "is no URL",
		"":                             "has no host",
		"https:///x":                   "has no host",
		"https:garmin.com":             "has no host",
		"https://u:canary@garmin.com/": `"garmin.com" has user information or a fragment`,
		"https://garmin.com/#canary":   `"garmin.com" has user information or a fragment`,
		"http://:8080/x":               "has no host",
		"https://:443/x":               "has no host",
		"http://other/x?a=canary":      `"http://other/x" is http: that takes a loopback address, or Options.PlainHTTPHost`,
		"http://garmin.com/x?a=canary": `"http://garmin.com/x" is http, and Garmin's`,
		"http://localhost.evil.com/":   `"http://localhost.evil.com/" is http: that takes a loopback address, or Options.PlainHTTPHost`,
		"ftp://localhost/":             `"ftp://localhost/" is not https`,
	} {
		_, err := secureurl.Check(url, "fake")
		if want == "" {
			require.NoError(t, err, url)
		} else {
			require.EqualError(t, err, want, url)
		}
	}
}

func TestCheckGarminIsNeverPlain(t *testing.T) {
	t.Parallel()
	for _, host := range []string{"garmin.com", "connect.garmin.com", "Connect.Garmin.com", "connect.garmin.com."} {
		_, err := secureurl.Check("http://"+host+"/x", host)
		require.EqualError(t, err, `"http://`+host+`/x" is http, and Garmin's`)
		_, err = secureurl.Check("https://"+host+"/x", host)
		require.NoError(t, err)
	}
}

func TestGarmin(t *testing.T) {
	t.Parallel()
	for host, want := range map[string]bool{"garmin.com": true, "apis.garmin.com": true, "APIS.Garmin.com": true, "apis.garmin.com.": true, "notgarmin.com": false, "garmin.com.evil.com": false, "": false} {
		require.Equal(t, want, secureurl.Garmin(host), host)
	}
}
