package activity_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/garminkit/activityapi/activity"
	"github.com/garminkit/activityapi/internal/resource"
	"github.com/garminkit/activityapi/types"
)

const (
	base     = "https://apis.garmin.com/wellness-api/rest"
	goodPull = "?uploadStartTimeInSeconds=1700000000&uploadEndTimeInSeconds=1700003600&token=tok"
)

// hostile are callback URLs that must not lead to a request, each for the kind
// activities unless it says otherwise.
var hostile = []struct {
	name, url string
	kind      types.Kind
}{
	// Other hosts.
	{"empty", "", ""},
	{"no URL", "activities", ""},
	{"metadata service", "http://169.254.169.254/latest/meta-data/", ""},
	{"metadata service under the path", "https://169.254.169.254/wellness-api/rest/activities" + goodPull, ""},
	{"other host", "https://evil.example/wellness-api/rest/activities" + goodPull, ""},
	{"host as a prefix", "https://apis.garmin.com.evil.example/wellness-api/rest/activities" + goodPull, ""},
	{"host as a suffix", "https://evil-apis.garmin.com/wellness-api/rest/activities" + goodPull, ""},
	{"host without a dot", "https://apisXgarmin.com/wellness-api/rest/activities" + goodPull, ""},
	{"sister host", "https://connectapi.garmin.com/wellness-api/rest/activities" + goodPull, ""},
	{"old host, not opted in", "https://healthapi.garmin.com/wellness-api/rest/activities" + goodPull, ""},
	{"trailing dot", "https://apis.garmin.com./wellness-api/rest/activities" + goodPull, ""},
	{"upper case host", "https://APIS.garmin.com/wellness-api/rest/activities" + goodPull, ""},
	{"kelvin sign", "https://apis.garmin.com\u212a/wellness-api/rest/activities" + goodPull, ""},
	{"cyrillic a", "https://\u0430pis.garmin.com/wellness-api/rest/activities" + goodPull, ""},
	{"full-width dot", "https://apis\uff0egarmin.com/wellness-api/rest/activities" + goodPull, ""},
	{"punycode", "https://xn--pis-5cd.garmin.com/wellness-api/rest/activities" + goodPull, ""},
	{"escaped host", "https://apis%2egarmin.com/wellness-api/rest/activities" + goodPull, ""},
	{"IPv4", "https://127.0.0.1/wellness-api/rest/activities" + goodPull, ""},
	{"IPv4 as a number", "https://2130706433/wellness-api/rest/activities" + goodPull, ""},
	{"IPv4 in octal", "https://0177.0.0.1/wellness-api/rest/activities" + goodPull, ""},
	{"IPv6", "https://[::1]/wellness-api/rest/activities" + goodPull, ""},
	{"IPv6 mapped", "https://[::ffff:127.0.0.1]/wellness-api/rest/activities" + goodPull, ""},
	{"IPv6 zone", "https://[fe80::1%25eth0]/wellness-api/rest/activities" + goodPull, ""},
	{"localhost", "https://localhost/wellness-api/rest/activities" + goodPull, ""},
	// Authority.
	{"userinfo", "https://user:pass@apis.garmin.com/wellness-api/rest/activities" + goodPull, ""},
	{"userinfo that looks like the host", "https://apis.garmin.com@evil.example/wellness-api/rest/activities" + goodPull, ""},
	{"userinfo with an escaped slash", "https://apis.garmin.com%2f@evil.example/wellness-api/rest/activities" + goodPull, ""},
	{"back slash before userinfo", `https://evil.example\@apis.garmin.com/wellness-api/rest/activities` + goodPull, ""},
	{"other port", "https://apis.garmin.com:8443/wellness-api/rest/activities" + goodPull, ""},
	{"default port", "https://apis.garmin.com:443/wellness-api/rest/activities" + goodPull, ""},
	{"empty port", "https://apis.garmin.com:/wellness-api/rest/activities" + goodPull, ""},
	{"port that is a name", "https://apis.garmin.com:https/wellness-api/rest/activities" + goodPull, ""},
	// Scheme.
	{"http", "http://apis.garmin.com/wellness-api/rest/activities" + goodPull, ""},
	{"upper case scheme", "HTTPS://apis.garmin.com/wellness-api/rest/activities" + goodPull, ""},
	{"no scheme", "//apis.garmin.com/wellness-api/rest/activities" + goodPull, ""},
	{"opaque", "https:apis.garmin.com/wellness-api/rest/activities" + goodPull, ""},
	{"one slash", "https:/apis.garmin.com/wellness-api/rest/activities" + goodPull, ""},
	{"three slashes", "https:///apis.garmin.com/wellness-api/rest/activities" + goodPull, ""},
	{"back slashes", `https:\\apis.garmin.com\wellness-api\rest\activities` + goodPull, ""},
	{"file", "file:///etc/passwd", ""},
	{"gopher", "gopher://apis.garmin.com/wellness-api/rest/activities" + goodPull, ""},
	{"data", "data:application/json,[]", ""},
	{"javascript", "javascript:alert(1)", ""},
	{"unix socket", "unix:///var/run/docker.sock", ""},
	// Path.
	{"backfill", base + "/backfill/activities?summaryStartTimeInSeconds=1&summaryEndTimeInSeconds=2", ""},
	{"backfill with a pull's query", base + "/backfill/activities" + goodPull, ""},
	{"registration", base + "/user/registration" + goodPull, ""},
	{"user id", base + "/user/id" + goodPull, ""},
	{"permissions", base + "/user/permissions" + goodPull, ""},
	{"dot dot to backfill", base + "/activities/../backfill/activities" + goodPull, ""},
	{"dot dot back again", base + "/backfill/../activities" + goodPull, ""},
	{"dot dot escaped", base + "/activities/%2e%2e/user/registration" + goodPull, ""},
	{"dot dot with an escaped slash", base + "/activities%2f..%2fuser%2fregistration" + goodPull, ""},
	{"dot dot escaped twice", base + "/activities/%252e%252e/user/id" + goodPull, ""},
	{"dot", base + "/./activities" + goodPull, ""},
	{"double slash", base + "//activities" + goodPull, ""},
	{"trailing slash", base + "/activities/" + goodPull, ""},
	{"escaped letter", base + "/%61ctivities" + goodPull, ""},
	{"upper case path", base + "/Activities" + goodPull, ""},
	{"more path", base + "/activities/1" + goodPull, ""},
	{"path parameter", base + "/activities;x=1" + goodPull, ""},
	{"back slash in the path", base + `\activities` + goodPull, ""},
	{"no path", "https://apis.garmin.com" + goodPull, ""},
	{"partner gateway", "https://apis.garmin.com/partner-gateway/rest/activities" + goodPull, ""},
	{"unknown resource", base + "/dailies" + goodPull, ""},
	{"details for activities", base + "/activityDetails" + goodPull, types.KindActivities},
	{"activities for details", base + "/activities" + goodPull, types.KindActivityDetails},
	{"manual for activities", base + "/manuallyUpdatedActivities" + goodPull, types.KindActivities},
	{"list key for resource", base + "/moveIQActivities" + goodPull, types.KindMoveIQ},
	{"file for activities", base + "/activityFile?id=1&token=t", types.KindActivities},
	{"activities for a file", base + "/activities" + goodPull, types.KindActivityFiles},
	{"unknown kind", base + "/dailies" + goodPull, "dailies"},
	{"empty kind", base + "/" + goodPull, "none"},
	// Query.
	{"no query", base + "/activities", ""},
	{"empty query", base + "/activities?", ""},
	{"unknown key", base + "/activities" + goodPull + "&admin=1", ""},
	{"oauth key", base + "/activities" + goodPull + "&oauth_token=evil", ""},
	{"a backfill's keys", base + "/activities?summaryStartTimeInSeconds=1&summaryEndTimeInSeconds=2", ""},
	{"id for a summary", base + "/activities?id=1&token=t", ""},
	{"times for a file", base + "/activityFile" + goodPull, types.KindActivityFiles},
	{"unknown key for a file", base + "/activityFile?token=t&name=1", types.KindActivityFiles},
	{"start time for a file", base + "/activityFile?token=t&uploadStartTimeInSeconds=1", types.KindActivityFiles},
	{"end time for a file", base + "/activityFile?token=t&uploadEndTimeInSeconds=1", types.KindActivityFiles},
	{"repeated key", base + "/activities" + goodPull + "&token=other", ""},
	{"escaped key", base + "/activities?tok%65n=a&uploadStartTimeInSeconds=1&uploadEndTimeInSeconds=2", ""},
	{"upper case key", base + "/activities?TOKEN=a&uploadStartTimeInSeconds=1&uploadEndTimeInSeconds=2", ""},
	{"semicolon", base + "/activities" + goodPull + ";admin=1", ""},
	{"bad escape", base + "/activities?token=ab%zz", ""},
	{"semicolon after an escape", base + "/activities?token=%41;admin=1", ""},
	{"second escape bad", base + "/activities?token=%41%4z", ""},
	{"cut escape", base + "/activities?token=ab%4", ""},
	{"escaped line break", base + "/activities?token=a%0d%0aHost:evil", ""},
	{"escaped NUL", base + "/activities?token=a%00", ""},
	{"no value", base + "/activities?token", ""},
	{"empty value", base + "/activities?token=", ""},
	{"empty pair", base + "/activities?token=a&", ""},
	{"time that is no number", base + "/activities?uploadStartTimeInSeconds=1e9&uploadEndTimeInSeconds=2", ""},
	{"negative time", base + "/activities?uploadStartTimeInSeconds=-1&uploadEndTimeInSeconds=2", ""},
	// Text.
	{"fragment", base + "/activities" + goodPull + "#x", ""},
	{"fragment that hides the host", "https://evil.example#" + strings.TrimPrefix(base, "https://") + "/activities" + goodPull, ""},
	{"leading blank", " " + base + "/activities" + goodPull, ""},
	{"trailing blank", base + "/activities" + goodPull + " ", ""},
	{"line break in the host", "https://apis.gar\nmin.com/wellness-api/rest/activities" + goodPull, ""},
	{"tab in the scheme", "ht\ttps://apis.garmin.com/wellness-api/rest/activities" + goodPull, ""},
	{"CRLF", base + "/activities" + goodPull + "\r\nHost: evil.example", ""},
	{"NUL", base + "/activities" + goodPull + "\x00", ""},
	{"not UTF-8", base + "/activities?token=\xff", ""},
	{"no-break space", base + "/activities?token=\u00a0", ""},
	{"a quote", base + `/activities?token="x"`, ""},
	{"9 KB", base + "/activities?token=" + strings.Repeat("a", 9<<10), ""},
	{"another URL as the query", base + "/activities?https://evil.example/", ""},
}

