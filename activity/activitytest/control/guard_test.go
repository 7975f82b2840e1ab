package control

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/garminkit/activityapi/activity/activitytest"
)

// TestStrangers tries each call as a web page in the developer's browser can:
// one of another site, of another port of this machine, and one whose name was
// made to lead here.
func TestStrangers(t *testing.T) {
	t.Parallel()
	for _, r := range new(control).routes() {
		method, path, _ := strings.Cut(r.pattern, " ")
		path = strings.NewReplacer("{id}", "alice", "{key}", "all", "{kind}", "activities", "{item}", "1").Replace(path)
		call := func(host string, header http.Header) (int, *activitytest.Server) {
			fake := activitytest.NewServer()
			fake.AddUser(&activitytest.UserOptions{ID: "alice"})
			req := httptest.NewRequest(method, path, strings.NewReader(""))
			req.Host = host
			req.Header = header
			w := httptest.NewRecorder()
			Handler(fake, &Options{Hosts: []string{"fake-garmin"}}).ServeHTTP(w, req)
			return w.Code, fake
		}
		for name, test := range map[string]struct {
			host   string
			header http.Header
			reads  bool // refused for reads, too
		}{
			"rebound name":                  {"attacker.example:9000", http.Header{"Origin": {"http://attacker.example:9000"}, "Sec-Fetch-Site": {"same-origin"}}, true},
			"rebound name, old browser":     {"attacker.example:9000", nil, true},
			"rebound address":               {"192.0.2.7", nil, true},
			"a name that looks like ours":   {"localhost.attacker.example", nil, true},
			"a name that ends like ours":    {"xlocalhost:9000", nil, true},
			"an address that is all":        {"0.0.0.0:9000", nil, true},
			"no name":                       {"", nil, true},
			"a name in brackets":            {"[attacker.example]:9000", nil, true},
			"another site":                  {"127.0.0.1:9000", http.Header{"Origin": {"https://attacker.example"}, "Sec-Fetch-Site": {"cross-site"}}, false},
			"another site, old browser":     {"127.0.0.1:9000", http.Header{"Origin": {"https://attacker.example"}}, false},
			"a page without origin":         {"127.0.0.1:9000", http.Header{"Origin": {"null"}}, false},
			"another port of this machine":  {"127.0.0.1:9000", http.Header{"Origin": {"http://127.0.0.1:3000"}}, false},
			"another port, with its header": {"localhost:9000", http.Header{"Sec-Fetch-Site": {"same-site"}}, false},
			"another name of this machine":  {"localhost:9000", http.Header{"Origin": {"http://127.0.0.1:9000"}}, false},
		} {
			code, fake := call(test.host, test.header)
			if test.reads || method != http.MethodGet {
				require.Equal(t, http.StatusForbidden, code, "%s: %s", r.pattern, name)
				require.Len(t, fake.Users(), 1, r.pattern)
				require.True(t, fake.Users()[0].State().Connected, r.pattern)
			}
		}
		for host, header := range map[string]http.Header{
			"127.0.0.1:9000":      nil,
			"localhost":           {"Origin": {"http://localhost"}, "Sec-Fetch-Site": {"same-origin"}},
			"[::1]:9000":          {"Origin": {"http://[::1]:9000"}},
			"LOCALHOST:9000":      nil,
			"127.0.0.2":           nil,
			"Fake-Garmin:9000":    nil,
			"fake-garmin":         {"Sec-Fetch-Site": {"none"}},
			"localhost:9000":      {"Sec-Fetch-Site": {"same-origin"}},
			"fake-garmin:9000":    {"Origin": {"http://fake-garmin:9000"}},
			"[0:0:0:0:0:0:0:1]:1": nil,
		} {
			code, _ := call(host, header)
			require.NotEqual(t, http.StatusForbidden, code, "%s: %s", r.pattern, host)
		}
	}
}

// TestWritesAreNoReads: a page can make a browser send any GET.
func TestWritesAreNoReads(t *testing.T) {
	t.Parallel()
	fake := activitytest.NewServer()
	fake.AddUser(&activitytest.UserOptions{ID: "alice"})
	h := Handler(fake, nil)
	state := func() string {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "http://localhost/state", nil))
		return w.Body.String()
	}
	before := state()
	for _, r := range new(control).routes() {
		method, path, _ := strings.Cut(r.pattern, " ")
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "http://localhost"+strings.NewReplacer("{id}", "alice", "{key}", "all", "{kind}", "activities", "{item}", "1").Replace(path), nil))
		if method == http.MethodGet {
			if !strings.Contains(r.pattern, "/{item}") && !strings.HasPrefix(path, "/deliveries/") && !strings.HasPrefix(path, "/requests/") {
				require.Equal(t, http.StatusOK, w.Code, path)
			}
			require.Equal(t, "nosniff", w.Header().Get("X-Content-Type-Options"), path)
		}
	}
	require.Equal(t, before, state())
}
