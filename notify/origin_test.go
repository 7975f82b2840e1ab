package notify_test

import (
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/garminkit/activityapi/notify"
)

const (
	current  = "current-secret-0123456789"
	previous = "previous-secret-012345678"
)

func prefixes(list ...string) (out []netip.Prefix) {
	for _, p := range list {
		out = append(out, netip.MustParsePrefix(p))
	}
	return out
}

func TestOriginRefusesBadSettings(t *testing.T) {
	t.Parallel()
	tests := map[string]func() (notify.OriginCheck, error){
		"empty secret":        func() (notify.OriginCheck, error) { return notify.PathSecret("", previous) },
		"short secret":        func() (notify.OriginCheck, error) { return notify.PathSecret("short", "") },
		"short previous":      func() (notify.OriginCheck, error) { return notify.PathSecret(current, "short") },
		"secret with slash":   func() (notify.OriginCheck, error) { return notify.PathSecret("0123456789/0123456789", "") },
		"secret with percent": func() (notify.OriginCheck, error) { return notify.PathSecret("0123456789%410123456789", "") },
		"empty client id":     func() (notify.OriginCheck, error) { return notify.ClientID("") },
		"no addresses":        func() (notify.OriginCheck, error) { return notify.Addresses(nil, prefixes("10.0.0.0/8")) },
		"zero prefix":         func() (notify.OriginCheck, error) { return notify.Addresses([]netip.Prefix{{}}, nil) },
		"zero proxy": func() (notify.OriginCheck, error) {
			return notify.Addresses(prefixes("10.0.0.0/8"), []netip.Prefix{{}})
		},
		"IPv4 mapped into IPv6": func() (notify.OriginCheck, error) { return notify.Addresses(prefixes("::ffff:10.0.0.0/104"), nil) },
	}
	for name, construct := range tests {
		check, err := construct()
		require.Error(t, err, name)
		require.Nil(t, check, name)
		require.NotContains(t, err.Error(), "0123456789", name)
		// Who drops the error gets no open door.
		opts := notify.Options{Origin: []notify.OriginCheck{check}}
		require.Error(t, opts.Check(), name)
		require.Panics(t, func() { notify.NewHandler(&memory{}, &opts) }, name)
	}
}

func TestPathSecretCharacters(t *testing.T) {
	t.Parallel()
	const good = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~"
	for n := range 256 {
		c := string([]byte{byte(n)})
		_, err := notify.PathSecret("0123456789abcde"+c, "")
		require.Equal(t, strings.Contains(good, c), err == nil, "current with %q", c)
		_, err = notify.PathSecret(current, "0123456789abcde"+c)
		require.Equal(t, strings.Contains(good, c), err == nil, "previous with %q", c)
	}
	_, err := notify.PathSecret("0123456789abcde", "")
	require.Error(t, err, "15 characters")
}