// wire is a transport that records what would go out and answers an empty
// list.
type wire struct{ requests []*http.Request }

func (w *wire) RoundTrip(r *http.Request) (*http.Response, error) {
	w.requests = append(w.requests, r)
	return &http.Response{StatusCode: 200, Header: http.Header{}, Body: io.NopCloser(strings.NewReader("[]")), ContentLength: 2}, nil
}

// take follows or downloads the URL, as its kind demands, and returns what
// went out.
func take(t testing.TB, kind types.Kind, callback string, opts activity.Options) ([]*http.Request, error) {
	w := &wire{}
	opts.Transport = w
	c, err := poolClient(bearer("user-token"), &opts)
	require.NoError(t, err)
	if kind == types.KindActivityFiles {
		var file io.ReadCloser
		if file, err = c.Download(context.Background(), types.Secret(callback)); err == nil {
			file.Close()
		}
		return w.requests, err
	}
	_, err = collect(c.Follow(context.Background(), kind, types.Secret(callback)))
	return w.requests, err
}

func TestHostileCallbacks(t *testing.T) {
	require.GreaterOrEqual(t, len(hostile), 60)
	for _, test := range hostile {
		t.Run(test.name, func(t *testing.T) {
			kinds := []types.Kind{test.kind}
			if test.kind == "" {
				kinds = []types.Kind{types.KindActivities}
			}
			for _, kind := range kinds {
				sent, err := take(t, kind, test.url, activity.Options{})
				require.ErrorIs(t, err, activity.ErrCallback)
				require.ErrorIs(t, err, types.ErrNotSent)
				require.Empty(t, sent)
				require.Equal(t, types.FaultItem, asError(t, err).Fault())
				if len(test.url) > 8 {
					require.NotContains(t, err.Error(), test.url)
				}
			}
		})
	}
}

func TestGoodCallbacks(t *testing.T) {
	const query = "?token=a%2Fb%2fc+d=~!$'()*,:@/?&uploadEndTimeInSeconds=1700003600&uploadStartTimeInSeconds=1700000000"
	for _, kind := range types.Kinds() {
		q := query
		if kind == types.KindActivityFiles {
			q = "?id=98765432109876543210&token=a%2Fb%2fc"
		}
		sent, err := take(t, kind, base+"/"+resource.Of(kind)+q, activity.Options{})
		require.NoError(t, err)
		require.Len(t, sent, 1)
		require.Equal(t, base+"/"+resource.Of(kind)+q, sent[0].URL.String(), "byte for byte")
		require.Equal(t, "Bearer user-token", sent[0].Header.Get("Authorization"))
		require.Empty(t, sent[0].Header.Get("Referer"))
	}

	t.Run("opted-in host, rebuilt on the base URL", func(t *testing.T) {
		old := "https://healthapi.garmin.com/wellness-api/rest/activities" + goodPull
		opts := activity.Options{BaseURL: "https://gateway.example/garmin", CallbackHosts: []string{"healthapi.garmin.com"}}
		sent, err := take(t, types.KindActivities, old, opts)
		require.NoError(t, err)
		require.Equal(t, "https://gateway.example/garmin/activities"+goodPull, sent[0].URL.String())
		for _, bad := range []string{
			strings.Replace(old, "https", "http", 1),
			strings.Replace(old, ".com", ".com:443", 1),
			strings.Replace(old, "wellness-api", "partner-gateway", 1),
			base + "/activities" + goodPull, // no longer the base URL's host
		} {
			_, err := take(t, types.KindActivities, bad, opts)
			require.ErrorIs(t, err, activity.ErrCallback)
		}
	})
}