func TestOrigin(t *testing.T) {
	t.Parallel()
	must := func(c notify.OriginCheck, err error) notify.OriginCheck {
		require.NoError(t, err)
		return c
	}
	rotating, single := must(notify.PathSecret(current, previous)), must(notify.PathSecret(current, ""))
	id := must(notify.ClientID("the-client-id"))
	direct := must(notify.Addresses(prefixes("203.0.113.0/24", "2001:db8::/32"), nil))
	proxied := must(notify.Addresses(prefixes("203.0.113.0/24"), prefixes("10.0.0.0/8", "192.0.2.7/32")))
	own := func(r *http.Request) bool { return r.Header.Get("X-Own") == "yes" }
	tests := []struct {
		name    string
		checks  []notify.OriginCheck
		path    string
		from    string
		headers string
		want    bool
	}{
		{name: "none", want: true},
		{name: "current secret", checks: []notify.OriginCheck{rotating}, path: "/garmin/" + current, want: true},
		{name: "secret in the middle", checks: []notify.OriginCheck{rotating}, path: "/garmin/" + current + "/activities", want: true},
		{name: "previous secret", checks: []notify.OriginCheck{rotating}, path: "/garmin/" + previous, want: true},
		{name: "previous secret is over", checks: []notify.OriginCheck{single}, path: "/garmin/" + previous},
		{name: "no secret", checks: []notify.OriginCheck{single}, path: "/garmin/"},
		{name: "a part of the secret", checks: []notify.OriginCheck{single}, path: "/garmin/" + current[:20]},
		{name: "more than the secret", checks: []notify.OriginCheck{single}, path: "/garmin/" + current + "x"},
		{name: "secret in the query", checks: []notify.OriginCheck{single}, path: "/garmin?" + current + "=" + current},
		{name: "secret in other case", checks: []notify.OriginCheck{single}, path: "/garmin/" + strings.ToUpper(current)},
		{name: "client id", checks: []notify.OriginCheck{id}, headers: "garmin-client-id: the-client-id", want: true},
		{name: "wrong client id", checks: []notify.OriginCheck{id}, headers: "garmin-client-id: another"},
		{name: "no client id", checks: []notify.OriginCheck{id}},
		{name: "empty client id", checks: []notify.OriginCheck{id}, headers: "garmin-client-id: "},
		{name: "client id twice", checks: []notify.OriginCheck{id}, headers: "garmin-client-id: the-client-id\ngarmin-client-id: x"},
		{name: "both", checks: []notify.OriginCheck{single, id}, path: "/" + current, headers: "garmin-client-id: the-client-id", want: true},
		{name: "one of both", checks: []notify.OriginCheck{single, id}, path: "/" + current},
		{name: "the other of both", checks: []notify.OriginCheck{single, id}, headers: "garmin-client-id: the-client-id"},
		{name: "own function", checks: []notify.OriginCheck{own}, headers: "X-Own: yes", want: true},
		{name: "own function says no", checks: []notify.OriginCheck{own}},
		{name: "address", checks: []notify.OriginCheck{direct}, from: "203.0.113.9:1", want: true},
		{name: "IPv6 address", checks: []notify.OriginCheck{direct}, from: "[2001:db8::1%eth0]:1", want: true},
		{name: "mapped address", checks: []notify.OriginCheck{direct}, from: "[::ffff:203.0.113.9]:1", want: true},
		{name: "other address", checks: []notify.OriginCheck{direct}, from: "198.51.100.1:1"},
		{name: "no address", checks: []notify.OriginCheck{direct}, from: "@"},
		{name: "forwarded header without proxies", checks: []notify.OriginCheck{direct}, from: "198.51.100.1:1", headers: "X-Forwarded-For: 203.0.113.9"},
		{name: "through a proxy", checks: []notify.OriginCheck{proxied}, from: "10.1.1.1:1", headers: "X-Forwarded-For: 203.0.113.9", want: true},
		{name: "through two proxies", checks: []notify.OriginCheck{proxied}, from: "10.1.1.1:1", headers: "X-Forwarded-For: 203.0.113.9, 192.0.2.7", want: true},
		{name: "through two proxies in two headers", checks: []notify.OriginCheck{proxied}, from: "10.1.1.1:1", headers: "X-Forwarded-For: 203.0.113.9\nX-Forwarded-For: 192.0.2.7", want: true},
		{name: "spoofed before the proxy", checks: []notify.OriginCheck{proxied}, from: "10.1.1.1:1", headers: "X-Forwarded-For: 203.0.113.9, 198.51.100.1"},
		{name: "header from no proxy", checks: []notify.OriginCheck{proxied}, from: "198.51.100.1:1", headers: "X-Forwarded-For: 203.0.113.9"},
		{name: "nobody but proxies", checks: []notify.OriginCheck{proxied}, from: "10.1.1.1:1", headers: "X-Forwarded-For: 10.2.2.2, 192.0.2.7"},
		{name: "proxy itself", checks: []notify.OriginCheck{proxied}, from: "10.1.1.1:1"},
		{name: "broken header", checks: []notify.OriginCheck{proxied}, from: "10.1.1.1:1", headers: "X-Forwarded-For: 203.0.113.9, unknown"},
		{name: "broken header at the end", checks: []notify.OriginCheck{proxied}, from: "10.1.1.1:1", headers: "X-Forwarded-For: 203.0.113.9,"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			path := tt.path
			if path == "" {
				path = "/garmin"
			}
			body := &countingReader{Reader: strings.NewReader("{}")}
			r := httptest.NewRequest("POST", path, body)
			if tt.from != "" {
				r.RemoteAddr = tt.from
			}
			for line := range strings.SplitSeq(tt.headers, "\n") {
				if name, value, ok := strings.Cut(line, ": "); ok {
					r.Header.Add(name, value)
				}
			}
			store, w := &memory{}, httptest.NewRecorder()
			notify.NewHandler(store, &notify.Options{Origin: tt.checks}).ServeHTTP(w, r)
			if tt.want {
				require.Equal(t, 200, w.Code)
				return
			}
			require.Equal(t, 404, w.Code)
			require.Zero(t, body.reads, "the body was read")
			require.Empty(t, store.bodies)
		})
	}
}

func TestOriginStatus(t *testing.T) {
	t.Parallel()
	no := func(*http.Request) bool { return false }
	w := httptest.NewRecorder()
	h := notify.NewHandler(&memory{}, &notify.Options{Origin: []notify.OriginCheck{no}, OriginStatus: 503})
	h.ServeHTTP(w, httptest.NewRequest("GET", "/", nil))
	require.Equal(t, 503, w.Code)
	require.Empty(t, w.Header().Get("Allow"))
}

func TestOptionsCheck(t *testing.T) {
	t.Parallel()
	var none *notify.Options
	require.NoError(t, none.Check())
	for name, opts := range map[string]notify.Options{
		"large body":       {MaxBody: 2 << 30},
		"one at a time":    {MaxBody: 10, MaxInFlight: 10},
		"longest deadline": {Deadline: 28 * time.Second},
		"lowest status":    {OriginStatus: 400},
		"highest status":   {OriginStatus: 599},
	} {
		require.NoError(t, opts.Check(), name)
	}
	for name, opts := range map[string]notify.Options{
		"negative body":     {MaxBody: -1},
		"less in flight":    {MaxBody: 10, MaxInFlight: 9},
		"negative flight":   {MaxInFlight: -1},
		"negative deadline": {Deadline: -1},
		"late deadline":     {Deadline: 28*time.Second + 1},
		"status 200":        {OriginStatus: 200},
		"status 399":        {OriginStatus: 399},
		"status 600":        {OriginStatus: 600},
	} {
		require.Error(t, opts.Check(), name)
		require.Panics(t, func() { notify.NewHandler(&memory{}, &opts) }, name)
	}
	require.Panics(t, func() { notify.NewHandler(nil, nil) })
}

// TestOriginIsCopied: a handler keeps the checks it was made with.
func TestOriginIsCopied(t *testing.T) {
	t.Parallel()
	checks := []notify.OriginCheck{func(*http.Request) bool { return false }}
	h := notify.NewHandler(&memory{}, &notify.Options{Origin: checks})
	checks[0] = func(*http.Request) bool { return true }
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest("POST", "/", strings.NewReader("x")))
	require.Equal(t, 404, w.Code)
}