// TestCallbackCharacters goes through every byte and escape that a value may
// or may not hold.
func TestCallbackCharacters(t *testing.T) {
	const (
		plain = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~!$'()*+,=:@/?"
		hex   = "0123456789ABCDEFabcdef"
	)
	check := func(value string, want bool) {
		t.Helper()
		sent, err := take(t, types.KindActivities, base+"/activities?token="+value, activity.Options{})
		if want {
			require.NoError(t, err, "%q", value)
			require.Equal(t, "token="+value, sent[0].URL.RawQuery)
			return
		}
		require.ErrorIs(t, err, activity.ErrCallback, "%q", value)
		require.Empty(t, sent)
	}
	for n := range 256 {
		c := string([]byte{byte(n)})
		// An ampersand ends the value, and a percent sign begins an escape.
		check("x"+c, strings.Contains(plain, c))
		// It stands as the first and as the second digit of an escape.
		check("%"+c+"0", strings.Contains(hex[2:], c))
		check("%4"+c, strings.Contains(hex, c))
	}
	for n := range 256 {
		for _, format := range []string{"%%%02x", "%%%02X"} {
			check(fmt.Sprintf(format, n), n >= 0x20 && n != 0x7f)
		}
	}
}

func TestCallbackLength(t *testing.T) {
	for length, want := range map[int]error{8 << 10: nil, 8<<10 + 1: activity.ErrCallback} {
		s := base + "/activities?token="
		s += strings.Repeat("a", length-len(s))
		_, err := take(t, types.KindActivities, s, activity.Options{})
		require.ErrorIs(t, err, want, "%d bytes", length)
	}
}

// FuzzCallback holds what must never be otherwise: whatever the URL says, if a
// request goes out, it goes to the base URL's origin, to the resource of the
// kind, with the query as it was.
func FuzzCallback(f *testing.F) {
	for _, test := range hostile {
		f.Add(test.url, 0)
	}
	for i, kind := range types.Kinds() {
		f.Add(base+"/"+resource.Of(kind)+goodPull, i)
		f.Add(base+"/"+resource.Of(kind)+"?id=1&token=a%2Fb", i)
	}
	resources := []string{"activities", "manuallyUpdatedActivities", "activityDetails", "activityFile", "moveiq"}
	f.Fuzz(func(t *testing.T, callback string, n int) {
		kind := types.Kinds()[uint(n)%5]
		sent, err := take(t, kind, callback, activity.Options{})
		if err != nil {
			require.ErrorIs(t, err, activity.ErrCallback)
			require.Empty(t, sent)
			return
		}
		require.Len(t, sent, 1)
		got := sent[0]
		require.Equal(t, "GET", got.Method)
		require.Equal(t, "https", got.URL.Scheme)
		require.Equal(t, "apis.garmin.com", got.URL.Host)
		require.Contains(t, []string{"", "apis.garmin.com"}, got.Host)
		name, ok := strings.CutPrefix(got.URL.EscapedPath(), "/wellness-api/rest/")
		require.True(t, ok)
		require.True(t, slices.Contains(resources, name))
		require.Equal(t, resource.Of(kind), name)
		// The standard parser sees the same URL in the callback as was sent.
		u, err := url.Parse(callback)
		require.NoError(t, err)
		require.Equal(t, u.String(), got.URL.String())
		require.Equal(t, u.RawQuery, got.URL.RawQuery)
		values, err := url.ParseQuery(got.URL.RawQuery)
		require.NoError(t, err)
		for _, v := range values {
			require.Len(t, v, 1)
		}
	})
}
